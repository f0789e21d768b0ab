package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/fragment"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

// TestTilesHoldTheirCells cuts random regions of random arrays into tiles and compares every cell of every tile with
// where its coordinates say it comes from.
func TestTilesHoldTheirCells(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		s, sub := randomDense(rng)
		layout := schema.Layout(rng.IntN(2))
		t.Run(fmt.Sprintf("%d-dims%d-%d%d%d", round, len(s.Domain.Dimensions), s.TileOrder, s.CellOrder, layout), func(t *testing.T) {
			r, err := denseRegion(s, sub)
			check(t, err)
			for _, f := range []schema.Field{
				{Name: "u8", Type: datatype.Uint8, CellValNum: 1}, {Name: "i16", Type: datatype.Int16, CellValNum: 1},
				{Name: "f32", Type: datatype.Float32, CellValNum: 1}, {Name: "i64", Type: datatype.Int64, CellValNum: 1},
				{Name: "rgb", Type: datatype.Uint8, CellValNum: 3}, {Name: "null", Type: datatype.Int32, CellValNum: 2, Nullable: true},
				{Name: "text", Type: datatype.StringUTF8, CellValNum: datatype.VarNum}, {Name: "i16s", Type: datatype.Int16, CellValNum: datatype.VarNum, Nullable: true},
			} {
				checkTiles(t, r, layout, numberedColumn(f, r.nCells))
			}
		})
	}
}

func randomDense(rng *rand.Rand) (*schema.Array, Subarray) {
	dims := make([]schema.Dimension, 1+rng.IntN(4))
	sub := Subarray{Ranges: make([][]schema.Range, len(dims))}
	for i := range dims {
		lo := rng.Int64N(20) - 10
		n := 1 + rng.Int64N(9)
		dims[i] = intDim(fmt.Sprint("d", i), lo, lo+n-1, 1+rng.Int64N(n))
		if from := rng.Int64N(n); rng.IntN(3) > 0 {
			to := from + rng.Int64N(n-from)
			sub.Ranges[i] = []schema.Range{{Lo: datatype.Bytes([]int64{lo + from}), Hi: datatype.Bytes([]int64{lo + to})}}
		}
	}
	s := testSchema(schema.Dense, schema.Layout(rng.IntN(2)), dims)
	s.TileOrder = schema.Layout(rng.IntN(2))
	return s, sub
}

// numberedColumn gives every cell a value made of its number.
func numberedColumn(f schema.Field, n int) *column {
	c := &column{field: f, cells: n}
	for i := range n {
		if f.Var() {
			c.offsets = append(c.offsets, uint64(len(c.data)))
		}
		c.data = append(c.data, numberedCell(f, i)...)
		if f.Nullable {
			c.validity = append(c.validity, byte(i%3+1))
		}
	}
	c.data = append(datatype.AlignedBytes(len(c.data))[:0], c.data...)
	return c
}

func numberedCell(f schema.Field, i int) []byte {
	size := f.CellSize()
	if f.Var() {
		size = i % 4 * f.Type.Size()
	}
	return bytes.Repeat([]byte{byte(i + 1), byte(i>>8 + 1)}, size)[:size]
}

func checkTiles(t *testing.T, r *region, layout schema.Layout, col *column) {
	t.Helper()
	tiler := newTiler(r, layout)
	coords := make([]uint64, len(r.ranges))
	for tile := range r.nTiles {
		var c fragment.Cells
		check(t, tiler.fill(tile, col, &c))
		r.grid.TileAt(coords, r.tiles, uint64(tile))
		written := 0
		for i := range r.tileCells {
			from := sourceOf(r, layout, coords, i)
			want, valid := make([]byte, col.field.CellSize()), byte(0)
			if col.field.Var() {
				want = want[:col.field.Type.Size()]
			}
			if from >= 0 {
				want, written = numberedCell(col.field, from), written+1
				if col.field.Nullable {
					valid = col.validity[from]
				}
			}
			if got := cellOf(col.field, &c, i); !bytes.Equal(got, want) {
				t.Fatalf("field %s, tile %v, cell %d: got %v, want %v", col.field.Name, coords, i, got, want)
			}
			if col.field.Nullable && c.Validity[i] != valid {
				t.Fatalf("field %s, tile %v, cell %d: validity %d, want %d", col.field.Name, coords, i, c.Validity[i], valid)
			}
			if inRuns(c.Runs, i) != (from >= 0) {
				t.Fatalf("tile %v, cell %d: runs %v", coords, i, c.Runs)
			}
		}
	}
}

// sourceOf returns the position in the given columns of a cell of a tile, or -1 when the region does not have it.
func sourceOf(r *region, layout schema.Layout, tile []uint64, cell int) int {
	box := r.grid.TileCells(tile)
	strides := r.grid.CellStrides()
	from, step := 0, 1
	for i := range tile {
		d := len(tile) - 1 - i
		if layout == schema.ColMajor {
			d = i
		}
		at := box.Lo[d] + uint64(cell)/strides[d]%r.grid.Extent[d]
		if at < r.cells.Lo[d] || at > r.cells.Hi[d] {
			return -1
		}
		from += int(at-r.cells.Lo[d]) * step
		step *= int(r.cells.Hi[d] - r.cells.Lo[d] + 1)
	}
	return from
}

func cellOf(f schema.Field, c *fragment.Cells, i int) []byte {
	if !f.Var() {
		return c.Data[i*f.CellSize() : (i+1)*f.CellSize()]
	}
	if i+1 < len(c.Offsets) {
		return c.Data[c.Offsets[i]:c.Offsets[i+1]]
	}
	return c.Data[c.Offsets[i]:]
}

func inRuns(runs []fragment.Run, i int) bool {
	for _, r := range runs {
		if r.Lo <= i && i < r.Hi {
			return true
		}
	}
	return false
}

// TestRegionsAreChecked refuses subarrays that are none of the array.
func TestRegionsAreChecked(t *testing.T) {
	s := testSchema(schema.Dense, schema.RowMajor, []schema.Dimension{intDim("y", 1, 10, 4), intDim("x", 0, 9, 5)})
	span := func(lo, hi int64) schema.Range {
		return schema.Range{Lo: datatype.Bytes([]int64{lo}), Hi: datatype.Bytes([]int64{hi})}
	}
	s.CurrentDomain = &schema.CurrentDomain{Ranges: []schema.Range{span(1, 8), span(0, 9)}}
	for _, c := range []struct {
		ranges [][]schema.Range
		want   string
	}{
		{[][]schema.Range{{span(2, 3)}, {span(2, 3), span(5, 6)}}, `invalid query: dimension "x" has 2 ranges; writes to dense arrays take one`},
		{[][]schema.Range{{span(0, 3)}, nil}, `invalid query: range [0, 3] on dimension "y" is out of domain bounds [1, 10]`},
		{[][]schema.Range{{span(3, 2)}, nil}, `invalid query: the range of dimension "y" is no range of INT64 values`},
		{[][]schema.Range{{{Lo: []byte{1}, Hi: []byte{2}}}, nil}, `invalid query: the range of dimension "y" is no range of INT64 values`},
		{[][]schema.Range{{span(2, 9)}, nil}, `invalid query: cells are written outside of the current domain: [2, 9] on dimension "y", which is in use for [1, 8]`},
		{[][]schema.Range{{span(2, 3)}}, "invalid query: a subarray of 1 dimensions for an array of 2"},
	} {
		if _, err := denseRegion(s, Subarray{c.ranges}); err == nil || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}

// TestHugeTilesAreNotPadded refuses a write of one cell that would make a tile of a terabyte.
func TestHugeTilesAreNotPadded(t *testing.T) {
	s := testSchema(schema.Dense, schema.RowMajor, []schema.Dimension{intDim("d", 0, 1<<40-1, 1<<40)},
		schema.Attribute{Name: "a", Type: datatype.Int8, CellValNum: 1})
	one := datatype.Bytes([]int64{5})
	_, err := Submit(context.Background(), &array.Array{FS: mem.New(), URI: "mem://a", Schema: s}, &Write{
		Subarray: Subarray{[][]schema.Range{{{Lo: one, Hi: one}}}}, Columns: []Column{{Name: "a", Data: []byte{1}}}})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `field "a" is too large to be written in part`) {
		t.Error(err)
	}
}
