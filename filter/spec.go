package filter

import (
	"encoding/binary"
	"fmt"
	"math"

	"azulejo/datatype"
)

// Spec is one filter of a pipeline: its code and its options exactly as format version 22 stores them.
// A Spec is immutable; Options may be shared.
type Spec struct {
	Code    Code
	Options []byte
}

// layout is the shape of a filter's option bytes.
type layout uint8

const (
	// plainLayout is no bytes at all.
	plainLayout layout = iota
	// compressorLayout is u8 compressor number, i32 level.
	compressorLayout
	// reinterpretLayout is compressorLayout and u8 datatype, ANY for none.
	reinterpretLayout
	// windowLayout is u32 largest window in bytes.
	windowLayout
	// floatScaleLayout is f64 scale, f64 offset, u64 stored width in bytes.
	floatScaleLayout
	// webPLayout is f32 quality, u8 format, u8 lossless, u16 y extent, u16 x extent and padding to 4 bytes.
	webPLayout
)

// nBytes returns the number of option bytes of the layout.
func (l layout) nBytes() int { return [...]int{0, 5, 6, 4, 24, 12}[l] }

// compressorNumber returns the number a compressor has among compressors, which its options begin with. It is the
// filter's code but for the two youngest.
func compressorNumber(c Code) byte {
	switch c {
	case Dictionary:
		return 7
	case Delta:
		return 8
	}
	return byte(c)
}

// Plain returns a filter without options: None, the shuffles, the checksums or XOR.
func Plain(c Code) Spec { return Spec{Code: c} }

// Compressor returns a compressor: Gzip, Zstd, LZ4, RLE, Bzip2, Dictionary, or Delta and DoubleDelta without another
// type. Level -1 is the default level; LZ4, RLE, Dictionary and the deltas ignore it.
func Compressor(c Code, level int32) Spec {
	if c == Delta || c == DoubleDelta {
		return Reinterpreting(c, level, datatype.Any)
	}
	o := make([]byte, 5)
	o[0] = compressorNumber(c)
	binary.LittleEndian.PutUint32(o[1:], uint32(level))
	return Spec{Code: c, Options: o}
}

// Reinterpreting returns Delta or DoubleDelta that takes its input for values of type t; datatype.Any keeps the type.
func Reinterpreting(c Code, level int32, t datatype.Type) Spec {
	o := make([]byte, 6)
	o[0], o[5] = compressorNumber(c), byte(t)
	binary.LittleEndian.PutUint32(o[1:], uint32(level))
	return Spec{Code: c, Options: o}
}

// Windowed returns BitWidthReduction or PositiveDelta with windows of at most nBytes bytes. TileDB's defaults are 256
// and 1024.
func Windowed(c Code, nBytes uint32) Spec {
	return Spec{Code: c, Options: binary.LittleEndian.AppendUint32(nil, nBytes)}
}

// FloatScaleOptions are the options of FloatScale (format_spec/filters/float_scale.md).
type FloatScaleOptions struct {
	Scale, Offset float64
	// ByteWidth is the width of a stored integer in bytes.
	ByteWidth uint64
}

// Scaling returns FloatScale with these options.
func Scaling(o FloatScaleOptions) Spec {
	b := binary.LittleEndian.AppendUint64(nil, math.Float64bits(o.Scale))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(o.Offset))
	return Spec{Code: FloatScale, Options: binary.LittleEndian.AppendUint64(b, o.ByteWidth)}
}

// WebPOptions are the options of WebP (format_spec/filters/webp.md).
type WebPOptions struct {
	// Quality goes from 0 to 100.
	Quality float32
	// Format is 1 RGB, 2 BGR, 3 RGBA or 4 BGRA.
	Format   uint8
	Lossless bool
	// YExtent and XExtent are the tile's rows and its bytes per row.
	YExtent, XExtent uint16
}

// Image returns WebP with these options.
func Image(o WebPOptions) Spec {
	b := make([]byte, webPLayout.nBytes())
	binary.LittleEndian.PutUint32(b, math.Float32bits(o.Quality))
	b[4] = o.Format
	if o.Lossless {
		b[5] = 1
	}
	binary.LittleEndian.PutUint16(b[6:], o.YExtent)
	binary.LittleEndian.PutUint16(b[8:], o.XExtent)
	return Spec{Code: WebP, Options: b}
}

// Name returns the name of the filter, as Code.String.
func (s Spec) Name() string { return s.Code.String() }

// layout returns the layout of s's options and whether they have it.
func (s Spec) layout() (layout, bool) {
	if !s.Code.Valid() {
		return 0, false
	}
	l := table[s.Code].options
	return l, len(s.Options) == l.nBytes()
}

// Level returns the level of a compressor; false when s is none or its options are damaged.
func (s Spec) Level() (int32, bool) {
	if l, ok := s.layout(); !ok || l != compressorLayout && l != reinterpretLayout {
		return 0, false
	}
	return int32(binary.LittleEndian.Uint32(s.Options[1:])), true
}

// Reinterpret returns the type that Delta or DoubleDelta takes its input for, datatype.Any for the type it has; false
// when s is neither or its options are damaged.
func (s Spec) Reinterpret() (datatype.Type, bool) {
	if l, ok := s.layout(); !ok || l != reinterpretLayout {
		return datatype.Any, false
	}
	return datatype.Type(s.Options[5]), true
}

// MaxWindow returns the largest window in bytes of BitWidthReduction or PositiveDelta; false when s is neither or its
// options are damaged.
func (s Spec) MaxWindow() (uint32, bool) {
	if l, ok := s.layout(); !ok || l != windowLayout {
		return 0, false
	}
	return binary.LittleEndian.Uint32(s.Options), true
}

// Scaling returns the options of FloatScale; false when s is another filter or its options are damaged.
func (s Spec) Scaling() (FloatScaleOptions, bool) {
	if l, ok := s.layout(); !ok || l != floatScaleLayout {
		return FloatScaleOptions{}, false
	}
	return FloatScaleOptions{
		Scale:     math.Float64frombits(binary.LittleEndian.Uint64(s.Options)),
		Offset:    math.Float64frombits(binary.LittleEndian.Uint64(s.Options[8:])),
		ByteWidth: binary.LittleEndian.Uint64(s.Options[16:]),
	}, true
}

// Image returns the options of WebP; false when s is another filter or its options are damaged.
func (s Spec) Image() (WebPOptions, bool) {
	if l, ok := s.layout(); !ok || l != webPLayout {
		return WebPOptions{}, false
	}
	return WebPOptions{
		Quality:  math.Float32frombits(binary.LittleEndian.Uint32(s.Options)),
		Format:   s.Options[4],
		Lossless: s.Options[5] != 0,
		YExtent:  binary.LittleEndian.Uint16(s.Options[6:]),
		XExtent:  binary.LittleEndian.Uint16(s.Options[8:]),
	}, true
}

// Check tells whether the filter is one of the format and its options fit it. The error wraps ErrUnsupported for an
// unknown code and ErrOptions otherwise. It says nothing about whether this build can run the filter.
func (s Spec) Check() error {
	if !s.Code.Valid() {
		return fmt.Errorf("%w: %s", ErrUnsupported, s.Name())
	}
	l, ok := s.layout()
	switch {
	case !ok:
		return fmt.Errorf("%w: %s has %d bytes of options, not %d", ErrOptions, s.Name(), len(s.Options), l.nBytes())
	case (l == compressorLayout || l == reinterpretLayout) && s.Options[0] != compressorNumber(s.Code):
		return fmt.Errorf("%w: %s names compressor %d", ErrOptions, s.Name(), s.Options[0])
	case l == reinterpretLayout && !datatype.Type(s.Options[5]).Valid():
		return fmt.Errorf("%w: %s reinterprets as unknown datatype %d", ErrOptions, s.Name(), s.Options[5])
	}
	if o, ok := s.Scaling(); ok {
		return o.check()
	}
	return nil
}
