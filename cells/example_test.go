package cells_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"azulejo/array"
	"azulejo/cells"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/group"
	"azulejo/metadata"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

// must ends an example that went wrong.
func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func Example_dense() {
	ctx, fs := context.Background(), mem.New() // file.New() for local directories

	s := schema.New(schema.Dense)
	s.Domain.Dimensions = []schema.Dimension{
		schema.NewDimension("rows", int32(1), 4, 2),
		schema.NewDimension("cols", int32(1), 4, 2),
	}
	a := schema.NewAttribute("a", datatype.Int32, 1)
	a.Filters.Filters = []filter.Spec{filter.Compressor(filter.Zstd, 5)}
	s.Attributes = []schema.Attribute{a}
	must(array.Create(ctx, fs, "/data/dense", s))

	arr, err := array.Open(ctx, fs, "/data/dense", array.Latest(), array.ForWriting())
	must(err)
	_, err = query.Submit(ctx, arr, &query.Write{
		Layout:  schema.RowMajor,
		Columns: []query.Column{cells.Of("a", []int32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})},
	})
	must(err)

	arr, err = array.Open(ctx, fs, "/data/dense", array.Latest())
	must(err)
	t, err := cells.Read(ctx, arr, &query.Read{
		Layout:   schema.RowMajor,
		Subarray: cells.Box(schema.Between[int32](1, 2), schema.Between[int32](2, 4)),
	})
	must(err)
	values, err := cells.Values[int32](t, "a")
	must(err)
	fmt.Println(values)
	// Output: [2 3 4 6 7 8]
}

func Example_intoSlice() {
	ctx, arr := context.Background(), numbers()

	window := make([]int32, 5)
	n, rest, err := cells.ReadInto(ctx, arr, &query.Read{Subarray: cells.Box(schema.Between[int64](10, 14))}, "a", window)
	must(err)
	fmt.Println(n, rest == nil, window)
	// Output: 5 true [100 110 120 130 140]
}

func Example_sparse() {
	ctx, fs := context.Background(), mem.New()

	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{
		schema.NewTextDimension("station"),
		schema.NewDimension("day", int64(0), 20000, 365),
	}
	s.Domain.Dimensions[1].Type = datatype.DateTimeDay
	note := schema.NewAttribute("note", datatype.StringUTF8, datatype.VarNum)
	note.Nullable = true
	s.Attributes = []schema.Attribute{schema.NewAttribute("rain", datatype.Float64, 1), note}
	must(array.Create(ctx, fs, "/data/rain", s))

	days, err := cells.Times("day", datatype.DateTimeDay, []time.Time{
		time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 5, 2, 0, 0, 0, 0, time.UTC), time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC),
	})
	must(err)
	arr, err := array.Open(ctx, fs, "/data/rain", array.Latest(), array.ForWriting())
	must(err)
	_, err = query.Submit(ctx, arr, &query.Write{
		Layout: schema.Unordered,
		Columns: []query.Column{
			cells.Texts("station", []string{"Porto", "Porto", "Faro"}), days,
			cells.Of("rain", []float64{0.5, 12.25, 0}),
			cells.Nullable(cells.Texts("note", []string{"", "storm", "dry"}), []bool{false, true, true}),
		},
	})
	must(err)

	arr, err = array.Open(ctx, fs, "/data/rain", array.Latest())
	must(err)
	t, err := cells.Read(ctx, arr, &query.Read{
		Layout:   schema.RowMajor,
		Subarray: query.Subarray{Ranges: [][]schema.Range{{schema.BetweenTexts("P", "Q")}, nil}},
	})
	must(err)
	stations, err := cells.Strings(t, "station")
	must(err)
	when, err := cells.TimesOf(t, "day")
	must(err)
	notes, err := cells.Strings(t, "note")
	must(err)
	valid, err := cells.Valid(t, "note")
	must(err)
	for i := range t.Len() {
		fmt.Printf("%s %s %q %v\n", stations[i], when[i].Format(time.DateOnly), notes[i], valid[i])
	}
	// Output:
	// Porto 2024-05-01 "" false
	// Porto 2024-05-02 "storm" true
}

// numbers makes an array of one dimension, "i" from 0 to 99, whose attribute "a" is ten times i.
func numbers() *array.Array {
	ctx, fs := context.Background(), mem.New()
	s := schema.New(schema.Dense)
	s.Domain.Dimensions = []schema.Dimension{schema.NewDimension("i", int64(0), 99, 10)}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	must(array.Create(ctx, fs, "/data/numbers", s))
	a := make([]int32, 100)
	for i := range a {
		a[i] = int32(10 * i)
	}
	arr, err := array.Open(ctx, fs, "/data/numbers", array.Latest(), array.ForWriting())
	must(err)
	_, err = query.Submit(ctx, arr, &query.Write{Layout: schema.RowMajor, Columns: []query.Column{cells.Of("a", a)}, Timestamp: 10})
	must(err)
	arr, err = array.Open(ctx, fs, "/data/numbers", array.Latest())
	must(err)
	return arr
}

func Example_condition() {
	ctx, arr := context.Background(), numbers()

	// Of dense arrays, cells that do not satisfy the condition hold the fill value; of sparse ones they are left out.
	t, err := cells.Read(ctx, arr, &query.Read{
		Subarray:  cells.Box(schema.Between[int64](0, 7)),
		Condition: condition.AllOf(condition.Compare("a", condition.GE, int32(30)), condition.Negated(condition.OneOf[int32]("a", 50, 60))),
	})
	must(err)
	values, err := cells.Values[int32](t, "a")
	must(err)
	for i, v := range values {
		if v != -1<<31 {
			fmt.Println(i, v)
		}
	}
	// Output:
	// 3 30
	// 4 40
	// 7 70
}

func Example_aggregates() {
	ctx, arr := context.Background(), numbers()

	t, err := cells.Read(ctx, arr, &query.Read{
		Subarray: cells.Box(schema.Between[int64](1, 4)),
		Aggregates: []query.Aggregate{
			{Output: "n", Op: query.Count}, {Output: "sum", Op: query.Sum, Field: "a"}, {Output: "mean", Op: query.Mean, Field: "a"},
		},
	})
	must(err)
	n, _, err := cells.Value[uint64](t, "n")
	must(err)
	sum, _, err := cells.Value[int64](t, "sum")
	must(err)
	mean, _, err := cells.Value[float64](t, "mean")
	must(err)
	fmt.Println(n, sum, mean)
	// Output: 4 100 25
}

func Example_portions() {
	ctx, arr := context.Background(), numbers()

	// At most 128 bytes, 32 cells of 4 bytes, of every field at a time.
	for t, err := range cells.Parts(ctx, arr, &query.Read{Fields: cells.FieldsWithin(128, "a")}) {
		must(err)
		values, err := cells.Values[int32](t, "a")
		must(err)
		fmt.Println(t.Len(), values[0])
	}
	// Output:
	// 32 0
	// 32 320
	// 32 640
	// 4 960
}

func Example_timeTravel() {
	ctx, arr := context.Background(), numbers() // all cells were written at 10
	fs, uri := arr.FS, arr.URI

	_, err := query.Submit(ctx, arr, &query.Write{
		Layout: schema.RowMajor, Subarray: cells.Box(schema.Between[int64](0, 1)), Timestamp: 20,
		Columns: []query.Column{cells.Of("a", []int32{-1, -2})},
	})
	must(err)
	for _, at := range []array.Interval{{End: 15}, {End: 20}, {Start: 20, End: 20}} {
		arr, err = array.Open(ctx, fs, uri, at)
		must(err)
		t, err := cells.Read(ctx, arr, &query.Read{Subarray: cells.Box(schema.Between[int64](0, 2))})
		must(err)
		values, err := cells.Values[int32](t, "a")
		must(err)
		fmt.Println(values, len(arr.Fragments()))
	}
	// Output:
	// [0 10 20] 1
	// [-1 -2 20] 2
	// [-1 -2 -2147483648] 1
}

func Example_metadata() {
	ctx, arr := context.Background(), numbers()

	must(arr.PutMetadata(ctx, []format.MetadataEntry{
		metadata.Text("unit", "mm"), metadata.Numbers("range", 0.5, 990), metadata.Text("draft", "yes"),
	}, 0))
	arr, err := array.Open(ctx, arr.FS, arr.URI, array.Latest())
	must(err)
	must(arr.PutMetadata(ctx, []format.MetadataEntry{metadata.Removed("draft")}, 0))
	arr, err = array.Open(ctx, arr.FS, arr.URI, array.Latest())
	must(err)
	entries, err := arr.Metadata(ctx)
	must(err)
	for _, e := range entries {
		if e.Type == datatype.Float64 {
			fmt.Println(e.Key, datatype.View[float64](e.Value))
		} else {
			fmt.Println(e.Key, e.Type, string(e.Value))
		}
	}
	// Output:
	// range [0.5 990]
	// unit STRING_UTF8 mm
}

func Example_group() {
	ctx, arr := context.Background(), numbers()
	fs := arr.FS

	must(group.Create(ctx, fs, "/data"))
	g, err := group.Open(ctx, fs, "/data", group.Latest())
	must(err)
	must(g.Update(ctx, []group.Member{{Type: format.ObjectArray, URI: "numbers", Relative: true, Name: "tens", Named: true}}, nil, 0))
	g, err = group.Open(ctx, fs, "/data", group.Latest())
	must(err)
	m, ok := g.Member("tens")
	fmt.Println(ok, g.Resolve(m), len(g.Members()))
	// Output: true /data/numbers 1
}

func Example_enumeration() {
	ctx, fs := context.Background(), mem.New()

	labels := cells.Texts("", []string{"red", "green", "blue"})
	s := schema.New(schema.Dense)
	s.Domain.Dimensions = []schema.Dimension{schema.NewDimension("i", uint16(0), 3, 4)}
	colour := schema.NewAttribute("colour", datatype.Uint8, 1)
	colour.Enumeration = "colours"
	s.Attributes = []schema.Attribute{colour}
	s.EnumerationNames = []string{"colours"}
	s.EnumerationFiles = map[string]string{"colours": ""}
	s.Enumerations = map[string]*schema.Enumeration{"colours": {
		Name: "colours", Type: datatype.StringUTF8, CellValNum: datatype.VarNum,
		Data: labels.Data, Offsets: datatype.View[uint64](labels.Offsets),
	}}
	must(array.Create(ctx, fs, "/data/colours", s))
	arr, err := array.Open(ctx, fs, "/data/colours", array.Latest(), array.ForWriting())
	must(err)
	_, err = query.Submit(ctx, arr, &query.Write{Layout: schema.RowMajor, Columns: []query.Column{cells.Of("colour", []uint8{2, 0, 1, 2})}})
	must(err)

	arr, err = array.Open(ctx, fs, "/data/colours", array.Latest())
	must(err)
	t, err := cells.Read(ctx, arr, &query.Read{})
	must(err)
	names, err := cells.Labels(ctx, arr, t, "colour")
	must(err)
	fmt.Println(names)
	t, err = cells.Read(ctx, arr, &query.Read{Condition: condition.CompareLabel("colour", condition.EQ, "blue")})
	must(err)
	names, err = cells.Labels(ctx, arr, t, "colour")
	must(err)
	fmt.Printf("%q\n", names)
	// Output:
	// [blue red green blue]
	// ["blue" "" "" "blue"]
}
