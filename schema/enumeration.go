package schema

import (
	"bytes"
	"strings"

	"azulejo/datatype"
)

// Var reports whether labels have variable length.
func (e *Enumeration) Var() bool { return e.CellValNum == datatype.VarNum }

// Len returns the number of labels.
func (e *Enumeration) Len() int {
	if e.Var() {
		return len(e.Offsets)
	}
	return len(e.Data) / e.labelSize()
}

// labelSize returns the bytes of a fixed label.
func (e *Enumeration) labelSize() int { return max(int(e.CellValNum)*e.Type.Size(), 1) }

// Label returns the bytes of label i, sharing memory; i must be below Len.
func (e *Enumeration) Label(i int) []byte {
	if !e.Var() {
		size := e.labelSize()
		return e.Data[i*size : (i+1)*size : (i+1)*size]
	}
	end := uint64(len(e.Data))
	if i+1 < len(e.Offsets) {
		end = e.Offsets[i+1]
	}
	return e.Data[e.Offsets[i]:end:end]
}

// LabelIndex returns the value of one cell of an enumerated attribute, a whole number of a kind, as a position among labels;
// negative ones are beyond all.
func LabelIndex(b []byte, kind datatype.Kind) uint64 {
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	if shift := 64 - 8*len(b); kind.Signed() {
		v = uint64(int64(v<<shift) >> shift)
	}
	return v
}

// Index returns the position of a label, and false when there is no such label. It looks at all labels; who asks often
// makes a Lookup.
func (e *Enumeration) Index(label []byte) (int, bool) {
	for i := range e.Len() {
		if bytes.Equal(e.Label(i), label) {
			return i, true
		}
	}
	return 0, false
}

// Lookup returns the position of every label, by its bytes.
func (e *Enumeration) Lookup() map[string]int {
	m := make(map[string]int, e.Len())
	for i := range e.Len() {
		m[string(e.Label(i))] = i
	}
	return m
}

// Check tells whether the enumeration is well formed: known type, sizes that fit, offsets in order, distinct labels. The
// error wraps ErrInvalid.
func (e *Enumeration) Check() error {
	switch {
	case e.Name == "":
		return invalid("an enumeration without a name")
	case strings.ContainsRune(e.File, '/'):
		return invalid("enumeration %q: file name %q", e.Name, e.File)
	case !e.Type.Valid():
		return invalid("enumeration %q: %s", e.Name, e.Type)
	case e.CellValNum == 0:
		return invalid("enumeration %q has no values per label", e.Name)
	case e.Var() && len(e.Offsets) == 0 && len(e.Data) > 0:
		return invalid("enumeration %q: labels without offsets", e.Name)
	case !e.Var() && (e.Offsets != nil || uint64(len(e.Data))%(uint64(e.CellValNum)*uint64(e.Type.Size())) != 0):
		return invalid("enumeration %q: %d bytes are no whole labels", e.Name, len(e.Data))
	}
	last := uint64(0)
	for i, off := range e.Offsets {
		if off < last || off > uint64(len(e.Data)) || i == 0 && off != 0 {
			return invalid("enumeration %q: offset %d of label %d", e.Name, off, i)
		}
		last = off
	}
	if len(e.Lookup()) != e.Len() {
		return invalid("enumeration %q has a label twice", e.Name)
	}
	return nil
}

// Extends tells whether e is old with more labels behind: same name, type and order flag, and the old labels first, as an
// extension must. The error wraps ErrInvalid.
func (e *Enumeration) Extends(old *Enumeration) error {
	switch {
	case e.Name != old.Name || e.Type != old.Type || e.CellValNum != old.CellValNum || e.Ordered != old.Ordered:
		return invalid("enumeration %q: an extension cannot change name, type or order", e.Name)
	case !bytes.HasPrefix(e.Data, old.Data) || e.Var() && e.Len() <= old.Len():
		return invalid("enumeration %q: an extension must keep the labels and add some", e.Name)
	}
	for i, off := range old.Offsets {
		if e.Offsets[i] != off {
			return invalid("enumeration %q: an extension must keep the labels and add some", e.Name)
		}
	}
	if n := old.Len(); e.Var() && n > 0 && e.Offsets[n] != uint64(len(old.Data)) {
		return invalid("enumeration %q: an extension must keep label %d", e.Name, n-1)
	}
	return nil
}
