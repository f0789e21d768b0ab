package unpack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/huff0"
)

// errUnzstd is wrapped by the faults of a Zstandard frame.
var errUnzstd = fmt.Errorf("%w: zstd", ErrDamaged)

// ErrLeft says that a frame is one for the library: it has a dictionary, a checksum, no size or a follower, or its
// matches are so short that the library is faster.
var ErrLeft = errors.New("a frame for the zstd library")

const (
	zstdMagic    = 0xFD2FB528
	zstdBlockMax = 128 << 10
	// shortMatches is the average number of bytes of a sequence below which the library is faster: for repetitions of few
	// bytes that begins at some 32, for copies from afar at some 400.
	shortMatches = 48
)

// unzstder is the state of one decoding.
type unzstder struct {
	dst []byte
	out int

	// huff has the code of the literals of the last block that had one, if hasHuff.
	huff    *huff0.Scratch
	hasHuff bool
	// buffer is the place for literals that are not in the source as they are.
	buffer []byte
	// tables decode literal lengths, offsets and match lengths; those of the last block are kept for the next.
	tables [3]fseTable
	// recent are the last three offsets.
	recent [3]int
}

var unzstders = sync.Pool{New: func() any { return new(unzstder) }}

// Zstd fills dst with exactly what the Zstandard frame src holds (RFC 8878). The error is ErrLeft for frames that it does
// not take, and otherwise wraps ErrDamaged; dst then holds anything. It is for frames with long repetitions of few
// bytes, as shuffled numbers give: libraries copy these byte by byte, and are four times slower.
func Zstd(dst, src []byte) error {
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
	size := [4]int{0, 2, 4, 8}[descriptor>>6]
	if single && size == 0 {
		size = 1
	}
	if size == 0 || len(src) < size {
		return ErrLeft
	}
	var number [8]byte
	copy(number[:], src[:size])
	n := binary.LittleEndian.Uint64(number[:])
	if size == 2 {
		n += 256
	}
	if n != uint64(len(dst)) {
		return fmt.Errorf("%w: %d bytes, %d expected", errUnzstd, n, len(dst))
	}
	if !single && (window < n || window > 1<<27) {
		// The library checks that no match comes from before the window, and limits windows.
		return ErrLeft
	}
	z := unzstders.Get().(*unzstder)
	z.dst, z.out, z.hasHuff, z.recent = dst, 0, false, [3]int{1, 4, 8}
	for i := range z.tables {
		z.tables[i].valid = false
	}
	err := z.frame(src[size:])
	z.dst = nil
	unzstders.Put(z)
	return err
}

// frame decodes the blocks of a frame.
func (z *unzstder) frame(src []byte) error {
	for last := false; !last; {
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
			if size > min(zstdBlockMax, len(z.dst)-z.out) {
				return z.tooLong(size)
			}
			to := z.dst[z.out : z.out+size]
			if z.out += size; stored == size {
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
	if z.out != len(z.dst) {
		return fmt.Errorf("%w: %d bytes, %d expected", errUnzstd, z.out, len(z.dst))
	}
	if len(src) != 0 {
		// Another frame may follow.
		return ErrLeft
	}
	return nil
}

func (z *unzstder) tooLong(n int) error {
	return fmt.Errorf("%w: a block of %d bytes and more at %d of %d", errUnzstd, n, z.out, len(z.dst))
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
	if z.out == 0 && n > 0 && min(len(z.dst), zstdBlockMax)/n < shortMatches {
		return ErrLeft
	}
	literals, err := z.literals(l)
	if err != nil {
		return err
	}
	end := min(len(z.dst), z.out+zstdBlockMax)
	if n == 0 {
		if len(src) != 0 {
			return fmt.Errorf("%w: %d bytes without sequences", errUnzstd, len(src))
		}
	} else if literals, err = z.sequences(z.dst[:end], literals, n, src); err != nil {
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
	if cap(z.buffer) < l.size {
		z.buffer = make([]byte, max(l.size, 1<<16))
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
	return out, nil
}

// backBits reads bits from the end of a source to its start.
type backBits struct {
	src []byte
	// at is the place of acc's 8 bytes in src, below 0 when some of them are before it; used are acc's upper bits that
	// are read.
	at   int
	acc  uint64
	used uint
}

// newBackBits starts after the highest bit of the last byte that is set.
func newBackBits(src []byte) (backBits, error) {
	if len(src) == 0 || src[len(src)-1] == 0 {
		return backBits{}, fmt.Errorf("%w: sequences without an end", errUnzstd)
	}
	r := backBits{src: src, at: len(src) - 8, used: uint(bits.LeadingZeros8(src[len(src)-1])) + 1}
	r.acc = r.load()
	return r, nil
}

// load returns the 8 bytes at r.at, zeros before the start.
func (r *backBits) load() uint64 {
	if r.at >= 0 {
		return load64(r.src, r.at)
	}
	var b [8]byte
	if r.at > -8 {
		copy(b[-r.at:], r.src)
	}
	return binary.LittleEndian.Uint64(b[:])
}

// fill makes 56 bits or more ready.
func (r *backBits) fill() {
	r.at -= int(r.used >> 3)
	r.used &= 7
	if r.at >= 0 {
		r.acc = load64(r.src, r.at)
		return
	}
	r.at = max(r.at, -64)
	r.acc = r.load()
}

// take returns the next n bits, which fill has made ready.
func (r *backBits) take(n uint) uint64 {
	v := r.acc << (r.used & 63) >> 1 >> (63 - n&63)
	r.used += n
	return v
}

// left returns the bits that are not read, below 0 when more were read than there are.
func (r *backBits) left() int { return 8*r.at + 64 - int(r.used) }

// sequences runs n sequences, which must not go beyond dst, and returns the literals that they leave.
func (z *unzstder) sequences(dst, literals []byte, n int, src []byte) ([]byte, error) {
	src, err := z.readTables(src)
	if err != nil {
		return nil, err
	}
	r, err := newBackBits(src)
	if err != nil {
		return nil, err
	}
	ll, of, ml := &z.tables[0], &z.tables[1], &z.tables[2]
	r.fill()
	llState, ofState, mlState := r.take(ll.log), r.take(of.log), r.take(ml.log)
	out, recent := z.out, z.recent
	for i := range n {
		l, o, m := ll.entries[llState&511], of.entries[ofState&511], ml.entries[mlState&511]
		if i+1 == n {
			// There is no next state.
			l.bits, o.bits, m.bits = 0, 0, 0
		}
		r.fill()
		var offset, mLen, lLen int
		if need := uint(l.extra + o.extra + m.extra + l.bits + o.bits + m.bits); need <= 56 {
			x := r.acc << (r.used & 63)
			r.used += need
			offset = int(o.base) + int(x>>1>>(63-o.extra&63))
			x <<= o.extra & 63
			mLen = int(m.base) + int(x>>1>>(63-m.extra&63))
			x <<= m.extra & 63
			lLen = int(l.base) + int(x>>1>>(63-l.extra&63))
			x <<= l.extra & 63
			llState = uint64(l.next) + x>>1>>(63-l.bits&63)
			x <<= l.bits & 63
			mlState = uint64(m.next) + x>>1>>(63-m.bits&63)
			x <<= m.bits & 63
			ofState = uint64(o.next) + x>>1>>(63-o.bits&63)
		} else {
			offset = int(o.base) + int(r.take(uint(o.extra)))
			r.fill()
			mLen = int(m.base) + int(r.take(uint(m.extra)))
			lLen = int(l.base) + int(r.take(uint(l.extra)))
			r.fill()
			llState = uint64(l.next) + r.take(uint(l.bits))
			mlState = uint64(m.next) + r.take(uint(m.bits))
			ofState = uint64(o.next) + r.take(uint(o.bits))
		}
		if offset > 3 {
			offset -= 3
			recent[2], recent[1], recent[0] = recent[1], recent[0], offset
		} else {
			offset = repeated(&recent, offset, lLen)
		}
		if lLen > len(literals) || lLen+mLen > len(dst)-out || offset > out+lLen || offset < 1 {
			return nil, fmt.Errorf("%w: %d of %d literals and %d bytes from %d before, at %d of %d", errUnzstd, lLen,
				len(literals), mLen, offset, out, len(dst))
		}
		copyLiterals(dst[out:], literals, lLen)
		literals = literals[lLen:]
		out += lLen
		repeat(dst, out, offset, mLen)
		out += mLen
	}
	if r.left() != 0 {
		return nil, fmt.Errorf("%w: the sequences leave %d bits", errUnzstd, r.left())
	}
	z.out, z.recent = out, recent
	return literals, nil
}

// repeated returns the offset that one of the numbers 1 to 3 stands for and makes it the most recent.
func repeated(recent *[3]int, number, lLen int) int {
	if lLen == 0 {
		number++
	}
	switch number {
	case 1:
		return recent[0]
	case 2:
		recent[0], recent[1] = recent[1], recent[0]
	case 3:
		recent[0], recent[1], recent[2] = recent[2], recent[0], recent[1]
	default:
		recent[0], recent[1], recent[2] = recent[0]-1, recent[0], recent[1]
	}
	return recent[0]
}

// copyLiterals copies n literals to dst.
func copyLiterals(dst, literals []byte, n int) {
	if n <= 16 && len(dst) >= 16 && len(literals) >= 16 {
		a, b := load64(literals, 0), load64(literals, 8)
		store64(dst, 0, a)
		store64(dst, 8, b)
		return
	}
	copy(dst, literals[:n])
}

// repeat copies n bytes from offset before out to out.
func repeat(dst []byte, out, offset, n int) {
	if offset >= 8 && n <= 32 && len(dst)-out >= 40 {
		from := out - offset
		for i := 0; i < n; i += 8 {
			store64(dst, out+i, load64(dst, from+i))
		}
		return
	}
	// What is there already, in pieces that double.
	from, to := dst[out-offset:out+n], dst[out:out+n]
	for done := 0; done < n; {
		done += copy(to[done:], from[:offset+done])
	}
}
