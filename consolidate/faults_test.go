package consolidate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"azulejo/consolidate"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

// maintenance is all that is done to an array, in turn.
func maintenance(ctx context.Context, fs vfs.FS) error {
	for _, m := range []consolidate.Mode{consolidate.ModeCommits, consolidate.ModeFragments, consolidate.ModeFragmentMeta, consolidate.ModeArrayMeta, consolidate.ModeCommits} {
		o := consolidate.Options{Threads: 1, Amplification: 2}
		if err := consolidate.Run(ctx, fs, uri, m, o); err != nil {
			return err
		}
		if err := consolidate.Vacuum(ctx, fs, uri, m); err != nil {
			return err
		}
	}
	return nil
}

// every returns the distance between the operations that a test disturbs: n, or more where -short asks for a sample, as
// the run with the race detector does.
func every(n int) int {
	if testing.Short() {
		return 10*n + 1
	}
	return n
}

// TestEveryFaultLeavesTheArrayAsItWas lets every storage operation of all maintenance fail, before or after it took effect
// or half way, and lets the process die there or go on: what a fresh process finds after a loss of power is what the array
// always said, and maintenance that is done again succeeds and leaves nothing behind.
func TestEveryFaultLeavesTheArrayAsItWas(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		kind schema.ArrayType
		dups bool
	}{"dense": {kind: schema.Dense}, "sparse": {kind: schema.Sparse}, "duplicates": {kind: schema.Sparse, dups: true}} {
		t.Run(name, func(t *testing.T) {
			writes := threeWrites(c.kind)
			if c.kind == schema.Sparse {
				writes = append(writes, deleted(25, 1006))
			}
			writes = append(writes, func(ctx context.Context, fs vfs.FS) error { return put(ctx, fs, 10, "a", 1) },
				func(ctx context.Context, fs vfs.FS) error { return put(ctx, fs, 20, "b", 2) })
			times := []uint64{10, 20, 30}
			if c.kind == schema.Dense {
				times = nil
			}
			before := newArray(t, c.kind, c.dups, writes...)
			want := history(t, before, times...) + metadataAt(t, before, 20)
			counted := faultfs.New(before.PowerLoss(), nil)
			must(t, maintenance(ctx, counted))
			n := len(counted.Ops())
			for k := 0; k < n; k += every(1) {
				for _, plan := range []faultfs.Plan{faultfs.Nth(k, faultfs.Fail), faultfs.Nth(k, faultfs.FailAfter), faultfs.DeadFrom(k, faultfs.Fail),
					faultfs.DeadFrom(k, faultfs.FailAfter), faultfs.DeadFrom(k, faultfs.Torn)} {
					disk := before.PowerLoss()
					faulty := faultfs.New(disk, plan)
					err := maintenance(ctx, faulty)
					op := faulty.Ops()[k]
					left := disk.PowerLoss()
					if got := history(t, left, times...) + metadataAt(t, left, 20); got != want {
						t.Fatalf("after %v (%v):\n%s\nwant\n%s", op, err, got, want)
					}
					err = maintenance(ctx, left)
					if c.dups && errors.Is(err, consolidate.ErrBusy) { // until the announcement of the dead is old
						age(t, left)
						err = maintenance(ctx, left)
					}
					must(t, err)
					if got := history(t, left, times...) + metadataAt(t, left, 20); got != want {
						t.Fatalf("repaired after %v:\n%s\nwant\n%s", op, got, want)
					}
					intact(t, left)
				}
			}
			t.Logf("%d operations, 5 faults each", n)
		})
	}
}

// TestAbandonedFragmentsAreSwept removes what a process left that died before its commit, once that is long ago.
func TestAbandonedFragmentsAreSwept(t *testing.T) {
	ctx := context.Background()
	before := newArray(t, schema.Sparse, false, threeWrites(schema.Sparse)...)
	counted := faultfs.New(before.PowerLoss(), nil)
	merged(t, counted, consolidate.Options{})
	for k, op := range counted.Ops() {
		if op.Kind != "commit" || !strings.HasSuffix(op.URI, ".wrt") {
			continue
		}
		disk := before.PowerLoss()
		if _, err := consolidate.Fragments(ctx, faultfs.New(disk, faultfs.DeadFrom(k, faultfs.Fail)), uri, consolidate.Options{}); err == nil {
			t.Fatal("no fault")
		}
		if n := len(names(t, disk, "__fragments")); n != 4 {
			t.Fatalf("%d folders", n)
		}
		vacuumed(t, disk, consolidate.ModeFragments)
		if n := len(names(t, disk, "__fragments")); n != 4 {
			t.Errorf("a fragment that may be in the making was swept, %d folders", n)
		}
		age(t, disk)
		vacuumed(t, disk, consolidate.ModeFragments)
		if n := len(names(t, disk, "__fragments")); n != 3 {
			t.Errorf("%d folders are left", n)
		}
		return
	}
	t.Error("no commit")
}

// age makes the announcement of a consolidation older.
func age(t *testing.T, fs *mem.FS) {
	t.Helper()
	ctx := context.Background()
	for _, name := range names(t, fs, "") {
		if file := vfs.Join(uri, name); strings.HasPrefix(name, ".azulejo-consolidate-") {
			text, err := vfs.ReadAll(ctx, fs, file)
			must(t, err)
			_, rest, _ := strings.Cut(string(text), "\n")
			must(t, fs.Remove(ctx, file))
			must(t, vfs.WriteAll(ctx, fs, file, []byte("1000\n"+rest)))
		}
	}
}
