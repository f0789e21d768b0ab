package wire

import (
	"slices"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// comparisons and combinations have the names of operators on the wire.
var (
	comparisons = map[string]condition.Op{
		"LT": condition.LT, "LE": condition.LE, "GT": condition.GT, "GE": condition.GE, "EQ": condition.EQ,
		"NE": condition.NE, "IN": condition.In, "NOT_IN": condition.NotIn,
		"ALWAYS_TRUE": condition.AlwaysTrue, "ALWAYS_FALSE": condition.AlwaysFalse,
	}
	combinations = map[string]condition.Op{"AND": condition.And, "OR": condition.Or, "NOT": condition.Not}
)

// decodeCondition reads a query condition, nil when there is none. The older list of clauses is read only where there is
// no tree. a is the schema the condition is for; fields must exist in it.
func decodeCondition(p *place, m capnp.Condition, err error, a *schema.Array) *condition.Node {
	if !p.check(err) || !m.IsValid() {
		return nil
	}
	if m.HasTree() {
		tree, err := m.Tree()
		p.at("tree").check(err)
		return decodeNode(p.at("tree"), tree, a)
	}
	return decodeClauses(p, m, a)
}

// decodeNode reads a node and everything below it; messages nest no deeper than maxNesting.
func decodeNode(p *place, m capnp.ASTNode, a *schema.Array) *condition.Node {
	if !m.IsExpression() {
		offsets, err := m.Offsets()
		p.at("offsets").check(err)
		return decodeComparison(p, m, offsets, a)
	}
	name, err := m.CombinationOp()
	op, ok := combinations[name]
	if p.at("combinationOp").check(err) && !ok {
		p.at("combinationOp").fail("unknown value %q", name)
	}
	children, err := m.Children()
	n := p.at("children").length(children, err)
	if n == 0 || op == condition.Not && n != 1 {
		p.at("children").fail("%d of them for %s", n, name)
		return nil
	}
	v := &condition.Node{Op: op, Children: make([]*condition.Node, n)}
	for i := range v.Children {
		v.Children[i] = decodeNode(p.at("children").item(i), children.At(i), a)
	}
	return v
}

// decodeClauses reads the older form of a condition: comparisons that must all hold.
func decodeClauses(p *place, m capnp.Condition, a *schema.Array) *condition.Node {
	combined, err := m.ClauseCombinationOps()
	for _, op := range p.at("clauseCombinationOps").texts(combined, err) {
		if op != "AND" {
			p.at("clauseCombinationOps").fail("%q instead of AND", op)
		}
	}
	clauses, err := m.Clauses()
	p = p.at("clauses")
	n := p.length(clauses, err)
	if n == 0 {
		p.fail("neither clauses nor a tree")
		return nil
	}
	v := &condition.Node{Op: condition.And, Children: make([]*condition.Node, n)}
	for i := range v.Children {
		v.Children[i] = decodeComparison(p.item(i), clauses.At(i), nil, a)
	}
	if n == 1 {
		return v.Children[0]
	}
	return v
}

// comparison is what clauses and the leaves of a tree have in common.
type comparison interface {
	FieldName() (string, error)
	Op() (string, error)
	Value() ([]byte, error)
	UseEnumeration() bool
}

// decodeComparison reads a comparison of a field with a value, or with a set when there are offsets.
func decodeComparison(p *place, m comparison, offsets []byte, a *schema.Array) *condition.Node {
	v := &condition.Node{
		Field:          p.at("fieldName").text(m.FieldName()),
		UseEnumeration: m.UseEnumeration(),
	}
	name, err := m.Op()
	op, ok := comparisons[name]
	if p.at("op").check(err) && !ok {
		p.at("op").fail("unknown value %q", name)
	}
	v.Op = op
	field, known := a.Field(v.Field)
	if !known {
		p.at("fieldName").fail("no field %q", v.Field)
		return v
	}
	value, err := m.Value()
	p.at("value").check(err)
	v.Value = append([]byte{}, value...)
	switch op {
	case condition.In, condition.NotIn:
		v.Offsets = uint64s(p.at("offsets"), offsets, nil)
		if len(v.Offsets) == 0 && len(value) > 0 || !ascending(v.Offsets, uint64(len(value))) {
			p.at("offsets").fail("%d positions do not cut %d bytes", len(v.Offsets), len(value))
		}
	case condition.EQ, condition.NE:
		if len(value) == 0 && nullTest(a, &field, v.UseEnumeration) {
			v.Null, v.Value = true, nil
		}
	}
	return v
}

// nullTest tells what an empty value of EQ or NE means, because the wire has one form for the comparison with null and
// with the empty text: null where a field can be null, and also where its values or labels cannot be empty.
func nullTest(a *schema.Array, f *schema.Field, labels bool) bool {
	if f.Nullable {
		return true
	}
	if f.Dimension || !labels {
		return !f.Var()
	}
	name := a.Attributes[f.Index].Enumeration
	if e := a.Enumerations[name]; e != nil {
		return e.CellValNum != datatype.VarNum
	}
	return name == "" && !f.Var()
}

// ascending reports whether offsets, which begin with 0, cut n bytes.
func ascending(offsets []uint64, n uint64) bool {
	return slices.IsSorted(offsets) &&
		(len(offsets) == 0 || offsets[0] == 0 && offsets[len(offsets)-1] <= n)
}
