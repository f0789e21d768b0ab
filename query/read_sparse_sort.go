package query

import (
	"bytes"
	"math/bits"
	"slices"

	"azulejo/datatype"
)

// sortKeys holds the numbers of a slab's selected cells that they are sorted by, most significant column first; entry i
// belongs to the i-th selected cell.
type sortKeys struct {
	columns [][]uint64
	// coords is the number of columns that say where a cell is; those behind order its versions.
	coords int
	// spans has the smallest and largest number of each column.
	spans []span
}

// add appends a column.
func (k *sortKeys) add(column []uint64) {
	s := span{^uint64(0), 0}
	for _, v := range column {
		s.lo, s.hi = min(s.lo, v), max(s.hi, v)
	}
	k.columns = append(k.columns, column)
	k.spans = append(k.spans, s)
}

// scratch lends memory for n numbers of arbitrary value for as long as the work on a slab takes.
type scratch func(n int) ([]uint64, error)

// halves is scratch for numbers of 32 bits.
func (s scratch) halves(n int) ([]uint32, error) {
	v, err := s((n + 1) / 2)
	if err != nil {
		return nil, err
	}
	h, _ := datatype.Alias[uint32](datatype.Bytes(v))
	return h[:n:n], nil
}

// sort returns the positions of the cells in order; those with equal numbers keep their sequence. It returns nil when the
// cells are in order already.
func (k *sortKeys) sort(n int, lend scratch) ([]uint32, error) {
	if n < 2 {
		return nil, nil
	}
	groups := k.groups(64)
	if len(groups) == 0 || k.inOrder(n) {
		return nil, nil
	}
	keys, err := lend(n)
	if err != nil {
		return nil, err
	}
	spare, err := lend(n)
	if err != nil {
		return nil, err
	}
	order, err := lend.halves(n)
	if err != nil {
		return nil, err
	}
	indexBits := bits.Len(uint(n - 1))
	if len(groups) == 1 && groups[0].bits+indexBits <= 64 {
		return k.sortPacked(groups[0], keys, spare, order, indexBits), nil
	}
	spareOrder, err := lend.halves(n)
	if err != nil {
		return nil, err
	}
	for i := len(groups) - 1; i >= 0; i-- {
		k.pack(groups[i], keys, 0)
		if i == len(groups)-1 {
			number(order)
		} else {
			permute(spare, keys, order)
			keys, spare = spare, keys
		}
		keys, spare, order, spareOrder = radixPairs(keys, spare, order, spareOrder, groups[i].bits)
	}
	return order, nil
}

// inOrder reports whether the cells are in order already, as those of one fragment often are.
func (k *sortKeys) inOrder(n int) bool {
	for i := 1; i < n; i++ {
		for _, c := range k.columns {
			if c[i] != c[i-1] {
				if c[i] < c[i-1] {
					return false
				}
				break
			}
		}
	}
	return true
}

// distinct reports whether no two neighbours of n cells are at the same place.
func (k *sortKeys) distinct(n int) bool {
	for i := 1; i < n; i++ {
		if k.equal(uint32(i), uint32(i-1)) {
			return false
		}
	}
	return true
}

// number sets every entry to its position.
func number(order []uint32) {
	for i := range order {
		order[i] = uint32(i)
	}
}

// keyGroup is a run of columns whose numbers fit into one.
type keyGroup struct{ from, to, bits int }

// groups puts columns together, from the least significant on, leaving out those whose numbers are all equal.
func (k *sortKeys) groups(limit int) []keyGroup {
	var out []keyGroup
	for i := len(k.columns) - 1; i >= 0; i-- {
		n := bits.Len64(k.spans[i].hi - k.spans[i].lo)
		if n == 0 {
			continue
		}
		if len(out) > 0 && out[len(out)-1].bits+n <= limit {
			g := &out[len(out)-1]
			g.from, g.bits = i, g.bits+n
			continue
		}
		out = append(out, keyGroup{i, i + 1, n})
	}
	slices.Reverse(out)
	return out
}

// pack writes the joined numbers of a group, shifted up by shift bits.
func (k *sortKeys) pack(g keyGroup, dst []uint64, shift int) {
	for c := g.to - 1; c >= g.from; c-- {
		lo, n := k.spans[c].lo, bits.Len64(k.spans[c].hi-k.spans[c].lo)
		column := k.columns[c][:len(dst)]
		if c == g.to-1 {
			for i, v := range column {
				dst[i] = (v - lo) << shift
			}
		} else if n > 0 {
			for i, v := range column {
				dst[i] |= (v - lo) << shift
			}
		}
		shift += n
	}
}

// sortPacked sorts numbers that carry their position in the low bits; keys, spare and order are memory for it.
func (k *sortKeys) sortPacked(g keyGroup, keys, spare []uint64, order []uint32, indexBits int) []uint32 {
	k.pack(g, keys, indexBits)
	for i, v := range keys {
		keys[i] = v | uint64(i)
	}
	if len(keys) < 1024 {
		slices.Sort(keys)
	} else {
		keys = radixSort(keys, spare, indexBits, indexBits+g.bits)
	}
	mask := uint64(1)<<indexBits - 1
	for i, v := range keys {
		order[i] = uint32(v & mask)
	}
	return order
}

const (
	digitBits = 11
	digits    = 1 << digitBits
)

// radixSort sorts keys by their bits from lo up to but not including hi, stably; spare has the same length. The result is
// one of the two.
func radixSort(keys, spare []uint64, lo, hi int) []uint64 {
	var count [digits]int
	for shift := lo; shift < hi; shift += digitBits {
		mask := uint64(1)<<min(digitBits, hi-shift) - 1
		clear(count[:])
		for _, v := range keys {
			count[v>>shift&mask]++
		}
		if count[keys[0]>>shift&mask] == len(keys) {
			continue
		}
		at := 0
		for i, n := range count {
			count[i] = at
			at += n
		}
		for _, v := range keys {
			d := v >> shift & mask
			spare[count[d]] = v
			count[d]++
		}
		keys, spare = spare, keys
	}
	return keys
}

// radixPairs sorts keys with their positions stably by their low bits; the results come first, the spare memory after.
func radixPairs(keys, spare []uint64, order, spareOrder []uint32, width int) (k, ks []uint64, o, os []uint32) {
	var count [digits]int
	for shift := 0; shift < width; shift += digitBits {
		mask := uint64(1)<<min(digitBits, width-shift) - 1
		clear(count[:])
		for _, v := range keys {
			count[v>>shift&mask]++
		}
		if count[keys[0]>>shift&mask] == len(keys) {
			continue
		}
		at := 0
		for i, n := range count {
			count[i] = at
			at += n
		}
		for i, v := range keys {
			d := v >> shift & mask
			spare[count[d]], spareOrder[count[d]] = v, order[i]
			count[d]++
		}
		keys, spare, order, spareOrder = spare, keys, spareOrder, order
	}
	return keys, spare, order, spareOrder
}

// permute sets dst[i] to src[order[i]].
func permute(dst, src []uint64, order []uint32) {
	for i, o := range order {
		dst[i] = src[o]
	}
}

// equal reports whether cells i and j are at the same place.
func (k *sortKeys) equal(i, j uint32) bool {
	for _, c := range k.columns[:k.coords] {
		if c[i] != c[j] {
			return false
		}
	}
	return true
}

// textRanks returns a number for each of n texts that sorts like the text; equal texts have equal numbers.
func textRanks(n int, text func(i uint32) []byte) []uint64 {
	keys, order := make([]uint64, n), make([]uint32, n)
	for i := range keys {
		keys[i], order[i] = textKey(text(uint32(i))), uint32(i)
	}
	_, _, order, _ = radixPairs(keys, make([]uint64, n), order, make([]uint32, n), 64)
	ranks := keys[:n:n]
	for i := 0; i < n; {
		first := textKey(text(order[i]))
		j := i + 1
		for j < n && textKey(text(order[j])) == first {
			j++
		}
		if j-i > 1 {
			slices.SortFunc(order[i:j], func(a, b uint32) int { return bytes.Compare(text(a), text(b)) })
		}
		i = j
	}
	rank := uint64(0)
	out := make([]uint64, len(ranks))
	for i, o := range order {
		if i > 0 && !bytes.Equal(text(o), text(order[i-1])) {
			rank++
		}
		out[o] = rank
	}
	return out
}
