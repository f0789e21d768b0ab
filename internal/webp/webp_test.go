package webp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// stored is an image that libtiledb stored; see testdata/make.py.
type stored struct {
	Name          string
	Height, Width int
	Layout        Layout
	File, Pixels  []byte
}

func readStored(tb testing.TB) (images []stored) {
	content, err := os.ReadFile("testdata/images.json")
	if err == nil {
		err = json.Unmarshal(content, &images)
	}
	if err != nil || len(images) == 0 {
		tb.Fatal(len(images), err)
	}
	return images
}

// TestDecodesAsTileDB holds that every byte is the one that libtiledb reads.
func TestDecodesAsTileDB(t *testing.T) {
	for _, m := range readStored(t) {
		got := make([]byte, len(m.Pixels))
		if err := Decode(got, m.File, m.Width, m.Height, m.Layout); err != nil || !bytes.Equal(got, m.Pixels) {
			t.Errorf("%s: %v, pixels\n%d, want\n%d", m.Name, err, got, m.Pixels)
		}
	}
}

// noise returns an image of n bytes: noise, a slope or one colour, with transparent pixels.
func noise(rng *rand.Rand, n, kind int) []byte {
	pixels := make([]byte, n)
	for i := range pixels {
		switch kind {
		case 0:
			pixels[i] = byte(rng.IntN(256))
		case 1:
			pixels[i] = byte(i/37 + rng.IntN(3))
		case 2:
			pixels[i] = 77
		default:
			pixels[i] = byte(rng.IntN(256) * (i / 64 % 2))
		}
	}
	return pixels
}

func TestLossless(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, size := range [][2]int{{1, 1}, {1, 9}, {9, 1}, {2, 2}, {16, 16}, {17, 15}, {100, 31}, {MaxSide, 1}, {1, MaxSide}, {256, 256}} {
		for l := RGB; l <= BGRA; l++ {
			for kind := range 4 {
				pixels := noise(rng, size[0]*size[1]*l.Depth(), kind)
				kept := bytes.Clone(pixels)
				file := AppendLossless([]byte("before"), pixels, size[0], size[1], l)
				got := make([]byte, len(pixels))
				if err := Decode(got, file[6:], size[0], size[1], l); err != nil || !bytes.Equal(got, pixels) || !bytes.Equal(kept, pixels) {
					t.Errorf("%d of layout %d, kind %d: %v, equal: %v", size, l, kind, err, bytes.Equal(got, pixels))
				}
				if kind == 2 && len(pixels) > 5000 && len(file) > len(pixels)/20 {
					t.Errorf("one colour of %d bytes takes %d", len(pixels), len(file))
				}
			}
		}
	}
}

func TestLossy(t *testing.T) {
	const width, height = 33, 20
	for l := RGB; l <= BGRA; l++ {
		pixels := make([]byte, width*height*l.Depth())
		for i := range pixels {
			pixels[i] = byte(i / 30)
			if i%4 == 3 && l.Depth() == 4 {
				pixels[i] = byte(100 + i/100)
			}
		}
		file, err := AppendLossy([]byte("x"), pixels, width, height, l, 90)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(pixels))
		if err := Decode(got, file[1:], width, height, l); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if d := int(got[i]) - int(pixels[i]); d*d > 30*30 || l.Depth() == 4 && i%4 == 3 && d != 0 {
				t.Fatalf("layout %d: byte %d is %d, was %d", l, i, got[i], pixels[i])
			}
		}
	}
}

func TestOtherSizesAreRefused(t *testing.T) {
	for _, m := range readStored(t)[:20] {
		for _, size := range [][2]int{{m.Width + 1, m.Height}, {m.Width, m.Height + 1}, {m.Width * m.Height, 1}} {
			if size == [2]int{m.Width, m.Height} {
				continue
			}
			if err := Decode(make([]byte, size[0]*size[1]*m.Layout.Depth()), m.File, size[0], size[1], m.Layout); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s as %d: %v", m.Name, size, err)
			}
		}
	}
	if err := Decode(make([]byte, 2), readStored(t)[0].File, 1, 1, RGB); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range readStored(f) {
		f.Add(m.File, uint8(m.Width), uint8(m.Height), uint8(m.Layout))
	}
	f.Fuzz(func(t *testing.T, file []byte, w, h, layout uint8) {
		l := Layout(layout%4 + 1)
		if err := Decode(make([]byte, int(w)*int(h)*l.Depth()), file, int(w), int(h), l); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func FuzzLossless(f *testing.F) {
	f.Add([]byte("abcabcabcabcabd"), uint8(5), uint8(1))
	f.Fuzz(func(t *testing.T, pixels []byte, w, layout uint8) {
		l, width := Layout(layout%4+1), int(w)+1
		height := len(pixels) / (width * l.Depth())
		if height == 0 || height > MaxSide {
			return
		}
		pixels = pixels[:width*height*l.Depth()]
		got := make([]byte, len(pixels))
		if err := Decode(got, AppendLossless(nil, pixels, width, height, l), width, height, l); err != nil || !bytes.Equal(got, pixels) {
			t.Fatal(err, got)
		}
	})
}

func BenchmarkLossless(b *testing.B) {
	pixels := noise(rand.New(rand.NewPCG(1, 1)), 512*512*3, 1)
	b.SetBytes(int64(len(pixels)))
	size := 0
	for b.Loop() {
		size = len(AppendLossless(nil, pixels, 512, 512, RGB))
	}
	b.ReportMetric(float64(size)/float64(len(pixels)), "ratio")
}

func BenchmarkDecode(b *testing.B) {
	pixels := noise(rand.New(rand.NewPCG(1, 1)), 512*512*3, 1)
	lossy, err := AppendLossy(nil, pixels, 512, 512, RGB, 80)
	if err != nil {
		b.Fatal(err)
	}
	for name, file := range map[string][]byte{"lossless": AppendLossless(nil, pixels, 512, 512, RGB), "lossy": lossy} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(pixels)))
			for b.Loop() {
				if err := Decode(pixels, file, 512, 512, RGB); err != nil {
					b.Fatal(fmt.Errorf("%s: %w", name, err))
				}
			}
		})
	}
}
