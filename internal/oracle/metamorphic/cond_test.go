package metamorphic

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"

	"azulejo/condition"
	"azulejo/datatype"
)

// cond is a condition: a comparison of one value, or a combination of others.
type cond struct {
	op    condition.Op
	parts []*cond
	field string
	typ   datatype.Type
	value string
	null  bool
	label string // of a comparison with a label
}

func (c *cond) String() string {
	if len(c.parts) > 0 {
		var list []string
		for _, p := range c.parts {
			list = append(list, p.String())
		}
		return fmt.Sprintf("%d(%s)", c.op, strings.Join(list, ", "))
	}
	if c.null {
		return fmt.Sprintf("%s op%d null", c.field, c.op)
	}
	return fmt.Sprintf("%s op%d %x", c.field, c.op, c.value)
}

// node returns the condition as the engine has it.
func (c *cond) node() *condition.Node {
	if c == nil {
		return nil
	}
	n := &condition.Node{Op: c.op, Field: c.field, Null: c.null}
	for _, p := range c.parts {
		n.Children = append(n.Children, p.node())
	}
	switch {
	case len(c.parts) > 0 || c.null:
	case c.label != "":
		n.Value, n.UseEnumeration = []byte(c.label), true
	default:
		n.Value = []byte(c.value)
	}
	return n
}

// fields calls use with the names of all fields compared.
func (c *cond) fields(use func(string)) {
	if c.field != "" {
		use(c.field)
	}
	for _, p := range c.parts {
		p.fields(use)
	}
}

// randomCond returns a condition on the dimensions and on attributes that can be compared. One for a delete has no test
// for null.
func (m *model) randomCond(rng *rand.Rand, depth int, forDelete bool) *cond {
	if depth < 3 && rng.IntN(3) == 0 {
		c := &cond{op: []condition.Op{condition.And, condition.Or, condition.Not}[rng.IntN(3)]}
		c.parts = append(c.parts, m.randomCond(rng, depth+1, forDelete))
		if c.op != condition.Not {
			c.parts = append(c.parts, m.randomCond(rng, depth+1, forDelete))
		}
		return c
	}
	for range 8 {
		attrs := m.now().attrs
		a := &attrs[rng.IntN(len(attrs))]
		op := condition.Op(rng.IntN(6))
		if a.Enumeration != "" {
			i := rng.IntN(m.colours)
			return &cond{op: condition.EQ + condition.Op(rng.IntN(2)), field: a.Name, typ: a.Type, value: string([]byte{byte(i)}), label: labelNames[i]}
		}
		texts := a.CellValNum == datatype.VarNum && a.Type == datatype.StringASCII
		numbers := a.CellValNum == 1 && (a.Type <= datatype.Float64 || a.Type >= datatype.Int8 && a.Type <= datatype.Uint64 || a.Type >= datatype.DateTimeYear && a.Type <= datatype.TimeAS)
		if !texts && !numbers {
			continue
		}
		if a.Nullable && !forDelete && rng.IntN(5) == 0 {
			return &cond{op: condition.EQ + condition.Op(rng.IntN(2)), field: a.Name, typ: a.Type, null: true}
		}
		v := a.values[rng.IntN(len(a.values))]
		if v.null {
			continue
		}
		return &cond{op: op, field: a.Name, typ: a.Type, value: v.bytes}
	}
	d := &m.dims[rng.IntN(len(m.dims))]
	return &cond{op: condition.Op(rng.IntN(6)), field: d.Name, typ: d.Type, value: string(d.coords[rng.IntN(d.n)])}
}

// verdict says how a comparison with what is no value ends.
type verdict struct{ null, missing, nan bool }

// holds evaluates the condition for a cell, negations at the comparisons.
func (c *cond) holds(sp *spec, at point, values map[string]value, negated bool, special verdict) bool {
	switch c.op {
	case condition.Not:
		return c.parts[0].holds(sp, at, values, !negated, special)
	case condition.And, condition.Or:
		x, y := c.parts[0].holds(sp, at, values, negated, special), c.parts[1].holds(sp, at, values, negated, special)
		if (c.op == condition.And) != negated {
			return x && y
		}
		return x || y
	}
	v, ok := values[c.field]
	for i := range sp.dims {
		if sp.dims[i].Name == c.field {
			v, ok = value{bytes: string(sp.dims[i].coords[at[i]])}, true
		}
	}
	switch {
	case !ok:
		return special.missing
	case c.null:
		return (v.null == (c.op == condition.EQ)) != negated
	case v.null:
		return special.null
	}
	if isNaN(c.typ, v.bytes) {
		// It differs from everything and is on no side of anything. A delete leaves what the opposite holds for.
		equal, differs := c.op == condition.EQ, c.op == condition.NE
		if negated {
			equal, differs = differs, equal
		}
		return differs || special.nan && !equal
	}
	return compareOp(c.op, compareValues(c.typ, v.bytes, c.value)) != negated
}

// deletes reports whether a delete with the condition takes a version: null cells and those without the field always, those
// that are no number but where it asks whether they are one.
func (c *cond) deletes(sp *spec, v *version) bool {
	return c.holds(sp, v.at, v.values, false, verdict{true, true, true})
}

func compareOp(op condition.Op, c int) bool {
	switch op {
	case condition.LT:
		return c < 0
	case condition.LE:
		return c <= 0
	case condition.GT:
		return c > 0
	case condition.GE:
		return c >= 0
	case condition.EQ:
		return c == 0
	default:
		return c != 0
	}
}

// isNaN reports whether a value is none that compares, such as fill values of numbers.
func isNaN(t datatype.Type, v string) bool {
	switch t.Info().Kind {
	case datatype.KindFloat32:
		x := datatype.View[float32]([]byte(v))[0]
		return x != x
	case datatype.KindFloat64:
		x := datatype.View[float64]([]byte(v))[0]
		return x != x
	}
	return false
}

func compareValues(t datatype.Type, a, b string) int {
	kind := t.Info().Kind
	switch {
	case t == datatype.StringASCII:
		return strings.Compare(a, b)
	case kind == datatype.KindFloat32:
		return cmp.Compare(datatype.View[float32]([]byte(a))[0], datatype.View[float32]([]byte(b))[0])
	case kind == datatype.KindFloat64:
		return cmp.Compare(datatype.View[float64]([]byte(a))[0], datatype.View[float64]([]byte(b))[0])
	}
	if x, y := integer(kind, a), integer(kind, b); kind.Signed() {
		return cmp.Compare(int64(x), int64(y))
	} else {
		return cmp.Compare(x, y)
	}
}

// integer extends a stored whole number to 64 bits.
func integer(k datatype.Kind, b string) uint64 {
	x := uint64(0)
	for i := len(b) - 1; i >= 0; i-- {
		x = x<<8 | uint64(b[i])
	}
	if shift := 64 - 8*len(b); k.Signed() {
		return uint64(int64(x<<shift) >> shift)
	}
	return x
}
