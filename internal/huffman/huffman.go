// Package huffman makes length-limited prefix codes: the canonical ones of DEFLATE (RFC 1951) and of lossless WebP.
package huffman

import (
	"cmp"
	"math/bits"
	"slices"
)

// MaxSymbols bounds the alphabets.
const MaxSymbols = 512

// Builder makes prefix codes. Its zero value is ready; it is for one goroutine at a time and keeps its scratch memory.
type Builder struct {
	leaves []leaf
	// lists has, per level of the package-merge algorithm, the counts of the merged list, and leafy which of them are leaves.
	lists [][]uint32
	leafy [][]bool
	// counts, parent and depth are of the leaves and then the nodes of a tree.
	counts [2 * MaxSymbols]uint32
	parent [2 * MaxSymbols]uint16
	depth  [2 * MaxSymbols]uint8
}

// leaf is a symbol that occurs.
type leaf struct {
	count  uint32
	symbol uint16
}

// Lengths sets lengths[i] to the bits of the code of symbol i, which occurs counts[i] times: 0 for one that does not
// occur, else 1 up to limit. The sum of all bits is the least possible under the limit. A lone symbol gets one bit. The
// slices have the same length, up to MaxSymbols; 1<<limit must be at least the number of symbols that occur.
func (b *Builder) Lengths(lengths []uint8, counts []uint32, limit int) {
	b.leaves = b.leaves[:0]
	for i, n := range counts {
		lengths[i] = 0
		if n > 0 {
			b.leaves = append(b.leaves, leaf{n, uint16(i)})
		}
	}
	if len(b.leaves) < 2 {
		for _, l := range b.leaves {
			lengths[l.symbol] = 1
		}
		return
	}
	slices.SortFunc(b.leaves, func(x, y leaf) int {
		if x.count != y.count {
			return cmp.Compare(x.count, y.count)
		}
		return cmp.Compare(x.symbol, y.symbol)
	})
	if b.unlimited(lengths, limit) {
		return
	}
	b.merge(limit)
	// Of the last list the first 2n-2 items count; each leaf among the first m items of a list costs its symbol a bit,
	// each pair stands for two items of the list before.
	for m, level := 2*len(b.leaves)-2, limit-1; level >= 0 && m > 0; level-- {
		leaves := 0
		for _, isLeaf := range b.leafy[level][:m] {
			if isLeaf {
				lengths[b.leaves[leaves].symbol]++
				leaves++
			}
		}
		m = 2 * (m - leaves)
	}
}

// unlimited makes the code that is the best one without a limit, and reports whether it keeps the limit.
func (b *Builder) unlimited(lengths []uint8, limit int) bool {
	n := len(b.leaves)
	// The nodes are made in the order of their counts: the next one is of the two least of the leaves and nodes left.
	counts, parent := &b.counts, &b.parent
	leaf, node := 0, n
	least := func(end int) int {
		if leaf < n && (node >= end || b.leaves[leaf].count <= counts[node]) {
			leaf++
			return leaf - 1
		}
		node++
		return node - 1
	}
	count := func(i int) uint32 {
		if i < n {
			return b.leaves[i].count
		}
		return counts[i]
	}
	root := 2*n - 2
	for next := n; next <= root; next++ {
		x := least(next)
		y := least(next)
		counts[next] = count(x) + count(y)
		parent[x], parent[y] = uint16(next), uint16(next)
	}
	depth := &b.depth
	depth[root] = 0
	for i := root - 1; i >= 0; i-- {
		depth[i] = depth[parent[i]] + 1
		if i < n && int(depth[i]) > limit {
			return false
		}
	}
	for i, l := range b.leaves {
		lengths[l.symbol] = depth[i]
	}
	return true
}

// merge builds the lists of package-merge: each has the leaves and, after the first, the pairs of the list before, by
// count.
func (b *Builder) merge(limit int) {
	for len(b.lists) < limit {
		b.lists, b.leafy = append(b.lists, nil), append(b.leafy, nil)
	}
	for level := range limit {
		list, leafy := b.lists[level][:0], b.leafy[level][:0]
		var pairs []uint32
		if level > 0 {
			pairs = b.lists[level-1]
		}
		i, j := 0, 0
		for i < len(b.leaves) || j+1 < len(pairs) {
			if j+1 >= len(pairs) || i < len(b.leaves) && b.leaves[i].count <= pairs[j]+pairs[j+1] {
				list, leafy = append(list, b.leaves[i].count), append(leafy, true)
				i++
			} else {
				list, leafy = append(list, pairs[j]+pairs[j+1]), append(leafy, false)
				j += 2
			}
		}
		b.lists[level], b.leafy[level] = list, leafy
	}
}

// Codes sets codes[i] to the canonical code of a symbol of lengths[i] bits, its first bit the lowest one, as both formats
// write codes into their little-endian streams.
func Codes(codes []uint16, lengths []uint8) {
	var next [17]uint16
	for _, n := range lengths {
		next[n+1]++
	}
	next[1] = 0 // symbols without a code
	for n := 1; n < len(next); n++ {
		next[n] = (next[n] + next[n-1]) << 1
	}
	for i, n := range lengths {
		if n > 0 {
			codes[i] = bits.Reverse16(next[n]) >> (16 - n)
			next[n]++
		}
	}
}
