package api

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"

	"azulejo/array"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
)

const onNotebook = "/v1/notebooks/{namespace}/{array}"

// notebookOps are the rows of notebooks, which are files of their own type (spec page cloud-api.md, section 7; decision 132).
func (a *API) notebookOps() []web.Operation {
	row := func(id, method, path string, action access.Action, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: action, Find: a.findArray, Handle: handle}
	}
	form := web.Operation{ID: "uploadNotebookForm", Method: http.MethodPost, Path: "/v1/notebooks/{namespace}/upload", Action: access.ArrayCreate,
		Find: a.findNamespace, Handle: a.uploadForm(asNotebook()), MaxBody: anySize}
	return append(a.streamOps("Notebook", "/v2/notebooks/{namespace}/{array}/upload", asNotebook()), form,
		row("updateNotebookName", http.MethodPatch, onNotebook+"/rename", access.ArrayDescribe, a.updateInfo),
		row("copyNotebook", http.MethodPost, onNotebook+"/copy", access.ArrayRead, a.copyFile(asNotebook())),
		row("pruneNotebook", http.MethodPost, onNotebook+"/prune", access.ArrayDelete, a.pruneVersions),
		row("notebookEndTimestamps", http.MethodGet, onNotebook+"/end_timestamps", access.ArrayRead, a.endTimestamps),
		row("arrayEndTimestamps", http.MethodGet, "/v1"+onArray+"/end_timestamps", access.ArrayRead, a.endTimestamps),
		row("getFragmentEndTimestamp", http.MethodGet, "/v1"+onArray+"/fragment_end_timestamp", access.ArrayRead, a.fragmentEndTimestamp),
	)
}

// fileCopied is the published answer to a copy.
type fileCopied struct {
	ID        string `json:"id"`
	OutputURI string `json:"output_uri"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// copyFile makes a new file of one of a kind, as it was in the interval of the address. Both must be allowed: to read the one
// and to make the other.
func (a *API) copyFile(k fileKind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		want := struct {
			OutputURI string `json:"output_uri"`
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		}{Namespace: r.Subject.Namespace}
		if err := r.DecodeJSON(&want); err != nil {
			return err
		}
		if want.Namespace == "" {
			want.Namespace = r.Subject.Namespace
		}
		n, err := a.accounts.Namespace(r.Context(), want.Namespace)
		if err != nil {
			return err
		}
		g, err := access.Allowed(r.Subject, access.ArrayCreate, access.Object{Kind: access.Namespace, ID: n.ID, NamespaceID: n.ID})
		if err != nil {
			return err
		}
		f, err := a.openFile(r)
		if err != nil {
			return err
		}
		from := asset(r)
		in := &incoming{fileKind: k, atMost: uint64(f.NBytes), exact: true, body: &fileReader{ctx: r.Context(), file: f}}
		if in.asset, err = formAsset(r, n.Name, want.OutputURI, want.Name, from.Name); err != nil {
			return err
		}
		in.asset.Info = from.Info
		in.asset.Info.CredentialsName, in.asset.Info.ReadOnly, in.asset.Info.FileType = r.Header.Get(credentialsHeader), false, in.fileType
		made, err := a.vault.CreateFile(r.Context(), g, in.asset, vault.FileSchema(in.atMost, in.compressed), in.content())
		if err != nil {
			return err
		}
		a.recogniseNew(r, made)
		return web.JSON(w, r, http.StatusCreated, fileCopied{made.ID, tiledbScheme + made.Namespace + "/" + made.Name, made.Name, made.Namespace})
	}
}

// pruningLimit is the property of a notebook that says how many versions to keep.
const pruningLimit = "version_pruning_limit"

// pruneVersions removes all but the newest versions.
func (a *API) pruneVersions(w http.ResponseWriter, r *web.Request) error {
	def, err := strconv.ParseUint(asset(r).Info.FileProperties[pruningLimit], 10, 64)
	if err != nil {
		def = 0
	}
	keep, err := r.Number("keep_versions", def)
	if err != nil {
		return err
	}
	if keep == 0 {
		return fmt.Errorf("%w: keep_versions must be at least 1; it may be left out where the file property %s says it", web.ErrBadRequest, pruningLimit)
	}
	return noContent(w, a.vault.PruneVersions(r.Context(), r.Grant, asset(r), keep))
}

// endTimesPage is the published shape of a page of times.
type endTimesPage struct {
	EndTimestamps []uint64   `json:"end_timestamps"`
	Pagination    pagination `json:"pagination_metadata"`
}

// endTimes returns when what an array holds was written, newest first.
func (a *API) endTimes(r *web.Request) ([]uint64, error) {
	arr, err := a.vault.OpenArray(r.Context(), r.Grant, asset(r), array.Latest())
	if err != nil {
		return nil, err
	}
	times := arr.EndTimes()
	if catalog.Versioned(asset(r).Info.FileType) {
		if times, err = arr.VersionTimes(r.Context()); err != nil {
			return nil, err
		}
	}
	slices.Reverse(times)
	return times, nil
}

// endTimestamps answers a page of the times of an array's versions, the newest first.
func (a *API) endTimestamps(w http.ResponseWriter, r *web.Request) error {
	page, perPage, err := pageOf(r, defaultPerPage)
	if err != nil {
		return err
	}
	times, err := a.endTimes(r)
	if err != nil {
		return err
	}
	out := endTimesPage{EndTimestamps: []uint64{}}
	out.Pagination.fill(page, perPage, len(times))
	from := min((page-1)*perPage, len(times))
	out.EndTimestamps = append(out.EndTimestamps, times[from:min(from+perPage, len(times))]...)
	return web.JSON(w, r, http.StatusOK, out)
}

// fragmentEndTimestamp answers the time of a version that is nearest to the one asked for, the newer one of two as near;
// without one asked for the newest.
func (a *API) fragmentEndTimestamp(w http.ResponseWriter, r *web.Request) error {
	at, err := r.Number("end_timestamp", math.MaxUint64)
	if err != nil {
		return err
	}
	times, err := a.endTimes(r)
	if err != nil {
		return err
	}
	if len(times) == 0 {
		return fmt.Errorf("%w: nothing was written to the array yet", catalog.ErrNotFound)
	}
	far := func(t uint64) uint64 { return max(t, at) - min(t, at) }
	best := slices.MinFunc(times, func(x, y uint64) int {
		if far(x) != far(y) {
			if far(x) < far(y) {
				return -1
			}
			return 1
		}
		return 0
	})
	return web.JSON(w, r, http.StatusOK, best)
}
