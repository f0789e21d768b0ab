//go:build amd64 || arm64 || 386 || arm || riscv64 || loong64 || ppc64le || mipsle || mips64le || wasm

package datatype

import "unsafe"

// Element is the set of Go types a cell value is computed with.
type Element interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// View returns the values in b, len(b)/size of them; trailing bytes are ignored. The result shares b's memory when b is
// aligned for T and is a copy otherwise, so it is for reading only.
func View[T Element](b []byte) []T {
	if v, ok := Alias[T](b); ok {
		return v
	}
	var zero T
	v := make([]T, len(b)/int(unsafe.Sizeof(zero)))
	copy(Bytes(v), b)
	return v
}

// Alias returns the values in b sharing its memory, for reading and writing; false when b is not aligned for T.
func Alias[T Element](b []byte) ([]T, bool) {
	var zero T
	n := len(b) / int(unsafe.Sizeof(zero))
	if n == 0 {
		return nil, true
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%unsafe.Alignof(zero) != 0 {
		return nil, false
	}
	return unsafe.Slice((*T)(p), n), true
}

// Bytes returns the memory of v as bytes; writing to it writes to v.
func Bytes[T Element](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(zero)))
}

// AlignedBytes allocates n zeroed bytes aligned for every Element type.
func AlignedBytes(n int) []byte {
	if n == 0 {
		return []byte{}
	}
	return Bytes(make([]uint64, (n+7)/8))[:n:n]
}
