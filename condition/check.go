package condition

import (
	"encoding/binary"
	"fmt"

	"azulejo/datatype"
	"azulejo/schema"
)

// Checked is a condition bound to a schema: negations are pushed down to the comparisons, labels are translated to the
// index values that the cells store, and every value has its field's width. Immutable, safe for concurrent use.
type Checked struct {
	root   *leafOrGroup
	fields []schema.Field
}

// leafOrGroup is a node of a checked tree: And or Or over children, a constant, or a comparison of one field.
type leafOrGroup struct {
	op       Op
	children []*leafOrGroup
	// field is the comparison's index in Checked.fields.
	field int
	null  bool
	value []byte
	set   *memberSet
}

// maxDepth bounds the nesting of a condition, which recursion follows.
const maxDepth = 200

// Check binds the condition to schema s, whose Enumerations must hold those that the condition compares labels of.
// Semantics are libtiledb's: labels that the enumeration lacks equal nothing; comparing order needs an ordered
// enumeration; a null test of a field that is not nullable is a constant. The error wraps ErrInvalid and names the field.
func (n *Node) Check(s *schema.Array) (*Checked, error) {
	b := binder{schema: s, index: map[string]int{}, out: &Checked{}}
	root, err := b.node(n, false, 0)
	if err != nil {
		return nil, err
	}
	b.out.root = root
	return b.out, nil
}

// Fields returns the fields whose values Evaluate needs, in the order it wants them. The slice must not be modified.
func (c *Checked) Fields() []schema.Field { return c.fields }

// EnumerationNames returns the names of the enumerations of s that must be loaded before n can be checked, without
// repeats.
func (n *Node) EnumerationNames(s *schema.Array) []string {
	var names []string
	seen := map[string]bool{}
	n.Each(func(leaf *Node) {
		if !leaf.UseEnumeration || leaf.Null {
			return
		}
		if name := enumerationOf(s, leaf.Field); name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	})
	return names
}

// Each calls f for every comparison of the tree, but for those of a tree too deep for Check.
func (n *Node) Each(f func(*Node)) { n.eachLeaf(0, f) }

func (n *Node) eachLeaf(depth int, f func(*Node)) {
	if n == nil || depth > maxDepth {
		return
	}
	if n.Op != And && n.Op != Or && n.Op != Not {
		f(n)
		return
	}
	for _, child := range n.Children {
		child.eachLeaf(depth+1, f)
	}
}

// enumerationOf returns the enumeration's name of an attribute, or "".
func enumerationOf(s *schema.Array, field string) string {
	for i := range s.Attributes {
		if s.Attributes[i].Name == field {
			return s.Attributes[i].Enumeration
		}
	}
	return ""
}

// binder carries the state of one Check.
type binder struct {
	schema *schema.Array
	index  map[string]int
	out    *Checked
}

func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: field %q: %s", ErrInvalid, field, fmt.Sprintf(format, args...))
}

// node binds n, or its negation when negate is set.
func (b *binder) node(n *Node, negate bool, depth int) (*leafOrGroup, error) {
	switch {
	case n == nil:
		return nil, fmt.Errorf("%w: a part of it is missing", ErrInvalid)
	case depth > maxDepth:
		return nil, fmt.Errorf("%w: nested more than %d deep", ErrInvalid, maxDepth)
	case n.Op == Not:
		if len(n.Children) != 1 {
			return nil, fmt.Errorf("%w: not has %d parts", ErrInvalid, len(n.Children))
		}
		return b.node(n.Children[0], !negate, depth+1)
	case n.Op == And || n.Op == Or:
		return b.group(n, negate, depth)
	}
	return b.leaf(n, negate)
}

func (b *binder) group(n *Node, negate bool, depth int) (*leafOrGroup, error) {
	if len(n.Children) == 0 {
		return nil, fmt.Errorf("%w: a combination without parts", ErrInvalid)
	}
	g := &leafOrGroup{op: n.Op}
	if negate {
		g.op = And + Or - n.Op
	}
	for _, child := range n.Children {
		part, err := b.node(child, negate, depth+1)
		if err != nil {
			return nil, err
		}
		g.children = append(g.children, part)
	}
	return g, nil
}

// negated has the opposite of every comparison.
var negated = map[Op]Op{LT: GE, GE: LT, GT: LE, LE: GT, EQ: NE, NE: EQ, In: NotIn, NotIn: In, AlwaysTrue: AlwaysFalse,
	AlwaysFalse: AlwaysTrue}

func (b *binder) leaf(n *Node, negate bool) (*leafOrGroup, error) {
	op := n.Op
	if _, known := negated[op]; !known {
		return nil, fmt.Errorf("%w: operator %d", ErrInvalid, op)
	}
	if negate {
		op = negated[op]
	}
	f, ok := b.schema.Field(n.Field)
	if !ok {
		return nil, invalid(n.Field, "the array has no such attribute or dimension")
	}
	l := &leafOrGroup{op: op, null: n.Null, field: b.use(f), value: n.Value}
	if op == AlwaysTrue || op == AlwaysFalse {
		return l, nil
	}
	if n.Null {
		return l, b.nullTest(l, &f)
	}
	if err := checkType(&f); err != nil {
		return nil, err
	}
	members, err := n.members()
	if err != nil {
		return nil, err
	}
	if name := enumerationOf(b.schema, n.Field); n.UseEnumeration && name != "" && !f.Dimension {
		if members, err = b.translate(l, &f, name, members); err != nil {
			return nil, err
		}
	}
	return l, l.checkSizes(&f, members)
}

// use returns the index of f among the fields to load, adding it.
func (b *binder) use(f schema.Field) int {
	i, ok := b.index[f.Name]
	if !ok {
		i = len(b.out.fields)
		b.index[f.Name] = i
		b.out.fields = append(b.out.fields, f)
	}
	return i
}

func (b *binder) nullTest(l *leafOrGroup, f *schema.Field) error {
	if l.op != EQ && l.op != NE {
		return invalid(f.Name, "null can only be tested for equality")
	}
	if !f.Nullable {
		l.op = map[Op]Op{EQ: AlwaysFalse, NE: AlwaysTrue}[l.op]
	}
	return nil
}

// isText reports whether cells of the type are compared as whole byte strings.
func isText(f *schema.Field) bool {
	switch f.Type {
	case datatype.StringASCII, datatype.StringUTF8:
		return true
	case datatype.Char:
		return f.CellValNum != 1
	}
	return false
}

// checkType refuses the fields whose values cannot be compared.
func checkType(f *schema.Field) error {
	switch f.Type {
	case datatype.Any, datatype.StringUTF16, datatype.StringUTF32, datatype.StringUCS2, datatype.StringUCS4, datatype.Blob,
		datatype.GeomWKB, datatype.GeomWKT:
		return invalid(f.Name, "values of type %s cannot be compared", f.Type)
	}
	if f.CellValNum != 1 && !isText(f) {
		return invalid(f.Name, "cells of several %s values cannot be compared", f.Type)
	}
	return nil
}

// members returns the list of In and NotIn, without copying.
func (n *Node) members() ([][]byte, error) {
	if n.Op != In && n.Op != NotIn {
		return nil, nil
	}
	out := make([][]byte, len(n.Offsets))
	for i, start := range n.Offsets {
		end := uint64(len(n.Value))
		if i+1 < len(n.Offsets) {
			end = n.Offsets[i+1]
		}
		if start > end || end > uint64(len(n.Value)) {
			return nil, invalid(n.Field, "member %d lies at bytes %d to %d of %d", i, start, end, len(n.Value))
		}
		out[i] = n.Value[start:end]
	}
	return out, nil
}

// translate turns the labels of a comparison into index values of the attribute's type.
func (b *binder) translate(l *leafOrGroup, f *schema.Field, name string, members [][]byte) ([][]byte, error) {
	e := b.schema.Enumerations[name]
	if e == nil {
		return nil, invalid(f.Name, "its enumeration %q is not loaded", name)
	}
	if f.Type.Kind().Float() || f.CellValNum != 1 {
		return nil, invalid(f.Name, "%s is no index type", f.Type)
	}
	if l.op <= GE && !e.Ordered {
		return nil, invalid(f.Name, "the labels of enumeration %q have no order", name)
	}
	if l.op == In || l.op == NotIn {
		known := members[:0:0]
		for _, label := range members {
			if i, ok := e.Index(label); ok {
				known = append(known, indexValue(i, f.Type.Size()))
			}
		}
		return known, nil
	}
	i, ok := e.Index(l.value)
	if !ok {
		if l.op == NE {
			l.op = AlwaysTrue
		} else {
			l.op = AlwaysFalse
		}
	}
	l.value = indexValue(i, f.Type.Size())
	return nil, nil
}

// indexValue returns i as a little-endian number of size bytes.
func indexValue(i, size int) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(i))[:size]
}

// checkSizes compares the widths of the values with the field's and builds the set of a membership test.
func (l *leafOrGroup) checkSizes(f *schema.Field, members [][]byte) error {
	fixed := !f.Var()
	if l.op == In || l.op == NotIn {
		for _, m := range members {
			if fixed && len(m) != f.CellSize() {
				return invalid(f.Name, "a member has %d bytes instead of %d", len(m), f.CellSize())
			}
		}
		l.set = newMemberSet(members, f)
		return nil
	}
	if fixed && !isText(f) && l.op <= NE && len(l.value) != f.CellSize() {
		if f.Type == datatype.Char && len(l.value) > 1 {
			// libtiledb compares a single character with the first one of a text.
			l.value = l.value[:1]
			return nil
		}
		return invalid(f.Name, "the value has %d bytes instead of %d", len(l.value), f.CellSize())
	}
	return nil
}
