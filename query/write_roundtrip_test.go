package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

// setup is one way to store the cells of a round trip; what is read back must not depend on it.
type setup struct {
	kind             schema.ArrayType
	tile, cell       schema.Layout
	extents          [2]int64
	capacity         uint64
	filters, offsets filter.Pipeline
}

func (c setup) String() string {
	return fmt.Sprintf("%d/%d%d/%v/%d/%d", c.kind, c.tile, c.cell, c.extents, c.capacity, len(c.filters.Filters))
}

const tripSide = 12

// tripCell is what one cell holds: two fixed values, a text that may be null.
type tripCell struct {
	set   bool
	v     int32
	f     [2]float32
	text  string
	valid bool
}

// TestRoundTrips writes the same overlapping regions, or the same points, into arrays of many tile extents, orders and
// filters, and reads every array back equal.
func TestRoundTrips(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	shuffled := filter.Pipeline{Filters: []filter.Spec{filter.Plain(filter.Byteshuffle), filter.Compressor(filter.LZ4, -1), filter.Plain(filter.ChecksumMD5)}}
	for round := range 40 {
		c := setup{kind: schema.ArrayType(round % 2), tile: schema.Layout(rng.IntN(2)), cell: schema.Layout(rng.IntN(2)),
			extents: [2]int64{1 + rng.Int64N(tripSide), 1 + rng.Int64N(tripSide)}, capacity: 1 + rng.Uint64N(20)}
		switch rng.IntN(3) {
		case 1:
			c.filters, c.offsets = schema.DefaultCoordsFilters(), schema.DefaultOffsetsFilters()
		case 2:
			c.filters, c.offsets = shuffled, filter.Pipeline{Filters: []filter.Spec{filter.Windowed(filter.PositiveDelta, 64)}}
		}
		t.Run(c.String(), func(t *testing.T) { roundTrip(t, c) })
	}
}

func roundTrip(t *testing.T, c setup) {
	ctx, fs := context.Background(), mem.New()
	s := testSchema(c.kind, c.cell, []schema.Dimension{intDim("y", 5, 5+tripSide-1, c.extents[0]), intDim("x", 0, tripSide-1, c.extents[1])},
		schema.Attribute{Name: "v", Type: datatype.Int32, CellValNum: 1, Filters: c.filters},
		schema.Attribute{Name: "f", Type: datatype.Float32, CellValNum: 2, Filters: c.filters},
		schema.Attribute{Name: "s", Type: datatype.StringUTF8, CellValNum: datatype.VarNum, Nullable: true, Filters: c.filters})
	s.TileOrder, s.Capacity, s.OffsetsFilters = c.tile, c.capacity, c.offsets
	for i := range s.Attributes {
		s.Attributes[i].Fill = schema.DefaultFill(s.Attributes[i].Type, s.Attributes[i].CellValNum)
	}
	check(t, array.Create(ctx, fs, "mem://a", s))
	rng := rand.New(rand.NewPCG(11, 12)) // the same writes every time
	model := map[[2]int64]tripCell{}
	for at := range uint64(4) {
		a, err := array.Open(ctx, fs, "mem://a", array.Latest(), array.ForWriting())
		check(t, err)
		_, err = Submit(ctx, a, tripWrite(rng, c, at+1, model))
		check(t, err)
	}
	a, err := array.Open(ctx, fs, "mem://a", array.Latest())
	check(t, err)
	checkTrip(t, a, model)
}

// tripWrite makes a region for dense, points for sparse arrays, and notes its cells in the model.
func tripWrite(rng *rand.Rand, c setup, at uint64, model map[[2]int64]tripCell) *Write {
	y0, x0 := rng.Int64N(tripSide), rng.Int64N(tripSide)
	y1, x1 := y0+rng.Int64N(tripSide-y0), x0+rng.Int64N(tripSide-x0)
	layout := schema.Layout(rng.IntN(2))
	var ys, xs, offsets []uint64
	var cells []tripCell
	var v []int32
	var f []float32
	var data, validity []byte
	for i := range (y1 - y0 + 1) * (x1 - x0 + 1) {
		y, x := y0+i/(x1-x0+1), x0+i%(x1-x0+1)
		if layout == schema.ColMajor {
			y, x = y0+i%(y1-y0+1), x0+i/(y1-y0+1)
		}
		n := int(at)*1000 + int(y*tripSide+x)
		cell := tripCell{true, int32(n), [2]float32{float32(n), -1}, fmt.Sprintf("%*d", n%7, n%5), n%3 > 0}
		ys, xs, cells = append(ys, uint64(y+5)), append(xs, uint64(x)), append(cells, cell)
		model[[2]int64{y, x}] = cell
		v, f = append(v, cell.v), append(f, cell.f[:]...)
		offsets = append(offsets, uint64(len(data)))
		data, validity = append(data, cell.text...), append(validity, byte(n%3))
	}
	w := &Write{Layout: layout, Timestamp: at, CheckDups: true, CheckOutOfBounds: true, Columns: []Column{
		{Name: "f", Data: datatype.Bytes(f)}, {Name: "s", Data: data, Offsets: datatype.Bytes(offsets), Validity: validity},
		{Name: "v", Data: datatype.Bytes(v)}}}
	if c.kind == schema.Sparse {
		w.Layout = schema.Unordered
		w.Columns = append(w.Columns, Column{Name: "y", Data: datatype.Bytes(ys)}, Column{Name: "x", Data: datatype.Bytes(xs)})
		return w
	}
	span := func(lo, hi int64) []schema.Range {
		return []schema.Range{{Lo: datatype.Bytes([]int64{lo}), Hi: datatype.Bytes([]int64{hi})}}
	}
	w.Subarray.Ranges = [][]schema.Range{span(y0+5, y1+5), span(x0, x1)}
	return w
}

// checkTrip reads the whole array in row-major order and compares it with the model; dense cells never written are fill.
func checkTrip(t *testing.T, a *array.Array, model map[[2]int64]tripCell) {
	t.Helper()
	got, err := Run(context.Background(), a, &Read{Layout: schema.RowMajor, Fields: []Want{
		{"v", -1, -1, -1}, {"f", -1, -1, -1}, {"s", -1, -1, -1}}})
	check(t, err)
	v, f := datatype.View[int32](got.Columns[0].Data), datatype.View[float32](got.Columns[1].Data)
	text := column{data: got.Columns[2].Data, offsets: datatype.View[uint64](got.Columns[2].Offsets)}
	i := 0
	for n := range int64(tripSide * tripSide) {
		want := model[[2]int64{n / tripSide, n % tripSide}]
		if !want.set && a.Schema.Type == schema.Sparse {
			continue
		}
		if !want.set {
			want.v = -1 << 31
		} else if f[2*i] != want.f[0] || f[2*i+1] != want.f[1] || string(text.data[text.offsets[i]:text.end(i)]) != want.text {
			t.Fatalf("cell %d: got %v %q", n, f[2*i:2*i+2], text.data[text.offsets[i]:text.end(i)])
		}
		if v[i] != want.v || (got.Columns[2].Validity[i] != 0) != want.valid {
			t.Fatalf("cell %d: got %d, validity %d, want %+v", n, v[i], got.Columns[2].Validity[i], want)
		}
		i++
	}
	if i != int(got.Cells) || got.Next != nil {
		t.Errorf("%d cells, want %d", got.Cells, i)
	}
}
