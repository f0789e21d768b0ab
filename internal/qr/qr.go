// Package qr draws QR codes (ISO/IEC 18004, model 2): texts of up to 412 bytes, in byte mode, at error correction level M,
// versions 1 to 15.
//
// A symbol of version v is a square of 17+4v modules. Three finder patterns, timing lines, alignment patterns and the format
// (and, from version 7, the version) have fixed places; the codewords fill the rest in a zigzag of columns two wide from the
// lower right, each bit inverted where the mask says so.
package qr

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTooLong means that a text does not fit.
var ErrTooLong = errors.New("text too long for a QR code")

// blocks has, by version from 1, the number of error correction codewords of each block and the number of blocks, at level M.
var blocks = []struct{ ecc, n int }{{10, 1}, {16, 1}, {26, 1}, {18, 2}, {24, 2}, {16, 4}, {18, 4}, {22, 4}, {22, 5}, {26, 5}, {30, 5}, {22, 8}, {22, 9}, {24, 9}, {24, 10}}

// Code is a QR code.
type Code struct {
	// Size is the number of modules of a side, without the quiet zone of four around it.
	Size int

	version int
	dark    []bool
	fixed   []bool // places that hold no data
}

// Encode returns the code of a text, in the smallest version that holds it. Error class: ErrTooLong.
func Encode(text string) (*Code, error) {
	for version := 1; version <= len(blocks); version++ {
		lengthBits := 8
		if version > 9 {
			lengthBits = 16
		}
		b := blocks[version-1]
		capacity := codewords(version) - b.ecc*b.n
		if 4+lengthBits+8*len(text) > 8*capacity {
			continue
		}
		c := &Code{Size: 17 + 4*version, version: version}
		c.dark, c.fixed = make([]bool, c.Size*c.Size), make([]bool, c.Size*c.Size)
		c.patterns()
		c.place(interleave(data(text, lengthBits, capacity), b.ecc, b.n))
		c.mask()
		return c, nil
	}
	return nil, ErrTooLong
}

// Dark reports whether the module of column x and row y is dark.
func (c *Code) Dark(x, y int) bool { return c.dark[y*c.Size+x] }

// Path returns the dark modules as the data of an SVG path, in modules, with the quiet zone around them; the picture is a square
// of Size+8.
func (c *Code) Path() string {
	var b strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			n := 0
			for x+n < c.Size && c.Dark(x+n, y) {
				n++
			}
			if n > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+4, y+4, n, n)
				x += n
			}
		}
	}
	return b.String()
}

// alignments returns the coordinates of alignment patterns of a version, in both directions.
func alignments(version int) []int {
	if version == 1 {
		return nil
	}
	n := version/7 + 2
	last := 4*version + 10
	step := ((last-6)/(n-1) + 1) / 2 * 2
	if (last-6)%(n-1) != 0 {
		step = ((last-6+n-2)/(n-1) + 1) / 2 * 2
	}
	at := make([]int, n)
	at[0] = 6
	for i := 1; i < n; i++ {
		at[i] = last - (n-1-i)*step
	}
	return at
}

// codewords returns how many codewords a version holds: what the fixed patterns leave.
func codewords(version int) int {
	size := 17 + 4*version
	free := size*size - 3*64 - 2*(size-16) - 31 // finders with their margins, timing, format and the module that is always dark
	if n := len(alignments(version)); n > 0 {
		free -= 25*(n*n-3) - 2*5*(n-2) // those on the timing lines share five modules with them
	}
	if version >= 7 {
		free -= 36
	}
	return free / 8
}

// data returns the codewords of a text: mode, length, bytes, terminator, padding.
func data(text string, lengthBits, capacity int) []byte {
	var w bits
	w.add(4, 4)
	w.add(len(text), lengthBits)
	for i := range len(text) {
		w.add(int(text[i]), 8)
	}
	w.add(0, min(4, 8*capacity-w.n))
	w.add(0, (8-w.n%8)%8)
	for pad := 0xec; len(w.bytes) < capacity; pad ^= 0xec ^ 0x11 {
		w.add(pad, 8)
	}
	return w.bytes
}

// bits collects bits, the most significant first.
type bits struct {
	bytes []byte
	n     int
}

func (w *bits) add(v, n int) {
	for i := n - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.bytes = append(w.bytes, 0)
		}
		w.bytes[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

// interleave splits data into n blocks, the shorter ones first, appends error correction to each, and takes codewords from the
// blocks in turns.
func interleave(data []byte, ecc, n int) []byte {
	short := len(data) / n
	long := len(data) % n
	var parts, checks [][]byte
	for i := range n {
		size := short
		if i >= n-long {
			size++
		}
		parts, checks = append(parts, data[:size]), append(checks, check(data[:size], ecc))
		data = data[size:]
	}
	var out []byte
	for i := range short + 1 {
		for _, p := range parts {
			if i < len(p) {
				out = append(out, p[i])
			}
		}
	}
	for i := range ecc {
		for _, c := range checks {
			out = append(out, c[i])
		}
	}
	return out
}

// multiply multiplies in the field of 256 elements with the polynomial x⁸+x⁴+x³+x²+1.
func multiply(a, b byte) byte {
	var product byte
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			product ^= a
		}
		carry := a & 0x80
		if a <<= 1; carry != 0 {
			a ^= 0x1d
		}
	}
	return product
}

// check returns the Reed-Solomon codewords of a block: the remainder of its polynomial by (x-1)(x-2)(x-4)….
func check(block []byte, n int) []byte {
	generator := make([]byte, n) // without the leading 1, highest power first
	generator[n-1] = 1
	root := byte(1)
	for range n {
		for j := range generator {
			generator[j] = multiply(generator[j], root)
			if j+1 < n {
				generator[j] ^= generator[j+1]
			}
		}
		root = multiply(root, 2)
	}
	rest := make([]byte, n)
	for _, b := range block {
		factor := b ^ rest[0]
		copy(rest, rest[1:])
		rest[n-1] = 0
		for j := range rest {
			rest[j] ^= multiply(generator[j], factor)
		}
	}
	return rest
}

func (c *Code) set(x, y int, dark bool) {
	if x < 0 || y < 0 || x >= c.Size || y >= c.Size {
		return
	}
	c.dark[y*c.Size+x], c.fixed[y*c.Size+x] = dark, true
}

// patterns draws what is the same for all texts.
func (c *Code) patterns() {
	for i := range c.Size {
		c.set(6, i, i%2 == 0)
		c.set(i, 6, i%2 == 0)
	}
	for _, at := range [][2]int{{3, 3}, {c.Size - 4, 3}, {3, c.Size - 4}} {
		c.rings(at[0], at[1], 4, 2, 4)
	}
	places := alignments(c.version)
	for i, x := range places {
		for j, y := range places {
			if last := len(places) - 1; i == 0 && j == 0 || i == 0 && j == last || i == last && j == 0 {
				continue // a finder is there
			}
			c.rings(x, y, 2, 1, 3)
		}
	}
	c.format(0) // takes the places; the mask's is drawn later
	if c.version >= 7 {
		rest := remainder(c.version, 0x1f25, 12)
		for i := range 18 {
			dark := (c.version<<12|rest)>>i&1 == 1
			c.set(c.Size-11+i%3, i/3, dark)
			c.set(i/3, c.Size-11+i%3, dark)
		}
	}
}

// rings draws a square around a center, dark but for the rings of two radii.
func (c *Code) rings(x, y, radius, light1, light2 int) {
	for dy := -radius; dy <= radius; dy++ {
		for dx := -radius; dx <= radius; dx++ {
			r := max(dx, -dx, dy, -dy)
			c.set(x+dx, y+dy, r != light1 && r != light2)
		}
	}
}

// remainder returns the check bits of a value by a generator polynomial.
func remainder(v, generator, bits int) int {
	rest := v << bits
	for i := 31; i >= bits; i-- {
		if rest>>i&1 == 1 {
			rest ^= generator << (i - bits)
		}
	}
	return rest
}

// format draws level M, whose bits are 00, and a mask, twice.
func (c *Code) format(mask int) {
	bits := (mask<<10 | remainder(mask, 0x537, 10)) ^ 0x5412
	for i := range 15 {
		dark := bits>>i&1 == 1
		switch {
		case i < 6:
			c.set(8, i, dark)
		case i < 8:
			c.set(8, i+1, dark)
		case i == 8:
			c.set(7, 8, dark)
		default:
			c.set(14-i, 8, dark)
		}
		if i < 8 {
			c.set(c.Size-1-i, 8, dark)
		} else {
			c.set(8, c.Size-15+i, dark)
		}
	}
	c.set(8, c.Size-8, true)
}

// place puts codewords into the free modules.
func (c *Code) place(words []byte) {
	i := 0
	for right := c.Size - 1; right > 0; right -= 2 {
		if right == 6 {
			right-- // the timing line
		}
		for step := range c.Size {
			y := step
			if (right+1)&2 == 0 {
				y = c.Size - 1 - step
			}
			for _, x := range []int{right, right - 1} {
				if c.fixed[y*c.Size+x] {
					continue
				}
				if i < 8*len(words) {
					c.dark[y*c.Size+x] = words[i/8]>>(7-i%8)&1 == 1
				}
				i++
			}
		}
	}
}

// masks say which modules are inverted.
var masks = []func(x, y int) bool{
	func(x, y int) bool { return (x+y)%2 == 0 },
	func(_, y int) bool { return y%2 == 0 },
	func(x, _ int) bool { return x%3 == 0 },
	func(x, y int) bool { return (x+y)%3 == 0 },
	func(x, y int) bool { return (x/3+y/2)%2 == 0 },
	func(x, y int) bool { return x*y%2+x*y%3 == 0 },
	func(x, y int) bool { return (x*y%2+x*y%3)%2 == 0 },
	func(x, y int) bool { return ((x+y)%2+x*y%3)%2 == 0 },
}

func (c *Code) invert(mask int) {
	for y := range c.Size {
		for x := range c.Size {
			if at := y*c.Size + x; !c.fixed[at] && masks[mask](x, y) {
				c.dark[at] = !c.dark[at]
			}
		}
	}
}

// mask applies the mask that disturbs readers the least.
func (c *Code) mask() {
	best, least := 0, -1
	for m := range masks {
		c.invert(m)
		c.format(m)
		if p := c.penalty(); least < 0 || p < least {
			best, least = m, p
		}
		c.invert(m)
	}
	c.invert(best)
	c.format(best)
}

// penalty is the standard's: long runs, squares, what looks like a finder, and unevenness.
func (c *Code) penalty() int {
	sum, dark := 0, 0
	for i := range c.Size {
		sum += c.line(func(j int) bool { return c.Dark(j, i) }) + c.line(func(j int) bool { return c.Dark(i, j) })
	}
	for y := range c.Size {
		for x := range c.Size {
			here := c.Dark(x, y)
			if here {
				dark++
			}
			if x+1 < c.Size && y+1 < c.Size && c.Dark(x+1, y) == here && c.Dark(x, y+1) == here && c.Dark(x+1, y+1) == here {
				sum += 3
			}
		}
	}
	all := c.Size * c.Size
	return sum + 10*(max(20*dark-10*all, 10*all-20*dark)/all)
}

// line is the penalty of a row or a column.
func (c *Code) line(at func(int) bool) int {
	sum, run := 0, 0
	window := 0
	for i := range c.Size {
		if i > 0 && at(i) == at(i-1) {
			run++
		} else {
			run = 1
		}
		switch {
		case run == 5:
			sum += 3
		case run > 5:
			sum++
		}
		window = window << 1 & 0x7ff
		if at(i) {
			window |= 1
		}
		if i >= 10 && (window == 0b10111010000 || window == 0b00001011101) {
			sum += 40
		}
	}
	return sum
}
