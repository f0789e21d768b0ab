//go:build !linux

package catalog

// linkFree reports whether no part of an existing path is a symbolic link, which
// only Linux can say at once.
func linkFree(string) bool { return false }
