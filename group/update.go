package group

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"azulejo/format"
	"azulejo/metadata"
	"azulejo/vfs"
)

// Update adds and removes members in one file, so that all of it counts from one moment: millis since 1970, 0 for now.
// Removed members are given by name or by URI, as stored or resolved, and removed before others are added; a URI that
// several members have is refused. Adding a member under the name or, without a name, the URI of another replaces it, as
// in libtiledb; two additions under one are refused. The group itself stays as it was opened: open it again to see the
// change. The error wraps ErrNotFound, ErrExists or ErrInvalid.
func (g *Group) Update(ctx context.Context, add []Member, remove []string, millis uint64) error {
	if len(add)+len(remove) == 0 {
		return nil
	}
	// What counts now is changed, not what counted when the group was opened.
	end := g.At.End
	if millis == 0 || millis > end {
		end = max(millis, uint64(time.Now().UnixMilli()))
	}
	members, err := g.load(ctx, Interval{Start: g.At.Start, End: end})
	if err != nil {
		return classify(err)
	}
	entries := map[string]format.GroupMember{}
	for key, m := range members {
		entries[key] = stored(m, false)
	}
	for _, nameOrURI := range remove {
		m, err := g.find(members, nameOrURI)
		if err != nil {
			return &Error{"remove member from", g.URI, err}
		}
		if entries[m.Key()].Deleted {
			return &Error{"remove member from", g.URI, fmt.Errorf("%w: %q is removed twice", ErrInvalid, nameOrURI)}
		}
		entries[m.Key()] = stored(m, true)
	}
	added := map[string]bool{}
	for _, m := range add {
		if err := check(m); err != nil {
			return &Error{"add member to", g.URI, err}
		}
		if added[m.Key()] {
			return &Error{"add member to", g.URI, fmt.Errorf("member %q %w", m.Key(), ErrExists)}
		}
		added[m.Key()] = true
		entries[m.Key()] = stored(m, false)
	}
	return classify(g.write(ctx, entries, millis))
}

// write writes a group file.
func (g *Group) write(ctx context.Context, entries map[string]format.GroupMember, millis uint64) error {
	list := make([]format.GroupMember, 0, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		list = append(list, entries[key])
	}
	content, err := format.EncodeGroupDetails(list)
	if err == nil {
		content, err = format.Encrypt(g.key, content)
	}
	if err != nil {
		return err
	}
	if millis == 0 {
		millis = uint64(time.Now().UnixMilli())
	}
	name := format.NewNameIn(ctx, millis, millis, format.GroupVersion).String()
	return vfs.WriteAll(ctx, g.FS, vfs.Join(g.URI, detailsDir, name), content)
}

// stored returns a member in its stored form.
func stored(m Member, deleted bool) format.GroupMember {
	return format.GroupMember{Type: m.Type, URI: m.URI, Relative: m.Relative, Name: m.Name, Named: m.Named, Deleted: deleted}
}

// check tells whether a member can be added.
func check(m Member) error {
	switch {
	case m.Type != format.ObjectArray && m.Type != format.ObjectGroup:
		return fmt.Errorf("%w: member %q is neither array nor group", ErrInvalid, m.Key())
	case m.URI == "":
		return fmt.Errorf("%w: member %q without a URI", ErrInvalid, m.Key())
	case m.Relative && (strings.HasPrefix(m.URI, "/") || strings.Contains(m.URI, "://") || slices.Contains(strings.Split(m.URI, "/"), "..")):
		return fmt.Errorf("%w: %q is not below the group", ErrInvalid, m.URI)
	}
	return nil
}

// find returns the member that a name or URI means.
func (g *Group) find(members map[string]Member, nameOrURI string) (Member, error) {
	if m, ok := members[nameOrURI]; ok {
		return m, nil
	}
	var found []Member
	for _, m := range members {
		if m.URI == nameOrURI || g.Resolve(m) == nameOrURI || m.URI == "file://"+nameOrURI {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return Member{}, fmt.Errorf("member %q %w", nameOrURI, ErrNotFound)
	case 1:
		return found[0], nil
	default:
		return Member{}, fmt.Errorf("%w: several members have the URI %q, remove by name", ErrInvalid, nameOrURI)
	}
}

// Delete removes the group at a URI, not its members: they stay where they are, also those in its folder. The error
// wraps ErrNotFound.
func Delete(ctx context.Context, fs vfs.FS, uri string) error {
	uri = vfs.Trim(uri)
	switch exists, err := Exists(ctx, fs, uri); {
	case err != nil:
		return err
	case !exists:
		return &Error{"delete", uri, fmt.Errorf("group %w", ErrNotFound)}
	}
	// The group is there while it has its mark or its details, and whole until the second of them is gone.
	for _, name := range []string{markFile, detailsDir, metadata.Folder} {
		if err := fs.Remove(ctx, vfs.Join(uri, name)); err != nil {
			return err
		}
	}
	entries, err := fs.List(ctx, uri)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Dir && strings.HasPrefix(e.Name, metadata.OwnPrefix) {
			if err := fs.Remove(ctx, vfs.Join(uri, e.Name)); err != nil {
				return err
			}
		}
	}
	return vfs.RemoveEmpty(ctx, fs, uri)
}
