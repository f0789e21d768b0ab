package pool

import "testing"

func TestClasses(t *testing.T) {
	last, lastSize := 0, 0
	for n := range 1 << 16 {
		class, size := classOf(n)
		if size < n || n > 1<<minBits && size > n+n/4 || class < last || class == last && lastSize != 0 && size != lastSize {
			t.Fatalf("%d bytes: class %d of %d bytes, behind class %d of %d", n, class, size, last, lastSize)
		}
		last, lastSize = class, size
	}
	for n, want := range map[int]int{1 << maxBits: len(classes) - 1, 1<<maxBits + 1: -1, 1<<maxBits - 1: len(classes) - 1} {
		if class, _ := classOf(n); class != want {
			t.Errorf("%d bytes: class %d instead of %d", n, class, want)
		}
	}
}
