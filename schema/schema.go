// Package schema holds the values that describe an array: its domain, dimensions, attributes, enumerations, current
// domain and the rules they obey. It does no I/O; package format turns these values into file bytes and back.
//
// A schema that was checked (Check) is immutable and safe for concurrent use.
package schema

import (
	"errors"

	"azulejo/datatype"
	"azulejo/filter"
)

// ErrInvalid is wrapped by every error for a schema, domain or evolution that breaks a rule.
var ErrInvalid = errors.New("invalid schema")

// ArrayType tells dense from sparse; the value is the stored one.
type ArrayType uint8

// The array types.
const (
	Dense  ArrayType = 0
	Sparse ArrayType = 1
)

// Layout is an order of cells or tiles; the value is the stored one.
type Layout uint8

// The layouts. Schemas store RowMajor, ColMajor and, for cells, Hilbert; queries also use GlobalOrder and Unordered.
const (
	RowMajor    Layout = 0
	ColMajor    Layout = 1
	GlobalOrder Layout = 2
	Unordered   Layout = 3
	Hilbert     Layout = 4
)

// Order tells whether the values of a dimension label or attribute are known to be sorted.
type Order uint8

// The data orders.
const (
	UnorderedData  Order = 0
	IncreasingData Order = 1
	DecreasingData Order = 2
)

// Array describes one version of an array's schema (format_spec/array_schema.md).
type Array struct {
	// Name is the schema's file name in __schema, "__t1_t2_uuid"; empty before it is stored.
	Name string
	// Version is the format version the schema was stored with.
	Version    uint32
	Type       ArrayType
	AllowsDups bool
	TileOrder  Layout
	CellOrder  Layout
	Capacity   uint64
	// CoordsFilters is used by dimensions that have no filters of their own.
	CoordsFilters   filter.Pipeline
	OffsetsFilters  filter.Pipeline
	ValidityFilters filter.Pipeline
	Domain          Domain
	Attributes      []Attribute
	Labels          []DimensionLabel
	// EnumerationFiles maps every enumeration's name to its file name in __schema/__enumerations.
	EnumerationFiles map[string]string
	// EnumerationNames lists the names of EnumerationFiles in stored order.
	EnumerationNames []string
	// Enumerations holds those that were loaded, by name.
	Enumerations map[string]*Enumeration
	// CurrentDomain restricts the domain in use; nil or Empty when there is none.
	CurrentDomain *CurrentDomain
}

// Domain is the ordered list of dimensions.
type Domain struct {
	Dimensions []Dimension
}

// Dimension is one axis of an array.
type Dimension struct {
	Name string
	Type datatype.Type
	// CellValNum is 1, or datatype.VarNum for STRING_ASCII.
	CellValNum uint32
	// Domain is lo and hi concatenated, 2*Type.Size() bytes; empty for var-sized dimensions.
	Domain []byte
	// Extent is the tile extent, Type.Size() bytes, or nil when the dimension has none.
	Extent  []byte
	Filters filter.Pipeline
}

// Attribute is one value field of every cell.
type Attribute struct {
	// Name may be empty: the anonymous attribute.
	Name string
	Type datatype.Type
	// CellValNum is the number of values per cell, or datatype.VarNum.
	CellValNum uint32
	Nullable   bool
	Filters    filter.Pipeline
	// Fill is the fill value of one cell, CellValNum*Type.Size() bytes (Type.Size() times any count when var-sized).
	Fill []byte
	// FillValid is the validity of the fill value of a nullable attribute.
	FillValid bool
	Order     Order
	// Enumeration is the name of the enumeration whose labels the values index, or "".
	Enumeration string
}

// DimensionLabel describes a labels array that belongs to a dimension; AddLabel makes one.
type DimensionLabel struct {
	Dimension uint32
	Name      string
	// URI is relative to the array when Relative is set.
	URI        string
	Relative   bool
	Attribute  string
	Order      Order
	Type       datatype.Type
	CellValNum uint32
	Domain     []byte
	External   bool
	// Array is the schema that the labels' array is to be made with, in a schema that was not stored yet; nil for the one
	// that LabelArray makes up.
	Array *Array
}

// Enumeration is a named list of distinct labels (format_spec/enumeration.md). Immutable once checked.
type Enumeration struct {
	Name string
	// File is the file name under __schema/__enumerations; empty before it is stored.
	File       string
	Type       datatype.Type
	CellValNum uint32
	Ordered    bool
	// Data is the labels' bytes back to back.
	Data []byte
	// Offsets has the byte position of every label in Data when var-sized (no extra element), else nil.
	Offsets []uint64
}

// CurrentDomain is the part of the domain in use: one range per dimension (format_spec/current_domain.md).
type CurrentDomain struct {
	// Empty means that no current domain is set.
	Empty bool
	// Ranges has one entry per dimension.
	Ranges []Range
}

// Range is an inclusive range of one dimension: the bytes of its ends, Type.Size() each or texts of any length.
type Range struct {
	Lo, Hi []byte
}

// Field names an attribute or a dimension of a schema together with what readers and writers need of it.
type Field struct {
	Name       string
	Type       datatype.Type
	CellValNum uint32
	Nullable   bool
	// Dimension tells a dimension from an attribute; Index is its position among its like.
	Dimension bool
	Index     int
}

// Var reports whether cells of the field have variable length.
func (f *Field) Var() bool { return f.CellValNum == datatype.VarNum }

// CellSize returns the bytes of one cell of a fixed-size field; 8 (one offset) for var-sized fields.
func (f *Field) CellSize() int {
	if f.Var() {
		return 8
	}
	return int(f.CellValNum) * f.Type.Size()
}

// Evolution is a set of changes that makes a new schema out of an old one.
type Evolution struct {
	AddAttributes      []Attribute
	DropAttributes     []string
	AddEnumerations    []*Enumeration
	ExtendEnumerations []*Enumeration
	DropEnumerations   []string
	// ExpandCurrentDomain is the new, larger current domain, or nil.
	ExpandCurrentDomain *CurrentDomain
	// Timestamp in milliseconds since 1970 for the new schema file, or 0 for now.
	Timestamp uint64
}
