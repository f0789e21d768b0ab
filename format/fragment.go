package format

import (
	"fmt"

	"azulejo/internal/bin"
	"azulejo/schema"
)

// A fragment metadata file, __fragment_metadata.tdb (format_spec/fragment.md), is generic tiles back to back and then the
// footer, which says where each begins. In version 22, for N slots:
//
//	R-tree | N tile offsets | N var offsets | N var sizes | N validity offsets | N mins | N maxes | N sums
//	N null counts | fragment summary | processed conditions | footer
//
// Version 23 puts the first and last coordinates of tiles, per dimension of a sparse fragment, between maxes and sums.
// The payloads, apart from the R-tree's:
//
//	offsets, sizes, sums, null counts:  u64 tiles | u64 each
//	mins, maxes:                        u64 bytes of fixed | u64 bytes of var | fixed | var
//	fragment summary:                   per slot: u64+min | u64+max | u64 sum | u64 null count
//	processed conditions:               u64 n, n x u64+path relative to the array
//
// Every slot has every part: fields that do not need one have zeros, or nothing in mins, maxes, sums and null counts. The
// page draws mins and maxes differently.

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
func (v TileValues) Value(i, n int, varSized bool) []byte {
	if len(v.Fixed) == 0 || i >= n {
		return nil
	}
	if !varSized {
		size := len(v.Fixed) / n
		return v.Fixed[i*size : (i+1)*size : (i+1)*size]
	}
	start, end := getU64(v.Fixed[i*8:]), uint64(len(v.Var))
	if i+1 < n {
		end = getU64(v.Fixed[(i+1)*8:])
	}
	return v.Var[start:end:end]
}

// DecodeNumbers decodes the generic tile of tile offsets, var offsets, var sizes, validity offsets, sums or null counts,
// of which b is the bytes found at PartExtent. The result has NumTiles numbers; with mayBeEmpty, as for sums and null
// counts, it may have none.
func (f *Footer) DecodeNumbers(b []byte, part string, mayBeEmpty bool) ([]uint64, error) {
	payload, err := decodeWhole(b, part)
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(payload)
	n := r.U64("number of tiles")
	if r.Err() == nil && n != f.tiles && !(n == 0 && mayBeEmpty) {
		r.Failf("number of tiles", "%w: %d of %d", ErrCorrupt, n, f.tiles)
	}
	v := r.U64s("numbers", n)
	return v, finish(r, part, f.Version)
}

// DecodeTileValues decodes the generic tile of the mins or maxes of a slot. The result has NumTiles values or none.
func (f *Footer) DecodeTileValues(b []byte, slot int) (TileValues, error) {
	payload, err := decodeWhole(b, "tile values")
	if err != nil {
		return TileValues{}, err
	}
	return f.readTileValues(payload, f.slotWidth(slot))
}

// DecodeGlobalOrder decodes the generic tile of the first or last coordinates of tiles along dimension i, which sparse
// fragments of version 23 have.
func (f *Footer) DecodeGlobalOrder(b []byte, i int) (TileValues, error) {
	payload, err := decodeWhole(b, "global order coordinates")
	if err != nil {
		return TileValues{}, err
	}
	return f.readTileValues(payload, dimensionWidth(&f.Schema.Domain.Dimensions[i]))
}

// dimensionWidth returns the bytes of a coordinate, 0 for texts.
func dimensionWidth(d *schema.Dimension) int {
	if d.Var() {
		return 0
	}
	return d.Type.Size()
}

// anyWidth is the slotWidth of the zipped coordinates' slot. libtiledb takes its cells for as many coordinates of the first
// dimension's type as there are dimensions, and stores that many zeros per tile, or none; nobody reads them.
const anyWidth = -1

// slotWidth returns the bytes of a cell of a slot, 0 for var fields.
func (f *Footer) slotWidth(slot int) int {
	s := f.Slots()
	switch {
	case slot == s.Coords():
		return anyWidth
	case slot < s.attributes:
		if field := f.Schema.AttributeField(slot); !field.Var() {
			return field.CellSize()
		}
		return 0
	case slot == s.Coords():
		return s.dimensions * f.Schema.Domain.Dimensions[0].Type.Size()
	case slot > s.attributes && slot <= s.attributes+s.dimensions:
		return dimensionWidth(&f.Schema.Domain.Dimensions[slot-s.attributes-1])
	}
	return 8
}

// readTileValues reads mins or maxes whose values are width bytes wide, texts when width is 0, or whatever divides into
// tiles when it is anyWidth.
func (f *Footer) readTileValues(payload []byte, width int) (TileValues, error) {
	r := bin.NewReader(payload)
	nFixed, nVar := r.U64("size of fixed"), r.U64("size of var")
	v := TileValues{Fixed: r.Bytes("fixed", nFixed), Var: r.Bytes("var", nVar)}
	tiles := f.tiles
	if r.Err() == nil && nFixed > 0 {
		switch {
		case width == anyWidth && (tiles == 0 || nFixed%tiles != 0):
			r.Failf("fixed", "%w: %d bytes for %d tiles", ErrCorrupt, nFixed, tiles)
		case width > 0 && (nFixed/uint64(width) != tiles || nFixed%uint64(width) != 0):
			r.Failf("fixed", "%w: %d bytes for %d tiles of %d", ErrCorrupt, nFixed, tiles, width)
		case width == 0 && (nFixed/8 != tiles || nFixed%8 != 0 || !ascending(v.Fixed, nVar)):
			r.Failf("fixed", "%w: offsets of %d tiles in %d bytes", ErrCorrupt, tiles, nVar)
		}
	} else if r.Err() == nil && nVar > 0 {
		r.Failf("var", "%w: %d bytes without offsets", ErrCorrupt, nVar)
	}
	return v, finish(r, "tile values", f.Version)
}

// ascending reports whether the offsets in b are in order and none is above limit.
func ascending(b []byte, limit uint64) bool {
	last := uint64(0)
	for ; len(b) >= 8; b = b[8:] {
		off := getU64(b)
		if off < last || off > limit {
			return false
		}
		last = off
	}
	return true
}

// DecodeRTree decodes the generic tile of the R-tree; a sparse fragment's has NumTiles leaves and spans exactly its
// non-empty domain, which the footer has no checksum for.
func (f *Footer) DecodeRTree(b []byte) (*RTree, error) {
	payload, err := decodeWhole(b, "R-tree")
	if err != nil {
		return nil, err
	}
	t, err := decodeRTree(payload, &f.Schema.Domain, f.Version)
	if err != nil {
		return nil, err
	}
	leaves := uint64(0)
	if l := t.Leaves(); l != nil {
		leaves = uint64(l.NumBoxes)
	}
	if !f.Dense && leaves != f.tiles {
		return nil, corrupt("R-tree/leaves", 0, f.Version, "%d boxes for %d tiles", leaves, f.tiles)
	}
	if !f.Dense && leaves > 0 && !t.spans(&f.Schema.Domain, f.NonEmptyDomain) {
		return nil, corrupt("R-tree/root", 0, f.Version, "it does not span the non-empty domain in the footer")
	}
	return t, nil
}

// DecodeSummary decodes the generic tile of the fragment summary: one entry per slot. In version 15 the processed
// conditions stand behind it, with no position of their own.
func (f *Footer) DecodeSummary(b []byte) ([]FieldSummary, error) {
	payload, n, err := DecodeGenericTile(b)
	if err != nil {
		return nil, within(err, "fragment summary")
	}
	if n != len(b) && f.Version != 15 {
		return nil, corrupt("fragment summary", int64(n), f.Version, "%d bytes behind the generic tile", len(b)-n)
	}
	r := bin.NewReader(payload)
	fields := make([]FieldSummary, f.Slots().Len())
	for i := range fields {
		fields[i].Min = r.Bytes("min", r.U64("min size"))
		fields[i].Max = r.Bytes("max", r.U64("max size"))
		fields[i].Sum = r.U64("sum")
		fields[i].NullCount = r.U64("null count")
		if r.Err() != nil {
			return nil, readErr(r, fmt.Sprintf("fragment summary/slot %d", i), f.Version)
		}
	}
	return fields, finish(r, "fragment summary", f.Version)
}

// DecodeProcessedConditions decodes the generic tile of processed conditions: paths relative to the array.
func (f *Footer) DecodeProcessedConditions(b []byte) ([]string, error) {
	payload, err := decodeWhole(b, "processed conditions")
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(payload)
	n := r.Count("conditions", r.U64("number of conditions"), 8)
	var paths []string
	for i := 0; i < n && r.Err() == nil; i++ {
		paths = append(paths, r.String64("path"))
	}
	return paths, finish(r, "processed conditions", f.Version)
}

// TileExtent returns where in its file tile i lies: from its offset to the next one's, or to the end of the file, whose
// size is fileSize. The error wraps ErrCorrupt when the offsets fall or leave the file.
func TileExtent(offsets []uint64, fileSize uint64, i int) (off, nBytes uint64, err error) {
	end := fileSize
	if i+1 < len(offsets) {
		end = offsets[i+1]
	}
	if off = offsets[i]; off > end || end > fileSize {
		return 0, 0, corrupt("tile offsets", int64(i), 0, "tile %d from %d to %d in a file of %d bytes", i, off, end, fileSize)
	}
	return off, end - off, nil
}
