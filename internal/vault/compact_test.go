package vault

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// hooked calls hook before files are made.
type hooked struct {
	vfs.FS
	hook func(uri string)
}

func (h *hooked) Create(ctx context.Context, uri string) (vfs.Writer, error) {
	if h.hook != nil {
		h.hook(uri)
	}
	return h.FS.Create(ctx, uri)
}

// fill writes fragments of one cell each.
func (w world) fill(t *testing.T, n int) {
	ctx := context.Background()
	a, err := w.OpenArray(ctx, w.write, w.asset, array.Latest())
	must(t, err)
	for i := range n {
		cell := datatype.Bytes([]int32{int32(i)})
		_, err := a.Write(ctx, &query.Write{Layout: schema.Unordered, Timestamp: uint64(i + 1), Columns: []query.Column{{Name: "x", Data: cell}, {Name: "a", Data: cell}}})
		must(t, err)
	}
}

// TestCompact compacts what is in the catalogue, but not what is marked read-only.
func TestCompact(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.fill(t, 6)
	policy := consolidate.Policy{Now: time.UnixMilli(1000), Fragments: 3, FragmentBytes: 1 << 20, Threads: 1}
	round := func() (looked int, all consolidate.Done) {
		must(t, w.Compact(ctx, policy, func(a catalog.Asset, done consolidate.Done, err error) {
			must(t, err)
			if a.ID != w.asset.ID {
				t.Errorf("looked at %s", a.Name)
			}
			looked, all = looked+1, done
		}))
		return looked, all
	}
	describe, err := access.Allowed(w.write.Subject(), access.ArrayDescribe, w.asset.Object())
	must(t, err)
	mark := func(readOnly bool) {
		_, err := w.catalog.Update(ctx, describe, w.asset, catalog.Patch{ReadOnly: &readOnly})
		must(t, err)
	}
	mark(true)
	if looked, _ := round(); looked != 0 {
		t.Error("looked at what is marked read-only")
	}
	mark(false)
	if looked, done := round(); looked != 1 || done.Merged != 6 || done.Made != 1 || done.Removed != 13 {
		t.Errorf("looked at %d: %v", looked, done)
	}
	if looked, done := round(); looked != 1 || done.Any() {
		t.Errorf("again: looked at %d: %v", looked, done)
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if err := w.Compact(stopped, policy, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// TestDeleteWhileCompacting deletes an array at each file that compacting it makes: the deletion waits for the end of that,
// and nothing is left or comes back.
func TestDeleteWhileCompacting(t *testing.T) {
	ctx := context.Background()
	for _, at := range []string{".azulejo-consolidate", "a.tdb", "__fragment_metadata.tdb", ".wrt", ".vac"} {
		w := newWorld(t)
		w.fill(t, 6)
		where, err := w.catalog.Locate(ctx, w.write, w.asset)
		must(t, err)
		remove, err := access.Allowed(w.write.Subject(), access.ArrayDelete, w.asset.Object())
		must(t, err)
		h := &hooked{FS: w.fs}
		w.fs = h
		deleted := make(chan error, 1)
		h.hook = func(uri string) {
			if !strings.Contains(uri, at) {
				return
			}
			h.hook = nil
			go func() { deleted <- w.DeleteArray(ctx, remove, w.asset) }()
			for {
				if _, err := w.catalog.Resolve(ctx, w.asset.NamespaceID, w.asset.ID); errors.Is(err, catalog.ErrNotFound) {
					return
				}
				runtime.Gosched()
			}
		}
		policy := consolidate.Policy{Now: time.UnixMilli(1000), Fragments: 3, FragmentBytes: 1 << 20, Threads: 1}
		must(t, w.Compact(ctx, policy, func(_ catalog.Asset, _ consolidate.Done, err error) { must(t, err) }))
		if h.hook != nil {
			t.Fatalf("no file %s was made", at)
		}
		must(t, <-deleted)
		left, err := w.fs.List(ctx, where.URI())
		must(t, err)
		if len(left) > 0 {
			t.Errorf("deleted at %s: left %v", at, left)
		}
	}
}
