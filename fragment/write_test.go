package fragment

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

func pointSchema() *schema.Array {
	return &schema.Array{Name: "__1_1_00000000000000000000000000000000", Version: format.Version, Type: schema.Sparse, Capacity: 3,
		Domain: schema.Domain{Dimensions: []schema.Dimension{{Name: "d", Type: datatype.Int64, CellValNum: 1,
			Domain: datatype.Bytes([]int64{0, 99}), Extent: datatype.Bytes([]int64{10})}}},
		Attributes: []schema.Attribute{{Name: "a", Type: datatype.Int8, CellValNum: 1, Nullable: true}}}
}

// TestWriterRefusesOddTiles names tiles that do not fit the array or each other.
func TestWriterRefusesOddTiles(t *testing.T) {
	ctx := context.Background()
	tile := func(n int) Fill {
		return func(_, field int, c *Cells) error {
			clear(c.MakeData(n * []int{1, 8}[field]))
			if field == 0 {
				clear(c.MakeValidity(n))
			}
			return nil
		}
	}
	broken := errors.New("broken")
	for _, c := range []struct {
		fills []Fill
		want  string
	}{
		{[]Fill{tile(4)}, "a tile of 4 cells, where 3 belong"},
		{[]Fill{tile(0)}, "a tile of 0 cells, where 3 belong"},
		{[]Fill{tile(2), tile(3)}, "a tile of 2 cells was followed by another"},
		{[]Fill{func(_, f int, c *Cells) error { clear(c.MakeData(24)); return nil }}, "0 validity bytes for 24 cells"},
		{[]Fill{func(_, f int, c *Cells) error { return tile(3-f)(0, f, c) }}, `field "d" has 1 tiles, the last of 2`},
		{[]Fill{func(_, f int, c *Cells) error { return broken }}, "broken"},
		{nil, "a fragment needs at least one cell"},
	} {
		fs := mem.New()
		w, err := Create(ctx, fs, "mem://a", pointSchema(), "f", WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, fill := range c.fills {
			if err == nil {
				err = w.Append(ctx, 1, fill)
			}
		}
		if err == nil {
			err = w.Finish(ctx)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "mem://a/__fragments/f") {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if again := w.Append(ctx, 1, tile(3)); again == nil {
			t.Errorf("%s: carried on", c.want)
		}
		if err := w.Abort(ctx); err != nil {
			t.Error(err)
		}
		if list, _ := fs.List(ctx, "mem://a/__fragments"); len(list) > 0 {
			t.Errorf("%s: left %v", c.want, list)
		}
	}
	if _, err := Create(ctx, mem.New(), "mem://a", pointSchema(), "f", WriterOptions{Domain: []schema.Range{{}}}); err == nil {
		t.Error("a sparse fragment with a domain")
	}
}

// TestWriterHoldsFewTiles writes far more tiles than batches exist, small ones together, and counts what is filled at a
// time.
func TestWriterHoldsFewTiles(t *testing.T) {
	ctx, fs := context.Background(), mem.New()
	w, err := Create(ctx, fs, "mem://a", pointSchema(), "f", WriterOptions{Threads: 3})
	if err != nil {
		t.Fatal(err)
	}
	const tiles = 20000
	seen := [2][tiles]bool{}
	err = w.Append(ctx, tiles, func(tile, field int, c *Cells) error {
		seen[field][tile] = true
		if field == 0 {
			copy(c.MakeData(3), []byte{byte(tile), 0, 1})
			copy(c.MakeValidity(3), []byte{1, 0, 1})
			return nil
		}
		c.MakeData(24)
		copy(c.Data, datatype.Bytes([]int64{int64(tile), int64(tile), int64(tile)}))
		return nil
	})
	if err == nil {
		err = w.Finish(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	for field := range seen {
		for tile, ok := range seen[field] {
			if !ok {
				t.Fatalf("field %d, tile %d was not asked for", field, tile)
			}
		}
	}
	if got := cap(w.idle); got != 6 || len(w.idle) != got {
		t.Errorf("%d of %d batches came back", len(w.idle), got)
	}
	m, err := w.metadata()
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []int64{0, 77, tiles - 1} {
		box := m.RTree.Leaves().Columns[0].Range(int(r), 8)
		if got := datatype.View[int64](box.Lo)[0]; got != r || m.Fields[0].NullCounts[r] != 1 {
			t.Errorf("%d: tile %d begins at %d", i, r, got)
		}
	}
}

// TestPiecesAreTheTile filters large tiles in pieces and as a whole: the bytes are the same.
func TestPiecesAreTheTile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 2<<20)
	for i := range data {
		data[i] = byte(rng.IntN(i>>17 + 1))
	}
	for _, p := range []filter.Pipeline{
		{}, schema.DefaultCoordsFilters(),
		{MaxChunk: 1, Filters: []filter.Spec{filter.Windowed(filter.BitWidthReduction, 256), filter.Plain(filter.ChecksumMD5)}},
		{MaxChunk: 0, Filters: []filter.Spec{filter.Plain(filter.Byteshuffle)}},
	} {
		for _, cellSize := range []int{12, 70000} {
			for _, n := range []int{0, 1, 65536 / cellSize * 8, 65536/cellSize*17 + 1, len(data) / cellSize} {
				var d dataFile
				if err := d.filterBy(p, datatype.Int32, cellSize); err != nil {
					t.Fatal(err)
				}
				want, err := d.forward([]byte("x"), data[:n*cellSize], 1)
				if err != nil {
					t.Fatal(err)
				}
				got, err := d.forward([]byte("x"), data[:n*cellSize], 5)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%v, %d cells of %d bytes: %v, %d bytes, want %d", p, n, cellSize, err, len(got), len(want))
				}
			}
		}
	}
}
