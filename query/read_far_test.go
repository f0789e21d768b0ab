package query

import (
	"bytes"
	"context"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/internal/pool"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/bucket"
	"azulejo/vfs/countfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

// distant is a backend whose requests cost as much as gap bytes.
type distant struct {
	*countfs.FS
	gap int64
}

// GapBytes implements vfs.Gapper.
func (d distant) GapBytes(string) int64 { return d.gap }

// TestNearRangesBecomeOneRequest reads every other tile of 64 KiB: where a request costs more than 64 KiB, what lies
// between is fetched too.
func TestNearRangesBecomeOneRequest(t *testing.T) {
	ctx := context.Background()
	const tiles, cells = 20, 8192
	store := mem.New()
	s := schema.New(schema.Sparse)
	s.Capacity = cells
	s.Domain.Dimensions = []schema.Dimension{intDim("x", 0, tiles*cells-1, cells)}
	s.Attributes = []schema.Attribute{schema.NewAttribute("v", datatype.Int64, 1)}
	check(t, array.Create(ctx, store, "mem://a", s))
	values := make([]int64, tiles*cells)
	for i := range values {
		values[i] = int64(i)
	}
	a, err := array.Open(ctx, store, "mem://a", array.Latest(), array.ForWriting())
	check(t, err)
	_, err = Submit(ctx, a, &Write{Layout: schema.Unordered,
		Columns: []Column{{Name: "x", Data: datatype.Bytes(values)}, {Name: "v", Data: datatype.Bytes(values)}}})
	check(t, err)
	var sub Subarray
	sub.Ranges = make([][]schema.Range, 1)
	for tile := int64(0); tile < tiles; tile += 2 {
		lo, hi := tile*cells, tile*cells+cells-1
		sub.Ranges[0] = append(sub.Ranges[0], schema.Range{Lo: datatype.Bytes([]int64{lo}), Hi: datatype.Bytes([]int64{hi})})
	}
	var results [2][]byte
	var reads [2]int
	for i, gap := range []int64{1 << 10, 1 << 20} {
		fs := distant{countfs.New(store), gap}
		fs.Only = "a0.tdb"
		a, err := array.Open(ctx, vfs.FS(fs), "mem://a", array.Latest())
		check(t, err)
		fs.Reset()
		res, err := Run(ctx, a, &Read{Layout: schema.Unordered, Fields: wants("v"), Subarray: sub})
		check(t, err)
		results[i], reads[i] = res.Columns[0].Data, fs.Reset().Reads
		if len(results[i]) != tiles/2*cells*8 {
			t.Fatalf("%d bytes, want those of half the tiles", len(results[i]))
		}
	}
	if !bytes.Equal(results[0], results[1]) {
		t.Error("the gap changes the result")
	}
	if reads[0] != tiles/2 || reads[1] > 2 {
		t.Errorf("%d and %d requests, want %d and at most 2", reads[0], reads[1], tiles/2)
	}
}

// TestTilesOfADenseReadBecomeOneRequest reads a dense array of 64 tiles of 64 KiB from an object store: its files take a
// request for opening and one for every 4 MiB, also when the budget has room for a part of it only.
func TestTilesOfADenseReadBecomeOneRequest(t *testing.T) {
	ctx := context.Background()
	const tiles, cells = 64, 8192
	store := faultfs.NewStore()
	fs := bucket.New(store, store.Options(), "s")
	s := schema.New(schema.Dense)
	s.Domain.Dimensions = []schema.Dimension{intDim("x", 0, tiles*cells-1, cells)}
	nullable := schema.NewAttribute("n", datatype.Int64, 1)
	nullable.Nullable = true
	s.Attributes = []schema.Attribute{schema.NewAttribute("v", datatype.Int64, 1), nullable}
	check(t, array.Create(ctx, fs, "s://b/a", s))
	values := make([]int64, tiles*cells)
	for i := range values {
		values[i] = int64(i)
	}
	valid := bytes.Repeat([]byte{1}, len(values))
	a, err := array.Open(ctx, fs, "s://b/a", array.Latest(), array.ForWriting())
	check(t, err)
	_, err = Submit(ctx, a, &Write{Layout: schema.RowMajor,
		Columns: []Column{{Name: "v", Data: datatype.Bytes(values)}, {Name: "n", Data: datatype.Bytes(values), Validity: valid}}})
	check(t, err)
	a, err = array.Open(ctx, fs, "s://b/a", array.Latest())
	check(t, err)
	for _, c := range []struct {
		budget *pool.Budget
		most   int
	}{{nil, 9}, {pool.NewBudget(12 << 20), 1000}} {
		before := len(store.Ops())
		res, err := Run(ctx, a, &Read{Layout: schema.RowMajor, Fields: wants("v", "n"), Budget: c.budget})
		check(t, err)
		if n := res.Cells * 8; !bytes.Equal(res.Columns[0].Data, datatype.Bytes(values)[:n]) || !bytes.Equal(res.Columns[1].Data, datatype.Bytes(values)[:n]) {
			t.Error("wrong cells")
		}
		if n := len(store.Ops()) - before; n > c.most || res.Cells == 0 {
			t.Errorf("%d requests for %d cells, want at most %d", n, res.Cells, c.most)
		}
	}
}
