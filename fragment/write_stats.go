package fragment

import (
	"bytes"
	"encoding/binary"
	"math"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/schema"
)

// statsBlock is the number of cells whose minimum, maximum and sum are taken in turn, so that they stay in the first
// level cache.
const statsBlock = 2048

// hasMinMax tells whether tiles of f carry their least and greatest value (format_spec/fragment.md, tile mins and maxes).
func hasMinMax(f *schema.Field) bool {
	switch {
	case f.Dimension:
		return false
	case f.Type == datatype.Char || f.Type == datatype.StringASCII:
		return true
	}
	return f.CellValNum == 1 && isNumber(f.Type)
}

// hasSum tells whether tiles of f carry the sum of their values.
func hasSum(f *schema.Field) bool {
	return f.CellValNum == 1 && (isNumber(f.Type) || f.Type == datatype.Char)
}

// isNumber tells whether values of t are compared and added as numbers.
func isNumber(t datatype.Type) bool {
	switch t {
	case datatype.Any, datatype.Blob, datatype.GeomWKB, datatype.GeomWKT, datatype.Char:
		return false
	}
	return !t.IsString()
}

// sumZero is the sum of no values: zero in each of the three forms of sums.
const sumZero uint64 = 0

// tally is what the metadata of a fragment says about the values of one tile.
type tally struct {
	// min and max are values of a fixed number of bytes, or texts; nil when there are none.
	min, max []byte
	sum      uint64
	nulls    uint64
}

// tallyTile computes the metadata of one tile. Values under null and cells outside c.Runs do not count. min and max may
// share c's memory.
func tallyTile(f *schema.Field, c *Cells, t *tally) {
	*t = tally{sum: sumZero}
	for _, r := range c.Runs {
		t.nulls += countNulls(c.Validity, r)
	}
	switch {
	case !hasMinMax(f) && !hasSum(f):
	case f.Type == datatype.Char || f.Type == datatype.StringASCII:
		tallyTexts(f, c, t)
		if hasSum(f) {
			t.sum = tallySums[datatype.KindInt8](c, sumZero)
		}
	default:
		k := f.Type.Kind()
		if hasMinMax(f) {
			t.min, t.max = tallyRanges[k](c)
		}
		t.sum = tallySums[k](c, sumZero)
	}
}

func countNulls(validity []byte, r Run) (n uint64) {
	if validity == nil {
		return 0
	}
	for _, v := range validity[r.Lo:r.Hi] {
		if v == 0 {
			n++
		}
	}
	return n
}

// validRuns calls do for every stretch of cells of r that are not null, until it returns false.
func validRuns(validity []byte, r Run, do func(lo, hi int) bool) {
	if validity == nil {
		do(r.Lo, r.Hi)
		return
	}
	for lo := r.Lo; lo < r.Hi; {
		for lo < r.Hi && validity[lo] == 0 {
			lo++
		}
		hi := lo
		for hi < r.Hi && validity[hi] != 0 {
			hi++
		}
		if hi > lo && !do(lo, hi) {
			return
		}
		lo = hi
	}
}

var tallyRanges = [...]func(*Cells) (lo, hi []byte){
	datatype.KindInt8: rangeOf[int8], datatype.KindInt16: rangeOf[int16],
	datatype.KindInt32: rangeOf[int32], datatype.KindInt64: rangeOf[int64],
	datatype.KindUint8: rangeOf[uint8], datatype.KindUint16: rangeOf[uint16],
	datatype.KindUint32: rangeOf[uint32], datatype.KindUint64: rangeOf[uint64],
	datatype.KindFloat32: rangeOf[float32], datatype.KindFloat64: rangeOf[float64],
}

var tallySums = [...]func(*Cells, uint64) uint64{
	datatype.KindInt8: sumCells[int8], datatype.KindInt16: sumCells[int16],
	datatype.KindInt32: sumCells[int32], datatype.KindInt64: sumCells[int64],
	datatype.KindUint8: sumCells[uint8], datatype.KindUint16: sumCells[uint16],
	datatype.KindUint32: sumCells[uint32], datatype.KindUint64: sumCells[uint64],
	datatype.KindFloat32: sumCells[float32], datatype.KindFloat64: sumCells[float64],
}

// limits returns the least and greatest value of T; infinities do not count.
func limits[T datatype.Element]() (lo, hi T) {
	switch p := any(&lo).(type) {
	case *int8:
		*p, *any(&hi).(*int8) = math.MinInt8, math.MaxInt8
	case *int16:
		*p, *any(&hi).(*int16) = math.MinInt16, math.MaxInt16
	case *int32:
		*p, *any(&hi).(*int32) = math.MinInt32, math.MaxInt32
	case *int64:
		*p, *any(&hi).(*int64) = math.MinInt64, math.MaxInt64
	case *float32:
		*p, *any(&hi).(*float32) = -math.MaxFloat32, math.MaxFloat32
	case *float64:
		*p, *any(&hi).(*float64) = -math.MaxFloat64, math.MaxFloat64
	default:
		hi-- // unsigned: zero minus one
	}
	return lo, hi
}

// rangeOf returns the least and greatest value of the valid cells; of none, the greatest and least value of the type.
// As in libtiledb a value takes the place of the minimum unless that is strictly smaller: a NaN takes it, and the next
// number takes the NaN's.
func rangeOf[T datatype.Element](c *Cells) (lo, hi []byte) {
	v := datatype.View[T](c.Data)
	greatest, least := limits[T]()
	for _, r := range c.Runs {
		validRuns(c.Validity, r, func(from, to int) bool {
			least, greatest = widen(v[from:to], least, greatest)
			return true
		})
	}
	return datatype.Bytes([]T{least}), datatype.Bytes([]T{greatest})
}

func widen[T datatype.Element](v []T, lo, hi T) (T, T) {
	for _, x := range v {
		if !(lo < x) {
			lo = x
		}
		if !(hi > x) {
			hi = x
		}
	}
	return lo, hi
}

// sumCells adds the valid cells to a sum in the form that T's sums have: int64, uint64 or the bits of a float64. A sum
// that would overflow stays at the limit for the rest of the run.
func sumCells[T datatype.Element](c *Cells, sum uint64) uint64 {
	v := datatype.View[T](c.Data)
	for _, r := range c.Runs {
		validRuns(c.Validity, r, func(from, to int) bool {
			for ; from < to; from += statsBlock {
				var full bool
				if sum, full = addBlock(v[from:min(to, from+statsBlock)], sum); full {
					return false
				}
			}
			return true
		})
	}
	return sum
}

// addBlock is sumCells of up to statsBlock values; full tells that the limit was hit.
func addBlock[T datatype.Element](v []T, sum uint64) (_ uint64, full bool) {
	switch s := any(v).(type) {
	case []int64:
		return addSigned(s, sum)
	case []uint64:
		return addUnsigned(s, sum)
	case []float32:
		return addFloats(s, sum)
	case []float64:
		return addFloats(s, sum)
	case []uint8, []uint16, []uint32:
		var block uint64
		for _, x := range v {
			block += uint64(x)
		}
		return addUnsigned([]uint64{block}, sum)
	}
	var block int64
	for _, x := range v {
		block += int64(x)
	}
	return addSigned([]int64{block}, sum)
}

func addSigned(v []int64, bits uint64) (uint64, bool) {
	sum := int64(bits)
	for _, x := range v {
		switch {
		case sum > 0 && x > math.MaxInt64-sum:
			return math.MaxInt64, true
		case sum < 0 && x < math.MinInt64-sum:
			return 1 << 63, true
		}
		sum += x
	}
	return uint64(sum), false
}

func addUnsigned(v []uint64, sum uint64) (uint64, bool) {
	for _, x := range v {
		if sum > math.MaxUint64-x {
			return math.MaxUint64, true
		}
		sum += x
	}
	return sum, false
}

func addFloats[T float32 | float64](v []T, bits uint64) (uint64, bool) {
	sum := math.Float64frombits(bits)
	for _, x := range v {
		sum += float64(x)
	}
	if !math.IsInf(sum, 0) && !math.IsNaN(sum) {
		return math.Float64bits(sum), false
	}
	// The rare case again, cell by cell.
	sum = math.Float64frombits(bits)
	for _, x := range v {
		x := float64(x)
		if (sum < 0) == (x < 0) && math.Abs(sum) > math.MaxFloat64-math.Abs(x) {
			return math.Float64bits(math.Copysign(math.MaxFloat64, sum)), true
		}
		sum += x
	}
	return math.Float64bits(sum), false
}

// tallyTexts finds the least and greatest text of the valid cells. Texts compare as libtiledb's do: a NUL byte ends the
// comparison, and of var texts alike up to there the shorter is the lesser.
func tallyTexts(f *schema.Field, c *Cells, t *tally) {
	compare := bytes.Compare
	if bytes.IndexByte(c.Data, 0) >= 0 {
		compare = compareCut
	}
	seen := false
	for _, r := range c.Runs {
		validRuns(c.Validity, r, func(from, to int) bool {
			for i := from; i < to; i++ {
				v := c.cell(f, i)
				if !seen {
					t.min, t.max, seen = v, v, true
				} else if compare(v, t.min) < 0 {
					t.min = v
				} else if compare(v, t.max) > 0 {
					t.max = v
				}
			}
			return true
		})
	}
}

// compareCut compares up to the length of the shorter text and up to the first NUL, then by length.
func compareCut(x, y []byte) int {
	n := min(len(x), len(y))
	if cmp := bytes.Compare(cutNUL(x[:n]), cutNUL(y[:n])); cmp != 0 {
		return cmp
	}
	return len(x) - len(y)
}

func cutNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// summarize fills m.Summary from the tiles' values: what the fragment summary says of one field.
func summarize(f *schema.Field, m *format.FieldMetadata, tileCells func(i int) uint64) {
	n := len(m.TileOffsets)
	for _, nulls := range m.NullCounts {
		m.Summary.NullCount += nulls
	}
	empty := func(i int) bool { return f.Nullable && m.NullCounts[i] == tileCells(i) }
	text := f.Type == datatype.Char || f.Type == datatype.StringASCII
	switch {
	case hasMinMax(f) && text:
		summarizeTexts(f, m, n, empty)
	case hasMinMax(f):
		numbers := func(v format.TileValues) *Cells { return &Cells{Data: v.Fixed, Runs: nonEmptyRuns(n, empty)} }
		k := f.Type.Kind()
		m.Summary.Min, _ = tallyRanges[k](numbers(m.Mins))
		_, m.Summary.Max = tallyRanges[k](numbers(m.Maxes))
	}
	if hasSum(f) && !text {
		sums := Cells{Data: datatype.Bytes(m.Sums), Runs: nonEmptyRuns(n, empty)}
		m.Summary.Sum = tallySums[sumKind(f.Type.Kind())](&sums, sumZero)
	}
}

// sumKind is the kind of the sums of values of kind k.
func sumKind(k datatype.Kind) datatype.Kind {
	switch {
	case k.Float():
		return datatype.KindFloat64
	case k.Signed():
		return datatype.KindInt64
	}
	return datatype.KindUint64
}

// nonEmptyRuns returns the stretches of n tiles that have a valid cell.
func nonEmptyRuns(n int, empty func(int) bool) (runs []Run) {
	for i := range n {
		switch last := len(runs) - 1; {
		case empty(i):
		case last >= 0 && runs[last].Hi == i:
			runs[last].Hi++
		default:
			runs = append(runs, Run{i, i + 1})
		}
	}
	return runs
}

func summarizeTexts(f *schema.Field, m *format.FieldMetadata, n int, empty func(int) bool) {
	s, seen := &m.Summary, false
	for i := range n {
		if empty(i) {
			continue
		}
		lo, hi := tileText(f, m.Mins, i), tileText(f, m.Maxes, i)
		if !seen || compareCut(lo, s.Min) < 0 {
			s.Min = lo
		}
		if !seen || compareCut(hi, s.Max) > 0 {
			s.Max = hi
		}
		seen = true
	}
}

// tileText returns the text of tile i.
func tileText(f *schema.Field, v format.TileValues, i int) []byte {
	if !f.Var() {
		return v.Fixed[i*f.CellSize() : (i+1)*f.CellSize()]
	}
	off := func(i int) uint64 {
		if i*8 == len(v.Fixed) {
			return uint64(len(v.Var))
		}
		return binary.LittleEndian.Uint64(v.Fixed[i*8:])
	}
	return v.Var[off(i):off(i+1)]
}
