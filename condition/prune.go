package condition

import (
	"azulejo/datatype"
)

// Verdict says what is known about the cells of a tile without looking at them.
type Verdict uint8

// The verdicts.
const (
	// Some means that the cells must be looked at.
	Some Verdict = iota
	// None means that no cell satisfies the condition, All that every cell does.
	None
	All
)

// Bounds is what is known of a field's cells in a tile: all valid values lie in [Min, Max], ends included.
type Bounds struct {
	// Min and Max are nil when nothing is known.
	Min, Max []byte
	// NullsKnown says that Nulls, the number of null cells, is known.
	NullsKnown bool
	Nulls      uint64
}

// Prune returns what bounds tell about a tile of n cells; bounds has one entry per field of Fields. Only whole numbers
// are judged by their bounds: stored bounds of floats are not reliable once a NaN was among the cells, nor are those of
// texts.
func (c *Checked) Prune(n uint64, bounds []Bounds) Verdict {
	if len(bounds) != len(c.fields) {
		return Some
	}
	return c.prune(c.root, n, bounds)
}

func (c *Checked) prune(node *leafOrGroup, n uint64, bounds []Bounds) Verdict {
	switch node.op {
	case And:
		return c.pruneGroup(node, n, bounds, None, All)
	case Or:
		return c.pruneGroup(node, n, bounds, All, None)
	case AlwaysFalse:
		return None
	}
	f, b := &c.fields[node.field], &bounds[node.field]
	verdict := Some
	switch {
	case node.op == AlwaysTrue || node.null && !f.Nullable:
		verdict = All
	case node.null:
		return pruneNull(node.op, n, b)
	case node.set == nil && !isText(f) && b.Min != nil && b.Max != nil:
		verdict = pruneNumbers(f.Type, node.op, node.value, b)
	}
	if verdict == All && f.Nullable {
		switch {
		case !b.NullsKnown:
			return Some
		case b.Nulls == n:
			return None
		case b.Nulls > 0:
			return Some
		}
	}
	return verdict
}

// pruneGroup combines the parts: strong decides at once, weak only when all parts say so.
func (c *Checked) pruneGroup(node *leafOrGroup, n uint64, bounds []Bounds, strong, weak Verdict) Verdict {
	out := weak
	for _, child := range node.children {
		switch c.prune(child, n, bounds) {
		case strong:
			return strong
		case Some:
			out = Some
		}
	}
	return out
}

// pruneNull judges a null test.
func pruneNull(op Op, n uint64, b *Bounds) Verdict {
	if !b.NullsKnown || b.Nulls != 0 && b.Nulls != n {
		return Some
	}
	if (b.Nulls == 0) == (op == EQ) {
		return None
	}
	return All
}

func pruneNumbers(t datatype.Type, op Op, value []byte, b *Bounds) Verdict {
	if len(b.Min) != t.Size() || len(b.Max) != t.Size() {
		return Some
	}
	switch t.Kind() {
	case datatype.KindInt8:
		return pruneRange[int8](op, value, b)
	case datatype.KindInt16:
		return pruneRange[int16](op, value, b)
	case datatype.KindInt32:
		return pruneRange[int32](op, value, b)
	case datatype.KindInt64:
		return pruneRange[int64](op, value, b)
	case datatype.KindUint8:
		return pruneRange[uint8](op, value, b)
	case datatype.KindUint16:
		return pruneRange[uint16](op, value, b)
	case datatype.KindUint32:
		return pruneRange[uint32](op, value, b)
	case datatype.KindUint64:
		return pruneRange[uint64](op, value, b)
	}
	return Some
}

// pruneRange compares x with the range; a range whose ends are exchanged holds no valid value at all.
func pruneRange[T datatype.Element](op Op, value []byte, b *Bounds) Verdict {
	x, lo, hi := datatype.View[T](value)[0], datatype.View[T](b.Min)[0], datatype.View[T](b.Max)[0]
	if lo > hi {
		return None
	}
	switch op {
	case LT:
		return judge(hi < x, lo >= x)
	case LE:
		return judge(hi <= x, lo > x)
	case GT:
		return judge(lo > x, hi <= x)
	case GE:
		return judge(lo >= x, hi < x)
	case EQ:
		return judge(lo == x && hi == x, x < lo || x > hi)
	case NE:
		return judge(x < lo || x > hi, lo == x && hi == x)
	}
	return Some
}

func judge(all, none bool) Verdict {
	switch {
	case all:
		return All
	case none:
		return None
	}
	return Some
}

// FieldIndex returns the position of a field in Fields, or -1.
func (c *Checked) FieldIndex(name string) int {
	for i := range c.fields {
		if c.fields[i].Name == name {
			return i
		}
	}
	return -1
}
