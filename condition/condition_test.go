package condition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"azulejo/datatype"
	"azulejo/schema"
)

// testSchema has one attribute of each kind of comparison.
func testSchema() *schema.Array {
	return &schema.Array{
		Domain: schema.Domain{Dimensions: []schema.Dimension{{Name: "d", Type: datatype.Int32, CellValNum: 1}}},
		Attributes: []schema.Attribute{
			{Name: "i", Type: datatype.Int16, CellValNum: 1},
			{Name: "f", Type: datatype.Float64, CellValNum: 1},
			{Name: "n", Type: datatype.Uint8, CellValNum: 1, Nullable: true},
			{Name: "s", Type: datatype.StringASCII, CellValNum: datatype.VarNum},
			{Name: "three", Type: datatype.StringASCII, CellValNum: 3},
			{Name: "char", Type: datatype.Char, CellValNum: 1},
			{Name: "pair", Type: datatype.Int32, CellValNum: 2},
			{Name: "blob", Type: datatype.Blob, CellValNum: datatype.VarNum, Nullable: true},
		},
	}
}

func i16(v ...int16) []byte   { return datatype.Bytes(v) }
func f64(v ...float64) []byte { return datatype.Bytes(v) }
func cmp(field string, op Op, value []byte) *Node {
	return &Node{Op: op, Field: field, Value: value}
}
func isNull(field string) *Node  { return &Node{Op: EQ, Field: field, Null: true} }
func notNull(field string) *Node { return &Node{Op: NE, Field: field, Null: true} }
func not(n *Node) *Node          { return &Node{Op: Not, Children: []*Node{n}} }
func and(n ...*Node) *Node       { return &Node{Op: And, Children: n} }
func or(n ...*Node) *Node        { return &Node{Op: Or, Children: n} }
func in(field string, op Op, width int, values []byte) *Node {
	n := &Node{Op: op, Field: field, Value: values}
	for at := 0; at < len(values); at += width {
		n.Offsets = append(n.Offsets, uint64(at))
	}
	return n
}

// testColumns are six cells of every field of testSchema.
var testColumns = map[string]Column{
	"d":     {Data: datatype.Bytes([]int32{1, 2, 3, 4, 5, 6})},
	"i":     {Data: i16(-3, -1, 0, 1, 3, 5)},
	"f":     {Data: f64(-1, 0, math.NaN(), 2, math.Inf(1), math.Copysign(0, -1))},
	"n":     {Data: []byte{1, 2, 3, 1, 2, 3}, Validity: []byte{1, 0, 1, 0, 1, 1}},
	"s":     {Data: []byte("abbtile"), Offsets: []uint64{0, 1, 1, 2, 3, 7}},
	"three": {Data: []byte("abcabdzzzabcaaaabc")},
	"char":  {Data: []byte("abcabc")},
	"blob":  {Data: []byte("xyz"), Offsets: []uint64{0, 1, 2, 3, 3, 3}, Validity: []byte{1, 1, 1, 0, 1, 1}},
}

func evaluate(t *testing.T, n *Node, missing ...string) string {
	t.Helper()
	c, err := n.Check(testSchema())
	if err != nil {
		t.Fatal(err)
	}
	mask := bytes.Repeat([]byte{1}, 6)
	var cols []Column
	for _, f := range c.Fields() {
		col := testColumns[f.Name]
		for _, m := range missing {
			col.Missing = col.Missing || m == f.Name
		}
		cols = append(cols, col)
	}
	if err := c.Evaluate(cols, mask); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 6)
	for i, m := range mask {
		out[i] = '0' + m
	}
	return string(out)
}

func TestEvaluate(t *testing.T) {
	for _, tc := range []struct {
		name string
		node *Node
		want string
	}{
		{"less", cmp("i", LT, i16(1)), "111000"},
		{"less or equal", cmp("i", LE, i16(1)), "111100"},
		{"greater", cmp("i", GT, i16(1)), "000011"},
		{"greater or equal", cmp("i", GE, i16(1)), "000111"},
		{"equal", cmp("i", EQ, i16(3)), "000010"},
		{"not equal", cmp("i", NE, i16(3)), "111101"},
		{"negative zero equals zero", cmp("f", EQ, f64(0)), "010001"},
		{"NaN is not greater", cmp("f", GT, f64(-5)), "110111"},
		{"NaN differs from itself", cmp("f", NE, f64(math.NaN())), "111111"},
		{"not of a comparison with NaN", not(cmp("f", GT, f64(-5))), "000000"},
		{"dimension", cmp("d", GE, datatype.Bytes([]int32{5})), "000011"},
		{"null cells satisfy no comparison", cmp("n", NE, []byte{9}), "101011"},
		{"nor its negation", not(cmp("n", EQ, []byte{1})), "001011"},
		{"null", isNull("n"), "010100"},
		{"not null", notNull("n"), "101011"},
		{"negated null test", not(isNull("n")), "101011"},
		{"null test of a field without nulls", isNull("i"), "000000"},
		{"not null of a field without nulls", notNull("i"), "111111"},
		{"null test of a type that cannot be compared", isNull("blob"), "000100"},
		{"text", cmp("s", EQ, []byte("b")), "001100"},
		{"empty text", cmp("s", EQ, nil), "010001"},
		{"text order, prefix first", cmp("s", LT, []byte("b")), "110001"},
		{"text from", cmp("s", GE, []byte("b")), "001110"},
		{"fixed text", cmp("three", EQ, []byte("abc")), "100101"},
		{"fixed text with a shorter value", cmp("three", GT, []byte("ab")), "111101"},
		{"a single character with the first of a text", cmp("char", EQ, []byte("bcd")), "010010"},
		{"in", in("i", In, 2, i16(-3, 5, 9)), "100001"},
		{"not in", in("i", NotIn, 2, i16(-3, 5, 9)), "011110"},
		{"not in with nulls", in("n", NotIn, 1, []byte{1}), "001011"},
		{"in nothing", in("i", In, 2, nil), "000000"},
		{"text in", &Node{Op: In, Field: "s", Value: []byte("atile"), Offsets: []uint64{0, 1, 5}}, "110011"},
		{"and", and(cmp("i", GT, i16(-2)), cmp("s", NE, []byte("b"))), "010011"},
		{"or", or(cmp("i", LT, i16(-2)), notNull("n")), "101011"},
		{"or inside and", and(cmp("i", LT, i16(2)), or(cmp("n", EQ, []byte{3}), cmp("s", EQ, []byte("a")))), "101000"},
		{"de Morgan", not(and(cmp("i", GT, i16(0)), isNull("n"))), "111011"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := evaluate(t, tc.node); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	if got := evaluate(t, or(cmp("i", LT, i16(100)), cmp("d", EQ, datatype.Bytes([]int32{2}))), "i"); got != "010000" {
		t.Errorf("a missing field: got %s", got)
	}
}

func TestCheckRefuses(t *testing.T) {
	deep := cmp("i", EQ, i16(1))
	for range 1000 {
		deep = not(deep)
	}
	for name, n := range map[string]*Node{
		"nil":                      nil,
		"unknown field":            cmp("x", EQ, i16(1)),
		"wrong width":              cmp("i", EQ, []byte{1}),
		"unknown operator":         cmp("i", 77, i16(1)),
		"several values":           cmp("pair", EQ, make([]byte, 8)),
		"a type without order":     cmp("blob", EQ, []byte{1}),
		"order of null":            {Op: LT, Field: "n", Null: true},
		"member of wrong width":    in("i", In, 1, []byte{1, 2}),
		"members outside":          {Op: In, Field: "i", Value: i16(1), Offsets: []uint64{0, 9}},
		"falling member positions": {Op: In, Field: "s", Value: []byte("ab"), Offsets: []uint64{2, 1}},
		"empty combination":        and(),
		"not with two parts":       {Op: Not, Children: []*Node{isNull("n"), isNull("n")}},
		"nested too deep":          deep,
	} {
		if _, err := n.Check(testSchema()); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestEvaluateRefusesShortColumns(t *testing.T) {
	c, err := and(cmp("i", EQ, i16(1)), cmp("n", EQ, []byte{1}), cmp("s", EQ, nil)).Check(testSchema())
	if err != nil {
		t.Fatal(err)
	}
	full := []Column{testColumns["i"], testColumns["n"], testColumns["s"]}
	for i := range full {
		cols := append([]Column(nil), full...)
		cols[i] = Column{Data: []byte{1}, Validity: []byte{1}, Offsets: []uint64{0}}
		if err := c.Evaluate(cols, make([]byte, 6)); !errors.Is(err, ErrInvalid) {
			t.Errorf("column %d: got %v", i, err)
		}
	}
}

func TestPrune(t *testing.T) {
	bounds := Bounds{Min: i16(10), Max: i16(20)}
	for _, tc := range []struct {
		node *Node
		want Verdict
	}{
		{cmp("i", LT, i16(10)), None}, {cmp("i", LT, i16(21)), All}, {cmp("i", LT, i16(20)), Some},
		{cmp("i", LE, i16(9)), None}, {cmp("i", LE, i16(20)), All}, {cmp("i", GT, i16(20)), None},
		{cmp("i", GT, i16(9)), All}, {cmp("i", GE, i16(21)), None}, {cmp("i", GE, i16(10)), All},
		{cmp("i", EQ, i16(9)), None}, {cmp("i", EQ, i16(15)), Some}, {cmp("i", NE, i16(21)), All},
		{and(cmp("i", GT, i16(9)), cmp("i", GT, i16(20))), None}, {or(cmp("i", GT, i16(20)), cmp("i", LE, i16(20))), All},
		{not(cmp("i", GE, i16(10))), None}, {in("i", In, 2, i16(1)), Some},
	} {
		c, err := tc.node.Check(testSchema())
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Prune(5, []Bounds{bounds}); got != tc.want {
			t.Errorf("%+v: got %d, want %d", tc.node, got, tc.want)
		}
	}
	c, _ := cmp("f", GT, f64(5)).Check(testSchema())
	if got := c.Prune(5, []Bounds{{Min: f64(0), Max: f64(1)}}); got != Some {
		t.Errorf("bounds of floats were trusted: %d", got)
	}
	c, _ = cmp("n", GE, []byte{0}).Check(testSchema())
	for nulls, want := range map[uint64]Verdict{0: All, 2: Some, 5: None} {
		if got := c.Prune(5, []Bounds{{Min: []byte{1}, Max: []byte{9}, NullsKnown: true, Nulls: nulls}}); got != want {
			t.Errorf("%d nulls: got %d, want %d", nulls, got, want)
		}
	}
}

// TestPruneAgrees holds Prune against Evaluate on random trees and cells.
func TestPruneAgrees(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		n := randomTree(rng, 3)
		c, err := n.Check(testSchema())
		if err != nil {
			t.Fatal(err)
		}
		v, x := make([]int16, 5), make([]byte, 5)
		valid := make([]byte, 5)
		lo, hi, nulls := int16(math.MaxInt16), int16(math.MinInt16), uint64(0)
		nLo, nHi := byte(255), byte(0)
		base := int16(rng.IntN(8))
		for i := range v {
			v[i], x[i], valid[i] = base+int16(rng.IntN(2)), byte(base)+byte(rng.IntN(2)), byte(rng.IntN(2))
			lo, hi = min(lo, v[i]), max(hi, v[i])
			if valid[i] == 0 {
				nulls++
			} else {
				nLo, nHi = min(nLo, x[i]), max(nHi, x[i])
			}
		}
		cols, bounds := make([]Column, len(c.Fields())), make([]Bounds, len(c.Fields()))
		for i, f := range c.Fields() {
			if f.Name == "i" {
				cols[i], bounds[i] = Column{Data: datatype.Bytes(v)}, Bounds{Min: i16(lo), Max: i16(hi)}
			} else {
				cols[i] = Column{Data: x, Validity: valid}
				bounds[i] = Bounds{Min: []byte{nLo}, Max: []byte{nHi}, NullsKnown: true, Nulls: nulls}
			}
		}
		mask := []byte{1, 1, 1, 1, 1}
		if err := c.Evaluate(cols, mask); err != nil {
			t.Fatal(err)
		}
		hits := bytes.Count(mask, []byte{1})
		if got := c.Prune(5, bounds); got == None && hits > 0 || got == All && hits < 5 {
			t.Fatalf("%+v: verdict %d with %d hits", n, got, hits)
		}
	}
}

func randomTree(rng *rand.Rand, depth int) *Node {
	if depth == 0 || rng.IntN(3) == 0 {
		op := Op(rng.IntN(6))
		switch rng.IntN(4) {
		case 0:
			return cmp("n", op, []byte{byte(rng.IntN(9))})
		case 1:
			return []*Node{isNull("n"), notNull("n")}[rng.IntN(2)]
		}
		return cmp("i", op, i16(int16(rng.IntN(9))))
	}
	switch rng.IntN(3) {
	case 0:
		return not(randomTree(rng, depth-1))
	case 1:
		return and(randomTree(rng, depth-1), randomTree(rng, depth-1))
	}
	return or(randomTree(rng, depth-1), randomTree(rng, depth-1), randomTree(rng, depth-1))
}

// nodeOf builds a tree from fuzz bytes.
func nodeOf(b *[]byte, depth int) *Node {
	take := func() byte {
		if len(*b) == 0 {
			return 0
		}
		v := (*b)[0]
		*b = (*b)[1:]
		return v
	}
	names := []string{"i", "f", "n", "s", "three", "pair", "blob", "d", "nope"}
	n := &Node{Op: Op(take()), Field: names[int(take())%len(names)]}
	if n.Op >= And && n.Op <= Not && depth < 20 {
		for range take() % 4 {
			n.Children = append(n.Children, nodeOf(b, depth+1))
		}
		return n
	}
	width := int(take() % 9)
	n.Null = take()%7 == 0
	n.Value = append([]byte(nil), (*b)[:min(width, len(*b))]...)
	*b = (*b)[len(n.Value):]
	for range take() % 4 {
		n.Offsets = append(n.Offsets, uint64(take()%10))
	}
	return n
}

func FuzzCheckAndEvaluate(f *testing.F) {
	f.Add([]byte{byte(And), 0, 2, byte(LT), 0, 2, 1, 5, 0, 0, byte(In), 3, 3, 1, 'a', 'b', 'c', 2, 0, 1}, []byte("columns"))
	f.Add(binary.LittleEndian.AppendUint64([]byte{4, 1, 8, 1}, 77), []byte{})
	f.Fuzz(func(t *testing.T, tree, cells []byte) {
		c, err := nodeOf(&tree, 0).Check(testSchema())
		if err != nil {
			return
		}
		cols := make([]Column, len(c.Fields()))
		for i, field := range c.Fields() {
			cols[i] = testColumns[field.Name]
			if len(cells) > i {
				cols[i].Data = cells
			}
		}
		mask := []byte{1, 0, 1, 1, 1, 1}
		if c.Evaluate(cols, mask) == nil && (mask[1] != 0 || bytes.ContainsFunc(mask, func(r rune) bool { return r > 1 })) {
			t.Errorf("mask %v", mask)
		}
		c.Prune(6, make([]Bounds, len(c.Fields())))
	})
}

func BenchmarkEvaluate(b *testing.B) {
	n := 10000
	v := make([]int16, n)
	for i := range v {
		v[i] = int16(i * 7919)
	}
	c, err := and(cmp("i", LT, i16(100)), cmp("i", GT, i16(-100))).Check(testSchema())
	if err != nil {
		b.Fatal(err)
	}
	mask, cols := make([]byte, n), []Column{{Data: datatype.Bytes(v)}}
	if allocs := testing.AllocsPerRun(10, func() { _ = c.Evaluate(cols, mask) }); allocs > 0 {
		b.Errorf("%v allocations a tile", allocs)
	}
	b.SetBytes(int64(n))
	for b.Loop() {
		for i := range mask {
			mask[i] = 1
		}
		if err := c.Evaluate(cols, mask); err != nil {
			b.Fatal(err)
		}
	}
}
