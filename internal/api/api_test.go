package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"azulejo/internal/access"
	"azulejo/internal/wire"
)

var update = flag.Bool("update", false, "rewrite golden files")

// sample fills in the parameters of a path with names of things that do not exist.
func sample(path string) string {
	return strings.NewReplacer("{namespace}", "ann", "{array}", "nothing", "{group}", "nothing", "{token}", "nothing", "{file}", "nothing", "{user}", "nobody").Replace(path)
}

// TestScopesOfRoutes is TOK-40: every operation, for each type of query that it takes, under every single scope. A scope
// is denied with 403 and code 4031 before anything is looked up, so nothing of what the paths name has to exist.
func TestScopesOfRoutes(t *testing.T) {
	w := newWorld(t)
	var table strings.Builder
	secrets := map[access.Scope]string{}
	for _, s := range access.AllScopes() {
		if s != access.ScopePasswordReset && s != access.ScopeConfirmEmail {
			secrets[s] = w.Token(w.t, string(s))
		}
	}
	for _, op := range w.server.Operations() {
		types := []string{""}
		if strings.Contains(op.Path, "/query/") && op.Refine != nil {
			types = []string{"?type=READ", "?type=WRITE", "?type=DELETE"}
		}
		for _, query := range types {
			var allowed []string
			for _, s := range access.AllScopes() {
				secret, ok := secrets[s]
				if !ok {
					continue
				}
				status, body := w.call(secret, op.Method, sample(op.Path)+query, nil)
				if !(status == http.StatusForbidden && (strings.Contains(body, "4031") || op.Method == http.MethodHead)) {
					allowed = append(allowed, string(s))
				}
			}
			fmt.Fprintf(&table, "%-7s %-75s %s\n", op.Method, op.Path+query, strings.Join(allowed, " "))
		}
	}
	path := filepath.Join("testdata", "scopes.txt")
	if *update {
		must(t, os.WriteFile(path, []byte(table.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	if err != nil || table.String() != string(want) {
		t.Errorf("the scopes of routes changed (%v); look at them and run with -update:\n%s", err, table.String())
	}
}

func TestOrderOfChecks(t *testing.T) {
	w := newWorld(t)
	w.want(w.Full, post, "/v1/arrays/ann/x", schemaBody(t, lineSchema()), 204, "")
	reader := w.Token(w.t, "array:read")
	for _, c := range []struct {
		name, secret, method, path string
		status                     int
		part                       string
	}{
		{"nobody", "", get, "/v1/arrays/ann/x", 401, "X-TILEDB-REST-API-KEY"},
		{"garbage", "garbage", get, "/v1/arrays/ann/x", 401, ""},
		{"scope before look-up", reader, http.MethodDelete, "/v1/arrays/ann/nothing", 403, "array:admin"},
		{"write scope of a query", reader, post, "/v3/arrays/ann/x" + submitWrite, 403, "array:read-write"},
		{"missing", w.Full, get, "/v1/arrays/ann/nothing", 404, "does not exist"},
		{"another's", w.Other, get, "/v1/arrays/ann/x", 404, "does not exist"},
		{"another's to maintain", w.Other, post, "/v1/arrays/ann/x/consolidate", 404, ""},
		{"write scope of maintenance", reader, post, "/v1/arrays/ann/x/vacuum", 403, "array:read-write"},
		{"admin scope of deletion", reader, post, "/v1/arrays/ann/x/delete_fragments", 403, "array:admin"},
		{"create in another's namespace", w.Other, post, "/v1/arrays/ann/y", 404, ""},
		{"no such namespace", w.Full, post, "/v1/arrays/nobody/y", 404, ""},
		{"no such route", w.Full, get, "/v1/nothing", 404, "no such address"},
		{"wrong method", w.Full, http.MethodPut, "/v1/arrays/ann/x", 405, ""},
		{"no query type", w.Full, post, "/v3/arrays/ann/x/query/submit", 400, "type"},
		{"bad time", w.Full, get, "/v1/arrays/ann/x/array_metadata?start_timestamp=-1", 400, "start_timestamp"},
		{"malformed message", w.Full, post, "/v3/arrays/ann/x" + submitWrite, 400, ""},
		{"token in the address", w.Full, get, "/v1/arrays/ann/x?token=" + w.Full, 400, "header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			if body := w.want(c.secret, c.method, c.path, nil, c.status, c.part); strings.Contains(body, "azj_a") {
				t.Errorf("the reply has a token: %s", body)
			}
		})
	}
}

func TestCapabilitiesNeedNobody(t *testing.T) {
	w := newWorld(t)
	for _, secret := range []string{"", "garbage", w.Full} {
		w.want(secret, get, "/v4/capabilities", nil, 404, "")
	}
}

func TestArrayLife(t *testing.T) {
	w := newWorld(t)
	body := schemaBody(t, lineSchema())
	w.want(w.Full, post, "/v1/arrays/ann/a%2Fb", body, 204, "")
	w.want(w.Full, post, "/v1/arrays/ANN/a%2Fb", body, 409, "already exists")
	w.want(w.Full, get, "/v1/arrays/ann/a%2Fb", nil, 200, "")
	w.want(w.Full, get, "/v1/arrays/ann/a/b", nil, 404, "")
	stored := filepath.Join(w.Allowed, "deep", "a")
	for i, name := range []string{"a", "a-1"} {
		uri := strings.ReplaceAll("file://"+fmt.Sprint(stored, i)[:len(stored)]+fmt.Sprint("/", i, "/a"), "/", "%2F")
		w.want(w.Full, post, "/v1/arrays/ann/"+uri, body, 204, "")
		w.want(w.Full, get, "/v1/arrays/ann/"+name, nil, 200, "")
		w.want(w.Full, get, "/v1/arrays/ann/"+uri, nil, 200, "")
	}
	w.want(w.Full, post, "/v3/arrays/ann/a"+submitWrite, writeBody(t, 2, 4, 7, 8, 9), 200, "")
	answer := w.want(w.Full, get, "/v2/arrays/ann/a/non_empty_domain", nil, 200, "")
	if filled, err := wire.DecodeHasCells([]byte(answer)); err != nil || !filled {
		t.Errorf("after a write the array has cells: %v, %v", filled, err)
	}
	w.want(w.Full, post, "/v3/arrays/ann/a"+submitWrite, writeBody(t, 8, 12, 1, 2, 3, 4, 5), 400, "d")
	w.want(w.Full, post, "/v3/arrays/ann/a"+submitWrite, writeBody(t, 2, 4, 7), 400, "")

	var list []arrayInfo
	must(t, json.Unmarshal([]byte(w.want(w.Full, get, "/v1/arrays/ann", nil, 200, "")), &list))
	if len(list) != 3 {
		t.Fatalf("%d arrays listed: %+v", len(list), list)
	}
	var info arrayInfo
	must(t, json.Unmarshal([]byte(w.want(w.Full, get, "/v1/arrays/ann/a/metadata", nil, 200, "")), &info))
	if info.Name != "a" || info.Namespace != "ann" || info.Type != "dense" || info.TileDBURI != "tiledb://ann/a" || info.CreatedBy != "ann" {
		t.Errorf("info %+v", info)
	}
	w.want(w.Full, get, "/v1/arrays/ann/"+info.ID, nil, 200, "")
	w.want(w.Full, http.MethodPatch, "/v1/arrays/ann/a/metadata", []byte(`{"description":"ten","uri":"tiledb://ann/a","name":"renamed"}`), 204, "")
	w.want(w.Full, get, "/v1/arrays/ann/renamed/metadata", nil, 200, `"description":"ten"`)

	w.want(w.Full, http.MethodDelete, "/v1/arrays/ann/renamed/deregister", nil, 204, "")
	w.want(w.Full, get, "/v1/arrays/ann/renamed", nil, 404, "")
	again := fmt.Sprintf(`{"uri":%q,"name":"back"}`, info.URI)
	w.want(w.Full, post, "/v1/arrays/ann/back/register", []byte(again), 200, `"name":"back"`)
	w.want(w.Full, http.MethodDelete, "/v1/arrays/ann/back", nil, 204, "")
	if _, err := os.Stat(strings.TrimPrefix(info.URI, "file://")); !os.IsNotExist(err) {
		t.Errorf("the deleted array is still in storage: %v", err)
	}
	w.want(w.Full, post, "/v1/arrays/ann/back/register", []byte(again), 404, "")
}

func TestForeignStorageIsRefused(t *testing.T) {
	w := newWorld(t)
	body := schemaBody(t, lineSchema())
	for _, uri := range []string{"/etc/x", "file:///etc/x", w.Allowed + "/../x", "s3://bucket/x"} {
		for _, secret := range []string{w.Full, w.Other} {
			namespace := map[string]string{w.Full: "ann", w.Other: "bob"}[secret]
			status, text := w.call(secret, post, "/v1/arrays/"+namespace+"/"+strings.ReplaceAll(uri, "/", "%2F"), body)
			if status < 400 || status == 500 {
				t.Errorf("create at %s: %d %s", uri, status, text)
			}
		}
	}
	w.want(w.Other, post, "/v1/arrays/bob/"+strings.ReplaceAll(w.Allowed+"/mine", "/", "%2F"), body, 403, "")
}

func TestGroups(t *testing.T) {
	w := newWorld(t)
	w.want(w.Full, http.MethodOptions, "/v2/groups/ann/g", nil, 404, "")
	w.want(w.Full, http.MethodDelete, "/v2/groups/ann/g/delete?recursive=false", nil, 404, "")
	w.want(w.Full, post, "/v1/arrays/ann/x", schemaBody(t, lineSchema()), 204, "")
	w.want(w.Full, http.MethodOptions, "/v2/groups/ann/x", nil, 404, "")
	w.want(w.Full, get, "/v1/groups/browser/owned", nil, 200, `"groups":[]`)
	w.want(w.Full, get, "/v1/arrays/browser/shared", nil, 200, `"arrays":null`)
	w.want(w.Full, get, "/v1/arrays/browser/owned?per_page=1", nil, 200, `"total_items":1`)
	w.want(w.Full, get, "/v1/arrays/browser/owned?per_page=null", nil, 400, `per_page`)
	w.want(w.Full, get, "/v1/groups/browser/shared?page=-1", nil, 400, `page`)
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	var made tokenInfo
	must(t, json.Unmarshal([]byte(w.want(w.Full, post, "/v1/token", []byte(`{"name":"ci","scope":["array:read"]}`), 200, "")), &made))
	w.want(made.Token, get, "/v1/tokens", nil, 403, "user:read")
	list := w.want(w.Full, get, "/v1/tokens", nil, 200, `"name":"ci"`)
	if strings.Contains(list, made.Token) || !strings.Contains(list, made.Token[len(made.Token)-7:]) {
		t.Errorf("the list shows more or less than the last 7 characters: %s", list)
	}
	w.want(w.Full, post, "/v1/token", nil, 200, `"scope":["*"]`)
	w.want(w.Full, post, "/v1/token", []byte(`{"expires":"2001-01-01T00:00:00Z"}`), 400, "past")
	w.want(w.Full, post, "/v1/token", []byte(`{"scope":["nothing"]}`), 400, "")
	w.want(w.Full, get, "/v1/tokens/scopes", nil, 200, "array:read-write")
	w.want(made.Token, http.MethodDelete, "/v1/tokens/ci", nil, 204, "")
	w.want(made.Token, get, "/v1/arrays/ann", nil, 401, "revoked")
	w.want(w.Full, http.MethodDelete, "/v1/tokens/ci", nil, 204, "")
	w.want(w.Full, http.MethodDelete, "/v1/tokens/unknown%2Fname", nil, 404, "")
	w.want(w.Full, get, "/v1/session?remember_me=True", nil, 200, `"kind":"session"`)
	w.want(w.Full, get, "/v1/tokens/session", nil, 200, `"kind":"session"`)
	w.want(w.Full, get, "/v1/user", nil, 200, `"organizations":[]`)
}

func TestPublicTextsNameNoPaths(t *testing.T) {
	for text, want := range map[string]string{
		"open file:///srv/data/storage/1/2/__schema/__1_1_x: corrupt": "open __1_1_x: corrupt",
		"read /srv/a b": "read a b",
		"bounds a/b":    "bounds a/b",
		"d: 5/7 cells":  "d: 5/7 cells",
	} {
		if got := public(fmt.Errorf("%s", text)); got != want {
			t.Errorf("public(%q) = %q, want %q", text, got, want)
		}
	}
}
