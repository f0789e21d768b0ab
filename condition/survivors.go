package condition

import (
	"fmt"

	"azulejo/schema"
)

// Survivors returns the condition that a delete of what n describes stores (format_spec/delete_commit_file.md): a new
// tree that holds for the cells that stay. It is the negation of n without Not, nested combinations of one kind joined,
// labels replaced by their index values; s must have the enumerations of n's EnumerationNames.
//
// The error wraps ErrInvalid for what Check refuses, and for what libtiledb cannot store or read again: tests for null,
// constants, comparisons with a label or only labels that the enumeration lacks, empty lists.
func (n *Node) Survivors(s *schema.Array) (*Node, error) {
	if _, err := n.Check(s); err != nil {
		return nil, err
	}
	return n.survivors(s, true)
}

// survivors returns n, or its negation; n was checked.
func (n *Node) survivors(s *schema.Array, negate bool) (*Node, error) {
	switch n.Op {
	case Not:
		return n.Children[0].survivors(s, !negate)
	case And, Or:
		return n.groupSurvivors(s, negate)
	}
	f, _ := s.Field(n.Field)
	out := &Node{Op: n.Op, Field: n.Field, Value: n.Value, Offsets: n.Offsets}
	if negate {
		out.Op = negated[n.Op]
	}
	switch {
	case n.Null:
		return nil, invalid(n.Field, "deletes cannot test for null: nothing could read the array afterwards")
	case n.Op == AlwaysTrue || n.Op == AlwaysFalse:
		return nil, invalid(n.Field, "deletes store no constants")
	case n.UseEnumeration && enumerationOf(s, n.Field) != "":
		if err := out.storeLabels(n, s.Enumerations[enumerationOf(s, n.Field)], f.Type.Size()); err != nil {
			return nil, err
		}
	}
	if (n.Op == In || n.Op == NotIn) && len(out.Value) == 0 {
		return nil, invalid(n.Field, "deletes store no empty lists")
	}
	return out, nil
}

// groupSurvivors joins the parts of a combination, taking in those of parts of the same kind.
func (n *Node) groupSurvivors(s *schema.Array, negate bool) (*Node, error) {
	out := &Node{Op: n.Op}
	if negate {
		out.Op = And + Or - n.Op
	}
	for _, child := range n.Children {
		part, err := child.survivors(s, negate)
		if err != nil {
			return nil, err
		}
		if part.Op == out.Op {
			out.Children = append(out.Children, part.Children...)
		} else {
			out.Children = append(out.Children, part)
		}
	}
	if len(out.Children) == 1 {
		return out.Children[0], nil
	}
	return out, nil
}

// storeLabels sets the value, or the members, of a comparison with labels to their index values of size bytes. Members
// that the enumeration lacks are left out.
func (n *Node) storeLabels(labels *Node, e *schema.Enumeration, size int) error {
	members, err := labels.members()
	if err != nil {
		return err
	}
	if labels.Op != In && labels.Op != NotIn {
		members = [][]byte{labels.Value}
	}
	n.Value, n.Offsets = nil, nil
	for _, label := range members {
		i, ok := e.Index(label)
		switch {
		case ok && (n.Op == In || n.Op == NotIn):
			n.Offsets = append(n.Offsets, uint64(len(n.Value)))
			n.Value = append(n.Value, indexValue(i, size)...)
		case ok:
			n.Value = indexValue(i, size)
		case labels.Op != In && labels.Op != NotIn:
			return invalid(n.Field, "enumeration %q has no label %s", e.Name, fmt.Sprintf("%q", label))
		}
	}
	return nil
}
