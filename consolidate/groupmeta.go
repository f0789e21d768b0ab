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
	dir := vfs.Join(uri, metadata.Folder)
	absolute := dir
	if strings.HasPrefix(dir, "/") {
		absolute = "file://" + dir
	}
	return metadata.Consolidate(ctx, fs, dir, g.At, o.Key, func(name string) string { return vfs.Join(absolute, name) })
}

// vacuumGroupMeta removes the metadata files that were merged.
func vacuumGroupMeta(ctx context.Context, fs vfs.FS, uri string) error {
	if exists, err := group.Exists(ctx, fs, uri); err != nil || !exists {
		return errors.Join(err, fmt.Errorf("vacuum %s: %w", uri, group.ErrNotFound))
	}
	return metadata.Vacuum(ctx, fs, vfs.Join(uri, metadata.Folder))
}
