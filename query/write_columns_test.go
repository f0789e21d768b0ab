package query

import (
	"context"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

func sparseSchema() *schema.Array {
	return testSchema(schema.Sparse, schema.RowMajor, []schema.Dimension{intDim("d", 0, 99, 10)},
		schema.Attribute{Name: "a", Type: datatype.Int32, CellValNum: 1},
		schema.Attribute{Name: "n", Type: datatype.Int8, CellValNum: 1, Nullable: true},
		schema.Attribute{Name: "s", Type: datatype.StringUTF16, CellValNum: datatype.VarNum})
}

// goodColumns is a write of two cells to sparseSchema.
func goodColumns() []Column {
	return []Column{
		{Name: "d", Data: datatype.Bytes([]int64{7, 3})}, {Name: "a", Data: datatype.Bytes([]int32{1, 2})},
		{Name: "n", Data: []byte{5, 6}, Validity: []byte{1, 0}},
		{Name: "s", Data: []byte("a\x00b\x00"), Offsets: datatype.Bytes([]uint64{0, 2})},
	}
}

// TestColumnsAreChecked refuses faulty columns by the name of the field and writes nothing.
func TestColumnsAreChecked(t *testing.T) {
	const a, n, s, d = 1, 2, 3, 0
	for _, c := range []struct {
		damage func(w *Write, c []Column)
		want   string
	}{
		{func(_ *Write, c []Column) { c[a].Name = "b" }, `the array has no field "b"`},
		{func(_ *Write, c []Column) { c[a] = c[n] }, `field "n" is given twice`},
		{func(w *Write, c []Column) { w.Columns = c[1:] }, `no values for field "d"`},
		{func(_ *Write, c []Column) { c[a].Data = c[a].Data[:7] }, `field "a": 7 bytes are no whole number of cells of 4 bytes`},
		{func(_ *Write, c []Column) { c[a].Data = c[a].Data[:4] }, `field "n" has 2 cells, but field "a" has 1`},
		{func(_ *Write, c []Column) { c[a].Validity = []byte{1, 1} }, `field "a": validity for a field that is not nullable`},
		{func(_ *Write, c []Column) { c[a].Offsets = make([]byte, 8) }, `field "a": offsets for cells of fixed size`},
		{func(_ *Write, c []Column) { c[n].Validity = []byte{1} }, `field "n": 1 validity bytes for 2 cells`},
		{func(_ *Write, c []Column) { c[n].Validity = nil }, `field "n": 0 validity bytes for 2 cells`},
		{func(_ *Write, c []Column) { c[s].Offsets = datatype.Bytes([]uint64{2, 0}) }, `field "s": offsets must be given in ascending order, but offset 0, of cell 1, follows 2`},
		{func(_ *Write, c []Column) { c[s].Offsets = datatype.Bytes([]uint64{0, 6}) }, `field "s": offset 6 specified for cell 1 of a buffer of size 4`},
		{func(_ *Write, c []Column) { c[s].Offsets = datatype.Bytes([]uint64{0, 1}) }, `field "s": offset 1, of cell 1, lies inside a value`},
		{func(_ *Write, c []Column) { c[s].Offsets = make([]byte, 12) }, `field "s": 12 bytes are no whole number of 64-bit offsets`},
		{func(_ *Write, c []Column) { c[s].Data = c[s].Data[:3] }, `field "s": 3 bytes of data are no whole number of values of 2 bytes`},
		{func(w *Write, _ []Column) { w.Offsets.Extra = true }, `field "s": the last offset: 2 is not equal to the size of the data buffer: 4`},
		{func(w *Write, _ []Column) { w.Offsets.Bits = 16 }, `offsets of 16 bits`},
		{func(_ *Write, c []Column) { c[d].Data = datatype.Bytes([]int64{7, 100}) }, `coordinate 100 is out of domain bounds [0, 99] on dimension "d"`},
		{func(_ *Write, c []Column) { c[d].Data = datatype.Bytes([]int64{7, 7}) }, `Duplicate coordinates (7) are not allowed`},
		{func(w *Write, _ []Column) { w.Layout = schema.RowMajor }, `writes to sparse arrays are unordered or in global order`},
		{func(w *Write, _ []Column) { w.Layout = schema.GlobalOrder }, `coordinates (7) succeed (3) in the global order`},
		{func(w *Write, _ []Column) { w.Subarray.Ranges = [][]schema.Range{nil} }, `writes to sparse arrays take no subarray`},
		{func(w *Write, _ []Column) { w.Fragment = "x" }, `fragment name`},
	} {
		fs := mem.New()
		w := &Write{Layout: schema.Unordered, Columns: goodColumns(), CheckDups: true, CheckOutOfBounds: true}
		c.damage(w, w.Columns)
		_, err := Submit(context.Background(), &array.Array{FS: fs, URI: "mem://a", Schema: sparseSchema()}, w)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
		if list, _ := fs.List(context.Background(), "mem://"); len(list) > 0 {
			t.Errorf("%s: left %v", c.want, list)
		}
	}
}

// TestOffsetForms reads the same three texts from every form that users may give offsets in.
func TestOffsetForms(t *testing.T) {
	data := datatype.Bytes([]uint16{10, 11, 12, 13})
	for _, c := range []struct {
		form    OffsetsFormat
		offsets []uint64
	}{
		{OffsetsFormat{}, []uint64{0, 4, 4}},
		{OffsetsFormat{Bits: 64, Extra: true}, []uint64{0, 4, 4, 8}},
		{OffsetsFormat{Bits: 32}, []uint64{0, 4, 4}},
		{OffsetsFormat{Bits: 32, Elements: true, Extra: true}, []uint64{0, 2, 2, 4}},
		{OffsetsFormat{Elements: true}, []uint64{0, 2, 2}},
	} {
		given := datatype.Bytes(append([]uint64{}, c.offsets...))
		if c.form.Bits == 32 {
			given = nil
			for _, o := range c.offsets {
				given = binary.LittleEndian.AppendUint32(given, uint32(o))
			}
		}
		before := string(given)
		got, err := byteOffsets(&Column{Data: data, Offsets: given}, 2, c.form)
		if err != nil || !reflect.DeepEqual(got, []uint64{0, 4, 4}) {
			t.Errorf("%+v: %v %v", c.form, got, err)
		}
		if string(given) != before {
			t.Errorf("%+v: the user's offsets were changed", c.form)
		}
	}
}

// FuzzSubmit writes columns of any bytes: they are refused as invalid, or make a fragment.
func FuzzSubmit(f *testing.F) {
	for _, c := range [][]Column{goodColumns(), nil} {
		c = append(c, make([]Column, 4)...)
		f.Add(c[0].Data, c[1].Data, c[2].Data, c[2].Validity, c[3].Data, c[3].Offsets, uint8(0))
	}
	f.Fuzz(func(t *testing.T, d, a, n, valid, s, offsets []byte, bits uint8) {
		w := &Write{Layout: schema.Unordered + schema.Layout(bits&1) - 1, CheckOutOfBounds: bits&2 > 0, CheckDups: bits&4 > 0, DedupCoords: bits&8 > 0,
			Offsets: OffsetsFormat{Bits: 32 << (bits >> 4 & 1), Elements: bits&32 > 0, Extra: bits&64 > 0},
			Columns: []Column{{Name: "d", Data: d}, {Name: "a", Data: a}, {Name: "n", Data: n, Validity: valid}, {Name: "s", Data: s, Offsets: offsets}}}
		schema := sparseSchema()
		schema.AllowsDups = bits&128 > 0
		_, err := Submit(context.Background(), &array.Array{FS: mem.New(), URI: "mem://a", Schema: schema}, w)
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}
