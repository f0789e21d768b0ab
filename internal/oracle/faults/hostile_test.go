package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

// perShape is how many requests of one kind are taken for damaging.
const perShape = 2

// request is a request that a client sent.
type request struct {
	method, uri string
	header      http.Header
	body        []byte
}

// recorder is a proxy that keeps what passes.
type recorder struct {
	mu   sync.Mutex
	seen map[string][]request // by shape
}

// names in paths, which do not tell one kind of request from another.
var names = regexp.MustCompile(`^(/v\d/(?:arrays|groups)/[^/]+/)[^/?]+`)

func (r *recorder) keep(q request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path, query, _ := strings.Cut(q.uri, "?")
	kind, _, _ := strings.Cut(query, "&")
	shape := q.method + " " + names.ReplaceAllString(path, "$1*") + "?" + kind
	if len(r.seen[shape]) < perShape {
		r.seen[shape] = append(r.seen[shape], q)
	}
}

// record runs client programs through a proxy and returns the requests with bodies that they sent.
func record(t *testing.T, s *launch.Server) []request {
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{seen: map[string][]request{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(res *http.Response) error {
		// libtiledb takes the header for the array's new address whatever the status.
		if location := res.Header.Get("Location"); location != "" && res.StatusCode < 300 {
			t.Errorf("%s %s: status %d with the header Location: %s", res.Request.Method, res.Request.URL, res.StatusCode, location)
		}
		return nil
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		if len(body) > 0 && strings.HasPrefix(q.URL.Path, "/v") {
			r.keep(request{q.Method, q.RequestURI, q.Header.Clone(), body})
		}
		q.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, q)
	}))
	defer front.Close()
	through := *s
	through.URL = front.URL
	for _, program := range []string{"../basic/testdata/basic.py", "../reads/testdata/reads.py", "../meta/testdata/meta.py", "../meta/testdata/groups.py"} {
		through.Script(t, program, 4*time.Minute)
	}
	var all []request
	for _, list := range r.seen {
		all = append(all, list...)
	}
	return all
}

// damaged returns broken variants of a body.
func damaged(body []byte, rng *rand.Rand) map[string][]byte {
	out := map[string][]byte{
		"empty":             {},
		"endless table":     append([]byte{0xFF, 0xFF, 0xFF, 0xFF}, body...),
		"segment too large": append([]byte{0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F}, body[min(8, len(body)):]...),
		"text":              []byte(`{"not": "a message"}`),
	}
	for _, n := range []int{1, 7, 8, 9, len(body) / 2, len(body) - 1} {
		if n > 0 && n < len(body) {
			out[fmt.Sprintf("cut at %d", n)] = body[:n]
		}
	}
	for i := range 24 {
		// Pointers stand near the start; half of the damage goes there.
		span := 8 * len(body)
		if i%2 == 0 {
			span = min(span, 8*600)
		}
		bit := rng.IntN(span)
		b := bytes.Clone(body)
		b[bit/8] ^= 1 << (bit % 8)
		out[fmt.Sprintf("bit %d turned", bit)] = b
	}
	for range 4 {
		b, at := bytes.Clone(body), rng.IntN(len(body))
		for i := at; i < min(at+8, len(b)); i++ {
			b[i] = 0xFF
		}
		out[fmt.Sprintf("ones at %d", at)] = b
	}
	return out
}

func TestDamagedRequestsAreRefusedAndHarmNothing(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	requests := record(t, s)
	if len(requests) < 15 {
		t.Fatalf("only %d kinds of requests were recorded", len(requests))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	sent, refused := 0, 0
	for _, q := range requests {
		for what, body := range damaged(q.body, rng) {
			status, answer := send(t, s, q, bytes.NewReader(body), int64(len(body)))
			sent++
			if status >= 400 {
				refused++
			}
			if problem := wrongAnswer(s, q, status, answer); problem != "" {
				t.Errorf("%s %s, %s: %d %s: %.300s", q.method, q.uri, what, status, problem, answer)
			}
		}
		if !s.Alive() {
			t.Fatalf("the server ended after %s %s", q.method, q.uri)
		}
	}
	t.Logf("%d damaged requests of %d kinds sent, %d refused", sent, len(requests), refused)
	if refused < sent/4 {
		t.Errorf("only %d of %d damaged requests were refused", refused, sent)
	}
	if strings.Contains(s.Log(), "panic") {
		t.Error("the server's log tells of a panic")
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	for _, secret := range []string{s.Token, launch.Password} {
		if strings.Contains(s.Log(), secret) {
			t.Error("the server's log holds a secret")
		}
		for _, file := range filesWith(t, s.Data, secret) {
			t.Errorf("%s holds a secret", file)
		}
	}
}

// filesWith returns the files below dir that hold a text.
func filesWith(t *testing.T, dir, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return found
}

// wrongAnswer tells what is wrong with the answer to a broken variant of q, "" if nothing. A path that the client itself
// named may be repeated to it.
func wrongAnswer(s *launch.Server, q request, status int, answer []byte) string {
	named := bytes.Contains(q.body, []byte(s.Allowed))
	switch {
	case status >= 500 && status != http.StatusNotImplemented:
		return "blames the server"
	case bytes.Contains(answer, []byte(s.Data)), bytes.Contains(answer, []byte(s.Allowed)) && !named:
		return "shows a path"
	case status >= 400 && bytes.Contains(answer, []byte(s.Token)):
		return "shows the token"
	}
	var e struct{ Message string }
	if status >= 400 && (json.Unmarshal(answer, &e) != nil || e.Message == "") {
		return "is no error object with a message"
	}
	return ""
}

// send performs a request of a client with another body.
func send(t *testing.T, s *launch.Server, q request, body io.Reader, n int64) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, s.URL+q.uri, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header, req.ContentLength = q.header.Clone(), n
	req.Header.Del("Accept-Encoding")
	status, answer, err := launch.Do(req)
	if err != nil {
		t.Errorf("%s %s: no answer: %v", q.method, q.uri, err)
	}
	return status, answer
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestOversizedBodiesAreRefused(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	header := http.Header{"X-Tiledb-Rest-Api-Key": {s.Token}, "Content-Type": {"application/capnp"}}
	// One segment of 2^31-1 words: 16 GiB are announced by the message itself.
	huge := []byte{0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F}
	for _, path := range []string{"/v1/arrays/admin/new", "/v1/arrays/admin/new/evolve", "/v2/arrays/admin/new/?start_timestamp=0", "/v3/arrays/admin/new/query/submit?type=WRITE", "/v1/token"} {
		q := request{http.MethodPost, path, header, nil}
		// The server answers before the body has ended; whether the client sees the answer or a broken
		// connection depends on who is faster, so only an accepted body and a late end are wrong.
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		req, err := http.NewRequestWithContext(ctx, q.method, s.URL+q.uri, io.MultiReader(bytes.NewReader(huge), zeros{}))
		if err != nil {
			t.Fatal(err)
		}
		req.Header, req.ContentLength = header.Clone(), 1<<50
		status, answer, err := launch.Do(req)
		if ctx.Err() != nil {
			t.Errorf("%s: still reading after 30 seconds", path)
		}
		cancel()
		if err == nil && (status < 400 || status >= 500) {
			t.Errorf("%s: %d %.200s", path, status, answer)
		}
	}
	if !s.Alive() {
		t.Fatal("the server has ended")
	}
	if status, answer := send(t, s, request{http.MethodGet, "/healthz", http.Header{}, nil}, nil, 0); status != http.StatusOK {
		t.Errorf("health afterwards: %d %s", status, answer)
	}
}
