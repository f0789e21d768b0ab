// Package condition holds the query condition tree: what it says, whether it fits a schema, and which cells of a tile
// satisfy it (format_spec/delete_commit_file.md has the stored form; package wire has the transported one).
package condition

import "errors"

// ErrInvalid is wrapped by the error for a condition that does not fit the schema.
var ErrInvalid = errors.New("invalid query condition")

// Op is a node's operator; comparison values are the stored ones.
type Op uint8

// The operators.
const (
	LT          Op = 0
	LE          Op = 1
	GT          Op = 2
	GE          Op = 3
	EQ          Op = 4
	NE          Op = 5
	In          Op = 6
	NotIn       Op = 7
	AlwaysTrue  Op = 253
	AlwaysFalse Op = 254
	And         Op = 100
	Or          Op = 101
	Not         Op = 102
)

// Node is a condition: a comparison of a field with a value, or a combination of other conditions.
// A tree is immutable after it was built.
type Node struct {
	Op Op
	// Children are the parts of And, Or and Not (one child).
	Children []*Node
	// Field is the attribute or dimension of a comparison.
	Field string
	// Value is the little-endian value compared with; nil together with EQ or NE asks for null or not null. For In and NotIn:
	// the members back to back.
	Value []byte
	// Null is set for a null test (EQ or NE with no value). An empty text is a Value of length 0 without Null.
	Null bool
	// Offsets has the byte position of every member of In and NotIn in Value.
	Offsets []uint64
	// UseEnumeration says that Value holds labels of the field's enumeration rather than its stored index values.
	UseEnumeration bool
}
