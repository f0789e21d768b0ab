package filter

import (
	"encoding/binary"
	"fmt"
)

// xor is the stage of XOR (format_spec/filters/xor.md): every value of a part but the first becomes its exclusive or
// with the value before it. T has the width of the values; signs make no difference. Its metadata is
//
//	u32 parts | per part: u32 bytes
type xor[T unsigned] struct{}

// buildXOR makes the stage of XOR.
func buildXOR(_ Spec, in input) (stage, error) {
	switch in.t.Size() {
	case 1:
		return xor[uint8]{}, nil
	case 2:
		return xor[uint16]{}, nil
	case 4:
		return xor[uint32]{}, nil
	}
	return xor[uint64]{}, nil
}

func (xor[T]) passes() bool { return false }

func (xor[T]) forward(w *work, data []byte) ([]byte, error) {
	if width := widthOf[T](); len(data)%width != 0 {
		return nil, fmt.Errorf("%w: %d bytes are no values of %d bytes", ErrUnfilterable, len(data), width)
	}
	pushPart(w, len(data))
	out := outputOf[T](w, w.take(len(data)))
	last := T(0)
	for i, v := range aligned[T](w, data) {
		out.v[i] = v ^ last
		last = v
	}
	w.empty = false
	return out.b, nil
}

// pushPart pushes the metadata of the only part on its way forward, of n bytes, or of none.
func pushPart(w *work, n int) {
	if w.empty {
		pushSizes(w, nil)
		return
	}
	pushSizes(w, []int{n})
}

func (xor[T]) reverse(w *work, in part, dst []byte) (part, error) {
	width := widthOf[T]()
	sizes, rest, err := shuffledSizes(in)
	if err != nil {
		return part{}, err
	}
	out, err := w.place(dst, uint64(len(in.data)))
	if err != nil {
		return part{}, err
	}
	o := outputOf[T](w, out)
	values := aligned[T](w, in.data)
	for at := 0; len(sizes) > 0; sizes = sizes[4:] {
		n := int(binary.LittleEndian.Uint32(sizes))
		if n%width != 0 {
			return part{}, fmt.Errorf("%w: a part of %d bytes holds no values of %d bytes", ErrCorrupt, n, width)
		}
		unxor(o.v[at:at+n/width], values[at:])
		at += n / width
	}
	o.flush()
	return part{meta: rest, data: out}, nil
}

// unxor sets every value of out to the exclusive or of the differences up to its place.
func unxor[T unsigned](out, differences []T) {
	differences = differences[:len(out)]
	last := T(0)
	for i, d := range differences {
		last ^= d
		out[i] = last
	}
}
