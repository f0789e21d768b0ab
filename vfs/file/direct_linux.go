package file

import (
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"azulejo/vfs"
)

// Sizes of the buffers for directory entries: most directories of arrays are small, and those with many fragments are
// read in few calls.
const (
	fewEntries  = 4 << 10
	manyEntries = 64 << 10
	// shortEntry is about what an entry takes in them whose name is that of a fragment, which most are in large ones.
	shortEntry = 64
)

// readDir returns the entries of a directory in no order. It asks the kernel directly: what package os does beyond that
// costs more than the listing of a small directory, and an open lists three.
func readDir(path string) ([]vfs.Entry, error) {
	fd, err := ignoringInterrupts(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd) // best effort: nothing was written
	var few [fewEntries]byte
	buf := few[:]
	var list []vfs.Entry
	for {
		n, err := ignoringInterrupts(func() (int, error) { return unix.Getdents(fd, buf) })
		if err != nil || n <= 0 {
			return list, err
		}
		if list, err = appendEntries(list, path, buf[:n]); err != nil {
			return nil, err
		}
		if n > fewEntries/2 && len(buf) == fewEntries {
			buf = make([]byte, manyEntries)
		}
	}
}

// readTail reads the end of a file into room and returns what it filled and the file's length. A file that is shorter takes
// three calls of the kernel: one that gives less of a file than was asked for has come to its end.
func readTail(path string, room []byte) (tail []byte, size int64, err error) {
	fd, err := ignoringInterrupts(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(fd) // best effort: nothing was written
	got, err := ignoringInterrupts(func() (int, error) { return unix.Pread(fd, room, 0) })
	if err == unix.EISDIR {
		err = errNoFile
	}
	if err != nil {
		return nil, 0, err
	}
	if got < len(room) {
		return room[:got], int64(got), nil
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, 0, err
	}
	if stat.Size > int64(len(room)) {
		got, err = readAt(fd, room, stat.Size-int64(len(room)))
		if err == nil && got < len(room) {
			err = io.ErrUnexpectedEOF
		}
	}
	return room, stat.Size, err
}

// readAt reads into p from a place of a file until it is full or the file ends.
func readAt(fd int, p []byte, off int64) (got int, err error) {
	for got < len(p) {
		n, err := ignoringInterrupts(func() (int, error) { return unix.Pread(fd, p[got:], off+int64(got)) })
		if err != nil || n <= 0 {
			return got, err
		}
		got += n
	}
	return got, nil
}

func ignoringInterrupts(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// appendEntries takes apart what the kernel wrote: for every entry 8 bytes of inode and 8 of position, 2 bytes with the
// length of it all, a byte with the type, and the name with a zero byte behind it (getdents64(2)).
func appendEntries(list []vfs.Entry, path string, b []byte) ([]vfs.Entry, error) {
	const nameAt = 19
	all := string(b) // one text for all names costs less than one for each
	if cap(list)-len(list) < len(b)/shortEntry {
		list = slices.Grow(list, len(b)/shortEntry)
	}
	for len(b) > nameAt {
		n := int(binary.NativeEndian.Uint16(b[16:]))
		if n <= nameAt || n > len(b) {
			break
		}
		name := all[nameAt:n]
		if end := strings.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		kind := b[18]
		b, all = b[n:], all[n:]
		if name == "." || name == ".." {
			continue
		}
		isDir, isLink := kind == unix.DT_DIR, kind == unix.DT_LNK
		if kind == unix.DT_UNKNOWN {
			fi, err := os.Lstat(filepath.Join(path, name))
			if err != nil && !os.IsNotExist(err) {
				return nil, err
			}
			if err != nil {
				continue // it was removed meanwhile
			}
			isDir, isLink = fi.IsDir(), fi.Mode()&fs.ModeSymlink != 0
		}
		list = appendEntry(list, path, name, isDir, isLink)
	}
	return list, nil
}
