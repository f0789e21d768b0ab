package fragment

import (
	"context"
	"errors"
	"sync"

	"azulejo/format"
	"azulejo/internal/pool"
	"azulejo/vfs"
)

// Files keeps the data files open that one query reads, and books the memory its tiles take. The zero value is ready.
// It is safe for concurrent use; Close ends it after the last read.
type Files struct {
	// Budget bounds the bytes of lent tiles; nil means no limit.
	Budget *pool.Budget

	mu sync.Mutex
	// open is guarded by mu.
	open map[fileKey]vfs.File
}

type fileKey struct {
	field *Field
	kind  format.FileKind
}

// get returns an open file, opening it at first use.
func (s *Files) get(ctx context.Context, f *Field, kind format.FileKind) (vfs.File, error) {
	key := fileKey{f, kind}
	if file := s.known(key, nil); file != nil {
		return file, nil
	}
	file, err := f.r.fs.Open(ctx, f.uri(kind))
	if err != nil {
		return nil, err
	}
	if want := f.places.Load().files[kind]; uint64(file.Size()) != want[len(want)-1] {
		file.Close() // best effort: it was only opened
		return nil, f.r.corrupt("file %s has %d bytes instead of %d", f.uri(kind), file.Size(), want[len(want)-1])
	}
	if first := s.known(key, file); first != file {
		file.Close() // best effort: another goroutine opened it too
		return first, nil
	}
	return file, nil
}

// known returns the open file of a key; when there is none it keeps file, unless that is nil.
func (s *Files) known(key fileKey, file vfs.File) vfs.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.open[key]; first != nil || file == nil {
		return first
	}
	if s.open == nil {
		s.open = make(map[fileKey]vfs.File)
	}
	s.open[key] = file
	return file
}

// Close closes every file. No read may be under way.
func (s *Files) Close() error {
	var errs []error
	for _, file := range s.open {
		errs = append(errs, file.Close())
	}
	s.open = nil
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
