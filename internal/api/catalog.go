package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/web"
)

// catalogOps are the rows that list, describe and register arrays (spec page cloud-api.md, section 3).
func (a *API) catalogOps() []web.Operation {
	browse := func(id, path string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: http.MethodGet, Path: "/v1/arrays/browser/" + path, Action: access.CatalogRead, Handle: handle}
	}
	return []web.Operation{
		{ID: "getAllArrayMetadata", Method: http.MethodGet, Path: "/v1/arrays", Action: access.CatalogRead, Handle: a.allArrays},
		{ID: "getArraysInNamespace", Method: http.MethodGet, Path: "/v1/arrays/{namespace}", Action: access.NamespaceRead, Find: a.findNamespace, Handle: a.listArrays},
		browse("arraysBrowserOwnedGet", "owned", a.browseArrays(owned)), browse("arraysBrowserOwnedSidebarGet", "owned/sidebar", a.arraySidebar(owned)),
		browse("arraysBrowserSharedGet", "shared", a.browseArrays(shared)), browse("arraysBrowserSharedSidebarGet", "shared/sidebar", a.arraySidebar(shared)),
		browse("arraysBrowserPublicGet", "public", a.browseArrays(everybodys)), browse("arraysBrowserPublicSidebarGet", "public/sidebar", a.arraySidebar(everybodys)),
		{ID: "getArrayInfo", Method: http.MethodGet, Path: "/v1" + onArray + "/metadata", Action: access.ArrayInfo, Find: a.findArray, Handle: a.arrayInfo},
		{ID: "updateArrayInfo", Method: http.MethodPatch, Path: "/v1" + onArray + "/metadata", Action: access.ArrayDescribe, Find: a.findArray, Handle: a.updateInfo},
		{ID: "registerArray", Method: http.MethodPost, Path: "/v1" + onArray + "/register", Action: access.ArrayRegister, Find: a.findNamespace, Handle: a.registerArray},
		a.dry(deregistration, a.removes(web.Operation{ID: "deregisterArray", Method: http.MethodDelete, Path: "/v1" + onArray + "/deregister", Action: access.ArrayDeregister, Find: a.findArray},
			http.StatusNoContent, a.deregister)),
	}
}

// arrayInfo is the published shape of an array's catalogue entry.
type arrayInfo struct {
	ID              string            `json:"id"`
	Namespace       string            `json:"namespace"`
	Name            string            `json:"name"`
	URI             string            `json:"uri"`
	TileDBURI       string            `json:"tiledb_uri"`
	Type            string            `json:"type,omitempty"`
	FileType        string            `json:"file_type,omitempty"`
	FileProperties  map[string]string `json:"file_properties"`
	Description     string            `json:"description"`
	Tags            []string          `json:"tags"`
	Logo            string            `json:"logo,omitempty"`
	LicenseID       string            `json:"license_id,omitempty"`
	LicenseText     string            `json:"license_text,omitempty"`
	CredentialsName string            `json:"access_credentials_name,omitempty"`
	ReadOnly        bool              `json:"read_only"`
	AllowedActions  []string          `json:"allowed_actions"`
	PublicShare     bool              `json:"public_share"`
	ShareCount      int               `json:"share_count"`
	IsFavorite      bool              `json:"is_favorite"`
	CreatedAt       time.Time         `json:"created_at"`
	CreatedBy       string            `json:"created_by"`
}

// infoOf describes an asset to somebody who may see it.
func infoOf(s access.Subject, x catalog.Asset) arrayInfo {
	info := arrayInfo{ID: x.ID, Namespace: x.Namespace, Name: x.Name, URI: shownURI(s, x), TileDBURI: tiledbScheme + x.Namespace + "/" + x.Name,
		Type: x.ArrayType, FileType: x.Info.FileType, FileProperties: x.Info.FileProperties, Description: x.Info.Description, Tags: x.Info.Tags,
		Logo: x.Info.Logo, LicenseID: x.Info.LicenseID, LicenseText: x.Info.LicenseText, CredentialsName: x.Info.CredentialsName,
		ReadOnly: x.Info.ReadOnly, CreatedAt: x.CreatedAt, CreatedBy: x.CreatedBy, PublicShare: x.Public(), ShareCount: x.ShareCount(),
		AllowedActions: access.RightsOn(s, x.Object()).Names(access.Array)}
	if info.Tags == nil {
		info.Tags = []string{}
	}
	return info
}

func infosOf(s access.Subject, list []catalog.Asset) []arrayInfo {
	infos := make([]arrayInfo, len(list))
	for i, x := range list {
		infos[i] = infoOf(s, x)
	}
	return infos
}

// shownURI is where an asset is stored, for whom its namespace is his own. To others it is the address: paths of the server
// are none of theirs.
func shownURI(s access.Subject, x catalog.Asset) string {
	if access.RightsOn(s, access.Object{Kind: access.Namespace, ID: x.NamespaceID, NamespaceID: x.NamespaceID}) != 0 {
		return x.StorageURI()
	}
	return tiledbScheme + x.Namespace + "/" + x.Name
}

// level is how the caller stands to the assets of a list.
type level uint8

const (
	owned      level = iota // of the caller's namespace and organizations
	shared                  // of others, shared to the caller or its organizations
	everybodys              // of anybody, shared to everybody
	visible                 // all of them
)

// spaces returns the namespaces that the caller is in.
func spaces(s access.Subject) []string {
	list := []string{s.NamespaceID}
	for _, m := range s.Memberships {
		list = append(list, m.NamespaceID)
	}
	return list
}

// narrow makes a filter list what the caller sees at a level.
func (l level) narrow(s access.Subject, f *catalog.Filter) {
	switch l {
	case owned:
		f.Namespaces = spaces(s)
	case shared:
		f.SharedTo, f.NotIn = spaces(s), spaces(s)
	case everybodys:
		f.SharedTo = []string{access.PublicNamespace}
	}
}

// listArrays answers a bare list of the arrays in a namespace that the caller may see. To whom it shows none, a namespace
// not his own is as absent as one that does not exist.
func (a *API) listArrays(w http.ResponseWriter, r *web.Request) error {
	f := catalog.Filter{Namespaces: []string{r.Object.ID}, Kind: catalog.Array}
	own := slices.Contains(spaces(r.Subject), r.Object.ID)
	if !own {
		f.SharedTo = append(spaces(r.Subject), access.PublicNamespace)
	}
	list, _, err := a.catalog.List(r.Context(), f)
	if err != nil {
		return err
	}
	if len(list) == 0 && !own {
		return account.ErrNotFound
	}
	return web.JSON(w, r, http.StatusOK, infosOf(r.Subject, list))
}

// allArrays answers a bare list of the arrays of the caller's namespaces and of those shared to them.
func (a *API) allArrays(w http.ResponseWriter, r *web.Request) error {
	all := []arrayInfo{}
	for _, l := range []level{owned, shared} {
		f := catalog.Filter{Kind: catalog.Array}
		l.narrow(r.Subject, &f)
		list, _, err := a.catalog.List(r.Context(), f)
		if err != nil {
			return err
		}
		all = append(all, infosOf(r.Subject, list)...)
	}
	return web.JSON(w, r, http.StatusOK, all)
}

// pagination is the published shape of where a page lies.
type pagination struct {
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	TotalPages int `json:"total_pages"`
	TotalItems int `json:"total_items"`
}

const (
	defaultPerPage = 10
	maxPerPage     = 1000
)

// browseFilter reads the filters and the page of a browsing request at a level. ok is false if nothing can meet them.
func (a *API) browseFilter(r *web.Request, kind catalog.Kind, l level) (f catalog.Filter, ok bool, err error) {
	q := r.Query()
	f = catalog.Filter{Kind: kind, Search: q.Get("search"), Tags: q["tag"], ExcludeTags: q["exclude_tag"],
		FileTypes: q["file_type"], ExcludeFileTypes: q["exclude_file_type"]}
	order, way, _ := strings.Cut(q.Get("orderby"), " ")
	f.OrderBy, f.Descending = order, strings.EqualFold(way, "desc")
	if f.Page, f.PerPage, err = pageOf(r, defaultPerPage); err != nil {
		return f, false, err
	}
	for _, kind := range q["group_type"] {
		if kind == "generic" {
			kind = ""
		}
		f.FileTypes = append(f.FileTypes, kind)
	}
	if f.Parent = q.Get("parent"); f.Parent == "" && q.Has("flat") {
		flat, err := r.Flag("flat")
		if err != nil {
			return f, false, err
		}
		f.Roots = !flat
	}
	l.narrow(r.Subject, &f)
	if name := q.Get("permissions"); name != "" {
		if f.Right, err = parseRights(access.Array, []string{name}); err != nil {
			return f, false, err
		}
	}
	if to := q.Get("shared_to"); to != "" && l == shared {
		n, found, err := a.filterNamespace(r, to)
		if err != nil || !found || !slices.Contains(f.SharedTo, n) {
			return f, false, err
		}
		f.SharedTo = []string{n}
	}
	name := q.Get("namespace")
	if name == "" {
		return f, true, nil
	}
	n, found, err := a.filterNamespace(r, name)
	if err != nil || !found || l == owned && !slices.Contains(f.Namespaces, n) {
		return f, false, err
	}
	f.Namespaces = []string{n}
	return f, true, nil
}

// filterNamespace finds a namespace that a filter names.
func (a *API) filterNamespace(r *web.Request, name string) (id string, found bool, err error) {
	n, err := a.accounts.Namespace(r.Context(), name)
	if errors.Is(err, account.ErrNotFound) {
		return "", false, nil
	}
	return n.ID, err == nil, err
}

// browse lists the assets of a browsing request.
func (a *API) browse(r *web.Request, kind catalog.Kind, l level) ([]catalog.Asset, pagination, error) {
	var p pagination
	f, ok, err := a.browseFilter(r, kind, l)
	if err != nil {
		return nil, p, err
	}
	var list []catalog.Asset
	var total int
	if ok {
		list, total, err = a.catalog.List(r.Context(), f)
	}
	p.fill(f.Page, f.PerPage, total)
	return list, p, err
}

// pageOf returns which page of a list a request asks for, from 1, and how many things a page has, usual if it
// does not say. Too large a number of things is the largest there is.
func pageOf(r *web.Request, usual uint64) (page, perPage int, err error) {
	n, err := r.Number("page", 1)
	if err != nil {
		return 0, 0, err
	}
	per, err := r.Number("per_page", usual)
	if err != nil {
		return 0, 0, err
	}
	return int(min(max(n, 1), 1<<30)), int(min(max(per, 1), maxPerPage)), nil
}

func (f *pagination) fill(page, perPage, total int) {
	*f = pagination{Page: page, PerPage: perPage, TotalPages: (total + perPage - 1) / perPage, TotalItems: total}
}

// arrayPage is the published shape of a page of arrays; none at all is null, as clients expect.
type arrayPage struct {
	Arrays     []arrayInfo `json:"arrays"`
	Pagination pagination  `json:"pagination_metadata"`
}

func (a *API) browseArrays(l level) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		list, p, err := a.browse(r, catalog.Array, l)
		if err != nil {
			return err
		}
		page := arrayPage{Pagination: p}
		if len(list) > 0 || l != shared {
			page.Arrays = infosOf(r.Subject, list)
		}
		return web.JSON(w, r, http.StatusOK, page)
	}
}

// sidebar is the published shape of the namespaces that the arrays of a list are in.
type sidebar struct {
	Namespaces []string       `json:"namespaces"`
	All        int            `json:"result_count_for_all"`
	Counts     map[string]int `json:"result_count_by_namespace"`
}

func (a *API) arraySidebar(l level) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		out := sidebar{Namespaces: []string{}, Counts: map[string]int{}}
		f, ok, err := a.browseFilter(r, catalog.Array, l)
		if err != nil {
			return err
		}
		if ok {
			counts, err := a.catalog.Counts(r.Context(), f)
			if err != nil {
				return err
			}
			for _, n := range counts {
				out.Namespaces, out.Counts[n.Namespace] = append(out.Namespaces, n.Namespace), n.Assets
				out.All += n.Assets
			}
		}
		return web.JSON(w, r, http.StatusOK, out)
	}
}

func (a *API) arrayInfo(w http.ResponseWriter, r *web.Request) error {
	return web.JSON(w, r, http.StatusOK, infoOf(r.Subject, asset(r)))
}

// arrayPatch is the body of an update of a catalogue entry. Members that are absent stay; the URI that clients send along
// never moves anything.
type arrayPatch struct {
	Name            *string            `json:"name"`
	Description     *string            `json:"description"`
	FileType        *string            `json:"file_type"`
	FileProperties  *map[string]string `json:"file_properties"`
	Logo            *string            `json:"logo"`
	Tags            *[]string          `json:"tags"`
	LicenseID       *string            `json:"license_id"`
	LicenseText     *string            `json:"license_text"`
	CredentialsName *string            `json:"access_credentials_name"`
	ReadOnly        *bool              `json:"read_only"`
}

func (a *API) updateInfo(w http.ResponseWriter, r *web.Request) error {
	var p arrayPatch
	if err := r.DecodeJSON(&p); err != nil {
		return err
	}
	if _, err := a.catalog.Update(r.Context(), r.Grant, asset(r), catalog.Patch(p)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// registration is the body of a register call; the storage URI may stand in the address instead.
type registration struct {
	Name            string   `json:"name"`
	URI             string   `json:"uri"`
	Description     string   `json:"description"`
	CredentialsName string   `json:"access_credentials_name"`
	Tags            []string `json:"tags"`
	givenKey
}

// givenKey is the key of what is registered: EncryptionKey is a text that is one, EncryptionKeyBase64 any.
type givenKey struct {
	EncryptionKey       string `json:"encryption_key"`
	EncryptionKeyBase64 []byte `json:"encryption_key_base64"`
}

// key returns the key, nil for none.
func (k givenKey) key() []byte {
	if k.EncryptionKey != "" {
		return []byte(k.EncryptionKey)
	}
	return k.EncryptionKeyBase64
}

func (a *API) registerArray(w http.ResponseWriter, r *web.Request) error {
	var want registration
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	n := catalog.NewAsset{Name: want.Name, Storage: want.URI,
		Info: catalog.Info{Description: want.Description, CredentialsName: want.CredentialsName, Tags: want.Tags}}
	switch ref := r.Param("array"); {
	case n.Storage == "":
		n.Storage = ref
	case n.Name == "" && !catalog.IsStorage(ref):
		n.Name = ref
	}
	made, err := a.vault.RegisterArray(r.Context(), r.Grant, n, want.key())
	if err != nil {
		return err
	}
	r.Found = made
	return web.JSON(w, r, http.StatusOK, infoOf(r.Subject, made))
}

func (a *API) deregister(r *web.Request) error {
	return a.catalog.Deregister(r.Context(), r.Grant, asset(r))
}

// Models of machine learning are arrays whose metadata has keys of this prefix (spec page domains.md, section 5).
const (
	modelPrefix    = "TILEDB_ML_MODEL_"
	modelFramework = modelPrefix + "ML_FRAMEWORK"
	modelType      = "ml_model"
	// modelText is how many characters of one value the catalogue keeps; clients cut theirs so.
	modelText = 2048
)

// recognise records in the catalogue that an array is a model, from metadata that was just written. Clients that know of
// the catalogue say so themselves.
func (a *API) recognise(ctx context.Context, g access.Grant, x catalog.Asset, entries []format.MetadataEntry) error {
	properties := map[string]string{}
	for _, e := range entries {
		switch e.Type {
		case datatype.StringASCII, datatype.StringUTF8, datatype.Char:
			if strings.HasPrefix(e.Key, modelPrefix) && !e.Deleted {
				properties[e.Key] = cut(strings.ToValidUTF8(string(e.Value), "?"), modelText)
			}
		}
	}
	if properties[modelFramework] == "" || x.Info.FileType != "" && x.Info.FileType != modelType || x.Part() != "" {
		return nil
	}
	if x.Info.FileType == modelType && maps.Equal(x.Info.FileProperties, properties) {
		return nil
	}
	return a.catalog.SetFile(ctx, g, x, modelType, properties)
}

// datasetType is the key of metadata by which domain libraries say what a group is (spec page domains.md, section 0.1).
const datasetType = "dataset_type"

// groupTypes are what a group can be beside generic.
var groupTypes = []string{"vcf", "soma", "bioimg", "pointcloud", "raster", "geometry", "vector_search"}

// recogniseGroup records in the catalogue what a group is, from metadata that was just written or, for one that was just
// registered, from all of it. What says nothing of it changes nothing.
func (a *API) recogniseGroup(ctx context.Context, g access.Grant, x catalog.Asset, entries []format.MetadataEntry) error {
	for _, e := range entries {
		if e.Key != datasetType {
			continue
		}
		kind := ""
		switch e.Type {
		case datatype.StringASCII, datatype.StringUTF8, datatype.Char:
			if text := string(e.Value); !e.Deleted && slices.Contains(groupTypes, text) {
				kind = text
			}
		}
		if kind != x.Info.FileType {
			return a.catalog.SetGroupType(ctx, g, x, kind)
		}
	}
	return nil
}

// cut returns the first n characters of a text.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
