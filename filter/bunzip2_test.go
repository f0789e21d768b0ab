package filter

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"io"
	"testing"
)

// bzipped returns the bzip2 stream of b.
func bzipped(tb testing.TB, b []byte, level int) []byte {
	out, err := bzip2Block{level}.compress(nil, nil, b)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestBunzip2(t *testing.T) {
	all := samples()
	all["two blocks"] = bytes.Repeat(all["skewed"], 2)
	for name, b := range all {
		for _, level := range []int{1, 9} {
			src := bzipped(t, b, level)
			dst := make([]byte, len(b))
			if err := bunzip2(dst, src); err != nil || !bytes.Equal(dst, b) {
				t.Fatalf("%s at level %d: %v", name, level, err)
			}
			if bunzip2(make([]byte, len(b)+1), src) == nil || len(b) > 0 && bunzip2(make([]byte, len(b)-1), src) == nil {
				t.Errorf("%s at level %d: a wrong size passes", name, level)
			}
			if bunzip2(dst, append(bytes.Clone(src), 0)) == nil {
				t.Errorf("%s at level %d: what follows the end was not seen", name, level)
			}
		}
	}
}

// FuzzBunzip2 compares the decoder with the standard library's.
func FuzzBunzip2(f *testing.F) {
	for _, b := range samples() {
		b := b[:min(len(b), 2000)]
		f.Add(bzipped(f, b, 1), uint16(len(b)))
	}
	f.Fuzz(func(t *testing.T, src []byte, n uint16) {
		dst := make([]byte, n)
		if err := bunzip2(dst, src); err != nil {
			return
		}
		want, err := io.ReadAll(io.LimitReader(stdbzip2.NewReader(bytes.NewReader(src)), 1<<17))
		if err != nil || !bytes.Equal(dst, want) {
			t.Fatalf("decoded to %d bytes; the standard library says %v and %d bytes", n, err, len(want))
		}
	})
}
