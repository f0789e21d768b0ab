package webp

import "azulejo/internal/huffman"

// A prefix code of one or two symbols below 256 is stored as they are:
//
//	1 1 | 1 number of symbols - 1 | 1 first has 8 bits | 1 or 8 first symbol | 8 second symbol
//
// and any other by the lengths of the codes of all symbols, in run-length form under a prefix code of their own:
//
//	1 0 | 4 number of lengths below - 4 | 3 each, the lengths of the codes of the run-length form | 1 0 | the form
//
// Its symbols are a length from 0 to 15, 16 for 3 to 6 times the length before, 17 for 3 to 10 and 18 for 11 to 138 zeros.
const (
	maxCodeBits, maxFormBits = 15, 7
	repeat, zeros, manyZeros = 16, 17, 18
)

// formOrder is the order in which the lengths of the form's codes are stored.
func formOrder() [19]int {
	return [19]int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
}

// code makes a prefix code for the counts and writes it.
func (e *encoder) code(counts []uint32) code {
	c := code{make([]uint16, len(counts)), make([]uint8, len(counts))}
	var used []int
	for i, n := range counts {
		if n > 0 {
			used = append(used, i)
		}
	}
	if len(used) == 0 {
		used = []int{0}
	}
	if len(used) <= 2 && used[len(used)-1] < 256 {
		e.bits(1|uint64(len(used)-1)<<1|1<<2|uint64(used[0])<<3, 11)
		if len(used) == 2 {
			e.bits(uint64(used[1]), 8)
			c.codes[used[1]], c.lengths[used[0]], c.lengths[used[1]] = 1, 1, 1
		}
		return c
	}
	e.tree.Lengths(c.lengths, counts, maxCodeBits)
	huffman.Codes(c.codes, c.lengths)
	e.bits(0, 1)
	e.lengths(c.lengths)
	return c
}

// run is a symbol of the run-length form with the value and number of its extra bits.
type run struct {
	symbol, extra uint8
	n             uint8
}

// runs returns lengths in run-length form.
func runs(lengths []uint8) []run {
	var out []run
	last := uint8(8) // what a repetition at the very start would repeat
	for len(lengths) > 0 {
		v, n := lengths[0], 1
		for n < len(lengths) && lengths[n] == v {
			n++
		}
		lengths = lengths[n:]
		if v != 0 && v != last {
			out = append(out, run{symbol: v})
			last = v
			n--
		}
		for n >= 3 {
			switch {
			case v != 0:
				k := min(n, 6)
				out = append(out, run{repeat, uint8(k - 3), 2})
				n -= k
			case n <= 10:
				out = append(out, run{zeros, uint8(n - 3), 3})
				n = 0
			default:
				k := min(n, 138)
				out = append(out, run{manyZeros, uint8(k - 11), 7})
				n -= k
			}
		}
		for range n {
			out = append(out, run{symbol: v})
		}
	}
	return out
}

// lengths writes the lengths of a code.
func (e *encoder) lengths(lengths []uint8) {
	form := runs(lengths)
	var counts [19]uint32
	for _, r := range form {
		counts[r.symbol]++
	}
	c := code{make([]uint16, len(counts)), make([]uint8, len(counts))}
	e.tree.Lengths(c.lengths, counts[:], maxFormBits)
	huffman.Codes(c.codes, c.lengths)
	order := formOrder()
	n := len(order)
	for n > 4 && c.lengths[order[n-1]] == 0 {
		n--
	}
	e.bits(uint64(n-4), 4)
	used := 0
	for _, symbol := range order[:n] {
		e.bits(uint64(c.lengths[symbol]), 3)
		if c.lengths[symbol] > 0 {
			used++
		}
	}
	if used == 1 {
		clear(c.lengths) // a lone symbol takes no bits
	}
	e.bits(0, 1)
	for _, r := range form {
		e.put(&c, int(r.symbol))
		e.bits(uint64(r.extra), uint(r.n))
	}
}
