package filter_test

import (
	"fmt"
	"math"
	"runtime/debug"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
)

// benchCase is one of the pipelines that the comparison with libtiledb reads (engine-codecs).
type benchCase struct {
	name    string
	t       datatype.Type
	filters []filter.Spec
}

func benchCases() []benchCase {
	zstd, lz4 := filter.Compressor(filter.Zstd, 3), filter.Compressor(filter.LZ4, -1)
	f64, i32 := datatype.Float64, datatype.Int32
	return []benchCase{
		{"none", f64, nil}, {"zstd", f64, []filter.Spec{zstd}}, {"gzip", f64, []filter.Spec{filter.Compressor(filter.Gzip, 6)}},
		{"lz4", f64, []filter.Spec{lz4}}, {"bzip2", f64, []filter.Spec{filter.Compressor(filter.Bzip2, -1)}},
		{"rle", datatype.Uint8, []filter.Spec{filter.Compressor(filter.RLE, -1)}},
		{"byteshuffle+zstd", f64, []filter.Spec{filter.Plain(filter.Byteshuffle), zstd}},
		{"bitshuffle+lz4", f64, []filter.Spec{filter.Plain(filter.Bitshuffle), lz4}},
		{"zstd+sha256", f64, []filter.Spec{zstd, filter.Plain(filter.ChecksumSHA256)}},
		{"zstd+md5", f64, []filter.Spec{zstd, filter.Plain(filter.ChecksumMD5)}},
		{"bitwidth+zstd", i32, []filter.Spec{filter.Windowed(filter.BitWidthReduction, 256), zstd}},
		{"delta+zstd", i32, []filter.Spec{filter.Compressor(filter.Delta, -1), zstd}},
		{"doubledelta", i32, []filter.Spec{filter.Compressor(filter.DoubleDelta, -1)}},
		{"positivedelta+zstd", i32, []filter.Spec{filter.Windowed(filter.PositiveDelta, 1024), zstd}},
		{"byteshuffle", f64, []filter.Spec{filter.Plain(filter.Byteshuffle)}},
		{"byteshuffle", i32, []filter.Spec{filter.Plain(filter.Byteshuffle)}},
		{"byteshuffle", datatype.Int16, []filter.Spec{filter.Plain(filter.Byteshuffle)}},
		{"bitshuffle", f64, []filter.Spec{filter.Plain(filter.Bitshuffle)}},
		{"bitshuffle", i32, []filter.Spec{filter.Plain(filter.Bitshuffle)}},
		{"bitshuffle", datatype.Uint8, []filter.Spec{filter.Plain(filter.Bitshuffle)}},
		{"bitwidth", i32, []filter.Spec{filter.Windowed(filter.BitWidthReduction, 256)}},
		{"xor", f64, []filter.Spec{filter.Plain(filter.XOR)}},
		{"floatscale", f64, []filter.Spec{filter.Scaling(filter.FloatScaleOptions{Scale: 0.01, ByteWidth: 4})}},
	}
}

// benchTile returns 512 KiB of values like those of the comparison: a smooth plane with noise.
func benchTile(c benchCase) []byte {
	const nBytes = 512 << 10
	switch c.t.Size() {
	case 8:
		v := make([]float64, nBytes/8)
		for i := range v {
			v[i] = math.Round(100*(math.Sin(float64(i%256)/40)*20+math.Cos(float64(i/256)/30)*10)) / 100
		}
		return datatype.Bytes(v)
	case 4:
		v := make([]int32, nBytes/4)
		for i := range v {
			v[i] = int32(i)
			if c.name != "positivedelta+zstd" {
				v[i] = int32(640*(math.Sin(float64(i%256)/40)*20+math.Cos(float64(i/256)/30)*10)) + int32(i*7%5)
			}
		}
		return datatype.Bytes(v)
	}
	v := make([]uint8, nBytes)
	for i := range v {
		v[i] = uint8(math.Sin(float64(i)/50)*60 + float64(i*7919%3))
	}
	return v
}

func BenchmarkReverse(b *testing.B) {
	for _, c := range benchCases() {
		b.Run(fmt.Sprintf("%s/%s", c.name, c.t), func(b *testing.B) {
			codec, disk, tile := c.prepare(b)
			dst := datatype.AlignedBytes(len(tile))
			b.SetBytes(int64(len(tile)))
			b.ReportAllocs()
			for b.Loop() {
				if err := codec.Reverse(dst, disk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkForward(b *testing.B) {
	for _, c := range benchCases() {
		b.Run(fmt.Sprintf("%s/%s", c.name, c.t), func(b *testing.B) {
			codec, disk, tile := c.prepare(b)
			b.SetBytes(int64(len(tile)))
			b.ReportMetric(float64(len(tile))/float64(len(disk)), "ratio")
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if disk, err = codec.Forward(disk[:0], tile); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// prepare returns the codec of a case, a tile and its filtered form.
func (c benchCase) prepare(tb testing.TB) (codec *filter.Codec, disk, tile []byte) {
	codec, err := filter.NewCodec(filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: c.filters}, c.t, c.t.Size())
	if err != nil {
		tb.Fatal(err)
	}
	tile = benchTile(c)
	disk, err = codec.Forward(nil, tile)
	if err != nil {
		tb.Fatal(err)
	}
	// A filter that loses something keeps what comes back from it.
	if err := codec.Reverse(tile, disk); err != nil {
		tb.Fatal(err)
	}
	return codec, disk, tile
}

// TestReverseAllocatesNothing holds for every pipeline whose libraries allow it, once their pools are warm.
func TestReverseAllocatesNothing(t *testing.T) {
	if raceEnabled {
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would empty the pools
	for _, c := range benchCases() {
		codec, disk, tile := c.prepare(t)
		dst := datatype.AlignedBytes(len(tile))
		n := testing.AllocsPerRun(20, func() {
			if err := codec.Reverse(dst, disk); err != nil {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("%s: %g allocations for %d chunks", c.name, n, len(tile)/filter.DefaultMaxChunk)
		}
	}
}
