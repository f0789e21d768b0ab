package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/vfs"
)

const tiledbScheme = "tiledb://"

// members returns the members of a group under the addresses by which the client reaches them.
func (a *API) members(r *web.Request, g *vault.Group) ([]format.GroupMember, error) {
	var list []format.GroupMember
	for _, m := range g.Members() {
		uri, err := a.address(r.Context(), asset(r), m)
		if err != nil {
			return nil, err
		}
		member := format.GroupMember{Type: m.Type, URI: uri, Name: m.Name, Named: m.Named}
		if rest, ok := relativeAddress(r, m, uri); ok {
			member.URI, member.Relative = rest, true
		}
		list = append(list, member)
	}
	return list, nil
}

// relativeAddress returns how a member that is stored relative to the group is named relative to the address by which the
// client opened the group, if it can be.
func relativeAddress(r *web.Request, m group.Member, address string) (string, bool) {
	if !m.Relative {
		return "", false
	}
	if catalog.IsStorage(r.Param("group")) {
		return strings.CutPrefix(m.URI, asset(r).StorageURI()+"/")
	}
	return strings.CutPrefix(address, tiledbScheme+asset(r).Namespace+"/"+asset(r).Name+"/")
}

// address returns the tiledb:// address of a member whose storage the catalogue knows. Storage that has no entry any more
// is named by its last part in the group's namespace, so that no path of the server leaves it.
func (a *API) address(ctx context.Context, in catalog.Asset, m group.Member) (string, error) {
	if !catalog.IsStorage(m.URI) || strings.HasPrefix(m.URI, tiledbScheme) {
		return m.URI, nil
	}
	found, err := a.catalog.Resolve(ctx, in.NamespaceID, m.URI)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return tiledbScheme + in.Namespace + "/" + vfs.Base(m.URI), nil
	case err != nil:
		return "", err
	}
	return tiledbScheme + found.Namespace + "/" + found.Name, nil
}

// newMember returns what is stored for a member that a client adds. A member must be an asset that the caller may see:
// nobody can give a name to storage that is not theirs. It is kept by its storage URI, so that the group also opens
// without the server, and relative to the group where the client says so and it lies in the group's folder.
func (a *API) newMember(r *web.Request, m format.GroupMember) (group.Member, error) {
	found, inside, err := a.addedAsset(r, m)
	if err != nil {
		return group.Member{}, err
	}
	kind := format.ObjectArray
	if found.Kind == catalog.Group {
		kind = format.ObjectGroup
	}
	if m.Type != 0 && m.Type != kind {
		return group.Member{}, fmt.Errorf("%w: member %s is not of the type the request says", web.ErrBadRequest, m.URI)
	}
	if inside {
		return group.Member{Type: kind, URI: m.URI, Relative: true, Name: m.Name, Named: m.Named}, nil
	}
	return group.Member{Type: kind, URI: found.StorageURI(), Name: m.Name, Named: m.Named}, nil
}

// addedAsset looks up the asset that a client adds. A relative member is looked for where the client would: behind the
// storage URI of the group, and then behind its name. inside tells that it is in the group's folder.
func (a *API) addedAsset(r *web.Request, m format.GroupMember) (found catalog.Asset, inside bool, err error) {
	if !m.Relative {
		found, err = a.memberAsset(r, m.URI)
		return found, false, err
	}
	if found, err = a.memberAsset(r, asset(r).StorageURI()+"/"+m.URI); err == nil {
		return found, true, nil
	}
	found, err = a.memberAsset(r, asset(r).Name+"/"+m.URI)
	return found, false, err
}

// memberAsset looks up the asset that a member's address names, as far as the caller may see it.
func (a *API) memberAsset(r *web.Request, uri string) (catalog.Asset, error) {
	namespace, ref := asset(r).Namespace, uri
	if rest, ok := strings.CutPrefix(uri, tiledbScheme); ok {
		namespace, ref, _ = strings.Cut(rest, "/")
	}
	missing := fmt.Errorf("%w: member %s does not exist, or you may not see it; register it first", web.ErrBadRequest, uri)
	n, err := a.accounts.Namespace(r.Context(), namespace)
	if err != nil {
		return catalog.Asset{}, missing
	}
	found, err := a.catalog.Resolve(r.Context(), n.ID, ref)
	if errors.Is(err, catalog.ErrNotFound) {
		return catalog.Asset{}, missing
	}
	if err != nil {
		return catalog.Asset{}, err
	}
	if found.Part() != "" {
		return catalog.Asset{}, missing
	}
	action := access.ArrayFind
	if found.Kind == catalog.Group {
		action = access.GroupFind
	}
	switch _, err := access.Allowed(r.Subject, action, found.Object()); {
	case errors.Is(err, access.ErrNotFound):
		return catalog.Asset{}, missing
	case err != nil:
		return catalog.Asset{}, err
	}
	return found, nil
}

// memberKey returns the stored URI or name of a member that a client removes by the address that it was given, by its
// storage URI, or by name.
func (a *API) memberKey(r *web.Request, g *vault.Group, ref string) (string, error) {
	for _, m := range g.Members() {
		uri, err := a.address(r.Context(), asset(r), m)
		if err != nil {
			return "", err
		}
		rest, relative := relativeAddress(r, m, uri)
		if ref == uri || ref == m.URI || relative && ref == rest || m.Named && ref == m.Name {
			if m.Named {
				return m.Name, nil
			}
			return m.URI, nil
		}
	}
	return ref, nil
}

// deleteGroup deletes a group, with recursive=true also its members and theirs. What the caller may not delete keeps all of
// it from being begun. Members are deleted before the groups that name them, so a call that broke off can be repeated.
func (a *API) deleteGroup(r *web.Request, _ []byte) ([]byte, error) {
	recursive, err := r.Flag("recursive")
	if err != nil {
		return nil, err
	}
	if !recursive {
		return nil, a.vault.DeleteGroup(r.Context(), r.Grant, asset(r))
	}
	t := &tree{api: a, r: r, seen: map[string]bool{}}
	if err := t.add(asset(r), r.Grant); err != nil {
		return nil, err
	}
	for _, step := range t.steps {
		if err := step(r.Context()); err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return nil, err
		}
	}
	return nil, nil
}

// tree collects what a group's deletion with its members has to do.
type tree struct {
	api   *API
	r     *web.Request
	seen  map[string]bool
	steps []func(context.Context) error
}

// add appends the steps that delete an asset under a grant.
func (t *tree) add(x catalog.Asset, g access.Grant) error {
	if t.seen[x.ID] {
		return nil
	}
	t.seen[x.ID] = true
	if x.Kind == catalog.Array {
		t.steps = append(t.steps, func(ctx context.Context) error { return t.api.vault.DeleteArray(ctx, g, x) })
		return nil
	}
	opened, err := t.api.vault.OpenGroup(t.r.Context(), g, x, group.Latest())
	if err != nil {
		return err
	}
	for _, m := range opened.Members() {
		if err := t.member(opened, m); err != nil {
			return err
		}
	}
	t.steps = append(t.steps, func(ctx context.Context) error { return t.api.vault.DeleteGroup(ctx, g, x) })
	return nil
}

// member appends the steps that delete a member. One that the catalogue does not know goes when it lies in the group's
// folder, and is otherwise none of the server's.
func (t *tree) member(in *vault.Group, m group.Member) error {
	found, err := t.api.memberAsset(t.r, m.URI)
	if errors.Is(err, web.ErrBadRequest) {
		t.steps = append(t.steps, func(ctx context.Context) error { return in.RemoveInside(ctx, m) })
		return nil
	}
	if err != nil {
		return err
	}
	action := access.ArrayDelete
	if found.Kind == catalog.Group {
		action = access.GroupDelete
	}
	grant, err := access.Allowed(t.r.Subject, action, found.Object())
	if err != nil {
		return fmt.Errorf("member %s: %w", found.Name, err)
	}
	return t.add(found, grant)
}
