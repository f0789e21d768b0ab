package array

import (
	"context"
	"strings"

	"azulejo/format"
	"azulejo/metadata"
	"azulejo/vfs"
)

// Delete removes the array at a URI. It does not exist any more once its schemas are gone, which go first. Files in its
// folder that are not the array's stay. A call that was interrupted can be repeated. The error wraps ErrNotFound.
func Delete(ctx context.Context, fs vfs.FS, uri string) error {
	uri = vfs.Trim(uri)
	root, err := fs.List(ctx, uri)
	if err != nil {
		return err
	}
	var own []string
	found := false
	for _, e := range root {
		if !ownEntry(e) {
			continue
		}
		own = append(own, e.Name)
		// Groups have a metadata folder too, and notes; a claim is that of an array that was not finished.
		note := strings.HasPrefix(e.Name, metadata.OwnPrefix) && !strings.HasPrefix(e.Name, claimFile)
		found = found || e.Name != metadata.Folder && !note
	}
	if !found {
		return &Error{"delete", uri, ErrNotFound}
	}
	for _, name := range append([]string{oldSchemaFile, schemaDir}, own...) {
		if err := fs.Remove(ctx, vfs.Join(uri, name)); err != nil {
			return err
		}
	}
	return vfs.RemoveEmpty(ctx, fs, uri)
}

// ownEntry reports whether an entry of an array's folder belongs to the array.
func ownEntry(e vfs.Entry) bool {
	x := ext(e.Name)
	_, err := format.ParseName(strings.TrimSuffix(e.Name, x))
	if e.Dir {
		switch e.Name {
		case schemaDir, commitsDir, fragmentsDir, fragmentMetaDir, labelsDir, metadata.Folder:
			return true
		}
		return err == nil && x == "" || strings.HasPrefix(e.Name, metadata.OwnPrefix)
	}
	switch x {
	case okExt, vacuumExt, fragmentMetaExt:
		return err == nil
	}
	return e.Name == oldSchemaFile || strings.HasPrefix(e.Name, metadata.OwnPrefix)
}
