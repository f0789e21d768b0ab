package unpack

import (
	"bytes"
	"io"
	"testing"

	"github.com/dsnet/compress/bzip2"
)

// bzipped returns the bzip2 stream of b.
func bzipped(tb testing.TB, b []byte, level int) []byte {
	var out bytes.Buffer
	w, err := bzip2.NewWriter(&out, &bzip2.WriterConfig{Level: level})
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

func TestBzip2(t *testing.T) {
	all := samples()
	all["two blocks"] = bytes.Repeat(all["skewed"], 2)
	for name, b := range all {
		for _, level := range []int{1, 9} {
			src := bzipped(t, b, level)
			dst := make([]byte, len(b))
			if err := Bzip2(dst, src); err != nil || !bytes.Equal(dst, b) {
				t.Fatalf("%s at level %d: %v", name, level, err)
			}
			if Bzip2(make([]byte, len(b)+1), src) == nil || len(b) > 0 && Bzip2(make([]byte, len(b)-1), src) == nil {
				t.Errorf("%s at level %d: a wrong size passes", name, level)
			}
			if Bzip2(dst, append(bytes.Clone(src), 0)) == nil {
				t.Errorf("%s at level %d: what follows the end was not seen", name, level)
			}
		}
	}
}

// FuzzBzip2 compares the decoder with another one. (The standard library's refuses some streams that libbz2 takes.)
func FuzzBzip2(f *testing.F) {
	for _, b := range samples() {
		b := b[:min(len(b), 2000)]
		f.Add(bzipped(f, b, 1), uint16(len(b)))
	}
	f.Fuzz(func(t *testing.T, src []byte, n uint16) {
		dst := make([]byte, n)
		if err := Bzip2(dst, src); err != nil {
			return
		}
		r, err := bzip2.NewReader(bytes.NewReader(src), nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(io.LimitReader(r, 1<<17))
		if err != nil || !bytes.Equal(dst, want) {
			t.Fatalf("decoded to %d bytes; the other one says %v and %d bytes", n, err, len(want))
		}
	})
}
