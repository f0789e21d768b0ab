package query

import (
	"context"
	"fmt"
	"sync"

	"azulejo/array"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/schema"
)

// maxPadded is the largest tile of one field, in bytes, that a write covering only part of it is let make: a few cells
// must not cost the memory of a whole tile of any size.
const maxPadded = 1 << 30

// region is the part of a dense array that a write covers.
type region struct {
	grid   *schema.Grid
	ranges []schema.Range
	// cells and tiles are the region in cell and tile numbers.
	cells, tiles schema.Box
	// nCells and nTiles count them; tileCells is the number of cells of every tile.
	nCells, nTiles, tileCells int
}

// denseRegion checks the subarray of a dense write: at most one range per dimension, inside the domain and the current
// domain.
func denseRegion(s *schema.Array, sub Subarray) (*region, error) {
	dims := s.Domain.Dimensions
	if sub.Ranges != nil && len(sub.Ranges) != len(dims) {
		return nil, fmt.Errorf("%w: a subarray of %d dimensions for an array of %d", ErrInvalid, len(sub.Ranges), len(dims))
	}
	r := &region{ranges: make([]schema.Range, len(dims))}
	for i := range dims {
		d := &dims[i]
		r.ranges[i] = d.DomainRange()
		if sub.Ranges == nil || len(sub.Ranges[i]) == 0 {
			continue
		}
		if len(sub.Ranges[i]) > 1 {
			return nil, fmt.Errorf("%w: dimension %q has %d ranges; writes to dense arrays take one", ErrInvalid, d.Name, len(sub.Ranges[i]))
		}
		given := sub.Ranges[i][0]
		size := d.Type.Size()
		if len(given.Lo) != size || len(given.Hi) != size || d.Compare(given.Lo, given.Hi) > 0 {
			return nil, fmt.Errorf("%w: the range of dimension %q is no range of %s values", ErrInvalid, d.Name, d.Type)
		}
		if !d.Contains(d.DomainRange(), given) {
			return nil, fmt.Errorf("%w: range %s on dimension %q is out of domain bounds %s",
				ErrInvalid, rangeText(d, given), d.Name, rangeText(d, d.DomainRange()))
		}
		r.ranges[i] = given
	}
	if err := checkCurrentDomain(s, r.ranges); err != nil {
		return nil, err
	}
	return r, r.count(s)
}

// count places the region on the array's grid.
func (r *region) count(s *schema.Array) (err error) {
	if r.grid, err = schema.NewGrid(s); err != nil {
		return err
	}
	r.cells = r.grid.Box(r.ranges)
	r.tiles = r.grid.TileBox(r.cells)
	for _, c := range []struct {
		n  *int
		of func() (uint64, bool)
	}{{&r.nCells, r.cells.Count}, {&r.nTiles, r.tiles.Count}, {&r.tileCells, r.grid.CellsPerTile}} {
		n, ok := c.of()
		if !ok || n > 1<<56 {
			return fmt.Errorf("%w: the subarray has too many cells or tiles to write at once", ErrInvalid)
		}
		*c.n = int(n)
	}
	return nil
}

// checkPadding refuses a region whose tiles are mostly padding and too large to be made.
func (r *region) checkPadding(cols []column) error {
	if r.nCells == r.nTiles*r.tileCells {
		return nil
	}
	for i := range cols {
		if size := cols[i].field.CellSize(); r.tileCells > maxPadded/size {
			return fmt.Errorf("%w: a tile of %d cells of field %q is too large to be written in part", ErrInvalid, r.tileCells, cols[i].field.Name)
		}
	}
	return nil
}

// submitDense is Submit for row- and column-major writes.
func submitDense(ctx context.Context, a *array.Array, w *Write, name format.Name) (Written, error) {
	r, err := denseRegion(a.Schema, w.Subarray)
	if err != nil {
		return Written{}, err
	}
	cols, err := checkColumns(a.Schema, writtenFields(a.Schema), w.Columns, w.Offsets)
	if err != nil {
		return Written{}, err
	}
	for i := range cols {
		if cols[i].cells != r.nCells {
			return Written{}, fmt.Errorf("%w: invalid number of cells given for attribute %q (%d != %d)",
				ErrInvalid, cols[i].field.Name, cols[i].cells, r.nCells)
		}
	}
	if err := r.checkPadding(cols); err != nil {
		return Written{}, err
	}
	t := newTiler(r, w.Layout)
	opts := fragment.WriterOptions{Domain: r.ranges, Threads: w.Threads}
	return writeFragment(ctx, a, w, name, opts, r.nTiles, func(tile, field int, c *fragment.Cells) error {
		return t.fill(tile, &cols[field], c)
	})
}

// tiler cuts the cells of a region, given in row- or column-major order, into the tiles of the array. Tiles are always
// full: cells that the region does not cover are zero bytes. Safe for concurrent use.
type tiler struct {
	*region
	// strides and from say by how many cells a position in the tile and in the given columns grows per step along each
	// dimension.
	strides, from []uint64
}

func newTiler(r *region, layout schema.Layout) *tiler {
	dims := len(r.ranges)
	t := &tiler{region: r, strides: r.grid.CellStrides(), from: make([]uint64, dims)}
	step := uint64(1)
	for i := range dims {
		d := dims - 1 - i
		if layout == schema.ColMajor {
			d = i
		}
		t.from[d] = step
		step *= r.cells.Hi[d] - r.cells.Lo[d] + 1
	}
	return t
}

// plan says where the cells of one tile come from.
type plan struct {
	// loops visit the cells that both the tile and the region have, in the order of the tile; loops[0].to is 1.
	loops []loop
	// to and from are the first such cell's positions in the tile and in the columns.
	to, from int
	// covered is the number of such cells.
	covered int
}

// plan makes the plan of one tile.
func (t *tiler) plan(tile int) (p plan) {
	dims := len(t.ranges)
	coords := make([]uint64, dims)
	t.grid.TileAt(coords, t.tiles, uint64(tile))
	box := t.grid.TileCells(coords)
	p.covered = 1
	for d := range dims {
		lo, hi := max(box.Lo[d], t.cells.Lo[d]), min(box.Hi[d], t.cells.Hi[d])
		p.to += int((lo - box.Lo[d]) * t.strides[d])
		p.from += int((lo - t.cells.Lo[d]) * t.from[d])
		n := int(hi - lo + 1)
		p.covered *= n
		if n > 1 || t.strides[d] == 1 {
			p.loops = append(p.loops, loop{n: n, to: int(t.strides[d]), from: int(t.from[d])})
		}
	}
	sortLoops(p.loops)
	p.loops = mergeLoops(p.loops)
	return p
}

// sortLoops orders loops from the smallest steps in the tile to the largest. Of several with step 1, which an extent of 1
// gives, the one with most cells goes first and the others have one cell.
func sortLoops(loops []loop) {
	for i := 1; i < len(loops); i++ {
		for j := i; j > 0; j-- {
			x, y := loops[j-1], loops[j]
			if x.to < y.to || x.to == y.to && x.n >= y.n {
				break
			}
			loops[j-1], loops[j] = y, x
		}
	}
}

// mergeLoops joins neighbouring loops that walk both sides without a gap, and drops loops of one step.
func mergeLoops(loops []loop) []loop {
	out := loops[:1]
	for _, l := range loops[1:] {
		in := &out[len(out)-1]
		switch {
		case l.n == 1:
		case in.to*in.n == l.to && in.from*in.n == l.from:
			in.n *= l.n
		default:
			out = append(out, l)
		}
	}
	return out
}

// fill provides one column's cells of one tile.
func (t *tiler) fill(tile int, col *column, c *fragment.Cells) error {
	p := t.plan(tile)
	if p.covered == t.tileCells {
		c.AddRun(0, t.tileCells)
	} else {
		eachRow(p.loops[1:], p.to, p.from, func(to, _ int) { c.AddRun(to, to+p.loops[0].n) })
	}
	if col.field.Var() {
		t.fillVar(p, col, c)
	} else {
		c.Data = t.fixed(p, col.data, col.field.CellSize(), c.MakeData)
	}
	if col.validity != nil {
		c.Validity = t.fixed(p, col.validity, 1, c.MakeValidity)
	}
	return nil
}

// fixed returns a tile of cells of size bytes: part of the column itself when the cells lie there in the tile's order.
func (t *tiler) fixed(p plan, src []byte, size int, lend func(int) []byte) []byte {
	if p.covered == t.tileCells && len(p.loops) == 1 && p.loops[0].from == 1 {
		return src[p.from*size : (p.from+t.tileCells)*size]
	}
	dst := lend(t.tileCells * size)
	if p.covered < t.tileCells {
		clear(dst)
	}
	copyBox(dst, src, size, p.loops, p.to, p.from)
	return dst
}

// noCell marks a cell of a tile that the region does not cover.
const noCell = -1

// lentPlaces keeps the lists of places that tiles of var-sized cells need for a moment.
var lentPlaces sync.Pool

// fillVar provides a tile of var-sized cells. A cell that the region does not cover is one zero value.
func (t *tiler) fillVar(p plan, col *column, c *fragment.Cells) {
	lent, _ := lentPlaces.Get().(*[]int)
	if lent == nil || cap(*lent) < t.tileCells {
		places := make([]int, t.tileCells)
		lent = &places
	}
	defer lentPlaces.Put(lent)
	places := (*lent)[:t.tileCells]
	if p.covered < t.tileCells {
		for i := range places {
			places[i] = noCell
		}
	}
	eachRow(p.loops[1:], p.to, p.from, func(to, from int) {
		for i := range p.loops[0].n {
			places[to+i] = from + i*p.loops[0].from
		}
	})
	copyTexts(col, places, c)
}

// copyTexts provides the var-sized cells at these places of a column, one after the other; for noCell a zero value.
func copyTexts(col *column, places []int, c *fragment.Cells) {
	blank := uint64(col.field.Type.Size())
	offsets := c.MakeOffsets(len(places))
	var n uint64
	for i, p := range places {
		offsets[i] = n
		if p == noCell {
			n += blank
		} else {
			n += col.end(p) - col.offsets[p]
		}
	}
	data := c.MakeData(int(n))
	for i := 0; i < len(places); {
		first, at := places[i], offsets[i]
		if i++; first == noCell {
			clear(data[at : at+blank])
			continue
		}
		// Cells that follow each other in the column are copied in one go.
		last := first
		for ; i < len(places) && places[i] == last+1; i++ {
			last++
		}
		copy(data[at:], col.data[col.offsets[first]:col.end(last)])
	}
}
