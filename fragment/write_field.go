package fragment

import (
	"context"
	"fmt"
	"sync"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/schema"
)

// batchBytes is how many unfiltered bytes a task should have at least, so that small tiles do not cost a task each.
const batchBytes = 128 << 10

// fieldWriter writes the up to three data files of one field and gathers its metadata.
type fieldWriter struct {
	w     *Writer
	field schema.Field
	slot  int
	// fullCells is the number of cells of every tile but a sparse fragment's last.
	fullCells  uint64
	batchTiles int

	fixed, vars, validity dataFile
	// handedOut counts the batches given to tasks; only the Writer's own goroutine uses it.
	handedOut int

	mu      sync.Mutex
	pending map[int]*batch
	// written counts the batches appended to the files; one task at a time, the one that set writing, does that. The
	// fields below are that task's.
	written   int
	writing   bool
	tiles     int
	lastCells uint64
	meta      format.FieldMetadata
	boxes     format.RangeColumn
	domain    schema.Range
}

// batch is a number of consecutive tiles of one field and their filtered form, with the memory for both. Batches are
// used again and again, their buffers grow to the size that tiles have.
type batch struct {
	first, n int
	// pieces is how many goroutines may work on one tile.
	pieces int
	cells  Cells
	tally  tally
	// fixed, vars and validity are filtered tiles back to back.
	fixed, vars, validity []byte
	tileCells             []uint64
	// meta has places relative to the batch.
	meta   format.FieldMetadata
	boxes  []schema.Range
	domain schema.Range
}

func newFieldWriter(w *Writer, f schema.Field, filters filter.Pipeline, file string) (*fieldWriter, error) {
	fw := &fieldWriter{w: w, field: f, fullCells: w.schema.Capacity, pending: map[int]*batch{}}
	if w.schema.Type == schema.Dense {
		grid, err := schema.NewGrid(w.schema)
		if err != nil {
			return nil, err
		}
		n, ok := grid.CellsPerTile()
		if !ok {
			return nil, fmt.Errorf("the cells of a tile cannot be counted")
		}
		fw.fullCells = n
	}
	cellBytes := uint64(f.CellSize())
	if f.Var() {
		cellBytes *= 2
	}
	fw.batchTiles = int(min(1024, 1+batchBytes/max(1, min(batchBytes, fw.fullCells*cellBytes))))
	if fw.fullCells > batchBytes {
		fw.batchTiles = 1
	}
	return fw, fw.open(file, filters)
}

// open names the field's files and makes their codecs.
func (f *fieldWriter) open(file string, filters filter.Pipeline) (err error) {
	s := f.w.schema
	values, valueFile := &f.fixed, file+".tdb"
	cellSize := f.field.CellSize()
	if f.field.Var() {
		f.fixed.name = valueFile
		if err = f.fixed.filterBy(s.OffsetsFilters, datatype.Uint64, 8); err != nil {
			return fmt.Errorf("offsets of field %q: %w", f.field.Name, err)
		}
		values, valueFile, cellSize = &f.vars, file+"_var.tdb", f.field.Type.Size()
	}
	values.name = valueFile
	if err = values.filterBy(filters, f.field.Type, cellSize); err != nil {
		return fmt.Errorf("field %q: %w", f.field.Name, err)
	}
	if f.field.Nullable {
		f.validity.name = file + "_validity.tdb"
		if err = f.validity.filterBy(s.ValidityFilters, datatype.Uint8, 1); err != nil {
			return fmt.Errorf("validity of field %q: %w", f.field.Name, err)
		}
	}
	for _, d := range []*dataFile{&f.fixed, &f.vars, &f.validity} {
		d.encryptBy(f.w.opts.Key)
	}
	return nil
}

// encode fills, measures and filters the tiles of a batch.
func (f *fieldWriter) encode(ctx context.Context, b *batch, index int, fill Fill) error {
	b.reset()
	for t := b.first; t < b.first+b.n; t++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := &b.cells
		c.reset()
		if err := fill(t, index, c); err != nil {
			return err
		}
		cells, err := c.count(&f.field)
		if err != nil {
			return err
		}
		if n := uint64(cells); n == 0 || n > f.fullCells || n < f.fullCells && f.w.schema.Type == schema.Dense {
			return fmt.Errorf("a tile of %d cells, where %d belong", n, f.fullCells)
		}
		if c.Runs == nil {
			c.AddRun(0, cells)
		}
		b.tileCells = append(b.tileCells, uint64(cells))
		tallyInto(&f.field, &b.meta, c, cells, &b.tally)
		f.bound(b, c, cells)
		if err := f.filter(b, c); err != nil {
			return err
		}
	}
	return nil
}

// bound takes the bounding range of a dimension's tile.
func (f *fieldWriter) bound(b *batch, c *Cells, cells int) {
	if !f.field.Dimension {
		return
	}
	d := &f.w.schema.Domain.Dimensions[f.field.Index]
	r := d.Bounds(cells, schema.Coords{Data: c.Data, Offsets: c.Offsets})
	if len(b.boxes) == 0 {
		b.domain = r
	} else {
		b.domain = d.Union(b.domain, r)
	}
	b.boxes = append(b.boxes, r)
}

// deliver appends a batch to the files as soon as all before it are there: the task that finds the next batch missing
// leaves, the one that brings it goes on.
func (f *fieldWriter) deliver(ctx context.Context, b *batch, seq int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending[seq] = b
	if f.writing {
		return nil
	}
	f.writing = true
	defer func() { f.writing = false }()
	for {
		next, ok := f.pending[f.written]
		if !ok {
			return nil
		}
		delete(f.pending, f.written)
		f.mu.Unlock()
		err := f.write(ctx, next)
		f.w.idle <- next
		f.mu.Lock()
		if err != nil {
			return err
		}
		f.written++
	}
}

// write appends a batch to the files and its metadata to the field's.
func (f *fieldWriter) write(ctx context.Context, b *batch) error {
	for _, n := range b.tileCells {
		if f.tiles > 0 && f.lastCells != f.fullCells {
			return fmt.Errorf("field %q: a tile of %d cells was followed by another", f.field.Name, f.lastCells)
		}
		f.tiles, f.lastCells = f.tiles+1, n
	}
	f.merge(b)
	for _, part := range [...]struct {
		to   *dataFile
		data []byte
	}{{&f.fixed, b.fixed}, {&f.vars, b.vars}, {&f.validity, b.validity}} {
		if err := part.to.write(ctx, f.w, part.data); err != nil {
			return err
		}
	}
	return nil
}

// merge appends the metadata of a batch that is about to be written.
func (f *fieldWriter) merge(b *batch) {
	m := &f.meta
	m.TileOffsets = appendMoved(m.TileOffsets, b.meta.TileOffsets, f.fixed.nBytes)
	m.VarOffsets = appendMoved(m.VarOffsets, b.meta.VarOffsets, f.vars.nBytes)
	m.ValidityOffsets = appendMoved(m.ValidityOffsets, b.meta.ValidityOffsets, f.validity.nBytes)
	m.VarSizes = append(m.VarSizes, b.meta.VarSizes...)
	m.Sums = append(m.Sums, b.meta.Sums...)
	m.NullCounts = append(m.NullCounts, b.meta.NullCounts...)
	f.mergeValues(&m.Mins, b.meta.Mins)
	f.mergeValues(&m.Maxes, b.meta.Maxes)
	if f.field.Dimension {
		d := &f.w.schema.Domain.Dimensions[f.field.Index]
		for _, r := range b.boxes {
			f.boxes.Append(d, r)
		}
		if f.domain.Lo == nil {
			f.domain = b.domain
		} else {
			f.domain = d.Union(f.domain, b.domain)
		}
	}
}

func (f *fieldWriter) mergeValues(to *format.TileValues, from format.TileValues) {
	if f.field.Var() {
		moved := appendMoved(nil, datatype.View[uint64](from.Fixed), uint64(len(to.Var)))
		from.Fixed = datatype.Bytes(moved)
	}
	to.Fixed = append(to.Fixed, from.Fixed...)
	to.Var = append(to.Var, from.Var...)
}

func appendMoved(to, places []uint64, by uint64) []uint64 {
	for _, p := range places {
		to = append(to, p+by)
	}
	return to
}

// pad gives the lists that the field does not need their zero per tile.
func (f *fieldWriter) pad(tiles int) {
	blank := blankField(tiles)
	if !f.field.Var() {
		f.meta.VarOffsets, f.meta.VarSizes = blank.VarOffsets, blank.VarSizes
	}
	if !f.field.Nullable {
		f.meta.ValidityOffsets = blank.ValidityOffsets
	}
}

func (b *batch) reset() {
	b.fixed, b.vars, b.validity = b.fixed[:0], b.vars[:0], b.validity[:0]
	b.tileCells, b.boxes, b.domain = b.tileCells[:0], b.boxes[:0], schema.Range{}
	m := &b.meta
	for _, l := range []*[]uint64{&m.TileOffsets, &m.VarOffsets, &m.VarSizes, &m.ValidityOffsets, &m.Sums, &m.NullCounts} {
		*l = (*l)[:0]
	}
	for _, v := range []*format.TileValues{&m.Mins, &m.Maxes} {
		v.Fixed, v.Var = v.Fixed[:0], v.Var[:0]
	}
}
