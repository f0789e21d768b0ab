// Package webp turns images of interleaved bytes into WebP files and back, to the same bytes as libwebp does: lossless
// files of VP8L, and lossy ones of VP8, with a plane of alpha when there is any (RFC 9649).
package webp

import (
	"bytes"
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/webp"
)

// MaxSide is the most pixels that a side of an image can have.
const MaxSide = 16383

// ErrCorrupt is wrapped by the error for a file that does not decode to the image expected.
var ErrCorrupt = errors.New("corrupt WebP image")

// Layout is the order of the bytes of a pixel.
type Layout uint8

// The layouts, numbered as TileDB stores them.
const (
	RGB  Layout = 1
	BGR  Layout = 2
	RGBA Layout = 3
	BGRA Layout = 4
)

// Valid reports whether l is one of the layouts.
func (l Layout) Valid() bool { return l >= RGB && l <= BGRA }

// Depth returns the bytes of a pixel.
func (l Layout) Depth() int {
	if l >= RGBA {
		return 4
	}
	return 3
}

// red returns the place of the red byte in a pixel; blue is at 2 minus that, green at 1 and alpha at 3.
func (l Layout) red() int {
	if l == BGR || l == BGRA {
		return 2
	}
	return 0
}

// Decode fills dst with the pixels of a file that must hold an image of just this size. Alpha that the layout lacks is
// dropped. len(dst) must be width * height * l.Depth(), which is not 0. The size is checked before anything of it is allocated. The error
// wraps ErrCorrupt.
func Decode(dst, file []byte, width, height int, l Layout) error {
	c, err := webp.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if c.Width != width || c.Height != height || width < 1 || height < 1 || len(dst) != width*height*l.Depth() {
		return fmt.Errorf("%w: %d x %d pixels instead of %d x %d", ErrCorrupt, c.Width, c.Height, width, height)
	}
	m, err := webp.Decode(bytes.NewReader(file))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if b := m.Bounds(); b.Dx() != width || b.Dy() != height {
		return fmt.Errorf("%w: %d x %d pixels instead of %d x %d", ErrCorrupt, b.Dx(), b.Dy(), width, height)
	}
	switch m := m.(type) {
	case *image.NRGBA:
		unpack(dst, m.Pix, l)
	case *image.YCbCr:
		convert(dst, m, l)
		fillAlpha(dst, nil, 0, width, l)
	case *image.NYCbCrA:
		convert(dst, &m.YCbCr, l)
		fillAlpha(dst, m.A, m.AStride, width, l)
	default:
		return fmt.Errorf("%w: pixels of type %T", ErrCorrupt, m)
	}
	return nil
}

// unpack copies pixels of red, green, blue and alpha into another layout.
func unpack(dst, rgba []byte, l Layout) {
	depth, r := l.Depth(), l.red()
	for len(dst) >= depth && len(rgba) >= 4 {
		dst[r], dst[1], dst[2-r] = rgba[0], rgba[1], rgba[2]
		if depth == 4 {
			dst[3] = rgba[3]
		}
		dst, rgba = dst[depth:], rgba[4:]
	}
}

// pack returns pixels as red, green, blue and alpha, which is full where the layout has none.
func pack(pixels []byte, l Layout) []byte {
	depth, r := l.Depth(), l.red()
	out := make([]byte, 0, len(pixels)/depth*4)
	for ; len(pixels) >= depth; pixels = pixels[depth:] {
		a := byte(255)
		if depth == 4 {
			a = pixels[3]
		}
		out = append(out, pixels[r], pixels[1], pixels[2-r], a)
	}
	return out
}

// fillAlpha sets the alpha of pixels from a plane, or to full without one.
func fillAlpha(dst, plane []byte, stride, width int, l Layout) {
	if l.Depth() < 4 {
		return
	}
	for i := range len(dst) / 4 {
		a := byte(255)
		if plane != nil {
			a = plane[i/width*stride+i%width]
		}
		dst[4*i+3] = a
	}
}
