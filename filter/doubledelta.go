package filter

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"azulejo/datatype"
)

// doubleDeltaBlock stores differences of differences in as few bits as the largest needs
// (format_spec/filters/double_delta.md):
//
//	u8 bits | u64 number of values | first | second | per further value: 1 sign bit, `bits` bits of magnitude
//
// The bits are packed into 64-bit words from the most significant bit down; words are stored little-endian. When the
// bits would save nothing, the values follow the number as they are.
type doubleDeltaBlock[T integer] struct{}

// doubleDeltaHeader is the bytes before the values.
const doubleDeltaHeader = 9

// buildDoubleDelta makes the stage of DoubleDelta.
func buildDoubleDelta(s Spec, in input) (stage, error) {
	kind, err := reinterpreted(s, in)
	if err != nil {
		return nil, err
	}
	return compressor{[...]block{
		datatype.KindInt8: doubleDeltaBlock[int8]{}, datatype.KindInt16: doubleDeltaBlock[int16]{},
		datatype.KindInt32: doubleDeltaBlock[int32]{}, datatype.KindInt64: doubleDeltaBlock[int64]{},
		datatype.KindUint8: doubleDeltaBlock[uint8]{}, datatype.KindUint16: doubleDeltaBlock[uint16]{},
		datatype.KindUint32: doubleDeltaBlock[uint32]{}, datatype.KindUint64: doubleDeltaBlock[uint64]{},
	}[kind], true}, nil
}

func (doubleDeltaBlock[T]) bound(n int) int { return n + n/8 + 32 }

func (doubleDeltaBlock[T]) compress(w *work, dst, src []byte) ([]byte, error) {
	width := widthOf[T]()
	if err := wholeValues(src, width); err != nil {
		return nil, err
	}
	in := aligned[T](w, src)
	nBits, err := doubleDeltaBits(in)
	if err != nil {
		return nil, err
	}
	dst = binary.LittleEndian.AppendUint64(append(dst, byte(nBits)), uint64(len(in)))
	if nBits >= width*8-1 {
		return append(dst, src...), nil
	}
	dst = append(dst, src[:min(2, len(in))*width]...)
	if len(in) <= 2 {
		return dst, nil
	}
	return packDoubleDeltas(dst, in, nBits), nil
}

// packDoubleDeltas appends the signs and magnitudes of all values but the first two.
func packDoubleDeltas[T integer](dst []byte, in []T, nBits int) []byte {
	last, lastDelta := int64(in[1]), int64(in[1])-int64(in[0])
	word, free := uint64(0), 64
	for _, v := range in[2:] {
		delta := int64(v) - last
		dd := delta - lastDelta
		last, lastDelta = int64(v), delta
		// A sign bit and the magnitude, which has at most 62 bits.
		sign := uint64(dd) >> 63
		code := sign<<nBits | ((uint64(dd) ^ -sign) + sign)
		if free -= nBits + 1; free > 0 {
			word |= code << free
			continue
		}
		dst = binary.LittleEndian.AppendUint64(dst, word|code>>-free)
		free += 64
		// A shift by 64 leaves nothing, as it must.
		word = code << free
	}
	if free < 64 {
		dst = binary.LittleEndian.AppendUint64(dst, word)
	}
	return dst
}

// doubleDeltaBits returns the bits of the largest magnitude of the double deltas and of the first delta, as libtiledb
// counts them: at least 1, and 0 for at most two values. Differences that leave 64 bits are refused.
func doubleDeltaBits[T integer](in []T) (int, error) {
	if len(in) <= 2 {
		return 0, nil
	}
	if widthOf[T]() == 8 {
		return doubleDeltaBits64(in)
	}
	last, lastDelta := int64(in[1]), int64(in[1])-int64(in[0])
	all := magnitude(lastDelta)
	for _, v := range in[2:] {
		delta := int64(v) - last
		all |= magnitude(delta - lastDelta)
		last, lastDelta = int64(v), delta
	}
	return max(bits.Len64(all), 1), nil
}

// doubleDeltaBits64 is doubleDeltaBits for values that can overflow.
func doubleDeltaBits64[T integer](in []T) (int, error) {
	all, lastDelta := uint64(0), int64(0)
	for i, v := range in[1:] {
		delta := int64(v) - int64(in[i])
		if (v >= in[i]) != (delta >= 0) {
			return 0, fmt.Errorf("%w: the difference of values %d and %d leaves 64 bits", ErrUnfilterable, i, i+1)
		}
		dd := delta
		if i > 0 {
			dd -= lastDelta
			if (delta^lastDelta)&(delta^dd) < 0 {
				return 0, fmt.Errorf("%w: the double difference at value %d leaves 64 bits", ErrUnfilterable, i+1)
			}
		}
		all |= magnitude(dd)
		lastDelta = delta
	}
	return max(bits.Len64(all), 1), nil
}

// magnitude returns the absolute value of x.
func magnitude(x int64) uint64 {
	if x < 0 {
		return uint64(-x)
	}
	return uint64(x)
}

func (doubleDeltaBlock[T]) decompress(w *work, dst, src []byte) error {
	width := widthOf[T]()
	if len(src) < doubleDeltaHeader || len(dst)%width != 0 {
		return fmt.Errorf("%w: %d bytes of double deltas for %d bytes", ErrCorrupt, len(src), len(dst))
	}
	nBits, n := int(src[0]), len(dst)/width
	if stored := binary.LittleEndian.Uint64(src[1:]); stored != uint64(n) {
		return fmt.Errorf("%w: %d double deltas for %d values", ErrCorrupt, stored, n)
	}
	src = src[doubleDeltaHeader:]
	head, nWords := len(dst), 0
	if nBits < width*8-1 && n > 2 {
		head, nWords = 2*width, ((n-2)*(nBits+1)+63)/64
	}
	if len(src) != head+8*nWords {
		return fmt.Errorf("%w: %d bytes of double deltas of %d bits for %d values", ErrCorrupt, len(src), nBits, n)
	}
	o := outputOf[T](w, dst)
	copy(o.b, src[:head])
	if nWords > 0 {
		unpackDoubleDeltas(o.v[:n], src[head:], nBits)
	}
	o.flush()
	return nil
}

// unpackDoubleDeltas computes out[2:] from its first two values. words has all the bits that are needed, nBits is at
// most 62.
func unpackDoubleDeltas[T integer](out []T, words []byte, nBits int) {
	done := unpackFast(out, words, nBits)
	out = out[done:]
	if len(out) <= 2 {
		return
	}
	last := out[1]
	delta := out[1] - out[0]
	size := uint(nBits) + 1
	signAt, mask := uint(nBits)&63, uint64(1)<<(uint(nBits)&63)-1
	words = words[done*int(size)/64*8:]
	word := binary.LittleEndian.Uint64(words)
	words = words[8:]
	left := 64 - uint(done)*size%64
	rest := out[2:]
	for i := range rest {
		var code uint64
		if left >= size {
			left -= size
			code = word >> (left & 63)
		} else {
			// The value continues in the next word.
			code = word << ((size - left) & 63)
			word = binary.LittleEndian.Uint64(words)
			words = words[8:]
			left += 64 - size
			code |= word >> (left & 63)
		}
		dd := T(code & mask)
		if code>>signAt&1 != 0 {
			dd = -dd
		}
		delta += dd
		last += delta
		rest[i] = last
	}
}
