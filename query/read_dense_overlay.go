package query

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"azulejo/condition"
	"azulejo/fragment"
	"azulejo/schema"
)

// Releases up to 2.4 wrote single cells into dense arrays, as sparse fragments. A dense read first shows what the dense
// fragments have; then it lays the cells of sparse fragments over it, those that no newer fragment wrote again.

// sparseInDense is a sparse fragment of a dense array; newer are the cells of the dense fragments that are newer.
type sparseInDense struct {
	*fragment.Reader
	newer []schema.Box
}

// addSparse adds a sparse fragment that is older than all fragments of the plan.
func (p *densePlan) addSparse(f *fragment.Reader) {
	s := sparseInDense{Reader: f}
	for _, d := range p.frags {
		s.newer = append(s.newer, d.box)
	}
	p.sparse = append(p.sparse, s)
}

// overlay has the cells of sparse fragments that a part of a dense result shows.
type overlay struct {
	// taken has a byte for every cell of the part, 1 for those that come from a sparse fragment.
	taken  []byte
	groups []overlayTile
}

// overlayTile is what one tile of a sparse fragment shows: pairs of a cell of the tile and its place in the part.
type overlayTile struct {
	frag  *fragment.Reader
	tile  uint64
	pairs []uint64
}

// each calls do for every cell shown.
func (g *overlayTile) each(do func(cell, place int)) {
	for i := 0; i < len(g.pairs); i += 2 {
		do(int(g.pairs[i]), int(g.pairs[i+1]))
	}
}

// takes reports whether the cell at a place comes from a sparse fragment.
func (o *overlay) takes(place int) bool { return o != nil && o.taken[place] != 0 }

// layOver finds the cells of sparse fragments among those of the job; j.over stays nil when the array has none.
func (j *denseJob) layOver(ctx context.Context) error {
	if len(j.plan.sparse) == 0 || len(j.units) == 0 {
		return nil
	}
	taken, err := j.room(int(j.n))
	if err != nil {
		return err
	}
	clear(taken)
	j.over = &overlay{taken: taken}
	finder := newCellFinder(j.plan, j.units)
	for i := range j.plan.sparse {
		f := &j.plan.sparse[i]
		var tiles []uint64
		judge := func(dim int, box schema.Range) fragment.Overlap {
			if a := &j.axes[dim]; a.meet(box) == apart || !finder.meets(dim, keyOf(a.kind, box.Lo), keyOf(a.kind, box.Hi), a) {
				return fragment.Apart
			}
			return fragment.Partly
		}
		if err := f.Search(ctx, judge, func(tile uint64, _ bool) { tiles = append(tiles, tile) }); err != nil {
			return err
		}
		for _, tile := range tiles {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := j.layTile(ctx, finder, f, tile); err != nil {
				return err
			}
		}
	}
	return nil
}

// layTile adds the cells that one tile of a sparse fragment shows. Of cells at the same coordinates the first counts.
func (j *denseJob) layTile(ctx context.Context, finder *cellFinder, f *sparseInDense, tile uint64) error {
	n := len(j.axes)
	cells := int(f.TileCells(tile))
	if cells == 0 {
		return nil
	}
	lent, err := j.lend(8 * n * cells)
	if err != nil {
		return err
	}
	defer j.giveBack(&lent)
	numbers := alias64(lent.b.B)
	for d := range n {
		if err := j.cellNumbers(ctx, f.Reader, tile, d, numbers[d*cells:(d+1)*cells]); err != nil {
			return err
		}
	}
	var pairs []uint64
	at := make([]uint64, n)
	for cell := range cells {
		for d := range at {
			at[d] = numbers[d*cells+cell]
		}
		if slices.ContainsFunc(f.newer, func(b schema.Box) bool { return holds(b.Lo, b.Hi, at) }) {
			continue
		}
		finder.places(at, func(place uint64) {
			if j.over.taken[place] == 0 {
				j.over.taken[place] = 1
				pairs = append(pairs, uint64(cell), place)
			}
		})
	}
	if len(pairs) == 0 {
		return nil
	}
	room, err := j.room(8 * len(pairs))
	if err != nil {
		return err
	}
	g := overlayTile{f.Reader, tile, alias64(room)}
	copy(g.pairs, pairs)
	j.over.groups = append(j.over.groups, g)
	return nil
}

// cellNumbers writes the coordinates of a tile along one dimension to dst, counted from the start of the domain.
func (r *reading) cellNumbers(ctx context.Context, f *fragment.Reader, tile uint64, d int, dst []uint64) error {
	field := r.schema.DimensionField(d)
	t, _, err := readWhole(ctx, &r.files, f, tile, &field)
	if err != nil {
		return err
	}
	if t == nil {
		return fmt.Errorf("fragment %s: %w: no coordinates of dimension %q", f.URI(), fragment.ErrCorrupt, field.Name)
	}
	defer t.Release()
	a := &r.axes[d]
	fillKeys(a.kind, dst, t.Data)
	first := keyOf(a.kind, a.dim.Lo())
	for i := range dst {
		dst[i] -= first
	}
	return nil
}

// readWhole reads a field of a tile of a sparse fragment; nil when the fragment does not have the field.
func readWhole(ctx context.Context, files *fragment.Files, f *fragment.Reader, tile uint64, field *schema.Field) (*fragment.Tile, *fragment.Field, error) {
	source, err := fieldIn(f, field)
	if err != nil || source == nil {
		return nil, nil, err
	}
	if err := source.Load(ctx); err != nil {
		return nil, nil, err
	}
	t, err := source.ReadTile(ctx, files, tile, fragment.Everything)
	return t, source, err
}

func holds(lo, hi, at []uint64) bool {
	for d, c := range at {
		if c < lo[d] || c > hi[d] {
			return false
		}
	}
	return true
}

// cellFinder finds the places of cells in the result.
type cellFinder struct {
	extent []uint64
	boxes  map[string][]*denseBox
	// lo and hi are the ends of all boxes along each dimension.
	lo, hi []uint64
	key    []byte
}

func newCellFinder(p *densePlan, units []denseUnit) *cellFinder {
	f := &cellFinder{extent: p.grid.Extent, boxes: map[string][]*denseBox{}}
	for i := range units {
		u := &units[i]
		f.key = f.key[:0]
		for _, t := range u.tile {
			f.key = binary.LittleEndian.AppendUint64(f.key, t)
		}
		for k := range u.boxes {
			b := &u.boxes[k]
			f.boxes[string(f.key)] = append(f.boxes[string(f.key)], b)
			if f.lo == nil {
				f.lo, f.hi = slices.Clone(b.lo), slices.Clone(b.hi)
			}
			for d := range b.lo {
				f.lo[d], f.hi[d] = min(f.lo[d], b.lo[d]), max(f.hi[d], b.hi[d])
			}
		}
	}
	return f
}

// meets reports whether a range of keys may have cells of the result.
func (f *cellFinder) meets(d int, lo, hi uint64, a *axis) bool {
	first := keyOf(a.kind, a.dim.Lo())
	return hi >= first+f.lo[d] && lo <= first+f.hi[d]
}

// places calls use with every place of the cell in the result.
func (f *cellFinder) places(cell []uint64, use func(place uint64)) {
	f.key = f.key[:0]
	for d, c := range cell {
		f.key = binary.LittleEndian.AppendUint64(f.key, c/f.extent[d])
	}
	for _, b := range f.boxes[string(f.key)] {
		if !holds(b.lo, b.hi, cell) {
			continue
		}
		place := b.dst
		for d, c := range cell {
			place += (c - b.lo[d]) * b.strides[d]
		}
		use(place)
	}
}

// judgeOverlay puts into the mask whether the cells of sparse fragments satisfy the condition.
func (j *denseJob) judgeOverlay(ctx context.Context) error {
	if j.over == nil {
		return nil
	}
	return parallel(ctx, j.threads, len(j.over.groups), func(ctx context.Context, i int) error {
		g := &j.over.groups[i]
		fields := j.cond.Fields()
		cols := make([]condition.Column, len(fields))
		cells := int(g.frag.TileCells(g.tile))
		for k := range fields {
			t, _, err := readWhole(ctx, &j.files, g.frag, g.tile, &fields[k])
			if err != nil {
				return err
			}
			if t == nil {
				cols[k].Missing = true
				continue
			}
			defer t.Release()
			cols[k] = tileColumn(t, &fields[k], 0, cells)
		}
		mask, err := j.lend(cells)
		if err != nil {
			return err
		}
		defer j.giveBack(&mask)
		fillCells(mask.b.B, []byte{1})
		if err := j.cond.Evaluate(cols, mask.b.B); err != nil {
			return err
		}
		g.each(func(cell, place int) { j.mask[place] = mask.b.B[cell] })
		return nil
	})
}

// measureOverlay writes the sizes of the var cells of sparse fragments.
func (j *denseJob) measureOverlay(ctx context.Context, v *varField, o *outField) error {
	if j.over == nil {
		return nil
	}
	return parallel(ctx, j.threads, len(j.over.groups), func(ctx context.Context, i int) error {
		g := &j.over.groups[i]
		t, source, err := readWhole(ctx, &j.files, g.frag, g.tile, &o.Field)
		if err != nil {
			return err
		}
		if t == nil {
			g.each(func(_, place int) { v.starts[place] = uint64(len(o.fill)) })
			return nil
		}
		defer t.Release()
		total := source.VarBytes(g.tile)
		g.each(func(cell, place int) { v.starts[place] = t.CellBytes(cell, total) })
		return nil
	})
}

// fillOverlay puts the cells of sparse fragments over those of the dense ones.
func (j *denseJob) fillOverlay(ctx context.Context, vars []*varField) error {
	if j.over == nil {
		return nil
	}
	nOuts := len(j.outs)
	return parallel(ctx, j.threads, len(j.over.groups)*nOuts, func(ctx context.Context, task int) error {
		g, i := &j.over.groups[task/nOuts], task%nOuts
		o := j.outs[i]
		if o.Dimension {
			return nil
		}
		t, source, err := readWhole(ctx, &j.files, g.frag, g.tile, &o.Field)
		if err != nil {
			return err
		}
		if t != nil {
			defer t.Release()
		}
		switch c := &j.columns[i]; {
		case t == nil:
			j.fillMissing(g, o, c, vars[i])
		case o.Var():
			end := varPiece{tile: t, total: source.VarBytes(g.tile)}
			g.each(func(cell, place int) {
				value := o.fill
				if j.mask == nil || j.mask[place] != 0 {
					value = t.Data[t.Offsets[cell]:end.end(cell+1)]
				}
				copy(c.Data[vars[i].starts[place]:], value)
			})
		default:
			g.each(func(cell, place int) {
				copy(c.Data[place*o.width:(place+1)*o.width], t.Data[cell*o.width:])
			})
		}
		if t != nil && o.Nullable {
			g.each(func(cell, place int) {
				valid := byte(1)
				if t.Validity != nil {
					valid = t.Validity[cell]
				}
				j.columns[i].Validity[place] = valid
			})
		}
		return nil
	})
}

// fillMissing puts the fill value in the place of cells whose fragment does not have the field.
func (j *denseJob) fillMissing(g *overlayTile, o *outField, c *Column, v *varField) {
	g.each(func(_, place int) {
		if o.Var() {
			copy(c.Data[v.starts[place]:], o.fill)
		} else {
			copy(c.Data[place*o.width:(place+1)*o.width], o.fill)
		}
		if o.Nullable {
			c.Validity[place] = o.fillValid
		}
	})
}

// sparseShare returns how many bytes the values of a var-sized field have in the tiles of a sparse fragment that may hold
// selected cells.
func (r *reading) sparseShare(ctx context.Context, f *sparseInDense, name string) (total uint64, err error) {
	field, ok, err := f.Field(name)
	if err != nil || !ok {
		return 0, err
	}
	if err := field.Load(ctx); err != nil {
		return 0, err
	}
	judge := func(dim int, box schema.Range) fragment.Overlap { return fragment.Overlap(r.axes[dim].meet(box)) }
	err = f.Search(ctx, judge, func(tile uint64, _ bool) { total = saturatingAdd(total, field.VarBytes(tile)) })
	return total, err
}

// sparseAggregates refuses aggregates of dense arrays with sparse fragments, which libtiledb has no reader for.
func (r *reading) sparseAggregates() error {
	if r.schema.Type != schema.Dense || len(r.q.Aggregates) == 0 {
		return nil
	}
	for _, f := range r.fragments {
		if !f.Dense() && r.q.Within != nil {
			return fmt.Errorf("%w: no aggregates of this dense array, which has sparse fragments; its owner can consolidate them", ErrInvalid)
		}
		if !f.Dense() {
			return fmt.Errorf("%w: no aggregates of a dense array with sparse fragments, such as %s; consolidate its fragments first", ErrInvalid, f.URI())
		}
	}
	return nil
}
