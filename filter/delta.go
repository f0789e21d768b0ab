package filter

import (
	"encoding/binary"
	"fmt"

	"azulejo/datatype"
)

// deltaBlock stores u64 number of values, the first value and then the differences of neighbours, which wrap around
// (format_spec/filters/delta.md). T has the width of the values; signs make no difference.
type deltaBlock[T unsigned] struct{}

// buildDelta makes the stage of Delta.
func buildDelta(s Spec, in input) (stage, error) {
	kind, err := reinterpreted(s, in)
	if err != nil {
		return nil, err
	}
	switch kind.Size() {
	case 1:
		return compressor{deltaBlock[uint8]{}, true}, nil
	case 2:
		return compressor{deltaBlock[uint16]{}, true}, nil
	case 4:
		return compressor{deltaBlock[uint32]{}, true}, nil
	}
	return compressor{deltaBlock[uint64]{}, true}, nil
}

// reinterpreted returns the kind in which a delta filter sees its input.
func reinterpreted(s Spec, in input) (datatype.Kind, error) {
	t, _ := s.Reinterpret()
	if t == datatype.Any {
		t = in.t
	}
	kind, ok := integerKind(t)
	if !ok {
		return 0, fmt.Errorf("%w: it does not take %s", ErrUnfilterable, t)
	}
	return kind, nil
}

// wholeValues checks that b is one or more values of width bytes.
func wholeValues(b []byte, width int) error {
	if len(b) == 0 || len(b)%width != 0 {
		return fmt.Errorf("%w: %d bytes are no values of %d bytes", ErrUnfilterable, len(b), width)
	}
	return nil
}

func (deltaBlock[T]) bound(n int) int { return n + 8 }

func (deltaBlock[T]) compress(w *work, dst, src []byte) ([]byte, error) {
	if err := wholeValues(src, widthOf[T]()); err != nil {
		return nil, err
	}
	in := aligned[T](w, src)
	o := outputOf[T](w, w.take(len(src)))
	out := o.v[:len(in)]
	last := T(0)
	for i, v := range in {
		out[i] = v - last
		last = v
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(in)))
	return append(dst, datatype.Bytes(out)...), nil
}

func (deltaBlock[T]) decompress(w *work, dst, src []byte) error {
	width := widthOf[T]()
	if len(src) < 8 || len(src)-8 != len(dst) || len(dst)%width != 0 {
		return fmt.Errorf("%w: %d bytes of deltas for %d bytes", ErrCorrupt, len(src), len(dst))
	}
	if n := binary.LittleEndian.Uint64(src); n != uint64(len(dst)/width) {
		return fmt.Errorf("%w: %d deltas for %d values", ErrCorrupt, n, len(dst)/width)
	}
	in := aligned[T](w, src[8:])
	o := outputOf[T](w, dst)
	out := o.v[:len(in)]
	sum := T(0)
	for i, d := range in {
		sum += d
		out[i] = sum
	}
	o.flush()
	return nil
}
