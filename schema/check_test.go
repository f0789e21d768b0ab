package schema

import (
	"errors"
	"math"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
)

// dimOf returns a dimension over lo..hi with a tile extent, none when it is 0.
func dimOf[T datatype.Element](name string, t datatype.Type, lo, hi, extent T) Dimension {
	d := Dimension{Name: name, Type: t, CellValNum: 1, Domain: datatype.Bytes([]T{lo, hi})}
	if extent != 0 {
		d.Extent = datatype.Bytes([]T{extent})
	}
	return d
}

func textDim(name string) Dimension {
	return Dimension{Name: name, Type: datatype.StringASCII, CellValNum: datatype.VarNum}
}

func denseArray() *Array {
	a := New(Dense)
	a.Domain.Dimensions = []Dimension{dimOf("x", datatype.Int32, int32(1), 10, 4), dimOf("y", datatype.Int32, int32(-5), 5, 3)}
	a.Attributes = []Attribute{NewAttribute("a", datatype.Float64, 1), NewAttribute("b", datatype.StringASCII, datatype.VarNum)}
	return a
}

func sparseArray() *Array {
	a := New(Sparse)
	a.Domain.Dimensions = []Dimension{dimOf("x", datatype.Float64, 0.0, 1.0, 0.25), textDim("s"), dimOf("t", datatype.DateTimeMS, int64(-10), 10, 0)}
	a.Attributes = []Attribute{NewAttribute("a", datatype.Int8, 1)}
	return a
}

// colours returns an enumeration of texts.
func colours(file string, labels ...string) *Enumeration {
	e := &Enumeration{Name: "colours", File: file, Type: datatype.StringASCII, CellValNum: datatype.VarNum}
	for _, l := range labels {
		e.Offsets = append(e.Offsets, uint64(len(e.Data)))
		e.Data = append(e.Data, l...)
	}
	return e
}

func withColours(a *Array) *Array {
	e := colours("__f_0", "red", "green")
	a.EnumerationNames = []string{"colours"}
	a.EnumerationFiles = map[string]string{"colours": "__f_0"}
	a.Enumerations = map[string]*Enumeration{"colours": e}
	return a
}

func TestCheckAccepts(t *testing.T) {
	enumerated := withColours(sparseArray())
	enumerated.Attributes[0].Enumeration = "colours"
	ordered := denseArray()
	ordered.Domain.Dimensions = ordered.Domain.Dimensions[:1]
	ordered.Attributes[0].Order = IncreasingData
	for name, a := range map[string]*Array{"dense": denseArray(), "sparse": sparseArray(), "enumerated": enumerated, "ordered": ordered} {
		if err := a.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	dim := func(d Dimension) func(*Array) { return func(a *Array) { a.Domain.Dimensions[0] = d } }
	attr := func(change func(*Attribute)) func(*Array) { return func(a *Array) { change(&a.Attributes[0]) } }
	specs := func(s ...filter.Spec) filter.Pipeline { return filter.Pipeline{MaxChunk: 65536, Filters: s} }
	for _, c := range []struct {
		name   string
		array  func() *Array
		change func(*Array)
		text   string
	}{
		{"no dimensions", sparseArray, func(a *Array) { a.Domain.Dimensions = nil }, "no dimensions"},
		{"array type", sparseArray, func(a *Array) { a.Type = 2 }, "array type"},
		{"tile order", sparseArray, func(a *Array) { a.TileOrder = Hilbert }, "tile order"},
		{"cell order", sparseArray, func(a *Array) { a.CellOrder = Unordered }, "cell order"},
		{"dense Hilbert", denseArray, func(a *Array) { a.CellOrder = Hilbert }, "Hilbert"},
		{"dense duplicates", denseArray, func(a *Array) { a.AllowsDups = true }, "duplicates"},
		{"dense without attributes", denseArray, func(a *Array) { a.Attributes = nil }, "attribute"},
		{"no capacity", sparseArray, func(a *Array) { a.Capacity = 0 }, "capacity"},
		{"dense text", denseArray, dim(textDim("x")), "dense array cannot"},
		{"dense float", denseArray, dim(dimOf("x", datatype.Float32, float32(0), 1, 1)), "dense array cannot"},
		{"dense of two types", denseArray, dim(dimOf("x", datatype.Int64, int64(0), 9, 1)), "one type"},
		{"dimension type", sparseArray, dim(dimOf("x", datatype.Char, int8(0), 9, 1)), "cannot have type CHAR"},
		{"text with domain", sparseArray, dim(Dimension{Name: "s", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Domain: []byte("az")}), "without domain"},
		{"fixed text", sparseArray, dim(Dimension{Name: "s", Type: datatype.StringASCII, CellValNum: 1}), "variable length"},
		{"no domain", sparseArray, dim(Dimension{Name: "x", Type: datatype.Int32, CellValNum: 1}), "needs a domain"},
		{"two values", sparseArray, dim(Dimension{Name: "x", Type: datatype.Int32, CellValNum: 2}), "one value"},
		{"backward domain", sparseArray, dim(dimOf("x", datatype.Int16, int16(5), 4, 1)), "ends before"},
		{"full domain", sparseArray, dim(dimOf("x", datatype.Int8, int8(-128), 127, 10)), "more cells"},
		{"large extent", sparseArray, dim(dimOf("x", datatype.Uint8, uint8(0), 9, 11)), "does not fit"},
		{"no room to round up", sparseArray, dim(dimOf("x", datatype.Int64, 0, int64(math.MaxInt64-1), 10)), "rounded up"},
		{"no room, unsigned", sparseArray, dim(dimOf("x", datatype.Uint64, 0, uint64(math.MaxUint64-1), 10)), "rounded up"},
		{"NaN domain", sparseArray, dim(dimOf("x", datatype.Float64, math.NaN(), 1, 1)), "finite"},
		{"endless domain", sparseArray, dim(dimOf("x", datatype.Float64, 0, math.Inf(1), 1)), "finite"},
		{"backward float", sparseArray, dim(dimOf("x", datatype.Float64, 2.0, 1, 1)), "ends before"},
		{"negative extent", sparseArray, dim(dimOf("x", datatype.Float64, 0.0, 1, -1)), "does not fit"},
		{"large float extent", sparseArray, dim(dimOf("x", datatype.Float32, float32(0), 1, 2.5)), "does not fit"},
		{"same names", denseArray, attr(func(t *Attribute) { t.Name = "y" }), "twice"},
		{"reserved name", denseArray, attr(func(t *Attribute) { t.Name = "__t" }), "reserved"},
		{"no values", denseArray, attr(func(t *Attribute) { t.CellValNum = 0 }), "no values"},
		{"fixed ANY", denseArray, attr(func(t *Attribute) { *t = NewAttribute("a", datatype.Any, 1) }), "ANY"},
		{"short fill", denseArray, attr(func(t *Attribute) { t.Fill = t.Fill[:4] }), "fill value"},
		{"long fill", denseArray, attr(func(t *Attribute) { t.Fill = make([]byte, 16) }), "fill value"},
		{"unknown type", denseArray, attr(func(t *Attribute) { t.Type = 99 }), "cannot have type"},
		{"float in bit width", denseArray, attr(func(t *Attribute) { t.Filters = specs(filter.Windowed(filter.BitWidthReduction, 256)) }), "BIT_WIDTH"},
		{"ordered in two dimensions", denseArray, attr(func(t *Attribute) { t.Order = IncreasingData }), "ordered"},
		{"RLE behind", denseArray, func(a *Array) {
			a.Attributes[1].Filters = specs(filter.Compressor(filter.Zstd, 1), filter.Compressor(filter.RLE, 1))
		}, "RLE"},
		{"double-delta floats", sparseArray, func(a *Array) { a.CoordsFilters = specs(filter.Compressor(filter.DoubleDelta, -1)) }, "double-delta"},
		{"inherited RLE", sparseArray, func(a *Array) {
			a.CoordsFilters = specs(filter.Compressor(filter.Zstd, 1), filter.Compressor(filter.RLE, 1))
		}, "inherit RLE"},
		{"damaged options", sparseArray, func(a *Array) { a.OffsetsFilters = specs(filter.Spec{Code: filter.Zstd}) }, "offsets filters"},
		{"WEBP of floats", denseArray, attr(func(t *Attribute) { t.Filters = specs(filter.Image(filter.WebPOptions{Format: 1})) }), "WEBP"},
		{"unknown enumeration", sparseArray, attr(func(t *Attribute) { t.Enumeration = "sizes" }), "no enumeration"},
		{"enumeration of floats", func() *Array { return withColours(denseArray()) }, attr(func(t *Attribute) { t.Enumeration = "colours" }), "single integers"},
		{"current domain outside", denseArray, func(a *Array) {
			a.CurrentDomain = &CurrentDomain{Ranges: []Range{{datatype.Bytes([]int32{0}), datatype.Bytes([]int32{5})}, a.Domain.Dimensions[1].DomainRange()}}
		}, "leaves the domain"},
		{"short current domain", denseArray, func(a *Array) { a.CurrentDomain = &CurrentDomain{Ranges: make([]Range, 1)} }, "1 ranges"},
	} {
		a := c.array()
		c.change(a)
		if err := a.Check(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, want an error about %q", c.name, err, c.text)
		}
	}
}

// TestCheckExtents holds the limits that libtiledb 2.30 was seen to have.
func TestCheckExtents(t *testing.T) {
	for _, c := range []struct {
		d  Dimension
		ok bool
	}{
		{dimOf("d", datatype.Int8, int8(0), 120, 50), true},
		{dimOf("d", datatype.Int8, int8(-128), 126, 0), true},
		{dimOf("d", datatype.Int8, int8(-128), 126, -1), true}, // 255, as stored for the extent that covers the domain
		{dimOf("d", datatype.Uint8, uint8(0), 254, 100), true},
		{dimOf("d", datatype.Int64, 0, int64(math.MaxInt64-10), 10), true},
		{dimOf("d", datatype.Int64, 0, int64(math.MaxInt64-1), 10), false},
		{dimOf("d", datatype.Uint64, 0, uint64(math.MaxUint64-10), 10), true},
		{dimOf("d", datatype.Uint64, 5, uint64(math.MaxUint64-11), 10), true},
		{dimOf("d", datatype.Uint64, 0, uint64(math.MaxUint64-1), 10), false},
		{dimOf("d", datatype.Int32, int32(0), 10, 11), true},
		{dimOf("d", datatype.Int32, int32(0), 10, 12), false},
		{dimOf("d", datatype.Int64, int64(-1<<62), 1<<62, 10), true},
		{dimOf("d", datatype.Int64, int64(math.MinInt64), 0, 10), true},
		{dimOf("d", datatype.Int32, int32(math.MinInt32), math.MaxInt32-1, 1000), true},
		{dimOf("d", datatype.Float64, 0.0, 10, 11), true},
		{dimOf("d", datatype.Float64, 0.0, 10, 11.5), false},
	} {
		if err := c.d.check(); (err == nil) != c.ok {
			t.Errorf("%s %v extent %v: %v", c.d.Type, c.d.Domain, c.d.Extent, err)
		}
	}
}

func TestEnumerations(t *testing.T) {
	e := colours("__f_0", "red", "", "green")
	if err := e.Check(); err != nil || e.Len() != 3 || string(e.Label(0)) != "red" || len(e.Label(1)) != 0 || string(e.Label(2)) != "green" {
		t.Errorf("labels %q %q %q, %v", e.Label(0), e.Label(1), e.Label(2), err)
	}
	if i, ok := e.Index([]byte("green")); i != 2 || !ok {
		t.Errorf("green at %d, %v", i, ok)
	}
	if _, ok := e.Index([]byte("blue")); ok {
		t.Error("blue found")
	}
	fixed := &Enumeration{Name: "n", Type: datatype.Int16, CellValNum: 1, Data: datatype.Bytes([]int16{5, 6})}
	if err := fixed.Check(); err != nil || fixed.Len() != 2 || string(fixed.Label(1)) != "\x06\x00" {
		t.Errorf("%d labels, %v", fixed.Len(), err)
	}
	for name, bad := range map[string]*Enumeration{
		"twice":       colours("f", "a", "b", "a"),
		"no name":     {Type: datatype.Int8, CellValNum: 1, Data: []byte{1}},
		"folder":      colours("../f", "a"),
		"no values":   {Name: "n", Type: datatype.Int8},
		"half labels": {Name: "n", Type: datatype.Int16, CellValNum: 1, Data: []byte{1}},
		"offsets":     {Name: "n", Type: datatype.Int8, CellValNum: datatype.VarNum, Data: []byte{1}, Offsets: []uint64{0, 2}},
		"first":       {Name: "n", Type: datatype.Int8, CellValNum: datatype.VarNum, Data: []byte{1, 2}, Offsets: []uint64{1}},
		"no offsets":  {Name: "n", Type: datatype.Int8, CellValNum: datatype.VarNum, Data: []byte{1, 2}},
	} {
		if err := bad.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
