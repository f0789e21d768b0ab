package s3face

import (
	"azulejo/internal/oracle/servertest"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPutGetHeadDelete(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"a", "d/e/f", "with%20blank", "%25%2525", "%C3%A9%2Fsub", "a+b", "a%2Bb", "__x/.hidden", "~-_.!*'()"} {
		path := "/ann/" + key
		w.want(get, path, "", 404, "<Code>NoSuchKey</Code>")
		w.want(head, path, "", 404, "")
		tag := w.want(put, path, "hello "+key, 200, "").Header().Get("ETag")
		got := w.want(get, path, "", 200, "hello "+key)
		if got.Header().Get("ETag") != tag || tag == "" || got.Header().Get("Content-Length") != fmt.Sprint(6+len(key)) {
			t.Errorf("%s: %v, ETag %s", key, got.Header(), tag)
		}
		w.want(put, path, "new", 200, "")
		got = w.want(head, path, "", 200, "")
		if got.Header().Get("ETag") == tag || got.Header().Get("Content-Length") != "3" || got.Body.Len() != 0 {
			t.Errorf("%s after another put: %v", key, got.Header())
		}
		w.want(del, path, "", 204, "")
		w.want(del, path, "", 204, "")
		w.want(head, path, "", 404, "")
	}
	if list := w.keys(""); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
	if left, err := os.ReadDir(filepath.Join(w.Dir, "storage", w.Ann.NamespaceID, "files")); err != nil || len(left) != 0 {
		t.Errorf("left in storage: %v, %v", left, err)
	}
}

func TestKeysThatCannotBe(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"a//b", "/a", "a/../b", "..", "%2e%2e/x", "a/%2E%2E/%2E%2E/%2E%2E/azulejo.db", "./a", "a%00b", "a%0Ab", "%FF", ".azulejo-tmp-x",
		strings.Repeat("n", 256), strings.Repeat("a/", 300) + "a"} {
		got := w.do(request{w.Full, put, "/ann/" + key, "x", nil, false})
		if got.Code != 400 && got.Code != 404 {
			t.Errorf("PUT %q: %d %s", key, got.Code, got.Body)
		}
		if got := w.do(request{w.Full, get, "/ann/" + key, "", nil, false}); got.Code != 404 && got.Code != 400 {
			t.Errorf("GET %q: %d %s", key, got.Code, got.Body)
		}
	}
	w.want(put, "/ann/f", "x", 200, "")
	w.want(put, "/ann/f/g", "x", 409, "KeyOccupied")
	w.want(put, "/ann/d/g", "x", 200, "")
	w.want(put, "/ann/d", "x", 409, "KeyOccupied")
	w.want(get, "/ann/d", "", 404, "NoSuchKey")
	w.want(put, "/ann/marker/", "", 200, "")
	w.want(put, "/ann/marker2/", "with content", 409, "")
	w.want(head, "/ann/marker/", "", 200, "")
	if got, want := w.keys("delimiter=/"), []string{"f", "d/", "marker/"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A tenant learns nothing about another's files, whichever way it asks.
func TestTenants(t *testing.T) {
	w := newWorld(t)
	w.want(put, "/ann/secret", "x", 200, "")
	servertest.Must(t, os.WriteFile(filepath.Join(w.Allowed, "plain"), []byte("ann's"), 0o600))
	annsFiles := filepath.Join(w.Dir, "storage", w.Ann.NamespaceID, "files", "secret")
	for _, c := range []struct{ method, path string }{
		{get, "/ann/secret"}, {head, "/ann/secret"}, {put, "/ann/secret"}, {del, "/ann/secret"}, {get, "/ann/none"}, {get, "/ann?list-type=2"}, {head, "/ann"},
		{post, "/ann?delete"}, {post, "/ann/secret?uploads"}, {get, "/ann?location"}, {put, "/ann"}, {get, "/nobody"}, {get, "/ann?list-type=2&prefix=secret"},
	} {
		w.wantAs(request{w.Other, c.method, c.path, "", nil, false}, 404, map[bool]string{true: "", false: "NoSuchBucket"}[c.method == head])
		w.wantAs(request{"", c.method, c.path, "", nil, false}, 401, "")
		w.wantAs(request{"azj_k_nonsense", c.method, c.path, "", nil, false}, 401, "")
	}
	for _, path := range []string{annsFiles, filepath.Join(w.Allowed, "plain"), filepath.Join(w.Dir, "azulejo.db"), "/etc/passwd", "/", w.Dir, filepath.Join(w.Allowed, "new")} {
		for _, method := range []string{get, put, del} {
			w.wantAs(request{w.Other, method, "/bob/file:" + path, "", nil, false}, 403, "")
		}
		w.wantAs(request{w.Other, put, "/bob/copy", "", []string{copySource, "bob/file:" + path}, false}, 403, "")
	}
	w.wantAs(request{w.Other, put, "/bob/copy", "", []string{copySource, "ann/secret"}, false}, 404, "NoSuch")
	w.want(get, "/ann/secret", "", 200, "x")
}

func TestScopes(t *testing.T) {
	w := newWorld(t)
	w.want(put, "/ann/f", "x", 200, "")
	read, write := w.Token(w.t, "array:read"), w.Token(w.t, "array:read-write")
	w.wantAs(request{read, get, "/ann/f", "", nil, false}, 200, "x")
	w.wantAs(request{read, put, "/ann/f", "", nil, false}, 403, "AccessDenied")
	w.wantAs(request{read, post, "/ann/f?uploads", "", nil, false}, 403, "AccessDenied")
	w.wantAs(request{read, del, "/ann/f", "", nil, false}, 403, "AccessDenied")
	w.wantAs(request{write, put, "/ann/f", "y", nil, false}, 200, "")
	w.wantAs(request{write, del, "/ann/f", "", nil, false}, 403, "AccessDenied")
	w.wantAs(request{write, post, "/ann?delete", "<Delete><Object><Key>f</Key></Object></Delete>", nil, false}, 403, "AccessDenied")
	w.wantAs(request{w.Token(w.t, "group:admin"), get, "/ann/f", "", nil, false}, 403, "AccessDenied")
	w.wantAs(request{w.Token(w.t, "group:admin"), get, "/ann?list-type=2", "", nil, false}, 403, "AccessDenied")
}

// Links that people with a shell make lead nowhere.
func TestLinks(t *testing.T) {
	w := newWorld(t)
	outside := filepath.Join(t.TempDir(), "outside")
	servertest.Must(t, os.WriteFile(outside, []byte("secret"), 0o600))
	servertest.Must(t, os.Symlink(outside, filepath.Join(w.Allowed, "link")))
	servertest.Must(t, os.Symlink(filepath.Dir(outside), filepath.Join(w.Allowed, "dir")))
	servertest.Must(t, os.WriteFile(filepath.Join(w.Allowed, "plain"), []byte("mine"), 0o600))
	base := "/ann/file:" + w.Allowed
	w.want(get, base+"/plain", "", 200, "mine")
	w.want(get, base+"/link", "", 403, "AccessDenied")
	w.want(put, base+"/link", "", 403, "AccessDenied")
	w.want(get, base+"/dir/outside", "", 403, "AccessDenied")
	w.want(put, base+"/dir/new", "", 403, "AccessDenied")
	w.want(del, base+"/dir/outside", "", 403, "AccessDenied")
	if got, want := w.keys("prefix=file:"+w.Allowed+"/"), []string{"file://" + w.Allowed + "/plain"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	w.want(get, "/ann?list-type=2&prefix=file:"+w.Allowed+"/dir/", "", 403, "AccessDenied")
	w.want(put, "/ann/own/file", "x", 200, "")
	own := filepath.Join(w.Dir, "storage", w.Ann.NamespaceID, "files", "own")
	servertest.Must(t, os.Symlink(outside, filepath.Join(own, "link")))
	w.want(get, "/ann/own/link", "", 403, "AccessDenied")
	if got := w.keys(""); !slices.Equal(got, []string{"own/file"}) {
		t.Errorf("%v", got)
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "secret" {
		t.Errorf("%s, %v", text, err)
	}
}

// What is not served is told so, by a status that clients do not repeat.
func TestNotServed(t *testing.T) {
	w := newWorld(t)
	w.want(put, "/ann/f", "x", 200, "")
	for _, c := range []struct{ method, path string }{
		{get, "/ann?versioning"}, {get, "/ann?uploads"}, {get, "/ann?policy"}, {put, "/ann/f?acl"}, {get, "/ann/f?tagging"}, {post, "/ann/f?restore"}, {post, "/ann"},
		{get, "/ann/f?versionId=1"}, {del, "/ann"}, {post, "/ann/f"},
	} {
		w.want(c.method, c.path, "", 400, "<Code>NotImplemented</Code>")
	}
	for _, header := range []string{"X-Amz-Server-Side-Encryption", "X-Amz-Object-Lock-Mode"} {
		w.want(put, "/ann/g", "x", 400, "<Code>NotImplemented</Code>", header, "aes256")
	}
	w.want(put, "/ann/g", "x", 400, "<Code>NotImplemented</Code>", "X-Amz-Acl", "public-read")
	w.want(get, "/ann/g", "", 404, "NoSuchKey")
	w.want(put, "/ann", "", 409, "BucketAlreadyOwnedByYou")
	w.want(get, "/ann?location", "", 200, "LocationConstraint")
	w.want(head, "/ann", "", 200, "")
	w.want(get, "", "", 200, "<Name>ann</Name>")
	w.want(http.MethodPatch, "/ann/f", "", 405, "")
	got := w.do(request{"", get, "/ann/f", "", []string{"X-TILEDB-REST-API-Key", w.Full}, false})
	if got.Code != 200 || got.Body.String() != "x" {
		t.Errorf("by the header of the REST API: %d %s", got.Code, got.Body)
	}
	for _, credential := range []string{"Credential=" + w.Full, "Credential=/20270102/us-east-1/s3/aws4_request", "Signature=00", "Credential=" + w.Full + "/a/b/c/d"} {
		got := w.do(request{"", get, "/ann/f", "", []string{"Authorization", "AWS4-HMAC-SHA256 " + credential}, false})
		if got.Code != 401 {
			t.Errorf("%s: %d", strings.ReplaceAll(credential, w.Full, "TOKEN"), got.Code)
		}
	}
}
