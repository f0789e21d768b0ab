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
	"testing"
	"time"

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
