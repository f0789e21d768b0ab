package array

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/internal/pool"
	"azulejo/schema"
	"azulejo/vfs"
)

// fragmentCheck is the state of checking one fragment.
type fragmentCheck struct {
	*checker
	uri, metaURI string
	// meta is the content of the metadata file.
	meta   []byte
	footer *format.Footer
	// lists has the lists of one number per tile that decode, by their position in the file.
	lists map[uint64][]uint64
}

// checkFragment checks the metadata and every tile of a fragment.
func (c *checker) checkFragment(ctx context.Context, l located) error {
	f := &fragmentCheck{checker: c, uri: l.uri(c.uri), lists: map[uint64][]uint64{}}
	f.metaURI = vfs.Join(f.uri, fragmentMetadataFile)
	if l.Version == 1 || l.Version == 2 {
		return f.checkOldest(ctx, l)
	}
	err := c.file(ctx, f.metaURI, func(content []byte) error {
		f.meta = content
		footer, err := format.DecodeFooter(content, int64(len(content)), l.Version, f.schemaOf)
		f.footer = footer
		return err
	})
	if err != nil || f.footer == nil {
		return err
	}
	f.checkParts()
	tiles := f.dataTiles()
	return inParallel(len(tiles), func(i int) error { return f.checkTiles(ctx, tiles[i]) })
}

// checkOldest checks a fragment before version 3, whose metadata has no parts to look at one by one, by reading all of it.
func (f *fragmentCheck) checkOldest(ctx context.Context, l located) error {
	r, err := fragment.Open(ctx, f.fs, f.uri, l.Name, true, f.schemaOf, f.key)
	if err != nil {
		return f.found(ctx, f.metaURI, err)
	}
	for _, name := range r.Schema().FieldNames() {
		field, ok, err := r.Field(name)
		if !ok && err == nil {
			continue // dimensions of dense fragments
		}
		if err == nil {
			err = f.readAll(ctx, field)
		}
		if err = f.found(ctx, f.uri, err); err != nil {
			return err
		}
	}
	return nil
}

// found reports an error of reading as damage, unless it is not about the content.
func (f *fragmentCheck) found(ctx context.Context, uri string, err error) error {
	corrupt := errors.Is(err, format.ErrCorrupt) || errors.Is(err, fragment.ErrCorrupt) || errors.Is(err, filter.ErrCorrupt)
	if err == nil || !corrupt && fatal(ctx, err) {
		return err
	}
	f.damage(uri, -1, fmt.Errorf("%w: %w", ErrCorrupt, plainError{err}))
	return nil
}

// readAll reads every tile of a field.
func (f *fragmentCheck) readAll(ctx context.Context, field *fragment.Field) error {
	if err := field.Load(ctx); err != nil {
		return err
	}
	var files fragment.Files
	defer files.Close() // best effort: they are only read
	for tile := range field.Reader().NumTiles() {
		t, err := field.ReadTile(ctx, &files, tile, fragment.Everything)
		if err != nil {
			return err
		}
		t.Release()
	}
	return nil
}

// schemaOf returns a schema that checkSchemas found in order.
func (f *fragmentCheck) schemaOf(name string) (*schema.Array, error) {
	s, ok := f.schemas[name]
	if !ok {
		return nil, fmt.Errorf("%w: schema %q is missing or damaged", ErrCorrupt, name)
	}
	return s, nil
}

// part returns the bytes of the generic tile at a position of the footer's Parts.
func (f *fragmentCheck) part(pos uint64) ([]byte, int64, error) {
	start, n := f.footer.PartExtent(pos)
	if size := int64(len(f.meta)); start < 0 || n <= 0 || start > size || n > size-start {
		return nil, 0, fmt.Errorf("%w: a part of the metadata is said to lie at byte %d", ErrCorrupt, pos)
	}
	return f.meta[start : start+n], start, nil
}

// decodePart decodes a part and reports its damage.
func (f *fragmentCheck) decodePart(pos uint64, decode func(b []byte) error) {
	b, start, err := f.part(pos)
	if err != nil {
		f.damage(f.metaURI, f.footer.Start, err)
		return
	}
	plain, err := format.Decrypt(f.key, b)
	if err == nil {
		err = decode(plain)
	}
	if err != nil {
		// Offsets of the error count inside the part, which may be compressed: the part's start is the place.
		f.damage(f.metaURI, start, fmt.Errorf("%w", plainError{err}))
	}
}

// plainError hides the offset of an error from checker.damage.
type plainError struct{ error }

// Is makes the class of the hidden error known.
func (p plainError) Is(target error) bool { return errors.Is(p.error, target) }

// checkParts decodes all parts of the metadata.
func (f *fragmentCheck) checkParts() {
	p := &f.footer.Parts
	for _, list := range []struct {
		part      string
		positions []uint64
	}{{"tile offsets", p.TileOffsets}, {"tile var offsets", p.VarOffsets}, {"tile var sizes", p.VarSizes}, {"tile validity offsets", p.ValidityOffsets}} {
		for slot, pos := range list.positions {
			if slot == f.footer.Slots().Coords() && f.footer.Version < 5 && list.part != "tile offsets" {
				continue // zipped coordinates have no other lists
			}
			f.decodePart(pos, func(b []byte) error {
				got, err := f.footer.DecodeNumbers(b, list.part, false)
				if err == nil {
					f.lists[pos] = got
				}
				return err
			})
		}
	}
	f.decodePart(p.RTree, func(b []byte) error { _, err := f.footer.DecodeRTree(b); return err })
	for slot := range p.Mins {
		f.decodePart(p.Mins[slot], func(b []byte) error { _, err := f.footer.DecodeTileValues(b, slot); return err })
		f.decodePart(p.Maxes[slot], func(b []byte) error { _, err := f.footer.DecodeTileValues(b, slot); return err })
		f.decodePart(p.Sums[slot], func(b []byte) error { _, err := f.footer.DecodeNumbers(b, "tile sums", true); return err })
		f.decodePart(p.NullCounts[slot], func(b []byte) error { _, err := f.footer.DecodeNumbers(b, "tile null counts", true); return err })
	}
	if p.Summary != 0 {
		f.decodePart(p.Summary, func(b []byte) error { _, err := f.footer.DecodeSummary(b); return err })
	}
	if p.ProcessedConditions != 0 {
		f.decodePart(p.ProcessedConditions, func(b []byte) error { _, err := f.footer.DecodeProcessedConditions(b); return err })
	}
}

// dataFile is one data file of a fragment and what its tiles should decode to.
type dataFile struct {
	uri   string
	codec *filter.Codec
	// starts has the position of every tile and the file's size behind the last one.
	starts []uint64
	// want returns the unfiltered bytes of a tile.
	want func(tile int) uint64
	// texts tells that the codec stores the offsets, cells being the number of them.
	texts bool
	cells func(tile int) uint64
	// limits, for offsets, returns what no offset may pass.
	limit func(tile int) uint64
}

// dataTiles returns the data files of the fragment. Damage of what says where their tiles lie is reported and the file is
// left out.
func (f *fragmentCheck) dataTiles() []dataFile {
	var files []dataFile
	s := f.footer.Schema
	slots := f.footer.Slots()
	for i := range s.Attributes {
		files = f.field(files, s.AttributeField(i), slots.Attribute(i))
	}
	if !f.footer.Dense && f.footer.Version >= 5 {
		for i := range s.Domain.Dimensions {
			files = f.field(files, s.DimensionField(i), slots.Dimension(i))
		}
	}
	if !f.footer.Dense && f.footer.Version < 5 {
		fd := s.DimensionField(0)
		all := fd.CellSize() * len(s.Domain.Dimensions)
		files = f.add(files, slots.Coords(), format.FixedFile, f.footer.Parts.TileOffsets, f.footer.FileSizes, s.CoordsFilters, fd.Type, all,
			func(tile int) uint64 { return f.footer.TileCells(uint64(tile)) * uint64(all) })
	}
	for _, slot := range []int{slots.Timestamp(), slots.DeleteTimestamp(), slots.DeleteTimestamp() + 1} {
		if slot > 0 {
			files = f.add(files, slot, format.FixedFile, f.footer.Parts.TileOffsets, f.footer.FileSizes, s.CoordsFilters, datatype.Uint64, 8,
				func(tile int) uint64 { return f.footer.TileCells(uint64(tile)) * 8 })
		}
	}
	return files
}

// field adds the files of an attribute or dimension.
func (f *fragmentCheck) field(files []dataFile, fd schema.Field, slot int) []dataFile {
	foot, s := f.footer, f.footer.Schema
	cells := func(tile int) uint64 { return foot.TileCells(uint64(tile)) }
	if fd.Nullable {
		files = f.add(files, slot, format.ValidityFile, foot.Parts.ValidityOffsets, foot.ValiditySizes, s.ValidityFilters, datatype.Uint8, 1, cells)
	}
	if !fd.Var() {
		size := uint64(fd.CellSize())
		return f.add(files, slot, format.FixedFile, foot.Parts.TileOffsets, foot.FileSizes, s.FieldFilters(fd), fd.Type, fd.CellSize(),
			func(tile int) uint64 { return cells(tile) * size })
	}
	sizes, ok := f.list(slot, foot.Parts.VarSizes)
	if !ok {
		return files
	}
	varSize := func(tile int) uint64 { return sizes[tile] }
	n := len(files)
	files = f.add(files, slot, format.VarFile, foot.Parts.VarOffsets, foot.VarSizes, s.FieldFilters(fd), fd.Type, fd.Type.Size(), varSize)
	if len(files) == n {
		return files // whether the values keep the offsets is not known either
	}
	if files[n].codec.TakesOffsets() {
		files[n].texts, files[n].cells = true, cells
		return f.add(files, slot, format.FixedFile, foot.Parts.TileOffsets, foot.FileSizes, s.OffsetsFilters, datatype.Uint64, 8,
			func(int) uint64 { return 0 })
	}
	n = len(files)
	files = f.add(files, slot, format.FixedFile, foot.Parts.TileOffsets, foot.FileSizes, s.OffsetsFilters, datatype.Uint64, 8,
		func(tile int) uint64 { return cells(tile) * 8 })
	if len(files) > n {
		files[n].limit = varSize
	}
	return files
}

// list returns a list of one number per tile and whether there is one; damage was reported by checkParts.
func (f *fragmentCheck) list(slot int, positions []uint64) ([]uint64, bool) {
	if slot >= len(positions) {
		return nil, false
	}
	list, ok := f.lists[positions[slot]]
	return list, ok
}

// add adds one data file, unless the positions of its tiles are damaged or its filters cannot be run.
func (f *fragmentCheck) add(files []dataFile, slot int, kind format.FileKind, positions, sizes []uint64, p filter.Pipeline, t datatype.Type, cell int, want func(int) uint64) []dataFile {
	d := dataFile{uri: vfs.Join(f.uri, f.footer.FileName(slot, kind)), want: want}
	list, ok := f.list(slot, positions)
	if !ok || slot >= len(sizes) {
		return files
	}
	d.starts = append(append(make([]uint64, 0, len(list)+1), list...), sizes[slot])
	for i := 1; i < len(d.starts); i++ {
		if d.starts[i] < d.starts[i-1] {
			f.damage(f.metaURI, int64(positions[slot]), fmt.Errorf("%w: tile %d of %s begins at byte %d, the next at %d", ErrCorrupt, i-1, vfs.Base(d.uri), d.starts[i-1], d.starts[i]))
			return files
		}
	}
	var err error
	if d.codec, err = filter.NewCodecAt(f.footer.Version, p, t, cell); err != nil {
		f.damage(d.uri, -1, err)
		return files
	}
	d.codec = d.codec.WithKey(f.key)
	return append(files, d)
}

// checkTiles reads a data file tile by tile.
func (f *fragmentCheck) checkTiles(ctx context.Context, d dataFile) error {
	file, err := f.fs.Open(ctx, d.uri)
	if err != nil {
		if fatal(ctx, err) {
			return err
		}
		f.damage(d.uri, -1, fmt.Errorf("%w: %w", ErrCorrupt, err))
		return nil
	}
	defer file.Close() // best effort: it was only read
	n := len(d.starts) - 1
	f.count(1, uint64(n), file.Size())
	if end := d.starts[n]; uint64(file.Size()) != end {
		f.damage(d.uri, min(file.Size(), int64(end)), fmt.Errorf("%w: the file has %d bytes, its metadata says %d", ErrCorrupt, file.Size(), end))
	}
	for i := range n {
		if d.starts[i+1] > uint64(file.Size()) {
			return nil // reported by its size
		}
		if err := f.checkTile(ctx, file, &d, i); err != nil {
			return err
		}
	}
	return nil
}

// checkTile reads and unfilters one tile, chunk by chunk.
func (f *fragmentCheck) checkTile(ctx context.Context, file vfs.File, d *dataFile, tile int) error {
	start := int64(d.starts[tile])
	lent := pool.Get(int(int64(d.starts[tile+1]) - start))
	defer lent.Release()
	if err := file.ReadAt(ctx, lent.B, start); err != nil {
		return err
	}
	at, err := d.decode(lent.B, tile)
	if err != nil {
		f.damage(d.uri, start+at, fmt.Errorf("tile %d: %w", tile, plainError{err}))
	}
	return nil
}

// decode checks the filtered bytes of a tile and returns where in them a fault is.
func (d *dataFile) decode(disk []byte, tile int) (at int64, err error) {
	got, err := filter.OriginalSize(disk)
	if err != nil {
		return 0, err
	}
	if want := d.want(tile); got != want {
		return 0, fmt.Errorf("%w: decodes to %d bytes instead of %d", ErrCorrupt, got, want)
	}
	if got > maxExpansion*uint64(len(disk)) {
		return 0, fmt.Errorf("%w: %d bytes cannot hold %d", ErrCorrupt, len(disk), got)
	}
	if d.texts {
		_, _, err := d.codec.ReverseStrings(disk, int(d.cells(tile)))
		return 0, err
	}
	chunks, err := filter.Chunks(disk)
	if err != nil {
		return 0, err
	}
	at = 8
	last := uint64(0)
	for _, c := range chunks {
		b := pool.Get(c.NBytes)
		if err = d.codec.ReverseChunk(b.B, disk, c); err == nil && d.limit != nil {
			last, err = checkOffsets(b.B, c.Off == 0, last, d.limit(tile))
		}
		b.Release()
		if err != nil {
			return at, err
		}
		at += chunkBytes(disk[at:])
	}
	return 0, nil
}

// maxExpansion bounds what filtered bytes may decode to, so that a damaged size is not believed.
const maxExpansion = 1 << 20

// chunkBytes returns the bytes that the chunk at the beginning of b takes: three 32-bit sizes, the filters' metadata and
// the data (format_spec/filter_pipeline.md). filter.Chunks has checked them.
func chunkBytes(b []byte) int64 {
	return 12 + int64(binary.LittleEndian.Uint32(b[4:])) + int64(binary.LittleEndian.Uint32(b[8:]))
}

// checkOffsets checks that offsets rise from 0 and stay in the values.
func checkOffsets(chunk []byte, first bool, last, limit uint64) (uint64, error) {
	for i, off := range datatype.View[uint64](chunk) {
		if first && i == 0 && off != 0 {
			return 0, fmt.Errorf("%w: the first cell begins at byte %d", ErrCorrupt, off)
		}
		if off < last || off > limit {
			return 0, fmt.Errorf("%w: a cell begins at byte %d, behind %d and with %d in all", ErrCorrupt, off, last, limit)
		}
		last = off
	}
	return last, nil
}
