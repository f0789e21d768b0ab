package filter

import (
	"encoding/binary"
)

// bitshuffleBlock is the bytes that are shuffled at a time.
const bitshuffleBlock = 8192

// bitshuffle is the stage of Bitshuffle (format_spec/tile.md): in every block of 8192 bytes the lowest bits of all
// values come first, then the second lowest and so on. Values beyond a multiple of 8 in a block stay as they are. A
// part is split so that the first piece is a multiple of 8 bytes; a piece that is no multiple of the width is copied.
// The metadata is that of byteshuffle.
type bitshuffle struct{ width int }

// buildBitshuffle makes the stage of Bitshuffle.
func buildBitshuffle(_ Spec, in input) (stage, error) { return bitshuffle{in.t.Size()}, nil }

func (bitshuffle) passes() bool { return false }

func (s bitshuffle) forward(w *work, data []byte) ([]byte, error) {
	out := w.take(len(data))
	first := len(data) &^ 7
	sizes := [2]int{first, len(data) - first}
	n := 2
	switch {
	case w.empty:
		n = 0
	case first == len(data):
		n = 1
	}
	pushSizes(w, sizes[:n])
	at := 0
	for _, size := range sizes[:n] {
		s.each(out[at:at+size], data[at:at+size], shuffleBits)
		at += size
	}
	w.empty = false
	return out, nil
}

func (s bitshuffle) reverse(w *work, in part, dst []byte) (part, error) {
	sizes, rest, err := shuffledSizes(in)
	if err != nil {
		return part{}, err
	}
	out, err := w.place(dst, uint64(len(in.data)))
	if err != nil {
		return part{}, err
	}
	for at := 0; len(sizes) > 0; sizes = sizes[4:] {
		n := int(binary.LittleEndian.Uint32(sizes))
		s.each(out[at:at+n], in.data[at:at+n], unshuffleBits)
		at += n
	}
	return part{meta: rest, data: out}, nil
}

// each runs f over the blocks of one part.
func (s bitshuffle) each(dst, src []byte, f func(dst, src []byte, width int)) {
	if len(src)%s.width != 0 || len(src)%8 != 0 {
		copy(dst, src)
		return
	}
	for len(src) > 0 {
		n := min(len(src), bitshuffleBlock)
		whole := n / s.width &^ 7 * s.width
		f(dst[:whole], src[:whole], s.width)
		copy(dst[whole:n], src[whole:n])
		dst, src = dst[n:], src[n:]
	}
}

// shuffleBits splits values of width bytes, a multiple of 8 of them, into bit planes. Eight rows of 8 values make 64
// bytes of each byte position: bytes are gathered by transposing squares of 8 words as bytes, bits by transposing the
// 8 words of a byte position as bits.
func shuffleBits(dst, src []byte, width int) {
	if shuffleBitsFast(dst, src, width) {
		return
	}
	rows := len(src) / width / 8
	var t [64]uint64
	r := 0
	for ; r+8 <= rows; r += 8 {
		for g := range width {
			at := r*8*width + 8*g
			q := (*[8]uint64)(t[8*g:])
			for k := range q {
				q[k] = binary.LittleEndian.Uint64(src[at+k*8*width:])
			}
			transposeBytes(q)
		}
		for b := range width {
			var p [8]uint64
			for e := range p {
				p[e] = t[(e*width+b)&63]
			}
			transposeBits(&p)
			for j := range p {
				binary.LittleEndian.PutUint64(dst[(b*8+j)*rows+r:], p[j])
			}
		}
	}
	for ; r < rows; r++ {
		for b := range width {
			var x uint64
			for e := range 8 {
				x |= uint64(src[(r*8+e)*width+b]) << (8 * e)
			}
			x = transposeSquare(x)
			for j := range 8 {
				dst[(b*8+j)*rows+r] = byte(x >> (8 * j))
			}
		}
	}
}

// unshuffleBits undoes shuffleBits.
func unshuffleBits(dst, src []byte, width int) {
	if unshuffleBitsFast(dst, src, width) {
		return
	}
	rows := len(src) / width / 8
	var t [64]uint64
	r := 0
	for ; r+8 <= rows; r += 8 {
		for b := range width {
			var p [8]uint64
			for j := range p {
				p[j] = binary.LittleEndian.Uint64(src[(b*8+j)*rows+r:])
			}
			transposeBits(&p)
			for e := range p {
				t[(e*width+b)&63] = p[e]
			}
		}
		for g := range width {
			at := r*8*width + 8*g
			q := (*[8]uint64)(t[8*g:])
			transposeBytes(q)
			for k := range q {
				binary.LittleEndian.PutUint64(dst[at+k*8*width:], q[k])
			}
		}
	}
	for ; r < rows; r++ {
		for b := range width {
			var x uint64
			for j := range 8 {
				x |= uint64(src[(b*8+j)*rows+r]) << (8 * j)
			}
			x = transposeSquare(x)
			for e := range 8 {
				dst[(r*8+e)*width+b] = byte(x >> (8 * e))
			}
		}
	}
}

// transposeSquare transposes a word as a square of 8 by 8 bits: bit j of byte i becomes bit i of byte j.
func transposeSquare(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00AA00AA00AA00AA
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000CCCC0000CCCC
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000F0F0F0F0
	return x ^ t ^ t<<28
}

// swap exchanges the bits of a that m selects, shifted up by s, with the bits of b that m selects.
func swap(a, b uint64, s uint, m uint64) (uint64, uint64) {
	t := (a>>s ^ b) & m
	return a ^ t<<s, b ^ t
}

// transposeBits transposes the 8 squares of 8 by 8 bits that the bytes of the words at each position make: bit e of
// byte k of word j becomes bit j of byte k of word e. Bits change places between words 1, 2 and 4 apart in turn.
func transposeBits(p *[8]uint64) {
	const m1, m2, m4 = 0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F
	a, b, c, d, e, f, g, h := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
	a, b = swap(a, b, 1, m1)
	c, d = swap(c, d, 1, m1)
	e, f = swap(e, f, 1, m1)
	g, h = swap(g, h, 1, m1)
	a, c = swap(a, c, 2, m2)
	b, d = swap(b, d, 2, m2)
	e, g = swap(e, g, 2, m2)
	f, h = swap(f, h, 2, m2)
	a, e = swap(a, e, 4, m4)
	b, f = swap(b, f, 4, m4)
	c, g = swap(c, g, 4, m4)
	d, h = swap(d, h, 4, m4)
	p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7] = a, b, c, d, e, f, g, h
}

// transposeBytes transposes the square of 8 by 8 bytes that the words make: byte k of word j becomes byte j of word k.
func transposeBytes(p *[8]uint64) {
	const m1, m2, m4 = 0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF, 0x00000000FFFFFFFF
	a, b, c, d, e, f, g, h := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
	a, b = swap(a, b, 8, m1)
	c, d = swap(c, d, 8, m1)
	e, f = swap(e, f, 8, m1)
	g, h = swap(g, h, 8, m1)
	a, c = swap(a, c, 16, m2)
	b, d = swap(b, d, 16, m2)
	e, g = swap(e, g, 16, m2)
	f, h = swap(f, h, 16, m2)
	a, e = swap(a, e, 32, m4)
	b, f = swap(b, f, 32, m4)
	c, g = swap(c, g, 32, m4)
	d, h = swap(d, h, 32, m4)
	p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7] = a, b, c, d, e, f, g, h
}
