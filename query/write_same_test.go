package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

const oneFragment = "__7_7_0123456789abcdef0123456789abcdef_22"

// fragmentFiles returns the content of every file of the fragment, by name.
func fragmentFiles(t *testing.T, fs vfs.FS) map[string]string {
	t.Helper()
	ctx, files := context.Background(), map[string]string{}
	dir := vfs.Join("mem://a", "__fragments", oneFragment)
	list, err := fs.List(ctx, dir)
	check(t, err)
	for _, e := range list {
		b, err := vfs.ReadAll(ctx, fs, vfs.Join(dir, e.Name))
		check(t, err)
		files[e.Name] = string(b)
	}
	return files
}

func submitTo(t *testing.T, s *schema.Array, w *Write) map[string]string {
	t.Helper()
	fs := mem.New()
	w.Fragment = oneFragment
	got, err := Submit(context.Background(), &array.Array{FS: fs, URI: "mem://a", Schema: s}, w)
	check(t, err)
	if got != (Written{Fragment: oneFragment, Start: 7, End: 7}) {
		t.Fatalf("written %+v", got)
	}
	return fragmentFiles(t, fs)
}

func sameFiles(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: file %s differs", what, name)
		}
	}
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s: %d files, want %d", what, len(got), len(want))
	}
}

// TestPortionsMakeTheSameFragment gives the same cells unordered, in global order, and in global order in many portions
// and by one or many threads: the files must not differ in a byte.
func TestPortionsMakeTheSameFragment(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, order := range []schema.Layout{schema.RowMajor, schema.ColMajor, schema.Hilbert} {
		s := testSchema(schema.Sparse, order, []schema.Dimension{intDim("x", -50, 49, 7),
			{Name: "t", Type: datatype.StringASCII, CellValNum: datatype.VarNum}, intDim("y", 0, 99, 100)},
			schema.Attribute{Name: "v", Type: datatype.Float32, CellValNum: 1},
			schema.Attribute{Name: "s", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Nullable: true})
		s.Capacity = 7
		cols := randomCells(rng, 200)
		unordered := submitTo(t, s, &Write{Layout: schema.Unordered, Columns: cols, CheckDups: true, CheckOutOfBounds: true})
		sorted := sortCells(t, s, cols)
		global := &Write{Layout: schema.GlobalOrder, Columns: sorted, CheckDups: true, CheckOutOfBounds: true, Threads: 1}
		sameFiles(t, "global order", submitTo(t, s, global), unordered)
		for range 10 {
			sameFiles(t, "portions", submitPortions(t, rng, s, sorted, 200), unordered)
		}
	}
}

// randomCells returns n cells at different coordinates.
func randomCells(rng *rand.Rand, n int) []Column {
	cells := numberedColumn(schema.Field{Type: datatype.StringASCII, CellValNum: datatype.VarNum, Nullable: true}, n)
	var x, y []int64
	var v []float32
	text := Column{Name: "t"}
	var ends []uint64
	for i := range n {
		x, y, v = append(x, rng.Int64N(100)-50), append(y, int64(i%100)), append(v, float32(i))
		ends = append(ends, uint64(len(text.Data)))
		text.Data = append(text.Data, strings.Repeat(string(rune('a'+i/100)), rng.IntN(3)+1)...)
	}
	text.Offsets = datatype.Bytes(ends)
	return []Column{{Name: "v", Data: datatype.Bytes(v)}, {Name: "y", Data: datatype.Bytes(y)}, text, {Name: "x", Data: datatype.Bytes(x)},
		{Name: "s", Data: cells.data, Offsets: datatype.Bytes(cells.offsets), Validity: cells.validity}}
}

// sortCells sorts the cells into global order by comparing them pair by pair.
func sortCells(t *testing.T, s *schema.Array, given []Column) []Column {
	t.Helper()
	cols, err := checkColumns(s, writtenFields(s), given, OffsetsFormat{})
	check(t, err)
	order, err := schema.NewOrdering(s, schema.GlobalOrder)
	check(t, err)
	keys, err := order.Keys(cols[0].cells, coordColumns(cols[len(s.Attributes):]), nil)
	check(t, err)
	pick := make([]int, cols[0].cells)
	for i := range pick {
		pick[i] = i
	}
	sort.Slice(pick, func(i, j int) bool { return order.Compare(keys, pick[i], keys, pick[j]) < 0 })
	return takeCells(cols, pick)
}

// takeCells returns some cells of columns in the form that users give.
func takeCells(cols []column, pick []int) []Column {
	out := make([]Column, len(cols))
	for i := range cols {
		c, to := &cols[i], &out[i]
		to.Name = c.field.Name
		var offsets []uint64
		for _, p := range pick {
			if c.validity != nil {
				to.Validity = append(to.Validity, c.validity[p])
			}
			if !c.field.Var() {
				size := c.field.CellSize()
				to.Data = append(to.Data, c.data[p*size:(p+1)*size]...)
				continue
			}
			offsets = append(offsets, uint64(len(to.Data)))
			to.Data = append(to.Data, c.data[c.offsets[p]:c.end(p)]...)
		}
		to.Offsets = datatype.Bytes(offsets)
	}
	return out
}

func submitPortions(t *testing.T, rng *rand.Rand, s *schema.Array, given []Column, n int) map[string]string {
	t.Helper()
	ctx, fs := context.Background(), mem.New()
	g, err := NewGlobalWriter(ctx, &array.Array{FS: fs, URI: "mem://a", Schema: s},
		&Write{Fragment: oneFragment, CheckDups: true, CheckOutOfBounds: true, Threads: 1 + rng.IntN(3)})
	check(t, err)
	cols, err := checkColumns(s, writtenFields(s), given, OffsetsFormat{})
	check(t, err)
	for lo := 0; lo < n; {
		hi := lo + rng.IntN(min(n-lo, 40)+1)
		var pick []int
		for i := lo; i < hi; i++ {
			pick = append(pick, i)
		}
		portion := takeCells(cols, pick)
		check(t, g.Submit(ctx, portion))
		for i := range portion { // the caller's memory is free now
			clear(portion[i].Data)
			clear(portion[i].Offsets)
		}
		if lo = hi; g.nHeld >= g.perTile {
			t.Fatalf("%d cells held of tiles of %d", g.nHeld, g.perTile)
		}
	}
	if list, _ := fs.List(ctx, "mem://a/__commits"); len(list) > 0 {
		t.Fatal("committed before the end")
	}
	_, err = g.Finalize(ctx)
	check(t, err)
	return fragmentFiles(t, fs)
}

// TestDenseLayoutsMakeTheSameFragment gives the same cells in row-major, col-major and global order.
func TestDenseLayoutsMakeTheSameFragment(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for round := range 30 {
		s, _ := randomDense(rng)
		for i := range s.Domain.Dimensions { // whole tiles
			d := &s.Domain.Dimensions[i]
			lo, extent := datatype.View[int64](d.Lo())[0], datatype.View[int64](d.Extent)[0]
			*d = intDim(d.Name, lo, lo+extent*(1+rng.Int64N(3))-1, extent)
		}
		s.Attributes = []schema.Attribute{{Name: "v", Type: datatype.Int32, CellValNum: 1},
			{Name: "s", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Nullable: true}}
		r, err := denseRegion(s, Subarray{})
		check(t, err)
		cols := []column{*numberedColumn(s.AttributeField(0), r.nCells), *numberedColumn(s.AttributeField(1), r.nCells)}
		row := layoutOrder(r, schema.RowMajor)
		want := submitTo(t, s, &Write{Layout: schema.RowMajor, Columns: takeCells(cols, row)})
		name := fmt.Sprintf("round %d", round)
		sameFiles(t, name+" col-major", submitTo(t, s, &Write{Layout: schema.ColMajor, Columns: takeCells(cols, layoutOrder(r, schema.ColMajor))}), want)
		global := takeCells(cols, layoutOrder(r, schema.GlobalOrder))
		sameFiles(t, name+" global", submitTo(t, s, &Write{Layout: schema.GlobalOrder, Columns: global}), want)
		sameFiles(t, name+" portions", submitPortions(t, rng, s, global, r.nCells), want)
	}
}

// layoutOrder returns the row-major positions of the region's cells in the order of a layout.
func layoutOrder(r *region, layout schema.Layout) []int {
	order := make([]int, r.nCells)
	coords := make([]uint64, len(r.ranges))
	for tile := range r.nTiles {
		r.grid.TileAt(coords, r.tiles, uint64(tile))
		for cell := range r.tileCells {
			row := sourceOf(r, schema.RowMajor, coords, cell)
			switch layout {
			case schema.GlobalOrder:
				order[tile*r.tileCells+cell] = row
			default:
				order[sourceOf(r, layout, coords, cell)] = row
			}
		}
	}
	return order
}

// TestGlobalWriterRefuses names what is wrong with portions and subarrays, and carries on after a refused portion.
func TestGlobalWriterRefuses(t *testing.T) {
	ctx, fs := context.Background(), mem.New()
	s := testSchema(schema.Sparse, schema.RowMajor, []schema.Dimension{intDim("d", 0, 99, 10)})
	a := &array.Array{FS: fs, URI: "mem://a", Schema: s}
	at := func(v ...int64) []Column { return []Column{{Name: "d", Data: datatype.Bytes(v)}} }
	g, err := NewGlobalWriter(ctx, a, &Write{CheckDups: true, CheckOutOfBounds: true})
	check(t, err)
	check(t, g.Submit(ctx, at(1, 5)))
	for _, c := range []struct {
		cells []Column
		want  string
	}{
		{at(4, 6), "coordinates (4) come before the last written coordinates in the global order"},
		{at(5, 6), "Duplicate coordinates (5) are not allowed"},
		{at(6, 6), "Duplicate coordinates (6) are not allowed"},
		{at(7, 6), "coordinates (7) succeed (6) in the global order"},
		{at(700), "coordinate 700 is out of domain bounds [0, 99] on dimension \"d\""},
	} {
		if err := g.Submit(ctx, c.cells); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	check(t, g.Submit(ctx, at(6)))
	_, err = g.Finalize(ctx)
	check(t, err)
	if err := g.Submit(ctx, at(8)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if list, _ := fs.List(ctx, "mem://a/__fragments"); len(list) != 1 {
		t.Error(list)
	}
	dense := &array.Array{FS: mem.New(), URI: "mem://b", Schema: testSchema(schema.Dense, schema.RowMajor,
		[]schema.Dimension{intDim("d", 0, 9, 4)}, schema.Attribute{Name: "a", Type: datatype.Int8, CellValNum: 1})}
	_, err = NewGlobalWriter(ctx, dense, &Write{})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "the subarray must coincide with the tile bounds") {
		t.Error(err)
	}
	sub := Subarray{[][]schema.Range{{{Lo: datatype.Bytes([]int64{4}), Hi: datatype.Bytes([]int64{7})}}}}
	g, err = NewGlobalWriter(ctx, dense, &Write{Subarray: sub})
	check(t, err)
	check(t, g.Submit(ctx, []Column{{Name: "a", Data: []byte{1, 2, 3}}}))
	if _, err = g.Finalize(ctx); err == nil || !strings.Contains(err.Error(), "cells written (3) is different from the number of cells expected (4)") {
		t.Error(err)
	}
}

// TestDuplicatesAreDropped keeps the first cell given of those at equal coordinates, unordered and in global order.
func TestDuplicatesAreDropped(t *testing.T) {
	s := testSchema(schema.Sparse, schema.RowMajor, []schema.Dimension{intDim("d", 0, 99, 10)},
		schema.Attribute{Name: "a", Type: datatype.Uint8, CellValNum: 1})
	cells := func(d []int64, a string) []Column {
		return []Column{{Name: "d", Data: datatype.Bytes(d)}, {Name: "a", Data: []byte(a)}}
	}
	want := submitTo(t, s, &Write{Layout: schema.Unordered, Columns: cells([]int64{3, 5, 9}, "ABC")})
	got := submitTo(t, s, &Write{Layout: schema.Unordered, DedupCoords: true, Columns: cells([]int64{5, 3, 9, 5, 3}, "BACxy")})
	sameFiles(t, "unordered", got, want)
	got = submitTo(t, s, &Write{Layout: schema.GlobalOrder, DedupCoords: true, Columns: cells([]int64{3, 3, 3, 5, 9, 9}, "AxyBCz")})
	sameFiles(t, "global", got, want)
}

// TestFaultsLeaveNothingVisible breaks every operation of a write in every way: the write reports it, what is visible
// after a crash is a whole fragment or none, and trying again by the same name works.
func TestFaultsLeaveNothingVisible(t *testing.T) {
	ctx, s := context.Background(), sparseSchema()
	s.Capacity = 1
	write := &Write{Layout: schema.Unordered, Columns: goodColumns(), Fragment: oneFragment}
	whole := submitTo(t, s, &Write{Layout: schema.Unordered, Columns: goodColumns()})
	for n, done := 0, false; !done; n++ {
		for _, action := range []faultfs.Action{faultfs.Fail, faultfs.FailAfter, faultfs.Torn} {
			disk := mem.New()
			broken := faultfs.New(disk, faultfs.DeadFrom(n, action))
			_, err := Submit(ctx, &array.Array{FS: broken, URI: "mem://a", Schema: s}, write)
			done = len(broken.Ops()) <= n
			if (err == nil) != done {
				t.Fatalf("fault %d of %v: error %v", n, broken.Ops(), err)
			}
			after := disk.PowerLoss()
			if committed, _ := array.Committed(ctx, after, "mem://a", oneFragment); committed {
				sameFiles(t, fmt.Sprintf("committed in spite of fault %d", n), fragmentFiles(t, after), whole)
			}
			_, err = Submit(ctx, &array.Array{FS: after, URI: "mem://a", Schema: s}, write)
			check(t, err)
			sameFiles(t, fmt.Sprintf("second try after fault %d", n), fragmentFiles(t, after), whole)
		}
	}
}

// TestFailedWritesCleanUp breaks single operations before the commit: the folder of the fragment goes away.
func TestFailedWritesCleanUp(t *testing.T) {
	ctx := context.Background()
	for n := 0; ; n++ {
		disk := mem.New()
		broken := faultfs.New(disk, func(op faultfs.Op) faultfs.Action {
			if op.N == n {
				return faultfs.Fail
			}
			return faultfs.Pass
		})
		_, err := Submit(ctx, &array.Array{FS: broken, URI: "mem://a", Schema: sparseSchema()}, &Write{Layout: schema.Unordered, Columns: goodColumns()})
		if err == nil {
			return
		}
		if op := broken.Ops()[n]; strings.Contains(op.URI, "__commits") {
			continue
		}
		if list, _ := disk.List(ctx, "mem://a/__fragments"); len(list) > 0 {
			t.Errorf("fault %v left %v", broken.Ops()[n], list)
		}
	}
}

// TestCancelledWritesCleanUp cancels a write whose context ends midway.
func TestCancelledWritesCleanUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	disk := mem.New()
	stopping := faultfs.New(disk, func(op faultfs.Op) faultfs.Action {
		if op.Kind == "create" {
			cancel()
		}
		return faultfs.Pass
	})
	_, err := Submit(ctx, &array.Array{FS: stopping, URI: "mem://a", Schema: sparseSchema()}, &Write{Layout: schema.Unordered, Columns: goodColumns()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if list, _ := disk.List(context.Background(), "mem://a/__fragments"); len(list) > 0 {
		t.Errorf("left %v", list)
	}
}

// TestValuesMustSuitTheFilter blames the caller for values that a filter refuses.
func TestValuesMustSuitTheFilter(t *testing.T) {
	s := sparseSchema()
	s.Attributes[0].Filters = filter.Pipeline{Filters: []filter.Spec{filter.Windowed(filter.PositiveDelta, 1024)}}
	fs, cols := mem.New(), goodColumns()
	cols[0].Data, cols[1].Data = datatype.Bytes([]int64{3, 7}), datatype.Bytes([]int32{2, 1})
	for _, layout := range []schema.Layout{schema.Unordered, schema.GlobalOrder} {
		_, err := Submit(context.Background(), &array.Array{FS: fs, URI: "mem://a", Schema: s}, &Write{Layout: layout, Columns: cols})
		if !errors.Is(err, ErrInvalid) || !errors.Is(err, filter.ErrUnfilterable) || !strings.Contains(err.Error(), `field "a"`) {
			t.Error(err)
		}
		if list, _ := fs.List(context.Background(), "mem://a/__fragments"); len(list) > 0 {
			t.Error(list)
		}
	}
}

// TestEmptyWritesMakeNothing writes no cells.
func TestEmptyWritesMakeNothing(t *testing.T) {
	fs := mem.New()
	cols := []Column{{Name: "d"}, {Name: "a"}, {Name: "n"}, {Name: "s"}}
	for _, layout := range []schema.Layout{schema.Unordered, schema.GlobalOrder} {
		got, err := Submit(context.Background(), &array.Array{FS: fs, URI: "mem://a", Schema: sparseSchema()}, &Write{Layout: layout, Columns: cols})
		if err != nil || got != (Written{}) {
			t.Errorf("%+v %v", got, err)
		}
	}
	if list, _ := fs.List(context.Background(), "mem://"); len(list) > 0 {
		t.Error(list)
	}
}

// TestCommittedFragmentsAreNotWrittenAgain answers a repeated write without touching the fragment.
func TestCommittedFragmentsAreNotWrittenAgain(t *testing.T) {
	ctx, fs := context.Background(), mem.New()
	a := &array.Array{FS: fs, URI: "mem://a", Schema: sparseSchema()}
	w := &Write{Layout: schema.Unordered, Columns: goodColumns(), Fragment: oneFragment}
	first, err := Submit(ctx, a, w)
	check(t, err)
	before := fragmentFiles(t, fs)
	w.Columns[1].Data = bytes.Repeat([]byte{9}, 8)
	again, err := Submit(ctx, a, w)
	check(t, err)
	if again != first {
		t.Errorf("%+v, then %+v", first, again)
	}
	sameFiles(t, "repeated", fragmentFiles(t, fs), before)
}
