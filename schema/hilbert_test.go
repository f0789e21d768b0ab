package schema

import (
	"bufio"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"azulejo/datatype"
)

// goldenCell is a line of testdata/hilbert.txt.
type goldenCell struct {
	text  string
	dims  []Dimension
	cols  []Coords
	place uint64
}

var goldenField = regexp.MustCompile(`^(\w+)(?:\[(.*),(.*)\])?=(\S*)$`)

func readGolden(t *testing.T) []goldenCell {
	f, err := os.Open("testdata/hilbert.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cells []goldenCell
	for lines := bufio.NewScanner(f); lines.Scan(); {
		c := goldenCell{text: lines.Text()}
		if strings.HasPrefix(c.text, "#") {
			continue
		}
		words := strings.Fields(c.text)
		for _, w := range words[:len(words)-2] {
			m := goldenField.FindStringSubmatch(w)
			kind, ok := datatype.Parse(m[1])
			if !ok {
				t.Fatalf("type of %q", w)
			}
			d := Dimension{Name: w, Type: kind, CellValNum: 1}
			if kind == datatype.StringASCII {
				d.CellValNum = datatype.VarNum
				b, err := hex.DecodeString(m[4])
				if err != nil {
					t.Fatal(err)
				}
				c.cols = append(c.cols, Coords{Data: b, Offsets: []uint64{0}})
			} else {
				d.Domain = append(parseNumber(t, kind, m[2]), parseNumber(t, kind, m[3])...)
				c.cols = append(c.cols, Coords{Data: parseNumber(t, kind, m[4])})
			}
			c.dims = append(c.dims, d)
		}
		if c.place, err = strconv.ParseUint(words[len(words)-1], 10, 64); err != nil {
			t.Fatal(err)
		}
		cells = append(cells, c)
	}
	return cells
}

// parseNumber returns the bytes of a number, aligned.
func parseNumber(t *testing.T, kind datatype.Type, text string) []byte {
	size := kind.Size()
	if kind.IsFloat() {
		v, err := strconv.ParseFloat(text, 8*size)
		if err != nil {
			t.Fatal(err)
		}
		if size == 4 {
			return datatype.Bytes([]float32{float32(v)})
		}
		return datatype.Bytes([]float64{v})
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		u, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		v = int64(u)
	}
	return datatype.Bytes([]int64{v})[:size:size]
}

// TestPlaces compares places with those of libtiledb.
func TestPlaces(t *testing.T) {
	cells := readGolden(t)
	if len(cells) < 50 {
		t.Fatalf("%d golden cells", len(cells))
	}
	for _, g := range cells {
		c, err := NewCurve(&Domain{Dimensions: g.dims})
		if err != nil {
			t.Fatal(err)
		}
		var got [1]uint64
		c.Values(got[:], g.cols, nil)
		if got[0] != g.place {
			t.Errorf("%s: got %d", g.text, got[0])
		}
		box := make([]Range, len(g.dims))
		for d, col := range g.cols {
			box[d] = Range{Lo: col.Data, Hi: col.Data}
		}
		if first, last := c.Bounds(box); first != g.place || last != g.place {
			t.Errorf("%s: bounds %d to %d", g.text, first, last)
		}
	}
}

// TestPlacesOfColumns gives several blocks of cells the places they have alone, in sequence and picked.
func TestPlacesOfColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	cells := make([]cell, 3*curveBlock/2)
	for i := range cells {
		cells[i] = cell{int8(r.IntN(201) - 100), r.Float32()*4 - 2, string(rune('a' + r.IntN(26)))}
	}
	c, err := NewCurve(&mixedArray(RowMajor, Hilbert).Domain)
	if err != nil {
		t.Fatal(err)
	}
	want, pick := make([]uint64, len(cells)), make([]uint32, len(cells))
	for i := range cells {
		c.Values(want[i:i+1], columns(cells[i:i+1]), nil)
		pick[i] = uint32(len(cells) - 1 - i)
	}
	got := make([]uint64, len(cells))
	if c.Values(got, columns(cells), nil); !slices.Equal(got, want) {
		t.Error("cells in sequence have other places")
	}
	c.Values(got, columns(cells), pick)
	if slices.Reverse(got); !slices.Equal(got, want) {
		t.Error("picked cells have other places")
	}
}

// TestCurveBounds compares the bounds of small boxes of buckets with the places of all buckets in them.
func TestCurveBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for n := 1; n <= 6; n++ {
		dims := make([]Dimension, n)
		for d := range dims {
			dims[d] = dimOf("d", datatype.Int64, int64(0), 1, 1)
		}
		c, err := NewCurve(&Domain{Dimensions: dims})
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			lo, hi := make([]uint64, n), make([]uint64, n)
			for d := range lo {
				// Boxes across borders of large parts of the curve are the interesting ones.
				middle := r.Uint64N(4) << (c.bits - 2)
				lo[d] = min(middle+r.Uint64N(3)-min(middle, 2), 1<<c.bits-4)
				hi[d] = lo[d] + r.Uint64N(4)
			}
			first, last := uint64(math.MaxUint64), uint64(0)
			eachBucket(lo, hi, func(x []uint64) {
				place := c.place(slices.Clone(x))
				first, last = min(first, place), max(last, place)
			})
			if a, b := c.extreme(lo, hi, 0), c.extreme(lo, hi, 1); a != first || b != last {
				t.Fatalf("%d dimensions, %v to %v: places %d to %d, want %d to %d", n, lo, hi, a, b, first, last)
			}
		}
	}
}

// eachBucket calls f for every point of a box.
func eachBucket(lo, hi []uint64, f func(x []uint64)) {
	x := slices.Clone(lo)
	for {
		f(x)
		d := 0
		for ; d < len(x); d++ {
			if x[d]++; x[d] <= hi[d] {
				break
			}
			x[d] = lo[d]
		}
		if d == len(x) {
			return
		}
	}
}

// TestCurveBoundsGiveUp takes boxes for the whole curve where the buckets of their ends tell nothing.
func TestCurveBoundsGiveUp(t *testing.T) {
	all := uint64(math.MaxUint64 >> 1)
	number, text := dimOf("d", datatype.Int32, int32(0), 9, 1), textDim("s")
	ints := func(lo, hi int32) Range { return Range{datatype.Bytes([]int32{lo}), datatype.Bytes([]int32{hi})} }
	texts := func(lo, hi string) Range { return Range{[]byte(lo), []byte(hi)} }
	for _, test := range []struct {
		name  string
		dims  []Dimension
		box   []Range
		whole bool
	}{
		{"inside", []Dimension{number, number}, []Range{ints(0, 4), ints(0, 4)}, false},
		{"before the domain", []Dimension{number, number}, []Range{ints(-1, 4), ints(0, 4)}, true},
		{"behind the domain", []Dimension{number, number}, []Range{ints(1, 40), ints(0, 4)}, true},
		{"all of one dimension", []Dimension{number}, []Range{ints(0, 9)}, true},
		{"the end of one dimension", []Dimension{number}, []Range{ints(3, 9)}, false},
		{"behind the only dimension", []Dimension{number}, []Range{ints(3, 19)}, true},
		{"different texts", []Dimension{text}, []Range{texts("a", "b")}, true},
		{"texts that begin alike", []Dimension{text}, []Range{texts("abcdefgh1", "abcdefgh2")}, false},
	} {
		c, err := NewCurve(&Domain{Dimensions: test.dims})
		if err != nil {
			t.Fatal(err)
		}
		if first, last := c.Bounds(test.box); (first == 0 && last == all) != test.whole || first > last || last > all {
			t.Errorf("%s: %d to %d", test.name, first, last)
		}
	}
	if _, err := NewCurve(&Domain{Dimensions: make([]Dimension, 17)}); err == nil {
		t.Error("a curve through 17 dimensions")
	}
}

// TestHilbertOrdering sorts by place and then by coordinates.
func TestHilbertOrdering(t *testing.T) {
	a := mixedArray(RowMajor, Hilbert)
	o, err := NewOrdering(a, GlobalOrder)
	if err != nil {
		t.Fatal(err)
	}
	// Only the first 21 bits of a text count for the place.
	cells := []cell{{5, 1, "abcd"}, {5, 1, "abca"}, {-100, -2, ""}, {5, 1, "abc"}, {-100, -2, ""}}
	k, err := o.Keys(len(cells), columns(cells), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := o.Sort(k), []int{2, 4, 3, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("sorted as %v, want %v", got, want)
	}
	if o.Compare(k, 0, k, 1) <= 0 || !o.MayFollow(k, 0, k, 1) || !o.MayFollow(k, 1, k, 0) || o.MayFollow(k, 0, k, 2) {
		t.Error("what may follow what")
	}
}
