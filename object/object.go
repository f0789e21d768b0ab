// Package object finds arrays and groups in storage and copies, moves and removes them, within a store and from one to
// another.
//
// They are copied as files: what is not TileDB's in their folder goes along, nothing is decoded. Files are written in the
// order opposite to that of removal (vfs.Stage): the data first, then commit files, then what makes a folder a group, and
// schemas last, the newest of them before the older ones. So whoever opens the copy too early finds no array, or misses a
// schema, and never takes a part of it for the whole. Commit files are listed before data: what is committed while
// the copying begins is copied with all its data or not at all.
package object

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"azulejo/format"
	"azulejo/vfs"
)

// The classes of errors.
var (
	// ErrNotFound: there is neither an array nor a group.
	ErrNotFound = errors.New("no array or group there")
	// ErrExists: something is where an array or group is to go.
	ErrExists = errors.New("already exists")
	// ErrInvalid: an array or group cannot go there.
	ErrInvalid = errors.New("cannot go there")
)

// Error is a fault with the operation and the URI it is about.
type Error struct {
	Op, URI string
	Err     error
}

// Error returns operation, URI and cause.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.URI, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Object is a folder and what it is: an array, a group, or with type 0 neither.
type Object struct {
	URI  string
	Type format.ObjectType
}

// TypeOf returns what the folder at a URI is, 0 for neither array nor group.
func TypeOf(ctx context.Context, fs vfs.FS, uri string) (format.ObjectType, error) {
	list, err := fs.List(ctx, uri)
	return typeOf(list), err
}

// typeOf tells from its entries what a folder is. Groups come first, as in libtiledb.
func typeOf(list []vfs.Entry) format.ObjectType {
	var t format.ObjectType
	for _, e := range list {
		switch {
		case e.Name == "__tiledb_group.tdb" && !e.Dir, e.Name == "__group" && e.Dir:
			return format.ObjectGroup
		case e.Name == "__array_schema.tdb" && !e.Dir, e.Name == "__schema" && e.Dir:
			t = format.ObjectArray
		}
	}
	return t
}

// looks is how many folders are listed at a time.
const looks = 16

// List returns the folders directly in a folder, sorted by name, with what they are; TileDB's own folders are left out.
func List(ctx context.Context, fs vfs.FS, uri string) ([]Object, error) {
	list, err := fs.List(ctx, uri)
	if err != nil {
		return nil, err
	}
	children, _, err := look(ctx, fs, uri, list)
	return children, err
}

// look finds out what the folders among the entries of a folder are, and returns their own entries too.
func look(ctx context.Context, fs vfs.FS, uri string, list []vfs.Entry) ([]Object, [][]vfs.Entry, error) {
	var children []Object
	for _, e := range list {
		if e.Dir && !strings.HasPrefix(e.Name, "__") {
			children = append(children, Object{URI: vfs.Join(uri, e.Name)})
		}
	}
	entries := make([][]vfs.Entry, len(children))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(looks)
	for i := range children {
		group.Go(func() (err error) {
			entries[i], err = fs.List(ctx, children[i].URI)
			children[i].Type = typeOf(entries[i])
			return err
		})
	}
	return children, entries, group.Wait()
}

// Walk calls visit for every array and group at and below a URI, folders before what is in them and in the order of
// names, with the number of folders between it and the URI. Folders that are neither are looked through. An error of
// visit ends the walk and is returned.
func Walk(ctx context.Context, fs vfs.FS, uri string, visit func(o Object, depth int) error) error {
	uri = vfs.Trim(uri)
	list, err := fs.List(ctx, uri)
	if err != nil {
		return err
	}
	return walk(ctx, fs, Object{uri, typeOf(list)}, list, 0, visit)
}

func walk(ctx context.Context, fs vfs.FS, o Object, list []vfs.Entry, depth int, visit func(o Object, depth int) error) error {
	if o.Type != 0 {
		if err := visit(o, depth); err != nil {
			return err
		}
	}
	children, entries, err := look(ctx, fs, o.URI, list)
	if err != nil {
		return err
	}
	for i, child := range children {
		if err := walk(ctx, fs, child, entries[i], depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the array or group at a URI with everything in its folder, members of the group that lie there included.
// On stores without folders it goes file by file in an order that leaves no half array (vfs.Stage). The error wraps
// ErrNotFound.
func Remove(ctx context.Context, fs vfs.FS, uri string) error {
	uri = vfs.Trim(uri)
	switch t, err := TypeOf(ctx, fs, uri); {
	case err != nil:
		return err
	case t == 0:
		return &Error{"remove", uri, ErrNotFound}
	}
	return fs.Remove(ctx, uri)
}

// Usage is what a folder takes in storage.
type Usage struct {
	Files  int
	NBytes int64
}

// UsageOf counts the files of a folder and everything below it.
func UsageOf(ctx context.Context, fs vfs.FS, uri string) (u Usage, err error) {
	files, err := tree(ctx, fs, vfs.Trim(uri))
	if err != nil {
		return u, err
	}
	sizes := make([]int64, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(looks)
	for i, f := range files {
		if f.dir {
			continue
		}
		u.Files++
		if sizes[i] = f.nBytes; f.nBytes < 0 {
			group.Go(func() (err error) {
				sizes[i], err = vfs.Size(ctx, fs, vfs.Join(uri, f.path))
				return err
			})
		}
	}
	err = group.Wait()
	for _, n := range sizes {
		u.NBytes += n
	}
	return u, err
}

// found is a file of a tree, or an empty folder: its path below the root and its size, -1 where the listing did not tell.
type found struct {
	path   string
	nBytes int64
	dir    bool
}

// tree lists all files and empty folders below a folder. Commit files come first and schemas last in time, see the package comment.
func tree(ctx context.Context, fs vfs.FS, root string) ([]found, error) {
	list, err := fs.List(ctx, root)
	if err != nil {
		return nil, err
	}
	return descend(ctx, fs, root, "", list)
}

// when orders the folders of an array by the time at which they must be listed.
func when(name string) int {
	switch name {
	case "__commits":
		return 0
	case "__schema":
		return 2
	}
	return 1
}

func descend(ctx context.Context, fs vfs.FS, root, path string, list []vfs.Entry) ([]found, error) {
	var all []found
	var turns [3][]string
	for _, e := range list {
		at := join(path, e.Name)
		if e.Dir {
			turns[when(e.Name)] = append(turns[when(e.Name)], at)
		} else {
			all = append(all, found{path: at, nBytes: e.NBytes})
		}
	}
	for _, turn := range turns {
		below := make([][]found, len(turn))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(looks)
		for i, at := range turn {
			group.Go(func() error {
				list, err := fs.List(ctx, vfs.Join(root, at))
				if err != nil {
					return err
				}
				if below[i], err = descend(ctx, fs, root, at, list); len(list) == 0 {
					below[i] = []found{{path: at, dir: true}}
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		all = append(all, slices.Concat(below...)...)
	}
	return all, nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}
