package schema

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"azulejo/datatype"
)

// Coords is a column of coordinates of one dimension: fixed values back to back in Data, or texts in Data with the byte
// position of each in Offsets (no extra element).
type Coords struct {
	Data    []byte
	Offsets []uint64
}

// text returns text i of a column of texts, sharing memory.
func (c *Coords) text(i int) []byte {
	if i+1 < len(c.Offsets) {
		return c.Data[c.Offsets[i]:c.Offsets[i+1]]
	}
	return c.Data[c.Offsets[i]:]
}

// valid reports whether the column holds n cells of the dimension, with offsets in order.
func (c *Coords) valid(d *Dimension, n int) bool {
	if !d.Var() {
		return len(c.Data)/d.Type.Size() >= n
	}
	if len(c.Offsets) < n {
		return false
	}
	last := uint64(0)
	for _, off := range c.Offsets {
		if off < last || off > uint64(len(c.Data)) {
			return false
		}
		last = off
	}
	return true
}

// number returns a whole number of a type as 64 bits, sign-extended.
func number(t datatype.Type, b []byte) uint64 {
	switch t.Kind() {
	case datatype.KindInt8:
		return uint64(int8(b[0]))
	case datatype.KindInt16:
		return uint64(int16(binary.LittleEndian.Uint16(b)))
	case datatype.KindInt32:
		return uint64(int32(binary.LittleEndian.Uint32(b)))
	case datatype.KindUint8:
		return uint64(b[0])
	case datatype.KindUint16:
		return uint64(binary.LittleEndian.Uint16(b))
	case datatype.KindUint32:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// extent returns the tile extent of a whole-number dimension as 64 bits. libtiledb takes it for unsigned, whatever the
// type: an int8 dimension over -128..126 has the extent 255, stored as -1.
func (d *Dimension) extent() uint64 {
	return number(d.Type, d.Extent) & (^uint64(0) >> (64 - 8*d.Type.Size()))
}

// float returns a floating point number of a type.
func float(t datatype.Type, b []byte) float64 {
	if t == datatype.Float32 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// Compare orders two coordinates of the dimension: numbers by value, NaN first, texts bytewise with a prefix first. It is
// meant for single values; columns are compared with an Ordering.
func (d *Dimension) Compare(x, y []byte) int {
	switch {
	case d.Var():
		return bytes.Compare(x, y)
	case d.Type.Kind().Float():
		return cmp.Compare(float(d.Type, x), float(d.Type, y))
	case d.Type.Kind().Signed():
		return cmp.Compare(int64(number(d.Type, x)), int64(number(d.Type, y)))
	}
	return cmp.Compare(number(d.Type, x), number(d.Type, y))
}

// Bounds returns the smallest range that holds every coordinate of a column of n cells, in new memory; n must not be 0.
func (d *Dimension) Bounds(n int, col Coords) Range {
	if d.Var() {
		return textBounds(n, &col)
	}
	b := col.Data[:n*d.Type.Size()]
	switch d.Type.Kind() {
	case datatype.KindInt8:
		return bounds[int8](b)
	case datatype.KindInt16:
		return bounds[int16](b)
	case datatype.KindInt32:
		return bounds[int32](b)
	case datatype.KindInt64:
		return bounds[int64](b)
	case datatype.KindUint8:
		return bounds[uint8](b)
	case datatype.KindUint16:
		return bounds[uint16](b)
	case datatype.KindUint32:
		return bounds[uint32](b)
	case datatype.KindUint64:
		return bounds[uint64](b)
	case datatype.KindFloat32:
		return bounds[float32](b)
	}
	return bounds[float64](b)
}

// bounds returns the least and the greatest of the values in b.
func bounds[T datatype.Element](b []byte) Range {
	v := datatype.View[T](b)
	ends := []T{v[0], v[0]}
	for _, x := range v[1:] {
		if x < ends[0] {
			ends[0] = x
		}
		if x > ends[1] {
			ends[1] = x
		}
	}
	both := datatype.Bytes(ends)
	half := len(both) / 2
	return Range{Lo: both[:half:half], Hi: both[half:]}
}

func textBounds(n int, col *Coords) Range {
	lo, hi := col.text(0), col.text(0)
	for i := 1; i < n; i++ {
		if t := col.text(i); bytes.Compare(t, lo) < 0 {
			lo = t
		} else if bytes.Compare(t, hi) > 0 {
			hi = t
		}
	}
	return Range{Lo: append([]byte{}, lo...), Hi: append([]byte{}, hi...)}
}

// Union returns the smallest range that holds both; it shares memory with them.
func (d *Dimension) Union(r, s Range) Range {
	if d.Compare(s.Lo, r.Lo) < 0 {
		r.Lo = s.Lo
	}
	if d.Compare(s.Hi, r.Hi) > 0 {
		r.Hi = s.Hi
	}
	return r
}

// Intersect returns the cells common to both, and false when there are none; it shares memory with them.
func (d *Dimension) Intersect(r, s Range) (Range, bool) {
	if d.Compare(s.Lo, r.Lo) > 0 {
		r.Lo = s.Lo
	}
	if d.Compare(s.Hi, r.Hi) < 0 {
		r.Hi = s.Hi
	}
	return r, d.Compare(r.Lo, r.Hi) <= 0
}

// Overlaps reports whether some coordinate lies in both ranges.
func (d *Dimension) Overlaps(r, s Range) bool {
	return d.Compare(r.Lo, s.Hi) <= 0 && d.Compare(s.Lo, r.Hi) <= 0
}

// Contains reports whether inner lies in outer.
func (d *Dimension) Contains(outer, inner Range) bool {
	return d.Compare(outer.Lo, inner.Lo) <= 0 && d.Compare(inner.Hi, outer.Hi) <= 0
}

// ContainsValue reports whether the coordinate lies in the range.
func (d *Dimension) ContainsValue(r Range, v []byte) bool {
	return d.Compare(r.Lo, v) <= 0 && d.Compare(v, r.Hi) <= 0
}

// UnionAll returns, in a new slice, the smallest hyper-rectangle that holds both; nil stands for none. It shares memory.
func (d *Domain) UnionAll(r, s []Range) []Range {
	if r == nil {
		return append([]Range(nil), s...)
	}
	out := append([]Range(nil), r...)
	for i := range s {
		out[i] = d.Dimensions[i].Union(r[i], s[i])
	}
	return out
}
