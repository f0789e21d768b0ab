//go:build !linux

package file

import (
	"errors"
	"os"
)

// openNameless reports that this system has no nameless files.
func openNameless(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// linkNameless is not reached on this system.
func linkNameless(*os.File, string) error { return errors.ErrUnsupported }

// renameNew renames a file, unless the new name is taken.
func renameNew(from, to string) error { return linkNew(from, to) }

// renameDir renames a directory, unless the new name is taken.
func renameDir(from, to string) error { return renameLate(from, to) }
