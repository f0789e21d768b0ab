package api

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// waitMilli waits for the next millisecond, by which versions are told apart.
func waitMilli() {
	for before := time.Now().UnixMilli(); time.Now().UnixMilli() == before; {
	}
}

func TestNotebooks(t *testing.T) {
	w := newWorld(t)
	texts := []string{`{"cells":["one"]}`, `{"cells":[]}`, `{"cells":["three, ` + strings.Repeat("long ", 1000) + `"]}`}
	var ends []int64
	for _, text := range texts {
		w.uploadBytes("/v2/notebooks/ann/nb/upload", "", []byte(text), 201, `"output_uri":"tiledb://ann/nb"`)
		ends = append(ends, w.file("nb").Modified().UnixMilli())
		waitMilli()
	}
	w.send(w.Full, get, "/v1/arrays/ann/nb/metadata", "", 200, `"file_type":"notebook"`)
	rec := w.get("/v1/arrays/ann/nb/query/get_file")
	if rec.Body.String() != texts[2] || rec.Header().Get("Content-Type") != "application/x-ipynb+json" || !strings.Contains(rec.Header().Get("Content-Disposition"), "nb.ipynb") {
		t.Errorf("%v %q", rec.Header(), rec.Body)
	}
	w.send(w.Full, get, "/v1/notebooks/ann/nb/end_timestamps?per_page=2", "", 200,
		fmt.Sprintf(`{"end_timestamps":[%d,%d],"pagination_metadata":{"page":1,"per_page":2,"total_pages":2,"total_items":3}}`, ends[2], ends[1]))
	w.send(w.Full, get, "/v1/arrays/ann/nb/end_timestamps?page=2&per_page=2", "", 200, fmt.Sprintf(`{"end_timestamps":[%d]`, ends[0]))
	w.send(w.Full, get, "/v1/arrays/ann/nb/end_timestamps?page=9", "", 200, `{"end_timestamps":[]`)
	w.send(w.Full, get, "/v1/arrays/ann/nb/end_timestamps?page=x", "", 400, "page")
	for _, tc := range []struct {
		query string
		want  int64
	}{{"", ends[2]}, {fmt.Sprintf("?end_timestamp=%d", ends[1]), ends[1]}, {"?end_timestamp=1", ends[0]}} {
		if got := w.send(w.Full, get, "/v1/arrays/ann/nb/fragment_end_timestamp"+tc.query, "", 200, ""); got != fmt.Sprint(tc.want) {
			t.Errorf("%s: %s, want %d", tc.query, got, tc.want)
		}
	}

	w.send(w.Full, post, fmt.Sprintf("/v1/notebooks/ann/nb/copy?end_timestamp=%d", ends[0]), `{"name":"old"}`, 201, `"output_uri":"tiledb://ann/old","name":"old","namespace":"ann"`)
	if rec := w.get("/v1/files/ann/old/download"); rec.Body.String() != texts[0] {
		t.Errorf("copy of a version: %q", rec.Body)
	}
	w.send(w.Full, post, "/v1/notebooks/ann/nb/copy", `{"name":"old"}`, 409, "exists")
	w.send(w.Full, post, "/v1/notebooks/ann/nb/copy", `{"name":"x","namespace":"bob"}`, 404, "")
	w.send(w.Other, post, "/v1/notebooks/ann/nb/copy", `{"name":"x"}`, 404, "")
	w.send(w.Full, patch, "/v1/arrays/ann/nb/share", `{"namespace":"bob","actions":["read"]}`, 204, "")
	w.send(w.Other, post, "/v1/notebooks/ann/nb/copy", `{}`, 201, `"output_uri":"tiledb://bob/nb"`)
	w.send(w.Other, post, "/v1/notebooks/ann/nb/prune?keep_versions=1", "", 403, "")

	w.send(w.Full, patch, "/v1/notebooks/ann/nb/rename", `{"name":"new","uri":"tiledb://ann/nb"}`, 204, "")
	w.send(w.Full, patch, "/v1/notebooks/ann/new/rename", `{"name":"old"}`, 409, "exists")
	w.send(w.Full, post, "/v1/notebooks/ann/new/prune", "", 400, "keep_versions")
	w.send(w.Full, post, "/v1/notebooks/ann/new/prune?keep_versions=0", "", 400, "at least 1")
	w.send(w.Full, post, "/v1/notebooks/ann/new/prune?keep_versions=5", "", 204, "")
	w.send(w.Full, post, "/v1/notebooks/ann/new/prune?keep_versions=2", "", 204, "")
	w.send(w.Full, get, "/v1/notebooks/ann/new/end_timestamps", "", 200, fmt.Sprintf(`{"end_timestamps":[%d,%d]`, ends[2], ends[1]))
	w.send(w.Full, patch, "/v1/arrays/ann/new/metadata", `{"file_properties":{"version_pruning_limit":"1"}}`, 204, "")
	w.send(w.Full, post, "/v1/notebooks/ann/new/prune", "", 204, "")
	w.send(w.Full, get, "/v1/notebooks/ann/new/end_timestamps", "", 200, fmt.Sprintf(`{"end_timestamps":[%d]`, ends[2]))
	if rec := w.get("/v1/files/ann/new/download"); rec.Body.String() != texts[2] {
		t.Errorf("after pruning: %q", rec.Body)
	}
	w.send(w.Full, post, "/v1/arrays/ann/line", string(schemaBody(t, lineSchema())), 204, "")
	w.send(w.Full, get, "/v1/arrays/ann/line/fragment_end_timestamp", "", 404, "nothing was written")
	w.send(w.Full, post, "/v1/notebooks/ann/line/copy", `{"name":"y"}`, 400, "no file")

	body, contentType := formBody(t, texts[0], []string{"name", "form"})
	w.contentType = contentType
	w.want(w.Full, post, "/v1/notebooks/ann/upload", body, 201, `"output_uri":"tiledb://ann/form"`)
	w.send(w.Full, get, "/v1/arrays/ann/form/metadata", "", 200, `"file_type":"notebook"`)
}
