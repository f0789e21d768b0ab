package format

import (
	"encoding/binary"
	"fmt"

	"azulejo/condition"
	"azulejo/internal/bin"
)

// A delete commit, __commits/__t_t_uuid_22.del (format_spec/delete_commit_file.md), is one generic tile whose payload is a
// condition tree, each node followed by its children:
//
//	combination:  u8 0 | u8 operator: 0 and, 1 or, 2 not | u64 number of children | children
//	comparison:   u8 1 | u8 operator | u32+field | u64+value | only for in and not-in: u64+positions of the members, u64 each
//
// The tree is the negation of the condition that the user gave: a cell survives when it holds.

const (
	// maxConditionDepth bounds the nesting of a stored condition, so that no file can exhaust the stack.
	maxConditionDepth = 100
	combinationNode   = 0
	comparisonNode    = 1
)

// combinations has the operators of combinations by stored number.
var combinations = [...]condition.Op{condition.And, condition.Or, condition.Not}

// DecodeDeleteCommit decodes the content of a .del file: the stored condition, which is the negation of the user's
// (format_spec/delete_commit_file.md). A cell survives the delete when the condition holds. Null tests are stored as
// comparisons without a value, as are those with the empty text: which of both it is only the field tells, so Null is
// left false.
func DecodeDeleteCommit(file []byte) (*condition.Node, error) {
	payload, err := decodeWhole(file, "delete commit")
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(payload)
	n := readCondition(r, 1)
	if err := finish(r, "delete commit", 0); err != nil {
		return nil, err
	}
	return n, nil
}

// DecodeUpdateCommit decodes the content of a .upd file: the stored condition, which is the negation of the user's and is
// followed by what updated cells would get. libtiledb reads those values and does nothing with them.
//
//	u64 number of values, per value: u64+field | u64+value
func DecodeUpdateCommit(file []byte) (*condition.Node, error) {
	payload, err := decodeWhole(file, "update commit")
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(payload)
	n := readCondition(r, 1)
	for i := r.Count("values", r.U64("number of values"), 16); i > 0 && r.Err() == nil; i-- {
		r.Bytes("field", r.U64("field size"))
		r.Bytes("value", r.U64("value size"))
	}
	if err := finish(r, "update commit", 0); err != nil {
		return nil, err
	}
	return n, nil
}

func readCondition(r *bin.Reader, depth int) *condition.Node {
	if depth > maxConditionDepth {
		r.Fail("node", fmt.Errorf("%w: condition deeper than %d", ErrUnsupported, maxConditionDepth))
		return nil
	}
	switch kind := r.U8("node type"); {
	case r.Err() != nil:
	case kind == combinationNode:
		return readCombination(r, depth)
	case kind == comparisonNode:
		return readComparison(r)
	default:
		r.Failf("node type", "%w: %d", ErrCorrupt, kind)
	}
	return nil
}

func readCombination(r *bin.Reader, depth int) *condition.Node {
	op := r.U8("combination")
	if int(op) >= len(combinations) {
		r.Failf("combination", "%w: %d", ErrCorrupt, op)
		return nil
	}
	n := &condition.Node{Op: combinations[op]}
	children := r.Count("children", r.U64("number of children"), 10)
	if r.Err() == nil && (children == 0 || n.Op == condition.Not && children != 1) {
		r.Failf("number of children", "%w: %d", ErrCorrupt, children)
	}
	for i := 0; i < children && r.Err() == nil; i++ {
		n.Children = append(n.Children, readCondition(r, depth+1))
	}
	return n
}

func readComparison(r *bin.Reader) *condition.Node {
	n := &condition.Node{Op: condition.Op(r.U8("operator"))}
	if n.Op > condition.NotIn && n.Op != condition.AlwaysTrue && n.Op != condition.AlwaysFalse {
		r.Failf("operator", "%w: %d", ErrCorrupt, n.Op)
	}
	n.Field = r.String32("field")
	n.Value = append([]byte{}, r.Bytes("value", r.U64("value size"))...)
	if n.Op == condition.In || n.Op == condition.NotIn {
		n.Offsets = readOffsets(r, uint64(len(n.Value)))
	}
	return n
}

// EncodeDeleteCommit returns the content of a .del file for a stored condition, as DecodeDeleteCommit returns it.
func EncodeDeleteCommit(stored *condition.Node) ([]byte, error) {
	b, err := appendCondition(nil, stored, 1)
	if err != nil {
		return nil, &Error{Field: "delete commit", Version: Version, Err: err}
	}
	return AppendGenericTile(nil, b)
}

func appendCondition(b []byte, n *condition.Node, depth int) ([]byte, error) {
	if depth > maxConditionDepth {
		return nil, fmt.Errorf("%w: condition deeper than %d", ErrUnsupported, maxConditionDepth)
	}
	for op, combination := range combinations {
		if n.Op != combination {
			continue
		}
		b = append(b, combinationNode, byte(op))
		b = binary.LittleEndian.AppendUint64(b, uint64(len(n.Children)))
		for _, child := range n.Children {
			var err error
			if b, err = appendCondition(b, child, depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	w := bin.Writer{B: append(b, comparisonNode, byte(n.Op))}
	w.String32(n.Field)
	w.U64(uint64(len(n.Value)))
	w.Bytes(n.Value)
	if n.Op == condition.In || n.Op == condition.NotIn {
		w.U64(uint64(len(n.Offsets)) * 8)
		w.U64s(n.Offsets)
	}
	return w.B, nil
}
