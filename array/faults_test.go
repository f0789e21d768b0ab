package array_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

// history is work on one array: every step is one commit.
var history = []func(ctx context.Context, fs vfs.FS) error{
	func(ctx context.Context, fs vfs.FS) error { return array.Create(ctx, fs, uri, newSchema()) },
	func(ctx context.Context, fs vfs.FS) error { return write(ctx, fs, 1, 1, 2, 3, 4, 5) },
	func(ctx context.Context, fs vfs.FS) error { return putNumber(ctx, fs, "k", 1) },
	func(ctx context.Context, fs vfs.FS) error {
		return array.Evolve(ctx, fs, uri, schema.Evolution{
			AddAttributes:      []schema.Attribute{attribute("b", datatype.Int32, "f")},
			AddEnumerations:    []*schema.Enumeration{texts("f", "x")},
			ExtendEnumerations: []*schema.Enumeration{texts("e", "red", "green", "blue")},
		})
	},
	func(ctx context.Context, fs vfs.FS) error { return write(ctx, fs, 2, 7) },
	func(ctx context.Context, fs vfs.FS) error { return putNumber(ctx, fs, "k", 2) },
	func(ctx context.Context, fs vfs.FS) error { return array.Delete(ctx, fs, uri) },
}

func putNumber(ctx context.Context, fs vfs.FS, key string, v int32) error {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	if err != nil {
		return err
	}
	return a.PutMetadata(ctx, []format.MetadataEntry{{Key: key, Type: datatype.Int32, Num: 1, Value: i32(v)}}, 0)
}

// state says all there is to see of the array, as one text.
func state(t *testing.T, fs vfs.FS) string {
	t.Helper()
	ctx := context.Background()
	a, err := array.Open(ctx, fs, uri, array.Interval{End: array.Now - 1})
	if errors.Is(err, array.ErrNotFound) {
		return "none"
	}
	must(t, err)
	got, err := cells(ctx, a)
	must(t, err)
	all, err := a.Metadata(ctx)
	must(t, err)
	text := fmt.Sprintf("%v | %s |", a.Schema.FieldNames(), got)
	for _, e := range all {
		text += " " + e.Key + "=" + hex.EncodeToString(e.Value)
	}
	for _, name := range a.Schema.EnumerationNames {
		e, err := a.Enumeration(ctx, name)
		must(t, err)
		text += fmt.Sprintf(" %s:%d", name, e.Len())
	}
	_, err = array.Check(ctx, fs, uri, func(d array.Damage) { t.Errorf("check: %v", d) })
	must(t, err)
	return text
}

// run does the history until a step fails, and returns the number of steps done.
func run(fs vfs.FS) int {
	for i, step := range history {
		if step(context.Background(), fs) != nil {
			return i
		}
	}
	return len(history)
}

// TestEveryFaultLeavesAPrefix lets every storage operation of a history fail, before or after it took effect or half way,
// and lets the process die there or go on; what a fresh process finds is what there was after some number of commits:
// the steps done, or one more when the last one took effect before its fault.
func TestEveryFaultLeavesAPrefix(t *testing.T) {
	states := []string{"none"}
	clean := mem.New()
	for _, step := range history {
		must(t, step(context.Background(), clean))
		states = append(states, state(t, clean))
	}
	if len(slices.Compact(slices.Clone(states))) != len(states) {
		t.Fatalf("steps without effect: %q", states)
	}
	counted := faultfs.New(mem.New(), nil)
	run(counted)
	n := len(counted.Ops())
	plans := map[string]func(int, faultfs.Action) faultfs.Plan{"fault": faultfs.Nth, "death": faultfs.DeadFrom}
	for name, plan := range plans {
		for _, action := range []faultfs.Action{faultfs.Fail, faultfs.FailAfter, faultfs.Torn} {
			for k := range n {
				disk := mem.New()
				faulty := faultfs.New(disk, plan(k, action))
				done := run(faulty)
				if action == faultfs.Torn && done == len(history)-1 {
					continue // a removal in pieces is more than a backend may do
				}
				got := state(t, disk.PowerLoss())
				if got != states[done] && (done == len(history) || got != states[done+1]) {
					t.Fatalf("%s, action %d of %v: %d steps done, found %s, want %s or %s", name, action, faulty.Ops()[k], done, got, states[done], states[min(done+1, len(history))])
				}
			}
		}
	}
	t.Logf("%d operations, 6 faults each", n)
}

// TestNothingComesBackAfterADeath lets the process die in every operation of a deletion and makes a new array at the
// same place: it must be empty.
func TestNothingComesBackAfterADeath(t *testing.T) {
	ctx := context.Background()
	full := mem.New()
	for _, step := range history[:len(history)-1] {
		must(t, step(ctx, full))
	}
	fresh := mem.New()
	must(t, history[0](ctx, fresh))
	want := state(t, fresh)
	for k := range 1000 {
		disk := full.PowerLoss()
		err := array.Delete(ctx, faultfs.New(disk, faultfs.DeadFrom(k, faultfs.Fail)), uri)
		if exists, _ := array.Exists(ctx, disk, uri); exists {
			continue
		}
		must(t, array.Create(ctx, disk, uri, newSchema()))
		if got := state(t, disk); got != want {
			t.Fatalf("after operation %d: %s", k, got)
		}
		if err == nil {
			return
		}
	}
}

// TestFaultyReadsAreErrors lets every operation of opening and reading fail: never a wrong answer, never a panic.
func TestFaultyReadsAreErrors(t *testing.T) {
	ctx := context.Background()
	disk := mem.New()
	for _, step := range history[:len(history)-1] {
		must(t, step(ctx, disk))
	}
	read := func(fs vfs.FS) (string, error) {
		a, err := array.Open(ctx, fs, uri, array.Interval{End: array.Now - 1})
		if err != nil {
			return "", err
		}
		got, err := cells(ctx, a)
		if err != nil {
			return "", err
		}
		m, err := a.Metadata(ctx)
		return fmt.Sprint(got, m), err
	}
	counted := faultfs.New(disk, nil)
	want, err := read(counted)
	must(t, err)
	for k := range len(counted.Ops()) {
		for _, action := range []faultfs.Action{faultfs.Fail, faultfs.Rot} {
			fs := faultfs.New(disk, faultfs.Nth(k, action))
			got, err := read(fs)
			if kind := fs.Ops()[k].Kind; err == nil && (action == faultfs.Fail || got != want) {
				t.Errorf("%s with action %d went unnoticed: %s", kind, action, got)
			}
		}
	}
}
