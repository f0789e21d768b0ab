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

// A reply that comes in parts because it passes the memory of a query is compressed part by part; the client joins them, and the server's
// memory stays bounded.
func TestClientTakesCompressedParts(t *testing.T) {
	const limit = (64 + 16 + 128) * mib
	s := launch.Start(t, launch.Options{Args: []string{"--compression", "all", "--total-memory", "64MiB", "--query-memory", "8MiB", "--cache-memory", "16MiB"}})
	var mu sync.Mutex
	coded := map[string]int{}
	behind := through(t, s, func(res *http.Response) {
		mu.Lock()
		defer mu.Unlock()
		if res.Request.URL.Query().Get("read_all") == "true" && res.ContentLength < 0 {
			coded[res.Header.Get("Content-Encoding")]++
		}
	})
	behind.Script(t, "../rest/testdata/reads.py", 4*time.Minute)
	if len(coded) != 1 || coded["zstd"] < 4 {
		t.Errorf("replies of several parts by coding: %v", coded)
	}
	peak, err := s.PeakMemory()
	if err != nil || peak > limit {
		t.Errorf("%d MiB in memory, the limit is %d (%v)", peak/mib, limit/mib, err)
	}
	t.Logf("replies of several parts by coding: %v; at most %d MiB in memory", coded, peak/mib)
}
