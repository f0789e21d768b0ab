// Package bucket makes a vfs.FS of the few operations that every object store has: list by prefix, ranged get,
// conditional put, upload in parts, delete. The stores themselves are vfs/s3, vfs/azblob and vfs/gcs; what they share
// stands here, so that it is right once: retries, writing with bounded memory, the order of removal.
//
// A URI is scheme://bucket/key. As in libtiledb the key is what stands there: nothing is percent-decoded.
//
// What is relied on. All three stores promise since 2020 at the latest that a get, head or list that begins after a
// write or delete was acknowledged sees it, and that one put replaces the object at one moment. So a file is visible, whole
// and durable once Commit returns. A file that exists is refused by the store itself, by a conditional put, which is
// atomic also between writers on different machines; where a server has none, see Options.NoConditionalPut.
//
// Nothing is promised about several objects: a directory is removed object by object. See FS.Remove for what readers see
// meanwhile.
package bucket

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"azulejo/vfs"
)

// Item is an object, or with a key that ends in "/" a common prefix of objects.
type Item struct {
	Key    string
	NBytes int64
}

// Piece is what a store returns when asked about an object: its size and some bytes of it.
type Piece struct {
	// NBytes is the size of the object.
	NBytes int64
	// Tag names this content of the object; a later read with it fails when the object was replaced.
	Tag string
	// Writer is the mark that the object was uploaded with, empty when there is none.
	Writer string
	// Data are bytes of the object from Off on.
	Data []byte
	Off  int64
}

// Store is an object store. Implementations are safe for concurrent use, do not retry, and return errors that wrap a
// *Fault, or the context's.
type Store interface {
	// List returns a page of the objects whose keys begin with prefix, in ascending order of keys, after the place that
	// token names ("" is the start), and the token of the next page, "" at the end. Unless flat, keys that have a "/"
	// behind the prefix are put together to one item. With an error the items before it are returned, and the token of
	// the place where it happened.
	List(ctx context.Context, bucket, prefix string, flat bool, token string) (items []Item, next string, err error)
	// Peek returns the size of an object with whichever bytes, at most n, come with it in one request.
	Peek(ctx context.Context, bucket, key string, n int) (Piece, error)
	// Read fills p, which is not empty, with the bytes from off of the content with the given tag.
	Read(ctx context.Context, bucket, key, tag string, p []byte, off int64) error
	// Upload prepares a new object with a mark; it makes no request.
	Upload(bucket, key, writer string) Upload
	// Delete deletes objects, in any order; those that do not exist do not count. At most 1,000 keys are given.
	Delete(ctx context.Context, bucket string, keys []string) error
}

// Upload is an object on its way. Its methods may be called again after an error.
type Upload interface {
	// Part uploads bytes that are not the last: number counts from 0, off is their place. All parts but the last are of
	// one size. Calls may be made at the same time, but never two for one part.
	Part(ctx context.Context, number int, off int64, p []byte) error
	// Complete uploads the last part, or the only one when number is 0, and publishes the object, unless one with its key
	// exists already.
	Complete(ctx context.Context, number int, off int64, p []byte) error
	// Abort drops what was uploaded of an object that was not published.
	Abort(ctx context.Context) error
}

// Options are what all stores have in common. The zero value is ready.
type Options struct {
	// PartBytes is the size of the parts that large files are uploaded in; 0 means 16 MiB. Files below it take one request.
	PartBytes int
	// Parallel is how many parts of one file are uploaded at a time; 0 means 2. A file being written holds at most
	// PartBytes × (Parallel+1) bytes.
	Parallel int
	// NoConditionalPut is for servers that ignore the condition of a put: whether a file exists is then asked before it is
	// published. Of two writers at the same moment the later one wins, unseen by the first. TileDB's own files are safe from
	// that, their names are unique.
	NoConditionalPut bool
	// Now tells the time, by which the cost of requests is learnt; nil means the real one.
	Now func() time.Time
	// Retry says how often and how long failed requests are repeated.
	Retry Retry
}

func (o Options) partBytes() int {
	if o.PartBytes > 0 {
		return o.PartBytes
	}
	return 16 << 20
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

func (o Options) parallel() int {
	if o.Parallel > 0 {
		return o.Parallel
	}
	return 2
}

// FS is a file system on an object store. It is safe for concurrent use.
type FS struct {
	store   Store
	opts    Options
	schemes []string
	// latency is the nanoseconds that small requests took lately, 0 before the first.
	latency atomic.Int64
}

var (
	_ vfs.FS      = (*FS)(nil)
	_ vfs.Batcher = (*FS)(nil)
	_ vfs.Gapper  = (*FS)(nil)
)

// New returns a file system on a store that takes URIs of the given schemes.
func New(store Store, opts Options, schemes ...string) *FS {
	return &FS{store: store, opts: opts, schemes: schemes}
}

var (
	errForeign  = errors.New("not a URI of this store: want scheme://bucket/key")
	errNoBucket = errors.New("the URI names no bucket")
	errNoKey    = errors.New("the URI names no object, only a bucket")
	errClosed   = errors.New("already closed")
)

// split returns bucket and key of a URI; the key has no slash at either end.
func (s *FS) split(uri string) (bucket, key string, err error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	for _, known := range s.schemes {
		if !ok || scheme != known {
			continue
		}
		bucket, key, _ = strings.Cut(rest, "/")
		if bucket == "" {
			return "", "", errNoBucket
		}
		return bucket, strings.Trim(key, "/"), nil
	}
	return "", "", errForeign
}

// file is split for URIs that must name an object. It also looks at the context.
func (s *FS) file(ctx context.Context, uri string) (bucket, key string, err error) {
	if err := ctx.Err(); err != nil {
		return "", "", err
	}
	bucket, key, err = s.split(uri)
	if err == nil && key == "" {
		err = errNoKey
	}
	return bucket, key, err
}

// fault wraps an error with its place; nil stays nil.
func fault(op, uri string, err error) error {
	if err == nil {
		return nil
	}
	return &vfs.Error{Op: op, URI: uri, Err: err}
}

// MakeDir implements vfs.FS: directories are there while they hold something.
func (s *FS) MakeDir(ctx context.Context, dir string) error {
	_, _, err := s.split(dir)
	return fault("make directory", dir, errors.Join(ctx.Err(), err))
}

// mark returns a new mark for an upload.
func mark() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
