package query

import (
	"context"
	"fmt"
	"math"
	"sort"
	"sync"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/schema"
)

// sparse answers a sparse read of fields.
func (r *reading) sparse(ctx context.Context) (*Result, error) {
	plan, err := r.planSparse(ctx, false)
	if err != nil {
		return nil, err
	}
	defer plan.close()
	if err := r.loadSources(ctx, plan); err != nil {
		return nil, err
	}
	if r.from.unit > uint64(len(plan.slabs)) {
		return nil, fmt.Errorf("%w: the state is not of this read", ErrInvalid)
	}
	if size, ok := r.exactSize(plan); ok && r.from == (position{}) {
		result, err := r.sparseDirect(ctx, plan, size)
		if err == nil || !overBudget(err) {
			return result, err
		}
	}
	c := collector{reading: r, plan: plan, unit: int(r.from.unit), skip: int(min(r.from.cell, math.MaxInt)), data: make([]uint64, len(r.outs))}
	defer c.close()
	if err := c.collect(ctx); err != nil {
		return nil, err
	}
	return c.result(ctx)
}

// loadSources fetches the tile positions of every field that will be read, so that workers find them.
func (r *reading) loadSources(ctx context.Context, plan *sparsePlan) error {
	used := map[int]bool{}
	for _, s := range plan.slabs {
		for _, t := range s.tiles {
			used[t.frag] = true
		}
	}
	names := map[string]bool{}
	for _, o := range r.outs {
		names[o.Field.Name] = true
	}
	for i := range r.schema.Domain.Dimensions {
		names[r.schema.Domain.Dimensions[i].Name] = true
	}
	if r.cond != nil {
		for _, f := range r.cond.Fields() {
			names[f.Name] = true
		}
	}
	for i := range r.deletes {
		for _, f := range r.deletes[i].survives.Fields() {
			names[f.Name] = true
		}
	}
	for _, a := range r.q.Aggregates {
		if a.Op != Count {
			names[a.Field] = true
		}
	}
	return r.loadFields(ctx, names, used)
}

// loadFields fetches the tile positions of the named fields of the fragments in use.
func (r *reading) loadFields(ctx context.Context, names map[string]bool, used map[int]bool) error {
	for i, f := range r.fragments {
		if !used[i] {
			continue
		}
		for name := range names {
			field, ok, err := f.Field(name)
			if err == nil && ok {
				err = field.Load(ctx)
			}
			if err != nil {
				return err
			}
		}
		for name := range hiddenNames {
			field, ok, err := f.Hidden(name)
			if err == nil && ok {
				err = field.Load(ctx)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// collector gathers the cells of slab after slab until a capacity is reached.
type collector struct {
	*reading
	plan *sparsePlan
	// unit is the next slab, skip the number of its cells that earlier results had.
	unit, skip int
	taken      []takenSlab
	// cells and data count what was taken: cells, and bytes of every out field.
	cells uint64
	data  []uint64
	// full says that a slab did not fit as a whole.
	full bool
	next position
}

// takenSlab is a slab's cells from, up to but not including, to that go into the result.
type takenSlab struct {
	*slabOut
	from, to int
}

func (c *collector) close() {
	for _, t := range c.taken {
		t.close()
	}
}

// collect works through the slabs in waves.
func (c *collector) collect(ctx context.Context) error {
	single := false
	for c.unit < len(c.plan.slabs) && !c.full {
		n := c.wave()
		if single {
			n = 1
		}
		outs, err := c.process(ctx, n)
		switch {
		case err == nil:
		case overBudget(err) && n > 1:
			single = true
			continue
		case overBudget(err) && c.cells > 0:
			c.full, c.next = true, position{uint64(c.unit), uint64(c.skip)}
			return nil
		default:
			return err
		}
		for _, out := range outs {
			c.take(out)
		}
	}
	return nil
}

// wave returns how many slabs to work on next: all when nothing limits the result, else about as many as fit.
func (c *collector) wave() int {
	left := len(c.plan.slabs) - c.unit
	if !limited(c.outs) && c.q.Budget == nil {
		return left
	}
	room := cellsCap(c.outs) - c.cells
	room = max(min(room, math.MaxInt32), uint64(c.threads*c.slabCells))
	n, cells := 0, uint64(0)
	for n < left && (n == 0 || cells+uint64(c.plan.slabs[c.unit+n].cells) <= room) {
		cells += uint64(c.plan.slabs[c.unit+n].cells)
		n++
	}
	return n
}

// process works on the next n slabs in parallel.
func (c *collector) process(ctx context.Context, n int) ([]*slabOut, error) {
	outs := make([]*slabOut, n)
	err := parallel(ctx, c.threads, n, func(ctx context.Context, i int) (err error) {
		outs[i], err = c.gather(ctx, c.plan.slabs[c.unit+i], &c.plan.order)
		return err
	})
	if err != nil {
		for _, out := range outs {
			if out != nil {
				out.close()
			}
		}
		return nil, err
	}
	return outs, nil
}

// take adds as many cells of the next slab as fit.
func (c *collector) take(out *slabOut) {
	if c.full {
		out.close()
		return
	}
	out.unit = c.unit
	from := min(c.skip, out.n)
	to := c.fit(out, from)
	if to > from {
		c.taken = append(c.taken, takenSlab{out, from, to})
		c.cells += uint64(to - from)
		for i := range c.outs {
			c.data[i] += out.parts[i].bytes(c.outs[i], from, to)
		}
	}
	if to < out.n {
		c.full, c.next = true, position{uint64(c.unit), uint64(to)}
	}
	if to <= from {
		out.close()
	}
	c.unit++
	c.skip = 0
}

// fit returns up to which cell a slab fits into what is left of the capacities.
func (c *collector) fit(out *slabOut, from int) int {
	room := cellsCap(c.outs) - c.cells
	to := from + int(min(uint64(out.n-from), room))
	for i, o := range c.outs {
		if !o.Var() {
			continue
		}
		left := uint64(max(o.dataCap(), 0)) - min(c.data[i], uint64(max(o.dataCap(), 0)))
		part := &out.parts[i]
		to = from + sort.Search(to-from, func(k int) bool { return part.bytes(o, from, from+k+1) > left })
	}
	return to
}

// result puts the parts together. When the budget does not allow it, half of the cells are left for later, until it does.
func (c *collector) result(ctx context.Context) (*Result, error) {
	for {
		columns, err := c.columns()
		if err == nil {
			res := &Result{Columns: columns, Cells: c.cells}
			if c.full {
				res.Next = c.reading.next(c.next)
			}
			return res, c.assemble(ctx, columns)
		}
		if !overBudget(err) || c.cells < 2 {
			return nil, err
		}
		c.shorten(c.cells / 2)
	}
}

// shorten leaves all but the first n cells for later.
func (c *collector) shorten(n uint64) {
	first := int(c.unit)
	kept := c.taken[:0]
	clear(c.data)
	left := n
	for _, t := range c.taken {
		if left == 0 {
			t.close()
			continue
		}
		if size := uint64(t.to - t.from); size > left {
			t.to = t.from + int(left)
		}
		left -= uint64(t.to - t.from)
		for i := range c.outs {
			c.data[i] += t.parts[i].bytes(c.outs[i], t.from, t.to)
		}
		first = t.unit
		kept = append(kept, t)
		c.next = position{uint64(first), uint64(t.to)}
	}
	c.taken, c.cells, c.full = kept, n, true
}

// columns allocates the result.
func (c *collector) columns() ([]Column, error) {
	var columns []Column
	for i, o := range c.outs {
		size := c.data[i]
		if !o.Var() {
			size = c.cells * uint64(o.width)
		}
		column, err := c.newColumn(o, c.cells, size)
		if err != nil {
			for _, done := range columns {
				c.unbook(done)
			}
			return nil, err
		}
		columns = append(columns, column)
	}
	return columns, nil
}

// assemble copies the parts of all slabs into the columns.
func (c *collector) assemble(ctx context.Context, columns []Column) error {
	cellAt := make([]uint64, len(c.taken))
	dataAt := make([][]uint64, len(c.taken))
	cell, data := uint64(0), make([]uint64, len(c.outs))
	for k, t := range c.taken {
		cellAt[k] = cell
		dataAt[k] = append([]uint64(nil), data...)
		cell += uint64(t.to - t.from)
		for i, o := range c.outs {
			data[i] += t.parts[i].bytes(o, t.from, t.to)
		}
	}
	nOuts := len(c.outs)
	err := parallel(ctx, c.threads, len(c.taken)*nOuts, func(_ context.Context, task int) error {
		k, i := task/nOuts, task%nOuts
		t := &c.taken[k]
		t.parts[i].put(c.outs[i], &columns[i], t.from, t.to, cellAt[k], dataAt[k][i])
		return nil
	})
	for i, o := range c.outs {
		if o.Var() {
			o.putExtra(columns[i].Offsets, int(c.cells), data[i])
		}
	}
	return err
}

// exactSize returns the cells of a read whose cells are all those of the planned tiles, each in one slab, in the order they
// are stored in; false for other reads and for those that do not fit the capacities as a whole.
func (r *reading) exactSize(plan *sparsePlan) (exactSize, bool) {
	size := exactSize{data: make([]uint64, len(r.outs))}
	for _, s := range plan.slabs {
		if s.sort || s.repeat {
			return size, false
		}
		size.cellAt = append(size.cellAt, size.cells)
		size.dataAt = append(size.dataAt, append([]uint64(nil), size.data...))
		for _, t := range s.tiles {
			if t.shared != nil || !t.full || !t.timely || t.touched() || r.cond != nil && t.verdict != condition.All {
				return size, false
			}
			for i, o := range r.outs {
				if hiddenNames[o.Field.Name] {
					return size, false
				}
				n, ok := r.tileBytes(o, t)
				if !ok {
					return size, false
				}
				size.data[i] += n
			}
			size.cells += uint64(t.cells)
		}
	}
	if size.cells > cellsCap(r.outs) {
		return size, false
	}
	for i, o := range r.outs {
		if o.Var() && size.data[i] > uint64(max(o.dataCap(), 0)) {
			return size, false
		}
	}
	return size, true
}

// exactSize is the size of a result that is known beforehand, and where the parts of each slab begin in it.
type exactSize struct {
	cells  uint64
	data   []uint64
	cellAt []uint64
	dataAt [][]uint64
}

// tileBytes returns the bytes of data that all cells of a tile have.
func (r *reading) tileBytes(o *outField, t *tileRef) (uint64, bool) {
	if !o.Var() {
		return uint64(t.cells) * uint64(o.width), true
	}
	source, err := fieldIn(r.fragments[t.frag], &o.Field)
	if err != nil {
		return 0, false
	}
	if source == nil {
		return uint64(t.cells) * uint64(len(o.fill)), true
	}
	return source.VarBytes(t.tile), true
}

// sparseDirect unfilters the tiles of an exact read into the result.
func (r *reading) sparseDirect(ctx context.Context, plan *sparsePlan, size exactSize) (*Result, error) {
	c := collector{reading: r, cells: size.cells, data: size.data}
	columns, err := c.columns()
	if err != nil {
		return nil, err
	}
	nOuts := len(r.outs)
	err = parallel(ctx, r.threads, len(plan.slabs)*nOuts, func(ctx context.Context, task int) error {
		k, i := task/nOuts, task%nOuts
		return r.slabDirect(ctx, plan.slabs[k], r.outs[i], &columns[i], size.cellAt[k], size.dataAt[k][i])
	})
	if err != nil {
		for _, column := range columns {
			r.unbook(column)
		}
		return nil, err
	}
	for i, o := range r.outs {
		if o.Var() {
			o.putExtra(columns[i].Offsets, int(size.cells), size.data[i])
		}
	}
	return &Result{Columns: columns, Cells: size.cells}, nil
}

// slabDirect unfilters one field of a slab into its place in the result.
func (r *reading) slabDirect(ctx context.Context, s *slab, o *outField, column *Column, cellAt, dataAt uint64) error {
	run, err := r.newSlabRun(s, nil)
	if err != nil {
		return err
	}
	defer run.close()
	c := &slabColumn{field: &o.Field, loaded: make([]bool, len(s.tiles))}
	n := run.cells()
	all := make([]int, len(s.tiles))
	size := uint64(0)
	for i, t := range s.tiles {
		all[i] = i
		source, err := fieldIn(r.fragments[t.frag], &o.Field)
		if err != nil {
			return err
		}
		c.sources = append(c.sources, source)
		if o.Var() {
			c.regions = append(c.regions, size)
			size += run.varBytes(&o.Field, source, t)
		}
	}
	if o.Nullable {
		c.validity = column.Validity[cellAt : cellAt+uint64(n)]
	}
	if !o.Var() {
		width := uint64(o.width)
		c.data = column.Data[cellAt*width : (cellAt+uint64(n))*width]
		return run.load(ctx, c, all)
	}
	c.regions = append(c.regions, size)
	c.data = column.Data[dataAt : dataAt+size]
	starts, err := r.lend(8 * (n + 1))
	if err != nil {
		return err
	}
	defer r.giveBack(&starts)
	c.offsets = alias64(starts.b.B)
	if err := run.load(ctx, c, all); err != nil {
		return err
	}
	o.putOffsets(column.Offsets, int(cellAt), c.offsets[:n], dataAt)
	return nil
}

// Stream answers a read of a sparse array part by part, in order, planned once and without copying the parts together: for
// rewriting fragments. Capacities, Resume, Alloc, Budget and Offsets are not looked at. take gets the columns of a part, of
// at least one cell; those of var-sized cells have 64-bit offsets with an extra element, which need not begin at 0. They
// are lent for the call. While take works the next parts are read.
func Stream(ctx context.Context, a *array.Array, q *Read, take func(*Result) error) error {
	if a.Schema.Type != schema.Sparse || len(q.Aggregates) > 0 {
		return fmt.Errorf("%w: only cells of sparse arrays are streamed", ErrInvalid)
	}
	r, err := newReading(ctx, a, q)
	if err != nil {
		return err
	}
	r.files.Budget = nil
	err = r.stream(ctx, take)
	if closeErr := r.files.Close(); err == nil {
		err = closeErr
	}
	return err
}

// gathered is a slab that was worked on.
type gathered struct {
	out *slabOut
	err error
}

func (r *reading) stream(ctx context.Context, take func(*Result) error) error {
	plan, err := r.planSparse(ctx, false)
	if err != nil {
		return err
	}
	defer plan.close()
	if err := r.loadSources(ctx, plan); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	// The queue has the slabs in order, one more than are worked on at a time.
	queue := make(chan chan gathered, r.threads)
	workers.Go(func() {
		defer close(queue)
		for _, s := range plan.slabs {
			done := make(chan gathered, 1)
			select {
			case queue <- done:
			case <-ctx.Done():
				return
			}
			workers.Go(func() {
				out, err := r.gather(ctx, s, &plan.order)
				done <- gathered{out, err}
			})
		}
	})
	err = nil
	for done := range queue {
		g := <-done
		if g.err == nil && err == nil {
			err = g.out.give(take)
		}
		if g.out != nil {
			g.out.close()
		}
		if g.err != nil && err == nil {
			err = g.err
		}
		if err != nil {
			cancel() // and close what is still in the queue
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// give calls take with the columns of a slab.
func (s *slabOut) give(take func(*Result) error) error {
	if s.n == 0 {
		return nil
	}
	result := &Result{Columns: make([]Column, len(s.parts)), Cells: uint64(s.n)}
	for i, o := range s.r.outs {
		p := &s.parts[i]
		c := &result.Columns[i]
		c.Name, c.Data, c.Validity = o.Want.Name, p.data, p.validity
		if o.Var() {
			c.Offsets = datatype.Bytes(p.starts[:s.n+1])
		} else {
			c.Data = p.data[:s.n*o.width]
		}
	}
	return take(result)
}
