package consolidate_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

const uri = "mem://a"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func i32s(v ...int32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return b
}

func span(lo, hi int32) schema.Range { return schema.Range{Lo: i32s(lo), Hi: i32s(hi)} }

// newSchema returns the schema of an array of 20 cells x from 1 to 20 in tiles of 4, with a number v and a text s that may
// be null.
func newSchema(kind schema.ArrayType, dups bool) *schema.Array {
	s := &schema.Array{
		Version: format.Version, Type: kind, TileOrder: schema.RowMajor, CellOrder: schema.RowMajor, Capacity: 3, AllowsDups: dups,
		CoordsFilters: schema.DefaultCoordsFilters(), OffsetsFilters: schema.DefaultOffsetsFilters(), ValidityFilters: schema.DefaultValidityFilters(),
		Domain: schema.Domain{Dimensions: []schema.Dimension{
			{Name: "x", Type: datatype.Int32, CellValNum: 1, Domain: i32s(1, 20), Extent: i32s(4)}}},
		Attributes: []schema.Attribute{
			{Name: "v", Type: datatype.Int32, CellValNum: 1, Fill: i32s(-1)},
			{Name: "s", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Nullable: true, Fill: []byte{0}},
		},
	}
	return s
}

// write writes cells x with v = 100*millis + x, and a text that is null for every third x.
func write(ctx context.Context, fs vfs.FS, millis uint64, xs ...int32) error {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	if err != nil {
		return err
	}
	w := &query.Write{Layout: schema.Unordered, Timestamp: millis}
	var x, v, texts, offsets, validity []byte
	for _, c := range xs {
		x, v = append(x, i32s(c)...), append(v, i32s(100*int32(millis)+c)...)
		offsets = binary.LittleEndian.AppendUint64(offsets, uint64(len(texts)))
		texts = append(texts, strings.Repeat("t", int(c)%5)...)
		validity = append(validity, byte(min(c%3, 1)))
	}
	w.Columns = []query.Column{{Name: "v", Data: v}, {Name: "s", Data: texts, Offsets: offsets, Validity: validity}}
	if a.Schema.Type == schema.Dense {
		w.Layout = schema.RowMajor
		w.Subarray.Ranges = [][]schema.Range{{span(xs[0], xs[len(xs)-1])}}
	} else {
		w.Columns = append(w.Columns, query.Column{Name: "x", Data: x})
	}
	_, err = query.Submit(ctx, a, w)
	return err
}

// run is the cells from lo to hi.
func run(lo, hi int32) (xs []int32) {
	for x := lo; x <= hi; x++ {
		xs = append(xs, x)
	}
	return xs
}

// deleteBelow deletes the cells with v below a limit.
func deleteBelow(ctx context.Context, fs vfs.FS, millis uint64, limit int32) error {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	if err != nil {
		return err
	}
	_, err = query.Delete(ctx, a, &condition.Node{Op: condition.LT, Field: "v", Value: i32s(limit)}, millis)
	return err
}

// content reads an array in an interval: every cell that is not fill, as x=v/text, sorted.
func content(ctx context.Context, fs vfs.FS, at array.Interval) (string, error) {
	a, err := array.Open(ctx, fs, uri, at)
	if err != nil {
		return "", err
	}
	return contentOf(ctx, a)
}

// contentOf is content of an open array.
func contentOf(ctx context.Context, a *array.Array) (string, error) {
	read := &query.Read{Layout: schema.RowMajor, Fields: []query.Want{{Name: "x", DataCap: -1}, {Name: "v", DataCap: -1},
		{Name: "s", DataCap: -1, OffsetsCap: -1, ValidityCap: -1}}, Offsets: query.OffsetsFormat{Extra: true}}
	r, err := query.Run(ctx, a, read)
	if err != nil {
		return "", err
	}
	x, v, s := datatype.View[int32](r.Columns[0].Data), datatype.View[int32](r.Columns[1].Data), &r.Columns[2]
	offsets := datatype.View[uint64](s.Offsets)
	type cell struct {
		x, v int32
		text string
	}
	var cells []cell
	for i := range x {
		text := "null"
		if s.Validity[i] != 0 {
			text = string(s.Data[offsets[i]:offsets[i+1]])
		}
		if v[i] != -1 {
			cells = append(cells, cell{x[i], v[i], text})
		}
	}
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.v, b.v)) })
	return strings.Trim(fmt.Sprint(cells), "[]"), nil
}

// history is what an array says at all times, one line each.
func history(t testing.TB, fs vfs.FS, times ...uint64) string {
	t.Helper()
	var lines []string
	for _, end := range append(times, array.Now-1) {
		text, err := content(context.Background(), fs, array.Interval{End: end})
		must(t, err)
		lines = append(lines, fmt.Sprintf("%d: %s", end, text))
	}
	return strings.Join(lines, "\n")
}

// fragments returns the times of the fragments that count now.
func fragments(t testing.TB, fs vfs.FS) string {
	t.Helper()
	a, err := array.Open(context.Background(), fs, uri, array.Latest())
	must(t, err)
	var list []string
	for _, f := range a.Fragments() {
		list = append(list, fmt.Sprintf("%d-%d", f.Name().Start, f.Name().End))
	}
	return strings.Join(list, " ")
}

// intact checks every file.
func intact(t testing.TB, fs vfs.FS) {
	t.Helper()
	_, err := array.Check(context.Background(), fs, uri, func(d array.Damage) { t.Errorf("check: %v", d) })
	must(t, err)
}

// newArray makes an array with the writes given.
func newArray(t testing.TB, kind schema.ArrayType, dups bool, writes ...func(context.Context, vfs.FS) error) *mem.FS {
	t.Helper()
	fs := mem.New()
	must(t, array.Create(context.Background(), fs, uri, newSchema(kind, dups)))
	for _, w := range writes {
		must(t, w(context.Background(), fs))
	}
	return fs
}

func at(millis uint64, xs ...int32) func(context.Context, vfs.FS) error {
	return func(ctx context.Context, fs vfs.FS) error { return write(ctx, fs, millis, xs...) }
}

func deleted(millis uint64, limit int32) func(context.Context, vfs.FS) error {
	return func(ctx context.Context, fs vfs.FS) error { return deleteBelow(ctx, fs, millis, limit) }
}

func merged(t testing.TB, fs vfs.FS, o consolidate.Options) []string {
	t.Helper()
	names, err := consolidate.Fragments(context.Background(), fs, uri, o)
	must(t, err)
	return names
}

func vacuumed(t testing.TB, fs vfs.FS, m consolidate.Mode) {
	t.Helper()
	must(t, consolidate.Vacuum(context.Background(), fs, uri, m))
}

// names lists a folder of the array.
func names(t testing.TB, fs vfs.FS, dir string) (list []string) {
	t.Helper()
	entries, err := fs.List(context.Background(), vfs.Join(uri, dir))
	must(t, err)
	for _, e := range entries {
		list = append(list, e.Name)
	}
	return list
}
