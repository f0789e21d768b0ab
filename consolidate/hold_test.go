package consolidate_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
)

// before returns what opens an array as it is now, and what it then says.
func before(t *testing.T, fs vfs.FS) (array.Option, string) {
	t.Helper()
	a, err := array.Open(context.Background(), fs, uri, array.Latest())
	must(t, err)
	text, err := contentOf(context.Background(), a)
	must(t, err)
	return array.WithFragments(a.Pin()), text
}

// TestVacuumSparesWhatIsHeld begins a hold within every storage operation of a vacuum, on single and on merged commits:
// who could hold reads the old fragments to the end, and then a vacuum removes them.
func TestVacuumSparesWhatIsHeld(t *testing.T) {
	ctx := context.Background()
	for _, commits := range []bool{false, true} {
		full := newArray(t, schema.Sparse, false, at(1, run(1, 6)...), at(2, run(4, 9)...), at(3, 1, 20))
		before, want := before(t, full)
		merged(t, full, consolidate.Options{})
		if commits {
			ran(t, full, consolidate.ModeCommits)
			vacuumed(t, full, consolidate.ModeCommits)
		}
		counted := faultfs.New(full.PowerLoss(), nil)
		must(t, consolidate.Vacuum(ctx, counted, uri, consolidate.ModeFragments))
		counts := map[bool]int{}
		for k := range len(counted.Ops()) {
			disk := full.PowerLoss()
			a, err := array.Open(ctx, disk, uri, array.Latest(), before)
			must(t, err)
			var h array.Hold
			must(t, consolidate.Vacuum(ctx, faultfs.New(disk, func(o faultfs.Op) faultfs.Action {
				if o.N == k {
					h, err = a.Hold(ctx, "0a", time.Now().Add(time.Hour))
				}
				return faultfs.Pass
			}), uri, consolidate.ModeFragments))
			if counts[err == nil]++; err == nil {
				b, err := array.Open(ctx, disk, uri, array.Latest(), array.WithHold(h.ID))
				must(t, err)
				if got, err := contentOf(ctx, b); err != nil || got != want {
					t.Errorf("held within %v: %s, want %s, %v", counted.Ops()[k], got, want, err)
				}
				vacuumed(t, disk, consolidate.ModeFragments)
				_, err = contentOf(ctx, b)
				must(t, err)
				must(t, h.Release(ctx, b))
				vacuumed(t, disk, consolidate.ModeFragments)
			} else if !errors.Is(err, array.ErrSnapshotLost) {
				t.Errorf("within %v: %v", counted.Ops()[k], err)
			}
			if left := names(t, disk, "__fragments"); len(left) != 1 {
				t.Errorf("after a hold within %v there are %v", counted.Ops()[k], left)
			}
			intact(t, disk)
		}
		if counts[true] == 0 || counts[false] == 0 {
			t.Errorf("%d were kept, %d not", counts[true], counts[false])
		}
	}
}

// TestPolicySparesWhatIsHeld lets the upkeep wait, too.
func TestPolicySparesWhatIsHeld(t *testing.T) {
	ctx := context.Background()
	fs := newArray(t, schema.Sparse, false, at(1, run(1, 6)...), at(2, run(4, 9)...), at(3, 1, 20))
	before, _ := before(t, fs)
	merged(t, fs, consolidate.Options{})
	a, err := array.Open(ctx, fs, uri, array.Latest(), before)
	must(t, err)
	h, err := a.Hold(ctx, "0a", time.Now().Add(time.Hour))
	must(t, err)
	p := consolidate.Policy{History: math.MaxInt64}
	done, err := p.Apply(ctx, fs, uri)
	if err != nil || done.Removed != 0 {
		t.Errorf("removed %d, %v", done.Removed, err)
	}
	must(t, h.Release(ctx, a))
	if done, err = p.Apply(ctx, fs, uri); err != nil || done.Removed != 7 {
		t.Errorf("removed %d, %v", done.Removed, err)
	}
}
