package vfs

import (
	"context"
	"errors"
	"time"
)

// Info is what a backend tells about a file or directory without opening it.
type Info struct {
	// NBytes is the length of a file, 0 for a directory.
	NBytes int64
	// Modified is when the content was written.
	Modified time.Time
	// Version names this content of a file: it changes whenever the file is replaced.
	Version string
	// Dir and Link say that it is a directory, or a symbolic link, which is not followed.
	Dir, Link bool
}

// Statter is implemented by backends that describe files cheaper than by opening them.
type Statter interface {
	// Stat describes a file or directory; the error wraps ErrNotExist when there is none.
	Stat(ctx context.Context, uri string) (Info, error)
}

// Stat describes a file or directory; the error wraps ErrNotExist, or errors.ErrUnsupported on backends that cannot say.
func Stat(ctx context.Context, fs FS, uri string) (Info, error) {
	if s, ok := fs.(Statter); ok {
		return s.Stat(ctx, uri)
	}
	return Info{}, &Error{Op: "stat", URI: uri, Err: errors.ErrUnsupported}
}

// Replacer is implemented by backends that can put a new file in the place of another at one moment.
type Replacer interface {
	// Replace is FS.Create for a file that may exist: until Commit it is the old one, then at once the new one.
	Replace(ctx context.Context, uri string) (Writer, error)
}

// Replace begins a file that replaces the one with its name, if there is one, at Commit; the error wraps
// errors.ErrUnsupported on backends that cannot do that at one moment.
func Replace(ctx context.Context, fs FS, uri string) (Writer, error) {
	if r, ok := fs.(Replacer); ok {
		return r.Replace(ctx, uri)
	}
	return nil, &Error{Op: "replace", URI: uri, Err: errors.ErrUnsupported}
}
