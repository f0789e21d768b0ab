package upload

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

const uri = "mem://a"

// table makes a sparse array with numbers, texts and nulls.
func table(t *testing.T) (context.Context, vfs.FS, *array.Array) {
	t.Helper()
	ctx, fs := t.Context(), mem.New()
	s := schema.New(schema.Sparse)
	s.Capacity = 3
	s.Domain.Dimensions = []schema.Dimension{{Name: "x", Type: datatype.Int64, CellValNum: 1, Domain: datatype.Bytes([]int64{0, 99}), Extent: datatype.Bytes([]int64{10})}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("t", datatype.StringUTF8, datatype.VarNum), schema.NewAttribute("n", datatype.Int16, 1)}
	s.Attributes[1].Nullable = true
	if err := array.Create(ctx, fs, uri, s); err != nil {
		t.Fatal(err)
	}
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	if err != nil {
		t.Fatal(err)
	}
	return ctx, fs, a
}

// body is cells [lo, hi) as they follow a message: x = cell, t = the cell that many times, n = -cell, null when odd.
func body(f query.OffsetsFormat, lo, hi int) ([]Column, []byte) {
	var x, offsets, text, n, valid []byte
	offset := func() {
		if f.Bits == 32 {
			offsets = binary.LittleEndian.AppendUint32(offsets, uint32(len(text)))
		} else {
			offsets = binary.LittleEndian.AppendUint64(offsets, uint64(len(text)))
		}
	}
	for i := lo; i < hi; i++ {
		x = binary.LittleEndian.AppendUint64(x, uint64(i))
		offset()
		text = append(text, strings.Repeat(fmt.Sprint(i, " "), i%4)...)
		n = binary.LittleEndian.AppendUint16(n, uint16(-i))
		valid = append(valid, byte(1-i%2))
	}
	if f.Extra {
		offset()
	}
	columns := []Column{{"t", uint64(len(offsets)), uint64(len(text)), 0}, {"x", uint64(len(x)), 0, 0}, {"n", uint64(len(n)), 0, uint64(len(valid))}}
	return columns, bytes.Join([][]byte{offsets, text, x, n, valid}, nil)
}

// check compares the array with cells [0, n) of body.
func check(t *testing.T, ctx context.Context, fs vfs.FS, n int) {
	t.Helper()
	a, err := array.Open(ctx, fs, uri, array.Latest())
	if err != nil {
		t.Fatal(err)
	}
	got, err := query.Run(ctx, a, &query.Read{Layout: schema.GlobalOrder, Fields: []query.Want{{Name: "x", DataCap: -1},
		{Name: "t", DataCap: -1, OffsetsCap: -1}, {Name: "n", DataCap: -1, ValidityCap: -1}}})
	if err != nil {
		t.Fatal(err)
	}
	_, want := body(query.OffsetsFormat{}, 0, n)
	c := got.Columns
	if have := bytes.Join([][]byte{c[1].Offsets, c[1].Data, c[0].Data, c[2].Data, c[2].Validity}, nil); !bytes.Equal(have, want) || len(a.Fragments()) != 1 {
		t.Errorf("%d fragments, cells differ: %q, want %q", len(a.Fragments()), have, want)
	}
}

func TestPartsBecomeOneFragment(t *testing.T) {
	for _, f := range []query.OffsetsFormat{{}, {Bits: 32}, {Extra: true}, {Bits: 32, Extra: true, Elements: true}} {
		ctx, fs, a := table(t)
		u, err := Begin(ctx, fs, uri, &query.Write{Layout: schema.GlobalOrder, Offsets: f, Timestamp: 5})
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range []int{0, 7, 7, 8} {
			columns, cells := body(f, at, []int{7, 7, 8, 40}[i])
			for range 2 { // a request may be repeated
				if err := u.Append(ctx, uint64(i), columns, bytes.NewReader(cells)); err != nil {
					t.Fatal(err)
				}
			}
		}
		first, err := u.Finish(ctx, a, 4)
		if err != nil || first.Start != 5 || first.End != 5 {
			t.Fatal(first, err)
		}
		if again, err := u.Finish(ctx, a, 4); again != first || err != nil {
			t.Error("repeated:", again, err)
		}
		check(t, ctx, fs, 40)
		if err := array.Delete(ctx, fs, uri); err != nil {
			t.Fatal(err)
		}
		if left, err := fs.List(ctx, uri); len(left) > 0 || err != nil {
			t.Error("left behind:", left, err)
		}
	}
}

func TestFieldByField(t *testing.T) {
	ctx, fs, a := table(t)
	u, err := Begin(ctx, fs, uri, &query.Write{Layout: schema.Unordered, Timestamp: 5})
	if err != nil {
		t.Fatal(err)
	}
	columns, cells := body(query.OffsetsFormat{}, 0, 9)
	at := 0
	for i, c := range columns {
		n := int(c.Fixed + c.Vary + c.Present)
		if err := u.Append(ctx, uint64(i), columns[i:i+1], bytes.NewReader(cells[at:at+n])); err != nil {
			t.Fatal(err)
		}
		at += n
	}
	names, nBytes, err := u.Fields(ctx, a.Schema, 3)
	if err != nil || strings.Join(names, " ") != "t x n" || nBytes < int64(len(cells)) {
		t.Error(names, nBytes, err)
	}
	first, err := u.Finish(ctx, a, 3)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := u.Finish(ctx, a, 2); again != first || err != nil {
		t.Error("repeated:", again, err)
	}
	check(t, ctx, fs, 9)
}

func TestPieces(t *testing.T) {
	ctx, fs, a := table(t)
	f := query.OffsetsFormat{Extra: true}
	u, err := Begin(ctx, fs, uri, &query.Write{Layout: schema.GlobalOrder, Offsets: f})
	if err != nil {
		t.Fatal(err)
	}
	columns, cells := body(f, 0, 50)
	if err := u.Append(ctx, 0, columns, bytes.NewReader(cells)); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []uint64{1, 9, 40, 300, 1 << 20} {
		p, err := openPart(ctx, fs, u.part(0), a.Schema, f)
		if err != nil {
			t.Fatal(err)
		}
		p.limit = limit
		var x, text []byte
		pieces := 0
		for ; p.next < p.cells; pieces++ {
			c, err := p.piece(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if base := datatype.View[uint64](c[0].Offsets); base[0] != 0 || len(base) != len(c[1].Data)/8 || len(c[2].Validity) != len(base) {
				t.Fatal("piece", pieces, base, len(c[1].Data), len(c[2].Validity))
			}
			text, x = append(text, c[0].Data...), append(x, c[1].Data...)
		}
		_, want := body(query.OffsetsFormat{}, 0, 50)
		if n := int(columns[0].Vary); !bytes.Equal(text, want[400:400+n]) || !bytes.Equal(x, want[400+n:800+n]) {
			t.Error("limit", limit, "changes the cells")
		}
		if limit == 1 && pieces != 50 || limit == 1<<20 && pieces != 1 {
			t.Error("limit", limit, "makes", pieces, "pieces")
		}
	}
}

func TestRefusals(t *testing.T) {
	ctx, fs, a := table(t)
	w := &query.Write{Layout: schema.GlobalOrder}
	if err := (Upload{fs, uri, "1-none"}).Append(ctx, 0, nil, nil); !errors.Is(err, ErrGone) {
		t.Error("no upload:", err)
	}
	u, err := Begin(ctx, fs, uri, w)
	if err != nil {
		t.Fatal(err)
	}
	columns, cells := body(w.Offsets, 0, 5)
	if err := u.Append(ctx, 0, columns, bytes.NewReader(cells[:20])); !errors.Is(err, io.EOF) {
		t.Error("a body that ends early:", err)
	}
	if err := u.Append(ctx, 0, columns, bytes.NewReader(cells)); err != nil {
		t.Error("sent again:", err)
	}
	other, otherCells := body(w.Offsets, 5, 10)
	if err := u.Append(ctx, 0, other, bytes.NewReader(otherCells)); !errors.Is(err, ErrConflict) {
		t.Error("another part of the same number:", err)
	}
	if err := u.Append(ctx, 1, columns, bytes.NewReader(cells)); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Finish(ctx, a, 2); !errors.Is(err, query.ErrInvalid) {
		t.Error("cells out of order:", err)
	}
	if _, err := u.Finish(ctx, a, 2); !errors.Is(err, ErrGone) {
		t.Error("after that:", err)
	}
	if u, err = Begin(ctx, fs, uri, w); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Finish(ctx, a, 1); !errors.Is(err, ErrGone) {
		t.Error("a part is missing:", err)
	}
	if err := sweep(ctx, fs, uri, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := u.Append(ctx, 0, columns, bytes.NewReader(cells)); !errors.Is(err, ErrGone) {
		t.Error("swept up:", err)
	}
}

func TestOffsetsOutOfPlace(t *testing.T) {
	ctx, fs, a := table(t)
	for name, spoil := range map[string]func([]byte){
		"beyond":  func(b []byte) { b[8] = 200 },
		"falling": func(b []byte) { b[8], b[16] = 9, 3 },
		"first":   func(b []byte) { b[0] = 7 },
	} {
		u, err := Begin(ctx, fs, uri, &query.Write{Layout: schema.GlobalOrder})
		if err != nil {
			t.Fatal(err)
		}
		columns, cells := body(query.OffsetsFormat{}, 0, 5)
		spoil(cells)
		if err := u.Append(ctx, 0, columns, bytes.NewReader(cells)); err != nil {
			t.Fatal(err)
		}
		if _, err := u.Finish(ctx, a, 1); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzPart(f *testing.F) {
	columns, cells := body(query.OffsetsFormat{Extra: true}, 0, 9)
	ctx, fs := context.Background(), mem.New()
	u, err := Begin(ctx, fs, uri, &query.Write{})
	if err == nil {
		err = u.Append(ctx, 0, columns, bytes.NewReader(cells))
	}
	if err != nil {
		f.Fatal(err)
	}
	content, err := vfs.ReadAll(ctx, fs, u.part(0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content, true)
	f.Add(content[:60], false)
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{{Name: "x", Type: datatype.Int64, CellValNum: 1}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("t", datatype.StringUTF8, datatype.VarNum), schema.NewAttribute("n", datatype.Int16, 1)}
	f.Fuzz(func(t *testing.T, content []byte, extra bool) {
		fs := mem.New()
		if err := vfs.WriteAll(ctx, fs, "mem://p", content); err != nil {
			t.Fatal(err)
		}
		p, err := openPart(ctx, fs, "mem://p", s, query.OffsetsFormat{Extra: extra})
		for err == nil && p.next < p.cells {
			_, err = p.piece(ctx)
		}
	})
}
