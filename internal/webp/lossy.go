package webp

import (
	"bytes"
	"fmt"
	"image"
	"math"

	gen2brain "github.com/gen2brain/webp"
)

// method is libwebp's default trade of speed for size, which TileDB uses.
const method = 4

// AppendLossy appends the lossy file of an image to dst, as libwebp makes it. The quality goes from 0 to 100 and is rounded
// to whole numbers from 1 up. len(pixels) must be width * height * l.Depth(); no side may be 0 or above MaxSide.
func AppendLossy(dst, pixels []byte, width, height int, l Layout, quality float32) ([]byte, error) {
	m := &image.NRGBA{Pix: pack(pixels, l), Stride: 4 * width, Rect: image.Rect(0, 0, width, height)}
	q := min(max(int(math.Round(float64(quality))), 1), 100)
	b := bytes.NewBuffer(dst)
	if err := gen2brain.Encode(b, m, gen2brain.Options{Quality: q, Method: method}); err != nil {
		return nil, fmt.Errorf("WebP image of %d x %d pixels: %w", width, height, err)
	}
	return b.Bytes(), nil
}
