package cells

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
)

// Table is the result of a read together with the types of its columns. It is safe for concurrent use as long as nobody
// writes to the memory of its columns.
type Table struct {
	// Result has the columns as bytes, with 64-bit byte offsets without an extra element.
	Result *query.Result
	fields []schema.Field
}

// Read answers a whole read. Without fields and aggregates it reads all attributes and, of sparse arrays, all dimensions;
// q.Offsets is not used. The error is that of query.Run, or wraps query.ErrInvalid when q's limits do not take all
// cells: Parts takes them in portions.
func Read(ctx context.Context, a *array.Array, q *query.Read) (*Table, error) {
	t, err := read(ctx, a, prepared(a, q))
	if err == nil && t.Result.Next != nil {
		return nil, fmt.Errorf("%w: the cells exceed the read's limits; use Parts to take them in portions", query.ErrInvalid)
	}
	return t, err
}

// Parts answers a read in portions that keep the limits of q's fields and budget, one table each until all cells were
// given. The loop ends after an error. Aggregates come with the last table.
func Parts(ctx context.Context, a *array.Array, q *query.Read) iter.Seq2[*Table, error] {
	return func(yield func(*Table, error) bool) {
		for q := prepared(a, q); ; {
			t, err := read(ctx, a, q)
			if err == nil && t.Result.Next != nil && t.Result.Cells == 0 {
				err = fmt.Errorf("%w: the read's limits do not take a single cell", query.ErrInvalid)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(t, nil) || t.Result.Next == nil {
				return
			}
			q.Resume = t.Result.Next
		}
	}
}

// prepared returns a copy of q that asks for what a Table needs.
func prepared(a *array.Array, q *query.Read) *query.Read {
	own := *q
	own.Offsets = query.OffsetsFormat{}
	if len(own.Fields) == 0 && len(own.Aggregates) == 0 {
		var names []string
		if a.Schema.Type == schema.Sparse {
			for i := range a.Schema.Domain.Dimensions {
				names = append(names, a.Schema.Domain.Dimensions[i].Name)
			}
		}
		for i := range a.Schema.Attributes {
			names = append(names, a.Schema.Attributes[i].Name)
		}
		own.Fields = Fields(names...)
	}
	return &own
}

func read(ctx context.Context, a *array.Array, q *query.Read) (*Table, error) {
	result, err := query.Run(ctx, a, q)
	if err != nil {
		return nil, err
	}
	t := &Table{Result: result}
	for _, want := range q.Fields {
		f, _ := a.Schema.Field(want.Name)
		t.fields = append(t.fields, f)
	}
	if len(result.Columns) == len(q.Fields) {
		return t, nil
	}
	for _, agg := range q.Aggregates {
		f, err := query.AggregateField(a.Schema, agg)
		if err != nil {
			return nil, err
		}
		f.Name = agg.Output
		t.fields = append(t.fields, f)
	}
	return t, nil
}

// ReadInto reads one field of one number a cell straight into dst and returns the number of cells read and, when dst did
// not take all, where q.Resume goes on. q.Fields and q.Alloc are not used. The error wraps query.ErrInvalid when T
// is not the field's kind.
func ReadInto[T datatype.Element](ctx context.Context, a *array.Array, q *query.Read, name string, dst []T) (int, *query.State, error) {
	memory := datatype.Bytes(dst)
	own := *q
	own.Aggregates = nil
	own.Fields = []query.Want{{Name: name, DataCap: int64(len(memory)), ValidityCap: -1}}
	first := true
	own.Alloc = func(n int) []byte {
		// The cells' own column is asked for before their validity.
		if whole, ok := datatype.Alias[uint64](memory); first && n <= len(memory) && ok && (whole != nil || n == 0) {
			first = false
			return memory[:n:n]
		}
		return datatype.AlignedBytes(n)
	}
	t, err := read(ctx, a, &own)
	if err != nil {
		return 0, nil, err
	}
	v, err := Values[T](t, name)
	if err != nil {
		return 0, nil, err
	}
	if len(v) > 0 && &v[0] != &dst[0] {
		copy(dst, v)
	}
	return int(t.Result.Cells), t.Result.Next, nil
}

// Len returns the number of cells, aggregates not counted.
func (t *Table) Len() int { return int(t.Result.Cells) }

// column returns a column and its field.
func (t *Table) column(name string) (*query.Column, *schema.Field, error) {
	for i := range t.fields {
		if t.fields[i].Name == name {
			return &t.Result.Columns[i], &t.fields[i], nil
		}
	}
	return nil, nil, fmt.Errorf("%w: the read returned no field %q", query.ErrInvalid, name)
}

// Values returns the numbers of a fixed-size column, those of cells with several values back to back, sharing the
// result's memory. Null cells have any value: look at Valid. The error wraps query.ErrInvalid.
func Values[T datatype.Element](t *Table, name string) ([]T, error) {
	c, f, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if f.Var() || f.Type.Kind() != datatype.KindOf[T]() {
		return nil, mismatch(f, "numbers of type "+strings.ToLower(datatype.TypeOf[T]().String()))
	}
	return datatype.View[T](c.Data), nil
}

// Value returns the single number of an aggregate's column, and false when it is null. The error wraps
// query.ErrInvalid.
func Value[T datatype.Element](t *Table, name string) (value T, valid bool, err error) {
	v, err := Values[T](t, name)
	if err != nil {
		return value, false, err
	}
	if len(v) != 1 {
		return value, false, fmt.Errorf("%w: field %q has %d values, not one", query.ErrInvalid, name, len(v))
	}
	c, _, err := t.column(name)
	return v[0], err == nil && (c.Validity == nil || c.Validity[0] != 0), err
}

// Flags returns the cells of a BOOL column.
func Flags(t *Table, name string) ([]bool, error) {
	c, f, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if f.Var() || f.Type.Size() != 1 {
		return nil, mismatch(f, "bools")
	}
	return bools(c.Data), nil
}

// Valid returns which cells of a nullable column are not null; nil when the field is not nullable.
func Valid(t *Table, name string) ([]bool, error) {
	c, _, err := t.column(name)
	if err != nil || c.Validity == nil {
		return nil, err
	}
	return bools(c.Validity), nil
}

func bools(b []byte) []bool {
	out := make([]bool, len(b))
	for i := range b {
		out[i] = b[i] != 0
	}
	return out
}

// ByteSlices returns the bytes of every cell of a column of any type, sharing the result's memory.
func ByteSlices(t *Table, name string) ([][]byte, error) {
	c, f, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if !f.Var() {
		out := make([][]byte, len(c.Data)/f.CellSize())
		for i := range out {
			out[i] = c.Data[i*f.CellSize() : (i+1)*f.CellSize() : (i+1)*f.CellSize()]
		}
		return out, nil
	}
	offsets := datatype.View[uint64](c.Offsets)
	out := make([][]byte, len(offsets))
	for i, start := range offsets {
		end := uint64(len(c.Data))
		if i+1 < len(offsets) {
			end = offsets[i+1]
		}
		out[i] = c.Data[start:end:end]
	}
	return out, nil
}

// Strings returns the cells of a column of single-byte characters (STRING_UTF8, STRING_ASCII, CHAR, BLOB, GEOM_WKT and
// like), null cells as empty texts. All share one copy of the column.
func Strings(t *Table, name string) ([]string, error) {
	c, f, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if f.Type.Size() != 1 || f.Type.IsInteger() {
		return nil, mismatch(f, "texts")
	}
	text := string(c.Data)
	pieces, err := ByteSlices(t, name)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(pieces))
	at := 0
	for i, p := range pieces {
		if c.Validity == nil || c.Validity[i] != 0 {
			out[i] = text[at : at+len(p)]
		}
		at += len(p)
	}
	return out, nil
}

// ListsOf returns the numbers of every cell of a var-sized column or of one with several values a cell, sharing the
// result's memory. The error wraps query.ErrInvalid.
func ListsOf[T datatype.Element](t *Table, name string) ([][]T, error) {
	c, f, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if f.Type.Kind() != datatype.KindOf[T]() {
		return nil, mismatch(f, "lists of type "+strings.ToLower(datatype.TypeOf[T]().String()))
	}
	pieces, err := ByteSlices(t, name)
	if err != nil {
		return nil, err
	}
	all := datatype.View[T](c.Data)
	out := make([][]T, len(pieces))
	at := 0
	for i, p := range pieces {
		n := len(p) / f.Type.Size()
		out[i] = all[at : at+n : at+n]
		at += n
	}
	return out, nil
}

// Labels returns the labels of an enumeration of texts that the values of a column stand for, null cells and values
// without a label as empty texts. a is the array that was read.
func Labels(ctx context.Context, a *array.Array, t *Table, name string) ([]string, error) {
	c, f, err := t.column(name)
	if err != nil {
		return nil, err
	}
	if f.Dimension || a.Schema.Attributes[f.Index].Enumeration == "" || f.Var() {
		return nil, mismatch(f, "labels of an enumeration")
	}
	e, err := a.Enumeration(ctx, a.Schema.Attributes[f.Index].Enumeration)
	if err != nil {
		return nil, err
	}
	labels := make([]string, e.Len())
	for i := range labels {
		labels[i] = string(e.Label(i))
	}
	size := f.Type.Size()
	out := make([]string, len(c.Data)/size)
	for i := range out {
		if v := schema.LabelIndex(c.Data[i*size:(i+1)*size], f.Type.Kind()); v < uint64(len(labels)) && (c.Validity == nil || c.Validity[i] != 0) {
			out[i] = labels[v]
		}
	}
	return out, nil
}
