package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/gate"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/internal/wire/capnp"
	"azulejo/vfs"
	"azulejo/vfs/file"
)

// held is a storage in which reads of cells wait while it is shut.
type held struct {
	vfs.FS
	shut atomic.Bool
	// reached gets a value for each read that waits, ended the error each ends with.
	reached chan struct{}
	ended   chan error
	release chan struct{}
}

func newHeld() *held {
	return &held{FS: file.New(), reached: make(chan struct{}, 100), ended: make(chan error, 100), release: make(chan struct{})}
}

func (h *held) Open(ctx context.Context, uri string) (vfs.File, error) {
	f, err := h.FS.Open(ctx, uri)
	if err == nil && strings.HasSuffix(uri, "/a0.tdb") {
		f = &heldFile{f, h}
	}
	return f, err
}

type heldFile struct {
	vfs.File
	held *held
}

func (f *heldFile) ReadAt(ctx context.Context, p []byte, off int64) error {
	if !f.held.shut.Load() {
		return f.File.ReadAt(ctx, p, off)
	}
	f.held.reached <- struct{}{}
	var err error
	select {
	case <-f.held.release:
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.held.ended <- err
	if err != nil {
		return err
	}
	return f.File.ReadAt(ctx, p, off)
}

const smallRead = "/v3/arrays/ann/small/query/submit?type=READ&read_all=false&start_timestamp=0&end_timestamp=18446744073709551615"

// newFlow is a world over a storage that can be held, with an array of one fragment, behind a listener.
func newFlow(t *testing.T, l vault.Limits) (*world, *held, string) {
	t.Helper()
	w, h := newWorld(t), newHeld()
	w.Vault = vault.New(h, w.Catalog, l)
	w.api = New(Parts{Accounts: w.Accounts, Tokens: w.Tokens, Catalog: w.Catalog, Vault: w.Vault, Uses: w.Uses, Spool: w.Spool, Repeats: w.Repeats, Key: bytes.Repeat([]byte{7}, 32), Limits: Limits{MessageBytes: 16 << 20, SpoolFrom: 256 << 10}})
	var err error
	w.server, err = web.New(web.Options{Now: time.Now, Log: web.NewLog(io.Discard, "error"), Tokens: w.Tokens, Accounts: w.Accounts, Classes: Classes()}, w.api.Operations())
	must(t, err)
	w.want(w.Full, post, "/v1/arrays/ann/small", recorded(t, "small-create.bin"), 204, "")
	w.want(w.Full, post, "/v3/arrays/ann/small"+submitWrite, recorded(t, "small-write-submit.bin"), 200, "")
	s := httptest.NewServer(w.server)
	t.Cleanup(s.Close)
	return w, h, s.URL
}

// readOf is the read that the client sent, with room for n bytes.
func readOf(t *testing.T, n uint64) []byte {
	t.Helper()
	m, err := capnplib.Unmarshal(recorded(t, "small-read-submit.bin"))
	must(t, err)
	q, err := capnp.ReadRootQuery(m)
	must(t, err)
	headers, err := q.AttributeBufferHeaders()
	must(t, err)
	headers.At(0).SetOriginalFixedLenBufferSizeInBytes(n)
	b, err := m.Marshal()
	must(t, err)
	return b
}

// answered is the outcome of a request in the background.
type answered struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// later sends a request in the background.
func (w *world) later(ctx context.Context, url string, body []byte) <-chan answered {
	out := make(chan answered, 1)
	r, err := http.NewRequestWithContext(ctx, post, url, bytes.NewReader(body))
	must(w.t, err)
	r.Header.Set("X-TILEDB-REST-API-Key", w.Full)
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			out <- answered{err: err}
			return
		}
		b, err := io.ReadAll(res.Body)
		out <- answered{res.StatusCode, res.Header, b, errors.Join(err, res.Body.Close())}
	}()
	return out
}

// until waits for the queue to be as wanted.
func (w *world) until(want func(gate.Counts) bool) {
	for !want(w.Vault.Queue()) {
		runtime.Gosched()
	}
}

const mib = 1 << 20

func TestReadsStopWhenTheClientGoesAway(t *testing.T) {
	w, h, url := newFlow(t, vault.Limits{QueryBytes: 8 * mib, TotalBytes: 64 * mib})
	h.shut.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	gone := w.later(ctx, url+smallRead, readOf(t, 8*mib))
	<-h.reached
	if c := w.Vault.Queue(); c.Bytes != 8*mib || c.Running != 1 {
		t.Errorf("while it reads: %+v", c)
	}
	cancel()
	if err := <-h.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the read of storage ended with %v", err)
	}
	if a := <-gone; !errors.Is(a.err, context.Canceled) {
		t.Errorf("%+v", a)
	}
	w.until(func(c gate.Counts) bool { return c == gate.Counts{} })
}

func TestLargeReadsHoldUpNoSmallOnes(t *testing.T) {
	w, h, url := newFlow(t, vault.Limits{QueryBytes: 8 * mib, TotalBytes: 64 * mib, Running: 1, Waiting: 1})
	h.shut.Store(true)
	large, small := readOf(t, 8*mib), readOf(t, 1000)
	first := w.later(t.Context(), url+smallRead, large)
	<-h.reached
	second := w.later(t.Context(), url+smallRead, large)
	w.until(func(c gate.Counts) bool { return c.Waiting == 1 })
	third := <-w.later(t.Context(), url+smallRead, large)
	if third.status != 503 || third.header.Get("Retry-After") != "1" || !strings.Contains(string(third.body), "try again") {
		t.Errorf("the third: %d %s", third.status, third.body)
	}
	h.shut.Store(false)
	if a := <-w.later(t.Context(), url+smallRead, small); a.status != 200 || len(a.body) == 0 {
		t.Errorf("a small one: %d %s", a.status, a.body)
	}
	if c := w.Vault.Queue(); c.Running != 1 || c.Waiting != 1 {
		t.Errorf("the large ones: %+v", c)
	}
	close(h.release)
	a, b := <-first, <-second
	if a.status != 200 || b.status != 200 || len(a.body) != len(b.body) {
		t.Errorf("the large ones: %d, %d", a.status, b.status)
	}
	w.until(func(c gate.Counts) bool { return c == gate.Counts{} })
}

func TestWaitingReadsGoAwayWithTheirClients(t *testing.T) {
	w, h, url := newFlow(t, vault.Limits{QueryBytes: 8 * mib, TotalBytes: 64 * mib, Running: 1, Waiting: 9})
	h.shut.Store(true)
	first := w.later(t.Context(), url+smallRead, readOf(t, 8*mib))
	<-h.reached
	ctx, cancel := context.WithCancel(t.Context())
	second := w.later(ctx, url+smallRead, readOf(t, 8*mib))
	w.until(func(c gate.Counts) bool { return c.Waiting == 1 })
	cancel()
	w.until(func(c gate.Counts) bool { return c.Waiting == 0 })
	if a := <-second; !errors.Is(a.err, context.Canceled) {
		t.Errorf("%+v", a)
	}
	close(h.release)
	if a := <-first; a.status != 200 {
		t.Errorf("the first: %d %s", a.status, a.body)
	}
}
