package schema

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"azulejo/datatype"
)

func TestEvolve(t *testing.T) {
	old := withColours(denseArray())
	old.Name, old.Version = "__1_1_x", 21
	added := NewAttribute("c", datatype.Uint8, 1)
	added.Enumeration = "sizes"
	sizes := &Enumeration{Name: "sizes", File: "__s_0", Type: datatype.Int8, CellValNum: 1, Data: []byte{1, 2}}
	longer := colours("__g_0", "red", "green", "blue")
	box := &CurrentDomain{Ranges: []Range{
		{datatype.Bytes([]int32{1}), datatype.Bytes([]int32{5})}, {datatype.Bytes([]int32{-1}), datatype.Bytes([]int32{1})},
	}}
	got, err := old.Evolve(Evolution{
		AddAttributes: []Attribute{added}, DropAttributes: []string{"b"}, AddEnumerations: []*Enumeration{sizes},
		ExtendEnumerations: []*Enumeration{longer}, DropEnumerations: []string{"unknown"}, ExpandCurrentDomain: box,
	})
	if err != nil {
		t.Fatal(err)
	}
	if names := got.FieldNames(); !reflect.DeepEqual(names, []string{"x", "y", "a", "c"}) || got.Name != "" || got.Version != 21 {
		t.Errorf("fields %v, name %q, version %d", names, got.Name, got.Version)
	}
	if want := map[string]string{"colours": "__g_0", "sizes": "__s_0"}; !reflect.DeepEqual(got.EnumerationFiles, want) || got.CurrentDomain != box {
		t.Errorf("enumerations %v", got.EnumerationFiles)
	}
	if old.Enumerations["colours"].Len() != 2 || len(old.Attributes) != 2 || len(old.EnumerationNames) != 1 {
		t.Error("the old schema has changed")
	}
	nameless := Evolution{ExtendEnumerations: []*Enumeration{
		colours("", "red", "green", "blue", "black"), {Name: "sizes", Type: datatype.Int8, CellValNum: 1, Data: []byte{1, 2, 3}},
	}}
	if e, err := got.Evolve(nameless); err != nil || e.Enumerations["sizes"].Len() != 3 {
		t.Errorf("two extensions whose files are named later: %v", err)
	}
	if _, err := got.Evolve(Evolution{DropAttributes: []string{"c"}, DropEnumerations: []string{"sizes"}}); err != nil {
		t.Error(err)
	}
}

func TestEvolveRefuses(t *testing.T) {
	box := func(lo, hi int32) *CurrentDomain {
		y := denseArray().Domain.Dimensions[1].DomainRange()
		return &CurrentDomain{Ranges: []Range{{datatype.Bytes([]int32{lo}), datatype.Bytes([]int32{hi})}, y}}
	}
	enumerated := NewAttribute("c", datatype.Int8, 1)
	enumerated.Enumeration = "sizes"
	for _, c := range []struct {
		name, text string
		e          Evolution
	}{
		{"taken name", "taken", Evolution{AddAttributes: []Attribute{NewAttribute("x", datatype.Int8, 1)}}},
		{"reserved name", "reserved", Evolution{AddAttributes: []Attribute{NewAttribute("__x", datatype.Int8, 1)}}},
		{"unknown enumeration", "unknown or not loaded", Evolution{AddAttributes: []Attribute{enumerated}}},
		{"dimension dropped", "to drop", Evolution{DropAttributes: []string{"x"}}},
		{"all attributes dropped", "needs an attribute", Evolution{DropAttributes: []string{"a", "b"}}},
		{"existing enumeration", "exists", Evolution{AddEnumerations: []*Enumeration{colours("__h_0", "a")}}},
		{"other labels", "keep the labels", Evolution{ExtendEnumerations: []*Enumeration{colours("__h_0", "red", "grey", "blue")}}},
		{"longer last label", "keep", Evolution{ExtendEnumerations: []*Enumeration{colours("__h_0", "red", "greenish", "blue")}}},
		{"no more labels", "add some", Evolution{ExtendEnumerations: []*Enumeration{colours("__h_0", "red", "green")}}},
		{"same file", "belongs", Evolution{ExtendEnumerations: []*Enumeration{colours("__f_0", "red", "green", "blue")}}},
		{"extended twice", "twice", Evolution{ExtendEnumerations: []*Enumeration{colours("__g_0", "red", "green", "b"), colours("__h_0", "red", "green", "b", "c")}}},
		{"used enumeration", "used by", Evolution{DropEnumerations: []string{"colours"}}},
		{"smaller current domain", "only be expanded", Evolution{ExpandCurrentDomain: box(3, 6)}},
		{"outside the domain", "leaves", Evolution{ExpandCurrentDomain: box(1, 11)}},
		{"empty current domain", "expands nothing", Evolution{ExpandCurrentDomain: &CurrentDomain{Empty: true}}},
	} {
		a := withColours(denseArray())
		used := NewAttribute("e", datatype.Int8, 1)
		used.Enumeration = "colours"
		a.CurrentDomain = box(2, 6)
		if c.name != "all attributes dropped" {
			a.Attributes = append(a.Attributes, used)
		}
		if _, err := a.Evolve(c.e); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, want an error about %q", c.name, err, c.text)
		}
	}
}

func TestFillExtents(t *testing.T) {
	a := New(Sparse)
	a.Domain.Dimensions = []Dimension{
		dimOf("i", datatype.Int8, int8(-128), 126, 0), dimOf("f", datatype.Float32, float32(1), 3.5, 0), textDim("s"),
		dimOf("k", datatype.Uint64, uint64(3), 10, 2),
	}
	kept := a.Domain.Dimensions
	a.FillExtents()
	for i, want := range [][]byte{{0xFF}, datatype.Bytes([]float32{2.5}), nil, datatype.Bytes([]uint64{2})} {
		if got := a.Domain.Dimensions[i].Extent; !reflect.DeepEqual(got, want) {
			t.Errorf("dimension %d: extent %v, want %v", i, got, want)
		}
	}
	if kept[0].Extent != nil {
		t.Error("the caller's dimensions changed")
	}
}
