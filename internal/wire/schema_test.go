package wire

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

func TestDecodeDenseSchema(t *testing.T) {
	s := recordedSchema(t, "dense")
	if s.Type != schema.Dense || s.CellOrder != schema.RowMajor || s.TileOrder != schema.ColMajor || s.Capacity != 10000 || s.Version != 22 {
		t.Error("array:", show(s))
	}
	col := schema.Dimension{Name: "col", Type: datatype.Int32, CellValNum: 1, Domain: little([]int32{1, 12}), Extent: little(int32(3)),
		Filters: filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}}
	if !reflect.DeepEqual(s.Domain.Dimensions[1], col) {
		t.Errorf("got %s\nwant %s", show(s.Domain.Dimensions[1]), show(col))
	}
	want := map[string][]filter.Spec{
		"a": {
			{Code: filter.BitWidthReduction, Options: little(uint32(512))}, {Code: filter.Byteshuffle}, {Code: filter.Bitshuffle},
			{Code: filter.PositiveDelta, Options: little(uint32(2048))}, {Code: filter.Gzip, Options: []byte{1, 5, 0, 0, 0}},
			{Code: filter.Bzip2, Options: []byte{5, 7, 0, 0, 0}}, {Code: filter.LZ4, Options: []byte{3, 3, 0, 0, 0}},
			{Code: filter.Zstd, Options: []byte{2, 11, 0, 0, 0}}, {Code: filter.RLE, Options: []byte{4, 255, 255, 255, 255}},
			{Code: filter.ChecksumMD5}, {Code: filter.ChecksumSHA256}, {Code: filter.None},
		},
		"f":  {{Code: filter.FloatScale, Options: append(little([]float64{0.25, 7.5}), little(uint64(4))...)}},
		"dd": {{Code: filter.DoubleDelta, Options: []byte{6, 255, 255, 255, 255, byte(datatype.Int32)}}},
		"de": {{Code: filter.Delta, Options: []byte{8, 255, 255, 255, 255, byte(datatype.Int16)}}, {Code: filter.XOR}},
		"s":  {{Code: filter.Dictionary, Options: []byte{7, 255, 255, 255, 255}}},
		"t":  nil,
	}
	for name, filters := range want {
		f, _ := s.Field(name)
		if got := s.Attributes[f.Index].Filters.Filters; !reflect.DeepEqual(got, filters) {
			t.Errorf("%s: got %s\nwant %s", name, show(got), show(filters))
		}
	}
	image := recordedSchema(t, "image").Attributes[0].Filters.Filters
	webp := append(append(little(float32(80.5)), 1, 1), little([]uint16{8, 12, 0})...)
	if len(image) != 1 || image[0].Code != filter.WebP || !reflect.DeepEqual(image[0].Options, webp) {
		t.Error("webp:", show(image))
	}
}

func TestDecodeSparseSchema(t *testing.T) {
	s := recordedSchema(t, "table")
	k := schema.Dimension{Name: "k", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Filters: filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}}
	if s.Type != schema.Sparse || !reflect.DeepEqual(s.Domain.Dimensions[1], k) {
		t.Error(show(s.Domain))
	}
	colors := s.Enumerations["colors"]
	if string(colors.Data) != "redgreenblue" || !reflect.DeepEqual(colors.Offsets, []uint64{0, 3, 8}) || !colors.Ordered || colors.Type != datatype.StringUTF8 ||
		colors.File != s.EnumerationFiles["colors"] || !strings.HasPrefix(colors.File, "__") {
		t.Error("enumeration:", show(colors))
	}
	if color, _ := s.Field("color"); s.Attributes[color.Index].Enumeration != "colors" {
		t.Error("the attribute has lost its enumeration")
	}
	current := []schema.Range{{Lo: little(int64(5)), Hi: little(int64(500))}, {Lo: []byte("aa"), Hi: []byte("mmm")}}
	if !reflect.DeepEqual(s.CurrentDomain.Ranges, current) {
		t.Error("current domain:", show(s.CurrentDomain))
	}
	kinds := recordedSchema(t, "kinds")
	if kinds.CellOrder != schema.Hilbert || !kinds.AllowsDups || kinds.Capacity != 77 || kinds.Attributes[0].Name != "" {
		t.Error("kinds:", show(kinds))
	}
	for i, v := range []any{[]int8{1, 100}, []uint8{1, 100}, []int16{1, 100}, []uint16{1, 100}, []int32{1, 100}, []uint32{1, 100}, []int64{1, 100},
		[]uint64{1, 100}, []float32{1, 100}, []float64{1, 100}, []int64{10957, 21915}} {
		if d := kinds.Domain.Dimensions[i]; !reflect.DeepEqual(d.Domain, little(v)) || len(d.Extent) != d.Type.Size() {
			t.Errorf("%s: %v %v", d.Name, d.Domain, d.Extent)
		}
	}
}

func TestDecodeCreate(t *testing.T) {
	uri, s, err := DecodeCreate(recorded(t, "create-v3"))
	if err != nil || uri != "" || s.Attributes[0].Name != "a" || s.Domain.Dimensions[0].Name != "r" {
		t.Error(uri, show(s), err)
	}
}

func TestSchemaRoundTrip(t *testing.T) {
	label := schema.DimensionLabel{Dimension: 1, Name: "l", URI: "__labels/l0", Relative: true, Attribute: "label", Order: schema.IncreasingData,
		Type: datatype.Float64, CellValNum: 1}
	for _, name := range []string{"dense", "image", "kinds", "small", "table"} {
		want := recordedSchema(t, name)
		want.Labels = append(want.Labels, label)
		b, err := EncodeSchema(want)
		if err != nil {
			t.Fatal(name, err)
		}
		want = asShown(want)
		got, err := DecodeSchema(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, show(got), show(want))
		}
	}
}

// altered returns a recorded schema's message after change.
func altered(t testing.TB, name string, change func(m capnp.ArraySchema)) []byte {
	t.Helper()
	msg, err := capnplib.Unmarshal(recorded(t, name+"-create"))
	if err != nil {
		t.Fatal(err)
	}
	to, seg, _ := capnplib.NewMessage(capnplib.SingleSegment(nil))
	old, _ := capnp.ReadRootArraySchema(msg)
	m, _ := capnp.NewRootArraySchema(seg)
	if err := capnplib.Struct(m).CopyFrom(capnplib.Struct(old)); err != nil {
		t.Fatal(err)
	}
	change(m)
	b, err := to.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSchemaFaults(t *testing.T) {
	dimension := func(m capnp.ArraySchema, i int) capnp.Dimension {
		d, _ := m.Domain()
		l, _ := d.Dimensions()
		return l.At(i)
	}
	attribute := func(m capnp.ArraySchema, i int) capnp.Attribute {
		l, _ := m.Attributes()
		return l.At(i)
	}
	for want, change := range map[string]func(m capnp.ArraySchema){
		`arrayType: malformed message: unknown value "thick"`:                    func(m capnp.ArraySchema) { m.SetArrayType("thick") },
		`cellOrder: malformed message: unknown value ""`:                         func(m capnp.ArraySchema) { m.SetCellOrder("") },
		`domain.dimensions[0].type: malformed message: unknown datatype "INT33"`: func(m capnp.ArraySchema) { dimension(m, 0).SetType("INT33") },
		`domain.dimensions[0].type: malformed message: no dimension can have the datatype BLOB`: func(m capnp.ArraySchema) {
			dimension(m, 0).SetType("BLOB")
		},
		`domain.dimensions[0].domain: malformed message: 0 bytes`: func(m capnp.ArraySchema) { dimension(m, 0).NewDomain() },
		`domain.dimensions[0].tileExtent: malformed message: member uint8`: func(m capnp.ArraySchema) {
			dimension(m, 0).TileExtent().SetUint8(1)
		},
		`attributes[2].fillValue: malformed message: 3 bytes`: func(m capnp.ArraySchema) { attribute(m, 2).SetFillValue([]byte("abc")) },
		`attributes[2].fillValue: malformed message: missing`: func(m capnp.ArraySchema) { attribute(m, 2).SetFillValue(nil); attribute(m, 2).SetCellValNum(1 << 31) },
		`attributes[0].filterPipeline.filters[0].type: malformed message: unknown filter "SQUEEZE"`: func(m capnp.ArraySchema) {
			p, _ := attribute(m, 0).NewFilterPipeline()
			l, _ := p.NewFilters(1)
			l.At(0).SetType("SQUEEZE")
		},
		`coordsFilterPipeline.filters[0].data: malformed message: a window`: func(m capnp.ArraySchema) {
			p, _ := m.NewCoordsFilterPipeline()
			l, _ := p.NewFilters(1)
			l.At(0).SetType("POSITIVE_DELTA")
		},
		`enumerations[0].offsets: malformed message: 7 bytes`: func(m capnp.ArraySchema) {
			l, _ := m.NewEnumerations(1)
			l.At(0).SetType("CHAR")
			l.At(0).SetOffsets(make([]byte, 7))
		},
		`enumerations[0].offsets[1]: malformed message: position 9 in 3 bytes`: func(m capnp.ArraySchema) {
			l, _ := m.NewEnumerations(1)
			l.At(0).SetType("CHAR")
			l.At(0).SetCellValNum(datatype.VarNum)
			l.At(0).SetData([]byte("abc"))
			l.At(0).SetOffsets(little([]uint64{0, 9}))
		},
		`currentDomain: malformed message: 1 ranges for 2 dimensions`: func(m capnp.ArraySchema) {
			c, _ := m.NewCurrentDomain()
			c.SetType("NDRECTANGLE")
			r, _ := c.NewNdRectangle()
			l, _ := r.NewNdranges(1)
			l.At(0).SetType("INT64")
			l.At(0).SetBuffer(little([]int64{1, 2}))
		},
		`currentDomain.ndRectangle.ndranges[0].bufferSizes[0]: malformed message: 9 bytes, 8 are left`: func(m capnp.ArraySchema) {
			c, _ := m.NewCurrentDomain()
			c.SetType("NDRECTANGLE")
			r, _ := c.NewNdRectangle()
			l, _ := r.NewNdranges(1)
			l.At(0).SetType("INT32")
			l.At(0).SetBuffer(little([]int32{1, 2}))
			sizes, _ := l.At(0).NewBufferSizes(1)
			sizes.Set(0, 9)
		},
	} {
		_, err := DecodeSchema(altered(t, "table", change))
		if !errors.Is(err, ErrMalformed) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// Names of files that lead elsewhere are not kept.
func TestSchemaFileNames(t *testing.T) {
	s, err := DecodeSchema(altered(t, "table", func(m capnp.ArraySchema) {
		m.SetName("../../secret")
		l, _ := m.NewEnumerationPathMap(1)
		l.At(0).SetKey("colors")
		l.At(0).SetValue("__../x")
	}))
	if err != nil || s.Name != "" || s.EnumerationFiles["colors"] == "__../x" {
		t.Error(show(s), err)
	}
}

// asShown returns a schema as clients are shown it: each dimension with the filters that its coordinates pass.
func asShown(v *schema.Array) *schema.Array {
	c := *v
	c.Domain.Dimensions = slices.Clone(v.Domain.Dimensions)
	for i := range c.Domain.Dimensions {
		c.Domain.Dimensions[i].Filters = v.DimensionFilters(i)
	}
	return &c
}

// FuzzSchema holds that a schema that was read is written and read again as the same.
func FuzzSchema(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSchema(b)
		if err != nil {
			return
		}
		again, err := EncodeSchema(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeSchema(again)
		if err != nil {
			t.Fatal(err)
		}
		if x, y := show(got), show(asShown(s)); x != y {
			t.Errorf("got %s\nwant %s", x, y)
		}
	})
}
