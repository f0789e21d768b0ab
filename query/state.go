package query

import (
	"encoding/binary"
	"fmt"
)

// State is the place where an incomplete read goes on: plain values that a server can send away and get back.
type State struct {
	// Fragments are the names of the fragments and deletes that the read began with, as array.Pin returns them; a resumed
	// read uses just these.
	Fragments []string
	// Position is the reader's own place, opaque to everybody else.
	Position []byte
}

// position is the decoded form of State.Position. Reads go through units in an order that the query and the fragments
// determine: a dense read has one, a sparse one a unit per slab.
type position struct {
	// unit is the unit to go on with, cell the number of its cells that were returned already.
	unit, cell uint64
}

// positionVersion begins every encoded position; it changes when units are cut differently.
const positionVersion = 1

func (p position) encode() []byte {
	b := binary.AppendUvarint([]byte{positionVersion}, p.unit)
	return binary.AppendUvarint(b, p.cell)
}

// decodePosition decodes what encode returned; the error wraps ErrInvalid.
func decodePosition(b []byte) (p position, err error) {
	if len(b) == 0 || b[0] != positionVersion {
		return p, fmt.Errorf("%w: unknown state of an incomplete read", ErrInvalid)
	}
	b = b[1:]
	for _, v := range []*uint64{&p.unit, &p.cell} {
		n := 0
		if *v, n = binary.Uvarint(b); n <= 0 {
			return position{}, fmt.Errorf("%w: damaged state of an incomplete read", ErrInvalid)
		}
		b = b[n:]
	}
	if len(b) > 0 {
		return position{}, fmt.Errorf("%w: damaged state of an incomplete read", ErrInvalid)
	}
	return p, nil
}
