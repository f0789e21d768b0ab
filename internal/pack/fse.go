package pack

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// backBits is a bit stream that is read from its end: values go in from the lowest bit up, the last one comes out first, and
// a 1 bit ends it (RFC 8878, section 4.1). The destination must have room; nothing checks it but the slice's bounds.
type backBits struct {
	b   []byte
	at  int
	acc uint64
	n   uint
}

// newBackBits returns a stream behind dst that takes up to room bytes.
func newBackBits(dst []byte, room int) backBits {
	dst = slices.Grow(dst, room+16)
	return backBits{b: dst[:cap(dst)], at: len(dst)}
}

// add puts in the lowest n bits of v, of which all others are 0. Between flushes there is room for 56 bits.
func (s *backBits) add(v uint64, n uint) {
	s.acc |= v << (s.n & 63)
	s.n += n
}

// flush writes whole bytes.
func (s *backBits) flush() {
	binary.LittleEndian.PutUint64(s.b[s.at:], s.acc)
	s.at += int(s.n >> 3)
	s.acc >>= s.n &^ 7
	s.n &= 7
}

// close ends the stream and returns all there is up to its end.
func (s *backBits) close() []byte {
	s.add(1, 1)
	s.flush()
	if s.n > 0 {
		s.b[s.at] = byte(s.acc)
		s.at++
	}
	return s.b[:s.at]
}

// maxFSESymbols bounds the alphabets of fseTable, maxFSELog log2 of its states.
const maxFSESymbols, maxFSELog = 64, 9

// fseTable encodes symbols by finite state entropy (RFC 8878, section 4.1): a state is a number from 1<<log up, and each
// symbol takes some low bits from it and leads to another.
type fseTable struct {
	log  uint
	norm [maxFSESymbols]int16
	n    int
	// next has the states by symbol, and ways how a symbol gets there.
	next [1 << maxFSELog]uint16
	ways [maxFSESymbols]way
}

// way says how a symbol leads from a state: (state + nBits) >> 16 is the number of bits it takes, and the rest of the state
// and find are the place of the next state.
type way struct {
	find  int32
	nBits uint32
}

// normalize sets the shares of the symbols, which add up to 1<<log, from how often they occur: at least one of them, total
// times in all. Every symbol that occurs has a share.
func (t *fseTable) normalize(counts []uint32, total uint32, maxLog uint) {
	used := 0
	t.n = 0
	for i, c := range counts {
		if c > 0 {
			used++
			t.n = i + 1
		}
	}
	log := max(bits.Len32(max(total, 1)-1)-3, bits.Len32(uint32(used))+1, 5)
	t.log = min(uint(log), maxLog)
	size, left, largest := uint64(1)<<t.log, int(1)<<t.log, 0
	for i, c := range counts[:t.n] {
		t.norm[i] = 0
		if c == 0 {
			continue
		}
		share := max(1, int((uint64(c)*size+uint64(total)/2)/uint64(total)))
		t.norm[i] = int16(share)
		left -= share
		if counts[largest] < c {
			largest = i
		}
	}
	// What rounding gave too much or too little goes to those that mind least.
	for left != 0 {
		best, step := largest, 1
		if left < 0 {
			step = -1
			for i, v := range t.norm[:t.n] {
				if v > t.norm[best] {
					best = i
				}
			}
		}
		if step == 1 {
			t.norm[best] += int16(left)
			left = 0
			continue
		}
		t.norm[best]--
		left++
	}
}

// build makes the states from the shares; -1 is a share of less than one.
func (t *fseTable) build() {
	size := 1 << t.log
	var symbols [1 << maxFSELog]uint8
	var start [maxFSESymbols + 1]uint16
	high := size - 1
	for i, v := range t.norm[:t.n] {
		if v == -1 {
			symbols[high] = uint8(i)
			high--
			v = 1
		}
		start[i+1] = start[i] + uint16(v)
	}
	at := 0
	for i, v := range t.norm[:t.n] {
		for range v {
			symbols[at] = uint8(i)
			for at = (at + size>>1 + size>>3 + 3) & (size - 1); at > high; {
				at = (at + size>>1 + size>>3 + 3) & (size - 1)
			}
		}
	}
	place := start
	for u, s := range symbols[:size] {
		t.next[place[s]] = uint16(size + u)
		place[s]++
	}
	for i, v := range t.norm[:t.n] {
		switch {
		case v == 0:
		case v == 1 || v == -1:
			t.ways[i] = way{nBits: uint32(t.log)<<16 - uint32(size), find: int32(start[i]) - 1}
		default:
			out := t.log - uint(bits.Len16(uint16(v-1))-1)
			t.ways[i] = way{nBits: uint32(out)<<16 - uint32(v)<<out, find: int32(start[i]) - int32(v)}
		}
	}
}

// first returns a state from which symbol follows, the encoder's first one.
func (t *fseTable) first(symbol uint8) uint32 {
	w := t.ways[symbol]
	n := (w.nBits + 1<<15) >> 16
	return uint32(t.next[int32((n<<16-w.nBits)>>n)+w.find])
}

// leave returns the state in which a symbol is followed by what state stands for, and the k bits v that lead back.
func (t *fseTable) leave(state uint32, symbol uint8) (next uint32, v uint64, k uint) {
	w := t.ways[symbol&(maxFSESymbols-1)]
	k = uint(state+w.nBits) >> 16 & 15
	return uint32(t.next[uint32(int32(state>>k)+w.find)&(1<<maxFSELog-1)]), uint64(state & (1<<k - 1)), k
}

// put is leave with the bits put in.
func (t *fseTable) put(s *backBits, state uint32, symbol uint8) uint32 {
	next, v, k := t.leave(state, symbol)
	s.add(v, k)
	return next
}

// end puts in the last state.
func (t *fseTable) end(s *backBits, state uint32) { s.add(uint64(state&(1<<t.log-1)), t.log) }

// cost returns about how many bits the symbols take with these shares, or a great number when one of them has none.
func (t *fseTable) cost(counts []uint32) float64 {
	sum := 0.0
	for i, c := range counts {
		if c == 0 {
			continue
		}
		if i >= t.n || t.norm[i] == 0 {
			return math.MaxFloat64
		}
		sum += float64(c) * (float64(t.log) - math.Log2(math.Abs(float64(t.norm[i]))))
	}
	return sum
}

// appendShares appends the description of the shares: their log2 and then each in as many bits as what is left needs, with
// runs of absent symbols.
func (t *fseTable) appendShares(dst []byte) []byte {
	acc, n := uint64(t.log-5), uint(4)
	put := func(v uint64, k uint) {
		acc |= v << n
		for n += k; n >= 8; n -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	left, threshold, width := 1<<t.log+1, 1<<t.log, t.log+1
	for i := 0; i < t.n && left > 1; i++ {
		v := int(t.norm[i])
		limit := 2*threshold - 1 - left
		left -= max(v, -v)
		coded := v + 1
		if coded >= threshold {
			coded += limit
		}
		if coded < limit {
			put(uint64(coded), width-1)
		} else {
			put(uint64(coded), width)
		}
		for ; left < threshold; width-- {
			threshold >>= 1
		}
		if v != 0 {
			continue
		}
		zeros := 0
		for i+1+zeros < t.n && t.norm[i+1+zeros] == 0 {
			zeros++
		}
		i += zeros
		for ; zeros >= 3; zeros -= 3 {
			put(3, 2)
		}
		put(uint64(zeros), 2)
	}
	if n > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}
