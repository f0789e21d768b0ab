package format

import (
	"errors"

	"azulejo/schema"
)

// FragmentMetadata is the whole content of a fragment metadata file (format_spec/fragment.md).
type FragmentMetadata struct {
	Footer
	// RTree has the bounding boxes of a sparse fragment's tiles; a dense fragment has a tree without levels.
	RTree *RTree
	// Fields has one entry per slot.
	Fields []FieldMetadata
	// ProcessedConditions are relative paths of delete commits that were applied already, sorted.
	ProcessedConditions []string
}

// FieldMetadata is what fragment metadata holds of one slot. All lists have one entry per tile; those that a field does
// not need are zeros on disk, or empty for mins, maxes, sums and null counts.
type FieldMetadata struct {
	// TileOffsets and VarOffsets are positions in the fixed and the var file, VarSizes the unfiltered sizes of var tiles,
	// ValidityOffsets positions in the validity file.
	TileOffsets, VarOffsets, VarSizes, ValidityOffsets []uint64
	Mins, Maxes                                        TileValues
	// Sums are int64, uint64 or the bits of a float64, by the field's type.
	Sums       []uint64
	NullCounts []uint64
	// Summary covers all tiles.
	Summary FieldSummary
}

// FieldSummary is a slot of the fragment summary.
type FieldSummary struct {
	Min, Max       []byte
	Sum, NullCount uint64
}

// TileValues is the list of one value per tile that mins and maxes are made of: values back to back in Fixed or, for var
// fields, 64-bit offsets into Var. Both empty when the field has no such values.
type TileValues struct {
	Fixed, Var []byte
}

// Value returns the value of tile i of n, sharing memory; varSized tells which form v has. It returns nil when there is
// none.
func (v TileValues) Value(i, n int, varSized bool) []byte { return nil }

// RTree holds the bounding boxes of tiles and of groups of them, root level first, tiles last (format_spec/fragment.md,
// R-Tree). Immutable, safe for concurrent use.
type RTree struct {
	Fanout uint32
	Levels []RTreeLevel
}

// RTreeLevel is a level of an R-tree: NumBoxes boxes, one column per dimension.
type RTreeLevel struct {
	NumBoxes int
	Columns  []RangeColumn
}

// RangeColumn is a list of ranges of one dimension. Of fixed dimensions Data is lo and hi of each back to back. Of text
// dimensions Data is all texts and Ends the position behind each: lo, hi, lo, hi.
type RangeColumn struct {
	Data []byte
	Ends []uint64
}

// Range returns range i, sharing memory; size is the number of bytes of a coordinate, unused for texts.
func (c *RangeColumn) Range(i, size int) schema.Range { return schema.Range{} }

// Append adds a range to the column of dimension d.
func (c *RangeColumn) Append(d *schema.Dimension, r schema.Range) {}

// Leaves returns the level that has the tiles' boxes, or nil when the tree is empty.
func (t *RTree) Leaves() *RTreeLevel {
	if len(t.Levels) == 0 {
		return nil
	}
	return &t.Levels[len(t.Levels)-1]
}

// NewRTree builds the tree over the tiles' boxes with libtiledb's fanout of 10. It keeps leaves.
func NewRTree(d *schema.Domain, leaves RTreeLevel) *RTree { return nil }

// Search calls tile for every tile whose box overlaps the ranges, one per dimension, in ascending order; full tells that
// the box lies inside them. It stops early when tile returns false.
func (t *RTree) Search(d *schema.Domain, ranges []schema.Range, tile func(i int, full bool) bool) {}

// EncodeFragmentMetadata returns the content of __fragment_metadata.tdb in version 22. The schema is m.Footer.Schema,
// its file name m.Footer.SchemaName; Version, Parts, Start and NBytes of the footer are ignored, and set by it.
func EncodeFragmentMetadata(m *FragmentMetadata) ([]byte, error) {
	return nil, errors.New("not written yet")
}

// DecodeFragmentMetadata decodes a whole fragment metadata file, all parts of it; version and schemaOf as for
// DecodeFooter. It also reads versions 1 and 2, which have no footer; dense is only used for those (they do not say).
func DecodeFragmentMetadata(file []byte, version uint32, dense bool, schemaOf func(name string) (*schema.Array, error)) (*FragmentMetadata, error) {
	return nil, errors.New("not written yet")
}

// DecodeNumbers decodes the generic tile of tile offsets, var offsets, var sizes, validity offsets, sums or null counts,
// of which b is the bytes found at PartExtent. Lists of places and sizes must have NumTiles entries; sums and null
// counts may have none.
func (f *Footer) DecodeNumbers(b []byte, part string, mayBeEmpty bool) ([]uint64, error) {
	return nil, errors.New("not written yet")
}

// DecodeTileValues decodes the generic tile of the mins or maxes of a slot. The result has NumTiles values or none.
func (f *Footer) DecodeTileValues(b []byte, slot int) (TileValues, error) {
	return TileValues{}, errors.New("not written yet")
}

// DecodeRTree decodes the generic tile of the R-tree; a sparse fragment's has NumTiles leaves.
func (f *Footer) DecodeRTree(b []byte) (*RTree, error) { return nil, errors.New("not written yet") }

// DecodeSummary decodes the generic tile of the fragment summary: one entry per slot.
func (f *Footer) DecodeSummary(b []byte) ([]FieldSummary, error) {
	return nil, errors.New("not written yet")
}

// DecodeProcessedConditions decodes the generic tile of processed conditions: paths relative to the array.
func (f *Footer) DecodeProcessedConditions(b []byte) ([]string, error) {
	return nil, errors.New("not written yet")
}
