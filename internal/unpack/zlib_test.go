package unpack

import (
	"bytes"
	"compress/zlib"
	"io"
	"math/rand/v2"
	"testing"
)

// deflated returns the zlib stream of b at a level of the standard library.
func deflated(tb testing.TB, b []byte, level int) []byte {
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, level)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// samples returns byte strings of many kinds and sizes.
func samples() map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(n int, f func(i int) byte) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = f(i)
		}
		return b
	}
	skewed := func(int) byte { return byte(rng.NormFloat64() * rng.NormFloat64() * 20) }
	far := fill(70000, func(int) byte { return byte(rng.IntN(4)) })
	copy(far[60000:], far[30000:38000])
	return map[string][]byte{
		"empty": {}, "one": {7}, "zeros": make([]byte, 66000), "noise": fill(65536, func(int) byte { return byte(rng.Int()) }),
		"skewed": fill(65536, skewed), "few": fill(300, skewed), "far": far,
		"period 2": fill(5000, func(i int) byte { return byte(i % 2) }), "period 7": fill(5000, func(i int) byte { return byte(i % 7) }),
		"steps": fill(65536, func(i int) byte { return byte(i >> 3 * 5) }), "rare": fill(40000, func(i int) byte {
			if rng.IntN(1000) == 0 {
				return byte(rng.Int())
			}
			return byte(i % 3)
		}),
	}
}

func TestZlib(t *testing.T) {
	for name, b := range samples() {
		for _, level := range []int{zlib.NoCompression, zlib.BestSpeed, 6, zlib.BestCompression, zlib.HuffmanOnly} {
			src := deflated(t, b, level)
			dst := make([]byte, len(b))
			if err := Zlib(dst, src); err != nil || !bytes.Equal(dst, b) {
				t.Fatalf("%s at level %d: %v", name, level, err)
			}
			for n := 0; n < len(b); n += 1 + len(b)/20 {
				head := make([]byte, n)
				if err := ZlibHead(head, src, len(b)); err != nil || !bytes.Equal(head, b[:n]) {
					t.Fatalf("%s at level %d: the first %d bytes: %v", name, level, n, err)
				}
			}
			if Zlib(make([]byte, len(b)+1), src) == nil {
				t.Errorf("%s at level %d: a byte too many was made up", name, level)
			}
			if len(b) > 0 && Zlib(make([]byte, len(b)-1), src) == nil {
				t.Errorf("%s at level %d: a byte was lost", name, level)
			}
			if Zlib(dst, append(bytes.Clone(src), 0)) == nil {
				t.Errorf("%s at level %d: what follows the end was not seen", name, level)
			}
		}
	}
}

// FuzzZlib compares the decoder with the standard library's, and the first bytes that it makes alone with those of the whole.
func FuzzZlib(f *testing.F) {
	for _, b := range samples() {
		for _, level := range []int{zlib.NoCompression, 6, zlib.HuffmanOnly} {
			b := b[:min(len(b), 3000)]
			f.Add(deflated(f, b, level), uint16(len(b)), uint16(len(b)/2))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, n, some uint16) {
		dst, head := make([]byte, n), make([]byte, int(some)%(int(n)+1))
		err := Zlib(dst, src)
		if headErr := ZlibHead(head, src, int(n)); err == nil && (headErr != nil || !bytes.Equal(head, dst[:len(head)])) {
			t.Fatalf("the first %d of %d bytes: %v", len(head), n, headErr)
		}
		var want []byte
		r, wantErr := zlib.NewReader(bytes.NewReader(src))
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(r, 1<<17))
		}
		if err == nil && (wantErr != nil || !bytes.Equal(dst, want)) {
			t.Fatalf("inflated to %d bytes; the standard library says %v and %d bytes", n, wantErr, len(want))
		}
		if err != nil && wantErr == nil && len(want) == int(n) {
			t.Logf("the standard library takes it: %v", err)
			whole := deflated(t, want, 6)
			if err := Zlib(dst, whole); err != nil {
				t.Fatal(err)
			}
		}
	})
}
