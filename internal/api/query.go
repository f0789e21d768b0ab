package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"azulejo/array"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/schema"
)

// queryOps are the rows of queries. Each route is served in /v1, /v2 and /v3 alike but for the framing: what /v1 answers
// to a submit has no length before it (docs/decisions/020-query-routes.md).
func (a *API) queryOps() []web.Operation {
	var ops []web.Operation
	for _, v := range []struct {
		version string
		submit  wire.Framing
	}{{"/v1", wire.Bare}, {"/v2", wire.Prefixed}, {"/v3", wire.Prefixed}} {
		path := v.version + "/arrays/{namespace}/{array}/query/"
		id := func(name string) string { return name + v.version[1:] }
		ops = append(ops,
			a.query(id("submitQuery"), path+"submit", withCells(a.submit(v.submit, false))),
			a.query(id("finalizeQuery"), path+"finalize", withCells(a.finalize)),
			a.query(id("submitAndFinalizeQuery"), path+"submit_and_finalize", withCells(a.submit(v.submit, true))),
			a.query(id("estimateResultSizes"), path+"est_result_sizes", withCells(a.estimate)),
			a.query(id("queryPlan"), path+"plan", a.messages(form{wire.PlanQueryMessage, wire.QueryPlanMessage}, a.queryPlan)),
		)
	}
	return ops
}

// query is a row whose action depends on the type of the query.
func (a *API) query(id, path string, handle web.Handler) web.Operation {
	return web.Operation{ID: id, Method: http.MethodPost, Path: path, Action: access.ArrayRead, Also: []access.Action{access.ArrayWrite},
		Refine: queryAction, Find: a.findArray, Handle: handle, MaxBody: a.limits.MessageBytes + freeMessage}
}

// withCells refuses queries whose message is JSON: cells follow it, and for both together there is no form.
func withCells(handle web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		if isJSON(r) {
			return fmt.Errorf("%w: cells have no form in JSON; send queries with rest.server_serialization_format=CAPNP, the clients' default", errMediaType)
		}
		return handle(w, r)
	}
}

// queryActions are the values of the parameter "type" of a query and the action each one is.
var queryActions = map[string]access.Action{
	"READ": access.ArrayRead, "WRITE": access.ArrayWrite, "DELETE": access.ArrayWrite, "UPDATE": access.ArrayWrite,
}

// queryAction says what a query does, by its address alone; the body must agree (queryFits).
func queryAction(r *web.Request) (access.Action, error) {
	name := r.Query().Get("type")
	action, ok := queryActions[name]
	if !ok {
		return access.NoAction, fmt.Errorf("%w: type=%q is none of READ, WRITE, DELETE", web.ErrBadRequest, name)
	}
	return action, nil
}

// queryFits refuses a body that does something else than its address says.
func queryFits(q *wire.Query, r *web.Request) error {
	if name := r.Query().Get("type"); q.Type.String() != name {
		return fmt.Errorf("%w: the address says type=%s, the query is %v", web.ErrBadRequest, name, q.Type)
	}
	return nil
}

// interval reads the time range of an address: start_timestamp and end_timestamp in milliseconds, absent for the
// beginning and now.
func interval(r *web.Request) (array.Interval, error) {
	at := array.Latest()
	for name, bound := range map[string]*uint64{"start_timestamp": &at.Start, "end_timestamp": &at.End} {
		text := r.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return at, fmt.Errorf("%w: %s=%q is not a time in milliseconds", web.ErrBadRequest, name, text)
		}
		*bound = n
	}
	return at, nil
}

// writeTime returns the timestamp of what is written in an interval: its end, or 0 for the time of writing.
func writeTime(at array.Interval) uint64 {
	if at.End == array.Now {
		return 0
	}
	return at.End
}

// queryTime returns the timestamp of what a query writes: the address has it, but for the routes that end a write, where
// only the message does.
func queryTime(r *web.Request, q *wire.Query) (uint64, error) {
	at, err := interval(r)
	if r.Query().Get("end_timestamp") == "" && q.OpenedAt != 0 {
		at.End = q.OpenedAt
	}
	return writeTime(at), err
}

// submit answers a query. last tells that the request ends a write in global order.
func (a *API) submit(framing wire.Framing, last bool) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		if r.Action == access.ArrayRead {
			return a.read(w, r, framing)
		}
		watchBody(r)
		arr, q, err := decoded(r, a.newest)
		if err != nil {
			return err
		}
		switch {
		case q.Type == wire.DeleteQuery:
			return a.deleteCells(w, r, q, framing)
		case inFields(q, arr.Schema()):
			return a.upload(w, r, q, framing, false)
		default:
			return a.write(w, r, q, framing, last)
		}
	}
}

// newest returns what opens an array for a request that changes it: whatever the time, that begins with the newest schema.
func (a *API) newest(ctx context.Context, g access.Grant, x catalog.Asset, _ array.Interval) (*vault.Array, error) {
	return a.vault.OpenSchema(ctx, g, x, array.Latest())
}

// decoded opens the array of a request and decodes the query that is the body, up to its buffers.
func decoded(r *web.Request, open opener) (*vault.Array, *wire.Query, error) {
	arr, err := opened(r, open)
	if err != nil {
		return nil, nil, err
	}
	q, err := wire.DecodeQuery(r.Body, arr.Schema())
	if err != nil {
		return nil, nil, err
	}
	return arr, q, queryFits(q, r)
}

// write carries out a write query and answers once its cells are on disk.
func (a *API) write(w http.ResponseWriter, r *web.Request, q *wire.Query, framing wire.Framing, last bool) error {
	if q.Layout == schema.GlobalOrder && (!last || q.Session != "") {
		return a.upload(w, r, q, framing, last)
	}
	leave, err := a.columns(r, q)
	if err != nil {
		return err
	}
	defer leave()
	arr, err := opened(r, a.vault.OpenArray)
	if err != nil {
		return err
	}
	if q.Write.Timestamp, err = queryTime(r, q); err != nil {
		return err
	}
	once, err := a.begin(r, q)
	if err != nil {
		return err
	}
	began := time.Now()
	made, err := writeOnce(r, arr, q.Write, once)
	if err != nil {
		return errors.Join(err, once.failed(r, err))
	}
	q.Took = time.Since(began)
	reply, err := q.EncodeWritten(framing, made, "")
	if err == nil {
		err = send(w, r, reply)
	}
	return errors.Join(err, once.answered(w, r, len(made) > 0, err))
}

// deleteCells deletes the cells that meet the condition of a query.
func (a *API) deleteCells(w http.ResponseWriter, r *web.Request, q *wire.Query, framing wire.Framing) error {
	arr, err := opened(r, a.vault.OpenArray)
	if err != nil {
		return err
	}
	at, err := queryTime(r, q)
	if err != nil {
		return err
	}
	once, err := a.beginChange(r)
	if err != nil {
		return err
	}
	err = once.written(r, arr, vault.Commits, func(ctx context.Context) error { return arr.Delete(ctx, q.Delete, at) })
	if err != nil {
		return errors.Join(err, once.refused(r))
	}
	reply, err := q.EncodeDone(framing)
	if err == nil {
		err = send(w, r, reply)
	}
	return errors.Join(err, once.answered(w, r, true, err))
}

// finalize answers what clients send after every write. The cells were committed by the submit, so the data that comes
// along once more is not read.
func (a *API) finalize(w http.ResponseWriter, r *web.Request) error {
	open := a.newest
	if r.Action == access.ArrayRead {
		open = a.vault.OpenSchema
	}
	_, q, err := decoded(r, open)
	if err != nil {
		return err
	}
	if q.Session != "" && q.Layout == schema.GlobalOrder {
		return a.upload(w, r, q, wire.Bare, true)
	}
	// The client sends the cells once more. Left unread, they would make the connection end, which a proxy takes for a failure.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	if q.Session != "" {
		return a.endFields(w, r, q)
	}
	reply, err := q.EncodeDone(wire.Bare)
	if err != nil {
		return err
	}
	return send(w, r, reply)
}

// estimate answers how many bytes a read would return.
func (a *API) estimate(w http.ResponseWriter, r *web.Request) error {
	arr, q, err := decoded(r, a.vault.OpenArray)
	if err != nil {
		return err
	}
	if q.Type != wire.ReadQuery {
		return fmt.Errorf("%w: only reads have result sizes", web.ErrBadRequest)
	}
	sizes, err := arr.Estimate(r.Context(), q.Read, selection(q))
	if err != nil {
		return err
	}
	body, err := q.EncodeEstimates(sizes)
	if err != nil {
		return err
	}
	return sendMessage(w, r, body)
}

// queryPlan answers how a query would be carried out.
func (a *API) queryPlan(r *web.Request, body []byte) ([]byte, error) {
	open := a.newest
	if r.Action == access.ArrayRead {
		open = a.vault.OpenSchema
	}
	arr, err := opened(r, open)
	if err != nil {
		return nil, err
	}
	q, err := wire.DecodePlanQuery(body, arr.Schema())
	if err != nil {
		return nil, err
	}
	if err := queryFits(q, r); err != nil {
		return nil, err
	}
	return q.EncodeQueryPlan()
}
