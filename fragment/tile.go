package fragment

import (
	"context"
	"fmt"
	"math"
	"slices"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/internal/pool"
	"azulejo/vfs"
)

// Parts says which parts of a tile to read.
type Parts uint8

// The parts of a tile.
const (
	// Values are fixed cells, or the values of var cells.
	Values Parts = 1 << iota
	// Offsets are the positions of var cells; fixed fields have none.
	Offsets
	// Validity is a byte per cell of a nullable field; others have none.
	Validity
	// Everything a field has.
	Everything = Values | Offsets | Validity
)

// Tile holds the cells of one field of one tile, in lent memory until Release.
type Tile struct {
	// Cells is the number of cells.
	Cells int
	// Data has fixed cells back to back, or the values of var cells.
	Data []byte
	// Offsets has the position in Data of every var cell, without an extra element: they rise from 0 and do not pass the
	// field's VarBytes of the tile.
	Offsets []uint64
	// Validity has a byte per cell, 0 for null; nil unless the field is nullable.
	Validity []byte

	files *Files
	lent  [3]*pool.Buffer
	bytes [3]int
}

// Release gives the memory back; the tile must not be used afterwards.
func (t *Tile) Release() {
	for i, b := range t.lent {
		t.files.giveBack(b, t.bytes[i])
		t.lent[i] = nil
	}
	t.Data, t.Offsets, t.Validity = nil, nil, nil
}

// lend takes memory for one part of the tile.
func (t *Tile) lend(kind format.FileKind, n int) ([]byte, error) {
	b, err := t.files.lend(n)
	if err != nil {
		return nil, err
	}
	t.lent[kind], t.bytes[kind] = b, n
	return b.B, nil
}

// readRun is how many bytes of a file one read fetches at most for several tiles. How far apart two tiles may lie that are
// fetched together is the backend's to say.
const readRun = 4 << 20

// Read reads the wanted parts of the tiles listed, in ascending order, and calls use for each in turn with its position
// in the list; the tile is released when use returns, unless use set keep. Tiles that lie close together are fetched by
// one read. The field must have been loaded.
func (f *Field) Read(ctx context.Context, files *Files, tiles []uint64, parts Parts, use func(i int, t *Tile) (keep bool, err error)) error {
	if err := f.prepare(ctx, tiles, f.kinds(parts)...); err != nil {
		return err
	}
	for i := 0; i < len(tiles); {
		if t := f.kept(files, tiles[i], parts); t != nil {
			if _, err := use(i, t); err != nil {
				return err
			}
			i++
			continue
		}
		n := f.together(tiles[i:], parts)
		if err := f.readRun(ctx, files, tiles[i:i+n], parts, i, use); err != nil {
			return err
		}
		i += n
	}
	return nil
}

// ReadTile reads the wanted parts of one tile; the caller releases it.
func (f *Field) ReadTile(ctx context.Context, files *Files, tile uint64, parts Parts) (*Tile, error) {
	if t := f.kept(files, tile, parts); t != nil {
		return t, nil
	}
	if err := f.prepare(ctx, []uint64{tile}, f.kinds(parts)...); err != nil {
		return nil, err
	}
	var out *Tile
	err := f.readRun(ctx, files, []uint64{tile}, parts, 0, func(_ int, t *Tile) (bool, error) {
		out = t
		return true, nil
	})
	return out, err
}

// kinds lists the files that the parts of a field lie in.
func (f *Field) kinds(parts Parts) []format.FileKind {
	kinds := make([]format.FileKind, 0, 3)
	if f.Var() {
		if parts&Offsets != 0 && !f.TakesOffsets() {
			kinds = append(kinds, format.FixedFile)
		}
		if parts&Values != 0 || parts&Offsets != 0 && f.TakesOffsets() {
			kinds = append(kinds, format.VarFile)
		}
	} else if parts&Values != 0 {
		kinds = append(kinds, format.FixedFile)
	}
	if f.Nullable && parts&Validity != 0 {
		kinds = append(kinds, format.ValidityFile)
	}
	return kinds
}

// together returns how many of the tiles one read should fetch.
func (f *Field) together(tiles []uint64, parts Parts) int {
	kinds, p, gap := f.kinds(parts), f.places.Load(), uint64(max(vfs.GapBytes(f.r.fs, f.r.uri), 0))
	for n := 1; n < len(tiles); n++ {
		for _, kind := range kinds {
			start, _ := p.extent(kind, tiles[0])
			last, lastBytes := p.extent(kind, tiles[n-1])
			off, nBytes := p.extent(kind, tiles[n])
			if off+nBytes-start > readRun || off-last-lastBytes > gap {
				return n
			}
		}
	}
	return len(tiles)
}

// readRun fetches the bytes of tiles that lie together and unfilters them one by one.
func (f *Field) readRun(ctx context.Context, files *Files, tiles []uint64, parts Parts, first int, use func(i int, t *Tile) (bool, error)) error {
	var disk [3]*pool.Buffer
	var starts [3]uint64
	defer func() {
		for _, b := range disk {
			if b != nil {
				files.giveBack(b, len(b.B))
			}
		}
	}()
	p := f.places.Load()
	for _, kind := range f.kinds(parts) {
		start, _ := p.extent(kind, tiles[0])
		last, n := p.extent(kind, tiles[len(tiles)-1])
		b, err := f.fetch(ctx, files, kind, start, last+n-start)
		if err != nil {
			return err
		}
		disk[kind], starts[kind] = b, start
	}
	for i, tile := range tiles {
		if err := ctx.Err(); err != nil {
			return err
		}
		var bytes [3][]byte
		for kind := range disk {
			if disk[kind] != nil {
				off, n := p.extent(format.FileKind(kind), tile)
				bytes[kind] = disk[kind].B[off-starts[kind]:][:n]
			}
		}
		t := &Tile{files: files}
		keep, err := false, f.unfilter(t, tile, bytes, parts)
		if err != nil {
			err = f.tileError(tile, err)
		} else {
			f.keep(files, tile, parts, t)
			keep, err = use(first+i, t)
		}
		if !keep || err != nil {
			t.Release()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fetch reads a range of a file into lent memory, which giveBack returns with its length.
func (f *Field) fetch(ctx context.Context, files *Files, kind format.FileKind, off, n uint64) (*pool.Buffer, error) {
	file, err := files.get(ctx, f, kind)
	if err != nil {
		return nil, err
	}
	b, err := files.lend(int(n))
	if err != nil {
		return nil, err
	}
	done := false
	if r := files.stretchOf(fileKey{f, kind}, off, n); r != nil {
		done, err = r.take(ctx, files, file, b.B, off)
	}
	if !done && err == nil {
		err = file.ReadAt(ctx, b.B, int64(off))
	}
	if err != nil {
		files.giveBack(b, int(n))
		return nil, err
	}
	return b, nil
}

func (f *Field) tileError(tile uint64, err error) error {
	return fmt.Errorf("fragment %s: field %q: tile %d: %w", f.r.uri, f.Name, tile, err)
}

// unfilter fills t from the filtered bytes of its files.
func (f *Field) unfilter(t *Tile, tile uint64, disk [3][]byte, parts Parts) error {
	cells := f.r.TileCells(tile)
	if cells > math.MaxInt/uint64(max(f.CellSize(), 8)) {
		return fmt.Errorf("%w: %d cells", ErrCorrupt, cells)
	}
	t.Cells = int(cells)
	var err error
	switch {
	case f.zipped() && parts&Values != 0:
		err = f.unzip(t, disk[format.FixedFile])
	case !f.Var() && parts&Values != 0:
		t.Data, err = t.reverse(f.fixed, format.FixedFile, disk[format.FixedFile], t.Cells*f.CellSize())
	case f.TakesOffsets() && parts&(Values|Offsets) != 0:
		err = f.unfilterTexts(t, tile, disk[format.VarFile])
	case f.Var():
		err = f.unfilterVar(t, tile, disk, parts)
	}
	if err == nil && disk[format.ValidityFile] != nil {
		t.Validity, err = t.reverse(f.validity, format.ValidityFile, disk[format.ValidityFile], t.Cells)
	}
	return err
}

// reverse unfilters one file's bytes into lent memory of the size expected.
func (t *Tile) reverse(codec *filter.Codec, kind format.FileKind, disk []byte, want int) ([]byte, error) {
	size, err := filter.OriginalSize(disk)
	if err != nil {
		return nil, err
	}
	if size != uint64(want) {
		return nil, fmt.Errorf("%w: %d bytes where %d are expected", ErrCorrupt, size, want)
	}
	dst, err := t.lend(kind, want)
	if err != nil {
		return nil, err
	}
	return dst, codec.Reverse(dst, disk)
}

func (f *Field) unfilterVar(t *Tile, tile uint64, disk [3][]byte, parts Parts) error {
	size := f.VarBytes(tile)
	if parts&Offsets != 0 {
		b, err := t.reverse(f.fixed, format.FixedFile, disk[format.FixedFile], 8*t.Cells)
		if err != nil {
			return err
		}
		t.Offsets = datatype.View[uint64](b)
		if err := checkOffsets(t.Offsets, size); err != nil {
			return err
		}
	}
	if parts&Values == 0 {
		return nil
	}
	if size > math.MaxInt {
		return fmt.Errorf("%w: %d bytes of values", ErrCorrupt, size)
	}
	var err error
	t.Data, err = t.reverse(f.vars, format.VarFile, disk[format.VarFile], int(size))
	return err
}

// unfilterTexts fills Data and Offsets of a field whose filter stores both together.
func (f *Field) unfilterTexts(t *Tile, tile uint64, disk []byte) (err error) {
	size, err := filter.OriginalSize(disk)
	if err != nil {
		return err
	}
	if size != f.VarBytes(tile) {
		return fmt.Errorf("%w: %d bytes of texts where %d are expected", ErrCorrupt, size, f.VarBytes(tile))
	}
	t.Data, t.Offsets, err = f.vars.ReverseStrings(disk, t.Cells)
	if err != nil {
		return err
	}
	return checkOffsets(t.Offsets, size)
}

// checkOffsets tells whether offsets rise and stay within size.
func checkOffsets(offsets []uint64, size uint64) error {
	last := uint64(0)
	for i, o := range offsets {
		if o < last || o > size || i == 0 && o != 0 {
			return fmt.Errorf("%w: cell %d begins at byte %d of %d", ErrCorrupt, i, o, size)
		}
		last = o
	}
	return nil
}

// CellBytes returns the number of bytes of var cell i. VarBytes of the tile must be given as total.
func (t *Tile) CellBytes(i int, total uint64) uint64 {
	if i+1 < len(t.Offsets) {
		return t.Offsets[i+1] - t.Offsets[i]
	}
	return total - t.Offsets[i]
}

// ReadInto unfilters whole tiles of one kind of file, FixedFile of a fixed field or ValidityFile, straight into memory of
// the caller's: dst returns the room for the tile at a position of the list, which must be as large as the tile. Tiles
// that lie close together are fetched by one read. The field must have been loaded.
func (f *Field) ReadInto(ctx context.Context, files *Files, kind format.FileKind, tiles []uint64, dst func(i int) []byte) error {
	if f.zipped() {
		return f.readZipped(ctx, files, tiles, dst)
	}
	codec, parts := f.fixed, Values
	if kind == format.ValidityFile {
		codec, parts = f.validity, Validity
	}
	if err := f.prepare(ctx, tiles, kind); err != nil {
		return err
	}
	p := f.places.Load()
	for i := 0; i < len(tiles); {
		if v, ok := files.keeper.get(f.chunkKey(kind, tiles[i], wholeTile)); ok {
			copy(dst(i), v.([]byte))
			i++
			continue
		}
		n := f.together(tiles[i:], parts)
		start, _ := p.extent(kind, tiles[i])
		last, lastBytes := p.extent(kind, tiles[i+n-1])
		disk, err := f.fetch(ctx, files, kind, start, last+lastBytes-start)
		if err != nil {
			return err
		}
		for end := i + n; i < end; i++ {
			off, size := p.extent(kind, tiles[i])
			room := dst(i)
			if err = ctx.Err(); err == nil {
				err = codec.Reverse(room, disk.B[off-start:][:size])
			}
			if key := f.chunkKey(kind, tiles[i], wholeTile); err == nil && files.keeper.wants(key, len(room)) {
				files.keeper.put(key, slices.Clone(room), len(room))
			}
			if err != nil {
				err = f.tileError(tiles[i], err)
				break
			}
		}
		files.giveBack(disk, len(disk.B))
		if err != nil {
			return err
		}
	}
	return nil
}
