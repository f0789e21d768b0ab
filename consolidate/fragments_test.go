package consolidate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// threeWrites overlap: 10 wrote 1 to 8, 20 wrote 5 to 12, 30 wrote 2, 3 and 13 to 18 or, dense, 13 to 18.
func threeWrites(kind schema.ArrayType) []func(context.Context, vfs.FS) error {
	last := append([]int32{2, 3}, run(13, 18)...)
	if kind == schema.Dense {
		last = run(13, 18)
	}
	return []func(context.Context, vfs.FS) error{at(10, run(1, 8)...), at(20, run(5, 12)...), at(30, last...)}
}

// TestMergedFragmentsReadTheSame merges all fragments of arrays of each kind in several ways: what the array says now does
// not change, before and after the vacuum, and for sparse arrays what it said at any time neither.
func TestMergedFragmentsReadTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		kind  schema.ArrayType
		dups  bool
		extra []func(context.Context, vfs.FS) error
		o     consolidate.Options
		want  string
	}{
		"dense":              {kind: schema.Dense, want: "10-30"},
		"dense split":        {kind: schema.Dense, o: consolidate.Options{MaxFragmentSize: 600}, want: "10-30 10-30"},
		"dense small memory": {kind: schema.Dense, o: consolidate.Options{Memory: 100}, want: "10-30"},
		"sparse":             {kind: schema.Sparse, want: "10-30"},
		"sparse duplicates":  {kind: schema.Sparse, dups: true, want: "10-30"},
		"sparse split":       {kind: schema.Sparse, o: consolidate.Options{MaxFragmentSize: 900}, want: "10-30 10-30 10-30"},
		"sparse tiny memory": {kind: schema.Sparse, o: consolidate.Options{Memory: 1, Threads: 1}, want: "10-30"},
		"sparse deletes": {kind: schema.Sparse, want: "10-30",
			extra: []func(context.Context, vfs.FS) error{deleted(15, 1004), deleted(25, 2008), deleted(40, 3003)}},
		"sparse duplicates deletes": {kind: schema.Sparse, dups: true, want: "10-30",
			extra: []func(context.Context, vfs.FS) error{deleted(15, 1004), deleted(25, 2008), deleted(40, 3003)}},
	} {
		t.Run(name, func(t *testing.T) {
			fs := newArray(t, c.kind, c.dups, append(threeWrites(c.kind), c.extra...)...)
			times := []uint64{9, 10, 14, 15, 20, 24, 25, 30, 39, 40}
			if c.kind == schema.Dense {
				times = nil
			}
			want := history(t, fs, times...)
			if made := merged(t, fs, c.o); fragments(t, fs) != c.want || len(made) != len(strings.Fields(c.want)) {
				t.Errorf("fragments %s, made %v; want %s", fragments(t, fs), made, c.want)
			}
			if got := history(t, fs, times...); got != want {
				t.Errorf("merged:\n%s\nwant\n%s", got, want)
			}
			intact(t, fs)
			vacuumed(t, fs, consolidate.ModeFragments)
			if got := history(t, fs, times...); got != want {
				t.Errorf("vacuumed:\n%s\nwant\n%s", got, want)
			}
			intact(t, fs)
			if left := names(t, fs, "__fragments"); len(left) != len(strings.Fields(c.want)) {
				t.Errorf("left %v", left)
			}
			if root := names(t, fs, ""); slices.ContainsFunc(root, func(n string) bool { return strings.HasPrefix(n, ".") }) {
				t.Errorf("left %v", root)
			}
			// Deletes and writes go on, and once more.
			must(t, write(context.Background(), fs, 50, run(3, 4)...))
			if c.kind == schema.Sparse {
				must(t, deleteBelow(context.Background(), fs, 60, 3015))
				times = append(times, 50, 60)
			}
			want = history(t, fs, times...)
			merged(t, fs, consolidate.Options{Amplification: 2})
			vacuumed(t, fs, consolidate.ModeFragments)
			if got := history(t, fs, times...); got != want || fragments(t, fs) != "10-50" {
				t.Errorf("again, %s:\n%s\nwant\n%s", fragments(t, fs), got, want)
			}
			intact(t, fs)
		})
	}
}

// TestPurge drops deleted cells, and the versions that they hide.
func TestPurge(t *testing.T) {
	for _, dups := range []bool{false, true} {
		fs := newArray(t, schema.Sparse, dups, append(threeWrites(schema.Sparse), deleted(15, 1004), deleted(25, 2008))...)
		want := history(t, fs)
		merged(t, fs, consolidate.Options{Purge: true})
		vacuumed(t, fs, consolidate.ModeFragments)
		if got := history(t, fs); got != want {
			t.Errorf("duplicates %v: %s\nwant %s", dups, got, want)
		}
		a, err := array.Open(context.Background(), fs, uri, array.Latest())
		must(t, err)
		f := a.Fragments()[0].Footer()
		cells := map[bool]uint64{false: 13, true: 13}[dups]
		if f.HasDeletes || !f.HasTimestamps || f.NumCells() != cells {
			t.Errorf("duplicates %v: %d cells, deletes %v", dups, f.NumCells(), f.HasDeletes)
		}
		intact(t, fs)
	}
	// Nothing is left.
	fs := newArray(t, schema.Sparse, false, at(10, 1, 2), at(20, 3), deleted(30, 1<<30))
	merged(t, fs, consolidate.Options{Purge: true})
	vacuumed(t, fs, consolidate.ModeFragments)
	if left := names(t, fs, "__fragments"); len(left) != 0 || fragments(t, fs) != "" {
		t.Errorf("left %v", left)
	}
}

// TestSteps chooses what to merge by the settings.
func TestSteps(t *testing.T) {
	ctx := context.Background()
	apart := func(kind schema.ArrayType) []func(context.Context, vfs.FS) error {
		return []func(context.Context, vfs.FS) error{at(10, 1, 2, 3, 4), at(20, 5, 6, 7, 8), at(30, 9, 10, 11, 12), at(40, 17, 18, 19, 20), at(50, 13, 14, 15, 16)}
	}
	for name, c := range map[string]struct {
		kind schema.ArrayType
		o    consolidate.Options
		want string
	}{
		"pairs once":        {schema.Sparse, consolidate.Options{Steps: 1, MinFragments: 2, MaxFragments: 2}, "10-20 30-30 40-40 50-50"},
		"pairs":             {schema.Sparse, consolidate.Options{Steps: 2, MinFragments: 2, MaxFragments: 2}, "10-30 40-40 50-50"},
		"threes":            {schema.Sparse, consolidate.Options{Steps: 1, MaxFragments: 3}, "10-30 40-40 50-50"},
		"interval":          {schema.Sparse, consolidate.Options{At: array.Interval{Start: 20, End: 40}}, "10-10 20-40 50-50"},
		"named":             {schema.Sparse, consolidate.Options{Names: []string{"1", "3"}}, "10-10 20-40 30-30 50-50"},
		"dense interval":    {schema.Dense, consolidate.Options{At: array.Interval{Start: 20, End: 30}}, "10-10 20-30 40-40 50-50"},
		"dense too sparse":  {schema.Dense, consolidate.Options{At: array.Interval{Start: 30, End: 40}}, "10-10 20-20 30-30 40-40 50-50"},
		"dense with gaps":   {schema.Dense, consolidate.Options{At: array.Interval{Start: 30, End: 40}, Amplification: 1.5}, "10-10 20-20 30-40 50-50"},
		"dense hides older": {schema.Dense, consolidate.Options{At: array.Interval{Start: 20, End: 50}, Amplification: 9}, "10-10 20-50"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := newArray(t, c.kind, false, apart(c.kind)...)
			want := history(t, fs)
			if len(c.o.Names) > 0 {
				a, err := array.Open(ctx, fs, uri, array.Latest())
				must(t, err)
				pins := a.Pin()
				c.o.Names = []string{pins[1], uri + "/__fragments/" + pins[3]}
			}
			merged(t, fs, c.o)
			if got := fragments(t, fs); got != c.want {
				t.Errorf("fragments %s, want %s", got, c.want)
			}
			if got := history(t, fs); got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
}

// TestDenseGapsHideNothing refuses to merge dense fragments where the fill between them would hide older cells.
func TestDenseGapsHideNothing(t *testing.T) {
	fs := newArray(t, schema.Dense, false, at(10, run(7, 9)...), at(20, run(1, 6)...), at(30, run(13, 18)...))
	want := history(t, fs)
	merged(t, fs, consolidate.Options{At: array.Interval{Start: 15, End: 40}, Amplification: 100})
	if got := fragments(t, fs); got != "10-10 20-20 30-30" {
		t.Errorf("merged to %s", got)
	}
	a, err := array.Open(context.Background(), fs, uri, array.Latest())
	must(t, err)
	_, err = consolidate.Fragments(context.Background(), fs, uri, consolidate.Options{Names: a.Pin()[1:]})
	if !errors.Is(err, consolidate.ErrInvalid) || !strings.Contains(err.Error(), a.Pin()[0]) {
		t.Errorf("named: %v", err)
	}
	if got := history(t, fs); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	fs := newArray(t, schema.Sparse, false, threeWrites(schema.Sparse)...)
	for name, o := range map[string]consolidate.Options{
		"few":           {MinFragments: 3, MaxFragments: 2},
		"ratio":         {SizeRatio: 2},
		"amplification": {Amplification: -1},
		"unknown name":  {Names: []string{"__1_1_00000000000000000000000000000000_22", "x"}},
		"tiny fragment": {MaxFragmentSize: 10},
	} {
		if _, err := consolidate.Fragments(ctx, fs, uri, o); !errors.Is(err, consolidate.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(names(t, fs, "__fragments")); n != 3 {
		t.Errorf("%d folders are left", n)
	}
	for m := consolidate.ModeFragments; m <= consolidate.ModeGroupMeta; m++ {
		again, err := consolidate.ParseMode(m.String())
		if again != m || err != nil {
			t.Errorf("mode %v: %v, %v", m, again, err)
		}
		if err := consolidate.Run(ctx, fs, "mem://none", m, consolidate.Options{}); err == nil {
			t.Errorf("%v of nothing", m)
		}
	}
	if _, err := consolidate.ParseMode("x"); !errors.Is(err, consolidate.ErrInvalid) {
		t.Error(err)
	}
}

// TestVersionsOfOneTime writes a cell several times in one millisecond: the last write counts, also once the fragments are
// merged, and merged again.
func TestVersionsOfOneTime(t *testing.T) {
	ctx := context.Background()
	value := func(v int32) func(context.Context, vfs.FS) error {
		return func(ctx context.Context, fs vfs.FS) error {
			a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
			if err != nil {
				return err
			}
			_, err = query.Submit(ctx, a, &query.Write{Layout: schema.Unordered, Timestamp: 10, Columns: []query.Column{
				{Name: "x", Data: i32s(7)}, {Name: "v", Data: i32s(v)}, {Name: "s", Offsets: make([]byte, 8), Validity: []byte{1}}}})
			return err
		}
	}
	for _, dups := range []bool{false, true} {
		fs := newArray(t, schema.Sparse, dups, value(1), value(2), value(3))
		want := history(t, fs, 10)
		if !dups && !strings.Contains(want, "{7 3 }") {
			t.Fatal(want)
		}
		for i := range 3 {
			merged(t, fs, consolidate.Options{})
			if got := history(t, fs, 10); got != want {
				t.Errorf("merged %d times, duplicates %v: %s\nwant %s", i+1, dups, got, want)
			}
			a, err := array.Open(ctx, fs, uri, array.Latest())
			must(t, err)
			// The versions that the last one hides are gone, and each round writes one cell more.
			kept := map[bool]int{false: 1, true: 3}[dups] + i
			if n := a.Fragments()[0].Footer().NumCells(); n != uint64(kept) {
				t.Errorf("merged %d times, duplicates %v: %d cells, want %d", i+1, dups, n, kept)
			}
			vacuumed(t, fs, consolidate.ModeFragments)
			must(t, write(ctx, fs, 20+uint64(i), 19))
			want = history(t, fs, 10)
		}
	}
}
