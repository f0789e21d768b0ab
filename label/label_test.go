package label_test

import (
	"context"
	"errors"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/label"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

// labelled makes an array of 6 cells over one dimension from -3, with labels that rise, texts that rise and numbers that
// fall.
func labelled(t *testing.T) (context.Context, vfs.FS) {
	t.Helper()
	ctx, fs := t.Context(), mem.New()
	s := schema.New(schema.Dense)
	s.Domain.Dimensions = []schema.Dimension{{Name: "d", Type: datatype.Int32, CellValNum: 1,
		Domain: datatype.Bytes([]int32{-3, 2}), Extent: datatype.Bytes([]int32{2})}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	s.AddLabel(0, "x", schema.IncreasingData, datatype.Float64)
	s.AddLabel(0, "name", schema.IncreasingData, datatype.StringASCII)
	s.AddLabel(0, "down", schema.DecreasingData, datatype.Uint8)
	if err := array.Create(ctx, fs, "a", s); err != nil {
		t.Fatal(err)
	}
	return ctx, fs
}

func open(t *testing.T, ctx context.Context, fs vfs.FS, opts ...array.Option) *array.Array {
	t.Helper()
	a, err := array.Open(ctx, fs, "a", array.Latest(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFind(t *testing.T) {
	ctx, fs := labelled(t)
	if _, err := label.Find(ctx, open(t, ctx, fs), "x", []schema.Range{{Lo: datatype.Bytes([]float64{0}), Hi: datatype.Bytes([]float64{1})}}); !errors.Is(err, label.ErrEmpty) {
		t.Errorf("labels that were never written: %v", err)
	}
	// "name" is not in order: a, aa, b, b, c, d.
	if _, err := label.Submit(ctx, open(t, ctx, fs, array.ForWriting()), &query.Write{Columns: []query.Column{
		{Name: "name", Data: []byte("aaabbcd"), Offsets: datatype.Bytes([]uint64{0, 1, 3, 4, 5, 6})}}}); !errors.Is(err, query.ErrInvalid) {
		t.Errorf("a label twice: %v", err)
	}
	_, err := label.Submit(ctx, open(t, ctx, fs, array.ForWriting()), &query.Write{Layout: schema.RowMajor, Columns: []query.Column{
		{Name: "a", Data: datatype.Bytes([]int32{10, 11, 12, 13, 14, 15})},
		{Name: "x", Data: datatype.Bytes([]float64{-1, 0, 0.5, 2, 3, 8})},
		{Name: "name", Data: []byte("aaabccde"), Offsets: datatype.Bytes([]uint64{0, 1, 3, 4, 5, 7})},
		{Name: "down", Data: []byte{9, 7, 6, 5, 1, 0}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, ctx, fs)
	for _, c := range []struct {
		label  string
		lo, hi []byte
		from   int32
		to     int32
	}{
		{"x", datatype.Bytes([]float64{-0.5}), datatype.Bytes([]float64{2}), -2, 0},
		{"x", datatype.Bytes([]float64{-100}), datatype.Bytes([]float64{100}), -3, 2},
		{"x", datatype.Bytes([]float64{8}), datatype.Bytes([]float64{8}), 2, 2},
		{"name", []byte("aa"), []byte("c"), -2, 0},
		{"name", []byte("cd"), []byte("z"), 1, 2},
		{"down", []byte{5}, []byte{7}, -2, 0},
		{"down", []byte{0}, []byte{3}, 1, 2},
		{"x", datatype.Bytes([]float64{0.6}), datatype.Bytes([]float64{1}), 1, 0},
		{"x", datatype.Bytes([]float64{9}), datatype.Bytes([]float64{10}), 1, 0},
		{"down", []byte{10}, []byte{20}, 1, 0},
	} {
		got, err := label.Find(ctx, a, c.label, []schema.Range{{Lo: c.lo, Hi: c.hi}})
		if c.from > c.to {
			if !errors.Is(err, label.ErrEmpty) {
				t.Errorf("%s %v to %v: %v, %v", c.label, c.lo, c.hi, got, err)
			}
			continue
		}
		if err != nil || datatype.View[int32](got[0].Lo)[0] != c.from || datatype.View[int32](got[0].Hi)[0] != c.to {
			t.Errorf("%s %v to %v: %v, %v; want %d to %d", c.label, c.lo, c.hi, got, err, c.from, c.to)
		}
	}
	column, err := label.Read(ctx, a, "down", []schema.Range{{Lo: datatype.Bytes([]int32{-1}), Hi: datatype.Bytes([]int32{1})}})
	if err != nil || string(column.Data) != "\x06\x05\x01" || column.Name != "down" {
		t.Errorf("labels -1 to 1: %v, %v", column, err)
	}
	if _, err := label.Read(ctx, a, "none", nil); !errors.Is(err, query.ErrInvalid) {
		t.Errorf("an unknown label: %v", err)
	}
}

func TestFindRefusesLabelsOutOfOrder(t *testing.T) {
	ctx, fs := labelled(t)
	for i, v := range []float64{5, 4} {
		at := datatype.Bytes([]int32{int32(i)})
		err := label.Write(ctx, open(t, ctx, fs, array.ForWriting()), "x", &schema.Range{Lo: at, Hi: at}, query.Column{Data: datatype.Bytes([]float64{v})}, 0)
		if err != nil {
			t.Fatal(err)
		}
	}
	r := []schema.Range{{Lo: datatype.Bytes([]float64{0}), Hi: datatype.Bytes([]float64{9})}}
	if _, err := label.Find(ctx, open(t, ctx, fs), "x", r); !errors.Is(err, label.ErrOrder) {
		t.Errorf("labels 5, 4: %v", err)
	}
}

func TestCheckRefusesLabels(t *testing.T) {
	for name, change := range map[string]func(s *schema.Array){
		"unordered":        func(s *schema.Array) { s.AddLabel(0, "l", schema.UnorderedData, datatype.Int8) },
		"no name":          func(s *schema.Array) { s.AddLabel(0, "", schema.IncreasingData, datatype.Int8) },
		"no dimension":     func(s *schema.Array) { s.AddLabel(1, "l", schema.IncreasingData, datatype.Int8) },
		"name taken":       func(s *schema.Array) { s.AddLabel(0, "a", schema.IncreasingData, datatype.Int8) },
		"unlabelling type": func(s *schema.Array) { s.AddLabel(0, "l", schema.IncreasingData, datatype.StringUTF8) },
	} {
		s := schema.New(schema.Dense)
		s.Domain.Dimensions = []schema.Dimension{{Name: "d", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 9}), Extent: datatype.Bytes([]int32{2})}}
		s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
		change(s)
		if err := array.Create(t.Context(), mem.New(), "a", s); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
