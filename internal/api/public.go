package api

import (
	"errors"
	"regexp"

	"azulejo/array"
	"azulejo/format"
	"azulejo/group"
	"azulejo/vfs"
)

// localPath finds what may be the path of a file on this server: absolute, or a file URI.
var localPath = regexp.MustCompile(`(file://)?/[^\s:"']*/[^\s:"']*`)

// public is the text of an error without the places of files on the server.
func public(err error) string {
	return localPath.ReplaceAllStringFunc(err.Error(), func(path string) string { return vfs.Base(path) })
}

// corrupt says which file of an array or group is damaged, by its name below the array, and what to do.
func corrupt(err error) string {
	name := "a file"
	var f *format.Error
	var a *array.Error
	var g *group.Error
	switch {
	case errors.As(err, &f) && f.URI != "":
		name = "the file " + vfs.Base(f.URI)
	case errors.As(err, &a):
		name = "the file " + vfs.Base(a.URI)
	case errors.As(err, &g):
		name = "the file " + vfs.Base(g.URI)
	}
	return name + " of it is damaged: " + public(err) + "; run 'azulejo array check' on the server and restore the file from a copy"
}
