package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

// wants asks for fields without limits.
func wants(names ...string) (out []Want) {
	for _, n := range names {
		out = append(out, Want{n, -1, -1, -1})
	}
	return out
}

// sparseWorld is a small sparse array of the metamorphic test.
func sparseWorld(t *testing.T) *array.Array {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	s := randomWorld(rng, false, false)
	for s.CellOrder == schema.Hilbert || s.Domain.Dimensions[0].Var() || s.Domain.Dimensions[1].Type == datatype.Float64 {
		s = randomWorld(rng, false, false)
	}
	return makeWorld(t, s, randomWrites(rng, false, false))
}

func TestRunRefuses(t *testing.T) {
	ctx, a := context.Background(), sparseWorld(t)
	dense := makeWorld(t, randomWorld(rand.New(rand.NewPCG(1, 2)), true, false), nil)
	one := [][]schema.Range{{xRange(a.Schema, 1, 2)}, nil}
	for _, c := range []struct {
		name string
		a    *array.Array
		q    Read
	}{
		{"an unknown field", a, Read{Fields: wants("nope")}},
		{"an unknown layout", a, Read{Layout: schema.Hilbert, Fields: wants("a")}},
		{"ranges of one dimension", a, Read{Fields: wants("a"), Subarray: Subarray{Ranges: one[:1]}}},
		{"a range of wrong width", a, Read{Fields: wants("a"), Subarray: Subarray{Ranges: [][]schema.Range{{{Lo: []byte{1}, Hi: []byte{2}}}, nil}}}},
		{"a range that ends before it starts", a, Read{Fields: wants("a"), Subarray: Subarray{Ranges: [][]schema.Range{{xRange(a.Schema, 3, 2)}, nil}}}},
		{"a range outside the domain", a, Read{Fields: wants("a"), Subarray: Subarray{Ranges: [][]schema.Range{{xRange(a.Schema, 3, 200)}, nil}}}},
		{"offsets of 16 bits", a, Read{Fields: wants("s"), Offsets: OffsetsFormat{Bits: 16}}},
		{"a sum of texts", a, Read{Aggregates: []Aggregate{{"x", Sum, "s"}}}},
		{"nulls of a field without", a, Read{Aggregates: []Aggregate{{"x", NullCount, "a"}}}},
		{"an aggregate of no field", a, Read{Aggregates: []Aggregate{{"x", Max, "nope"}}}},
		{"an unknown aggregate", a, Read{Aggregates: []Aggregate{{"x", NullCount + 1, "a"}}}},
		{"several ranges in global order", dense, Read{Layout: schema.GlobalOrder, Fields: wants("a"),
			Subarray: Subarray{Ranges: [][]schema.Range{{xRange(a.Schema, 1, 2), xRange(a.Schema, 4, 5)}, nil}}}},
		{"a state of other fragments", a, Read{Fields: wants("a"), Resume: &State{Fragments: []string{"x"}, Position: position{}.encode()}}},
		{"a state without position", a, Read{Fields: wants("a"), Resume: &State{Fragments: a.Pin()}}},
		{"a place behind the end", a, Read{Fields: wants("a"), Resume: &State{Fragments: a.Pin(), Position: position{unit: 99}.encode()}}},
		{"a place behind the end of a dense array", dense, Read{Fields: wants("a"), Resume: &State{Position: position{cell: 9999}.encode()}}},
	} {
		if _, err := Run(ctx, c.a, &c.q); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	bad := Read{Fields: wants("a"), Condition: &condition.Node{Op: condition.LT, Field: "a", Value: []byte{1}}}
	if _, err := Run(ctx, a, &bad); !errors.Is(err, condition.ErrInvalid) {
		t.Errorf("a condition of wrong width: got %v", err)
	}
}

// TestTooSmallCapacities asks for less than one cell.
func TestTooSmallCapacities(t *testing.T) {
	for _, a := range []*array.Array{sparseWorld(t), makeWorld(t, randomWorld(rand.New(rand.NewPCG(1, 2)), true, false), nil)} {
		q := &Read{Fields: []Want{{"a", 3, -1, -1}}}
		for range 2 {
			res, err := Run(context.Background(), a, q)
			check(t, err)
			if res.Cells != 0 || res.Next == nil || len(res.Columns) != 1 || len(res.Columns[0].Data) != 0 {
				t.Errorf("%d cells, next %v", res.Cells, res.Next)
			}
			q.Resume = res.Next
		}
	}
}

// TestRangesInGivenOrder shows what libtiledb does with ranges that are not ascending: one dimension and one fragment
// keep their order, everything else is sorted; unordered reads return a cell once.
func TestRangesInGivenOrder(t *testing.T) {
	s := schema.New(schema.Sparse)
	s.Capacity = 4
	s.Domain.Dimensions = []schema.Dimension{{Name: "d", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 99}), Extent: datatype.Bytes([]int32{10})}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	fs := vfs.FS(mem.New())
	ctx := context.Background()
	check(t, array.Create(ctx, fs, "mem://r", s))
	read := func(layout schema.Layout) string {
		a, err := array.Open(ctx, fs, "mem://r", array.Latest())
		check(t, err)
		q := &Read{Layout: layout, Fields: wants("d"), Subarray: Subarray{Ranges: make([][]schema.Range, 1)}}
		for _, r := range [][2]int32{{10, 15}, {0, 3}, {2, 4}} {
			q.Subarray.Ranges[0] = append(q.Subarray.Ranges[0], schema.Range{Lo: datatype.Bytes([]int32{r[0]}), Hi: datatype.Bytes([]int32{r[1]})})
		}
		res, err := Run(ctx, a, q)
		check(t, err)
		return fmt.Sprint(datatype.View[int32](res.Columns[0].Data))
	}
	write := func(d ...int32) {
		a, err := array.Open(ctx, fs, "mem://r", array.Latest(), array.ForWriting())
		check(t, err)
		_, err = Submit(ctx, a, &Write{Layout: schema.Unordered, Columns: []Column{{Name: "d", Data: datatype.Bytes(d)}, {Name: "a", Data: datatype.Bytes(d)}}})
		check(t, err)
	}
	write(0, 2, 4, 10, 15, 50)
	for layout, want := range map[schema.Layout]string{schema.RowMajor: "[10 15 0 2 2 4]", schema.Unordered: "[0 2 4 10 15]", schema.GlobalOrder: "[0 2 4 10 15]"} {
		if got := read(layout); got != want {
			t.Errorf("one fragment, layout %d: got %s, want %s", layout, got, want)
		}
	}
	write(1, 12)
	if got, want := read(schema.RowMajor), "[0 1 2 2 4 10 12 15]"; got != want {
		t.Errorf("two fragments: got %s, want %s", got, want)
	}
}

// TestReadFaults lets every k-th operation of the storage fail, or hand over damaged bytes: a read answers rightly or with
// that error, and does not panic over the bytes.
func TestReadFaults(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for round := range 4 {
		dense := round%2 == 0
		s := randomWorld(rng, dense, false)
		a := makeWorld(t, s, randomWrites(rng, dense, false))
		q := &Read{Fields: wants(worldFields...), Aggregates: []Aggregate{{"sum", Sum, "a"}}, Condition: onWorld(conditions[1].node, s), Threads: 2}
		good, err := Run(context.Background(), a, q)
		check(t, err)
		for k, failed := 0, true; failed; k++ {
			for _, action := range []faultfs.Action{faultfs.Fail, faultfs.Rot} {
				target := math.MaxInt
				faulty := faultfs.New(a.FS, func(o faultfs.Op) faultfs.Action {
					if o.N == target {
						return action
					}
					return faultfs.Pass
				})
				b, err := array.Open(context.Background(), faulty, a.URI, array.Latest())
				check(t, err)
				opened := len(faulty.Ops())
				target = opened + k
				res, err := Run(context.Background(), b, q)
				failed = len(faulty.Ops()) > opened+k
				if action == faultfs.Rot {
					continue
				}
				if failed && !errors.Is(err, faultfs.ErrInjected) {
					t.Errorf("operation %d: %v", k, err)
				}
				if !failed && !slices.EqualFunc(res.Columns, good.Columns, sameColumn) {
					t.Errorf("operation %d: other cells", k)
				}
			}
		}
	}
}

func sameColumn(a, b Column) bool {
	return bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Offsets, b.Offsets) && bytes.Equal(a.Validity, b.Validity)
}

func TestCancelledRead(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, sparseWorld(t), &Read{Fields: wants("a")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestOverflowingSums shows what comes back when a sum does not fit its type.
func TestOverflowingSums(t *testing.T) {
	for _, c := range []struct {
		kind  datatype.Type
		cells []byte
		sum   string
		mean  float64
	}{
		{datatype.Uint64, datatype.Bytes([]uint64{1 << 63, 1 << 63}), fmt.Sprintf("%x", datatype.Bytes([]uint64{math.MaxUint64})), math.MaxFloat64},
		{datatype.Int64, datatype.Bytes([]int64{math.MinInt64, -1}), fmt.Sprintf("%x", datatype.Bytes([]int64{math.MaxInt64})), math.MaxFloat64},
		{datatype.Int64, datatype.Bytes([]int64{math.MaxInt64, math.MaxInt64, math.MinInt64, math.MinInt64}), fmt.Sprintf("%x", datatype.Bytes([]int64{-2})), -0.5},
		{datatype.Float64, datatype.Bytes([]float64{math.MaxFloat64, math.MaxFloat64}), fmt.Sprintf("%x", datatype.Bytes([]float64{math.MaxFloat64})), math.MaxFloat64},
		{datatype.Float32, datatype.Bytes([]float32{1.5, -0.25}), fmt.Sprintf("%x", datatype.Bytes([]float64{1.25})), 0.625},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			sum, mean := tally{Aggregate: Aggregate{Op: Sum}, kind: c.kind.Kind()}, tally{Aggregate: Aggregate{Op: Mean}, kind: c.kind.Kind()}
			in := cells{n: len(c.cells) / c.kind.Size(), data: c.cells, width: c.kind.Size()}
			sum.add(&in)
			mean.add(&in)
			if got, _ := sum.value(); fmt.Sprintf("%x", got) != c.sum {
				t.Errorf("sum %x, want %s", got, c.sum)
			}
			if got, _ := mean.value(); datatype.View[float64](got)[0] != c.mean {
				t.Errorf("mean %v, want %v", datatype.View[float64](got)[0], c.mean)
			}
		})
	}
}

func TestTextRanks(t *testing.T) {
	texts := []string{"b", "", "a", "a\x00", "abcdefgh", "abcdefghi", "abcdefg", "a", "\xff", "abcdefgh\x00"}
	ranks := textRanks(len(texts), func(i uint32) []byte { return []byte(texts[i]) })
	for i := range texts {
		for j := range texts {
			if (texts[i] < texts[j]) != (ranks[i] < ranks[j]) || (texts[i] == texts[j]) != (ranks[i] == ranks[j]) {
				t.Errorf("%q and %q have ranks %d and %d", texts[i], texts[j], ranks[i], ranks[j])
			}
		}
	}
}

func TestSortKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, widths := range [][]int{{3}, {20, 20}, {64}, {64, 64, 5}, {1, 0, 40, 30}} {
		for _, n := range []int{1, 2, 500, 5000} {
			k := &sortKeys{coords: len(widths)}
			for _, w := range widths {
				column := make([]uint64, n)
				for i := range column {
					column[i] = 1000 + rng.Uint64()>>(64-w)
				}
				k.add(column)
			}
			order, err := k.sort(n, func(n int) ([]uint64, error) { return make([]uint64, n), nil })
			check(t, err)
			if order == nil {
				order = make([]uint32, n)
				for i := range order {
					order[i] = uint32(i)
				}
			}
			row := func(i uint32) (out []uint64) {
				for _, c := range k.columns {
					out = append(out, c[i])
				}
				return append(out, uint64(i))
			}
			for i := 1; i < n; i++ {
				if slices.Compare(row(order[i-1]), row(order[i])) >= 0 {
					t.Fatalf("widths %v, %d cells: %v before %v", widths, n, row(order[i-1]), row(order[i]))
				}
			}
		}
	}
}

// benchArray is an array of a million cells in memory.
func benchArray(b *testing.B, kind schema.ArrayType) *array.Array {
	b.Helper()
	zstd := filter.Pipeline{MaxChunk: 65536, Filters: []filter.Spec{filter.Compressor(filter.Zstd, 3)}}
	s := schema.New(kind)
	s.Domain.Dimensions = []schema.Dimension{intDim("x", 0, 999, 250), intDim("y", 0, 999, 250)}
	v := schema.NewAttribute("v", datatype.Float64, 1)
	v.Filters = zstd
	s.Attributes = []schema.Attribute{v}
	var x, y []int64
	var values []float64
	for i := range 1_000_000 {
		x, y, values = append(x, int64(i/1000)), append(y, int64(i%1000)), append(values, float64(i%777))
	}
	q := &Write{Layout: schema.RowMajor, Columns: []Column{{Name: "v", Data: datatype.Bytes(values)}}}
	if kind == schema.Sparse {
		q.Layout = schema.Unordered
		q.Columns = append(q.Columns, Column{Name: "x", Data: datatype.Bytes(x)}, Column{Name: "y", Data: datatype.Bytes(y)})
	}
	fs := vfs.FS(mem.New())
	ctx := context.Background()
	err := array.Create(ctx, fs, "mem://b", s)
	var a *array.Array
	if err == nil {
		a, err = array.Open(ctx, fs, "mem://b", array.Latest(), array.ForWriting())
	}
	if err == nil {
		_, err = Submit(ctx, a, q)
	}
	if err == nil {
		a, err = array.Open(ctx, fs, "mem://b", array.Latest())
	}
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// benchRead times a read and holds the number of its allocations.
func benchRead(b *testing.B, a *array.Array, q *Read, maxAllocs float64) {
	b.Helper()
	var cells uint64
	read := func() {
		res, err := Run(context.Background(), a, q)
		if err != nil {
			b.Fatal(err)
		}
		cells = res.Cells
	}
	if allocs := testing.AllocsPerRun(3, read); allocs > maxAllocs {
		b.Errorf("%v allocations, at most %v are right", allocs, maxAllocs)
	}
	b.SetBytes(int64(cells) * 8 * int64(len(q.Fields)))
	for b.Loop() {
		read()
	}
}

func box(x0, x1, y0, y1 int64) Subarray {
	r := func(lo, hi int64) []schema.Range {
		return []schema.Range{{Lo: datatype.Bytes([]int64{lo}), Hi: datatype.Bytes([]int64{hi})}}
	}
	return Subarray{Ranges: [][]schema.Range{r(x0, x1), r(y0, y1)}}
}

func BenchmarkReadDense(b *testing.B) {
	a := benchArray(b, schema.Dense)
	b.Run("whole", func(b *testing.B) { benchRead(b, a, &Read{Fields: wants("v")}, 600) })
	b.Run("window", func(b *testing.B) { benchRead(b, a, &Read{Fields: wants("v"), Subarray: box(200, 320, 300, 420)}, 150) })
	b.Run("cell", func(b *testing.B) { benchRead(b, a, &Read{Fields: wants("v"), Subarray: box(510, 510, 510, 510)}, 90) })
	b.Run("columns", func(b *testing.B) { benchRead(b, a, &Read{Layout: schema.ColMajor, Fields: wants("v")}, 600) })
}

func BenchmarkReadSparse(b *testing.B) {
	a := benchArray(b, schema.Sparse)
	all := wants("x", "y", "v")
	b.Run("row-major", func(b *testing.B) { benchRead(b, a, &Read{Fields: all}, 900) })
	b.Run("unordered", func(b *testing.B) { benchRead(b, a, &Read{Layout: schema.Unordered, Fields: all}, 1500) })
	b.Run("box", func(b *testing.B) { benchRead(b, a, &Read{Fields: all, Subarray: box(200, 320, 300, 420)}, 250) })
	b.Run("aggregate", func(b *testing.B) { benchRead(b, a, &Read{Aggregates: []Aggregate{{"s", Sum, "v"}}}, 600) })
}
