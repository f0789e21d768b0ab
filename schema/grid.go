package schema

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"azulejo/datatype"
)

// Grid is the tile raster of a domain whose dimensions all have a whole-number type, as dense arrays have. It counts cells
// of each dimension from the start of the domain, as unsigned numbers, whatever the dimension's type, so that no code
// above it depends on the type. Immutable, safe for concurrent use.
type Grid struct {
	// Last is the number of each dimension's last cell, its number of cells minus one.
	Last []uint64
	// Extent is the number of cells along each dimension of a tile.
	Extent []uint64
	// Tiles is the number of tiles along each dimension; the last one may reach past the domain.
	Tiles []uint64

	lo     []uint64 // start of the domain, sign-extended
	types  []datatype.Type
	byCols bool // tile order is column-major
	colIn  bool // cell order is column-major
}

// Box is a hyper-rectangle in cell or tile numbers: Lo and Hi, both inclusive, have one entry per dimension.
type Box struct {
	Lo, Hi []uint64
}

// NewGrid returns the raster of a schema. A dimension without an extent gets one tile over its whole domain. The error
// wraps ErrInvalid and names the dimension that is a float or a text, or whose domain has no raster.
func NewGrid(a *Array) (*Grid, error) {
	n := len(a.Domain.Dimensions)
	numbers := make([]uint64, 4*n)
	g := &Grid{
		Last: numbers[:n:n], Extent: numbers[n : 2*n : 2*n], Tiles: numbers[2*n : 3*n : 3*n], lo: numbers[3*n:],
		types: make([]datatype.Type, n), byCols: a.TileOrder == ColMajor, colIn: a.CellOrder == ColMajor,
	}
	for i := range a.Domain.Dimensions {
		d := &a.Domain.Dimensions[i]
		if d.Var() || d.Type.IsFloat() {
			return nil, fmt.Errorf("%w: dimension %q of %s has no cell numbers", ErrInvalid, d.Name, d.Type)
		}
		if d.Compare(d.Lo(), d.Hi()) > 0 {
			return nil, fmt.Errorf("%w: dimension %q: domain ends before it starts", ErrInvalid, d.Name)
		}
		g.lo[i], g.types[i] = number(d.Type, d.Lo()), d.Type
		g.Last[i] = number(d.Type, d.Hi()) - g.lo[i]
		if d.Extent != nil {
			g.Extent[i] = d.extent()
		} else {
			g.Extent[i] = g.Last[i] + 1
		}
		if g.Extent[i] == 0 {
			return nil, fmt.Errorf("%w: dimension %q: no tile extent", ErrInvalid, d.Name)
		}
		g.Tiles[i] = g.Last[i]/g.Extent[i] + 1
	}
	return g, nil
}

// CellsPerTile returns the number of cells of a tile, the product of the extents; false when it does not fit.
func (g *Grid) CellsPerTile() (uint64, bool) { return product(g.Extent) }

// product multiplies; false when the result does not fit.
func product(factors []uint64) (uint64, bool) {
	p := uint64(1)
	for _, f := range factors {
		hi, lo := bits.Mul64(p, f)
		if hi != 0 {
			return 0, false
		}
		p = lo
	}
	return p, true
}

// CellNumber returns the number of a coordinate of dimension i; meaningless when it lies before the domain.
func (g *Grid) CellNumber(i int, coord []byte) uint64 { return number(g.types[i], coord) - g.lo[i] }

// Box returns ranges, one per dimension, as cell numbers in new memory; the ranges must lie in the domain or in the tiles
// that cover it.
func (g *Grid) Box(ranges []Range) Box {
	b := newBox(len(ranges))
	for i := range ranges {
		b.Lo[i] = g.CellNumber(i, ranges[i].Lo)
		b.Hi[i] = g.CellNumber(i, ranges[i].Hi)
	}
	return b
}

func newBox(n int) Box {
	ends := make([]uint64, 2*n)
	return Box{Lo: ends[:n:n], Hi: ends[n:]}
}

// Ranges returns a box of cell numbers as ranges of coordinates, in new memory.
func (g *Grid) Ranges(b Box) []Range {
	ranges := make([]Range, len(b.Lo))
	for i := range ranges {
		ranges[i] = Range{Lo: g.Coord(i, b.Lo[i]), Hi: g.Coord(i, b.Hi[i])}
	}
	return ranges
}

// Coord returns the coordinate of a cell number of dimension i, in new memory.
func (g *Grid) Coord(i int, cell uint64) []byte {
	var v [8]byte
	binary.LittleEndian.PutUint64(v[:], g.lo[i]+cell)
	return append([]byte(nil), v[:g.types[i].Size()]...)
}

// Whole returns the box of all cells of the domain, in new memory.
func (g *Grid) Whole() Box {
	b := newBox(len(g.Last))
	copy(b.Hi, g.Last)
	return b
}

// TileBox returns the tiles that a box of cells touches, as tile numbers per dimension, in new memory.
func (g *Grid) TileBox(cells Box) Box {
	b := newBox(len(cells.Lo))
	for i := range cells.Lo {
		b.Lo[i], b.Hi[i] = cells.Lo[i]/g.Extent[i], cells.Hi[i]/g.Extent[i]
	}
	return b
}

// TileCells returns the cells of one tile, in new memory; it may reach past the end of the domain.
func (g *Grid) TileCells(tile []uint64) Box {
	b := newBox(len(tile))
	g.FillTileCells(b, tile)
	return b
}

// FillTileCells is TileCells into memory of the caller's.
func (g *Grid) FillTileCells(dst Box, tile []uint64) {
	for i, t := range tile {
		dst.Lo[i] = t * g.Extent[i]
		dst.Hi[i] = dst.Lo[i] + g.Extent[i] - 1
	}
}

// NewBox returns a box of this grid's dimensions, all zero.
func (g *Grid) NewBox() Box { return newBox(len(g.Last)) }

// Count returns the number of cells or tiles in the box; false when it does not fit.
func (b Box) Count() (uint64, bool) {
	p := uint64(1)
	for i := range b.Lo {
		n := b.Hi[i] - b.Lo[i]
		if n == math.MaxUint64 {
			return 0, false
		}
		hi, lo := bits.Mul64(p, n+1)
		if hi != 0 {
			return 0, false
		}
		p = lo
	}
	return p, true
}

// Intersect fills dst with the cells common to b and c and reports whether there are any. dst may be b or c.
func (b Box) Intersect(dst, c Box) bool {
	some := true
	for i := range b.Lo {
		dst.Lo[i], dst.Hi[i] = max(b.Lo[i], c.Lo[i]), min(b.Hi[i], c.Hi[i])
		some = some && dst.Lo[i] <= dst.Hi[i]
	}
	return some
}

// Contains reports whether c lies in b.
func (b Box) Contains(c Box) bool {
	for i := range b.Lo {
		if c.Lo[i] < b.Lo[i] || c.Hi[i] > b.Hi[i] {
			return false
		}
	}
	return true
}

// axis returns the dimension that is at place k when dimensions are taken from the slowest to the fastest.
func axis(k, n int, byCols bool) int {
	if byCols {
		return n - 1 - k
	}
	return k
}

// TileIndex returns the position of a tile among those of the box, in the schema's tile order.
func (g *Grid) TileIndex(tiles Box, tile []uint64) uint64 {
	index := uint64(0)
	for k := range tile {
		i := axis(k, len(tile), g.byCols)
		index = index*(tiles.Hi[i]-tiles.Lo[i]+1) + tile[i] - tiles.Lo[i]
	}
	return index
}

// TileAt is the inverse of TileIndex; it fills dst, which has one entry per dimension.
func (g *Grid) TileAt(dst []uint64, tiles Box, index uint64) {
	for k := len(dst) - 1; k >= 0; k-- {
		i := axis(k, len(dst), g.byCols)
		n := tiles.Hi[i] - tiles.Lo[i] + 1
		dst[i] = tiles.Lo[i] + index%n
		index /= n
	}
}

// CellIndex returns the position of a cell inside its tile, in the schema's cell order.
func (g *Grid) CellIndex(cell []uint64) uint64 {
	index := uint64(0)
	for k := range cell {
		i := axis(k, len(cell), g.colIn)
		index = index*g.Extent[i] + cell[i]%g.Extent[i]
	}
	return index
}

// CellStrides returns by how many cells of a tile the cell index grows per step along each dimension, in new memory.
func (g *Grid) CellStrides() []uint64 {
	strides := make([]uint64, len(g.Extent))
	step := uint64(1)
	for k := len(strides) - 1; k >= 0; k-- {
		i := axis(k, len(strides), g.colIn)
		strides[i] = step
		step *= g.Extent[i]
	}
	return strides
}

// CellAt is the inverse of CellIndex for a tile whose cells are given: it fills dst, which has one entry per dimension.
func (g *Grid) CellAt(dst []uint64, tile Box, index uint64) {
	for k := len(dst) - 1; k >= 0; k-- {
		i := axis(k, len(dst), g.colIn)
		dst[i] = tile.Lo[i] + index%g.Extent[i]
		index /= g.Extent[i]
	}
}

// TileRegion returns the cells of a box of tiles, in new memory; it may reach past the end of the domain.
func (g *Grid) TileRegion(tiles Box) Box {
	b := newBox(len(tiles.Lo))
	for i := range tiles.Lo {
		b.Lo[i], b.Hi[i] = tiles.Lo[i]*g.Extent[i], (tiles.Hi[i]+1)*g.Extent[i]-1
	}
	return b
}

// BoxFrom returns the largest box of at most n tiles, n not 0, that follow each other in tile order among those of tiles,
// from the one at position first on.
func (g *Grid) BoxFrom(tiles Box, first, n uint64) Box {
	dims := len(tiles.Lo)
	b := newBox(dims)
	g.TileAt(b.Lo, tiles, first)
	copy(b.Hi, b.Lo)
	for k := dims - 1; k >= 0; k-- {
		i := axis(k, dims, g.byCols)
		side := tiles.Hi[i] - b.Lo[i] + 1
		b.Hi[i] = b.Lo[i] + min(side, n) - 1
		if n /= side; b.Lo[i] != tiles.Lo[i] || n == 0 {
			break
		}
	}
	return b
}
