package arrowio

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	arrowarray "github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"azulejo/array"
	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

func TestBadCSVIsRefused(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"empty", "", "the file is empty"},
		{"ragged", "a,b\n1,2\n\n3\n", "line 4 has 1 fields, the first line 2"},
		{"long", "a,b\n1,2,3\n", "line 2 has 3 fields"},
		{"duplicate names", "a,b,a\n1,2,3\n", `fields 1 and 3 are both called "a"`},
		{"open quote", "a\n\"x\ny\n", "the quote that opens at line 2 is never closed"},
		{"text behind a quote", "a,b\n1,\"x\"y\n", "line 2, field 2: 'y' follows a closing quote"},
		{"not UTF-8", "a\n\xff\n", "line 2, field 1: the text is not UTF-8"},
		{"huge field", "a\n" + strings.Repeat("x", maxField+1), "bytes in a field"},
		{"no rows", "a,b\n", "there are no rows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, err := CSVSource(t.Context(), []File{text("x.csv", c.content)}, CSVOptions{})
			if err == nil {
				_, err = Infer(t.Context(), src, Options{})
			}
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x.csv: ") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	_, err := CSVSource(t.Context(), []File{text("x.csv", "a,b\n1,2\n"), text("y.csv", "a,c\n1,2\n")}, CSVOptions{})
	if err == nil || !strings.Contains(err.Error(), `y.csv: invalid data: line 1, field 2: column "c", in the first file it is "b"`) {
		t.Errorf("different columns: %v", err)
	}
}

func TestCSVTypes(t *testing.T) {
	for _, c := range []struct {
		fields string
		want   arrow.DataType
	}{
		{"1 -2 +3", arrow.PrimitiveTypes.Int64}, {"1 2.5", arrow.PrimitiveTypes.Float64}, {"1e3 nan inf", arrow.PrimitiveTypes.Float64},
		{"9223372036854775808 1", arrow.PrimitiveTypes.Uint64}, {"123456789012345678901234567890 1", arrow.BinaryTypes.LargeString},
		{"true False", arrow.FixedWidthTypes.Boolean}, {"true 1", arrow.BinaryTypes.LargeString}, {"0x10", arrow.BinaryTypes.LargeString},
		{"1_000", arrow.BinaryTypes.LargeString}, {"2024-02-29", arrow.FixedWidthTypes.Date32}, {"2023-02-29", arrow.BinaryTypes.LargeString},
		{"2024-02-29 2024-02-29T10:00:00", &arrow.TimestampType{Unit: arrow.Second}}, {"2024-02-29T10:00:00.5Z", &arrow.TimestampType{Unit: arrow.Nanosecond}},
		{"9999-02-28T10:00:00.5", arrow.BinaryTypes.LargeString}, {"-9223372036854775808 9223372036854775808", arrow.BinaryTypes.LargeString},
	} {
		src, err := CSVSource(t.Context(), []File{text("x", "a\n"+strings.ReplaceAll(c.fields, " ", "\n")+"\n")}, CSVOptions{})
		if err != nil || !arrow.TypeEqual(src.Schema.Field(0).Type, c.want) {
			t.Errorf("%s is %v, want %v; %v", c.fields, src.Schema.Field(0).Type, c.want, err)
		}
	}
}

// TestBadRowNamesItsPlace appends text to an array of numbers.
func TestBadRowNamesItsPlace(t *testing.T) {
	fs := mem.New()
	src, err := CSVSource(t.Context(), []File{text("a.csv", "i,v\n1,1.5\n2,2.5\n")}, CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a := load(t, fs, "/a", src, Options{Index: []string{"i"}, FullDomain: true})
	for content, want := range map[string]string{
		"i,v\n3,x\n":   `b.csv: invalid data: line 2, field 2: column "v" takes values of type float64, not "x"`,
		"i,v\n3,1\n,1": `row 2: invalid data: column "i" is a dimension and cannot be null`,
		"i,w\n3,1\n":   `the array has a field "v", the data 0 columns of that name`,
		"i,v,w\n3,1,2": `the array has no field for column "w"`,
	} {
		src, err := CSVSource(t.Context(), []File{text("b.csv", content)}, CSVOptions{Fields: a.Schema})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Append(t.Context(), fs, "/a", src, Options{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if got := csvOf(t, reopen(t, fs, "/a"), 0); got != "i,v\n1,1.5\n2,2.5\n" {
		t.Errorf("after refused rows the array holds\n%s", got)
	}
	if n := len(reopen(t, fs, "/a").Fragments()); n != 1 {
		t.Errorf("%d fragments", n)
	}
}

// TestNothingIsHalfImported ends an import in the middle.
func TestNothingIsHalfImported(t *testing.T) {
	fs := mem.New()
	src, err := CSVSource(t.Context(), []File{text("a.csv", "i,v\n"+strings.Repeat("1,1.5\n", batchRows+10))}, CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Index: []string{"i"}, Portion: 1 << 10}
	plan, err := Infer(t.Context(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Import(ctx, fs, "/a", src, plan, o, func(int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if there, err := array.Exists(t.Context(), fs, "/a"); there || err != nil {
		t.Errorf("after a cancelled import the array exists: %v, %v", there, err)
	}
	done, err := Import(t.Context(), fs, "/a", src, plan, o, nil)
	if err != nil || len(done.Fragments) < 2 || done.Rows != batchRows+10 {
		t.Errorf("%d rows in %d fragments, %v", done.Rows, len(done.Fragments), err)
	}
	a := reopen(t, fs, "/a")
	n, err := shapeOf(t.Context(), a, &query.Read{})
	if err != nil || n[0] != batchRows+10 {
		t.Errorf("%d cells, %v", n, err)
	}
	if _, err := Import(t.Context(), fs, "/a", src, plan, o, nil); !errors.Is(err, array.ErrExists) {
		t.Errorf("importing over an array: %v", err)
	}
}

func TestTypesWithoutCounterpartAreRefused(t *testing.T) {
	b := arrowarray.NewDecimal128Builder(memory.DefaultAllocator, &arrow.Decimal128Type{Precision: 5, Scale: 2})
	b.Append(decimal128.FromI64(1))
	column := b.NewArray()
	for _, c := range []struct {
		dtype arrow.DataType
		want  string
	}{
		{column.DataType(), "arrays hold no decimals; cast the column"},
		{arrow.Null, "all its values are null"},
		{arrow.FixedWidthTypes.Float16, "arrays have no such type"},
		{arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int8}), "arrays have no such type"},
		{arrow.ListOf(arrow.BinaryTypes.String), "lists of numbers only"},
		{arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int8), "arrays have no such type"},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.PrimitiveTypes.Int64}, "only texts can be labels"},
	} {
		src := &Source{Name: "x", Schema: arrow.NewSchema([]arrow.Field{{Name: "a", Type: c.dtype}}, nil)}
		if _, err := Infer(t.Context(), src, Options{}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.dtype, err)
		}
	}
}

// TestDamagedFilesAreErrors cuts and changes files of every format at many places.
func TestDamagedFilesAreErrors(t *testing.T) {
	fs := mem.New()
	src, err := CSVSource(t.Context(), []File{text("people.csv", people)}, CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a := load(t, fs, "/people", src, Options{})
	table, err := NewTable(t.Context(), a, &query.Read{Fields: exported(a)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var parquet, file, stream, npz bytes.Buffer
	_, e1 := WriteParquet(t.Context(), table, &parquet, nil)
	_, e2 := WriteIPC(t.Context(), table, &file, false, nil)
	_, e3 := WriteIPC(t.Context(), table, &stream, true, nil)
	_, e4 := WriteNPZ(t.Context(), a, &query.Read{Fields: cells.Fields("name", "big")}, &npz, nil)
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name    string
		content []byte
		open    func(context.Context, File) (*Source, error)
	}{{"parquet", parquet.Bytes(), ParquetSource}, {"file", file.Bytes(), IPCSource}, {"stream", stream.Bytes(), IPCSource}, {"npz", npz.Bytes(), NPZSource}} {
		read := func(content []byte) error {
			src, err := f.open(t.Context(), raw(f.name, content))
			if err != nil {
				return err
			}
			_, err = Infer(t.Context(), src, Options{})
			return err
		}
		if err := read(f.content); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		for n := 0; n < len(f.content)-8; n += 1 + len(f.content)/97 {
			if err := read(f.content[:n]); err == nil && f.name != "stream" {
				t.Errorf("%s cut to %d of %d bytes is read", f.name, n, len(f.content))
			}
			changed := slices.Clone(f.content)
			changed[n] ^= 0x55
			if err := read(changed); err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, schema.ErrInvalid) {
				t.Errorf("%s with byte %d changed: %v", f.name, n, err)
			}
		}
	}
}

// TestNumPyComesBack writes arrays of several shapes and types and imports them.
func TestNumPyComesBack(t *testing.T) {
	fs := mem.New()
	s := schema.New(schema.Dense)
	s.Domain.Dimensions = []schema.Dimension{schema.NewDimension("x", int32(-1), 1, 2), schema.NewDimension("y", int32(0), 3, 4)}
	s.Attributes = []schema.Attribute{
		schema.NewAttribute("n", datatype.Int16, 1), schema.NewAttribute("s", datatype.StringUTF8, datatype.VarNum), schema.NewAttribute("t", datatype.DateTimeMonth, 1),
		schema.NewAttribute("b", datatype.Bool, 1), schema.NewAttribute("c", datatype.Char, 3),
	}
	if err := array.Create(t.Context(), fs, "/n", s); err != nil {
		t.Fatal(err)
	}
	a, err := array.Open(t.Context(), fs, "/n", array.Latest(), array.ForWriting())
	if err != nil {
		t.Fatal(err)
	}
	n, words, months := make([]int16, 12), make([]string, 12), make([]int64, 12)
	for i := range n {
		n[i], words[i], months[i] = int16(i-5), strings.Repeat("ü", i%4), int64(i)
	}
	_, err = query.Submit(t.Context(), a, &query.Write{Layout: schema.RowMajor, Columns: []query.Column{
		cells.Of("n", n), cells.Texts("s", words), cells.Of("t", months), cells.Bools("b", make([]bool, 12)), cells.Of("c", []byte(strings.Repeat("abc", 12))),
	}})
	if err != nil {
		t.Fatal(err)
	}
	a = reopen(t, fs, "/n")
	var out bytes.Buffer
	if _, err := WriteNPZ(t.Context(), a, &query.Read{Fields: cells.Fields("n", "s", "t", "b", "c")}, &out, nil); err != nil {
		t.Fatal(err)
	}
	src, err := NPZSource(t.Context(), raw("n.npz", out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	b := load(t, fs, "/m", src, Options{Tile: []int64{2, 3}})
	if len(b.Schema.Domain.Dimensions) != 2 || !slices.Equal(src.Shape, []int64{3, 4}) {
		t.Errorf("shape %v", src.Shape)
	}
	was, is := contents(t, a), contents(t, b)
	for _, attr := range s.Attributes {
		if !slices.Equal(was[attr.Name], is[attr.Name]) {
			t.Errorf("%s is %q, was %q", attr.Name, is[attr.Name], was[attr.Name])
		}
		if f, _ := b.Schema.Field(attr.Name); f.Type != attr.Type {
			t.Errorf("%s became %v", attr.Name, f.Type)
		}
	}
	out.Reset()
	window := &query.Read{Fields: cells.Fields("n"), Subarray: cells.Box(schema.Between[int32](0, 1), schema.Between[int32](1, 2))}
	if _, err := WriteNPY(t.Context(), a, window, &out, nil); err != nil {
		t.Fatal(err)
	}
	h, err := readNPYHeader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil || !slices.Equal(h.shape, []int64{2, 2}) || !slices.Equal(datatype.View[int16](out.Bytes()[h.start:]), []int16{0, 1, 4, 5}) {
		t.Errorf("window %v, %v", h, err)
	}
}

func TestBadNumPyIsRefused(t *testing.T) {
	file := func(header string, data int) []byte {
		out := append([]byte(npyMagic), 1, 0, byte(len(header)), byte(len(header)>>8))
		return append(append(out, header...), make([]byte, data)...)
	}
	for _, c := range []struct {
		content []byte
		want    string
	}{
		{[]byte("x"), "not an .npy file"},
		{file("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8), "objects"},
		{file("{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }", 16), "no counterpart"},
		{file("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }", 4), "records"},
		{file("{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", 8), "8 bytes of data for 3 elements"},
		{file("{'descr': '<i4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 8), "shape"},
		{file("{'descr': '<i4', 'fortran_order': False, 'shape': (), }", 4), "single value"},
		{file("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", 3), "bytes of data"},
	} {
		src, err := NPYSource(t.Context(), raw("x.npy", c.content))
		if err == nil {
			_, err = Infer(t.Context(), src, Options{})
		}
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.want, err)
		}
	}
}

// FuzzCSV compares the scanner with encoding/csv where both take the text.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{people, "a,b\r\n1,2\r\n", "\xef\xbb\xbfa\n\n1", "a\n\"x\ny\"\"\"", ",\n,", "a,b\n1,\"\"\n\"2\",\r"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		s := newCSVScanner(strings.NewReader(content), ',')
		var got [][]string
		for {
			more, err := s.record()
			if err != nil {
				if !errors.Is(err, ErrInvalid) {
					t.Fatal(err)
				}
				return
			}
			if !more {
				break
			}
			var row []string
			for i := range s.ends {
				row = append(row, string(s.field(i)))
			}
			if len(row) > 1 || row[0] != "" || s.quoted[0] { // the other passes over empty lines
				got = append(got, row)
			}
		}
		r := csv.NewReader(strings.NewReader(strings.TrimPrefix(content, "\xef\xbb\xbf")))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil || strings.Contains(content, "\r") { // it folds CR LF inside quotes and keeps others
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d records, want %d", content, len(got), len(want))
		}
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Fatalf("%q: record %d is %q, want %q", content, i, got[i], want[i])
			}
		}
		if src, err := CSVSource(t.Context(), []File{text("x", content)}, CSVOptions{}); err == nil {
			if _, err := Infer(t.Context(), src, Options{}); err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, schema.ErrInvalid) {
				t.Fatal(err)
			}
		}
	})
}

// FuzzNPY reads any bytes as an .npy and as an .npz file.
func FuzzNPY(f *testing.F) {
	f.Add(append(npyHead("<i4", []uint64{2, 2}), make([]byte, 16)...))
	f.Add(append(npyHead("<U2", []uint64{3}), make([]byte, 24)...))
	f.Add(append(npyHead(">M8[ns]", []uint64{1}), make([]byte, 8)...))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, open := range []func(context.Context, File) (*Source, error){NPYSource, NPZSource} {
			src, err := open(t.Context(), raw("x", content))
			if err == nil {
				for _, err = range src.Records(t.Context()) {
				}
			}
			if err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
		}
	})
}
