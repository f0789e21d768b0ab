package consolidate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/group"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

// start is the time of the first call of a policy; the arrays are written in the second after 1970.
var start = time.UnixMilli(1_000_000)

// policyAt returns a policy for small arrays, some time after the start.
func policyAt(after time.Duration) consolidate.Policy {
	return consolidate.Policy{Now: start.Add(after), Grace: time.Hour, History: consolidate.Forever, Fragments: 4, Footers: 3, Commits: 4, Metadata: 3,
		FragmentBytes: 1 << 20, MergeBytes: 8 << 20, Threads: 1}
}

func applied(t testing.TB, fs vfs.FS, p consolidate.Policy) consolidate.Done {
	t.Helper()
	done, err := p.Apply(context.Background(), fs, uri)
	must(t, err)
	return done
}

// manyWrites are writes at 10, 20, …, deletes among them where there may be some, and metadata.
func manyWrites(kind schema.ArrayType, n int) (writes []func(context.Context, vfs.FS) error) {
	for i := range n {
		millis, lo := uint64(10*(i+1)), int32(1+i%3)
		writes = append(writes, at(millis, run(lo, lo+8)...), func(ctx context.Context, fs vfs.FS) error {
			return put(ctx, fs, millis, string(rune('a'+i%3)), int32(i))
		})
		if kind == schema.Sparse && i == n/2 {
			writes = append(writes, deleted(millis+5, int32(100*millis)-900))
		}
	}
	return writes
}

// manyTimes are times between and at the writes.
func manyTimes(from, n int) (times []uint64) {
	for i := from; i <= n; i++ {
		times = append(times, uint64(10*i), uint64(10*i+6))
	}
	return times
}

// TestPolicyKeepsHistory compacts a sparse array by a policy: every time reads as before, a reader that was opened before
// reads on until the grace is over, and a second call has nothing to do.
func TestPolicyKeepsHistory(t *testing.T) {
	ctx := context.Background()
	for _, dups := range []bool{false, true} {
		fs := newArray(t, schema.Sparse, dups, manyWrites(schema.Sparse, 9)...)
		times := manyTimes(1, 9)
		want := history(t, fs, times...)
		early, err := array.Open(ctx, fs, uri, array.Latest())
		must(t, err)
		read := func() (int, error) {
			r, err := query.Run(ctx, early, &query.Read{Layout: schema.Unordered, Fields: []query.Want{{Name: "v", DataCap: -1}}})
			if err != nil {
				return 0, err
			}
			return len(datatype.View[int32](r.Columns[0].Data)), nil
		}
		cells, err := read()
		must(t, err)

		done := applied(t, fs, policyAt(0))
		if done.Merged != 9 || done.Made != 1 || done.MergedBytes <= done.MadeBytes || done.MadeBytes == 0 || done.Removed != 0 || done.Waiting != 1 {
			t.Errorf("done %v", done)
		}
		for _, after := range []time.Duration{0, time.Minute, time.Hour - time.Millisecond} {
			if again := applied(t, fs, policyAt(after)); again.Any() {
				t.Errorf("again after %v: %v", after, again)
			}
			if n, err := read(); err != nil || n != cells {
				t.Errorf("the reader has %d of %d cells, %v", n, cells, err)
			}
		}
		if got := history(t, fs, times...); got != want {
			t.Errorf("merged:\n%s\nwant\n%s", got, want)
		}
		done = applied(t, fs, policyAt(time.Hour))
		if done.Removed != 19 || done.RemovedBytes == 0 || done.Waiting != 0 {
			t.Errorf("after the grace: %v", done)
		}
		if again := applied(t, fs, policyAt(time.Hour)); again.Any() || again.Waiting != 0 {
			t.Errorf("again: %v", again)
		}
		if got := history(t, fs, times...); got != want {
			t.Errorf("vacuumed:\n%s\nwant\n%s", got, want)
		}
		if list := strings.Join(names(t, fs, ""), " "); strings.Contains(list, ".azulejo") {
			t.Errorf("left behind: %s", list)
		}
		intact(t, fs)
	}
}

// TestPolicyForgetsOnlyWhatItMay merges dense fragments and metadata only where they are older than the history, and
// removes only such fragments that others have merged.
func TestPolicyForgetsOnlyWhatItMay(t *testing.T) {
	fs := newArray(t, schema.Dense, false, manyWrites(schema.Dense, 9)...)
	times := manyTimes(1, 9)
	everything := func() string {
		text := history(t, fs, times...)
		for _, at := range times {
			text += metadataAt(t, fs, at)
		}
		return text
	}
	want := everything()
	keep := policyAt(0)
	keep.Footers, keep.Commits = 0, 0
	if done := applied(t, fs, keep); done.Any() || done.Waiting != 0 {
		t.Errorf("with all history: %v", done)
	}

	window := keep
	window.Grace, window.History = 0, start.Sub(time.UnixMilli(60)) // back to 60
	late := history(t, fs, manyTimes(6, 9)...) + metadataAt(t, fs, 60) + metadataAt(t, fs, 76)
	done := applied(t, fs, window)
	if done.Merged != 6 || done.Made != 1 || done.Metadata != 1 || done.Removed == 0 || done.Waiting != 0 {
		t.Errorf("with a window: %v", done)
	}
	if got := history(t, fs, manyTimes(6, 9)...) + metadataAt(t, fs, 60) + metadataAt(t, fs, 76); got != late {
		t.Errorf("with a window:\n%s\nwant\n%s", got, late)
	}
	if again := applied(t, fs, window); again.Any() {
		t.Errorf("again: %v", again)
	}

	fs = newArray(t, schema.Dense, false, manyWrites(schema.Dense, 9)...)
	merged(t, fs, consolidate.Options{Amplification: 2})
	ran(t, fs, consolidate.ModeArrayMeta)
	if got := everything(); got != want {
		t.Errorf("merged by hand:\n%s\nwant\n%s", got, want)
	}
	keep.Grace = 0
	if done := applied(t, fs, keep); done.Any() || done.Waiting != 2 {
		t.Errorf("merged by hand: %v", done)
	}
	if got := everything(); got != want {
		t.Errorf("after a policy that keeps all:\n%s\nwant\n%s", got, want)
	}
	keep.History = 0
	if done := applied(t, fs, keep); done.Removed == 0 || done.Waiting != 0 {
		t.Errorf("without history: %v", done)
	}
	intact(t, fs)
}

// TestPolicyKeepsWhatWasPurged does not remove fragments from whose merged one the deleted cells are missing.
func TestPolicyKeepsWhatWasPurged(t *testing.T) {
	fs := newArray(t, schema.Sparse, false, manyWrites(schema.Sparse, 9)...)
	merged(t, fs, consolidate.Options{Purge: true})
	p := policyAt(0)
	p.Grace, p.Commits, p.Footers, p.Metadata = 0, 0, 0, 0
	if done := applied(t, fs, p); done.Any() || done.Waiting != 1 {
		t.Errorf("with all history: %v", done)
	}
	p.History = 0
	if done := applied(t, fs, p); done.Removed != 19 || done.Waiting != 0 {
		t.Errorf("without history: %v", done)
	}
	intact(t, fs)
}

// later applies the policy several times until all is done.
func later(ctx context.Context, fs vfs.FS) error {
	for _, after := range []time.Duration{0, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour} {
		p := policyAt(after)
		p.History = 0
		if _, err := p.Apply(ctx, fs, uri); err != nil {
			return err
		}
	}
	return nil
}

// state is what a policy without history has to keep.
func state(t *testing.T, fs vfs.FS, kind schema.ArrayType) string {
	if kind == schema.Dense {
		return history(t, fs) + metadataAt(t, fs, array.Now-1)
	}
	return history(t, fs, manyTimes(1, 6)...) + metadataAt(t, fs, array.Now-1)
}

// TestPoliciesBesideEachOther runs the policy of a second server, with the same or a later clock, within every other
// storage operation of a first one: both end well, the array reads as before, and nothing is left to do.
func TestPoliciesBesideEachOther(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		kind schema.ArrayType
		dups bool
	}{"dense": {kind: schema.Dense}, "sparse": {kind: schema.Sparse}, "duplicates": {kind: schema.Sparse, dups: true}} {
		before := newArray(t, c.kind, c.dups, manyWrites(c.kind, 6)...)
		want := state(t, before, c.kind)
		counted := faultfs.New(before.PowerLoss(), nil)
		must(t, later(ctx, counted))
		n := len(counted.Ops())
		for k := len(name) % 2; k < n; k += every(2) {
			disk := before.PowerLoss()
			var second error
			first := faultfs.New(disk, func(op faultfs.Op) faultfs.Action {
				if op.N == k {
					second = later(ctx, disk)
				}
				return faultfs.Pass
			})
			if err := errors.Join(later(ctx, first), second); err != nil {
				t.Fatalf("%s, second within operation %d of %d, %v: %v", name, k, n, first.Ops()[k], err)
			}
			if got := state(t, disk, c.kind); got != want {
				t.Fatalf("%s, second within operation %d of %d, %v:\n%s\nwant\n%s", name, k, n, first.Ops()[k], got, want)
			}
			must(t, later(ctx, disk))
			if got := state(t, disk, c.kind); got != want {
				t.Fatalf("%s, later:\n%s\nwant\n%s", name, got, want)
			}
			intact(t, disk)
		}
		t.Logf("%s: %d operations", name, n)
	}
}

// TestPolicyMayDieAnywhere lets every storage operation fail and the process die there: the array reads as before, and
// later calls finish.
func TestPolicyMayDieAnywhere(t *testing.T) {
	ctx := context.Background()
	for _, kind := range []schema.ArrayType{schema.Dense, schema.Sparse} {
		before := newArray(t, kind, false, manyWrites(kind, 6)...)
		want := state(t, before, kind)
		counted := faultfs.New(before.PowerLoss(), nil)
		must(t, later(ctx, counted))
		for k := 0; k < len(counted.Ops()); k += every(1) {
			plans := []faultfs.Plan{faultfs.Nth(k, faultfs.Fail), faultfs.DeadFrom(k, faultfs.FailAfter), faultfs.DeadFrom(k, faultfs.Torn)}
			disk := before.PowerLoss()
			faulty := faultfs.New(disk, plans[k%len(plans)])
			err := later(ctx, faulty)
			left := disk.PowerLoss()
			if got := state(t, left, kind); got != want {
				t.Fatalf("after %v (%v):\n%s\nwant\n%s", faulty.Ops()[k], err, got, want)
			}
			must(t, later(ctx, left))
			if got := state(t, left, kind); got != want {
				t.Fatalf("repaired after %v:\n%s\nwant\n%s", faulty.Ops()[k], got, want)
			}
			intact(t, left)
		}
	}
}

// TestPolicyOfGroups merges the metadata of a group.
func TestPolicyOfGroups(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	must(t, group.Create(ctx, fs, uri))
	for i := range 5 {
		g, err := group.Open(ctx, fs, uri, array.Latest())
		must(t, err)
		must(t, g.PutMetadata(ctx, []format.MetadataEntry{{Key: "k", Type: datatype.Int32, Num: 1, Value: i32s(int32(i))}}, uint64(10+i)))
	}
	p := policyAt(0)
	p.History = 0
	if done := applied(t, fs, p); done.Any() {
		t.Errorf("within the grace: %v", done)
	}
	p = policyAt(2 * time.Hour)
	p.History = 0
	if done := applied(t, fs, p); done.Metadata != 1 || done.Waiting != 1 {
		t.Errorf("done %v", done)
	}
	p = policyAt(3 * time.Hour)
	p.History = 0
	if done := applied(t, fs, p); done.Removed != 6 || done.Waiting != 0 {
		t.Errorf("after the grace: %v", done)
	}
	if list := names(t, fs, "__meta"); len(list) != 1 {
		t.Errorf("files %v", list)
	}
	if _, err := p.Apply(ctx, fs, "mem://nothing"); !errors.Is(err, array.ErrNotFound) {
		t.Errorf("nothing there: %v", err)
	}
}
