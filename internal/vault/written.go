package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"azulejo/internal/access"
	"azulejo/metadata"
	"azulejo/vfs"
)

// Folder is where in an array or a group the files of one kind of change lie.
type Folder string

// The folders.
const (
	Schemas  Folder = "__schema"
	Commits  Folder = "__commits"
	Members  Folder = "__group"
	Metadata Folder = metadata.Folder
)

// Wrote reports whether a folder has a file with the UUID in its name: whether a change that format.Naming named was written. One that
// was consolidated and vacuumed since then counts as not written.
func (a *Array) Wrote(ctx context.Context, f Folder, uuid string) (bool, error) {
	if a.part != nil {
		return false, fmt.Errorf("%w: only a part of the array is shared to you, and this is about all of it", access.ErrDenied)
	}
	return wrote(ctx, a.arr.FS, a.arr.URI, f, uuid)
}

// Wrote is Array.Wrote of a group.
func (g *Group) Wrote(ctx context.Context, f Folder, uuid string) (bool, error) {
	return wrote(ctx, g.group.FS, g.group.URI, f, uuid)
}

func wrote(ctx context.Context, fs vfs.FS, uri string, f Folder, uuid string) (bool, error) {
	entries, err := fs.List(ctx, vfs.Join(uri, string(f)))
	return slices.ContainsFunc(entries, func(e vfs.Entry) bool { return strings.Contains(e.Name, "_"+uuid) }), err
}
