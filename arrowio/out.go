package arrowio

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	arrowarray "github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
)

// outColumn turns result columns of one field into Arrow arrays. Bytes that are the same in both are shared.
type outColumn struct {
	field schema.Field
	arrow arrow.Field
	form  form
	// labels is the dictionary of a field with an enumeration.
	labels  arrow.Array
	nLabels uint64
}

func newOutColumn(f schema.Field, e *schema.Enumeration) (*outColumn, error) {
	c := &outColumn{field: f}
	var err error
	if c.arrow, c.form, err = arrowField(&f, e); err != nil || e == nil {
		return c, err
	}
	c.nLabels = uint64(e.Len())
	label := schema.Field{Name: e.Name, Type: e.Type, CellValNum: e.CellValNum}
	col := query.Column{Data: e.Data}
	if label.Var() {
		col.Offsets = datatype.Bytes(append(append([]uint64{}, e.Offsets...), uint64(len(e.Data))))
	}
	values, err := newOutColumn(label, nil)
	if err != nil {
		return nil, err
	}
	if values.form == formTexts && isText(e.Type) { // 32-bit offsets, as the dictionary's type says
		if len(e.Data) > math.MaxInt32 {
			return nil, fmt.Errorf("%w: the labels of enumeration %q exceed 2 GiB", ErrInvalid, e.Name)
		}
		c.labels = smallStrings(e)
		return c, nil
	}
	c.labels, err = values.array(&col, e.Len())
	return c, err
}

func smallStrings(e *schema.Enumeration) arrow.Array {
	b := arrowarray.NewStringBuilder(memory.DefaultAllocator)
	for i := range e.Len() {
		b.Append(string(e.Label(i)))
	}
	return b.NewArray()
}

// array returns n cells of a result column as an Arrow array. Offsets have an extra last element.
func (c *outColumn) array(col *query.Column, n int) (arrow.Array, error) {
	bitmap, nulls := c.validity(col, n)
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(col.Data)}
	if nulls > 0 {
		buffers[0] = memory.NewBufferBytes(bitmap)
	}
	var children []arrow.ArrayData
	size := c.field.Type.Size()
	switch c.form {
	case formBool:
		buffers[1] = memory.NewBufferBytes(bits(col.Data, n))
	case formNarrow:
		low, err := c.narrow(col.Data, bitmap, n)
		if err != nil {
			return nil, err
		}
		buffers[1] = memory.NewBufferBytes(low)
	case formTexts:
		buffers = []*memory.Buffer{buffers[0], memory.NewBufferBytes(offsetsOf(col)), memory.NewBufferBytes(col.Data)}
	case formLists, formFixedLists:
		inner := arrowarray.NewData(numbers[c.field.Type.Kind()], len(col.Data)/size, []*memory.Buffer{nil, memory.NewBufferBytes(col.Data)}, nil, 0, 0)
		children = []arrow.ArrayData{inner}
		buffers = buffers[:1]
		if c.form == formLists {
			offsets, data := listOffsets(col, bitmap, nulls, size, n)
			children[0] = arrowarray.NewData(numbers[c.field.Type.Kind()], len(data)/size, []*memory.Buffer{nil, memory.NewBufferBytes(data)}, nil, 0, 0)
			buffers = []*memory.Buffer{buffers[0], memory.NewBufferBytes(datatype.Bytes(offsets))}
		}
	case formLabels:
		indexes := arrowarray.MakeFromData(arrowarray.NewData(numbers[c.field.Type.Kind()], n, buffers, nil, nulls, 0))
		return arrowarray.NewDictionaryArray(c.arrow.Type, indexes, c.labels), nil
	}
	return arrowarray.MakeFromData(arrowarray.NewData(c.arrow.Type, n, buffers, children, nulls, 0)), nil
}

// offsetsOf returns a column's offsets; of no cells a single 0.
func offsetsOf(col *query.Column) []byte {
	if len(col.Offsets) == 0 {
		return make([]byte, 8)
	}
	return col.Offsets
}

// listOffsets returns where lists begin and end, in values, and the values: null lists have none, as Parquet demands.
func listOffsets(col *query.Column, bitmap []byte, nulls, size, n int) ([]uint64, []byte) {
	given := datatype.View[uint64](offsetsOf(col))
	if col.Offsets == nil && n > 0 { // cells of equal size
		given = make([]uint64, n+1)
		for i := range given {
			given[i] = uint64(i * (len(col.Data) / n))
		}
	}
	offsets, data := make([]uint64, n+1), col.Data
	if nulls > 0 {
		data = datatype.AlignedBytes(len(data))[:0]
	}
	for i := range n {
		if nulls > 0 && bitutil.BitIsSet(bitmap, i) {
			data = append(data, col.Data[given[i]:given[i+1]]...)
		}
		if offsets[i+1] = uint64(len(data) / size); nulls == 0 {
			offsets[i+1] = given[i+1] / uint64(size)
		}
	}
	return offsets, data
}

// bits packs one byte a value into one bit.
func bits(b []byte, n int) []byte {
	out := make([]byte, bitutil.BytesForBits(int64(n)))
	for i := range n {
		if b[i] != 0 {
			bitutil.SetBit(out, i)
		}
	}
	return out
}

// validity returns the bitmap of the cells that are not null and how many are. Dates that are none are null, and so are
// values without a label.
func (c *outColumn) validity(col *query.Column, n int) ([]byte, int) {
	bitmap := make([]byte, bitutil.BytesForBits(int64(n)))
	nulls := n
	for i := range n {
		if col.Validity == nil || col.Validity[i] != 0 {
			bitutil.SetBit(bitmap, i)
			nulls--
		}
	}
	drop := func(i int) {
		if bitutil.BitIsSet(bitmap, i) {
			bitutil.ClearBit(bitmap, i)
			nulls++
		}
	}
	switch {
	case c.form == formLabels:
		size := c.field.Type.Size()
		for i := range n {
			if schema.LabelIndex(col.Data[i*size:(i+1)*size], c.field.Type.Kind()) >= c.nLabels {
				drop(i)
			}
		}
	case (c.form == formPlain || c.form == formNarrow) && (c.field.Type.IsDateTime() || c.field.Type.IsTime()):
		for i, v := range datatype.View[int64](col.Data) {
			if v == cells.NaT {
				drop(i)
			}
		}
	}
	return bitmap, nulls
}

// narrow returns the values in 32 bits. The error names a value that does not fit.
func (c *outColumn) narrow(data, bitmap []byte, n int) ([]byte, error) {
	out := make([]int32, n)
	for i, v := range datatype.View[int64](data) {
		if !bitutil.BitIsSet(bitmap, i) {
			continue
		}
		if v < math.MinInt32 || v > math.MaxInt32 {
			return nil, fmt.Errorf("%w: field %q: %d of type %v does not fit Arrow's %s", ErrInvalid, c.field.Name, v, c.field.Type, c.arrow.Type)
		}
		out[i] = int32(v)
	}
	return datatype.Bytes(out), nil
}
