package filter

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// noise returns n random bytes, the same every time.
func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Int())
	}
	return b
}

// TestShufflesFollowTheirDefinitions compares the fast loops with the definitions, for sizes around every edge.
func TestShufflesFollowTheirDefinitions(t *testing.T) {
	all := noise(1 << 16)
	for _, width := range []int{1, 2, 4, 8} {
		for _, n := range []int{0, 1, 7, 15, 16, 17, 64, 120, 127, 128, 129, 200, 1000, 8192 / width} {
			t.Run(fmt.Sprintf("%d x %d", n, width), func(t *testing.T) {
				src := all[:n*width]
				got, back := make([]byte, len(src)), make([]byte, len(src))
				shuffleBytes(got, src, width)
				for i := range src {
					if got[i%width*n+i/width] != src[i] {
						t.Fatalf("byte %d is not where it belongs", i)
					}
				}
				if unshuffleBytes(back, got, width); !bytes.Equal(back, src) {
					t.Fatal("the bytes do not come back")
				}
				src = src[:n&^7*width]
				got, back = got[:len(src)], back[:len(src)]
				shuffleBits(got, src, width)
				for bit := range len(src) * 8 {
					value, place := bit/8/width, bit%(8*width)
					at := place*(n&^7) + value
					if got[at/8]>>(at%8)&1 != src[bit/8]>>(bit%8)&1 {
						t.Fatalf("bit %d is not where it belongs", bit)
					}
				}
				if unshuffleBits(back, got, width); !bytes.Equal(back, src) {
					t.Fatal("the bits do not come back")
				}
			})
		}
	}
}

func TestShuffleLeavesTheRestOfAValue(t *testing.T) {
	src := noise(4*20 + 3)
	got, back := make([]byte, len(src)), make([]byte, len(src))
	shuffleBytes(got, src, 4)
	if !bytes.Equal(got[80:], src[80:]) {
		t.Errorf("the rest is %x, want %x", got[80:], src[80:])
	}
	if unshuffleBytes(back, got, 4); !bytes.Equal(back, src) {
		t.Error("the bytes do not come back")
	}
}
