package consolidate

import (
	"context"
	"errors"
	"fmt"

	"azulejo/array"
	"azulejo/metadata"
	"azulejo/vfs"
)

// ArrayMeta merges the metadata files of the array at a URI that lie in an interval into one, and hides them behind it.
func ArrayMeta(ctx context.Context, fs vfs.FS, uri string, o Options) error {
	uri = vfs.Trim(uri)
	a, err := array.Open(ctx, fs, uri, o.interval(), array.SchemaOnly(), array.WithKey(o.Key))
	if err != nil {
		return err
	}
	return metadata.Consolidate(ctx, fs, vfs.Join(uri, metadata.Folder), a.At, o.Key, arrayMetaPath)
}

// arrayMetaPath returns how a vacuum file calls a metadata file of an array.
func arrayMetaPath(name string) string { return "/" + metadata.Folder + "/" + name }

// vacuumArrayMeta removes the metadata files that were merged.
func vacuumArrayMeta(ctx context.Context, fs vfs.FS, uri string, due dueFunc) error {
	if exists, err := array.Exists(ctx, fs, uri); err != nil || !exists {
		return errors.Join(err, fmt.Errorf("vacuum %s: %w", uri, array.ErrNotFound))
	}
	return metadata.Vacuum(ctx, fs, vfs.Join(uri, metadata.Folder), due.in(metadata.Folder))
}
