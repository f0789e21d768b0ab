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
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/vfs"
)

const onGroup = "/v2/groups/{namespace}/{group}"

// groupOps are the rows of groups as libtiledb uses them (spec page rest-wire.md, sections 3 and 10).
func (a *API) groupOps() []web.Operation {
	row := func(id, method, path string, action access.Action, do answer) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: action, Find: a.findGroup, Handle: a.messages(do)}
	}
	exists := row("groupExists", http.MethodOptions, onGroup, access.GroupFind, nil)
	exists.Handle = groupExists
	create := row("createGroup", http.MethodPost, "/v2/groups/{namespace}", access.GroupCreate, a.createGroup)
	create.Find = a.findNamespace
	return []web.Operation{
		create, exists,
		row("openGroup", http.MethodPost, onGroup, access.GroupRead, a.openGroup),
		row("updateGroup", http.MethodPatch, onGroup, access.GroupWrite, a.updateGroup),
		row("deleteGroup", http.MethodDelete, onGroup+"/delete", access.GroupDelete, a.deleteGroup),
		row("getGroupMetadata", http.MethodPost, onGroup+"/metadata", access.GroupRead, a.getGroupMetadata),
		row("putGroupMetadata", http.MethodPut, onGroup+"/metadata", access.GroupWrite, a.putGroupMetadata),
	}
}

func (a *API) createGroup(r *web.Request, body []byte) ([]byte, error) {
	ref, err := wire.DecodeGroupCreate(body)
	if err != nil {
		return nil, err
	}
	n, err := newAsset(r, ref)
	if err != nil {
		return nil, err
	}
	_, err = a.vault.CreateGroup(r.Context(), r.Grant, n)
	return nil, err
}

// groupExists answers 200 for a group; to the client any other status below 400 would mean that there is none.
func groupExists(w http.ResponseWriter, _ *web.Request) error {
	w.WriteHeader(http.StatusOK)
	return nil
}

// openedGroup opens the group of a request at the interval that its body's configuration says.
func (a *API) openedGroup(r *web.Request, body []byte) (*vault.Group, error) {
	config, err := wire.DecodeConfigRequest(body)
	if err != nil {
		return nil, err
	}
	return a.vault.OpenGroup(r.Context(), r.Grant, asset(r), groupInterval(config))
}

func (a *API) openGroup(r *web.Request, body []byte) ([]byte, error) {
	opened, err := a.openedGroup(r, body)
	if err != nil {
		return nil, err
	}
	entries, err := opened.Metadata(r.Context())
	if err != nil {
		return nil, err
	}
	members, err := a.members(r, opened)
	if err != nil {
		return nil, err
	}
	return wire.EncodeGroup(members, entries)
}

// groupInterval is the time range that a group is looked at, which only the client's configuration says.
func groupInterval(c wire.Config) group.Interval {
	return group.Interval{Start: c.Uint64("sm.group.timestamp_start", 0), End: c.Uint64("sm.group.timestamp_end", group.Now)}
}

// changedGroup opens the newest state of the group of a request, to change it at the time that its body's configuration
// says, in milliseconds, 0 for now.
func (a *API) changedGroup(r *web.Request, body []byte) (*vault.Group, uint64, error) {
	config, err := wire.DecodeConfigRequest(body)
	if err != nil {
		return nil, 0, err
	}
	opened, err := a.vault.OpenGroup(r.Context(), r.Grant, asset(r), group.Latest())
	return opened, writeTime(groupInterval(config)), err
}

// members returns the members of a group under the addresses by which the client reaches them.
func (a *API) members(r *web.Request, g *vault.Group) ([]format.GroupMember, error) {
	var list []format.GroupMember
	for _, m := range g.Members() {
		uri, err := a.address(r.Context(), asset(r), m)
		if err != nil {
			return nil, err
		}
		list = append(list, format.GroupMember{Type: m.Type, URI: uri, Name: m.Name, Named: m.Named})
	}
	return list, nil
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

const tiledbScheme = "tiledb://"

func (a *API) updateGroup(r *web.Request, body []byte) ([]byte, error) {
	change, err := wire.DecodeGroupUpdate(body)
	if err != nil {
		return nil, err
	}
	opened, millis, err := a.changedGroup(r, body)
	if err != nil {
		return nil, err
	}
	var add []group.Member
	for _, m := range change.Add {
		member, err := a.newMember(r, m)
		if err != nil {
			return nil, err
		}
		add = append(add, member)
	}
	remove := make([]string, len(change.Remove))
	for i, ref := range change.Remove {
		if remove[i], err = a.memberKey(r, opened, ref); err != nil {
			return nil, err
		}
	}
	return nil, opened.Update(r.Context(), add, remove, millis)
}

// newMember returns what is stored for a member that a client adds. A member must be an asset that the caller may see:
// nobody can give a name to storage that is not theirs. It is kept by its storage URI, so that the group also opens
// without the server.
func (a *API) newMember(r *web.Request, m format.GroupMember) (group.Member, error) {
	found, err := a.memberAsset(r, m.URI)
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
	return group.Member{Type: kind, URI: found.StorageURI(), Name: m.Name, Named: m.Named}, nil
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
		if ref == uri || ref == m.URI || m.Named && ref == m.Name {
			if m.Named {
				return m.Name, nil
			}
			return m.URI, nil
		}
	}
	return ref, nil
}

func (a *API) deleteGroup(r *web.Request, _ []byte) ([]byte, error) {
	recursive, err := r.Flag("recursive")
	if err != nil {
		return nil, err
	}
	if recursive {
		return nil, fmt.Errorf("deleting a group with its members is %w: delete the members first", access.ErrNotBuilt)
	}
	return nil, a.vault.DeleteGroup(r.Context(), r.Grant, asset(r))
}

func (a *API) getGroupMetadata(r *web.Request, body []byte) ([]byte, error) {
	opened, err := a.openedGroup(r, body)
	if err != nil {
		return nil, err
	}
	entries, err := opened.Metadata(r.Context())
	if err != nil {
		return nil, err
	}
	return wire.EncodeMetadata(entries)
}

func (a *API) putGroupMetadata(r *web.Request, body []byte) ([]byte, error) {
	entries, err := wire.DecodeGroupMetadata(body)
	if err != nil {
		return nil, err
	}
	opened, millis, err := a.changedGroup(r, body)
	if err != nil {
		return nil, err
	}
	return nil, opened.PutMetadata(r.Context(), entries, millis)
}
