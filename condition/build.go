package condition

import "azulejo/datatype"

// Compare returns the condition that a field holds op against a number of T's kind: Compare("a", LT, int32(100)).
func Compare[T datatype.Element](field string, op Op, value T) *Node {
	return &Node{Op: op, Field: field, Value: append([]byte(nil), datatype.Bytes([]T{value})...)}
}

// CompareText returns the condition that a field of texts holds op against a text.
func CompareText(field string, op Op, value string) *Node {
	return &Node{Op: op, Field: field, Value: append([]byte{}, value...)}
}

// CompareLabel returns the condition that the label that a field's value stands for holds op against a text.
func CompareLabel(field string, op Op, label string) *Node {
	return &Node{Op: op, Field: field, Value: append([]byte{}, label...), UseEnumeration: true}
}

// OneOf returns the condition that a field has one of the numbers.
func OneOf[T datatype.Element](field string, values ...T) *Node {
	n := &Node{Op: In, Field: field, Value: append([]byte{}, datatype.Bytes(values)...)}
	size := uint64(datatype.KindOf[T]().Size())
	for i := range values {
		n.Offsets = append(n.Offsets, uint64(i)*size)
	}
	return n
}

// OneOfTexts returns the condition that a field has one of the texts.
func OneOfTexts(field string, values ...string) *Node {
	n := &Node{Op: In, Field: field, Value: []byte{}}
	for _, v := range values {
		n.Offsets = append(n.Offsets, uint64(len(n.Value)))
		n.Value = append(n.Value, v...)
	}
	return n
}

// IsNull returns the condition that a field is null, IsValid that it is not.
func IsNull(field string) *Node { return &Node{Op: EQ, Field: field, Null: true} }

// IsValid returns the condition that a field is not null.
func IsValid(field string) *Node { return &Node{Op: NE, Field: field, Null: true} }

// AllOf returns the condition that every one of the parts holds.
func AllOf(parts ...*Node) *Node { return join(And, AlwaysTrue, parts) }

// AnyOf returns the condition that one of the parts holds.
func AnyOf(parts ...*Node) *Node { return join(Or, AlwaysFalse, parts) }

// join combines parts; one part stands for itself, none for the combination's neutral element.
func join(op, none Op, parts []*Node) *Node {
	switch len(parts) {
	case 0:
		return &Node{Op: none}
	case 1:
		return parts[0]
	}
	return &Node{Op: op, Children: parts}
}

// Negated returns the condition that n does not hold.
func Negated(n *Node) *Node { return &Node{Op: Not, Children: []*Node{n}} }
