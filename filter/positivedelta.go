package filter

import (
	"encoding/binary"
	"fmt"

	"azulejo/datatype"
)

// positiveDelta is the stage of PositiveDelta (format_spec/tile.md): in windows of the data, every value less the one
// before it; values that fall are refused. T's sign matters to writing only. The metadata is
//
//	u32 windows | per window: T first value, u32 bytes
type positiveDelta[T integer] struct{ window int }

// buildPositiveDelta makes the stage of PositiveDelta. Types that are no numbers pass.
func buildPositiveDelta(s Spec, in input) (stage, error) {
	n, err := windowBytes(s, in)
	if err != nil || !windowed(in) {
		return none{}, err
	}
	return [...]stage{
		datatype.KindInt8: positiveDelta[int8]{n}, datatype.KindInt16: positiveDelta[int16]{n},
		datatype.KindInt32: positiveDelta[int32]{n}, datatype.KindInt64: positiveDelta[int64]{n},
		datatype.KindUint8: positiveDelta[uint8]{n}, datatype.KindUint16: positiveDelta[uint16]{n},
		datatype.KindUint32: positiveDelta[uint32]{n}, datatype.KindUint64: positiveDelta[uint64]{n},
	}[in.t.Kind()], nil
}

func (positiveDelta[T]) passes() bool { return false }

func (s positiveDelta[T]) forward(w *work, data []byte) ([]byte, error) {
	width := widthOf[T]()
	size, nWindows, err := windows(data, width, s.window)
	if err != nil {
		return nil, err
	}
	meta := binary.LittleEndian.AppendUint32(w.take(4 + nWindows*(width+4))[:0], uint32(nWindows))
	o := outputOf[T](w, w.take(len(data)))
	values := aligned[T](w, data)
	for at := 0; at < len(data); at += size {
		n := min(size, len(data)-at)
		if n%width != 0 {
			copy(o.b[at:], data[at:at+n])
			var first [8]byte
			copy(first[:], data[at:at+n])
			meta = appendValue(meta, valueOf[T](first[:]))
		} else {
			window := values[at/width : (at+n)/width]
			if i := subtract(o.v[at/width:][:len(window)], window); i >= 0 {
				return nil, fmt.Errorf("%w: value %d is smaller than the one before it", ErrUnfilterable, at/width+i)
			}
			meta = appendValue(meta, window[0])
		}
		meta = binary.LittleEndian.AppendUint32(meta, uint32(n))
	}
	w.push(meta)
	w.empty = false
	return o.b, nil
}

// subtract sets every value of out to that of in less the one before it, the first one to 0. It returns the place of a
// value that falls, or -1.
func subtract[T integer](out, in []T) int {
	last, fallen := in[0], -1
	for i, v := range in {
		if v < last {
			fallen = i
		}
		out[i] = v - last
		last = v
	}
	return fallen
}

func (s positiveDelta[T]) reverse(w *work, in part, dst []byte) (part, error) {
	width := widthOf[T]()
	if len(in.meta) < 4 {
		return part{}, fmt.Errorf("%w: %d bytes of metadata for windows", ErrCorrupt, len(in.meta))
	}
	headers, rest, err := windowHeaders(in.meta[4:], binary.LittleEndian.Uint32(in.meta), width+4)
	if err != nil {
		return part{}, err
	}
	out, err := w.place(dst, uint64(len(in.data)))
	if err != nil {
		return part{}, err
	}
	o := outputOf[T](w, out)
	values := aligned[T](w, in.data)
	at := 0
	for ; len(headers) > 0; headers = headers[width+4:] {
		n := int(binary.LittleEndian.Uint32(headers[width:]))
		if n > len(out)-at {
			return part{}, fmt.Errorf("%w: a window of %d bytes at byte %d of %d", ErrCorrupt, n, at, len(out))
		}
		switch {
		case n%width != 0:
			copy(o.b[at:], in.data[at:at+n])
		case at%width != 0:
			return part{}, fmt.Errorf("%w: a window at byte %d", ErrCorrupt, at)
		default:
			addUp(o.v[at/width:][:n/width], values[at/width:], valueOf[T](headers))
		}
		at += n
	}
	if at != len(out) {
		return part{}, fmt.Errorf("%w: the windows hold %d bytes of %d", ErrCorrupt, at, len(out))
	}
	o.flush()
	return part{meta: rest, data: out}, nil
}

// addUp sets every value of out to the sum of base and the deltas up to its place.
func addUp[T integer](out, deltas []T, base T) {
	deltas = deltas[:len(out)]
	for i, d := range deltas {
		base += d
		out[i] = base
	}
}
