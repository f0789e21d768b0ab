// Package spool keeps request bodies that are too large for memory in files of the server's own, until the request ends.
//
// What was kept comes back as byte slices that are mapped from the file: the system takes their memory back when it needs
// it, and this package gives it back by itself while they are large, so that going over a body of gigabytes does not make
// the process large. The files have no name: a crash leaves nothing behind.
package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"azulejo/datatype"
)

// Dir is where the files are made.
type Dir struct{ path string }

// Open returns the directory at path, which is made if there is none.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	// What has a name is of a process that ended before it could take the name away.
	left, err := filepath.Glob(filepath.Join(path, pattern))
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	for _, name := range left {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) < nameless {
			continue // another server may be about to take it away
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("spool: %w", err)
		}
	}
	return &Dir{path}, nil
}

const (
	pattern = "body-*"
	// nameless is after how long a file must have lost its name.
	nameless = time.Minute
	// inMemory is the size in bytes up to which parts are kept in memory.
	inMemory = 64 << 10
	// page is a multiple of the system's page size, at which every part begins.
	page = 64 << 10
	// large is the number of mapped bytes from which memory is given back, relieve how often.
	large   = 32 << 20
	relieve = 100 * time.Millisecond
)

// File keeps the parts of one body. It is for one goroutine; the slices it returns may be read by any.
type File struct {
	f     *os.File
	end   int64
	parts [][]byte
	// given ends the goroutine that gives memory back; nil while there is none.
	given   chan struct{}
	working sync.WaitGroup
	mapped  int64
}

// Create makes an empty file. It must be closed.
func (d *Dir) Create() (*File, error) {
	f, err := os.CreateTemp(d.path, pattern)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("spool: %w", err), f.Close())
	}
	return &File{f: f}, nil
}

// Take reads n bytes from r and returns them in a slice that is aligned for every type and must not be written. It is valid
// until Close. The error is that of r, io.ErrUnexpectedEOF when it ends early, or that of the file.
func (s *File) Take(r io.Reader, n uint64) ([]byte, error) {
	if n <= inMemory {
		b := datatype.AlignedBytes(int(n))
		_, err := io.ReadFull(r, b)
		return b, err
	}
	if _, err := s.f.Seek(s.end, io.SeekStart); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if _, err := io.CopyN(s.f, r, int64(n)); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	b, err := mapFile(s.f, s.end, int(n))
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s.end += (int64(n) + page - 1) / page * page
	s.stop()
	s.parts = append(s.parts, b)
	if s.mapped += int64(n); s.mapped >= large {
		s.start()
	}
	return b, nil
}

// start begins to give memory back now and then: what is needed again comes from the file, or from where the system has
// kept it.
func (s *File) start() {
	s.given = make(chan struct{})
	s.working.Go(func() {
		turns := time.NewTicker(relieve)
		defer turns.Stop()
		for {
			select {
			case <-turns.C:
				for _, b := range s.parts {
					giveBack(b)
				}
			case <-s.given:
				return
			}
		}
	})
}

// stop ends what start began.
func (s *File) stop() {
	if s.given != nil {
		close(s.given)
		s.working.Wait()
		s.given = nil
	}
}

// Close frees the memory and the file.
func (s *File) Close() error {
	s.stop()
	var err error
	for _, b := range s.parts {
		err = errors.Join(err, unmap(b))
	}
	s.parts = nil
	return errors.Join(err, s.f.Close())
}
