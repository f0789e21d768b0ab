package consolidate

import (
	"azulejo/datatype"
	"azulejo/fragment"
	"azulejo/query"
	"azulejo/schema"
)

// column is one field of some cells. Var cell i is data[offsets[i]:offsets[i+1]].
type column struct {
	field    schema.Field
	data     []byte
	offsets  []uint64
	validity []byte
}

// portion is a number of cells, in the order they are written in.
type portion struct {
	columns []column
	cells   int
}

// newPortion takes over the columns of a result; offsets have their extra element.
func newPortion(fields []schema.Field, r *query.Result) *portion {
	p := &portion{columns: make([]column, len(fields)), cells: int(r.Cells)}
	for i := range fields {
		c := &r.Columns[i]
		p.columns[i] = column{field: fields[i], data: c.Data, validity: c.Validity}
		if fields[i].Var() {
			p.columns[i].offsets = datatype.View[uint64](c.Offsets)
		}
	}
	return p
}

// slice provides cells lo to hi of a column without copying values.
func (c *column) slice(lo, hi int, out *fragment.Cells) {
	out.Slice(&c.field, c.data, c.offsets, c.validity, lo, hi)
}

// copyTo appends cells lo to hi to a column that owns its memory.
func (c *column) copyTo(to *column, lo, hi int) {
	if c.validity != nil {
		to.validity = append(to.validity, c.validity[lo:hi]...)
	}
	if !c.field.Var() {
		size := c.field.CellSize()
		to.data = append(to.data, c.data[lo*size:hi*size]...)
		return
	}
	if len(to.offsets) == 0 {
		to.offsets = append(to.offsets, 0)
	}
	base := uint64(len(to.data)) - c.offsets[lo] // wraps, and back
	for _, off := range c.offsets[lo+1 : hi+1] {
		to.offsets = append(to.offsets, off+base)
	}
	to.data = append(to.data, c.data[c.offsets[lo]:c.offsets[hi]]...)
}

// queue holds cells until they fill tiles: those left of earlier portions, copied, and the newest portion.
type queue struct {
	left, fresh portion
}

func newQueue(fields []schema.Field) *queue {
	q := &queue{left: portion{columns: make([]column, len(fields))}}
	for i := range fields {
		q.left.columns[i].field = fields[i]
	}
	q.fresh.columns = q.left.columns
	return q
}

// cells returns the number of cells in the queue.
func (q *queue) cells() int { return q.left.cells + q.fresh.cells }

// add puts a portion behind the cells that are there. The queue keeps it until shift.
func (q *queue) add(p *portion) { q.fresh = *p }

// shift takes the first n cells out and copies the others, so that the newest portion's memory is free.
func (q *queue) shift(n int) {
	from := max(n-q.left.cells, 0)
	next := portion{columns: make([]column, len(q.left.columns)), cells: q.cells() - n}
	for i := range next.columns {
		next.columns[i].field = q.left.columns[i].field
		if n < q.left.cells {
			q.left.columns[i].copyTo(&next.columns[i], n, q.left.cells)
		}
		if from < q.fresh.cells {
			q.fresh.columns[i].copyTo(&next.columns[i], from, q.fresh.cells)
		}
	}
	q.left, q.fresh = next, portion{columns: next.columns}
}

// fill provides cells lo to hi of the queue of one field.
func (q *queue) fill(field, lo, hi int, out *fragment.Cells) {
	n := q.left.cells
	switch {
	case hi <= n:
		q.left.columns[field].slice(lo, hi, out)
	case lo >= n:
		q.fresh.columns[field].slice(lo-n, hi-n, out)
	default:
		joined := column{field: q.left.columns[field].field}
		q.left.columns[field].copyTo(&joined, lo, n)
		q.fresh.columns[field].copyTo(&joined, 0, hi-n)
		joined.slice(0, hi-lo, out)
	}
}
