package webp

import (
	"encoding/binary"
	"math/bits"

	"azulejo/internal/huffman"
)

// A lossless file (RFC 9649, section 3) is
//
//	"RIFF" | u32 bytes that follow | "WEBP" | "VP8L" | u32 bytes of the stream | the stream, padded to an even size
//
// and its stream, from the lowest bit of each byte up,
//
//	8 bits 0x2F | 14 width - 1 | 14 height - 1 | 1 alpha is used | 3 version 0
//	1 1 | 2 subtract green:  red and blue are what they differ from green by
//	1 1 | 0 predictor | 3 log2 of the block's side - 2 | an image of the predictors of the blocks
//	0 | the image of what the pixels differ from their prediction by
//
// An image is a bit for no colour cache, for the main image a bit for one group of codes, five prefix codes (green and
// lengths, red, blue, alpha, distances) and the pixels: four codes each, or a length and a distance back.
const (
	streamMark = 0x2F
	headerLen  = 20
	// blockBits is log2 of the side of the blocks that have one predictor.
	blockBits = 4
	// The lengths of copies; farthest is the most pixels a copy reaches back.
	minCopy, maxCopy, farthest = 3, 4096, 1<<20 - 120
	// The alphabets: 256 greens and 24 classes of lengths; 40 classes of distances.
	nGreens, nBytes, nDistances = 280, 256, 40
	// nearCodes is the number of distance codes that name a place nearby; a distance of d pixels is code d + nearCodes.
	nearCodes = 120
)

// AppendLossless appends the lossless file of an image to dst. Colours stay as they are where alpha is 0, too.
// len(pixels) must be width * height * l.Depth(); no side may be 0 or above MaxSide.
func AppendLossless(dst, pixels []byte, width, height int, l Layout) []byte {
	start := len(dst)
	dst = append(dst, "RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00"...)
	argb, opaque := toARGB(pixels, l)
	e := encoder{width: width, height: height, out: dst}
	e.bits(streamMark, 8)
	e.bits(uint64(width-1), 14)
	e.bits(uint64(height-1), 14)
	e.flag(!opaque)
	e.bits(0, 3)
	subtractGreen(argb)
	e.bits(1|2<<1, 3)
	modes, residuals := predict(argb, width, height)
	e.bits(1|0<<1|(blockBits-2)<<3, 6)
	e.image(modes, blocks(width), false)
	e.bits(0, 1)
	e.image(residuals, width, true)
	e.align()
	n := len(e.out) - start - headerLen
	if n%2 == 1 {
		e.out = append(e.out, 0)
	}
	binary.LittleEndian.PutUint32(e.out[start+4:], uint32(len(e.out)-start-8))
	binary.LittleEndian.PutUint32(e.out[start+16:], uint32(n))
	return e.out
}

// blocks returns the number of blocks along a side of n pixels.
func blocks(n int) int { return (n + 1<<blockBits - 1) >> blockBits }

// toARGB returns pixels with alpha in the highest and blue in the lowest byte, and whether alpha is full everywhere.
func toARGB(pixels []byte, l Layout) (argb []uint32, opaque bool) {
	depth, r := l.Depth(), l.red()
	argb, opaque = make([]uint32, 0, len(pixels)/depth), true
	for ; len(pixels) >= depth; pixels = pixels[depth:] {
		a := uint32(255)
		if depth == 4 {
			a = uint32(pixels[3])
			opaque = opaque && a == 255
		}
		argb = append(argb, a<<24|uint32(pixels[r])<<16|uint32(pixels[1])<<8|uint32(pixels[2-r]))
	}
	return argb, opaque
}

func subtractGreen(argb []uint32) {
	for i, p := range argb {
		g := p >> 8 & 0xFF
		argb[i] = p&0xFF00FF00 | (p-g<<16)&0xFF0000 | (p-g)&0xFF
	}
}

// encoder writes the stream.
type encoder struct {
	width, height int
	out           []byte
	// acc holds the n bits that are not in out yet.
	acc  uint64
	n    uint
	tree huffman.Builder
}

// bits writes the lowest n bits of v, of which all others are 0; n is at most 32.
func (e *encoder) bits(v uint64, n uint) {
	e.acc |= v << e.n
	e.n += n
	for e.n >= 8 {
		e.out = append(e.out, byte(e.acc))
		e.acc >>= 8
		e.n -= 8
	}
}

func (e *encoder) flag(on bool) {
	v := uint64(0)
	if on {
		v = 1
	}
	e.bits(v, 1)
}

func (e *encoder) align() { e.bits(0, (8-e.n)%8) }

// code is a prefix code: the codes of all symbols and their lengths. A code of one symbol has length 0.
type code struct {
	codes   []uint16
	lengths []uint8
}

func (e *encoder) put(c *code, symbol int) { e.bits(uint64(c.codes[symbol]), uint(c.lengths[symbol])) }

// token is a pixel, or a copy when length is above 0: length pixels from so many pixels before.
type token struct {
	pixel    uint32
	length   uint16
	distance uint32
}

// image writes an image with its prefix codes.
func (e *encoder) image(argb []uint32, width int, main bool) {
	e.bits(0, 1)
	if main {
		e.bits(0, 1)
	}
	tokens := match(argb)
	var counts [5][]uint32
	for i, n := range [5]int{nGreens, nBytes, nBytes, nBytes, nDistances} {
		counts[i] = make([]uint32, n)
	}
	for _, t := range tokens {
		if t.length > 0 {
			class, _, _ := classOf(uint32(t.length))
			counts[0][256+class]++
			class, _, _ = classOf(distanceCode(t.distance, width))
			counts[4][class]++
			continue
		}
		counts[0][t.pixel>>8&0xFF]++
		counts[1][t.pixel>>16&0xFF]++
		counts[2][t.pixel&0xFF]++
		counts[3][t.pixel>>24]++
	}
	var codes [5]code
	for i := range codes {
		codes[i] = e.code(counts[i])
	}
	for _, t := range tokens {
		if t.length > 0 {
			class, extra, n := classOf(uint32(t.length))
			e.put(&codes[0], 256+class)
			e.bits(extra, n)
			class, extra, n = classOf(distanceCode(t.distance, width))
			e.put(&codes[4], class)
			e.bits(extra, n)
			continue
		}
		e.put(&codes[0], int(t.pixel>>8&0xFF))
		e.put(&codes[1], int(t.pixel>>16&0xFF))
		e.put(&codes[2], int(t.pixel&0xFF))
		e.put(&codes[3], int(t.pixel>>24))
	}
}

// distanceCode returns the code of a distance in pixels: the pixel above and the one to the left have one of their own.
func distanceCode(distance uint32, width int) uint32 {
	switch distance {
	case uint32(width):
		return 1
	case 1:
		return 2
	}
	return distance + nearCodes
}

// classOf returns the class of a length or distance code from 1 up, and the n bits that tell it from others of its class.
func classOf(v uint32) (class int, extra uint64, n uint) {
	v--
	if v < 4 {
		return int(v), 0, 0
	}
	high := uint(bits.Len32(v)) - 1
	n = high - 1
	return int(2*high) + int(v>>n&1), uint64(v & (1<<n - 1)), n
}

// match returns the pixels as tokens, the longest copies of those that begin alike first.
func match(argb []uint32) []token {
	const hashBits, tries = 14, 16
	head := make([]int32, 1<<hashBits) // 1 + the last place of a hash
	prev := make([]int32, len(argb))
	insert := func(i int) {
		if i+1 < len(argb) {
			h := (argb[i]*0x9E3779B1 ^ argb[i+1]*0x85EBCA6B) >> (32 - hashBits)
			prev[i], head[h] = head[h], int32(i+1)
		}
	}
	tokens := make([]token, 0, len(argb))
	for i := 0; i < len(argb); {
		best, from := 0, 0
		insert(i)
		for at, n := int(prev[i])-1, 0; i+1 < len(argb) && at >= 0 && i-at <= farthest && n < tries; at, n = int(prev[at])-1, n+1 {
			length := 0
			for length < maxCopy && i+length < len(argb) && argb[at+length] == argb[i+length] {
				length++
			}
			if length > best {
				best, from = length, at
			}
		}
		if best < minCopy {
			tokens = append(tokens, token{pixel: argb[i]})
			i++
			continue
		}
		tokens = append(tokens, token{length: uint16(best), distance: uint32(i - from)})
		for j := i + 1; j < i+best; j++ {
			insert(j)
		}
		i += best
	}
	return tokens
}
