package arrowio

import (
	"context"
	"fmt"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	arrowarray "github.com/apache/arrow-go/v18/arrow/array"

	"azulejo/array"
	"azulejo/query"
	"azulejo/schema"
)

// DefaultBatch is the number of bytes of one column of a batch when nothing else is said.
const DefaultBatch = 8 << 20

// Table is a read of an array as a stream of record batches.
type Table struct {
	// Schema describes the batches: one field for each of the read's.
	Schema  *arrow.Schema
	array   *array.Array
	query   query.Read
	columns []*outColumn
	mask    *mask
}

// NewTable prepares a read of q's fields, all attributes and dimensions when there are none; capacities below 0 and those
// of fields it chooses are set to batch bytes, 0 for DefaultBatch. Cells that do not satisfy a condition are left out, of
// dense arrays too. Enumerations are read now. The error wraps query.ErrInvalid, condition.ErrInvalid or ErrInvalid.
func NewTable(ctx context.Context, a *array.Array, q *query.Read, batch int64) (*Table, error) {
	if batch <= 0 {
		batch = DefaultBatch
	}
	t := &Table{array: a, query: *q}
	t.query.Aggregates, t.query.Alloc, t.query.Resume = nil, nil, nil
	t.query.Offsets = query.OffsetsFormat{Extra: true}
	t.query.Fields = append([]query.Want(nil), q.Fields...)
	if len(q.Fields) == 0 {
		for _, name := range a.Schema.FieldNames() {
			t.query.Fields = append(t.query.Fields, query.Want{Name: name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1})
		}
	}
	var fields []arrow.Field
	for i := range t.query.Fields {
		w := &t.query.Fields[i]
		for _, limit := range []*int64{&w.DataCap, &w.OffsetsCap, &w.ValidityCap} {
			if *limit < 0 {
				*limit = batch
			}
		}
		f, ok := a.Schema.Field(w.Name)
		if !ok {
			return nil, fmt.Errorf("%w: the array has no field %q", query.ErrInvalid, w.Name)
		}
		c, err := columnOf(ctx, a, f)
		if err != nil {
			return nil, err
		}
		t.columns = append(t.columns, c)
		fields = append(fields, c.arrow)
	}
	t.Schema = arrow.NewSchema(fields, nil)
	var err error
	t.mask, err = newMask(ctx, a, &t.query, batch)
	return t, err
}

// columnOf returns the column of a field, with its enumeration.
func columnOf(ctx context.Context, a *array.Array, f schema.Field) (*outColumn, error) {
	if f.Dimension || a.Schema.Attributes[f.Index].Enumeration == "" {
		return newOutColumn(f, nil)
	}
	e, err := a.Enumeration(ctx, a.Schema.Attributes[f.Index].Enumeration)
	if err != nil {
		return nil, err
	}
	return newOutColumn(f, e)
}

// Records reads the cells from the beginning, in batches of at most the capacities. The batches need no release: their
// memory is Go's. The sequence ends after an error. arrow-go's array.ReaderFromIter makes a RecordReader of it.
func (t *Table) Records(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		q := t.query
		for {
			batch, next, err := t.next(ctx, &q)
			if err != nil {
				yield(nil, err)
				return
			}
			if batch.NumRows() > 0 && !yield(batch, nil) || next == nil {
				return
			}
			q.Resume = next
		}
	}
}

func (t *Table) next(ctx context.Context, q *query.Read) (arrow.RecordBatch, *query.State, error) {
	result, err := query.Run(ctx, t.array, q)
	if err != nil {
		return nil, nil, err
	}
	if result.Next != nil && result.Cells == 0 {
		return nil, nil, fmt.Errorf("%w: a cell is larger than the %d bytes of a batch", query.ErrInvalid, q.Fields[0].DataCap)
	}
	if t.mask != nil {
		if err := t.mask.apply(t.array.Schema, result); err != nil {
			return nil, nil, err
		}
	}
	columns := make([]arrow.Array, len(t.columns))
	for i, c := range t.columns {
		if columns[i], err = c.array(&result.Columns[i], int(result.Cells)); err != nil {
			return nil, nil, err
		}
	}
	return arrowarray.NewRecordBatch(t.Schema, columns, int64(result.Cells)), result.Next, nil
}
