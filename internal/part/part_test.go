package part

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
)

// visits is an array by text and day.
func visits() *schema.Array {
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{{Name: "who", Type: datatype.StringASCII, CellValNum: datatype.VarNum},
		{Name: "day", Type: datatype.DateTimeDay, CellValNum: 1, Domain: datatype.Bytes([]int64{0, 1000}), Extent: datatype.Bytes([]int64{10})}}
	n, site, f := schema.NewAttribute("n", datatype.Int16, 1), schema.NewAttribute("site", datatype.Uint8, 1), schema.NewAttribute("f", datatype.Float32, 1)
	n.Nullable, site.Enumeration = true, "sites"
	s.Attributes = []schema.Attribute{n, site, f, schema.NewAttribute("b", datatype.Bool, 1), schema.NewAttribute("t", datatype.StringUTF8, datatype.VarNum)}
	s.EnumerationNames, s.EnumerationFiles = []string{"sites"}, map[string]string{"sites": ""}
	s.Enumerations = map[string]*schema.Enumeration{"sites": {Name: "sites", Type: datatype.StringUTF8, CellValNum: datatype.VarNum, Data: []byte("northsouth"), Offsets: []uint64{0, 5}}}
	return s
}

func TestWords(t *testing.T) {
	words := `{"hidden":["t"],"masked":["f"],"ranges":{"day":["1970-01-02T00:00:00Z",9],"who":["","m"]},"condition":{"all":[{"field":"n","op":"!=","value":null},
		{"any":[{"field":"site","op":"in","value":["south"]},{"not":{"field":"b","op":"==","value":true}}]},{"field":"f","op":"<","value":1.5}]},"metadata":["k"]}`
	p, err := Decode([]byte(words))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Labels(visits()); !reflect.DeepEqual(got, []string{"sites"}) {
		t.Errorf("labels of %v", got)
	}
	text, err := p.Fit(visits())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := Decode([]byte(text))
	if err != nil || kept.Hidden != nil || !reflect.DeepEqual(kept.Metadata, []string{"k"}) {
		t.Fatalf("%s: %+v, %v", text, kept, err)
	}
	got, err := kept.Restriction(visits())
	if err != nil {
		t.Fatal(err)
	}
	want := &query.Restriction{Attributes: []string{"n", "site", "f", "b"}, Masked: []string{"f"},
		Box: []schema.Range{{Lo: []byte{}, Hi: []byte("m")}, {Lo: datatype.Bytes([]int64{1}), Hi: datatype.Bytes([]int64{9})}},
		Condition: &condition.Node{Op: condition.And, Children: []*condition.Node{
			{Op: condition.NE, Field: "n", Null: true},
			{Op: condition.Or, Children: []*condition.Node{
				{Op: condition.In, Field: "site", Value: []byte("south"), Offsets: []uint64{0}, UseEnumeration: true},
				{Op: condition.Not, Children: []*condition.Node{{Op: condition.EQ, Field: "b", Value: []byte{1}}}}}},
			{Op: condition.LT, Field: "f", Value: datatype.Bytes([]float32{1.5})}}}}
	if !reflect.DeepEqual(got, want) {
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		t.Errorf("%s\nwant %s", a, b)
	}
	// What the array gets later is not shown, and what it loses is missed.
	later := visits()
	later.Attributes = append(later.Attributes, schema.NewAttribute("salary", datatype.Int32, 1))
	if text, err := kept.Fit(later); err != nil || text == "" || len(kept.Attributes) != 4 {
		t.Errorf("%s, %v", text, err)
	}
	lost := visits()
	lost.Attributes = lost.Attributes[1:]
	if _, err := kept.Restriction(lost); !errors.Is(err, ErrInvalid) {
		t.Errorf("a condition on what is gone: %v", err)
	}
}

// FuzzDecode makes restrictions of any words. What fits is kept in words that mean the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"attributes":["n"],"ranges":{"day":[1,2]}}`))
	f.Add([]byte(`{"hidden":["n"],"masked":["site"],"condition":{"field":"site","op":"in","value":["north",""]}}`))
	f.Add([]byte(`{"condition":{"any":[{"not":{"field":"who","op":">=","value":"x"}},{"field":"n","op":"==","value":null}]},"metadata":["x"]}`))
	f.Add([]byte(`{"ranges":{"who":["a","b"],"day":["1970-01-02T00:00:00Z",1e2]}}`))
	f.Fuzz(func(t *testing.T, words []byte) {
		p, err := Decode(words)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		s := visits()
		p.Labels(s)
		text, err := p.Fit(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		again, err := Decode([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		same, err := again.Fit(s)
		if err != nil || same != text {
			t.Fatalf("%s became %s, %v", text, same, err)
		}
		one, err := p.Restriction(s)
		if err != nil {
			t.Fatal(err)
		}
		other, err := again.Restriction(s)
		if err != nil {
			t.Fatal(err)
		}
		if one.Attributes = other.Attributes; len(one.Masked)+len(other.Masked) == 0 {
			one.Masked = other.Masked
		}
		if !reflect.DeepEqual(one, other) {
			t.Fatalf("%s is kept as %s, which means something else", words, text)
		}
	})
}
