package consolidate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"azulejo/group"
	"azulejo/metadata"
	"azulejo/vfs"
)

// GroupMeta merges the metadata files of the group at a URI that lie in o's interval into one, and hides them behind it.
// As in libtiledb the files hidden are named by absolute URIs, of which readers take the last part.
func GroupMeta(ctx context.Context, fs vfs.FS, uri string, o Options) error {
	uri = vfs.Trim(uri)
	g, err := group.Open(ctx, fs, uri, o.interval(), group.WithKey(o.Key))
	if err != nil {
		return err
	}
	return metadata.Consolidate(ctx, fs, vfs.Join(uri, metadata.Folder), g.At, o.Key, groupMetaPath(uri))
}

// groupMetaPath returns how a vacuum file calls the metadata files of a group.
func groupMetaPath(uri string) func(name string) string {
	dir := vfs.Join(uri, metadata.Folder)
	if strings.HasPrefix(dir, "/") {
		dir = "file://" + dir
	}
	return func(name string) string { return vfs.Join(dir, name) }
}

// vacuumGroupMeta removes the metadata files that were merged.
func vacuumGroupMeta(ctx context.Context, fs vfs.FS, uri string, due dueFunc) error {
	if exists, err := group.Exists(ctx, fs, uri); err != nil || !exists {
		return errors.Join(err, fmt.Errorf("vacuum %s: %w", uri, group.ErrNotFound))
	}
	return metadata.Vacuum(ctx, fs, vfs.Join(uri, metadata.Folder), due.in(metadata.Folder))
}
