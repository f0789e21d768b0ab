package filter_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
)

func TestOptionsOfFloatScaleThatLibtiledbRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		o    filter.FloatScaleOptions
		ok   bool
	}{
		{"usual", filter.FloatScaleOptions{Scale: 0.25, Offset: -7, ByteWidth: 2}, true},
		{"negative scale", filter.FloatScaleOptions{Scale: -3, ByteWidth: 8}, true},
		{"smallest scale", filter.FloatScaleOptions{Scale: 0x1p-1022, ByteWidth: 1}, true},
		{"no width", filter.FloatScaleOptions{Scale: 1}, false},
		{"width 3", filter.FloatScaleOptions{Scale: 1, ByteWidth: 3}, false},
		{"width 2^32 + 1", filter.FloatScaleOptions{Scale: 1, ByteWidth: 1<<32 + 1}, false},
		{"scale 0", filter.FloatScaleOptions{ByteWidth: 4}, false},
		{"subnormal scale", filter.FloatScaleOptions{Scale: 0x1p-1023, ByteWidth: 4}, false},
		{"infinite scale", filter.FloatScaleOptions{Scale: math.Inf(-1), ByteWidth: 4}, false},
		{"scale NaN", filter.FloatScaleOptions{Scale: math.NaN(), ByteWidth: 4}, false},
		{"infinite offset", filter.FloatScaleOptions{Scale: 1, Offset: math.Inf(1), ByteWidth: 4}, false},
		{"offset NaN", filter.FloatScaleOptions{Scale: 1, Offset: math.NaN(), ByteWidth: 4}, false},
	} {
		p := pipeline(filter.Scaling(c.o))
		if err := p.Check(datatype.Float64, false); (err == nil) != c.ok || !c.ok && !errors.Is(err, filter.ErrOptions) {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := filter.NewCodec(p, datatype.Float64, 8); (err == nil) != c.ok || !c.ok && !errors.Is(err, filter.ErrOptions) {
			t.Errorf("codec, %s: %v", c.name, err)
		}
	}
}

func TestWhereFiltersMayStand(t *testing.T) {
	scale := filter.Scaling(filter.FloatScaleOptions{Scale: 1, ByteWidth: 2})
	words, zstd, xor := filter.Compressor(filter.Dictionary, -1), filter.Compressor(filter.Zstd, -1), filter.Plain(filter.XOR)
	ascii, utf8 := datatype.StringASCII, datatype.StringUTF8
	for _, c := range []struct {
		name    string
		filters []filter.Spec
		t       datatype.Type
		isVar   bool
		ok      bool
	}{
		{"dictionary of texts", []filter.Spec{words}, ascii, true, true},
		{"dictionary first", []filter.Spec{words, zstd}, utf8, true, true},
		{"dictionary second", []filter.Spec{zstd, words}, ascii, true, false},
		{"dictionary second of UTF-8", []filter.Spec{zstd, words}, utf8, true, false},
		{"dictionary second of fixed texts", []filter.Spec{zstd, words}, ascii, false, true},
		{"dictionary of numbers", []filter.Spec{words}, datatype.Int32, false, true},
		{"scale of floats", []filter.Spec{scale}, datatype.Float32, false, true},
		{"scale of any 8 bytes", []filter.Spec{scale}, datatype.DateTimeMS, false, true},
		{"scale of 2 bytes", []filter.Spec{scale}, datatype.Int16, false, false},
		{"scale of what a scale made 2 bytes", []filter.Spec{scale, scale}, datatype.Float64, false, false},
		{"double-delta of floats made integers", []filter.Spec{scale, filter.Compressor(filter.DoubleDelta, -1)}, datatype.Float64, false, true},
		{"delta of floats", []filter.Spec{filter.Compressor(filter.Delta, -1)}, datatype.Float64, false, false},
		{"delta of floats made integers", []filter.Spec{xor, filter.Compressor(filter.Delta, -1)}, datatype.Float64, false, true},
		{"widths of floats made integers", []filter.Spec{xor, filter.Windowed(filter.BitWidthReduction, 256)}, datatype.Float32, false, true},
	} {
		if err := pipeline(c.filters...).Check(c.t, c.isVar); (err == nil) != c.ok || !c.ok && !errors.Is(err, filter.ErrUnfilterable) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestPartsOfValuesAreRefused: libtiledb writes such tiles without the rest of the last value and cannot read them.
func TestPartsOfValuesAreRefused(t *testing.T) {
	for _, last := range []filter.Spec{filter.Plain(filter.XOR), filter.Scaling(filter.FloatScaleOptions{Scale: 1, ByteWidth: 4})} {
		p := pipeline(filter.Windowed(filter.BitWidthReduction, 256), last)
		c, err := filter.NewCodec(p, datatype.Int32, 4)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Forward(nil, datatype.Bytes([]int32{1, 2, 3, 4, 5})); !errors.Is(err, filter.ErrUnfilterable) {
			t.Errorf("%s: %v", last.Name(), err)
		}
	}
}

func TestDictionariesOfAnyWidthAreRead(t *testing.T) {
	c, err := filter.NewCodec(pipeline(filter.Compressor(filter.Dictionary, -1)), datatype.StringUTF8, 1)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"ab", "", "ab", "c", ""}
	for _, ids := range []int{1, 2, 4, 8} {
		for _, lengths := range []int{1, 2, 4, 8} {
			disk := dictionaryTile(ids, lengths, []int{0, 1, 0, 2, 1}, []string{"ab", "", "c"}, 5)
			data, offsets, err := c.ReverseStrings(disk, len(texts))
			if err != nil || string(data) != "ababc" || !equal(offsets, []uint64{0, 2, 2, 4, 5}) {
				t.Errorf("widths %d, %d: %q %d, %v", ids, lengths, data, offsets, err)
			}
		}
	}
	// Version 12 stored the offsets in a tile of their own as well.
	old, err := filter.NewCodecAt(12, pipeline(filter.Compressor(filter.Dictionary, -1)), datatype.StringASCII, 1)
	if err != nil || old.TakesOffsets() {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if err := old.Reverse(got, dictionaryTile(1, 1, []int{1, 0, 1}, []string{"", "abcde"}, 5)); !errors.Is(err, filter.ErrCorrupt) {
		t.Errorf("10 bytes of texts in 5: %v", err)
	}
	if err := old.Reverse(got, dictionaryTile(1, 1, []int{0, 1, 0}, []string{"", "abcde"}, 5)); err != nil || string(got) != "abcde" {
		t.Errorf("%q, %v", got, err)
	}
	for name, disk := range map[string][]byte{
		"id past the dictionary": dictionaryTile(1, 1, []int{0, 3}, []string{"ab", "", "c"}, 4),
		"more words than texts":  dictionaryTile(1, 1, []int{0, 0}, []string{"ab", "", "c"}, 4),
		"too few bytes":          dictionaryTile(1, 1, []int{0, 1}, []string{"ab", "c"}, 4),
		"too many bytes":         dictionaryTile(1, 1, []int{0, 0}, []string{"ab", "c"}, 3),
		"no dictionary":          dictionaryTile(1, 1, []int{0, 0}, nil, 0),
		"width 3":                dictionaryTile(3, 1, []int{0, 0}, []string{"ab"}, 4),
		"lengths of width 0":     dictionaryTile(1, 0, []int{0, 0}, []string{"", "a"}, 2),
	} {
		if _, _, err := c.ReverseStrings(disk, 2); !errors.Is(err, filter.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// dictionaryTile returns a tile of texts as Dictionary stores it, with numbers of any width.
func dictionaryTile(idWidth, lengthWidth int, ids []int, words []string, nBytes int) []byte {
	number := func(b []byte, n, width int) []byte {
		for i := width - 1; i >= 0; i-- {
			b = append(b, byte(n>>(8*i)))
		}
		return b
	}
	var dictionary, data []byte
	for _, w := range words {
		dictionary = append(number(dictionary, len(w), lengthWidth), w...)
	}
	for _, id := range ids {
		data = number(data, id, idWidth)
	}
	little := binary.LittleEndian
	disk := little.AppendUint64(nil, 1)
	for _, n := range []int{nBytes, len(data), 26 + len(dictionary), 0, 1, nBytes, len(data), 8 * len(ids)} {
		disk = little.AppendUint32(disk, uint32(n))
	}
	disk = append(disk, byte(idWidth), byte(lengthWidth))
	disk = append(little.AppendUint32(disk, uint32(len(dictionary))), dictionary...)
	return append(disk, data...)
}
