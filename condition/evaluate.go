package condition

import (
	"fmt"

	"azulejo/datatype"
	"azulejo/internal/pool"
	"azulejo/schema"
)

// Column holds the cells of one field of a tile for Evaluate. It is borrowed for the call.
type Column struct {
	// Missing says that the tile's fragment has no such field: every comparison with it is false.
	Missing bool
	// Data has fixed cells back to back, or the values of var-sized cells.
	Data []byte
	// Offsets has the byte position of every cell in Data; nil for fixed cells. It may have an extra last element.
	Offsets []uint64
	// Validity has a byte per cell, 0 for null; nil unless the field is nullable.
	Validity []byte
}

// Evaluate clears the bytes of mask whose cell does not satisfy the condition; those that are 0 already stay 0, and the
// others must be 1. cols has one entry per field of Fields, of at least len(mask) cells each. Null cells satisfy no
// comparison but the test for null.
func (c *Checked) Evaluate(cols []Column, mask []byte) error {
	if len(cols) != len(c.fields) {
		return fmt.Errorf("%w: %d columns for %d fields", ErrInvalid, len(cols), len(c.fields))
	}
	for i := range cols {
		if err := cols[i].check(&c.fields[i], len(mask)); err != nil {
			return err
		}
	}
	e := evaluation{c, cols}
	e.and(c.root, mask)
	return nil
}

// check tells whether the column holds n cells.
func (col *Column) check(f *schema.Field, n int) error {
	if col.Missing {
		return nil
	}
	if f.Nullable && len(col.Validity) < n {
		return invalid(f.Name, "%d validity bytes for %d cells", len(col.Validity), n)
	}
	if !f.Var() {
		if len(col.Data) < n*f.CellSize() {
			return invalid(f.Name, "%d bytes for %d cells", len(col.Data), n)
		}
		return nil
	}
	if len(col.Offsets) < n {
		return invalid(f.Name, "%d offsets for %d cells", len(col.Offsets), n)
	}
	return nil
}

// evaluation is one call of Evaluate.
type evaluation struct {
	*Checked
	cols []Column
}

// and clears in mask the cells that do not satisfy n.
func (e *evaluation) and(n *leafOrGroup, mask []byte) {
	switch n.op {
	case And:
		for _, child := range n.children {
			e.and(child, mask)
		}
	case Or:
		e.or(n, mask)
	default:
		e.leaf(n, mask)
	}
}

// or evaluates every part on the cells that are still wanted and keeps those that satisfied any.
func (e *evaluation) or(n *leafOrGroup, mask []byte) {
	if len(n.children) == 1 {
		e.and(n.children[0], mask)
		return
	}
	some, part := pool.Get(len(mask)), pool.Get(len(mask))
	defer some.Release()
	defer part.Release()
	clear(some.B)
	for _, child := range n.children {
		copy(part.B, mask)
		e.and(child, part.B)
		union(some.B, part.B)
	}
	copy(mask, some.B)
}

// union adds the cells of b to a.
func union(a, b []byte) {
	b = b[:len(a)]
	for i := range a {
		a[i] |= b[i]
	}
}

// leaf evaluates one comparison.
func (e *evaluation) leaf(n *leafOrGroup, mask []byte) {
	f, col := &e.fields[n.field], &e.cols[n.field]
	if col.Missing || n.op == AlwaysFalse {
		clear(mask)
		return
	}
	if f.Nullable {
		if n.null && n.op == EQ {
			keepNull(mask, col.Validity)
			return
		}
		keepValid(mask, col.Validity)
	}
	switch {
	case n.op == AlwaysTrue || n.null:
	case n.set != nil:
		n.set.keep(mask, f, col, n.op == In)
	case isText(f):
		keepText(mask, f, col, n.op, n.value)
	default:
		keepNumbers(mask, f.Type, col.Data, n.op, n.value)
	}
}

func keepValid(mask, validity []byte) {
	validity = validity[:len(mask)]
	for i, v := range validity {
		if v == 0 {
			mask[i] = 0
		}
	}
}

func keepNull(mask, validity []byte) {
	validity = validity[:len(mask)]
	for i, v := range validity {
		if v != 0 {
			mask[i] = 0
		}
	}
}

// keepNumbers compares single values.
func keepNumbers(mask []byte, t datatype.Type, data []byte, op Op, value []byte) {
	switch t.Kind() {
	case datatype.KindInt8:
		compareAll[int8](mask, data, op, value)
	case datatype.KindInt16:
		compareAll[int16](mask, data, op, value)
	case datatype.KindInt32:
		compareAll[int32](mask, data, op, value)
	case datatype.KindInt64:
		compareAll[int64](mask, data, op, value)
	case datatype.KindUint8:
		compareAll[uint8](mask, data, op, value)
	case datatype.KindUint16:
		compareAll[uint16](mask, data, op, value)
	case datatype.KindUint32:
		compareAll[uint32](mask, data, op, value)
	case datatype.KindUint64:
		compareAll[uint64](mask, data, op, value)
	case datatype.KindFloat32:
		compareAll[float32](mask, data, op, value)
	case datatype.KindFloat64:
		compareAll[float64](mask, data, op, value)
	}
}

// compareAll clears mask where the value does not compare as asked. The loops have no branch per cell.
func compareAll[T datatype.Element](mask, data []byte, op Op, value []byte) {
	v := datatype.View[T](data)[:len(mask)]
	x := datatype.View[T](value)[0]
	switch op {
	case LT:
		for i := range mask {
			mask[i] &= bit(v[i] < x)
		}
	case LE:
		for i := range mask {
			mask[i] &= bit(v[i] <= x)
		}
	case GT:
		for i := range mask {
			mask[i] &= bit(v[i] > x)
		}
	case GE:
		for i := range mask {
			mask[i] &= bit(v[i] >= x)
		}
	case EQ:
		for i := range mask {
			mask[i] &= bit(v[i] == x)
		}
	case NE:
		for i := range mask {
			mask[i] &= bit(v[i] != x)
		}
	}
}

// bit is 1 for true; the compiler makes it a single instruction.
func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
