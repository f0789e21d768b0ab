package query

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/internal/pool"
	"azulejo/schema"
)

// sharedTile keeps the unfiltered fields of a tile whose cells belong to several slabs until all of them are done.
type sharedTile struct {
	mu sync.Mutex
	// users counts the slabs that are not done, fields has what was read; both are guarded by mu.
	users  int
	fields map[*fragment.Field]*sharedField
}

type sharedField struct {
	mu sync.Mutex
	// tile is guarded by mu.
	tile *fragment.Tile
}

func newSharedTile(users int) *sharedTile {
	return &sharedTile{users: users, fields: map[*fragment.Field]*sharedField{}}
}

// get returns a field of the tile, reading it at first use.
func (s *sharedTile) get(ctx context.Context, files *fragment.Files, f *fragment.Field, tile uint64) (*fragment.Tile, error) {
	s.mu.Lock()
	field := s.fields[f]
	if field == nil {
		field = &sharedField{}
		s.fields[f] = field
	}
	s.mu.Unlock()
	field.mu.Lock()
	defer field.mu.Unlock()
	if field.tile == nil {
		// A failure is not kept: the slabs of a wave that is called off for want of memory are tried again one by one.
		var err error
		if field.tile, err = f.ReadTile(ctx, files, tile, fragment.Everything); err != nil {
			return nil, err
		}
	}
	return field.tile, nil
}

// drop says that a slab is done with the tile; nil is nobody's.
func (s *sharedTile) drop() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users <= 0 {
		s.free()
	}
}

// free gives the memory back; the caller holds mu or is the only one left.
func (s *sharedTile) free() {
	for _, f := range s.fields {
		if f.tile != nil {
			f.tile.Release()
		}
	}
	clear(s.fields)
}

// close frees the tiles whose other slabs were left for later.
func (p *sparsePlan) close() {
	for _, s := range p.slabs {
		for _, t := range s.tiles {
			if t.shared != nil {
				t.shared.free()
			}
		}
	}
}

// lent is pooled memory that is booked in the query's budget.
type lent struct {
	b *pool.Buffer
	n int
}

// lend takes n bytes of arbitrary content.
func (r *reading) lend(n int) (lent, error) {
	if b := r.q.Budget; b != nil {
		if err := b.Take(int64(n)); err != nil {
			return lent{}, err
		}
	}
	return lent{pool.Get(n), n}, nil
}

func (r *reading) giveBack(l *lent) {
	if l.b == nil {
		return
	}
	if b := r.q.Budget; b != nil {
		b.Give(int64(l.n))
	}
	l.b.Release()
	*l = lent{}
}

// slabColumn is one field of all cells of a slab, tile after tile. Tiles that nobody needed are left with arbitrary
// contents.
type slabColumn struct {
	field *schema.Field
	// data has fixed cells, or the values of var cells, of which cell i is data[offsets[i]:offsets[i+1]].
	data     []byte
	offsets  []uint64
	validity []byte
	// regions says where the values of each tile's var cells begin in data.
	regions []uint64
	loaded  []bool
	sources []*fragment.Field
	lent    [3]lent
}

// maxColumnBytes is the size from which on a column of a slab is refused rather than tried.
const maxColumnBytes = 1 << 37

// slabRun is the work on one slab. One goroutine uses it.
type slabRun struct {
	*reading
	slab  *slab
	order *sortOrder
	// base has the number of the first cell of every tile in the slab, and the number of cells behind the last.
	base    []int
	columns map[string]*slabColumn
	// mask has a byte per cell, 1 for those in the selection that satisfy the condition; nil means all. Where cells may
	// be versions of each other satisfied has the condition apart, as it counts for the newest version only.
	mask, satisfied []byte
	lent            []lent
}

func (r *reading) newSlabRun(s *slab, order *sortOrder) (*slabRun, error) {
	run := &slabRun{reading: r, slab: s, order: order, base: make([]int, len(s.tiles)+1), columns: map[string]*slabColumn{}}
	n := 0
	for i, t := range s.tiles {
		run.base[i] = n
		n += t.cells
	}
	if n > math.MaxUint32 {
		return nil, fmt.Errorf("%w: %d cells would have to be sorted at once", pool.ErrBudget, n)
	}
	run.base[len(s.tiles)] = n
	return run, nil
}

func (run *slabRun) cells() int { return run.base[len(run.slab.tiles)] }

// close gives all memory back.
func (run *slabRun) close() {
	for _, c := range run.columns {
		for i := range c.lent {
			run.giveBack(&c.lent[i])
		}
	}
	for i := range run.lent {
		run.giveBack(&run.lent[i])
	}
	for _, t := range run.slab.tiles {
		t.shared.drop()
	}
}

// ones lends a byte per cell, all 1.
func (run *slabRun) ones() ([]byte, error) {
	l, err := run.lend(run.cells())
	if err != nil {
		return nil, err
	}
	run.lent = append(run.lent, l)
	fillCells(l.b.B, []byte{1})
	return l.b.B, nil
}

// column returns a field's column with at least the needed tiles loaded.
func (run *slabRun) column(ctx context.Context, f *schema.Field, need func(tile int) bool) (*slabColumn, error) {
	c := run.columns[f.Name]
	if c == nil {
		var err error
		if c, err = run.newColumnOf(f); err != nil {
			return nil, err
		}
	}
	var missing []int
	for i := range run.slab.tiles {
		if !c.loaded[i] && need(i) {
			missing = append(missing, i)
			c.loaded[i] = true
		}
	}
	return c, run.load(ctx, c, missing)
}

// newColumnOf lends memory for a column.
func (run *slabRun) newColumnOf(f *schema.Field) (*slabColumn, error) {
	tiles := run.slab.tiles
	c := &slabColumn{field: f, loaded: make([]bool, len(tiles)), sources: make([]*fragment.Field, len(tiles))}
	size := uint64(0)
	if f.Var() {
		c.regions = make([]uint64, len(tiles)+1)
	}
	for i, t := range tiles {
		if i > 0 && tiles[i-1].frag == t.frag {
			c.sources[i] = c.sources[i-1]
		} else {
			s, err := fieldIn(run.fragments[t.frag], f)
			if err != nil {
				return nil, err
			}
			c.sources[i] = s
		}
		if f.Var() {
			c.regions[i] = size
			size += run.varBytes(f, c.sources[i], t)
		}
		if size > maxColumnBytes {
			break
		}
	}
	if f.Var() {
		c.regions[len(tiles)] = size
	} else {
		size = uint64(run.cells()) * uint64(f.CellSize())
	}
	if size > maxColumnBytes {
		return nil, fmt.Errorf("%w: %d bytes of field %q at once", pool.ErrBudget, size, f.Name)
	}
	run.columns[f.Name] = c
	return c, run.lendColumn(c, int(size))
}

// varBytes returns the bytes of a tile's values, which are fill values where the fragment lacks the field.
func (run *slabRun) varBytes(f *schema.Field, source *fragment.Field, t *tileRef) uint64 {
	if source != nil {
		return source.VarBytes(t.tile)
	}
	return uint64(t.cells) * uint64(len(run.schema.Attributes[f.Index].Fill))
}

func (run *slabRun) lendColumn(c *slabColumn, size int) (err error) {
	if c.lent[0], err = run.lend(size); err != nil {
		return err
	}
	c.data = c.lent[0].b.B
	if c.field.Var() {
		if c.lent[1], err = run.lend(8 * (run.cells() + 1)); err != nil {
			return err
		}
		c.offsets, _ = datatype.Alias[uint64](c.lent[1].b.B)
		for i, at := range c.regions {
			c.offsets[run.base[i]] = at
		}
	}
	if c.field.Nullable {
		if c.lent[2], err = run.lend(run.cells()); err != nil {
			return err
		}
		c.validity = c.lent[2].b.B
	}
	return nil
}

// load reads the listed tiles into a column, the tiles of one fragment together.
func (run *slabRun) load(ctx context.Context, c *slabColumn, tiles []int) error {
	var together []int
	for k, i := range tiles {
		t := run.slab.tiles[i]
		switch {
		case c.sources[i] == nil:
			run.fillTile(c, i)
		case t.shared != nil:
			tile, err := t.shared.get(ctx, &run.files, c.sources[i], t.tile)
			if err != nil {
				return err
			}
			run.copyTile(c, i, tile)
		default:
			together = append(together, i)
		}
		if len(together) > 0 && (k+1 == len(tiles) || c.sources[tiles[k+1]] != c.sources[i]) {
			if err := run.readTiles(ctx, c, together); err != nil {
				return err
			}
			together = together[:0]
		}
	}
	if len(together) > 0 {
		return run.readTiles(ctx, c, together)
	}
	return nil
}

// readTiles reads tiles of one source.
func (run *slabRun) readTiles(ctx context.Context, c *slabColumn, tiles []int) error {
	source := c.sources[tiles[0]]
	numbers := make([]uint64, len(tiles))
	for k, i := range tiles {
		numbers[k] = run.slab.tiles[i].tile
	}
	if c.field.Var() {
		return source.Read(ctx, &run.files, numbers, fragment.Everything, func(k int, tile *fragment.Tile) (bool, error) {
			run.copyTile(c, tiles[k], tile)
			return false, nil
		})
	}
	width := c.field.CellSize()
	whole, left, err := run.readFew(ctx, c, tiles, numbers)
	if err == nil {
		err = source.ReadInto(ctx, &run.files, format.FixedFile, left, func(k int) []byte {
			return c.data[run.base[whole[k]]*width : run.base[whole[k]+1]*width]
		})
	}
	if err != nil || !c.field.Nullable {
		return err
	}
	if !source.Nullable {
		for _, i := range tiles {
			fillCells(c.validity[run.base[i]:run.base[i+1]], []byte{1})
		}
		return nil
	}
	return source.ReadInto(ctx, &run.files, format.ValidityFile, numbers, func(k int) []byte {
		return c.validity[run.base[tiles[k]]:run.base[tiles[k]+1]]
	})
}

// fewRuns is the number of stretches of selected cells up to which only the chunks of a tile that hold them are read.
const fewRuns = 16

// readFew reads, of the tiles with few selected cells, the chunks of a fixed field that hold them; the other cells are
// left with arbitrary contents. It returns the tiles that are left to be read whole, and their numbers in the fragment.
func (run *slabRun) readFew(ctx context.Context, c *slabColumn, tiles []int, numbers []uint64) ([]int, []uint64, error) {
	source, width := c.sources[tiles[0]], c.field.CellSize()
	if run.mask == nil || run.q.Versions != NewestVersions || source.Reader().Far() {
		return tiles, numbers, nil
	}
	var whole []int
	var wholeNumbers []uint64
	for k, i := range tiles {
		lo, hi := run.base[i], run.base[i+1]
		var wanted []fragment.Run
		if (hi-lo)*width > filter.DefaultMaxChunk {
			wanted = fewCells(run.mask[lo:hi], max(1, filter.DefaultMaxChunk/width/8))
		}
		if wanted == nil {
			whole, wholeNumbers = append(whole, i), append(wholeNumbers, numbers[k])
			continue
		}
		sink := tileSink{c.data[lo*width : hi*width], width}
		if err := source.Chunks(ctx, &run.files, numbers[k], format.FixedFile, wanted, sink); err != nil {
			return nil, nil, err
		}
	}
	return whole, wholeNumbers, nil
}

// fewCells returns the stretches of ones in mask, those less than gap apart joined; nil when they are many or none. Of many
// ones it looks at the first and the last only, as a slab's part of a shared tile often lies at an end of it.
func fewCells(mask []byte, gap int) []fragment.Run {
	if n := bytes.Count(mask, []byte{1}); n > len(mask)/32 {
		lo, hi := nextSet(mask, 0), bytes.LastIndexByte(mask, 1)+1
		if len(mask)-(hi-lo) < gap {
			return nil
		}
		return []fragment.Run{{Lo: lo, Hi: hi}}
	}
	var runs []fragment.Run
	for i := nextSet(mask, 0); i < len(mask); i = nextSet(mask, i+1) {
		if n := len(runs); n > 0 && i-runs[n-1].Hi < gap {
			runs[n-1].Hi = i + 1
			continue
		}
		if len(runs) == fewRuns {
			return nil
		}
		runs = append(runs, fragment.Run{Lo: i, Hi: i + 1})
	}
	return runs
}

// tileSink has room for all cells of a tile. It implements fragment.Sink.
type tileSink struct {
	dst   []byte
	width int
}

// Place implements fragment.Sink.
func (s tileSink) Place(lo, hi int) []byte { return s.dst[lo*s.width : hi*s.width] }

// Take implements fragment.Sink.
func (s tileSink) Take(lo, hi int, cells []byte) { copy(s.dst[lo*s.width:hi*s.width], cells) }

// copyTile puts the cells of a tile that was read into memory of its own into the column.
func (run *slabRun) copyTile(c *slabColumn, i int, tile *fragment.Tile) {
	lo, hi := run.base[i], run.base[i+1]
	if c.field.Var() {
		region := c.regions[i]
		copy(c.data[region:c.regions[i+1]], tile.Data)
		for k, o := range tile.Offsets {
			c.offsets[lo+k] = region + o
		}
	} else {
		width := c.field.CellSize()
		copy(c.data[lo*width:hi*width], tile.Data)
	}
	switch {
	case c.validity == nil:
	case tile.Validity != nil:
		copy(c.validity[lo:hi], tile.Validity)
	default:
		fillCells(c.validity[lo:hi], []byte{1})
	}
}

// fillTile puts fill values in the place of a tile whose fragment lacks the field. Cells without timestamps have their
// fragment's, those without times of deletion were not deleted.
func (run *slabRun) fillTile(c *slabColumn, i int) {
	lo, hi := run.base[i], run.base[i+1]
	if hiddenNames[c.field.Name] {
		value := never
		if c.field.Name == TimestampField {
			value = run.fragments[run.slab.tiles[i].frag].Name().Start
		}
		fillCells(c.data[8*lo:8*hi], binary.LittleEndian.AppendUint64(nil, value))
		return
	}
	a := &run.schema.Attributes[c.field.Index]
	if c.field.Var() {
		fillCells(c.data[c.regions[i]:c.regions[i+1]], a.Fill)
		for k := lo; k < hi; k++ {
			c.offsets[k] = c.regions[i] + uint64(k-lo)*uint64(len(a.Fill))
		}
	} else {
		width := c.field.CellSize()
		fillCells(c.data[lo*width:hi*width], a.Fill)
	}
	if c.validity != nil {
		fillCells(c.validity[lo:hi], []byte{flag(a.FillValid)})
	}
}

// cell returns the bytes of a var cell.
func (c *slabColumn) cell(i int) []byte { return c.data[c.offsets[i]:c.offsets[i+1]] }
