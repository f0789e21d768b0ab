package filter

import (
	"encoding/binary"
	"fmt"

	"azulejo/datatype"
)

// windowed reports whether the filters with windows compute with values of this type.
func windowed(in input) bool {
	if in.t.IsDateTime() || in.t.IsTime() {
		return in.version >= 20
	}
	return in.t.IsInteger() || isByte(in.t) || in.t == datatype.Bool
}

// windowBytes returns the largest window of a filter with windows.
func windowBytes(s Spec, in input) (int, error) {
	n, _ := s.MaxWindow()
	if windowed(in) && n < uint32(in.t.Size()) {
		return 0, fmt.Errorf("%w: a window of %d bytes holds no %s", ErrOptions, n, in.t)
	}
	return int(min(n, 1<<31-8)), nil
}

// windows returns the bytes of a window of data, which are whole values, and how many windows there are. The last one
// may be shorter and have a rest of a value.
func windows(data []byte, width, largest int) (size, n int, err error) {
	if len(data) == 0 {
		return 1, 0, nil
	}
	size = min(len(data), largest) / width * width
	if size == 0 {
		return 0, 0, fmt.Errorf("%w: %d bytes are no value of %d bytes", ErrUnfilterable, len(data), width)
	}
	return size, (len(data) + size - 1) / size, nil
}

// windowHeaders splits metadata into n headers of size bytes and the rest.
func windowHeaders(meta []byte, n uint32, size int) (headers, rest []byte, err error) {
	if uint64(n)*uint64(size) > uint64(len(meta)) {
		return nil, nil, fmt.Errorf("%w: %d windows in %d bytes of metadata", ErrCorrupt, n, len(meta))
	}
	end := int(n) * size
	return meta[:end], meta[end:], nil
}

// appendValue appends the bytes of v.
func appendValue[T integer](dst []byte, v T) []byte {
	switch x := uint64(v); widthOf[T]() {
	case 1:
		return append(dst, byte(x))
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(x))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(x))
	default:
		return binary.LittleEndian.AppendUint64(dst, x)
	}
}

// valueOf returns the value at the front of b.
func valueOf[T integer](b []byte) T {
	switch widthOf[T]() {
	case 1:
		return T(b[0])
	case 2:
		return T(binary.LittleEndian.Uint16(b))
	case 4:
		return T(binary.LittleEndian.Uint32(b))
	default:
		return T(binary.LittleEndian.Uint64(b))
	}
}
