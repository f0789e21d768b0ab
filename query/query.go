// Package query reads cells out of an open array and writes cells into it: dense and sparse, every layout, multi-range
// subarrays, conditions, aggregates and incomplete reads that resume where they stopped.
//
// Cells travel as columns of little-endian bytes. A Read says what is wanted and how many bytes of each column the
// caller can take; Run answers with columns of exactly the size needed, allocated once through Read.Alloc.
package query

import (
	"encoding/binary"
	"errors"
	"fmt"

	"azulejo/condition"
	"azulejo/fragment"
	"azulejo/internal/pool"
	"azulejo/schema"
)

// ErrInvalid is wrapped by the error for a query that does not fit the array: unknown field, range outside the domain,
// wrong layout, columns of unequal length.
var ErrInvalid = errors.New("invalid query")

// Subarray selects cells: for every dimension a list of inclusive ranges, nil for all of it. With several dimensions the
// selection is the product of their ranges; results of ordered layouts follow the ranges in the order given.
type Subarray struct {
	Ranges [][]schema.Range
}

// OffsetsFormat says how offsets columns of var-sized fields look to the user (config sm.var_offsets.*).
// On disk offsets are always 64-bit byte positions without an extra element.
type OffsetsFormat struct {
	// Bits is 64 or 32; 0 means 64.
	Bits int
	// Elements counts offsets in values instead of bytes.
	Elements bool
	// Extra adds a last offset equal to the length of the data.
	Extra bool
}

// Column holds the cells of one field. The bytes belong to whoever allocated them and are not kept after the call.
type Column struct {
	Name string
	// Data holds fixed cells back to back, or the values of var-sized cells.
	Data []byte
	// Offsets is nil for fixed-size fields; its form is the query's OffsetsFormat.
	Offsets []byte
	// Validity has one byte a cell, 1 = valid; nil unless the field is nullable.
	Validity []byte
}

// Want is one field to return and the bytes the caller can take of it; a negative capacity means any number.
type Want struct {
	Name        string
	DataCap     int64
	OffsetsCap  int64
	ValidityCap int64
}

// AggregateOp is the function of an aggregate.
type AggregateOp uint8

// The aggregates.
const (
	Count AggregateOp = iota
	Sum
	Mean
	Min
	Max
	NullCount
)

// Aggregate is one value computed over the selected cells instead of returning them.
type Aggregate struct {
	// Output is the name of the result column.
	Output string
	Op     AggregateOp
	// Field is the input; empty for Count.
	Field string
}

// Versions says which versions of a cell a read of a sparse array returns.
type Versions uint8

// The versions.
const (
	// NewestVersions are what the array holds: of every cell the newest version, or every one where the array allows
	// duplicates, without those that were deleted. A deleted version hides older ones all the same.
	NewestVersions Versions = iota
	// AllVersions are all that can be seen at some time, deleted ones too: what fragments hold but, in an array without
	// duplicates, versions that a newer one of the same millisecond hides.
	AllVersions
	// KeptVersions are those that no delete removed, and that no newer, deleted version of the same cell hides: what stays
	// when deleted cells are purged.
	KeptVersions
)

// The hidden fields that a read of a sparse array can ask for, each a UINT64 that is not nullable.
const (
	// TimestampField has the time that a cell was written at, in milliseconds since 1970.
	TimestampField = fragment.TimestampsField
	// DeleteTimestampField has the time that a cell was deleted at, and DeleteConditionField the place of the delete
	// that did it among array.Array's Deletions; the largest number for cells that were not deleted. Only reads of
	// AllVersions and KeptVersions have them.
	DeleteTimestampField = fragment.DeleteTimestampsField
	DeleteConditionField = fragment.DeleteConditionField
)

// Read is a read query. Zero values mean: whole domain, no condition, no limits.
type Read struct {
	// Layout is RowMajor, ColMajor, GlobalOrder or Unordered.
	Layout    schema.Layout
	Subarray  Subarray
	Condition *condition.Node
	// Within is the part of the array that the read is of, nil for all of it.
	Within     *Restriction
	Fields     []Want
	Aggregates []Aggregate
	Offsets    OffsetsFormat
	// Versions other than NewestVersions are for rewriting fragments: in GlobalOrder, of sparse arrays, without condition
	// or aggregates. Versions of a cell follow each other, the newest first; duplicates that of the newest fragment first.
	Versions Versions
	// Resume continues after an incomplete Result of the same query on the same fragments; nil starts.
	Resume *State
	// Alloc returns n bytes for a result column, aligned to 8; nil means datatype.AlignedBytes.
	Alloc func(n int) []byte
	// Threads bounds the parallel work; 0 means the number of cores.
	Threads int
	// Budget bounds the bytes held, result columns included; nil means no limit. A read that would pass it answers an
	// incomplete Result with what fits, and errs only when not even one cell does.
	Budget *pool.Budget
}

// Result is what a read returned.
type Result struct {
	// Columns has one entry per Read.Fields entry and then one per aggregate, in their order.
	Columns []Column
	// Cells is the number of cells in Columns (aggregates not counted).
	Cells uint64
	// Next is where to resume when the result is incomplete, else nil. An incomplete result with 0 cells means that the
	// capacities are too small for one cell.
	Next *State
}

// Write is one write of whole columns.
type Write struct {
	// Layout is RowMajor or ColMajor (dense), Unordered (sparse) or GlobalOrder.
	Layout schema.Layout
	// Subarray is the region of a dense write, one range per dimension; nil for the whole domain.
	Subarray Subarray
	// Columns has every attribute and, when sparse, every dimension, in any order.
	Columns []Column
	Offsets OffsetsFormat
	// CheckDups refuses and DedupCoords drops cells at equal coordinates; both are for arrays without duplicates.
	CheckDups, DedupCoords bool
	// CheckOutOfBounds refuses coordinates outside the domain or the current domain.
	CheckOutOfBounds bool
	// Timestamp in milliseconds since 1970 of the new fragment; 0 means now.
	Timestamp uint64
	// Fragment is the name to give the fragment, so that a write can be tried again: when that fragment is committed
	// already, nothing is written. Empty means a new name; otherwise Timestamp is ignored.
	Fragment string
	// Hold leaves the fragment without a commit, so that several can be committed at one moment: nothing is visible before
	// array.CommitTogether. Not for GlobalOrder.
	Hold bool
	// Threads bounds the parallel work; 0 means the number of cores.
	Threads int
}

// Written names what a write made.
type Written struct {
	// Fragment is the new fragment's name; empty when the write had no cells.
	Fragment string
	// Start and End are its timestamps in milliseconds.
	Start, End uint64
}

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
