package api

import (
	"net/http"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/web"
)

// catalogOps are the rows that list, describe and register arrays (spec page cloud-api.md, section 3).
func (a *API) catalogOps() []web.Operation {
	return []web.Operation{
		{ID: "getArraysInNamespace", Method: http.MethodGet, Path: "/v1/arrays/{namespace}", Action: access.NamespaceRead, Find: a.findNamespace, Handle: a.listArrays},
		{ID: "arraysBrowserOwnedGet", Method: http.MethodGet, Path: "/v1/arrays/browser/owned", Action: access.CatalogRead, Handle: a.browseOwned},
		{ID: "arraysBrowserSharedGet", Method: http.MethodGet, Path: "/v1/arrays/browser/shared", Action: access.CatalogRead, Handle: a.browseNone},
		{ID: "arraysBrowserPublicGet", Method: http.MethodGet, Path: "/v1/arrays/browser/public", Action: access.CatalogRead, Handle: a.browseNone},
		{ID: "groupsBrowserOwnedGet", Method: http.MethodGet, Path: "/v1/groups/browser/owned", Action: access.GroupsBrowse, Handle: a.browseGroups},
		{ID: "getArrayInfo", Method: http.MethodGet, Path: "/v1" + onArray + "/metadata", Action: access.ArrayRead, Find: a.findArray, Handle: a.arrayInfo},
		{ID: "updateArrayInfo", Method: http.MethodPatch, Path: "/v1" + onArray + "/metadata", Action: access.ArrayDescribe, Find: a.findArray, Handle: a.updateInfo},
		{ID: "registerArray", Method: http.MethodPost, Path: "/v1" + onArray + "/register", Action: access.ArrayRegister, Find: a.findNamespace, Handle: a.registerArray},
		{ID: "deregisterArray", Method: http.MethodDelete, Path: "/v1" + onArray + "/deregister", Action: access.ArrayDeregister, Find: a.findArray, Handle: a.deregister},
		{ID: "deregisterGroup", Method: http.MethodDelete, Path: onGroup, Action: access.GroupDeregister, Find: a.findGroup, Handle: a.deregister},
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
	CreatedAt       time.Time         `json:"created_at"`
	CreatedBy       string            `json:"created_by"`
}

// infoOf describes an asset to its owner, the only one who sees any today.
func infoOf(x catalog.Asset) arrayInfo {
	info := arrayInfo{ID: x.ID, Namespace: x.Namespace, Name: x.Name, URI: x.StorageURI(), TileDBURI: tiledbScheme + x.Namespace + "/" + x.Name,
		Type: x.ArrayType, FileType: x.Info.FileType, FileProperties: x.Info.FileProperties, Description: x.Info.Description, Tags: x.Info.Tags,
		Logo: x.Info.Logo, LicenseID: x.Info.LicenseID, LicenseText: x.Info.LicenseText, CredentialsName: x.Info.CredentialsName,
		ReadOnly: x.Info.ReadOnly, CreatedAt: x.CreatedAt, CreatedBy: x.CreatedBy,
		AllowedActions: []string{"read", "write", "edit", "read_array_logs", "read_array_info", "read_array_schema"}}
	if info.Tags == nil {
		info.Tags = []string{}
	}
	return info
}

func infosOf(list []catalog.Asset) []arrayInfo {
	infos := make([]arrayInfo, len(list))
	for i, x := range list {
		infos[i] = infoOf(x)
	}
	return infos
}

// listArrays answers a bare list of the arrays in a namespace.
func (a *API) listArrays(w http.ResponseWriter, r *web.Request) error {
	list, _, err := a.catalog.List(r.Context(), catalog.Filter{NamespaceID: r.Object.ID, Kind: catalog.Array})
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, infosOf(list))
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

// browseFilter reads the filters and the page of a browsing request.
func browseFilter(r *web.Request, kind catalog.Kind) (catalog.Filter, error) {
	q := r.Query()
	f := catalog.Filter{NamespaceID: r.Subject.NamespaceID, Kind: kind, Search: q.Get("search"), Tags: q["tag"], ExcludeTags: q["exclude_tag"],
		FileTypes: q["file_type"], ExcludeFileTypes: q["exclude_file_type"]}
	order, way, _ := strings.Cut(q.Get("orderby"), " ")
	f.OrderBy, f.Descending = order, strings.EqualFold(way, "desc")
	page, err := r.Number("page", 1)
	if err != nil {
		return f, err
	}
	perPage, err := r.Number("per_page", defaultPerPage)
	if err != nil {
		return f, err
	}
	f.Page, f.PerPage = int(min(max(page, 1), 1<<30)), int(min(max(perPage, 1), maxPerPage))
	return f, nil
}

func (f *pagination) fill(filter catalog.Filter, total int) {
	*f = pagination{Page: filter.Page, PerPage: filter.PerPage, TotalPages: (total + filter.PerPage - 1) / filter.PerPage, TotalItems: total}
}

// arrayPage is the published shape of a page of arrays; none at all is null, as clients expect.
type arrayPage struct {
	Arrays     []arrayInfo `json:"arrays"`
	Pagination pagination  `json:"pagination_metadata"`
}

func (a *API) browseOwned(w http.ResponseWriter, r *web.Request) error {
	f, err := browseFilter(r, catalog.Array)
	if err != nil {
		return err
	}
	var page arrayPage
	if n := r.Query().Get("namespace"); n == "" || strings.EqualFold(n, r.Subject.Namespace) {
		list, total, err := a.catalog.List(r.Context(), f)
		if err != nil {
			return err
		}
		page.Arrays = infosOf(list)
		page.Pagination.fill(f, total)
	} else {
		page.Pagination.fill(f, 0)
	}
	return web.JSON(w, r, http.StatusOK, page)
}

// browseNone answers an empty page: nothing can be shared or public yet.
func (a *API) browseNone(w http.ResponseWriter, r *web.Request) error {
	f, err := browseFilter(r, catalog.Array)
	if err != nil {
		return err
	}
	var page arrayPage
	page.Pagination.fill(f, 0)
	return web.JSON(w, r, http.StatusOK, page)
}

// groupInfo is the published shape of a group's catalogue entry.
type groupInfo struct {
	ID             string    `json:"id"`
	Namespace      string    `json:"namespace"`
	Name           string    `json:"name"`
	Description    string    `json:"description"`
	URI            string    `json:"uri"`
	TileDBURI      string    `json:"tiledb_uri"`
	Tags           []string  `json:"tags"`
	AllowedActions []string  `json:"allowed_actions"`
	CreatedAt      time.Time `json:"created_at"`
	CreatedBy      string    `json:"created_by"`
}

func (a *API) browseGroups(w http.ResponseWriter, r *web.Request) error {
	f, err := browseFilter(r, catalog.Group)
	if err != nil {
		return err
	}
	list, total, err := a.catalog.List(r.Context(), f)
	if err != nil {
		return err
	}
	page := struct {
		Groups     []groupInfo `json:"groups"`
		Pagination pagination  `json:"pagination_metadata"`
	}{Groups: []groupInfo{}}
	page.Pagination.fill(f, total)
	for _, x := range list {
		i := infoOf(x)
		page.Groups = append(page.Groups, groupInfo{ID: i.ID, Namespace: i.Namespace, Name: i.Name, Description: i.Description, URI: i.URI,
			TileDBURI: i.TileDBURI, Tags: i.Tags, AllowedActions: []string{"read", "write", "edit"}, CreatedAt: i.CreatedAt, CreatedBy: i.CreatedBy})
	}
	return web.JSON(w, r, http.StatusOK, page)
}

func (a *API) arrayInfo(w http.ResponseWriter, r *web.Request) error {
	return web.JSON(w, r, http.StatusOK, infoOf(asset(r)))
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
	// EncryptionKey is the text that is the key of an encrypted array, EncryptionKeyBase64 any key.
	EncryptionKey       string `json:"encryption_key"`
	EncryptionKeyBase64 []byte `json:"encryption_key_base64"`
}

// key returns the key of a registration, nil for none.
func (r registration) key() []byte {
	if r.EncryptionKey != "" {
		return []byte(r.EncryptionKey)
	}
	return r.EncryptionKeyBase64
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
	return web.JSON(w, r, http.StatusOK, infoOf(made))
}

func (a *API) deregister(w http.ResponseWriter, r *web.Request) error {
	if err := a.catalog.Deregister(r.Context(), r.Grant, asset(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
