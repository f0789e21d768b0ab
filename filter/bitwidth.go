package filter

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"azulejo/datatype"
)

// bitWidth is the stage of BitWidthReduction (format_spec/tile.md): in windows of the data, values less the smallest of
// the window in 1, 2, 4 or 8 bytes. T's sign matters: reduced values of signed types are signed. The metadata is
//
//	u32 bytes of the data | u32 windows | per window: T smallest value, u8 bits, u32 bytes before the reduction
type bitWidth[T integer] struct{ window int }

// buildBitWidth makes the stage of BitWidthReduction. Values of one byte, and types that are no numbers, pass.
func buildBitWidth(s Spec, in input) (stage, error) {
	n, err := windowBytes(s, in)
	if err != nil {
		return nil, err
	}
	if !windowed(in) {
		return none{}, nil
	}
	switch in.t.Kind() {
	case datatype.KindInt16:
		return bitWidth[int16]{n}, nil
	case datatype.KindInt32:
		return bitWidth[int32]{n}, nil
	case datatype.KindInt64:
		return bitWidth[int64]{n}, nil
	case datatype.KindUint16:
		return bitWidth[uint16]{n}, nil
	case datatype.KindUint32:
		return bitWidth[uint32]{n}, nil
	case datatype.KindUint64:
		return bitWidth[uint64]{n}, nil
	}
	return none{}, nil
}

func (bitWidth[T]) passes() bool { return false }

func (s bitWidth[T]) forward(w *work, data []byte) ([]byte, error) {
	width := widthOf[T]()
	size, nWindows, err := windows(data, width, s.window)
	if err != nil {
		return nil, err
	}
	meta := w.take(8 + nWindows*(width+5))[:0]
	meta = binary.LittleEndian.AppendUint32(meta, uint32(len(data)))
	meta = binary.LittleEndian.AppendUint32(meta, uint32(nWindows))
	out := w.take(len(data))[:0]
	values := aligned[T](w, data)
	for at := 0; at < len(data); at += size {
		n := min(size, len(data)-at)
		window := values[at/width : (at+n)/width]
		low, nBits := reducedWidth(window)
		meta = appendValue(meta, low)
		meta = append(meta, byte(nBits))
		meta = binary.LittleEndian.AppendUint32(meta, uint32(n))
		if nBits == width*8 || n%width != 0 {
			out = append(out, data[at:at+n]...)
			continue
		}
		out = appendReduced(out, window, low, nBits)
	}
	w.push(meta)
	w.empty = false
	return out, nil
}

// reducedWidth returns the smallest value of a window and the bits that the others need above it; libtiledb leaves a
// spare value and counts the range of signed types as a signed number.
func reducedWidth[T integer](window []T) (low T, nBits int) {
	full := widthOf[T]() * 8
	if len(window) == 0 {
		return 0, full
	}
	low, high := window[0], window[0]
	for _, v := range window {
		low, high = min(low, v), max(high, v)
	}
	span := high - low + 1
	if span <= 0 || high-low < 0 {
		return 0, full
	}
	need := bits.Len64(uint64(span))
	if ^T(0) < 0 {
		need++
	}
	switch {
	case need <= 8:
		return low, 8
	case need <= 16:
		return low, 16
	case need <= 32:
		return low, 32
	}
	return low, 64
}

// appendReduced appends the values less low in nBits bits each, 8, 16 or 32.
func appendReduced[T integer](dst []byte, window []T, low T, nBits int) []byte {
	switch nBits {
	case 8:
		for _, v := range window {
			dst = append(dst, byte(v-low))
		}
	case 16:
		for _, v := range window {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(v-low))
		}
	case 32:
		for _, v := range window {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(v-low))
		}
	}
	return dst
}

func (s bitWidth[T]) reverse(w *work, in part, dst []byte) (part, error) {
	width := widthOf[T]()
	if len(in.meta) < 8 {
		return part{}, fmt.Errorf("%w: %d bytes of metadata for windows", ErrCorrupt, len(in.meta))
	}
	total, n := binary.LittleEndian.Uint32(in.meta), binary.LittleEndian.Uint32(in.meta[4:])
	headers, rest, err := windowHeaders(in.meta[8:], n, width+5)
	if err != nil {
		return part{}, err
	}
	out, err := w.place(dst, uint64(total))
	if err != nil {
		return part{}, err
	}
	if err := s.widen(w, out, in.data, headers); err != nil {
		return part{}, err
	}
	return part{meta: rest, data: out}, nil
}

// widen fills out from the windows that src consists of.
func (s bitWidth[T]) widen(w *work, out, src, headers []byte) error {
	width := widthOf[T]()
	o := outputOf[T](w, out)
	at := 0
	for ; len(headers) > 0; headers = headers[width+5:] {
		low := valueOf[T](headers)
		nBits, n := int(headers[width]), int(binary.LittleEndian.Uint32(headers[width+1:]))
		stored := n
		raw := nBits >= width*8 || n%width != 0
		if !raw {
			if nBits != 8 && nBits != 16 && nBits != 32 {
				return fmt.Errorf("%w: a window of %d bits", ErrCorrupt, nBits)
			}
			stored = n / width * (nBits / 8)
		}
		if n > len(out)-at || stored > len(src) {
			return fmt.Errorf("%w: a window of %d bytes at byte %d of %d", ErrCorrupt, n, at, len(out))
		}
		switch {
		case raw:
			copy(o.b[at:], src[:n])
		case at%width != 0:
			return fmt.Errorf("%w: a window at byte %d", ErrCorrupt, at)
		default:
			addReduced(o.v[at/width:][:n/width], src, low, nBits)
		}
		at, src = at+n, src[stored:]
	}
	if at != len(out) || len(src) != 0 {
		return fmt.Errorf("%w: the windows hold %d bytes of %d and leave %d", ErrCorrupt, at, len(out), len(src))
	}
	o.flush()
	return nil
}

// addReduced sets every value of out to low and one of src in nBits bits, 8, 16 or 32, with the sign of T.
func addReduced[T integer](out []T, src []byte, low T, nBits int) {
	isSigned := ^T(0) < 0
	switch {
	case nBits == 8 && isSigned:
		src = src[:len(out)]
		for i := range out {
			out[i] = low + T(int8(src[i]))
		}
	case nBits == 8:
		src = src[:len(out)]
		for i := range out {
			out[i] = low + T(src[i])
		}
	case nBits == 16 && isSigned:
		for i := range out {
			out[i] = low + T(int16(binary.LittleEndian.Uint16(src[2*i:])))
		}
	case nBits == 16:
		for i := range out {
			out[i] = low + T(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case isSigned:
		for i := range out {
			out[i] = low + T(int32(binary.LittleEndian.Uint32(src[4*i:])))
		}
	default:
		for i := range out {
			out[i] = low + T(binary.LittleEndian.Uint32(src[4*i:]))
		}
	}
}
