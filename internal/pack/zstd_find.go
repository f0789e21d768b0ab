package pack

import (
	"math/bits"
)

// shortBits and longBits are log2 of the tables: chunks are 64 KiB, and tables that fit the second cache matter more than what
// larger ones find.
const shortBits, longBits = 15, 16

// farTriple is the distance from which a match of 3 bytes costs more than 3 literals.
const farTriple = 1 << 14

// finder finds matches. Places in its tables have base added, so that what is below base is of an earlier frame.
type finder struct {
	// short and long have the last place of each hash of 5 (6 at level 1, 4 in a deep search) and of 8 bytes (3 in a deep
	// search); chain has, by place, the one before with the same hash of 4 bytes.
	short [1 << shortBits]uint32
	long  [1 << longBits]uint32
	chain []uint32
	base  uint32
	// depth is how many places of a chain are tried, 0 for no chains; double says that long is used, triples that matches of 3 bytes are; lazy is how many bytes
	// later a better match is looked for, and nice the length that is taken at once.
	depth, lazy, nice int
	double, triples   bool
	// prime hashes the first bytes of 8 for parseQuick; sparing says that literals are only coded when that saves much.
	prime   uint64
	sparing bool
}

// prepare makes ready for n bytes and sets the effort of a level.
func (f *finder) prepare(n, level int) {
	f.depth, f.lazy, f.nice, f.double, f.sparing = 0, 0, 0, level >= 3, level < 0
	f.prime = prime
	if level == 1 {
		f.prime <<= 16
	} else {
		f.prime <<= 24
	}
	if level >= 5 {
		f.double = false
		f.lazy, f.nice = min(level-4, 2), 32<<min(level-5, 4)
		f.depth = 4 << min((level-4)/2, 7)
	}
	f.triples = level >= 13
	if uint64(f.base)+2*uint64(n)+16 > 1<<32-1 {
		f.base = 0
		clear(f.short[:])
		clear(f.long[:])
	}
	if f.depth > 0 && len(f.chain) < n {
		f.chain = make([]uint32, n)
	}
	f.base++ // place 0 is no place
}

// finish makes the places of n bytes invalid.
func (f *finder) finish(n int) { f.base += uint32(n) }

// prime is odd and spreads its bits; shifted up, it leaves the upper bytes of a value out of the hash.
const prime = 0x9E3779B185EBCA87

func hash4(v uint32) uint32 { return v * 0x9E3779B1 >> (32 - shortBits) }
func hash5(v uint64) uint32 { return uint32(v << 24 * prime >> (64 - shortBits)) }
func hash3(v uint32) uint32 { return v << 8 * 0x9E3779B1 >> (32 - shortBits) }
func hash8(v uint64) uint32 { return uint32(v * prime >> (64 - longBits)) }

// parse finds the sequences of a block and the literals behind the last one.
func (z *Zstd) parse(start, end int) {
	last := 0
	switch {
	case z.depth > 0:
		last = z.parseDeep(start, end)
	case !z.double:
		last = z.parseQuick(start, end)
	default:
		last = z.parseDouble(start, end)
	}
	z.literals = append(z.literals, z.src[last:end]...)
}

// parseDeep follows chains of places with the same 4 bytes and takes a match when none behind it is better.
func (z *Zstd) parseDeep(start, end int) (last int) {
	src := z.src[:end]
	last = start
	for i := start; i < end-endMargin; {
		match, at, from := z.search(src, i, 2)
		if match < minMatch {
			i += 1 + (i-last)>>10
			continue
		}
		best := z.gain(match, from-at, 0)
		for ahead := 1; ahead <= z.lazy && from+1 < end-endMargin && match < z.nice; ahead++ {
			m, a, f := z.search(src, i+ahead, 2)
			if m < minMatch {
				continue
			}
			if g := z.gain(m, f-a, ahead); g > best {
				i += ahead
				ahead = 0
				match, at, from, best = m, a, f, z.gain(m, f-a, 0)
			}
		}
		for at > 0 && from > last && src[at-1] == src[from-1] {
			at, from, match = at-1, from-1, match+1
		}
		z.emit(last, from, match, uint32(from-at))
		last = from + match
		for j := max(i+1+z.lazy, from+1); j < min(last, end-endMargin); j++ {
			z.link(src, j)
		}
		i = last
	}
	return last
}

// gain values a match: 4 per byte, less the bits of its distance, less what the literals before it cost.
func (z *Zstd) gain(match, distance, literals int) int {
	if uint32(distance) == z.rep[0] {
		return 4*match + 1 - 4*literals
	}
	return 4*match - bits.Len32(uint32(distance)) - 4*literals
}

// link enters a place and returns the last one with the same hash.
func (z *Zstd) link(src []byte, i int) uint32 {
	h := hash4(load32(src, i))
	place, here := z.short[h], z.base+uint32(i)
	if place == here {
		return z.chain[i] // entered already
	}
	if place < z.base {
		place = 0
	}
	z.short[h] = here
	z.chain[i] = place
	return place
}

// search returns the best match at place i longer than least: its length, where it is and i.
func (z *Zstd) search(src []byte, i, least int) (match, at, from int) {
	first := load32(src, i)
	match = least
	for _, rep := range z.rep {
		r := int(rep)
		if r <= i && r > 0 && load32(src, i-r) == first {
			if n := 4 + common(src[i-r+4:], src[i+4:]); n > match {
				match, at = n, i-r
			}
		}
	}
	place := z.link(src, i)
	if z.triples {
		h := hash3(first)
		p := z.long[h]
		z.long[h] = z.base + uint32(i)
		if p >= z.base && match <= minMatch && i-int(p-z.base) < farTriple {
			if q := int(p - z.base); (load32(src, q)^first)<<8 == 0 {
				match, at = 3+common(src[q+3:], src[i+3:]), q
			}
		}
	}
	for n := z.depth; place >= z.base && n > 0 && match < z.nice && i+match < len(src); n-- {
		p := int(place - z.base)
		if src[p+match] == src[i+match] && load32(src, p) == first {
			if n := 4 + common(src[p+4:], src[i+4:]); n > match && z.gain(n, i-p, 0) > z.gain(match, i-at, 0) {
				match, at = n, p
			}
		}
		place = z.chain[p]
	}
	return match, at, i
}
