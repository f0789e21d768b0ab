//go:build !linux

package file

import (
	"io"
	"io/fs"
	"os"

	"azulejo/vfs"
)

// readDir returns the entries of a directory.
func readDir(path string) ([]vfs.Entry, error) {
	des, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	list := make([]vfs.Entry, 0, len(des))
	for _, de := range des {
		list = appendEntry(list, path, de.Name(), de.IsDir(), de.Type()&fs.ModeSymlink != 0)
	}
	return list, nil
}

// readTail reads the end of a file into room and returns what it filled and the file's length.
func readTail(path string, room []byte) (tail []byte, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() // best effort: nothing was written
	fi, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if fi.IsDir() {
		return nil, 0, errNoFile
	}
	tail = room[:min(int64(len(room)), fi.Size())]
	_, err = f.ReadAt(tail, fi.Size()-int64(len(tail)))
	if err == io.EOF && len(tail) == 0 {
		err = nil
	}
	return tail, fi.Size(), err
}
