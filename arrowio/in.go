package arrowio

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	arrowarray "github.com/apache/arrow-go/v18/arrow/array"

	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
)

// inColumn collects cells of Arrow arrays into the column of one field.
type inColumn struct {
	field   schema.Field
	cells   int
	data    []byte
	offsets []uint64
	// validity is nil unless the field is nullable.
	validity []byte
	// labels maps the labels of the field's enumeration to their positions; nil without one.
	labels map[string]int
}

// size returns the bytes collected.
func (c *inColumn) size() int { return len(c.data) + 8*len(c.offsets) + len(c.validity) }

// reset forgets the cells and keeps the memory.
func (c *inColumn) reset() {
	c.cells, c.data, c.offsets, c.validity = 0, c.data[:0], c.offsets[:0], c.validity[:0]
}

// column returns what was collected; it shares memory that reset lets go.
func (c *inColumn) column() query.Column {
	col := query.Column{Name: c.field.Name, Data: c.data}
	if c.field.Var() {
		col.Offsets = datatype.Bytes(c.offsets)
	}
	if c.field.Nullable {
		col.Validity = c.validity
	}
	return col
}

// badCell is the error for cell i of an Arrow array, which append's callers turn into the row's place.
type badCell struct {
	i   int
	err error
}

// Error returns the cause.
func (b *badCell) Error() string { return b.err.Error() }

// Unwrap returns the cause.
func (b *badCell) Unwrap() error { return b.err }

func bad(i int, format string, args ...any) error {
	return &badCell{i, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)}
}

// append adds cells from (inclusive) to to (exclusive) of an Arrow array.
func (c *inColumn) append(arr arrow.Array, from, to int) error {
	for i := from; i < to && c.field.Nullable; i++ {
		valid := byte(1)
		if arr.IsNull(i) {
			valid = 0
		}
		c.validity = append(c.validity, valid)
	}
	var err error
	switch dict, isDict := arr.(*arrowarray.Dictionary); {
	case c.labels != nil:
		err = c.appendLabels(arr, from, to)
	case isDict:
		err = c.appendTexts(from, to, arr, texts(dict.Dictionary()), dict.GetValueIndex)
	case c.field.Var() && isBytes(c.field.Type), !c.field.Var() && c.field.CellSize() > 0 && isBytes(c.field.Type):
		get := texts(arr)
		if get == nil {
			return c.refuse(arr)
		}
		err = c.appendTexts(from, to, arr, get, nil)
	case c.field.Var() || c.field.CellValNum > 1:
		err = c.appendLists(arr, from, to)
	default:
		err = c.appendNumbers(arr, from, to)
	}
	c.cells += to - from
	return err
}

// refuse is the error for an array whose type cannot become the field's.
func (c *inColumn) refuse(arr arrow.Array) error {
	return fmt.Errorf("%w: column %q of type %s cannot be stored as %v", ErrInvalid, c.field.Name, arr.DataType(), c.field.Type)
}

// null handles a null cell of a field that has none: dates that are none are NaT, others are errors.
func (c *inColumn) null(i int) error {
	if c.field.Nullable || !c.field.Dimension && (c.field.Type.IsDateTime() || c.field.Type.IsTime()) {
		return nil
	}
	what := "an attribute that is not nullable"
	if c.field.Dimension {
		what = "a dimension"
	}
	return bad(i, "column %q is %s and cannot be null", c.field.Name, what)
}

// texts returns the accessor of the bytes of an array's cells, nil when they are not bytes.
func texts(arr arrow.Array) func(i int) []byte {
	switch a := arr.(type) {
	case *arrowarray.String:
		return func(i int) []byte { return []byte(a.Value(i)) }
	case *arrowarray.LargeString:
		return func(i int) []byte { return []byte(a.Value(i)) }
	case *arrowarray.StringView:
		return func(i int) []byte { return []byte(a.Value(i)) }
	case *arrowarray.Binary:
		return a.Value
	case *arrowarray.LargeBinary:
		return a.Value
	case *arrowarray.BinaryView:
		return a.Value
	case *arrowarray.FixedSizeBinary:
		return a.Value
	}
	return nil
}

// appendTexts adds cells of bytes; through, when not nil, maps a cell to its place among get's.
func (c *inColumn) appendTexts(from, to int, arr arrow.Array, get func(i int) []byte, through func(i int) int) error {
	if get == nil {
		return c.refuse(arr)
	}
	size := 0
	if !c.field.Var() {
		size = c.field.CellSize()
	}
	for i := from; i < to; i++ {
		if size == 0 {
			c.offsets = append(c.offsets, uint64(len(c.data)))
		}
		if arr.IsNull(i) {
			if err := c.null(i); err != nil {
				return err
			}
			c.data = append(c.data, make([]byte, size)...)
			continue
		}
		at := i
		if through != nil {
			at = through(i)
		}
		text := get(at)
		if size > 0 && len(text) != size {
			return bad(i, "column %q holds %d bytes, its cells %d", c.field.Name, len(text), size)
		}
		if c.field.Dimension && c.field.Type == datatype.StringASCII && !ascii(text) {
			return bad(i, "column %q: dimensions hold ASCII texts only, not %q", c.field.Name, text)
		}
		c.data = append(c.data, text...)
	}
	return nil
}

func ascii(b []byte) bool {
	for _, x := range b {
		if x >= 0x80 {
			return false
		}
	}
	return true
}

// appendLabels adds the positions of the labels that cells name.
func (c *inColumn) appendLabels(arr arrow.Array, from, to int) error {
	label := func(i int) []byte { return nil }
	var positions []int // of the array's own dictionary; -1 for labels that the enumeration lacks
	dict, isDict := arr.(*arrowarray.Dictionary)
	if isDict {
		get := texts(dict.Dictionary())
		if get == nil {
			return c.refuse(arr)
		}
		for i := range dict.Dictionary().Len() {
			at, ok := c.labels[string(get(i))]
			if !ok {
				at = -1
			}
			positions = append(positions, at)
		}
		label = func(i int) []byte { return get(dict.GetValueIndex(i)) }
	} else if label = texts(arr); label == nil {
		return c.refuse(arr)
	}
	size := c.field.Type.Size()
	for i := from; i < to; i++ {
		at := 0
		switch {
		case arr.IsNull(i):
			if err := c.null(i); err != nil {
				return err
			}
		case isDict:
			at = positions[dict.GetValueIndex(i)]
		default:
			var ok bool
			if at, ok = c.labels[string(label(i))]; !ok {
				at = -1
			}
		}
		if at < 0 {
			return bad(i, "column %q: the enumeration has no label %q; extend it first", c.field.Name, label(i))
		}
		c.data = append(c.data, datatype.Bytes([]uint64{uint64(at)})[:size]...)
	}
	return nil
}

// appendLists adds cells of several numbers.
func (c *inColumn) appendLists(arr arrow.Array, from, to int) error {
	lists, ok := arr.(arrowarray.ListLike)
	if !ok {
		return c.refuse(arr)
	}
	element := c.field
	element.CellValNum, element.Nullable, element.Dimension = 1, false, false
	values := inColumn{field: element, data: c.data}
	zero := make([]byte, c.field.Type.Size())
	for i := from; i < to; i++ {
		if c.field.Var() {
			c.offsets = append(c.offsets, uint64(len(values.data)))
		}
		if arr.IsNull(i) {
			if err := c.null(i); err != nil {
				return err
			}
			for n := uint32(0); !c.field.Var() && n < c.field.CellValNum; n++ {
				values.data = append(values.data, zero...)
			}
			continue
		}
		start, end := lists.ValueOffsets(i)
		if n := end - start; !c.field.Var() && n != int64(c.field.CellValNum) {
			return bad(i, "column %q has a list of %d numbers, its cells %d", c.field.Name, n, c.field.CellValNum)
		}
		if err := values.appendNumbers(lists.ListValues(), int(start), int(end)); err != nil {
			return bad(i, "%s", err)
		}
	}
	c.data = values.data
	return nil
}

// adders are the Arrow types of numbers, each with what adds cells of it.
var adders = map[arrow.Type]func(c *inColumn, arr arrow.Array, from, to int) error{
	arrow.INT8: appendValues[int8], arrow.INT16: appendValues[int16], arrow.INT32: appendValues[int32], arrow.INT64: appendValues[int64],
	arrow.UINT8: appendValues[uint8], arrow.UINT16: appendValues[uint16], arrow.UINT32: appendValues[uint32], arrow.UINT64: appendValues[uint64],
	arrow.FLOAT32: appendValues[float32], arrow.FLOAT64: appendValues[float64], arrow.BOOL: appendBools,
}

// appendNumbers adds cells of one number, converted to the field's type without loss.
func (c *inColumn) appendNumbers(arr arrow.Array, from, to int) error {
	if add, ok := adders[arr.DataType().ID()]; ok {
		return add(c, arr, from, to)
	}
	return c.appendTimes(arr, from, to)
}

// appendValues is appendNumbers for arrays of one Go type.
func appendValues[S datatype.Element](c *inColumn, arr arrow.Array, from, to int) error {
	values, ok := arr.(interface{ Values() []S })
	if !ok {
		return c.refuse(arr)
	}
	return appendFrom(c, arr, values.Values(), from, to, 1)
}

// appendBools is appendNumbers for truth values.
func appendBools(c *inColumn, arr arrow.Array, from, to int) error {
	a, ok := arr.(*arrowarray.Boolean)
	if !ok || c.field.Type != datatype.Bool && !c.field.Type.IsInteger() {
		return c.refuse(arr)
	}
	values := make([]uint8, to-from)
	for i := range values {
		if a.IsValid(from+i) && a.Value(from+i) {
			values[i] = 1
		}
	}
	return appendFrom(c, arrowarray.NewSlice(arr, int64(from), int64(to)), values, 0, len(values), 1)
}

// appendTimes adds cells of dates, times and durations; coarser units become finer ones.
func (c *inColumn) appendTimes(arr arrow.Array, from, to int) error {
	var given datatype.Type
	switch t := arr.DataType().(type) {
	case *arrow.Date32Type:
		given = datatype.DateTimeDay
	case *arrow.Date64Type:
		given = datatype.DateTimeMS
	case *arrow.TimestampType:
		given = momentTypes[t.Unit]
	case arrow.TemporalWithUnit:
		given = timeTypes[t.TimeUnit()]
	default:
		return c.refuse(arr)
	}
	up, ok := cells.Ratio(given, c.field.Type)
	if !ok || given.IsDateTime() != c.field.Type.IsDateTime() {
		return c.refuse(arr)
	}
	switch a := arr.(type) {
	case *arrowarray.Date32:
		return appendFrom(c, arr, datatype.View[int32](arrow.GetBytes(a.Date32Values())), from, to, up)
	case *arrowarray.Date64:
		return appendFrom(c, arr, datatype.View[int64](arrow.GetBytes(a.Date64Values())), from, to, up)
	case *arrowarray.Timestamp:
		return appendFrom(c, arr, datatype.View[int64](arrow.GetBytes(a.TimestampValues())), from, to, up)
	case *arrowarray.Time32:
		return appendFrom(c, arr, datatype.View[int32](arrow.GetBytes(a.Time32Values())), from, to, up)
	case *arrowarray.Time64:
		return appendFrom(c, arr, datatype.View[int64](arrow.GetBytes(a.Time64Values())), from, to, up)
	case *arrowarray.Duration:
		return appendFrom(c, arr, datatype.View[int64](arrow.GetBytes(a.DurationValues())), from, to, up)
	}
	return c.refuse(arr)
}

// appendFrom converts values of one Go type to the field's kind. factor multiplies whole numbers.
func appendFrom[S datatype.Element](c *inColumn, arr arrow.Array, v []S, from, to int, factor int64) error {
	if c.field.Type.Kind() == datatype.KindOf[S]() && factor == 1 && arr.NullN() == 0 {
		c.data = append(c.data, datatype.Bytes(v[from:to])...)
		return nil
	}
	switch c.field.Type.Kind() {
	case datatype.KindInt8:
		return convert[S, int8](c, arr, v, from, to, factor)
	case datatype.KindInt16:
		return convert[S, int16](c, arr, v, from, to, factor)
	case datatype.KindInt32:
		return convert[S, int32](c, arr, v, from, to, factor)
	case datatype.KindInt64:
		return convert[S, int64](c, arr, v, from, to, factor)
	case datatype.KindUint8:
		return convert[S, uint8](c, arr, v, from, to, factor)
	case datatype.KindUint16:
		return convert[S, uint16](c, arr, v, from, to, factor)
	case datatype.KindUint32:
		return convert[S, uint32](c, arr, v, from, to, factor)
	case datatype.KindUint64:
		return convert[S, uint64](c, arr, v, from, to, factor)
	case datatype.KindFloat32:
		return convert[S, float32](c, arr, v, from, to, factor)
	}
	return convert[S, float64](c, arr, v, from, to, factor)
}

// convert adds values as numbers of type D; one that does not come back equal is an error.
func convert[S, D datatype.Element](c *inColumn, arr arrow.Array, v []S, from, to int, factor int64) error {
	at := len(c.data)
	size := c.field.Type.Size()
	c.data = append(c.data, make([]byte, (to-from)*size)...)
	one := make([]D, 1)
	none := D(0)
	if c.field.Type.IsDateTime() || c.field.Type.IsTime() {
		nat := int64(math.MinInt64)
		none = D(nat)
	}
	for i := from; i < to; i++ {
		switch {
		case arr.IsNull(i):
			if err := c.null(i); err != nil {
				return err
			}
			one[0] = none
		default:
			one[0] = D(v[i])
			if !lossless(v[i], one[0]) {
				return bad(i, "column %q: %v does not fit %v", c.field.Name, v[i], c.field.Type)
			}
			if factor != 1 {
				wide := D(int64(one[0]) * factor)
				if int64(wide)/factor != int64(one[0]) {
					return bad(i, "column %q: %v does not fit %v", c.field.Name, v[i], c.field.Type)
				}
				one[0] = wide
			}
		}
		copy(c.data[at:], datatype.Bytes(one))
		at += size
	}
	return nil
}

// lossless reports whether a number and its conversion are equal but for the rounding of floats, or both no number.
func lossless[S, D datatype.Element](s S, d D) bool {
	if s != s {
		return d != d
	}
	if datatype.KindOf[S]().Float() && datatype.KindOf[D]().Float() { // rounding is no loss, running out of range is
		return math.IsInf(float64(d), 0) == math.IsInf(float64(s), 0)
	}
	return S(d) == s && (s < 0) == (d < 0)
}
