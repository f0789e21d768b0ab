package arrowio

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

func text(name, content string) File {
	return File{Name: name, Data: strings.NewReader(content), Size: int64(len(content))}
}

func raw(name string, content []byte) File {
	return File{Name: name, Data: bytes.NewReader(content), Size: int64(len(content))}
}

// load imports a source into a new array.
func load(t *testing.T, fs vfs.FS, uri string, src *Source, o Options) *array.Array {
	t.Helper()
	plan, err := Infer(t.Context(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	done, err := Import(t.Context(), fs, uri, src, plan, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if done.Rows != plan.Rows {
		t.Fatalf("%d rows imported, %d planned", done.Rows, plan.Rows)
	}
	return reopen(t, fs, uri)
}

func reopen(t *testing.T, fs vfs.FS, uri string) *array.Array {
	t.Helper()
	a, err := array.Open(t.Context(), fs, uri, array.Latest())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func csvOf(t *testing.T, a *array.Array, batch int64) string {
	t.Helper()
	table, err := NewTable(t.Context(), a, &query.Read{Fields: exported(a)}, batch)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := WriteCSV(t.Context(), table, &out, 0, nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// exported asks for all fields but the number of the row.
func exported(a *array.Array) []query.Want {
	var names []string
	for _, name := range a.Schema.FieldNames() {
		if name != rowsName {
			names = append(names, name)
		}
	}
	return cells.Fields(names...)
}

const people = `name,age,score,member,born,seen,note,big
Ann,31,1.5,true,1990-02-28,2024-05-01 12:30:00,"quoted, ""text""",9223372036854775808
"Zoë
Müller",,2.0,false,,2024-05-01 12:30:01,"",0
Bob,-4,,,1885-01-01,,,7
`

func TestCSVKeepsEverything(t *testing.T) {
	fs := mem.New()
	src, err := CSVSource(t.Context(), []File{text("people.csv", people)}, CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a := load(t, fs, "/people", src, Options{})
	want := map[string]string{
		"name": "STRING_UTF8 false", "age": "INT64 true", "score": "FLOAT64 true", "member": "BOOL true",
		"born": "DATETIME_DAY true", "seen": "DATETIME_SEC true", "note": "STRING_UTF8 true", "big": "UINT64 false",
	}
	for _, attr := range a.Schema.Attributes {
		if got := fmt.Sprintf("%v %v", attr.Type, attr.Nullable); got != want[attr.Name] {
			t.Errorf("%s is %s, want %s", attr.Name, got, want[attr.Name])
		}
	}
	if got := csvOf(t, a, 0); got != people {
		t.Errorf("exported\n%s", got)
	}
	if got := csvOf(t, a, 32); got != people {
		t.Errorf("exported in small batches\n%s", got)
	}
}

// TestFormatsAgree exports an array in every format and imports each again.
func TestFormatsAgree(t *testing.T) {
	fs := mem.New()
	src, err := CSVSource(t.Context(), []File{text("people.csv", people)}, CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a := load(t, fs, "/people", src, Options{})
	type format struct {
		name  string
		write func(context.Context, *Table, *bytes.Buffer) error
		read  func(context.Context, File) (*Source, error)
	}
	for _, f := range []format{
		{"parquet", func(ctx context.Context, tb *Table, b *bytes.Buffer) error {
			_, err := WriteParquet(ctx, tb, b, nil)
			return err
		}, ParquetSource},
		{"arrow", func(ctx context.Context, tb *Table, b *bytes.Buffer) error {
			_, err := WriteIPC(ctx, tb, b, false, nil)
			return err
		}, IPCSource},
		{"stream", func(ctx context.Context, tb *Table, b *bytes.Buffer) error {
			_, err := WriteIPC(ctx, tb, b, true, nil)
			return err
		}, IPCSource},
	} {
		t.Run(f.name, func(t *testing.T) {
			table, err := NewTable(t.Context(), a, &query.Read{Fields: exported(a)}, 64)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := f.write(t.Context(), table, &out); err != nil {
				t.Fatal(err)
			}
			back, err := f.read(t.Context(), raw(f.name, out.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			b := load(t, fs, "/"+f.name, back, Options{})
			if got := csvOf(t, b, 0); got != strings.NewReplacer(":00,", ":00"+fraction(b)+",", ":01,", ":01"+fraction(b)+",").Replace(people) {
				t.Errorf("%s\n%s", got, people)
			}
			sparse := load(t, fs, "/sparse"+f.name, back, Options{Index: []string{"big"}, FullDomain: true})
			if sparse.Schema.Domain.Dimensions[0].Type != datatype.Uint64 {
				t.Errorf("the index is %v", sparse.Schema.Domain.Dimensions[0].Type)
			}
		})
	}
}

// fraction returns the zeros of the unit that timestamps have after Parquet, which knows no seconds.
func fraction(a *array.Array) string {
	f, _ := a.Schema.Field("seen")
	return map[datatype.Type]string{datatype.DateTimeMS: ".000"}[f.Type]
}

// everyType makes a sparse array with an attribute of each type that has cells of one value, nullable and not, and of
// lists, and writes five cells.
func everyType(t *testing.T, fs vfs.FS) *array.Array {
	t.Helper()
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{schema.NewDimension("d", int64(0), 9, 10)}
	columns := []query.Column{cells.Of("d", []int64{0, 1, 2, 3, 4})}
	for ty := datatype.Int32; ty.Valid(); ty++ {
		for _, n := range []uint32{1, 2, datatype.VarNum} {
			for _, nullable := range []bool{false, true} {
				if ty == datatype.Any && n != datatype.VarNum {
					continue
				}
				attr := schema.NewAttribute(fmt.Sprintf("%v_%d_%v", ty, n, nullable), ty, n)
				attr.Nullable = nullable
				s.Attributes = append(s.Attributes, attr)
				counts := []int{1, 0, 3, 2, 1}
				col := query.Column{Name: attr.Name}
				var offsets []uint64
				for i, count := range counts {
					if n != datatype.VarNum {
						count = int(n)
					}
					offsets = append(offsets, uint64(len(col.Data)))
					for k := range count {
						v := make([]byte, ty.Size())
						v[0] = byte(65 + i + k)
						if ty == datatype.Bool {
							v[0] &= 1
						}
						col.Data = append(col.Data, v...)
					}
				}
				if n == datatype.VarNum {
					col.Offsets = datatype.Bytes(offsets)
				}
				if nullable {
					col = cells.Nullable(col, []bool{true, true, false, true, true})
				}
				columns = append(columns, col)
			}
		}
	}
	if err := array.Create(t.Context(), fs, "/every", s); err != nil {
		t.Fatal(err)
	}
	a, err := array.Open(t.Context(), fs, "/every", array.Latest(), array.ForWriting())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := query.Submit(t.Context(), a, &query.Write{Layout: schema.Unordered, Columns: columns}); err != nil {
		t.Fatal(err)
	}
	return reopen(t, fs, "/every")
}

// TestEveryTypeComesBack exports an array with all types as Arrow and Parquet and imports it into an array of the same
// types.
func TestEveryTypeComesBack(t *testing.T) {
	fs := mem.New()
	a := everyType(t, fs)
	want := contents(t, a)
	for _, format := range []string{"arrow", "parquet"} {
		table, err := NewTable(t.Context(), a, &query.Read{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		var src *Source
		if format == "arrow" {
			_, err = WriteIPC(t.Context(), table, &out, false, nil)
			if err == nil {
				src, err = IPCSource(t.Context(), raw("every", out.Bytes()))
			}
		} else {
			_, err = WriteParquet(t.Context(), table, &out, nil)
			if err == nil {
				src, err = ParquetSource(t.Context(), raw("every", out.Bytes()))
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		b := load(t, fs, "/"+format, src, Options{Index: []string{"d"}})
		for i := range a.Schema.Attributes {
			x, y := &a.Schema.Attributes[i], &b.Schema.Attributes[i]
			if format == "parquet" && x.Nullable && x.CellValNum == 2 {
				if isBytes(x.Type) == (y.CellValNum == datatype.VarNum) {
					t.Errorf("parquet: %s came back as ×%d: only nullable lists of one length lose it", x.Name, y.CellValNum)
				}
				continue
			}
			if x.Name != y.Name || x.CellValNum != y.CellValNum || x.Nullable != y.Nullable || format == "arrow" && x.Type != y.Type {
				t.Errorf("%s: %s came back as %q %v ×%d nullable %v", format, x.Name, y.Name, y.Type, y.CellValNum, y.Nullable)
			}
		}
		for name, got := range contents(t, b) {
			f, _ := a.Schema.Field(name)
			g, _ := b.Schema.Field(name)
			if f.Type == g.Type && f.CellValNum == g.CellValNum && !slices.Equal(got, want[name]) {
				t.Errorf("%s: %s is %q, was %q", format, name, got, want[name])
			}
		}
	}
}

// contents returns the cells of every field as texts, "null" where they are null.
func contents(t *testing.T, a *array.Array) map[string][]string {
	t.Helper()
	table, err := cells.Read(t.Context(), a, &query.Read{Layout: schema.RowMajor, Fields: cells.Fields(a.Schema.FieldNames()...)})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, name := range a.Schema.FieldNames() {
		pieces, err := cells.ByteSlices(table, name)
		if err != nil {
			t.Fatal(err)
		}
		valid, err := cells.Valid(table, name)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range pieces {
			if valid != nil && !valid[i] {
				p = []byte("null")
			}
			out[name] = append(out[name], string(p))
		}
	}
	return out
}
