// Package vfs is the seam between the engine and the places arrays live in: a file system of immutable files, with
// listing, ranged reads, write-once files and removal.
//
// A URI is a slash-separated name understood by the backend; Join and Base work on it. Directories of object stores
// exist while they hold something.
package vfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrNotExist is wrapped by the error for a file or directory that is not there.
var ErrNotExist = errors.New("does not exist")

// ErrExist is wrapped by the error of creating what is already there.
var ErrExist = errors.New("already exists")

// Error is a storage fault: what was tried on which URI.
type Error struct {
	Op, URI string
	Err     error
}

// Error returns operation, URI and cause.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.URI, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Entry is one direct child of a listed directory.
type Entry struct {
	// Name is the last part of the child's URI.
	Name string
	// NBytes is the file's size; 0 for directories, -1 where a listing does not tell it (ask Size).
	NBytes int64
	Dir    bool
}

// FS is a place where arrays live. Implementations are safe for concurrent use.
type FS interface {
	// List returns the direct children of a directory sorted by name. A directory that does not exist is empty.
	List(ctx context.Context, dir string) ([]Entry, error)
	// Open opens a file for ranged reads; the error wraps ErrNotExist when there is none.
	Open(ctx context.Context, uri string) (File, error)
	// Create begins a new file, which becomes visible, whole and durable, at Commit. Committing over an existing file
	// is an error wrapping ErrExist, also when two writers commit at the same time. Missing parents are made. The context is
	// that of the call, not of the writer.
	Create(ctx context.Context, uri string) (Writer, error)
	// MakeDir makes a directory and its parents durable; a no-op where directories do not exist by themselves.
	MakeDir(ctx context.Context, dir string) error
	// Remove removes a file, or a directory with everything in it, durably. Where directories exist by themselves they
	// disappear at one moment, never piece by piece. Removing what is not there is not an error.
	Remove(ctx context.Context, uri string) error
}

// File is an open immutable file. ReadAt may be called concurrently.
type File interface {
	// ReadAt fills p from offset off; it never returns fewer bytes without an error.
	ReadAt(ctx context.Context, p []byte, off int64) error
	// Size returns the length in bytes.
	Size() int64
	Close() error
}

// Writer collects the bytes of a new file. Exactly one of Commit and Abort ends it; Abort after Commit does nothing.
// It is not safe for concurrent use.
type Writer interface {
	Write(p []byte) (int, error)
	// Commit publishes the file. After an error the file may or may not be there, but if it is, it is whole.
	Commit(ctx context.Context) error
	Abort() error
}

// ReadAll returns the whole content of a file.
func ReadAll(ctx context.Context, fs FS, uri string) ([]byte, error) {
	f, err := fs.Open(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := make([]byte, f.Size())
	return p, f.ReadAt(ctx, p, 0)
}

// Tailer is implemented by backends that read the end of a file cheaper than by opening it first.
type Tailer interface {
	// ReadTail is ReadTail for this backend.
	ReadTail(ctx context.Context, uri string, room []byte) (tail []byte, size int64, err error)
}

// ReadTail reads the end of a file into room, as much as goes in there, all of a file that is shorter. It returns the part
// of room that it filled and the length of the file in bytes.
func ReadTail(ctx context.Context, fs FS, uri string, room []byte) (tail []byte, size int64, err error) {
	if t, ok := fs.(Tailer); ok {
		return t.ReadTail(ctx, uri, room)
	}
	f, err := fs.Open(ctx, uri)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	size = f.Size()
	tail = room[:min(int64(len(room)), size)]
	return tail, size, f.ReadAt(ctx, tail, size-int64(len(tail)))
}

// WriteAll creates a file with the given content, durable when it returns.
func WriteAll(ctx context.Context, fs FS, uri string, content []byte) error {
	w, err := fs.Create(ctx, uri)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Commit(ctx)
}

// Size returns the length in bytes of a file.
func Size(ctx context.Context, fs FS, uri string) (int64, error) {
	f, err := fs.Open(ctx, uri)
	if err != nil {
		return 0, err
	}
	return f.Size(), f.Close()
}

// Batcher is implemented by backends that publish several files cheaper together than one by one.
type Batcher interface {
	// CommitAll is CommitAll for writers of this backend.
	CommitAll(ctx context.Context, ws []Writer) error
}

// CommitAll commits every writer in order. After an error the writers that were not committed are aborted; files
// committed before it stay. All files are durable when it returns nil.
func CommitAll(ctx context.Context, fs FS, ws []Writer) error {
	if b, ok := fs.(Batcher); ok {
		return b.CommitAll(ctx, ws)
	}
	for i, w := range ws {
		if err := w.Commit(ctx); err != nil {
			for _, rest := range ws[i:] {
				err = errors.Join(err, rest.Abort())
			}
			return err
		}
	}
	return nil
}

// EmptyRemover is implemented by backends whose directories exist by themselves.
type EmptyRemover interface {
	// RemoveEmpty removes a directory if nothing is in it; a missing or filled one is not an error.
	RemoveEmpty(ctx context.Context, dir string) error
}

// RemoveEmpty removes a directory if nothing is in it, and does nothing on backends without directories of their own.
func RemoveEmpty(ctx context.Context, fs FS, dir string) error {
	if r, ok := fs.(EmptyRemover); ok {
		return r.RemoveEmpty(ctx, dir)
	}
	return nil
}

// Renamer is implemented by backends that can give a directory another name at one moment.
type Renamer interface {
	// Rename gives a directory with all that is in it a name that must be free, durably; parents of that name are made. The
	// error wraps ErrNotExist, ErrExist, or errors.ErrUnsupported where the two names are too far apart for that.
	Rename(ctx context.Context, from, to string) error
}

// Rename renames a directory; the error wraps errors.ErrUnsupported on backends that cannot do it at one moment.
func Rename(ctx context.Context, fs FS, from, to string) error {
	if r, ok := fs.(Renamer); ok {
		return r.Rename(ctx, from, to)
	}
	return &Error{Op: "rename", URI: from, Err: errors.ErrUnsupported}
}

// Near is implemented by backends that can answer without a round trip over a network, so that asking for several things
// at once saves no time.
type Near interface {
	// Near reports whether that is so.
	Near() bool
}

// IsNear reports whether a backend says of itself that it is near.
func IsNear(fs FS) bool {
	n, ok := fs.(Near)
	return ok && n.Near()
}

// Gapper is implemented by backends that know what a request costs.
type Gapper interface {
	// GapBytes is how many bytes between two wanted stretches of one file are better read in vain than left out by a second
	// request: what comes over the line while that would be answered.
	GapBytes(uri string) int64
}

// nearGap is the gap of backends that do not tell.
const nearGap = 32 << 10

// GapBytes returns the gap of a backend for files at and below a URI.
func GapBytes(fs FS, uri string) int64 {
	if g, ok := fs.(Gapper); ok {
		return g.GapBytes(uri)
	}
	return nearGap
}

// IsFar reports whether requests to a backend cost so much that it pays to plan reads ahead.
func IsFar(fs FS, uri string) bool { return GapBytes(fs, uri) > nearGap }

// Join appends path parts to a URI.
func Join(uri string, parts ...string) string {
	if len(parts) == 1 {
		return strings.TrimRight(uri, "/") + "/" + strings.Trim(parts[0], "/")
	}
	n := len(uri)
	for _, p := range parts {
		n += 1 + len(p)
	}
	b := make([]byte, 0, n)
	b = append(b, uri...)
	for _, p := range parts {
		b = append(bytes.TrimRight(b, "/"), '/')
		b = append(b, strings.Trim(p, "/")...)
	}
	return string(b)
}

// Trim returns a URI without trailing slashes.
func Trim(uri string) string { return strings.TrimRight(uri, "/") }

// Base returns the last part of a URI, without a trailing slash.
func Base(uri string) string {
	uri = strings.TrimRight(uri, "/")
	return uri[strings.LastIndexByte(uri, '/')+1:]
}
