package file

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"azulejo/vfs"
)

// tripDirs are the directories in which libtiledb takes every file for one of its own.
var tripDirs = map[string]bool{"__schema": true, "__meta": true, "__fragment_meta": true, "__group": true}

// writer is a file that has no name yet, or a temporary one.
type writer struct {
	uri, path string
	f         *os.File
	// temp is the temporary path; empty when the file has no name.
	temp string
	// replace says that the name may be taken.
	replace bool
	// done is set by Commit and Abort; err is the first write fault.
	done bool
	err  error
}

// Create implements vfs.FS.
func (s *FS) Create(ctx context.Context, uri string) (vfs.Writer, error) {
	return s.create(ctx, uri, false)
}

// Replace implements vfs.Replacer.
func (s *FS) Replace(ctx context.Context, uri string) (vfs.Writer, error) {
	return s.create(ctx, uri, true)
}

func (s *FS) create(ctx context.Context, uri string, replace bool) (vfs.Writer, error) {
	p, err := begin(ctx, "create", uri)
	if err != nil {
		return nil, err
	}
	w := &writer{uri: uri, path: p, replace: replace}
	err = s.open(w)
	for tries := 0; errors.Is(err, os.ErrNotExist) && tries < nameTries; tries++ {
		if err = makeDir(filepath.Dir(p)); err == nil {
			err = s.open(w)
		}
	}
	if err != nil {
		return nil, fault("create", uri, err)
	}
	return w, nil
}

// open makes the nameless or temporary file of w.
func (s *FS) open(w *writer) error {
	dir := filepath.Dir(w.path)
	if !s.named {
		f, err := openNameless(dir)
		// In a directory that goes away at this moment, ext4 refuses a file without a name with EPERM; one with a name waits until it is gone.
		if err == nil || !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EPERM) {
			w.f = f
			return err
		}
	}
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	temp := filepath.Join(w.tempDir(), tempName())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	w.f, w.temp = f, temp
	return nil
}

func tempName() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return TempPrefix + hex.EncodeToString(b[:])
}

// Write appends p to the file.
func (w *writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, &vfs.Error{Op: "write", URI: w.uri, Err: os.ErrClosed}
	}
	n, err := w.f.Write(p)
	if err != nil {
		w.err = fault("write", w.uri, err)
	}
	return n, w.err
}

// Commit syncs the file, gives it its name unless that is taken, and syncs the directory.
func (w *writer) Commit(ctx context.Context) error {
	if err := w.publish(ctx); err != nil {
		return err
	}
	return fault("commit", w.uri, syncDir(filepath.Dir(w.path)))
}

// publish is Commit without the sync of the directory.
func (w *writer) publish(ctx context.Context) error {
	err := ctx.Err()
	switch {
	case w.done:
		err = os.ErrClosed
	case w.err != nil:
		return errors.Join(w.err, w.Abort())
	}
	if err == nil {
		err = w.f.Sync()
	}
	if err == nil {
		err = w.name()
	}
	for tries := 0; errors.Is(err, os.ErrNotExist) && tries < nameTries; tries++ {
		// Who removed the last file of the directory has removed it too.
		if err = makeDir(filepath.Dir(w.path)); err == nil {
			err = w.name()
		}
	}
	if err != nil {
		return errors.Join(fault("commit", w.uri, err), w.Abort())
	}
	w.done = true
	return fault("commit", w.uri, w.f.Close())
}

// nameTries is how often a directory that goes away again and again is made anew.
const nameTries = 10

// name gives the file its name.
func (w *writer) name() error {
	if w.temp == "" {
		err := linkNameless(w.f, w.path)
		if !w.replace || !errors.Is(err, os.ErrExist) {
			return err
		}
		temp := filepath.Join(w.tempDir(), tempName())
		if err := linkNameless(w.f, temp); err != nil {
			return err
		}
		w.temp = temp
	}
	rename := renameNew
	if w.replace {
		rename = os.Rename
	}
	err := rename(w.temp, w.path)
	if err == nil {
		w.temp = ""
	}
	return err
}

// tempDir is where the file stands under a temporary name.
func (w *writer) tempDir() string {
	dir := filepath.Dir(w.path)
	if tripDirs[filepath.Base(dir)] {
		dir = filepath.Dir(dir)
	}
	return dir
}

// Abort drops the file.
func (w *writer) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	err := w.f.Close()
	if w.temp != "" {
		err = errors.Join(err, os.Remove(w.temp))
	}
	return fault("abort", w.uri, err)
}

// CommitAll implements vfs.Batcher: the directories are synced once, after all files have their names.
func (*FS) CommitAll(ctx context.Context, ws []vfs.Writer) error {
	var err error
	dirs := map[string]string{}
	for _, vw := range ws {
		if err != nil {
			err = errors.Join(err, vw.Abort())
			continue
		}
		w, ok := vw.(*writer)
		if !ok {
			err = vw.Commit(ctx)
			continue
		}
		err = w.publish(ctx)
		dirs[filepath.Dir(w.path)] = w.uri
	}
	for dir, uri := range dirs {
		if err == nil {
			err = fault("commit", uri, syncDir(dir))
		}
	}
	return err
}
