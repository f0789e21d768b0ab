package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

// TestOverlappingFragmentsAreCutFinely plans for many fragments that all cover the same cells: the parts stay a small
// multiple of what lies across a cut.
func TestOverlappingFragmentsAreCutFinely(t *testing.T) {
	const frags, tilesEach, cells = 20, 300, 1000
	var tiles []*tileRef
	for f := range frags {
		for i := range uint64(tilesEach) {
			tiles = append(tiles, &tileRef{frag: f, tile: i, cells: cells, first: span{i*1000 + uint64(f)*40, i*1000 + uint64(f)*40 + 999}})
		}
	}
	slabs := sortSlabs(tiles, 4000)
	most := 0
	for _, s := range slabs {
		most = max(most, s.cells)
	}
	if len(slabs) < 30 || most > 10*frags*cells {
		t.Errorf("%d parts, the largest of %d cells", len(slabs), most)
	}
}

// TestCutNumbersFollowTheOrder joins the numbers of orders of several arrays: of any two cells the one with the lower
// number comes first, and fields of one tile are cut by the next number.
func TestCutNumbersFollowTheOrder(t *testing.T) {
	text := schema.Dimension{Name: "t", Type: datatype.StringASCII, CellValNum: datatype.VarNum}
	for name, dims := range map[string][]schema.Dimension{
		"one tile":   {intDim("y", 0, 99, 100), intDim("x", 0, 99, 100)},
		"many tiles": {intDim("y", -50, 49, 7), intDim("x", 0, 99, 13)},
		"wide":       {intDim("y", -1<<62, 1<<62, 1<<40), intDim("x", 0, 1<<50, 1<<30)},
		"text":       {text, intDim("x", 0, 99, 10)},
	} {
		occupied := []schema.Range{{Lo: int64s(0), Hi: int64s(49)}, {Lo: int64s(0), Hi: int64s(99)}}
		s := testSchema(schema.Sparse, schema.RowMajor, dims, schema.Attribute{Name: "v", Type: datatype.Int32, CellValNum: 1})
		o, err := newSortOrder(s, schema.GlobalOrder, occupied)
		check(t, err)
		box := func(y, x int64) func(int) schema.Range {
			return func(d int) schema.Range {
				v := int64s([]int64{y, x}[d])
				if dims[d].Var() {
					v = []byte(fmt.Sprintf("%05d", y))
				}
				return schema.Range{Lo: v, Hi: v}
			}
		}
		distinct := map[uint64]bool{}
		order, err := schema.NewOrdering(s, schema.GlobalOrder)
		check(t, err)
		for a := range int64(200) {
			ya, xa := a*7%50, a*31%100
			yb, xb := (a*11+3)%50, (a*17+5)%100
			one, two := o.first(box(ya, xa)), o.first(box(yb, xb))
			if one.lo != one.hi {
				t.Fatalf("%s: one cell has numbers from %d to %d", name, one.lo, one.hi)
			}
			distinct[one.lo] = true
			if dims[0].Var() {
				continue
			}
			keys, err := order.Keys(2, []schema.Coords{{Data: int64s(ya, yb)}, {Data: int64s(xa, xb)}}, nil)
			check(t, err)
			if c := order.Compare(keys, 0, keys, 1); c < 0 && one.lo > two.lo || c > 0 && one.lo < two.lo {
				t.Errorf("%s: (%d, %d) has number %d, (%d, %d) has %d", name, ya, xa, one.lo, yb, xb, two.lo)
			}
		}
		if len(distinct) < 40 {
			t.Errorf("%s: 200 cells have %d numbers", name, len(distinct))
		}
	}
}

func TestStreamRefusals(t *testing.T) {
	ctx, fs := context.Background(), mem.New()
	check(t, array.Create(ctx, fs, "mem://d", testSchema(schema.Dense, schema.RowMajor, []schema.Dimension{intDim("x", 0, 9, 5)},
		schema.Attribute{Name: "v", Type: datatype.Int32, CellValNum: 1, Fill: make([]byte, 4)})))
	a, err := array.Open(ctx, fs, "mem://d", array.Latest())
	check(t, err)
	if err := Stream(ctx, a, &Read{Layout: schema.GlobalOrder}, nil); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func int64s(v ...int64) []byte { return datatype.Bytes(v) }

// TestKeepSpans compares the cells kept for several spans with those found one by one, for keys that rise, fall and jump.
func TestKeepSpans(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for turn := range 200 {
		var spans []span
		for at := uint64(rng.IntN(5)); len(spans) < 2+turn%9; at += 2 + uint64(rng.IntN(9)) {
			last := at + uint64(rng.IntN(4))
			spans = append(spans, span{at, last})
			at = last
		}
		keys, mask := make([]uint64, 1200), make([]byte, 1200)
		for i := range keys {
			mask[i] = byte(rng.IntN(2))
			switch turn % 3 {
			case 0:
				keys[i] = uint64(i / 15)
			case 1:
				keys[i] = uint64((1200 - i) / 9)
			default:
				keys[i] = uint64(rng.IntN(80))
			}
		}
		want := bytes.Clone(mask)
		for i, key := range keys {
			want[i] &= flag(slices.ContainsFunc(spans, func(s span) bool { return s.lo <= key && key <= s.hi }))
		}
		keepSpans(datatype.KindUint64, mask, datatype.Bytes(keys), spans)
		if !bytes.Equal(mask, want) {
			t.Fatalf("turn %d, spans %v", turn, spans)
		}
	}
}

// TestTilesOfSeveralSlabsComeOnce reads everything of two fragments that are apart, so that no cell hides another, in any
// order into buffers that hold it all. Tiles that end within a row belong to two slabs.
func TestTilesOfSeveralSlabsComeOnce(t *testing.T) {
	ctx, fs := t.Context(), mem.New()
	s := schema.New(schema.Sparse)
	s.Capacity = 100000
	s.Domain.Dimensions = []schema.Dimension{intDim("y", 0, 1<<31-1, 2048), intDim("x", 0, 1<<31-1, 2048)}
	s.Attributes = []schema.Attribute{schema.NewAttribute("v", datatype.Int64, 1)}
	check(t, array.Create(ctx, fs, "mem://a", s))
	for _, rows := range [][2]int64{{0, 400}, {400, 700}} {
		a, err := array.Open(ctx, fs, "mem://a", array.Latest(), array.ForWriting())
		check(t, err)
		var ys, xs, vs []int64
		for y := rows[0]; y < rows[1]; y++ {
			for x := range int64(765) {
				ys, xs, vs = append(ys, y), append(xs, x), append(vs, y*10000+x)
			}
		}
		_, err = Submit(ctx, a, &Write{Layout: schema.Unordered, Columns: []Column{{Name: "y", Data: datatype.Bytes(ys)}, {Name: "x", Data: datatype.Bytes(xs)},
			{Name: "v", Data: datatype.Bytes(vs)}}})
		check(t, err)
	}
	a, err := array.Open(ctx, fs, "mem://a", array.Latest())
	check(t, err)
	q := &Read{Layout: schema.Unordered, Fields: []Want{{Name: "v", DataCap: -1}}}
	r, err := newReading(ctx, a, q)
	check(t, err)
	defer r.files.Close()
	plan, err := r.planSparse(ctx, false)
	check(t, err)
	defer plan.close()
	check(t, r.loadSources(ctx, plan))
	if size, ok := r.exactSize(plan); !ok || size.cells != 535500 {
		t.Errorf("%d cells, known to be all: %v", size.cells, ok)
	}
	got, err := Run(ctx, a, q)
	check(t, err)
	values := slices.Clone(datatype.View[int64](got.Columns[0].Data))
	slices.Sort(values)
	if n := len(slices.Compact(values)); got.Cells != 535500 || n != 535500 {
		t.Errorf("%d cells, %d different ones, of 535500", got.Cells, n)
	}
}

// TestAllApart asks of fragments that have tiles side by side, that meet, and that are many, whether they are apart.
func TestAllApart(t *testing.T) {
	w := newFetchWorld(t, schema.Sparse, 100, 20)
	apart := func() bool {
		a, err := array.Open(t.Context(), w.fs, w.uri, array.Latest())
		check(t, err)
		r, err := newReading(t.Context(), a, &Read{Layout: schema.Unordered, Fields: wants("v")})
		check(t, err)
		defer r.files.Close()
		order, err := newSortOrder(r.schema, schema.Unordered, r.occupied())
		check(t, err)
		tiles, err := r.findTiles(t.Context(), r.axes, &order)
		check(t, err)
		return r.allApart(tiles)
	}
	w.write(1, 0, 39, 0, 49)
	w.write(2, 0, 39, 50, 99)
	w.write(3, 40, 99, 0, 99)
	if !apart() {
		t.Error("fragments that are apart are not")
	}
	w.write(4, 70, 70, 99, 99)
	if apart() {
		t.Error("a cell over another is apart from it")
	}
	if got, _ := w.read(&Read{Fields: wants("v"), Layout: schema.Unordered}); len(got) != 100*100*8 {
		t.Errorf("%d cells of 10000", len(got)/8)
	}
}
