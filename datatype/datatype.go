// Package datatype describes the element types of TileDB's format: one row per type with its code, name, width,
// Go kind and fill value, and the generic views that turn tile bytes into typed slices.
//
// It is the only package of the library that uses unsafe. All multi-byte values are little-endian, as on disk and as
// on every platform this library builds for.
package datatype

import (
	"fmt"
	"strings"
)

// Type is a TileDB datatype; its value is the code stored on disk (format_spec/array_schema.md).
type Type uint8

// The datatypes of format version 22, with their stored codes.
const (
	Int32         Type = 0
	Int64         Type = 1
	Float32       Type = 2
	Float64       Type = 3
	Char          Type = 4
	Int8          Type = 5
	Uint8         Type = 6
	Int16         Type = 7
	Uint16        Type = 8
	Uint32        Type = 9
	Uint64        Type = 10
	StringASCII   Type = 11
	StringUTF8    Type = 12
	StringUTF16   Type = 13
	StringUTF32   Type = 14
	StringUCS2    Type = 15
	StringUCS4    Type = 16
	Any           Type = 17
	DateTimeYear  Type = 18
	DateTimeMonth Type = 19
	DateTimeWeek  Type = 20
	DateTimeDay   Type = 21
	DateTimeHR    Type = 22
	DateTimeMin   Type = 23
	DateTimeSec   Type = 24
	DateTimeMS    Type = 25
	DateTimeUS    Type = 26
	DateTimeNS    Type = 27
	DateTimePS    Type = 28
	DateTimeFS    Type = 29
	DateTimeAS    Type = 30
	TimeHR        Type = 31
	TimeMin       Type = 32
	TimeSec       Type = 33
	TimeMS        Type = 34
	TimeUS        Type = 35
	TimeNS        Type = 36
	TimePS        Type = 37
	TimeFS        Type = 38
	TimeAS        Type = 39
	Blob          Type = 40
	Bool          Type = 41
	GeomWKB       Type = 42
	GeomWKT       Type = 43
)

// VarNum is the number of values per cell that marks a variable-length field.
const VarNum uint32 = 0xFFFFFFFF

// Kind is the Go element kind a type is computed with.
type Kind uint8

// The element kinds.
const (
	KindInt8 Kind = iota
	KindInt16
	KindInt32
	KindInt64
	KindUint8
	KindUint16
	KindUint32
	KindUint64
	KindFloat32
	KindFloat64
)

// Info is the row of one datatype.
type Info struct {
	Code Type
	// Name is the upper-case name used on the wire and in dumps, such as "INT32" or "DATETIME_NS".
	Name string
	// Size is the width of one value in bytes.
	Size int
	// Kind is how single values are compared and computed.
	Kind Kind
	// Fill is the default fill value of one value, Size bytes, little-endian. It must not be modified.
	Fill []byte
	// Dimension tells whether a dimension may have this type.
	Dimension bool
}

var (
	minInt64 = []byte{0, 0, 0, 0, 0, 0, 0, 0x80}
	zero1    = []byte{0}
)

// table has one row per datatype, indexed by code.
var table = [...]Info{
	Int32:         {Int32, "INT32", 4, KindInt32, []byte{0, 0, 0, 0x80}, true},
	Int64:         {Int64, "INT64", 8, KindInt64, minInt64, true},
	Float32:       {Float32, "FLOAT32", 4, KindFloat32, []byte{0, 0, 0xC0, 0x7F}, true},
	Float64:       {Float64, "FLOAT64", 8, KindFloat64, []byte{0, 0, 0, 0, 0, 0, 0xF8, 0x7F}, true},
	Char:          {Char, "CHAR", 1, KindInt8, []byte{0x80}, false},
	Int8:          {Int8, "INT8", 1, KindInt8, []byte{0x80}, true},
	Uint8:         {Uint8, "UINT8", 1, KindUint8, []byte{0xFF}, true},
	Int16:         {Int16, "INT16", 2, KindInt16, []byte{0, 0x80}, true},
	Uint16:        {Uint16, "UINT16", 2, KindUint16, []byte{0xFF, 0xFF}, true},
	Uint32:        {Uint32, "UINT32", 4, KindUint32, []byte{0xFF, 0xFF, 0xFF, 0xFF}, true},
	Uint64:        {Uint64, "UINT64", 8, KindUint64, []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, true},
	StringASCII:   {StringASCII, "STRING_ASCII", 1, KindUint8, zero1, true},
	StringUTF8:    {StringUTF8, "STRING_UTF8", 1, KindUint8, zero1, false},
	StringUTF16:   {StringUTF16, "STRING_UTF16", 2, KindUint16, []byte{0, 0}, false},
	StringUTF32:   {StringUTF32, "STRING_UTF32", 4, KindUint32, []byte{0, 0, 0, 0}, false},
	StringUCS2:    {StringUCS2, "STRING_UCS2", 2, KindUint16, []byte{0, 0}, false},
	StringUCS4:    {StringUCS4, "STRING_UCS4", 4, KindUint32, []byte{0, 0, 0, 0}, false},
	Any:           {Any, "ANY", 1, KindUint8, zero1, false},
	DateTimeYear:  {DateTimeYear, "DATETIME_YEAR", 8, KindInt64, minInt64, true},
	DateTimeMonth: {DateTimeMonth, "DATETIME_MONTH", 8, KindInt64, minInt64, true},
	DateTimeWeek:  {DateTimeWeek, "DATETIME_WEEK", 8, KindInt64, minInt64, true},
	DateTimeDay:   {DateTimeDay, "DATETIME_DAY", 8, KindInt64, minInt64, true},
	DateTimeHR:    {DateTimeHR, "DATETIME_HR", 8, KindInt64, minInt64, true},
	DateTimeMin:   {DateTimeMin, "DATETIME_MIN", 8, KindInt64, minInt64, true},
	DateTimeSec:   {DateTimeSec, "DATETIME_SEC", 8, KindInt64, minInt64, true},
	DateTimeMS:    {DateTimeMS, "DATETIME_MS", 8, KindInt64, minInt64, true},
	DateTimeUS:    {DateTimeUS, "DATETIME_US", 8, KindInt64, minInt64, true},
	DateTimeNS:    {DateTimeNS, "DATETIME_NS", 8, KindInt64, minInt64, true},
	DateTimePS:    {DateTimePS, "DATETIME_PS", 8, KindInt64, minInt64, true},
	DateTimeFS:    {DateTimeFS, "DATETIME_FS", 8, KindInt64, minInt64, true},
	DateTimeAS:    {DateTimeAS, "DATETIME_AS", 8, KindInt64, minInt64, true},
	TimeHR:        {TimeHR, "TIME_HR", 8, KindInt64, minInt64, true},
	TimeMin:       {TimeMin, "TIME_MIN", 8, KindInt64, minInt64, true},
	TimeSec:       {TimeSec, "TIME_SEC", 8, KindInt64, minInt64, true},
	TimeMS:        {TimeMS, "TIME_MS", 8, KindInt64, minInt64, true},
	TimeUS:        {TimeUS, "TIME_US", 8, KindInt64, minInt64, true},
	TimeNS:        {TimeNS, "TIME_NS", 8, KindInt64, minInt64, true},
	TimePS:        {TimePS, "TIME_PS", 8, KindInt64, minInt64, true},
	TimeFS:        {TimeFS, "TIME_FS", 8, KindInt64, minInt64, true},
	TimeAS:        {TimeAS, "TIME_AS", 8, KindInt64, minInt64, true},
	Blob:          {Blob, "BLOB", 1, KindUint8, zero1, false},
	Bool:          {Bool, "BOOL", 1, KindUint8, zero1, false},
	GeomWKB:       {GeomWKB, "GEOM_WKB", 1, KindUint8, zero1, false},
	GeomWKT:       {GeomWKT, "GEOM_WKT", 1, KindUint8, zero1, false},
}

// Valid reports whether t is a known datatype.
func (t Type) Valid() bool { return int(t) < len(table) }

// Info returns the row of t. It panics when t is not Valid, which decoders check first.
func (t Type) Info() *Info { return &table[t] }

// Size returns the width of one value in bytes.
func (t Type) Size() int { return table[t].Size }

// Kind returns the element kind values of t are computed with.
func (t Type) Kind() Kind { return table[t].Kind }

// Fill returns the default fill value of one value. The slice must not be modified.
func (t Type) Fill() []byte { return table[t].Fill }

// String returns the upper-case name, or a text with the code when t is unknown.
func (t Type) String() string {
	if !t.Valid() {
		return fmt.Sprintf("datatype(%d)", uint8(t))
	}
	return table[t].Name
}

// IsDateTime reports whether t is one of the DATETIME types.
func (t Type) IsDateTime() bool { return t >= DateTimeYear && t <= DateTimeAS }

// IsTime reports whether t is one of the TIME types.
func (t Type) IsTime() bool { return t >= TimeHR && t <= TimeAS }

// IsString reports whether t is one of the character string types (CHAR is not).
func (t Type) IsString() bool { return t >= StringASCII && t <= StringUCS4 }

// IsFloat reports whether t is FLOAT32 or FLOAT64.
func (t Type) IsFloat() bool { return t == Float32 || t == Float64 }

// IsInteger reports whether t is one of the eight plain integer types.
func (t Type) IsInteger() bool {
	return t == Int32 || t == Int64 || t >= Int8 && t <= Uint64
}

// Parse returns the type of an upper- or lower-case name such as "INT32" or "datetime_ns".
func Parse(name string) (Type, bool) {
	for i := range table {
		if strings.EqualFold(table[i].Name, name) {
			return Type(i), true
		}
	}
	return 0, false
}

// Signed reports whether k is a signed integer kind.
func (k Kind) Signed() bool { return k <= KindInt64 }

// Float reports whether k is a floating point kind.
func (k Kind) Float() bool { return k >= KindFloat32 }

// Size returns the width of k in bytes.
func (k Kind) Size() int {
	return [...]int{1, 2, 4, 8, 1, 2, 4, 8, 4, 8}[k]
}
