package query

import (
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

// hilbertArray returns an empty array in Hilbert order of the dimensions x, int32 0..999, and y, float64 0..1, or a text.
func hilbertArray(t *testing.T, text bool) *array.Array {
	t.Helper()
	ctx, fs := context.Background(), mem.New()
	y := schema.Dimension{Name: "y", Type: datatype.Float64, CellValNum: 1, Domain: datatype.Bytes([]float64{0, 1})}
	if text {
		y = schema.Dimension{Name: "y", Type: datatype.StringASCII, CellValNum: datatype.VarNum}
	}
	s := testSchema(schema.Sparse, schema.Hilbert, []schema.Dimension{
		{Name: "x", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 999})}, y}, schema.NewAttribute("a", datatype.Int64, 1))
	s.Name = ""
	s.Capacity = 1000
	check(t, array.Create(ctx, fs, "mem://h", s))
	return reopen(t, &array.Array{FS: fs, URI: "mem://h"})
}

func reopen(t *testing.T, a *array.Array) *array.Array {
	t.Helper()
	opened, err := array.Open(context.Background(), a.FS, a.URI, array.Latest())
	check(t, err)
	return opened
}

// TestHilbertSlabs reads fragments that lie over each other in global order: so many cells that the curve is cut, whole
// and in parts, with the newest of every cell.
func TestHilbertSlabs(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	a := hilbertArray(t, false)
	type place struct {
		x int32
		y float64
	}
	newest := map[place]int64{}
	for f := range int64(3) {
		var x []int32
		var y []float64
		var v []int64
		given := map[place]bool{}
		for len(v) < 40_000 {
			p := place{rng.Int32N(1000), float64(rng.IntN(100)) / 99}
			if given[p] {
				continue
			}
			given[p] = true
			x, y, v = append(x, p.x), append(y, p.y), append(v, f<<32|int64(len(v)))
			newest[p] = v[len(v)-1]
		}
		_, err := Submit(context.Background(), a, &Write{Layout: schema.Unordered, Timestamp: uint64(f + 1), CheckDups: true, Columns: []Column{
			{Name: "x", Data: datatype.Bytes(x)}, {Name: "y", Data: datatype.Bytes(y)}, {Name: "a", Data: datatype.Bytes(v)}}})
		check(t, err)
	}
	a = reopen(t, a)
	r, err := newReading(context.Background(), a, &Read{Layout: schema.GlobalOrder})
	check(t, err)
	if plan, err := r.planSparse(context.Background(), false); err != nil || len(plan.slabs) < 2 {
		t.Fatalf("the curve is not cut: %v, %v", plan, err)
	}
	whole := readCells(t, a, -1)
	x, y, v := datatype.View[int32](whole[0]), datatype.View[float64](whole[1]), datatype.View[int64](whole[2])
	if len(v) != len(newest) {
		t.Errorf("%d cells, want %d", len(v), len(newest))
	}
	for i := range v {
		if p := (place{x[i], y[i]}); newest[p] != v[i] {
			t.Fatalf("cell %v is %x, want %x", p, v[i], newest[p])
		}
	}
	order, err := schema.NewOrdering(a.Schema, schema.GlobalOrder)
	check(t, err)
	keys, err := order.Keys(len(v), []schema.Coords{{Data: whole[0]}, {Data: whole[1]}}, nil)
	check(t, err)
	if !order.Sorted(keys) {
		t.Error("the cells are not in order")
	}
	for i, part := range readCells(t, a, 9000) {
		if !slices.Equal(part, whole[i]) {
			t.Errorf("column %d differs when read in parts", i)
		}
	}
}

// readCells returns the columns x, y and a of all cells in global order, read in parts of at most so many cells.
func readCells(t *testing.T, a *array.Array, cells int64) (out [3][]byte) {
	t.Helper()
	q := &Read{Layout: schema.GlobalOrder, Threads: 2, Fields: []Want{{"x", -1, -1, -1}, {"y", -1, -1, -1}, {"a", -1, -1, -1}}}
	if cells > 0 {
		q.Fields[2].DataCap = 8 * cells
	}
	parts := 0
	for {
		res, err := Run(context.Background(), a, q)
		check(t, err)
		for i := range out {
			out[i] = append(out[i], res.Columns[i].Data...)
		}
		parts++
		if q.Resume = res.Next; res.Next == nil {
			break
		}
	}
	if cells > 0 && parts < 3 {
		t.Errorf("read in %d parts", parts)
	}
	for i := range out {
		out[i] = append(datatype.AlignedBytes(len(out[i]))[:0], out[i]...)
	}
	return out
}

// TestHilbertGlobalWrites takes cells along the curve, those at one place of it in any sequence, and no others.
func TestHilbertGlobalWrites(t *testing.T) {
	for _, test := range []struct {
		name   string
		x      []int32
		y      []string
		first  int // cells of the first portion
		refuse bool
	}{
		{"along the curve", []int32{1, 1, 999}, []string{"a", "b", "a"}, 2, false},
		{"one place", []int32{5, 5, 5}, []string{"abcdefghz", "abcdefgha", "abcdefghb"}, 2, false},
		{"back", []int32{999, 1, 1}, []string{"a", "a", "b"}, 3, true},
		{"back in the next portion", []int32{1, 999, 1}, []string{"a", "a", "b"}, 2, true},
		{"twice", []int32{1, 7, 7}, []string{"a", "b", "b"}, 3, true},
		{"twice across portions", []int32{1, 7, 7}, []string{"a", "b", "b"}, 2, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, a := context.Background(), hilbertArray(t, true)
			g, err := NewGlobalWriter(ctx, a, &Write{CheckDups: true, CheckOutOfBounds: true})
			check(t, err)
			for _, part := range [][2]int{{0, test.first}, {test.first, len(test.x)}} {
				var ends []uint64
				y, v := Column{Name: "y"}, make([]int64, part[1]-part[0])
				for _, text := range test.y[part[0]:part[1]] {
					ends = append(ends, uint64(len(y.Data)))
					y.Data = append(y.Data, text...)
				}
				y.Offsets = datatype.Bytes(ends)
				if e := g.Submit(ctx, []Column{{Name: "x", Data: datatype.Bytes(test.x[part[0]:part[1]])}, y, {Name: "a", Data: datatype.Bytes(v)}}); e != nil {
					err = errors.Join(err, e)
				}
			}
			if errors.Is(err, ErrInvalid) != test.refuse || (err != nil) != test.refuse {
				t.Fatal(err)
			}
			if test.refuse {
				check(t, g.Abort(ctx))
				return
			}
			_, err = g.Finalize(ctx)
			check(t, err)
			got := readCells(t, reopen(t, a), -1)
			if fmt.Sprint(datatype.View[int32](got[0])) != fmt.Sprint(test.x) {
				t.Errorf("read back x as %v", datatype.View[int32](got[0]))
			}
		})
	}
}
