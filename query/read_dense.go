package query

import (
	"context"
	"fmt"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/schema"
)

// dense answers a dense read of fields: the cells from the place to resume at, as many as the capacities and the budget
// allow.
func (r *reading) dense(ctx context.Context) (*Result, error) {
	p, err := r.planDense()
	if err != nil {
		return nil, err
	}
	if r.from.unit != 0 || r.from.cell > p.total {
		return nil, fmt.Errorf("%w: the state is not of this read", ErrInvalid)
	}
	if err := r.loadDense(ctx, p); err != nil {
		return nil, err
	}
	from := r.from.cell
	n, err := r.affordable(min(p.total-from, cellsCap(r.outs)))
	if err != nil {
		return nil, err
	}
	for n > 0 {
		job := denseJob{reading: r, plan: p, from: from, n: n}
		columns, fit, err := job.run(ctx)
		switch {
		case err == nil && fit == n:
			return r.denseResult(p, columns, n), nil
		case err == nil:
			n = fit
		case overBudget(err) && n > 1:
			n /= 2
		default:
			return nil, err
		}
	}
	res, err := r.emptyResult()
	if err == nil && from < p.total {
		res.Next = r.next(r.from)
	}
	return res, err
}

// maxResultBytes is the size from which on an unlimited dense read is refused rather than tried.
const maxResultBytes = 1 << 44

// affordable returns as many of n cells as the budget has room for at least, not counting the values of var cells.
func (r *reading) affordable(n uint64) (uint64, error) {
	perCell := int64(0)
	for _, o := range r.outs {
		perCell += int64(o.width)
		if o.Var() {
			perCell += o.offsetSize()
		}
		if o.Nullable {
			perCell++
		}
	}
	limit := uint64(maxResultBytes / perCell)
	b := r.q.Budget
	if b == nil && n > limit {
		return 0, fmt.Errorf("%w: %d cells are too much for one result", ErrInvalid, n)
	}
	n = min(n, limit)
	if b != nil {
		// A quarter is left for tiles on their way, so that the columns need not be made again for less. All parts of a read
		// but the last are of the same size, so that the memory of one serves the next.
		n = min(n, max(1, uint64(max(b.Left(), 0)/4*3/perCell)))
	}
	return n, nil
}

func (r *reading) denseResult(p *densePlan, columns []Column, n uint64) *Result {
	res := &Result{Columns: columns, Cells: n}
	if r.from.cell+n < p.total {
		res.Next = r.next(position{cell: r.from.cell + n})
	}
	return res
}

// loadDense fetches the tile positions of every field that will be read.
func (r *reading) loadDense(ctx context.Context, p *densePlan) error {
	names := map[string]bool{}
	for _, o := range r.outs {
		names[o.Field.Name] = true
	}
	if r.cond != nil {
		for _, f := range r.cond.Fields() {
			names[f.Name] = true
		}
	}
	for _, a := range r.q.Aggregates {
		if a.Op != Count {
			names[a.Field] = true
		}
	}
	for i := range r.schema.Domain.Dimensions {
		delete(names, r.schema.Domain.Dimensions[i].Name)
	}
	used := map[int]bool{}
	for i, f := range r.fragments {
		used[i] = !f.Dense() || p.needs(f)
	}
	return r.loadFields(ctx, names, used)
}

// needs reports whether cells of a fragment are selected.
func (p *densePlan) needs(f *fragment.Reader) bool {
	for _, d := range p.frags {
		if d.Reader != f {
			continue
		}
		for i := range p.axes {
			meets := false
			for _, s := range p.axes[i].ranges {
				meets = meets || s.lo <= d.box.Hi[i] && d.box.Lo[i] <= s.hi
			}
			if !meets {
				return false
			}
		}
		return true
	}
	return false
}

// denseJob reads n cells of a dense result.
type denseJob struct {
	*reading
	plan    *densePlan
	from, n uint64
	units   []denseUnit
	// shown has what fragments show of every unit, for fields that all of them have.
	shown [][]pieces
	// over has the cells of sparse fragments; nil when there are none.
	over *overlay
	// mask has a byte per cell, 0 for those that do not satisfy the condition; nil without one.
	mask    []byte
	columns []Column
	lent    []lent
}

// run returns the columns, or the number of cells that fit the capacities when those are less than n.
func (j *denseJob) run(ctx context.Context) (columns []Column, fit uint64, err error) {
	defer j.close()
	j.units = j.plan.spread(j.plan.units(j.from, j.from+j.n), j.threads)
	j.shown = make([][]pieces, len(j.units))
	err = parallel(ctx, j.threads, len(j.units), func(_ context.Context, i int) error {
		j.shown[i] = j.plan.visible(&j.units[i], func(*denseFragment) bool { return true })
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if err := j.layOver(ctx); err != nil {
		return nil, 0, err
	}
	if err := j.evaluate(ctx); err != nil {
		return nil, 0, err
	}
	vars := make([]*varField, len(j.outs))
	defer func() {
		for _, v := range vars {
			v.close(j)
		}
	}()
	fit = j.n
	for i, o := range j.outs {
		if !o.Var() {
			continue
		}
		if vars[i], err = j.measure(ctx, o); err != nil {
			return nil, 0, err
		}
		fit = min(fit, vars[i].fit(o))
	}
	if fit < j.n {
		return nil, fit, nil
	}
	if err := j.allocate(vars); err != nil {
		return nil, 0, err
	}
	if err := j.fill(ctx, vars); err != nil {
		for _, c := range j.columns {
			j.unbook(c)
		}
		return nil, 0, err
	}
	return j.columns, fit, nil
}

func (j *denseJob) close() {
	for i := range j.lent {
		j.giveBack(&j.lent[i])
	}
}

// room lends memory for the time of the job.
func (j *denseJob) room(n int) ([]byte, error) {
	l, err := j.lend(n)
	if err != nil {
		return nil, err
	}
	j.lent = append(j.lent, l)
	return l.b.B, nil
}

func (j *denseJob) allocate(vars []*varField) error {
	for i, o := range j.outs {
		size := j.n * uint64(o.width)
		if o.Var() {
			size = vars[i].starts[j.n]
		}
		c, err := j.newColumn(o, j.n, size)
		if err != nil {
			for _, done := range j.columns {
				j.unbook(done)
			}
			j.columns = nil
			return err
		}
		j.columns = append(j.columns, c)
	}
	return nil
}

// fill puts the cells into the columns: one task per unit and field, and one per dimension.
func (j *denseJob) fill(ctx context.Context, vars []*varField) error {
	nOuts := len(j.outs)
	if err := j.ahead(); err != nil {
		return err
	}
	err := parallel(ctx, j.threads, len(j.units)*nOuts, func(ctx context.Context, task int) error {
		u, i := task/nOuts, task%nOuts
		o := j.outs[i]
		switch {
		case o.Dimension:
			j.coords(&j.units[u], o, j.columns[i].Data)
			return nil
		case o.Var():
			if err := j.copyVar(ctx, u, vars[i], o, &j.columns[i]); err != nil {
				return err
			}
		default:
			if err := j.copyFixed(ctx, u, o, format.FixedFile, j.columns[i].Data); err != nil {
				return err
			}
		}
		if o.Nullable {
			return j.copyFixed(ctx, u, o, format.ValidityFile, j.columns[i].Validity)
		}
		return nil
	})
	if err == nil {
		err = j.fillOverlay(ctx, vars)
	}
	if err != nil {
		return err
	}
	return parallel(ctx, j.threads, nOuts, func(_ context.Context, i int) error {
		o, c := j.outs[i], &j.columns[i]
		if o.Var() {
			o.putOffsets(c.Offsets, 0, vars[i].starts[:j.n], 0)
			o.putExtra(c.Offsets, int(j.n), vars[i].starts[j.n])
		}
		if j.mask != nil && !o.Dimension {
			j.applyMask(o, c)
		}
		return nil
	})
}

// ahead tells the files of fixed fields which tiles fill will read, for backends far away.
func (j *denseJob) ahead() error {
	if len(j.plan.frags) == 0 || !j.plan.frags[0].Far() {
		return nil
	}
	for _, o := range j.outs {
		if o.Dimension {
			continue
		}
		tiles := map[*fragment.Field][]uint64{}
		for u := range j.units {
			for _, piece := range j.piecesOf(u, o) {
				if piece.frag == nil || piece.none {
					continue
				}
				source, err := fieldIn(piece.frag.Reader, &o.Field)
				if err != nil {
					return err
				}
				if source != nil {
					tiles[source] = append(tiles[source], piece.tile)
				}
			}
		}
		for source, list := range tiles {
			if !o.Var() {
				j.files.Ahead(source, format.FixedFile, list)
			}
			if o.Nullable && source.Nullable {
				j.files.Ahead(source, format.ValidityFile, list)
			}
		}
	}
	return nil
}

// applyMask puts the fill value where the condition does not hold.
func (j *denseJob) applyMask(o *outField, c *Column) {
	for i, m := range j.mask {
		if m != 0 {
			continue
		}
		if !o.Var() {
			copy(c.Data[i*o.width:(i+1)*o.width], o.fill)
		}
		if o.Nullable {
			c.Validity[i] = o.fillValid
		}
	}
}

// piecesOf returns what fragments show of a field of a unit.
func (j *denseJob) piecesOf(unit int, o *outField) []pieces {
	for _, f := range j.plan.frags {
		if !has(&o.Field)(f) {
			return j.plan.visible(&j.units[unit], has(&o.Field))
		}
	}
	return j.shown[unit]
}

// has reports whether a fragment holds cells of the array's field.
func has(field *schema.Field) func(f *denseFragment) bool {
	return func(f *denseFragment) bool {
		s, err := fieldIn(f.Reader, field)
		return err == nil && s != nil
	}
}

// copyFixed puts the fixed cells, or the validity bytes, of a unit into a column.
func (j *denseJob) copyFixed(ctx context.Context, unit int, o *outField, kind format.FileKind, dst []byte) error {
	u := &j.units[unit]
	width, fill := o.width, o.fill
	if kind == format.ValidityFile {
		width, fill = 1, []byte{o.fillValid}
	}
	for _, piece := range j.piecesOf(unit, o) {
		var source *fragment.Field
		if piece.frag != nil && !piece.none {
			var err error
			if source, err = fieldIn(piece.frag.Reader, &o.Field); err != nil {
				return err
			}
			if kind == format.ValidityFile && !source.Nullable {
				source, fill = nil, []byte{1}
			}
		}
		if source == nil {
			for i := range piece.boxes {
				j.plan.newBoxCopy(u.tile, &piece.boxes[i]).fill(dst, fill)
			}
			if kind == format.ValidityFile {
				fill = []byte{o.fillValid}
			}
			continue
		}
		sink := &boxSink{dst: dst, width: width}
		wanted := j.plan.walks(u, &piece, sink, width)
		if err := source.Chunks(ctx, &j.files, piece.tile, kind, wanted, sink); err != nil {
			return err
		}
	}
	return nil
}

// walks makes the walks over the boxes of a piece and returns which cells of the tile they want.
func (p *densePlan) walks(u *denseUnit, piece *pieces, sink *boxSink, width int) []fragment.Run {
	var wanted []fragment.Run
	for i := range piece.boxes {
		c := p.newBoxCopy(u.tile, &piece.boxes[i])
		sink.copies = append(sink.copies, c)
		wanted = c.wanted(wanted, max(1, (32<<10)/width))
	}
	return joinRuns(wanted, len(piece.boxes) > 1)
}

// coords writes the coordinates of a unit's cells.
func (j *denseJob) coords(u *denseUnit, o *outField, dst []byte) {
	d := o.Index
	for i := range u.boxes {
		b := &u.boxes[i]
		line := datatype.AlignedBytes(int(b.hi[d]-b.lo[d]+1) * o.width)
		for k := range b.hi[d] - b.lo[d] + 1 {
			putCoord(line[int(k)*o.width:], o.width, j.plan.firstCoord(d)+b.lo[d]+k)
		}
		j.plan.spreadLine(b, d, line, dst, o.width)
	}
}

// spreadLine writes line, which has a cell for every step of a box along dimension d, to all cells of the box.
func (p *densePlan) spreadLine(b *denseBox, d int, line, dst []byte, width int) {
	fast := p.slowFirst[len(p.slowFirst)-1]
	at := append([]uint64(nil), b.lo...)
	step := int(b.strides[fast])
	n := int(b.hi[fast] - b.lo[fast] + 1)
	for {
		place := b.dst
		for e := range at {
			place += (at[e] - b.lo[e]) * b.strides[e]
		}
		if d == fast {
			copyRow(dst, line, int(place), step, width)
		} else {
			k := int(at[d]-b.lo[d]) * width
			cell := line[k : k+width]
			if step == 1 {
				fillCells(dst[int(place)*width:(int(place)+n)*width], cell)
			} else {
				for i := range n {
					copy(dst[(int(place)+i*step)*width:], cell)
				}
			}
		}
		k := len(p.slowFirst) - 2
		for ; k >= 0; k-- {
			e := p.slowFirst[k]
			if at[e]++; at[e] <= b.hi[e] {
				break
			}
			at[e] = b.lo[e]
		}
		if k < 0 {
			return
		}
	}
}
