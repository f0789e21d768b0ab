package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
)

// ofGroup is the part of an address that names a group, behind the version of the API.
const ofGroup = "/groups/{namespace}/{group}"

// groupCatalogOps are the rows of groups as catalogue entries (spec page cloud-api.md, section 3).
func (a *API) groupCatalogOps() []web.Operation {
	browse := func(id, path string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: http.MethodGet, Path: "/v1/groups/browser/" + path, Action: access.GroupsBrowse, Handle: handle}
	}
	row := func(id, method, path string, action access.Action, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: action, Find: a.findGroup, Handle: handle}
	}
	inSpace := func(id, method, path string, action access.Action, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: action, Find: a.findNamespace, Handle: handle}
	}
	return []web.Operation{
		browse("listOwnedGroups", "owned", a.browseGroups(owned)), browse("groupsBrowserOwnedFiltersGet", "owned/filters", a.groupFilters(owned)),
		browse("listSharedGroups", "shared", a.browseGroups(shared)), browse("groupsBrowserSharedFiltersGet", "shared/filters", a.groupFilters(shared)),
		browse("listPublicGroups", "public", a.browseGroups(everybodys)), browse("groupsBrowserPublicFiltersGet", "public/filters", a.groupFilters(everybodys)),
		row("getGroup", http.MethodGet, "/v1"+ofGroup, access.GroupFind, a.groupInfo),
		row("updateGroupInfo", http.MethodPatch, "/v1"+ofGroup, access.GroupDescribe, a.updateInfo),
		a.dry(deregistration, a.removes(row("removeGroup", http.MethodDelete, "/v1"+ofGroup, access.GroupDeregister, nil), http.StatusNoContent, a.deregister)),
		row("getGroupContents", http.MethodGet, "/v1"+ofGroup+"/contents", access.GroupRead, a.groupContents),
		row("groupContentsFiltersGet", http.MethodGet, "/v1"+ofGroup+"/contents/filters", access.GroupRead, a.groupContentsFilters),
		row("changeGroupContents", http.MethodPost, "/v1"+ofGroup+"/contents", access.GroupWrite, a.changeContents),
		inSpace("createGroupByName", http.MethodPost, "/v1/groups/{namespace}/create", access.GroupCreate, a.createNamedGroup),
		inSpace("registerGroupByName", http.MethodPost, "/v1/groups/{namespace}/{group}/register", access.GroupRegister, a.registerGroup),
		inSpace("registerGroup", http.MethodPut, "/v2/groups/{namespace}", access.GroupRegister, a.registerGroup),
		a.dry(deregistration, a.removes(row("deregisterGroup", http.MethodDelete, onGroup, access.GroupDeregister, nil), http.StatusOK, a.deregisterGroup)),
	}
}

// groupInfo is the published shape of a group's catalogue entry.
type groupInfo struct {
	ID              string    `json:"id"`
	Namespace       string    `json:"namespace"`
	Name            string    `json:"name"`
	Description     string    `json:"description"`
	URI             string    `json:"uri"`
	TileDBURI       string    `json:"tiledb_uri"`
	AssetCount      int       `json:"asset_count"`
	GroupCount      int       `json:"group_count"`
	Size            int       `json:"size"`
	GroupType       string    `json:"group_type,omitempty"`
	Logo            string    `json:"logo,omitempty"`
	CredentialsName string    `json:"access_credentials_name,omitempty"`
	Tags            []string  `json:"tags"`
	LicenseID       string    `json:"license_id,omitempty"`
	LicenseText     string    `json:"license_text,omitempty"`
	AllowedActions  []string  `json:"allowed_actions"`
	ShareCount      int       `json:"share_count"`
	PublicShare     bool      `json:"public_share"`
	CreatedAt       time.Time `json:"created_at"`
	CreatedBy       string    `json:"created_by"`

	LastAccessed *time.Time      `json:"last_accessed,omitempty"`
	Metadata     []metadataEntry `json:"metadata,omitempty"`
}

// groupInfos describes groups to somebody who may see them.
func (a *API) groupInfos(ctx context.Context, s access.Subject, list []catalog.Asset) ([]groupInfo, error) {
	sizes, err := a.catalog.GroupSizes(ctx, list)
	if err != nil {
		return nil, err
	}
	infos := make([]groupInfo, len(list))
	for i, x := range list {
		n, g := infoOf(s, x), sizes[x.ID]
		infos[i] = groupInfo{ID: n.ID, Namespace: n.Namespace, Name: n.Name, Description: n.Description, URI: n.URI, TileDBURI: n.TileDBURI,
			AssetCount: g.Arrays, GroupCount: g.Groups, Size: g.Arrays + g.Groups, GroupType: groupType(x), Logo: n.Logo,
			CredentialsName: n.CredentialsName, Tags: n.Tags, LicenseID: n.LicenseID, LicenseText: n.LicenseText,
			AllowedActions: access.RightsOn(s, x.Object()).Names(access.Group), ShareCount: n.ShareCount, PublicShare: n.PublicShare,
			CreatedAt: n.CreatedAt, CreatedBy: n.CreatedBy}
	}
	return infos, nil
}

func groupType(x catalog.Asset) string {
	if x.Info.FileType == "" {
		return "generic"
	}
	return x.Info.FileType
}

// browseGroups lists groups: all, those in no other with flat=false, or those in the one whose UUID is the parent.
func (a *API) browseGroups(l level) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		list, p, err := a.browse(r, catalog.Group, l)
		if err != nil {
			return err
		}
		page := struct {
			Groups     []groupInfo `json:"groups"`
			Pagination pagination  `json:"pagination_metadata"`
		}{Pagination: p}
		if page.Groups, err = a.groupInfos(r.Context(), r.Subject, list); err != nil {
			return err
		}
		metadata, err := r.Flag("with_metadata")
		if err != nil {
			return err
		}
		all, err := a.more(r, list, metadata)
		if err != nil {
			return err
		}
		for i := range page.Groups {
			m := all[page.Groups[i].ID]
			page.Groups[i].LastAccessed, page.Groups[i].Metadata = m.accessed, m.metadata
		}
		return web.JSON(w, r, http.StatusOK, page)
	}
}

// groupFilters lists the namespaces and types of the groups that a list shows.
func (a *API) groupFilters(l level) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		out := struct {
			Namespaces []string `json:"namespaces"`
			GroupTypes []string `json:"group_types"`
		}{[]string{}, []string{}}
		f, ok, err := a.browseFilter(r, catalog.Group, l)
		if err == nil && ok {
			f.PerPage = 0
			var list []catalog.Asset
			list, _, err = a.catalog.List(r.Context(), f)
			for _, x := range list {
				out.Namespaces, out.GroupTypes = append(out.Namespaces, x.Namespace), append(out.GroupTypes, groupType(x))
			}
		}
		if err != nil {
			return err
		}
		out.Namespaces, out.GroupTypes = distinct(out.Namespaces), distinct(out.GroupTypes)
		return web.JSON(w, r, http.StatusOK, out)
	}
}

// distinct returns the texts that are not empty, sorted and each once.
func distinct(list []string) []string {
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

func (a *API) groupInfo(w http.ResponseWriter, r *web.Request) error {
	infos, err := a.groupInfos(r.Context(), r.Subject, []catalog.Asset{asset(r)})
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, infos[0])
}

// visibleMember is a stored member of a group with its catalogue entry, if it has one.
type visibleMember struct {
	group.Member
	asset catalog.Asset
	known bool
}

// visibleMembers returns the members of a group that the caller may see: those without an entry, and assets as far as he
// could see them by themselves.
func (a *API) visibleMembers(r *web.Request, g *vault.Group) ([]visibleMember, error) {
	members := g.Members()
	uris := make([]string, len(members))
	for i, m := range members {
		uris[i] = m.URI
	}
	found, err := a.catalog.ByStorage(r.Context(), uris)
	if err != nil {
		return nil, err
	}
	list := make([]visibleMember, 0, len(members))
	for _, m := range members {
		x, known := found[m.URI]
		if known && access.RightsOn(r.Subject, x.Object()) == 0 {
			continue
		}
		list = append(list, visibleMember{Member: m, asset: x, known: known})
	}
	return list, nil
}

// contents returns the members of the group of a request that have an entry, as a request's filters choose among them.
func (a *API) contents(r *web.Request) ([]catalog.Asset, error) {
	opened, err := a.vault.OpenGroup(r.Context(), r.Grant, asset(r), group.Latest())
	if err != nil {
		return nil, err
	}
	members, err := a.visibleMembers(r, opened)
	if err != nil {
		return nil, err
	}
	q := r.Query()
	searched, err := a.searched(r, members)
	if err != nil {
		return nil, err
	}
	in := func(list []string, x catalog.Asset) bool {
		return slices.Contains(list, string(x.Kind)) || slices.Contains(list, assetType(x))
	}
	var list []catalog.Asset
	for _, m := range members {
		x := m.asset
		switch {
		case !m.known, searched != nil && !searched[x.ID]:
		case q.Has("namespace") && !sameName(q.Get("namespace"), r.Param("namespace")) && !sameName(q.Get("namespace"), x.Namespace):
			// tiledb-cloud always sends the namespace of the group itself, meaning nothing by it
		case q.Has("member_type") && !in(q["member_type"], x), in(q["exclude_member_type"], x):
		case slices.ContainsFunc(q["tag"], func(t string) bool { return !slices.Contains(x.Info.Tags, t) }):
		case slices.ContainsFunc(q["exclude_tag"], func(t string) bool { return slices.Contains(x.Info.Tags, t) }):
		default:
			list = append(list, x)
		}
	}
	_, way, _ := strings.Cut(q.Get("orderby"), " ")
	slices.SortStableFunc(list, func(x, y catalog.Asset) int {
		if strings.EqualFold(way, "desc") {
			x, y = y, x
		}
		return strings.Compare(x.Name, y.Name)
	})
	return list, nil
}

// searched returns those of a group's members that a request searches for, nil when it searches for nothing.
func (a *API) searched(r *web.Request, members []visibleMember) (map[string]bool, error) {
	search := r.Query().Get("search")
	if search == "" {
		return nil, nil
	}
	readable := map[string]bool{}
	for _, m := range members {
		if m.known {
			readable[m.asset.ID] = access.WholeRightsOn(r.Subject, m.asset.Object()).Has(access.CanRead)
		}
	}
	return a.catalog.Matching(r.Context(), search, readable)
}

// groupEntry is the published shape of a member: a group or an array.
type groupEntry struct {
	MemberID string     `json:"member_id"`
	Group    *groupInfo `json:"group,omitempty"`
	Array    *arrayInfo `json:"array,omitempty"`
}

func (a *API) groupContents(w http.ResponseWriter, r *web.Request) error {
	f, _, err := a.browseFilter(r, "", owned)
	if err != nil {
		return err
	}
	list, err := a.contents(r)
	if err != nil {
		return err
	}
	out := struct {
		Entries    []groupEntry `json:"entries"`
		Pagination pagination   `json:"pagination_metadata"`
	}{Entries: []groupEntry{}}
	out.Pagination.fill(f.Page, f.PerPage, len(list))
	from := min((f.Page-1)*f.PerPage, len(list))
	list = list[from:min(from+f.PerPage, len(list))]
	for _, x := range list {
		e := groupEntry{MemberID: x.ID}
		if x.Kind == catalog.Group {
			infos, err := a.groupInfos(r.Context(), r.Subject, []catalog.Asset{x})
			if err != nil {
				return err
			}
			e.Group = &infos[0]
		} else {
			info := infoOf(r.Subject, x)
			e.Array = &info
		}
		out.Entries = append(out.Entries, e)
	}
	return web.JSON(w, r, http.StatusOK, out)
}

func (a *API) groupContentsFilters(w http.ResponseWriter, r *web.Request) error {
	list, err := a.contents(r)
	if err != nil {
		return err
	}
	out := map[string][]string{"namespaces": {}}
	for _, x := range list {
		out["namespaces"] = append(out["namespaces"], x.Namespace)
	}
	out["namespaces"] = distinct(out["namespaces"])
	return web.JSON(w, r, http.StatusOK, out)
}

// groupChanges is the body of a change of members by namespace and name.
type groupChanges struct {
	Add    []groupChange `json:"add"`
	Remove []groupChange `json:"remove"`
}

type groupChange struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (a *API) changeContents(w http.ResponseWriter, r *web.Request) error {
	var want groupChanges
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	address := func(c groupChange) string { return tiledbScheme + c.Namespace + "/" + c.Name }
	var add []format.GroupMember
	var remove []string
	for _, c := range want.Add {
		add = append(add, format.GroupMember{URI: address(c), Name: c.Name, Named: true})
	}
	for _, c := range want.Remove {
		remove = append(remove, address(c))
	}
	opened, err := a.vault.OpenGroup(r.Context(), r.Grant, asset(r), group.Latest())
	if err != nil {
		return err
	}
	return noContent(w, a.changeMembers(r, opened, add, remove, changeNow(r, opened)))
}

// groupDetails is the published shape of a group to create or register.
type groupDetails struct {
	Name            string   `json:"name"`
	URI             string   `json:"uri"`
	Description     string   `json:"description"`
	Parent          string   `json:"parent"`
	Logo            string   `json:"logo"`
	CredentialsName string   `json:"access_credentials_name"`
	Tags            []string `json:"tags"`
	LicenseID       string   `json:"license_id"`
	LicenseText     string   `json:"license_text"`
	givenKey                 // of a group to register
}

// groupBody is the body of a group's creation or registration: details in version 1, details under a name in version 2.
type groupBody struct {
	groupDetails
	Details *groupDetails `json:"group_details"`
}

func (a *API) decodeGroup(r *web.Request, body []byte) (groupDetails, catalog.NewAsset, error) {
	var b groupBody
	if err := web.ParseJSON(body, &b); err != nil {
		return groupDetails{}, catalog.NewAsset{}, err
	}
	d := b.groupDetails
	if b.Details != nil {
		d = *b.Details
	}
	if d.CredentialsName == "" {
		d.CredentialsName = r.Header.Get(credentialsHeader)
	}
	if d.URI == "" && catalog.IsStorage(r.Param("group")) {
		d.URI = r.Param("group")
	}
	return d, catalog.NewAsset{Name: d.Name, Storage: d.URI, Info: catalog.Info{Description: d.Description, Logo: d.Logo, Tags: d.Tags,
		LicenseID: d.LicenseID, LicenseText: d.LicenseText, CredentialsName: d.CredentialsName}}, nil
}

// groupMade is the published answer to a group's creation.
type groupMade struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	TileDBURI string `json:"tiledb_uri"`
}

// makeGroup creates a group as tiledb-cloud asks for it, puts it into the parent that the request may name, and answers the
// status of the version of the API.
func (a *API) makeGroup(w http.ResponseWriter, r *web.Request, body []byte) error {
	d, n, err := a.decodeGroup(r, body)
	if err != nil {
		return err
	}
	made, err := a.vault.CreateGroup(r.Context(), r.Grant, n)
	if err != nil {
		return err
	}
	return a.answerGroup(w, r, made, d.Parent)
}

func (a *API) createNamedGroup(w http.ResponseWriter, r *web.Request) error {
	body, err := r.ReadBody()
	if err != nil {
		return err
	}
	return a.makeGroup(w, r, body)
}

func (a *API) registerGroup(w http.ResponseWriter, r *web.Request) error {
	body, err := r.ReadBody()
	if err != nil {
		return err
	}
	d, n, err := a.decodeGroup(r, body)
	if err != nil {
		return err
	}
	made, err := a.vault.RegisterGroup(r.Context(), r.Grant, n, d.key())
	if err != nil {
		return err
	}
	if err := a.noteMembers(r, made); err != nil {
		return err
	}
	return a.answerGroup(w, r, made, d.Parent)
}

func (a *API) answerGroup(w http.ResponseWriter, r *web.Request, made catalog.Asset, parent string) error {
	r.Found = made
	if parent != "" {
		if err := a.addTo(r, parent, made); err != nil {
			return err
		}
	}
	if strings.HasPrefix(r.Op.Path, "/v1/") {
		return noContent(w, nil)
	}
	return web.JSON(w, r, http.StatusCreated, groupMade{ID: made.ID, Name: made.Name, TileDBURI: tiledbScheme + made.Namespace + "/" + made.Name})
}

// deregisterGroup takes a group, with recursive=true also all that is in it, out of the catalogue and leaves the files.
func (a *API) deregisterGroup(r *web.Request) error {
	recursive, err := r.Flag("recursive")
	if err != nil {
		return err
	}
	if !recursive {
		return a.catalog.Deregister(r.Context(), r.Grant, asset(r))
	}
	return a.takeApart(r, deregistration)
}
