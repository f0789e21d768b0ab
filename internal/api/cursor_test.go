package api

import (
	"encoding/base64"
	"errors"
	"reflect"
	"slices"
	"testing"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/web"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
)

// cursors are one with a snapshot and one with names.
func cursors() []*cursor {
	return []*cursor{
		{snapshot: "00112233445566778899aabbccddeeff", query: [32]byte{1, 31: 2}, position: []byte{0, 255, 1}},
		{at: array.Interval{Start: 3, End: array.Now}, names: []string{"__1_2_00112233445566778899aabbccddeeff_22", ""}, position: []byte{}},
	}
}

func TestCursorForm(t *testing.T) {
	for _, c := range cursors() {
		b := c.encode()
		again, err := decodeCursor(b)
		if err != nil || !reflect.DeepEqual(again.names, c.names) || again.snapshot != c.snapshot || again.query != c.query || string(again.position) != string(c.position) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
		for n := range b {
			if _, err := decodeCursor(b[:n]); !errors.Is(err, web.ErrBadRequest) {
				t.Errorf("cut to %d bytes: %v", n, err)
			}
		}
		for _, bad := range [][]byte{append(b[:len(b):len(b)], 0), append([]byte{1}, b[1:]...)} {
			if _, err := decodeCursor(bad); !errors.Is(err, web.ErrBadRequest) {
				t.Errorf("%x: %v", bad, err)
			}
		}
	}
	many := append(append([]byte{cursorVersion, 0, 0, 0, 0}, make([]byte, 16)...), 0xff, 0xff, 0xff, 0xff)
	if _, err := decodeCursor(many); !errors.Is(err, web.ErrBadRequest) {
		t.Errorf("many names: %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	for _, c := range cursors() {
		f.Add(c.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCursor(b)
		if err != nil {
			return
		}
		if again := c.encode(); string(again) != string(b) {
			t.Errorf("%s became %s", base64.StdEncoding.EncodeToString(b), base64.StdEncoding.EncodeToString(again))
		}
	})
}

// TestCursorIsBound lets a cursor be unsealed for whom it was made only.
func TestCursorIsBound(t *testing.T) {
	w := newWorld(t)
	ann := access.Subject{Kind: access.Password, UserID: "u1", NamespaceID: "n1", Scopes: access.Scopes{access.ScopeAll}}
	request := func(change func(*access.Subject, *catalog.Asset), action access.Action) *web.Request {
		s, x := ann, catalog.Asset{ID: "a1", NamespaceID: "n1", Kind: catalog.Array}
		if change != nil {
			change(&s, &x)
		}
		g, err := access.Allowed(s, action, access.Object{Kind: access.Array, ID: x.ID, NamespaceID: s.NamespaceID})
		must(t, err)
		return &web.Request{Subject: s, Found: x, Grant: g}
	}
	c := cursors()[0]
	text, err := w.api.seal(request(nil, access.ArrayRead), c)
	must(t, err)
	again, err := w.api.unseal(request(nil, access.ArrayRead), text)
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Fatalf("%+v, %v", again, err)
	}
	for name, r := range map[string]*web.Request{
		"another user":  request(func(s *access.Subject, _ *catalog.Asset) { s.UserID = "u2" }, access.ArrayRead),
		"another array": request(func(_ *access.Subject, x *catalog.Asset) { x.ID = "a2" }, access.ArrayRead),
		"another grant": request(nil, access.ArrayWrite),
	} {
		if _, err := w.api.unseal(r, text); !errors.Is(err, web.ErrBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	must(t, err)
	for i := range raw {
		forged := slices.Clone(raw)
		forged[i]++
		if _, err := w.api.unseal(request(nil, access.ArrayRead), base64.RawURLEncoding.EncodeToString(forged)); !errors.Is(err, web.ErrBadRequest) {
			t.Errorf("forged at byte %d: %v", i, err)
		}
	}
	for _, bad := range []string{"", "*", "AAAA", text + "AAAA"} {
		if _, err := w.api.unseal(request(nil, access.ArrayRead), bad); !errors.Is(err, web.ErrBadRequest) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	other := newWorld(t)
	other.api.key = []byte("another server's key of 32 bytes")
	if _, err := other.api.unseal(request(nil, access.ArrayRead), text); !errors.Is(err, web.ErrBadRequest) {
		t.Errorf("another key: %v", err)
	}
}

// TestQueryHash tells apart all that makes a query another one, and nothing else.
func TestQueryHash(t *testing.T) {
	one := func(lo, hi byte) []schema.Range { return []schema.Range{{Lo: []byte{lo}, Hi: []byte{hi}}} }
	base := func() (*wire.Query, array.Interval) {
		return &wire.Query{Layout: schema.GlobalOrder, LabelRanges: []wire.LabelRanges{{Name: "l", Ranges: one(1, 2)}},
			Labels:        []query.Want{{Name: "l"}},
			CurrentDomain: &schema.CurrentDomain{Ranges: one(0, 9)},
			Read: &query.Read{Fields: []query.Want{{Name: "a", DataCap: 5}, {Name: "b"}}, Offsets: query.OffsetsFormat{Bits: 64},
				Subarray:  query.Subarray{Ranges: [][]schema.Range{one(1, 2), nil}},
				Condition: &condition.Node{Op: condition.And, Children: []*condition.Node{{Op: condition.LT, Field: "a", Value: []byte{1}}, {Op: condition.EQ, Field: "b", Null: true}}}}}, array.Interval{End: 7}
	}
	q, at := base()
	want := queryHash(q, at)
	seen := map[[32]byte]string{want: "unchanged"}
	for name, change := range map[string]func(*wire.Query, *array.Interval){
		"layout":         func(q *wire.Query, _ *array.Interval) { q.Layout = schema.Unordered },
		"start":          func(_ *wire.Query, at *array.Interval) { at.Start = 1 },
		"end":            func(_ *wire.Query, at *array.Interval) { at.End = 8 },
		"a field less":   func(q *wire.Query, _ *array.Interval) { q.Read.Fields = q.Read.Fields[:1] },
		"another field":  func(q *wire.Query, _ *array.Interval) { q.Read.Fields[0].Name = "c" },
		"offsets":        func(q *wire.Query, _ *array.Interval) { q.Read.Offsets.Bits = 32 },
		"range":          func(q *wire.Query, _ *array.Interval) { q.Read.Subarray.Ranges[0] = one(1, 3) },
		"dimension":      func(q *wire.Query, _ *array.Interval) { q.Read.Subarray.Ranges[1] = one(1, 2) },
		"no ranges":      func(q *wire.Query, _ *array.Interval) { q.Read.Subarray.Ranges = nil },
		"label range":    func(q *wire.Query, _ *array.Interval) { q.LabelRanges[0].Ranges = one(2, 2) },
		"no label":       func(q *wire.Query, _ *array.Interval) { q.Labels = nil },
		"no condition":   func(q *wire.Query, _ *array.Interval) { q.Read.Condition = nil },
		"operator":       func(q *wire.Query, _ *array.Interval) { q.Read.Condition.Op = condition.Or },
		"value":          func(q *wire.Query, _ *array.Interval) { q.Read.Condition.Children[0].Value = []byte{2} },
		"null":           func(q *wire.Query, _ *array.Interval) { q.Read.Condition.Children[1].Null = false },
		"current domain": func(q *wire.Query, _ *array.Interval) { q.CurrentDomain = nil },
	} {
		q, at := base()
		change(q, &at)
		got := queryHash(q, at)
		if other, ok := seen[got]; ok {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[got] = name
	}
	q, at = base()
	q.Read.Fields[0], q.Read.Fields[1] = q.Read.Fields[1], q.Read.Fields[0]
	q.Read.Fields[0].DataCap = 99
	if queryHash(q, at) != want {
		t.Error("other buffers make another query")
	}
}
