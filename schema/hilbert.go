package schema

import (
	"encoding/binary"
	"fmt"
	"math"

	"azulejo/datatype"
)

// Curve is the Hilbert curve through a domain; arrays in Hilbert order store their cells by their places on it. The format
// specification has no more than the order's name, so the mapping is libtiledb's to the bit: every dimension is cut into
// buckets whose numbers together fit into 63 bits, and John Skilling's transform of a cell's buckets gives its place.
// Immutable, safe for concurrent use.
type Curve struct {
	axes []curveAxis
	bits int
}

// curveAxis is one dimension: buckets are steps of a span of numbers, or the first bits of texts.
type curveAxis struct {
	typ     datatype.Type
	text    bool
	lo      float64
	span    float64
	last    float64
	textEnd int
}

// curveBlock is the number of cells whose buckets are held at a time.
const curveBlock = 256

// NewCurve returns the curve through a domain; the error wraps ErrInvalid when it has too many dimensions.
func NewCurve(d *Domain) (*Curve, error) {
	n := len(d.Dimensions)
	if n == 0 || n > maxHilbertDims {
		return nil, fmt.Errorf("%w: Hilbert order of %d dimensions", ErrInvalid, n)
	}
	c := &Curve{bits: 63 / n, axes: make([]curveAxis, n)}
	for i := range c.axes {
		dim := &d.Dimensions[i]
		a := curveAxis{typ: dim.Type, text: dim.Var(), textEnd: 64 - c.bits}
		if !a.text {
			a.lo = wide(dim.Type, dim.Lo())
			a.span = wide(dim.Type, dim.Hi()) - a.lo
			if a.last = float64(uint64(1)<<c.bits - 1); a.span == 0 {
				a.span, a.last = 1, 0 // one value, one bucket
			}
		}
		c.axes[i] = a
	}
	return c, nil
}

// wide returns a number of a type as a double, rounded where it must be.
func wide(t datatype.Type, b []byte) float64 {
	switch k := t.Kind(); {
	case k.Float():
		return float(t, b)
	case k.Signed():
		return float64(int64(number(t, b)))
	}
	return float64(number(t, b))
}

// Values sets dst[i] to the place of cell pick[i], or of cell i when pick is nil. cols has one column per dimension that
// holds those cells; texts of a column may be followed by one more offset.
func (c *Curve) Values(dst []uint64, cols []Coords, pick []uint32) {
	buckets := make([]uint64, len(c.axes)*curveBlock)
	var x [maxHilbertDims]uint64
	for at := 0; at < len(dst); at += curveBlock {
		n := min(curveBlock, len(dst)-at)
		for d := range c.axes {
			column, cells := buckets[d*curveBlock:][:n], pick
			if pick != nil {
				cells = pick[at : at+n]
			}
			c.axes[d].buckets(column, &cols[d], at, cells)
		}
		for i := range n {
			for d := range c.axes {
				x[d] = buckets[d*curveBlock+i]
			}
			dst[at+i] = c.place(x[:len(c.axes)])
		}
	}
}

// place returns the place of a cell by the numbers of its buckets, which it overwrites.
func (c *Curve) place(x []uint64) uint64 {
	for shift := c.bits - 1; shift > 0; shift-- {
		below := uint64(1)<<shift - 1
		first := x[0]
		for i, v := range x {
			if i == 0 {
				v = first
			}
			set := -(v >> shift & 1)
			swap := (first ^ v) & below &^ set
			if i > 0 {
				x[i] = v ^ swap
			}
			first ^= swap | below&set
		}
		x[0] = first
	}
	for i := 1; i < len(x); i++ {
		x[i] ^= x[i-1]
	}
	last := x[len(x)-1]
	turned := last
	for i := 1; i < c.bits; i <<= 1 {
		turned ^= turned >> i
	}
	for i := range x {
		x[i] ^= last ^ turned
	}
	place := uint64(0)
	for shift := c.bits - 1; shift >= 0; shift-- {
		for _, v := range x {
			place = place<<1 | v>>shift&1
		}
	}
	return place
}

// buckets sets dst to the bucket numbers of the picked cells, or of those from the first on when pick is nil.
func (a *curveAxis) buckets(dst []uint64, col *Coords, first int, pick []uint32) {
	if a.text {
		for i := range dst {
			at := first + i
			if pick != nil {
				at = int(pick[i])
			}
			dst[i] = textPrefix(col.text(at)) >> a.textEnd
		}
		return
	}
	switch b := col.Data; a.typ.Kind() {
	case datatype.KindInt8:
		numberBuckets(dst, datatype.View[int8](b), first, pick, a)
	case datatype.KindInt16:
		numberBuckets(dst, datatype.View[int16](b), first, pick, a)
	case datatype.KindInt32:
		numberBuckets(dst, datatype.View[int32](b), first, pick, a)
	case datatype.KindInt64:
		numberBuckets(dst, datatype.View[int64](b), first, pick, a)
	case datatype.KindUint8:
		numberBuckets(dst, datatype.View[uint8](b), first, pick, a)
	case datatype.KindUint16:
		numberBuckets(dst, datatype.View[uint16](b), first, pick, a)
	case datatype.KindUint32:
		numberBuckets(dst, datatype.View[uint32](b), first, pick, a)
	case datatype.KindUint64:
		numberBuckets(dst, datatype.View[uint64](b), first, pick, a)
	case datatype.KindFloat32:
		numberBuckets(dst, datatype.View[float32](b), first, pick, a)
	case datatype.KindFloat64:
		numberBuckets(dst, datatype.View[float64](b), first, pick, a)
	}
}

func numberBuckets[T datatype.Element](dst []uint64, v []T, first int, pick []uint32, a *curveAxis) {
	if pick == nil {
		for i, x := range v[first : first+len(dst)] {
			dst[i] = bucket(a.step(float64(x)))
		}
		return
	}
	for i, at := range pick[:len(dst)] {
		dst[i] = bucket(a.step(float64(v[at])))
	}
}

// step returns the place of a coordinate on its axis in buckets. The operations and their sequence are libtiledb's, another
// one would round otherwise.
func (a *curveAxis) step(v float64) float64 { return (v - a.lo) / a.span * a.last }

// bucket returns the number of the bucket that a step lies in.
func bucket(step float64) uint64 {
	if step >= 0 && step < 1<<63 {
		return uint64(int64(step))
	}
	return outside(step)
}

// outside turns numbers into buckets that only coordinates out of the domain have, and the end of a single dimension; it
// gives what x86 gives.
func outside(step float64) uint64 {
	const half = 1 << 63
	switch {
	case step >= half && step < 2*half:
		return uint64(int64(step-half)) | half
	case step > -half && step < 0:
		return uint64(int64(step))
	}
	return half
}

// textPrefix returns the first eight bytes of a text as one number, the first one most significant. As in libtiledb, bytes
// that are not ASCII count as negative.
func textPrefix(t []byte) uint64 {
	var b [8]byte
	copy(b[:], t)
	v := binary.BigEndian.Uint64(b[:])
	if v&0x8080808080808080 == 0 {
		return v
	}
	v = 0
	for _, c := range b {
		v = v<<8 | uint64(int64(int8(c)))
	}
	return v
}

// Bounds returns the first and the last place that cells in a box can have, one range per dimension. It is exact up to
// the bucket, but for texts: of those it only looks at ranges in which all begin alike.
func (c *Curve) Bounds(box []Range) (first, last uint64) {
	var lo, hi [maxHilbertDims]uint64
	n := len(c.axes)
	for d := range c.axes {
		var ok bool
		if lo[d], hi[d], ok = c.axes[d].bounds(box[d], c.bits); !ok {
			return 0, math.MaxUint64 >> 1
		}
	}
	return c.extreme(lo[:n], hi[:n], 0), c.extreme(lo[:n], hi[:n], 1)
}

// bounds returns the first and the last bucket of a range, and false when coordinates in it may have others.
func (a *curveAxis) bounds(r Range, bits int) (lo, hi uint64, ok bool) {
	end := uint64(1)<<bits - 1
	if a.text {
		// What is not ASCII breaks the order, and ranges do not tell whether there is any.
		if lo, hi = textPrefix(r.Lo), textPrefix(r.Hi); lo != hi {
			return 0, end, true
		}
		return lo >> a.textEnd, hi >> a.textEnd, true
	}
	first, last := a.step(wide(a.typ, r.Lo)), a.step(wide(a.typ, r.Hi))
	if !(0 <= first && first <= last && last <= a.last) {
		return 0, 0, false // out of the domain
	}
	// The end of a single dimension is rounded up to one bucket too many, which has the place of the last.
	return min(bucket(first), end), min(bucket(last), end), true
}

// extreme returns the place with the least (want 0) or greatest (want 1) number in a box of buckets. It follows the
// curve's turns bit by bit: each bit of a place halves the region along one axis.
func (c *Curve) extreme(lo, hi []uint64, want uint64) uint64 {
	var axis [maxHilbertDims]int
	var flip, corner, turn [maxHilbertDims]uint64
	for i := range axis {
		axis[i] = i
	}
	place, bit := uint64(0), uint64(0)
	for shift := c.bits - 1; shift >= 0; shift-- {
		for k := range lo {
			a := axis[k]
			half := (bit ^ want ^ flip[k]) << shift
			next := want
			if at := corner[a] | half; at > hi[a] || at|(1<<shift-1) < lo[a] {
				half, next = half^1<<shift, 1-want
			}
			corner[a] |= half
			turn[k] = half>>shift ^ flip[k]
			bit = next
			place = place<<1 | bit
		}
		for k := range lo {
			if turn[k] != 0 {
				flip[0] ^= 1
			} else {
				axis[0], axis[k] = axis[k], axis[0]
				flip[0], flip[k] = flip[k], flip[0]
			}
		}
	}
	return place
}
