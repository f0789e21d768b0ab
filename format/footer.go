package format

import (
	"errors"
	"fmt"

	"azulejo/schema"
)

// Slots tells at which position of the per-field arrays of fragment metadata a field stands: attributes, one slot for the
// zipped coordinates of old versions, dimensions, then the hidden fields t, dt and dci.
type Slots struct {
	attributes, dimensions int
	timestamps, deletes    bool
}

// NewSlots returns the slots of fragments written with schema a; timestamps and deletes are the footer's flags.
func NewSlots(a *schema.Array, timestamps, deletes bool) Slots {
	return Slots{len(a.Attributes), len(a.Domain.Dimensions), timestamps, deletes}
}

// Footer is the part of a fragment metadata file that says what the fragment holds and where the other parts are
// (format_spec/fragment.md, Footer). Immutable once decoded, safe for concurrent use.
type Footer struct {
	Version uint32
	// SchemaName is the file name of the schema the fragment was written with, and Schema that schema. Fragments before
	// version 10 name "__array_schema.tdb".
	SchemaName string
	Schema     *schema.Array
	Dense      bool
	// NonEmptyDomain has one range per dimension; nil when the fragment says that it has none.
	NonEmptyDomain []schema.Range
	// SparseTiles is the number of tiles of a sparse fragment, 0 when dense; NumTiles has it for both.
	SparseTiles uint64
	// LastTileCells is the number of cells of the last tile of a sparse fragment.
	LastTileCells uint64
	HasTimestamps bool
	HasDeletes    bool
	// FileSizes, VarSizes and ValiditySizes have the sizes in bytes of every slot's data files; VarSizes is 0 for fixed
	// fields, whose FileSizes are the values' file, and for var fields FileSizes is the offsets' file.
	FileSizes, VarSizes, ValiditySizes []uint64
	// Parts says where in the file the generic tiles begin.
	Parts Parts
	// Start is the position of the footer in the file, NBytes its length without the length field behind it.
	Start, NBytes int64
}

// Parts has the file positions of the generic tiles of fragment metadata; the lists have one entry per slot. Lists and
// positions that the footer's version lacks are nil and 0.
type Parts struct {
	RTree                                              uint64
	TileOffsets, VarOffsets, VarSizes, ValidityOffsets []uint64
	Mins, Maxes, Sums, NullCounts                      []uint64
	Summary, ProcessedConditions                       uint64
	// GlobalOrderMins and GlobalOrderMaxes have one entry per dimension; only sparse fragments of version 23 have them.
	GlobalOrderMins, GlobalOrderMaxes []uint64
}

// TailError says that a footer is longer than the tail of the file that was given: at least Need bytes are wanted.
type TailError struct{ Need int64 }

// Error names the number of bytes.
func (e *TailError) Error() string {
	return fmt.Sprintf("the footer needs the last %d bytes of the file", e.Need)
}

// DecodeFooter decodes the footer at the end of a fragment metadata file of fileSize bytes, of which tail is the end (all
// of a small file). When tail is too short the error is a *TailError. version is the fragment name's; before version 10
// the footer has no other way to tell its length. schemaOf returns the schema of that file name, DecodeFooter
// passes "__array_schema.tdb" for versions before 10. The result shares no memory with tail.
func DecodeFooter(tail []byte, fileSize int64, version uint32, schemaOf func(name string) (*schema.Array, error)) (*Footer, error) {
	return nil, errors.New("not written yet")
}

// Slots returns the fragment's slots.
func (f *Footer) Slots() Slots { return NewSlots(f.Schema, f.HasTimestamps, f.HasDeletes) }

// NumTiles returns the number of tiles of the fragment, dense or sparse.
func (f *Footer) NumTiles() uint64 { return f.SparseTiles }

// TileCells returns the number of cells of tile i; dense tiles are always full.
func (f *Footer) TileCells(i uint64) uint64 { return 0 }

// NumCells returns the number of cells in all tiles, those of dense tiles that lie outside the non-empty domain included.
func (f *Footer) NumCells() uint64 { return 0 }

// PartExtent returns the bytes of the file in which the generic tile at a position of Parts lies: up to the next part.
func (f *Footer) PartExtent(pos uint64) (start, nBytes int64) { return 0, 0 }

// FileName returns the name of the data file of a slot in the fragment's folder, such as "a0.tdb".
func (f *Footer) FileName(slot int, kind FileKind) string { return "" }

// FileKind tells the up to three data files of a field apart.
type FileKind uint8

// The kinds of data files.
const (
	// FixedFile holds the values of a fixed field or the offsets of a var field.
	FixedFile FileKind = iota
	// VarFile holds the values of a var field.
	VarFile
	// ValidityFile holds a byte per cell of a nullable field.
	ValidityFile
)

// Len returns the number of slots.
func (s Slots) Len() int {
	n := s.attributes + 1 + s.dimensions
	if s.timestamps {
		n++
	}
	if s.deletes {
		n += 2
	}
	return n
}

// Attribute returns the slot of attribute i.
func (s Slots) Attribute(i int) int { return i }

// Coords returns the slot of the zipped coordinates, unused since version 5.
func (s Slots) Coords() int { return s.attributes }

// Dimension returns the slot of dimension i.
func (s Slots) Dimension(i int) int { return s.attributes + 1 + i }

// Field returns the slot of an attribute or dimension.
func (s Slots) Field(f schema.Field) int {
	if f.Dimension {
		return s.Dimension(f.Index)
	}
	return f.Index
}

// Timestamp returns the slot of the cells' timestamps, or -1 when the fragment has none.
func (s Slots) Timestamp() int {
	if !s.timestamps {
		return -1
	}
	return s.Dimension(s.dimensions)
}

// DeleteTimestamp returns the slot of the times of deletion, or -1; the condition indexes stand in the slot after it.
func (s Slots) DeleteTimestamp() int {
	if !s.deletes {
		return -1
	}
	return s.Len() - 2
}
