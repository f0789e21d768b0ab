// Package bin has the little-endian cursors that every decoder and encoder of a file format uses.
//
// A Reader keeps a sticky error: after the first read past the end, all later reads return zero values, so a decoder is
// a straight list of fields with one check at its end. The error says at which byte and in which field it happened.
package bin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrShort is wrapped by every error of a Reader that met the end of its input.
var ErrShort = errors.New("unexpected end of data")

// Error is a decoding fault with its place: Offset counts bytes from the start of the Reader's input.
type Error struct {
	Offset int
	Field  string
	Err    error
}

// Error returns the fault with its field and offset.
func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d: %v", e.Field, e.Offset, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reader reads little-endian fields from a byte slice. It is not safe for concurrent use.
type Reader struct {
	b   []byte
	off int
	err error
}

// NewReader returns a Reader over b, which it does not copy: slices it hands out share b's memory.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err returns the first fault, or nil.
func (r *Reader) Err() error { return r.err }

// Offset returns the position of the next byte.
func (r *Reader) Offset() int { return r.off }

// Len returns the number of bytes left.
func (r *Reader) Len() int { return len(r.b) - r.off }

// Fail records a fault of the caller's at the current position; the first one is kept.
func (r *Reader) Fail(field string, err error) {
	if r.err == nil {
		r.err = &Error{Offset: r.off, Field: field, Err: err}
	}
}

// Failf is Fail with a formatted error.
func (r *Reader) Failf(field, format string, args ...any) {
	if r.err == nil {
		r.Fail(field, fmt.Errorf(format, args...))
	}
}

// Bytes returns the next n bytes, sharing the input's memory, or nil after a fault.
func (r *Reader) Bytes(field string, n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.b)-r.off) {
		r.short(field, n)
		return nil
	}
	v := r.b[r.off : r.off+int(n) : r.off+int(n)]
	r.off += int(n)
	return v
}

func (r *Reader) short(field string, n uint64) {
	r.Fail(field, fmt.Errorf("%w: %d bytes wanted, %d left", ErrShort, n, len(r.b)-r.off))
}

// Count reads nothing: it checks that n items of at least size bytes each can still follow, so that a decoder may
// allocate for them. It returns 0 after a fault.
func (r *Reader) Count(field string, n uint64, size int) int {
	if r.err != nil {
		return 0
	}
	if size > 0 && n > uint64(r.Len()/size) {
		r.short(field, n)
		return 0
	}
	return int(n)
}

// U8 reads one byte.
func (r *Reader) U8(field string) uint8 {
	if b := r.Bytes(field, 1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a 16-bit number.
func (r *Reader) U16(field string) uint16 {
	if b := r.Bytes(field, 2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 reads a 32-bit number.
func (r *Reader) U32(field string) uint32 {
	if b := r.Bytes(field, 4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads a 64-bit number.
func (r *Reader) U64(field string) uint64 {
	if b := r.Bytes(field, 8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// F64 reads a 64-bit float.
func (r *Reader) F64(field string) float64 { return math.Float64frombits(r.U64(field)) }

// U64s reads n 64-bit numbers into a new slice; n is checked against the bytes left before allocating.
func (r *Reader) U64s(field string, n uint64) []uint64 {
	if r.Count(field, n, 8) == 0 {
		return nil
	}
	b := r.Bytes(field, n*8)
	v := make([]uint64, n)
	for i := range v {
		v[i] = binary.LittleEndian.Uint64(b[i*8:])
	}
	return v
}

// U64sTo reads as many 64-bit numbers as dst has room for; it leaves dst alone after a fault.
func (r *Reader) U64sTo(field string, dst []uint64) {
	b := r.Bytes(field, uint64(len(dst))*8)
	for i := range len(b) / 8 {
		dst[i] = binary.LittleEndian.Uint64(b[i*8:])
	}
}

// String32 reads a text with a 32-bit length before it.
func (r *Reader) String32(field string) string {
	return string(r.Bytes(field, uint64(r.U32(field))))
}

// String64 reads a text with a 64-bit length before it.
func (r *Reader) String64(field string) string {
	return string(r.Bytes(field, r.U64(field)))
}

// Writer appends little-endian fields to B. The zero value is ready.
type Writer struct {
	// B is what was written so far; the caller may take it at any time.
	B []byte
}

// U8 appends one byte.
func (w *Writer) U8(v uint8) { w.B = append(w.B, v) }

// Bool appends 1 or 0.
func (w *Writer) Bool(v bool) {
	if v {
		w.U8(1)
	} else {
		w.U8(0)
	}
}

// U16 appends a 16-bit number.
func (w *Writer) U16(v uint16) { w.B = binary.LittleEndian.AppendUint16(w.B, v) }

// U32 appends a 32-bit number.
func (w *Writer) U32(v uint32) { w.B = binary.LittleEndian.AppendUint32(w.B, v) }

// U64 appends a 64-bit number.
func (w *Writer) U64(v uint64) { w.B = binary.LittleEndian.AppendUint64(w.B, v) }

// F64 appends a 64-bit float.
func (w *Writer) F64(v float64) { w.U64(math.Float64bits(v)) }

// Bytes appends b as it is.
func (w *Writer) Bytes(b []byte) { w.B = append(w.B, b...) }

// U64s appends every number of v, without a count.
func (w *Writer) U64s(v []uint64) {
	for _, x := range v {
		w.U64(x)
	}
}

// String32 appends a 32-bit length and the text.
func (w *Writer) String32(s string) {
	w.U32(uint32(len(s)))
	w.B = append(w.B, s...)
}

// String64 appends a 64-bit length and the text.
func (w *Writer) String64(s string) {
	w.U64(uint64(len(s)))
	w.B = append(w.B, s...)
}
