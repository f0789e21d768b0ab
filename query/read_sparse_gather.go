package query

import (
	"bytes"
	"context"
	"slices"
	"sort"

	"azulejo/datatype"
	"azulejo/schema"
)

// slabOut holds the selected cells of a slab in the order of the result.
type slabOut struct {
	r *reading
	// run is kept while parts share its columns.
	run   *slabRun
	unit  int
	n     int
	parts []outPart
	lent  []lent
}

// outPart is one out field of a slabOut: fixed cells in data, or the values of var cells with the n+1 positions they
// start and end at.
type outPart struct {
	data, validity []byte
	starts         []uint64
}

func (s *slabOut) close() {
	if s.run != nil {
		s.run.close()
	}
	for i := range s.lent {
		s.r.giveBack(&s.lent[i])
	}
	s.run, s.lent = nil, nil
}

// bytes returns the size of the data of cells from up to but not including to.
func (p *outPart) bytes(o *outField, from, to int) uint64 {
	if !o.Var() {
		return uint64(to-from) * uint64(o.width)
	}
	if from == to {
		return 0
	}
	return p.starts[to] - p.starts[from]
}

// put copies cells into a column, at cell number cellAt and, for var cells, byte dataAt.
func (p *outPart) put(o *outField, c *Column, from, to int, cellAt, dataAt uint64) {
	if o.Nullable {
		copy(c.Validity[cellAt:], p.validity[from:to])
	}
	if !o.Var() {
		copy(c.Data[cellAt*uint64(o.width):], p.data[from*o.width:to*o.width])
		return
	}
	first := p.starts[from]
	copy(c.Data[dataAt:], p.data[first:p.starts[to]])
	o.putOffsets(c.Offsets, int(cellAt), p.starts[from:to], dataAt-first)
}

// gather works on one slab: it chooses its cells, brings them into order and collects their fields.
func (r *reading) gather(ctx context.Context, s *slab, order *sortOrder) (*slabOut, error) {
	run, err := r.newSlabRun(s, order)
	if err != nil {
		return nil, err
	}
	out := &slabOut{r: r, run: run, parts: make([]outPart, len(r.outs))}
	if err := out.fill(ctx, run); err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

// fill makes the parts.
func (out *slabOut) fill(ctx context.Context, run *slabRun) error {
	if err := run.choose(ctx); err != nil {
		return err
	}
	pick, err := run.pick(ctx)
	if err != nil {
		return err
	}
	out.n = len(pick)
	if pick == nil {
		out.n = run.cells()
	}
	if out.n == 0 {
		return nil
	}
	for i, o := range out.r.outs {
		c, err := run.column(ctx, &o.Field, run.hits)
		if err != nil {
			return err
		}
		if err := out.collect(&out.parts[i], o, c, pick); err != nil {
			return err
		}
	}
	if pick != nil {
		run.close()
		out.run = nil
	}
	return nil
}

// collect makes one field's part. Where every cell of the slab is selected in stored order it is the column itself.
func (s *slabOut) collect(p *outPart, o *outField, c *slabColumn, pick []uint32) error {
	if pick == nil {
		p.data, p.starts, p.validity = c.data, c.offsets, c.validity
		return nil
	}
	if o.Nullable {
		b, err := s.room(len(pick))
		if err != nil {
			return err
		}
		p.validity = b
		gatherAs[uint8](p.validity, c.validity, pick)
	}
	if o.Var() {
		return s.collectVar(p, c, pick)
	}
	b, err := s.room(len(pick) * o.width)
	if err != nil {
		return err
	}
	p.data = b
	gatherFixed(p.data, c.data, pick, o.width)
	return nil
}

func (s *slabOut) room(n int) ([]byte, error) {
	l, err := s.r.lend(n)
	if err != nil {
		return nil, err
	}
	s.lent = append(s.lent, l)
	return l.b.B, nil
}

func (s *slabOut) collectVar(p *outPart, c *slabColumn, pick []uint32) error {
	b, err := s.room(8 * (len(pick) + 1))
	if err != nil {
		return err
	}
	p.starts = alias64(b)
	at := uint64(0)
	for i, k := range pick {
		p.starts[i] = at
		at += c.offsets[k+1] - c.offsets[k]
	}
	p.starts[len(pick)] = at
	if p.data, err = s.room(int(at)); err != nil {
		return err
	}
	for i, k := range pick {
		copy(p.data[p.starts[i]:], c.data[c.offsets[k]:c.offsets[k+1]])
	}
	return nil
}

// alias64 returns lent memory as numbers.
func alias64(b []byte) []uint64 {
	v, _ := datatype.Alias[uint64](b)
	return v
}

// gatherFixed sets cell i of dst to cell pick[i] of src.
func gatherFixed(dst, src []byte, pick []uint32, width int) {
	switch width {
	case 1:
		gatherAs[uint8](dst, src, pick)
	case 2:
		gatherAs[uint16](dst, src, pick)
	case 4:
		gatherAs[uint32](dst, src, pick)
	case 8:
		gatherAs[uint64](dst, src, pick)
	default:
		for i, k := range pick {
			copy(dst[i*width:(i+1)*width], src[int(k)*width:])
		}
	}
}

func gatherAs[T uint8 | uint16 | uint32 | uint64](dst, src []byte, pick []uint32) {
	d, _ := datatype.Alias[T](dst)
	s, _ := datatype.Alias[T](src)
	d = d[:len(pick)]
	for i, k := range pick {
		d[i] = s[k]
	}
}

// pick returns the cells of the result in order, by their number in the slab; nil means all as they are stored.
func (run *slabRun) pick(ctx context.Context) ([]uint32, error) {
	chosen, err := run.chosen()
	if err != nil {
		return nil, err
	}
	if !run.slab.sort && !run.slab.repeat {
		return chosen, nil
	}
	n := len(chosen)
	if chosen == nil {
		n = run.cells()
	}
	if run.slab.sort && n > 0 {
		if chosen, err = run.sorted(ctx, chosen, n); err != nil {
			return nil, err
		}
	}
	if run.slab.repeat {
		return run.repeated(ctx, chosen)
	}
	return chosen, nil
}

// chosen returns the numbers of the cells that mask selects, nil for all.
func (run *slabRun) chosen() ([]uint32, error) {
	if run.mask == nil {
		return nil, nil
	}
	n := bytes.Count(run.mask, []byte{1})
	if n == len(run.mask) {
		return nil, nil
	}
	if n == 0 {
		return []uint32{}, nil
	}
	out, err := scratch(run.numbers).halves(n)
	if err != nil {
		return nil, err
	}
	k := 0
	if n > len(run.mask)/32 {
		for i, m := range run.mask {
			if m != 0 {
				out[k] = uint32(i)
				k++
			}
		}
		return out, nil
	}
	for i := nextSet(run.mask, 0); i < len(run.mask); i = nextSet(run.mask, i+1) {
		out[k] = uint32(i)
		k++
	}
	return out, nil
}

// sorted brings n chosen cells into order and, where they may be versions of each other, leaves the newest of each; then
// those that do not satisfy the condition go too.
func (run *slabRun) sorted(ctx context.Context, chosen []uint32, n int) ([]uint32, error) {
	if run.slab.stored && run.q.Versions == NewestVersions {
		if apart, err := run.apart(ctx, chosen, n); apart || err != nil {
			return run.satisfying(chosen), err
		}
	}
	keys, err := run.keys(ctx, chosen, n)
	if err != nil {
		return nil, err
	}
	order, err := keys.sort(n, run.numbers)
	if err != nil {
		return nil, err
	}
	versions := run.q.Versions != NewestVersions
	if order == nil && !versions && keys.distinct(n) {
		return run.satisfying(chosen), nil
	}
	if run.slab.times || versions && run.schema.AllowsDups {
		order = run.settleTies(keys, order, chosen, n)
	}
	switch {
	case run.slab.dedup:
		order = newest(keys, order, n)
	case versions && run.schema.AllowsDups:
		order = newestFirst(keys, order, n)
	case versions:
		if order, err = run.kept(ctx, keys, newestFirst(keys, order, n), chosen); err != nil {
			return nil, err
		}
	}
	if order == nil {
		return run.satisfying(chosen), nil
	}
	if chosen != nil {
		for i, k := range order {
			order[i] = chosen[k]
		}
	}
	return run.satisfying(order), nil
}

// apart reports whether no two of n chosen cells, versions of which are neighbours, are at the same place.
func (run *slabRun) apart(ctx context.Context, chosen []uint32, n int) (bool, error) {
	doubtful, err := scratch(run.numbers).halves(n)
	if err != nil {
		return false, err
	}
	number(doubtful)
	doubtful = doubtful[min(1, n):]
	for d := len(run.schema.Domain.Dimensions) - 1; d >= 0 && len(doubtful) > 0; d-- {
		field := run.schema.DimensionField(d)
		c, err := run.column(ctx, &field, run.hits)
		if err != nil {
			return false, err
		}
		doubtful = c.repeats(doubtful, chosen)
	}
	return len(doubtful) == 0, nil
}

// repeats leaves those of the chosen cells that have the value of the one before them.
func (c *slabColumn) repeats(cells, chosen []uint32) []uint32 {
	switch {
	case c.field.Var():
		return repeatsOf(cells, chosen, func(i, k uint32) bool { return bytes.Equal(c.cell(int(i)), c.cell(int(k))) })
	case c.field.CellSize() == 8:
		v := alias64(c.data)
		return repeatsOf(cells, chosen, func(i, k uint32) bool { return v[i] == v[k] })
	}
	width := c.field.CellSize()
	return repeatsOf(cells, chosen, func(i, k uint32) bool {
		return bytes.Equal(c.data[int(i)*width:][:width], c.data[int(k)*width:][:width])
	})
}

func repeatsOf(cells, chosen []uint32, same func(i, k uint32) bool) []uint32 {
	kept := cells[:0]
	for _, n := range cells {
		i, k := n-1, n
		if chosen != nil {
			i, k = chosen[i], chosen[k]
		}
		if same(i, k) {
			kept = append(kept, n)
		}
	}
	return kept
}

// settleTies orders versions of one time. Those of a newer fragment are behind those of an older one already; but in one
// fragment, which was consolidated, the first of them counts most and goes last.
func (run *slabRun) settleTies(keys *sortKeys, order, chosen []uint32, n int) []uint32 {
	if order == nil {
		order = make([]uint32, n)
		number(order)
	}
	times := keys.columns[keys.coords:] // one column, or none for duplicates
	sameTime := func(i, j uint32) bool { return len(times) == 0 || times[0][i] == times[0][j] }
	fragmentOf := func(k uint32) int {
		if chosen != nil {
			k = chosen[k]
		}
		tile := sort.Search(len(run.slab.tiles), func(i int) bool { return run.base[i+1] > int(k) })
		return run.slab.tiles[tile].frag
	}
	eachCell(keys, order, func(versions []uint32) {
		for from, to := 0, 0; from < len(versions); from = to {
			for to = from + 1; to < len(versions) && sameTime(versions[to], versions[from]) && fragmentOf(versions[to]) == fragmentOf(versions[from]); to++ {
			}
			slices.Reverse(versions[from:to])
		}
	})
	return order
}

// newest leaves the last of the cells with equal keys, which is that of the newest fragment.
func newest(keys *sortKeys, order []uint32, n int) []uint32 {
	if order == nil {
		order = make([]uint32, n)
		number(order)
	}
	kept := order[:0]
	for i, k := range order {
		if i+1 == len(order) || !keys.equal(k, order[i+1]) {
			kept = append(kept, k)
		}
	}
	return kept
}

// satisfying leaves the cells that satisfy a condition that was evaluated apart.
func (run *slabRun) satisfying(cells []uint32) []uint32 {
	if run.satisfied == nil {
		return cells
	}
	if cells == nil {
		cells = make([]uint32, run.cells())
		number(cells)
	}
	kept := cells[:0]
	for _, k := range cells {
		if run.satisfied[k] != 0 {
			kept = append(kept, k)
		}
	}
	return kept
}

// keys returns the sort keys of the chosen cells.
func (run *slabRun) keys(ctx context.Context, chosen []uint32, n int) (*sortKeys, error) {
	k := &sortKeys{}
	if run.order.curve != nil {
		cols, err := run.coords(ctx, run.hits)
		if err != nil {
			return nil, err
		}
		places, err := run.numbers(n)
		if err != nil {
			return nil, err
		}
		run.order.curve.Values(places, cols, chosen)
		k.add(places)
	}
	for i := range run.order.parts {
		p := &run.order.parts[i]
		field := run.schema.DimensionField(p.dim)
		c, err := run.column(ctx, &field, run.hits)
		if err != nil {
			return nil, err
		}
		if err := run.addKeys(k, p, c, chosen, n); err != nil {
			return nil, err
		}
	}
	k.coords = len(k.columns)
	if run.slab.times {
		c, err := run.column(ctx, &timesField, run.hits)
		if err != nil {
			return nil, err
		}
		if err := run.addKeys(k, &orderPart{kind: datatype.KindUint64}, c, chosen, n); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// coords returns the columns of all dimensions with at least the needed tiles loaded.
func (run *slabRun) coords(ctx context.Context, need func(tile int) bool) ([]schema.Coords, error) {
	cols := make([]schema.Coords, len(run.schema.Domain.Dimensions))
	for d := range cols {
		field := run.schema.DimensionField(d)
		c, err := run.column(ctx, &field, need)
		if err != nil {
			return nil, err
		}
		cols[d] = schema.Coords{Data: c.data, Offsets: c.offsets}
	}
	return cols, nil
}

// numbers lends memory until the run is closed.
func (run *slabRun) numbers(n int) ([]uint64, error) {
	l, err := run.lend(8 * n)
	if err != nil {
		return nil, err
	}
	run.lent = append(run.lent, l)
	return alias64(l.b.B), nil
}

// addKeys adds one number per chosen cell to the sort keys.
func (run *slabRun) addKeys(k *sortKeys, p *orderPart, c *slabColumn, chosen []uint32, n int) error {
	if p.text {
		k.add(textRanks(n, func(i uint32) []byte {
			if chosen != nil {
				i = chosen[i]
			}
			return c.cell(int(i))
		}))
		return nil
	}
	keys, err := run.numbers(n)
	if err != nil {
		return err
	}
	data := c.data
	if chosen != nil {
		width := c.field.CellSize()
		picked, err := run.numbers((n*width + 7) / 8)
		if err != nil {
			return err
		}
		data = datatype.Bytes(picked)
		gatherFixed(data, c.data, chosen, width)
	}
	fillKeys(p.kind, keys, data)
	switch {
	case p.tile:
		for i, key := range keys {
			keys[i] = p.tileOf(key)
		}
	case p.inTile:
		for i, key := range keys {
			keys[i] = (key - p.lo) % p.extent
		}
	}
	k.add(keys)
	return nil
}

// repeated returns every cell as often as the ranges hold it.
func (run *slabRun) repeated(ctx context.Context, cells []uint32) ([]uint32, error) {
	if cells == nil {
		cells = make([]uint32, run.cells())
		number(cells)
	}
	times := make([]int, len(cells))
	for i := range times {
		times[i] = 1
	}
	for d := range run.slab.axes {
		a := &run.slab.axes[d]
		if !a.overlapping {
			continue
		}
		field := run.schema.DimensionField(d)
		c, err := run.column(ctx, &field, run.hits)
		if err != nil {
			return nil, err
		}
		for i, k := range cells {
			times[i] *= a.timesOf(c, int(k))
		}
	}
	out := make([]uint32, 0, len(cells))
	for i, k := range cells {
		for range times[i] {
			out = append(out, k)
		}
	}
	return out, nil
}

// timesOf returns how many ranges hold a cell.
func (a *axis) timesOf(c *slabColumn, cell int) int {
	if a.text {
		return a.timesText(c.cell(cell))
	}
	width := c.field.CellSize()
	return a.times(keyOf(a.kind, c.data[cell*width:(cell+1)*width]))
}
