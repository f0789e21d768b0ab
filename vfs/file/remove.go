package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Remove implements vfs.FS. A directory first gets a temporary name, so that it is gone at one moment.
func (*FS) Remove(ctx context.Context, uri string) error {
	p, err := begin(ctx, "remove", uri)
	if err != nil {
		return err
	}
	return fault("remove", uri, remove(p))
}

func remove(p string) error {
	fi, err := os.Lstat(p)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	parent := filepath.Dir(p)
	if !fi.IsDir() {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return syncDir(parent)
	}
	temp := filepath.Join(parent, tempName())
	switch err := os.Rename(p, temp); {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		temp = p // a mount point, or a parent that may not be written: take it apart where it is
	default:
		if err := syncDir(parent); err != nil {
			return err
		}
	}
	return os.RemoveAll(temp)
}

// RemoveEmpty implements vfs.EmptyRemover. What Sweep would remove after a minute does not keep a directory.
func (s *FS) RemoveEmpty(ctx context.Context, dir string) error {
	p, err := begin(ctx, "remove directory", dir)
	if err != nil {
		return err
	}
	err = syscall.Rmdir(p)
	if filled(err) {
		if err := s.Sweep(ctx, dir, time.Minute); err != nil {
			return err
		}
		err = syscall.Rmdir(p)
	}
	switch {
	case err == nil:
		return fault("remove directory", dir, syncDir(filepath.Dir(p)))
	case filled(err), errors.Is(err, os.ErrNotExist):
		return nil
	default:
		return fault("remove directory", dir, err)
	}
}

// filled reports whether a directory could not be removed because something is in it.
func filled(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST)
}

// Sweep removes temporary files and directories that a crash left directly in dir and that were not touched for the
// given time. Nothing else does: writers never look at one another's files.
func (*FS) Sweep(ctx context.Context, dir string, untouched time.Duration) error {
	p, err := begin(ctx, "sweep", dir)
	if err != nil {
		return err
	}
	des, err := os.ReadDir(p)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fault("sweep", dir, err)
	}
	for _, de := range des {
		if !strings.HasPrefix(de.Name(), TempPrefix) {
			continue
		}
		fi, err := de.Info()
		if err != nil || time.Since(fi.ModTime()) < untouched {
			continue // gone meanwhile, or still in use
		}
		if err := os.RemoveAll(filepath.Join(p, de.Name())); err != nil {
			return fault("sweep", dir, err)
		}
	}
	return nil
}
