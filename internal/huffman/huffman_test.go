package huffman

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// least returns the least sum of bits when no limit matters: that of Huffman's algorithm.
func least(counts []uint32) uint64 {
	var nodes []uint64
	for _, n := range counts {
		if n > 0 {
			nodes = append(nodes, uint64(n))
		}
	}
	total := uint64(0)
	for len(nodes) > 1 {
		slices.Sort(nodes)
		nodes[1] += nodes[0]
		nodes = nodes[1:]
		total += nodes[0]
	}
	return total
}

func TestLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var b Builder
	for range 3000 {
		n, limit := 1+rng.IntN(300), 9+rng.IntN(7)
		counts, lengths := make([]uint32, n), make([]uint8, n)
		used := 0
		for i := range counts {
			if rng.IntN(3) > 0 {
				counts[i] = 1 + rng.Uint32N(1<<rng.IntN(20))
				used++
			}
		}
		b.Lengths(lengths, counts, limit)
		sum := 0
		for i, l := range lengths {
			if (l > 0) != (counts[i] > 0) || int(l) > limit {
				t.Fatalf("symbol %d of count %d has %d bits of %d", i, counts[i], l, limit)
			}
			if l > 0 {
				sum += 1 << (16 - l)
			}
		}
		cost := uint64(0)
		for i, l := range lengths {
			cost += uint64(counts[i]) * uint64(l)
		}
		if want := least(counts); used > 1 && (cost < want || limit == 15 && used < 40 && cost > want+want/50) {
			t.Fatalf("%d bits in all, the least is %d", cost, want)
		}
		if used > 1 && sum != 1<<16 {
			t.Fatalf("%d symbols fill %d of %d", used, sum, 1<<16)
		}
	}
}

func TestLimitedLengthsAreTheLeast(t *testing.T) {
	var b Builder
	lengths := make([]uint8, 6)
	b.Lengths(lengths, []uint32{1, 1, 2, 4, 8, 16}, 4)
	if got := [6]uint8(lengths); got != [6]uint8{4, 4, 4, 4, 2, 1} {
		t.Errorf("lengths %d", got)
	}
}

func TestCodes(t *testing.T) {
	codes := make([]uint16, 8)
	Codes(codes, []uint8{3, 3, 3, 3, 3, 2, 4, 4}) // the example of RFC 1951
	if got := [8]uint16(codes); got != [8]uint16{0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111} {
		t.Errorf("codes %b", got)
	}
}
