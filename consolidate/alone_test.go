package consolidate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"azulejo/consolidate"
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
