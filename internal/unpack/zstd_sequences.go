package unpack

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

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

// seqRun is what runSequences works on; it knows the places of the fields.
type seqRun struct {
	// dst is the start of the frame's data, out the place of the next byte; a sequence that ends behind end is left.
	// runSlack bytes behind end may be overwritten.
	dst      *byte
	out, end int
	// lit is the start of the literals, litAt the place of the next; a sequence that takes some behind litEnd is left.
	// 16 bytes behind litEnd can be read.
	lit           *byte
	litAt, litEnd int
	// src is the start of the bits, at and used are as in backBits, filled; at is below 0 when no 8 bytes are left.
	src  *byte
	at   int
	used uint
	// ll, of and ml are the states of the tables of literal lengths, offsets and match lengths.
	ll, of, ml uint64
	// recent are the last three offsets; the fourth is not used.
	recent [4]uint32
	// left is the number of sequences but for the last one. Those that are run are taken away; it is below 0 for bits that
	// do not end where they should, which are not counted while they are read.
	left int
	// entries is the first of the entries of the three tables.
	entries *fseEntry
}

// runSlack is the room behind a sequence that runSequences needs.
const runSlack = 32

// minRun is the number of sequences for which runSequences is called, maxIdle how often it may be in vain for a block.
const (
	minRun  = 4
	maxIdle = 4
)

// sequences runs n sequences, which must not go beyond place end of the frame, and returns the literals that they leave.
// It stops early when there is enough.
func (z *unzstder) sequences(end int, literals []byte, n int, src []byte) ([]byte, error) {
	src, err := z.readTables(src)
	if err != nil {
		return nil, err
	}
	r, err := newBackBits(src)
	if err != nil {
		return nil, err
	}
	r.fill()
	llState, ofState, mlState := r.take(z.tables[0].log), r.take(z.tables[1].log), r.take(z.tables[2].log)
	ll, of, ml := &z.entries[0], &z.entries[1], &z.entries[2]
	dst, out, recent := z.dst, z.out, z.recent
	runs := z.prepare(end, literals, src)
	for i := 0; i < n; i++ {
		if r.fill(); runs > 0 && r.at >= 0 && n-i > minRun {
			s, at := &z.run, z.run.litAt
			s.out, s.at, s.used, s.ll, s.of, s.ml, s.left = out, r.at, r.used, llState, ofState, mlState, n-1-i
			s.recent = [4]uint32{uint32(recent[0]), uint32(recent[1]), uint32(recent[2])}
			runSequences(s)
			switch {
			case s.left < 0:
				return nil, fmt.Errorf("%w: more than %d sequences", errUnzstd, n)
			case s.left == n-1-i:
				runs--
			}
			i = n - 1 - s.left
			out, r.at, r.used, llState, ofState, mlState = s.out, s.at, s.used, s.ll, s.of, s.ml
			recent = [3]int{int(s.recent[0]), int(s.recent[1]), int(s.recent[2])}
			literals = literals[s.litAt-at:]
			r.fill()
		}
		l, o, m := ll[llState&511], of[ofState&511], ml[mlState&511]
		if i+1 == n {
			// There is no next state.
			l, o, m = l&^255, o&^255, m&^255
		}
		var offset, mLen, lLen int
		if need := l.extra() + o.extra() + m.extra() + l.bits() + o.bits() + m.bits(); need <= 56 {
			x := r.acc << (r.used & 63)
			r.used += need
			offset = o.value() + int(x>>1>>(63-o.extra()&63))
			x <<= o.extra() & 63
			mLen = m.value() + int(x>>1>>(63-m.extra()&63))
			x <<= m.extra() & 63
			lLen = l.value() + int(x>>1>>(63-l.extra()&63))
			x <<= l.extra() & 63
			llState = l.next() + x>>1>>(63-l.bits()&63)
			x <<= l.bits() & 63
			mlState = m.next() + x>>1>>(63-m.bits()&63)
			x <<= m.bits() & 63
			ofState = o.next() + x>>1>>(63-o.bits()&63)
		} else {
			offset = o.value() + int(r.take(o.extra()))
			r.fill()
			mLen = m.value() + int(r.take(m.extra()))
			lLen = l.value() + int(r.take(l.extra()))
			r.fill()
			llState = l.next() + r.take(l.bits())
			mlState = m.next() + r.take(m.bits())
			ofState = o.next() + r.take(o.bits())
		}
		if offset > 3 {
			offset -= 3
			recent[2], recent[1], recent[0] = recent[1], recent[0], offset
		} else {
			offset = repeated(&recent, offset, lLen)
		}
		if lLen > len(literals) || lLen+mLen > end-out || offset > out+lLen || offset < 1 {
			return nil, fmt.Errorf("%w: %d of %d literals and %d bytes from %d before, at %d of %d", errUnzstd, lLen,
				len(literals), mLen, offset, out, end)
		}
		if lLen+mLen > len(dst)-out {
			z.last(out, literals[:lLen], offset, mLen)
			return nil, nil
		}
		copyLiterals(dst[out:], literals, lLen)
		literals = literals[lLen:]
		z.run.litAt += lLen
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

// prepare sets up runSequences and returns how often it may be called in vain.
func (z *unzstder) prepare(end int, literals, src []byte) int {
	end, litEnd := min(end, len(z.dst), cap(z.dst)-runSlack), min(len(literals), cap(literals)-16)
	if !z.runner || end <= z.out || litEnd < 0 || len(src) == 0 || cap(literals) == 0 {
		return 0
	}
	z.run = seqRun{dst: &z.dst[0], end: end, lit: &literals[:1][0], litEnd: litEnd, src: &src[0], entries: &z.entries[0][0]}
	return maxIdle
}

// last runs a sequence at a place up to the end of what is wanted.
func (z *unzstder) last(out int, literals []byte, offset, mLen int) {
	if out += copy(z.dst[out:], literals); out < len(z.dst) {
		repeat(z.dst, out, offset, min(mLen, len(z.dst)-out))
	}
	z.out = len(z.dst)
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
