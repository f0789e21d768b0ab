package file

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"azulejo/vfs"
)

// Stat implements vfs.Statter. The version of a file is made of its number in the file system, the time of its last change
// and its length.
func (*FS) Stat(ctx context.Context, uri string) (vfs.Info, error) {
	p, err := begin(ctx, "stat", uri)
	if err != nil {
		return vfs.Info{}, err
	}
	fi, err := os.Lstat(p)
	if err != nil {
		return vfs.Info{}, fault("stat", uri, err)
	}
	return info(fi), nil
}

// info is what is told about a file.
func info(fi os.FileInfo) vfs.Info {
	i := vfs.Info{Modified: fi.ModTime(), Dir: fi.IsDir(), Link: fi.Mode()&fs.ModeSymlink != 0}
	if fi.Mode().IsRegular() {
		i.NBytes = fi.Size()
		i.Version = fmt.Sprintf("%x-%x-%x", inode(fi), fi.ModTime().UnixNano(), fi.Size())
	}
	return i
}
