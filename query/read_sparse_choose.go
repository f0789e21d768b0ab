package query

import (
	"bytes"
	"context"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/schema"
)

// choose makes mask and satisfied: which cells are selected.
func (run *slabRun) choose(ctx context.Context) error {
	if err := run.chooseRanges(ctx); err != nil {
		return err
	}
	if err := run.chooseTimes(ctx); err != nil {
		return err
	}
	if run.q.Versions != NewestVersions {
		return run.findDeleted(ctx)
	}
	if err := run.chooseCondition(ctx); err != nil {
		return err
	}
	return run.chooseKept(ctx)
}

// chooseTimes clears the cells whose own timestamps lie outside of the interval of time.
func (run *slabRun) chooseTimes(ctx context.Context) error {
	late := func(i int) bool { return !run.slab.tiles[i].timely }
	for i := range run.slab.tiles {
		if !late(i) {
			continue
		}
		c, err := run.column(ctx, &timesField, late)
		if err != nil {
			return err
		}
		if run.mask == nil {
			if run.mask, err = run.ones(); err != nil {
				return err
			}
		}
		lo, hi := run.base[i], run.base[i+1]
		keepKeys(datatype.KindUint64, run.mask[lo:hi], c.data[8*lo:8*hi], span{run.at.Start, run.at.End})
	}
	return nil
}

// chooseRanges applies the ranges to the tiles that are not wholly inside, and the slab's cut to shared ones.
func (run *slabRun) chooseRanges(ctx context.Context) error {
	for d := range run.slab.axes {
		a := &run.slab.axes[d]
		field := run.schema.DimensionField(d)
		isFirst := run.order.cutsBy(d)
		need := func(i int) bool {
			t := run.slab.tiles[i]
			return !t.full && a.restricted() && overlap(run.judgeBox(a, t, d)) == partly || isFirst && t.shared != nil
		}
		var c *slabColumn
		for i, t := range run.slab.tiles {
			if !need(i) {
				continue
			}
			if c == nil {
				var err error
				if c, err = run.column(ctx, &field, need); err != nil {
					return err
				}
				if run.mask == nil {
					if run.mask, err = run.ones(); err != nil {
						return err
					}
				}
			}
			box := run.fragments[t.frag].Box(t.tile, d)
			run.keepRanges(c, a, i, box)
			if isFirst && t.shared != nil {
				run.keepCut(c, i)
			}
		}
	}
	if run.order.curve != nil {
		return run.keepPlaces(ctx)
	}
	return nil
}

func (run *slabRun) judgeBox(a *axis, t *tileRef, d int) overlap {
	return a.meet(run.fragments[t.frag].Box(t.tile, d))
}

// keepRanges clears the cells of tile i that lie in none of the axis' ranges.
func (run *slabRun) keepRanges(c *slabColumn, a *axis, i int, box schema.Range) {
	lo, hi := run.base[i], run.base[i+1]
	mask := run.mask[lo:hi]
	if a.text {
		for k := range mask {
			if mask[k] != 0 && len(a.textMerged) > 0 {
				v := c.cell(lo + k)
				mask[k] = flag(a.meetText(schema.Range{Lo: v, Hi: v}) == inside)
			}
		}
		return
	}
	width := c.field.CellSize()
	data := c.data[lo*width : hi*width]
	spans := a.within(span{keyOf(a.kind, box.Lo), keyOf(a.kind, box.Hi)})
	switch len(spans) {
	case 0:
		clear(mask)
	case 1:
		keepKeys(a.kind, mask, data, spans[0])
	default:
		keepSpans(a.kind, mask, data, spans)
	}
}

// keepSpans clears mask where the key lies in none of several spans.
func keepSpans(kind datatype.Kind, mask, data []byte, spans []span) {
	const block = 512
	var keys [block]uint64
	width := kind.Size()
	for at := 0; at < len(mask); at += block {
		n := min(block, len(mask)-at)
		fillKeys(kind, keys[:n], data[at*width:(at+n)*width])
		for k, key := range keys[:n] {
			mask[at+k] &= flag(inSpans(spans, key))
		}
	}
}

// inSpans reports whether a key lies in one of sorted spans.
func inSpans(spans []span, key uint64) bool {
	lo, hi := 0, len(spans)
	for lo < hi {
		mid := (lo + hi) / 2
		if spans[mid].hi < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(spans) && spans[lo].lo <= key
}

// keepCut clears the cells of a shared tile that belong to other slabs.
func (run *slabRun) keepCut(c *slabColumn, i int) {
	lo, hi := run.base[i], run.base[i+1]
	mask, p, cut := run.mask[lo:hi], &run.order.parts[0], run.slab.cut
	switch {
	case p.text:
		for k := range mask {
			key := textKey(c.cell(lo + k))
			mask[k] &= flag(cut.lo <= key && key <= cut.hi)
		}
	case !p.tile:
		width := c.field.CellSize()
		keepKeys(p.kind, mask, c.data[lo*width:hi*width], cut)
	default:
		var keys [1]uint64
		width := c.field.CellSize()
		for k := range mask {
			at := (lo + k) * width
			fillKeys(p.kind, keys[:], c.data[at:at+width])
			tile := p.tileOf(keys[0])
			mask[k] &= flag(cut.lo <= tile && tile <= cut.hi)
		}
	}
}

// keepPlaces clears the cells of shared tiles whose places on the Hilbert curve belong to other slabs.
func (run *slabRun) keepPlaces(ctx context.Context) error {
	cut := run.slab.cut
	shared := func(i int) bool { return run.slab.tiles[i].shared != nil && run.hits(i) }
	for i := range run.slab.tiles {
		if !shared(i) {
			continue
		}
		cols, err := run.coords(ctx, shared)
		if err != nil {
			return err
		}
		if run.mask == nil {
			if run.mask, err = run.ones(); err != nil {
				return err
			}
		}
		mask := run.mask[run.base[i]:run.base[i+1]]
		cells := make([]uint32, len(mask))
		for k := range cells {
			cells[k] = uint32(run.base[i] + k)
		}
		places := make([]uint64, len(mask))
		run.order.curve.Values(places, cols, cells)
		for k, place := range places {
			mask[k] &= flag(cut.lo <= place && place <= cut.hi)
		}
	}
	return nil
}

// chooseCondition evaluates the condition where the tile's statistics did not decide it.
func (run *slabRun) chooseCondition(ctx context.Context) error {
	if run.cond == nil {
		return nil
	}
	undecided := func(i int) bool { return run.slab.tiles[i].verdict == condition.Some && run.hits(i) }
	work := false
	for i, t := range run.slab.tiles {
		work = work || undecided(i) || t.verdict == condition.None
	}
	if !work {
		return nil
	}
	dst, err := run.conditionMask()
	if err != nil {
		return err
	}
	fields := run.cond.Fields()
	columns := make([]*slabColumn, len(fields))
	for k := range fields {
		if columns[k], err = run.column(ctx, &fields[k], undecided); err != nil {
			return err
		}
	}
	cols := make([]condition.Column, len(fields))
	for i, t := range run.slab.tiles {
		lo, hi := run.base[i], run.base[i+1]
		if t.verdict == condition.None {
			clear(dst[lo:hi])
		}
		if !undecided(i) {
			continue
		}
		for k, c := range columns {
			cols[k] = c.part(i, lo, hi)
		}
		if err := run.cond.Evaluate(cols, dst[lo:hi]); err != nil {
			return err
		}
	}
	return nil
}

// conditionMask returns the mask that the condition clears.
func (run *slabRun) conditionMask() (dst []byte, err error) {
	if run.slab.dedup {
		if run.satisfied == nil {
			run.satisfied, err = run.ones()
		}
		return run.satisfied, err
	}
	if run.mask == nil {
		run.mask, err = run.ones()
	}
	return run.mask, err
}

// part returns a tile's cells for the condition.
func (c *slabColumn) part(i, lo, hi int) condition.Column {
	col := condition.Column{Missing: c.sources[i] == nil, Data: c.data}
	if c.field.Var() {
		col.Offsets = c.offsets[lo : hi+1]
	} else {
		width := c.field.CellSize()
		col.Data = c.data[lo*width : hi*width]
	}
	if c.validity != nil {
		col.Validity = c.validity[lo:hi]
	}
	return col
}

// hits reports whether tile i has selected cells left.
func (run *slabRun) hits(i int) bool {
	return run.mask == nil || bytes.IndexByte(run.mask[run.base[i]:run.base[i+1]], 1) >= 0
}
