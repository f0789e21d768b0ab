package transport

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

// through returns s behind a proxy that tells of every reply.
func through(t *testing.T, s *launch.Server, tell func(*http.Response)) *launch.Server {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(res *http.Response) error {
		tell(res)
		return nil
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	behind := *s
	behind.URL = front.URL
	return &behind
}

// The client decodes what the server compresses, and finds the values that it wrote; its own bodies it never compresses.
func TestClientTakesCompressedReplies(t *testing.T) {
	s := launch.Start(t, launch.Options{Args: []string{"--compression", "all"}})
	var mu sync.Mutex
	coded, bodies := map[string]int{}, map[string]int{}
	behind := through(t, s, func(res *http.Response) {
		mu.Lock()
		defer mu.Unlock()
		coded[res.Header.Get("Content-Encoding")]++
		bodies[res.Request.Header.Get("Content-Encoding")]++
	})
	behind.Script(t, "../basic/testdata/basic.py", 4*time.Minute)
	t.Logf("replies by coding: %v", coded)
	if coded["zstd"] < 20 {
		t.Errorf("few replies were compressed: %v", coded)
	}
	if len(bodies) != 1 || bodies[""] == 0 {
		t.Errorf("codings of requests: %v", bodies)
	}
}
