package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
	"azulejo/internal/token"
)

var ctx = context.Background()

// logBuffer is a log that tests read while the server writes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a server with the users ann and bob over a real database.
type world struct {
	*Server
	t        testing.TB
	clock    *time.Time
	log      *logBuffer
	tokens   *token.Tokens
	accounts *account.Accounts
	ann, bob access.Subject
	opened   []string // what handlers were called
}

const annsPassword = "password of ann"

func newWorld(t testing.TB, more ...Operation) *world {
	t.Helper()
	w := &world{t: t, clock: new(time.Time), log: &logBuffer{}}
	*w.clock = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	now := func() time.Time { return *w.clock }
	d, err := db.Open(ctx, dbtest.Source(t, filepath.Join(t.TempDir(), "a.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	w.tokens = token.New(d, now, token.Lives{API: 30 * time.Minute, Session: 30 * time.Minute, Remember: 720 * time.Hour})
	w.accounts = account.New(d, now, 1)
	for name, s := range map[string]*access.Subject{"ann": &w.ann, "bob": &w.bob} {
		u, err := w.accounts.Create(ctx, account.NewUser{Name: name, Password: "password of " + name})
		if err != nil {
			t.Fatal(err)
		}
		*s = token.SubjectOf(u)
	}
	w.Server, err = New(Options{Now: now, Log: NewLog(w.log, "debug"), Tokens: w.tokens, Accounts: w.accounts, MaxJSON: 1000}, append(w.table(), more...))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// table is a small API: arrays of which ann owns "mine" and bob "his".
func (w *world) table() []Operation {
	find := func(r *Request) (access.Object, error) {
		owner := map[string]access.Subject{"ann": w.ann, "bob": w.bob}[r.Param("namespace")]
		if r.Param("array") != "mine" && r.Param("array") != "his" || owner.UserID == "" {
			return access.Object{}, catalog.ErrNotFound
		}
		return access.Object{Kind: access.Array, ID: "a", NamespaceID: owner.NamespaceID}, nil
	}
	done := func(rw http.ResponseWriter, r *Request) error {
		w.opened = append(w.opened, r.Op.ID)
		return JSON(rw, r, 200, map[string]string{"user": r.Subject.Namespace, "array": r.Param("array"), "action": r.Action.String()})
	}
	return []Operation{
		{ID: "read", Method: "GET", Path: "/v1/arrays/{namespace}/{array}", Action: access.ArrayRead, Find: find, Handle: done},
		{ID: "open", Method: "POST", Path: "/v2/arrays/{namespace}/{array}", Action: access.ArrayRead, Find: find, Handle: done},
		{ID: "write", Method: "POST", Path: "/v1/arrays/{namespace}/{array}", Action: access.ArrayWrite, Find: find, Handle: done},
		{ID: "submit", Method: "POST", Path: "/v3/arrays/{namespace}/{array}/query/submit", Action: access.ArrayRead, Also: []access.Action{access.ArrayWrite},
			Refine: func(r *Request) (access.Action, error) {
				if r.URL.Query().Get("type") == "WRITE" {
					return access.ArrayWrite, nil
				}
				return access.ArrayRead, nil
			}, Find: find, Handle: done},
		{ID: "share", Method: "PATCH", Path: "/v1/arrays/{namespace}/{array}/share", Action: access.ArrayShare, Find: find},
		{ID: "favorites", Method: "GET", Path: "/v1/arrays/favorites/{name}", Action: access.SelfRead, Handle: done},
		{ID: "user", Method: "GET", Path: "/v1/user", Action: access.SelfRead, Handle: done},
		{ID: "revoke", Method: "DELETE", Path: "/v1/tokens/{token}", Action: access.TokenRevoke, Secret: true,
			Handle: func(rw http.ResponseWriter, r *Request) error {
				if err := w.tokens.Revoke(r.Context(), r.Subject, r.Param("token"), r.Origin()); err != nil {
					return err
				}
				rw.WriteHeader(http.StatusNoContent)
				return nil
			}},
		{ID: "capabilities", Method: "GET", Path: "/v4/capabilities", Action: access.Public,
			Handle: func(http.ResponseWriter, *Request) error { return access.ErrNotFound }},
		{ID: "page", Method: "GET", Path: "/", Action: access.Public, Page: true, Handle: done},
		{ID: "page-post", Method: "POST", Path: "/sign-in", Action: access.Public, Page: true, Handle: done},
	}
}

func (w *world) secret(by access.Subject, scopes ...string) string {
	w.t.Helper()
	if len(scopes) == 0 {
		scopes = []string{"*"}
	}
	s, _, err := w.tokens.Create(ctx, by, token.NewToken{Scopes: scopes})
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Reveal()
}

type header map[string]string

func key(secret string) header { return header{"X-TILEDB-REST-API-Key": secret} }

func basic(name, password string) header {
	return header{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))}
}

// do sends a request as the network would: the target is parsed from its text.
func (w *world) do(method, target string, h header, body ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(strings.Join(body, "")))
	for k, v := range h {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

func (w *world) want(rec *httptest.ResponseRecorder, status int, what string) {
	w.t.Helper()
	if rec.Code != status {
		w.t.Errorf("%s: status %d, want %d: %s", what, rec.Code, status, rec.Body)
	}
	if status < 400 {
		return
	}
	var e errorBody
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || e.Message == "" || e.Code == 0 || e.RequestID != rec.Header().Get("X-Request-Id") {
		w.t.Errorf("%s: body %s, %v", what, rec.Body, err)
	}
	if status == 503 || rec.Header().Get("Retry-After") != "" || rec.Header().Get("Location") != "" {
		w.t.Errorf("%s: clients would retry or follow: %v", what, rec.Header())
	}
}

// Authentication, scope, sight, permission, built: each case would also fail at
// every later step.
func TestOrderOfChecks(t *testing.T) {
	w := newWorld(t)
	all, ro := w.secret(w.ann), w.secret(w.ann, "array:read")
	for _, tc := range []struct {
		name, method, path string
		h                  header
		status             int
	}{
		{"nobody", "PATCH", "/v1/arrays/bob/nothing/share", nil, 401},
		{"scope", "PATCH", "/v1/arrays/bob/nothing/share", key(ro), 403},
		{"missing", "PATCH", "/v1/arrays/ann/nothing/share", key(all), 404},
		{"foreign", "PATCH", "/v1/arrays/bob/his/share", key(all), 404},
		{"not built", "PATCH", "/v1/arrays/ann/mine/share", key(all), 501},
		{"read", "GET", "/v1/arrays/ann/mine", key(ro), 200},
		{"write without scope", "POST", "/v1/arrays/ann/mine", key(ro), 403},
		{"write by query type", "POST", "/v3/arrays/ann/mine/query/submit?type=WRITE", key(ro), 403},
		{"read by query type", "POST", "/v3/arrays/ann/mine/query/submit?type=READ", key(ro), 200},
		{"capabilities with a bad token", "GET", "/v4/capabilities", key("azj_bad"), 404},
		{"no route", "GET", "/v1/nothing", nil, 404},
		{"no method", "PUT", "/v1/user", nil, 405},
		{"odd method", "BREW", "/v1/user", nil, 405},
	} {
		w.want(w.do(tc.method, tc.path, tc.h), tc.status, tc.name)
	}
	if got := fmt.Sprint(w.opened); got != "[read submit]" {
		t.Errorf("handlers called: %s", got)
	}
	scope := w.do("POST", "/v1/arrays/bob/his", key(ro))
	if !strings.Contains(scope.Body.String(), "array:read-write") {
		t.Errorf("the message does not name the scope: %s", scope.Body)
	}
	missing, foreign := w.do("GET", "/v1/arrays/bob/nothing", key(all)), w.do("GET", "/v1/arrays/bob/his", key(all))
	strip := func(rec *httptest.ResponseRecorder, name string) string {
		var e errorBody
		json.Unmarshal(rec.Body.Bytes(), &e)
		return strings.ReplaceAll(e.Message, name, "")
	}
	if strip(missing, "nothing") != strip(foreign, "his") {
		t.Errorf("%s and %s can be told apart", missing.Body, foreign.Body)
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	good := w.secret(w.ann)
	bobs := w.secret(w.bob)
	b64 := base64.StdEncoding.EncodeToString([]byte("ann:" + annsPassword))
	for _, tc := range []struct {
		name   string
		h      header
		status int
		user   string
	}{
		{"header", key(good), 200, "ann"},
		{"lower case header", header{"x-tiledb-rest-api-key": good}, 200, "ann"},
		{"bearer", header{"Authorization": "Bearer " + good}, 200, "ann"},
		{"basic", basic("ANN", annsPassword), 200, "ann"},
		{"bare base64", header{"Authorization": b64}, 200, "ann"},
		{"header wins", header{"X-TILEDB-REST-API-KEY": bobs, "Authorization": "Basic " + b64}, 200, "bob"},
		{"bad header wins too", header{"X-TILEDB-REST-API-KEY": "bad", "Authorization": "Basic " + b64}, 401, ""},
		{"empty header", key(""), 401, ""},
		{"blank header", key("  "), 401, ""},
		{"none", nil, 401, ""},
		{"wrong password", basic("ann", "wrong password"), 401, ""},
		{"unknown user", basic("nobody", "wrong password"), 401, ""},
		{"not base64", header{"Authorization": "Basic !"}, 401, ""},
		{"odd scheme", header{"Authorization": "Digest x=y"}, 401, ""},
		{"s3", header{"Authorization": "AWS4-HMAC-SHA256 Credential=" + good + "/20270102/x/s3/aws4_request"}, 401, ""},
		{"token as basic", basic("token", good), 401, ""},
	} {
		rec := w.do("GET", "/v1/user", tc.h)
		w.want(rec, tc.status, tc.name)
		if tc.user != "" && !strings.Contains(rec.Body.String(), `"user":"`+tc.user+`"`) {
			t.Errorf("%s: %s", tc.name, rec.Body)
		}
	}
	r := httptest.NewRequest("GET", "/v1/user", nil)
	r.Header["X-Tiledb-Rest-Api-Key"] = []string{good, bobs}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	w.want(rec, 401, "two token headers")
}

func TestTOK34_LimitOverHTTP(t *testing.T) {
	w := newWorld(t)
	good := w.secret(w.ann)
	var last *httptest.ResponseRecorder
	for range 30 {
		last = w.do("GET", "/v1/user", key("bad"))
	}
	w.want(last, 429, "the 30th bad token")
	w.want(w.do("GET", "/v1/user", key(good)), 200, "a good token")
	for range 21 {
		last = w.do("GET", "/v1/user", basic("bob", "wrong"))
	}
	w.want(last, 429, "the 21st bad password")
	w.want(w.do("GET", "/v1/user", basic("ann", annsPassword)), 200, "another user")
}

func TestRouting(t *testing.T) {
	w := newWorld(t)
	for target, want := range map[string]string{
		"/v1/arrays/ann/plain":                                "read: ann plain",
		"/v1/arrays/ann/a%2Fb":                                "read: ann a/b",
		"/v1/arrays/ann/file%3A%2F%2F%2Ftmp%2Fx":              "read: ann file:///tmp/x",
		"/v1/arrays/ann/s3%3A%2F%2Fb%2Fdir%2F":                "read: ann s3://b/dir/",
		"/v1/arrays/ann/100%25":                               "read: ann 100%",
		"/v1/arrays/ann/%2525":                                "read: ann %25",
		"/v1/arrays/ann/a%252Fb":                              "read: ann a%2Fb",
		"/v1/arrays/ann/a%20b+c":                              "read: ann a b+c",
		"/v1/arrays/ann/%C3%A9":                               "read: ann é",
		"/v1/arrays/ann/a:b@c;d=e,f":                          "read: ann a:b@c;d=e,f",
		"/v1/arrays/ann/..":                                   "read: ann ..",
		"/v1/arrays/ann/.":                                    "read: ann .",
		"/v1/arrays/ann/%2E%2E":                               "read: ann ..",
		"/v1/arrays/ann/a%2F%2Fb":                             "read: ann a//b",
		"/v1/arrays/ann/x/?start_timestamp=0":                 "read: ann x",
		"/v1/arrays/ann/x?y=/z/":                              "read: ann x",
		"//v1/arrays/ann/x":                                   "read: ann x",
		"/v1/arrays/favorites/x":                              "favorites: x",
		"/v1/arrays/ann/favorites":                            "read: ann favorites",
		"/v1/arrays/ann/":                                     "none",
		"/v1/arrays/ann//":                                    "none",
		"/v1/arrays//x":                                       "none",
		"/v1//arrays/ann/x":                                   "none",
		"/v1/arrays/ann/a/b":                                  "none",
		"/v1/arrays/ann/../bob/x":                             "none",
		"/v1/arrays/ann/%FF":                                  "none",
		"/V1/arrays/ann/x":                                    "none",
		"/v1/arrays/ann/c7ca7ca9-db11-4b04-b891-a32b4f5e0100": "read: ann c7ca7ca9-db11-4b04-b891-a32b4f5e0100",
		"/":  "page:",
		"//": "page:",
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		got := "none"
		if m := w.route("GET", u); m.op != nil {
			got = m.op.ID + ":"
			for _, p := range m.params {
				got += " " + p.value
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	w.want(w.do("HEAD", "/v1/user", key(w.secret(w.ann))), 200, "HEAD of a GET row")
	rec := w.do("DELETE", "/v1/arrays/ann/x", nil)
	if !strings.Contains(rec.Body.String(), "GET, POST") {
		t.Errorf("405 does not name the methods: %s", rec.Body)
	}
	want := "GET, POST, HEAD"
	if got := rec.Header().Get("Allow"); rec.Code != http.StatusMethodNotAllowed || got != want {
		t.Errorf("405 is %d and allows %q, want %q", rec.Code, got, want)
	}
	if rec := w.do("OPTIONS", "/v1/arrays/ann/x", nil); rec.Code != http.StatusNoContent || rec.Header().Get("Allow") != want {
		t.Errorf("OPTIONS is %d and allows %q", rec.Code, rec.Header().Get("Allow"))
	}
}

// A real server and client: the path on the wire reaches the parameter intact.
func TestRoutingOverTheWire(t *testing.T) {
	w := newWorld(t, Operation{ID: "echo", Method: "GET", Path: "/echo/{x}", Action: access.Public,
		Handle: func(rw http.ResponseWriter, r *Request) error { return JSON(rw, r, 200, r.Param("x")) }})
	srv := httptest.NewServer(w)
	defer srv.Close()
	for _, name := range []string{"a/b", "100%", "%2F", "a b", "..", ".", "é", "a//b", "?#", "+", "my/tok en?#é", "s3://bucket/dir/arr"} {
		escaped := strings.NewReplacer(".", "%2E").Replace(url.PathEscape(name))
		resp, err := http.Get(srv.URL + "/echo/" + escaped + "/?a=b")
		if err != nil {
			t.Fatal(err)
		}
		var got string
		err = json.NewDecoder(resp.Body).Decode(&got)
		resp.Body.Close()
		if err != nil || got != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func FuzzRoute(f *testing.F) {
	for _, s := range []string{"/v1/arrays/ann/a%2Fb", "//v1/user/", "/v1/arrays/%2e%2e/%00", "/%", "/v1/arrays/a/%25"} {
		f.Add(s)
	}
	w := &world{}
	s, err := New(Options{Log: slog.New(slog.DiscardHandler)}, w.table())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		m := s.route("GET", u)
		if m.op == nil {
			return
		}
		for _, p := range m.params {
			if p.value == "" {
				t.Errorf("%q: empty parameter", target)
			}
		}
		// Escaping the parameters again leads to the same row and the same values.
		again := m.op.Path
		for _, p := range m.params {
			again = strings.Replace(again, "{"+p.key+"}", strings.ReplaceAll(url.PathEscape(p.value), "%", "\x00"), 1)
		}
		u2, err := url.ParseRequestURI(strings.ReplaceAll(again, "\x00", "%"))
		if err != nil {
			t.Fatal(err)
		}
		if m2 := s.route("GET", u2); m2.op != m.op && m.op.ID != "read" || fmt.Sprint(m2.params) != fmt.Sprint(m.params) && m2.op == m.op {
			t.Errorf("%q gives %v, its normal form %v", target, m.params, m2.params)
		}
	})
}

func TestTableIsChecked(t *testing.T) {
	handle := func(http.ResponseWriter, *Request) error { return nil }
	find := func(*Request) (access.Object, error) { return access.Object{}, nil }
	good := Operation{ID: "a", Method: "GET", Path: "/a", Action: access.Public, Handle: handle}
	for name, change := range map[string]func(*Operation){
		"no action":      func(o *Operation) { o.Action = access.NoAction },
		"no look-up":     func(o *Operation) { o.Action = access.ArrayRead },
		"no id":          func(o *Operation) { o.ID = "" },
		"odd method":     func(o *Operation) { o.Method = "BREW" },
		"relative":       func(o *Operation) { o.Path = "a" },
		"trailing slash": func(o *Operation) { o.Path = "/a/" },
		"also bad": func(o *Operation) {
			o.Also = []access.Action{0}
			o.Refine = func(*Request) (access.Action, error) { return 0, nil }
		},
		"also, no choice": func(o *Operation) { o.Also = []access.Action{access.Public} },
	} {
		bad := good
		change(&bad)
		if _, err := New(Options{}, []Operation{bad}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	withFind := good
	withFind.Action, withFind.Find = access.ArrayRead, find
	if _, err := New(Options{}, []Operation{withFind}); err != nil {
		t.Error(err)
	}
	twice := good
	twice.ID = "b"
	if _, err := New(Options{}, []Operation{good, twice}); err == nil {
		t.Error("two rows for one address")
	}
}

func TestTokensNeverInURLs(t *testing.T) {
	w := newWorld(t)
	good := w.secret(w.ann)
	for _, q := range []string{"token=" + good, "x=" + good, good, "x=" + strings.Replace(good, "azj_", "%61zj%5F", 1), "access_token=x", "API_KEY="} {
		w.want(w.do("GET", "/v1/user?"+q, key(good)), 400, q)
	}
	w.want(w.do("GET", "/v1/user?type=api", key(good)), 200, "an ordinary query")
}

// TOK-38: nothing that was sent or made in a test shows up in the log.
func TestTOK38_LogHoldsNoSecret(t *testing.T) {
	w := newWorld(t, Operation{ID: "spill", Method: "POST", Path: "/spill", Action: access.SelfRead, Handle: func(_ http.ResponseWriter, r *Request) error {
		return fmt.Errorf("spilled %s", r.Header.Get("X-TILEDB-REST-API-Key"))
	}}, Operation{ID: "panics", Method: "POST", Path: "/panics", Action: access.SelfRead, Handle: func(_ http.ResponseWriter, r *Request) error {
		panic("with " + r.Header.Get("X-TILEDB-REST-API-Key"))
	}})
	good := w.secret(w.ann)
	w.want(w.do("POST", "/spill", key(good)), 500, "spill")
	w.want(w.do("POST", "/panics", key(good)), 500, "panic")
	w.do("GET", "/v1/user?x="+good, key(good))
	w.do("GET", "/v1/arrays/ann/"+good, key(good))
	w.do("GET", "/v1/arrays/ann/"+strings.Replace(good, "azj", "%61zj", 1), key(good))
	w.do("GET", "/no/such/"+good, nil)
	w.do("GET", "/v1/user", basic("ann", annsPassword))
	w.do("GET", "/v1/user", header{"Authorization": "AWS4-HMAC-SHA256 Credential=" + good + "/x"})
	w.do("DELETE", "/v1/tokens/my%20private%20name", key(good))
	w.want(w.do("DELETE", "/v1/tokens/"+good, key(good)), 204, "revoke by secret")
	w.want(w.do("GET", "/v1/user", key(good)), 401, "after")
	log := w.log.String()
	b64 := base64.StdEncoding.EncodeToString([]byte("ann:" + annsPassword))
	for _, secret := range []string{good, good[6:30], annsPassword, b64, "private"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
	for _, want := range []string{"operation=revoke", "path=/v1/tokens/REDACTED", "status=204", "user=ann", "operation=panics", "azj_REDACTED"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
}

func TestErrorsThatTellNothing(t *testing.T) {
	errEngine := errors.New("array does not exist")
	fail := func(err error) Operation {
		return Operation{ID: "fail", Method: "GET", Path: "/fail", Action: access.Public, Handle: func(http.ResponseWriter, *Request) error { return err }}
	}
	for _, tc := range []struct {
		err    error
		status int
		says   string
		not    string
	}{
		{errors.New("open /secret/path: no"), 500, "request id", "/secret"},
		{errors.Join(fmt.Errorf("x %w", catalog.ErrExists), errors.New("remove /secret/path")), 409, "already exists", "/secret"},
		{fmt.Errorf("%w: bad page", ErrBadRequest), 400, "bad page", ""},
		{fmt.Errorf("s3:// %w", catalog.ErrUnsupported), 501, "not supported yet", ""},
		{context.Canceled, 499, "went away", ""},
	} {
		w := newWorld(t, fail(tc.err))
		rec := w.do("GET", "/fail", nil)
		w.want(rec, tc.status, tc.err.Error())
		if !strings.Contains(rec.Body.String(), tc.says) || tc.not != "" && strings.Contains(rec.Body.String(), tc.not) {
			t.Errorf("%v: %s", tc.err, rec.Body)
		}
	}
	s, err := New(Options{Log: slog.New(slog.DiscardHandler), Classes: []Class{{Err: errEngine, Status: 410, Code: 7,
		Message: func(error) string { return "gone" }}}}, []Operation{fail(fmt.Errorf("uri x: %w", errEngine))})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest("GET", "/fail", nil))
	if rec.Code != 410 || !strings.Contains(rec.Body.String(), `"code":7,"message":"gone"`) {
		t.Errorf("the caller's class: %d %s", rec.Code, rec.Body)
	}
}

func TestBodies(t *testing.T) {
	var got struct{ Name string }
	var decodeErr error
	w := newWorld(t, Operation{ID: "json", Method: "POST", Path: "/json", Action: access.Public, Handle: func(rw http.ResponseWriter, r *Request) error {
		got.Name = ""
		if decodeErr = r.DecodeJSON(&got); decodeErr != nil {
			return decodeErr
		}
		return JSON(rw, r, 200, got)
	}}, Operation{ID: "big", Method: "POST", Path: "/big", Action: access.Public, MaxBody: 5000, Handle: func(rw http.ResponseWriter, r *Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}})
	for _, tc := range []struct {
		path, body string
		status     int
		name       string
	}{
		{"/json", `{"name":"x","unknown":1}`, 200, "x"},
		{"/json", ``, 200, ""},
		{"/json", ` `, 200, ""},
		{"/json", `{}`, 200, ""},
		{"/json", `{`, 400, ""},
		{"/json", `{} {}`, 400, ""},
		{"/json", `{"name":1}`, 400, ""},
		{"/json", `{"name":"` + strings.Repeat("x", 1000) + `"}`, 413, ""},
		{"/big", strings.Repeat("x", 5000), 200, ""},
		{"/big", strings.Repeat("x", 5001), 413, ""},
	} {
		rec := w.do("POST", tc.path, nil, tc.body)
		w.want(rec, tc.status, tc.body)
		if got.Name != tc.name {
			t.Errorf("%s: name %q", tc.body, got.Name)
		}
	}
	// Of unknown length: refused once it is too long.
	r := httptest.NewRequest("POST", "/big", io.MultiReader(strings.NewReader(strings.Repeat("x", 6000))))
	r.ContentLength = -1
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	w.want(rec, 413, "chunked")
}

func TestHeadersAndCompression(t *testing.T) {
	long := strings.Repeat("long text ", 1000)
	w := newWorld(t, Operation{ID: "long", Method: "GET", Path: "/long", Action: access.Public, Handle: func(rw http.ResponseWriter, r *Request) error {
		rw.Header().Set("Location", "http://evil.example/")
		return JSON(rw, r, 200, long)
	}}, Operation{ID: "raw", Method: "GET", Path: "/raw", Action: access.Public, Handle: func(rw http.ResponseWriter, _ *Request) error {
		rw.Header().Set("Location", "http://evil.example/")
		_, err := io.WriteString(rw, long)
		return err
	}}, Operation{ID: "redirect", Method: "GET", Path: "/redirect", Action: access.Public, Handle: func(rw http.ResponseWriter, r *Request) error {
		http.Redirect(rw, r.Request, "/x", http.StatusTemporaryRedirect)
		return nil
	}}, Operation{ID: "nothing", Method: "GET", Path: "/nothing", Action: access.Public, Handle: func(http.ResponseWriter, *Request) error { return nil }})
	for _, accept := range []string{"identity", "", "gzip;q=0", "gzip; q=0.0", "br", "gzip;q=x"} {
		if rec := w.do("GET", "/long", header{"Accept-Encoding": accept}); rec.Header().Get("Content-Encoding") != "" || rec.Body.Len() < len(long) {
			t.Errorf("%q: %v", accept, rec.Header())
		}
	}
	if rec := w.do("GET", "/raw", header{"Accept-Encoding": "gzip"}); rec.Header().Get("Content-Encoding") != "" || rec.Body.String() != long || rec.Header().Get("Location") != "" {
		t.Errorf("cell data: %v", rec.Header())
	}
	if rec := w.do("GET", "/redirect", nil); rec.Code != 307 || rec.Header().Get("Location") != "/x" {
		t.Errorf("redirect: %d %v", rec.Code, rec.Header())
	}
	if rec := w.do("GET", "/nothing", nil); rec.Code != 200 || rec.Header().Get("Location") != "" {
		t.Errorf("nothing written: %d", rec.Code)
	}
	for _, path := range []string{"/long", "/", "/v1/user", "/none"} {
		h := w.do("GET", path, nil).Header()
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Content-Security-Policy": "frame-ancestors 'none'"} {
			if !strings.Contains(h.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
	}
}

// A panic is a bare 500; one after the first byte breaks the connection off.
func TestPanicsAndBrokenReplies(t *testing.T) {
	partial := func(rw http.ResponseWriter) {
		rw.Header().Set("Content-Length", "100")
		io.WriteString(rw, "half")
	}
	w := newWorld(t,
		Operation{ID: "p", Method: "GET", Path: "/panic", Action: access.Public, Handle: func(http.ResponseWriter, *Request) error { panic("x") }},
		Operation{ID: "l", Method: "GET", Path: "/late", Action: access.Public, Handle: func(rw http.ResponseWriter, _ *Request) error { partial(rw); panic("x") }},
		Operation{ID: "e", Method: "GET", Path: "/late-error", Action: access.Public, Handle: func(rw http.ResponseWriter, _ *Request) error {
			partial(rw)
			return errors.New("x")
		}},
		Operation{ID: "a", Method: "GET", Path: "/abort", Action: access.Public, Handle: func(http.ResponseWriter, *Request) error { panic(http.ErrAbortHandler) }})
	srv := httptest.NewUnstartedServer(w)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	srv.Start()
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/panic")
	if err != nil || resp.StatusCode != 500 {
		t.Errorf("%v, %v", resp, err)
	}
	for _, path := range []string{"/late", "/late-error", "/abort"} {
		resp, err := http.Get(srv.URL + path)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if err == nil {
			t.Errorf("%s: the client took it for whole", path)
		}
	}
	w.want(w.do("GET", "/", nil), 200, "still up")
}

func BenchmarkRequest(b *testing.B) {
	w := newWorld(b)
	good := w.secret(w.ann)
	w.Log = slog.New(slog.DiscardHandler)
	for b.Loop() {
		r := httptest.NewRequest("GET", "/v1/user", nil)
		r.Header.Set(tokenHeader, good)
		w.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// TestAccessKey lets a token in as the access key of a signature where a row says so, and takes nothing else for one.
func TestAccessKey(t *testing.T) {
	signed := Operation{ID: "files", Method: "GET", Path: "/v4/files/{namespace}", Action: access.SelfRead, AccessKey: true, Fault: func(rw http.ResponseWriter, _ *Request, f Failure) {
		rw.WriteHeader(f.Status)
		io.WriteString(rw, "<Error>"+f.Message+"</Error>")
	}, Handle: func(rw http.ResponseWriter, r *Request) error {
		_, err := io.WriteString(rw, r.Subject.Namespace)
		return err
	}}
	w := newWorld(t, signed)
	good := w.secret(w.ann)
	for credential, status := range map[string]int{
		"Credential=" + good + "/20270102/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00": 200,
		"SignedHeaders=host,Signature=00,Credential=" + good + "/20270102/r/s3/aws4_request":           200,
		"Credential=" + good:                                  401,
		"Credential=" + good + "/20270102/r/s3":               401,
		"Credential=" + good + "/20270102/r/s3/other":         401,
		"Credential=" + good + "x/20270102/r/s3/aws4_request": 401,
		"Credential=/20270102/r/s3/aws4_request":              401,
		"credential=" + good + "/20270102/r/s3/aws4_request":  401,
		"SignedHeaders=host":                                  401,
		good:                                                  401,
		"":                                                    401,
		"Credential=a/b, Credential=" + good + "/1/r/s3/aws4_request": 401,
	} {
		rec := w.do("GET", "/v4/files/ann", header{"Authorization": "AWS4-HMAC-SHA256 " + credential})
		if rec.Code != status {
			t.Errorf("%q: %d, want %d", token.Redact(credential), rec.Code, status)
		}
		if body := rec.Body.String(); status == 200 && body != "ann" || status != 200 && !strings.HasPrefix(body, "<Error>") {
			t.Errorf("%q: %s", token.Redact(credential), body)
		}
	}
}

// FuzzAccessKey takes any parameters of a signature.
func FuzzAccessKey(f *testing.F) {
	for _, text := range []string{"", "Credential=k/1/r/s3/aws4_request", "Credential=", ",,,", "Credential=////aws4_request"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if key := accessKey(text); strings.ContainsAny(key, "/,") || key != "" && !strings.Contains(text, "Credential="+key+"/") {
			t.Errorf("%q gives %q", text, key)
		}
	})
}
