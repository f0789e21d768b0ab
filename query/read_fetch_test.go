package query

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/fragment"
	"azulejo/internal/pool"
	"azulejo/schema"
	"azulejo/vfs/countfs"
	"azulejo/vfs/file"
)

// These tests hold what reads fetch: they count the operations on the files of the one attribute.

// fetchWorld is an array on disk with tiles of 512 x 512 doubles, 2 MiB in 32 chunks, or with sparse tiles of 1000 cells.
type fetchWorld struct {
	*testing.T
	fs     *countfs.FS
	uri    string
	schema *schema.Array
	side   int
}

func newFetchWorld(t *testing.T, kind schema.ArrayType, side, tile int) *fetchWorld {
	t.Helper()
	return newFetchWorldOf(t, kind, side, tile, 1000)
}

func newFetchWorldOf(t *testing.T, kind schema.ArrayType, side, tile int, capacity uint64) *fetchWorld {
	t.Helper()
	w := &fetchWorld{T: t, fs: countfs.New(file.New()), uri: t.TempDir() + "/a", side: side}
	w.fs.Only = "a0.tdb"
	w.schema = schema.New(kind)
	w.schema.Capacity = capacity
	last := int64(side - 1)
	w.schema.Domain.Dimensions = []schema.Dimension{intDim("x", 0, last, int64(tile)), intDim("y", 0, last, int64(tile))}
	v := schema.NewAttribute("v", datatype.Float64, 1)
	v.Filters = filter.Pipeline{MaxChunk: 65536, Filters: []filter.Spec{filter.Compressor(filter.Zstd, 3)}}
	n := schema.NewAttribute("n", datatype.Int64, 1)
	w.schema.Attributes = []schema.Attribute{v, n}
	check(t, array.Create(context.Background(), w.fs, w.uri, w.schema))
	return w
}

// write writes noise, and the number of the write, to a box.
func (w *fetchWorld) write(seed uint64, x0, x1, y0, y1 int) []float64 {
	w.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	var values []float64
	var numbers, x, y []int64
	for i := x0; i <= x1; i++ {
		for k := y0; k <= y1; k++ {
			values = append(values, rng.Float64())
			numbers, x, y = append(numbers, int64(seed)), append(x, int64(i)), append(y, int64(k))
		}
	}
	q := &Write{Layout: schema.RowMajor, Subarray: box(int64(x0), int64(x1), int64(y0), int64(y1)), Timestamp: seed,
		Columns: []Column{{Name: "v", Data: datatype.Bytes(values)}, {Name: "n", Data: datatype.Bytes(numbers)}}}
	if w.schema.Type == schema.Sparse {
		q.Layout, q.Subarray = schema.Unordered, Subarray{}
		q.Columns = append(q.Columns, Column{Name: "x", Data: datatype.Bytes(x)}, Column{Name: "y", Data: datatype.Bytes(y)})
	}
	a, err := array.Open(context.Background(), w.fs, w.uri, array.Latest(), array.ForWriting())
	check(w.T, err)
	_, err = Submit(context.Background(), a, q)
	check(w.T, err)
	return values
}

// read opens the array and reads one field; it returns the bytes and what was done on the attribute's files.
func (w *fetchWorld) read(q *Read, opts ...array.Option) ([]byte, countfs.Counts) {
	w.Helper()
	a, err := array.Open(context.Background(), w.fs, w.uri, array.Latest(), opts...)
	check(w.T, err)
	w.fs.Reset()
	res, err := Run(context.Background(), a, q)
	check(w.T, err)
	return res.Columns[0].Data, w.fs.Reset()
}

func TestOneCellFetchesOneChunk(t *testing.T) {
	w := newFetchWorld(t, schema.Dense, 1024, 512)
	values := w.write(1, 0, 1023, 0, 1023)
	cell := &Read{Fields: wants("v"), Subarray: box(700, 700, 900, 900)}
	want := datatype.Bytes(values[700*1024+900:][:1])
	got, n := w.read(cell)
	if !bytes.Equal(got, want) || n.ReadBytes > 70<<10 || n.Opens != 1 {
		t.Errorf("%v instead of %v by %+v", got, want, n)
	}
	cache := array.NewCache(4 << 20)
	for turn, limit := range []int64{70 << 10, 70 << 10, 0, 0} {
		if got, n = w.read(cell, array.WithCache(cache)); !bytes.Equal(got, want) || n.ReadBytes > limit {
			t.Errorf("turn %d: %v by %+v", turn, got, n)
		}
	}
	if _, cells := cache.Counts(); cells.Entries != 2 || cells.NBytes > 70<<10 {
		t.Errorf("kept: %+v", cells)
	}
	// The chunk is not kept before it is whole: at first only what is in front of the cell was unfiltered.
	cache = array.NewCache(4 << 20)
	for turn, y := range []int64{600, 1000, 700, 1023} {
		got, _ = w.read(&Read{Fields: wants("v"), Subarray: box(700, 700, y, y)}, array.WithCache(cache))
		if want := datatype.Bytes(values[700*1024+y:][:1]); !bytes.Equal(got, want) {
			t.Errorf("turn %d: %v instead of %v", turn, got, want)
		}
	}
	// A row of a tile lies in one chunk, a column in all of them.
	if _, n = w.read(&Read{Fields: wants("v"), Subarray: box(5, 5, 0, 511)}); n.ReadBytes > 70<<10 {
		t.Errorf("a row: %+v", n)
	}
	if got, n = w.read(&Read{Fields: wants("v"), Subarray: box(0, 511, 7, 7)}); n.ReadBytes < 1<<20 || len(got) != 512*8 {
		t.Errorf("a column: %+v", n)
	}
}

func TestScansLeaveTheCacheAlone(t *testing.T) {
	w := newFetchWorld(t, schema.Dense, 1024, 512)
	values := w.write(1, 0, 1023, 0, 1023)
	cache := array.NewCache(4 << 20)
	cell := &Read{Fields: wants("v"), Subarray: box(700, 700, 900, 900)}
	for range 3 {
		w.read(cell, array.WithCache(cache))
	}
	for range 3 {
		if got, n := w.read(&Read{Fields: wants("v")}, array.WithCache(cache)); !bytes.Equal(got, datatype.Bytes(values)) || n.ReadBytes < 4<<20 {
			t.Errorf("all cells: %d bytes by %+v", len(got), n)
		}
	}
	if _, n := w.read(cell, array.WithCache(cache)); n != (countfs.Counts{}) {
		t.Errorf("after scans: %+v", n)
	}
}

func TestCoveredTilesAreNotFetched(t *testing.T) {
	w := newFetchWorld(t, schema.Dense, 1024, 256)
	for seed := uint64(1); seed < 4; seed++ {
		w.write(seed, 0, 1023, 0, 1023)
	}
	want := w.write(4, 0, 1023, 0, 1023)
	got, n := w.read(&Read{Fields: wants("v")})
	if size := int64(1024 * 1024 * 8); !bytes.Equal(got, datatype.Bytes(want)) || n.Opens != 1 || n.ReadBytes > size+size/50 {
		t.Errorf("one fragment of four shows, and %+v", n)
	}
	// A patch over a quarter hides just the tiles that lie in it.
	w.write(5, 0, 511, 0, 511)
	if _, n = w.read(&Read{Fields: wants("v")}); n.Opens != 2 || n.ReadBytes > 1024*1024*8*51/50 {
		t.Errorf("with a patch: %+v", n)
	}
}

func TestNeighboursAreFetchedTogether(t *testing.T) {
	w := newFetchWorld(t, schema.Sparse, 200, 200)
	w.write(1, 0, 199, 0, 199) // 40 tiles of 8 kB
	got, n := w.read(&Read{Fields: wants("v"), Layout: schema.Unordered, Threads: 1})
	if len(got) != 200*200*8 || n.Reads > 2 || n.ReadBytes > 200*200*8*11/10 {
		t.Errorf("%d bytes by %+v", len(got), n)
	}
}

func TestConditionsSkipTiles(t *testing.T) {
	for _, kind := range []schema.ArrayType{schema.Dense, schema.Sparse} {
		w := newFetchWorld(t, kind, 512, 128)
		w.write(1, 0, 255, 0, 511)
		w.write(2, 256, 511, 0, 511)
		w.fs.Only = ".tdb"
		cond := func(v int64) *condition.Node {
			return &condition.Node{Op: condition.GT, Field: "n", Value: datatype.Bytes([]int64{v})}
		}
		layout := schema.RowMajor
		if kind == schema.Sparse {
			layout = schema.Unordered
		}
		_, none := w.read(&Read{Fields: wants("v"), Condition: cond(2), Layout: layout})
		_, half := w.read(&Read{Fields: wants("v"), Condition: cond(1), Layout: layout})
		_, all := w.read(&Read{Fields: wants("v"), Condition: cond(0), Layout: layout})
		if none.ReadBytes > 20<<10 {
			t.Errorf("%v: nothing can satisfy the condition, and %+v", kind, none)
		}
		if kind == schema.Sparse && half.ReadBytes > all.ReadBytes*6/10 {
			t.Errorf("%v: half the tiles can, and %+v; all: %+v", kind, half, all)
		}
	}
}

func TestFewCellsOfATileNeedFewChunks(t *testing.T) {
	w := newFetchWorldOf(t, schema.Sparse, 200, 200, 20_000)
	values := w.write(1, 0, 199, 0, 199) // 2 tiles of 160 kB in 3 chunks
	for _, layout := range []schema.Layout{schema.RowMajor, schema.Unordered} {
		q := &Read{Layout: layout, Fields: wants("v", "n", "x", "y"), Subarray: box(0, 0, 5, 7)}
		var want []float64
		q.Subarray.Ranges[0] = nil
		for _, x := range []int{3, 10, 190} {
			b := datatype.Bytes([]int64{int64(x)})
			q.Subarray.Ranges[0] = append(q.Subarray.Ranges[0], schema.Range{Lo: b, Hi: b})
			want = append(want, values[x*200+5:x*200+8]...)
		}
		if got, n := w.read(q); !bytes.Equal(got, datatype.Bytes(want)) || n.ReadBytes > 3*66<<10 {
			t.Errorf("%v: %v instead of %v by %+v", layout, datatype.View[float64](got), want, n)
		}
	}
}

// A query finds the chunks that two queries before it read, in whatever part of the tile they are, without being given a
// cache; a budget is for what a query holds, so that such queries keep nothing.
func TestOneOpenArrayKeepsWhatIsReadAgain(t *testing.T) {
	w := newFetchWorld(t, schema.Dense, 1024, 512)
	values := w.write(1, 0, 1023, 0, 1023)
	a, err := array.Open(context.Background(), w.fs, w.uri, array.Latest())
	check(t, err)
	window := func(x int64, budget *pool.Budget) countfs.Counts {
		w.fs.Reset()
		res, err := Run(context.Background(), a, &Read{Fields: wants("v"), Subarray: box(x, x+99, 0, 0), Budget: budget})
		check(t, err)
		if got := datatype.View[float64](res.Columns[0].Data); got[0] != values[x*1024] || got[99] != values[(x+99)*1024] {
			t.Errorf("rows from %d: %v", x, got)
		}
		return w.fs.Reset()
	}
	for range 3 {
		if n := window(100, pool.NewBudget(64<<20)); n.ReadBytes < 7*64<<10 {
			t.Errorf("with a budget: %+v", n)
		}
	}
	window(100, nil)
	window(100, nil)
	if n := window(100, nil); n != (countfs.Counts{}) {
		t.Errorf("the third time: %+v", n)
	}
	// Three chunks more than those that are kept, by one read.
	if n := window(150, nil); n.Reads != 1 || n.ReadBytes > 4*66<<10 {
		t.Errorf("further on: %+v", n)
	}
}

func TestThousandsOfRanges(t *testing.T) {
	for _, kind := range []schema.ArrayType{schema.Dense, schema.Sparse} {
		w := newFetchWorld(t, kind, 1000, 100)
		values := w.write(1, 0, 999, 0, 199)
		q := &Read{Fields: wants("v"), Subarray: Subarray{Ranges: make([][]schema.Range, 2)}}
		var want []float64
		for i := range 500 {
			x := datatype.Bytes([]int64{int64(2 * i)})
			q.Subarray.Ranges[0] = append(q.Subarray.Ranges[0], schema.Range{Lo: x, Hi: x})
		}
		for k := range 100 {
			y := datatype.Bytes([]int64{int64(2 * k)})
			q.Subarray.Ranges[1] = append(q.Subarray.Ranges[1], schema.Range{Lo: y, Hi: y})
		}
		for i := range 500 {
			for k := range 100 {
				want = append(want, values[2*i*200+2*k])
			}
		}
		// The files are fetched about once, not once a range.
		got, n := w.read(q)
		if !bytes.Equal(got, datatype.Bytes(want)) || n.ReadBytes > 1000*200*8*11/10 {
			t.Errorf("%v: %d cells by %+v", kind, len(got)/8, n)
		}
	}
}

// A tile that several slabs share is read again after a reading that was called off: that of a wave without memory.
func TestSharedTilesOutliveAFailure(t *testing.T) {
	w := newFetchWorld(t, schema.Sparse, 50, 50)
	w.write(1, 0, 49, 0, 49)
	a, err := array.Open(context.Background(), w.fs, w.uri, array.Latest())
	check(t, err)
	field, _, err := a.Fragments()[0].Field("v")
	check(t, err)
	check(t, field.Load(context.Background()))
	off, cancel := context.WithCancel(context.Background())
	cancel()
	var files fragment.Files
	defer files.Close()
	shared := newSharedTile(2)
	if _, err := shared.get(off, &files, field, 0); err == nil {
		t.Error("read after it was called off")
	}
	if tile, err := shared.get(context.Background(), &files, field, 0); err != nil || tile.Cells != 1000 {
		t.Errorf("%v, %v", tile, err)
	}
	shared.free()
}
