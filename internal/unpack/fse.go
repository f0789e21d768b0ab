package unpack

import (
	"fmt"
	"math/bits"
	"sync"
)

// fseEntry is what a state of a sequence table means, from the lowest bits up: 8 bits with the number of bits that are added
// to the next state, 8 with the number of those that are added to the value, 16 with the next state, 32 with the value.
type fseEntry uint64

// newEntry returns an entry without a next state.
func newEntry(value uint32, extra uint8) fseEntry { return fseEntry(value)<<32 | fseEntry(extra)<<8 }

func (e fseEntry) bits() uint   { return uint(e & 255) }
func (e fseEntry) extra() uint  { return uint(e >> 8 & 255) }
func (e fseEntry) next() uint64 { return uint64(e >> 16 & 0xFFFF) }
func (e fseEntry) value() int   { return int(e >> 32) }

// fseTable describes the entries that decode literal lengths, offsets or match lengths of a Zstandard block (RFC 8878, 4.1).
// They have 1<<log states.
type fseTable struct {
	log uint
	// valid says that a block has set the table.
	valid bool
}

// fseKind describes one of the three tables.
type fseKind struct {
	maxLog, nSymbols int
	// defaults are the probabilities of the table that every decoder knows, in 1<<defaultLog.
	defaults   []int16
	defaultLog uint
	// entries are those of the symbols, without what a state adds.
	entries [64]fseEntry
}

// fseKinds returns the descriptions of the tables of literal lengths, offsets and match lengths.
var fseKinds = sync.OnceValue(func() *[3]fseKind {
	kinds := [3]fseKind{
		{maxLog: 9, nSymbols: 36, defaultLog: 6, defaults: []int16{4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2,
			2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1}},
		{maxLog: 8, nSymbols: 32, defaultLog: 5, defaults: []int16{1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
			1, 1, -1, -1, -1, -1, -1}},
		{maxLog: 9, nSymbols: 53, defaultLog: 6, defaults: []int16{1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
			1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1}},
	}
	kinds[0].values(0, 16, []uint8{1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	kinds[2].values(3, 32, []uint8{1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	for s := range 32 {
		kinds[1].entries[s] = newEntry(1<<s, uint8(s))
	}
	return &kinds
})

// values sets the values of symbols: n that count up from first without extra bits, and then ranges one after the
// other, with these extra bits. The seventh last range of lengths is where powers of two begin.
func (k *fseKind) values(first uint32, n int, extras []uint8) {
	v := first
	for s := range n + len(extras) {
		e := uint8(0)
		if s >= n {
			e = extras[s-n]
		}
		k.entries[s] = newEntry(v, e)
		v += 1 << e
	}
}

// readTables reads the three tables of a block and returns the bits of the sequences after them.
func (z *unzstder) readTables(src []byte) ([]byte, error) {
	if len(src) < 1 || src[0]&3 != 0 {
		return nil, fmt.Errorf("%w: bad kinds of tables", errUnzstd)
	}
	modes := src[0]
	src = src[1:]
	for i := range z.tables {
		t, entries, k := &z.tables[i], &z.entries[i], &fseKinds()[i]
		switch modes >> (6 - 2*i) & 3 {
		case 0:
			t.make(entries, k, k.defaults, k.defaultLog)
		case 1:
			if len(src) < 1 || int(src[0]) >= k.nSymbols {
				return nil, fmt.Errorf("%w: a table of a symbol that does not exist", errUnzstd)
			}
			entries[0] = k.entries[src[0]]
			t.log = 0
			src = src[1:]
		case 2:
			var err error
			if src, err = t.read(entries, k, src); err != nil {
				return nil, err
			}
		default:
			if !t.valid {
				return nil, fmt.Errorf("%w: no table to repeat", errUnzstd)
			}
		}
		t.valid = true
	}
	return src, nil
}

// read reads the probabilities of a table and makes it.
func (t *fseTable) read(entries *[512]fseEntry, k *fseKind, src []byte) ([]byte, error) {
	at := 0
	peek := func(n int) int {
		v := 0
		for i := range 3 {
			if b := at/8 + i; b < len(src) {
				v |= int(src[b]) << (8 * i)
			}
		}
		return v >> (at % 8) & (1<<n - 1)
	}
	log := peek(4) + 5
	at += 4
	if log > k.maxLog {
		return nil, fmt.Errorf("%w: a table of %d bits", errUnzstd, log)
	}
	var probs [64]int16
	left, n := 1<<log, 0
	for left > 0 {
		if n >= k.nSymbols || at > 8*len(src) {
			return nil, fmt.Errorf("%w: probabilities of %d symbols", errUnzstd, n)
		}
		// The value is one of 0..left+1; the small ones take a bit less.
		width := bits.Len(uint(left + 1))
		v, low := peek(width), 1<<(width-1)-1
		short := 1<<width - 1 - (left + 1)
		if v&low < short {
			v &= low
			width--
		} else if v > low {
			v -= short
		}
		at += width
		probs[n] = int16(v - 1)
		left -= max(v-1, 1-v)
		n++
		if v == 1 {
			for again := 3; again == 3; {
				again = peek(2)
				at += 2
				if n += again; n > k.nSymbols {
					return nil, fmt.Errorf("%w: probabilities of %d symbols", errUnzstd, n)
				}
			}
		}
	}
	end := (at + 7) / 8
	if left < 0 || end > len(src) {
		return nil, fmt.Errorf("%w: probabilities that add up to too much", errUnzstd)
	}
	t.make(entries, k, probs[:n], uint(log))
	return src[end:], nil
}

// make makes a table: it spreads the symbols over the states as often as their probabilities in 1<<log say; -1 is less than one
// state's, which is at the end.
func (t *fseTable) make(entries *[512]fseEntry, k *fseKind, probs []int16, log uint) {
	size := 1 << log
	var symbols [512]uint8
	var next [64]uint16
	high := size
	for s, p := range probs {
		if p == -1 {
			high--
			symbols[high&511] = uint8(s)
			next[s&63] = 1
		}
	}
	// First as often as they come, eight at once, then each where it belongs.
	var runs [512 + 8]uint8
	n := 0
	for s, p := range probs {
		if p <= 0 {
			continue
		}
		next[s&63] = uint16(p)
		for i := 0; i < int(p); i += 8 {
			store64(runs[:], n+i, uint64(s)*0x0101010101010101)
		}
		n += int(p)
	}
	step, at, mask := size>>1+size>>3+3, 0, size-1
	for _, s := range runs[:n] {
		symbols[at&511] = s
		at = (at + step) & mask
		for at >= high {
			at = (at + step) & mask
		}
	}
	for i, s := range symbols[:size] {
		n := next[s&63]
		next[s&63] = n + 1
		nBits := log + 1 - uint(bits.Len16(n))
		entries[i&511] = k.entries[s&63] + fseEntry(uint32(n)<<(nBits&31)-uint32(size))<<16 + fseEntry(nBits)
	}
	t.log = log
}
