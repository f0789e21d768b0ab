package query

import (
	"context"
	"fmt"
	"math/bits"

	"azulejo/condition"
	"azulejo/fragment"
)

// aggregateDense computes aggregates over a dense selection. As in libtiledb the count is that of all selected cells,
// written or not and whatever the condition says; the other aggregates take the cells that were written and satisfy it.
func (r *reading) aggregateDense(ctx context.Context, sums []tally) error {
	p, err := r.planDense()
	if err != nil {
		return err
	}
	if err := r.loadDense(ctx, p); err != nil {
		return err
	}
	counting := true
	for i := range sums {
		if sums[i].Op == Count {
			sums[i].count = p.total
		} else {
			counting = false
		}
	}
	if counting {
		return nil
	}
	for _, f := range p.frags {
		if err := r.aggregateFragment(ctx, p, f, sums); err != nil {
			return err
		}
	}
	return nil
}

// aggregateFragment adds the cells that one fragment shows.
func (r *reading) aggregateFragment(ctx context.Context, p *densePlan, f *denseFragment, sums []tally) error {
	axes := make([][]uint64, len(p.axes))
	sizes := make([]int, len(p.axes))
	total := uint64(1)
	for d := range p.axes {
		axes[d] = p.tilesAlong(d, f)
		sizes[d] = len(axes[d])
		hi, lo := bits.Mul64(total, uint64(sizes[d]))
		if hi != 0 || lo > 1<<40 {
			return fmt.Errorf("%w: too many tiles are selected", ErrInvalid)
		}
		total = lo
	}
	if total == 0 {
		return nil
	}
	const wave = 4096
	at := make([]int, len(sizes))
	for at != nil {
		var units []denseUnit
		for ; at != nil && len(units) < wave; at = step(at, sizes, p.cellOrder) {
			tile := make([]uint64, len(at))
			for d := range at {
				tile[d] = axes[d][at[d]]
			}
			units = append(units, p.unitOf(tile))
		}
		parts := make([][]tally, len(units))
		err := parallel(ctx, r.threads, len(units), func(ctx context.Context, i int) (err error) {
			parts[i], err = r.aggregateUnit(ctx, p, f, &units[i])
			return err
		})
		if err != nil {
			return err
		}
		for _, part := range parts {
			for i := range part {
				sums[i].merge(&part[i])
			}
		}
	}
	return nil
}

// tilesAlong returns the numbers of the fragment's tiles along one dimension that hold selected cells, ascending.
func (p *densePlan) tilesAlong(d int, f *denseFragment) []uint64 {
	var out []uint64
	for t := f.tiles.Lo[d]; t <= f.tiles.Hi[d]; t++ {
		first := t * p.grid.Extent[d]
		for _, s := range p.axes[d].ranges {
			if s.lo <= first+p.grid.Extent[d]-1 && first <= s.hi {
				out = append(out, t)
				break
			}
		}
	}
	return out
}

// unitOf returns the selected cells of a tile; their places in a result are of no meaning.
func (p *densePlan) unitOf(tile []uint64) denseUnit {
	n := len(tile)
	u := denseUnit{tile: tile}
	parts, sizes := make([][]span, n), make([]int, n)
	for d, t := range tile {
		first := t * p.grid.Extent[d]
		last := first + p.grid.Extent[d] - 1
		for _, s := range p.axes[d].ranges {
			if s.lo <= last && first <= s.hi {
				parts[d] = append(parts[d], span{max(s.lo, first), min(s.hi, last)})
			}
		}
		sizes[d] = len(parts[d])
	}
	strides := make([]uint64, n)
	for at := make([]int, n); at != nil; at = step(at, sizes, p.cellOrder) {
		box := denseBox{lo: make([]uint64, n), hi: make([]uint64, n), strides: strides}
		for d := range at {
			box.lo[d], box.hi[d] = parts[d][at[d]].lo, parts[d][at[d]].hi
		}
		u.boxes = append(u.boxes, box)
	}
	return u
}

// aggregateUnit computes the aggregates of the cells that fragment f shows of a tile, those of one field together.
func (r *reading) aggregateUnit(ctx context.Context, p *densePlan, f *denseFragment, u *denseUnit) ([]tally, error) {
	sums := r.newTallies()
	done := map[string]bool{}
	for i := range sums {
		field := &sums[i].field
		if sums[i].Op == Count || done[field.Name] {
			continue
		}
		done[field.Name] = true
		var same []*tally
		for k := i; k < len(sums); k++ {
			if sums[k].Op != Count && sums[k].field.Name == field.Name {
				same = append(same, &sums[k])
			}
		}
		usable := has(field)
		if field.Dimension {
			usable = func(*denseFragment) bool { return true }
		}
		for _, piece := range p.visible(u, usable) {
			if piece.frag != f {
				continue
			}
			if err := r.aggregatePiece(ctx, p, u, &piece, same); err != nil {
				return nil, err
			}
		}
	}
	return sums, nil
}

// aggregatePiece adds the cells of a piece to the tallies of one field.
func (r *reading) aggregatePiece(ctx context.Context, p *densePlan, u *denseUnit, piece *pieces, sums []*tally) error {
	verdict := condition.All
	if r.cond != nil {
		var err error
		if verdict, err = r.judgeDense(ctx, p, u, piece); err != nil || verdict == condition.None {
			return err
		}
	}
	field := &sums[0].field
	source, err := fieldIn(piece.frag.Reader, field)
	if err != nil {
		return err
	}
	if source != nil && verdict == condition.All && p.wholeTile(u, piece) {
		left := sums[:0:0]
		for _, t := range sums {
			ok, err := t.addStatistics(ctx, source, piece.tile, piece.frag.TileCells(piece.tile))
			if err != nil {
				return err
			}
			if !ok {
				left = append(left, t)
			}
		}
		if sums = left; len(sums) == 0 {
			return nil
		}
	}
	var tile *fragment.Tile
	if source != nil {
		if tile, err = source.ReadTile(ctx, &r.files, piece.tile, fragment.Everything); err != nil {
			return err
		}
		defer tile.Release()
	}
	for i := range piece.boxes {
		one := pieces{frag: piece.frag, tile: piece.tile, boxes: piece.boxes[i : i+1]}
		if err := r.aggregateBox(ctx, p, u, &one, sums, tile, verdict); err != nil {
			return err
		}
	}
	return nil
}

// wholeTile reports whether a piece is a whole tile of which every cell was written.
func (p *densePlan) wholeTile(u *denseUnit, piece *pieces) bool {
	if len(piece.boxes) != 1 {
		return false
	}
	b := &piece.boxes[0]
	for d, t := range u.tile {
		if b.lo[d] != t*p.grid.Extent[d] || b.hi[d]-b.lo[d]+1 != p.grid.Extent[d] {
			return false
		}
	}
	return true
}

// aggregateBox adds the cells of one box of a tile to the tallies of one field.
func (r *reading) aggregateBox(ctx context.Context, p *densePlan, u *denseUnit, piece *pieces, sums []*tally, tile *fragment.Tile, verdict condition.Verdict) error {
	sink := &boxSink{}
	from, to := p.hull(u, piece, sink)
	lent, err := r.lend(to - from)
	if err != nil {
		return err
	}
	defer r.giveBack(&lent)
	mask := lent.b.B
	clear(mask)
	for c := sink.copies[0]; !c.done; c.advance() {
		fillCells(mask[c.srcAt-from:c.srcAt-from+c.run], []byte{1})
	}
	if verdict != condition.All {
		if err := r.conditionOn(ctx, p, u, piece, from, to, mask); err != nil {
			return err
		}
	}
	field := &sums[0].field
	in := cells{n: to - from, width: field.CellSize(), mask: mask}
	var validity []byte
	if tile == nil {
		in.data = p.tileCoords(u.tile, field, from, to)
	} else {
		c := tileColumn(tile, field, from, to)
		in.data, in.offsets, in.end, validity = c.Data, c.Offsets, uint64(len(c.Data)), c.Validity
	}
	for _, t := range sums {
		in.mask = nullableMask(t, field, mask, validity)
		t.add(&in)
	}
	return nil
}
