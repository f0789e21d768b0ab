package query

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"azulejo/datatype"
	"azulejo/schema"
)

// AggregateField describes the result column of an aggregate: count and null count are UINT64, sums INT64, UINT64 or
// FLOAT64 by the field's type, means FLOAT64, smallest and largest values of the field's own type. Sums, means, smallest
// and largest of nullable fields are nullable: null when no cell is valid, or when a sum overflowed. The error wraps
// ErrInvalid and tells what the aggregate cannot be computed of.
func AggregateField(s *schema.Array, a Aggregate) (schema.Field, error) {
	out := schema.Field{Name: a.Output, Type: datatype.Uint64, CellValNum: 1}
	if a.Op == Count {
		return out, nil
	}
	f, ok := s.Field(a.Field)
	if !ok {
		return out, fmt.Errorf("%w: aggregate %q: the array has no field %q", ErrInvalid, a.Output, a.Field)
	}
	invalid := func(why string) (schema.Field, error) {
		return out, fmt.Errorf("%w: aggregate %q: field %q: %s", ErrInvalid, a.Output, a.Field, why)
	}
	number := f.Type.IsInteger() || f.Type.IsFloat() || f.Type.IsDateTime() || f.Type.IsTime()
	text := f.Type == datatype.StringASCII || f.Type == datatype.Char
	switch {
	case a.Op > NullCount:
		return invalid("unknown operation")
	case a.Op == NullCount && !f.Nullable:
		return invalid("only nullable fields have nulls to count")
	case a.Op == NullCount:
		return out, nil
	case number && f.CellValNum != 1:
		return invalid("its cells have several values")
	case !number && (a.Op == Sum || a.Op == Mean):
		return invalid("its values are not numbers")
	case !number && !text:
		return invalid(fmt.Sprintf("values of type %s have no order", f.Type))
	}
	out.Nullable = f.Nullable
	switch a.Op {
	case Sum:
		out.Type = sumType(f.Type.Kind())
	case Mean:
		out.Type = datatype.Float64
	default:
		out.Type, out.CellValNum = f.Type, f.CellValNum
	}
	return out, nil
}

// sumType returns the type of the sum of values.
func sumType(k datatype.Kind) datatype.Type {
	switch {
	case k.Float():
		return datatype.Float64
	case k.Signed():
		return datatype.Int64
	}
	return datatype.Uint64
}

func checkAggregates(s *schema.Array, list []Aggregate) error {
	for _, a := range list {
		if _, err := AggregateField(s, a); err != nil {
			return err
		}
	}
	return nil
}

// aggregates computes the query's aggregates over the whole selection. Before the last part of an incomplete read their
// columns are empty.
func (r *reading) aggregates(ctx context.Context, complete bool) ([]Column, error) {
	columns := make([]Column, len(r.q.Aggregates))
	if !complete {
		for i, a := range r.q.Aggregates {
			columns[i].Name = a.Output
		}
		return columns, nil
	}
	sums := r.newTallies()
	if err := r.tallyAll(ctx, sums); err != nil {
		return nil, err
	}
	var err error
	for i := range sums {
		if columns[i], err = r.finish(&sums[i]); err != nil {
			return nil, err
		}
	}
	return columns, nil
}

// tallyAll computes tallies over the whole selection.
func (r *reading) tallyAll(ctx context.Context, sums []tally) error {
	if r.schema.Type == schema.Dense {
		return r.aggregateDense(ctx, sums)
	}
	return r.aggregateSparse(ctx, sums)
}

// tally gathers one aggregate.
type tally struct {
	Aggregate
	// out describes the result; field, kind and text the input.
	out   schema.Field
	field schema.Field
	kind  datatype.Kind
	text  bool
	// count is the number of values, cells or nulls that went in.
	count uint64
	// high and low are the two halves of a sum of whole numbers in 128 bits, float one of floats.
	high, low uint64
	float     float64
	// overflow says that float passed the largest number.
	overflow bool
	// best is the smallest or largest value.
	best []byte
}

// newTallies returns empty tallies of the query's aggregates.
func (r *reading) newTallies() []tally {
	out := make([]tally, len(r.q.Aggregates))
	for i, a := range r.q.Aggregates {
		t := &out[i]
		t.Aggregate = a
		t.out, _ = AggregateField(r.schema, a)
		if a.Op != Count {
			t.field, _ = r.schema.Field(a.Field)
			t.kind = t.field.Type.Kind()
			t.text = t.field.Type == datatype.StringASCII || t.field.Type == datatype.Char
		}
	}
	return out
}

// merge adds what another tally of the same aggregate gathered from later cells.
func (t *tally) merge(o *tally) {
	switch t.Op {
	case Sum, Mean:
		t.addSum(o.high, o.low, o.float, o.overflow)
	case Min, Max:
		if o.count > 0 {
			t.offer(o.best)
		}
	}
	t.count += o.count
}

// addSum adds a sum: whole numbers as 128 bits, floats as such.
func (t *tally) addSum(high, low uint64, float float64, overflow bool) {
	if t.kind.Float() {
		t.overflow = t.overflow || overflow || overflows(t.float, float)
		t.float += float
		return
	}
	t.high, t.low = add128(t.high, t.low, high, low)
}

// overflows reports whether a sum of floats passes the largest number, as libtiledb judges it before adding.
func overflows(sum, v float64) bool {
	return (sum < 0) == (v < 0) && math.Abs(sum) > math.MaxFloat64-math.Abs(v)
}

// offer compares a value with the best so far; the first of equal values stays, and NaN, once it is there.
func (t *tally) offer(v []byte) {
	if t.best == nil || t.better(v) {
		t.best = append([]byte{}, v...)
	}
}

func (t *tally) better(v []byte) bool {
	if t.text {
		if t.Op == Min {
			return string(v) < string(t.best)
		}
		return string(v) > string(t.best)
	}
	if t.kind.Float() {
		x, best := floatOf(t.kind, v), floatOf(t.kind, t.best)
		if t.Op == Min {
			return x < best
		}
		return x > best
	}
	x, best := keyOf(t.kind, v), keyOf(t.kind, t.best)
	if t.Op == Min {
		return x < best
	}
	return x > best
}

func floatOf(k datatype.Kind, b []byte) float64 {
	if k == datatype.KindFloat32 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// finish makes the result column. An overflown sum is the largest number of its type, and null if it can be.
func (r *reading) finish(t *tally) (Column, error) {
	value, valid := t.value()
	c := Column{Name: t.Output}
	var err error
	if c.Data, err = r.alloc(uint64(len(value))); err != nil {
		return c, err
	}
	copy(c.Data, value)
	if t.out.Var() {
		o := &outField{Field: t.out, format: r.q.Offsets}
		if c.Offsets, err = r.alloc(o.offsetBytes(1)); err != nil {
			return c, err
		}
		o.putOffsets(c.Offsets, 0, []uint64{0}, 0)
		o.putExtra(c.Offsets, 1, uint64(len(value)))
	}
	if t.out.Nullable {
		if c.Validity, err = r.alloc(1); err != nil {
			return c, err
		}
		c.Validity[0] = flag(valid)
	}
	return c, nil
}

// value returns the aggregate's bytes and whether it is valid.
func (t *tally) value() ([]byte, bool) {
	switch t.Op {
	case Count, NullCount:
		return binary.LittleEndian.AppendUint64(nil, t.count), true
	case Min, Max:
		if t.count > 0 {
			return t.best, true
		}
		if t.out.Var() {
			return nil, false
		}
		return make([]byte, t.out.CellSize()), false
	}
	sum, asFloat, ok := t.sum()
	if t.Op == Mean {
		asFloat /= float64(t.count)
		if t.count == 0 {
			asFloat = math.Float64frombits(0xFFF8 << 48)
		}
		if !ok {
			asFloat = math.MaxFloat64
		}
		sum = math.Float64bits(asFloat)
	}
	return binary.LittleEndian.AppendUint64(nil, sum), ok && t.count > 0
}

// sum returns the bits of the sum, its value as a float, and whether it fits its type.
func (t *tally) sum() (bits uint64, asFloat float64, ok bool) {
	switch {
	case t.kind.Float():
		if t.overflow {
			return math.Float64bits(math.MaxFloat64), 0, false
		}
		return math.Float64bits(t.float), t.float, true
	case t.kind.Signed():
		if t.high != uint64(int64(t.low)>>63) {
			return math.MaxInt64, 0, false
		}
		return t.low, float64(int64(t.low)), true
	}
	if t.high != 0 {
		return math.MaxUint64, 0, false
	}
	return t.low, float64(t.low), true
}
