package query

import (
	"bytes"
	"context"
	"math"
	"math/bits"

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
		need := func(i int) bool {
			t := run.slab.tiles[i]
			return !t.full && a.restricted() && overlap(run.judgeBox(a, t, d)) == partly
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
		}
	}
	if run.order.curve != nil {
		return run.keepPlaces(ctx)
	}
	return run.keepCuts(ctx)
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

// keepSpans clears mask where the key lies in none of several spans. Neighbours often lie in the same span, or between the
// same two, so the last answer is tried first.
func keepSpans(kind datatype.Kind, mask, data []byte, spans []span) {
	const block = 512
	var keys [block]uint64
	width := kind.Size()
	var same span
	var in byte
	place := 0
	for at := 0; at < len(mask); at += block {
		n := min(block, len(mask)-at)
		fillKeys(kind, keys[:n], data[at*width:(at+n)*width])
		part := mask[at : at+n]
		if at == 0 {
			same, in, place = aroundKey(spans, keys[0], 0)
		}
		for k, key := range keys[:n] {
			if key-same.lo > same.hi-same.lo {
				same, in, place = aroundKey(spans, key, place)
			}
			part[k] &= in
		}
	}
}

// aroundKey returns the one of sorted spans that a key lies in and 1, or the gap around it and 0, and the place of the first
// span that does not end before it. That is near the place given, or is searched.
func aroundKey(spans []span, key uint64, near int) (span, byte, int) {
	i, end := 0, len(spans)
	if near < end && (near == 0 || spans[near-1].hi < key) {
		// Keys often rise from one cell to the next.
		i = near
		if near+1 < end && spans[near+1].hi >= key {
			end = near + 1
		}
	}
	for i < end {
		if mid := int(uint(i+end) >> 1); spans[mid].hi < key {
			i = mid + 1
		} else {
			end = mid
		}
	}
	if i < len(spans) && spans[i].lo <= key {
		return spans[i], 1, i
	}
	gap := span{0, math.MaxUint64}
	if i > 0 {
		gap.lo = spans[i-1].hi + 1
	}
	if i < len(spans) {
		gap.hi = spans[i].lo - 1
	}
	return gap, 0, i
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

// cutPart is a part of the number that a sparse result in an order is cut by: a leading number of the order, less its least
// value and shifted down by down bits, stands at bit up.
type cutPart struct {
	orderPart
	base, most uint64
	down, up   int
}

// joinParts joins the leading parts of an order into one number of 64 bits as far as they fit; of the last one the high
// bits. So cells with a lower number come before those with a higher one, and wherever cells are cut, few parts suffice to
// cut them finely: a result whose cells lie in one tile along the first dimension is cut by the next number. Only the
// numbers that cells in occupied can have need room.
func joinParts(dims []schema.Dimension, parts []orderPart, occupied []schema.Range) []cutPart {
	var cut []cutPart
	room := 64
	for _, p := range parts {
		c := cutPart{orderPart: p, most: ^uint64(0)}
		if !p.text {
			within := dims[p.dim].DomainRange()
			if len(occupied) == len(dims) {
				within = occupied[p.dim]
			}
			lo, hi := keyOf(p.kind, within.Lo), keyOf(p.kind, within.Hi)
			if p.tile {
				lo, hi = p.tileOf(lo), p.tileOf(hi)
			}
			c.base, c.most = lo, hi-lo
		}
		n := bits.Len64(c.most)
		if n == 0 {
			continue
		}
		c.down = max(0, n-room)
		room -= n - c.down
		c.up = room
		if cut = append(cut, c); room == 0 {
			break
		}
	}
	return cut
}

// place returns what a number of the order adds to the number that is cut by. Numbers that none should have count as the
// nearest ones.
func (c *cutPart) place(v uint64) uint64 {
	if v < c.base {
		return 0
	}
	return min(v-c.base, c.most) >> c.down << c.up
}

// first returns the numbers that the cells of a bounding box, given by dimension, can have.
func (o *sortOrder) first(boxOf func(dim int) schema.Range) span {
	if o.curve != nil {
		boxes := make([]schema.Range, len(o.parts))
		for d := range boxes {
			boxes[d] = boxOf(d)
		}
		lo, hi := o.curve.Bounds(boxes)
		return span{lo, hi}
	}
	var s span
	for i := range o.cut {
		c := &o.cut[i]
		box := boxOf(c.dim)
		var lo, hi uint64
		if c.text {
			lo, hi = textKey(box.Lo), textKey(box.Hi)
		} else {
			lo, hi = keyOf(c.kind, box.Lo), keyOf(c.kind, box.Hi)
		}
		if c.tile {
			lo, hi = c.tileOf(lo), c.tileOf(hi)
		}
		s.lo, s.hi = s.lo+c.place(lo), s.hi+c.place(hi)
	}
	return s
}

// keepCuts clears the cells of shared tiles that belong to other slabs.
func (run *slabRun) keepCuts(ctx context.Context) error {
	shared := func(i int) bool { return run.slab.tiles[i].shared != nil && run.hits(i) }
	for i := range run.slab.tiles {
		if !shared(i) {
			continue
		}
		columns := make([]*slabColumn, len(run.order.cut))
		for k := range columns {
			field := run.schema.DimensionField(run.order.cut[k].dim)
			var err error
			if columns[k], err = run.column(ctx, &field, shared); err != nil {
				return err
			}
		}
		if run.mask == nil {
			var err error
			if run.mask, err = run.ones(); err != nil {
				return err
			}
		}
		run.keepCut(columns, i)
	}
	return nil
}

// keepCut clears the cells of tile i that lie outside of the slab's cut; columns are those of the parts.
func (run *slabRun) keepCut(columns []*slabColumn, i int) {
	// Of a block with few cells left only these are looked at.
	const block, few = 512, 16
	var keys, numbers [block]uint64
	cut, end := run.slab.cut, run.base[i+1]
	for at := nextSet(run.mask[:end], run.base[i]); at < end; at = nextSet(run.mask[:end], at) {
		n := min(block, end-at)
		if bytes.Count(run.mask[at:at+n], []byte{1}) <= few {
			n = 1
		}
		clear(numbers[:n])
		for k, c := range columns {
			run.order.cut[k].add(numbers[:n], keys[:n], c, at)
		}
		mask := run.mask[at : at+n]
		for k, v := range numbers[:n] {
			mask[k] &= flag(cut.lo <= v && v <= cut.hi)
		}
		at += n
	}
}

// nextSet returns the place of the first 1 of mask from a place on, or its length.
func nextSet(mask []byte, from int) int {
	if k := bytes.IndexByte(mask[from:], 1); k >= 0 {
		return from + k
	}
	return len(mask)
}

// add adds to the numbers of cells, from cell at on, what the part says of them; keys is memory for as many.
func (c *cutPart) add(numbers, keys []uint64, col *slabColumn, at int) {
	if c.text {
		for k := range keys {
			keys[k] = textKey(col.cell(at + k))
		}
	} else {
		width := col.field.CellSize()
		fillKeys(c.kind, keys, col.data[at*width:(at+len(keys))*width])
	}
	if c.tile {
		for k, key := range keys {
			keys[k] = c.tileOf(key)
		}
	}
	for k, key := range keys {
		numbers[k] += c.place(key)
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
