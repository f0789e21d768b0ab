package cells_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

// mixed makes a sparse array with a column of every shape and writes three cells.
func mixed(t *testing.T) *array.Array {
	t.Helper()
	fs := mem.New()
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{schema.NewDimension("d", int64(0), 9, 10)}
	lists := schema.NewAttribute("lists", datatype.Int16, datatype.VarNum)
	triples := schema.NewAttribute("triples", datatype.Float32, 3)
	flags := schema.NewAttribute("flags", datatype.Bool, 1)
	flags.Nullable = true
	code := schema.NewAttribute("code", datatype.StringASCII, 2)
	at := schema.NewAttribute("at", datatype.DateTimeMS, 1)
	s.Attributes = []schema.Attribute{lists, triples, flags, code, at}
	if err := array.Create(t.Context(), fs, "/a", s); err != nil {
		t.Fatal(err)
	}
	arr, err := array.Open(t.Context(), fs, "/a", array.Latest(), array.ForWriting())
	if err != nil {
		t.Fatal(err)
	}
	times, err := cells.Times("at", datatype.DateTimeMS, []time.Time{time.UnixMilli(5), {}, time.UnixMilli(-1)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = query.Submit(t.Context(), arr, &query.Write{Layout: schema.Unordered, Columns: []query.Column{
		cells.Of("d", []int64{1, 2, 3}), cells.Lists("lists", [][]int16{{1, 2}, {}, {3}}),
		cells.Of("triples", []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}), cells.Nullable(cells.Bools("flags", []bool{true, false, true}), []bool{true, true, false}),
		cells.Of("code", []uint8("aabbcc")), times,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if arr, err = array.Open(t.Context(), fs, "/a", array.Latest()); err != nil {
		t.Fatal(err)
	}
	return arr
}

func TestEveryShape(t *testing.T) {
	table, err := cells.Read(t.Context(), mixed(t), &query.Read{})
	if err != nil {
		t.Fatal(err)
	}
	lists, err := cells.ListsOf[int16](table, "lists")
	if err != nil || len(lists) != 3 || !slices.Equal(lists[0], []int16{1, 2}) || len(lists[1]) != 0 || !slices.Equal(lists[2], []int16{3}) {
		t.Errorf("lists %v, %v", lists, err)
	}
	triples, err := cells.ListsOf[float32](table, "triples")
	if err != nil || len(triples) != 3 || !slices.Equal(triples[1], []float32{4, 5, 6}) {
		t.Errorf("triples %v, %v", triples, err)
	}
	flags, err := cells.Flags(table, "flags")
	valid, err2 := cells.Valid(table, "flags")
	if err = errors.Join(err, err2); err != nil || !slices.Equal(flags, []bool{true, false, true}) || !slices.Equal(valid, []bool{true, true, false}) {
		t.Errorf("flags %v %v, %v", flags, valid, err)
	}
	code, err := cells.Strings(table, "code")
	if err != nil || !slices.Equal(code, []string{"aa", "bb", "cc"}) {
		t.Errorf("code %q, %v", code, err)
	}
	at, err := cells.TimesOf(table, "at")
	if err != nil || at[0].UnixMilli() != 5 || !at[1].IsZero() || at[2].UnixMilli() != -1 {
		t.Errorf("at %v, %v", at, err)
	}
}

func TestWrongTypesAreRefused(t *testing.T) {
	arr := mixed(t)
	table, err := cells.Read(t.Context(), arr, &query.Read{})
	if err != nil {
		t.Fatal(err)
	}
	_, e1 := cells.Values[int32](table, "d")
	_, e2 := cells.Values[int16](table, "lists")
	_, e3 := cells.Strings(table, "d")
	_, e4 := cells.TimesOf(table, "d")
	_, e5 := cells.Values[int64](table, "nothing")
	_, e6 := cells.Labels(t.Context(), arr, table, "code")
	_, _, e7 := cells.ReadInto(t.Context(), arr, &query.Read{}, "d", make([]int32, 3))
	_, _, e8 := cells.Value[int64](table, "d")
	_, e9 := cells.Read(t.Context(), arr, &query.Read{Fields: cells.FieldsWithin(8, "d")})
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e9} {
		if !errors.Is(err, query.ErrInvalid) {
			t.Errorf("error %d is %v", i+1, err)
		}
	}
}

func TestReadIntoUsesTheCallersMemory(t *testing.T) {
	arr := mixed(t)
	for _, size := range []int{2, 3, 5} {
		dst := make([]int64, size)
		n, rest, err := cells.ReadInto(t.Context(), arr, &query.Read{}, "d", dst)
		if err != nil || n != min(size, 3) || (rest == nil) != (size >= 3) || !slices.Equal(dst[:2], []int64{1, 2}) {
			t.Errorf("into %d: %d cells %v, rest %v, %v", size, n, dst, rest, err)
		}
	}
	// Memory that is not aligned to eight bytes gets a copy.
	wide := make([]uint8, 10)
	n, _, err := cells.ReadInto(t.Context(), arr, &query.Read{}, "flags", wide[1:])
	if err != nil || n != 3 || !slices.Equal(wide[1:4], []uint8{1, 0, 1}) {
		t.Errorf("unaligned: %d cells %v, %v", n, wide, err)
	}
}

func TestTimesRoundTrip(t *testing.T) {
	for ty := datatype.DateTimeYear; ty <= datatype.DateTimeAS; ty++ {
		for _, v := range []int64{0, 1, -1, 9, -9} {
			at, err := cells.ToTime(ty, v)
			if err != nil {
				t.Fatal(err)
			}
			back, err := cells.FromTime(ty, at)
			if ty >= datatype.DateTimePS { // finer than time.Time: rounded down to nanoseconds
				if step := map[datatype.Type]int64{datatype.DateTimePS: 1e3, datatype.DateTimeFS: 1e6, datatype.DateTimeAS: 1e9}[ty]; v < 0 {
					v = -step
				} else {
					v = 0
				}
			}
			if err != nil || back != v {
				t.Errorf("%v: %d became %v and %d, %v", ty, v, at, back, err)
			}
		}
	}
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := cells.FromTime(datatype.DateTimeNS, far); !errors.Is(err, query.ErrInvalid) {
		t.Errorf("nanoseconds hold year 9999: %v", err)
	}
	if v, err := cells.FromTime(datatype.DateTimeUS, far); err != nil || v != far.UnixMicro() {
		t.Errorf("microseconds of year 9999: %d, %v", v, err)
	}
	if v, err := cells.FromTime(datatype.DateTimeMonth, time.Date(1969, 12, 5, 0, 0, 0, 0, time.UTC)); err != nil || v != -1 {
		t.Errorf("December 1969 is month %d, %v", v, err)
	}
	for _, v := range []int64{math.MaxInt64, math.MinInt64 + 1} {
		if _, err := cells.ToTime(datatype.DateTimeDay, v); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("day %d: %v", v, err)
		}
	}
	if _, err := cells.ToTime(datatype.TimeMS, 1); !errors.Is(err, query.ErrInvalid) {
		t.Errorf("a time of day is a moment: %v", err)
	}
}
