package format

import (
	"testing"

	"azulejo/datatype"
	"azulejo/schema"
)

// goldenFragment is a sparse fragment of two tiles with an integer and a text dimension, and an attribute of texts.
func goldenFragment() *FragmentMetadata {
	a := schema.New(schema.Sparse)
	a.Capacity = 2
	a.Domain.Dimensions = []schema.Dimension{
		{Name: "d", Type: datatype.Int16, CellValNum: 1, Domain: datatype.Bytes([]int16{0, 99}), Extent: datatype.Bytes([]int16{10})},
		{Name: "s", Type: datatype.StringASCII, CellValNum: datatype.VarNum},
	}
	t := schema.NewAttribute("t", datatype.StringASCII, datatype.VarNum)
	t.Nullable = true
	a.Attributes = []schema.Attribute{t}
	zeros := func() []uint64 { return []uint64{0, 0} }
	plain := func() FieldMetadata {
		return FieldMetadata{TileOffsets: zeros(), VarOffsets: zeros(), VarSizes: zeros(), ValidityOffsets: zeros()}
	}
	m := &FragmentMetadata{Footer: Footer{
		SchemaName: "__1_1_0123", Schema: a, SparseTiles: 2, LastTileCells: 1,
		FileSizes: []uint64{70, 0, 60, 71}, VarSizes: []uint64{45, 0, 0, 40}, ValiditySizes: []uint64{30, 0, 0, 0},
	}, Fields: []FieldMetadata{plain(), plain(), plain(), plain()}}
	m.NonEmptyDomain = []schema.Range{{Lo: datatype.Bytes([]int16{1}), Hi: datatype.Bytes([]int16{50})}, {Lo: []byte("k1"), Hi: []byte("k22")}}
	leaves := RTreeLevel{NumBoxes: 2, Columns: make([]RangeColumn, 2)}
	leaves.Columns[0].Append(&a.Domain.Dimensions[0], schema.Range{Lo: datatype.Bytes([]int16{1}), Hi: datatype.Bytes([]int16{20})})
	leaves.Columns[0].Append(&a.Domain.Dimensions[0], schema.Range{Lo: datatype.Bytes([]int16{50}), Hi: datatype.Bytes([]int16{50})})
	leaves.Columns[1].Append(&a.Domain.Dimensions[1], schema.Range{Lo: []byte("k1"), Hi: []byte("k22")})
	leaves.Columns[1].Append(&a.Domain.Dimensions[1], schema.Range{Lo: []byte("k2"), Hi: []byte("k2")})
	m.RTree = NewRTree(&a.Domain, leaves)
	f := &m.Fields[0]
	f.TileOffsets, f.VarOffsets, f.VarSizes, f.ValidityOffsets = []uint64{0, 40}, []uint64{0, 25}, []uint64{5, 2}, []uint64{0, 16}
	f.Mins = TileValues{Fixed: datatype.Bytes([]uint64{0, 2}), Var: []byte("abcc")}
	f.Maxes = TileValues{Fixed: datatype.Bytes([]uint64{0, 3}), Var: []byte("abdcc")}
	f.NullCounts = []uint64{0, 1}
	f.Summary = FieldSummary{Min: []byte("ab"), Max: []byte("cc"), NullCount: 1}
	m.Fields[2].TileOffsets, m.Fields[2].Sums = []uint64{0, 30}, []uint64{21, 50}
	m.Fields[2].Summary.Sum = 71
	m.Fields[3].TileOffsets, m.Fields[3].VarOffsets, m.Fields[3].VarSizes = []uint64{0, 40}, []uint64{0, 20}, []uint64{5, 2}
	m.ProcessedConditions = []string{"__commits/__3_3_45_22.del"}
	return m
}

func TestGoldenFragment(t *testing.T) {
	m := goldenFragment()
	file, err := EncodeFragmentMetadata(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &dumper{}
	parts := payloads(t, file, m.Start)
	next := func(what string, slot int) {
		d.b, d.off, parts = parts[0], 0, parts[1:]
		if slot < 0 {
			d.head("%s", what)
		} else {
			d.head("%s of slot %d", what, slot)
		}
	}
	next("R-tree", -1)
	dumpTree(d)
	for i, l := range m.Parts.lists() {
		for slot := range m.Fields {
			next(l.name, slot)
			if i == 4 || i == 5 {
				n, nVar := d.u64("bytes of fixed"), d.u64("bytes of var")
				d.bytes(n, "fixed")
				d.text(nVar, "var")
				continue
			}
			for range d.u64("tiles") {
				d.u64("  " + l.name)
			}
		}
	}
	next("fragment summary", -1)
	for range m.Fields {
		d.text(d.u64("min size"), "  min")
		d.text(d.u64("  max size"), "  max")
		d.u64("  sum")
		d.u64("  null count")
	}
	next("processed conditions", -1)
	for range d.u64("conditions") {
		d.text(d.u64("  path length"), "  path")
	}
	d.b, d.off = file[m.Start:], 0
	d.head("footer; positions of parts, which change with the compressor, are left out")
	dumpFooter(d, m)
	golden(t, "fragment", d.out.String())
}

func dumpTree(d *dumper) {
	d.u32("fanout")
	for range d.u32("levels") {
		for range d.u64("boxes") {
			d.bytes(4, "  range of d")
			n := d.u64("  range size of s")
			lo := d.u64("  range start size of s")
			d.text(lo, "  lo")
			d.text(n-lo, "  hi")
		}
	}
}

func dumpFooter(d *dumper, m *FragmentMetadata) {
	d.u32("format version")
	d.text(d.u64("schema name length"), "schema name")
	d.u8("dense")
	d.u8("domain is null")
	d.bytes(4, "range of d")
	n := d.u64("range size of s")
	lo := d.u64("range start size of s")
	d.text(lo, "lo")
	d.text(n-lo, "hi")
	d.u64("sparse tiles")
	d.u64("cells of the last tile")
	d.u8("has timestamps")
	d.u8("has delete metadata")
	for _, what := range []string{"file size", "var file size", "validity file size"} {
		for range m.Fields {
			d.u64(what)
		}
	}
	d.off += 8 * (1 + 8*len(m.Fields) + 2)
	d.u64("footer length")
}
