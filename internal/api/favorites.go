package api

import (
	"net/http"

	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/web"
)

// favoriteKind is one of the four lists of favourites that the API has.
type favoriteKind struct {
	path   string // in addresses
	id     string // in the published identifiers
	member string // the list's member of a page
	uuid   string // the member of one favourite that holds the asset's UUID
	// types are the file types of its assets; none means all that are in no other list.
	types []string
}

var favoriteKinds = []favoriteKind{
	{path: "arrays", id: "Array", member: "arrays", uuid: "array_uuid"},
	{path: "notebooks", id: "Notebook", member: "notebooks", uuid: "notebook_uuid", types: []string{"notebook"}},
	{path: "ml_models", id: "MLModel", member: "mlmodels", uuid: "mlmodel_uuid", types: []string{"ml_model"}},
	{path: "udfs", id: "UDF", member: "udfs", uuid: "udf_uuid", types: []string{"user_defined_function"}},
}

// favoriteOps are the twenty rows of favourites.
func (a *API) favoriteOps() []web.Operation {
	var ops []web.Operation
	for _, k := range favoriteKinds {
		base := "/v1/" + k.path + "/favorites"
		one := func(id, method string, action access.Action, handle web.Handler) web.Operation {
			return web.Operation{ID: id, Method: method, Path: base + "/{namespace}/{array}", Action: action, Find: a.findAny, Handle: handle}
		}
		ops = append(ops,
			web.Operation{ID: "list" + k.id + "Favorites", Method: http.MethodGet, Path: base, Action: access.FavoritesRead, Handle: a.listFavorites(k)},
			web.Operation{ID: "list" + k.id + "FavoritesUUIDs", Method: http.MethodGet, Path: base + "/uuids", Action: access.FavoritesRead, Handle: a.favoriteUUIDs(k)},
			one("get"+k.id+"Favorite", http.MethodGet, access.FavoriteRead, a.getFavorite(k)),
			one("add"+k.id+"Favorite", http.MethodPost, access.FavoriteWrite, a.addFavorite),
			one("delete"+k.id+"Favorite", http.MethodDelete, access.FavoriteWrite, a.removeFavorite))
	}
	return ops
}

// findAny looks up the array or group of a path.
func (a *API) findAny(r *web.Request) (access.Object, error) {
	n, err := a.accounts.Namespace(r.Context(), r.Param("namespace"))
	if err != nil {
		return access.Object{}, err
	}
	found, err := a.catalog.Resolve(r.Context(), n.ID, r.Param("array"))
	if err == nil && found.Part() != "" {
		err = catalog.ErrNotFound
	}
	if err != nil {
		return access.Object{}, err
	}
	r.Found = found
	return found.Object(), nil
}

// favorites returns a page of a list of the caller's favourites, of those that he still sees.
func (a *API) favorites(r *web.Request, k favoriteKind, all bool) ([]catalog.Asset, pagination, error) {
	var p pagination
	f, _, err := a.browseFilter(r, "", visible)
	if err != nil {
		return nil, p, err
	}
	f.FavoriteOf, f.VisibleTo = r.Subject.UserID, append(spaces(r.Subject), access.PublicNamespace)
	f.FileTypes, f.ExcludeFileTypes = k.types, nil
	if k.types == nil {
		for _, other := range favoriteKinds {
			f.ExcludeFileTypes = append(f.ExcludeFileTypes, other.types...)
		}
	}
	if is := r.Query().Get("is_dashboard"); is != "" && k.path == "notebooks" {
		on, err := r.Flag("is_dashboard")
		if err != nil {
			return nil, p, err
		}
		if on {
			f.AssetTypes = []string{"dashboard"}
		}
	}
	if all {
		f.PerPage = 0
	}
	list, total, err := a.catalog.List(r.Context(), f)
	f.PerPage = max(f.PerPage, 1)
	p.fill(f.Page, f.PerPage, total)
	return list, p, err
}

func (a *API) listFavorites(k favoriteKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		list, p, err := a.favorites(r, k, false)
		if err != nil {
			return err
		}
		infos := infosOf(r.Subject, list)
		for i := range infos {
			infos[i].IsFavorite = true
		}
		return web.JSON(w, r, http.StatusOK, map[string]any{k.member: infos, "pagination_metadata": p})
	}
}

func favoriteOf(k favoriteKind, x catalog.Asset) map[string]string {
	return map[string]string{k.uuid: x.ID, "namespace": x.Namespace, "name": x.Name}
}

func (a *API) favoriteUUIDs(k favoriteKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		list, _, err := a.favorites(r, k, true)
		if err != nil {
			return err
		}
		return web.JSON(w, r, http.StatusOK, mapped(list, func(x catalog.Asset) map[string]string { return favoriteOf(k, x) }))
	}
}

func (a *API) getFavorite(k favoriteKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		is, err := a.catalog.IsFavorite(r.Context(), r.Grant, asset(r))
		if err != nil {
			return err
		}
		if !is {
			return catalog.ErrNotFound
		}
		return web.JSON(w, r, http.StatusOK, favoriteOf(k, asset(r)))
	}
}

func (a *API) addFavorite(w http.ResponseWriter, r *web.Request) error {
	return noContent(w, a.catalog.SetFavorite(r.Context(), r.Grant, asset(r), true))
}

func (a *API) removeFavorite(w http.ResponseWriter, r *web.Request) error {
	return noContent(w, a.catalog.SetFavorite(r.Context(), r.Grant, asset(r), false))
}
