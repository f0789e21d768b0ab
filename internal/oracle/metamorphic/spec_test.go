package metamorphic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/schema"
)

// epoch is the time at which arrays are made. All times have as many digits, as real ones do: names sort by them.
const epoch uint64 = 1_700_000_000_000

// The bits of a run's simplifications, which the shrinker tries.
const (
	plainFilters = 1 << iota
	plainTypes
	oneDimension
	plainStore
	plainReads
	noKey
	allSimple
	// checkedFilters gives every pipeline a checksum; it is none of the simplifications.
	checkedFilters = allSimple
)

// dimension is an axis of n places, numbered from 0, at which there are coordinates.
type dimension struct {
	schema.Dimension
	n int
	// coords are the coordinates of the places, ascending; tile is the number of the tile that each is in.
	coords [][]byte
	tile   []int
}

// attribute is an attribute with the values that its cells have.
type attribute struct {
	schema.Attribute
	values []value
}

// value is one value of a cell; of a null one nothing counts but that.
type value struct {
	bytes string
	null  bool
}

func (v value) String() string {
	if v.null {
		return "null"
	}
	return fmt.Sprintf("%x", v.bytes)
}

// spec is what an array is made like.
type spec struct {
	schema *schema.Array
	dims   []dimension
	// first are the attributes that it is made with.
	first []attribute
	// colours are the labels that the enumeration has at first.
	colours int
	curve   *schema.Curve
	key     *filter.Key
}

var (
	wholeTypes = []datatype.Type{datatype.Int8, datatype.Uint8, datatype.Int16, datatype.Uint16, datatype.Int32, datatype.Uint32, datatype.Int64, datatype.Uint64,
		datatype.DateTimeDay, datatype.DateTimeNS, datatype.DateTimeYear, datatype.DateTimeAS, datatype.TimeSec, datatype.TimeHR, datatype.DateTimeMS}
	allTypes = append([]datatype.Type{datatype.Float32, datatype.Float64, datatype.Char, datatype.StringASCII, datatype.StringUTF8, datatype.Blob, datatype.Bool,
		datatype.GeomWKB, datatype.GeomWKT, datatype.StringASCII, datatype.StringUTF16, datatype.StringUCS4}, wholeTypes...)
	labelNames = []string{"red", "green", "blue", "grey", "", "a longer one", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"}
)

func newSpec(rng *rand.Rand, simple int) *spec {
	sp := &spec{colours: 2 + rng.IntN(3)}
	kind := schema.Sparse
	if rng.IntN(3) == 0 {
		kind = schema.Dense
	}
	s := schema.New(kind)
	sp.schema = s
	s.Name = format.Name{Start: epoch, End: epoch, UUID: strings.Repeat("0", 32)}.String()
	s.AllowsDups = kind == schema.Sparse && rng.IntN(3) == 0
	s.Capacity = uint64(1 + rng.IntN(30))
	s.CellOrder, s.TileOrder = schema.Layout(rng.IntN(2)), schema.Layout(rng.IntN(2))
	if kind == schema.Sparse && rng.IntN(4) == 0 {
		s.CellOrder = schema.Hilbert
	}
	sp.addDimensions(rng, simple)
	if simple&plainFilters == 0 {
		s.CoordsFilters, s.OffsetsFilters = randomPipeline(rng, datatype.Char, false), randomPipeline(rng, datatype.Uint64, false)
		s.ValidityFilters = randomPipeline(rng, datatype.Uint8, false)
	}
	for i := range 1 + rng.IntN(4) {
		sp.first = append(sp.first, newAttribute(rng, fmt.Sprintf("a%d", i), simple))
	}
	if rng.IntN(3) == 0 {
		sp.addColours(rng)
	}
	if sp.dense() && rng.IntN(3) == 0 {
		s.AddLabel(rng.IntN(len(sp.dims)), "label", schema.Order(rng.IntN(2))+schema.IncreasingData, labelTypes[rng.IntN(len(labelTypes))])
	}
	if simple&checkedFilters != 0 {
		for _, p := range []*filter.Pipeline{&s.CoordsFilters, &s.OffsetsFilters, &s.ValidityFilters} {
			addChecksum(p)
		}
		for i := range s.Domain.Dimensions {
			if d := &s.Domain.Dimensions[i]; len(d.Filters.Filters) > 0 {
				addChecksum(&d.Filters)
			}
		}
	}
	for i := range sp.first {
		if simple&checkedFilters != 0 {
			addChecksum(&sp.first[i].Filters)
		}
		s.Attributes = append(s.Attributes, sp.first[i].Attribute)
	}
	if simple&noKey == 0 && rng.IntN(8) == 0 {
		sp.key, _ = filter.NewKey([]byte(keyText))
	}
	if s.CellOrder == schema.Hilbert {
		sp.curve, _ = schema.NewCurve(&s.Domain)
	}
	return sp
}

func (sp *spec) dense() bool { return sp.schema.Type == schema.Dense }

func (sp *spec) addColours(rng *rand.Rand) {
	a := attribute{Attribute: schema.NewAttribute("colour", datatype.Int8, 1)}
	a.Enumeration, a.Fill = "colours", []byte{0}
	for i := range sp.colours {
		a.values = append(a.values, value{bytes: string([]byte{byte(i)})})
	}
	if a.Nullable = rng.IntN(2) == 0; a.Nullable {
		a.values = append(a.values, value{null: true})
	}
	sp.first = append(sp.first, a)
	s := sp.schema
	s.Enumerations = map[string]*schema.Enumeration{"colours": labels(sp.colours)}
	s.EnumerationNames, s.EnumerationFiles = []string{"colours"}, map[string]string{"colours": ""}
}

// labels returns the enumeration of the first n labels.
func labels(n int) *schema.Enumeration {
	e := &schema.Enumeration{Name: "colours", Type: datatype.StringASCII, CellValNum: datatype.VarNum}
	for _, l := range labelNames[:n] {
		e.Offsets, e.Data = append(e.Offsets, uint64(len(e.Data))), append(e.Data, l...)
	}
	return e
}

// addDimensions gives the array one to four dimensions.
func (sp *spec) addDimensions(rng *rand.Rand, simple int) {
	sizes := [][]int{{60}, {17, 11}, {7, 6, 5}, {5, 4, 3, 3}}[rng.IntN(4)]
	common := wholeTypes[rng.IntN(len(wholeTypes))]
	if simple&oneDimension != 0 {
		sizes = sizes[:1]
	}
	if simple&plainTypes != 0 {
		common = datatype.Int32
	}
	for i, n := range sizes {
		t := common
		if !sp.dense() && simple&plainTypes == 0 {
			t = append([]datatype.Type{datatype.StringASCII, datatype.Float64, datatype.Float32, datatype.StringASCII}, wholeTypes...)[rng.IntN(4+len(wholeTypes))]
		}
		d := newDimension(rng, fmt.Sprintf("d%d", i), t, 1+rng.IntN(n), sp.dense())
		if simple&plainFilters == 0 && rng.IntN(3) == 0 {
			if d.Filters = randomPipeline(rng, t, t == datatype.StringASCII); d.Filters.Has(filter.FloatScale) {
				d.Filters.Filters = nil // it takes whole numbers for halves
			}
		}
		sp.dims = append(sp.dims, d)
		sp.schema.Domain.Dimensions = append(sp.schema.Domain.Dimensions, d.Dimension)
	}
}

func newDimension(rng *rand.Rand, name string, t datatype.Type, n int, dense bool) dimension {
	d := dimension{Dimension: schema.Dimension{Name: name, Type: t, CellValNum: 1}, n: n, tile: make([]int, n)}
	if t == datatype.StringASCII {
		d.CellValNum = datatype.VarNum
		for i := range n {
			d.coords = append(d.coords, fmt.Appendf(nil, "key %02d%s", i, strings.Repeat("-", i%3)))
		}
		return d
	}
	extent, step := 1+rng.IntN(n), 1
	kind := t.Info().Kind
	if kind.Float() {
		for i := range n {
			d.coords, d.tile[i] = append(d.coords, number(kind, float64(i)/2-3)), i/extent
		}
		d.Domain = slices.Concat(d.coords[0], d.coords[n-1])
		d.Extent = number(kind, float64(extent)/2)
		return d
	}
	if !dense {
		step = 1 + rng.IntN(2)
	}
	lo := int64(rng.IntN(40))
	if kind.Signed() {
		lo -= 70
	}
	for i := range n {
		d.coords = append(d.coords, whole(kind, lo+int64(i*step)))
		d.tile[i] = i * step / extent
	}
	d.Domain = slices.Concat(d.coords[0], d.coords[n-1])
	d.Extent = whole(kind, int64(min(extent, (n-1)*step+1)))
	for i := range n {
		d.tile[i] = i * step / min(extent, (n-1)*step+1)
	}
	return d
}

// whole and number return a number as a kind stores it.
func whole(k datatype.Kind, v int64) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(v))[:k.Size()]
}

func number(k datatype.Kind, v float64) []byte {
	if k == datatype.KindFloat32 {
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v)))
	}
	if k == datatype.KindFloat64 {
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))
	}
	return whole(k, int64(v))
}

// newAttribute returns an attribute of any type, with few values.
func newAttribute(rng *rand.Rand, name string, simple int) attribute {
	t, n := allTypes[rng.IntN(len(allTypes))], uint32(1)
	switch rng.IntN(4) {
	case 0:
		n = datatype.VarNum
	case 1:
		n = uint32(2 + rng.IntN(2))
	}
	if t == datatype.GeomWKB || t == datatype.GeomWKT {
		n = datatype.VarNum
	}
	if simple&plainTypes != 0 {
		t, n = datatype.Int32, 1
	}
	a := attribute{Attribute: schema.NewAttribute(name, t, n)}
	a.Nullable = rng.IntN(3) == 0
	for range 2 + rng.IntN(5) {
		a.values = append(a.values, value{bytes: string(randomValue(rng, t, n))})
	}
	if a.Nullable {
		a.values = append(a.values, value{null: true})
		a.FillValid = rng.IntN(2) == 0
	}
	if rng.IntN(2) == 0 {
		if a.Fill = randomValue(rng, t, n); len(a.Fill) == 0 {
			a.Fill = bytes.Repeat([]byte{'f'}, t.Size())
		}
	}
	if simple&plainFilters == 0 {
		a.Filters = randomPipeline(rng, t, n == datatype.VarNum)
		if a.Filters.Has(filter.FloatScale) {
			a.Fill = randomValue(rng, t, n) // no whole number stands for the fill value that there is by itself
		}
	}
	if simple&checkedFilters != 0 {
		addChecksum(&a.Filters)
	}
	return a
}

func randomValue(rng *rand.Rand, t datatype.Type, n uint32) (out []byte) {
	if n == datatype.VarNum {
		n = uint32([]int{0, 0, 1, 2, 5, 40}[rng.IntN(6)])
	}
	kind := t.Info().Kind
	for range n {
		switch v := rng.IntN(9); {
		case t == datatype.Bool:
			out = append(out, byte(v%2))
		case t == datatype.Char || t == datatype.StringASCII || t == datatype.StringUTF8 || t == datatype.GeomWKT:
			out = append(out, byte('a'+v))
		case kind.Float():
			out = append(out, number(kind, float64(v)-4)...)
		case kind.Signed():
			out = append(out, whole(kind, int64(v)-4)...)
		default:
			out = append(out, whole(kind, int64(v))...)
		}
	}
	return out
}

// randomPipeline returns filters that a field of the type may have and that give every value back: one that makes values
// smaller or groups their bytes, a compressor, a checksum, each or not.
func randomPipeline(rng *rand.Rand, t datatype.Type, isVar bool) filter.Pipeline {
	p := filter.Pipeline{MaxChunk: []uint32{65536, 65536, 100}[rng.IntN(3)]}
	texts := isVar && (t == datatype.StringASCII || t == datatype.StringUTF8)
	kind := t.Info().Kind
	if texts && rng.IntN(3) == 0 {
		p.Filters = []filter.Spec{filter.Compressor([]filter.Code{filter.RLE, filter.Dictionary}[rng.IntN(2)], -1)}
		return p
	}
	first := []filter.Spec{filter.Plain(filter.None), filter.Plain(filter.Bitshuffle), filter.Plain(filter.Byteshuffle)}
	switch {
	case kind.Float() && !isVar:
		first = append(first, filter.Scaling(filter.FloatScaleOptions{Scale: 1, ByteWidth: 8}), filter.Plain(filter.XOR))
	case !kind.Float() && !texts && t.Size() > 1:
		first = append(first, filter.Windowed(filter.BitWidthReduction, 256), filter.Plain(filter.XOR), filter.Compressor(filter.Delta, -1))
	}
	second := []filter.Spec{filter.Compressor(filter.Zstd, 1), filter.Compressor(filter.Gzip, 1), filter.Compressor(filter.LZ4, -1), filter.Compressor(filter.Bzip2, 1)}
	if !texts && rng.IntN(8) == 0 {
		p.Filters = []filter.Spec{filter.Compressor(filter.RLE, -1)}
		return p
	}
	third := []filter.Spec{filter.Plain(filter.ChecksumMD5), filter.Plain(filter.ChecksumSHA256)}
	for _, list := range [][]filter.Spec{first, second, third} {
		if rng.IntN(2) == 0 {
			p.Filters = append(p.Filters, list[rng.IntN(len(list))])
		}
	}
	if p.Check(t, isVar) != nil {
		return filter.Pipeline{MaxChunk: 65536}
	}
	return p
}

// keyText is the key of arrays that are encrypted.
const keyText = "0123456789abcdef0123456789abcdef"

// point is the places of a cell.
type point [4]int

// compareIn orders two points row-major or, from the last dimension on, col-major, by a rank of each place.
func compareIn(dims int, order schema.Layout, a, b point, rank func(d, place int) int) int {
	for i := range dims {
		if order == schema.ColMajor {
			i = dims - 1 - i
		}
		if c := rank(i, a[i]) - rank(i, b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// inOrder compares two points as a layout does.
func (sp *spec) inOrder(layout schema.Layout, a, b point) int {
	n := len(sp.dims)
	plain := func(_, place int) int { return place }
	if layout != schema.GlobalOrder {
		return compareIn(n, layout, a, b, plain)
	}
	if sp.curve != nil {
		if x, y := sp.hilbert(a), sp.hilbert(b); x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return compareIn(n, schema.RowMajor, a, b, plain)
	}
	if c := compareIn(n, sp.schema.TileOrder, a, b, func(d, place int) int { return sp.dims[d].tile[place] }); c != 0 {
		return c
	}
	return compareIn(n, sp.schema.CellOrder, a, b, plain)
}

func (sp *spec) hilbert(p point) uint64 {
	var out [1]uint64
	cols := make([]schema.Coords, len(sp.dims))
	for i := range sp.dims {
		cols[i].Data = sp.dims[i].coords[p[i]]
		if sp.dims[i].Var() {
			cols[i].Offsets = []uint64{0}
		}
	}
	sp.curve.Values(out[:], cols, nil)
	return out[0]
}
