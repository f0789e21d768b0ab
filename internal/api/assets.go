package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/web"
)

// assetOps are the rows that list arrays and groups together (spec page cloud-api.md, section 3).
func (a *API) assetOps() []web.Operation {
	return []web.Operation{
		{ID: "listAssets", Method: http.MethodGet, Path: "/v1/assets/{namespace}", Action: access.NamespaceRead, Find: a.findNamespace, Handle: a.listAssets},
		{ID: "listPublicAssets", Method: http.MethodGet, Path: "/v1/public_assets", Action: access.CatalogRead, Handle: a.listPublicAssets},
	}
}

// assetInfo is the published shape of an asset of either kind.
type assetInfo struct {
	UUID          string    `json:"uuid"`
	Type          string    `json:"asset_type"`
	Backing       string    `json:"asset_backing_type"`
	Ownership     string    `json:"asset_ownership_level"`
	Namespace     string    `json:"namespace_name"`
	NamespaceUUID string    `json:"namespace_uuid"`
	Name          string    `json:"name"`
	MimeType      string    `json:"mime_type,omitempty"`
	CreatedAt     time.Time `json:"created_at"`

	Metadata *assetMetadata `json:"metadata,omitempty"`
}

// assetMetadata is the published shape of all metadata as texts.
type assetMetadata struct {
	Entries []metadataEntry `json:"entries"`
}

// assetType returns what an asset is, in the published words: what it is used as, else array or group.
func assetType(x catalog.Asset) string {
	if x.Info.FileType == "" || x.Info.FileType == "generic" {
		return string(x.Kind)
	}
	if x.Info.FileType == "notebook" && strings.EqualFold(x.Info.FileProperties["is_dashboard"], "true") {
		return "dashboard"
	}
	return x.Info.FileType
}

type assetPage struct {
	Data       []assetInfo `json:"data"`
	Pagination pagination  `json:"pagination_metadata"`
}

// assetFilter adds to a filter what only lists of assets can ask for.
func assetFilter(r *web.Request, f *catalog.Filter) {
	q := r.Query()
	f.OrderBy, f.Descending = "", false
	if order, way, _ := strings.Cut(q.Get("order_by"), " "); order != "" {
		f.OrderBy, f.Descending = order, strings.EqualFold(way, "desc") || way == "" && order == "created_at"
	}
	f.Roots = q.Get("depth") == "root"
	for list := range slices.Values(q["asset_type"]) {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				f.AssetTypes = append(f.AssetTypes, name)
			}
		}
	}
}

func (a *API) listAssets(w http.ResponseWriter, r *web.Request) error {
	f, _, err := a.browseFilter(r, "", owned)
	if err != nil {
		return err
	}
	assetFilter(r, &f)
	own := slices.Contains(spaces(r.Subject), r.Object.ID)
	f.Namespaces, f.NotIn = []string{r.Object.ID}, nil
	switch level := r.Query().Get("ownership_level"); {
	case !own: // of another's namespace, what he may see
		f.SharedTo = append(spaces(r.Subject), access.PublicNamespace)
	case level == "shared":
		f.Namespaces, f.SharedTo, f.NotIn = nil, []string{r.Object.ID}, []string{r.Object.ID}
	case level == "owned":
	default: // a namespace's own and what is shared to it
		f.OrSharedTo = r.Object.ID
	}
	list, total, err := a.catalog.List(r.Context(), f)
	if err != nil {
		return err
	}
	if total == 0 && !own && !r.Query().Has("search") && len(f.AssetTypes) == 0 {
		return account.ErrNotFound
	}
	return a.sendAssets(w, r, f, list, total)
}

func (a *API) listPublicAssets(w http.ResponseWriter, r *web.Request) error {
	f, ok, err := a.browseFilter(r, "", everybodys)
	if err != nil {
		return err
	}
	assetFilter(r, &f)
	if !ok {
		return a.sendAssets(w, r, f, nil, 0)
	}
	list, total, err := a.catalog.List(r.Context(), f)
	if err != nil {
		return err
	}
	return a.sendAssets(w, r, f, list, total)
}

func (a *API) sendAssets(w http.ResponseWriter, r *web.Request, f catalog.Filter, list []catalog.Asset, total int) error {
	page := assetPage{Data: []assetInfo{}}
	page.Pagination.fill(f.Page, f.PerPage, total)
	expand := slices.Contains(strings.Split(r.Query().Get("expand"), ","), "metadata")
	all, err := a.more(r, list, expand)
	if err != nil {
		return err
	}
	own := spaces(r.Subject)
	for _, x := range list {
		info := assetInfo{UUID: x.ID, Type: assetType(x), Backing: string(x.Kind), Ownership: "shared", Namespace: x.Namespace,
			NamespaceUUID: x.NamespaceID, Name: x.Name, MimeType: x.Info.FileProperties["mime_type"], CreatedAt: x.CreatedAt}
		if slices.Contains(own, x.NamespaceID) {
			info.Ownership = "owned"
		}
		if expand {
			info.Metadata = &assetMetadata{append([]metadataEntry{}, all[x.ID].metadata...)}
		}
		page.Data = append(page.Data, info)
	}
	return web.JSON(w, r, http.StatusOK, page)
}
