package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
	"azulejo/internal/token"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// world is a whole server over a temporary directory with two users, without a listener.
type world struct {
	t      *testing.T
	server *web.Server
	api    *API
	tokens *token.Tokens
	// allowed is the directory that the admin may register arrays from.
	allowed string
	ann     access.Subject
	// full and other are tokens of ann and of bob with every scope.
	full, other string
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
	ctx := context.Background()
	allowed, err := filepath.EvalSymlinks(allowed)
	must(t, err)
	d, err := db.Open(ctx, dbtest.Source(t, filepath.Join(dir, "azulejo.db")))
	must(t, err)
	t.Cleanup(func() { d.Close() })
	accounts := account.New(d, time.Now, 2)
	tokens := token.New(d, time.Now, token.Lives{API: time.Hour, Session: time.Hour, Remember: 24 * time.Hour})
	assets, err := catalog.Open(d, time.Now, dir, []string{allowed}, "ann")
	must(t, err)
	store := vault.New(file.New(), assets, vault.Limits{CacheBytes: 1 << 20, QueryBytes: 64 << 20, TotalBytes: 256 << 20})
	w := &world{tokens: tokens, allowed: allowed}
	w.api = New(Parts{Accounts: accounts, Tokens: tokens, Catalog: assets, Vault: store, Key: bytes.Repeat([]byte{7}, 32), Limits: Limits{MessageBytes: 16 << 20}})
	w.server, err = web.New(web.Options{Now: time.Now, Log: web.NewLog(io.Discard, "error"), Tokens: tokens, Accounts: accounts, Classes: Classes()}, w.api.Operations())
	must(t, err)
	for _, name := range []string{"ann", "bob"} {
		u, err := accounts.Create(ctx, account.NewUser{Name: name, Password: "a long password"})
		must(t, err)
		secret, _, err := tokens.Create(ctx, token.SubjectOf(u), token.NewToken{Name: "test"})
		must(t, err)
		if w.other = secret.Reveal(); name == "ann" {
			w.ann, w.full = token.SubjectOf(u), secret.Reveal()
		}
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// token makes a token of ann's with the given scopes.
func (w *world) token(scopes ...string) string {
	w.t.Helper()
	secret, _, err := w.tokens.Create(context.Background(), w.ann, token.NewToken{Scopes: scopes})
	must(w.t, err)
	return secret.Reveal()
}

// call sends a request and returns status and body.
func (w *world) call(secret, method, path string, body []byte) (int, string) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	if secret != "" {
		r.Header.Set("X-TILEDB-REST-API-Key", secret)
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
