package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/vfs"
)

const tiledbScheme = "tiledb://"

// members returns the members of a group that the caller may see, under the addresses by which the client reaches them.
func (a *API) members(r *web.Request, g *vault.Group) ([]format.GroupMember, error) {
	visible, err := a.visibleMembers(r, g)
	if err != nil {
		return nil, err
	}
	list := make([]format.GroupMember, len(visible))
	for i, m := range visible {
		uri := m.address(asset(r))
		list[i] = format.GroupMember{Type: m.Type, URI: uri, Name: m.Name, Named: m.Named}
		if rest, ok := relativeAddress(r, m.Member, uri); ok {
			list[i].URI, list[i].Relative = rest, true
		}
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

// address returns the tiledb:// address of a member. Storage that has no entry is named by its last part in the group's
// namespace, so that no path of the server leaves it.
func (m visibleMember) address(in catalog.Asset) string {
	switch {
	case m.known:
		return tiledbScheme + m.asset.Namespace + "/" + m.asset.Name
	case !catalog.IsStorage(m.URI) || strings.HasPrefix(m.URI, tiledbScheme):
		return m.URI
	}
	return tiledbScheme + in.Namespace + "/" + vfs.Base(m.URI)
}

// changeMembers adds and removes members of the group of a request, in storage, which is what update does, and in the
// catalogue.
func (a *API) changeMembers(r *web.Request, opened *vault.Group, add []format.GroupMember, remove []string, update func(add []group.Member, remove []string) error) error {
	var members []group.Member
	var added []catalog.NewMember
	for _, m := range add {
		member, found, err := a.newMember(r, m)
		if err != nil {
			return err
		}
		members, added = append(members, member), append(added, noted(r, found))
	}
	keys := make([]string, len(remove))
	var gone []string
	if len(remove) > 0 {
		visible, err := a.visibleMembers(r, opened)
		if err != nil {
			return err
		}
		for i, ref := range remove {
			var id string
			if keys[i], id = memberKey(r, visible, ref); id != "" {
				gone = append(gone, id)
			}
		}
	}
	// No share outlives a membership, and none begins before it.
	if err := a.catalog.RemoveMembers(r.Context(), r.Grant, asset(r), gone); err != nil {
		return err
	}
	if err := update(members, keys); err != nil {
		return err
	}
	return a.catalog.AddMembers(r.Context(), r.Grant, asset(r), added)
}

// noted is what the catalogue keeps of a member that the caller adds: the shares of a group reach what he could share.
func noted(r *web.Request, x catalog.Asset) catalog.NewMember {
	return catalog.NewMember{Asset: x, Shared: access.RightsOn(r.Subject, x.Object()).Has(access.CanEdit) && access.WholeRightsOn(r.Subject, x.Object()).Has(access.CanRead)}
}

// noteMembers tells the catalogue what a group is that was just registered, and which of its assets are in it.
func (a *API) noteMembers(r *web.Request, made catalog.Asset) error {
	g, err := access.Allowed(r.Subject, access.GroupRead, made.Object())
	if err != nil {
		return err
	}
	opened, err := a.vault.OpenGroup(r.Context(), g, made, group.Latest())
	if err != nil {
		return err
	}
	members, err := a.visibleMembers(r, opened)
	if err != nil {
		return err
	}
	var list []catalog.NewMember
	for _, m := range members {
		if m.known {
			list = append(list, noted(r, m.asset))
		}
	}
	if err := a.catalog.AddMembers(r.Context(), g, made, list); err != nil {
		return err
	}
	a.recogniseNew(r, made)
	return nil
}

// addTo adds an asset that was just made to the group at a tiledb:// address.
func (a *API) addTo(r *web.Request, parent string, made catalog.Asset) error {
	namespace, ref, ok := strings.Cut(strings.TrimPrefix(parent, tiledbScheme), "/")
	missing := fmt.Errorf("%w: the parent group %s does not exist, or you may not see it; the new group was made and is in no group", web.ErrBadRequest, parent)
	if !ok || !strings.HasPrefix(parent, tiledbScheme) {
		return missing
	}
	in, err := a.lookup(r.Context(), namespace, ref, catalog.Group)
	if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, account.ErrNotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	g, err := access.Allowed(r.Subject, access.GroupWrite, in.Object())
	if errors.Is(err, access.ErrNotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	opened, err := a.vault.OpenGroup(r.Context(), g, in, group.Latest())
	if err != nil {
		return err
	}
	kind := format.ObjectArray
	if made.Kind == catalog.Group {
		kind = format.ObjectGroup
	}
	member := group.Member{Type: kind, URI: made.StorageURI(), Name: made.Name, Named: true}
	if err := opened.Update(r.Context(), []group.Member{member}, nil, 0); err != nil {
		return err
	}
	return a.catalog.AddMembers(r.Context(), g, in, []catalog.NewMember{noted(r, made)})
}

// newMember returns what is stored for a member that a client adds. A member must be an asset that the caller may see:
// nobody can give a name to storage that is not theirs. It is kept by its storage URI, so that the group also opens
// without the server, and relative to the group where the client says so and it lies in the group's folder.
func (a *API) newMember(r *web.Request, m format.GroupMember) (group.Member, catalog.Asset, error) {
	found, inside, err := a.addedAsset(r, m)
	if err != nil {
		return group.Member{}, catalog.Asset{}, err
	}
	kind := format.ObjectArray
	if found.Kind == catalog.Group {
		kind = format.ObjectGroup
	}
	if m.Type != 0 && m.Type != kind {
		return group.Member{}, catalog.Asset{}, fmt.Errorf("%w: member %s is not of the type the request says", web.ErrBadRequest, m.URI)
	}
	if inside {
		return group.Member{Type: kind, URI: m.URI, Relative: true, Name: m.Name, Named: m.Named}, found, nil
	}
	return group.Member{Type: kind, URI: found.StorageURI(), Name: m.Name, Named: m.Named}, found, nil
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
	if errors.Is(err, catalog.ErrNotFound) && ref == uri && catalog.IsStorage(uri) { // another namespace's
		var elsewhere map[string]catalog.Asset
		elsewhere, err = a.catalog.ByStorage(r.Context(), []string{uri})
		if err == nil && elsewhere[uri].ID == "" {
			err = catalog.ErrNotFound
		}
		found = elsewhere[uri]
	}
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
// storage URI, or by name, and the id of its asset if it has one.
func memberKey(r *web.Request, members []visibleMember, ref string) (key, assetID string) {
	for _, m := range members {
		uri := m.address(asset(r))
		rest, relative := relativeAddress(r, m.Member, uri)
		if ref == uri || ref == m.URI || relative && ref == rest || m.Named && ref == m.Name || m.known && ref == m.asset.ID {
			if m.Named {
				return m.Name, m.asset.ID
			}
			return m.URI, m.asset.ID
		}
	}
	return ref, ""
}

// deleteGroup deletes a group, with recursive=true also its members and theirs. What the caller may not delete keeps all of
// it from being begun. Members are deleted before the groups that name them, so a call that broke off can be repeated.
func (a *API) deleteGroup(r *web.Request) error {
	recursive, err := r.Flag("recursive")
	if err != nil {
		return err
	}
	if !recursive {
		return a.vault.DeleteGroup(r.Context(), r.Grant, asset(r))
	}
	return a.takeApart(r, deletion)
}

// takeApart deletes or deregisters the group of a request with all that is in it.
func (a *API) takeApart(r *web.Request, how demolition) error {
	t, err := a.tree(r, how, true)
	if err != nil {
		return err
	}
	for _, step := range t.steps {
		if err := step(r.Context()); err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
	}
	return nil
}

// tree collects the asset of a request and, with recursive, what is in it.
func (a *API) tree(r *web.Request, how demolition, recursive bool) (*tree, error) {
	t := &tree{api: a, r: r, how: how, recursive: recursive, seen: map[string]bool{}}
	return t, t.add(asset(r), r.Grant)
}

// dry lets a row that ends an asset tell, with dry_run=true, what it would end: assets that the caller may end, for if there are
// others the request is refused as it would be.
func (a *API) dry(how demolition, op web.Operation) web.Operation {
	end := op.Handle
	op.Handle = func(w http.ResponseWriter, r *web.Request) error {
		dry, err := r.Flag("dry_run")
		if err != nil {
			return err
		}
		if !dry {
			return end(w, r)
		}
		recursive, err := r.Flag("recursive")
		if err != nil {
			return err
		}
		t, err := a.tree(r, how, recursive)
		if err != nil {
			return err
		}
		out := struct {
			Assets []activeAsset `json:"assets"`
			Files  bool          `json:"deletes_files"`
		}{[]activeAsset{}, how.files}
		for _, x := range t.found {
			out.Assets = append(out.Assets, activeOf(x.Asset))
		}
		return web.JSON(w, r, http.StatusOK, out)
	}
	return op
}

// demolition is a way in which groups go with all that is in them.
type demolition struct {
	array, group access.Action
	// files tells that what is stored goes too.
	files bool
}

var (
	deletion       = demolition{access.ArrayDelete, access.GroupDelete, true}
	deregistration = demolition{access.ArrayDeregister, access.GroupDeregister, false}
	// removal is no end here: the assets go to another namespace.
	removal = demolition{access.ArrayTransfer, access.GroupTransfer, false}
)

// tree collects what the end of a group with its members has to do.
type tree struct {
	api       *API
	r         *web.Request
	how       demolition
	recursive bool
	seen      map[string]bool
	steps     []func(context.Context) error
	// found are the assets, members before the groups that name them.
	found []catalog.Handover
}

// add appends the steps that end an asset under a grant.
func (t *tree) add(x catalog.Asset, g access.Grant) error {
	if t.seen[x.ID] {
		return nil
	}
	t.seen[x.ID] = true
	if x.Kind == catalog.Group && t.recursive {
		opened, err := t.api.vault.OpenGroup(t.r.Context(), g, x, group.Latest())
		if err != nil {
			return err
		}
		for _, m := range opened.Members() {
			if err := t.member(opened, x, m); err != nil {
				return err
			}
		}
	}
	t.found = append(t.found, catalog.Handover{Asset: x, Grant: g})
	t.steps = append(t.steps, func(ctx context.Context) error { return t.end(ctx, x, g) })
	return nil
}

func (t *tree) end(ctx context.Context, x catalog.Asset, g access.Grant) error {
	switch {
	case !t.how.files:
		return t.api.catalog.Deregister(ctx, g, x)
	case x.Kind == catalog.Group:
		return t.api.vault.DeleteGroup(ctx, g, x)
	}
	return t.api.vault.DeleteArray(ctx, g, x)
}

// member appends the steps that end a member. One that the catalogue does not know goes when it lies in the group's folder
// and files go, and is otherwise none of the server's. Assets of other namespaces stay: they are only mentioned here.
func (t *tree) member(in *vault.Group, of catalog.Asset, m group.Member) error {
	found, err := t.api.memberAsset(t.r, m.URI)
	if errors.Is(err, web.ErrBadRequest) {
		if t.how.files {
			t.steps = append(t.steps, func(ctx context.Context) error { return in.RemoveInside(ctx, m) })
		}
		return nil
	}
	if err != nil || found.NamespaceID != of.NamespaceID {
		return err
	}
	action := t.how.array
	if found.Kind == catalog.Group {
		action = t.how.group
	}
	grant, err := access.Allowed(t.r.Subject, action, found.Object())
	if err != nil {
		return fmt.Errorf("member %s: %w", found.Name, err)
	}
	return t.add(found, grant)
}
