package fragment

import (
	"context"
	"errors"
	"slices"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
)

// Before version 5 all dimensions have one type, and the coordinates lie in one file, __coords.tdb. Its tiles hold the
// coordinates of the first dimension, then those of the second, and so on; in version 1, unless a compressor is among
// the filters, those of the first cell, then those of the second. Before version 3 there is no footer: the whole
// metadata is one generic tile (format_spec/fragment.md, Legacy Fragment metadata file).

// coordinatesFile is the name of the file of zipped coordinates. Only sparse fragments have it.
const coordinatesFile = "__coords.tdb"

// readOldest reads the metadata of a fragment of version 1 or 2.
func (r *Reader) readOldest(ctx context.Context, schemaOf func(name string) (*schema.Array, error)) error {
	content, err := vfs.ReadAll(ctx, r.fs, r.metadataURI())
	if err != nil {
		return err
	}
	content, err = format.Decrypt(r.key, content)
	if err != nil {
		return err
	}
	_, err = vfs.Size(ctx, r.fs, vfs.Join(r.uri, coordinatesFile))
	if err != nil && !errors.Is(err, vfs.ErrNotExist) {
		return err
	}
	if r.oldest, err = format.DecodeFragmentMetadata(content, r.name.Version, err != nil, schemaOf); err != nil {
		return err
	}
	r.footer = &r.oldest.Footer
	r.rtree.Store(r.oldest.RTree)
	return r.checkTree(r.oldest.RTree)
}

// oldestNumbers is numbers for versions 1 and 2.
func (f *Field) oldestNumbers(part string) ([]uint64, error) {
	m := &f.r.oldest.Fields[f.slot]
	list := map[string][]uint64{tileOffsetsPart: m.TileOffsets, varOffsetsPart: m.VarOffsets, varSizesPart: m.VarSizes}[part]
	return list, f.checkCount(list, part)
}

// zipped reports whether the coordinates lie in one file with those of the other dimensions.
func (f *Field) zipped() bool { return f.Dimension && f.slot == f.r.slots.Coords() }

// zippedSize returns the bytes of the coordinates of one cell in all dimensions.
func (f *Field) zippedSize() int { return f.CellSize() * len(f.r.Schema().Domain.Dimensions) }

// compressors are the filters that made version 1 store coordinates dimension by dimension.
var compressors = []filter.Code{filter.Gzip, filter.Zstd, filter.LZ4, filter.RLE, filter.Bzip2, filter.DoubleDelta}

// byDimension reports whether tiles hold all coordinates of the first dimension before those of the second.
func (f *Field) byDimension() bool {
	return f.r.footer.Version > 1 || slices.ContainsFunc(compressors, f.r.Schema().CoordsFilters.Has)
}

// unzip fills the tile with the coordinates of one dimension.
func (f *Field) unzip(t *Tile, disk []byte) error {
	size, all := f.CellSize(), f.zippedSize()
	zipped, err := t.reverse(f.fixed, format.VarFile, disk, t.Cells*all)
	if err != nil {
		return err
	}
	if t.Data, err = t.lend(format.FixedFile, t.Cells*size); err != nil {
		return err
	}
	if f.byDimension() {
		copy(t.Data, zipped[f.Index*t.Cells*size:])
		return nil
	}
	for i := range t.Cells {
		copy(t.Data[i*size:(i+1)*size], zipped[i*all+f.Index*size:])
	}
	return nil
}

// readZipped is ReadInto for zipped coordinates.
func (f *Field) readZipped(ctx context.Context, files *Files, tiles []uint64, dst func(i int) []byte) error {
	return f.Read(ctx, files, tiles, Values, func(i int, t *Tile) (bool, error) {
		copy(dst(i), t.Data)
		return false, nil
	})
}

// zippedCells is Chunks for zipped coordinates.
func (f *Field) zippedCells(ctx context.Context, files *Files, tile uint64, sink Sink) error {
	t, err := f.ReadTile(ctx, files, tile, Values)
	if err != nil {
		return err
	}
	defer t.Release()
	if dst := sink.Place(0, t.Cells); len(dst) == len(t.Data) {
		copy(dst, t.Data)
	} else {
		sink.Take(0, t.Cells, t.Data)
	}
	return nil
}
