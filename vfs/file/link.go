package file

import "os"

// linkNew moves a file to a name that must be free, by a second link.
func linkNew(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
