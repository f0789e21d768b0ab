package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/web"
)

// sharingOps are the rows of who else may use an asset (spec page cloud-api.md, section 3).
func (a *API) sharingOps() []web.Operation {
	return []web.Operation{
		{ID: "getArraySharingPolicies", Method: http.MethodGet, Path: "/v1" + onArray + "/share", Action: access.ArrayShares, Find: a.findArray, Handle: a.arraySharings},
		{ID: "shareArray", Method: http.MethodPatch, Path: "/v1" + onArray + "/share", Action: access.ArrayShare, Find: a.findArray, Handle: a.shareArray},
		{ID: "getGroupSharingPolicies", Method: http.MethodGet, Path: "/v1" + ofGroup + "/share", Action: access.GroupShares, Find: a.findGroup, Handle: a.groupSharings},
		{ID: "shareGroup", Method: http.MethodPatch, Path: "/v1" + ofGroup + "/share", Action: access.GroupShare, Find: a.findGroup, Handle: a.shareGroup},
		{ID: "transferArray", Method: http.MethodPost, Path: "/v1" + onArray + "/transfer", Action: access.ArrayTransfer, Find: a.findArray, Handle: a.transfer},
		{ID: "transferGroup", Method: http.MethodPost, Path: "/v1" + ofGroup + "/transfer", Action: access.GroupTransfer, Find: a.findGroup, Handle: a.transfer},
	}
}

// arraySharing is the published shape of a share of an array.
type arraySharing struct {
	Actions       []string `json:"actions"`
	Namespace     string   `json:"namespace"`
	NamespaceType string   `json:"namespace_type,omitempty"`
	// Policy is the part of the array that is shared, in words of package part; absent for all of it. It is not TileDB's.
	Policy json.RawMessage `json:"policy,omitempty"`
}

// noPolicy is in the bodies of shares that are of all of a thing.
type noPolicy struct {
	Policy json.RawMessage `json:"policy,omitempty"`
}

// refused is the error for a body with a policy, which to pass over would share what it withholds.
func (p noPolicy) refused() error {
	if len(p.Policy) == 0 || string(p.Policy) == "null" {
		return nil
	}
	return fmt.Errorf("%w: a policy can be given when an array is shared with a namespace by PATCH /v1/arrays/{namespace}/{array}/share, and not here", web.ErrBadRequest)
}

// groupSharing is the published shape of a share of a group.
type groupSharing struct {
	GroupActions  []string `json:"group_actions"`
	ArrayActions  []string `json:"array_actions"`
	Namespace     string   `json:"namespace"`
	NamespaceType string   `json:"namespace_type,omitempty"`
	noPolicy
}

func namespaceType(organization bool) string {
	if organization {
		return "organization"
	}
	return "user"
}

func (a *API) arraySharings(w http.ResponseWriter, r *web.Request) error {
	list, err := a.catalog.Sharings(r.Context(), r.Grant, asset(r))
	if err != nil {
		return err
	}
	out := make([]arraySharing, len(list))
	for i, s := range list {
		out[i] = arraySharing{Actions: s.Rights.Names(access.Array), Namespace: s.Namespace, NamespaceType: namespaceType(s.Organization)}
		if s.Part != "" {
			out[i].Policy = json.RawMessage(s.Part)
		}
	}
	return web.JSON(w, r, http.StatusOK, out)
}

func (a *API) groupSharings(w http.ResponseWriter, r *web.Request) error {
	list, err := a.catalog.Sharings(r.Context(), r.Grant, asset(r))
	if err != nil {
		return err
	}
	// Who may not share the group sees the shares that reach himself, which he could find out anyway.
	all, mine := access.RightsOn(r.Subject, r.Object).Has(access.CanEdit), append(spaces(r.Subject), access.PublicNamespace)
	out := []groupSharing{}
	for _, s := range list {
		if !all && !slices.Contains(mine, s.NamespaceID) {
			continue
		}
		out = append(out, groupSharing{GroupActions: s.Rights.Names(access.Group), ArrayActions: s.MemberRights.Names(access.Array),
			Namespace: s.Namespace, NamespaceType: namespaceType(s.Organization)})
	}
	return web.JSON(w, r, http.StatusOK, out)
}

func (a *API) shareArray(w http.ResponseWriter, r *web.Request) error {
	var want arraySharing
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	rights, err := parseRights(access.Array, want.Actions)
	if err != nil {
		return err
	}
	share := catalog.NewShare{Rights: rights}
	if len(want.Policy) > 0 && string(want.Policy) != "null" && rights != 0 {
		if share.Part, err = a.vault.Fit(r.Context(), r.Grant, asset(r), want.Policy); err != nil {
			return err
		}
	}
	return noContent(w, a.share(r, want.Namespace, share))
}

func (a *API) shareGroup(w http.ResponseWriter, r *web.Request) error {
	var want groupSharing
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	if err := want.refused(); err != nil {
		return err
	}
	rights, err := parseRights(access.Group, want.GroupActions)
	if err != nil {
		return err
	}
	ofMembers, err := parseRights(access.Array, want.ArrayActions)
	if err != nil {
		return err
	}
	return noContent(w, a.share(r, want.Namespace, catalog.NewShare{Rights: rights, MemberRights: ofMembers}))
}

func parseRights(kind access.ObjectKind, names []string) (access.Rights, error) {
	set, ok := access.ParseRights(kind, names)
	if !ok {
		return 0, fmt.Errorf("%w: unknown action in %q; the actions are %v", web.ErrBadRequest, names, (^access.Rights(0)).Names(kind))
	}
	return set, nil
}

// share shares the asset of a request to a namespace.
func (a *API) share(r *web.Request, namespace string, n catalog.NewShare) error {
	to, err := a.accounts.Namespace(r.Context(), namespace)
	if err != nil {
		return fmt.Errorf("%w: there is no user or organization %q to share to", account.ErrNotFound, namespace)
	}
	if err := mayShare(r.Subject, r.Object, n.Rights, n.MemberRights); err != nil {
		return err
	}
	n.NamespaceID, n.Origin = to.ID, r.Origin()
	return a.catalog.SharePart(r.Context(), r.Grant, asset(r), n)
}

// mayShare returns nil if the subject has the rights that it wants to share. What a group holds is the owner's to pass on: a
// share of the group says nothing of rights on all that is in it.
func mayShare(s access.Subject, o access.Object, rights, ofMembers access.Rights) error {
	own := access.Object{Kind: access.Namespace, ID: o.NamespaceID, NamespaceID: o.NamespaceID}
	if !access.WholeRightsOn(s, o).Has(rights.Shared()) || !access.RightsOn(s, own).Has(ofMembers.Shared()) {
		return fmt.Errorf("%w: you can share only what you may do yourself", access.ErrDenied)
	}
	return nil
}

// transfer gives the asset of a request to another namespace in which the caller may create, with recursive also what is in a
// group, and answers the entry (decision 146).
func (a *API) transfer(w http.ResponseWriter, r *web.Request) error {
	var want struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
		Recursive bool   `json:"recursive"`
	}
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	if want.Name != "" {
		if err := catalog.CheckName(want.Name); err != nil {
			return err
		}
	}
	missing := fmt.Errorf("%w: there is no user or organization %q in whose namespace you may create", account.ErrNotFound, want.Namespace)
	n, err := a.accounts.Namespace(r.Context(), want.Namespace)
	if errors.Is(err, account.ErrNotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	to, space := map[catalog.Kind]access.Grant{}, access.Object{Kind: access.Namespace, ID: n.ID, NamespaceID: n.ID}
	for kind, action := range map[catalog.Kind]access.Action{catalog.Array: access.ArrayCreate, catalog.Group: access.GroupCreate} {
		if kind == catalog.Array && asset(r).Kind == catalog.Group && !want.Recursive || kind == catalog.Group && asset(r).Kind == catalog.Array {
			continue
		}
		if to[kind], err = access.Allowed(r.Subject, action, space); errors.Is(err, access.ErrNotFound) {
			return missing
		}
		if err != nil {
			return err
		}
	}
	t, err := a.tree(r, removal, want.Recursive)
	if err != nil {
		return err
	}
	slices.Reverse(t.found) // the one that was named comes first
	if err := a.vault.Transfer(r.Context(), t.found, to, want.Name); err != nil {
		return err
	}
	moved, err := a.catalog.Resolve(r.Context(), n.ID, asset(r).ID)
	if err != nil {
		return err
	}
	r.Found = moved
	if moved.Kind == catalog.Array {
		return web.JSON(w, r, http.StatusOK, infoOf(r.Subject, moved))
	}
	infos, err := a.groupInfos(r.Context(), r.Subject, []catalog.Asset{moved})
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, infos[0])
}
