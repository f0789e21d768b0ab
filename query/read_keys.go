package query

import (
	"encoding/binary"
	"math"

	"azulejo/datatype"
)

// Keys are unsigned numbers that sort like the coordinates of a numeric dimension, so that ranges, bounding boxes and
// sorting work on one type.

const signBit = uint64(1) << 63

// keyOf returns the key of one coordinate.
func keyOf(k datatype.Kind, b []byte) uint64 {
	switch k {
	case datatype.KindInt8:
		return uint64(int64(int8(b[0]))) ^ signBit
	case datatype.KindInt16:
		return uint64(int64(int16(binary.LittleEndian.Uint16(b)))) ^ signBit
	case datatype.KindInt32:
		return uint64(int64(int32(binary.LittleEndian.Uint32(b)))) ^ signBit
	case datatype.KindInt64:
		return binary.LittleEndian.Uint64(b) ^ signBit
	case datatype.KindUint8:
		return uint64(b[0])
	case datatype.KindUint16:
		return uint64(binary.LittleEndian.Uint16(b))
	case datatype.KindUint32:
		return uint64(binary.LittleEndian.Uint32(b))
	case datatype.KindFloat32:
		return floatKey(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	case datatype.KindFloat64:
		return floatKey(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return binary.LittleEndian.Uint64(b)
}

// floatKey orders floats by value; the two zeros are equal, NaNs lie at the ends.
func floatKey(v float64) uint64 {
	bits := math.Float64bits(v)
	if bits == signBit {
		bits = 0
	}
	if bits&signBit != 0 {
		return ^bits
	}
	return bits | signBit
}

// fillKeys writes the keys of the values in data to dst, which has one entry per value.
func fillKeys(k datatype.Kind, dst []uint64, data []byte) {
	switch k {
	case datatype.KindInt8:
		signedKeys(dst, datatype.View[int8](data))
	case datatype.KindInt16:
		signedKeys(dst, datatype.View[int16](data))
	case datatype.KindInt32:
		signedKeys(dst, datatype.View[int32](data))
	case datatype.KindInt64:
		signedKeys(dst, datatype.View[int64](data))
	case datatype.KindUint8:
		unsignedKeys(dst, datatype.View[uint8](data))
	case datatype.KindUint16:
		unsignedKeys(dst, datatype.View[uint16](data))
	case datatype.KindUint32:
		unsignedKeys(dst, datatype.View[uint32](data))
	case datatype.KindUint64:
		unsignedKeys(dst, datatype.View[uint64](data))
	case datatype.KindFloat32:
		floatKeys(dst, datatype.View[float32](data))
	case datatype.KindFloat64:
		floatKeys(dst, datatype.View[float64](data))
	}
}

func signedKeys[T int8 | int16 | int32 | int64](dst []uint64, v []T) {
	v = v[:len(dst)]
	for i, x := range v {
		dst[i] = uint64(int64(x)) ^ signBit
	}
}

func unsignedKeys[T uint8 | uint16 | uint32 | uint64](dst []uint64, v []T) {
	v = v[:len(dst)]
	for i, x := range v {
		dst[i] = uint64(x)
	}
}

func floatKeys[T float32 | float64](dst []uint64, v []T) {
	v = v[:len(dst)]
	for i, x := range v {
		dst[i] = floatKey(float64(x))
	}
}

// keepKeys clears mask where the key of the value lies outside the span.
func keepKeys(k datatype.Kind, mask, data []byte, s span) {
	switch k {
	case datatype.KindInt8:
		keepSigned[int8](mask, data, s)
	case datatype.KindInt16:
		keepSigned[int16](mask, data, s)
	case datatype.KindInt32:
		keepSigned[int32](mask, data, s)
	case datatype.KindInt64:
		keepSigned[int64](mask, data, s)
	case datatype.KindUint8:
		keepUnsigned[uint8](mask, data, s)
	case datatype.KindUint16:
		keepUnsigned[uint16](mask, data, s)
	case datatype.KindUint32:
		keepUnsigned[uint32](mask, data, s)
	case datatype.KindUint64:
		keepUnsigned[uint64](mask, data, s)
	case datatype.KindFloat32:
		keepFloats[float32](mask, data, s)
	case datatype.KindFloat64:
		keepFloats[float64](mask, data, s)
	}
}

func keepSigned[T int8 | int16 | int32 | int64](mask, data []byte, s span) {
	v := datatype.View[T](data)[:len(mask)]
	width := s.hi - s.lo
	for i, x := range v {
		mask[i] &= flag((uint64(int64(x))^signBit)-s.lo <= width)
	}
}

func keepUnsigned[T uint8 | uint16 | uint32 | uint64](mask, data []byte, s span) {
	v := datatype.View[T](data)[:len(mask)]
	width := s.hi - s.lo
	for i, x := range v {
		mask[i] &= flag(uint64(x)-s.lo <= width)
	}
}

func keepFloats[T float32 | float64](mask, data []byte, s span) {
	v := datatype.View[T](data)[:len(mask)]
	width := s.hi - s.lo
	for i, x := range v {
		mask[i] &= flag(floatKey(float64(x))-s.lo <= width)
	}
}

// flag is 1 for true, without a branch.
func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
