package webp

import "image"

// convert fills dst, but for alpha, with the colours of a picture of luma in full and chroma in half resolution. Chroma is
// spread over pixels by weights 9, 3, 3 and 1 of the four samples nearest, and colours are computed in fixed point, both
// rounded as libwebp rounds them: TileDB's readers see the very same bytes.
func convert(dst []byte, m *image.YCbCr, l Layout) {
	width, height := m.Rect.Dx(), m.Rect.Dy()
	row := width * l.Depth()
	chroma := func(i int) ([]byte, []byte) {
		at := i * m.CStride
		n := (width + 1) / 2
		return m.Cb[at : at+n], m.Cr[at : at+n]
	}
	luma := func(y int) []byte { return m.Y[y*m.YStride:][:width] }
	line := func(y int) []byte { return dst[y*row : (y+1)*row] }
	// A pair of rows lies between two rows of chroma; the first row, and the last of an even number, have one only.
	u, v := chroma(0)
	blend(line(0), luma(0), u, v, u, v, l)
	for y := 1; y < height; y++ {
		near, far := y/2, y/2-1
		if y%2 == 1 {
			far = min(y/2+1, (height-1)/2)
		}
		u, v := chroma(near)
		fu, fv := chroma(far)
		blend(line(y), luma(y), u, v, fu, fv, l)
	}
}

// blend fills one row from its luma and two rows of chroma, the nearer one first.
func blend(dst, luma, u, v, farU, farV []byte, l Layout) {
	depth, r := l.Depth(), l.red()
	put := func(x, u, v int) {
		p := dst[x*depth : x*depth+3]
		y := int(luma[x]) * 19077 >> 8
		p[r] = clip(y + v*26149>>8 - 14234)
		p[1] = clip(y - u*6419>>8 - v*13320>>8 + 8708)
		p[2-r] = clip(y + u*33050>>8 - 17685)
	}
	edge := func(near, far byte) int { return (3*int(near) + int(far) + 2) >> 2 }
	put(0, edge(u[0], farU[0]), edge(v[0], farV[0]))
	for i := 1; i <= (len(luma)-1)/2; i++ {
		lu, ru := spread(u[i-1], u[i], farU[i-1], farU[i])
		lv, rv := spread(v[i-1], v[i], farV[i-1], farV[i])
		put(2*i-1, lu, lv)
		put(2*i, ru, rv)
	}
	if last := len(luma) - 1; last%2 == 1 {
		i := last / 2
		put(last, edge(u[i], farU[i]), edge(v[i], farV[i]))
	}
}

// spread returns the chroma of the two pixels between four samples: left and right in the nearer row and in the other.
func spread(l, r, farL, farR byte) (left, right int) {
	a, b, c, d := int(l), int(r), int(farL), int(farR)
	sum := a + b + c + d + 8
	// Of each pixel, the mean of all and twice those two that are not opposite it, and then with the nearest one.
	left = ((sum+2*(b+c))>>3 + a) >> 1
	right = ((sum+2*(a+d))>>3 + b) >> 1
	return left, right
}

// clip brings a fixed-point number of 6 fraction bits to a byte.
func clip(v int) byte {
	switch {
	case v < 0:
		return 0
	case v >= 256<<6:
		return 255
	}
	return byte(v >> 6)
}
