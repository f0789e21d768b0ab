package consolidate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
)

// interfering does something else just before the first file whose name ends so is made.
type interfering struct {
	vfs.FS
	suffix string
	other  func()
}

func (f *interfering) Create(ctx context.Context, uri string) (vfs.Writer, error) {
	if other := f.other; other != nil && strings.HasSuffix(uri, f.suffix) {
		f.other = nil
		other()
	}
	return f.FS.Create(ctx, uri)
}

// TestTwoConsolidationsAtOnce lets a second consolidation begin and end at each stage of a first one: the array reads as
// before, one of the two gives way or both made the same.
func TestTwoConsolidationsAtOnce(t *testing.T) {
	ctx := context.Background()
	for _, dups := range []bool{false, true} {
		for _, suffix := range []string{"", "v.tdb", "__fragment_metadata.tdb", ".wrt", ".vac"} {
			for _, vacuum := range []bool{false, true} {
				fs := newArray(t, schema.Sparse, dups, threeWrites(schema.Sparse)...)
				want := history(t, fs, 10, 20, 30)
				var second error
				first := &interfering{FS: fs, suffix: suffix, other: func() {
					_, second = consolidate.Fragments(ctx, fs, uri, consolidate.Options{})
					if vacuum {
						vacuumed(t, fs, consolidate.ModeFragments)
					}
				}}
				_, err := consolidate.Fragments(ctx, first, uri, consolidate.Options{})
				if got := history(t, fs, 10, 20, 30); got != want {
					t.Errorf("dups %v, second before %q: %v, %v\n%s\nwant\n%s", dups, suffix, err, second, got, want)
				}
				for _, e := range []error{err, second} {
					if e != nil && !errors.Is(e, consolidate.ErrBusy) && !errors.Is(e, vfs.ErrNotExist) {
						t.Errorf("dups %v, second before %q: %v", dups, suffix, e)
					}
				}
				if err != nil && second != nil {
					t.Errorf("dups %v, second before %q: both gave way", dups, suffix)
				}
				intact(t, fs)
			}
		}
	}
}

// TestRelease lets a consolidation wait for one whose process died, until that is given up.
func TestRelease(t *testing.T) {
	ctx := context.Background()
	fs := newArray(t, schema.Sparse, true, threeWrites(schema.Sparse)...)
	a, err := array.Open(ctx, fs, uri, array.Latest())
	must(t, err)
	want := history(t, fs, 10, 20, 30)
	dead := format.NewName(10, 20, format.Version).String()
	_, err = array.Announce(ctx, fs, uri, dead, []string{"/__fragments/" + a.Pin()[0], "/__fragments/" + a.Pin()[1]})
	must(t, err)
	must(t, vfs.WriteAll(ctx, fs, vfs.Join(uri, "__fragments", dead, "half.tdb"), []byte{1}))
	_, err = consolidate.Fragments(ctx, fs, uri, consolidate.Options{})
	if !errors.Is(err, consolidate.ErrBusy) || !strings.Contains(err.Error(), "azulejo array release") {
		t.Fatal(err)
	}
	if given, err := consolidate.Release(ctx, fs, uri, time.Hour); err != nil || len(given) != 0 {
		t.Errorf("released %v, error %v", given, err)
	}
	given, err := consolidate.Release(ctx, fs, uri+"/", 0)
	if err != nil || len(given) != 1 || given[0].Fragment != dead || len(given[0].Hidden) != 2 {
		t.Errorf("released %v, error %v", given, err)
	}
	if got := fragments(t, fs); got != "10-10 20-20 30-30" || len(names(t, fs, "__fragments")) != 3 {
		t.Errorf("fragments %s are left", got)
	}
	merged(t, fs, consolidate.Options{})
	if got := history(t, fs, 10, 20, 30); got != want || fragments(t, fs) != "10-30" {
		t.Errorf("%s: %s\nwant %s", fragments(t, fs), got, want)
	}
	if _, err := consolidate.Release(ctx, fs, "mem://none", 0); !errors.Is(err, array.ErrNotFound) {
		t.Error(err)
	}
}

// TestReleaseOfTheLiving gives a consolidation up at each of its stages: it finishes or changes nothing.
func TestReleaseOfTheLiving(t *testing.T) {
	ctx := context.Background()
	for _, suffix := range []string{"v.tdb", "__fragment_metadata.tdb", ".vac"} {
		fs := newArray(t, schema.Sparse, true, threeWrites(schema.Sparse)...)
		want := history(t, fs, 10, 20, 30)
		_, err := consolidate.Fragments(ctx, &interfering{FS: fs, suffix: suffix, other: func() {
			_, err := consolidate.Release(ctx, fs, uri, 0)
			must(t, err)
		}}, uri, consolidate.Options{})
		if got := history(t, fs, 10, 20, 30); got != want || err == nil && fragments(t, fs) != "10-30" {
			t.Errorf("released before %q: %v; %s: %s\nwant %s", suffix, err, fragments(t, fs), got, want)
		}
		intact(t, fs)
	}
}
