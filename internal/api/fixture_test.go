package api

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/oracle/servertest"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
)

// world is a whole server over a temporary directory with two users, without a listener.
type world struct {
	t *testing.T
	*servertest.Parts
	server *web.Server
	api    *API
	// contentType is what call sends as the type of the body.
	contentType string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := newWorldIn(t, t.TempDir(), t.TempDir())
	w.t = t
	return w
}

// newWorldIn is newWorld for tests and benchmarks, with the data and the allowed directory given.
func newWorldIn(t testing.TB, dir, allowed string) *world {
	t.Helper()
	w := &world{Parts: servertest.NewIn(t, dir, allowed)}
	w.api = New(Parts{Accounts: w.Accounts, Tokens: w.Tokens, Catalog: w.Catalog, Vault: w.Vault, Uses: w.Uses, Usage: w.Usage, Spool: w.Spool, Repeats: w.Repeats, Key: bytes.Repeat([]byte{7}, 32),
		Invites: w.Invites, Secrets: w.Secrets, Factors: w.Factors, Letters: w.Letters, Limits: Limits{MessageBytes: 16 << 20, SpoolFrom: 256 << 10}})
	var err error
	w.server, err = web.New(web.Options{Now: time.Now, Log: web.NewLog(io.Discard, "error"), Tokens: w.Tokens, Accounts: w.Accounts, Classes: Classes(), Done: w.api.Done, Admit: w.api.Admit, Factors: w.Factors}, w.api.Operations())
	must(t, err)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	servertest.Must(t, err)
}

// call sends a request and returns status and body.
func (w *world) call(secret, method, path string, body []byte) (int, string) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	if secret != "" {
		r.Header.Set("X-TILEDB-REST-API-Key", secret)
	}
	if w.contentType != "" {
		r.Header.Set("Content-Type", w.contentType)
	}
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, r)
	if recorder.Code < 300 && recorder.Header().Get("Location") != "" {
		w.t.Errorf("%s %s: status %d with a Location", method, path, recorder.Code)
	}
	return recorder.Code, recorder.Body.String()
}

// want is call with a check of the status and of a part of the body.
func (w *world) want(secret, method, path string, body []byte, status int, part string) string {
	w.t.Helper()
	got, text := w.call(secret, method, path, body)
	if got != status || !strings.Contains(text, part) {
		w.t.Errorf("%s %s: %d %s, want %d with %q", method, path, got, text, status, part)
	}
	return text
}

// lineSchema is a dense array of ten cells with one attribute "a".
func lineSchema() *schema.Array {
	none := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}
	return &schema.Array{Version: 22, Type: schema.Dense, Capacity: 100, CoordsFilters: none, OffsetsFilters: none, ValidityFilters: none,
		Domain: schema.Domain{Dimensions: []schema.Dimension{{Name: "d", Type: datatype.Int64, CellValNum: 1,
			Domain: datatype.Bytes([]int64{0, 9}), Extent: datatype.Bytes([]int64{5})}}},
		Attributes: []schema.Attribute{{Name: "a", Type: datatype.Int32, CellValNum: 1, Fill: schema.DefaultFill(datatype.Int32, 1)}}}
}

func schemaBody(t *testing.T, s *schema.Array) []byte {
	t.Helper()
	body, err := wire.EncodeSchema(s)
	must(t, err)
	return body
}

// writeBody is the submit of values at cells lo to hi of lineSchema.
func writeBody(t *testing.T, lo, hi int64, values ...int32) []byte {
	t.Helper()
	reply, err := wire.EncodeWriteRequest(&query.Write{Layout: schema.RowMajor,
		Subarray: query.Subarray{Ranges: [][]schema.Range{{{Lo: datatype.Bytes([]int64{lo}), Hi: datatype.Bytes([]int64{hi})}}}},
		Columns:  []query.Column{{Name: "a", Data: datatype.Bytes(values)}}}, lineSchema())
	must(t, err)
	var body bytes.Buffer
	_, err = reply.WriteTo(&body)
	must(t, err)
	return body.Bytes()
}

const (
	submitWrite = "/query/submit?type=WRITE"
	get, post   = http.MethodGet, http.MethodPost
)
