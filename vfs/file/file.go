// Package file is the vfs backend for directories of the local machine.
//
// A URI is an absolute path, or "file://" and an absolute path. As in libtiledb the rest of a file URI is the path as it
// stands: nothing is percent-decoded. Symbolic links are followed; whoever hands out URIs decides which ones are allowed.
//
// A new file is written under no name at all where the system can do that (O_TMPFILE), and linked to its name once it is
// on the disk, so a power cut leaves neither a half file nor litter. Elsewhere it is written under a name that starts
// with TempPrefix. Listings leave such names out, and they are put where libtiledb does not trip over them: it reads
// every file of __schema, __meta, __fragment_meta and __group, so temporary files for those go one directory up.
package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"azulejo/vfs"
)

// TempPrefix begins the names of files and directories that are being written or removed. List leaves them out.
const TempPrefix = ".azulejo-tmp-"

var (
	errNotAbsolute = errors.New("not an absolute path or file:/// URI")
	errNoFile      = errors.New("is a directory")
)

// FS is the local file system. It is safe for concurrent use.
type FS struct {
	// named forces temporary names even where O_TMPFILE works; set by tests.
	named bool
}

var (
	_ vfs.FS           = (*FS)(nil)
	_ vfs.Batcher      = (*FS)(nil)
	_ vfs.EmptyRemover = (*FS)(nil)
	_ vfs.Renamer      = (*FS)(nil)
	_ vfs.Near         = (*FS)(nil)
	_ vfs.Tailer       = (*FS)(nil)
	_ vfs.Statter      = (*FS)(nil)
	_ vfs.Replacer     = (*FS)(nil)
)

// New returns the local file system.
func New() *FS { return &FS{} }

// Path returns the local path that a URI names, or an error for a URI of another kind.
func Path(uri string) (string, error) {
	p := strings.TrimPrefix(uri, "file://")
	if !strings.HasPrefix(p, "/") || strings.IndexByte(p, 0) >= 0 {
		return "", errNotAbsolute
	}
	return filepath.Clean(p), nil
}

// begin checks the context and turns the URI into a path.
func begin(ctx context.Context, op, uri string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", &vfs.Error{Op: op, URI: uri, Err: err}
	}
	p, err := Path(uri)
	if err != nil {
		return "", &vfs.Error{Op: op, URI: uri, Err: err}
	}
	return p, nil
}

// fault wraps a system error: the paths in it are left out, and the two classes of vfs are told.
func fault(op, uri string, err error) error {
	if err == nil {
		return nil
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = errno
	} else if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, errNoFile):
		err = vfs.ErrNotExist
	case errors.Is(err, syscall.ENOTEMPTY):
	case errors.Is(err, fs.ErrExist):
		err = vfs.ErrExist
	}
	return &vfs.Error{Op: op, URI: uri, Err: err}
}

// List implements vfs.FS with one pass over the directory; sizes are not looked up.
func (*FS) List(ctx context.Context, dir string) ([]vfs.Entry, error) {
	p, err := begin(ctx, "list", dir)
	if err != nil {
		return nil, err
	}
	list, err := readDir(p)
	if err != nil {
		if err = fault("list", dir, err); errors.Is(err, vfs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	slices.SortFunc(list, func(x, y vfs.Entry) int { return strings.Compare(x.Name, y.Name) })
	return list, nil
}

// appendEntry adds a name of a directory to its listing, unless that leaves it out.
func appendEntry(list []vfs.Entry, dir, name string, isDir, isLink bool) []vfs.Entry {
	if strings.HasPrefix(name, TempPrefix) {
		return list
	}
	if isLink {
		fi, err := os.Stat(filepath.Join(dir, name))
		isDir = err == nil && fi.IsDir()
	}
	e := vfs.Entry{Name: name, NBytes: -1, Dir: isDir}
	if isDir {
		e.NBytes = 0
	}
	return append(list, e)
}

// ReadTail implements vfs.Tailer.
func (*FS) ReadTail(ctx context.Context, uri string, room []byte) (tail []byte, size int64, err error) {
	p, err := begin(ctx, "read", uri)
	if err != nil {
		return nil, 0, err
	}
	tail, size, err = readTail(p, room)
	return tail, size, fault("open", uri, err)
}

// Near implements vfs.Near.
func (*FS) Near() bool { return true }

// Open implements vfs.FS.
func (*FS) Open(ctx context.Context, uri string) (vfs.File, error) {
	p, err := begin(ctx, "open", uri)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, fault("open", uri, err)
	}
	fi, err := f.Stat()
	if err == nil && fi.IsDir() {
		err = errNoFile
	}
	if err != nil {
		f.Close() // best effort: nothing was written and the first fault is what matters
		return nil, fault("open", uri, err)
	}
	return &file{f: f, uri: uri, nBytes: fi.Size()}, nil
}

// MakeDir implements vfs.FS: every directory made is synced into its parent.
func (*FS) MakeDir(ctx context.Context, dir string) error {
	p, err := begin(ctx, "make directory", dir)
	if err != nil {
		return err
	}
	return fault("make directory", dir, makeDir(p))
}

func makeDir(p string) error {
	if fi, err := os.Stat(p); err == nil {
		if !fi.IsDir() {
			return syscall.EEXIST
		}
		return nil
	}
	parent := filepath.Dir(p)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(p, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncDir makes the names in a directory durable. Of a directory that somebody has removed meanwhile that is the removal,
// which the one around it knows of.
func syncDir(p string) error {
	d, err := os.Open(p)
	for errors.Is(err, os.ErrNotExist) && p != filepath.Dir(p) {
		p = filepath.Dir(p)
		d, err = os.Open(p)
	}
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) {
		err = nil // some network file systems cannot sync directories; they do it by themselves
	}
	return errors.Join(err, d.Close())
}

// file is an open file.
type file struct {
	f      *os.File
	uri    string
	nBytes int64
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(ctx context.Context, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return &vfs.Error{Op: "read", URI: f.uri, Err: err}
	}
	if off < 0 || off > f.nBytes || int64(len(p)) > f.nBytes-off {
		return &vfs.Error{Op: "read", URI: f.uri, Err: io.ErrUnexpectedEOF}
	}
	_, err := f.f.ReadAt(p, off)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && len(p) > 0 {
		return fault("read", f.uri, err)
	}
	return nil
}

// Size implements vfs.File.
func (f *file) Size() int64 { return f.nBytes }

// SmallReads says that reading a few bytes in many places costs less than reading all that lies between them.
func (f *file) SmallReads() bool { return true }

// Close implements vfs.File.
func (f *file) Close() error { return fault("close", f.uri, f.f.Close()) }
