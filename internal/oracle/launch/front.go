package launch

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// front is a proxy before servers that are one. It is safe for concurrent use.
type front struct {
	t testing.TB
	o Options

	mu sync.Mutex
	// servers take requests in turns, turn counts them, last is the last submit; all guarded by mu.
	servers []*Server
	turn    int
	last    []byte
}

// Front puts a proxy before servers that are one to their clients, and returns what clients are to take for the server.
// Requests go to the servers in turns. POST /crash kills one of them and starts another one with the options, GET
// /last-submit answers path and body of the last submit of a query.
func Front(t testing.TB, o Options, servers ...*Server) *Server {
	f := &front{t: t, o: o, servers: servers}
	proxy := httptest.NewServer(f)
	t.Cleanup(proxy.Close)
	client := *servers[0]
	client.URL = proxy.URL
	return &client
}

// ServeHTTP passes a request on, or does what it asks of the proxy.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/crash":
		f.mu.Lock()
		defer f.mu.Unlock()
		i := f.turn % len(f.servers)
		if err := f.servers[i].Kill(); err != nil {
			f.t.Error(err)
		}
		f.servers[i] = Start(f.t, f.o)
		return
	case r.URL.Path == "/last-submit":
		f.mu.Lock()
		defer f.mu.Unlock()
		if _, err := w.Write(f.last); err != nil {
			f.t.Error(err)
		}
		return
	case strings.HasSuffix(r.URL.Path, "/query/submit"):
		f.keep(r)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(f.next()) }}
	forward.ServeHTTP(w, r)
}

// keep notes a submit.
func (f *front) keep(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	last, err := json.Marshal(map[string]any{"path": r.URL.RequestURI(), "body": body})
	if err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = last
	r.Body = io.NopCloser(bytes.NewReader(body))
}

// next returns the address of the server whose turn it is.
func (f *front) next() *url.URL {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn++
	to, err := url.Parse(f.servers[f.turn%len(f.servers)].URL)
	if err != nil {
		f.t.Error(err)
	}
	return to
}
