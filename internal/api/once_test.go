package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"azulejo/internal/catalog"
	"azulejo/internal/repeat"
)

// severed is a connection that breaks when the reply is written, or ends the process then.
type severed struct {
	*httptest.ResponseRecorder
	dies bool
}

var errDied = errors.New("the process was killed")

func (s severed) Write([]byte) (int, error) {
	if s.dies {
		panic(errDied)
	}
	return 0, io.ErrClosedPipe
}

func (s severed) WriteHeader(int) {}

// FlushError is how a reply without a body meets the end of the connection.
func (s severed) FlushError() error {
	_, err := s.Write(nil)
	return err
}

// fragments returns the names of the fragments of an array of ann's.
func (w *world) fragments(name string) []string {
	w.t.Helper()
	found, err := w.Catalog.Resolve(w.t.Context(), w.Ann.NamespaceID, name)
	must(w.t, err)
	entries, err := os.ReadDir(filepath.Join(w.Dir, "storage", w.Ann.NamespaceID, found.ID, "__fragments"))
	must(w.t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// broken sends a request over a connection that breaks before the reply.
func (w *world) broken(to severed, path string, body []byte) {
	w.t.Helper()
	r := httptest.NewRequest(post, path, bytes.NewReader(body))
	r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
	defer func() {
		if recover() == nil {
			w.t.Error("the reply was not broken off")
		}
	}()
	w.server.ServeHTTP(to, r)
}

const lineSubmit = "/v3/arrays/ann/line" + submitWrite

func TestRepeatedWritesAreCarriedOutOnce(t *testing.T) {
	for name, dies := range map[string]bool{"connection": false, "process": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.want(w.Full, post, "/v1/arrays/ann/line", schemaBody(t, lineSchema()), 204, "")
			body := writeBody(t, 0, 1, 5, 6)
			w.broken(severed{httptest.NewRecorder(), dies}, lineSubmit, body)
			first := w.fragments("line")
			if len(first) != 1 {
				t.Fatalf("fragments: %v", first)
			}
			if dies { // another process takes over
				w.api.repeats = repeat.New(w.DB, time.Now)
			}
			// Another body, and another token, are other writes.
			w.want(w.Full, post, lineSubmit, writeBody(t, 0, 1, 5, 7), 200, "")
			w.want(w.Token(t, "*"), post, lineSubmit, body, 200, "")
			if got := w.fragments("line"); len(got) != 3 {
				t.Errorf("fragments after other writes: %v", got)
			}
			// The repetition gets the outcome of the first, and once that is sent the same is a new write.
			w.want(w.Full, post, lineSubmit, body, 200, first[0])
			if got := w.fragments("line"); len(got) != 3 {
				t.Errorf("fragments after the repetition: %v", got)
			}
			w.want(w.Full, post, lineSubmit, body, 200, "")
			w.want(w.Full, post, lineSubmit, body, 200, "")
			if got := w.fragments("line"); len(got) != 5 {
				t.Errorf("fragments after two more writes: %v", got)
			}
		})
	}
}

// A client that goes away while its cells are written gets one fragment for both tries.
func TestWritesWhoseClientGoesAway(t *testing.T) {
	w := newWorld(t)
	w.want(w.Full, post, "/v1/arrays/ann/line", schemaBody(t, lineSchema()), 204, "")
	body := writeBody(t, 0, 1, 5, 6)
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequest(post, lineSubmit, &leaving{bytes.NewReader(body), cancel}).WithContext(ctx)
	r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
	w.server.ServeHTTP(httptest.NewRecorder(), r)
	w.want(w.Full, post, lineSubmit, body, 200, "")
	if got := w.fragments("line"); len(got) != 1 {
		t.Errorf("fragments: %v", got)
	}
}

// leaving is the body of a client that goes away at its end.
type leaving struct {
	io.Reader
	leave func()
}

func (l *leaving) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if err == io.EOF {
		l.leave()
	}
	return n, err
}

func TestRefusedWritesAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.want(w.Full, post, "/v1/arrays/ann/line", schemaBody(t, lineSchema()), 204, "")
	w.want(w.Full, post, lineSubmit, writeBody(t, 0, 1, 5), http.StatusBadRequest, "cells")
	var n int
	must(t, w.DB.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM repeats").Scan(&n))
	if n != 0 {
		t.Errorf("%d writes remembered", n)
	}
}

// changed is a request that changes something, with what it leaves in storage.
type changed struct {
	name, method, path string
	body               []byte
	json               bool
	// asset and folder are where it leaves a file, or kind which asset it makes or removes.
	asset, folder string
	// last is the status of the same request once the reply to it was sent.
	last int
}

func changesOf(t *testing.T) []changed {
	const array, grouped = "/v1/arrays/ann/table", "/v2/groups/ann/g"
	at := "?start_timestamp=0&end_timestamp=18446744073709551615"
	return []changed{
		{"create array", post, "/v1/arrays/ann/new", recorded(t, "table-create.bin"), false, "new", "__schema", 409},
		{"create group", post, "/v2/groups/ann", []byte(`{"groupDetails":{"uri":"h"}}`), true, "h", "", 409},
		{"evolve", post, array + "/evolve", recorded(t, "table-evolve-evolve.bin"), false, "table", "__schema", 400},
		{"metadata", post, array + "/array_metadata" + at, recorded(t, "table-metadata-array_metadata.bin"), false, "table", "__meta", 204},
		{"delete cells", post, "/v3/arrays/ann/table/query/submit?type=DELETE", recorded(t, "table-delete-submit.bin"), false, "table", "__commits", 200},
		{"vacuum", post, array + "/vacuum", []byte("{}"), true, "table", "__fragments", 204},
		{"group metadata", http.MethodPut, grouped + "/metadata", recorded(t, "group-add-groupmeta.bin"), false, "g", "__meta", 204},
		{"add member", http.MethodPatch, grouped, []byte(`{"config":{},"groupUpdate":{"membersToAdd":[{"uri":"tiledb://ann/table","type":"ARRAY","name":"m"}]}}`), true, "g", "__group", 204},
		{"remove member", http.MethodPatch, grouped, []byte(`{"config":{},"groupUpdate":{"membersToRemove":["m2"]}}`), true, "g", "__group", 404},
		{"delete array", http.MethodDelete, array, nil, false, "", "", 404},
		{"deregister array", http.MethodDelete, array + "/deregister", nil, false, "", "", 404},
		{"delete group", http.MethodDelete, grouped + "/delete?recursive=true", nil, false, "", "", 404},
		{"deregister group", http.MethodDelete, grouped, nil, false, "", "", 404},
	}
}

// storage returns the names of the files of a folder of an asset of ann's, apart from folders.
func (w *world) storage(name, folder string) (files []string) {
	w.t.Helper()
	found, err := w.Catalog.Resolve(w.t.Context(), w.Ann.NamespaceID, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	must(w.t, err)
	entries, err := os.ReadDir(filepath.Join(w.Dir, "storage", w.Ann.NamespaceID, found.ID, folder))
	must(w.t, err)
	for _, e := range entries {
		if !e.IsDir() {
			files = append(files, e.Name())
		}
	}
	return files
}

// Every change whose reply was lost is answered as made when it is repeated, and made once; the same request after that is a new one.
func TestRepeatedChangesAreMadeOnce(t *testing.T) {
	for _, c := range changesOf(t) {
		for how, dies := range map[string]bool{"connection": false, "process": true} {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				w := newWorld(t)
				w.want(w.Full, post, "/v1/arrays/ann/table", recorded(t, "table-create.bin"), 204, "")
				w.contentType = "application/json"
				w.want(w.Full, post, "/v2/groups/ann", []byte(`{"groupDetails":{"uri":"g"}}`), 204, "")
				w.want(w.Full, http.MethodPatch, "/v2/groups/ann/g", []byte(`{"config":{},"groupUpdate":{"membersToAdd":[{"uri":"tiledb://ann/table","type":"ARRAY","name":"m2"}]}}`), 204, "")
				if !c.json {
					w.contentType = ""
				}
				before := len(w.storage(c.asset, c.folder))
				w.lost(severed{httptest.NewRecorder(), dies}, c)
				if dies {
					w.api.repeats = repeat.New(w.DB, time.Now)
				}
				after := w.storage(c.asset, c.folder)
				if want := before + 1; c.asset != "" && c.name != "vacuum" && len(after) != want {
					t.Fatalf("the change that lost its reply left %d files, want %d", len(after), want)
				}
				status := http.StatusNoContent
				if c.name == "delete cells" || c.name == "deregister group" {
					status = http.StatusOK
				}
				w.want(w.Full, c.method, c.path, c.body, status, "")
				if got := w.storage(c.asset, c.folder); !slices.Equal(got, after) {
					t.Errorf("after the repetition there are %v, before it %v", got, after)
				}
				w.want(w.Full, c.method, c.path, c.body, c.last, "")
				var n int
				must(t, w.DB.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM repeats").Scan(&n))
				if n != 0 {
					t.Errorf("%d changes remembered", n)
				}
			})
		}
	}
}

// lost sends a request over a connection that ends with the reply.
func (w *world) lost(to severed, c changed) {
	w.t.Helper()
	r := httptest.NewRequest(c.method, c.path, bytes.NewReader(c.body))
	r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
	r.Header.Set("Content-Type", w.contentType)
	defer func() {
		if failure := recover(); failure == nil && to.dies {
			w.t.Error("the process lives on")
		}
	}()
	w.server.ServeHTTP(to, r)
}

// A repeated delete does not touch what was made under the name since the first one, and another caller's delete is not a repetition.
func TestRepeatedDeletesLeaveWhatCameSince(t *testing.T) {
	w := newWorld(t)
	create := schemaBody(t, lineSchema())
	w.want(w.Full, post, "/v1/arrays/ann/line", create, 204, "")
	remove := changed{method: http.MethodDelete, path: "/v1/arrays/ann/line"}
	w.lost(severed{httptest.NewRecorder(), false}, remove)
	w.want(w.Token(t, "*"), remove.method, remove.path, nil, 404, "")
	w.want(w.Other, remove.method, remove.path, nil, 404, "")
	w.want(w.Full, post, "/v1/arrays/ann/line", create, 204, "")
	w.want(w.Full, remove.method, remove.path, nil, 204, "")
	w.want(w.Full, get, "/v1/arrays/ann/line", nil, 200, "")
	w.want(w.Full, remove.method, remove.path, nil, 204, "")
	w.want(w.Full, get, "/v1/arrays/ann/line", nil, 404, "")
}
