package rest

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

func TestClientPrograms(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	t.Run("maintenance", func(t *testing.T) { s.Script(t, "testdata/maintenance.py", 3*time.Minute) })
	t.Run("groups", func(t *testing.T) { s.Script(t, "testdata/groups.py", 3*time.Minute) })
	t.Run("routes", func(t *testing.T) { s.Script(t, "testdata/routes.py", 3*time.Minute) })
	t.Run("writes", func(t *testing.T) { s.Script(t, "testdata/writes.py", 3*time.Minute) })
}

// TestAnswersInParts has a server with too little memory for one query's result.
func TestAnswersInParts(t *testing.T) {
	s := launch.Start(t, launch.Options{Args: []string{"--query-memory", "32MiB"}})
	s.Script(t, "testdata/reads.py", 3*time.Minute)
}

// TestWritesGoOnAfterACrash kills the server between the submits of one write.
func TestWritesGoOnAfterACrash(t *testing.T) {
	data, allowed := t.TempDir(), t.TempDir()
	s := launch.Start(t, launch.Options{Data: data, Allowed: allowed})
	var current atomic.Pointer[launch.Server]
	current.Store(s)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		to, err := url.Parse(current.Load().URL)
		if err != nil {
			t.Error(err)
			return
		}
		r.SetURL(to)
	}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/crash" {
			forward.ServeHTTP(w, r)
			return
		}
		if err := current.Load().Kill(); err != nil {
			t.Error(err)
		}
		current.Store(launch.Start(t, launch.Options{Data: data, Allowed: allowed}))
	}))
	t.Cleanup(proxy.Close)
	client := *s
	client.URL = proxy.URL
	client.Script(t, "testdata/crash.py", 3*time.Minute)
}
