package filter_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/bin"
)

// vector is a tile that libtiledb filtered; testdata/generate.py makes them. Raw is what it reads back, Written what it
// was given when a filter loses some of it.
type vector struct {
	Name, Pipeline, Raw, Written, Disk, OffsetsDisk []byte
	Type                                            datatype.Type
	Cell                                            int
	Exact                                           bool
	Offsets                                         []uint64
}

// UnmarshalJSON keeps the name a text; all other byte fields are base64.
func (v *vector) UnmarshalJSON(b []byte) error {
	var f struct {
		Name                                      string
		Pipeline, Raw, Written, Disk, OffsetsDisk []byte
		Type                                      datatype.Type
		Cell                                      int
		Exact                                     bool
		Offsets                                   []uint64
	}
	err := json.Unmarshal(b, &f)
	*v = vector{[]byte(f.Name), f.Pipeline, f.Raw, f.Written, f.Disk, f.OffsetsDisk, f.Type, f.Cell, f.Exact, f.Offsets}
	if f.Written == nil {
		v.Written = f.Raw
	}
	return err
}

func vectors(tb testing.TB) []vector {
	f, err := os.Open("testdata/vectors.json.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var all []vector
	if err := json.NewDecoder(z).Decode(&all); err != nil {
		tb.Fatal(err)
	}
	return all
}

// pipeline returns a vector's pipeline.
func (v *vector) pipeline(tb testing.TB) filter.Pipeline {
	r := bin.NewReader(v.Pipeline)
	p := filter.Decode(r, filter.Version)
	if r.Err() != nil || r.Len() != 0 {
		tb.Fatal(r.Err(), r.Len())
	}
	return p
}

// codec returns the codec of a vector's pipeline.
func (v *vector) codec(tb testing.TB) *filter.Codec {
	p := v.pipeline(tb)
	var w bin.Writer
	p.Encode(&w)
	if !bytes.Equal(w.B, v.Pipeline) {
		tb.Fatalf("pipeline written as %x, not %x", w.B, v.Pipeline)
	}
	if err := p.Check(v.Type, v.Offsets != nil); err != nil {
		tb.Fatal(err)
	}
	c, err := filter.NewCodec(p, v.Type, v.Cell)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestTilesOfLibtiledbReverseToTheirValues(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(string(v.Name), func(t *testing.T) {
			c := v.codec(t)
			if n, err := filter.OriginalSize(v.Disk); err != nil || n != uint64(len(v.Raw)) {
				t.Fatalf("original size %d, %v; want %d", n, err, len(v.Raw))
			}
			if v.Offsets != nil && c.TakesOffsets() {
				data, offsets, err := c.ReverseStrings(v.Disk, len(v.Offsets))
				if err != nil || !bytes.Equal(data, v.Raw) || !equal(offsets, v.Offsets) {
					t.Fatalf("%q %v, %v", data, offsets, err)
				}
				if !bytes.Equal(v.OffsetsDisk, make([]byte, 8)) {
					t.Errorf("offsets tile %x", v.OffsetsDisk)
				}
				return
			}
			got := make([]byte, len(v.Raw))
			if err := c.Reverse(got, v.Disk); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, v.Raw) {
				t.Fatalf("values\n%x\nwant\n%x", got, v.Raw)
			}
		})
	}
}

func equal(a, b []uint64) bool {
	return bytes.Equal(datatype.Bytes(a), datatype.Bytes(b))
}

func TestTilesAreWrittenAsLibtiledbWritesThem(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(string(v.Name), func(t *testing.T) {
			c := v.codec(t)
			var got []byte
			var err error
			if v.Offsets != nil {
				got, err = c.ForwardVar(nil, v.Written, v.Offsets)
			} else {
				got, err = c.Forward(nil, v.Written)
			}
			if err != nil {
				t.Fatal(err)
			}
			if v.Exact && !bytes.Equal(got, v.Disk) {
				t.Fatalf("tile\n%x\nwant\n%x", got, v.Disk)
			}
			if !v.Exact && !equal(chunkSizes(t, got), chunkSizes(t, v.Disk)) {
				t.Fatalf("chunks of %d bytes, want %d", chunkSizes(t, got), chunkSizes(t, v.Disk))
			}
		})
	}
}

// chunkSizes returns the bytes of the chunks before filtering.
func chunkSizes(t *testing.T, disk []byte) []uint64 {
	chunks, err := filter.Chunks(disk)
	if err != nil {
		t.Fatal(err)
	}
	sizes := make([]uint64, len(chunks))
	for i, c := range chunks {
		sizes[i] = uint64(c.NBytes)
	}
	if uint64(len(chunks)) != binary.LittleEndian.Uint64(disk) {
		t.Fatal("number of chunks differs")
	}
	return sizes
}
