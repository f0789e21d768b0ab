package format

import (
	"strconv"
	"strings"

	"azulejo/schema"
)

// Slots tells at which position of the per-field arrays of fragment metadata a field stands: attributes, one slot for the
// zipped coordinates of old versions, dimensions, then the hidden fields t, dt and dci. Before version 5 the coordinates'
// slot is the last one.
type Slots struct {
	attributes, dimensions int
	timestamps, deletes    bool
}

// NewSlots returns the slots of fragments that are written with schema a; timestamps and deletes are the footer's flags.
func NewSlots(a *schema.Array, timestamps, deletes bool) Slots {
	return newSlots(a, Version, timestamps, deletes)
}

func newSlots(a *schema.Array, version uint32, timestamps, deletes bool) Slots {
	s := Slots{len(a.Attributes), len(a.Domain.Dimensions), timestamps, deletes}
	if !has(version, dimensionFeature) {
		s.dimensions = 0
	}
	return s
}

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

// Dimension returns the slot of dimension i, or Coords before version 5, where all dimensions share it.
func (s Slots) Dimension(i int) int {
	if s.dimensions == 0 {
		return s.Coords()
	}
	return s.attributes + 1 + i
}

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
	return s.attributes + 1 + s.dimensions
}

// DeleteTimestamp returns the slot of the times of deletion, or -1; the condition indexes stand in the slot after it.
func (s Slots) DeleteTimestamp() int {
	if !s.deletes {
		return -1
	}
	return s.Len() - 2
}

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

// fileSuffix ends the name of a data file, by kind.
var fileSuffix = [...]string{FixedFile: ".tdb", VarFile: "_var.tdb", ValidityFile: "_validity.tdb"}

// FileName returns the name of the data file of a slot in the fragment's folder, such as "a0.tdb" (format_spec/fragment.md,
// Main Structure). Before version 9 files are named after the field.
func (f *Footer) FileName(slot int, kind FileKind) string {
	return f.fileStem(slot) + fileSuffix[kind]
}

func (f *Footer) fileStem(slot int) string {
	s := f.Slots()
	indexed := has(f.Version, indexedNameFeature)
	switch {
	case slot < s.attributes && indexed:
		return "a" + strconv.Itoa(slot)
	case slot < s.attributes:
		return f.encodeName(f.Schema.Attributes[slot].Name)
	case slot == s.Coords():
		return "__coords"
	case slot < s.attributes+1+s.dimensions && indexed:
		return "d" + strconv.Itoa(slot-s.attributes-1)
	case slot < s.attributes+1+s.dimensions:
		return f.encodeName(f.Schema.Domain.Dimensions[slot-s.attributes-1].Name)
	case slot == s.Timestamp():
		return "t"
	case slot == s.DeleteTimestamp():
		return "dt"
	}
	return "dci"
}

// encodeName returns the file name of a field before version 9: the field's own, percent-encoded in version 8.
func (f *Footer) encodeName(name string) string {
	if !has(f.Version, encodedNameFeature) {
		return name
	}
	return percentNames.Replace(name)
}

// percentNames has the codes of version 8. Those of the five characters at the end are wrong, and what files are called.
var percentNames = strings.NewReplacer(
	"!", "%21", "#", "%23", "$", "%24", "%", "%25", "&", "%26", "'", "%27", "(", "%28", ")", "%29", "*", "%2A", "+", "%2B",
	",", "%2C", "/", "%2F", ":", "%3A", ";", "%3B", "=", "%3D", "?", "%3F", "@", "%40", "[", "%5B", "]", "%5D",
	`"`, "%22", "<", "%20", ">", "%2D", `\`, "%30", "|", "%3C",
)
