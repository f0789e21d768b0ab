//go:build !unix

package spool

import (
	"io"
	"os"

	"azulejo/datatype"
)

// mapFile returns n bytes of a file from off on, in memory: there is no mapping here.
func mapFile(f *os.File, off int64, n int) ([]byte, error) {
	b := datatype.AlignedBytes(n)
	_, err := io.ReadFull(io.NewSectionReader(f, off, int64(n)), b)
	return b, err
}

func giveBack([]byte) {}

func unmap([]byte) error { return nil }
