package fragment

import (
	"context"
	"errors"
	"sync"

	"azulejo/format"
	"azulejo/internal/cache"
	"azulejo/internal/pool"
	"azulejo/vfs"
)

// Files keeps the data files open that one query reads, and books the memory its tiles take. The zero value is ready.
// It is safe for concurrent use; Close ends it after the last read.
type Files struct {
	// Budget bounds the bytes of lent tiles; nil means no limit.
	Budget *pool.Budget
	keeper keeper

	mu sync.Mutex
	// files and ahead are guarded by mu; the latter are the stretches that Ahead planned, by their places.
	files map[fileKey]*openFile
	ahead map[fileKey][]*stretch
}

// Keep makes reads take cells from a cache and put there what is read again; to be called before the first read.
func (s *Files) Keep(c *cache.Cache) { s.keeper.cache = c }

type fileKey struct {
	field *Field
	kind  format.FileKind
}

// openFile is a file that is opened at first use.
type openFile struct {
	mu sync.Mutex
	// file is guarded by mu.
	file vfs.File
}

// get returns an open file, opening it at first use.
func (s *Files) get(ctx context.Context, f *Field, kind format.FileKind) (vfs.File, error) {
	o := s.entry(fileKey{f, kind})
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		return o.file, nil
	}
	file, err := f.open(ctx, kind)
	if err != nil {
		return nil, err // the next one tries again: this one's query may only have been called off
	}
	o.file = file
	return file, nil
}

// entry returns what stands for a file, making it at first use.
func (s *Files) entry(key fileKey) *openFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.files[key]
	if o == nil {
		if s.files == nil {
			s.files = make(map[fileKey]*openFile)
		}
		o = &openFile{}
		s.files[key] = o
	}
	return o
}

// open opens one of the field's data files and holds its size against the metadata.
func (f *Field) open(ctx context.Context, kind format.FileKind) (vfs.File, error) {
	file, err := f.r.fs.Open(ctx, f.uri(kind))
	if err != nil {
		return nil, err
	}
	if want := f.places.Load().files[kind].end; uint64(file.Size()) != want {
		file.Close() // best effort: it was only opened
		return nil, f.r.corrupt("file %s has %d bytes instead of %d", f.uri(kind), file.Size(), want)
	}
	return file, nil
}

// Close closes every file. No read may be under way.
func (s *Files) Close() error {
	s.dropAhead()
	var errs []error
	for _, o := range s.files {
		if o.file != nil {
			errs = append(errs, o.file.Close())
		}
	}
	s.files = nil
	return errors.Join(errs...)
}

// lend books n bytes and lends a buffer of that size; giveBack ends the loan.
func (s *Files) lend(n int) (*pool.Buffer, error) {
	if s.Budget != nil {
		if err := s.Budget.Take(int64(n)); err != nil {
			return nil, err
		}
	}
	return pool.Get(n), nil
}

func (s *Files) giveBack(b *pool.Buffer, n int) {
	if b == nil {
		return
	}
	if s.Budget != nil {
		s.Budget.Give(int64(n))
	}
	b.Release()
}
