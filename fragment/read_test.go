package fragment

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/internal/pool"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

const (
	readName  = "__7_9_0123456789abcdef0123456789abcdef_22"
	readURI   = "mem://a/__fragments/" + readName
	readTiles = 25
	// readCells is the capacity; the last tile has readLast cells.
	readCells, readLast = 12000, 7
)

// readSchema has a field of each shape: fixed, nullable, text, and text whose offsets its filter stores.
func readSchema() *schema.Array {
	zstd := filter.Pipeline{MaxChunk: 65536, Filters: []filter.Spec{filter.Compressor(filter.Zstd, 1)}}
	return &schema.Array{Name: "__1_1_00000000000000000000000000000000", Version: format.Version, Type: schema.Sparse, Capacity: readCells,
		Domain: schema.Domain{Dimensions: []schema.Dimension{{Name: "d", Type: datatype.Int64, CellValNum: 1,
			Domain: datatype.Bytes([]int64{0, 1 << 40}), Extent: datatype.Bytes([]int64{1 << 30})}}},
		OffsetsFilters: zstd,
		Attributes: []schema.Attribute{
			{Name: "a", Type: datatype.Int64, CellValNum: 1, Filters: zstd, Fill: make([]byte, 8)},
			{Name: "n", Type: datatype.Uint16, CellValNum: 1, Nullable: true, Fill: make([]byte, 2)},
			{Name: "s", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Fill: []byte{0}},
			{Name: "r", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Fill: []byte{0},
				Filters: filter.Pipeline{MaxChunk: 65536, Filters: []filter.Spec{filter.Compressor(filter.RLE, -1)}}},
		}}
}

// readText is the text of a cell.
func readText(cell int) string { return strings.Repeat("ab", cell%4) }

// writeReadable writes the fragment that these tests read: the coordinate of cell i is 3i, a is -i, n is i, null every
// fifth time.
func writeReadable(tb testing.TB, s *schema.Array) vfs.FS {
	tb.Helper()
	ctx, fs := context.Background(), mem.New()
	w, err := Create(ctx, fs, "mem://a", s, readName, WriterOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	err = w.Append(ctx, readTiles, func(tile, field int, c *Cells) error {
		first, n := tile*readCells, readCells
		if tile == readTiles-1 {
			n = readLast
		}
		f := w.Fields()[field]
		var text []byte
		if f.Var() {
			c.MakeOffsets(n)
		} else {
			c.MakeData(n * f.CellSize())
		}
		for i := range n {
			cell := first + i
			switch f.Name {
			case "d":
				binary.LittleEndian.PutUint64(c.Data[8*i:], uint64(3*cell))
			case "a":
				binary.LittleEndian.PutUint64(c.Data[8*i:], uint64(-cell))
			case "n":
				binary.LittleEndian.PutUint16(c.Data[2*i:], uint16(cell))
			default:
				c.Offsets[i] = uint64(len(text))
				text = append(text, readText(cell)...)
			}
		}
		if f.Var() {
			c.Data = text
		}
		if f.Nullable {
			for i := range c.MakeValidity(n) {
				c.Validity[i] = byte(min((first+i)%5, 1))
			}
		}
		return nil
	})
	if err == nil {
		err = w.Finish(ctx)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return fs
}

func openReadable(tb testing.TB, fs vfs.FS, s *schema.Array) (*Reader, error) {
	tb.Helper()
	name, err := format.ParseName(readName)
	if err != nil {
		tb.Fatal(err)
	}
	return Open(context.Background(), fs, readURI, name, true, func(string) (*schema.Array, error) { return s, nil }, nil)
}

func mustOpen(tb testing.TB) *Reader {
	tb.Helper()
	s := readSchema()
	r, err := openReadable(tb, writeReadable(tb, s), s)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// field returns a loaded field.
func field(tb testing.TB, r *Reader, name string) *Field {
	tb.Helper()
	f, ok, err := r.Field(name)
	if err == nil && ok {
		err = f.Load(context.Background())
	}
	if err != nil || !ok {
		tb.Fatalf("field %s: %v, %v", name, ok, err)
	}
	return f
}

func TestReaderKnowsItsTiles(t *testing.T) {
	r := mustOpen(t)
	if r.NumTiles() != readTiles || r.TileCells(0) != readCells || r.TileCells(readTiles-1) != readLast || r.Dense() {
		t.Errorf("%d tiles of %d and %d cells", r.NumTiles(), r.TileCells(0), r.TileCells(readTiles-1))
	}
	last := int64(3 * ((readTiles-1)*readCells + readLast - 1))
	if d := r.NonEmptyDomain()[0]; !bytes.Equal(d.Lo, datatype.Bytes([]int64{0})) || !bytes.Equal(d.Hi, datatype.Bytes([]int64{last})) {
		t.Errorf("non-empty domain %v", d)
	}
	if _, ok, err := r.Field("nope"); ok || err != nil {
		t.Errorf("found a field that is not there: %v, %v", ok, err)
	}
}

func TestReadTiles(t *testing.T) {
	r := mustOpen(t)
	files := &Files{Budget: pool.NewBudget(0)}
	for _, name := range []string{"d", "a", "n", "s", "r"} {
		f := field(t, r, name)
		tiles := []uint64{0, 1, 7, 8, readTiles - 1}
		seen := 0
		err := f.Read(context.Background(), files, tiles, Everything, func(i int, tile *Tile) (bool, error) {
			seen++
			for k := range tile.Cells {
				if got, want := cellText(f, tile, k), wantText(name, int(tiles[i])*readCells+k); got != want {
					return false, fmt.Errorf("tile %d, cell %d: %s, want %s", tiles[i], k, got, want)
				}
			}
			return false, nil
		})
		if err != nil || seen != len(tiles) {
			t.Errorf("field %s: %d tiles, %v", name, seen, err)
		}
	}
	if err := files.Close(); err != nil || files.Budget.Used() != 0 {
		t.Errorf("%d bytes stay booked, %v", files.Budget.Used(), err)
	}
}

// cellText is a cell of a tile as text, wantText as it should be.
func cellText(f *Field, t *Tile, i int) string {
	if f.Nullable && t.Validity[i] == 0 {
		return "null"
	}
	switch {
	case f.Name == "n":
		return fmt.Sprint(datatype.View[uint16](t.Data)[i])
	case f.Var():
		from := t.Offsets[i]
		return string(t.Data[from : from+t.CellBytes(i, uint64(len(t.Data)))])
	}
	return fmt.Sprint(datatype.View[int64](t.Data)[i])
}

func wantText(name string, cell int) string {
	switch name {
	case "d":
		return fmt.Sprint(3 * cell)
	case "a":
		return fmt.Sprint(-cell)
	case "n":
		if cell%5 == 0 {
			return "null"
		}
		return fmt.Sprint(uint16(cell))
	}
	return readText(cell)
}

func TestStatistics(t *testing.T) {
	ctx, r := context.Background(), mustOpen(t)
	a, n := field(t, r, "a"), field(t, r, "n")
	lo, hi, err := a.MinMax(ctx, 2)
	if err != nil || !bytes.Equal(lo, datatype.Bytes([]int64{-(3*readCells - 1)})) || !bytes.Equal(hi, datatype.Bytes([]int64{-2 * readCells})) {
		t.Errorf("bounds %v to %v, %v", lo, hi, err)
	}
	if sum, ok, err := a.Sum(ctx, readTiles-1); err != nil || !ok || int64(sum) != -(readLast*(readTiles-1)*readCells+21) {
		t.Errorf("sum %d, %v, %v", int64(sum), ok, err)
	}
	if nulls, ok, err := n.Nulls(ctx, 1); err != nil || !ok || nulls != readCells/5 {
		t.Errorf("%d nulls, %v, %v", nulls, ok, err)
	}
}

func TestSearch(t *testing.T) {
	r := mustOpen(t)
	d := &r.Schema().Domain.Dimensions[0]
	for _, c := range []struct {
		lo, hi int64
		want   string
	}{
		{0, 2, "0"}, {3 * readCells, 6*readCells - 1, "1!"}, {3*readCells - 3, 3 * readCells, "0 1"},
		{3*readCells - 2, 3*readCells - 1, ""}, {1 << 39, 1 << 40, ""}, {3 * 23 * readCells, 1 << 40, "23! 24!"},
	} {
		query := schema.Range{Lo: datatype.Bytes([]int64{c.lo}), Hi: datatype.Bytes([]int64{c.hi})}
		var got []string
		err := r.Search(context.Background(), func(_ int, box schema.Range) Overlap {
			switch {
			case !d.Overlaps(query, box):
				return Apart
			case d.Contains(query, box):
				return Inside
			}
			return Partly
		}, func(i uint64, inside bool) { got = append(got, fmt.Sprint(i, map[bool]string{true: "!"}[inside])) })
		if text := strings.Join(got, " "); err != nil || strings.ReplaceAll(text, " !", "!") != c.want && text != c.want {
			t.Errorf("%d to %d: tiles %q, want %q, %v", c.lo, c.hi, text, c.want, err)
		}
	}
}

// collected is a Sink that notes what it gets.
type collected struct {
	cells  map[int]uint64
	placed []byte
	chunks int
}

func (c *collected) Place(lo, hi int) []byte {
	if c.placed == nil {
		return nil
	}
	c.chunks++
	return c.placed[8*lo : 8*hi]
}

func (c *collected) Take(lo, hi int, cells []byte) {
	c.chunks++
	for i, v := range datatype.View[uint64](cells) {
		c.cells[lo+i] = v
	}
}

// sparingFS is a file system whose files like small reads; it counts the bytes read.
type sparingFS struct {
	vfs.FS
	bytes *int
}

type sparingFile struct {
	vfs.File
	bytes *int
}

func (f sparingFS) Open(ctx context.Context, uri string) (vfs.File, error) {
	file, err := f.FS.Open(ctx, uri)
	return sparingFile{file, f.bytes}, err
}

func (f sparingFile) SmallReads() bool { return true }

func (f sparingFile) ReadAt(ctx context.Context, p []byte, off int64) error {
	*f.bytes += len(p)
	return f.File.ReadAt(ctx, p, off)
}

// TestChunks reads single cells, whole tiles and nothing, and looks at how much that takes.
func TestChunks(t *testing.T) {
	s := readSchema()
	s.Attributes[0].Filters = filter.Pipeline{MaxChunk: 65536}
	nBytes := 0
	r, err := openReadable(t, sparingFS{writeReadable(t, s), &nBytes}, s)
	if err != nil {
		t.Fatal(err)
	}
	f := field(t, r, "a")
	for _, c := range []struct {
		wanted           []Run
		chunks, maxBytes int
	}{
		{[]Run{{0, readCells}}, 2, readCells*8 + 100}, {[]Run{{8191, 8192}}, 1, 65536 + 100}, {[]Run{{readCells - 1, readCells}}, 1, 32768},
		{[]Run{{8191, 8193}}, 2, readCells*8 + 100}, {[]Run{{5, 6}, {9000, 9001}}, 2, readCells*8 + 100}, {nil, 0, readCells*8 + 100},
	} {
		nBytes = 0
		sink := &collected{cells: map[int]uint64{}}
		files := &Files{}
		if err := f.Chunks(context.Background(), files, 3, format.FixedFile, c.wanted, sink); err != nil {
			t.Fatal(err)
		}
		if sink.chunks != c.chunks || nBytes > c.maxBytes {
			t.Errorf("%v: %d chunks, %d bytes read", c.wanted, sink.chunks, nBytes)
		}
		for _, run := range c.wanted {
			for i := run.Lo; i < run.Hi; i++ {
				if int64(sink.cells[i]) != -int64(3*readCells+i) {
					t.Fatalf("cell %d is %d", i, int64(sink.cells[i]))
				}
			}
		}
		placed := &collected{placed: datatype.AlignedBytes(8 * readCells)}
		if err := f.Chunks(context.Background(), files, 3, format.FixedFile, c.wanted, placed); err != nil || placed.chunks != c.chunks {
			t.Errorf("%v in place: %d chunks, %v", c.wanted, placed.chunks, err)
		}
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := f.Chunks(context.Background(), &Files{}, 3, format.FixedFile, []Run{{0, readCells + 1}}, &collected{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cells behind the tile: %v", err)
	}
}

func TestReadsOnABudget(t *testing.T) {
	r := mustOpen(t)
	files := &Files{Budget: pool.NewBudget(1000)}
	for _, name := range []string{"a", "n", "s"} {
		if _, err := field(t, r, name).ReadTile(context.Background(), files, 0, Everything); !errors.Is(err, pool.ErrBudget) {
			t.Errorf("field %s: %v", name, err)
		}
	}
	if files.Budget.Used() != 0 {
		t.Errorf("%d bytes stay booked", files.Budget.Used())
	}
}

func TestCancelledReads(t *testing.T) {
	r := mustOpen(t)
	f := field(t, r, "s")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.ReadTile(ctx, &Files{}, 0, Everything); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// readAll reads every part of a fragment as far as it can be read.
func readAll(r *Reader) error {
	ctx := context.Background()
	var errs []error
	_, err := r.RTree(ctx)
	errs = append(errs, err)
	for _, name := range r.Schema().FieldNames() {
		f, ok, err := r.Field(name)
		if err == nil && ok {
			err = f.Load(ctx)
		}
		errs = append(errs, err)
		if err != nil || !ok {
			continue
		}
		files := &Files{Budget: pool.NewBudget(64 << 20)}
		for tile := range min(r.NumTiles(), 2) {
			t, err := f.ReadTile(ctx, files, tile, Everything)
			errs = append(errs, err)
			if err == nil {
				if f.Var() && len(t.Offsets) != t.Cells || !f.Var() && len(t.Data) != t.Cells*f.CellSize() {
					errs = append(errs, errors.New("wrong length"))
				}
				t.Release()
			}
			_, _, err = f.MinMax(ctx, tile)
			errs = append(errs, err)
		}
		errs = append(errs, files.Close())
	}
	return errors.Join(errs...)
}

// damagedFS shows one file with other content.
type damagedFS struct {
	vfs.FS
	name    string
	content []byte
}

type bytesFile struct{ b []byte }

func (d damagedFS) Open(ctx context.Context, uri string) (vfs.File, error) {
	if vfs.Base(uri) == d.name {
		return bytesFile{d.content}, nil
	}
	return d.FS.Open(ctx, uri)
}

func (f bytesFile) ReadAt(_ context.Context, p []byte, off int64) error {
	if off < 0 || off > int64(len(f.b)) || copy(p, f.b[off:]) < len(p) {
		return errors.New("read past the end")
	}
	return nil
}

func (f bytesFile) Size() int64  { return int64(len(f.b)) }
func (f bytesFile) Close() error { return nil }

// smallReadable is a fragment small enough to be damaged everywhere.
func smallReadable(tb testing.TB) (vfs.FS, *schema.Array) {
	tb.Helper()
	s := readSchema()
	return writeReadable(tb, s), s
}

// TestDamagedMetadata flips bits all over the metadata file: reading ends in an error or in cells of the right number.
func TestDamagedMetadata(t *testing.T) {
	fs, s := smallReadable(t)
	good, err := vfs.ReadAll(context.Background(), fs, vfs.Join(readURI, MetadataFile))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(good); at += 1 + len(good)/100 {
		bad := slices.Clone(good)
		bad[at] ^= 0x81
		r, err := openReadable(t, damagedFS{fs, MetadataFile, bad}, s)
		if err != nil {
			continue
		}
		if err := readAll(r); err != nil && strings.Contains(err.Error(), "wrong length") {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	for _, n := range []int{0, 1, 8, 30, len(good) / 2, len(good) - 1} {
		if _, err := openReadable(t, damagedFS{fs, MetadataFile, good[:n]}, s); err == nil {
			t.Errorf("a file cut after %d bytes was opened", n)
		}
	}
}

// TestDamagedData cuts data files short: reading says so.
func TestDamagedData(t *testing.T) {
	fs, s := smallReadable(t)
	for _, name := range []string{"a0.tdb", "a1_validity.tdb", "a2.tdb", "a2_var.tdb", "d0.tdb"} {
		good, err := vfs.ReadAll(context.Background(), fs, vfs.Join(readURI, name))
		if err != nil {
			t.Fatal(err)
		}
		r, err := openReadable(t, damagedFS{fs, name, good[:len(good)-1]}, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := readAll(r); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	fs, s := smallReadable(f)
	good, err := vfs.ReadAll(context.Background(), fs, vfs.Join(readURI, MetadataFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[len(good)-400:])
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := openReadable(t, damagedFS{fs, MetadataFile, content}, s)
		if err != nil {
			return
		}
		if err := readAll(r); err != nil && strings.Contains(err.Error(), "wrong length") {
			t.Error(err)
		}
	})
}

func BenchmarkReadTile(b *testing.B) {
	r := mustOpen(b)
	f, files := field(b, r, "a"), &Files{}
	ctx := context.Background()
	read := func() {
		t, err := f.ReadTile(ctx, files, 1, Everything)
		if err != nil {
			b.Fatal(err)
		}
		t.Release()
	}
	if allocs := testing.AllocsPerRun(20, read); allocs > 12 {
		b.Errorf("%v allocations a tile", allocs)
	}
	b.SetBytes(8 * readCells)
	for b.Loop() {
		read()
	}
}
