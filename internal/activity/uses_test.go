package activity

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
)

func newUses(t *testing.T) *Uses {
	t.Helper()
	d, err := db.Open(t.Context(), dbtest.Source(t, filepath.Join(t.TempDir(), "a.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return NewUses(d)
}

func use(asset, user, action string, second int64) Use {
	return Use{AssetID: asset, UserID: user, UserName: user, Action: action, At: time.Unix(second, 0).UTC(), Origin: Origin{Address: "::1", Agent: "a\x00\xff"}, Sent: second}
}

func TestUsesAreListed(t *testing.T) {
	u := newUses(t)
	ctx := t.Context()
	for i, x := range []Use{use("x", "ann", "create", 1), use("x", "bob", "query_read", 2), use("y", "ann", "query_read", 3), use("x", "ann", "query_read", 4)} {
		if err := u.Note(ctx, x); err != nil {
			t.Fatal(i, err)
		}
	}
	for name, tc := range map[string]struct {
		f     UseFilter
		first int64
		total int
	}{
		"all of one":  {UseFilter{AssetIDs: []string{"x"}}, 4, 3},
		"of none":     {UseFilter{AssetIDs: []string{}}, 0, 0},
		"by user":     {UseFilter{UserID: "ann"}, 4, 3},
		"by action":   {UseFilter{AssetIDs: []string{"x"}, Actions: []string{"create", "delete"}}, 1, 1},
		"between":     {UseFilter{From: time.Unix(2, 0), To: time.Unix(3, 0)}, 3, 2},
		"second page": {UseFilter{AssetIDs: []string{"x"}, Page: 2, PerPage: 2}, 1, 3},
	} {
		list, total, err := u.List(ctx, tc.f)
		if err != nil || total != tc.total || len(list) > 0 != (tc.first > 0) || tc.first > 0 && list[0].Sent != tc.first {
			t.Errorf("%s: %+v, %d, %v", name, list, total, err)
		}
	}
	last, err := u.LastOf(ctx, "ann", 9)
	if err != nil || len(last) != 2 || last[0].AssetID != "x" || last[0].Sent != 4 || last[1].AssetID != "y" {
		t.Errorf("last of ann: %+v, %v", last, err)
	}
	used, err := u.LastUsed(ctx, []string{"x", "y", "z"})
	if err != nil || len(used) != 2 || !used["x"].Equal(time.Unix(4, 0)) || !used["y"].Equal(time.Unix(3, 0)) {
		t.Errorf("last uses: %v, %v", used, err)
	}
	if none, err := u.LastUsed(ctx, nil); err != nil || len(none) != 0 {
		t.Errorf("last uses of nothing: %v, %v", none, err)
	}
	if got, err := u.Get(ctx, "x", last[0].ID); err != nil || got != last[0] {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := u.Get(ctx, "y", last[0].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("another asset's entry: %v", err)
	}
}

// What is noted from many sides at once is all written, also what is noted last.
func TestUsesAreAllWritten(t *testing.T) {
	u := newUses(t)
	ctx, stop := context.WithCancel(t.Context())
	var running, noting sync.WaitGroup
	running.Go(func() { u.Run(ctx, func(err error) { t.Error(err) }) })
	for range 4 {
		noting.Go(func() {
			for range 2 * usesWaiting {
				if err := u.Note(t.Context(), use("x", "ann", "query_read", 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	noting.Wait()
	stop()
	running.Wait()
	var n int
	if err := u.db.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM uses").Scan(&n); err != nil || n != 8*usesWaiting {
		t.Errorf("%d of %d written, %v", n, 8*usesWaiting, err)
	}
}
