package query_test

import (
	"errors"
	"testing"

	"azulejo/array"
	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

// TestHeldWritesAppearTogether writes three fragments that are held back and commits them at one moment.
func TestHeldWritesAppearTogether(t *testing.T) {
	fs := mem.New()
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{schema.NewDimension("d", int64(0), 99, 10)}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	if err := array.Create(t.Context(), fs, "/a", s); err != nil {
		t.Fatal(err)
	}
	arr, err := array.Open(t.Context(), fs, "/a", array.Latest(), array.ForWriting())
	if err != nil {
		t.Fatal(err)
	}
	write := func(layout schema.Layout, d int64) (query.Written, error) {
		return query.Submit(t.Context(), arr, &query.Write{Layout: layout, Hold: true, Timestamp: 7,
			Columns: []query.Column{cells.Of("d", []int64{d}), cells.Of("a", []int32{int32(d)})}})
	}
	count := func() int {
		t.Helper()
		arr, err := array.Open(t.Context(), fs, "/a", array.Latest())
		if err != nil {
			t.Fatal(err)
		}
		table, err := cells.Read(t.Context(), arr, &query.Read{})
		if err != nil {
			t.Fatal(err)
		}
		return table.Len()
	}
	var names []string
	for d := range int64(3) {
		w, err := write(schema.Unordered, d)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, w.Fragment)
		if n := count(); n != 0 {
			t.Fatalf("%d cells are visible before the commit", n)
		}
	}
	if err := array.CommitTogether(t.Context(), fs, "/a", names); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 3 {
		t.Errorf("%d cells after the commit, want 3", n)
	}
	if _, err := write(schema.GlobalOrder, 5); !errors.Is(err, query.ErrInvalid) {
		t.Errorf("a held write in global order: %v", err)
	}
	if err := array.CommitTogether(t.Context(), fs, "/a", []string{"x", "y"}); !errors.Is(err, array.ErrInvalid) {
		t.Errorf("names that are none: %v", err)
	}
}
