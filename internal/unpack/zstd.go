package unpack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/huff0"
)

// errUnzstd is wrapped by the faults of a Zstandard frame.
var errUnzstd = fmt.Errorf("%w: zstd", ErrDamaged)

// ErrLeft says that a frame is one for the library: it has a dictionary, a checksum, no size or a follower, or its
// matches are so short that the library is faster on this machine.
var ErrLeft = errors.New("a frame for the zstd library")

const (
	zstdMagic    = 0xFD2FB528
	zstdBlockMax = 128 << 10
	// shortMatches is the average number of bytes of a sequence below which the library is faster where there is no
	// runSequences: for repetitions of few bytes that begins at some 32, for copies from afar at some 400.
	shortMatches = 48
	// zstdSlack is the room behind literals and results that lets copies be done in words.
	zstdSlack = 32
)

// unzstder is the state of one decoding.
type unzstder struct {
	// dst is as much of the frame's size bytes as is wanted.
	dst  []byte
	size int
	out  int

	// huff has the code of the literals of the last block that had one, if hasHuff.
	huff    *huff0.Scratch
	hasHuff bool
	// buffer is the place for literals that are not in the source as they are.
	buffer []byte
	// tables decode literal lengths, offsets and match lengths; those of the last block are kept for the next.
	tables  [3]fseTable
	entries [3][512]fseEntry
	// recent are the last three offsets.
	recent [3]int
	// run is for runSequences, which is called if runner says so.
	run    seqRun
	runner bool
}

var unzstders = sync.Pool{New: func() any { return new(unzstder) }}

// Zstd fills dst with exactly what the Zstandard frame src holds (RFC 8878). The error is ErrLeft for frames that it does
// not take, and otherwise wraps ErrDamaged; dst then holds anything. What is behind dst, up to its capacity, may be
// overwritten. Frames with long repetitions of few bytes, as shuffled numbers give, libraries copy byte by byte, four times
// slower.
func Zstd(dst, src []byte) error { return ZstdHead(dst, src, len(dst)) }

// ZstdHead fills dst with the first bytes of what the Zstandard frame src holds, size bytes in all, and does no more than
// that takes: damage behind it is not seen. Errors are as those of Zstd.
func ZstdHead(dst, src []byte, size int) error { return zstdHead(dst, src, size, hasRunner()) }

// zstdHead is ZstdHead with or without runSequences.
func zstdHead(dst, src []byte, size int, runner bool) error {
	if len(src) < 6 || binary.LittleEndian.Uint32(src) != zstdMagic {
		return ErrLeft
	}
	descriptor := src[4]
	// Reserved bits, a checksum, a dictionary.
	if descriptor&0b00011111 != 0 {
		return ErrLeft
	}
	single := descriptor&0b00100000 != 0
	window := uint64(0)
	if src = src[5:]; !single {
		window = 1 << (10 + src[0]>>3)
		window += window / 8 * uint64(src[0]&7)
		src = src[1:]
	}
	width := [4]int{0, 2, 4, 8}[descriptor>>6]
	if single && width == 0 {
		width = 1
	}
	if width == 0 || len(src) < width {
		return ErrLeft
	}
	var number [8]byte
	copy(number[:], src[:width])
	n := binary.LittleEndian.Uint64(number[:])
	if width == 2 {
		n += 256
	}
	if n != uint64(size) || len(dst) > size {
		return fmt.Errorf("%w: %d bytes, %d expected", errUnzstd, n, size)
	}
	if !single && (window < n || window > 1<<27) {
		// The library checks that no match comes from before the window, and limits windows.
		return ErrLeft
	}
	z := unzstders.Get().(*unzstder)
	z.dst, z.size, z.out, z.hasHuff, z.recent = dst, size, 0, false, [3]int{1, 4, 8}
	z.runner = runner
	for i := range z.tables {
		z.tables[i].valid = false
	}
	err := z.frame(src[width:])
	z.dst, z.run = nil, seqRun{}
	unzstders.Put(z)
	return err
}

// frame decodes the blocks of a frame.
func (z *unzstder) frame(src []byte) error {
	for last := false; !last && !z.enough(); {
		if len(src) < 3 {
			return fmt.Errorf("%w: it ends before a block", errUnzstd)
		}
		header := uint32(src[0]) | uint32(src[1])<<8 | uint32(src[2])<<16
		src = src[3:]
		last = header&1 != 0
		size := int(header >> 3)
		stored := size
		if header>>1&3 == 1 {
			stored = 1
		}
		if stored > len(src) {
			return fmt.Errorf("%w: a block of %d bytes in %d", errUnzstd, stored, len(src))
		}
		block := src[:stored]
		src = src[stored:]
		switch header >> 1 & 3 {
		case 0, 1:
			if size > min(zstdBlockMax, z.size-z.out) {
				return z.tooLong(size)
			}
			to := z.dst[z.out:min(z.out+size, len(z.dst))]
			if z.out += len(to); stored == size {
				copy(to, block)
				break
			}
			for i := range to {
				to[i] = block[0]
			}
		case 2:
			if err := z.block(block); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: unknown kind of block", errUnzstd)
		}
	}
	if z.enough() {
		return nil
	}
	if z.out != len(z.dst) {
		return fmt.Errorf("%w: %d bytes, %d expected", errUnzstd, z.out, len(z.dst))
	}
	if len(src) != 0 {
		// Another frame may follow.
		return ErrLeft
	}
	return nil
}

// enough reports whether all that is wanted is there, and that is not the whole frame.
func (z *unzstder) enough() bool { return z.out == len(z.dst) && z.out < z.size }

func (z *unzstder) tooLong(n int) error {
	return fmt.Errorf("%w: a block of %d bytes and more at %d of %d", errUnzstd, n, z.out, z.size)
}

// block decodes a compressed block.
func (z *unzstder) block(src []byte) error {
	l, src, err := literalsOf(src)
	if err != nil {
		return err
	}
	n, src, err := sequenceCount(src)
	if err != nil {
		return err
	}
	if !hasRunner() && z.out == 0 && n > 0 && min(z.size, zstdBlockMax)/n < shortMatches && len(z.dst) > z.size/2 {
		return ErrLeft
	}
	literals, err := z.literals(l)
	if err != nil {
		return err
	}
	end := min(z.size, z.out+zstdBlockMax)
	if n == 0 {
		if len(src) != 0 {
			return fmt.Errorf("%w: %d bytes without sequences", errUnzstd, len(src))
		}
	} else if literals, err = z.sequences(end, literals, n, src); err != nil || z.enough() {
		return err
	}
	if len(literals) > end-z.out {
		return z.tooLong(len(literals))
	}
	z.out += copy(z.dst[z.out:], literals)
	return nil
}

// literalSection is where a block keeps its literals.
type literalSection struct {
	// kind is 0 for literals as they are, 1 for one that repeats, 2 for coded ones, 3 for the last block's code.
	kind    int
	streams int
	size    int
	src     []byte
}

// literalsOf splits a block into its literals and its sequences.
func literalsOf(src []byte) (l literalSection, rest []byte, err error) {
	if len(src) < 1 {
		return l, nil, fmt.Errorf("%w: an empty block", errUnzstd)
	}
	l.kind, l.streams = int(src[0]&3), 4
	format := src[0] >> 2 & 3
	var number [8]byte
	copy(number[:], src)
	v := binary.LittleEndian.Uint64(number[:])
	var header, stored int
	if l.kind < 2 {
		header = [4]int{1, 2, 1, 3}[format]
		l.size = int(v & (1<<(8*header) - 1) >> [4]int{3, 4, 3, 4}[format])
		stored = l.size
		if l.kind == 1 {
			stored = 1
		}
	} else {
		header = [4]int{3, 3, 4, 5}[format]
		width := [4]int{10, 10, 14, 18}[format]
		l.size = int(v >> 4 & (1<<width - 1))
		stored = int(v >> (4 + width) & (1<<width - 1))
		if format == 0 {
			l.streams = 1
		}
	}
	if l.size > zstdBlockMax || header+stored > len(src) {
		return l, nil, fmt.Errorf("%w: %d literals in %d bytes", errUnzstd, l.size, stored)
	}
	l.src = src[header : header+stored]
	return l, src[header+stored:], nil
}

// sequenceCount reads how many sequences a block has.
func sequenceCount(src []byte) (n int, rest []byte, err error) {
	if len(src) < 1 || src[0] >= 128 && len(src) < 2 || src[0] == 255 && len(src) < 3 {
		return 0, nil, fmt.Errorf("%w: it ends before the sequences", errUnzstd)
	}
	switch b := int(src[0]); {
	case b < 128:
		return b, src[1:], nil
	case b < 255:
		return (b-128)<<8 + int(src[1]), src[2:], nil
	}
	return int(src[1]) + int(src[2])<<8 + 0x7F00, src[3:], nil
}

// literals returns the literals of a block, in the block itself or in the buffer.
func (z *unzstder) literals(l literalSection) ([]byte, error) {
	if l.kind == 0 {
		return l.src, nil
	}
	if cap(z.buffer) < l.size+zstdSlack {
		z.buffer = make([]byte, max(l.size, 1<<16)+zstdSlack)
	}
	if l.kind == 1 {
		b := z.buffer[:l.size]
		for i := range b {
			b[i] = l.src[0]
		}
		return b, nil
	}
	src := l.src
	if l.kind == 2 {
		var err error
		if z.huff, src, err = huff0.ReadTable(src, z.huff); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnzstd, err)
		}
		z.hasHuff = true
	}
	if !z.hasHuff {
		return nil, fmt.Errorf("%w: literals without a code", errUnzstd)
	}
	decode := z.huff.Decoder().Decompress4X
	if l.streams == 1 {
		decode = z.huff.Decoder().Decompress1X
	}
	out, err := decode(z.buffer[:0:l.size], src)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnzstd, err)
	}
	if len(out) != l.size {
		return nil, fmt.Errorf("%w: %d of %d literals", errUnzstd, len(out), l.size)
	}
	return z.buffer[:l.size], nil
}
