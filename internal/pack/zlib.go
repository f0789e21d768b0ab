package pack

import (
	"encoding/binary"
	"hash/adler32"
	"math/bits"
	"slices"

	"azulejo/internal/huffman"
)

// The bounds of DEFLATE (RFC 1951).
const (
	minMatch, maxMatch = 3, 258
	window             = 1 << 15
	windowMask         = window - 1
	// maxTokens is how many literals and matches a block has; the statistics of blocks follow the data.
	maxTokens = 1<<14 - 1
	// far is the distance at which a match of 3 bytes costs more than 3 literals.
	far = 4096
)

// effort says how hard a level looks for matches: it follows at most chain places with the same beginning, a quarter of
// them once it has a match of good bytes, and takes the first match of nice bytes. A lazy level looks for a better match
// one byte later while it has one below lazy bytes; others enter only matches of up to lazy bytes into their tables.
type effort struct {
	good, lazy, nice, chain int
	isLazy                  bool
}

// efforts has those of the levels 1 to 9, with the figures that zlib's levels are known by.
var efforts = [10]effort{
	1: {4, 4, 8, 4, false}, 2: {4, 5, 16, 8, false}, 3: {4, 6, 32, 32, false},
	4: {4, 4, 16, 16, true}, 5: {8, 16, 32, 32, true}, 6: {8, 16, 128, 128, true},
	7: {8, 32, 128, 256, true}, 8: {32, 128, 258, 1024, true}, 9: {32, 258, 258, 4096, true},
}

// Zlib makes zlib streams (RFC 1950). Its zero value is ready; it is for one goroutine at a time and keeps its memory.
type Zlib struct {
	effort
	src []byte
	// head3 and head4 have the last place of each hash of 3 and 4 bytes, plus base, so that what is below base is of an
	// earlier stream. step has for each place how far before it the last one with the same hash of 4 bytes is, 0 for
	// none.
	head3 [1 << hashBits3]uint32
	head4 [1 << hashBits4]uint32
	step  [window]uint16
	base  uint32
	// tokens are literals, or distances and, above distanceBits, lengths.
	tokens []uint32
	out    []byte
	block  blockWriter
}

// hashBits3 and hashBits4 are log2 of the number of hashes of 3 and 4 bytes.
const hashBits3, hashBits4, hashFactor = 13, 15, 0x9E3779B1

// distanceBits is the place of the length in a token.
const distanceBits = 16

// Append appends src as a zlib stream to dst. The level goes from 0, no compression, to 9.
func (z *Zlib) Append(dst, src []byte, level int) []byte {
	// The second byte tells the level's class and makes the two a multiple of 31.
	second := [10]byte{0x01, 0x01, 0x5E, 0x5E, 0x5E, 0x5E, 0x9C, 0xDA, 0xDA, 0xDA}[level]
	z.out, z.src = append(dst, 0x78, second), src
	if level == 0 {
		z.out = appendStored(z.out, src, true)
	} else {
		z.effort = efforts[level]
		z.begin()
		z.block.reset()
		if z.isLazy {
			z.parseLazy()
		} else {
			z.parseGreedy()
		}
	}
	out := binary.BigEndian.AppendUint32(z.out, adler32.Checksum(src))
	z.out, z.src = nil, nil
	return out
}

// begin makes all places known so far invalid.
func (z *Zlib) begin() {
	if uint64(z.base)+uint64(len(z.src))+2*window > 1<<32-1 {
		z.base = 0
		clear(z.head3[:])
		clear(z.head4[:])
	}
	z.base += window
	z.tokens = z.tokens[:0]
}

// end makes the places of this stream invalid for the next.
func (z *Zlib) end() { z.base += uint32(len(z.src)) }

// enter enters the place i, behind which there are 4 bytes, and returns the last ones with the same 3 and 4 bytes, or
// rather with the same hashes of them, plus base.
func (z *Zlib) enter(i int) (first uint32, place3, place4 uint32) {
	first = load32(z.src, i)
	h3, h4 := first<<8*hashFactor>>(32-hashBits3), first*hashFactor>>(32-hashBits4)
	here := z.base + uint32(i)
	place3, place4 = z.head3[h3], z.head4[h4]
	z.head3[h3], z.head4[h4] = here, here
	step := here - place4
	if step >= window {
		step = 0
	}
	z.step[i&windowMask] = uint16(step)
	return first, place3, place4
}

// find enters place i and looks for the longest match with what is there that is longer than best, which is at least 2. It
// returns its length and where it is, or best.
func (z *Zlib) find(i, best int) (length, from int) {
	src, limit := z.src, min(maxMatch, len(z.src)-i)
	if limit < 4 {
		return best, 0
	}
	first, place3, place := z.enter(i)
	if best >= limit {
		return best, 0
	}
	lowest := z.base + uint32(max(i-(window-1), 0))
	if best < minMatch && place3 >= lowest {
		if at := int(place3 - z.base); (load32(src, at)^first)<<8 == 0 {
			best, from = minMatch, at
		}
	}
	chain, nice, found := z.chain, min(z.nice, limit), max(best, minMatch)
	if best >= z.good {
		chain >>= 2
	}
	if found >= limit {
		return best, from
	}
	tail := load32(src, i+found-3)
	for ; place >= lowest && chain > 0; chain-- {
		at := int(place - z.base)
		if load32(src, at+found-3) == tail && load32(src, at) == first {
			if n := 4 + common(src[at+4:at+limit], src[i+4:i+limit]); n > found {
				best, found, from = n, n, at
				if n >= nice {
					break
				}
				tail = load32(src, i+found-3)
			}
		}
		step := uint32(z.step[at&windowMask])
		if step == 0 {
			break
		}
		place -= step
	}
	return best, from
}

// enterAll enters the places from i up to but not including end.
func (z *Zlib) enterAll(i, end int) {
	for end = min(end, len(z.src)-3); i < end; i++ {
		z.enter(i)
	}
}

// common returns how many bytes a and b, of one length, begin with alike.
func common(a, b []byte) int {
	n := 0
	for len(a)-n >= 8 && len(b)-n >= 8 {
		if x := load64(a, n) ^ load64(b, n); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// literal and match add tokens.
func (z *Zlib) literal(b byte) {
	if z.tokens = append(z.tokens, uint32(b)); len(z.tokens) == maxTokens {
		z.flush(false)
	}
}

func (z *Zlib) match(length, distance int) {
	if z.tokens = append(z.tokens, uint32(length)<<distanceBits|uint32(distance)); len(z.tokens) == maxTokens {
		z.flush(false)
	}
}

// parseGreedy takes every match where it is found.
func (z *Zlib) parseGreedy() {
	src := z.src
	for i := 0; i < len(src); {
		length, from := z.find(i, minMatch-1)
		if length < minMatch || length == minMatch && i-from > far {
			z.literal(src[i])
			i++
			continue
		}
		z.match(length, i-from)
		if length <= z.lazy {
			z.enterAll(i+1, i+length)
		}
		i += length
	}
	z.flush(true)
	z.end()
}

// parseLazy takes a match only when none that is longer begins one byte later.
func (z *Zlib) parseLazy() {
	src := z.src
	held, last, lastFrom := false, minMatch-1, 0 // whether the byte before i waits, and the match there
	for i := 0; i < len(src); i++ {
		length, from := minMatch-1, 0
		if last < z.lazy {
			if length, from = z.find(i, last); length <= last || length == minMatch && i-from > far {
				length = minMatch - 1
			}
		} else {
			z.enterAll(i, i+1)
		}
		if last >= minMatch && length <= last {
			z.match(last, i-1-lastFrom)
			end := i - 1 + last
			z.enterAll(i+1, end)
			i = end - 1
			held, last = false, minMatch-1
			continue
		}
		if held {
			z.literal(src[i-1])
		}
		held, last, lastFrom = true, length, from
	}
	if held {
		z.literal(src[len(src)-1])
	}
	z.flush(true)
	z.end()
}

// flush writes the tokens as a block; raw data of the block is what the last block left.
func (z *Zlib) flush(final bool) {
	z.out = z.block.write(z.out, z.src, z.tokens, final)
	z.tokens = z.tokens[:0]
}

// appendStored appends data as it is, in blocks of at most 65535 bytes that begin at a byte.
func appendStored(dst, src []byte, final bool) []byte {
	dst = slices.Grow(dst, len(src)+5*(1+len(src)/65535))
	for {
		n := min(len(src), 65535)
		last := byte(0)
		if final && n == len(src) {
			last = 1
		}
		dst = append(dst, last, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		dst, src = append(dst, src[:n]...), src[n:]
		if len(src) == 0 {
			return dst
		}
	}
}

// blockWriter writes blocks.
type blockWriter struct {
	// acc holds the n bits behind the last whole byte, start is where the next block's raw data begins.
	acc       uint64
	n         uint
	start     int
	tree      huffman.Builder
	counts    [nLiterals]uint32
	distances [nDistances]uint32
	lengths   [nLiterals]uint8
	dLength   [nDistances]uint8
	codes     [nLiterals]uint16
	dCodes    [nDistances]uint16
}

func (w *blockWriter) reset() { w.acc, w.n, w.start = 0, 0, 0 }
