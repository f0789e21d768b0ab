package pack

import (
	"encoding/binary"
	"slices"

	"azulejo/internal/huffman"
)

// A frame (RFC 8878) is
//
//	u32 magic | u8 descriptor | content size in 1, 2, 4 or 8 bytes | blocks
//
// and a block
//
//	u24: 1 last, 2 kind, 21 size | raw bytes (kind 0), one byte (kind 1), or literals and sequences (kind 2)
//
// A sequence is a number of literals and a match: a length, and a distance or one of the last three distances.
const (
	zstdMagic    = 0xFD2FB528
	maxBlock     = 128 << 10
	rawBlock     = 0
	runBlock     = 1
	packedBlock  = 2
	singleWindow = 1 << 5
	// endMargin is how many bytes before the end of a block no match begins: places are compared 8 bytes at a time.
	endMargin = 12
)

// seq is one sequence. The length of the match is less 3. The distance is coded already: 1 to 3 are the last ones, any other
// is 3 more than it is.
type seq struct {
	literals, match uint32
	offset          uint32
	// ll, of and ml are the classes of the three.
	ll, of, ml uint8
}

// Zstd makes Zstandard frames. Its zero value is ready; it is for one goroutine at a time and keeps its memory.
type Zstd struct {
	src      []byte
	literals []byte
	seqs     []seq
	rep      [3]uint32
	finder
	tree huffman.Builder
	// lengths are those of the codes of literals, codes the codes themselves from bit 4 up with their lengths below.
	lengths [256]uint8
	codes   [256]uint16
	counts  [256]uint32
	tables  [3]fseTable
}

// Append appends src as one frame, with its size and without a checksum, to dst. Levels count as libzstd's: below 3 each place
// is looked up once, at 3 and 4 twice, from 5 up in chains, longer and longer, and from 13 up also for matches of 3 bytes.
// Below 0 literals that codes hardly shorten stay as they are; libzstd leaves all of them.
func (z *Zstd) Append(dst, src []byte, level int) []byte {
	dst = appendFrameHeader(dst, uint64(len(src)))
	z.src = src
	z.rep = [3]uint32{1, 4, 8}
	z.prepare(len(src), level)
	for start := 0; start == 0 || start < len(src); start += maxBlock {
		end := min(start+maxBlock, len(src))
		dst = z.block(dst, start, end)
	}
	z.finish(len(src))
	z.src = nil
	return dst
}

func appendFrameHeader(dst []byte, n uint64) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, zstdMagic)
	switch {
	case n < 256:
		return append(dst, singleWindow, byte(n))
	case n < 65536+256:
		return binary.LittleEndian.AppendUint16(append(dst, singleWindow|1<<6), uint16(n-256))
	case n < 1<<32:
		return binary.LittleEndian.AppendUint32(append(dst, singleWindow|2<<6), uint32(n))
	}
	return binary.LittleEndian.AppendUint64(append(dst, singleWindow|3<<6), n)
}

// block appends one block of src.
func (z *Zstd) block(dst []byte, start, end int) []byte {
	src := z.src[start:end]
	header := uint32(0)
	if end == len(z.src) {
		header = 1
	}
	put := func(kind, n int) {
		h := header | uint32(kind)<<1 | uint32(n)<<3
		dst = append(dst, byte(h), byte(h>>8), byte(h>>16))
	}
	if len(src) > 3 && common(src[1:], src) == len(src)-1 {
		put(runBlock, len(src))
		return append(dst, src[0])
	}
	at := len(dst)
	rep := z.rep
	if len(src) > endMargin {
		z.literals, z.seqs = slices.Grow(z.literals[:0], len(src)+16), z.seqs[:0]
		z.parse(start, end)
		dst = slices.Grow(dst, len(src)+64)
		put(packedBlock, 0)
		dst = z.appendLiterals(dst)
		dst = z.appendSequences(dst)
		if n := len(dst) - at - 3; n < len(src)-len(src)>>7-2 {
			h := header | packedBlock<<1 | uint32(n)<<3
			dst[at], dst[at+1], dst[at+2] = byte(h), byte(h>>8), byte(h>>16)
			return dst
		}
	}
	// What is not packed changes no distances.
	z.rep = rep
	dst = dst[:at]
	put(rawBlock, len(src))
	return append(dst, src...)
}

// emit adds a sequence: the bytes from the last one's end up to i, and a match there.
func (z *Zstd) emit(from, i, match int, distance uint32) {
	n := i - from
	at := len(z.literals)
	if room := z.literals[at:cap(z.literals)]; n <= 16 && len(room) >= 16 && len(z.src)-from >= 16 {
		copy(room[:16], z.src[from:from+16]) // 16 bytes are copied faster than fewer
		z.literals = z.literals[:at+n]
	} else {
		z.literals = append(z.literals, z.src[from:i]...)
	}
	offset := z.coded(distance, n == 0)
	var q seq
	q.set(n, match, offset)
	z.seqs = append(z.seqs, q)
}

// coded returns the code of a distance and moves it to the front of the last ones. Behind no literals the codes of the
// last ones mean the second, the third, and the first less one.
func (z *Zstd) coded(distance uint32, none bool) uint32 {
	r := &z.rep
	switch {
	case distance == r[0] && !none:
		return 1
	case distance == r[1]:
		r[0], r[1] = r[1], r[0]
		if none {
			return 1
		}
		return 2
	case distance == r[2]:
		r[0], r[1], r[2] = r[2], r[0], r[1]
		if none {
			return 2
		}
		return 3
	case none && distance == r[0]-1 && distance > 0:
		r[0], r[1], r[2] = distance, r[0], r[1]
		return 3
	}
	r[0], r[1], r[2] = distance, r[0], r[1]
	return distance + 3
}

// The classes of small numbers and the extra bits of classes.
var (
	literalsExtra   = [maxFSESymbols]uint8{16: 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	matchExtra      = [maxFSESymbols]uint8{32: 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	literalsClasses = classes[[64]uint8](literalsExtra[:])
	matchClasses    = classes[[128]uint8](matchExtra[:])
)

// classes returns the class of every number, from how many extra bits each class has.
func classes[T [64]uint8 | [128]uint8](extra []uint8) T {
	var out T
	n := 0
	for class, k := range extra {
		for range 1 << k {
			if n < len(out) {
				out[n] = uint8(class)
				n++
			}
		}
	}
	return out
}
