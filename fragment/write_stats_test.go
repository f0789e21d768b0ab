package fragment

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"azulejo/datatype"
	"azulejo/schema"
)

// TestTallies compares the statistics of tiles with sums, minimums and maximums taken cell by cell.
func TestTallies(t *testing.T) {
	t.Run("int8", tallies[int8](datatype.Int8))
	t.Run("int16", tallies[int16](datatype.Int16))
	t.Run("int32", tallies[int32](datatype.Int32))
	t.Run("int64", tallies[int64](datatype.DateTimeMS))
	t.Run("uint8", tallies[uint8](datatype.Bool))
	t.Run("uint16", tallies[uint16](datatype.Uint16))
	t.Run("uint32", tallies[uint32](datatype.Uint32))
	t.Run("uint64", tallies[uint64](datatype.Uint64))
	t.Run("float32", tallies[float32](datatype.Float32))
	t.Run("float64", tallies[float64](datatype.Float64))
}

func tallies[T datatype.Element](kind datatype.Type) func(t *testing.T) {
	return func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, uint64(kind)))
		f := schema.Field{Type: kind, CellValNum: 1, Nullable: true}
		for range 50 {
			n := 1 + rng.IntN(3*statsBlock)
			v, c := make([]T, n), Cells{Validity: make([]byte, n)}
			for i := range v {
				v[i], c.Validity[i] = T(rng.IntN(120)), byte(rng.IntN(3))
			}
			c.Data = datatype.Bytes(v)
			lo := rng.IntN(n)
			c.AddRun(lo/2, lo/2+1)
			c.AddRun(lo, n)
			var got tally
			tallyTile(&f, &c, &got)
			checkTally(t, v, &c, &got)
		}
	}
}

func checkTally[T datatype.Element](t *testing.T, v []T, c *Cells, got *tally) {
	t.Helper()
	greatest, least := limits[T]()
	var sum, nulls uint64
	for _, r := range c.Runs {
		for i := r.Lo; i < r.Hi; i++ {
			if c.Validity[i] == 0 {
				nulls++
				continue
			}
			least, greatest, sum = min(least, v[i]), max(greatest, v[i]), sum+uint64(v[i])
		}
	}
	if T(1)/2 > 0 {
		sum = math.Float64bits(float64(sum))
	}
	if got.sum != sum || got.nulls != nulls || datatype.View[T](got.min)[0] != least || datatype.View[T](got.max)[0] != greatest {
		t.Fatalf("got %+v, want %v %v %d %d", got, least, greatest, sum, nulls)
	}
}

// TestSumsStop keeps sums that would overflow at the limit, to the end of the run of cells.
func TestSumsStop(t *testing.T) {
	many := bytes.Repeat([]byte{1}, 16*(statsBlock+1))
	for _, c := range []struct {
		kind datatype.Type
		data []byte
		want uint64
	}{
		{datatype.Int64, datatype.Bytes([]int64{math.MaxInt64, 1, -5}), math.MaxInt64},
		{datatype.Int64, datatype.Bytes([]int64{math.MinInt64, -1, 5}), 1 << 63},
		{datatype.Int64, datatype.Bytes([]int64{math.MaxInt64, -1, 1}), math.MaxInt64},
		{datatype.Uint64, datatype.Bytes([]uint64{math.MaxUint64, 1, 0}), math.MaxUint64},
		{datatype.Uint64, many, math.MaxUint64},
		{datatype.Float64, datatype.Bytes([]float64{1e308, 1e308, -1e308}), math.Float64bits(math.MaxFloat64)},
		{datatype.Float64, datatype.Bytes([]float64{-1e308, -1e308, 1}), math.Float64bits(-math.MaxFloat64)},
		{datatype.Float64, datatype.Bytes([]float64{math.Inf(1), 1}), math.Float64bits(math.MaxFloat64)},
		{datatype.Float32, datatype.Bytes([]float32{math.MaxFloat32, math.MaxFloat32}), math.Float64bits(2 * math.MaxFloat32)},
	} {
		f := schema.Field{Type: c.kind, CellValNum: 1}
		cells := Cells{Data: c.data}
		cells.AddRun(0, len(c.data)/c.kind.Size())
		var got tally
		if tallyTile(&f, &cells, &got); got.sum != c.want {
			t.Errorf("%v: sum %#x, want %#x", c.kind, got.sum, c.want)
		}
	}
}

// TestTextTallies compares texts as strncmp does, of which var texts alike the shorter is the lesser.
func TestTextTallies(t *testing.T) {
	for _, c := range []struct {
		texts    []string
		validity string
		min, max string
	}{
		{[]string{"b", "", "ab", "a"}, "", "", "b"},
		{[]string{"b", "\xffx", "\x80"}, "", "b", "\xffx"},
		{[]string{"b\x00z", "b\x00a", "b\x00"}, "", "b\x00", "b\x00z"},
		{[]string{"x", "y", "z"}, "\x00\x01\x00", "y", "y"},
		{[]string{"x", "y"}, "\x00\x00", "", ""},
	} {
		f := schema.Field{Type: datatype.StringASCII, CellValNum: datatype.VarNum}
		cells := Cells{}
		for _, s := range c.texts {
			cells.Offsets = append(cells.Offsets, uint64(len(cells.Data)))
			cells.Data = append(cells.Data, s...)
		}
		if c.validity != "" {
			f.Nullable, cells.Validity = true, []byte(c.validity)
		}
		cells.AddRun(0, len(c.texts))
		var got tally
		if tallyTile(&f, &cells, &got); string(got.min) != c.min || string(got.max) != c.max {
			t.Errorf("%q: %q to %q", c.texts, got.min, got.max)
		}
	}
}
