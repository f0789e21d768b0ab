package unpack

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"math/bits"
	"sync"
)

// errInflate is wrapped by the faults of a zlib stream.
var errInflate = fmt.Errorf("%w: zlib", ErrDamaged)

// An entry of a decoding table says what the next bits mean:
//
//	bits 0-7    bits to drop: those of the code and of the number that follows it
//	bits 8-11   bits of the code alone; for a link, the bits of its table
//	bits 12-14  entryEnd, entryLink, entryLiteral
//	bits 16-31  the literal, the least length or distance, or the place of the table a link leads to
//
// An entry of 0 is a code that does not exist.
const (
	entryEnd     = 1 << 12
	entryLink    = 1 << 13
	entryLiteral = 1 << 14
	// noEntry stands for symbols that are never to appear.
	noEntry = 1<<32 - 1
)

const (
	// litBits and distBits are the bits that the first tables decode at once.
	litBits, distBits = 11, 8
	// The most entries that complete codes of 288 and 32 symbols of up to 15 bits need with these first tables.
	litEntries, distEntries = 2342, 402
	maxCodeBits             = 15
)

// inflater is the state of one decoding. It has no allocations of its own.
type inflater struct {
	src []byte
	at  int
	// acc holds n bits that were read but not used, the next one lowest; over counts bytes read past the end.
	acc  uint64
	n    uint
	over int

	// head says that dst takes only the first bytes of the data.
	dst  []byte
	out  int
	head bool

	lit  [litEntries]uint32
	dist [distEntries]uint32
	// lens are the code lengths of a block's symbols, order the symbols sorted by them.
	lens  [320]uint8
	order [320]uint16
	// fixed says that the tables are those of fixed codes.
	fixed bool
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// Zlib fills dst with exactly what the zlib stream src holds (RFC 1950, 1951), or returns an error that wraps ErrDamaged
// and leaves anything in dst.
func Zlib(dst, src []byte) error { return ZlibHead(dst, src, len(dst)) }

// ZlibHead fills dst with the first bytes of what the zlib stream src holds, size bytes in all, and does no more than that
// takes: damage behind it, and a wrong checksum, are not seen. Errors are as those of Zlib.
func ZlibHead(dst, src []byte, size int) error {
	if len(src) < 6 || src[0]&15 != 8 || src[0] > 0x78 || binary.BigEndian.Uint16(src)%31 != 0 || src[1]&32 != 0 {
		return fmt.Errorf("%w: bad header", errInflate)
	}
	f := inflaters.Get().(*inflater)
	f.src, f.at, f.acc, f.n, f.over, f.dst, f.out, f.head = src[2:], 0, 0, 0, 0, dst, 0, len(dst) < size
	err := f.stream()
	f.src, f.dst = nil, nil
	inflaters.Put(f)
	return err
}

// stream decodes all blocks and checks the end.
func (f *inflater) stream() error {
	for last := false; !last && !f.enough(); {
		f.fill()
		last = f.take(1) == 1
		var err error
		switch f.take(2) {
		case 0:
			err = f.storedBlock()
		case 1:
			if err = f.fixedTables(); err == nil {
				err = f.codedBlock()
			}
		case 2:
			if err = f.dynamicTables(); err == nil {
				err = f.codedBlock()
			}
		default:
			err = fmt.Errorf("%w: unknown kind of block", errInflate)
		}
		if err != nil {
			return err
		}
	}
	if f.enough() {
		return nil
	}
	// Whole bytes that were read ahead go back.
	f.at -= int(f.n / 8)
	if f.out != len(f.dst) {
		return fmt.Errorf("%w: %d bytes, %d expected", errInflate, f.out, len(f.dst))
	}
	if len(f.src)-f.at != 4 {
		return fmt.Errorf("%w: the blocks end at byte %d of %d", errInflate, f.at+2, len(f.src)+2)
	}
	if sum, got := binary.BigEndian.Uint32(f.src[len(f.src)-4:]), adler32.Checksum(f.dst); sum != got {
		return fmt.Errorf("%w: the checksum is %08x, that of the data %08x", errInflate, sum, got)
	}
	return nil
}

// enough reports whether all that is wanted is there, and that may not be all there is.
func (f *inflater) enough() bool { return f.head && f.out == len(f.dst) }

// fill reads bytes until at least 56 bits are there, zeros after the end.
func (f *inflater) fill() {
	if len(f.src)-f.at >= 8 {
		f.acc |= load64(f.src, f.at) << f.n
		f.at += int(63-f.n) >> 3
		f.n |= 56
		return
	}
	for f.n < 56 {
		if f.at < len(f.src) {
			f.acc |= uint64(f.src[f.at]) << f.n
		} else {
			f.over++
		}
		f.at++
		f.n += 8
	}
}

// take returns the next k bits, which fill has read.
func (f *inflater) take(k uint) uint32 {
	v := uint32(f.acc & (1<<k - 1))
	f.acc >>= k
	f.n -= k
	return v
}

// storedBlock copies a block that is not compressed.
func (f *inflater) storedBlock() error {
	f.take(f.n % 8)
	f.at -= int(f.n / 8)
	f.acc, f.n = 0, 0
	if f.over > 0 || len(f.src)-f.at < 4 {
		return fmt.Errorf("%w: it ends in a stored block", errInflate)
	}
	n, inverted := binary.LittleEndian.Uint16(f.src[f.at:]), binary.LittleEndian.Uint16(f.src[f.at+2:])
	f.at += 4
	if n != ^inverted || int(n) > len(f.src)-f.at || int(n) > len(f.dst)-f.out && !f.head {
		return fmt.Errorf("%w: a stored block of %d bytes", errInflate, n)
	}
	f.out += copy(f.dst[f.out:], f.src[f.at:f.at+int(n)])
	f.at += int(n)
	return nil
}

// codedBlock decodes a block with the tables.
func (f *inflater) codedBlock() error {
	if done, err := f.fastLoop(); done || err != nil {
		return err
	}
	for !f.enough() {
		f.fill()
		if f.over > 8 {
			return fmt.Errorf("%w: it ends in a block", errInflate)
		}
		e := f.lookUp(f.lit[:], litBits)
		switch {
		case e&entryLiteral != 0:
			if f.out == len(f.dst) {
				return fmt.Errorf("%w: more than %d bytes", errInflate, f.out)
			}
			f.take(uint(e & 255))
			f.dst[f.out] = byte(e >> 16)
			f.out++
		case e&entryEnd != 0:
			f.take(uint(e & 255))
			return nil
		case e == 0:
			return fmt.Errorf("%w: a code that does not exist", errInflate)
		default:
			length := f.number(e)
			f.fill()
			d := f.lookUp(f.dist[:], distBits)
			if d == 0 {
				return fmt.Errorf("%w: a code that does not exist", errInflate)
			}
			distance := f.number(d)
			if f.head {
				length = min(length, len(f.dst)-f.out)
			}
			if distance > f.out || length > len(f.dst)-f.out {
				return fmt.Errorf("%w: %d bytes from %d before, at %d of %d", errInflate, length, distance, f.out, len(f.dst))
			}
			for range length {
				f.dst[f.out] = f.dst[f.out-distance]
				f.out++
			}
		}
	}
	return nil
}

// lookUp returns the entry for the next bits.
func (f *inflater) lookUp(table []uint32, first uint) uint32 {
	e := table[f.acc&(1<<first-1)]
	if e&entryLink != 0 {
		e = table[e>>16+uint32(f.acc>>first)&(1<<(e>>8&15)-1)]
	}
	return e
}

// number drops an entry's bits and returns its length or distance.
func (f *inflater) number(e uint32) int {
	code := uint(e >> 8 & 15)
	extra := uint(e&255) - code
	f.take(code)
	return int(e>>16) + int(f.take(extra))
}

const (
	// fastIn and fastOut are the bytes that one round of fastLoop may read and write: a word ahead twice, and two
	// literals and the longest match, copied in words.
	fastIn, fastOut = 24, 2 + 258 + 8
)

// fastLoop decodes as long as neither the source nor the destination can end within one round. done says that the block
// has ended.
func (f *inflater) fastLoop() (done bool, err error) {
	src, dst := f.src, f.dst
	at, out := f.at, f.out
	acc, n := f.acc, f.n
	lit, dist := &f.lit, &f.dist
	for len(src)-at >= fastIn && len(dst)-out >= fastOut {
		acc |= load64(src, at) << (n & 63)
		at += int(63-n) >> 3
		n |= 56
		e := lit[acc&(1<<litBits-1)]
		// Two literals, at most 15 bits each, leave more than the 20 bits that a length may take.
		if e&entryLiteral != 0 {
			acc >>= e & 63
			n -= uint(e & 255)
			dst[out] = byte(e >> 16)
			out++
			e = lit[acc&(1<<litBits-1)]
			if e&entryLiteral != 0 {
				acc >>= e & 63
				n -= uint(e & 255)
				dst[out] = byte(e >> 16)
				out++
				e = lit[acc&(1<<litBits-1)]
			}
		}
		if e&entryLink != 0 {
			e = lit[(e>>16+uint32(acc>>litBits)&(1<<(e>>8&15)-1))%litEntries]
		}
		if e&entryLiteral != 0 {
			acc >>= e & 63
			n -= uint(e & 255)
			dst[out] = byte(e >> 16)
			out++
			continue
		}
		if e&entryEnd != 0 || e == 0 {
			if done = e != 0; done {
				acc >>= e & 63
				n -= uint(e & 255)
			} else {
				err = fmt.Errorf("%w: a code that does not exist", errInflate)
			}
			break
		}
		length := int(e>>16) + int(acc&(1<<(e&63)-1)>>(e>>8&15))
		acc >>= e & 63
		n -= uint(e & 255)
		acc |= load64(src, at) << (n & 63)
		at += int(63-n) >> 3
		n |= 56
		e = dist[acc&(1<<distBits-1)]
		if e&entryLink != 0 {
			e = dist[(e>>16+uint32(acc>>distBits)&(1<<(e>>8&15)-1))%distEntries]
		}
		distance := int(e>>16) + int(acc&(1<<(e&63)-1)>>(e>>8&15))
		acc >>= e & 63
		n -= uint(e & 255)
		if distance > out || e == 0 {
			err = fmt.Errorf("%w: %d bytes from %d before, at %d", errInflate, length, distance, out)
			break
		}
		copyMatch(dst, out, distance, length)
		out += length
	}
	f.at, f.out, f.acc, f.n = at, out, acc, n
	return done, err
}

// copyMatch repeats length bytes from distance before out. It may write 7 bytes more.
func copyMatch(dst []byte, out, distance, length int) {
	from, to := dst[out-distance:], dst[out:out+length+8]
	switch {
	case distance >= 8:
		for i := 0; i < length; i += 8 {
			store64(to, i, load64(from, i))
		}
	case distance == 1:
		word := uint64(from[0]) * 0x0101010101010101
		for i := 0; i < length; i += 8 {
			store64(to, i, word)
		}
	default:
		for i := range length {
			to[i] = from[i]
		}
	}
}

// fixedTables makes the tables of the codes that the standard fixes.
func (f *inflater) fixedTables() error {
	if f.fixed {
		return nil
	}
	for i := range 288 {
		n := 8
		switch {
		case i >= 144 && i < 256:
			n = 9
		case i >= 256 && i < 280:
			n = 7
		}
		f.lens[i] = uint8(n)
	}
	for i := range 32 {
		f.lens[288+i] = 5
	}
	if err := f.makeTables(288, 32); err != nil {
		return err
	}
	f.fixed = true
	return nil
}

// codeOrder is the order in which a block lists the code lengths of code lengths.
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicTables reads a block's own codes and makes their tables.
func (f *inflater) dynamicTables() error {
	f.fixed = false
	f.fill()
	nLit, nDist, nCode := int(f.take(5))+257, int(f.take(5))+1, int(f.take(4))+4
	clear(f.lens[:19])
	for i := range nCode {
		f.fill()
		f.lens[codeOrder[i]] = uint8(f.take(3))
	}
	// The table of code lengths borrows the place of the distances.
	if err := makeTable(f.dist[:], 7, f.lens[:19], f.order[:], codeEntry); err != nil {
		return err
	}
	for i := 0; i < nLit+nDist; {
		f.fill()
		if f.over > 8 {
			return fmt.Errorf("%w: it ends in the codes", errInflate)
		}
		e := f.dist[f.acc&127]
		if e == 0 {
			return fmt.Errorf("%w: a code that does not exist", errInflate)
		}
		f.take(uint(e & 255))
		symbol, value, repeat := e>>16, uint8(0), 1
		switch {
		case symbol < 16:
			value = uint8(symbol)
		case symbol == 16 && i == 0:
			return fmt.Errorf("%w: nothing to repeat", errInflate)
		case symbol == 16:
			value, repeat = f.lens[i-1], 3+int(f.take(2))
		case symbol == 17:
			repeat = 3 + int(f.take(3))
		default:
			repeat = 11 + int(f.take(7))
		}
		if repeat > nLit+nDist-i {
			return fmt.Errorf("%w: too many codes", errInflate)
		}
		for range repeat {
			f.lens[i] = value
			i++
		}
	}
	return f.makeTables(nLit, nDist)
}

// makeTables makes the tables of the codes in f.lens.
func (f *inflater) makeTables(nLit, nDist int) error {
	if err := makeTable(f.lit[:], litBits, f.lens[:nLit], f.order[:], litEntry); err != nil {
		return err
	}
	return makeTable(f.dist[:], distBits, f.lens[nLit:nLit+nDist], f.order[:], distEntry)
}

// litEntry returns the entry of a literal or length without its code's bits.
func litEntry(symbol int) uint32 {
	switch {
	case symbol < 256:
		return uint32(symbol)<<16 | entryLiteral
	case symbol == 256:
		return entryEnd
	case symbol < 265:
		return uint32(symbol-257+3) << 16
	case symbol < 285:
		extra := (symbol - 261) / 4
		return uint32(3+(4+(symbol-261)%4)<<extra)<<16 | uint32(extra)
	case symbol == 285:
		return 258 << 16
	}
	return noEntry
}

// distEntry returns the entry of a distance without its code's bits.
func distEntry(symbol int) uint32 {
	switch {
	case symbol < 4:
		return uint32(symbol+1) << 16
	case symbol < 30:
		extra := symbol/2 - 1
		return uint32(1+(2+symbol%2)<<extra)<<16 | uint32(extra)
	}
	return noEntry
}

// codeEntry returns the entry of a code length.
func codeEntry(symbol int) uint32 { return uint32(symbol) << 16 }

// makeTable makes the decoding table for symbols with codes of these lengths: first bits at once, longer codes through
// links to tables behind. order is scratch memory. A code that is not complete is refused unless it has at most one
// symbol, as zlib does.
func makeTable(table []uint32, first uint, lens []uint8, order []uint16, entry func(int) uint32) error {
	var count, next [maxCodeBits + 2]int
	for _, n := range lens {
		count[n]++
	}
	space, longest := 1<<maxCodeBits, uint(0)
	for n := 1; n <= maxCodeBits; n++ {
		space -= count[n] << (maxCodeBits - n)
		next[n+1] = next[n] + count[n]
		if count[n] > 0 {
			longest = uint(n)
		}
	}
	nCodes := len(lens) - count[0]
	if space < 0 || space > 0 && !(nCodes == 0 || nCodes == 1 && count[1] == 1) {
		return fmt.Errorf("%w: codes that are not complete", errInflate)
	}
	for s, n := range lens {
		if n > 0 {
			order[next[n]] = uint16(s)
			next[n]++
		}
	}
	clear(table[:1<<first])
	code, i, end := uint(0), 0, 1<<first
	var linked uint = 1 << maxCodeBits
	start := 0
	for n := uint(1); n <= longest; n++ {
		for range count[n] {
			e := entry(int(order[i]))
			reversed := uint(bits.Reverse16(uint16(code))) >> (16 - n)
			if e != noEntry {
				e += uint32(n) | uint32(n)<<8
			} else {
				e = 0
			}
			if n <= first {
				for at := reversed; at < 1<<first; at += 1 << n {
					table[at] = e
				}
			} else {
				if low := reversed & (1<<first - 1); low != linked {
					linked, start = low, end
					size := linkBits(count[:], i, n, first, next[:])
					table[low] = uint32(start)<<16 | entryLink | uint32(size)<<8
					end += 1 << size
				}
				size := uint(table[linked] >> 8 & 15)
				for at := reversed >> first; at < 1<<size; at += 1 << (n - first) {
					table[start+int(at)] = e
				}
			}
			i++
			code++
		}
		code <<= 1
	}
	return nil
}

// linkBits returns the bits of the table that codes of n bits and more, from the i-th symbol on, need behind their
// first bits: enough for the codes that share these. next[k] is the number of symbols with codes of at most k bits.
func linkBits(count []int, i int, n, first uint, next []int) uint {
	size := n - first
	left := 1<<size - (next[n] - i)
	for left > 0 && first+size < maxCodeBits {
		size++
		left = left<<1 - count[first+size]
	}
	return size
}
