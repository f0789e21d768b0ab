package pack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"azulejo/internal/unpack"
)

// checkZstd holds that a frame decodes by the library and, where it takes it, by package unpack.
func checkZstd(t *testing.T, frame, want []byte) {
	t.Helper()
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := d.DecodeAll(frame, nil)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes come back as %d: %v", len(want), len(got), err)
	}
	var h zstd.Header
	if err := h.Decode(frame); err != nil || !h.HasFCS || h.FrameContentSize != uint64(len(want)) || h.HasCheckSum {
		t.Fatalf("header %+v, %v", h, err)
	}
	out := make([]byte, len(want))
	if err := unpack.Zstd(out, frame); err != nil && err != unpack.ErrLeft || err == nil && !bytes.Equal(out, want) {
		t.Fatalf("%d bytes: %v", len(want), err)
	}
}

func TestZstd(t *testing.T) {
	var z Zstd
	for _, level := range []int{-7, 1, 2, 3, 5, 7, 9, 12, 22} {
		for name, data := range samples(400000) {
			for _, n := range []int{0, 1, 2, 3, 4, 11, 12, 13, 255, 256, 300, 1500, 32768, 65536, 65792, 131072, 131073, len(data)} {
				got := z.Append([]byte("before"), data[:n], level)
				if string(got[:6]) != "before" {
					t.Fatal("not appended")
				}
				t.Run(fmt.Sprintf("%s/%d/%d", name, level, n), func(t *testing.T) { checkZstd(t, got[6:], data[:n]) })
				if len(got)-6 > n+n/128+32 {
					t.Errorf("%s, level %d: %d bytes become %d", name, level, n, len(got)-6)
				}
			}
		}
	}
}

// TestZstdOfFewSymbols tries literals of every number of different bytes, which their descriptions depend on.
func TestZstdOfFewSymbols(t *testing.T) {
	var z Zstd
	rng := rand.New(rand.NewPCG(7, 7))
	for used := 1; used <= 256; used += 1 + used/40 {
		for _, n := range []int{70, 900, 1100, 20000, 70000} {
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(255 - rng.IntN(used)*rng.IntN(2)*(1+rng.IntN(2))/2)
			}
			checkZstd(t, z.Append(nil, data, 3), data)
		}
	}
}

// TestZstdPlacesWrap holds that an encoder that has seen 4 GiB still works.
func TestZstdPlacesWrap(t *testing.T) {
	for _, level := range []int{1, 3, 7} {
		var z Zstd
		data := samples(70000)["text"]
		want := z.Append(nil, data, level)
		for range 3 {
			z.base = max(z.base, 1<<32-100000)
			if got := z.Append(nil, data, level); !bytes.Equal(got, want) {
				t.Fatal("another frame")
			}
		}
	}
}

func FuzzZstd(f *testing.F) {
	for _, data := range samples(400) {
		f.Add(data, int8(3))
	}
	var z Zstd
	f.Fuzz(func(t *testing.T, data []byte, level int8) {
		data = bytes.Repeat(data, 1+len(data)%500)
		checkZstd(t, z.Append(nil, data, int(level)), data)
	})
}

func BenchmarkZstd(b *testing.B) {
	for name, data := range samples(65536) {
		for _, level := range []int{1, 3, 7} {
			b.Run(fmt.Sprintf("%s/%d", name, level), func(b *testing.B) {
				var z Zstd
				var out []byte
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					out = z.Append(out[:0], data, level)
				}
				b.ReportMetric(float64(len(data))/float64(len(out)), "ratio")
			})
		}
	}
}
