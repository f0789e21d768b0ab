// Package anystore is a vfs.FS for any URI: it passes each operation to the backend of the URI's scheme.
//
//	/path, file:///path     the local machine
//	mem://name              this FS's own memory
//	s3://bucket/key         S3 and servers that speak its protocol
//	azure://container/key   Azure Blob Storage
//	gs://…, gcs://…         Google Cloud Storage
//
// Backends are made when they are first asked for, by the values given to New; nothing is taken from the environment.
package anystore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"azulejo/vfs"
	"azulejo/vfs/azblob"
	"azulejo/vfs/file"
	"azulejo/vfs/gcs"
	"azulejo/vfs/mem"
	"azulejo/vfs/s3"
)

// Config says how stores are reached. The zero value reaches public buckets of S3 and Google, and local files.
type Config struct {
	S3    s3.Options
	Azure azblob.Options
	GCS   gcs.Options
}

// ErrScheme is wrapped by the error for a URI that no backend takes.
var ErrScheme = errors.New("no store takes such URIs: want a path or file, mem, s3, azure, gs or gcs and ://")

// FS is a file system over all stores. It is safe for concurrent use.
type FS struct {
	backends map[string]func() (vfs.FS, error)
}

var (
	_ vfs.FS           = (*FS)(nil)
	_ vfs.Batcher      = (*FS)(nil)
	_ vfs.EmptyRemover = (*FS)(nil)
	_ vfs.Renamer      = (*FS)(nil)
	_ vfs.Gapper       = (*FS)(nil)
)

// New returns a file system over all stores. It makes no request.
func New(c Config) *FS {
	local := file.New()
	google := sync.OnceValues(func() (vfs.FS, error) { return opened(gcs.New(context.Background(), c.GCS)) })
	return &FS{map[string]func() (vfs.FS, error){
		"":      func() (vfs.FS, error) { return local, nil },
		"file":  func() (vfs.FS, error) { return local, nil },
		"mem":   sync.OnceValues(func() (vfs.FS, error) { return mem.New(), nil }),
		"s3":    sync.OnceValues(func() (vfs.FS, error) { return opened(s3.New(c.S3)) }),
		"azure": sync.OnceValues(func() (vfs.FS, error) { return opened(azblob.New(c.Azure)) }),
		"gs":    google,
		"gcs":   google,
	}}
}

// opened makes the nil pointer of a failed opening a nil interface.
func opened[T vfs.FS](fs T, err error) (vfs.FS, error) {
	if err != nil {
		return nil, err
	}
	return fs, nil
}

// Scheme returns the scheme of a URI, "" for a path.
func Scheme(uri string) string {
	scheme, _, ok := strings.Cut(uri, "://")
	if !ok || strings.Contains(scheme, "/") {
		return ""
	}
	return scheme
}

// Backend returns the file system of a URI's scheme. It takes URIs of that scheme alone.
func (s *FS) Backend(uri string) (vfs.FS, error) {
	open, ok := s.backends[Scheme(uri)]
	if !ok {
		return nil, ErrScheme
	}
	return open()
}

// on does an operation on the backend of a URI.
func (s *FS) on(op, uri string, do func(fs vfs.FS) error) error {
	fs, err := s.Backend(uri)
	if err != nil {
		return &vfs.Error{Op: op, URI: uri, Err: err}
	}
	return do(fs)
}

// List implements vfs.FS.
func (s *FS) List(ctx context.Context, dir string) (list []vfs.Entry, err error) {
	err = s.on("list", dir, func(fs vfs.FS) error {
		list, err = fs.List(ctx, dir)
		return err
	})
	return list, err
}

// Open implements vfs.FS.
func (s *FS) Open(ctx context.Context, uri string) (f vfs.File, err error) {
	err = s.on("open", uri, func(fs vfs.FS) error {
		f, err = fs.Open(ctx, uri)
		return err
	})
	return f, err
}

// writer is a backend's writer that knows its backend.
type writer struct {
	vfs.Writer
	fs vfs.FS
}

// Create implements vfs.FS.
func (s *FS) Create(ctx context.Context, uri string) (vfs.Writer, error) {
	var out vfs.Writer
	err := s.on("create", uri, func(fs vfs.FS) error {
		w, err := fs.Create(ctx, uri)
		out = &writer{w, fs}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// CommitAll implements vfs.Batcher by that of the backend, when all files are of one.
func (s *FS) CommitAll(ctx context.Context, ws []vfs.Writer) error {
	inner, fs := make([]vfs.Writer, len(ws)), vfs.FS(nil)
	for i, w := range ws {
		ours, ok := w.(*writer)
		if !ok {
			return fmt.Errorf("writer %d is not of this file system", i)
		}
		if fs != nil && fs != ours.fs {
			fs = s.single()
			copy(inner, ws)
			break
		}
		inner[i], fs = ours.Writer, ours.fs
	}
	return vfs.CommitAll(ctx, fs, inner)
}

// plain hides everything but the operations of vfs.FS.
type plain struct{ vfs.FS }

// single is this file system without batches.
func (s *FS) single() vfs.FS { return plain{s} }

// MakeDir implements vfs.FS.
func (s *FS) MakeDir(ctx context.Context, dir string) error {
	return s.on("make directory", dir, func(fs vfs.FS) error { return fs.MakeDir(ctx, dir) })
}

// Remove implements vfs.FS.
func (s *FS) Remove(ctx context.Context, uri string) error {
	return s.on("remove", uri, func(fs vfs.FS) error { return fs.Remove(ctx, uri) })
}

// RemoveEmpty implements vfs.EmptyRemover.
func (s *FS) RemoveEmpty(ctx context.Context, dir string) error {
	return s.on("remove directory", dir, func(fs vfs.FS) error { return vfs.RemoveEmpty(ctx, fs, dir) })
}

// Rename implements vfs.Renamer.
func (s *FS) Rename(ctx context.Context, from, to string) error {
	return s.on("rename", from, func(fs vfs.FS) error {
		other, err := s.Backend(to)
		if err != nil {
			return &vfs.Error{Op: "rename", URI: to, Err: err}
		}
		if fs != other {
			return &vfs.Error{Op: "rename", URI: from, Err: errors.ErrUnsupported}
		}
		return vfs.Rename(ctx, fs, from, to)
	})
}

// GapBytes implements vfs.Gapper.
func (s *FS) GapBytes(uri string) int64 {
	fs, err := s.Backend(uri)
	if err != nil {
		return 0
	}
	return vfs.GapBytes(fs, uri)
}
