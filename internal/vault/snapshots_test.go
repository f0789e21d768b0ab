package vault

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/internal/access"
	"azulejo/vfs"
)

// locked is a storage in which nobody can write in folders themselves.
type locked struct{ vfs.FS }

func (l locked) Create(ctx context.Context, uri string) (vfs.Writer, error) {
	if strings.Contains(uri, "/.azulejo-reading-") {
		return nil, &vfs.Error{Op: "create", URI: uri, Err: fs.ErrPermission}
	}
	return l.FS.Create(ctx, uri)
}

func TestSuspend(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	read, err := access.Allowed(w.write.Subject(), access.ArrayRead, w.asset.Object())
	must(t, err)
	open := func() *Array {
		a, err := w.OpenArray(ctx, read, w.asset, array.Latest())
		must(t, err)
		return a
	}
	a := open()
	id, err := a.Suspend(ctx)
	must(t, err)
	b, err := w.Reopen(ctx, read, w.asset, id)
	must(t, err)
	if again, err := b.Suspend(ctx); err != nil || again != id || b.At() != a.At() {
		t.Errorf("suspended again as %q, %v", again, err)
	}
	first, _ := b.arr.Held()
	// A longer life makes the rest of the first a small part of it: the next request renews.
	w.limits.ReadLife = 5 * time.Hour
	_, err = w.Reopen(ctx, read, w.asset, id)
	must(t, err)
	b, err = w.Reopen(ctx, read, w.asset, id)
	must(t, err)
	if h, _ := b.arr.Held(); h.Until.Sub(first.Until) < 3*time.Hour {
		t.Errorf("held until %v, at first %v", h.Until, first.Until)
	}
	must(t, a.EndRead(ctx))
	if _, err := w.Reopen(ctx, read, w.asset, id); !errors.Is(err, array.ErrSnapshotLost) {
		t.Errorf("after the end: %v", err)
	}
	w.limits.ReadLife = time.Nanosecond
	id, err = open().Suspend(ctx)
	must(t, err)
	if _, err := w.Reopen(ctx, read, w.asset, id); !errors.Is(err, array.ErrSnapshotLost) {
		t.Errorf("after its time: %v", err)
	}
	w.fs = locked{w.fs}
	a = open()
	if id, err = a.Suspend(ctx); id != "" || err != nil {
		t.Errorf("where nobody can write: %q, %v", id, err)
	}
	must(t, a.EndRead(ctx))
	_, err = w.ReopenNamed(ctx, read, w.asset, a.At(), a.Pin())
	must(t, err)
	writer, err := w.OpenArray(ctx, w.write, w.asset, array.Latest())
	must(t, err)
	if _, err := writer.Suspend(ctx); !errors.Is(err, access.ErrDenied) {
		t.Errorf("with a grant to write: %v", err)
	}
}
