package api

import (
	"net/http"
	"strings"
	"testing"
)

// TestJSONMessages has a client that sends its messages as JSON, and some that send what is none.
func TestJSONMessages(t *testing.T) {
	w := newWorld(t)
	w.contentType = "application/json"
	create := `{"arrayType":"sparse","tileOrder":"row-major","cellOrder":"row-major","capacity":"7","attributes":[{"name":"a","type":"INT32","cellValNum":1}],` +
		`"domain":{"tileOrder":"row-major","cellOrder":"row-major","dimensions":[{"name":"x","type":"INT64","domain":{"int64":["0","9"]},"nullTileExtent":true}]}}` + "\x00"
	w.want(w.Full, post, "/v1/arrays/ann/line", []byte(create), 204, "")
	w.want(w.Full, post, "/v1/arrays/ann/line/schema", []byte("{}"), 200, `"capacity":"7"`)
	for _, c := range []struct {
		path, body string
		status     int
		part       string
	}{
		{"/v1/arrays/ann/other", `{"arrayType":"sparse"`, 400, "not JSON"},
		{"/v1/arrays/ann/other", `{"domain":{"dimensions":[{"name":7}]}}`, 400, "domain.dimensions[0].name"},
		{"/v1/arrays/ann/other", `{"attributes":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", 400, "not an object"},
		{"/v1/arrays/ann/other", `{"x":"` + strings.Repeat("y", maxJSON) + `"}`, 413, ""},
		{"/v3/arrays/ann/line/query/submit?type=READ", `{"type":"READ"}`, http.StatusUnsupportedMediaType, "CAPNP"},
		{"/v3/arrays/ann/line/query/plan?type=READ", `{"query":{"type":"READ"}}`, 400, "unknown value"},
	} {
		w.want(w.Full, post, c.path, []byte(c.body), c.status, c.part)
	}
}
