package query

import (
	"bytes"
	"math"
	"math/bits"

	"azulejo/datatype"
)

// add128 adds two numbers of 128 bits.
func add128(aHigh, aLow, bHigh, bLow uint64) (high, low uint64) {
	low, carry := bits.Add64(aLow, bLow, 0)
	high, _ = bits.Add64(aHigh, bHigh, carry)
	return high, low
}

// cells is a stretch of cells of the input of an aggregate.
type cells struct {
	n int
	// data has fixed cells of that width; of var cells cell i is data[offsets[i]:offsets[i+1]], the last one ends at end.
	data    []byte
	width   int
	offsets []uint64
	end     uint64
	// mask has a byte per cell, 0 for those that do not count; nil means that all do.
	mask []byte
}

// add takes the cells whose mask is set; nulls are left out of mask before, or left in for NullCount, which counts just
// those that it is given.
func (t *tally) add(c *cells) {
	count := c.n
	if c.mask != nil {
		count = bytes.Count(c.mask[:c.n], []byte{1})
	}
	if count == 0 {
		return
	}
	switch {
	case t.Op == Count || t.Op == NullCount:
	case t.text:
		t.addTexts(c)
	case t.Op == Min || t.Op == Max:
		t.addBest(c)
	default:
		t.addNumbers(c)
	}
	t.count += uint64(count)
}

func (t *tally) addTexts(c *cells) {
	for i := range c.n {
		if c.mask != nil && c.mask[i] == 0 {
			continue
		}
		if c.offsets == nil {
			t.offer(c.data[i*c.width : (i+1)*c.width])
			continue
		}
		end := c.end
		if i+1 < len(c.offsets) {
			end = c.offsets[i+1]
		}
		t.offer(c.data[c.offsets[i]:end])
	}
}

// addNumbers adds the values of a sum or mean.
func (t *tally) addNumbers(c *cells) {
	switch t.kind {
	case datatype.KindInt8:
		t.addSigned(sumSmall[int8](c))
	case datatype.KindInt16:
		t.addSigned(sumSmall[int16](c))
	case datatype.KindInt32:
		t.addSigned(sumSmall[int32](c))
	case datatype.KindUint8:
		t.addSigned(sumSmall[uint8](c))
	case datatype.KindUint16:
		t.addSigned(sumSmall[uint16](c))
	case datatype.KindUint32:
		t.addSigned(sumSmall[uint32](c))
	case datatype.KindInt64:
		high, low := sumWide[int64](c, true)
		t.addSum(high, low, 0, false)
	case datatype.KindUint64:
		high, low := sumWide[uint64](c, false)
		t.addSum(high, low, 0, false)
	case datatype.KindFloat32:
		sum, overflow := sumFloats[float32](c)
		t.addSum(0, 0, sum, overflow)
	case datatype.KindFloat64:
		sum, overflow := sumFloats[float64](c)
		t.addSum(0, 0, sum, overflow)
	}
}

func (t *tally) addSigned(sum int64) { t.addSum(uint64(sum>>63), uint64(sum), 0, false) }

// sumSmall adds values of which a tile cannot hold enough to overflow 64 bits.
func sumSmall[T int8 | int16 | int32 | uint8 | uint16 | uint32](c *cells) int64 {
	v := datatype.View[T](c.data)[:c.n]
	sum := int64(0)
	if c.mask == nil {
		for _, x := range v {
			sum += int64(x)
		}
		return sum
	}
	mask := c.mask[:len(v)]
	for i, x := range v {
		sum += int64(x) & -int64(mask[i])
	}
	return sum
}

// sumWide adds values in 128 bits.
func sumWide[T int64 | uint64](c *cells, signed bool) (high, low uint64) {
	for i, x := range datatype.View[T](c.data)[:c.n] {
		if c.mask != nil && c.mask[i] == 0 {
			continue
		}
		v := uint64(x)
		extension := uint64(0)
		if signed {
			extension = uint64(int64(v) >> 63)
		}
		var carry uint64
		low, carry = bits.Add64(low, v, 0)
		high, _ = bits.Add64(high, extension, carry)
	}
	return high, low
}

// sumFloats adds values one after the other and tells whether libtiledb would call it an overflow.
func sumFloats[T float32 | float64](c *cells) (sum float64, overflow bool) {
	v := datatype.View[T](c.data)[:c.n]
	for i, x := range v {
		if c.mask == nil || c.mask[i] != 0 {
			sum += float64(x)
		}
	}
	if !math.IsInf(sum, 0) && !math.IsNaN(sum) {
		return sum, false
	}
	again := 0.0
	for i, x := range v {
		if c.mask == nil || c.mask[i] != 0 {
			overflow = overflow || overflows(again, float64(x))
			again += float64(x)
		}
	}
	return sum, overflow
}

// addBest compares the values of a minimum or maximum.
func (t *tally) addBest(c *cells) {
	switch t.kind {
	case datatype.KindInt8:
		offerBest[int8](t, c)
	case datatype.KindInt16:
		offerBest[int16](t, c)
	case datatype.KindInt32:
		offerBest[int32](t, c)
	case datatype.KindInt64:
		offerBest[int64](t, c)
	case datatype.KindUint8:
		offerBest[uint8](t, c)
	case datatype.KindUint16:
		offerBest[uint16](t, c)
	case datatype.KindUint32:
		offerBest[uint32](t, c)
	case datatype.KindUint64:
		offerBest[uint64](t, c)
	case datatype.KindFloat32:
		offerBest[float32](t, c)
	case datatype.KindFloat64:
		offerBest[float64](t, c)
	}
}

func offerBest[T datatype.Element](t *tally, c *cells) {
	v := datatype.View[T](c.data)[:c.n]
	first := 0
	if c.mask != nil {
		first = bytes.IndexByte(c.mask[:c.n], 1)
	}
	best := [1]T{v[first]}
	switch {
	case t.Op == Min && c.mask == nil:
		for _, x := range v {
			if x < best[0] {
				best[0] = x
			}
		}
	case t.Op == Min:
		for i, x := range v {
			if c.mask[i] != 0 && x < best[0] {
				best[0] = x
			}
		}
	case c.mask == nil:
		for _, x := range v {
			if x > best[0] {
				best[0] = x
			}
		}
	default:
		for i, x := range v {
			if c.mask[i] != 0 && x > best[0] {
				best[0] = x
			}
		}
	}
	t.offer(datatype.Bytes(best[:]))
}
