package arrowio

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"azulejo/datatype"
	"azulejo/schema"
)

// typeKey is the key of the metadata of Arrow fields that names the TileDB type they came from.
const typeKey = "tiledb:type"

// plain maps types of one value a cell to Arrow types of the same width.
var plain = map[datatype.Type]arrow.DataType{
	datatype.Int8: arrow.PrimitiveTypes.Int8, datatype.Int16: arrow.PrimitiveTypes.Int16, datatype.Int32: arrow.PrimitiveTypes.Int32,
	datatype.Int64: arrow.PrimitiveTypes.Int64, datatype.Uint8: arrow.PrimitiveTypes.Uint8, datatype.Uint16: arrow.PrimitiveTypes.Uint16,
	datatype.Uint32: arrow.PrimitiveTypes.Uint32, datatype.Uint64: arrow.PrimitiveTypes.Uint64,
	datatype.Float32: arrow.PrimitiveTypes.Float32, datatype.Float64: arrow.PrimitiveTypes.Float64,
	datatype.DateTimeSec: &arrow.TimestampType{Unit: arrow.Second}, datatype.DateTimeMS: &arrow.TimestampType{Unit: arrow.Millisecond},
	datatype.DateTimeUS: &arrow.TimestampType{Unit: arrow.Microsecond}, datatype.DateTimeNS: &arrow.TimestampType{Unit: arrow.Nanosecond},
	datatype.TimeUS: arrow.FixedWidthTypes.Time64us, datatype.TimeNS: arrow.FixedWidthTypes.Time64ns,
}

// narrow maps types of 64 bits to Arrow types of 32 bits.
var narrow = map[datatype.Type]arrow.DataType{
	datatype.DateTimeDay: arrow.FixedWidthTypes.Date32, datatype.TimeSec: arrow.FixedWidthTypes.Time32s, datatype.TimeMS: arrow.FixedWidthTypes.Time32ms,
}

// numbers maps element kinds to the Arrow type of their numbers.
var numbers = map[datatype.Kind]arrow.DataType{
	datatype.KindInt8: arrow.PrimitiveTypes.Int8, datatype.KindInt16: arrow.PrimitiveTypes.Int16, datatype.KindInt32: arrow.PrimitiveTypes.Int32,
	datatype.KindInt64: arrow.PrimitiveTypes.Int64, datatype.KindUint8: arrow.PrimitiveTypes.Uint8, datatype.KindUint16: arrow.PrimitiveTypes.Uint16,
	datatype.KindUint32: arrow.PrimitiveTypes.Uint32, datatype.KindUint64: arrow.PrimitiveTypes.Uint64,
	datatype.KindFloat32: arrow.PrimitiveTypes.Float32, datatype.KindFloat64: arrow.PrimitiveTypes.Float64,
}

// form is how the cells of a field are laid out in Arrow.
type form uint8

const (
	// formPlain cells have the same bytes in both.
	formPlain form = iota
	// formNarrow cells have 64 bits in the array and 32 in Arrow.
	formNarrow
	formBool
	// formTexts are var-sized cells of bytes, formBinary fixed ones.
	formTexts
	formBinary
	// formLists are var-sized cells of numbers, formFixedLists fixed ones of several numbers.
	formLists
	formFixedLists
	formLabels
)

// isText tells types that hold characters one byte wide in UTF-8 or ASCII.
func isText(t datatype.Type) bool {
	return t == datatype.StringUTF8 || t == datatype.StringASCII || t == datatype.GeomWKT
}

// isBytes tells types whose values are bytes rather than numbers.
func isBytes(t datatype.Type) bool {
	return isText(t) || t == datatype.Char || t == datatype.Blob || t == datatype.GeomWKB || t == datatype.Any
}

// arrowType returns the Arrow type of a field without an enumeration, and its form.
func arrowType(f *schema.Field) (arrow.DataType, form) {
	number := numbers[f.Type.Kind()]
	switch {
	case f.Var() && isText(f.Type):
		return arrow.BinaryTypes.LargeString, formTexts
	case f.Var() && isBytes(f.Type):
		return arrow.BinaryTypes.LargeBinary, formTexts
	case f.Var():
		return arrow.LargeListOfNonNullable(number), formLists
	case isBytes(f.Type):
		return &arrow.FixedSizeBinaryType{ByteWidth: f.CellSize()}, formBinary
	case f.CellValNum > 1:
		return arrow.FixedSizeListOfNonNullable(int32(f.CellValNum), number), formFixedLists
	case f.Type == datatype.Bool:
		return arrow.FixedWidthTypes.Boolean, formBool
	case narrow[f.Type] != nil:
		return narrow[f.Type], formNarrow
	case plain[f.Type] != nil:
		return plain[f.Type], formPlain
	}
	return number, formPlain
}

// arrowField describes a field of an array in Arrow. e is its enumeration, or nil.
func arrowField(f *schema.Field, e *schema.Enumeration) (arrow.Field, form, error) {
	dtype, shape := arrowType(f)
	if e != nil {
		label := &schema.Field{Name: e.Name, Type: e.Type, CellValNum: e.CellValNum}
		value, _ := arrowType(label)
		if value.ID() == arrow.LARGE_STRING { // as TileDB-Py: labels are few and short
			value = arrow.BinaryTypes.String
		}
		if f.Var() || f.CellValNum != 1 || !f.Type.IsInteger() {
			return arrow.Field{}, 0, fmt.Errorf("%w: field %q: an enumeration of %v cells has no Arrow type", ErrInvalid, f.Name, f.Type)
		}
		dtype, shape = &arrow.DictionaryType{IndexType: numbers[f.Type.Kind()], ValueType: value, Ordered: e.Ordered}, formLabels
	}
	// Dates that are none are null in Arrow, so that dates can always be.
	nullable := f.Nullable || (f.Type.IsDateTime() || f.Type.IsTime()) && !f.Var() && f.CellValNum == 1
	return arrow.Field{
		Name: f.Name, Type: dtype, Nullable: nullable || shape == formLabels, Metadata: arrow.MetadataFrom(map[string]string{typeKey: f.Type.String()}),
	}, shape, nil
}

// unitTypes maps the units of Arrow's timestamps, and of its times and durations, to ours.
var (
	momentTypes = map[arrow.TimeUnit]datatype.Type{
		arrow.Second: datatype.DateTimeSec, arrow.Millisecond: datatype.DateTimeMS, arrow.Microsecond: datatype.DateTimeUS, arrow.Nanosecond: datatype.DateTimeNS,
	}
	timeTypes = map[arrow.TimeUnit]datatype.Type{
		arrow.Second: datatype.TimeSec, arrow.Millisecond: datatype.TimeMS, arrow.Microsecond: datatype.TimeUS, arrow.Nanosecond: datatype.TimeNS,
	}
)

// plainTypes maps Arrow types without parameters to ours.
var plainTypes = map[arrow.Type]datatype.Type{
	arrow.INT8: datatype.Int8, arrow.INT16: datatype.Int16, arrow.INT32: datatype.Int32, arrow.INT64: datatype.Int64,
	arrow.UINT8: datatype.Uint8, arrow.UINT16: datatype.Uint16, arrow.UINT32: datatype.Uint32, arrow.UINT64: datatype.Uint64,
	arrow.FLOAT32: datatype.Float32, arrow.FLOAT64: datatype.Float64, arrow.BOOL: datatype.Bool,
	arrow.DATE32: datatype.DateTimeDay, arrow.DATE64: datatype.DateTimeMS,
}

// fieldOf returns the field that holds a column of an Arrow type: its type and number of values. Of dictionaries it
// describes the indexes.
func fieldOf(col arrow.Field) (schema.Field, error) {
	f := schema.Field{Name: col.Name, CellValNum: 1}
	switch t := col.Type.(type) {
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType:
		f.Type, f.CellValNum = datatype.StringUTF8, datatype.VarNum
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType:
		f.Type, f.CellValNum = datatype.Char, datatype.VarNum
	case *arrow.FixedSizeBinaryType:
		f.Type, f.CellValNum = datatype.Char, uint32(t.ByteWidth)
	case *arrow.TimestampType:
		f.Type = momentTypes[t.Unit]
	case *arrow.Time32Type:
		f.Type = timeTypes[t.Unit]
	case *arrow.Time64Type:
		f.Type = timeTypes[t.Unit]
	case *arrow.DurationType:
		f.Type = timeTypes[t.Unit]
	case *arrow.DictionaryType:
		f.Type = plainTypes[t.IndexType.ID()]
		if label, err := fieldOf(arrow.Field{Name: col.Name, Type: t.ValueType}); err != nil || label.Type != datatype.StringUTF8 {
			return f, unmappable(col, "only texts can be labels of an enumeration")
		}
	case *arrow.ListType, *arrow.LargeListType, *arrow.FixedSizeListType:
		element := t.(arrow.ListLikeType).Elem()
		inner, ok := plainTypes[element.ID()]
		if !ok || inner == datatype.Bool || inner.IsDateTime() {
			return f, unmappable(col, "cells can be lists of numbers only")
		}
		f.Type, f.CellValNum = inner, datatype.VarNum
		if fixed, ok := t.(*arrow.FixedSizeListType); ok {
			f.CellValNum = uint32(fixed.Len())
		}
	case *arrow.Decimal32Type, *arrow.Decimal64Type, *arrow.Decimal128Type, *arrow.Decimal256Type:
		return f, unmappable(col, "arrays hold no decimals; cast the column to float64 or to a whole number")
	case *arrow.NullType:
		return f, unmappable(col, "all its values are null, so that its type is unknown")
	default:
		var ok bool
		if f.Type, ok = plainTypes[t.ID()]; !ok {
			return f, unmappable(col, "arrays have no such type")
		}
	}
	if f.CellValNum == 0 {
		return f, unmappable(col, "its cells are empty")
	}
	restoreType(&f, col)
	return f, nil
}

// restoreType gives f the type that the column had in the array it came from, when that fits its values.
func restoreType(f *schema.Field, col arrow.Field) {
	name, _ := col.Metadata.GetValue(typeKey)
	t, ok := datatype.Parse(name)
	if !ok || t == f.Type {
		return
	}
	was := *f
	was.Type = t
	dtype, _ := arrowType(&was)
	temporal := t.IsDateTime() || t.IsTime()
	switch {
	case arrow.TypeEqual(dtype, col.Type), isBytes(t) && isBytes(f.Type), temporal && col.Type.ID() == arrow.INT64:
		f.Type = t
	case f.CellValNum != 1 && !temporal && !isBytes(t) && t.Kind() == f.Type.Kind(): // lists of characters
		f.Type = t
	}
}

func unmappable(col arrow.Field, why string) error {
	return fmt.Errorf("%w: column %s of type %s: %s", ErrInvalid, strconv.Quote(col.Name), col.Type, why)
}
