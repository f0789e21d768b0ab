package format

import (
	"errors"
	"fmt"

	"azulejo/filter"
	"azulejo/internal/bin"
	"azulejo/schema"
)

// DecodeFragmentMetadata decodes a whole fragment metadata file, all parts of it; version and schemaOf as for
// DecodeFooter. It also reads versions 1 and 2, which have no footer; dense is only used for those (they do not say).
func DecodeFragmentMetadata(file []byte, version uint32, dense bool, schemaOf func(name string) (*schema.Array, error)) (*FragmentMetadata, error) {
	if version == 1 || version == 2 {
		return decodeOldest(file, dense, schemaOf)
	}
	f, err := DecodeFooter(file, int64(len(file)), version, schemaOf)
	if err != nil {
		var short *TailError
		if errors.As(err, &short) {
			return nil, corrupt("fragment footer", 0, version, "%v", short)
		}
		return nil, err
	}
	d := partsDecoder{file: file, m: &FragmentMetadata{Footer: *f, Fields: make([]FieldMetadata, f.Slots().Len())}}
	if d.m.RTree, err = f.DecodeRTree(d.at(f.Parts.RTree)); err != nil {
		return nil, d.placed(err, f.Parts.RTree, "")
	}
	for slot := range d.m.Fields {
		if err := d.field(slot); err != nil {
			return nil, err
		}
	}
	if err := d.rest(); err != nil {
		return nil, err
	}
	return d.m, nil
}

// partsDecoder decodes the parts of a file that is wholly in memory.
type partsDecoder struct {
	file []byte
	m    *FragmentMetadata
}

// at returns the bytes of the part at a position, which the footer's check keeps inside the file.
func (d *partsDecoder) at(pos uint64) []byte {
	start, n := d.m.PartExtent(pos)
	return d.file[start : start+n : start+n]
}

// placed adds the part's position and slot to an error. Offsets in payloads cannot be turned into offsets in the file.
func (d *partsDecoder) placed(err error, pos uint64, slot string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	placed := *e
	placed.Field = fmt.Sprintf("fragment metadata/tile at byte %d%s/%s", pos, slot, e.Field)
	return &placed
}

// field decodes all parts of one slot. Before version 5 the coordinates, and later the coordinates' unused slot, may
// lack lists that they have no use for.
func (d *partsDecoder) field(slot int) error {
	m, field := d.m, &d.m.Fields[slot]
	numbers := []*[]uint64{
		&field.TileOffsets, &field.VarOffsets, &field.VarSizes, &field.ValidityOffsets, nil, nil, &field.Sums, &field.NullCounts,
	}
	for i, l := range m.Parts.lists() {
		if !has(m.Version, l.in) || (i == 1 || i == 2) && !has(m.Version, dimensionFeature) && slot == m.Slots().Coords() {
			continue
		}
		pos := (*l.list)[slot]
		var err error
		switch i {
		case 4:
			field.Mins, err = m.DecodeTileValues(d.at(pos), slot)
		case 5:
			field.Maxes, err = m.DecodeTileValues(d.at(pos), slot)
		default:
			*numbers[i], err = m.DecodeNumbers(d.at(pos), l.name, i >= 6 || !d.needed(slot, i))
		}
		if err != nil {
			return d.placed(err, pos, fmt.Sprintf("/slot %d", slot))
		}
	}
	return nil
}

// needed reports whether the fragment cannot be read without list i of a slot: the offsets of its tiles, and of those of
// var-sized fields.
func (d *partsDecoder) needed(slot, i int) bool {
	used := d.m.FileSizes[slot] > 0
	switch i {
	case 0:
		return used
	case 1, 2:
		return used && d.m.slotWidth(slot) == 0
	}
	return used && d.m.ValiditySizes[slot] > 0
}

// rest decodes the parts that are there once.
func (d *partsDecoder) rest() error {
	m := d.m
	if has(m.Version, summaryFeature) {
		summary, err := m.DecodeSummary(d.at(m.Parts.Summary))
		if err != nil {
			return d.placed(err, m.Parts.Summary, "")
		}
		for slot := range summary {
			m.Fields[slot].Summary = summary[slot]
		}
	}
	if has(m.Version, conditionsFeature) {
		var err error
		if m.ProcessedConditions, err = m.DecodeProcessedConditions(d.at(m.Parts.ProcessedConditions)); err != nil {
			return d.placed(err, m.Parts.ProcessedConditions, "")
		}
	}
	return nil
}

// EncodeFragmentMetadata returns the content of __fragment_metadata.tdb in version 22. The schema is m.Footer.Schema,
// its file name m.Footer.SchemaName; Version, Parts, Start and NBytes of the footer are ignored, and set by it. A nil
// RTree is an empty one. A last tile of 0 cells is stored as a full one, as libtiledb does. The error wraps ErrCorrupt when m does not hold together:
// a wrong number of slots or tiles. The generic tiles are encrypted with k unless it is nil; the footer never is.
func EncodeFragmentMetadata(m *FragmentMetadata, k *filter.Key) ([]byte, error) {
	m.Version = Version
	if m.RTree == nil {
		m.RTree = NewRTree(&m.Schema.Domain, RTreeLevel{})
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	e := partsEncoder{m: m, key: k}
	m.Parts = Parts{}
	e.add(&m.Parts.RTree, m.RTree.encode(&m.Schema.Domain))
	lists := m.Parts.lists()
	for _, l := range lists {
		*l.list = make([]uint64, len(m.Fields))
	}
	for i, l := range lists {
		for slot := range m.Fields {
			e.add(&(*l.list)[slot], encodeList(&m.Fields[slot], i))
		}
	}
	e.add(&m.Parts.Summary, encodeSummary(m.Fields))
	e.add(&m.Parts.ProcessedConditions, encodePaths(m.ProcessedConditions))
	if e.err != nil {
		return nil, e.err
	}
	return m.appendFooter(e.file)
}

// partsEncoder appends generic tiles; after the first fault it does nothing.
type partsEncoder struct {
	m    *FragmentMetadata
	key  *filter.Key
	file []byte
	err  error
}

// add appends a part and notes its position.
func (e *partsEncoder) add(pos *uint64, payload []byte) {
	if e.err != nil {
		return
	}
	*pos = uint64(len(e.file))
	if e.key == nil {
		e.file, e.err = AppendGenericTile(e.file, payload)
		return
	}
	tile, err := AppendGenericTile(nil, payload)
	if err == nil {
		tile, err = Encrypt(e.key, tile)
	}
	e.file, e.err = append(e.file, tile...), err
}

// check tells whether m holds together so that it can be written, and settles what the footer derives from it.
func (m *FragmentMetadata) check() error {
	bad := func(what string, args ...any) error {
		return corrupt("fragment metadata to write", 0, Version, what, args...)
	}
	n := m.Slots().Len()
	switch {
	case m.SchemaName == "":
		return bad("no schema name")
	case len(m.Fields) != n || len(m.FileSizes) != n || len(m.VarSizes) != n || len(m.ValiditySizes) != n:
		return bad("%d fields for %d slots", len(m.Fields), n)
	case m.NonEmptyDomain != nil && len(m.NonEmptyDomain) != len(m.Schema.Domain.Dimensions):
		return bad("%d ranges for %d dimensions", len(m.NonEmptyDomain), len(m.Schema.Domain.Dimensions))
	case m.NonEmptyDomain == nil && !m.Schema.Domain.AllFixed():
		return bad("no non-empty domain")
	}
	if err := m.settleLast(); err != nil {
		return err
	}
	for slot := range m.Fields {
		f := &m.Fields[slot]
		for _, l := range [][]uint64{f.TileOffsets, f.VarOffsets, f.VarSizes, f.ValidityOffsets} {
			if uint64(len(l)) != m.tiles {
				return bad("slot %d: a list of %d for %d tiles", slot, len(l), m.tiles)
			}
		}
		for _, l := range [][]uint64{f.Sums, f.NullCounts} {
			if len(l) != 0 && uint64(len(l)) != m.tiles {
				return bad("slot %d: a list of %d for %d tiles", slot, len(l), m.tiles)
			}
		}
	}
	if l := m.RTree.Leaves(); !m.Dense && (l == nil && m.tiles > 0 || l != nil && uint64(l.NumBoxes) != m.tiles) {
		return bad("an R-tree that does not fit %d tiles", m.tiles)
	}
	return nil
}

// settleLast computes the tiles and fills in the cells of the last one, which is never stored as 0.
func (m *FragmentMetadata) settleLast() error {
	last := m.LastTileCells
	if !m.Dense && last == 0 {
		m.LastTileCells = m.Schema.Capacity
	}
	if err := m.settleTiles(); err != nil {
		return err
	}
	if m.Dense && last == 0 {
		m.LastTileCells = m.cellsPerTile
	}
	return nil
}

// encodeList returns the payload of list i of Parts.lists of a field.
func encodeList(f *FieldMetadata, i int) []byte {
	w := &bin.Writer{}
	switch i {
	case 4, 5:
		v := f.Mins
		if i == 5 {
			v = f.Maxes
		}
		w.U64(uint64(len(v.Fixed)))
		w.U64(uint64(len(v.Var)))
		w.Bytes(v.Fixed)
		w.Bytes(v.Var)
	default:
		v := [...][]uint64{0: f.TileOffsets, 1: f.VarOffsets, 2: f.VarSizes, 3: f.ValidityOffsets, 6: f.Sums, 7: f.NullCounts}[i]
		w.U64(uint64(len(v)))
		w.U64s(v)
	}
	return w.B
}

func encodeSummary(fields []FieldMetadata) []byte {
	w := &bin.Writer{}
	for i := range fields {
		s := &fields[i].Summary
		w.U64(uint64(len(s.Min)))
		w.Bytes(s.Min)
		w.U64(uint64(len(s.Max)))
		w.Bytes(s.Max)
		w.U64(s.Sum)
		w.U64(s.NullCount)
	}
	return w.B
}

func encodePaths(paths []string) []byte {
	w := &bin.Writer{}
	w.U64(uint64(len(paths)))
	for _, p := range paths {
		w.String64(p)
	}
	return w.B
}

// appendFooter appends footer and length to the parts, whose positions are set.
func (m *FragmentMetadata) appendFooter(parts []byte) ([]byte, error) {
	w := &bin.Writer{B: parts}
	w.U32(Version)
	w.String64(m.SchemaName)
	w.Bool(m.Dense)
	w.Bool(m.NonEmptyDomain == nil)
	if m.NonEmptyDomain != nil {
		writeRanges(w, &m.Schema.Domain, m.NonEmptyDomain)
	} else {
		for i := range m.Schema.Domain.Dimensions {
			w.Bytes(make([]byte, 2*m.Schema.Domain.Dimensions[i].Type.Size()))
		}
	}
	w.U64(m.SparseTiles)
	w.U64(m.LastTileCells)
	w.Bool(m.HasTimestamps)
	w.Bool(m.HasDeletes)
	w.U64s(m.FileSizes)
	w.U64s(m.VarSizes)
	w.U64s(m.ValiditySizes)
	w.U64(m.Parts.RTree)
	for _, l := range m.Parts.lists() {
		w.U64s(*l.list)
	}
	w.U64(m.Parts.Summary)
	w.U64(m.Parts.ProcessedConditions)
	m.Start, m.NBytes = int64(len(parts)), int64(len(w.B)-len(parts))
	w.U64(uint64(m.NBytes))
	if err := m.settle(); err != nil {
		return nil, err
	}
	return w.B, nil
}
