package query

import (
	"fmt"
	"math/bits"
	"sort"

	"azulejo/fragment"
	"azulejo/schema"
)

// densePlan maps the cells of a dense result to cells of tiles. Coordinates are cell numbers, counted from the start of
// each dimension's domain; places in the result are numbers of cells.
type densePlan struct {
	grid *schema.Grid
	axes []denseAxis
	// slowFirst lists the dimensions from the slowest to the fastest in the order of the result, cellOrder those of a
	// tile's cells.
	slowFirst, cellOrder []int
	global               bool
	total                uint64
	// frags are the fragments that meet the domain, newest first.
	frags []*denseFragment
	// sparse are the sparse fragments that old releases wrote, newest first.
	sparse []sparseInDense
}

// denseFragment is a fragment with its place in the grid.
type denseFragment struct {
	*fragment.Reader
	box, tiles schema.Box
}

// denseAxis is the selection of one dimension: inclusive ranges of cell numbers in the order of the result, and the
// number of cells before each.
type denseAxis struct {
	ranges []span
	before []uint64
	n      uint64
}

func (r *reading) planDense() (*densePlan, error) {
	grid, err := schema.NewGrid(r.schema)
	if err != nil {
		return nil, err
	}
	n := len(r.axes)
	p := &densePlan{grid: grid, axes: make([]denseAxis, n), global: r.q.Layout == schema.GlobalOrder, total: 1}
	order := r.q.Layout
	if p.global || order == schema.Unordered {
		order = r.schema.CellOrder
	}
	for k := range n {
		p.slowFirst = append(p.slowFirst, along(k, n, order))
		p.cellOrder = append(p.cellOrder, along(k, n, r.schema.CellOrder))
	}
	for d := range r.axes {
		if p.global && len(r.axes[d].given) > 1 {
			return nil, fmt.Errorf("%w: several ranges of a dense array cannot be read in global order", ErrInvalid)
		}
		p.axes[d] = newDenseAxis(&r.axes[d])
		hi, lo := bits.Mul64(p.total, p.axes[d].n)
		if hi != 0 || p.axes[d].n == 0 {
			return nil, fmt.Errorf("%w: too many cells are selected to be counted", ErrInvalid)
		}
		p.total = lo
	}
	for i := len(r.fragments) - 1; i >= 0; i-- {
		if !r.fragments[i].Dense() {
			p.addSparse(r.fragments[i])
			continue
		}
		f, err := p.place(r.fragments[i])
		if err != nil {
			return nil, err
		}
		if f != nil {
			p.frags = append(p.frags, f)
		}
	}
	return p, nil
}

func newDenseAxis(a *axis) (out denseAxis) {
	first := keyOf(a.kind, a.dim.Lo())
	for _, s := range a.given {
		out.ranges = append(out.ranges, span{s.lo - first, s.hi - first})
		out.before = append(out.before, out.n)
		out.n += s.hi - s.lo + 1
	}
	return out
}

// place finds the cells of a fragment; nil when it has none.
func (p *densePlan) place(f *fragment.Reader) (*denseFragment, error) {
	ranges := f.NonEmptyDomain()
	if ranges == nil {
		return nil, nil
	}
	for i, r := range ranges {
		if size := f.Schema().Domain.Dimensions[i].Type.Size(); len(r.Lo) != size || len(r.Hi) != size {
			return nil, fmt.Errorf("fragment %s: %w: damaged non-empty domain", f.URI(), fragment.ErrCorrupt)
		}
	}
	out := &denseFragment{Reader: f, box: p.grid.Box(ranges)}
	for d := range ranges {
		if out.box.Lo[d] > out.box.Hi[d] || out.box.Hi[d]/p.grid.Extent[d] >= p.grid.Tiles[d] {
			return nil, fmt.Errorf("fragment %s: %w: the non-empty domain leaves the domain", f.URI(), fragment.ErrCorrupt)
		}
	}
	out.tiles = p.grid.TileBox(out.box)
	if n, ok := out.tiles.Count(); !ok || n != f.NumTiles() {
		return nil, fmt.Errorf("fragment %s: %w: %d tiles for a non-empty domain of %d", f.URI(), fragment.ErrCorrupt, f.NumTiles(), n)
	}
	return out, nil
}

// segment is a stretch of one dimension inside one tile: its first cell, the number of cells, and the place of the first
// one along the dimension of the result.
type segment struct{ tile, lo, n, pos uint64 }

// segments returns the stretches of places from up to but not including to.
func (a *denseAxis) segments(extent, from, to uint64) []segment {
	var out []segment
	i := sort.Search(len(a.ranges), func(i int) bool { return a.before[i] > from }) - 1
	for pos := from; pos < to; {
		lo := a.ranges[i].lo + (pos - a.before[i])
		tile := lo / extent
		n := min(to-pos, a.ranges[i].hi-lo+1, (tile+1)*extent-lo)
		out = append(out, segment{tile, lo, n, pos})
		pos += n
		if i+1 < len(a.ranges) && pos == a.before[i+1] {
			i++
		}
	}
	return out
}

// denseBox is a block of wanted cells in one tile. dst is the place of its first cell in the result, strides by how much
// the place grows per cell along each dimension.
type denseBox struct {
	lo, hi  []uint64
	dst     uint64
	strides []uint64
}

// denseUnit is the wanted part of one tile.
type denseUnit struct {
	tile  []uint64
	boxes []denseBox
}

// units returns the parts of tiles that make up the cells of the result from up to but not including to; places count
// from from.
func (p *densePlan) units(from, to uint64) []denseUnit {
	var out []denseUnit
	if p.global {
		return p.globalUnits(from, to)
	}
	sizes, strides := make([]uint64, len(p.axes)), make([]uint64, len(p.axes))
	step := uint64(1)
	for k := len(p.slowFirst) - 1; k >= 0; k-- {
		d := p.slowFirst[k]
		sizes[d], strides[d] = p.axes[d].n, step
		step *= p.axes[d].n
	}
	for _, block := range linearBlocks(sizes, p.slowFirst, from, to) {
		segs := make([][]segment, len(p.axes))
		for d := range p.axes {
			segs[d] = p.axes[d].segments(p.grid.Extent[d], block.Lo[d], block.Hi[d]+1)
		}
		out = append(out, p.blockUnits(segs, strides, from)...)
	}
	return out
}

// blockUnits combines the segments of all dimensions, those of the same tile into one unit.
func (p *densePlan) blockUnits(segs [][]segment, strides []uint64, from uint64) []denseUnit {
	n := len(segs)
	groups, sizes := make([][][]segment, n), make([]int, n)
	for d := range segs {
		groups[d] = byTile(segs[d])
		sizes[d] = len(groups[d])
	}
	var out []denseUnit
	for at := make([]int, n); at != nil; at = step(at, sizes, p.slowFirst) {
		u := denseUnit{tile: make([]uint64, n)}
		counts := make([]int, n)
		for d := range at {
			u.tile[d] = groups[d][at[d]][0].tile
			counts[d] = len(groups[d][at[d]])
		}
		for k := make([]int, n); k != nil; k = step(k, counts, p.slowFirst) {
			ends := make([]uint64, 2*n)
			box := denseBox{lo: ends[:n:n], hi: ends[n:], strides: strides}
			place := uint64(0)
			for d := range k {
				s := groups[d][at[d]][k[d]]
				box.lo[d], box.hi[d] = s.lo, s.lo+s.n-1
				place += s.pos * strides[d]
			}
			box.dst = place - from
			u.boxes = append(u.boxes, box)
		}
		out = append(out, u)
	}
	return out
}

// byTile groups segments by tile, in the order in which tiles first appear.
func byTile(segs []segment) [][]segment {
	var out [][]segment
	known := map[uint64]int{}
	for _, s := range segs {
		i, ok := known[s.tile]
		if !ok {
			i = len(out)
			known[s.tile] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], s)
	}
	return out
}

// step counts at up to the next combination of numbers below sizes, the last of slowFirst fastest; nil after the last.
func step(at, sizes []int, slowFirst []int) []int {
	for k := len(slowFirst) - 1; k >= 0; k-- {
		d := slowFirst[k]
		if at[d]++; at[d] < sizes[d] {
			return at
		}
		at[d] = 0
	}
	return nil
}

// globalUnits is units for results tile after tile.
func (p *densePlan) globalUnits(from, to uint64) []denseUnit {
	n := len(p.axes)
	box := p.grid.NewBox()
	for d := range p.axes {
		box.Lo[d], box.Hi[d] = p.axes[d].ranges[0].lo, p.axes[d].ranges[0].hi
	}
	tiles := p.grid.TileBox(box)
	count, _ := tiles.Count()
	var out []denseUnit
	tile, cells := make([]uint64, n), p.grid.NewBox()
	before := uint64(0)
	for i := uint64(0); i < count && before < to; i++ {
		p.grid.TileAt(tile, tiles, i)
		p.grid.FillTileCells(cells, tile)
		sizes, strides, size := make([]uint64, n), make([]uint64, n), uint64(1)
		for k := n - 1; k >= 0; k-- {
			d := p.slowFirst[k]
			cells.Lo[d], cells.Hi[d] = max(cells.Lo[d], box.Lo[d]), min(cells.Hi[d], box.Hi[d])
			sizes[d], strides[d] = cells.Hi[d]-cells.Lo[d]+1, size
			size *= sizes[d]
		}
		if before+size > from {
			u := denseUnit{tile: append([]uint64(nil), tile...)}
			a, b := max(from, before)-before, min(to-before, size)
			for _, block := range linearBlocks(sizes, p.slowFirst, a, b) {
				part := denseBox{lo: block.Lo, hi: block.Hi, strides: strides, dst: before - from}
				for d := range sizes {
					part.dst += block.Lo[d] * strides[d]
					part.lo[d] += cells.Lo[d]
					part.hi[d] += cells.Lo[d]
				}
				u.boxes = append(u.boxes, part)
			}
			out = append(out, u)
		}
		before += size
	}
	return out
}

// linearBlocks cuts the stretch from up to but not including to of a linear order over a block of the given sizes into
// blocks. slowFirst lists the dimensions from the slowest to the fastest.
func linearBlocks(sizes []uint64, slowFirst []int, from, to uint64) []schema.Box {
	var out []schema.Box
	if from < to {
		fixed := schema.Box{Lo: make([]uint64, len(sizes)), Hi: make([]uint64, len(sizes))}
		cutLinear(&out, fixed, sizes, slowFirst, from, to)
	}
	return out
}

func cutLinear(out *[]schema.Box, fixed schema.Box, sizes []uint64, slowFirst []int, from, to uint64) {
	d := slowFirst[0]
	inner := uint64(1)
	for _, e := range slowFirst[1:] {
		inner *= sizes[e]
	}
	emit := func(lo, hi, from, to uint64) {
		fixed.Lo[d], fixed.Hi[d] = lo, hi
		if from == 0 && to == inner {
			b := schema.Box{Lo: append([]uint64(nil), fixed.Lo...), Hi: append([]uint64(nil), fixed.Hi...)}
			for _, e := range slowFirst[1:] {
				b.Lo[e], b.Hi[e] = 0, sizes[e]-1
			}
			*out = append(*out, b)
			return
		}
		cutLinear(out, fixed, sizes, slowFirst[1:], from, to)
	}
	first, last := from/inner, (to-1)/inner
	headFrom, tailTo := from%inner, (to-1)%inner+1
	if first == last {
		emit(first, first, headFrom, tailTo)
		return
	}
	if headFrom > 0 {
		emit(first, first, headFrom, inner)
		first++
	}
	if tailTo == inner {
		emit(first, last, 0, inner)
		return
	}
	if first < last {
		emit(first, last-1, 0, inner)
	}
	emit(last, last, 0, tailTo)
}

// spread cuts units in two, the longest first, until none is much longer than the share of a thread, as far as they are
// long enough to be worth it. The length of a unit is the number of cells of the tile from its first to its last.
func (p *densePlan) spread(units []denseUnit, threads int) []denseUnit {
	const worth, each = 64 << 10, 4
	if threads < 2 || len(units) >= each*threads {
		return units
	}
	lengths, total := make([]uint64, len(units)), uint64(0)
	for i := range units {
		lengths[i] = p.length(&units[i])
		total += lengths[i]
	}
	for len(units) < each*threads {
		i := 0
		for k, n := range lengths {
			if n > lengths[i] {
				i = k
			}
		}
		if lengths[i] < worth || lengths[i] <= total/uint64(threads)*9/8 && len(units) >= threads {
			break
		}
		rest, ok := p.halve(&units[i])
		if !ok {
			lengths[i] = 0 // and is not looked at again
			continue
		}
		units = append(units, rest)
		lengths[i] = p.length(&units[i])
		lengths = append(lengths, p.length(&rest))
	}
	return units
}

// slowest returns the dimension along which the cells of a box lie furthest apart in the tile.
func (p *densePlan) slowest(b *denseBox) int {
	for _, d := range p.cellOrder {
		if b.hi[d] > b.lo[d] {
			return d
		}
	}
	return p.cellOrder[0]
}

// length returns the number of cells of the tile from the first to the last of a unit's first box, about.
func (p *densePlan) length(u *denseUnit) uint64 {
	b := &u.boxes[0]
	n, d := uint64(1), p.slowest(b)
	for k := len(p.cellOrder) - 1; k >= 0 && p.cellOrder[k] != d; k-- {
		n *= p.grid.Extent[p.cellOrder[k]]
	}
	return n * (b.hi[d] - b.lo[d] + 1)
}

// halve cuts off the second half of a unit of one box and returns it; false when it cannot be cut.
func (p *densePlan) halve(u *denseUnit) (denseUnit, bool) {
	b := u.boxes[0]
	d := p.slowest(&b)
	if len(u.boxes) != 1 || b.hi[d] == b.lo[d] {
		return denseUnit{}, false
	}
	mid := b.lo[d] + (b.hi[d]-b.lo[d])/2
	left, right := b.sub(b.lo, b.hi), b.sub(b.lo, b.hi)
	left.hi[d] = mid
	right.lo[d] = mid + 1
	right.dst += (mid + 1 - b.lo[d]) * b.strides[d]
	u.boxes = []denseBox{left}
	return denseUnit{tile: u.tile, boxes: []denseBox{right}}, true
}

// sub returns the part of b from lo to hi, which lie in it, in new memory.
func (b *denseBox) sub(lo, hi []uint64) denseBox {
	out := denseBox{lo: append([]uint64(nil), lo...), hi: append([]uint64(nil), hi...), dst: b.dst, strides: b.strides}
	for d := range lo {
		out.dst += (lo[d] - b.lo[d]) * b.strides[d]
	}
	return out
}

// meet returns the part of b in a box of cells; false when there is none.
func (b *denseBox) meet(box schema.Box) (denseBox, bool) {
	for d := range b.lo {
		if b.hi[d] < box.Lo[d] || b.lo[d] > box.Hi[d] {
			return denseBox{}, false
		}
	}
	out := b.sub(b.lo, b.hi)
	for d := range b.lo {
		if box.Lo[d] > b.lo[d] {
			out.lo[d] = box.Lo[d]
			out.dst += (box.Lo[d] - b.lo[d]) * b.strides[d]
		}
		out.hi[d] = min(b.hi[d], box.Hi[d])
	}
	return out, true
}

// without returns the parts of b outside of inner, which lies in it.
func (b *denseBox) without(inner *denseBox) []denseBox {
	var out []denseBox
	rest := b.sub(b.lo, b.hi)
	for d := range b.lo {
		if rest.lo[d] < inner.lo[d] {
			part := rest.sub(rest.lo, rest.hi)
			part.hi[d] = inner.lo[d] - 1
			out = append(out, part)
			rest.dst += (inner.lo[d] - rest.lo[d]) * b.strides[d]
			rest.lo[d] = inner.lo[d]
		}
		if rest.hi[d] > inner.hi[d] {
			part := rest.sub(rest.lo, rest.hi)
			part.dst += (inner.hi[d] + 1 - rest.lo[d]) * b.strides[d]
			part.lo[d] = inner.hi[d] + 1
			out = append(out, part)
			rest.hi[d] = inner.hi[d]
		}
	}
	return out
}

// pieces is what one fragment shows of a unit: boxes without overlaps; frag is nil for cells that no fragment has.
type pieces struct {
	frag  *denseFragment
	tile  uint64
	boxes []denseBox
	// none says that no cell of them satisfies the condition, so that none has to be read.
	none bool
}

// visible tells which fragment every cell of a unit comes from: the newest that has it and is usable. As in libtiledb, a
// fragment whose part of the tile lies wholly in that of a newer one is not looked at, even if that one is not usable.
func (p *densePlan) visible(u *denseUnit, usable func(f *denseFragment) bool) []pieces {
	var out []pieces
	rest := u.boxes
	cells := p.grid.TileCells(u.tile)
	var newer []schema.Box
	for _, f := range p.frags {
		if len(rest) == 0 {
			return out
		}
		part, ok := intersect(f.box, cells)
		if !ok || covered(part, newer) {
			continue
		}
		newer = append(newer, part)
		if !usable(f) {
			continue
		}
		var mine, left []denseBox
		for i := range rest {
			inner, ok := rest[i].meet(part)
			if !ok {
				left = append(left, rest[i])
				continue
			}
			mine = append(mine, inner)
			left = append(left, rest[i].without(&inner)...)
		}
		if len(mine) > 0 {
			out = append(out, pieces{frag: f, tile: p.grid.TileIndex(f.tiles, u.tile), boxes: mine})
			rest = left
		}
	}
	if len(rest) > 0 {
		out = append(out, pieces{boxes: rest})
	}
	return out
}

func intersect(a, b schema.Box) (schema.Box, bool) {
	out := schema.Box{Lo: make([]uint64, len(a.Lo)), Hi: make([]uint64, len(a.Lo))}
	for d := range a.Lo {
		out.Lo[d], out.Hi[d] = max(a.Lo[d], b.Lo[d]), min(a.Hi[d], b.Hi[d])
		if out.Lo[d] > out.Hi[d] {
			return out, false
		}
	}
	return out, true
}

// covered reports whether a box lies wholly in one of others.
func covered(box schema.Box, others []schema.Box) bool {
	for _, o := range others {
		in := true
		for d := range box.Lo {
			in = in && o.Lo[d] <= box.Lo[d] && box.Hi[d] <= o.Hi[d]
		}
		if in {
			return true
		}
	}
	return false
}
