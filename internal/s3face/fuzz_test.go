package s3face

import (
	"azulejo/internal/oracle/servertest"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzRequests sends anything with a valid token: the server answers, never with an error of its own, and nothing outside the
// namespace's storage changes.
func FuzzRequests(f *testing.F) {
	w := newWorld(f)
	outside := filepath.Join(w.Dir, "outside")
	servertest.Must(f, os.WriteFile(outside, []byte("x"), 0o600))
	for _, c := range [][4]string{
		{"GET", "ann", "list-type=2&prefix=a/&delimiter=/&continuation-token=a2E", ""}, {"PUT", "ann/a/b", "", "content"}, {"PUT", "ann/a/b", "partNumber=1&uploadId=x", "c"},
		{"POST", "ann", "delete", "<Delete><Object><Key>a</Key></Object></Delete>"}, {"POST", "ann/a", "uploadId=x", "<C><Part><PartNumber>1</PartNumber></Part></C>"},
		{"GET", "ann/%2e%2e/%2e%2e/outside", "", ""}, {"DELETE", "ann/file:///etc/passwd", "", ""}, {"HEAD", "ann/../../outside", "", ""}, {"PUT", "ann/%00", "acl", ""},
		{"PUT", "ann/new/__schema/__1_1_x", "", "no schema"}, {"PUT", "ann/__group/x", "", ""}, {"GET", "", "", ""},
	} {
		f.Add(c[0], c[1], c[2], "bytes=0-3", "", "ann/a/b", c[3])
	}
	f.Add("PUT", "ann/x", "", "", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "", "1\r\nx\r\n0\r\n\r\n")
	f.Fuzz(func(t *testing.T, method, path, query, span, digest, source, body string) {
		if !strings.Contains("GET HEAD PUT POST DELETE", method) || method == "" || strings.ContainsAny(span+digest+source, "\r\n\x00") {
			return
		}
		u, err := url.Parse("http://localhost/v4/files/" + path)
		if err != nil || u.Host != "localhost" {
			return
		}
		u.RawQuery = query
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
		for name, value := range map[string]string{"Range": span, bodyDigest: digest} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if source != "" && method == http.MethodPut && len(body)%2 == 0 {
			r.Header.Set(copySource, source)
		}
		reply := httptest.NewRecorder()
		w.server.ServeHTTP(reply, r)
		if reply.Code >= 500 {
			t.Errorf("%s %s: %d %s", method, u, reply.Code, reply.Body)
		}
		if text, err := os.ReadFile(outside); err != nil || string(text) != "x" {
			t.Errorf("%s %s: %q, %v", method, u, text, err)
		}
	})
}
