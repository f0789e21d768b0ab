package query

import (
	"context"
	"errors"
	"fmt"
	"math"

	"azulejo/array"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/schema"
)

// ErrClosed is returned by a GlobalWriter that was finalized, aborted or has failed.
var ErrClosed = errors.New("the global order write has ended")

// GlobalWriter writes one fragment from cells that come in the array's global order, in any number of portions. It holds
// less than one tile of them at a time. Nothing is visible before Finalize. It is not safe for concurrent use.
type GlobalWriter struct {
	array  *array.Array
	query  Write
	name   format.Name
	done   bool
	closed bool
	fields []schema.Field
	// region is what a dense write covers; nil when sparse.
	region  *region
	perTile int
	// cells is the number of cells given so far; held has the last of them, which do not fill a tile yet.
	cells, nHeld int
	held         []column
	writer       *fragment.Writer
	order        *globalOrder
}

// NewGlobalWriter begins a write in global order. w.Columns is not used, everything else as in Submit; the subarray of a
// dense write must begin and end at tile borders.
func NewGlobalWriter(ctx context.Context, a *array.Array, w *Write) (*GlobalWriter, error) {
	g := &GlobalWriter{array: a, query: *w, fields: writtenFields(a.Schema)}
	g.query.Layout, g.query.Columns = schema.GlobalOrder, nil
	if err := checkWrite(a, &g.query); err != nil {
		return nil, err
	}
	if err := g.prepare(); err != nil {
		return nil, err
	}
	var err error
	g.name, g.done, err = chooseName(ctx, a, w)
	return g, err
}

func (g *GlobalWriter) prepare() (err error) {
	s := g.array.Schema
	g.held = make([]column, len(g.fields))
	for i := range g.held {
		g.held[i].field = g.fields[i]
	}
	if s.Type == schema.Sparse {
		g.perTile = int(min(s.Capacity, math.MaxInt))
		g.order, err = newGlobalOrder(s, &g.query)
		return err
	}
	if g.region, err = denseRegion(s, g.query.Subarray); err != nil {
		return err
	}
	g.perTile = g.region.tileCells
	for i := range s.Domain.Dimensions {
		lo, hi := g.region.cells.Lo[i], g.region.cells.Hi[i]
		if extent := g.region.grid.Extent[i]; lo%extent != 0 || (hi+1)%extent != 0 {
			return fmt.Errorf("%w: in global writes to dense arrays the subarray must coincide with the tile bounds; dimension %q does not",
				ErrInvalid, s.Domain.Dimensions[i].Name)
		}
	}
	return nil
}

// Submit adds cells, one column per field. Full tiles go to storage, the rest is copied. Columns are checked before
// anything is written, and a portion that is refused with ErrInvalid leaves the write as it was.
func (g *GlobalWriter) Submit(ctx context.Context, columns []Column) error {
	if g.closed || g.done {
		return g.ended()
	}
	cols, cells, err := g.accept(columns)
	if err != nil || cells == 0 {
		return err
	}
	if err := g.write(ctx, cols, cells); err != nil {
		return errors.Join(classify(err), g.Abort(ctx))
	}
	return nil
}

// accept checks the columns of a portion and returns those to write.
func (g *GlobalWriter) accept(columns []Column) ([]column, int, error) {
	cols, err := checkColumns(g.array.Schema, g.fields, columns, g.query.Offsets)
	if err != nil {
		return nil, 0, err
	}
	cells, err := checkLengths(cols)
	if err != nil || cells == 0 {
		return nil, 0, err
	}
	if g.region == nil {
		return g.checkSparse(cols, cells)
	}
	if cells > g.region.nCells-g.cells {
		return nil, 0, fmt.Errorf("%w: %d cells given for a subarray of %d", ErrInvalid, g.cells+cells, g.region.nCells)
	}
	return cols, cells, nil
}

// Check checks a portion as Submit does, after those that were checked before, and writes nothing. A writer that checks is
// to be aborted.
func (g *GlobalWriter) Check(columns []Column) error {
	_, cells, err := g.accept(columns)
	g.cells += cells
	return err
}

// After makes Check begin behind a number of cells that were checked by another writer, at most MaxInt. last has one cell, the last
// of them.
func (g *GlobalWriter) After(cells uint64, last []Column) error {
	if cells > math.MaxInt || g.region != nil && int(cells) > g.region.nCells {
		return fmt.Errorf("%w: %d cells were given already", ErrInvalid, cells)
	}
	g.cells = int(cells)
	if g.region != nil {
		return nil
	}
	cols, err := checkColumns(g.array.Schema, g.fields, last, g.query.Offsets)
	if err == nil {
		g.order.last = lastCell(cols[len(g.array.Schema.Attributes):], 1)
	}
	return err
}

// ended tells why cells are refused; a write whose fragment is committed already takes them without a word.
func (g *GlobalWriter) ended() error {
	if g.closed {
		return ErrClosed
	}
	return nil
}

// checkSparse checks the coordinates of a portion and drops duplicates where asked to.
func (g *GlobalWriter) checkSparse(cols []column, cells int) ([]column, int, error) {
	s := g.array.Schema
	dims := cols[len(s.Attributes):]
	if err := checkBounds(s, dims, cells, g.query.CheckOutOfBounds); err != nil {
		return nil, 0, err
	}
	keep, err := g.order.check(dims, cells)
	if err != nil || keep == nil {
		return cols, cells, err
	}
	kept := make([]column, len(cols))
	source := cellSource{cols: cols, pick: keep, cells: len(keep), perTile: max(1, len(keep))}
	for i := range cols {
		var c fragment.Cells
		if err := source.fill(0, i, &c); err != nil {
			return nil, 0, err
		}
		kept[i] = column{cols[i].field, len(keep), c.Data, c.Offsets, c.Validity}
	}
	return kept, len(keep), nil
}

// write sends the tiles that are full now and holds the rest.
func (g *GlobalWriter) write(ctx context.Context, cols []column, cells int) error {
	g.cells += cells
	first := 0
	if g.nHeld > 0 {
		first = min(cells, g.perTile-g.nHeld)
		g.hold(cols, 0, first)
		if g.nHeld < g.perTile {
			return nil
		}
		if err := g.append(ctx, g.held, 0, g.perTile); err != nil {
			return err
		}
		g.drop()
	}
	full := (cells - first) / g.perTile * g.perTile
	if err := g.append(ctx, cols, first, full); err != nil {
		return err
	}
	g.hold(cols, first+full, cells)
	return nil
}

// append writes cells that fill tiles, or are the last.
func (g *GlobalWriter) append(ctx context.Context, cols []column, first, cells int) error {
	if cells == 0 {
		return nil
	}
	if g.writer == nil {
		opts := fragment.WriterOptions{Threads: g.query.Threads, Key: g.array.Key()}
		if g.region != nil {
			opts.Domain = g.region.ranges
		}
		w, err := fragment.Create(ctx, g.array.FS, g.array.URI, g.array.Schema, g.name.String(), opts)
		if err != nil {
			return err
		}
		g.writer = w
	}
	source := cellSource{cols: cols, first: first, cells: cells, perTile: g.perTile}
	return g.writer.Append(ctx, source.tiles(), source.fill)
}

// hold copies cells [lo, hi) behind those held.
func (g *GlobalWriter) hold(cols []column, lo, hi int) {
	if lo == hi {
		return
	}
	for i := range g.held {
		h, c := &g.held[i], &cols[i]
		if c.validity != nil {
			h.validity = append(h.validity, c.validity[lo:hi]...)
		}
		if !c.field.Var() {
			size := c.field.CellSize()
			h.data = append(h.data, c.data[lo*size:hi*size]...)
			continue
		}
		base := uint64(len(h.data)) - c.offsets[lo] // wraps, and back
		for _, off := range c.offsets[lo:hi] {
			h.offsets = append(h.offsets, off+base)
		}
		h.data = append(h.data, c.data[c.offsets[lo]:c.end(hi-1)]...)
	}
	g.nHeld += hi - lo
}

// drop forgets the cells held and keeps their memory.
func (g *GlobalWriter) drop() {
	for i := range g.held {
		h := &g.held[i]
		h.data, h.offsets, h.validity = h.data[:0], h.offsets[:0], h.validity[:0]
	}
	g.nHeld = 0
}

// Finalize writes what is held, completes the fragment and commits it: the cells are visible when it returns without an
// error, and not otherwise. A dense write must have filled its subarray; a sparse write of no cells makes no fragment.
func (g *GlobalWriter) Finalize(ctx context.Context) (Written, error) {
	switch {
	case g.closed:
		return Written{}, ErrClosed
	case g.done:
		g.closed = true
		return written(g.name), nil
	case g.region != nil && g.cells != g.region.nCells:
		return Written{}, errors.Join(fmt.Errorf("%w: the number of cells written (%d) is different from the number of cells expected (%d) for the query subarray",
			ErrInvalid, g.cells, g.region.nCells), g.Abort(ctx))
	case g.cells == 0:
		g.closed = true
		return Written{}, nil
	}
	err := g.append(ctx, g.held, 0, g.nHeld)
	if err == nil {
		err = g.writer.Finish(ctx)
	}
	if err != nil {
		return Written{}, errors.Join(classify(err), g.Abort(ctx))
	}
	g.closed = true
	return publish(ctx, g.array, g.name)
}

// Abort ends the write and removes what it wrote. It does nothing after Finalize, and works with a cancelled context.
func (g *GlobalWriter) Abort(ctx context.Context) error {
	if g.closed {
		return nil
	}
	g.closed = true
	if g.writer == nil {
		return nil
	}
	return g.writer.Abort(ctx)
}

// submitGlobal is Submit for a write in global order that comes in one portion.
func submitGlobal(ctx context.Context, a *array.Array, w *Write) (Written, error) {
	g, err := NewGlobalWriter(ctx, a, w)
	if err != nil {
		return Written{}, err
	}
	if err := g.Submit(ctx, w.Columns); err != nil {
		return Written{}, errors.Join(err, g.Abort(ctx))
	}
	return g.Finalize(ctx)
}

// globalOrder checks that the cells of several portions come in global order.
type globalOrder struct {
	schema *schema.Array
	query  *Write
	order  *schema.Ordering
	keys   *schema.Keys
	// last has the coordinates of the last cell of the portion before, one column per dimension; nil at first.
	last []column
}

func newGlobalOrder(s *schema.Array, w *Write) (*globalOrder, error) {
	order, err := schema.NewOrdering(s, schema.GlobalOrder)
	return &globalOrder{schema: s, query: w, order: order}, err
}

// check returns the cells to keep, nil for all. A portion that is refused is not remembered.
func (o *globalOrder) check(dims []column, cells int) (keep []int, err error) {
	if o.keys, err = o.order.Keys(cells, coordColumns(dims), o.keys); err != nil {
		return nil, err
	}
	for i := 1; i < cells; i++ {
		if !o.order.MayFollow(o.keys, i-1, o.keys, i) {
			return nil, fmt.Errorf("%w: write failed; coordinates %s succeed %s in the global order",
				ErrInvalid, cellText(o.schema, dims, i-1), cellText(o.schema, dims, i))
		}
	}
	if keep, err = settleDups(o.schema, o.query, o.order, o.keys, dims, nil); err != nil {
		return nil, err
	}
	if o.last != nil {
		if keep, err = o.checkSeam(dims, cells, keep); err != nil {
			return nil, err
		}
	}
	o.last = lastCell(dims, cells)
	return keep, nil
}

// checkSeam compares the first cell with the last one of the portion before.
func (o *globalOrder) checkSeam(dims []column, cells int, keep []int) ([]int, error) {
	before, err := o.order.Keys(1, coordColumns(o.last), nil)
	if err != nil {
		return nil, err
	}
	switch same := o.order.Compare(before, 0, o.keys, 0) == 0; {
	case !o.order.MayFollow(before, 0, o.keys, 0):
		return nil, fmt.Errorf("%w: write failed; coordinates %s come before the last written coordinates in the global order",
			ErrInvalid, cellText(o.schema, dims, 0))
	case !same || !o.query.DedupCoords && (o.schema.AllowsDups || !o.query.CheckDups):
		return keep, nil
	case !o.query.DedupCoords:
		return nil, fmt.Errorf("%w: Duplicate coordinates %s are not allowed", ErrInvalid, cellText(o.schema, dims, 0))
	}
	if keep == nil {
		keep = make([]int, cells)
		for i := range keep {
			keep[i] = i
		}
	}
	return keep[1:], nil
}

// lastCell copies the coordinates of the last cell.
func lastCell(dims []column, cells int) []column {
	last := make([]column, len(dims))
	for i := range dims {
		c := &dims[i]
		last[i] = column{field: c.field, cells: 1}
		if c.field.Var() {
			last[i].data = append([]byte{}, c.data[c.offsets[cells-1]:]...)
			last[i].offsets = []uint64{0}
		} else {
			last[i].data = append([]byte{}, c.data[len(c.data)-c.field.CellSize():]...)
		}
	}
	return last
}
