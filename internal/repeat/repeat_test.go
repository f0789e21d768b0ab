package repeat

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
)

// newWrites returns two memories over one database, as of two processes' lives, and their clock.
func newWrites(t *testing.T) (first, second *Writes, clock *time.Time) {
	t.Helper()
	d, err := db.Open(t.Context(), dbtest.Source(t, filepath.Join(t.TempDir(), "a.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	clock = new(time.Time)
	*clock = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	now := func() time.Time { return *clock }
	return New(d, now), New(d, now), clock
}

func begin(t *testing.T, w *Writes, id, fragment string) *Write {
	t.Helper()
	v, err := w.Begin(t.Context(), id, fragment)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasNotSentIsRemembered(t *testing.T) {
	w, later, clock := newWrites(t)
	must(t, begin(t, w, "id", "a").End(t.Context(), false))
	v := begin(t, w, "id", "b")
	if v.Name != "a" || v.Done {
		t.Errorf("the second try: %+v", v)
	}
	must(t, v.End(t.Context(), true))
	v = begin(t, w, "id", "c")
	if v.Name != "a" || !v.Done {
		t.Errorf("the third: %+v", v)
	}
	must(t, v.End(t.Context(), false))
	// A process that ended, and what it had not ended.
	begin(t, w, "killed", "k")
	for id, want := range map[string]string{"id": "a", "killed": "k", "other": "new"} {
		v := begin(t, later, id, "new")
		if v.Name != want {
			t.Errorf("%s after a crash: %+v", id, v)
		}
		must(t, v.Forget(t.Context()))
		if v = begin(t, later, id, "again"); v.Name != "again" || v.Done {
			t.Errorf("%s after its reply was sent: %+v", id, v)
		}
		must(t, v.End(t.Context(), true))
	}
	*clock = clock.Add(life + time.Second)
	if v := begin(t, later, "id", "late"); v.Name != "late" {
		t.Errorf("after its life: %+v", v)
	}
}

func TestOneAtATime(t *testing.T) {
	w, _, _ := newWrites(t)
	first := begin(t, w, "id", "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Begin(ctx, "id", "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("while another works on it: %v", err)
	}
	second := make(chan *Write)
	go func() {
		v, err := w.Begin(context.Background(), "id", "b")
		if err != nil {
			t.Error(err)
		}
		second <- v
	}()
	must(t, begin(t, w, "other", "x").Forget(t.Context()))
	select {
	case v := <-second:
		t.Errorf("two at once: %+v", v)
	default:
	}
	must(t, first.Forget(t.Context()))
	if v := <-second; v.Name != "b" {
		t.Errorf("after the first was sent: %+v", v)
	}
}

func TestTheOldestGiveWay(t *testing.T) {
	w, _, clock := newWrites(t)
	must(t, begin(t, w, "first", "f").End(t.Context(), true))
	*clock = clock.Add(time.Second)
	must(t, w.set(t.Context(), fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) "+
		"INSERT INTO repeats (id, fragment, done, maker, at) SELECT 'n' || i, 'x', 1, '', ? FROM n", most-1), clock.UnixMilli()))
	*clock = clock.Add(time.Second)
	must(t, begin(t, w, "last", "l").End(t.Context(), true))
	if v := begin(t, w, "first", "again"); v.Name != "again" {
		t.Errorf("the oldest: %+v", v)
	}
	if v := begin(t, w, "last", "again"); v.Name != "l" {
		t.Errorf("the newest: %+v", v)
	}
}
