package format

import (
	"azulejo/internal/bin"
	"azulejo/schema"
)

// Fragment metadata of versions 1 and 2 (format_spec/fragment.md, Legacy Fragment metadata file) is one generic tile, for
// A attributes; slot A is the zipped coordinates:
//
//	u32 version | u64+non-empty domain | u64 n, n x box | u64 n, n x 2 coordinates
//	A+1 lists u64 n, n x tile offset | A lists u64 n, n x var offset | A lists u64 n, n x var size
//	u64 cells of the last tile | A+1 u64 file sizes | A u64 var file sizes

// decodeOldest decodes metadata of versions 1 and 2. Only the presence of a coordinates file tells whether the fragment
// is dense, so the caller must.
func decodeOldest(file []byte, dense bool, schemaOf func(name string) (*schema.Array, error)) (*FragmentMetadata, error) {
	payload, err := decodeWhole(file, "fragment metadata")
	if err != nil {
		return nil, err
	}
	a, err := schemaOf(LegacySchema)
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(payload)
	version := r.U32("format version")
	if r.Err() == nil && version != 1 && version != 2 {
		r.Failf("format version", "%w: %d", ErrCorrupt, version)
	}
	if !a.Domain.AllFixed() {
		r.Failf("schema", "%w: dimensions of texts in version %d", ErrCorrupt, version)
	}
	m := &FragmentMetadata{Footer: Footer{Version: version, SchemaName: LegacySchema, Schema: a, Dense: dense}}
	readOldest(r, m)
	if err := finish(r, "fragment metadata", version); err != nil {
		return nil, err
	}
	if err := m.settle(); err != nil {
		return nil, err
	}
	return m, nil
}

func readOldest(r *bin.Reader, m *FragmentMetadata) {
	d := &m.Schema.Domain
	boxSize := uint64(0)
	for i := range d.Dimensions {
		boxSize += 2 * uint64(d.Dimensions[i].Type.Size())
	}
	switch n := r.U64("size of the non-empty domain"); {
	case r.Err() != nil || n == 0:
	case n != boxSize:
		r.Failf("size of the non-empty domain", "%w: %d bytes, not %d", ErrCorrupt, n, boxSize)
	default:
		m.NonEmptyDomain = readRanges(r, d)
	}
	boxes := readLevel(r, d)
	m.SparseTiles = uint64(boxes.NumBoxes)
	if r.Err() == nil {
		m.RTree = NewRTree(d, boxes)
	}
	n := r.Count("bounding coordinates", r.U64("number of bounding coordinates"), int(boxSize))
	r.Bytes("bounding coordinates", uint64(n)*boxSize)
	attributes := len(m.Schema.Attributes)
	m.Fields = make([]FieldMetadata, attributes+1)
	for i := range m.Fields {
		m.Fields[i].TileOffsets = r.U64s("tile offsets", r.U64("number of tile offsets"))
	}
	for i := range m.Fields[:attributes] {
		m.Fields[i].VarOffsets = r.U64s("var offsets", r.U64("number of var offsets"))
	}
	for i := range m.Fields[:attributes] {
		m.Fields[i].VarSizes = r.U64s("var sizes", r.U64("number of var sizes"))
	}
	m.LastTileCells = r.U64("cells of the last tile")
	m.FileSizes = r.U64s("file sizes", uint64(attributes)+1)
	m.ValiditySizes = make([]uint64, attributes+1)
	m.VarSizes = append(r.U64s("var file sizes", uint64(attributes)), 0)
}
