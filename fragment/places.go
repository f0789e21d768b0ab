package fragment

import (
	"context"
	"math"

	"azulejo/format"
)

// places says where the tiles of a field lie in each of its files, and the unfiltered sizes of var tiles.
type places struct {
	files    [3]offsets
	varSizes []uint64
}

// offsets are the positions of the tiles in one file, which rise and lie in the file: all of them, or those of the pages
// that were asked for.
type offsets struct {
	// end is the size of the file.
	end uint64
	// all has end behind the last position; nil when there are pages.
	all   []uint64
	pages *pages
}

// Load fetches the positions of the field's tiles, which every read needs. Doing it before work is spread over
// goroutines keeps them from doing it several times. Of long lists, in a near store, only what reads ask for is fetched.
func (f *Field) Load(ctx context.Context) error {
	_, err := f.load(ctx)
	return err
}

func (f *Field) load(ctx context.Context) (*places, error) {
	if p := f.places.Load(); p != nil {
		return p, nil
	}
	p := &places{}
	parts := &f.r.footer.Parts
	var err error
	if p.files[format.FixedFile], err = f.tileOffsets(ctx, parts.TileOffsets, f.r.footer.FileSizes, tileOffsetsPart); err != nil {
		return nil, err
	}
	if f.Var() {
		if p.files[format.VarFile], err = f.tileOffsets(ctx, parts.VarOffsets, f.r.footer.VarSizes, varOffsetsPart); err != nil {
			return nil, err
		}
		if p.varSizes, err = f.numbers(ctx, parts.VarSizes, varSizesPart); err != nil {
			return nil, err
		}
	}
	if f.Nullable {
		p.files[format.ValidityFile], err = f.tileOffsets(ctx, parts.ValidityOffsets, f.r.footer.ValiditySizes, "tile validity offsets")
		if err != nil {
			return nil, err
		}
	}
	f.places.CompareAndSwap(nil, p)
	return f.places.Load(), nil
}

// tileOffsets finds the positions of tiles in a file.
func (f *Field) tileOffsets(ctx context.Context, positions, sizes []uint64, part string) (offsets, error) {
	if f.slot >= len(sizes) || sizes[f.slot] > math.MaxInt64 {
		return offsets{}, f.r.corrupt("field %q has no file size", f.Name)
	}
	o := offsets{end: sizes[f.slot]}
	if f.r.NumTiles() == 1 {
		o.all = []uint64{0, o.end} // every file begins with its first tile
		return o, nil
	}
	if f.slot < len(positions) {
		if o.pages = f.r.pagesOf(ctx, positions[f.slot], o.end); o.pages != nil {
			return o, nil
		}
	}
	list, err := f.numbers(ctx, positions, part)
	if err != nil {
		return o, err
	}
	if i := unsettled(list, o.end); i >= 0 {
		return o, f.r.corrupt("field %q: %s: tile %d begins at byte %d of %d", f.Name, part, i, list[i], o.end)
	}
	o.all = append(list[:len(list):len(list)], o.end)
	return o, nil
}

// unsettled returns the place of the first number that is less than the one before it or above end; -1 if there is none.
func unsettled(list []uint64, end uint64) int {
	last := uint64(0)
	for i, v := range list {
		if v < last || v > end {
			return i
		}
		last = v
	}
	return -1
}

// prepare sees to it that extent knows the tiles in the files of some kinds.
func (f *Field) prepare(ctx context.Context, tiles []uint64, kinds ...format.FileKind) error {
	p := f.places.Load()
	for _, kind := range kinds {
		if o := &p.files[kind]; o.pages != nil {
			if err := o.pages.prepare(ctx, tiles); err != nil {
				return f.r.fieldError(&f.Field, err)
			}
		}
	}
	return nil
}

// extent returns the bytes of a file that a tile takes, for which prepare was called.
func (p *places) extent(kind format.FileKind, tile uint64) (off, n uint64) {
	o := &p.files[kind]
	if o.pages != nil {
		off = o.pages.at(tile)
		return off, o.pages.at(tile+1) - off
	}
	return o.all[tile], o.all[tile+1] - o.all[tile]
}

// VarBytes returns the unfiltered size of the values of a var-sized field's tile, as the metadata claims it. The field
// must have been loaded.
func (f *Field) VarBytes(tile uint64) uint64 { return f.places.Load().varSizes[tile] }
