package pack

import (
	"encoding/binary"
	"math"
)

// The literals of a block are raw, one byte many times, or Huffman codes in one stream or in four:
//
//	2 kind | 2 form of the sizes | the size | the coded size | description of the codes | sizes of 3 streams | streams
const (
	rawLiterals, runLiterals, codedLiterals = 0, 1, 2
	// maxLiteralBits is the longest code of a literal.
	maxLiteralBits = 11
	// fewLiterals is how many literals are not worth codes.
	fewLiterals = 64
)

// appendLiterals appends the literals section.
func (z *Zstd) appendLiterals(dst []byte) []byte {
	lits := z.literals
	if len(lits) < fewLiterals {
		return append(appendLiteralsHeader(dst, rawLiterals, len(lits)), lits...)
	}
	if z.sparing && len(lits) >= 1<<12 && dull(lits) {
		return append(appendLiteralsHeader(dst, rawLiterals, len(lits)), lits...)
	}
	used := z.countLiterals()
	if used == 1 {
		return append(appendLiteralsHeader(dst, runLiterals, len(lits)), lits[0])
	}
	z.tree.Lengths(z.lengths[:], z.counts[:], maxLiteralBits)
	bitsOf := cost(z.counts[:], z.lengths[:])
	if bitsOf/8+used/2 >= len(lits)-len(lits)/64 {
		return append(appendLiteralsHeader(dst, rawLiterals, len(lits)), lits...)
	}
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0)
	head, ok := z.appendTree(dst)
	if !ok {
		return append(appendLiteralsHeader(dst[:at], rawLiterals, len(lits)), lits...)
	}
	return z.appendStreams(head, at)
}

// dull reports whether codes would save less than an eighth, as a quarter of the literals tells.
func dull(lits []byte) bool {
	const pieces = 16
	var counts [256]uint32
	total := 0
	for i := range pieces {
		at := i * len(lits) / pieces
		for _, b := range lits[at : at+len(lits)/(4*pieces)] {
			counts[b]++
			total++
		}
	}
	nBits, all := 0.0, math.Log2(float64(total))
	for _, c := range counts {
		if c > 0 {
			nBits += float64(c) * (all - math.Log2(float64(c)))
		}
	}
	return nBits > 7*float64(total)
}

// countLiterals counts the literals in z.counts and returns how many different ones there are.
func (z *Zstd) countLiterals() (used int) {
	var c [4][256]uint32
	lits := z.literals
	for ; len(lits) >= 8; lits = lits[8:] {
		v := load64(lits, 0)
		c[0][byte(v)]++
		c[1][byte(v>>8)]++
		c[2][byte(v>>16)]++
		c[3][byte(v>>24)]++
		c[0][byte(v>>32)]++
		c[1][byte(v>>40)]++
		c[2][byte(v>>48)]++
		c[3][byte(v>>56)]++
	}
	for _, b := range lits {
		c[0][b]++
	}
	for i := range z.counts {
		z.counts[i] = c[0][i] + c[1][i] + c[2][i] + c[3][i]
		if z.counts[i] > 0 {
			used++
		}
	}
	return used
}

// appendLiteralsHeader appends the header of literals that are not coded.
func appendLiteralsHeader(dst []byte, kind, n int) []byte {
	switch {
	case n < 32:
		return append(dst, byte(kind|n<<3))
	case n < 4096:
		return binary.LittleEndian.AppendUint16(dst, uint16(kind|1<<2|n<<4))
	}
	v := kind | 3<<2 | n<<4
	return append(dst, byte(v), byte(v>>8), byte(v>>16))
}

// appendTree turns the lengths in z.lengths into codes, whose longest begin at 0, and appends their description: for each
// symbol but the last its weight, which is 1 more than the longest code is longer by. Not ok means that the format has none.
func (z *Zstd) appendTree(dst []byte) (out []byte, ok bool) {
	lengths := &z.lengths
	longest, last := uint8(0), 0
	var counts [maxLiteralBits + 2]uint16
	for i, n := range lengths {
		counts[n]++
		if n > 0 {
			longest, last = max(longest, n), i
		}
	}
	var next [maxLiteralBits + 2]uint16
	for n := longest; n > 1; n-- {
		next[n-1] = (next[n] + counts[n]) >> 1
	}
	var weights [256]uint8
	for i, n := range lengths[:last+1] {
		if n > 0 {
			z.codes[i] = next[n]<<4 | uint16(n)
			next[n]++
			weights[i] = longest + 1 - n
		}
	}
	if out, ok := z.appendWeights(dst, weights[:last]); ok {
		return out, true
	}
	if last > 128 {
		return dst, false
	}
	dst = append(dst, byte(127+last))
	for i := 0; i < last; i += 2 {
		dst = append(dst, weights[i]<<4|weights[i+1]*uint8(min(1, last-1-i)))
	}
	return dst, true
}

// appendWeights appends weights coded by finite state entropy, in two states that take turns. Not ok means that it cannot
// be or does not pay.
func (z *Zstd) appendWeights(dst []byte, weights []uint8) ([]byte, bool) {
	var counts [maxLiteralBits + 2]uint32
	largest := uint32(0)
	for _, w := range weights {
		counts[w]++
		largest = max(largest, counts[w])
	}
	if len(weights) < 3 || int(largest) == len(weights) || largest == 1 {
		return dst, false
	}
	t := &z.tables[0]
	t.normalize(counts[:], uint32(len(weights)), 6)
	t.build()
	at := len(dst)
	dst = t.appendShares(append(dst, 0))
	s := newBackBits(dst, len(weights)+16)
	// The last two weights start the states; the first of all is of the first state.
	n := len(weights)
	var state [2]uint32
	state[(n-1)&1] = t.first(weights[n-1])
	state[(n-2)&1] = t.first(weights[n-2])
	for i := n - 3; i >= 0; i-- {
		state[i&1] = t.put(&s, state[i&1], weights[i])
		s.flush()
	}
	t.end(&s, state[1])
	t.end(&s, state[0])
	s.flush()
	dst = s.close()
	size := len(dst) - at - 1
	if size >= 128 || len(weights) <= 128 && size > len(weights)/2 {
		return dst[:at], false
	}
	dst[at] = byte(size)
	return dst, true
}

// appendStreams appends the codes of the literals and sets the header at place at.
func (z *Zstd) appendStreams(dst []byte, at int) []byte {
	lits, body := z.literals, at+5
	if len(lits) < 1024 {
		// One stream has a header of 3 bytes.
		dst = z.appendStream(dst, lits)
		n := len(dst) - body
		v := codedLiterals | len(lits)<<4 | n<<14
		dst[at], dst[at+1], dst[at+2] = byte(v), byte(v>>8), byte(v>>16)
		copy(dst[at+3:], dst[body:])
		return dst[:len(dst)-2]
	}
	sizes := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0)
	quarter := (len(lits) + 3) / 4
	for i := range 4 {
		from := len(dst)
		dst = z.appendStream(dst, lits[i*quarter:min((i+1)*quarter, len(lits))])
		if n := len(dst) - from; i < 3 {
			binary.LittleEndian.PutUint16(dst[sizes+2*i:], uint16(n))
		}
	}
	n := uint64(len(dst) - body)
	if len(lits) < 1<<14 && n < 1<<14 {
		v := uint64(codedLiterals|2<<2) | uint64(len(lits))<<4 | n<<18
		binary.LittleEndian.PutUint32(dst[at:], uint32(v))
		copy(dst[at+4:], dst[body:])
		return dst[:len(dst)-1]
	}
	v := uint64(codedLiterals|3<<2) | uint64(len(lits))<<4 | n<<22
	binary.LittleEndian.PutUint32(dst[at:], uint32(v))
	dst[at+4] = byte(v >> 32)
	return dst
}

// appendStream appends one stream of codes, the last literal first.
func (z *Zstd) appendStream(dst, lits []byte) []byte {
	s := newBackBits(dst, len(lits)*maxLiteralBits/8+16)
	codes := &z.codes
	i := len(lits)
	for ; i&7 != 0; i-- {
		c := codes[lits[i-1]]
		s.add(uint64(c>>4), uint(c&15))
		s.flush()
	}
	b, at, acc, n := s.b, s.at, s.acc, s.n
	for ; i > 0; i -= 8 {
		v := load64(lits, i-8)
		for range 2 { // 7 and 44 bits
			c3, c2, c1, c0 := codes[byte(v>>56)], codes[byte(v>>48)], codes[byte(v>>40)], codes[byte(v>>32)]
			v <<= 32
			acc |= uint64(c3>>4) << (n & 63)
			n += uint(c3 & 15)
			acc |= uint64(c2>>4) << (n & 63)
			n += uint(c2 & 15)
			acc |= uint64(c1>>4) << (n & 63)
			n += uint(c1 & 15)
			acc |= uint64(c0>>4) << (n & 63)
			n += uint(c0 & 15)
			store64(b, at, acc)
			at += int(n >> 3)
			acc >>= n &^ 7 & 63
			n &= 7
		}
	}
	s.at, s.acc, s.n = at, acc, n
	return s.close()
}

// The kinds of numbers of a sequence, in the order of their tables, and how their codes are described.
const (
	ofLiterals, ofOffset, ofMatch   = 0, 1, 2
	usualShares, oneSymbol, ownCode = 0, 1, 2
)

// usual has the shares that the format gives when a block does not describe its own, and their log2.
var usual = [3]fseTable{
	ofLiterals: usualTable(6, []int16{4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1}),
	ofOffset:   usualTable(5, []int16{1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1}),
	ofMatch: usualTable(6, []int16{1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1}),
}

func usualTable(log uint, norm []int16) (t fseTable) {
	t.log, t.n = log, copy(t.norm[:], norm)
	t.build()
	return t
}

// appendSequences appends the sequences section.
func (z *Zstd) appendSequences(dst []byte) []byte {
	n := len(z.seqs)
	switch {
	case n < 128:
		dst = append(dst, byte(n))
	case n < 0x7F00:
		dst = append(dst, byte(n>>8+128), byte(n))
	default:
		dst = append(dst, 255, byte(n-0x7F00), byte((n-0x7F00)>>8))
	}
	if n == 0 {
		return dst
	}
	var counts [3][maxFSESymbols]uint32
	for i := range z.seqs {
		q := &z.seqs[i]
		counts[ofLiterals][q.ll&(maxFSESymbols-1)]++
		counts[ofOffset][q.of&(maxFSESymbols-1)]++
		counts[ofMatch][q.ml&(maxFSESymbols-1)]++
	}
	modes := len(dst)
	dst = append(dst, 0)
	var tables [3]*fseTable
	for k, maxLog := range [3]uint{9, 8, 9} {
		var mode byte
		dst, tables[k], mode = z.describe(dst, k, counts[k][:], maxLog)
		dst[modes] |= mode << (6 - 2*k)
	}
	return z.appendCodes(dst, tables)
}

// describe chooses how one kind of numbers is coded and appends the description.
func (z *Zstd) describe(dst []byte, k int, counts []uint32, maxLog uint) ([]byte, *fseTable, byte) {
	n := uint32(len(z.seqs))
	if one := [3]uint8{z.seqs[0].ll, z.seqs[0].of, z.seqs[0].ml}[k]; counts[one] == n && n > 2 {
		t := &z.tables[k]
		*t = fseTable{n: int(one) + 1} // no state takes any bits
		return append(dst, one), t, oneSymbol
	}
	t, given := &z.tables[k], &usual[k]
	t.normalize(counts, n, maxLog)
	own := t.appendShares(dst)
	if n < 32 || given.cost(counts) <= t.cost(counts)+8*float64(len(own)-len(dst)) {
		if given.cost(counts) < 1e18 {
			return own[:len(dst)], given, usualShares
		}
	}
	t.build()
	return own, t, ownCode
}

// appendCodes appends the bit stream of the sequences, the last one first.
func (z *Zstd) appendCodes(dst []byte, t [3]*fseTable) []byte {
	s := newBackBits(dst, 64+12*len(z.seqs))
	lt, ot, mt := t[ofLiterals], t[ofOffset], t[ofMatch]
	q := z.seqs[len(z.seqs)-1]
	ls, os, ms := lt.first(q.ll), ot.first(q.of), mt.first(q.ml)
	b, at, acc, n := s.b, s.at, uint64(0), uint(0)
	for i := len(z.seqs) - 1; ; {
		lk, mk, ok := uint(literalsExtra[q.ll&(maxFSESymbols-1)]), uint(matchExtra[q.ml&(maxFSESymbols-1)]), uint(q.of&31)
		acc |= uint64(q.literals) & (1<<lk - 1) << (n & 63)
		n += lk
		if lk+mk+ok > 30 { // with 7 bits and 26 of the states that may be there; of all three there can be 49
			store64(b, at, acc)
			at, acc, n = at+int(n>>3), acc>>(n&^7&63), n&7
		}
		acc |= uint64(q.match) & (1<<mk - 1) << (n & 63)
		n += mk
		acc |= uint64(q.offset) & (1<<ok - 1) << (n & 63)
		n += ok
		store64(b, at, acc)
		at, acc, n = at+int(n>>3), acc>>(n&^7&63), n&7
		if i--; i < 0 {
			break
		}
		q = z.seqs[i]
		var v uint64
		var k uint
		os, v, k = ot.leave(os, q.of)
		acc, n = acc|v<<(n&63), n+k
		ms, v, k = mt.leave(ms, q.ml)
		acc, n = acc|v<<(n&63), n+k
		ls, v, k = lt.leave(ls, q.ll)
		acc, n = acc|v<<(n&63), n+k
	}
	s.at, s.acc, s.n = at, acc, n
	mt.end(&s, ms)
	ot.end(&s, os)
	lt.end(&s, ls)
	s.flush()
	return s.close()
}
