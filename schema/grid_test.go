package schema

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"azulejo/datatype"
)

// TestGridCells visits every cell of a raster by tiles and compares positions with counting.
func TestGridCells(t *testing.T) {
	for _, c := range []struct{ tile, cell Layout }{{RowMajor, RowMajor}, {ColMajor, RowMajor}, {RowMajor, ColMajor}, {ColMajor, ColMajor}} {
		a := denseArray()
		a.TileOrder, a.CellOrder = c.tile, c.cell
		g, err := NewGrid(a)
		if err != nil {
			t.Fatal(err)
		}
		tiles := g.TileBox(g.Whole())
		if n, ok := tiles.Count(); n != 12 || !ok || !reflect.DeepEqual(g.Tiles, []uint64{3, 4}) {
			t.Fatalf("%d tiles, %v", n, g.Tiles)
		}
		tile := make([]uint64, 2)
		strides := g.CellStrides()
		for want := range uint64(12) {
			g.TileAt(tile, tiles, want)
			if got := g.TileIndex(tiles, tile); got != want {
				t.Errorf("tile %v at %d, want %d", tile, got, want)
			}
			cells := g.TileCells(tile)
			seen := map[uint64]bool{}
			for x := cells.Lo[0]; x <= cells.Hi[0]; x++ {
				for y := cells.Lo[1]; y <= cells.Hi[1]; y++ {
					i := g.CellIndex([]uint64{x, y})
					if i != (x-cells.Lo[0])*strides[0]+(y-cells.Lo[1])*strides[1] || seen[i] || i >= 12 {
						t.Errorf("cell %d,%d at %d", x, y, i)
					}
					seen[i] = true
				}
			}
		}
		second := map[Layout][]uint64{RowMajor: {0, 1}, ColMajor: {1, 0}}[c.tile]
		if g.TileAt(tile, tiles, 1); !reflect.DeepEqual(tile, second) {
			t.Errorf("second tile %v, want %v", tile, second)
		}
	}
}

func TestGridRanges(t *testing.T) {
	for _, c := range []struct {
		d                   Dimension
		lo, hi              []byte
		first, last, nTiles uint64
	}{
		{dimOf("d", datatype.Int8, int8(-128), 126, -1), []byte{0x80}, []byte{126}, 0, 254, 1},
		{dimOf("d", datatype.Int16, int16(-300), 300, 7), datatype.Bytes([]int16{-1}), datatype.Bytes([]int16{300}), 299, 600, 86},
		{dimOf("d", datatype.Uint64, uint64(5), math.MaxUint64-1, 1<<40), datatype.Bytes([]uint64{6}), datatype.Bytes([]uint64{math.MaxUint64 - 1}), 1, math.MaxUint64 - 6, 1 << 24},
		{dimOf("d", datatype.DateTimeNS, int64(math.MinInt64+1), 0, 1<<50), datatype.Bytes([]int64{math.MinInt64 + 1}), datatype.Bytes([]int64{0}), 0, 1<<63 - 1, 1 << 13},
		{dimOf("d", datatype.TimeSec, int64(-3), 3, 0), datatype.Bytes([]int64{-3}), datatype.Bytes([]int64{3}), 0, 6, 1},
	} {
		a := New(Sparse)
		a.Domain.Dimensions = []Dimension{c.d}
		g, err := NewGrid(a)
		if err != nil {
			t.Fatal(err)
		}
		r := []Range{{c.lo, c.hi}}
		b := g.Box(r)
		if b.Lo[0] != c.first || b.Hi[0] != c.last || g.Tiles[0] != c.nTiles {
			t.Errorf("%s: cells %d..%d, %d tiles", c.d.Type, b.Lo[0], b.Hi[0], g.Tiles[0])
		}
		if back := g.Ranges(b); !reflect.DeepEqual(back, r) {
			t.Errorf("%s: back to %v", c.d.Type, back)
		}
	}
}

func TestGridRefuses(t *testing.T) {
	for _, d := range []Dimension{textDim("s"), dimOf("f", datatype.Float32, float32(0), 1, 1), dimOf("d", datatype.Int8, int8(2), 1, 1)} {
		a := New(Sparse)
		a.Domain.Dimensions = []Dimension{d}
		if _, err := NewGrid(a); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	if _, ok := product([]uint64{1 << 40, 1 << 24}); ok {
		t.Error("a product that does not fit")
	}
	if _, ok := (Box{Lo: []uint64{0}, Hi: []uint64{math.MaxUint64}}).Count(); ok {
		t.Error("a count that does not fit")
	}
}

func TestBox(t *testing.T) {
	b := Box{Lo: []uint64{2, 3}, Hi: []uint64{8, 9}}
	dst := newBox(2)
	if !b.Intersect(dst, Box{Lo: []uint64{0, 5}, Hi: []uint64{4, 20}}) || !reflect.DeepEqual(dst, Box{Lo: []uint64{2, 5}, Hi: []uint64{4, 9}}) {
		t.Errorf("common %v", dst)
	}
	if b.Intersect(dst, Box{Lo: []uint64{9, 0}, Hi: []uint64{9, 9}}) {
		t.Error("apart")
	}
	if !b.Contains(Box{Lo: []uint64{2, 4}, Hi: []uint64{8, 9}}) || b.Contains(Box{Lo: []uint64{1, 4}, Hi: []uint64{8, 9}}) {
		t.Error("contains")
	}
}
