package query

import (
	"context"
	"math"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/fragment"
	"azulejo/schema"
)

// aggregateSparse computes aggregates over a sparse selection, in which every cell counts once.
func (r *reading) aggregateSparse(ctx context.Context, sums []tally) error {
	plan, err := r.planSparse(ctx, true)
	if err != nil {
		return err
	}
	defer plan.close()
	if err := r.loadSources(ctx, plan); err != nil {
		return err
	}
	parts := make([][]tally, len(plan.slabs))
	err = parallel(ctx, r.threads, len(plan.slabs), func(ctx context.Context, i int) (err error) {
		parts[i], err = r.aggregateSlab(ctx, plan.slabs[i], &plan.order)
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
	return nil
}

// aggregateSlab computes the aggregates of one slab.
func (r *reading) aggregateSlab(ctx context.Context, s *slab, order *sortOrder) ([]tally, error) {
	run, err := r.newSlabRun(s, order)
	if err != nil {
		return nil, err
	}
	defer run.close()
	if err := run.choose(ctx); err != nil {
		return nil, err
	}
	if s.sort {
		if err := run.maskNewest(ctx); err != nil {
			return nil, err
		}
	}
	sums := r.newTallies()
	for i := range sums {
		if err := run.aggregate(ctx, &sums[i]); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// maskNewest leaves the newest version of every cell in mask.
func (run *slabRun) maskNewest(ctx context.Context) error {
	pick, err := run.pick(ctx)
	if err != nil || pick == nil {
		return err
	}
	if run.mask == nil {
		if run.mask, err = run.ones(); err != nil {
			return err
		}
	}
	clear(run.mask)
	for _, k := range pick {
		run.mask[k] = 1
	}
	return nil
}

// aggregate adds the selected cells of the slab to one tally, from the statistics of whole tiles where these are exact.
func (run *slabRun) aggregate(ctx context.Context, t *tally) error {
	if t.Op == Count {
		t.add(&cells{n: run.cells(), mask: run.mask})
		return nil
	}
	known := make([]bool, len(run.slab.tiles))
	for i, tile := range run.slab.tiles {
		if !run.whole(i) {
			continue
		}
		source, err := fieldIn(run.fragments[tile.frag], &t.field)
		if err == nil && source != nil {
			known[i], err = t.addStatistics(ctx, source, tile.tile, uint64(tile.cells))
		}
		if err != nil {
			return err
		}
	}
	c, err := run.column(ctx, &t.field, func(i int) bool { return !known[i] && run.hits(i) })
	if err != nil {
		return err
	}
	for i := range run.slab.tiles {
		if known[i] || !run.hits(i) {
			continue
		}
		if err := run.aggregateTile(t, c, i); err != nil {
			return err
		}
	}
	return nil
}

// whole reports whether every cell of a tile counts.
func (run *slabRun) whole(i int) bool {
	t := run.slab.tiles[i]
	return t.full && t.timely && !t.touched() && t.shared == nil && !run.slab.sort && (run.cond == nil || t.verdict == condition.All)
}

// aggregateTile adds the selected cells of one tile.
func (run *slabRun) aggregateTile(t *tally, c *slabColumn, i int) error {
	lo, hi := run.base[i], run.base[i+1]
	in := cells{n: hi - lo, width: c.field.CellSize()}
	if c.field.Var() {
		in.data, in.offsets, in.end = c.data, c.offsets[lo:hi], c.offsets[hi]
	} else {
		in.data = c.data[lo*in.width : hi*in.width]
	}
	if run.mask != nil {
		in.mask = run.mask[lo:hi]
	}
	if c.validity != nil {
		scratch, err := run.lend(hi - lo)
		if err != nil {
			return err
		}
		defer run.giveBack(&scratch)
		combine(scratch.b.B, in.mask, c.validity[lo:hi], t.Op == NullCount)
		in.mask = scratch.b.B
	}
	t.add(&in)
	return nil
}

// combine sets dst to 1 where mask is set, nil meaning everywhere, and the cell is valid, or null when nulls is set.
func combine(dst, mask, validity []byte, nulls bool) {
	for i, v := range validity[:len(dst)] {
		dst[i] = flag((v == 0) == nulls)
	}
	if mask != nil {
		for i, m := range mask[:len(dst)] {
			dst[i] &= m
		}
	}
}

// addStatistics adds a whole tile of n cells by its statistics; false when those are missing or not exact: bounds of
// floats and texts, and sums at their limit.
func (t *tally) addStatistics(ctx context.Context, f *fragment.Field, tile, n uint64) (bool, error) {
	if f.Field.Dimension {
		return false, nil
	}
	nulls := uint64(0)
	if f.Nullable {
		var ok bool
		var err error
		if nulls, ok, err = f.Nulls(ctx, tile); err != nil || !ok || nulls > n {
			return false, err
		}
	}
	switch t.Op {
	case NullCount:
		t.count += nulls
		return true, nil
	case Min, Max:
		return t.addBounds(ctx, f, tile, n-nulls)
	}
	sum, ok, err := f.Sum(ctx, tile)
	if err != nil || !ok {
		return false, err
	}
	switch {
	case t.kind.Float():
		v := math.Float64frombits(sum)
		if math.IsNaN(v) || math.Abs(v) >= math.MaxFloat64 {
			return false, nil
		}
		t.addSum(0, 0, v, false)
	case t.kind.Signed():
		if sum == math.MaxInt64 || sum == 1<<63 {
			return false, nil
		}
		t.addSigned(int64(sum))
	default:
		if sum == math.MaxUint64 {
			return false, nil
		}
		t.addSum(0, sum, 0, false)
	}
	t.count += n - nulls
	return true, nil
}

// addBounds offers the smallest or largest of the valid values of a tile.
func (t *tally) addBounds(ctx context.Context, f *fragment.Field, tile, valid uint64) (bool, error) {
	if t.text || t.kind.Float() || f.CellValNum != 1 {
		return false, nil
	}
	if valid == 0 {
		return true, nil
	}
	lo, hi, err := f.MinMax(ctx, tile)
	if err != nil || len(lo) != t.field.CellSize() || len(hi) != t.field.CellSize() {
		return false, err
	}
	if t.Op == Max {
		lo = hi
	}
	t.offer(lo)
	t.count += valid
	return true, nil
}

// nullableMask returns the mask of the cells of a dense tile that count: those of mask that are valid, or null for
// NullCount.
func nullableMask(t *tally, f *schema.Field, mask, validity []byte) []byte {
	if !f.Nullable {
		return mask
	}
	out := datatype.AlignedBytes(len(mask))
	if validity == nil {
		validity = make([]byte, len(mask))
		fillCells(validity, []byte{1})
	}
	combine(out, mask, validity, t.Op == NullCount)
	return out
}
