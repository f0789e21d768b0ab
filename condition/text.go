package condition

import (
	"bytes"
	"encoding/binary"

	"azulejo/datatype"
	"azulejo/schema"
)

// cell returns cell i of a var-sized column; damaged offsets give an empty cell.
func (col *Column) cell(i int) []byte {
	start, end := col.Offsets[i], uint64(len(col.Data))
	if i+1 < len(col.Offsets) {
		end = col.Offsets[i+1]
	}
	if start > end || end > uint64(len(col.Data)) {
		return nil
	}
	return col.Data[start:end]
}

// keepText compares texts bytewise, a prefix first. Cells that are 0 in mask already are not looked at.
func keepText(mask []byte, f *schema.Field, col *Column, op Op, value []byte) {
	width := f.CellSize()
	fixed := !f.Var()
	for i, m := range mask {
		if m == 0 {
			continue
		}
		var cell []byte
		if fixed {
			cell = col.Data[i*width : (i+1)*width]
		} else {
			cell = col.cell(i)
		}
		mask[i] = bit(holds(op, cell, value))
	}
}

// holds compares two texts.
func holds(op Op, cell, value []byte) bool {
	switch op {
	case EQ:
		return bytes.Equal(cell, value)
	case NE:
		return !bytes.Equal(cell, value)
	}
	order := bytes.Compare(cell, value)
	switch op {
	case LT:
		return order < 0
	case LE:
		return order <= 0
	case GT:
		return order > 0
	}
	return order >= 0
}

// memberSet is the list of In and NotIn. Members are compared by their bytes, floats too, as libtiledb does.
type memberSet struct {
	// numbers has the members of fields of 1, 2, 4 or 8 bytes, texts those of the others.
	numbers map[uint64]struct{}
	texts   map[string]struct{}
}

// newMemberSet builds the set; members of fixed fields have the field's width.
func newMemberSet(members [][]byte, f *schema.Field) *memberSet {
	s := &memberSet{}
	if !f.Var() && numberWidth(f.CellSize()) {
		s.numbers = make(map[uint64]struct{}, len(members))
		for _, m := range members {
			s.numbers[number(m)] = struct{}{}
		}
		return s
	}
	s.texts = make(map[string]struct{}, len(members))
	for _, m := range members {
		s.texts[string(m)] = struct{}{}
	}
	return s
}

func numberWidth(n int) bool { return n == 1 || n == 2 || n == 4 || n == 8 }

// number returns up to 8 bytes as an unsigned number.
func number(b []byte) uint64 {
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:])
}

// keep clears mask where membership is not what is wanted.
func (s *memberSet) keep(mask []byte, f *schema.Field, col *Column, want bool) {
	if s.numbers == nil {
		s.keepTexts(mask, f, col, want)
		return
	}
	switch f.CellSize() {
	case 1:
		keepMembers[uint8](mask, col.Data, s.numbers, want)
	case 2:
		keepMembers[uint16](mask, col.Data, s.numbers, want)
	case 4:
		keepMembers[uint32](mask, col.Data, s.numbers, want)
	case 8:
		keepMembers[uint64](mask, col.Data, s.numbers, want)
	}
}

func keepMembers[T uint8 | uint16 | uint32 | uint64](mask, data []byte, set map[uint64]struct{}, want bool) {
	v := datatype.View[T](data)
	for i, m := range mask {
		if m == 0 {
			continue
		}
		_, in := set[uint64(v[i])]
		mask[i] = bit(in == want)
	}
}

func (s *memberSet) keepTexts(mask []byte, f *schema.Field, col *Column, want bool) {
	width, fixed := f.CellSize(), !f.Var()
	for i, m := range mask {
		if m == 0 {
			continue
		}
		var cell []byte
		if fixed {
			cell = col.Data[i*width : (i+1)*width]
		} else {
			cell = col.cell(i)
		}
		_, in := s.texts[string(cell)]
		mask[i] = bit(in == want)
	}
}
