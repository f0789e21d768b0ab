package fragment

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/file"
	"azulejo/vfs/mem"
)

// pagedFragment writes a fragment of so many tiles that the lists of their positions have several pages, and opens it.
func pagedFragment(t *testing.T, fs vfs.FS, uri string) func() *Reader {
	ctx, s := context.Background(), pointSchema()
	name := format.NewName(1, 1, format.Version)
	w, err := Create(ctx, fs, uri, s, name.String(), WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const tiles = manyTiles + 1000
	err = w.Append(ctx, tiles, func(tile, field int, c *Cells) error {
		data := c.MakeData(3 * []int{1, 8}[field])
		clear(data)
		if field == 0 {
			for i := range data {
				data[i] = byte(tile >> i)
			}
			clear(c.MakeValidity(3))
		}
		return nil
	})
	if err == nil {
		err = w.Finish(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() *Reader {
		r, err := Open(ctx, fs, vfs.Join(uri, "__fragments", name.String()), name, false, func(string) (*schema.Array, error) { return s, nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// TestPagesOfPositions reads tiles of which only some positions are fetched and compares the places of all with the whole
// lists.
func TestPagesOfPositions(t *testing.T) {
	ctx, uri := context.Background(), t.TempDir()
	open := pagedFragment(t, file.New(), uri)
	r := open()
	f, _, err := r.Field("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Load(ctx); err != nil {
		t.Fatal(err)
	}
	p := f.places.Load()
	kinds := map[format.FileKind][]uint64{format.FixedFile: r.footer.Parts.TileOffsets, format.ValidityFile: r.footer.Parts.ValidityOffsets}
	for kind, positions := range kinds {
		if p.files[kind].pages == nil {
			t.Fatalf("file %d has no pages", kind)
		}
		whole, err := f.numbers(ctx, positions, "list")
		if err != nil {
			t.Fatal(err)
		}
		whole = append(whole, p.files[kind].end)
		for i := range r.NumTiles() {
			if err := f.prepare(ctx, []uint64{i}, kind); err != nil {
				t.Fatal(err)
			}
			if off, n := p.extent(kind, i); off != whole[i] || n != whole[i+1]-whole[i] {
				t.Fatalf("file %d: tile %d at %d, %d bytes; want %d, %d", kind, i, off, n, whole[i], whole[i+1]-whole[i])
			}
		}
		if err := f.prepare(ctx, []uint64{r.NumTiles()}, kind); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a tile behind the last: %v", err)
		}
	}

	// A lone tile reads one page of each list.
	f, _, err = open().Field("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Load(ctx); err != nil {
		t.Fatal(err)
	}
	var files Files
	defer files.Close()
	const at = manyTiles - 77
	tile, err := f.ReadTile(ctx, &files, at, Everything)
	if err != nil {
		t.Fatal(err)
	}
	defer tile.Release()
	for i, v := range tile.Data {
		if v != byte(uint64(at)>>i) {
			t.Errorf("cell %d is %d", i, v)
		}
	}
	known := 0
	for i := range f.places.Load().files[format.FixedFile].pages.known {
		if f.places.Load().files[format.FixedFile].pages.known[i].Load() != nil {
			known++
		}
	}
	if known != 1 {
		t.Errorf("%d pages were read", known)
	}
}

// TestDamagedPages flips bits of the list of tile positions: reads say so, or find the tiles where they are.
func TestDamagedPages(t *testing.T) {
	ctx, uri := context.Background(), t.TempDir()
	open := pagedFragment(t, file.New(), uri)
	r := open()
	path := filepath.Join(r.URI(), MetadataFile)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start, n := r.footer.PartExtent(r.footer.Parts.TileOffsets[0])
	rng, refused := rand.New(rand.NewPCG(1, 2)), 0
	for range 300 {
		at := start + rng.Int64N(n)
		bit := byte(1) << rng.IntN(8)
		content[at] ^= bit
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		content[at] ^= bit
		f, _, err := open().Field("a")
		if err != nil {
			t.Fatal(err)
		}
		tile := rng.Uint64N(r.NumTiles())
		if err = f.Load(ctx); err == nil {
			var files Files
			var got *Tile
			if got, err = f.ReadTile(ctx, &files, tile, Values); err == nil {
				if got.Data[0] != byte(tile) || got.Data[1] != byte(tile>>1) {
					t.Fatalf("byte %d, bit %d: tile %d is %v", at-start, bit, tile, got.Data)
				}
				got.Release()
			}
			files.Close()
		}
		if err != nil {
			refused++
		}
	}
	if refused < 30 {
		t.Errorf("%d of 300 were noticed", refused)
	}
}

// TestLoneTiles holds what is known without the metadata of a fragment of one tile against what that says.
func TestLoneTiles(t *testing.T) {
	ctx, fs, s := context.Background(), mem.New(), pointSchema()
	name := format.NewName(1, 1, format.Version)
	w, err := Create(ctx, fs, "mem://a", s, name.String(), WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = w.Append(ctx, 1, func(_, field int, c *Cells) error {
		if field == 0 {
			clear(c.MakeData(2))
			clear(c.MakeValidity(2))
			return nil
		}
		copy(c.MakeData(16), datatype.Bytes([]int64{7, 30}))
		return nil
	})
	if err == nil {
		err = w.Finish(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(ctx, fs, "mem://a/__fragments/"+name.String(), name, false, func(string) (*schema.Array, error) { return s, nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := r.RTree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if r.end.Load() != nil {
		t.Error("the metadata was read")
	}
	err = r.part(ctx, r.footer.Parts.RTree, func(b []byte) error {
		stored, err := r.footer.DecodeRTree(b)
		if !reflect.DeepEqual(tree, stored) {
			t.Errorf("tree %v, stored is %v", tree, stored)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "d"} {
		f, _, err := r.Field(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.load(ctx)
		if err != nil {
			t.Fatal(err)
		}
		list, err := f.numbers(ctx, r.footer.Parts.TileOffsets, tileOffsetsPart)
		if err != nil || !slices.Equal(p.files[format.FixedFile].all[:1], list) {
			t.Errorf("%s: %v, stored is %v, %v", name, p.files[format.FixedFile].all, list, err)
		}
	}
}
