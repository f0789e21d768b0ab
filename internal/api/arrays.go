package api

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"azulejo/array"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/schema"
)

const onArray = "/arrays/{namespace}/{array}"

// arrayOps are the rows of arrays as libtiledb uses them (spec page rest-wire.md, section 3).
func (a *API) arrayOps() []web.Operation {
	row := func(id, method, path string, action access.Action, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: action, Find: a.findArray, Handle: handle, MaxBody: a.limits.MessageBytes}
	}
	open := row("openArray", http.MethodPost, "/v2"+onArray, access.ArrayRead, a.openArray)
	open.Also, open.Refine = []access.Action{access.ArrayWrite, access.ArrayDelete}, a.openAction
	create := row("createArray", http.MethodPost, "/v1"+onArray, access.ArrayCreate, a.createArray)
	create.Find = a.findNamespace
	return []web.Operation{
		create, open,
		row("getArray", http.MethodGet, "/v1"+onArray, access.ArrayRead, a.getSchema),
		row("deleteArray", http.MethodDelete, "/v1"+onArray, access.ArrayDelete, a.deleteArray),
		row("loadArraySchema", http.MethodPost, "/v1"+onArray+"/schema", access.ArrayRead, a.loadSchema),
		row("evolveArray", http.MethodPost, "/v1"+onArray+"/evolve", access.ArrayWrite, a.evolve),
		row("loadEnumerations", http.MethodPost, "/v1"+onArray+"/enumerations", access.ArrayRead, a.enumerations),
		row("getArrayMetadata", http.MethodGet, "/v1"+onArray+"/array_metadata", access.ArrayRead, a.getMetadata),
		row("putArrayMetadata", http.MethodPost, "/v1"+onArray+"/array_metadata", access.ArrayWrite, a.putMetadata),
		row("getNonEmptyDomainV1", http.MethodGet, "/v1"+onArray+"/non_empty_domain", access.ArrayRead, a.nonEmptyDomain),
		row("getNonEmptyDomainV2", http.MethodGet, "/v2"+onArray+"/non_empty_domain", access.ArrayRead, a.nonEmptyDomain),
		row("fragmentInfo", http.MethodPost, "/v1"+onArray+"/fragment_info", access.ArrayRead, a.fragmentInfo),
	}
}

// getSchema answers the newest schema; clients also ask it to see whether an array exists, where only 200 means yes.
func (a *API) getSchema(w http.ResponseWriter, r *web.Request) error {
	at, err := interval(r)
	if err != nil {
		return err
	}
	arr, err := a.vault.OpenSchema(r.Context(), r.Grant, asset(r), at)
	if err != nil {
		return err
	}
	body, err := wire.EncodeSchema(arr.Schema())
	if err != nil {
		return err
	}
	return sendMessage(w, body)
}

func (a *API) createArray(w http.ResponseWriter, r *web.Request) error {
	body, err := a.message(r)
	if err != nil {
		return err
	}
	s, err := wire.DecodeSchema(body)
	if err != nil {
		return err
	}
	var n catalog.NewAsset
	if err := n.FromRef(r.Param("array")); err != nil {
		return err
	}
	n.Info.CredentialsName = r.Header.Get(credentialsHeader)
	if _, err := a.vault.CreateArray(r.Context(), r.Grant, n, s); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// credentialsHeader names the storage credentials of what is created.
const credentialsHeader = "X-TILEDB-CLOUD-ACCESS-CREDENTIALS-NAME"

func (a *API) deleteArray(w http.ResponseWriter, r *web.Request) error {
	if err := a.vault.DeleteArray(r.Context(), r.Grant, asset(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// openActions are what a client opens an array for, and what it must be allowed.
var openActions = map[wire.QueryType]access.Action{
	wire.ReadQuery: access.ArrayRead, wire.WriteQuery: access.ArrayWrite, wire.DeleteQuery: access.ArrayWrite,
	wire.UpdateQuery: access.ArrayWrite, wire.ModifyExclusive: access.ArrayDelete,
}

// openAction decodes the body of an open, which says what the array is opened for.
func (a *API) openAction(r *web.Request) (access.Action, error) {
	body, err := a.message(r)
	if err != nil {
		return access.NoAction, err
	}
	want, err := wire.DecodeArrayOpen(body)
	r.Decoded = &want
	return openActions[want.Type], err
}

// openArray answers what a client needs to know of an array before it queries it. Fragments are not listed: the server
// finds them at every query.
func (a *API) openArray(w http.ResponseWriter, r *web.Request) error {
	at, err := interval(r)
	if err != nil {
		return err
	}
	want := r.Decoded.(*wire.ArrayOpen)
	open := a.vault.OpenArray
	if want.Type != wire.ReadQuery {
		open = a.vault.OpenSchema
	}
	arr, err := open(r.Context(), r.Grant, asset(r), at)
	if err != nil {
		return err
	}
	answer := &wire.Array{Type: want.Type, Start: at.Start, End: at.End, OpenedAt: uint64(time.Now().UnixMilli()), Latest: arr.Schema()}
	if err := fillOpened(r, arr, want, answer); err != nil {
		return err
	}
	reply, err := wire.EncodeArray(answer)
	if err != nil {
		return err
	}
	return sendMessage(w, reply)
}

// fillOpened adds what the client wants to have with the answer to an open.
func fillOpened(r *web.Request, arr *vault.Array, want *wire.ArrayOpen, answer *wire.Array) error {
	all, err := arr.Schemas(r.Context())
	if err != nil {
		return err
	}
	latest, every := want.WantsEnumerations()
	if latest {
		if answer.Latest, err = arr.WithEnumerations(r.Context(), answer.Latest); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		if every {
			if s, err = arr.WithEnumerations(r.Context(), s); err != nil {
				return err
			}
		}
		answer.Schemas = append(answer.Schemas, s)
	}
	if want.Type == wire.ReadQuery && want.WantsNonEmptyDomain() {
		answer.NonEmptyDomain, answer.HasNonEmptyDomain = arr.NonEmptyDomain(), true
	}
	if want.WantsMetadata() {
		if answer.Metadata, err = arr.Metadata(r.Context()); err != nil {
			return err
		}
		answer.HasMetadata = true
	}
	return nil
}

// loadSchema answers the newest schema and all others.
func (a *API) loadSchema(w http.ResponseWriter, r *web.Request) error {
	at, err := interval(r)
	if err != nil {
		return err
	}
	body, err := a.message(r)
	if err != nil {
		return err
	}
	labels, err := wire.DecodeLoadSchema(body)
	if err != nil {
		return err
	}
	arr, err := a.vault.OpenSchema(r.Context(), r.Grant, asset(r), at)
	if err != nil {
		return err
	}
	all, err := sortedSchemas(r, arr, labels)
	if err != nil {
		return err
	}
	latest := arr.Schema()
	if labels {
		if latest, err = arr.WithEnumerations(r.Context(), latest); err != nil {
			return err
		}
	}
	reply, err := wire.EncodeLoadSchema(latest, all)
	if err != nil {
		return err
	}
	return sendMessage(w, reply)
}

// sortedSchemas returns every schema of the array by name, with the labels of its enumerations if asked.
func sortedSchemas(r *web.Request, arr *vault.Array, labels bool) ([]*schema.Array, error) {
	all, err := arr.Schemas(r.Context())
	if err != nil {
		return nil, err
	}
	var list []*schema.Array
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		if labels {
			if s, err = arr.WithEnumerations(r.Context(), s); err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	return list, nil
}

func (a *API) evolve(w http.ResponseWriter, r *web.Request) error {
	body, err := a.message(r)
	if err != nil {
		return err
	}
	e, err := wire.DecodeEvolution(body)
	if err != nil {
		return err
	}
	arr, err := a.vault.OpenSchema(r.Context(), r.Grant, asset(r), array.Latest())
	if err != nil {
		return err
	}
	if err := arr.Evolve(r.Context(), *e); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// enumerations answers the labels of the named enumerations, or those of all schemas when none is named.
func (a *API) enumerations(w http.ResponseWriter, r *web.Request) error {
	at, err := interval(r)
	if err != nil {
		return err
	}
	body, err := a.message(r)
	if err != nil {
		return err
	}
	names, err := wire.DecodeLoadEnumerations(body)
	if err != nil {
		return err
	}
	arr, err := a.vault.OpenSchema(r.Context(), r.Grant, asset(r), at)
	if err != nil {
		return err
	}
	var reply []byte
	if len(names) == 0 {
		all, err := sortedSchemas(r, arr, true)
		if err != nil {
			return err
		}
		reply, err = wire.EncodeAllEnumerations(all)
		if err != nil {
			return err
		}
		return sendMessage(w, reply)
	}
	var found []*schema.Enumeration
	for _, name := range names {
		e, err := arr.Enumeration(r.Context(), name)
		if err != nil {
			return err
		}
		found = append(found, e)
	}
	if reply, err = wire.EncodeEnumerations(found); err != nil {
		return err
	}
	return sendMessage(w, reply)
}

func (a *API) getMetadata(w http.ResponseWriter, r *web.Request) error {
	at, err := interval(r)
	if err != nil {
		return err
	}
	arr, err := a.vault.OpenSchema(r.Context(), r.Grant, asset(r), at)
	if err != nil {
		return err
	}
	entries, err := arr.Metadata(r.Context())
	if err != nil {
		return err
	}
	reply, err := wire.EncodeMetadata(entries)
	if err != nil {
		return err
	}
	return sendMessage(w, reply)
}

func (a *API) putMetadata(w http.ResponseWriter, r *web.Request) error {
	at, err := interval(r)
	if err != nil {
		return err
	}
	body, err := a.message(r)
	if err != nil {
		return err
	}
	entries, err := wire.DecodeMetadata(body)
	if err != nil {
		return err
	}
	arr, err := a.vault.OpenSchema(r.Context(), r.Grant, asset(r), array.Latest())
	if err != nil {
		return err
	}
	if err := arr.PutMetadata(r.Context(), entries, writeTime(at)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) nonEmptyDomain(w http.ResponseWriter, r *web.Request) error {
	at, err := interval(r)
	if err != nil {
		return err
	}
	arr, err := a.vault.OpenArray(r.Context(), r.Grant, asset(r), at)
	if err != nil {
		return err
	}
	reply, err := wire.EncodeNonEmptyDomain(arr.NonEmptyDomain(), arr.Schema().Domain.Dimensions)
	if err != nil {
		return err
	}
	return sendMessage(w, reply)
}

func (a *API) fragmentInfo(w http.ResponseWriter, r *web.Request) error {
	at, err := interval(r)
	if err != nil {
		return err
	}
	arr, err := a.vault.OpenArray(r.Context(), r.Grant, asset(r), at)
	if err != nil {
		return err
	}
	infos, readers := arr.FragmentInfos()
	fragments := make([]wire.FragmentInfo, len(infos))
	for i, info := range infos {
		fragments[i] = wire.FragmentInfo{Name: info.Name, Start: info.Start, End: info.End, Footer: readers[i].Footer(), NBytes: info.NBytes}
		if !info.Dense {
			if fragments[i].RTree, err = readers[i].RTree(r.Context()); err != nil {
				return err
			}
		}
	}
	all, err := sortedSchemas(r, arr, false)
	if err != nil {
		return err
	}
	reply, err := wire.EncodeFragmentInfo(arr.Schema(), all, fragments, arr.Vacuumed())
	if err != nil {
		return err
	}
	return sendMessage(w, reply)
}
