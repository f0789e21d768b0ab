//go:build unix

package file

import (
	"os"
	"syscall"
)

// inode returns the number of a file in its file system.
func inode(fi os.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
