package arrowio

import (
	"fmt"
	"math"

	"azulejo/datatype"
	"azulejo/schema"
)

// dimension returns the dimension of an index column: its domain is that of its values or, full, as large as its type
// allows.
func (c *columnScan) dimension(tile int64, full bool) (schema.Dimension, error) {
	d := schema.Dimension{Name: c.field.Name, Type: c.field.Type, CellValNum: c.field.CellValNum}
	if d.Var() {
		return d, nil
	}
	if c.bounds == nil && !full {
		return d, fmt.Errorf("%w: there are no rows, so that the domain of %q is unknown; --full-domain makes the largest", ErrInvalid, d.Name)
	}
	switch d.Type.Kind() {
	case datatype.KindFloat32:
		return floatDimension(d, c.bounds, full, float32(tile), math.MaxFloat32)
	case datatype.KindFloat64:
		return floatDimension(d, c.bounds, full, float64(tile), math.MaxFloat64)
	case datatype.KindInt8:
		return wholeDimension[int8](d, c.bounds, full, tile, math.MinInt8, math.MaxInt8)
	case datatype.KindInt16:
		return wholeDimension[int16](d, c.bounds, full, tile, math.MinInt16, math.MaxInt16)
	case datatype.KindInt32:
		return wholeDimension[int32](d, c.bounds, full, tile, math.MinInt32, math.MaxInt32)
	case datatype.KindInt64:
		lowest := int64(math.MinInt64)
		if !d.Type.IsInteger() {
			lowest++ // the lowest date is none
		}
		return wholeDimension(d, c.bounds, full, tile, lowest, math.MaxInt64)
	case datatype.KindUint8:
		return wholeDimension[uint8](d, c.bounds, full, tile, 0, math.MaxUint8)
	case datatype.KindUint16:
		return wholeDimension[uint16](d, c.bounds, full, tile, 0, math.MaxUint16)
	case datatype.KindUint32:
		return wholeDimension[uint32](d, c.bounds, full, tile, 0, math.MaxUint32)
	}
	return wholeDimension[uint64](d, c.bounds, full, tile, 0, math.MaxUint64)
}

type whole interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// wholeDimension sets the domain and an extent whose tiles end within the type.
func wholeDimension[T whole](d schema.Dimension, bounds *schema.Range, full bool, tile int64, lowest, highest T) (schema.Dimension, error) {
	lo, hi := lowest, highest
	if !full {
		lo, hi = datatype.View[T](bounds.Lo)[0], datatype.View[T](bounds.Hi)[0]
	}
	limit := uint64(1)<<(8*d.Type.Size()-1) - 1 // extents are of the type too
	want := uint64(min(tile, math.MaxInt64))
	if tile <= 0 {
		want = defaultExtent
	}
	span := uint64(hi) - uint64(lo) // one less than the number of values; wraps correctly for signed types
	if d.Type.Size() < 8 {
		span = uint64(int64(hi) - int64(lo))
	}
	extent := min(want, limit)
	if full {
		hi -= T(extent)
		if bounds != nil && (datatype.View[T](bounds.Hi)[0] > hi || datatype.View[T](bounds.Lo)[0] < lo) {
			return d, fmt.Errorf("%w: the largest domain of %q, [%d, %d], lacks room for a tile behind %d; leave out --full-domain or set a smaller tile",
				ErrInvalid, d.Name, lo, hi, datatype.View[T](bounds.Hi)[0])
		}
	} else if span < extent {
		extent = span + 1
	}
	room := uint64(highest) - uint64(lo)
	if d.Type.Size() < 8 {
		room = uint64(int64(highest) - int64(lo))
	}
	for !full && extent > 1 && span/extent*extent > room-(extent-1) {
		extent /= 2
	}
	d.Domain = append([]byte(nil), datatype.Bytes([]T{lo, hi})...)
	d.Extent = append([]byte(nil), datatype.Bytes([]T{T(extent)})...)
	return d, nil
}

func floatDimension[T float32 | float64](d schema.Dimension, bounds *schema.Range, full bool, tile, highest T) (schema.Dimension, error) {
	lo, hi := -highest/2, highest/2 // the width of the domain must be a number too
	if !full {
		lo, hi = datatype.View[T](bounds.Lo)[0], datatype.View[T](bounds.Hi)[0]
	}
	d.Domain = append([]byte(nil), datatype.Bytes([]T{lo, hi})...)
	if tile > 0 {
		d.Extent = append([]byte(nil), datatype.Bytes([]T{tile})...)
	}
	return d, nil
}
