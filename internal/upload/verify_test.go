package upload

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

// TestEveryRequestIsChecked refuses cells at the request that brings them: the upload then goes on as if it had not come.
func TestEveryRequestIsChecked(t *testing.T) {
	ctx, fs, a := table(t)
	w := &query.Write{Layout: schema.GlobalOrder, CheckOutOfBounds: true, CheckDups: true, Timestamp: 5}
	u, err := Begin(ctx, fs, uri, w)
	if err != nil {
		t.Fatal(err)
	}
	total := uint64(0)
	for n, span := range [][2]int{{0, 7}, {7, 7}, {7, 20}, {20, 40}} {
		for _, bad := range []struct {
			lo, hi int
			change func(columns []Column, cells []byte)
			want   string
		}{
			{95, 105, nil, "out of domain"},
			{span[0] - 1, span[0] + 2, nil, "Duplicate coordinates"},
			{max(span[0]-5, 0), span[0] + 2, nil, "before the last"},
			{50, 60, func(columns []Column, cells []byte) { cells[columns[0].Fixed+columns[0].Vary] = 70 }, "succeed"},
			{50, 60, func(_ []Column, cells []byte) { cells[1] = 9 }, "offset"},
		} {
			if span[0] == 0 && bad.lo <= 0 {
				continue // there is nothing before the first
			}
			columns, cells := body(w.Offsets, bad.lo, bad.hi)
			if bad.change != nil {
				bad.change(columns, cells)
			}
			if err := u.Append(ctx, uint64(n), columns, bytes.NewReader(cells)); err != nil {
				t.Fatal(err)
			}
			if _, err := u.Verify(ctx, a, uint64(n), total); !errors.Is(err, query.ErrInvalid) || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("request %d: %v, want %q", n, err, bad.want)
			}
		}
		columns, cells := body(w.Offsets, span[0], span[1])
		before := total
		for range 2 { // a request may be repeated
			if err := u.Append(ctx, uint64(n), columns, bytes.NewReader(cells)); err != nil {
				t.Fatal(err)
			}
			if total, err = u.Verify(ctx, a, uint64(n), before); err != nil || total != uint64(span[1]) {
				t.Fatal(total, err)
			}
		}
	}
	if _, err := u.Finish(ctx, a, 4); err != nil {
		t.Fatal(err)
	}
	check(t, ctx, fs, 40)
	// The last request comes once more, after the upload has ended.
	columns, cells := body(w.Offsets, 20, 40)
	if err := u.Append(ctx, 3, columns, bytes.NewReader(cells)); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Verify(ctx, a, 3, 20); err != nil {
		t.Error("repeated after the end:", err)
	}
	if _, err := (Upload{fs, uri, "1-none"}).Verify(ctx, a, 0, 0); !errors.Is(err, ErrGone) {
		t.Error("no upload:", err)
	}
}

// TestDenseRequestsAreChecked counts the cells of a dense write.
func TestDenseRequestsAreChecked(t *testing.T) {
	ctx, fs := t.Context(), mem.New()
	s := schema.New(schema.Dense)
	s.Domain.Dimensions = []schema.Dimension{{Name: "x", Type: datatype.Int64, CellValNum: 1, Domain: datatype.Bytes([]int64{0, 99}), Extent: datatype.Bytes([]int64{10})}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	if err := array.Create(ctx, fs, uri, s); err != nil {
		t.Fatal(err)
	}
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	if err != nil {
		t.Fatal(err)
	}
	region := [][]schema.Range{{{Lo: datatype.Bytes([]int64{10}), Hi: datatype.Bytes([]int64{39})}}}
	u, err := Begin(ctx, fs, uri, &query.Write{Layout: schema.GlobalOrder, Subarray: query.Subarray{Ranges: region}})
	if err != nil {
		t.Fatal(err)
	}
	give := func(n, before uint64, cells int) (uint64, error) {
		columns := []Column{{Name: "a", Fixed: uint64(4 * cells)}}
		if err := u.Append(ctx, n, columns, bytes.NewReader(make([]byte, 4*cells))); err != nil {
			t.Fatal(err)
		}
		return u.Verify(ctx, a, n, before)
	}
	total, err := give(0, 0, 20)
	if err != nil || total != 20 {
		t.Fatal(total, err)
	}
	if _, err := give(1, total, 11); !errors.Is(err, query.ErrInvalid) || !strings.Contains(err.Error(), "31 cells given for a subarray of 30") {
		t.Error("a cell too many:", err)
	}
	if total, err = give(1, total, 10); err != nil || total != 30 {
		t.Error(total, err)
	}
	if _, err := u.Finish(ctx, a, 2); err != nil {
		t.Error(err)
	}
}

// TestFieldsAreChecked holds each field of an unordered write to the first.
func TestFieldsAreChecked(t *testing.T) {
	ctx, fs, a := table(t)
	u, err := Begin(ctx, fs, uri, &query.Write{Layout: schema.Unordered, CheckOutOfBounds: true, Timestamp: 5})
	if err != nil {
		t.Fatal(err)
	}
	total := uint64(0)
	for i, bad := range []struct {
		lo, hi int
		want   string
	}{{}, {95, 104, "out of domain"}, {0, 8, "has 8 cells"}} {
		for _, span := range [][2]int{{bad.lo, bad.hi}, {0, 9}} {
			if span[1] == 0 {
				continue
			}
			columns, cells := body(query.OffsetsFormat{}, span[0], span[1])
			at := uint64(0)
			for _, c := range columns[:i] {
				at += c.Fixed + c.Vary + c.Present
			}
			n := columns[i].Fixed + columns[i].Vary + columns[i].Present
			if err := u.Append(ctx, uint64(i), columns[i:i+1], bytes.NewReader(cells[at:at+n])); err != nil {
				t.Fatal(err)
			}
			count, err := u.Verify(ctx, a, uint64(i), total)
			if span[0] == bad.lo && span[1] == bad.hi {
				if !errors.Is(err, query.ErrInvalid) || !strings.Contains(err.Error(), bad.want) {
					t.Errorf("field %d: %v, want %q", i, err, bad.want)
				}
			} else if total = count; err != nil || count != 9 {
				t.Fatal(count, err)
			}
		}
	}
	if _, err := u.Finish(ctx, a, 3); err != nil {
		t.Fatal(err)
	}
	check(t, ctx, fs, 9)
}
