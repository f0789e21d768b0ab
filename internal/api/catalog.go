package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
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
	LastAccessed    *time.Time        `json:"last_accessed,omitempty"`
	Metadata        []metadataEntry   `json:"metadata,omitempty"`
}

// metadataEntry is the published shape of an entry of metadata as text.
type metadataEntry struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Type  string `json:"type"`
}

// more is what lists tell about assets beside their entries.
type more struct {
	favorite bool
	accessed *time.Time
	metadata []metadataEntry
}

// more looks up what a list tells: which assets are the caller's favourites, when they were used last to who may read their
// logs, and with metadata what they say to who may read all of them.
func (a *API) more(r *web.Request, list []catalog.Asset, metadata bool) (map[string]more, error) {
	all := map[string]more{}
	var ids, logs, read []string
	for _, x := range list {
		rights := access.WholeRightsOn(r.Subject, x.Object())
		ids = append(ids, x.ID)
		if rights.Has(access.CanReadLogs) {
			logs = append(logs, x.ID)
		}
		if metadata && rights.Has(access.CanRead) {
			read = append(read, x.ID)
		}
	}
	favorites, err := a.catalog.FavoritesAmong(r.Context(), r.Subject.UserID, ids)
	if err != nil {
		return nil, err
	}
	used, err := a.uses.LastUsed(r.Context(), logs)
	if err != nil {
		return nil, err
	}
	told, err := a.catalog.MetadataOf(r.Context(), read)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		m := more{favorite: favorites[id]}
		if at, ok := used[id]; ok {
			m.accessed = &at
		}
		for _, e := range told[id] {
			m.metadata = append(m.metadata, metadataEntry{e.Key, e.Value, e.Type})
		}
		all[id] = m
	}
	return all, nil
}

// infos describes arrays to the caller, with metadata if the request asks for it.
func (a *API) infos(r *web.Request, list []catalog.Asset) ([]arrayInfo, error) {
	metadata, err := r.Flag("with_metadata")
	if err != nil {
		return nil, err
	}
	all, err := a.more(r, list, metadata)
	if err != nil {
		return nil, err
	}
	infos := infosOf(r.Subject, list)
	for i := range infos {
		m := all[infos[i].ID]
		infos[i].IsFavorite, infos[i].LastAccessed, infos[i].Metadata = m.favorite, m.accessed, m.metadata
	}
	return infos, nil
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
	infos, err := a.infos(r, list)
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, infos)
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
	f = catalog.Filter{Kind: kind, Search: q.Get("search"), Own: spaces(r.Subject), Tags: q["tag"], ExcludeTags: q["exclude_tag"],
		FileTypes: q["file_type"], ExcludeFileTypes: q["exclude_file_type"]}
	for _, pair := range q["file_property"] {
		key, value, ok := strings.Cut(pair, ",")
		if !ok {
			return f, false, fmt.Errorf("%w: file_property=%q is not key,value", web.ErrBadRequest, pair)
		}
		f.FileProperties = append(f.FileProperties, [2]string{key, value})
	}
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
			if page.Arrays, err = a.infos(r, list); err != nil {
				return err
			}
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
	infos, err := a.infos(r, []catalog.Asset{asset(r)})
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, infos[0])
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
	made = a.recogniseNew(r, made)
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
	// datasetType is the key by which domain libraries say what a group or array is (spec page domains.md, section 0.1).
	datasetType = "dataset_type"
)

// groupTypes are what a group can be beside generic; arrayTypes those of them that an array can be too.
var (
	groupTypes  = []string{"vcf", "soma", "bioimg", "pointcloud", "raster", "geometry", "vector_search"}
	arrayTypes  = []string{"pointcloud", "raster", "geometry"}
	vectorIndex = []string{"FLAT", "IVF_FLAT", "VAMANA", "IVF_PQ"}
)

// recognise reads what an asset says about itself, after its metadata was written or it was registered: the catalogue keeps that, and
// what it makes of the asset. The grant is one to read or write it.
func (a *API) recognise(ctx context.Context, g access.Grant, x catalog.Asset) error {
	if x.Part() != "" {
		return nil
	}
	d, err := a.vault.Describe(ctx, g, x)
	if err != nil {
		return err
	}
	said := map[string]string{}
	for _, e := range d.Metadata {
		said[e.Key] = strings.ToValidUTF8(vault.MetadataText(e), "?")
	}
	if x.Kind == catalog.Group {
		if kind := recognisedGroup(said, d.Members); kind != x.Info.FileType {
			return a.catalog.SetGroupType(ctx, g, x, kind)
		}
		return nil
	}
	kind, properties := recognisedArray(said, d)
	switch is := x.Info.FileType; {
	case kind == "", is != "" && is != kind, is == kind && kind != modelType, is == kind && maps.Equal(x.Info.FileProperties, properties):
		return nil // clients that know of the catalogue say so themselves
	}
	return a.catalog.SetFile(ctx, g, x, kind, properties)
}

// recogniseNew is recognise for an asset that the caller has just made, as it is then. What cannot be read shows to who opens it.
func (a *API) recogniseNew(r *web.Request, x catalog.Asset) catalog.Asset {
	action := access.ArrayRead
	if x.Kind == catalog.Group {
		action = access.GroupRead
	}
	g, err := access.Allowed(r.Subject, action, x.Object())
	if err == nil {
		err = a.recognise(context.WithoutCancel(r.Context()), g, x)
	}
	if now, again := a.catalog.Resolve(r.Context(), x.NamespaceID, x.ID); err == nil && again == nil {
		return now
	}
	return x
}

// recognisedArray tells what an array is used as, with the properties that go with it, or nothing.
func recognisedArray(said map[string]string, d vault.Described) (kind string, properties map[string]string) {
	properties = map[string]string{}
	for key, text := range said {
		if strings.HasPrefix(key, modelPrefix) {
			properties[key] = cut(text, modelText)
		}
	}
	dataset := said[datasetType]
	switch {
	case properties[modelFramework] != "":
		return modelType, properties
	case slices.Contains(arrayTypes, dataset):
		return dataset, map[string]string{}
	case !d.HoldsFile:
		return "", nil
	}
	for _, e := range d.Metadata {
		if e.Key != vault.FileSizeKey {
			continue
		}
		properties = map[string]string{"size": vault.MetadataText(e)}
		if said["mime_type"] != "" {
			properties["mime_type"] = said["mime_type"]
		}
		for _, kind := range []string{dataset, said["type"]} {
			if catalog.Versioned(kind) {
				return kind, properties
			}
		}
		return catalog.FileType, properties
	}
	return "", nil
}

// recognisedGroup tells what a group is, or nothing: by what it says, or as data of libraries that did not say it yet.
func recognisedGroup(said map[string]string, members []string) string {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(members, n) })
	}
	_, dataset := said[datasetType]
	switch {
	case dataset && slices.Contains(groupTypes, said[datasetType]):
		return said[datasetType]
	case dataset:
		return ""
	case said["soma_object_type"] == "SOMAExperiment":
		return "soma"
	case slices.Contains(vectorIndex, said["index_type"]), has("parts.tdb", "shuffled_vectors"):
		return "vector_search"
	case has("data", "vcf_headers"):
		return "vcf"
	case said["fmt_version"] != "" && has("l_0.tdb"):
		return "bioimg"
	}
	return ""
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
