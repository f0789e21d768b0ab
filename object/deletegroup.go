package object

import (
	"context"
	"errors"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/group"
	"azulejo/vfs"
)

// DeleteGroup deletes the group at a URI with all its members, those of member groups included, wherever in the store they
// lie: members named by absolute URIs as well. Members that are gone already are passed over, files that are no array's and
// no group's stay. Members go before the group that names them, so that a call that was interrupted can be repeated. The key
// is nil unless the groups are encrypted. The error wraps group.ErrNotFound, or is the store's. group.Delete leaves the
// members alone, Remove takes a whole folder.
func DeleteGroup(ctx context.Context, fs vfs.FS, uri string, key *filter.Key) error {
	return deleteGroup(ctx, fs, vfs.Trim(uri), key, map[string]bool{})
}

// deleteGroup deletes a group; seen has those that are being deleted, as groups may be members of each other.
func deleteGroup(ctx context.Context, fs vfs.FS, uri string, key *filter.Key, seen map[string]bool) error {
	seen[uri] = true
	g, err := group.Open(ctx, fs, uri, group.Latest(), group.WithKey(key))
	if err != nil {
		return err
	}
	for _, m := range g.Members() {
		at := vfs.Trim(g.Resolve(m))
		t := m.Type
		if t != format.ObjectArray && t != format.ObjectGroup {
			if t, err = TypeOf(ctx, fs, at); err != nil {
				return err
			}
		}
		switch {
		case seen[at]:
		case t == format.ObjectArray:
			err = array.Delete(ctx, fs, at)
		case t == format.ObjectGroup:
			err = deleteGroup(ctx, fs, at, key, seen)
		}
		if err != nil && !errors.Is(err, array.ErrNotFound) && !errors.Is(err, group.ErrNotFound) {
			return err
		}
	}
	return group.Delete(ctx, fs, uri)
}
