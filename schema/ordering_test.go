package schema

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"azulejo/datatype"
)

// cell is one cell of the naive comparison: the values of an int8, a float32 and a text dimension.
type cell struct {
	i int8
	f float32
	s string
}

func mixedArray(tile, order Layout) *Array {
	a := New(Sparse)
	a.TileOrder, a.CellOrder = tile, order
	a.Domain.Dimensions = []Dimension{dimOf("i", datatype.Int8, int8(-100), 100, 7), dimOf("f", datatype.Float32, float32(-2), 2, 0.5), textDim("s")}
	return a
}

// naive compares by the definition: tiles in tile order, then coordinates in cell order.
func naive(a *Array, layout Layout, x, y cell) int {
	byTile := []int{
		cmp.Compare((int(x.i)+100)/7, (int(y.i)+100)/7),
		cmp.Compare(math.Floor(float64((x.f+2)/0.5)), math.Floor(float64((y.f+2)/0.5))),
	}
	byCell := []int{cmp.Compare(x.i, y.i), cmp.Compare(x.f, y.f), cmp.Compare(x.s, y.s)}
	if layout == GlobalOrder {
		layout = a.CellOrder
		if a.TileOrder == ColMajor {
			slices.Reverse(byTile)
		}
	} else {
		byTile = nil
	}
	if layout == ColMajor {
		slices.Reverse(byCell)
	}
	return cmp.Or(append(byTile, byCell...)...)
}

func columns(cells []cell) []Coords {
	var i []int8
	var f []float32
	var s Coords
	for _, c := range cells {
		i, f = append(i, c.i), append(f, c.f)
		s.Offsets = append(s.Offsets, uint64(len(s.Data)))
		s.Data = append(s.Data, c.s...)
	}
	return []Coords{{Data: datatype.Bytes(i)}, {Data: datatype.Bytes(f)}, s}
}

func TestOrdering(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	cells := make([]cell, 500)
	for i := range cells {
		cells[i] = cell{int8(r.IntN(201) - 100), float32(r.IntN(17)-8) / 4, string(bytes.Repeat([]byte{byte('a' + r.IntN(3))}, r.IntN(11)))}
		if i%5 == 1 {
			cells[i] = cells[i-1]
		}
	}
	cells[7].f, cells[8].f = float32(math.Copysign(0, -1)), 0
	for _, tile := range []Layout{RowMajor, ColMajor} {
		for _, order := range []Layout{RowMajor, ColMajor} {
			for _, layout := range []Layout{RowMajor, ColMajor, GlobalOrder} {
				checkOrdering(t, mixedArray(tile, order), layout, cells)
			}
		}
	}
}

func checkOrdering(t *testing.T, a *Array, layout Layout, cells []cell) {
	o, err := NewOrdering(a, layout)
	if err != nil {
		t.Fatal(err)
	}
	k, err := o.Keys(len(cells), columns(cells), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range cells {
		j := (i*7 + 3) % len(cells)
		if got, want := o.Compare(k, i, k, j), naive(a, layout, cells[i], cells[j]); got != want {
			t.Errorf("layout %d: %v and %v compare as %d, want %d", layout, cells[i], cells[j], got, want)
		}
	}
	order := o.Sort(k)
	want := make([]int, len(cells))
	for i := range want {
		want[i] = i
	}
	slices.SortStableFunc(want, func(i, j int) int { return naive(a, layout, cells[i], cells[j]) })
	if !slices.Equal(order, want) {
		t.Errorf("layout %d: sorted otherwise", layout)
	}
	sorted := make([]cell, len(cells))
	for i, at := range order {
		sorted[i] = cells[at]
	}
	if o.Sorted(k) {
		t.Error("random cells are taken for sorted")
	}
	if k, err = o.Keys(len(sorted), columns(sorted), k); err != nil || !o.Sorted(k) || k.Len() != len(cells) {
		t.Errorf("sorted cells are not, %v", err)
	}
}

// TestSortNumbers sorts by radix, all kinds of numbers.
func TestSortNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	a := New(Sparse)
	a.Domain.Dimensions = []Dimension{
		dimOf("a", datatype.Int64, int64(math.MinInt64+1), math.MaxInt64-1000, 1000), dimOf("b", datatype.Uint16, uint16(0), 999, 10),
		dimOf("c", datatype.Float64, -1e9, 1e9, 0),
	}
	o, err := NewOrdering(a, GlobalOrder)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2000
	x, y, z := make([]int64, n), make([]uint16, n), make([]float64, n)
	for i := range n {
		x[i], y[i], z[i] = int64(r.Uint64()>>r.IntN(60))*int64(1-2*r.IntN(2))/3, uint16(r.IntN(20)), r.NormFloat64()
		if i%3 == 0 {
			x[i] = int64(r.IntN(4))
		}
	}
	k, err := o.Keys(n, []Coords{{Data: datatype.Bytes(x)}, {Data: datatype.Bytes(y)}, {Data: datatype.Bytes(z)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tile := func(i int) uint64 { return (uint64(x[i]) - uint64(1<<63+1)) / 1000 }
	want := make([]int, n)
	for i := range want {
		want[i] = i
	}
	slices.SortStableFunc(want, func(i, j int) int {
		return cmp.Or(cmp.Compare(tile(i), tile(j)), cmp.Compare(y[i]/10, y[j]/10), cmp.Compare(x[i], x[j]), cmp.Compare(y[i], y[j]), cmp.Compare(z[i], z[j]))
	})
	if got := o.Sort(k); !slices.Equal(got, want) {
		t.Error("sorted otherwise")
	}
}

func TestOrderingRefuses(t *testing.T) {
	a := mixedArray(RowMajor, RowMajor)
	o, err := NewOrdering(a, RowMajor)
	if err != nil {
		t.Fatal(err)
	}
	good := columns([]cell{{1, 2, "a"}, {2, 3, "b"}})
	for name, cols := range map[string][]Coords{
		"a column missing": good[:2],
		"short numbers":    {{Data: good[0].Data[:1]}, good[1], good[2]},
		"short texts":      {good[0], good[1], {Data: []byte("a"), Offsets: []uint64{0}}},
		"falling offsets":  {good[0], good[1], {Data: []byte("ab"), Offsets: []uint64{1, 0}}},
		"offsets outside":  {good[0], good[1], {Data: []byte("ab"), Offsets: []uint64{0, 3}}},
	} {
		if _, err := o.Keys(2, cols, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewOrdering(a, Unordered); err == nil {
		t.Error("no order is compared")
	}
}

func TestRanges(t *testing.T) {
	i16 := func(lo, hi int16) Range { return Range{datatype.Bytes([]int16{lo}), datatype.Bytes([]int16{hi})} }
	d := dimOf("d", datatype.Int16, int16(-9), 9, 1)
	if got := d.Union(i16(-3, 2), i16(-5, 1)); !reflect.DeepEqual(got, i16(-5, 2)) {
		t.Errorf("union %v", got)
	}
	if got, ok := d.Intersect(i16(-3, 2), i16(-5, 1)); !ok || !reflect.DeepEqual(got, i16(-3, 1)) {
		t.Errorf("intersection %v", got)
	}
	if _, ok := d.Intersect(i16(-3, 2), i16(3, 4)); ok || d.Overlaps(i16(-3, 2), i16(3, 4)) || !d.Overlaps(i16(-3, 2), i16(2, 4)) {
		t.Error("ranges apart")
	}
	if !d.Contains(i16(-3, 2), i16(-3, -1)) || d.Contains(i16(-3, 2), i16(-4, 2)) || !d.ContainsValue(i16(-3, 2), datatype.Bytes([]int16{2})) {
		t.Error("contains")
	}
	s := textDim("s")
	if got := s.Bounds(3, Coords{Data: []byte("bcaab"), Offsets: []uint64{0, 2, 3}}); string(got.Lo) != "a" || string(got.Hi) != "bc" {
		t.Errorf("text bounds %q", got)
	}
	f := dimOf("f", datatype.Float32, float32(0), 1, 1)
	if got := f.Bounds(3, Coords{Data: datatype.Bytes([]float32{0.5, -1, 3})}); !reflect.DeepEqual(got, Range{datatype.Bytes([]float32{-1}), datatype.Bytes([]float32{3})}) {
		t.Errorf("float bounds %v", got)
	}
	for _, r := range []Range{i16(3, 2), {[]byte{1}, []byte{1}}} {
		if d.CheckRange(r) == nil {
			t.Errorf("%v is a range", r)
		}
	}
	if f.CheckRange(Range{datatype.Bytes([]float32{float32(math.NaN())}), datatype.Bytes([]float32{1})}) == nil {
		t.Error("a range from NaN")
	}
}

func BenchmarkSort(b *testing.B) {
	a := New(Sparse)
	a.Domain.Dimensions = []Dimension{dimOf("x", datatype.Int64, int64(0), 999_999, 1000), dimOf("y", datatype.Int64, int64(0), 999_999, 1000)}
	o, err := NewOrdering(a, GlobalOrder)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	const n = 1 << 20
	x, y := make([]int64, n), make([]int64, n)
	for i := range n {
		x[i], y[i] = r.Int64N(1_000_000), r.Int64N(1_000_000)
	}
	cols := []Coords{{Data: datatype.Bytes(x)}, {Data: datatype.Bytes(y)}}
	var k *Keys
	for b.Loop() {
		if k, err = o.Keys(n, cols, k); err != nil {
			b.Fatal(err)
		}
		o.Sort(k)
	}
}
