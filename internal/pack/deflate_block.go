package pack

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"azulejo/internal/huffman"
)

// A block of DEFLATE (RFC 1951, section 3.2.3), from the lowest bit of each byte up:
//
//	1 last block | 2 kind
//	kind 0: padding to a byte | u16 bytes | u16 their complement | the bytes
//	kind 1: tokens in fixed codes, the end
//	kind 2: 5 literal codes - 257 | 5 distance codes - 1 | 4 form codes - 4 | 3 each, their lengths in formOrder
//	        the lengths of all codes in run-length form | tokens, the end
const (
	// The last 2 literals and distances have fixed codes but never occur.
	nLiterals, nDistances = 288, 32
	endOfBlock            = 256
	nForms                = 19
	maxBits, maxFormBits  = 15, 7
	repeat, zeros         = 16, 17
	manyZeros             = 18
)

// formOrder is the order in which the lengths of the run-length form's codes are stored.
var formOrder = [nForms]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// lengthClass returns the symbol of a match's length and the n extra bits that tell it from others of the class.
func lengthClass(length uint32) (symbol, extra uint32, n uint) {
	l := length - minMatch
	switch {
	case l < 8:
		return 257 + l, 0, 0
	case l == maxMatch-minMatch:
		return 285, 0, 0
	}
	n = uint(bits.Len32(l)) - 3
	return 257 + 4*uint32(n+1) + l>>n&3, l & (1<<n - 1), n
}

// distanceClass is lengthClass for distances.
func distanceClass(distance uint32) (symbol, extra uint32, n uint) {
	d := distance - 1
	if d < 4 {
		return d, 0, 0
	}
	n = uint(bits.Len32(d)) - 2
	return 2*uint32(n+1) + d>>n&1, d & (1<<n - 1), n
}

// write appends one block of tokens, in the kind that is shortest, to out.
func (w *blockWriter) write(out, src []byte, tokens []uint32, final bool) []byte {
	covered, extra := w.count(tokens)
	raw := src[w.start : w.start+covered]
	w.start += covered
	w.tree.Lengths(w.lengths[:], w.counts[:], maxBits)
	w.tree.Lengths(w.dLength[:], w.distances[:], maxBits)
	form := w.form()
	dynamic := form.nBits + extra + cost(w.counts[:], w.lengths[:]) + cost(w.distances[:], w.dLength[:])
	fixed := extra + w.fixedCost()
	last := uint64(0)
	if final {
		last = 1
	}
	stored := 8 * (len(raw) + 5*(1+len(raw)/65535))
	switch {
	case stored <= min(dynamic, fixed):
		return w.stored(out, raw, final)
	case fixed <= dynamic:
		out = slices.Grow(out, fixed/8+32)
		out = w.bits(out, last|1<<1, 3)
		w.setFixed()
	default:
		out = slices.Grow(out, dynamic/8+32)
		out = w.bits(out, last|2<<1, 3)
		out = w.header(out, form)
	}
	huffman.Codes(w.codes[:], w.lengths[:])
	huffman.Codes(w.dCodes[:], w.dLength[:])
	out = w.tokens(out, tokens)
	if final {
		out = w.align(out)
	}
	return out
}

// count counts the symbols of the tokens. It returns the bytes that they cover and their extra bits.
func (w *blockWriter) count(tokens []uint32) (covered, extra int) {
	clear(w.counts[:])
	clear(w.distances[:])
	for _, t := range tokens {
		length := t >> distanceBits
		if length == 0 {
			w.counts[t]++
			covered++
			continue
		}
		symbol, _, n := lengthClass(length)
		w.counts[symbol]++
		dSymbol, _, dn := distanceClass(t & (1<<distanceBits - 1))
		w.distances[dSymbol]++
		covered += int(length)
		extra += int(n + dn)
	}
	w.counts[endOfBlock]++
	return covered, extra
}

// cost returns the bits of symbols that occur so often in codes of these lengths.
func cost(counts []uint32, lengths []uint8) int {
	n := 0
	for i, c := range counts {
		n += int(c) * int(lengths[i])
	}
	return n
}

// fixedLength returns the length of a literal's fixed code.
func fixedLength(symbol int) uint8 {
	switch {
	case symbol < 144:
		return 8
	case symbol < 256:
		return 9
	case symbol < 280:
		return 7
	}
	return 8
}

func (w *blockWriter) fixedCost() int {
	n := 0
	for i, c := range w.counts {
		n += int(c) * int(fixedLength(i))
	}
	for _, c := range w.distances {
		n += int(c) * 5
	}
	return n
}

// setFixed puts the fixed codes' lengths in place of the block's own.
func (w *blockWriter) setFixed() {
	for i := range w.lengths {
		w.lengths[i] = fixedLength(i)
	}
	for i := range nDistances {
		w.dLength[i] = 5
	}
}

// stored writes a block of raw bytes.
func (w *blockWriter) stored(out, raw []byte, final bool) []byte {
	for first := true; first || len(raw) > 0; first = false {
		n := min(len(raw), 65535)
		last := uint64(0)
		if final && n == len(raw) {
			last = 1
		}
		out = w.bits(out, last, 3)
		out = w.align(out)
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
		out = binary.LittleEndian.AppendUint16(out, ^uint16(n))
		out, raw = append(out, raw[:n]...), raw[n:]
	}
	return out
}

// bits writes the lowest n bits of v, at most 32, of which all others are 0.
func (w *blockWriter) bits(out []byte, v uint64, n uint) []byte {
	w.acc |= v << w.n
	w.n += n
	for w.n >= 8 {
		out = append(out, byte(w.acc))
		w.acc >>= 8
		w.n -= 8
	}
	return out
}

// align writes what is left of the last byte.
func (w *blockWriter) align(out []byte) []byte {
	if w.n > 0 {
		out = append(out, byte(w.acc))
	}
	w.acc, w.n = 0, 0
	return out
}

// tokens writes the tokens and the end of the block. out must have room.
func (w *blockWriter) tokens(out []byte, tokens []uint32) []byte {
	acc, n, at := w.acc, w.n, len(out)
	b := out[:cap(out)]
	for _, t := range tokens {
		length := t >> distanceBits
		if length == 0 {
			acc |= uint64(w.codes[t]) << n
			n += uint(w.lengths[t])
		} else {
			symbol, extra, k := lengthClass(length)
			acc |= (uint64(w.codes[symbol]) | uint64(extra)<<w.lengths[symbol]) << n
			n += uint(w.lengths[symbol]) + k
			symbol, extra, k = distanceClass(t & (1<<distanceBits - 1))
			acc |= (uint64(w.dCodes[symbol]) | uint64(extra)<<w.dLength[symbol]) << n
			n += uint(w.dLength[symbol]) + k
		}
		binary.LittleEndian.PutUint64(b[at:], acc) // at most 7 + 48 bits
		at += int(n >> 3)
		acc >>= n &^ 7
		n &= 7
	}
	w.acc, w.n = acc, n
	return w.bits(b[:at], uint64(w.codes[endOfBlock]), uint(w.lengths[endOfBlock]))
}

// codeForm is the lengths of a block's codes in run-length form.
type codeForm struct {
	nLiterals, nDistances, nForms int
	// runs are symbols with their extra bits from bit 8 up.
	runs    []uint16
	lengths [nForms]uint8
	// nBits is the size of the block's header.
	nBits int
}

// form returns the run-length form of the lengths of the codes.
func (w *blockWriter) form() *codeForm {
	f := &codeForm{nLiterals: nLiterals, nDistances: nDistances, nForms: nForms}
	for f.nLiterals > 257 && w.lengths[f.nLiterals-1] == 0 {
		f.nLiterals--
	}
	for f.nDistances > 1 && w.dLength[f.nDistances-1] == 0 {
		f.nDistances--
	}
	var all [nLiterals + nDistances]uint8
	copy(all[copy(all[:], w.lengths[:f.nLiterals]):], w.dLength[:f.nDistances])
	f.runs = runs(make([]uint16, 0, len(all)), all[:f.nLiterals+f.nDistances])
	var counts [nForms]uint32
	for _, r := range f.runs {
		counts[r&0xFF]++
	}
	w.tree.Lengths(f.lengths[:], counts[:], maxFormBits)
	for f.nForms > 4 && f.lengths[formOrder[f.nForms-1]] == 0 {
		f.nForms--
	}
	f.nBits = 3 + 14 + 3*f.nForms + 2*int(counts[repeat]) + 3*int(counts[zeros]) + 7*int(counts[manyZeros]) + cost(counts[:], f.lengths[:])
	return f
}

// runs appends lengths in run-length form: 16 repeats the length before 3 to 6 times, 17 and 18 are 3 to 10 and 11 to
// 138 zeros.
func runs(dst []uint16, lengths []uint8) []uint16 {
	for len(lengths) > 0 {
		v, n := lengths[0], 1
		for n < len(lengths) && lengths[n] == v {
			n++
		}
		lengths = lengths[n:]
		if v != 0 {
			dst = append(dst, uint16(v))
			n--
		}
		for n >= 3 {
			var k int
			switch {
			case v != 0:
				k = min(n, 6)
				dst = append(dst, repeat|uint16(k-3)<<8)
			case n <= 10:
				k = n
				dst = append(dst, zeros|uint16(k-3)<<8)
			default:
				k = min(n, 138)
				dst = append(dst, manyZeros|uint16(k-11)<<8)
			}
			n -= k
		}
		for range n {
			dst = append(dst, uint16(v))
		}
	}
	return dst
}

// header writes the lengths of the codes.
func (w *blockWriter) header(out []byte, f *codeForm) []byte {
	out = w.bits(out, uint64(f.nLiterals-257)|uint64(f.nDistances-1)<<5|uint64(f.nForms-4)<<10, 14)
	for _, symbol := range formOrder[:f.nForms] {
		out = w.bits(out, uint64(f.lengths[symbol]), 3)
	}
	var codes [nForms]uint16
	huffman.Codes(codes[:], f.lengths[:])
	for _, r := range f.runs {
		symbol := r & 0xFF
		out = w.bits(out, uint64(codes[symbol]), uint(f.lengths[symbol]))
		switch symbol {
		case repeat:
			out = w.bits(out, uint64(r>>8), 2)
		case zeros:
			out = w.bits(out, uint64(r>>8), 3)
		case manyZeros:
			out = w.bits(out, uint64(r>>8), 7)
		}
	}
	return out
}
