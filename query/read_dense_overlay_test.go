package query

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"azulejo/array"
	"azulejo/schema"
	"azulejo/vfs"
)

// asSparse returns a dense array's schema for the writing of sparse fragments into it, as releases up to 2.4 did.
func asSparse(dense *schema.Array) *schema.Array {
	s := *dense
	s.Type = schema.Sparse
	return &s
}

// mixedWrites are writes of boxes and of single cells into a dense array.
func mixedWrites(rng *rand.Rand) []worldWrite {
	writes := randomWrites(rng, true, false)
	for _, w := range randomWrites(rng, false, false) {
		if w.delete == 0 {
			writes = slices.Insert(writes, rng.IntN(len(writes)+1), w)
		}
	}
	if rng.IntN(5) == 0 {
		writes = slices.DeleteFunc(writes, func(w worldWrite) bool { return w.box != nil })
	}
	return writes
}

// TestSparseFragmentsInDenseArrays asks arrays of both kinds of fragments and the model.
func TestSparseFragmentsInDenseArrays(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for round := range 25 {
		writes := mixedWrites(rng)
		for variant := range 3 {
			s := randomWorld(rng, true, false)
			a := makeWorld(t, s, writes)
			for range 8 {
				q := randomQuestion(rng, true)
				t.Run(fmt.Sprintf("%d/%d/layout%d-cond%d", round, variant, q.layout, q.cond), func(t *testing.T) {
					q.compare(t, rng, a, writes)
				})
			}
		}
	}
}

// TestSparseFragmentsInTime opens such an array at every moment.
func TestSparseFragmentsInTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for range 5 {
		writes := mixedWrites(rng)
		s := randomWorld(rng, true, false)
		last := makeWorld(t, s, writes)
		for i := range writes {
			a, err := array.Open(context.Background(), last.FS, last.URI, array.Interval{End: uint64(10 + i)})
			check(t, err)
			q := randomQuestion(rng, true)
			q.compare(t, rng, a, writes[:i+1])
		}
	}
}

// TestSparseFragmentsHaveNoAggregates holds what else such arrays answer: libtiledb refuses aggregates, estimates count
// every cell of the subarray.
func TestSparseFragmentsHaveNoAggregates(t *testing.T) {
	ctx := context.Background()
	s := randomWorld(rand.New(rand.NewPCG(25, 26)), true, false)
	writes := []worldWrite{{points: []point{{1, 2}, {5, 3}}, values: []cellValue{{a: 1, s: "abc"}, {a: 2, s: "de"}}}}
	a := makeWorld(t, s, writes)
	if _, err := Run(ctx, a, &Read{Aggregates: []Aggregate{{"n", Count, ""}}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an aggregate: %v", err)
	}
	sizes, err := Estimate(ctx, a, &Read{Layout: schema.RowMajor, Fields: wants("a", "s")})
	check(t, err)
	cells := uint64(worldX * worldY)
	want := []Size{{Name: "a", Data: 4 * cells}, {Name: "s", Data: uint64(len(fillValue.s))*cells + 5, Offsets: 8 * cells}}
	if !slices.Equal(sizes, want) {
		t.Errorf("estimates are %v, want %v", sizes, want)
	}
	if got := a.NonEmptyDomain(); string(got[0].Lo) != string(xCoord(s, 1)) || string(got[0].Hi) != string(xCoord(s, 5)) {
		t.Errorf("non-empty domain %v", got)
	}
}

// TestDamagedSparseFragmentsInDenseArrays changes every byte of the data and metadata files in turn: reads may fail, never panic.
func TestDamagedSparseFragmentsInDenseArrays(t *testing.T) {
	ctx := context.Background()
	s := randomWorld(rand.New(rand.NewPCG(27, 28)), true, false)
	rng := rand.New(rand.NewPCG(29, 30))
	var writes []worldWrite
	for len(writes) == 0 || writes[0].delete > 0 {
		writes = randomWrites(rng, false, false)
	}
	a := makeWorld(t, s, writes[:1])
	dir := a.Fragments()[0].URI()
	entries, err := a.FS.List(ctx, dir)
	check(t, err)
	q := question{layout: schema.RowMajor, x: [][2]int{{0, worldX - 1}}, y: [][2]int{{0, worldY - 1}}, cond: 3}
	for _, e := range entries {
		uri := vfs.Join(dir, e.Name)
		content, err := vfs.ReadAll(ctx, a.FS, uri)
		check(t, err)
		for i := 0; i < len(content); i += 1 + len(content)/200 {
			bad := slices.Clone(content)
			bad[i] ^= byte(1 + rng.IntN(255))
			replace(t, a.FS, uri, bad)
			damaged, err := array.Open(ctx, a.FS, a.URI, array.Latest())
			if err == nil {
				_, _ = Run(ctx, damaged, q.read(s)) // only a panic fails the test
			}
		}
		replace(t, a.FS, uri, content)
	}
}

// replace writes a file anew.
func replace(t *testing.T, fs vfs.FS, uri string, content []byte) {
	t.Helper()
	ctx := context.Background()
	check(t, fs.Remove(ctx, uri))
	check(t, vfs.WriteAll(ctx, fs, uri, content))
}
