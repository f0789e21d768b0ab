// Package mem is the vfs backend that keeps everything in memory: for tests, and for arrays that need not last.
//
// It models what a careful disk promises: a file appears whole at Commit or not at all, a directory disappears at one
// moment. PowerLoss copies what would be found after the power went away.
package mem

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"azulejo/vfs"
)

var (
	errIsDir  = errors.New("is a directory")
	errClosed = errors.New("already closed")
	errInside = errors.New("a directory cannot go into itself")
)

// FS is a file system in memory. It is safe for concurrent use. Any URI is a path; empty parts of it do not count.
type FS struct {
	mu sync.RWMutex
	// root is guarded by mu; the data of files is never changed after they were put in.
	root *node
}

var (
	_ vfs.FS           = (*FS)(nil)
	_ vfs.EmptyRemover = (*FS)(nil)
	_ vfs.Renamer      = (*FS)(nil)
	_ vfs.Near         = (*FS)(nil)
)

// node is a directory, or a file when children is nil.
type node struct {
	children map[string]*node
	data     []byte
}

func newDir() *node { return &node{children: map[string]*node{}} }

// New returns an empty file system.
func New() *FS { return &FS{root: newDir()} }

// Near implements vfs.Near.
func (*FS) Near() bool { return true }

// PowerLoss returns a file system with what is certain to be on the disk now: committed files and directories. Files
// being written are gone. The two share no state afterwards.
func (s *FS) PowerLoss() *FS {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &FS{root: s.root.clone()}
}

func (n *node) clone() *node {
	if n.children == nil {
		return n
	}
	c := &node{children: maps.Clone(n.children)}
	for name, child := range c.children {
		c.children[name] = child.clone()
	}
	return c
}

func parts(uri string) []string {
	return strings.FieldsFunc(uri, func(r rune) bool { return r == '/' })
}

// find returns the node of a URI, or nil.
func (s *FS) find(path []string) *node {
	n := s.root
	for _, p := range path {
		if n == nil {
			return nil
		}
		n = n.children[p]
	}
	return n
}

// dir returns the directory of a path, made when it is missing; nil when a file is in the way.
func (s *FS) dir(path []string) *node {
	n := s.root
	for _, p := range path {
		child := n.children[p]
		if child == nil {
			child = newDir()
			n.children[p] = child
		}
		if child.children == nil {
			return nil
		}
		n = child
	}
	return n
}

// fault wraps err, and the context's error before it, with its place; nil stays nil.
func fault(ctx context.Context, op, uri string, err error) error {
	if e := ctx.Err(); e != nil {
		err = e
	}
	if err == nil {
		return nil
	}
	return &vfs.Error{Op: op, URI: uri, Err: err}
}

// List implements vfs.FS.
func (s *FS) List(ctx context.Context, dir string) ([]vfs.Entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := fault(ctx, "list", dir, nil); err != nil {
		return nil, err
	}
	n := s.find(parts(dir))
	if n == nil {
		return nil, nil
	}
	list := make([]vfs.Entry, 0, len(n.children))
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		child := n.children[name]
		list = append(list, vfs.Entry{Name: name, NBytes: int64(len(child.data)), Dir: child.children != nil})
	}
	return list, nil
}

// Open implements vfs.FS.
func (s *FS) Open(ctx context.Context, uri string) (vfs.File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := s.find(parts(uri))
	if n == nil || n.children != nil {
		return nil, fault(ctx, "open", uri, vfs.ErrNotExist)
	}
	return &file{uri: uri, data: n.data}, fault(ctx, "open", uri, nil)
}

// Create implements vfs.FS.
func (s *FS) Create(ctx context.Context, uri string) (vfs.Writer, error) {
	if err := fault(ctx, "create", uri, nil); err != nil {
		return nil, err
	}
	return &writer{fs: s, uri: uri}, nil
}

// MakeDir implements vfs.FS.
func (s *FS) MakeDir(ctx context.Context, dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := fault(ctx, "make directory", dir, nil); err != nil {
		return err
	}
	if s.dir(parts(dir)) == nil {
		return fault(ctx, "make directory", dir, vfs.ErrExist)
	}
	return nil
}

// Remove implements vfs.FS.
func (s *FS) Remove(ctx context.Context, uri string) error {
	return s.remove(ctx, "remove", uri, func(*node) bool { return true })
}

// RemoveEmpty implements vfs.EmptyRemover.
func (s *FS) RemoveEmpty(ctx context.Context, dir string) error {
	return s.remove(ctx, "remove directory", dir, func(n *node) bool { return n.children != nil && len(n.children) == 0 })
}

func (s *FS) remove(ctx context.Context, op, uri string, ok func(*node) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := fault(ctx, op, uri, nil); err != nil {
		return err
	}
	path := parts(uri)
	if len(path) == 0 {
		return fault(ctx, op, uri, errIsDir)
	}
	name := path[len(path)-1]
	parent := s.find(path[:len(path)-1])
	if parent == nil {
		return nil
	}
	if n := parent.children[name]; n != nil && ok(n) {
		delete(parent.children, name)
	}
	return nil
}

// Rename implements vfs.Renamer.
func (s *FS) Rename(ctx context.Context, from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, name := parts(from), parts(to)
	if len(path) == 0 || len(name) == 0 {
		return fault(ctx, "rename", from, errIsDir)
	}
	n, last := s.find(path), path[len(path)-1]
	if n == nil || n.children == nil {
		return fault(ctx, "rename", from, vfs.ErrNotExist)
	}
	if s.find(name) != nil {
		return fault(ctx, "rename", to, vfs.ErrExist)
	}
	if len(name) > len(path) && slices.Equal(name[:len(path)], path) {
		return fault(ctx, "rename", to, errInside)
	}
	if err := fault(ctx, "rename", from, nil); err != nil {
		return err
	}
	dir := s.dir(name[:len(name)-1])
	if dir == nil {
		return fault(ctx, "rename", to, vfs.ErrExist)
	}
	delete(s.find(path[:len(path)-1]).children, last)
	dir.children[name[len(name)-1]] = n
	return nil
}

// file is an open file.
type file struct {
	uri  string
	data []byte
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(ctx context.Context, p []byte, off int64) error {
	if off < 0 || off > int64(len(f.data)) || len(p) > len(f.data)-int(off) {
		return fault(ctx, "read", f.uri, io.ErrUnexpectedEOF)
	}
	copy(p, f.data[off:])
	return fault(ctx, "read", f.uri, nil)
}

// Size implements vfs.File.
func (f *file) Size() int64 { return int64(len(f.data)) }

// Close implements vfs.File.
func (f *file) Close() error { return nil }

// writer collects a file.
type writer struct {
	fs   *FS
	uri  string
	data []byte
	done bool
}

// Write implements vfs.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, &vfs.Error{Op: "write", URI: w.uri, Err: errClosed}
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

// Commit implements vfs.Writer.
func (w *writer) Commit(ctx context.Context) error {
	if w.done {
		return fault(ctx, "commit", w.uri, errClosed)
	}
	w.done = true
	if err := fault(ctx, "commit", w.uri, nil); err != nil {
		return err
	}
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	path := parts(w.uri)
	if len(path) == 0 {
		return fault(ctx, "commit", w.uri, vfs.ErrExist)
	}
	name := path[len(path)-1]
	dir := w.fs.dir(path[:len(path)-1])
	if dir == nil || dir.children[name] != nil {
		return fault(ctx, "commit", w.uri, vfs.ErrExist)
	}
	dir.children[name] = &node{data: slices.Clip(w.data)}
	return nil
}

// Abort implements vfs.Writer.
func (w *writer) Abort() error {
	w.done = true
	w.data = nil
	return nil
}
