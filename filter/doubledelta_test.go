package filter

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// slowDoubleDeltas computes values from double deltas bit by bit.
func slowDoubleDeltas(first, second int64, words []byte, nBits, n int) []int64 {
	at := 0
	next := func() uint64 {
		word := binary.LittleEndian.Uint64(words[at/64*8:])
		bit := word >> (63 - at%64) & 1
		at++
		return bit
	}
	out := []int64{first, second}
	delta := second - first
	for len(out) < n {
		negative, dd := next(), uint64(0)
		for range nBits {
			dd = dd<<1 | next()
		}
		if negative == 1 {
			dd = -dd
		}
		delta += int64(dd)
		out = append(out, out[len(out)-1]+delta)
	}
	return out[:n]
}

// TestUnpackDoubleDeltas compares the loops with one that goes bit by bit, for all numbers of bits and of values around those
// that end with a word.
func TestUnpackDoubleDeltas(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for nBits := range 63 {
		for _, n := range []int{3, 4, 5, 31, 66, 67, 130, 131, 300} {
			words := make([]byte, ((n-2)*(nBits+1)+63)/64*8)
			for i := range words {
				words[i] = byte(rng.Uint32())
			}
			first, second := int64(rng.Uint64()), int64(rng.Uint64())
			got := make([]int64, n)
			got[0], got[1] = first, second
			unpackDoubleDeltas(got, words, nBits)
			if want := slowDoubleDeltas(first, second, words, nBits, n); !slices.Equal(got, want) {
				t.Fatalf("%d values of %d bits: %v instead of %v", n, nBits, got, want)
			}
		}
	}
}
