package query

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

// deletesArray makes a sparse array of one dimension d and attributes a and, nullable, n.
func deletesArray(t *testing.T, dups bool) (vfs.FS, string) {
	t.Helper()
	s := schema.New(schema.Sparse)
	s.Capacity, s.AllowsDups = 4, dups
	s.Domain.Dimensions = []schema.Dimension{{Name: "d", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 99}), Extent: datatype.Bytes([]int32{10})}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1), schema.NewAttribute("n", datatype.Int32, 1)}
	s.Attributes[1].Nullable = true
	fs := mem.New()
	check(t, array.Create(context.Background(), fs, "mem://d", s))
	return fs, "mem://d"
}

// putCells writes cells with a equal to value; n is null where d is odd, else equal to d.
func putCells(t *testing.T, fs vfs.FS, uri string, at uint64, value int32, d ...int32) {
	t.Helper()
	a, err := array.Open(context.Background(), fs, uri, array.Latest(), array.ForWriting())
	check(t, err)
	values, valid := make([]int32, len(d)), make([]byte, len(d))
	for i, x := range d {
		values[i], valid[i] = value, flag(x%2 == 0)
	}
	_, err = Submit(context.Background(), a, &Write{Layout: schema.Unordered, Timestamp: at, Columns: []Column{{Name: "d", Data: datatype.Bytes(d)},
		{Name: "a", Data: datatype.Bytes(values)}, {Name: "n", Data: datatype.Bytes(d), Validity: valid}}})
	check(t, err)
}

func compareWith(field string, op condition.Op, v int32) *condition.Node {
	return &condition.Node{Op: op, Field: field, Value: datatype.Bytes([]int32{v})}
}

func deleteCells(t *testing.T, fs vfs.FS, uri string, at uint64, cond *condition.Node) Deleted {
	t.Helper()
	a, err := array.Open(context.Background(), fs, uri, array.Latest(), array.ForWriting())
	check(t, err)
	made, err := Delete(context.Background(), a, cond, at)
	check(t, err)
	return made
}

// cellsAt returns "d:a" of every cell at a time, and checks that counts agree.
func cellsAt(t *testing.T, fs vfs.FS, uri string, end uint64) string {
	t.Helper()
	a, err := array.Open(context.Background(), fs, uri, array.Interval{End: end})
	check(t, err)
	res, err := Run(context.Background(), a, &Read{Layout: schema.GlobalOrder, Fields: wants("d", "a"), Aggregates: []Aggregate{{"n", Count, ""}}})
	check(t, err)
	if n := datatype.View[uint64](res.Columns[2].Data)[0]; n != res.Cells {
		t.Errorf("at %d: count %d of %d cells", end, n, res.Cells)
	}
	res.Columns = res.Columns[:2]
	return pairs(res)
}

// pairs writes the columns d and a and what follows, times and numbers that are never as -.
func pairs(res *Result) string {
	var out []string
	for i := range int(res.Cells) {
		cell := fmt.Sprintf("%d:%d", datatype.View[int32](res.Columns[0].Data)[i], datatype.View[int32](res.Columns[1].Data)[i])
		for _, c := range res.Columns[2:] {
			if v := datatype.View[uint64](c.Data)[i]; v == never {
				cell += ":-"
			} else {
				cell += fmt.Sprintf(":%d", v)
			}
		}
		out = append(out, cell)
	}
	return strings.Join(out, " ")
}

func TestDeleteHidesCells(t *testing.T) {
	fs, uri := deletesArray(t, false)
	putCells(t, fs, uri, 1, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	putCells(t, fs, uri, 3, 3, 2, 3)
	made := deleteCells(t, fs, uri, 5, compareWith("a", condition.EQ, 3))
	if made.Time != 5 || !strings.HasPrefix(made.Path, "__commits/__5_5_") || !strings.HasSuffix(made.Path, "_22.del") {
		t.Errorf("made %+v", made)
	}
	putCells(t, fs, uri, 7, 3, 5)
	deleteCells(t, fs, uri, 9, compareWith("n", condition.GT, 6))
	for _, c := range []struct {
		at   uint64
		want string
	}{
		{2, "0:1 1:1 2:1 3:1 4:1 5:1 6:1 7:1 8:1 9:1"},
		{4, "0:1 1:1 2:3 3:3 4:1 5:1 6:1 7:1 8:1 9:1"},
		// The deleted cells do not uncover the older ones.
		{6, "0:1 1:1 4:1 5:1 6:1 7:1 8:1 9:1"},
		{8, "0:1 1:1 4:1 5:3 6:1 7:1 8:1 9:1"},
		// Null cells go with every comparison.
		{9, "0:1 4:1 6:1"},
	} {
		if got := cellsAt(t, fs, uri, c.at); got != c.want {
			t.Errorf("at %d: got %s, want %s", c.at, got, c.want)
		}
	}
}

func TestAllVersionsTellWhatDeletedThem(t *testing.T) {
	hidden := wants("d", "a", TimestampField, DeleteTimestampField, DeleteConditionField)
	for _, c := range []struct {
		dups      bool
		all, kept string
	}{
		{false, "0:1:1:-:- 1:3:3:6:1 1:1:1:4:0 2:4:5:-:- 2:3:3:6:1 2:1:1:4:0 3:1:1:4:0", "0:1:1:-:- 2:4:5:-:-"},
		{true, "0:1:1:-:- 1:3:3:6:1 1:1:1:4:0 2:4:5:-:- 2:3:3:6:1 2:1:1:4:0 3:1:1:4:0", "0:1:1:-:- 2:4:5:-:-"},
	} {
		fs, uri := deletesArray(t, c.dups)
		putCells(t, fs, uri, 1, 1, 0, 1, 2, 3)
		if !c.dups {
			putCells(t, fs, uri, 3, 1, 1, 2) // hidden at all times
		}
		putCells(t, fs, uri, 3, 3, 1, 2)
		deleteCells(t, fs, uri, 4, &condition.Node{Op: condition.And, Children: []*condition.Node{compareWith("d", condition.GT, 0), compareWith("a", condition.EQ, 1)}})
		putCells(t, fs, uri, 5, 4, 2)
		deleteCells(t, fs, uri, 6, compareWith("a", condition.EQ, 3))
		a, err := array.Open(context.Background(), fs, uri, array.Latest())
		check(t, err)
		for v, want := range map[Versions]string{AllVersions: c.all, KeptVersions: c.kept} {
			res, err := Run(context.Background(), a, &Read{Layout: schema.GlobalOrder, Versions: v, Fields: hidden})
			check(t, err)
			if got := pairs(res); got != want {
				t.Errorf("dups %v, versions %d:\n got %s\nwant %s", c.dups, v, got, want)
			}
		}
		for what, q := range map[string]*Read{
			"in row-major order": {Layout: schema.RowMajor, Versions: AllVersions, Fields: hidden},
			"with a condition":   {Layout: schema.GlobalOrder, Versions: AllVersions, Fields: hidden, Condition: compareWith("a", condition.EQ, 1)},
			"with aggregates":    {Layout: schema.GlobalOrder, Versions: AllVersions, Aggregates: []Aggregate{{"n", Count, ""}}},
			"of what is not":     {Layout: schema.GlobalOrder, Versions: KeptVersions + 1, Fields: hidden},
			"times of deletion":  {Layout: schema.GlobalOrder, Fields: hidden},
		} {
			if _, err := Run(context.Background(), a, q); !errors.Is(err, ErrInvalid) {
				t.Errorf("versions %s: %v", what, err)
			}
		}
	}
}

func TestDeleteRefuses(t *testing.T) {
	fs, uri := deletesArray(t, false)
	ctx := context.Background()
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	check(t, err)
	for what, c := range map[string]*condition.Node{
		"null test":       {Op: condition.EQ, Field: "n", Null: true},
		"not null, deep":  {Op: condition.Not, Children: []*condition.Node{{Op: condition.NE, Field: "n", Null: true}}},
		"constant":        {Op: condition.AlwaysTrue, Field: "a"},
		"empty list":      {Op: condition.In, Field: "a"},
		"unknown field":   compareWith("x", condition.EQ, 1),
		"value too short": {Op: condition.EQ, Field: "a", Value: []byte{1}},
	} {
		if _, err := Delete(ctx, a, c, 1); !errors.Is(err, condition.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Delete(ctx, a, nil, 1); !errors.Is(err, ErrInvalid) {
		t.Errorf("no condition: %v", err)
	}
	dense := makeWorld(t, randomWorld(rand.New(rand.NewPCG(1, 2)), true, false), nil)
	if _, err := Delete(ctx, dense, compareWith("a", condition.EQ, 1), 1); !errors.Is(err, ErrInvalid) {
		t.Errorf("dense: %v", err)
	}
	if list, err := fs.List(ctx, uri+"/__commits"); err != nil || len(list) > 0 {
		t.Errorf("refused deletes left %v, %v", list, err)
	}
}

// TestDeleteOfDroppedField holds that an array is refused once a delete does not fit its schema, as libtiledb does, and
// can be read at an earlier time.
func TestDeleteOfDroppedField(t *testing.T) {
	fs, uri := deletesArray(t, false)
	ctx := context.Background()
	putCells(t, fs, uri, 1, 1, 0, 1)
	deleteCells(t, fs, uri, 2, compareWith("n", condition.EQ, 0))
	check(t, array.Evolve(ctx, fs, uri, schema.Evolution{DropAttributes: []string{"n"}, Timestamp: 5_000_000_000_000}))
	a, err := array.Open(ctx, fs, uri, array.Interval{End: 6_000_000_000_000})
	check(t, err)
	if _, err := Run(ctx, a, &Read{Fields: wants("d")}); !errors.Is(err, array.ErrUnsupported) || !strings.Contains(err.Error(), ".del") {
		t.Errorf("got %v", err)
	}
	if got := cellsAt(t, fs, uri, 5); got != "" {
		t.Errorf("before: %s", got)
	}
}

// TestUntouchedTilesAreNotRead holds that a delete's field is fetched for the tiles only whose values it may concern.
func TestUntouchedTilesAreNotRead(t *testing.T) {
	fs, uri := deletesArray(t, false)
	for k := range int32(8) { // eight tiles of four cells, a rising from one to the next
		putCells(t, fs, uri, uint64(k+1), k, 10*k, 10*k+1, 10*k+2, 10*k+3)
	}
	for _, c := range []struct {
		cond  *condition.Node
		want  string
		reads int
	}{
		{compareWith("a", condition.GT, 100), "0 1 2 3 10 11 12 13 20", 0},
		{&condition.Node{Op: condition.And, Children: []*condition.Node{compareWith("a", condition.EQ, 1), compareWith("d", condition.EQ, 12)}}, "0 1 2 3 10 11 13 20 21", 1},
		{compareWith("a", condition.EQ, 0), "10 11 13 20 21 22 23 30 31", 1},
	} {
		deleteCells(t, fs, uri, 20, c.cond)
		counted := faultfs.New(fs, nil)
		a, err := array.Open(context.Background(), counted, uri, array.Interval{End: 30})
		check(t, err)
		res, err := Run(context.Background(), a, &Read{Layout: schema.GlobalOrder, Fields: wants("d")})
		check(t, err)
		if got := fmt.Sprint(datatype.View[int32](res.Columns[0].Data)[:9]); got != "["+c.want+"]" {
			t.Errorf("cells %s, want %s", got, c.want)
		}
		reads := 0
		for _, o := range counted.Ops() {
			if o.Kind == "read" && strings.HasSuffix(o.URI, "/a0.tdb") {
				reads++
			}
		}
		if reads != c.reads {
			t.Errorf("%s: %d reads of the field, want %d", c.want, reads, c.reads)
		}
	}
}

// TestDeleteFaults lets every storage operation of a delete fail: what a fresh process finds is the array before it or,
// where the delete succeeded or its last reply was lost, after it.
func TestDeleteFaults(t *testing.T) {
	ctx := context.Background()
	made, uri := deletesArray(t, false)
	full := made.(*mem.FS)
	putCells(t, full, uri, 1, 1, 0, 1, 2)
	for name, plan := range map[string]func(int, faultfs.Action) faultfs.Plan{"fault": faultfs.Nth, "death": faultfs.DeadFrom} {
		for _, action := range []faultfs.Action{faultfs.Fail, faultfs.FailAfter, faultfs.Torn} {
			for k, failed := 0, true; failed; k++ {
				disk := full.PowerLoss()
				faulty := faultfs.New(disk, plan(k, action))
				a, err := array.Open(ctx, faulty, uri, array.Latest(), array.ForWriting())
				if err == nil {
					_, err = Delete(ctx, a, compareWith("d", condition.LT, 2), 5)
				}
				failed = len(faulty.Ops()) > k
				got := cellsAt(t, disk.PowerLoss(), uri, 9)
				if got != "0:1 1:1 2:1" && got != "2:1" || err == nil && got != "2:1" || !failed && err != nil {
					t.Errorf("%s, action %d of operation %d: %s, %v", name, action, k, got, err)
				}
			}
		}
	}
}

// TestDeletesOfEncryptedArrays holds that delete commits are encrypted like all else.
func TestDeletesOfEncryptedArrays(t *testing.T) {
	ctx := context.Background()
	key, err := filter.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	check(t, err)
	plain, uri := deletesArray(t, false)
	a, err := array.Open(ctx, plain, uri, array.Latest(), array.SchemaOnly())
	check(t, err)
	fs := mem.New()
	check(t, array.Create(ctx, fs, uri, a.Schema, array.WithKey(key)))
	a, err = array.Open(ctx, fs, uri, array.Latest(), array.ForWriting(), array.WithKey(key))
	check(t, err)
	d := datatype.Bytes([]int32{0, 2, 4})
	_, err = Submit(ctx, a, &Write{Layout: schema.Unordered, Timestamp: 1, Columns: []Column{{Name: "d", Data: d}, {Name: "a", Data: d}, {Name: "n", Data: d, Validity: []byte{1, 1, 1}}}})
	check(t, err)
	made, err := Delete(ctx, a, compareWith("a", condition.EQ, 2), 2)
	check(t, err)
	content, err := vfs.ReadAll(ctx, fs, uri+"/"+made.Path)
	check(t, err)
	if _, err := format.DecodeDeleteCommit(content); err == nil {
		t.Error("the delete commit is not encrypted")
	}
	a, err = array.Open(ctx, fs, uri, array.Latest(), array.WithKey(key))
	check(t, err)
	res, err := Run(ctx, a, &Read{Layout: schema.GlobalOrder, Fields: wants("d")})
	check(t, err)
	if got := fmt.Sprint(datatype.View[int32](res.Columns[0].Data)); got != "[0 4]" {
		t.Errorf("cells %s", got)
	}
	_, err = array.Check(ctx, fs, uri, func(d array.Damage) { t.Errorf("check: %v", d) }, array.WithKey(key))
	check(t, err)
}
