package unpack

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"
)

// A bzip2 stream is "BZh" and a digit for the block size, blocks that each begin with the digits of pi, and the digits of
// its root with a checksum of the blocks' checksums. A block is, from the last step of compression to the first: Huffman
// codes, runs of zeros, moves to front, the Burrows-Wheeler transform, runs of bytes.

// errBunzip2 is wrapped by the faults of a bzip2 stream.
var errBunzip2 = fmt.Errorf("%w: bzip2", ErrDamaged)

const (
	bzBlock = 0x314159265359
	bzEnd   = 0x177245385090
	// bzTableBits are the bits that a table decodes at once; longer codes are found by their length.
	bzTableBits = 10
	bzMaxBits   = 20
	// bzGroup is the number of symbols after which another of the block's codes may be chosen.
	bzGroup = 50
)

// bzCode decodes one of a block's Huffman codes.
type bzCode struct {
	// table has symbol<<5 | bits for the next bzTableBits bits, 0 for codes that are longer.
	table [1 << bzTableBits]uint16
	// end[n] is the first code of n bits that is too large, as the top bits of 32; first[n] and place[n] are the
	// first code of n bits and its symbol's place in symbols.
	end     [bzMaxBits + 2]uint64
	first   [bzMaxBits + 2]uint32
	place   [bzMaxBits + 2]int
	symbols [258]uint16
}

// bunzipper is the state of one decoding.
type bunzipper struct {
	src []byte
	at  int
	// acc holds n bits that were read but not used, the next one highest; after the end of src zeros follow.
	acc uint64
	n   uint

	codes     [6]bzCode
	selectors []uint8
	front     [256]byte
	// counts says how often each byte is in a block.
	counts [256]uint32
	// cells has the transformed bytes of a block in its low 8 bits, later with the place of the next one above.
	cells []uint32
}

var bunzippers = sync.Pool{New: func() any { return new(bunzipper) }}

// Bzip2 fills dst with exactly what the bzip2 stream src holds, or returns an error that wraps ErrDamaged and leaves
// anything in dst.
func Bzip2(dst, src []byte) error {
	if len(src) < 14 || string(src[:3]) != "BZh" || src[3] < '1' || src[3] > '9' {
		return fmt.Errorf("%w: bad header", errBunzip2)
	}
	z := bunzippers.Get().(*bunzipper)
	z.src, z.at, z.acc, z.n = src, 4, 0, 0
	err := z.stream(dst, int(src[3]-'0')*100000)
	z.src = nil
	bunzippers.Put(z)
	return err
}

// stream decodes all blocks and checks the end.
func (z *bunzipper) stream(dst []byte, blockSize int) error {
	sum, out := uint32(0), 0
	for {
		magic := uint64(z.take(24))<<24 | uint64(z.take(24))
		want := z.take(16)<<16 | z.take(16)
		if magic == bzEnd {
			if want != sum {
				return fmt.Errorf("%w: the checksum is %08x, that of the blocks %08x", errBunzip2, want, sum)
			}
			break
		}
		if magic != bzBlock {
			return fmt.Errorf("%w: no block at byte %d", errBunzip2, z.at)
		}
		n, err := z.block(dst[out:], blockSize)
		if err != nil {
			return err
		}
		if got := bzSum(dst[out : out+n]); got != want {
			return fmt.Errorf("%w: the checksum of a block is %08x, that of its %d bytes %08x", errBunzip2, want, n, got)
		}
		out += n
		sum = sum<<1 ^ sum>>31 ^ want
	}
	if out != len(dst) {
		return fmt.Errorf("%w: %d bytes, %d expected", errBunzip2, out, len(dst))
	}
	if end := z.at - int(z.n/8); end != len(z.src) {
		return fmt.Errorf("%w: it ends at byte %d of %d", errBunzip2, end, len(z.src))
	}
	return nil
}

// fill reads bytes until at least 32 bits are there.
func (z *bunzipper) fill() {
	if z.n >= 32 {
		return
	}
	if len(z.src)-z.at >= 4 {
		z.acc |= uint64(binary.BigEndian.Uint32(z.src[z.at:])) << (32 - z.n)
		z.at += 4
		z.n += 32
		return
	}
	for z.n < 32 {
		if z.at < len(z.src) {
			z.acc |= uint64(z.src[z.at]) << (56 - z.n)
		}
		z.at++
		z.n += 8
	}
}

// take returns the next k bits, at most 24.
func (z *bunzipper) take(k uint) uint32 {
	z.fill()
	v := uint32(z.acc >> (64 - k))
	z.acc <<= k
	z.n -= k
	return v
}

// block decodes a block after its magic number and checksum and returns its bytes in dst.
func (z *bunzipper) block(dst []byte, blockSize int) (int, error) {
	if z.take(1) != 0 {
		return 0, fmt.Errorf("%w: a randomised block", errBunzip2)
	}
	origin := int(z.take(24))
	nSymbols, err := z.readSymbols()
	if err != nil {
		return 0, err
	}
	if err := z.readCodes(nSymbols + 2); err != nil {
		return 0, err
	}
	// Runs of bytes make a block of at most 5/4 of its data.
	limit := min(blockSize, len(dst)/4*5+8)
	if cap(z.cells) < limit {
		z.cells = make([]uint32, limit)
	}
	n, err := z.readCells(z.cells[:limit], nSymbols)
	if err != nil {
		return 0, err
	}
	if origin >= n {
		return 0, fmt.Errorf("%w: a block of %d bytes begins at %d", errBunzip2, n, origin)
	}
	return z.untransform(dst, z.cells[:n], origin)
}

// readSymbols reads which bytes a block has into front and returns their number.
func (z *bunzipper) readSymbols() (int, error) {
	groups := z.take(16)
	n := 0
	for g := range 16 {
		if groups>>(15-g)&1 == 0 {
			continue
		}
		used := z.take(16)
		for b := range 16 {
			if used>>(15-b)&1 != 0 {
				z.front[n] = byte(16*g + b)
				n++
			}
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("%w: a block without bytes", errBunzip2)
	}
	return n, nil
}

// readCodes reads which code each group of symbols has, and the codes, of n symbols each.
func (z *bunzipper) readCodes(n int) error {
	nCodes, nSelectors := int(z.take(3)), int(z.take(15))
	if nCodes < 2 || nCodes > 6 || nSelectors < 1 {
		return fmt.Errorf("%w: %d codes, %d groups", errBunzip2, nCodes, nSelectors)
	}
	z.selectors = z.selectors[:0]
	order := [6]uint8{0, 1, 2, 3, 4, 5}
	for range nSelectors {
		k := 0
		for z.take(1) == 1 {
			if k++; k >= nCodes {
				return fmt.Errorf("%w: code %d of %d", errBunzip2, k, nCodes)
			}
		}
		chosen := order[k]
		copy(order[1:k+1], order[:k])
		order[0] = chosen
		z.selectors = append(z.selectors, chosen)
		if z.at > len(z.src)+8 {
			return fmt.Errorf("%w: it ends in the codes", errBunzip2)
		}
	}
	for i := range nCodes {
		var lens [258]uint8
		length := z.take(5)
		for s := range n {
			for {
				if length < 1 || length > bzMaxBits {
					return fmt.Errorf("%w: a code of %d bits", errBunzip2, length)
				}
				if z.take(1) == 0 {
					break
				}
				length += 1 - 2*z.take(1)
			}
			lens[s] = uint8(length)
		}
		if err := z.codes[i].make(lens[:n]); err != nil {
			return err
		}
	}
	return nil
}

// make sets up the code of symbols with codes of these lengths.
func (c *bzCode) make(lens []uint8) error {
	var count [bzMaxBits + 2]int
	for _, n := range lens {
		count[n]++
	}
	clear(c.table[:])
	code, place := uint32(0), 0
	for n := uint(1); n <= bzMaxBits; n++ {
		c.first[n], c.place[n] = code, place
		code += uint32(count[n])
		place += count[n]
		if code > 1<<n {
			return fmt.Errorf("%w: too many short codes", errBunzip2)
		}
		c.end[n] = uint64(code) << (32 - n)
		code <<= 1
	}
	next := c.place
	for s, n := range lens {
		c.symbols[next[n]] = uint16(s)
		if n <= bzTableBits {
			at := (int(c.first[n]) + next[n] - c.place[n]) << (bzTableBits - n)
			for i := range 1 << (bzTableBits - n) {
				c.table[at+i] = uint16(s)<<5 | uint16(n)
			}
		}
		next[n]++
	}
	return nil
}

// long returns the entry of a code that is longer than the table's bits, or 0.
func (c *bzCode) long(acc uint64) uint16 {
	top := acc >> 32
	for n := uint(bzTableBits + 1); n <= bzMaxBits; n++ {
		if top < c.end[n] {
			return c.symbols[c.place[n]+int(uint32(top>>(32-n))-c.first[n])]<<5 | uint16(n)
		}
	}
	return 0
}

// readCells decodes the symbols of a block into the transformed bytes, counts them and returns how many there are.
func (z *bunzipper) readCells(cells []uint32, nSymbols int) (int, error) {
	counts := &z.counts
	clear(counts[:])
	acc, have, at := z.acc, z.n, z.at
	n, run, weight := 0, 0, 1
	end := uint16(nSymbols + 1)
	for _, selector := range z.selectors {
		code := &z.codes[selector]
		for range bzGroup {
			if have < 32 {
				z.acc, z.n, z.at = acc, have, at
				z.fill()
				acc, have, at = z.acc, z.n, z.at
			}
			entry := code.table[acc>>(64-bzTableBits)]
			if entry == 0 {
				if entry = code.long(acc); entry == 0 {
					return 0, fmt.Errorf("%w: a code that does not exist", errBunzip2)
				}
			}
			acc <<= entry & 31
			have -= uint(entry & 31)
			symbol := entry >> 5
			if symbol <= 1 {
				// A run's length is a number in the digits 1 and 2, the lowest first.
				if run += weight << symbol; run > len(cells)-n {
					return 0, fmt.Errorf("%w: a run of %d bytes at %d of %d", errBunzip2, run, n, len(cells))
				}
				weight <<= 1
				continue
			}
			if run > 0 {
				b := z.front[0]
				counts[b] += uint32(run)
				for i := range cells[n : n+run] {
					cells[n+i] = uint32(b)
				}
				n += run
				run, weight = 0, 1
			}
			if symbol >= end {
				z.acc, z.n, z.at = acc, have, at
				return n, nil
			}
			if n == len(cells) {
				return 0, fmt.Errorf("%w: a block of more than %d bytes", errBunzip2, n)
			}
			b := moveToFront(&z.front, uint8(symbol-1))
			counts[b]++
			cells[n] = uint32(b)
			n++
		}
	}
	return 0, fmt.Errorf("%w: a block without an end", errBunzip2)
}

// moveToFront moves the byte at place i to the front and returns it.
func moveToFront(front *[256]byte, i uint8) byte {
	b := front[i]
	if i >= 16 {
		copy(front[1:int(i)+1], front[:i])
	} else {
		for ; i > 0; i-- {
			front[i] = front[i-1]
		}
	}
	front[0] = b
	return b
}

// untransform undoes the Burrows-Wheeler transform and the runs of bytes, 4 equal bytes and how often they go on. It
// returns the bytes written to dst.
func (z *bunzipper) untransform(dst []byte, cells []uint32, origin int) (int, error) {
	var starts [256]uint32
	sum := uint32(0)
	for i, n := range z.counts {
		starts[i] = sum
		sum += n
	}
	for i, c := range cells {
		b := byte(c)
		at := starts[b]
		starts[b]++
		cells[at] |= uint32(i) << 8
	}
	next := cells[origin] >> 8
	out, equal, last := 0, 0, -1
	for range cells {
		if int(next) >= len(cells) {
			break
		}
		c := cells[next]
		next = c >> 8
		b := byte(c)
		if equal == 4 {
			// b counts more of the last byte.
			if int(b) > len(dst)-out {
				return 0, z.tooLong(len(dst))
			}
			run := dst[out : out+int(b)]
			for i := range run {
				run[i] = byte(last)
			}
			out += len(run)
			equal, last = 0, -1
			continue
		}
		if out >= len(dst) {
			return 0, z.tooLong(len(dst))
		}
		dst[out] = b
		out++
		if int(b) != last {
			equal, last = 0, int(b)
		}
		equal++
	}
	return out, nil
}

func (z *bunzipper) tooLong(n int) error {
	return fmt.Errorf("%w: a block goes on after %d bytes", errBunzip2, n)
}

// bzSums are the tables of bzip2's checksum, for 8 bytes at a time.
var bzSums = sync.OnceValue(func() *[8][256]uint32 {
	var t [8][256]uint32
	for i := range t[0] {
		x := uint32(i) << 24
		for range 8 {
			x = x<<1 ^ uint32(int32(x)>>31)&0x04C11DB7
		}
		t[0][i] = x
	}
	for k := 1; k < 8; k++ {
		for i := range t[k] {
			x := t[k-1][i]
			t[k][i] = x<<8 ^ t[0][x>>24]
		}
	}
	return &t
})

// bzSum returns the checksum of b: a CRC-32 with the highest bit first.
func bzSum(b []byte) uint32 {
	t := bzSums()
	sum := ^uint32(0)
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b) ^ uint64(bits.ReverseBytes32(sum))
		sum = t[7][byte(x)] ^ t[6][byte(x>>8)] ^ t[5][byte(x>>16)] ^ t[4][byte(x>>24)] ^
			t[3][byte(x>>32)] ^ t[2][byte(x>>40)] ^ t[1][byte(x>>48)] ^ t[0][byte(x>>56)]
	}
	for _, v := range b {
		sum = sum<<8 ^ t[0][byte(sum>>24)^v]
	}
	return ^sum
}
