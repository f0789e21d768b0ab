package arrowio

import (
	"context"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
)

// mask leaves the cells of a dense read that do not satisfy a condition out of a table. A dense read has a cell for every
// coordinate and fills those in, which is right for a matrix and wrong for rows.
type mask struct {
	checked *condition.Checked
	// from has the position among the read's columns of every field that the condition looks at.
	from []int
}

// newMask takes the condition of a dense read out of it and adds the fields that it needs.
func newMask(ctx context.Context, a *array.Array, q *query.Read, batch int64) (*mask, error) {
	if q.Condition == nil || a.Schema.Type != schema.Dense {
		return nil, nil
	}
	s := a.Schema
	if names := q.Condition.EnumerationNames(s); len(names) > 0 {
		var err error
		if s, err = a.WithEnumerations(ctx, s, names...); err != nil {
			return nil, err
		}
	}
	checked, err := q.Condition.Check(s)
	if err != nil {
		return nil, err
	}
	m := &mask{checked: checked}
	for _, f := range checked.Fields() {
		at := 0
		for at < len(q.Fields) && q.Fields[at].Name != f.Name {
			at++
		}
		if at == len(q.Fields) {
			q.Fields = append(q.Fields, query.Want{Name: f.Name, DataCap: batch, OffsetsCap: batch, ValidityCap: batch})
		}
		m.from = append(m.from, at)
	}
	q.Condition = nil
	return m, nil
}

// apply leaves cells out of a result, whose offsets have an extra element.
func (m *mask) apply(s *schema.Array, r *query.Result) error {
	keep := make([]byte, r.Cells)
	for i := range keep {
		keep[i] = 1
	}
	columns := make([]condition.Column, len(m.from))
	for i, at := range m.from {
		c := &r.Columns[at]
		columns[i] = condition.Column{Data: c.Data, Validity: c.Validity}
		if c.Offsets != nil {
			columns[i].Offsets = datatype.View[uint64](c.Offsets)
		}
	}
	if err := m.checked.Evaluate(columns, keep); err != nil {
		return err
	}
	n := 0
	for _, k := range keep {
		n += int(k)
	}
	if n == len(keep) {
		return nil
	}
	for i := range r.Columns {
		f, _ := s.Field(r.Columns[i].Name)
		compact(&r.Columns[i], &f, keep, n)
	}
	r.Cells = uint64(n)
	return nil
}

// compact keeps the n cells of a column whose byte in keep is set.
func compact(c *query.Column, f *schema.Field, keep []byte, n int) {
	if c.Validity != nil {
		valid := make([]byte, 0, n)
		for i, k := range keep {
			if k != 0 {
				valid = append(valid, c.Validity[i])
			}
		}
		c.Validity = valid
	}
	data := datatype.AlignedBytes(len(c.Data))[:0]
	if !f.Var() {
		size := f.CellSize()
		for i, k := range keep {
			if k != 0 {
				data = append(data, c.Data[i*size:(i+1)*size]...)
			}
		}
		c.Data = data
		return
	}
	given, offsets := datatype.View[uint64](c.Offsets), make([]uint64, 1, n+1)
	for i, k := range keep {
		if k != 0 {
			data = append(data, c.Data[given[i]:given[i+1]]...)
			offsets = append(offsets, uint64(len(data)))
		}
	}
	c.Data, c.Offsets = data, datatype.Bytes(offsets)
}
