package api

import (
	"context"
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
	row := func(id, method, path string, action access.Action, do answer, request, reply wire.Kind) web.Operation {
		return web.Operation{ID: id, Method: method, Path: path, Action: action, Find: a.findArray, Handle: a.messages(form{request, reply}, do), MaxBody: min(a.limits.MessageBytes, wire.MaxQueryMessage)}
	}
	change := func(id, path string, do changer, request wire.Kind) web.Operation {
		op := row(id, http.MethodPost, path, access.ArrayWrite, nil, request, wire.NoMessage)
		op.Handle = a.changes(request, do)
		return op
	}
	open := row("openArray", http.MethodPost, "/v2"+onArray, access.ArrayRead, a.openArray, wire.NoMessage, wire.ArrayMessage)
	open.Also, open.Refine = []access.Action{access.ArrayWrite, access.ArrayDelete}, a.openAction
	create := change("createArray", "/v1"+onArray, a.createArray, wire.SchemaMessage)
	create.Action, create.Find = access.ArrayCreate, a.findNamespace
	return []web.Operation{
		create, open,
		row("getArray", http.MethodGet, "/v1"+onArray, access.ArraySchema, a.getSchema, wire.NoMessage, wire.SchemaMessage),
		a.dry(deletion, a.removes(row("deleteArray", http.MethodDelete, "/v1"+onArray, access.ArrayDelete, nil, wire.NoMessage, wire.NoMessage), http.StatusNoContent, a.deleteArray)),
		row("loadArraySchema", http.MethodPost, "/v1"+onArray+"/schema", access.ArraySchema, a.loadSchema, wire.LoadSchemaMessage, wire.SchemasMessage),
		change("evolveArray", "/v1"+onArray+"/evolve", a.evolve, wire.EvolutionMessage),
		row("loadEnumerations", http.MethodPost, "/v1"+onArray+"/enumerations", access.ArrayRead, a.enumerations, wire.NamesMessage, wire.EnumerationsMessage),
		row("getArrayMetadata", http.MethodGet, "/v1"+onArray+"/array_metadata", access.ArrayRead, a.getMetadata, wire.NoMessage, wire.MetadataMessage),
		change("putArrayMetadata", "/v1"+onArray+"/array_metadata", a.putMetadata, wire.MetadataMessage),
		row("getNonEmptyDomainV1", http.MethodGet, "/v1"+onArray+"/non_empty_domain", access.ArrayRead, a.nonEmptyDomain, wire.NoMessage, wire.DomainMessage),
		row("getNonEmptyDomainV2", http.MethodGet, "/v2"+onArray+"/non_empty_domain", access.ArrayRead, a.nonEmptyDomain, wire.NoMessage, wire.DomainMessage),
		row("fragmentInfo", http.MethodPost, "/v1"+onArray+"/fragment_info", access.ArrayRead, a.fragmentInfo, wire.InfoMessage, wire.FragmentsMessage),
	}
}

// opener opens an array under a grant: Vault.OpenArray for its cells, Vault.OpenSchema for the rest.
type opener func(ctx context.Context, g access.Grant, a catalog.Asset, at array.Interval) (*vault.Array, error)

// opened opens the array of a request at the interval of its address.
func opened(r *web.Request, open opener) (*vault.Array, error) {
	at, err := interval(r)
	if err != nil {
		return nil, err
	}
	return open(r.Context(), r.Grant, asset(r), at)
}

// getSchema answers the newest schema; clients also ask it to see whether an array exists, where only 200 means yes.
func (a *API) getSchema(r *web.Request, _ []byte) ([]byte, error) {
	arr, err := opened(r, a.vault.OpenSchema)
	if err != nil {
		return nil, err
	}
	return wire.EncodeSchema(arr.Schema())
}

func (a *API) createArray(r *web.Request, body []byte, o once) error {
	s, err := wire.DecodeSchema(body)
	if err != nil {
		return err
	}
	n, err := newAsset(r, r.Param("array"))
	if err != nil {
		return err
	}
	return a.created(r, n, o, func(n catalog.NewAsset) (catalog.Asset, error) {
		return a.vault.CreateArray(r.Context(), r.Grant, n, s)
	})
}

// newAsset says what a create makes at the last part of an address, with the credentials that the client names.
func newAsset(r *web.Request, ref string) (catalog.NewAsset, error) {
	n := catalog.NewAsset{Info: catalog.Info{CredentialsName: r.Header.Get(credentialsHeader)}}
	return n, n.FromRef(ref)
}

// credentialsHeader names the storage credentials of what is created.
const credentialsHeader = "X-TILEDB-CLOUD-ACCESS-CREDENTIALS-NAME"

func (a *API) deleteArray(r *web.Request) error {
	return a.vault.DeleteArray(r.Context(), r.Grant, asset(r))
}

// openActions are what a client opens an array for, and what it must be allowed.
var openActions = map[wire.QueryType]access.Action{
	wire.ReadQuery: access.ArrayRead, wire.WriteQuery: access.ArrayWrite, wire.DeleteQuery: access.ArrayWrite,
	wire.UpdateQuery: access.ArrayWrite, wire.ModifyExclusive: access.ArrayDelete,
}

// openAction decodes the body of an open, which says what the array is opened for.
func (a *API) openAction(r *web.Request) (access.Action, error) {
	body, err := a.message(r, wire.OpenMessage)
	if err != nil {
		return access.NoAction, err
	}
	want, err := wire.DecodeArrayOpen(body)
	r.Decoded = &want
	return openActions[want.Type], err
}

// openArray answers what a client needs to know of an array before it queries it. Fragments are not listed: the server
// finds them at every query. Its body was read by openAction.
func (a *API) openArray(r *web.Request, _ []byte) ([]byte, error) {
	at, err := interval(r)
	if err != nil {
		return nil, err
	}
	want := r.Decoded.(*wire.ArrayOpen)
	open := a.vault.OpenArray
	if want.Type != wire.ReadQuery {
		open = a.newest
	}
	arr, err := open(r.Context(), r.Grant, asset(r), at)
	if err != nil {
		return nil, err
	}
	answer := &wire.Array{Type: want.Type, Start: at.Start, End: at.End, OpenedAt: uint64(time.Now().UnixMilli()), Latest: arr.Schema()}
	if err := fillOpened(r, arr, want, answer); err != nil {
		return nil, err
	}
	return wire.EncodeArray(answer)
}

// fillOpened adds what the client wants to have with the answer to an open.
func fillOpened(r *web.Request, arr *vault.Array, want *wire.ArrayOpen, answer *wire.Array) error {
	latest, every := want.WantsEnumerations()
	var err error
	if latest {
		if answer.Latest, err = arr.WithEnumerations(r.Context(), answer.Latest); err != nil {
			return err
		}
	}
	if answer.Schemas, err = sortedSchemas(r, arr, every); err != nil {
		return err
	}
	if want.Type == wire.ReadQuery && want.WantsNonEmptyDomain() {
		if answer.NonEmptyDomain, err = arr.NonEmptyDomain(r.Context()); err != nil {
			return err
		}
		answer.HasNonEmptyDomain = true
	}
	// A client that opened an array to delete it would write its metadata again at the end, after it is gone.
	if want.Type != wire.ModifyExclusive && want.WantsMetadata() {
		if answer.Metadata, err = arr.Metadata(r.Context()); err != nil {
			return err
		}
		answer.HasMetadata = true
	}
	return nil
}

// loadSchema answers the newest schema and all others.
func (a *API) loadSchema(r *web.Request, body []byte) ([]byte, error) {
	labels, err := wire.DecodeLoadSchema(body)
	if err != nil {
		return nil, err
	}
	arr, err := opened(r, a.vault.OpenSchema)
	if err != nil {
		return nil, err
	}
	all, err := sortedSchemas(r, arr, labels)
	if err != nil {
		return nil, err
	}
	latest := arr.Schema()
	if labels {
		if latest, err = arr.WithEnumerations(r.Context(), latest); err != nil {
			return nil, err
		}
	}
	return wire.EncodeLoadSchema(latest, all)
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

func (a *API) evolve(r *web.Request, body []byte, o once) error {
	e, err := wire.DecodeEvolution(body)
	if err != nil {
		return err
	}
	arr, err := a.vault.OpenSchema(r.Context(), r.Grant, asset(r), array.Latest())
	if err != nil {
		return err
	}
	return o.written(r, arr, vault.Schemas, func(ctx context.Context) error { return arr.Evolve(ctx, *e) })
}

// enumerations answers the labels of the named enumerations, or those of all schemas when none is named.
func (a *API) enumerations(r *web.Request, body []byte) ([]byte, error) {
	names, err := wire.DecodeLoadEnumerations(body)
	if err != nil {
		return nil, err
	}
	arr, err := opened(r, a.vault.OpenSchema)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		all, err := sortedSchemas(r, arr, true)
		if err != nil {
			return nil, err
		}
		return wire.EncodeAllEnumerations(all)
	}
	var found []*schema.Enumeration
	for _, name := range names {
		e, err := arr.Enumeration(r.Context(), name)
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return wire.EncodeEnumerations(found)
}

func (a *API) getMetadata(r *web.Request, _ []byte) ([]byte, error) {
	arr, err := opened(r, a.vault.OpenSchema)
	if err != nil {
		return nil, err
	}
	entries, err := arr.Metadata(r.Context())
	if err != nil {
		return nil, err
	}
	return wire.EncodeMetadata(entries)
}

func (a *API) putMetadata(r *web.Request, body []byte, o once) error {
	at, err := interval(r)
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
	err = o.written(r, arr, vault.Metadata, func(ctx context.Context) error { return arr.PutMetadata(ctx, entries, writeTime(at)) })
	if err != nil {
		return err
	}
	return a.recognise(context.WithoutCancel(r.Context()), r.Grant, asset(r))
}

func (a *API) nonEmptyDomain(r *web.Request, _ []byte) ([]byte, error) {
	arr, err := opened(r, a.vault.OpenArray)
	if err != nil {
		return nil, err
	}
	box, err := arr.NonEmptyDomain(r.Context())
	if err != nil {
		return nil, err
	}
	return wire.EncodeNonEmptyDomain(box, arr.Schema().Domain.Dimensions)
}

func (a *API) fragmentInfo(r *web.Request, _ []byte) ([]byte, error) {
	arr, err := opened(r, a.vault.OpenArray)
	if err != nil {
		return nil, err
	}
	infos, readers, err := arr.FragmentInfos(r.Context())
	if err != nil {
		return nil, err
	}
	fragments := make([]wire.FragmentInfo, len(infos))
	for i, info := range infos {
		fragments[i] = wire.FragmentInfo{Name: info.Name, Start: info.Start, End: info.End, Footer: readers[i].Footer(), NBytes: info.NBytes,
			Consolidated: info.ConsolidatedMetadata}
		if !info.Dense {
			if fragments[i].RTree, err = readers[i].RTree(r.Context()); err != nil {
				return nil, err
			}
		}
	}
	all, err := sortedSchemas(r, arr, false)
	if err != nil {
		return nil, err
	}
	return wire.EncodeFragmentInfo(arr.Schema(), all, fragments, arr.Vacuumed())
}
