package format

import (
	"reflect"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/bin"
	"azulejo/schema"
)

// No writer of versions 3 to 6 and 23 is at hand, so these tests write such files themselves, by the specification.

// oldArray is a sparse array of two int32 dimensions and attributes of int32 and of texts.
func oldArray() *schema.Array {
	a := schema.New(schema.Sparse)
	a.Capacity = 10
	for _, name := range []string{"x", "y"} {
		a.Domain.Dimensions = append(a.Domain.Dimensions, schema.Dimension{
			Name: name, Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 99}), Extent: datatype.Bytes([]int32{10}),
		})
	}
	a.Attributes = []schema.Attribute{
		schema.NewAttribute("a", datatype.Int32, 1), schema.NewAttribute("b", datatype.StringASCII, datatype.VarNum),
	}
	return a
}

// oldWriter collects generic tiles and notes where each begins.
type oldWriter struct {
	t    *testing.T
	file []byte
}

func (o *oldWriter) part(payload []byte) uint64 {
	pos := uint64(len(o.file))
	o.file = append(o.file, tile(o.t, payload)...)
	return pos
}

// numbers returns the payload of a list of two tiles.
func numbers(v ...uint64) []byte {
	w := &bin.Writer{}
	w.U64(uint64(len(v)))
	w.U64s(v)
	return w.B
}

// oldFile writes a fragment of version 3 to 6 with two tiles, the second of 4 cells.
func oldFile(t *testing.T, version uint32) []byte {
	o := &oldWriter{t: t}
	old := version < 5
	box := datatype.Bytes([]int32{1, 5, 2, 6, 7, 9, 8, 10})
	tree := &bin.Writer{}
	if old {
		tree.U32(2)
	}
	tree.U32(10)
	if old {
		tree.U8(uint8(datatype.Int32))
	}
	tree.U32(2)
	tree.U64(1)
	tree.Bytes(datatype.Bytes([]int32{1, 9, 2, 10}))
	tree.U64(2)
	tree.Bytes(box)
	slots, varSlots := 5, 5
	if old {
		slots, varSlots = 3, 2
	}
	foot := &bin.Writer{}
	foot.U32(version)
	foot.Bytes([]byte{0, 0}) // sparse, with a domain
	foot.Bytes(datatype.Bytes([]int32{1, 9, 2, 10}))
	foot.U64s([]uint64{2, 4})
	foot.U64s([]uint64{80, 90, 100, 110, 120}[:slots])
	foot.U64s([]uint64{0, 70, 0, 0, 0}[:varSlots])
	foot.U64(o.part(tree.B))
	for _, n := range []int{slots, varSlots, varSlots} {
		for i := range n {
			foot.U64(o.part(numbers(0, uint64(10*n+i))))
		}
	}
	return append(o.file, foot.B...)
}

func TestVersions3To6(t *testing.T) {
	for version := uint32(3); version <= 6; version++ {
		nameVersion := version
		if version < 5 {
			nameVersion = 0 // their names have no suffix
		}
		m, err := DecodeFragmentMetadata(oldFile(t, version), nameVersion, false, always(oldArray()))
		if err != nil {
			t.Errorf("version %d: %v", version, err)
			continue
		}
		if m.Version != version || m.NumTiles() != 2 || m.NumCells() != 14 || m.SchemaName != LegacySchema || m.VarSizes[1] != 70 {
			t.Errorf("version %d: %+v", version, m.Footer)
		}
		names := []string{m.FileName(0, FixedFile), m.FileName(1, VarFile), m.FileName(m.Slots().Dimension(1), FixedFile)}
		want := []string{"a.tdb", "b_var.tdb", "y.tdb"}
		if version < 5 {
			want[2] = "__coords.tdb"
		}
		if !reflect.DeepEqual(names, want) {
			t.Errorf("version %d: files %v", version, names)
		}
		if got := m.Fields[1].VarOffsets; !reflect.DeepEqual(got, []uint64{0, uint64(10*len(m.Fields) + 1)}) && version >= 5 {
			t.Errorf("version %d: var offsets %v", version, got)
		}
		if r := m.RTree.Leaves().Columns[1].Range(1, 4); !reflect.DeepEqual(r.Lo, []byte{8, 0, 0, 0}) {
			t.Errorf("version %d: box %v", version, r)
		}
	}
}

// TestVersion23 adds the optional section of version 23, and one nobody knows, to a file of version 22.
func TestVersion23(t *testing.T) {
	a := readSchema(t, "vectors/sparse/schema0.tdb")
	file := read(t, "vectors/sparse/fragment0.tdb")
	m, err := DecodeFragmentMetadata(file, 22, false, always(a))
	if err != nil {
		t.Fatal(err)
	}
	o := &oldWriter{t: t, file: file[:m.Start:m.Start]}
	foot := &bin.Writer{}
	foot.U32(23)
	foot.Bytes(file[m.Start+4 : m.Start+m.NBytes])
	foot.U32(2)
	foot.U64(77)
	foot.U32(3)
	foot.Bytes([]byte("any"))
	foot.U64(0)
	foot.U32(uint32(2 * 8 * len(a.Domain.Dimensions)))
	for range 2 {
		for i := range a.Domain.Dimensions {
			foot.U64(o.part(encodeList(&FieldMetadata{Mins: coordinatesOf(m, i)}, 4)))
		}
	}
	n := len(foot.B)
	foot.U64(uint64(n))
	got, err := DecodeFragmentMetadata(append(o.file, foot.B...), 23, false, always(a))
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != 23 || !reflect.DeepEqual(got.Fields, m.Fields) || !reflect.DeepEqual(got.NonEmptyDomain, m.NonEmptyDomain) {
		t.Errorf("read %+v", got.Footer)
	}
	for i := range a.Domain.Dimensions {
		start, n := got.PartExtent(got.Parts.GlobalOrderMaxes[i])
		v, err := got.DecodeGlobalOrder(o.file[start:start+n], i)
		if err != nil || !reflect.DeepEqual(v, coordinatesOf(m, i)) {
			t.Errorf("last coordinates of dimension %d: %v, error %v", i, v, err)
		}
	}
}

// coordinatesOf returns the low ends of the tiles' boxes along dimension i.
func coordinatesOf(m *FragmentMetadata, i int) TileValues {
	d := &m.Schema.Domain.Dimensions[i]
	v := TileValues{Fixed: []byte{}, Var: []byte{}}
	for k := range int(m.NumTiles()) {
		lo := m.RTree.Leaves().Columns[i].Range(k, d.Type.Size()).Lo
		if d.Var() {
			v.Fixed = append(v.Fixed, datatype.Bytes([]uint64{uint64(len(v.Var))})...)
			v.Var = append(v.Var, lo...)
		} else {
			v.Fixed = append(v.Fixed, lo...)
		}
	}
	return v
}

// TestOldSchema writes a schema of version 4 by the specification: one type for all dimensions, no fill values.
func TestOldSchema(t *testing.T) {
	w := &bin.Writer{}
	w.U32(4)
	w.Bytes([]byte{0, 0, 0}) // dense, row-major
	w.U64(10000)
	none := filter.Pipeline{MaxChunk: 65536}
	none.Encode(w)
	none.Encode(w)
	w.U8(uint8(datatype.Int64))
	w.U32(1)
	w.String32("d")
	w.Bytes(datatype.Bytes([]int64{1, 8}))
	w.U8(0)
	w.Bytes(datatype.Bytes([]int64{4}))
	w.U32(1)
	w.String32("a")
	w.U8(uint8(datatype.Int32))
	w.U32(2)
	deltas := filter.Pipeline{MaxChunk: 65536, Filters: []filter.Spec{{Code: filter.DoubleDelta, Options: []byte{6, 0xFF, 0xFF, 0xFF, 0xFF}}}}
	deltas.Encode(w)
	a, err := DecodeArraySchema(tile(t, w.B))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Check(); err != nil {
		t.Error(err)
	}
	if d := a.Domain.Dimensions[0]; d.Type != datatype.Int64 || d.Name != "d" || !reflect.DeepEqual(d.Extent, datatype.Bytes([]int64{4})) {
		t.Errorf("dimension %+v", d)
	}
	f := a.Attributes[0]
	if want := filter.Reinterpreting(filter.DoubleDelta, -1, datatype.Any); !reflect.DeepEqual(f.Filters.Filters, []filter.Spec{want}) {
		t.Errorf("filters %v", f.Filters)
	}
	if !reflect.DeepEqual(f.Fill, []byte{0, 0, 0, 0x80, 0, 0, 0, 0x80}) || f.Nullable {
		t.Errorf("attribute %+v", f)
	}
}
