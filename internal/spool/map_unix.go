//go:build unix

package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile returns n bytes of a file from off on, read-only.
func mapFile(f *os.File, off int64, n int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), off, n, unix.PROT_READ, unix.MAP_SHARED)
}

// giveBack frees the memory of mapped bytes; they are read from the file again when they are needed.
func giveBack(b []byte) {
	unix.Madvise(b, unix.MADV_DONTNEED) // best effort: the system takes the memory when it needs it
}

func unmap(b []byte) error { return unix.Munmap(b) }
