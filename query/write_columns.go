package query

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"azulejo/datatype"
	"azulejo/schema"
)

// column is a checked column of a write: its cells in the form that fragments store.
type column struct {
	field schema.Field
	// cells is the number of cells.
	cells int
	data  []byte
	// offsets has the byte position of every var-sized cell in data, without an extra element; nil when fixed.
	offsets  []uint64
	validity []byte
}

// end returns the position behind var-sized cell i.
func (c *column) end(i int) uint64 {
	if i+1 < len(c.offsets) {
		return c.offsets[i+1]
	}
	return uint64(len(c.data))
}

// coords returns the column of a dimension for ordering and bounding.
func (c *column) coords() schema.Coords { return schema.Coords{Data: c.data, Offsets: c.offsets} }

// checkColumns returns the columns of the wanted fields in their order. The errors wrap ErrInvalid and name the field:
// unknown, missing, given twice, or damaged in itself. Columns share the memory of the query's.
func checkColumns(s *schema.Array, fields []schema.Field, given []Column, format OffsetsFormat) ([]column, error) {
	place := make(map[string]int, len(given))
	for i := range given {
		name := given[i].Name
		f, known := s.Field(name)
		switch _, twice := place[name]; {
		case !known:
			return nil, fmt.Errorf("%w: the array has no field %q", ErrInvalid, name)
		case twice:
			return nil, fmt.Errorf("%w: field %q is given twice", ErrInvalid, name)
		case f.Dimension && s.Type == schema.Dense:
			return nil, fmt.Errorf("%w: writes to dense arrays take no coordinates, but dimension %q is given", ErrInvalid, name)
		}
		place[name] = i
	}
	if format.Bits != 0 && format.Bits != 32 && format.Bits != 64 {
		return nil, fmt.Errorf("%w: offsets of %d bits", ErrInvalid, format.Bits)
	}
	cols := make([]column, len(fields))
	for i, f := range fields {
		at, ok := place[f.Name]
		if !ok {
			return nil, fmt.Errorf("%w: no values for field %q; a write needs every attribute, and every dimension when sparse", ErrInvalid, f.Name)
		}
		c, err := checkColumn(f, &given[at], format)
		if err != nil {
			return nil, fmt.Errorf("%w: field %q: %w", ErrInvalid, f.Name, err)
		}
		if cols[i] = c; !f.Dimension {
			if err := c.checkOrder(s.Attributes[f.Index].Order); err != nil {
				return nil, err
			}
		}
	}
	return cols, nil
}

// CheckFields checks the columns, at least one, of a write that brings only some of the fields of its cells, each by itself,
// and with domain whether their coordinates lie in it. It returns the number of cells. The error wraps ErrInvalid.
func CheckFields(s *schema.Array, columns []Column, format OffsetsFormat, domain bool) (cells int, err error) {
	fields := make([]schema.Field, len(columns))
	for i := range columns {
		fields[i], _ = s.Field(columns[i].Name)
	}
	cols, err := checkColumns(s, fields, columns, format)
	if err != nil {
		return 0, err
	}
	for i := range cols {
		if f := &cols[i].field; domain && f.Dimension && !f.Var() {
			if err := checkDomain(&s.Domain.Dimensions[f.Index], &cols[i]); err != nil {
				return 0, err
			}
		}
	}
	return checkLengths(cols)
}

// checkOrder tells whether every value is beyond the one before it, as the values of a dimension label must be.
func (c *column) checkOrder(order schema.Order) error {
	if order == schema.UnorderedData {
		return nil
	}
	value := schema.Dimension{Type: c.field.Type, CellValNum: c.field.CellValNum}
	for i := 1; i < c.cells; i++ {
		if r := value.Compare(c.value(i-1), c.value(i)); r == 0 || r > 0 != (order == schema.DecreasingData) {
			return fmt.Errorf("%w: field %q: value %d is not beyond the one before it, as the order of the attribute demands", ErrInvalid, c.field.Name, i)
		}
	}
	return nil
}

// value returns the bytes of cell i.
func (c *column) value(i int) []byte {
	if c.field.Var() {
		return c.data[c.offsets[i]:c.end(i)]
	}
	size := c.field.CellSize()
	return c.data[i*size : (i+1)*size]
}

// checkLengths tells whether all columns have the same number of cells, and returns it.
func checkLengths(cols []column) (int, error) {
	for i := range cols {
		if cols[i].cells != cols[0].cells {
			return 0, fmt.Errorf("%w: field %q has %d cells, but field %q has %d",
				ErrInvalid, cols[i].field.Name, cols[i].cells, cols[0].field.Name, cols[0].cells)
		}
	}
	return cols[0].cells, nil
}

func checkColumn(f schema.Field, given *Column, format OffsetsFormat) (c column, err error) {
	c = column{field: f, data: given.Data, validity: given.Validity}
	if f.Var() {
		if c.offsets, err = byteOffsets(given, f.Type.Size(), format); err != nil {
			return c, err
		}
		c.cells = len(c.offsets)
	} else {
		size := f.CellSize()
		if len(given.Data)%size != 0 {
			return c, fmt.Errorf("%d bytes are no whole number of cells of %d bytes", len(given.Data), size)
		}
		if len(given.Offsets) > 0 {
			return c, fmt.Errorf("offsets for cells of fixed size")
		}
		c.cells = len(given.Data) / size
	}
	switch {
	case !f.Nullable && len(given.Validity) > 0:
		return c, fmt.Errorf("validity for a field that is not nullable")
	case !f.Nullable:
		c.validity = nil
	case len(given.Validity) != c.cells:
		return c, fmt.Errorf("%d validity bytes for %d cells", len(given.Validity), c.cells)
	}
	return c, nil
}

// byteOffsets returns a column's offsets as byte positions without an extra element, checked to rise and to stay in the
// data. It shares the column's memory when the form allows it.
func byteOffsets(given *Column, valueSize int, format OffsetsFormat) ([]uint64, error) {
	size := uint64(valueSize)
	if uint64(len(given.Data))%size != 0 {
		return nil, fmt.Errorf("%d bytes of data are no whole number of values of %d bytes", len(given.Data), size)
	}
	offsets, err := wideOffsets(given.Offsets, format.Bits)
	if err != nil {
		return nil, err
	}
	unit := uint64(1)
	if format.Elements && size > 1 {
		if unit = size; format.Bits != 32 {
			offsets = append([]uint64(nil), offsets...) // the user's own
		}
		for i, off := range offsets {
			if off > math.MaxUint64/size {
				return nil, fmt.Errorf("offset %d, of cell %d, is out of range", off, i)
			}
			offsets[i] = off * size
		}
	}
	nBytes := uint64(len(given.Data))
	if format.Extra && nBytes+uint64(len(offsets)) > 0 {
		n := len(offsets) - 1
		if n < 0 {
			return nil, fmt.Errorf("the offsets lack their extra element")
		}
		if offsets[n] != nBytes {
			return nil, fmt.Errorf("the last offset: %d is not equal to the size of the data buffer: %d", offsets[n]/unit, nBytes/unit)
		}
		offsets = offsets[:n]
	}
	return offsets, checkOffsets(offsets, nBytes, size)
}

func checkOffsets(offsets []uint64, nBytes, valueSize uint64) error {
	var last uint64
	for i, off := range offsets {
		if off < last || off > nBytes || valueSize > 1 && off%valueSize != 0 {
			return badOffset(i, off, last, nBytes)
		}
		last = off
	}
	return nil
}

func badOffset(i int, off, last, nBytes uint64) error {
	switch {
	case off < last:
		return fmt.Errorf("offsets must be given in ascending order, but offset %d, of cell %d, follows %d", off, i, last)
	case off > nBytes:
		return fmt.Errorf("offset %d specified for cell %d of a buffer of size %d", off, i, nBytes)
	}
	return fmt.Errorf("offset %d, of cell %d, lies inside a value", off, i)
}

// wideOffsets returns offsets of 64 or 32 bits as 64-bit numbers; those of 32 bits are new memory.
func wideOffsets(b []byte, bits int) ([]uint64, error) {
	if bits != 32 {
		if len(b)%8 != 0 {
			return nil, fmt.Errorf("%d bytes are no whole number of 64-bit offsets", len(b))
		}
		return datatype.View[uint64](b), nil
	}
	if len(b)%4 != 0 {
		return nil, fmt.Errorf("%d bytes are no whole number of 32-bit offsets", len(b))
	}
	wide := make([]uint64, len(b)/4)
	for i := range wide {
		wide[i] = uint64(binary.LittleEndian.Uint32(b[i*4:]))
	}
	return wide, nil
}

// rangeText shows a range of a dimension in a message.
func rangeText(d *schema.Dimension, r schema.Range) string {
	return "[" + coordText(d, r.Lo) + ", " + coordText(d, r.Hi) + "]"
}

// cellText shows the coordinates of cell i, given as one column per dimension.
func cellText(s *schema.Array, dims []column, i int) string {
	texts := make([]string, len(dims))
	for d := range dims {
		c := &dims[d]
		var v []byte
		if c.field.Var() {
			v = c.data[c.offsets[i]:c.end(i)]
		} else {
			size := c.field.CellSize()
			v = c.data[i*size : (i+1)*size]
		}
		texts[d] = coordText(&s.Domain.Dimensions[d], v)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

var coordTexts = [...]func([]byte) string{
	datatype.KindInt8: numberText[int8], datatype.KindInt16: numberText[int16],
	datatype.KindInt32: numberText[int32], datatype.KindInt64: numberText[int64],
	datatype.KindUint8: numberText[uint8], datatype.KindUint16: numberText[uint16],
	datatype.KindUint32: numberText[uint32], datatype.KindUint64: numberText[uint64],
	datatype.KindFloat32: numberText[float32], datatype.KindFloat64: numberText[float64],
}

// coordText shows one coordinate.
func coordText(d *schema.Dimension, v []byte) string {
	if d.Var() {
		return fmt.Sprintf("%q", v)
	}
	return coordTexts[d.Type.Kind()](v)
}

func numberText[T datatype.Element](b []byte) string { return fmt.Sprint(datatype.View[T](b)[0]) }
