package condition

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/schema"
)

func TestSurvivorsNegate(t *testing.T) {
	enum := &schema.Enumeration{Name: "colours", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Data: []byte("redgreenblue"), Offsets: []uint64{0, 3, 8}, Ordered: true}
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{{Name: "d", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 99})}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int8, 1), schema.NewAttribute("c", datatype.Int8, 1)}
	s.Attributes[1].Enumeration = "colours"
	s.Enumerations = map[string]*schema.Enumeration{"colours": enum}
	a := func(op Op, v byte) *Node { return &Node{Op: op, Field: "a", Value: []byte{v}} }
	c := func(op Op, label string, offsets ...uint64) *Node {
		return &Node{Op: op, Field: "c", Value: []byte(label), Offsets: offsets, UseEnumeration: true}
	}
	group := func(op Op, children ...*Node) *Node { return &Node{Op: op, Children: children} }
	for _, x := range []struct {
		name, want string
		n          *Node
	}{
		{"a comparison", "a 3 05", a(LT, 5)},
		{"joined", "or(a 5 01 a 5 02 a 5 03)", group(And, a(EQ, 1), group(And, a(EQ, 2), a(EQ, 3)))},
		{"apart", "or(a 5 01 and(a 5 02 a 4 03))", group(And, a(EQ, 1), group(Or, a(EQ, 2), a(NE, 3)))},
		{"not", "and(a 4 01 a 4 02 a 5 03)", group(Not, group(And, a(EQ, 1), group(And, a(EQ, 2), group(Not, a(EQ, 3)))))},
		{"one part", "a 5 01", group(Or, a(EQ, 1))},
		{"a label", "c 1 01", c(GT, "green")},
		{"labels", "c 7 0200 0 1", c(In, "blueblackred", 0, 4, 9)},
		{"a list", "a 7 0102 0 1", &Node{Op: In, Field: "a", Value: []byte{1, 2}, Offsets: []uint64{0, 1}}},
	} {
		got, err := x.n.Survivors(s)
		if err != nil || spell(got) != x.want {
			t.Errorf("%s: got %s, want %s: %v", x.name, spell(got), x.want, err)
		}
	}
	for name, n := range map[string]*Node{
		"an unknown label": c(EQ, "black"), "only unknown labels": c(In, "blackwhite", 0, 5), "a list of an empty text": {Op: In, Field: "a", Offsets: []uint64{}},
		"null, below": group(Or, a(EQ, 1), &Node{Op: EQ, Field: "a", Null: true}), "always": {Op: AlwaysFalse, Field: "a"},
	} {
		if got, err := n.Survivors(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %s, %v", name, spell(got), err)
		}
	}
}

// spell writes a tree as text: field, operator, value, offsets.
func spell(n *Node) string {
	if n == nil {
		return "nothing"
	}
	names := map[Op]string{And: "and", Or: "or", Not: "not"}
	if name, ok := names[n.Op]; ok {
		parts := make([]string, len(n.Children))
		for i, c := range n.Children {
			parts[i] = spell(c)
		}
		return name + "(" + strings.Join(parts, " ") + ")"
	}
	text := fmt.Sprintf("%s %d %x", n.Field, n.Op, n.Value)
	for _, o := range n.Offsets {
		text += fmt.Sprint(" ", o)
	}
	return text
}
