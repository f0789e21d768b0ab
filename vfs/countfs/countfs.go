// Package countfs counts what is asked of a storage: it passes every operation to another vfs.FS. Tests hold by it what a
// read fetches.
package countfs

import (
	"context"
	"strings"
	"sync"

	"azulejo/vfs"
)

// Counts are the operations since the start or the last Reset.
type Counts struct {
	// Lists and Opens are calls of List and Open.
	Lists, Opens int
	// Reads are calls of ReadAt, ReadBytes what they filled.
	Reads     int
	ReadBytes int64
}

// FS passes every operation on and counts it. It is safe for concurrent use.
type FS struct {
	vfs.FS
	// Only, when not empty, is a part of the URIs that reads and opens are counted of.
	Only string

	mu sync.Mutex
	// n is guarded by mu.
	n Counts
}

// New returns a file system that counts what is asked of fs.
func New(fs vfs.FS) *FS { return &FS{FS: fs} }

// Counts returns what was counted.
func (s *FS) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// Reset begins anew and returns what was counted.
func (s *FS) Reset() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.n
	s.n = Counts{}
	return n
}

func (s *FS) add(n Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n.Lists += n.Lists
	s.n.Opens += n.Opens
	s.n.Reads += n.Reads
	s.n.ReadBytes += n.ReadBytes
}

// List implements vfs.FS.
func (s *FS) List(ctx context.Context, dir string) ([]vfs.Entry, error) {
	s.add(Counts{Lists: 1})
	return s.FS.List(ctx, dir)
}

// Open implements vfs.FS.
func (s *FS) Open(ctx context.Context, uri string) (vfs.File, error) {
	f, err := s.FS.Open(ctx, uri)
	if err != nil || !strings.Contains(uri, s.Only) {
		return f, err
	}
	s.add(Counts{Opens: 1})
	return &file{f, s}, nil
}

// file counts its reads.
type file struct {
	vfs.File
	fs *FS
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(ctx context.Context, p []byte, off int64) error {
	f.fs.add(Counts{Reads: 1, ReadBytes: int64(len(p))})
	return f.File.ReadAt(ctx, p, off)
}

// SmallReads says of the file what the one below says (fragment.SmallReads).
func (f *file) SmallReads() bool {
	s, ok := f.File.(interface{ SmallReads() bool })
	return ok && s.SmallReads()
}
