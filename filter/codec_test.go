package filter_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
)

func pipeline(specs ...filter.Spec) filter.Pipeline {
	return filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: specs}
}

func TestFiltersThatAreNotBuiltAreNamed(t *testing.T) {
	for _, s := range []filter.Spec{
		filter.Plain(filter.AES256GCM), {Code: 99},
	} {
		_, err := filter.NewCodec(pipeline(s), datatype.Uint8, 1)
		if !errors.Is(err, filter.ErrUnsupported) || !strings.Contains(err.Error(), s.Name()) {
			t.Errorf("%s: %v", s.Name(), err)
		}
	}
}

func TestAChecksumSaysWhereItFails(t *testing.T) {
	c, err := filter.NewCodec(pipeline(filter.Plain(filter.ChecksumMD5)), datatype.Uint8, 1)
	if err != nil {
		t.Fatal(err)
	}
	disk, err := c.Forward(nil, []byte("some values"))
	if err != nil {
		t.Fatal(err)
	}
	disk[len(disk)-1]++
	err = c.Reverse(make([]byte, 11), disk)
	if !errors.Is(err, filter.ErrCorrupt) {
		t.Fatal(err)
	}
	for _, part := range []string{"chunk 0 at byte 8", "11 bytes at byte 0 of the data", fmt.Sprintf("%x", disk[36:52])} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func TestUnfilterableValuesAreRefused(t *testing.T) {
	rising, dd := filter.Windowed(filter.PositiveDelta, 1024), filter.Compressor(filter.DoubleDelta, -1)
	for name, c := range map[string]struct {
		p      filter.Pipeline
		t      datatype.Type
		values []int64
	}{
		"falling":         {pipeline(rising), datatype.Int64, []int64{1, 2, 1}},
		"far apart":       {pipeline(dd), datatype.Int64, []int64{-1 << 63, 1<<63 - 1, 0}},
		"turning sharply": {pipeline(dd), datatype.Int64, []int64{0, 1 << 62, -1 << 61, 1 << 62}},
		"far unsigned":    {pipeline(dd), datatype.Uint64, []int64{0, -1, 5}},
	} {
		codec, err := filter.NewCodec(c.p, c.t, 8)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := codec.Forward(nil, datatype.Bytes(c.values)); !errors.Is(err, filter.ErrUnfilterable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChunksAreCutAsStated(t *testing.T) {
	for name, c := range map[string]struct {
		maxChunk       uint32
		filters        []filter.Spec
		cell, nBytes   int
		chunks, nFirst int
	}{
		"nothing":              {65536, nil, 8, 0, 1, 0},
		"one chunk":            {65536, nil, 8, 65536, 1, 65536},
		"two chunks":           {65536, nil, 8, 65544, 2, 65536},
		"whole cells":          {65536, nil, 12, 65544, 2, 65532},
		"a cell is a chunk":    {65536, nil, 70000, 140000, 2, 70000},
		"the stored size":      {1024, nil, 8, 65536, 1, 65536},
		"never":                {0, []filter.Spec{filter.Plain(filter.None)}, 8, 200000, 1, 200000},
		"the zero value, none": {0, nil, 8, 65544, 2, 65536},
	} {
		codec, err := filter.NewCodec(filter.Pipeline{MaxChunk: c.maxChunk, Filters: c.filters}, datatype.Uint8, c.cell)
		if err != nil {
			t.Fatal(err)
		}
		disk, err := codec.Forward(nil, make([]byte, c.nBytes))
		if err != nil {
			t.Fatal(err)
		}
		if n := int(binary.LittleEndian.Uint64(disk)); n != c.chunks {
			t.Errorf("%s: %d chunks, want %d", name, n, c.chunks)
		}
		if n := int(binary.LittleEndian.Uint32(disk[8:])); n != c.nFirst {
			t.Errorf("%s: the first chunk has %d bytes, want %d", name, n, c.nFirst)
		}
	}
}

func TestATileWithoutChunksIsEmpty(t *testing.T) {
	c, err := filter.NewCodec(pipeline(filter.Compressor(filter.Zstd, 1)), datatype.Int32, 4)
	if err != nil {
		t.Fatal(err)
	}
	none := make([]byte, 8)
	if err := c.Reverse(nil, none); err != nil {
		t.Error(err)
	}
	if err := c.Reverse(make([]byte, 4), none); !errors.Is(err, filter.ErrCorrupt) {
		t.Errorf("values out of nothing: %v", err)
	}
}

// TestOldVersions has the two filters that older formats used in another way.
func TestOldVersions(t *testing.T) {
	width := pipeline(filter.Windowed(filter.BitWidthReduction, 256))
	tile := datatype.Bytes([]int64{5, 6, 7})
	for version, want := range map[uint32]bool{19: true, 20: false} {
		c, err := filter.NewCodecAt(version, width, datatype.DateTimeDay, 8)
		if err != nil {
			t.Fatal(err)
		}
		disk, err := c.Forward(nil, tile)
		if err != nil || bytes.Equal(disk[20:], tile) != want {
			t.Errorf("version %d: dates as they are: %v, want %v, %v", version, !want, want, err)
		}
	}
	rle := pipeline(filter.Compressor(filter.RLE, -1))
	for version, want := range map[uint32]bool{11: false, 12: true} {
		c, err := filter.NewCodecAt(version, rle, datatype.StringASCII, 1)
		if err != nil || c.TakesOffsets() != want {
			t.Errorf("version %d: takes offsets %v, want %v, %v", version, !want, want, err)
		}
	}
}

// TestACodecServesManyGoroutines is worth its while under the race detector.
func TestACodecServesManyGoroutines(t *testing.T) {
	for _, c := range benchCases() {
		codec, disk, tile := c.prepare(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				got := datatype.AlignedBytes(len(tile))
				if err := codec.Reverse(got, disk); err != nil || !bytes.Equal(got, tile) {
					t.Errorf("%s: %v", c.name, err)
				}
				if _, err := codec.Forward(nil, tile[:8000]); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			})
		}
		wg.Wait()
	}
}
