package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/vault"
)

// noise returns n bytes that are the same each time.
func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// get returns the reply to a GET with headers in turn of name and value.
func (w *world) get(path string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(get, path, nil)
	r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return rec
}

func (w *world) uploadBytes(path, query string, content []byte, status int, part string) string {
	w.t.Helper()
	return w.want(w.Full, post, path+fmt.Sprintf("?filesize=%d&", len(content))+query, content, status, part)
}

func TestUploadDownload(t *testing.T) {
	w := newWorld(t)
	w.contentType = "text/plain; charset=utf-8"
	for _, n := range []int{0, 1, 1023, 1024, 1025, 1 << 20, 1<<20 + 1, 3_000_001} {
		name, content := fmt.Sprintf("f%d", n), noise(n)
		reply := w.uploadBytes("/v2/files/ann/"+name+"/upload", "filename=a+b.txt", content, 201, `"output_uri":"tiledb://ann/`+name+`"`)
		var made uploaded
		must(t, json.Unmarshal([]byte(reply), &made))
		rec := w.get("/v1/files/ann/" + name + "/download")
		if rec.Code != 200 || !bytes.Equal(rec.Body.Bytes(), content) {
			t.Errorf("%d bytes: %d, %d bytes come back", n, rec.Code, rec.Body.Len())
		}
		if h := rec.Header(); h.Get("Content-Type") != w.contentType || !strings.Contains(h.Get("Content-Disposition"), `filename="a b.txt"`) {
			t.Errorf("headers %v", h)
		}
		w.send(w.Full, get, "/v1/arrays/ann/"+name+"/metadata", "", 200, fmt.Sprintf(`"file_properties":{"mime_type":"text/plain; charset=utf-8","size":"%d"}`, n))
		if got := w.get("/v1/arrays/ann/" + made.ID + "/query/get_file"); !bytes.Equal(got.Body.Bytes(), content) {
			t.Errorf("get_file: %d, %d bytes", got.Code, got.Body.Len())
		}
	}
}

func TestDownloadRanges(t *testing.T) {
	w := newWorld(t)
	content := noise(2_500_000)
	w.uploadBytes("/v2/files/ann/f/upload", "", content, 201, "")
	first := w.get("/v1/files/ann/f/download")
	for _, tc := range []struct {
		value  string
		status int
		want   []byte
	}{
		{"bytes=0-0", 206, content[:1]},
		{"bytes=1048570-1048580", 206, content[1048570:1048581]},
		{"bytes=2499990-", 206, content[2499990:]},
		{"bytes=-5", 206, content[2499995:]},
		{"bytes=2500000-", 416, nil},
		{"lines=1-2", 416, nil},
	} {
		rec := w.get("/v1/files/ann/f/download", "Range", tc.value)
		if rec.Code != tc.status || tc.want != nil && !bytes.Equal(rec.Body.Bytes(), tc.want) {
			t.Errorf("%s: %d, %d bytes", tc.value, rec.Code, rec.Body.Len())
		}
	}
	if rec := w.get("/v1/files/ann/f/download", "If-None-Match", first.Header().Get("ETag")); rec.Code != 304 {
		t.Errorf("unchanged: %d", rec.Code)
	}
	w.uploadBytes("/v2/files/ann/f/upload", "", []byte("new"), 201, "")
	rec := w.get("/v1/files/ann/f/download", "If-Range", first.Header().Get("ETag"), "Range", "bytes=0-1")
	if rec.Code != 200 || rec.Body.String() != "new" {
		t.Errorf("the rest of an older version: %d %q", rec.Code, rec.Body)
	}
}

func TestFileVersions(t *testing.T) {
	w := newWorld(t)
	var ends []uint64
	texts := []string{"the first, which is longer", "second", "", strings.Repeat("x", 5000)}
	for _, text := range texts {
		w.uploadBytes("/v2/files/ann/f/upload", "filename=t.txt", []byte(text), 201, `"file_name":"f"`)
		f := w.file("f")
		ends = append(ends, uint64(f.Modified().UnixMilli()))
		waitMilli()
	}
	for i, text := range texts {
		if rec := w.get(fmt.Sprintf("/v1/files/ann/f/download?end_timestamp=%d", ends[i])); rec.Code != 200 || rec.Body.String() != text {
			t.Errorf("version %d: %d %q", i, rec.Code, rec.Body)
		}
	}
	w.send(w.Full, get, fmt.Sprintf("/v1/files/ann/f/download?end_timestamp=%d", ends[0]-1), "", 400, "no file")
}

// file opens a file of ann's as the API does.
func (w *world) file(name string) *vault.File {
	w.t.Helper()
	x, err := w.Catalog.Resolve(w.t.Context(), w.Ann.NamespaceID, name)
	must(w.t, err)
	g, err := access.Allowed(w.Ann, access.ArrayRead, x.Object())
	must(w.t, err)
	f, err := w.Vault.OpenFile(w.t.Context(), g, x, array.Latest())
	must(w.t, err)
	return f
}

func TestUploadIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	ref := url.PathEscape("file://" + filepath.Join(w.Allowed, "f"))
	body := []byte("ten bytes.")
	for name, tc := range map[string]struct {
		path   string
		status int
		part   string
	}{
		"longer":      {"/v2/files/ann/" + ref + "/upload?filesize=9", 400, "longer"},
		"shorter":     {"/v2/files/ann/" + ref + "/upload?filesize=11", 400, "11 bytes were announced"},
		"much longer": {"/v2/files/ann/" + ref + "/upload?filesize=9000000", 400, "announced"},
		"no size":     {"/v2/files/ann/" + ref + "/upload", 400, "filesize"},
		"bad size":    {"/v2/files/ann/" + ref + "/upload?filesize=-1", 400, "filesize"},
		"endless":     {"/v2/files/ann/" + ref + "/upload?filesize=2000000000000", 400, "announced"},
		"too many":    {"/v2/files/ann/" + ref + "/upload?filesize=9000000000000000000", 400, "too many"},
		"huge":        {"/v2/files/ann/" + ref + "/upload?filesize=18446744073709551615", 400, "room"},
		"bad type":    {"/v2/files/ann/" + ref + "/upload?filesize=10&mimetype=%2F", 400, "type"},
		"bad name":    {"/v2/files/ann/" + ref + "/upload?filesize=10&filename=a%0Ab", 400, "name"},
		"not owned":   {"/v2/files/ann/%2Fetc%2Fx/upload?filesize=10", 403, "storage"},
		"namespace":   {"/v2/files/bob/x/upload?filesize=10", 404, ""},
		"other asset": {"/v2/files/ann/..%2Fx/upload?filesize=10", 400, ""},
	} {
		if got, text := w.call(w.Full, post, tc.path, body); got != tc.status || !strings.Contains(text, tc.part) {
			t.Errorf("%s: %d %s", name, got, text)
		}
		if list, err := os.ReadDir(w.Allowed); err != nil || len(list) > 0 {
			t.Fatalf("%s left %v, %v", name, list, err)
		}
	}
	w.send(w.Full, get, "/v1/arrays/browser/owned", "", 200, `"total_items":0`)
	// A version that breaks off leaves the file as it was.
	w.uploadBytes("/v2/files/ann/f/upload", "", body, 201, "")
	w.send(w.Full, post, "/v2/files/ann/f/upload?filesize=100", "short", 400, "announced")
	if rec := w.get("/v1/files/ann/f/download"); rec.Body.String() != string(body) {
		t.Errorf("after a broken version: %q", rec.Body)
	}
	// An array that holds no file is not written to, and has nothing to download.
	w.send(w.Full, post, "/v1/arrays/ann/line", string(schemaBody(t, lineSchema())), 204, "")
	w.send(w.Full, post, "/v2/files/ann/line/upload?filesize=5", "short", 400, "no file")
	w.send(w.Full, get, "/v1/files/ann/line/download", "", 400, "no file")
	w.send(w.Other, get, "/v1/files/ann/f/download", "", 404, "")
	w.send(w.Other, post, "/v2/files/ann/f/upload?filesize=5", "short", 404, "")
	w.send(w.Full, patch, "/v1/arrays/ann/f/share", `{"namespace":"bob","actions":["read"]}`, 204, "")
	w.send(w.Other, get, "/v1/files/ann/f/download", "", 200, "ten bytes.")
	w.send(w.Other, post, "/v2/files/ann/f/upload?filesize=5", "short", 403, "")
}

func TestUnfinishedFileIsRemoved(t *testing.T) {
	w := newWorld(t)
	n := catalog.NewAsset{Storage: "file://" + filepath.Join(w.Allowed, "half"), Kind: catalog.Array}
	g, err := access.Allowed(w.Ann, access.ArrayCreate, access.Object{Kind: access.Namespace, ID: w.Ann.NamespaceID, NamespaceID: w.Ann.NamespaceID})
	must(t, err)
	broken := fmt.Errorf("as if the server ended here")
	_, err = w.Vault.CreateFile(t.Context(), g, n, vault.FileSchema(5, false), vault.Content{Body: breaking{broken}, AtMost: 5})
	if err == nil || !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("%v", err)
	}
	if list, err := os.ReadDir(w.Allowed); err != nil || len(list) > 0 {
		t.Errorf("left %v, %v", list, err)
	}
}

// breaking is a body that fails at once.
type breaking struct{ err error }

func (b breaking) Read([]byte) (int, error) { return 0, b.err }

func TestUploadProbe(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodHead, "/v2/files/ann/file%3A%2F%2F%2Fx%2Fy/upload?filename=a&filesize=10", nil)
	r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
	r.Host = "tiles.example:8080"
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	to := rec.Header().Get("Location")
	if rec.Code != 307 || to != "http://tiles.example:8080/v2/files/ann/file%3A%2F%2F%2Fx%2Fy/upload?filename=a&filesize=10&redirected=1" {
		t.Errorf("%d to %s", rec.Code, to)
	}
	r = httptest.NewRequest(http.MethodHead, to, nil)
	r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
	rec = httptest.NewRecorder()
	if w.server.ServeHTTP(rec, r); rec.Code != 405 || rec.Header().Get("Allow") != post {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	w.send("", http.MethodHead, "/v2/files/ann/x/upload", "", 401, "")
	w.send(w.Other, http.MethodHead, "/v2/files/ann/x/upload", "", 404, "")
}

// formBody is the body of a form: fields in turn of name and value, then the file, then more fields.
func formBody(t *testing.T, content string, fields []string, after ...string) (body []byte, contentType string) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		must(t, m.WriteField(fields[i], fields[i+1]))
	}
	if content != "" {
		p, err := m.CreateFormFile("input_file", "in.csv")
		must(t, err)
		_, err = p.Write([]byte(content))
		must(t, err)
	}
	for i := 0; i < len(after); i += 2 {
		must(t, m.WriteField(after[i], after[i+1]))
	}
	must(t, m.Close())
	return b.Bytes(), m.FormDataContentType()
}

func TestUploadForm(t *testing.T) {
	w := newWorld(t)
	send := func(body []byte, contentType string, status int, part string) {
		t.Helper()
		w.contentType = contentType
		w.want(w.Full, post, "/v1/files/ann/upload", body, status, part)
	}
	put := func(status int, part, content string, fields []string, after ...string) {
		t.Helper()
		body, contentType := formBody(t, content, fields, after...)
		send(body, contentType, status, part)
	}
	text := strings.Repeat("a,b\n", 3000)
	put(201, `"output_uri":"tiledb://ann/in.csv"`, text, nil)
	put(201, `"output_uri":"tiledb://ann/mine"`, text, []string{"name", "mine", "output_uri", "file://" + filepath.Join(w.Allowed, "d", "x")})
	put(201, `"output_uri":"tiledb://ann/u"`, text, []string{"output_uri", "tiledb://ann/u"})
	put(409, "exists", text, []string{"name", "mine"})
	put(400, "another namespace", text, []string{"output_uri", "tiledb://bob/u"})
	put(400, "come before", text, []string{"name", "early"}, "output_uri", "late")
	put(400, "no input_file", "", []string{"name", "x"})
	put(400, "fields", text, []string{"name", strings.Repeat("x", formText+1)})
	put(403, "storage", text, []string{"output_uri", "file:///etc/x"})
	send([]byte("text"), "text/plain", 415, "multipart/form-data")
	body, contentType := formBody(t, text, []string{"name", "cut"})
	send(body[:2000], contentType, 400, "ended early")
	w.send(w.Full, get, "/v1/arrays/browser/owned", "", 200, `"total_items":3`)
	for _, name := range []string{"in.csv", "mine", "u"} {
		if rec := w.get("/v1/files/ann/" + name + "/download"); rec.Body.String() != text {
			t.Errorf("%s: %d bytes", name, rec.Body.Len())
		}
	}
	if _, err := os.Stat(filepath.Join(w.Allowed, "d", "x", "__schema")); err != nil {
		t.Error(err)
	}
}

func TestWrapAndExport(t *testing.T) {
	w := newWorld(t)
	text := "%PDF-1.7 and so on"
	must(t, os.WriteFile(filepath.Join(w.Allowed, "in.pdf"), []byte(text), 0o600))
	wrap := func(body string, status int, part string) {
		t.Helper()
		w.send(w.Full, post, "/v1/files/ann", body, status, part)
	}
	wrap(`{"input_uri":"file://`+w.Allowed+`/in.pdf","name":"doc"}`, 201, `"file_name":"doc"`)
	w.send(w.Full, get, "/v1/arrays/ann/doc/metadata", "", 200, `"mime_type":"application/pdf","size":"18"`)
	wrap(`{"input_uri":"file://`+w.Allowed+`/in.pdf","name":"doc"}`, 409, "exists")
	wrap(`{"input_uri":"file://`+w.Allowed+`/none.pdf"}`, 404, "none.pdf")
	wrap(`{"input_uri":"file:///etc/passwd"}`, 403, "storage")
	wrap(`{"input_uri":"gs://bucket/x"}`, 400, "storage of this server")
	wrap(`{"input_uri":"s3://bob/x"}`, 404, "")
	wrap(`{"input_uri":"s3://ann/"}`, 400, "names no file")
	wrap(`{}`, 400, "missing")
	wrap(`{"input_uri":1}`, 400, "JSON")

	export := func(secret, name, to string, status int, part string) {
		t.Helper()
		w.send(secret, post, "/v1/files/ann/"+name+"/export", `{"output_uri":"`+to+`"}`, status, part)
	}
	export(w.Full, "doc", "file://"+w.Allowed+"/out/copy.pdf", 201, "copy.pdf")
	got, err := os.ReadFile(filepath.Join(w.Allowed, "out", "copy.pdf"))
	if err != nil || string(got) != text {
		t.Errorf("%q, %v", got, err)
	}
	export(w.Full, "doc", "s3://ann/kept/copy.pdf", 201, "")
	wrap(`{"input_uri":"s3://ann/kept/copy.pdf"}`, 201, `"output_uri":"tiledb://ann/copy.pdf"`)
	export(w.Full, "doc", "s3://bob/x.pdf", 404, "")
	export(w.Full, "doc", "/etc/x.pdf", 403, "")
	export(w.Full, "none", "s3://ann/x.pdf", 404, "")
	export(w.Other, "doc", "s3://bob/x.pdf", 404, "")
	export(w.Full, "doc", "file://"+w.Allowed+"/in.pdf/below", 409, "way")
}

func TestFileArrayIsAsClientsExpect(t *testing.T) {
	w := newWorld(t)
	w.uploadBytes("/v2/files/ann/f/upload", "filename=/tmp/a.b.txt&mimetype=text/x-thing", []byte("hello"), 201, "")
	f := w.file("f")
	want := map[string]string{"file_extension": "txt", "mime_encoding": "binary", "mime_type": "text/x-thing", "original_file_name": "a.b"}
	for _, e := range f.Metadata() {
		if e.Key == vault.FileSizeKey {
			if e.Type != datatype.Uint64 || datatype.View[uint64](e.Value)[0] != 5 {
				t.Errorf("size %v", e)
			}
		} else if string(e.Value) != want[e.Key] || e.Type != datatype.StringUTF8 {
			t.Errorf("%s is %q", e.Key, e.Value)
		}
		delete(want, e.Key)
	}
	if len(want) > 0 {
		t.Errorf("missing %v", want)
	}
}
