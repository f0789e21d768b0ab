package format

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"

	"azulejo/internal/bin"
	"azulejo/schema"
)

// The footer ends a fragment metadata file (format_spec/fragment.md, Footer). It is not a generic tile. N is the number
// of slots; numbers behind a field tell the version that brought it:
//
//	u32 version | u64+schema name (10) | u8 dense | u8 domain is null | non-empty domain: one range per dimension
//	u64 sparse tiles | u64 cells of the last tile | u8 has timestamps (14) | u8 has delete metadata (15)
//	N u64 file sizes | N u64 var sizes | N u64 validity sizes (7)
//	u64 R-tree position | N u64 each: tile offsets, var offsets, var sizes, validity offsets (7), mins, maxes, sums,
//	null counts (11) | u64 fragment summary (12) | u64 processed conditions (16)
//	u32 n, n x ( u64 id | u32+data ) (23)
//	u64 footer length, itself not counted
//
// The length is there since version 10, and before that when some dimension holds texts; else the length follows from
// the schema. Before version 5 the var lists and the lists of var offsets and var sizes are one shorter: the zipped
// coordinates, which stand last, have none. A null domain has its bytes all the same, unless it has texts.
// Section 0 of version 23 has the positions of the first and then the last coordinates of tiles, one per dimension.

// LegacySchema is the file name of the schema of fragments before version 10.
const LegacySchema = "__array_schema.tdb"

// FragmentMetadataFile is the name of the fragment metadata file in a fragment's folder.
const FragmentMetadataFile = "__fragment_metadata.tdb"

// Footer is the part of a fragment metadata file that says what the fragment holds and where the other parts are
// (format_spec/fragment.md, Footer). Immutable once decoded, safe for concurrent use.
type Footer struct {
	Version uint32
	// SchemaName is the file name of the schema the fragment was written with, and Schema that schema. Fragments before
	// version 10 name LegacySchema.
	SchemaName string
	Schema     *schema.Array
	Dense      bool
	// NonEmptyDomain has one range per dimension; nil when the fragment says that it has none.
	NonEmptyDomain []schema.Range
	// SparseTiles is the number of tiles of a sparse fragment, 0 when dense; NumTiles has it for both.
	SparseTiles uint64
	// LastTileCells is the number of cells of the last tile of a sparse fragment.
	LastTileCells uint64
	HasTimestamps bool
	HasDeletes    bool
	// FileSizes, VarSizes and ValiditySizes have the sizes in bytes of every slot's data files; VarSizes is 0 for fixed
	// fields, whose FileSizes are the values' file, and for var fields FileSizes is the offsets' file. ValiditySizes are
	// all 0 before version 7.
	FileSizes, VarSizes, ValiditySizes []uint64
	// Parts says where in the file the generic tiles begin.
	Parts Parts
	// Start is the position of the footer in the file, or UnknownStart, NBytes its length without the length field behind it.
	Start, NBytes int64

	tiles        uint64 // number of tiles
	cellsPerTile uint64 // cells of a full tile
	ascending    bool   // the positions of every list of Parts rise
}

// Parts has the file positions of the generic tiles of fragment metadata; the lists have one entry per slot. Lists and
// positions that the footer's version lacks are nil and 0.
type Parts struct {
	RTree                                              uint64
	TileOffsets, VarOffsets, VarSizes, ValidityOffsets []uint64
	Mins, Maxes, Sums, NullCounts                      []uint64
	Summary, ProcessedConditions                       uint64
	// GlobalOrderMins and GlobalOrderMaxes have one entry per dimension; only sparse fragments of version 23 have them.
	GlobalOrderMins, GlobalOrderMaxes []uint64
}

// lists returns the per-slot lists in stored order, with the feature that brought each.
func (p *Parts) lists() [partLists]partList {
	return [...]partList{
		{"tile offsets", footerFeature, &p.TileOffsets},
		{"var tile offsets", footerFeature, &p.VarOffsets},
		{"var tile sizes", footerFeature, &p.VarSizes},
		{"validity tile offsets", nullableFeature, &p.ValidityOffsets},
		{"tile mins", tileMetadataFeature, &p.Mins},
		{"tile maxes", tileMetadataFeature, &p.Maxes},
		{"tile sums", tileMetadataFeature, &p.Sums},
		{"tile null counts", tileMetadataFeature, &p.NullCounts},
	}
}

// partLists is the number of per-slot lists of positions, and sizeLists that of the lists of file sizes.
const (
	partLists = 8
	sizeLists = 3
)

// partList is one per-slot list of positions.
type partList struct {
	name string
	in   feature
	list *[]uint64
}

// TailError says that a footer is longer than the tail of the file that was given: at least Need bytes are wanted.
type TailError struct{ Need int64 }

// Error names the number of bytes.
func (e *TailError) Error() string {
	return fmt.Sprintf("the footer needs the last %d bytes of the file", e.Need)
}

// DecodeFooter decodes the footer at the end of a fragment metadata file of fileSize bytes, of which tail is the end (all
// of a small file). When tail is too short the error is a *TailError. version is the fragment name's, 0 when it has none
// (3 and 4); before version 10 the footer has no other way to tell its length. schemaOf returns the schema of that file
// name, DecodeFooter passes LegacySchema for versions before 10. The result shares no memory with tail.
func DecodeFooter(tail []byte, fileSize int64, version uint32, schemaOf func(name string) (*schema.Array, error)) (*Footer, error) {
	f := new(Footer)
	if err := f.Decode(tail, fileSize, version, schemaOf); err != nil {
		return nil, err
	}
	return f, nil
}

// Decode is DecodeFooter into a footer that is a part of something; f, which must be a zero value, is not good for anything
// after an error.
func (f *Footer) Decode(tail []byte, fileSize int64, version uint32, schemaOf func(name string) (*schema.Array, error)) error {
	if int64(len(tail)) > fileSize {
		return corrupt("fragment footer", 0, version, "a tail of %d bytes of a file of %d", len(tail), fileSize)
	}
	d := footerDecoder{f: f, schemaOf: schemaOf}
	if version == 0 {
		version = 4
	}
	end := fileSize
	if version >= 10 {
		end -= 8
	} else {
		a, err := schemaOf(LegacySchema)
		if err != nil {
			return err
		}
		f.Schema = a
		if !a.Domain.AllFixed() {
			end -= 8
		}
	}
	n, err := d.length(tail, fileSize, version, end)
	if err != nil {
		return err
	}
	if need := fileSize - end + n; need > int64(len(tail)) {
		return &TailError{Need: need}
	}
	stop := int64(len(tail)) - (fileSize - end)
	d.Reader = *bin.NewReader(tail[stop-n : stop])
	f.Start, f.NBytes = end-n, n
	return d.decode(version)
}

// footerDecoder reads a footer.
type footerDecoder struct {
	bin.Reader
	// f does not share memory with what the Reader reads.
	f        *Footer
	schemaOf func(name string) (*schema.Array, error)
	slots    Slots
	// numbers is room for the lists.
	numbers []uint64
}

// length returns the footer's length: the stored one when a length follows the footer, which ends at end, or the one
// that follows from the schema.
func (d *footerDecoder) length(tail []byte, fileSize int64, version uint32, end int64) (int64, error) {
	var n int64
	switch {
	case end < fileSize && len(tail) < 8 && fileSize >= 8:
		return 0, &TailError{Need: 8}
	case end < fileSize && fileSize < 8:
		return 0, corrupt("fragment footer/length", 0, version, "a file of %d bytes", fileSize)
	case end < fileSize:
		n = int64(binary.LittleEndian.Uint64(tail[len(tail)-8:]))
	default:
		n = oldFooterLen(d.f.Schema, version)
	}
	if n < 4 || n > end {
		return 0, corrupt("fragment footer/length", end, version, "%d bytes in a file of %d", n, fileSize)
	}
	return n, nil
}

// oldFooterLen returns the length of a footer of versions 3 to 9 over dimensions of fixed size.
func oldFooterLen(a *schema.Array, version uint32) int64 {
	n := int64(4 + 1 + 1 + 8 + 8 + 8)
	for i := range a.Domain.Dimensions {
		n += 2 * int64(a.Domain.Dimensions[i].Type.Size())
	}
	slots := int64(newSlots(a, version, false, false).Len())
	lists := int64(5) // file sizes, var sizes, tile offsets, var offsets, var tile sizes
	if has(version, nullableFeature) {
		lists += 2
	}
	n += lists * slots * 8
	if !has(version, dimensionFeature) {
		n -= 3 * 8 // the three var lists lack the coordinates
	}
	return n
}

func (d *footerDecoder) decode(nameVersion uint32) error {
	f := d.f
	if err := d.head(nameVersion); err != nil {
		return err
	}
	d.nonEmptyDomain()
	f.SparseTiles = d.U64("sparse tiles")
	f.LastTileCells = d.U64("cells of the last tile")
	if d.has(timestampsFeature) {
		f.HasTimestamps = d.U8("has timestamps") != 0
	}
	if d.has(deletesFeature) {
		f.HasDeletes = d.U8("has delete metadata") != 0
	}
	if d.Err() == nil {
		d.slots = f.Slots()
		d.lists()
	}
	if d.has(sectionsFeature) {
		d.sections()
	}
	// Newer libraries that write version 11 add the position of a summary that version 11 does not know.
	if f.Version == 11 && d.Len() == 8 {
		d.U64("summary")
	}
	if err := finish(&d.Reader, "fragment footer", f.Version); err != nil {
		return d.placed(err)
	}
	if err := f.settle(); err != nil {
		return d.placed(err)
	}
	return nil
}

// placed turns an offset in the footer into one in the file.
func (d *footerDecoder) placed(err error) error {
	if e, ok := err.(*Error); ok && d.f.Start != UnknownStart {
		e.Offset += d.f.Start
	}
	return err
}

func (d *footerDecoder) has(f feature) bool { return d.Err() == nil && has(d.f.Version, f) }

// head reads the version and the schema's name, and gets the schema.
func (d *footerDecoder) head(nameVersion uint32) error {
	f := d.f
	f.Version = d.U32("format version")
	if d.Err() == nil && !known(f.Version) {
		d.Fail("format version", fmt.Errorf("%w: %d", ErrVersion, f.Version))
	} else if d.Err() == nil && (f.Version < 3 || (f.Version >= 10) != (nameVersion >= 10)) {
		d.Failf("format version", "%w: %d in a fragment named as version %d", ErrCorrupt, f.Version, nameVersion)
	}
	f.SchemaName = LegacySchema
	if d.has(schemaNameFeature) {
		f.SchemaName = d.String64("schema name")
		if d.Err() == nil && !plainFile(f.SchemaName) {
			d.Failf("schema name", "%w: %q", ErrCorrupt, f.SchemaName)
		}
	}
	f.Dense = d.U8("dense") != 0
	if err := readErr(&d.Reader, "fragment footer", f.Version); err != nil {
		return d.placed(err)
	}
	if f.Schema == nil {
		var err error
		if f.Schema, err = d.schemaOf(f.SchemaName); err != nil {
			return err
		}
		if f.Schema.Name == f.SchemaName {
			f.SchemaName = f.Schema.Name // many footers name one schema: keep one text
		}
	}
	if f.Dense && f.Schema.Type != schema.Dense {
		return corrupt("fragment footer/dense", f.Start, f.Version, "a dense fragment of a sparse array")
	}
	return nil
}

func (d *footerDecoder) nonEmptyDomain() {
	if null := d.U8("domain is null"); null == 0 {
		d.f.NonEmptyDomain = readRanges(&d.Reader, &d.f.Schema.Domain)
		return
	}
	for i := range d.f.Schema.Domain.Dimensions {
		if dim := &d.f.Schema.Domain.Dimensions[i]; !dim.Var() {
			d.Bytes("null domain", 2*uint64(dim.Type.Size()))
		}
	}
}

// lists reads everything that has one number per slot, and the positions between.
func (d *footerDecoder) lists() {
	f, n := d.f, d.slots.Len()
	d.numbers = make([]uint64, (sizeLists+partLists)*d.Count("file sizes", uint64(n), 8))
	f.FileSizes = d.list("file sizes", n)
	f.VarSizes = d.varList("var file sizes", n)
	if d.has(nullableFeature) {
		f.ValiditySizes = d.list("validity file sizes", n)
	} else {
		f.ValiditySizes = make([]uint64, n)
	}
	f.Parts.RTree = d.U64("R-tree")
	for i, l := range f.Parts.lists() {
		switch {
		case !d.has(l.in):
		case i == 1 || i == 2:
			*l.list = d.varList(l.name, n)
		default:
			*l.list = d.list(l.name, n)
		}
	}
	if d.has(summaryFeature) {
		f.Parts.Summary = d.U64("fragment summary")
	}
	if d.has(conditionsFeature) {
		f.Parts.ProcessedConditions = d.U64("processed conditions")
	}
}

// list reads a list of n numbers; nil after a fault.
func (d *footerDecoder) list(field string, n int) []uint64 {
	if d.Count(field, uint64(n), 8) == 0 {
		return nil
	}
	list := d.numbers[:n:n]
	d.numbers = d.numbers[n:]
	d.U64sTo(field, list)
	return list
}

// varList reads a list that lacks the coordinates' slot before version 5; that slot is added as 0.
func (d *footerDecoder) varList(field string, n int) []uint64 {
	if d.has(dimensionFeature) {
		return d.list(field, n)
	}
	return append(d.list(field, n-1), 0)
}

func (d *footerDecoder) sections() {
	n := d.Count("optional sections", uint64(d.U32("number of optional sections")), 12)
	for i := 0; i < n && d.Err() == nil; i++ {
		id, size := d.U64("section id"), uint64(d.U32("section size"))
		dims := uint64(len(d.f.Schema.Domain.Dimensions))
		if id != 0 {
			d.Bytes("section", size)
			continue
		}
		if size != 2*8*dims && d.Err() == nil {
			d.Failf("section size", "%w: %d bytes for %d dimensions", ErrCorrupt, size, dims)
		}
		d.f.Parts.GlobalOrderMins = d.U64s("global order mins", dims)
		d.f.Parts.GlobalOrderMaxes = d.U64s("global order maxes", dims)
	}
}

// settle checks what the footer says against the schema and computes what follows from both.
func (f *Footer) settle() error {
	if err := f.settleTiles(); err != nil {
		return err
	}
	last := f.Parts.RTree
	f.ascending = true
	for _, list := range f.positions() {
		before := uint64(0)
		for _, pos := range list {
			f.ascending = f.ascending && pos >= before
			before, last = pos, max(last, pos)
		}
	}
	for _, pos := range f.single() {
		last = max(last, pos)
	}
	if last >= uint64(f.Start) && (last > 0 || f.Version >= 3) { // metadata made up for versions 1 and 2 has all at 0
		return corrupt("fragment footer/positions of parts", 0, f.Version, "%d in a file whose footer begins at %d", last, f.Start)
	}
	return nil
}

// positions returns the lists of Parts.
func (f *Footer) positions() [partLists + 2][]uint64 {
	p := &f.Parts
	return [...][]uint64{p.TileOffsets, p.VarOffsets, p.VarSizes, p.ValidityOffsets, p.Mins, p.Maxes, p.Sums, p.NullCounts, p.GlobalOrderMins, p.GlobalOrderMaxes}
}

// single returns the positions of Parts that there is one of; 0 is where versions that lack one have their first part.
func (f *Footer) single() [3]uint64 {
	return [...]uint64{f.Parts.RTree, f.Parts.Summary, f.Parts.ProcessedConditions}
}

// settleTiles computes the number of tiles and of cells in each.
func (f *Footer) settleTiles() error {
	d := &f.Schema.Domain
	for i := range f.NonEmptyDomain {
		r, dim := f.NonEmptyDomain[i], &d.Dimensions[i]
		if dim.Compare(r.Lo, r.Hi) > 0 {
			return corrupt("fragment footer/non-empty domain", 0, f.Version, "dimension %q ends before it starts", dim.Name)
		}
	}
	if !f.Dense {
		f.tiles, f.cellsPerTile = f.SparseTiles, f.Schema.Capacity
		if f.tiles > 0 && (f.LastTileCells == 0 || f.LastTileCells > f.cellsPerTile) {
			return corrupt("fragment footer/cells of the last tile", 0, f.Version, "%d of %d", f.LastTileCells, f.cellsPerTile)
		}
		return nil
	}
	grid, err := schema.NewGrid(f.Schema)
	if err != nil {
		return &Error{Field: "fragment footer/schema", Version: f.Version, Err: fmt.Errorf("%w: %w", ErrCorrupt, err)}
	}
	var fits bool
	if f.cellsPerTile, fits = grid.CellsPerTile(); !fits {
		return corrupt("fragment footer/schema", 0, f.Version, "the cells of a tile cannot be counted")
	}
	if f.NonEmptyDomain == nil {
		return nil
	}
	box := grid.TileBox(grid.Box(f.NonEmptyDomain))
	for i := range box.Lo {
		dim := &d.Dimensions[i]
		if dim.Compare(f.NonEmptyDomain[i].Lo, dim.Lo()) < 0 || box.Hi[i] >= grid.Tiles[i] {
			return corrupt("fragment footer/non-empty domain", 0, f.Version, "dimension %q leaves the domain", dim.Name)
		}
	}
	if f.tiles, fits = box.Count(); !fits {
		return corrupt("fragment footer/non-empty domain", 0, f.Version, "its tiles cannot be counted")
	}
	return nil
}

// LengthBytes returns the size of the length field behind the footer: 0 before version 10 where the length follows from the
// schema.
func (f *Footer) LengthBytes() int64 {
	if f.Version < 10 && f.Schema.Domain.AllFixed() {
		return 0
	}
	return 8
}

// Slots returns the fragment's slots.
func (f *Footer) Slots() Slots { return newSlots(f.Schema, f.Version, f.HasTimestamps, f.HasDeletes) }

// NumTiles returns the number of tiles of the fragment, dense or sparse.
func (f *Footer) NumTiles() uint64 { return f.tiles }

// TileCells returns the number of cells of tile i; dense tiles are always full.
func (f *Footer) TileCells(i uint64) uint64 {
	if !f.Dense && i+1 == f.tiles {
		return f.LastTileCells
	}
	return f.cellsPerTile
}

// NumCells returns the number of cells in all tiles, those of dense tiles that lie outside the non-empty domain included;
// the largest number when it does not fit.
func (f *Footer) NumCells() uint64 {
	if f.tiles == 0 {
		return 0
	}
	full := f.tiles - 1
	if n := full * f.cellsPerTile; full == 0 || n/full == f.cellsPerTile && n+f.TileCells(full) >= n {
		return n + f.TileCells(full)
	}
	return ^uint64(0)
}

// PartExtent returns the bytes of the file in which the generic tile at a position of Parts lies: up to the next part, or
// to the footer; nBytes is -1 when it is not known where that begins.
func (f *Footer) PartExtent(pos uint64) (start, nBytes int64) {
	next := uint64(f.Start)
	if next <= pos {
		return int64(pos), 0
	}
	consider := func(at uint64) {
		if at > pos {
			next = min(next, at)
		}
	}
	for _, at := range f.single() {
		consider(at)
	}
	for _, list := range f.positions() {
		if f.ascending {
			if i := sort.Search(len(list), func(i int) bool { return list[i] > pos }); i < len(list) {
				next = min(next, list[i])
			}
			continue
		}
		for _, at := range list {
			consider(at)
		}
	}
	if next == math.MaxUint64 {
		return int64(pos), -1
	}
	return int64(pos), int64(next - pos)
}
