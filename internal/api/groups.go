package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire"
)

const onGroup = "/v2/groups/{namespace}/{group}"

// groupOps are the rows of groups as libtiledb uses them (spec page rest-wire.md, sections 3 and 10).
func (a *API) groupOps() []web.Operation {
	row := func(id, method, path string, action access.Action, do answer, request, reply wire.Kind) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: action, Find: a.findGroup, Handle: a.messages(form{request, reply}, do)}
	}
	exists := row("groupExists", http.MethodOptions, onGroup, access.GroupFind, nil, wire.NoMessage, wire.NoMessage)
	exists.Handle = groupExists
	change := func(id, method, path string, action access.Action, do changer, request wire.Kind) web.Operation {
		op := row(id, method, path, action, nil, request, wire.NoMessage)
		op.Handle = a.changes(request, do)
		return op
	}
	create := change("createGroup", http.MethodPost, "/v2/groups/{namespace}", access.GroupCreate, a.createGroup, wire.GroupCreateMessage)
	create.Find, create.Handle = a.findNamespace, a.cloudOr("group_details", a.makeGroup, create.Handle)
	update := change("updateGroup", http.MethodPatch, onGroup, access.GroupWrite, a.updateGroup, wire.GroupUpdateMessage)
	update.Handle = a.cloudOr("group_changes", a.changeGroup, update.Handle)
	return []web.Operation{
		create, exists,
		row("openGroup", http.MethodPost, onGroup, access.GroupRead, a.openGroup, wire.GroupMessage, wire.MembersMessage),
		update,
		a.dry(deletion, a.removes(row("deleteGroup", http.MethodDelete, onGroup+"/delete", access.GroupDelete, nil, wire.NoMessage, wire.NoMessage), http.StatusNoContent, a.deleteGroup)),
		row("getGroupMetadata", http.MethodPost, onGroup+"/metadata", access.GroupRead, a.getGroupMetadata, wire.GroupMetaMessage, wire.MetadataMessage),
		change("putGroupMetadata", http.MethodPut, onGroup+"/metadata", access.GroupWrite, a.putGroupMetadata, wire.GroupMetaMessage),
	}
}

// cloudOr is the handler of an address at which both tiledb-cloud and libtiledb speak, each with bodies of its own. A JSON
// object with the named member and without libtiledb's configuration is for cloud, everything else for engine.
func (a *API) cloudOr(member string, cloud func(http.ResponseWriter, *web.Request, []byte) error, engine web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		if !isJSON(r) {
			return engine(w, r)
		}
		body, err := r.ReadBody()
		if err != nil {
			return err
		}
		var members map[string]json.RawMessage
		if err := web.ParseJSON(bytes.TrimSuffix(body, []byte{0}), &members); err != nil {
			return err
		}
		if members[member] != nil && members["config"] == nil {
			return cloud(w, r, body)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return engine(w, r)
	}
}

func isJSON(r *web.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/json"
}

// changeGroup changes a group's members as tiledb-cloud asks for it.
func (a *API) changeGroup(w http.ResponseWriter, r *web.Request, body []byte) error {
	var want struct {
		Changes struct {
			Add []struct {
				Name string `json:"name"`
				URI  string `json:"uri"`
				Type string `json:"type"`
			} `json:"members_to_add"`
			Remove []string `json:"members_to_remove"`
		} `json:"group_changes"`
	}
	if err := web.ParseJSON(body, &want); err != nil {
		return err
	}
	var add []format.GroupMember
	for _, m := range want.Changes.Add {
		member := format.GroupMember{URI: m.URI, Name: m.Name, Named: m.Name != ""}
		switch strings.ToUpper(m.Type) {
		case "GROUP":
			member.Type = format.ObjectGroup
		case "ARRAY":
			member.Type = format.ObjectArray
		case "":
		default:
			return fmt.Errorf("%w: %q is no type of member; it is GROUP or ARRAY", web.ErrBadRequest, m.Type)
		}
		add = append(add, member)
	}
	opened, err := a.vault.OpenGroup(r.Context(), r.Grant, asset(r), group.Latest())
	if err != nil {
		return err
	}
	return noContent(w, a.changeMembers(r, opened, add, want.Changes.Remove, changeNow(r, opened)))
}

// changeNow is what changeMembers does in storage for tiledb-cloud, whose changes have no time and are not repeated.
func changeNow(r *web.Request, opened *vault.Group) func([]group.Member, []string) error {
	return func(add []group.Member, remove []string) error { return opened.Update(r.Context(), add, remove, 0) }
}

func (a *API) createGroup(r *web.Request, body []byte, o once) error {
	ref, err := wire.DecodeGroupCreate(body)
	if err != nil {
		return err
	}
	n, err := newAsset(r, ref)
	if err != nil {
		return err
	}
	return a.created(r, n, o, func(n catalog.NewAsset) (catalog.Asset, error) { return a.vault.CreateGroup(r.Context(), r.Grant, n) })
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

func (a *API) updateGroup(r *web.Request, body []byte, o once) error {
	change, err := wire.DecodeGroupUpdate(body)
	if err != nil || o.Done {
		return err
	}
	opened, millis, err := a.changedGroup(r, body)
	if err != nil {
		return err
	}
	return a.changeMembers(r, opened, change.Add, change.Remove, func(members []group.Member, remove []string) error {
		return o.written(r, opened, vault.Members, func(ctx context.Context) error { return opened.Update(ctx, members, remove, millis) })
	})
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

func (a *API) putGroupMetadata(r *web.Request, body []byte, o once) error {
	entries, err := wire.DecodeGroupMetadata(body)
	if err != nil {
		return err
	}
	opened, millis, err := a.changedGroup(r, body)
	if err != nil {
		return err
	}
	err = o.written(r, opened, vault.Metadata, func(ctx context.Context) error { return opened.PutMetadata(ctx, entries, millis) })
	if err != nil {
		return err
	}
	return a.recognise(context.WithoutCancel(r.Context()), r.Grant, asset(r))
}
