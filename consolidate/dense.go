package consolidate

import (
	"context"
	"fmt"
	"math"

	"azulejo/fragment"
	"azulejo/query"
	"azulejo/schema"
)

// denseWriter writes what reads see of fragments in whole tiles. Its cells come in global order, tile after tile; of tiles
// that reach out of what can be read only the part inside, around which fill values are put.
type denseWriter struct {
	*job
	grid  *schema.Grid
	queue *queue
	// cells is the exact domain of the new fragments together, tiles the tiles that it touches, and readable what can be
	// read: the domain of the array or the part of it in use.
	cells, tiles, readable schema.Box
	perTile                int
	// next is the number of the next tile among tiles, in tile order.
	next, total uint64
	// tail is the number of the first tile that the present fragment does not have.
	tail   uint64
	writer *fragment.Writer
}

// writeDense writes the merged fragments of a dense array.
func (j *job) writeDense(ctx context.Context) error {
	s := j.a.Schema
	grid, err := schema.NewGrid(s)
	if err != nil {
		return err
	}
	d := &denseWriter{job: j, grid: grid, cells: grid.Box(j.union), readable: grid.Whole()}
	if current := s.CurrentDomain.Active(); current != nil {
		d.readable = grid.Box(current)
	}
	d.tiles = grid.TileBox(d.cells)
	n, ok := grid.CellsPerTile()
	total, alsoOK := d.tiles.Count()
	if !ok || !alsoOK || n > math.MaxInt/8 {
		return fmt.Errorf("consolidate %s: %w: the cells of its tiles cannot be counted", j.a.URI, ErrInvalid)
	}
	d.perTile, d.total = int(n), total
	fields := fragmentFields(s, false, false)
	d.queue = newQueue(fields)
	region := grid.NewBox()
	grid.TileRegion(d.tiles).Intersect(region, d.readable)
	read := &query.Read{Layout: schema.GlobalOrder}
	for _, r := range grid.Ranges(region) {
		read.Subarray.Ranges = append(read.Subarray.Ranges, []schema.Range{r})
	}
	return j.pump(ctx, read, fields, d.take, d.finish)
}

// tileOf returns the cells of a tile and those of them that are read.
func (d *denseWriter) tileOf(number uint64) (tile, read schema.Box) {
	at := make([]uint64, len(d.grid.Extent))
	d.grid.TileAt(at, d.tiles, number)
	tile, read = d.grid.TileCells(at), d.grid.NewBox()
	tile.Intersect(read, d.readable)
	return tile, read
}

// placed is a tile whose cells are in the queue from first up to but not including end.
type placed struct {
	tile, read schema.Box
	first, end int
}

// take writes the tiles that a portion completes.
func (d *denseWriter) take(ctx context.Context, p *portion) error {
	d.queue.add(p)
	var tiles []placed
	at := 0
	for d.next+uint64(len(tiles)) < d.total {
		t := placed{first: at}
		t.tile, t.read = d.tileOf(d.next + uint64(len(tiles)))
		n, _ := t.read.Count()
		if t.end = at + int(n); t.end > d.queue.cells() {
			break
		}
		at = t.end
		tiles = append(tiles, t)
	}
	for len(tiles) > 0 {
		n, err := d.append(ctx, tiles)
		if err != nil {
			return err
		}
		tiles = tiles[n:]
		d.next += uint64(n)
	}
	d.queue.shift(at)
	return nil
}

// finish completes the last fragment.
func (d *denseWriter) finish(ctx context.Context) error {
	if d.next != d.total {
		return fmt.Errorf("consolidate %s: %d of %d tiles were read", d.a.URI, d.next, d.total)
	}
	return d.writer.Finish(ctx)
}

// append writes the first of the tiles given that belong to one fragment and returns how many they were.
func (d *denseWriter) append(ctx context.Context, tiles []placed) (int, error) {
	if d.next == d.tail {
		if d.writer != nil {
			if err := d.writer.Finish(ctx); err != nil {
				return 0, err
			}
		}
		box, err := d.nextBox(ctx, tiles)
		if err != nil {
			return 0, err
		}
		domain := d.grid.NewBox()
		d.grid.TileRegion(box).Intersect(domain, d.cells)
		n, _ := box.Count()
		d.tail = d.next + n
		if d.writer, err = d.begin(ctx, d.grid.Ranges(domain)); err != nil {
			return 0, err
		}
	}
	n := int(min(uint64(len(tiles)), d.tail-d.next))
	return n, d.writer.Append(ctx, n, func(tile, field int, c *fragment.Cells) error {
		d.fill(&tiles[tile], field, c)
		return nil
	})
}

// fill provides one field of a tile.
func (d *denseWriter) fill(t *placed, field int, c *fragment.Cells) {
	d.queue.fill(field, t.first, t.end, c)
	if t.end-t.first == d.perTile {
		return
	}
	inside := column{field: d.queue.left.columns[field].field, data: c.Data, validity: c.Validity}
	if inside.field.Var() {
		inside.offsets = append(append([]uint64(nil), c.Offsets...), uint64(len(c.Data)))
	}
	attribute := &d.a.Schema.Attributes[inside.field.Index]
	whole := column{field: inside.field}
	if whole.field.Var() {
		whole.offsets = []uint64{0}
	}
	// The cells inside come in the order of the tile, too.
	cell, from := make([]uint64, len(t.tile.Lo)), 0
	for i := range d.perTile {
		d.grid.CellAt(cell, t.tile, uint64(i))
		if contains(t.read, cell) {
			inside.copyTo(&whole, from, from+1)
			from++
			continue
		}
		whole.data = append(whole.data, attribute.Fill...)
		if whole.field.Var() {
			whole.offsets = append(whole.offsets, uint64(len(whole.data)))
		}
		if whole.field.Nullable {
			whole.validity = append(whole.validity, validity(attribute.FillValid))
		}
	}
	copy(c.MakeData(len(whole.data)), whole.data) // aligned for its type
	if whole.field.Nullable {
		c.Validity = whole.validity
	}
	if whole.field.Var() {
		c.Offsets = whole.offsets[:d.perTile:d.perTile]
	}
}

func validity(valid bool) byte {
	if valid {
		return 1
	}
	return 0
}

// contains reports whether a cell lies in a box.
func contains(b schema.Box, cell []uint64) bool {
	for i, c := range cell {
		if c < b.Lo[i] || c > b.Hi[i] {
			return false
		}
	}
	return true
}

// nextBox returns the tiles of the next fragment: all that are left, or where the size of a fragment is bounded as many
// of them as are known to fit and form a box.
func (d *denseWriter) nextBox(ctx context.Context, tiles []placed) (schema.Box, error) {
	if d.MaxFragmentSize == math.MaxUint64 {
		return d.tiles, nil
	}
	fits, err := d.fitting(ctx, tiles)
	if err != nil {
		return schema.Box{}, err
	}
	return d.grid.BoxFrom(d.tiles, d.next, fits), nil
}

// fitting returns how many of the tiles, at least one, fit into a fragment.
func (d *denseWriter) fitting(ctx context.Context, tiles []placed) (uint64, error) {
	sizes, err := fragment.FilteredSizes(ctx, d.a.Schema, d.options(d.union), len(tiles), func(tile, field int, c *fragment.Cells) error {
		d.fill(&tiles[tile], field, c)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if sizes[0] > d.MaxFragmentSize {
		return 0, fmt.Errorf("%w: a tile of %d bytes does not fit into fragments of %d", ErrInvalid, sizes[0], d.MaxFragmentSize)
	}
	n, sum := uint64(0), uint64(0)
	for _, size := range sizes {
		if sum += size; sum > d.MaxFragmentSize {
			break
		}
		n++
	}
	return n, nil
}
