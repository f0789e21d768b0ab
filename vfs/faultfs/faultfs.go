// Package faultfs makes storage fail on purpose: it passes every operation to another vfs.FS and lets a plan break
// chosen ones. Tests run the same work once for every operation of it and look at what is left behind.
package faultfs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"azulejo/vfs"
)

// ErrInjected is wrapped by every fault that a plan asked for.
var ErrInjected = errors.New("injected fault")

// Op is one operation that is about to happen.
type Op struct {
	// N counts the operations of the file system from 0.
	N int
	// Kind is list, open, read, create, write, commit, mkdir, remove, rmdir or rename.
	Kind string
	URI  string
}

// String returns number, kind and URI.
func (o Op) String() string { return fmt.Sprintf("%d %s %s", o.N, o.Kind, o.URI) }

// Action is what happens to an operation.
type Action uint8

// The actions.
const (
	// Pass does it.
	Pass Action = iota
	// Fail does not do it and reports a fault.
	Fail
	// FailAfter does it and reports a fault, like a reply that got lost.
	FailAfter
	// Torn does half of a write or removal and reports a fault; other operations fail.
	Torn
	// Rot flips the lowest bit of the middle byte of what a read returns; other operations pass.
	Rot
	// Throttle does not do it: too much is asked at a time. The backends of vfs repeat such requests themselves (Store), so
	// for an FS it is a failure.
	Throttle
)

// Plan chooses the action for an operation. It is called for one operation at a time.
type Plan func(Op) Action

// Nth returns a plan that does a to operation n alone.
func Nth(n int, a Action) Plan {
	return func(o Op) Action {
		if o.N == n {
			return a
		}
		return Pass
	}
}

// DeadFrom returns a plan for a process that dies: a happens to operation n and every later one fails.
func DeadFrom(n int, a Action) Plan {
	return func(o Op) Action {
		switch {
		case o.N < n:
			return Pass
		case o.N == n:
			return a
		default:
			return Fail
		}
	}
}

// FS is a file system with faults. It is safe for concurrent use.
type FS struct {
	inner vfs.FS
	plan  Plan

	mu sync.Mutex
	// ops is guarded by mu.
	ops []Op
}

var (
	_ vfs.FS           = (*FS)(nil)
	_ vfs.EmptyRemover = (*FS)(nil)
	_ vfs.Renamer      = (*FS)(nil)
)

// New returns inner with the faults of plan; a nil plan passes everything.
func New(inner vfs.FS, plan Plan) *FS {
	if plan == nil {
		plan = func(Op) Action { return Pass }
	}
	return &FS{inner: inner, plan: plan}
}

// Ops returns the operations so far, in order.
func (s *FS) Ops() []Op {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Op(nil), s.ops...)
}

// next records an operation and returns its action.
func (s *FS) next(kind, uri string) (Op, Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := Op{N: len(s.ops), Kind: kind, URI: uri}
	s.ops = append(s.ops, o)
	return o, s.plan(o)
}

func (o Op) fault() error {
	return &vfs.Error{Op: o.Kind, URI: o.URI, Err: fmt.Errorf("%w at operation %d", ErrInjected, o.N)}
}

// run does an operation that has no halves.
func (s *FS) run(kind, uri string, do func() error) error {
	o, a := s.next(kind, uri)
	if a == Fail || a == Torn || a == Throttle {
		return o.fault()
	}
	if err := do(); err != nil {
		return err
	}
	if a == FailAfter {
		return o.fault()
	}
	return nil
}

// List implements vfs.FS.
func (s *FS) List(ctx context.Context, dir string) (list []vfs.Entry, err error) {
	err = s.run("list", dir, func() error {
		list, err = s.inner.List(ctx, dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Open implements vfs.FS.
func (s *FS) Open(ctx context.Context, uri string) (vfs.File, error) {
	o, a := s.next("open", uri)
	if a != Pass && a != Rot {
		return nil, o.fault()
	}
	f, err := s.inner.Open(ctx, uri)
	if err != nil {
		return nil, err
	}
	return &file{File: f, fs: s, uri: uri}, nil
}

// Create implements vfs.FS.
func (s *FS) Create(ctx context.Context, uri string) (vfs.Writer, error) {
	o, a := s.next("create", uri)
	if a != Pass && a != Rot {
		return nil, o.fault()
	}
	w, err := s.inner.Create(ctx, uri)
	if err != nil {
		return nil, err
	}
	return &writer{inner: w, fs: s, uri: uri}, nil
}

// MakeDir implements vfs.FS.
func (s *FS) MakeDir(ctx context.Context, dir string) error {
	return s.run("mkdir", dir, func() error { return s.inner.MakeDir(ctx, dir) })
}

// RemoveEmpty implements vfs.EmptyRemover.
func (s *FS) RemoveEmpty(ctx context.Context, dir string) error {
	return s.run("rmdir", dir, func() error { return vfs.RemoveEmpty(ctx, s.inner, dir) })
}

// Rename implements vfs.Renamer.
func (s *FS) Rename(ctx context.Context, from, to string) error {
	return s.run("rename", from, func() error { return vfs.Rename(ctx, s.inner, from, to) })
}

// Remove implements vfs.FS. Torn removes every other entry of a directory.
func (s *FS) Remove(ctx context.Context, uri string) error {
	o, a := s.next("remove", uri)
	if a == Torn {
		list, err := s.inner.List(ctx, uri)
		for i := 0; i < len(list) && err == nil; i += 2 {
			err = s.inner.Remove(ctx, vfs.Join(uri, list[i].Name))
		}
		return errors.Join(o.fault(), err)
	}
	if a == Fail || a == Throttle {
		return o.fault()
	}
	if err := s.inner.Remove(ctx, uri); err != nil {
		return err
	}
	if a == FailAfter {
		return o.fault()
	}
	return nil
}

// file is an open file with faults.
type file struct {
	vfs.File
	fs  *FS
	uri string
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(ctx context.Context, p []byte, off int64) error {
	o, a := f.fs.next("read", f.uri)
	if a == Fail || a == Torn || a == Throttle {
		return o.fault()
	}
	if err := f.File.ReadAt(ctx, p, off); err != nil {
		return err
	}
	if a == FailAfter {
		return o.fault()
	}
	if a == Rot && len(p) > 0 {
		p[len(p)/2] ^= 1
	}
	return nil
}

// writer is a new file with faults.
type writer struct {
	inner vfs.Writer
	fs    *FS
	uri   string
}

// Write implements vfs.Writer.
func (w *writer) Write(p []byte) (int, error) {
	o, a := w.fs.next("write", w.uri)
	switch a {
	case Fail, Throttle:
		return 0, o.fault()
	case Torn:
		n, err := w.inner.Write(p[:len(p)/2])
		return n, errors.Join(o.fault(), err)
	}
	n, err := w.inner.Write(p)
	if err == nil && a == FailAfter {
		err = o.fault()
	}
	return n, err
}

// Commit implements vfs.Writer.
func (w *writer) Commit(ctx context.Context) error {
	return w.fs.run("commit", w.uri, func() error { return w.inner.Commit(ctx) })
}

// Abort implements vfs.Writer. It never fails by plan: nothing depends on it.
func (w *writer) Abort() error { return w.inner.Abort() }
