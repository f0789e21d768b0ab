// Package filtertest is the battery of tests that every filter and pipeline must pass: round trips over sizes and
// chunk edges, chunks on their own, texts with their offsets, and damaged input.
package filtertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
)

// Specs returns one Spec of every filter that this build can run, some with several options.
func Specs() []filter.Spec {
	specs := []filter.Spec{
		filter.Plain(filter.None), filter.Plain(filter.Bitshuffle), filter.Plain(filter.Byteshuffle),
		filter.Plain(filter.ChecksumMD5), filter.Plain(filter.ChecksumSHA256),
		filter.Windowed(filter.BitWidthReduction, 256), filter.Windowed(filter.PositiveDelta, 1024),
		filter.Windowed(filter.BitWidthReduction, 8), filter.Windowed(filter.PositiveDelta, 44), filter.Plain(filter.XOR),
	}
	for _, c := range []filter.Code{filter.RLE, filter.LZ4, filter.Delta, filter.DoubleDelta, filter.Dictionary} {
		specs = append(specs, filter.Compressor(c, -1))
	}
	for _, width := range []uint64{1, 2, 4, 8} {
		specs = append(specs, filter.Scaling(filter.FloatScaleOptions{Scale: 0.25, Offset: -3, ByteWidth: width}))
	}
	for _, level := range []int32{-7, 3, 7, 22} {
		specs = append(specs, filter.Compressor(filter.Zstd, level))
	}
	for _, level := range []int32{-1, 0, 1, 9} {
		specs = append(specs, filter.Compressor(filter.Gzip, level))
	}
	specs = append(specs, filter.Compressor(filter.Bzip2, -1), filter.Compressor(filter.Bzip2, 9))
	return specs
}

// Pipelines returns a pipeline of each of Specs and pipelines of several filters.
func Pipelines() []filter.Pipeline {
	zstd, lz4, gzip := filter.Compressor(filter.Zstd, 3), filter.Compressor(filter.LZ4, -1), filter.Compressor(filter.Gzip, 6)
	bits, bytes := filter.Plain(filter.Bitshuffle), filter.Plain(filter.Byteshuffle)
	md5, sha := filter.Plain(filter.ChecksumMD5), filter.Plain(filter.ChecksumSHA256)
	width, rising := filter.Windowed(filter.BitWidthReduction, 256), filter.Windowed(filter.PositiveDelta, 1024)
	rle, delta := filter.Compressor(filter.RLE, -1), filter.Compressor(filter.Delta, -1)
	xor, words := filter.Plain(filter.XOR), filter.Compressor(filter.Dictionary, -1)
	scale := filter.Scaling(filter.FloatScaleOptions{Scale: 0.5, Offset: 10, ByteWidth: 2})
	lists := [][]filter.Spec{
		{}, {bytes, zstd}, {bits, lz4}, {zstd, sha}, {width, zstd}, {delta, zstd}, {rising, zstd}, {md5, bits, sha},
		{bytes, md5, gzip}, {width, bytes, bits, zstd, md5}, {zstd, bits, lz4}, {rle, zstd}, {rle, bytes, md5}, {md5, width, sha},
		{xor, zstd}, {delta, xor, bits, md5}, {scale, width, zstd}, {scale, delta, xor, md5}, {words, zstd}, {words, bits, sha},
	}
	for _, s := range Specs() {
		lists = append(lists, []filter.Spec{s})
	}
	pipelines := make([]filter.Pipeline, len(lists))
	for i, l := range lists {
		pipelines[i] = filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: l}
	}
	return pipelines
}

// Name returns the filters of a pipeline and their options, for the name of a test.
func Name(p filter.Pipeline) string {
	name := ""
	for _, s := range p.Filters {
		name += "+" + s.Name()
		if level, ok := s.Level(); ok {
			name += strconv.Itoa(int(level))
		}
		if n, ok := s.MaxWindow(); ok {
			name += "." + strconv.Itoa(int(n))
		}
		if o, ok := s.Scaling(); ok {
			name += strconv.Itoa(int(o.ByteWidth))
		}
	}
	return name + "+"
}

// Values returns n values of type t, little-endian: smooth, with runs, and rising throughout when rising is set. The
// same arguments give the same bytes.
func Values(t datatype.Type, n int, rising bool) []byte {
	rng := rand.New(rand.NewPCG(uint64(t), uint64(n)))
	out := make([]byte, 0, n*t.Size())
	x := uint64(0)
	for i := range n {
		switch {
		case rising && t.Size() == 1:
			x = uint64(i * 100 / n)
		case rising || i%7 < 4:
			x += rng.Uint64N(9)
		default:
			x ^= rng.Uint64N(64)
		}
		v := x
		if t.IsFloat() && t.Size() == 8 {
			v = (x + 1000) << 40
		}
		for b := range t.Size() {
			out = append(out, byte(v>>(8*b)))
		}
	}
	return out
}

// tileFor returns n values as Values does, or values that FloatScale keeps when the pipeline has it.
func tileFor(p filter.Pipeline, t datatype.Type, n int) []byte {
	for _, s := range p.Filters {
		o, ok := s.Scaling()
		if !ok {
			continue
		}
		var out []byte
		for _, b := range Values(datatype.Int8, n, false) {
			v := o.Offset + o.Scale*float64(int8(b))
			if t.Size() == 4 {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(v)))
			} else {
				out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
			}
		}
		return out
	}
	return Values(t, n, p.Has(filter.PositiveDelta))
}

// Run runs the battery for tiles of values of type t with perCell values in a cell. Pipelines that TileDB refuses for t
// must be refused so by name.
func Run(t *testing.T, p filter.Pipeline, typ datatype.Type, perCell int) {
	if refused(t, p, typ, false) {
		return
	}
	size := typ.Size() * perCell
	c, err := filter.NewCodec(p, typ, size)
	if err != nil {
		t.Fatal(err)
	}
	edge := filter.DefaultMaxChunk / size
	counts := []int{0, 1, 2, 3, 7, 8, 9, 64, 65, 200}
	if typ == datatype.Int32 || typ == datatype.Uint8 || perCell > 1 {
		counts = append(counts, 2049, edge-1, edge, edge+1, 2*edge+5)
	}
	for _, n := range counts {
		tile := tileFor(p, typ, n*perCell)
		roundTrip(t, c, tile)
	}
	tile := tileFor(p, typ, 100*perCell)
	disk, err := c.Forward(nil, tile)
	if err != nil {
		t.Fatal(err)
	}
	damage(t, p, disk, tile, func(disk []byte) ([]byte, error) {
		got := make([]byte, len(tile))
		return got, c.Reverse(got, disk)
	})
}

// roundTrip filters a tile and reverses it whole, by chunks and into places of other sizes.
func roundTrip(t *testing.T, c *filter.Codec, tile []byte) {
	t.Helper()
	kept := bytes.Clone(tile)
	disk, err := c.Forward([]byte("before"), tile)
	if err != nil {
		t.Fatalf("%d bytes: %v", len(tile), err)
	}
	if !bytes.Equal(tile, kept) {
		t.Fatal("filtering changed the tile")
	}
	if string(disk[:6]) != "before" {
		t.Fatal("the tile was not appended")
	}
	disk = disk[6:]
	if n, err := filter.OriginalSize(disk); err != nil || n != uint64(len(tile)) {
		t.Fatalf("original size %d, %v", n, err)
	}
	// One place of each alignment within a word.
	for shift := range 2 {
		got := datatype.AlignedBytes(len(tile) + 8)[shift:][:len(tile)]
		if err := c.Reverse(got, disk); err != nil || !bytes.Equal(got, tile) {
			t.Fatalf("%d bytes at %d: %v, values equal: %v", len(tile), shift, err, bytes.Equal(got, tile))
		}
	}
	for _, n := range []int{len(tile) + 1, len(tile) - 1} {
		if n < 0 {
			continue
		}
		if err := c.Reverse(make([]byte, n), disk); !errors.Is(err, filter.ErrCorrupt) {
			t.Fatalf("reversed %d bytes into %d: %v", len(tile), n, err)
		}
	}
	chunks, err := filter.Chunks(disk)
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range slices.Backward(chunks) {
		got := make([]byte, chunk.NBytes)
		if err := c.ReverseChunk(got, disk, chunk); err != nil || !bytes.Equal(got, tile[chunk.Off:][:chunk.NBytes]) {
			t.Fatalf("chunk at %d of %d bytes: %v", chunk.Off, chunk.NBytes, err)
		}
		for _, n := range []int{0, 1, chunk.NBytes / 3, chunk.NBytes - 1} {
			if n < 0 || n > chunk.NBytes {
				continue
			}
			head := datatype.AlignedBytes(n)
			if err := c.ReverseChunk(head, disk, chunk); err != nil || !bytes.Equal(head, tile[chunk.Off:][:n]) {
				t.Fatalf("the first %d bytes of the chunk at %d of %d bytes: %v", n, chunk.Off, chunk.NBytes, err)
			}
		}
	}
}

// damage cuts the filtered tile short everywhere and flips bits all over it. Nothing may panic, every error must be
// ErrCorrupt, and a checksum that comes last must see every flip.
func damage(t *testing.T, p filter.Pipeline, disk, tile []byte, reverse func([]byte) ([]byte, error)) {
	t.Helper()
	if got, err := reverse(disk); err != nil || !bytes.Equal(got, tile) {
		t.Fatalf("undamaged: %v", err)
	}
	for n := 0; n < len(disk); n += 1 + len(disk)/100 {
		if _, err := reverse(disk[:n:n]); !errors.Is(err, filter.ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(disk), err)
		}
	}
	summed := len(p.Filters) > 0 && slices.Contains([]filter.Code{filter.ChecksumMD5, filter.ChecksumSHA256},
		p.Filters[len(p.Filters)-1].Code)
	rng := rand.New(rand.NewPCG(1, uint64(len(disk))))
	for i := range 200 {
		bit := rng.IntN(8 * len(disk))
		if i < 8*min(len(disk), 10) {
			bit = i
		}
		bad := bytes.Clone(disk)
		bad[bit/8] ^= 1 << (bit % 8)
		got, err := reverse(bad)
		switch {
		case err != nil && !errors.Is(err, filter.ErrCorrupt):
			t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
		case err == nil && summed && !bytes.Equal(got, tile):
			t.Fatalf("bit %d of byte %d: the checksum did not tell", bit%8, bit/8)
		}
	}
}

// RunImages runs the battery for lossless WebP images of a colour format, in tiles of rows of so many values, with other
// filters behind.
func RunImages(t *testing.T, layout uint8, rows, values int, behind []filter.Spec) {
	image := filter.Image(filter.WebPOptions{Format: layout, Lossless: true, Quality: 100, YExtent: uint16(rows), XExtent: uint16(values)})
	p := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: append([]filter.Spec{image}, behind...)}
	c, err := filter.NewCodec(p, datatype.Uint8, 1)
	if err != nil {
		t.Fatal(err)
	}
	tile := Values(datatype.Uint8, rows*values, false)
	roundTrip(t, c, tile)
	disk, err := c.Forward(nil, tile)
	if err != nil {
		t.Fatal(err)
	}
	damage(t, p, disk, tile, func(disk []byte) ([]byte, error) {
		got := make([]byte, len(tile))
		return got, c.Reverse(got, disk)
	})
	for _, n := range []int{0, 1, len(tile) - 1, len(tile) + 1} {
		if _, err := c.Forward(nil, make([]byte, n)); !errors.Is(err, filter.ErrUnfilterable) {
			t.Fatalf("an image of %d bytes: %v", n, err)
		}
	}
}

// Key returns a key for tests, the same every time.
func Key(tb testing.TB) *filter.Key { return key(tb, "0123456789abcdeF0123456789abcdeF") }

// OtherKey returns another one.
func OtherKey(tb testing.TB) *filter.Key { return key(tb, "11111111111111111111111111111111") }

func key(tb testing.TB, text string) *filter.Key {
	tb.Helper()
	k, err := filter.NewKey([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// refused reports whether a pipeline does not take a type, which must be said by class.
func refused(t *testing.T, p filter.Pipeline, typ datatype.Type, isVar bool) bool {
	t.Helper()
	err := p.Check(typ, isVar)
	if err == nil && !isVar && p.Has(filter.Dictionary) { // TileDB finds that out when it meets the cells
		c, made := filter.NewCodec(p, typ, typ.Size())
		if made != nil {
			t.Fatal(made)
		}
		_, err = c.Forward(nil, Values(typ, 1, false))
	}
	if err != nil && !errors.Is(err, filter.ErrUnfilterable) {
		t.Errorf("refused by %v", err)
	}
	return err != nil
}

// RunEncrypted is Run with encryption on top: every flipped bit must be found.
func RunEncrypted(t *testing.T, p filter.Pipeline, typ datatype.Type, k *filter.Key) {
	if refused(t, p, typ, false) {
		return
	}
	c, err := filter.NewCodec(p, typ, typ.Size())
	if err != nil {
		t.Fatal(err)
	}
	c = c.WithKey(k)
	edge := filter.DefaultMaxChunk / typ.Size()
	for _, n := range []int{0, 1, 7, 100, edge, edge + 1} {
		roundTrip(t, c, tileFor(p, typ, n))
	}
	tile := tileFor(p, typ, 100)
	disk, err := c.Forward(nil, tile)
	if err != nil {
		t.Fatal(err)
	}
	summed := filter.Pipeline{Filters: []filter.Spec{filter.Plain(filter.ChecksumSHA256)}}
	damage(t, summed, disk, tile, func(disk []byte) ([]byte, error) {
		got := make([]byte, len(tile))
		return got, c.Reverse(got, disk)
	})
}

// RunTexts runs the battery for texts of variable length of type STRING_ASCII or STRING_UTF8, encrypted unless the key is
// nil.
func RunTexts(t *testing.T, p filter.Pipeline, typ datatype.Type, k *filter.Key) {
	if refused(t, p, typ, true) {
		return
	}
	c, err := filter.NewCodec(p, typ, typ.Size())
	if err != nil {
		t.Fatal(err)
	}
	c = c.WithKey(k)
	for name, texts := range textCases() {
		data, offsets := Join(texts)
		disk, err := c.ForwardVar(nil, data, offsets)
		if err != nil {
			if errors.Is(err, filter.ErrUnfilterable) && p.Has(filter.PositiveDelta) {
				continue
			}
			t.Fatalf("%s: %v", name, err)
		}
		reverse := func(disk []byte) ([]byte, error) {
			if !c.TakesOffsets() {
				got := make([]byte, len(data))
				return got, c.Reverse(got, disk)
			}
			if n, err := filter.OriginalSize(disk); err == nil && n > 1<<20 {
				return nil, fmt.Errorf("%w: a size that a reader refuses", filter.ErrCorrupt)
			}
			got, starts, err := c.ReverseStrings(disk, len(offsets))
			if err == nil && (len(starts) != len(offsets) || !slices.IsSorted(starts) || starts[len(starts)-1] > uint64(len(got))) {
				t.Fatalf("%s: offsets %d in %d bytes", name, starts, len(got))
			}
			return got, err
		}
		if c.TakesOffsets() {
			if _, starts, err := c.ReverseStrings(disk, len(offsets)); err != nil || !slices.Equal(starts, offsets) {
				t.Fatalf("%s: offsets %d, want %d, %v", name, starts, offsets, err)
			}
		}
		damage(t, p, disk, data, reverse)
	}
}

// textCases returns lists of texts by what they are about.
func textCases() map[string][]string {
	long := make([]string, 70)
	for i := range long {
		long[i] = string(bytes.Repeat([]byte{byte('a' + i%20)}, 2000))
	}
	return map[string][]string{
		"one": {"x"}, "empty": {"", "", ""}, "runs": {"a", "a", "bc", "bc", "", "", "d", "a"},
		"long last": {"a", string(bytes.Repeat([]byte("z"), 300))}, "large": long,
		"many": slices.Concat(slices.Repeat([]string{"same"}, 300), []string{"other"}),
	}
}

// Join returns texts back to back and the offsets they start at.
func Join(texts []string) (data []byte, offsets []uint64) {
	for _, s := range texts {
		offsets = append(offsets, uint64(len(data)))
		data = append(data, s...)
	}
	return data, offsets
}
