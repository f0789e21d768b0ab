package pack

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// quickMargin is endMargin for the quick parsers, which look a little further ahead.
const quickMargin = 20

// skipBits sets how fast steps grow where there are no matches.
const skipBits = 7

// load64 returns the 8 bytes at place i. Slices whose capacity is a constant cost less than those up to the end.
func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8 : i+8]) }

// load32 returns the 4 bytes at place i.
func load32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i : i+4 : i+4]) }

// store64 sets the 8 bytes at place i.
func store64(b []byte, i int, v uint64) { binary.LittleEndian.PutUint64(b[i:i+8:i+8], v) }

// sink takes the sequences of a quick parser. It is a local variable of theirs: there can be a sequence for every 8 bytes.
type sink struct {
	seqs       []seq
	lits       []byte
	r0, r1, r2 uint32
}

// newSink returns a sink for a block of n bytes.
func (z *Zstd) newSink(n int) sink {
	z.seqs = slices.Grow(z.seqs[:0], n/minMatch+2)
	return sink{seqs: z.seqs, lits: z.literals, r0: z.rep[0], r1: z.rep[1], r2: z.rep[2]}
}

// drain keeps what the sink took.
func (z *Zstd) drain(s *sink) {
	z.seqs, z.literals, z.rep = s.seqs, s.lits, [3]uint32{s.r0, s.r1, s.r2}
}

// put adds the match from place at to place from, with the literals from place last up to it.
func (s *sink) put(src []byte, last, from, at, match int) {
	n, k := from-last, len(s.lits)
	if room := s.lits[k:cap(s.lits)]; n <= 16 && len(room) >= 16 {
		copy(room[:16], src[last:last+16]) // there is room behind the literals of a block, and the margin behind last
		s.lits = s.lits[:k+n]
	} else {
		s.lits = append(s.lits, src[last:from]...)
	}
	distance := uint32(from - at)
	offset := distance + 3
	switch {
	case distance == s.r0 && n > 0:
		offset = 1
	case distance == s.r1:
		offset = 2
		if n == 0 {
			offset = 1
		}
		s.r0, s.r1 = s.r1, s.r0
	default:
		s.r0, s.r1, s.r2 = distance, s.r0, s.r1
	}
	i := len(s.seqs)
	s.seqs = s.seqs[:i+1]
	s.seqs[i].set(n, match, offset)
}

// length returns the length of the match of two places that begin with the same 4 bytes.
func length(src []byte, at, from int) int {
	if x := load64(src, at+4) ^ load64(src, from+4); x != 0 {
		return 4 + bits.TrailingZeros64(x)>>3
	}
	return 12 + common(src[at+12:], src[from+12:])
}

// parseQuick looks each of two places up once, by a hash of 5 bytes, or 6 at level 1, and tries the last distance behind
// the second.
func (z *Zstd) parseQuick(start, end int) (last int) {
	src, base, table, prime := z.src[:end], z.base, &z.short, z.prime
	hash := func(v uint64) uint32 { return uint32(v * prime >> (64 - shortBits)) }
	s := z.newSink(end - start)
	last = start
	for i := max(start, 1); i < end-quickMargin; {
		v := load64(src, i)
		w := v>>8 | uint64(src[i+8])<<56
		h0, h1 := hash(v), hash(w)
		p0, p1 := table[h0], table[h1]
		table[h0], table[h1] = base+uint32(i), base+uint32(i+1)
		var from, at int
		switch {
		case int(s.r0) <= i+2 && uint32(v>>16) == load32(src, i+2-int(s.r0)):
			from, at = i+2, i+2-int(s.r0)
		case p0 >= base && uint32(v) == load32(src, int(p0-base)):
			from, at = i, int(p0-base)
		case p1 >= base && uint32(w) == load32(src, int(p1-base)):
			from, at = i+1, int(p1-base)
		default:
			i += 2 + (i-last)>>skipBits
			continue
		}
		match := length(src, at, from)
		for from > last && at > 0 && src[at-1] == src[from-1] {
			at, from, match = at-1, from-1, match+1
		}
		s.put(src, last, from, at, match)
		last = from + match
		if i = last; i < end-quickMargin {
			table[hash(load64(src, i-2))] = base + uint32(i-2)
		}
	}
	z.drain(&s)
	return last
}

// parseDouble takes the match of the last place with the same 8 bytes, or the same 5, wherever there is one, and steps
// faster the longer there is none. The last distance is tried one byte ahead of all; a match of 5 bytes gives way to one
// of 8 a byte later.
func (z *Zstd) parseDouble(start, end int) (last int) {
	src, base, short, long := z.src[:end], z.base, &z.short, &z.long
	s := z.newSink(end - start)
	last = start
	for i := max(start, 1); i < end-quickMargin; {
		v := load64(src, i)
		hs, hl := hash5(v), hash8(v)
		near, far := short[hs], long[hl]
		short[hs], long[hl] = base+uint32(i), base+uint32(i)
		var from, at int
		switch {
		case int(s.r0) <= i+1 && uint32(v>>8) == load32(src, i+1-int(s.r0)):
			from, at = i+1, i+1-int(s.r0)
		case far >= base && v == load64(src, int(far-base)):
			from, at = i, int(far-base)
		case near >= base && uint32(v) == load32(src, int(near-base)):
			from, at = i, int(near-base)
			w := v>>8 | uint64(src[i+8])<<56
			hl = hash8(w)
			far = long[hl]
			long[hl] = base + uint32(i+1)
			if far >= base && w == load64(src, int(far-base)) {
				from, at = i+1, int(far-base)
			}
		default:
			i += 1 + (i-last)>>8
			continue
		}
		match := length(src, at, from)
		for from > last && at > 0 && src[at-1] == src[from-1] {
			at, from, match = at-1, from-1, match+1
		}
		s.put(src, last, from, at, match)
		last = from + match
		if i = last; i < end-quickMargin {
			for _, k := range [2]int{from + 2, i - 2} {
				v := load64(src, k)
				short[hash5(v)], long[hash8(v)] = base+uint32(k), base+uint32(k)
			}
		}
	}
	z.drain(&s)
	return last
}

// set sets the sequence: the literals, the length of the match and the coded distance.
func (q *seq) set(literals, match int, offset uint32) {
	q.literals, q.match, q.offset, q.of = uint32(literals), uint32(match-3), offset, uint8(bits.Len32(offset)-1)
	if literals < 64 {
		q.ll = literalsClasses[literals]
	} else {
		q.ll = uint8(bits.Len32(uint32(literals)) + 18)
	}
	if q.match < 128 {
		q.ml = matchClasses[q.match]
	} else {
		q.ml = uint8(bits.Len32(q.match) + 35)
	}
}
