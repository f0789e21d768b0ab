package filter

import (
	"encoding/binary"
	"fmt"
	"math"
)

// floatScale is the stage of FloatScale (format_spec/filters/float_scale.md): every float becomes the integer next to
// (float - offset) / scale, halves away from zero. It loses what is between two integers. T is the type of the floats,
// W that of the integers. Its metadata is
//
//	u32 parts | per part: u32 bytes of integers
//
// Numbers that W does not hold are not refused; they are stored as libtiledb's builds for x86-64 store them: the number
// is taken for an int64 when W is, and otherwise for an int32 of which W keeps the low bytes; what does not fit that
// either, NaN included, becomes the smallest int64 or int32 first.
type floatScale[T float, W signed] struct {
	// forward computes in T and reverse in float64, as libtiledb does.
	scale, offset float64
}

// float is the set of element types that FloatScale takes; any type of their width may hold the bits of such floats.
type float interface{ float32 | float64 }

// signed is the set of element types that FloatScale makes.
type signed interface{ int8 | int16 | int32 | int64 }

// buildFloatScale makes the stage of FloatScale.
func buildFloatScale(s Spec, in input) (stage, error) {
	o, _ := s.Scaling()
	switch in.t.Size() {
	case 4:
		return floatScaleOf[float32](o), nil
	case 8:
		return floatScaleOf[float64](o), nil
	}
	return nil, fmt.Errorf("%w: it does not take %s", ErrUnfilterable, in.t)
}

// floatScaleOf returns the stage for one type of floats; the byte width was checked.
func floatScaleOf[T float](o FloatScaleOptions) stage {
	switch o.ByteWidth {
	case 1:
		return floatScale[T, int8]{o.Scale, o.Offset}
	case 2:
		return floatScale[T, int16]{o.Scale, o.Offset}
	case 4:
		return floatScale[T, int32]{o.Scale, o.Offset}
	}
	return floatScale[T, int64]{o.Scale, o.Offset}
}

// check tells whether libtiledb would take the options: a width of 1, 2, 4 or 8 bytes, a normal scale, which excludes
// 0, and a finite offset.
func (o FloatScaleOptions) check() error {
	size := math.Abs(o.Scale)
	switch {
	case o.ByteWidth != 1 && o.ByteWidth != 2 && o.ByteWidth != 4 && o.ByteWidth != 8:
		return fmt.Errorf("%w: floats cannot be stored in integers of %d bytes", ErrOptions, o.ByteWidth)
	case !(size >= 0x1p-1022 && size <= math.MaxFloat64):
		return fmt.Errorf("%w: a scale of %g", ErrOptions, o.Scale)
	case !(math.Abs(o.Offset) <= math.MaxFloat64):
		return fmt.Errorf("%w: an offset of %g", ErrOptions, o.Offset)
	}
	return nil
}

func (floatScale[T, W]) passes() bool { return false }

func (s floatScale[T, W]) forward(w *work, data []byte) ([]byte, error) {
	if width := widthOf[T](); len(data)%width != 0 {
		return nil, fmt.Errorf("%w: %d bytes are no floats of %d bytes", ErrUnfilterable, len(data), width)
	}
	floats := aligned[T](w, data)
	out := outputOf[W](w, w.take(len(floats)*widthOf[W]()))
	scale, offset := T(s.scale), T(s.offset)
	for i, v := range floats {
		out.v[i] = toInteger[W](math.Round(float64((v - offset) / scale)))
	}
	pushPart(w, len(out.b))
	return out.b, nil
}

// toInteger converts a whole number; see floatScale for what W does not hold.
func toInteger[W signed](x float64) W {
	if widthOf[W]() == 8 {
		if x >= -0x1p63 && x < 0x1p63 {
			return W(int64(x))
		}
		least := int64(math.MinInt64)
		return W(least)
	}
	if x >= math.MinInt32 && x <= math.MaxInt32 {
		return W(int32(x))
	}
	least := int32(math.MinInt32)
	return W(least)
}

func (s floatScale[T, W]) reverse(w *work, in part, dst []byte) (part, error) {
	width := widthOf[W]()
	sizes, rest, err := shuffledSizes(in)
	if err != nil {
		return part{}, err
	}
	for ; len(sizes) > 0; sizes = sizes[4:] {
		if n := binary.LittleEndian.Uint32(sizes); n%uint32(width) != 0 {
			return part{}, fmt.Errorf("%w: a part of %d bytes holds no integers of %d bytes", ErrCorrupt, n, width)
		}
	}
	numbers := aligned[W](w, in.data)
	out, err := w.place(dst, uint64(len(numbers))*uint64(widthOf[T]()))
	if err != nil {
		return part{}, err
	}
	o := outputOf[T](w, out)
	floats := o.v[:len(numbers)]
	for i, n := range numbers {
		// The conversion of the product keeps it from being fused with the sum, which would round differently.
		floats[i] = T(float64(s.scale*float64(T(n))) + s.offset)
	}
	o.flush()
	return part{meta: rest, data: out}, nil
}
