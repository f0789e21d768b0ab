package pack

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/internal/unpack"
)

// samples returns data of the kinds that tiles hold, about n bytes each.
func samples(n int) map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	sums, noise, floats, text := make([]int32, n/4), make([]byte, n), make([]float64, n/8), strings.Builder{}
	x := int32(0)
	for i := range sums {
		x += rng.Int32N(100)
		sums[i] = x
	}
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for i := range floats {
		floats[i] = math.Round(100*(math.Sin(float64(i)/50)*20+rng.Float64())) / 100
	}
	for text.Len() < n {
		fmt.Fprintf(&text, "%d;%s;", rng.IntN(1000), []string{"Lisboa", "Porto", "Coimbra", "Faro", "Braga"}[rng.IntN(5)])
	}
	shuffled := make([]byte, n/4*4)
	for i, b := range datatype.Bytes(sums) {
		shuffled[i%4*(n/4)+i/4] = b
	}
	return map[string][]byte{"sums": datatype.Bytes(sums), "noise": noise, "floats": datatype.Bytes(floats), "text": []byte(text.String()),
		"shuffled sums": shuffled, "zeros": make([]byte, n)}
}

// checkZlib holds that a stream decodes by the standard library and by package unpack.
func checkZlib(t *testing.T, stream, want []byte) {
	t.Helper()
	r, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes come back as %d: %v", len(want), len(got), err)
	}
	out := make([]byte, len(want))
	if err := unpack.Zlib(out, stream); err != nil || !bytes.Equal(out, want) {
		t.Fatalf("%d bytes: %v", len(want), err)
	}
}

func TestZlib(t *testing.T) {
	var z Zlib
	for level := range 10 {
		for name, data := range samples(200000) {
			for _, n := range []int{0, 1, 2, 3, 4, 300, 32768, 65536, len(data)} {
				got := z.Append([]byte("before"), data[:n], level)
				if string(got[:6]) != "before" {
					t.Fatal("not appended")
				}
				t.Run(fmt.Sprintf("%s/%d/%d", name, level, n), func(t *testing.T) { checkZlib(t, got[6:], data[:n]) })
				if len(got) > n+n/1000+64 {
					t.Errorf("%s, level %d: %d bytes become %d", name, level, n, len(got)-6)
				}
			}
		}
	}
}

// TestPlacesWrap holds that an encoder that has seen 4 GiB still works.
func TestPlacesWrap(t *testing.T) {
	var z Zlib
	data := samples(70000)["text"]
	want := z.Append(nil, data, 6)
	for range 3 {
		z.base = max(z.base, 1<<32-200000)
		if got := z.Append(nil, data, 6); !bytes.Equal(got, want) {
			t.Fatal("another stream")
		}
	}
}

func FuzzZlib(f *testing.F) {
	for _, data := range samples(400) {
		f.Add(data, uint8(6))
	}
	var z Zlib
	f.Fuzz(func(t *testing.T, data []byte, level uint8) {
		data = bytes.Repeat(data, 1+len(data)%200)
		checkZlib(t, z.Append(nil, data, int(level%10)), data)
	})
}

func BenchmarkZlib(b *testing.B) {
	for name, data := range samples(65536) {
		for _, level := range []int{1, 6, 9} {
			b.Run(fmt.Sprintf("%s/%d", name, level), func(b *testing.B) {
				var z Zlib
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
