package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zstdSamples returns frames of byte strings with long and short matches, by level.
func zstdSamples(tb testing.TB) (frames, data [][]byte) {
	all := samples()
	shuffled := make([]byte, 200000)
	for i := range shuffled {
		shuffled[i] = byte(i / 9000 * (1 + i%3000/2990*i))
	}
	all["shuffled"] = shuffled
	rng := rand.New(rand.NewPCG(5, 6))
	walk := make([]byte, 0, 40000)
	for v := 0.0; len(walk) < cap(walk); v += 0.25 * float64(rng.IntN(7)-3) {
		walk = binary.LittleEndian.AppendUint64(walk, math.Float64bits(v))
	}
	all["walk"] = walk
	// Repetitions of every short period, of all lengths.
	var periods []byte
	for n := range 600 {
		start := len(periods)
		for range 1 + n%24 {
			periods = append(periods, byte(rng.Int()))
		}
		for i := range 3 + rng.IntN(90) {
			periods = append(periods, periods[start+i])
		}
	}
	all["periods"] = periods
	all["text with runs"] = bytes.Repeat([]byte("abcdefghijklmnop, and so on for a long while; "+string(make([]byte, 300))), 700)
	for _, b := range all {
		for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
			w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false),
				zstd.WithZeroFrames(true), zstd.WithAllLitEntropyCompression(true))
			if err != nil {
				tb.Fatal(err)
			}
			frames, data = append(frames, w.EncodeAll(b, nil)), append(data, b)
		}
	}
	return frames, data
}

func TestZstd(t *testing.T) {
	frames, data := zstdSamples(t)
	shuffle := rand.New(rand.NewPCG(3, 4))
	taken := 0
	for i, src := range frames {
		dst := make([]byte, len(data[i]))
		err := Zstd(dst, src)
		if errors.Is(err, ErrLeft) {
			continue
		}
		taken++
		if err != nil || !bytes.Equal(dst, data[i]) {
			t.Fatalf("frame %d of %d bytes: %v", i, len(dst), err)
		}
		if err := Zstd(make([]byte, len(dst)+1), src); err == nil {
			t.Errorf("frame %d: a byte too many was made up", i)
		}
		for n := 0; n < len(data[i]); n += 1 + len(data[i])/20 {
			head := make([]byte, n)
			if err := ZstdHead(head, src, len(dst)); err != nil && !errors.Is(err, ErrLeft) || err == nil && !bytes.Equal(head, data[i][:n]) {
				t.Fatalf("frame %d: the first %d of %d bytes: %v", i, n, len(dst), err)
			}
		}
		for n := 6; n < len(src); n += 1 + len(src)/50 {
			if Zstd(dst, src[:n]) == nil {
				t.Fatalf("frame %d cut to %d of %d bytes passes", i, n, len(src))
			}
		}
		if !hasRunner() {
			continue
		}
		// Without assembly, and in places whose neighbours count.
		room := bytes.Repeat([]byte{0xA5}, len(dst)+64)
		for _, runner := range []bool{false, true} {
			n := shuffle.IntN(len(dst) + 1)
			if err := zstdHead(room[:n:n], src, len(dst), runner); err != nil || !bytes.Equal(room[:n], data[i][:n]) {
				t.Fatalf("frame %d: the first %d of %d bytes, runner %v: %v", i, n, len(dst), runner, err)
			}
			if behind := room[n:]; bytes.Count(behind, []byte{0xA5}) != len(behind) {
				t.Fatalf("frame %d: bytes behind the first %d of %d, runner %v", i, n, len(dst), runner)
			}
			copy(room, bytes.Repeat([]byte{0xA5}, len(room)))
		}
	}
	if taken < len(frames)/3 {
		t.Errorf("only %d of %d frames were decoded here", taken, len(frames))
	}
}

// FuzzZstd compares the decoder with the library, and the first bytes that it makes alone with those of the whole.
func FuzzZstd(f *testing.F) {
	frames, data := zstdSamples(f)
	for i, src := range frames {
		if len(src) < 5000 {
			f.Add(src, uint32(len(data[i])), uint32(len(data[i])/2))
		}
	}
	library, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte, n, some uint32) {
		if n > 1<<20 {
			return
		}
		dst, head := make([]byte, n), make([]byte, some%(n+1))
		err := Zstd(dst, src)
		headErr := ZstdHead(head, src, int(n))
		if err == nil && (headErr != nil || !bytes.Equal(head, dst[:len(head)])) {
			t.Fatalf("the first %d of %d bytes: %v", len(head), n, headErr)
		}
		if errors.Is(err, ErrLeft) && headErr != nil {
			return
		}
		want, wantErr := library.DecodeAll(src, make([]byte, 0, n+16))
		// The assembly and its twin in Go take and refuse the same.
		twin := make([]byte, n, n+n%100)
		if twinErr := zstdHead(twin, src, int(n), false); hasRunner() && ((err == nil) != (twinErr == nil) || err == nil && !bytes.Equal(dst, twin)) {
			t.Fatalf("%v with assembly, %v without", err, twinErr)
		}
		if headErr == nil && wantErr == nil && len(want) == int(n) && !bytes.Equal(head, want[:len(head)]) {
			t.Fatalf("the first %d of %d bytes are others than those of the library", len(head), n)
		}
		if errors.Is(err, ErrLeft) {
			return
		}
		if err == nil && (wantErr != nil || !bytes.Equal(dst, want)) {
			t.Fatalf("decoded to %d bytes; the library says %v and %d bytes", n, wantErr, len(want))
		}
		if err != nil && wantErr == nil && len(want) == int(n) {
			t.Fatalf("the library takes what gives %v", err)
		}
	})
}
