package file

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"azulejo/internal/pool"
)

// Sizes of the buffers for directory entries: most directories of arrays are small, and those with many fragments are
// read in few calls.
const (
	fewEntries  = 4 << 10
	manyEntries = 64 << 10
)

// readDir returns the entries of a directory in no order. It asks the kernel directly: what package os does beyond that
// costs more than the listing of a small directory, and an open lists three.
func readDir(path string) ([]dirEntry, error) {
	fd, err := ignoringInterrupts(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd) // best effort: nothing was written
	var few [fewEntries]byte
	buf := few[:]
	var list []dirEntry
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

// readTail returns the last n bytes of a file and its length. A file that is not longer takes three calls of the kernel.
func readTail(path string, n int) (tail []byte, size int64, err error) {
	fd, err := ignoringInterrupts(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(fd) // best effort: nothing was written
	room := pool.Get(n + 1)
	defer room.Release()
	got, err := readAt(fd, room.B, 0)
	if err == unix.EISDIR {
		err = errNoFile
	}
	if err != nil {
		return nil, 0, err
	}
	if got <= n {
		return append(make([]byte, 0, got), room.B[:got]...), int64(got), nil
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, 0, err
	}
	tail = make([]byte, n)
	got, err = readAt(fd, tail, stat.Size-int64(n))
	if err == nil && got < n {
		err = io.ErrUnexpectedEOF
	}
	return tail, stat.Size, err
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
func appendEntries(list []dirEntry, path string, b []byte) ([]dirEntry, error) {
	const nameAt = 19
	for len(b) > nameAt {
		n := int(binary.NativeEndian.Uint16(b[16:]))
		if n <= nameAt || n > len(b) {
			break
		}
		name, _, _ := bytes.Cut(b[nameAt:n], []byte{0})
		kind := b[18]
		b = b[n:]
		if s := string(name); s != "." && s != ".." {
			e := dirEntry{name: s, dir: kind == unix.DT_DIR, link: kind == unix.DT_LNK}
			if kind == unix.DT_UNKNOWN {
				fi, err := os.Lstat(filepath.Join(path, s))
				if err != nil && !os.IsNotExist(err) {
					return nil, err
				}
				if err != nil {
					continue // it was removed meanwhile
				}
				e.dir, e.link = fi.IsDir(), fi.Mode()&fs.ModeSymlink != 0
			}
			list = append(list, e)
		}
	}
	return list, nil
}
