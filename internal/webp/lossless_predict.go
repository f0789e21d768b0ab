package webp

// The predictors of a pixel from those on the left (l), above (t), above to the left (tl) and above to the right (tr),
// by number (RFC 9649, section 4.1). Of the first row all are l, of the first column t, of the first pixel black.
const nPredictors = 14

const black = 0xFF000000

// prediction returns what predictor mode says.
func prediction(mode int, l, t, tl, tr uint32) uint32 {
	switch mode {
	case 1:
		return l
	case 2:
		return t
	case 3:
		return tr
	case 4:
		return tl
	case 5:
		return mean(mean(l, tr), t)
	case 6:
		return mean(l, tl)
	case 7:
		return mean(l, t)
	case 8:
		return mean(tl, t)
	case 9:
		return mean(t, tr)
	case 10:
		return mean(mean(l, tl), mean(t, tr))
	case 11:
		return nearer(l, t, tl)
	case 12:
		return eachByte(func(s uint) int { return at(l, s) + at(t, s) - at(tl, s) })
	case 13:
		a := mean(l, t)
		return eachByte(func(s uint) int { return at(a, s) + (at(a, s)-at(tl, s))/2 })
	}
	return black
}

// mean returns the means of the four bytes, rounded down.
func mean(a, b uint32) uint32 { return a&b + (a^b)&0xFEFEFEFE>>1 }

// at returns the byte of a pixel at a shift.
func at(p uint32, shift uint) int { return int(p >> shift & 0xFF) }

// eachByte returns the pixel whose bytes are what f says, brought into range.
func eachByte(f func(shift uint) int) uint32 {
	p := uint32(0)
	for s := uint(0); s < 32; s += 8 {
		p |= uint32(min(max(f(s), 0), 255)) << s
	}
	return p
}

// nearer returns l or t, whichever is nearer to l + t - tl in sum.
func nearer(l, t, tl uint32) uint32 {
	left, top := 0, 0
	for s := uint(0); s < 32; s += 8 {
		left += max(at(t, s)-at(tl, s), at(tl, s)-at(t, s))
		top += max(at(l, s)-at(tl, s), at(tl, s)-at(l, s))
	}
	if left < top {
		return l
	}
	return t
}

// difference returns the bytes of a minus those of b.
func difference(a, b uint32) uint32 {
	p := uint32(0)
	for s := uint(0); s < 32; s += 8 {
		p |= uint32(byte(a>>s)-byte(b>>s)) << s
	}
	return p
}

// weight returns how far a difference is from none.
func weight(d uint32) int {
	n := 0
	for s := uint(0); s < 32; s += 8 {
		n += max(int(int8(d>>s)), -int(int8(d>>s)))
	}
	return n
}

// residual returns what pixel i differs from its prediction by.
func residual(argb []uint32, i, width, mode int) uint32 {
	switch {
	case i == 0:
		return difference(argb[0], black)
	case i < width:
		return difference(argb[i], argb[i-1])
	case i%width == 0:
		return difference(argb[i], argb[i-width])
	}
	return difference(argb[i], prediction(mode, argb[i-1], argb[i-width], argb[i-width-1], argb[i-width+1]))
}

// predict returns the predictors of the blocks, in the green byte of pixels, and what all pixels differ from their
// prediction by.
func predict(argb []uint32, width, height int) (modes, residuals []uint32) {
	residuals = make([]uint32, len(argb))
	for top := 0; top < height; top += 1 << blockBits {
		for left := 0; left < width; left += 1 << blockBits {
			each := func(do func(i int)) {
				for y := top; y < min(top+1<<blockBits, height); y++ {
					for x := left; x < min(left+1<<blockBits, width); x++ {
						do(y*width + x)
					}
				}
			}
			best, least := 0, -1
			for mode := range nPredictors {
				sum := 0
				each(func(i int) { sum += weight(residual(argb, i, width, mode)) })
				if least < 0 || sum < least {
					best, least = mode, sum
				}
			}
			each(func(i int) { residuals[i] = residual(argb, i, width, best) })
			modes = append(modes, black|uint32(best)<<8)
		}
	}
	return modes, residuals
}
