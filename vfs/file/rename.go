package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"azulejo/vfs"
)

// Rename implements vfs.Renamer; the error wraps errors.ErrUnsupported across file systems.
func (*FS) Rename(ctx context.Context, from, to string) error {
	p, err := begin(ctx, "rename", from)
	if err != nil {
		return err
	}
	q, err := begin(ctx, "rename", to)
	if err != nil {
		return err
	}
	if fi, err := os.Lstat(p); err != nil {
		return fault("rename", from, err)
	} else if !fi.IsDir() {
		return fault("rename", from, syscall.ENOTDIR)
	}
	if err := makeDir(filepath.Dir(q)); err != nil {
		return fault("rename", to, err)
	}
	switch err := renameDir(p, q); {
	case errors.Is(err, syscall.EXDEV):
		return &vfs.Error{Op: "rename", URI: from, Err: errors.ErrUnsupported}
	case errors.Is(err, os.ErrNotExist):
		return fault("rename", from, err)
	case err != nil:
		return fault("rename", to, err)
	}
	return errors.Join(fault("rename", from, syncDir(filepath.Dir(p))), fault("rename", to, syncDir(filepath.Dir(q))))
}

// renameLate renames a directory where the system cannot refuse a name that is taken at the same moment.
func renameLate(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return syscall.EEXIST
	}
	return os.Rename(from, to)
}
