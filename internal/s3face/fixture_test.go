package s3face

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/servertest"
	"azulejo/internal/web"
)

// world is a server over a temporary directory with the users ann and bob, without a listener. Ann may use the directory
// allowed.
type world struct {
	t testing.TB
	*servertest.Parts
	server *web.Server
	face   *Face
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, Parts: servertest.New(t)}
	w.face = New(w.Accounts, w.Vault)
	var err error
	w.server, err = web.New(web.Options{Now: time.Now, Log: web.NewLog(io.Discard, "error"), Tokens: w.Tokens, Accounts: w.Accounts}, w.face.Operations())
	servertest.Must(t, err)
	return w
}

// request is a call; Header holds pairs of a name and a value.
type request struct {
	token, method, path, body string
	header                    []string
	// unsized leaves the length of the body out.
	unsized bool
}

// do sends a request with the token as the access key of a signature.
func (w *world) do(c request) *httptest.ResponseRecorder {
	w.t.Helper()
	var body io.Reader = strings.NewReader(c.body)
	if c.unsized {
		body = struct{ io.Reader }{body}
	}
	r := httptest.NewRequest(c.method, "/v4/files"+c.path, body)
	if c.token != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.token+"/20270102/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
	}
	for i := 0; i < len(c.header); i += 2 {
		r.Header.Set(c.header[i], c.header[i+1])
	}
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, r)
	return recorder
}

// want is do as ann with a check of the status and of the error's code or a part of the body.
func (w *world) want(method, path, body string, status int, part string, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.wantAs(request{w.Full, method, path, body, header, false}, status, part)
}

func (w *world) wantAs(c request, status int, part string) *httptest.ResponseRecorder {
	w.t.Helper()
	got := w.do(c)
	if got.Code != status || !strings.Contains(got.Body.String(), part) {
		w.t.Errorf("%s %s: %d %.600s, want %d with %q", c.method, c.path, got.Code, got.Body, status, part)
	}
	return got
}

// keys lists with a query and returns keys and common prefixes in the order of the reply.
func (w *world) keys(query string) []string {
	w.t.Helper()
	got := w.want(http.MethodGet, "/ann?list-type=2&"+query, "", 200, "")
	var l listing
	if err := xml.Unmarshal(got.Body.Bytes(), &l); err != nil {
		w.t.Fatalf("%v: %s", err, got.Body)
	}
	list := []string{}
	for _, c := range l.Contents {
		list = append(list, c.Key)
	}
	for _, p := range l.CommonPrefixes {
		list = append(list, p.Prefix)
	}
	return list
}

const (
	get, put, post, head, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodHead, http.MethodDelete
)
