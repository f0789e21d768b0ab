package query

import (
	"context"
	"fmt"
	"math"

	"azulejo/array"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/schema"
)

// submitUnordered is Submit for unordered writes: the cells are sorted into global order.
func submitUnordered(ctx context.Context, a *array.Array, w *Write, name format.Name) (Written, error) {
	cols, cells, err := sparseColumns(a.Schema, w)
	if err != nil || cells == 0 {
		return Written{}, err
	}
	order, err := schema.NewOrdering(a.Schema, schema.GlobalOrder)
	if err != nil {
		return Written{}, err
	}
	dims := cols[len(a.Schema.Attributes):]
	keys, err := order.Keys(cells, coordColumns(dims), nil)
	if err != nil {
		return Written{}, err
	}
	var pick []int
	if !order.Sorted(keys) {
		pick = order.Sort(keys)
	}
	if pick, err = settleDups(a.Schema, w, order, keys, dims, pick); err != nil {
		return Written{}, err
	}
	if pick != nil {
		cells = len(pick)
	}
	source := cellSource{cols: cols, pick: pick, cells: cells, perTile: int(min(a.Schema.Capacity, math.MaxInt))}
	opts := fragment.WriterOptions{Threads: w.Threads}
	return writeFragment(ctx, a, w, name, opts, source.tiles(), source.fill)
}

// sparseColumns returns the checked columns of a sparse write, attributes first, and the number of cells.
func sparseColumns(s *schema.Array, w *Write) ([]column, int, error) {
	cols, err := checkColumns(s, writtenFields(s), w.Columns, w.Offsets)
	if err != nil {
		return nil, 0, err
	}
	cells, err := checkLengths(cols)
	if err != nil || cells == 0 {
		return nil, 0, err
	}
	return cols, cells, checkBounds(s, cols[len(s.Attributes):], cells, w.CheckOutOfBounds)
}

func coordColumns(dims []column) []schema.Coords {
	coords := make([]schema.Coords, len(dims))
	for i := range dims {
		coords[i] = dims[i].coords()
	}
	return coords
}

// checkBounds tells whether all cells lie in the current domain and, when asked to, in the domain.
func checkBounds(s *schema.Array, dims []column, cells int, domain bool) error {
	box := make([]schema.Range, len(dims))
	for i := range dims {
		d := &s.Domain.Dimensions[i]
		box[i] = d.Bounds(cells, dims[i].coords())
		if domain && !d.Var() && (d.Type.IsFloat() || !d.Contains(d.DomainRange(), box[i])) {
			if err := checkDomain(d, &dims[i]); err != nil {
				return err
			}
		}
	}
	return checkCurrentDomain(s, box)
}

// checkDomain names the first coordinate that is out of the domain. A NaN is in none.
func checkDomain(d *schema.Dimension, col *column) error {
	size := col.field.CellSize()
	for at := 0; at < len(col.data); at += size {
		if v := col.data[at : at+size]; !d.ContainsValue(d.DomainRange(), v) {
			return fmt.Errorf("%w: coordinate %s is out of domain bounds %s on dimension %q",
				ErrInvalid, coordText(d, v), rangeText(d, d.DomainRange()), d.Name)
		}
	}
	return nil
}

// settleDups refuses or drops cells at the coordinates of the cell before, as the write asks. pick has the cells in
// order, nil when they are so already. Of several cells at the same coordinates the first one given stays.
func settleDups(s *schema.Array, w *Write, order *schema.Ordering, keys *schema.Keys, dims []column, pick []int) ([]int, error) {
	if !w.DedupCoords && (s.AllowsDups || !w.CheckDups) {
		return pick, nil
	}
	at := func(i int) int {
		if pick == nil {
			return i
		}
		return pick[i]
	}
	var kept []int
	for i := range keys.Len() {
		dup := i > 0 && order.Compare(keys, at(i-1), keys, at(i)) == 0
		switch {
		case dup && !w.DedupCoords:
			return nil, fmt.Errorf("%w: Duplicate coordinates %s are not allowed", ErrInvalid, cellText(s, dims, at(i)))
		case dup && kept == nil:
			kept = make([]int, 0, keys.Len())
			for j := range i {
				kept = append(kept, at(j))
			}
		case !dup && kept != nil:
			kept = append(kept, at(i))
		}
	}
	if kept != nil {
		return kept, nil
	}
	return pick, nil
}

// cellSource cuts columns into tiles of perTile cells. Safe for concurrent use.
type cellSource struct {
	cols []column
	// pick names the cells in the order to be written; nil for all in the order given.
	pick []int
	// first is the position of the first cell to write.
	first, cells, perTile int
}

func (s *cellSource) tiles() int {
	if s.cells == 0 {
		return 0
	}
	return (s.cells-1)/s.perTile + 1
}

// fill provides one column's cells of one tile.
func (s *cellSource) fill(tile, field int, c *fragment.Cells) error {
	col := &s.cols[field]
	lo := s.first + tile*s.perTile
	hi := min(lo+s.perTile, s.first+s.cells)
	size := col.field.CellSize()
	switch {
	case s.pick == nil:
		c.Slice(&col.field, col.data, col.offsets, col.validity, lo, hi)
		return nil
	case col.field.Var():
		copyTexts(col, s.pick[lo:hi], c)
	default:
		gather(c.MakeData((hi-lo)*size), col.data, size, s.pick[lo:hi])
	}
	if col.validity != nil {
		gather(c.MakeValidity(hi-lo), col.validity, 1, s.pick[lo:hi])
	}
	return nil
}
