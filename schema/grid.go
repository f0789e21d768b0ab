package schema

import "errors"

// Grid is the tile raster of a domain whose dimensions all have a whole-number type and a tile extent, as dense arrays
// have. It counts cells of each dimension from the start of the domain, as unsigned numbers, whatever the dimension's
// type, so that no code above it depends on the type. Immutable, safe for concurrent use.
type Grid struct {
	// Cells is the number of cells of each dimension's domain minus one (the last cell's number).
	Last []uint64
	// Extent is the number of cells along each dimension of a tile.
	Extent []uint64
	// Tiles is the number of tiles along each dimension; the last one may reach past the domain.
	Tiles []uint64

	tileOrder, cellOrder Layout
}

// Box is a hyper-rectangle in cell or tile numbers: Lo and Hi, both inclusive, have one entry per dimension.
type Box struct {
	Lo, Hi []uint64
}

// NewGrid returns the raster of a checked schema. A dimension without an extent gets one tile over its whole domain. The
// error wraps ErrInvalid and names the dimension that is a float or a text.
func NewGrid(a *Array) (*Grid, error) { return nil, errors.New("grid is not written yet") }

// CellsPerTile returns the number of cells of a tile, the product of the extents; false when it does not fit.
func (g *Grid) CellsPerTile() (uint64, bool) { return 0, false }

// Box returns ranges, one per dimension, as cell numbers in new memory; the ranges must lie in the domain.
func (g *Grid) Box(ranges []Range) Box { return Box{} }

// Ranges returns a box of cell numbers as ranges of coordinates, in new memory.
func (g *Grid) Ranges(b Box) []Range { return nil }

// TileBox returns the tiles that a box of cells touches, as tile numbers per dimension, in new memory.
func (g *Grid) TileBox(cells Box) Box { return Box{} }

// TileCells returns the cells of one tile, in new memory; it may reach past the end of the domain.
func (g *Grid) TileCells(tile []uint64) Box { return Box{} }

// TileCount returns the number of tiles in a box of tiles; false when it does not fit.
func (b Box) Count() (uint64, bool) { return 0, false }

// TileIndex returns the position of a tile among those of the box, in the schema's tile order.
func (g *Grid) TileIndex(tiles Box, tile []uint64) uint64 { return 0 }

// TileAt is the inverse of TileIndex; it fills dst, which has one entry per dimension.
func (g *Grid) TileAt(dst []uint64, tiles Box, index uint64) {}

// CellIndex returns the position of a cell inside its tile, in the schema's cell order.
func (g *Grid) CellIndex(cell []uint64) uint64 { return 0 }

// CellStrides returns by how many cells of a tile the cell index grows per step along each dimension, in new memory.
func (g *Grid) CellStrides() []uint64 { return nil }
