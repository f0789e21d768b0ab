package vault

import (
	"context"
	"errors"
	"strings"

	"azulejo/array"
	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/vfs"
)

// Group is a group opened under a grant, as it was in an interval of time.
type Group struct {
	vault *Vault
	grant access.Grant
	asset catalog.Asset
	group *group.Group
}

// OpenGroup opens a group for what the grant's action allows.
func (v *Vault) OpenGroup(ctx context.Context, g access.Grant, a catalog.Asset, at group.Interval) (*Group, error) {
	if err := permit(g, a, access.GroupRead, access.GroupWrite, access.GroupFind, access.GroupDelete, access.GroupDeregister, access.GroupTransfer); err != nil {
		return nil, err
	}
	where, err := v.catalog.Locate(ctx, g, a)
	if err != nil {
		return nil, err
	}
	key, err := v.key(a)
	if err != nil {
		return nil, err
	}
	opened, err := group.Open(ctx, v.fs, where.URI(), at, group.WithKey(key))
	if err != nil {
		return nil, err
	}
	return &Group{vault: v, grant: g, asset: a, group: opened}, nil
}

// Members returns the members, sorted by name, with their full URIs; Relative tells which are stored relative to the
// group.
func (g *Group) Members() []group.Member {
	members := g.group.Members()
	for i := range members {
		members[i].URI = g.group.Resolve(members[i])
	}
	return members
}

// RemoveInside removes the array at the URI of a member that lies in the group's own folder and that no catalogue entry
// names: it is the group's, as the files in the folder are. It does nothing for a member elsewhere.
func (g *Group) RemoveInside(ctx context.Context, m group.Member) error {
	if err := permit(g.grant, g.asset, access.GroupDelete); err != nil {
		return err
	}
	if m.Type != format.ObjectArray || !strings.HasPrefix(m.URI, vfs.Trim(g.group.URI)+"/") {
		return nil
	}
	err := array.Delete(ctx, g.group.FS, m.URI)
	if errors.Is(err, array.ErrNotFound) {
		return nil
	}
	return err
}

// Metadata returns the group's metadata, sorted by key.
func (g *Group) Metadata(ctx context.Context) ([]format.MetadataEntry, error) {
	return g.group.Metadata(ctx)
}

// Update removes members, named or by URI, and adds others, all at one time in milliseconds, 0 for now. Updates of one group
// follow one another: each writes the whole list of members.
func (g *Group) Update(ctx context.Context, add []group.Member, remove []string, millis uint64) error {
	if err := permit(g.grant, g.asset, access.GroupWrite); err != nil {
		return err
	}
	return g.vault.alone(ctx, g.vault.evolving, "group "+g.asset.ID, func() error { return g.group.Update(ctx, add, remove, millis) })
}

// PutMetadata writes changes of the group's metadata at a time in milliseconds, 0 for now.
func (g *Group) PutMetadata(ctx context.Context, entries []format.MetadataEntry, millis uint64) error {
	if err := permit(g.grant, g.asset, access.GroupWrite); err != nil {
		return err
	}
	return g.group.PutMetadata(ctx, entries, millis)
}
