//go:build !linux

package file

import (
	"io/fs"
	"os"
)

// readDir returns the entries of a directory.
func readDir(path string) ([]dirEntry, error) {
	des, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	list := make([]dirEntry, len(des))
	for i, de := range des {
		list[i] = dirEntry{name: de.Name(), dir: de.IsDir(), link: de.Type()&fs.ModeSymlink != 0}
	}
	return list, nil
}
