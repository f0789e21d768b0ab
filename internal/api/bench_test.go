package api

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// recorded returns a request body that the real client sent.
func recorded(tb testing.TB, name string) []byte {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join("..", "wire", "testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// BenchmarkSmallRead is what a client's open and read of a few cells cost the server, network left out: the two requests
// with the bodies that the real client sends.
func BenchmarkSmallRead(b *testing.B) {
	t := &testing.T{}
	w := newWorldIn(b, b.TempDir(), b.TempDir())
	w.t = t
	w.want(w.Full, post, "/v1/arrays/ann/small", recorded(b, "small-create.bin"), 204, "")
	w.want(w.Full, post, "/v3/arrays/ann/small"+submitWrite, recorded(b, "small-write-submit.bin"), 200, "")
	if t.Failed() {
		b.Fatal("the array could not be made")
	}
	for _, call := range []struct{ name, path, body string }{
		{"open", "/v2/arrays/ann/small/?start_timestamp=0&end_timestamp=18446744073709551615", "small-write-open.bin"},
		{"submit", "/v3/arrays/ann/small/query/submit?type=READ&read_all=false&start_timestamp=0&end_timestamp=18446744073709551615", "small-read-submit.bin"},
	} {
		b.Run(call.name, func(b *testing.B) {
			body := recorded(b, call.body)
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(post, call.path, bytes.NewReader(body))
				r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
				recorder := httptest.NewRecorder()
				w.server.ServeHTTP(recorder, r)
				if recorder.Code != 200 {
					b.Fatalf("status %d: %s", recorder.Code, recorder.Body)
				}
			}
		})
	}
}

// BenchmarkIdentify is what every request costs before its handler: the token, its scope, the catalogue's entry and the
// permission. The handler of what is measured only tells the entry.
func BenchmarkIdentify(b *testing.B) {
	t := &testing.T{}
	w := newWorldIn(b, b.TempDir(), b.TempDir())
	w.t = t
	w.want(w.Full, post, "/v1/arrays/ann/small", recorded(b, "small-create.bin"), 204, "")
	w.want(w.Full, get, "/v1/arrays/ann/small/metadata", nil, 200, "small")
	if t.Failed() {
		b.Fatal("the array could not be made")
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(get, "/v1/arrays/ann/small/metadata", nil)
		r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
		recorder := httptest.NewRecorder()
		w.server.ServeHTTP(recorder, r)
		if recorder.Code != 200 {
			b.Fatalf("status %d: %s", recorder.Code, recorder.Body)
		}
	}
}
