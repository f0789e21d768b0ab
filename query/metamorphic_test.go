package query

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/pool"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

// The metamorphic test performs one list of writes on arrays that differ in everything that must not change an answer:
// extents, orders, capacity and filters. The answers are compared with those of a model that keeps cells in a map.

const (
	worldX, worldY = 17, 11
	worldY0        = -5
)

// point is a cell's place; y is signed in the array and counted from worldY0 here.
type point struct{ x, y int }

// cellValue is the values of the attributes of one cell.
type cellValue struct {
	a     int32
	n     float64
	valid bool
	s     string
}

// worldFields are all fields, dimensions first.
var worldFields = []string{"x", "y", "a", "n", "s"}

func (v cellValue) text(p point) string {
	n := "null"
	if v.valid {
		n = fmt.Sprint(v.n)
	}
	return fmt.Sprintf("%d,%d,%d,%s,%q", p.x, p.y+worldY0, v.a, n, v.s)
}

var fillValue = cellValue{a: -99, s: "fill"}

// worldWrite is one write: of the cells of a box, or of any points, in the order of cells. A delete is a write too, of
// one of worldDeletes.
type worldWrite struct {
	box    *[4]int
	points []point
	values []cellValue
	delete int
}

// worldDeletes are the conditions of deletes, but for the first, and what they delete: null cells with every comparison.
var worldDeletes = []struct {
	node  *condition.Node
	takes func(point, cellValue) bool
}{
	{},
	{&condition.Node{Op: condition.EQ, Field: "a", Value: datatype.Bytes([]int32{4})}, func(_ point, v cellValue) bool { return v.a == 4 }},
	{&condition.Node{Op: condition.GE, Field: "n", Value: datatype.Bytes([]float64{3})}, func(_ point, v cellValue) bool { return !v.valid || v.n >= 3 }},
	{&condition.Node{Op: condition.And, Children: []*condition.Node{
		{Op: condition.LT, Field: "x", Value: datatype.Bytes([]int32{6})}, {Op: condition.Not, Children: []*condition.Node{{Op: condition.LE, Field: "s", Value: []byte("a")}}}}},
		func(p point, v cellValue) bool { return p.x < 6 && v.s > "a" }},
	{&condition.Node{Op: condition.GE, Field: "a", Value: datatype.Bytes([]int32{-10})}, func(point, cellValue) bool { return true }},
}

func randomValue(rng *rand.Rand) cellValue {
	words := []string{"", "a", "bb", "tile", strings.Repeat("x", 30)}
	return cellValue{int32(rng.IntN(20) - 10), float64(rng.IntN(9)) / 2, rng.IntN(3) > 0, words[rng.IntN(len(words))]}
}

func randomWrites(rng *rand.Rand, dense, dups bool) []worldWrite {
	var out []worldWrite
	for range 1 + rng.IntN(4) {
		if !dense && rng.IntN(3) == 0 {
			out = append(out, worldWrite{delete: 1 + rng.IntN(3*len(worldDeletes)-5)/3})
		}
		w := worldWrite{}
		if dense {
			x0, y0 := rng.IntN(worldX), rng.IntN(worldY)
			w.box = &[4]int{x0, x0 + rng.IntN(worldX-x0), y0, y0 + rng.IntN(worldY-y0)}
			for x := w.box[0]; x <= w.box[1]; x++ {
				for y := w.box[2]; y <= w.box[3]; y++ {
					w.points = append(w.points, point{x, y})
				}
			}
		} else {
			seen := map[point]bool{}
			for range 1 + rng.IntN(60) {
				p := point{rng.IntN(worldX), rng.IntN(worldY)}
				if dups || !seen[p] {
					seen[p] = true
					w.points = append(w.points, p)
				}
			}
		}
		for range w.points {
			w.values = append(w.values, randomValue(rng))
		}
		out = append(out, w)
	}
	return out
}

// columns returns the write's cells as columns of a query.
func (w *worldWrite) columns(array *schema.Array) []Column {
	x, y := Column{Name: "x"}, Column{Name: "y"}
	var a []int32
	var n []float64
	var valid, s []byte
	var at, xAt []uint64
	for i, p := range w.points {
		v := w.values[i]
		xAt = append(xAt, uint64(len(x.Data)))
		x.Data, y.Data = append(x.Data, xCoord(array, p.x)...), append(y.Data, yCoord(array, p.y)...)
		a, n = append(a, v.a), append(n, v.n)
		valid, at, s = append(valid, flag(v.valid)), append(at, uint64(len(s))), append(s, v.s...)
	}
	out := []Column{{Name: "a", Data: datatype.Bytes(a)}, {Name: "n", Data: datatype.Bytes(n), Validity: valid},
		{Name: "s", Data: s, Offsets: datatype.Bytes(at)}}
	if array.Domain.Dimensions[0].Var() {
		x.Offsets = datatype.Bytes(xAt)
	}
	if w.box == nil {
		out = append(out, x, y)
	}
	return out
}

// xCoord and yCoord are coordinates of a place: a number, or a text that sorts like it; a whole number or a half.
func xCoord(s *schema.Array, x int) []byte {
	if s.Domain.Dimensions[0].Var() {
		return fmt.Appendf(nil, "common prefix %02d", x)
	}
	return datatype.Bytes([]int32{int32(x)})
}

func yCoord(s *schema.Array, y int) []byte {
	if s.Domain.Dimensions[1].Type == datatype.Float64 {
		return datatype.Bytes([]float64{float64(y+worldY0) / 2})
	}
	return datatype.Bytes([]int32{int32(y + worldY0)})
}

func xRange(s *schema.Array, lo, hi int) schema.Range {
	return schema.Range{Lo: xCoord(s, lo), Hi: xCoord(s, hi)}
}
func yRange(s *schema.Array, lo, hi int) schema.Range {
	return schema.Range{Lo: yCoord(s, lo), Hi: yCoord(s, hi)}
}

// randomSchema varies what must not change an answer.
func randomWorld(rng *rand.Rand, dense, dups bool) *schema.Array {
	kind := schema.Sparse
	if dense {
		kind = schema.Dense
	}
	s := schema.New(kind)
	s.AllowsDups = dups
	s.Capacity = uint64(1 + rng.IntN(30))
	s.CellOrder, s.TileOrder = schema.Layout(rng.IntN(2)), schema.Layout(rng.IntN(2))
	s.Domain.Dimensions = []schema.Dimension{
		{Name: "x", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, worldX - 1}), Extent: datatype.Bytes([]int32{int32(1 + rng.IntN(worldX))})},
		{Name: "y", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{worldY0, worldY0 + worldY - 1}), Extent: datatype.Bytes([]int32{int32(1 + rng.IntN(worldY))})},
	}
	if !dense && rng.IntN(4) == 0 {
		s.CellOrder = schema.Hilbert
	}
	if !dense && rng.IntN(3) == 0 {
		s.Domain.Dimensions[0] = schema.Dimension{Name: "x", Type: datatype.StringASCII, CellValNum: datatype.VarNum}
	}
	if !dense && rng.IntN(3) == 0 {
		s.Domain.Dimensions[1] = schema.Dimension{Name: "y", Type: datatype.Float64, CellValNum: 1,
			Domain: datatype.Bytes([]float64{worldY0 / 2.0, (worldY0 + worldY - 1) / 2.0}), Extent: datatype.Bytes([]float64{float64(1+rng.IntN(2*worldY)) / 4})}
	}
	a, n, text := schema.NewAttribute("a", datatype.Int32, 1), schema.NewAttribute("n", datatype.Float64, 1), schema.NewAttribute("s", datatype.StringASCII, datatype.VarNum)
	a.Fill, text.Fill, n.Nullable = datatype.Bytes([]int32{fillValue.a}), []byte(fillValue.s), true
	pipelines := []filter.Pipeline{{MaxChunk: 65536}, {MaxChunk: 65536, Filters: []filter.Spec{filter.Compressor(filter.Zstd, 1)}},
		{MaxChunk: 65536, Filters: []filter.Spec{filter.Plain(filter.Byteshuffle), filter.Compressor(filter.LZ4, 1), filter.Plain(filter.ChecksumMD5)}}}
	a.Filters, n.Filters, text.Filters = pipelines[rng.IntN(3)], pipelines[rng.IntN(3)], pipelines[rng.IntN(3)]
	if rng.IntN(3) == 0 {
		text.Filters.Filters = []filter.Spec{filter.Compressor(filter.RLE, -1)}
	}
	s.Attributes = []schema.Attribute{a, n, text}
	return s
}

// makeWorld creates an array and performs the writes.
func makeWorld(t *testing.T, s *schema.Array, writes []worldWrite) *array.Array {
	t.Helper()
	ctx, fs := context.Background(), vfs.FS(mem.New())
	check(t, array.Create(ctx, fs, "mem://w", s))
	for i, w := range writes {
		a, err := array.Open(ctx, fs, "mem://w", array.Latest(), array.ForWriting())
		check(t, err)
		if w.delete > 0 {
			_, err = Delete(ctx, a, onWorld(worldDeletes[w.delete].node, s), uint64(10+i))
			check(t, err)
			continue
		}
		if s.Type == schema.Dense && w.box == nil {
			a.Schema = asSparse(a.Schema)
		}
		q := &Write{Layout: schema.Unordered, Columns: w.columns(s), Timestamp: uint64(10 + i)}
		if w.box != nil {
			q.Layout = schema.RowMajor
			q.Subarray = Subarray{Ranges: [][]schema.Range{{xRange(s, w.box[0], w.box[1])}, {yRange(s, w.box[2], w.box[3])}}}
		}
		_, err = Submit(ctx, a, q)
		check(t, err)
	}
	// A small cache, so that later questions meet what earlier ones left there, and what they pushed out.
	a, err := array.Open(ctx, fs, "mem://w", array.Latest(), array.WithCache(array.NewCache(16<<10)))
	check(t, err)
	return a
}

// question is a read with what the model needs to answer it.
type question struct {
	layout schema.Layout
	x, y   [][2]int
	cond   int
}

// conditions are query conditions with their meaning.
var conditions = []struct {
	node  *condition.Node
	holds func(point, cellValue) bool
}{
	{nil, func(point, cellValue) bool { return true }},
	{&condition.Node{Op: condition.LT, Field: "a", Value: datatype.Bytes([]int32{2})}, func(_ point, v cellValue) bool { return v.a < 2 }},
	{&condition.Node{Op: condition.EQ, Field: "n", Null: true}, func(_ point, v cellValue) bool { return !v.valid }},
	{&condition.Node{Op: condition.Or, Children: []*condition.Node{
		{Op: condition.EQ, Field: "s", Value: []byte("tile")}, {Op: condition.GE, Field: "x", Value: datatype.Bytes([]int32{9})}}},
		func(p point, v cellValue) bool { return v.s == "tile" || p.x >= 9 }},
	{&condition.Node{Op: condition.And, Children: []*condition.Node{
		{Op: condition.GT, Field: "n", Value: datatype.Bytes([]float64{1})}, {Op: condition.NE, Field: "a", Value: datatype.Bytes([]int32{3})}}},
		func(_ point, v cellValue) bool { return v.valid && v.n > 1 && v.a != 3 }},
	{&condition.Node{Op: condition.GT, Field: "a", Value: datatype.Bytes([]int32{100})}, func(point, cellValue) bool { return false }},
}

// onWorld returns a condition with the coordinates it compares with as the array has them.
func onWorld(n *condition.Node, s *schema.Array) *condition.Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Children = nil
	for _, child := range n.Children {
		c.Children = append(c.Children, onWorld(child, s))
	}
	if c.Field == "x" {
		c.Value = xCoord(s, int(binary.LittleEndian.Uint32(n.Value)))
	}
	return &c
}

func randomQuestion(rng *rand.Rand, dense bool) question {
	layouts := []schema.Layout{schema.RowMajor, schema.ColMajor, schema.GlobalOrder}
	if !dense {
		layouts = append(layouts, schema.Unordered)
	}
	q := question{layout: layouts[rng.IntN(len(layouts))], cond: rng.IntN(len(conditions))}
	several := rng.IntN(3) == 0 && (!dense || q.layout != schema.GlobalOrder)
	pick := func(size int) (out [][2]int) {
		for range 1 + rng.IntN(3) {
			lo := rng.IntN(size)
			out = append(out, [2]int{lo, lo + rng.IntN(size-lo)})
			if !several {
				break
			}
		}
		return out
	}
	if rng.IntN(4) > 0 {
		q.x, q.y = pick(worldX), pick(worldY)
	} else {
		q.x, q.y = [][2]int{{0, worldX - 1}}, [][2]int{{0, worldY - 1}}
	}
	return q
}

func (q *question) read(s *schema.Array) *Read {
	r := &Read{Layout: q.layout, Condition: onWorld(conditions[q.cond].node, s), Threads: 2, Subarray: Subarray{Ranges: make([][]schema.Range, 2)}}
	for _, x := range q.x {
		r.Subarray.Ranges[0] = append(r.Subarray.Ranges[0], xRange(s, x[0], x[1]))
	}
	for _, y := range q.y {
		r.Subarray.Ranges[1] = append(r.Subarray.Ranges[1], yRange(s, y[0], y[1]))
	}
	for _, f := range worldFields {
		r.Fields = append(r.Fields, Want{f, -1, -1, -1})
	}
	return r
}

// version is a cell of the model.
type version struct {
	point
	cellValue
}

// cellsOf returns the cells that writes and deletes leave.
func cellsOf(s *schema.Array, writes []worldWrite) (all []version) {
	for _, w := range writes {
		if w.delete > 0 {
			all = slices.DeleteFunc(all, func(v version) bool { return worldDeletes[w.delete].takes(v.point, v.cellValue) })
		}
		for i, p := range w.points {
			if !s.AllowsDups {
				all = slices.DeleteFunc(all, func(v version) bool { return v.point == p })
			}
			all = append(all, version{p, w.values[i]})
		}
	}
	return all
}

// answer is the model: cells as texts, in order unless the layout is Unordered.
func (q *question) answer(s *schema.Array, writes []worldWrite) []string {
	if s.Type == schema.Dense {
		return q.answerDense(s, writes)
	}
	ordered := q.layout == schema.RowMajor || q.layout == schema.ColMajor
	var chosen []version
	for _, v := range cellsOf(s, writes) {
		times := count(q.x, v.x) * count(q.y, v.y)
		if !ordered {
			times = min(times, 1)
		}
		for range times {
			if conditions[q.cond].holds(v.point, v.cellValue) {
				chosen = append(chosen, v)
			}
		}
	}
	slices.SortStableFunc(chosen, func(a, b version) int { return slices.Compare(rank(s, q.layout, a.point), rank(s, q.layout, b.point)) })
	var out []string
	for _, v := range chosen {
		out = append(out, v.text(v.point))
	}
	return out
}

func count(ranges [][2]int, v int) (n int) {
	for _, r := range ranges {
		if r[0] <= v && v <= r[1] {
			n++
		}
	}
	return n
}

// rank is what cells are sorted by.
func rank(s *schema.Array, layout schema.Layout, p point) []int {
	pair := func(order schema.Layout, a, b int) []int {
		if order == schema.ColMajor {
			return []int{b, a}
		}
		return []int{a, b}
	}
	if layout != schema.GlobalOrder {
		return pair(layout, p.x, p.y)
	}
	if s.CellOrder == schema.Hilbert {
		curve, err := schema.NewCurve(&s.Domain)
		if err != nil {
			panic(err)
		}
		place := [1]uint64{}
		curve.Values(place[:], []schema.Coords{{Data: xCoord(s, p.x), Offsets: []uint64{0}}, {Data: yCoord(s, p.y)}}, nil)
		return []int{int(place[0]), p.x, p.y}
	}
	tileX, tileY := 0, 0
	if d := &s.Domain.Dimensions[0]; !d.Var() {
		tileX = p.x / int(binary.LittleEndian.Uint32(d.Extent))
	}
	if d := &s.Domain.Dimensions[1]; d.Type == datatype.Float64 {
		tileY = int(float64(p.y) / 2 / datatype.View[float64](d.Extent)[0])
	} else {
		tileY = p.y / int(binary.LittleEndian.Uint32(d.Extent))
	}
	return append(pair(s.TileOrder, tileX, tileY), pair(s.CellOrder, p.x, p.y)...)
}

func (q *question) answerDense(s *schema.Array, writes []worldWrite) []string {
	world := map[point]cellValue{}
	for _, w := range writes {
		for i, p := range w.points {
			world[p] = w.values[i]
		}
	}
	var xs, ys []int
	for _, r := range q.x {
		for x := r[0]; x <= r[1]; x++ {
			xs = append(xs, x)
		}
	}
	for _, r := range q.y {
		for y := r[0]; y <= r[1]; y++ {
			ys = append(ys, y)
		}
	}
	var points []point
	if q.layout == schema.ColMajor {
		for _, y := range ys {
			for _, x := range xs {
				points = append(points, point{x, y})
			}
		}
	} else {
		for _, x := range xs {
			for _, y := range ys {
				points = append(points, point{x, y})
			}
		}
	}
	if q.layout == schema.GlobalOrder {
		slices.SortStableFunc(points, func(a, b point) int { return slices.Compare(rank(s, q.layout, a), rank(s, q.layout, b)) })
	}
	var out []string
	for _, p := range points {
		v, written := world[p]
		if !written || !conditions[q.cond].holds(p, v) {
			v = fillValue
		}
		out = append(out, v.text(p))
	}
	return out
}

// texts turns a result into the model's texts and checks the form of its columns.
func texts(t *testing.T, s *schema.Array, res *Result, f OffsetsFormat) []string {
	t.Helper()
	n := int(res.Cells)
	col := map[string]Column{}
	for i, name := range worldFields {
		if res.Columns[i].Name != name {
			t.Fatalf("column %d is %q", i, res.Columns[i].Name)
		}
		col[name] = res.Columns[i]
	}
	x, y := coordinates(t, s, col, n, f)
	a, v := datatype.View[int32](col["a"].Data), datatype.View[float64](col["n"].Data)
	if len(x) != n || len(y) != n || len(a) != n || len(v) != n || len(col["n"].Validity) != n {
		t.Fatalf("%d cells, but columns of %d, %d, %d, %d, %d", n, len(x), len(y), len(a), len(v), len(col["n"].Validity))
	}
	ends := plainOffsets(t, col["s"], n, f)
	var out []string
	for i := range n {
		c := cellValue{a[i], v[i], col["n"].Validity[i] == 1, string(col["s"].Data[ends[i]:ends[i+1]])}
		out = append(out, c.text(point{x[i], y[i]}))
	}
	return out
}

// coordinates decodes the columns of the dimensions.
func coordinates(t *testing.T, s *schema.Array, col map[string]Column, n int, f OffsetsFormat) (x, y []int) {
	t.Helper()
	if s.Domain.Dimensions[0].Var() {
		ends := plainOffsets(t, col["x"], n, f)
		for i := range n {
			v := 0
			_, err := fmt.Sscanf(string(col["x"].Data[ends[i]:ends[i+1]]), "common prefix %d", &v)
			check(t, err)
			x = append(x, v)
		}
	} else {
		for _, v := range datatype.View[int32](col["x"].Data) {
			x = append(x, int(v))
		}
	}
	if s.Domain.Dimensions[1].Type == datatype.Float64 {
		for _, v := range datatype.View[float64](col["y"].Data) {
			y = append(y, int(2*v)-worldY0)
		}
		return x, y
	}
	for _, v := range datatype.View[int32](col["y"].Data) {
		y = append(y, int(v)-worldY0)
	}
	return x, y
}

// plainOffsets decodes an offsets column into n+1 positions.
func plainOffsets(t *testing.T, c Column, n int, f OffsetsFormat) []uint64 {
	t.Helper()
	var out []uint64
	if f.Bits == 32 {
		for _, o := range datatype.View[uint32](c.Offsets) {
			out = append(out, uint64(o))
		}
	} else {
		out = slices.Clone(datatype.View[uint64](c.Offsets))
	}
	if !f.Extra || n == 0 {
		out = append(out, uint64(len(c.Data)))
	}
	if len(out) != n+1 || out[n] != uint64(len(c.Data)) {
		t.Fatalf("offsets %v of %d cells in %d bytes", out, n, len(c.Data))
	}
	return out
}

// run answers a read with slabs of few cells, so that small arrays have several.
func run(a *array.Array, q *Read) (*Result, error) {
	r, err := newReading(context.Background(), a, q)
	if err != nil {
		return nil, err
	}
	r.slabCells = 9
	return r.answer(context.Background())
}

// inParts performs a read with random capacities until it is complete.
func inParts(t *testing.T, rng *rand.Rand, a *array.Array, r *Read) []string {
	t.Helper()
	var out []string
	for range 5000 {
		for i := range r.Fields {
			r.Fields[i].DataCap, r.Fields[i].OffsetsCap, r.Fields[i].ValidityCap = -1, -1, -1
			if rng.IntN(3) == 0 {
				r.Fields[i].DataCap = int64(rng.IntN(400))
				r.Fields[i].OffsetsCap = int64(rng.IntN(400))
				r.Fields[i].ValidityCap = int64(rng.IntN(40))
			}
		}
		res, err := run(a, r)
		check(t, err)
		for i, w := range r.Fields {
			c := res.Columns[i]
			for _, pair := range [][2]int64{{int64(len(c.Data)), w.DataCap}, {int64(len(c.Offsets)), w.OffsetsCap}, {int64(len(c.Validity)), w.ValidityCap}} {
				if pair[1] >= 0 && pair[0] > pair[1] {
					t.Fatalf("field %s: %d bytes for a capacity of %d", w.Name, pair[0], pair[1])
				}
			}
		}
		out = append(out, texts(t, a.Schema, res, r.Offsets)...)
		if r.Resume = res.Next; res.Next == nil {
			return out
		}
	}
	t.Fatal("the read does not end")
	return nil
}

func TestMetamorphic(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for round := range 60 {
		dense, dups := round%3 == 0, round%3 == 1
		writes := randomWrites(rng, dense, dups)
		for variant := range 3 {
			s := randomWorld(rng, dense, dups)
			a := makeWorld(t, s, writes)
			for range 8 {
				q := randomQuestion(rng, dense)
				t.Run(fmt.Sprintf("%d/%d/layout%d-cond%d", round, variant, q.layout, q.cond), func(t *testing.T) {
					q.compare(t, rng, a, writes)
				})
			}
		}
	}
}

// compare asks the array and the model, whole and in parts, with and without a budget.
func (q *question) compare(t *testing.T, rng *rand.Rand, a *array.Array, writes []worldWrite) {
	want := q.answer(a.Schema, writes)
	formats := []OffsetsFormat{{}, {Bits: 32}, {Extra: true}, {Bits: 32, Elements: true, Extra: true}}
	r := q.read(a.Schema)
	r.Offsets = formats[rng.IntN(len(formats))]
	r.Budget = pool.NewBudget(0)
	res, err := run(a, r)
	check(t, err)
	if res.Next != nil {
		t.Error("an unlimited read is incomplete")
	}
	q.same(t, "whole", a.Schema, texts(t, a.Schema, res, r.Offsets), want)
	if held := resultBytes(res); r.Budget.Used() != held {
		t.Errorf("%d bytes stay booked, the result has %d", r.Budget.Used(), held)
	}
	r.Budget = nil
	q.same(t, "in parts", a.Schema, inParts(t, rng, a, r), want)
	q.same(t, "on a budget", a.Schema, q.onBudget(t, a), want)
}

func resultBytes(res *Result) (n int64) {
	for _, c := range res.Columns {
		n += int64(len(c.Data) + len(c.Offsets) + len(c.Validity))
	}
	return n
}

// onBudget reads with little memory.
func (q *question) onBudget(t *testing.T, a *array.Array) []string {
	t.Helper()
	var out []string
	r := q.read(a.Schema)
	limit := int64(20_000)
	for range 1000 {
		r.Budget = pool.NewBudget(limit)
		res, err := run(a, r)
		if errors.Is(err, pool.ErrBudget) {
			if r.Budget.Used() != 0 {
				t.Fatalf("%d bytes stay booked after a failure", r.Budget.Used())
			}
			limit *= 2
			continue
		}
		check(t, err)
		if held := resultBytes(res); r.Budget.Used() != held {
			t.Fatalf("%d bytes stay booked, the result has %d", r.Budget.Used(), held)
		}
		out = append(out, texts(t, a.Schema, res, r.Offsets)...)
		if r.Resume = res.Next; res.Next == nil {
			return out
		}
	}
	t.Fatal("the read does not end")
	return nil
}

// same compares cells: in sequence, but for Unordered, and for cells at equal coordinates, which may swap.
func (q *question) same(t *testing.T, how string, s *schema.Array, got, want []string) {
	t.Helper()
	if s.AllowsDups && q.layout != schema.Unordered {
		place := func(c string) string { return strings.Join(strings.SplitN(c, ",", 3)[:2], ",") }
		for i := range min(len(got), len(want)) {
			if place(got[i]) != place(want[i]) {
				t.Fatalf("%s: cell %d is %s, want %s", how, i, got[i], want[i])
			}
		}
	}
	if s.AllowsDups || q.layout == schema.Unordered {
		got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %d cells, want %d\n got %v\nwant %v", how, len(got), len(want), got, want)
	}
}

func TestAggregatesAgreeWithReads(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for round := range 40 {
		dense, dups := round%3 == 0, round%3 == 1
		writes := randomWrites(rng, dense, dups)
		a := makeWorld(t, randomWorld(rng, dense, dups), writes)
		for range 6 {
			q := randomQuestion(rng, dense)
			q.x, q.y = q.x[:1], q.y[:1]
			got := aggregatesOf(t, a, &q)
			want := q.aggregates(a.Schema, writes)
			if !maps.Equal(got, want) {
				t.Fatalf("round %d, %+v:\n got %v\nwant %v", round, q, got, want)
			}
		}
	}
}

// aggregatesOf asks the array for aggregates of a and n.
func aggregatesOf(t *testing.T, a *array.Array, q *question) map[string]string {
	t.Helper()
	r := q.read(a.Schema)
	r.Fields, r.Layout = nil, schema.RowMajor
	r.Aggregates = []Aggregate{{"count", Count, ""}, {"sum", Sum, "a"}, {"min", Min, "a"}, {"max", Max, "s"}, {"nulls", NullCount, "n"}, {"sum n", Sum, "n"}}
	res, err := run(a, r)
	check(t, err)
	out := map[string]string{}
	for _, c := range res.Columns {
		out[c.Name] = fmt.Sprintf("%x", c.Data)
		if c.Validity != nil && c.Validity[0] == 0 {
			out[c.Name] = "null"
		}
	}
	return out
}

// aggregates computes them over the model's answer. In dense arrays only the count takes cells that were not written or
// fail the condition.
func (q *question) aggregates(s *schema.Array, writes []worldWrite) map[string]string {
	count, nulls, sum, lowest, floats, valid, longest := uint64(0), uint64(0), int64(0), int32(0), 0.0, 0, ""
	hits := 0
	for _, v := range cellsOf(s, writes) {
		if v.x < q.x[0][0] || v.x > q.x[0][1] || v.y < q.y[0][0] || v.y > q.y[0][1] || !conditions[q.cond].holds(v.point, v.cellValue) {
			continue
		}
		if hits++; hits == 1 || v.a < lowest {
			lowest = v.a
		}
		count, sum, longest = count+1, sum+int64(v.a), max(longest, v.s)
		if v.valid {
			floats, valid = floats+v.n, valid+1
		} else {
			nulls++
		}
	}
	if s.Type == schema.Dense {
		count = uint64((q.x[0][1] - q.x[0][0] + 1) * (q.y[0][1] - q.y[0][0] + 1))
	}
	out := map[string]string{"count": fmt.Sprintf("%x", datatype.Bytes([]uint64{count})), "sum": fmt.Sprintf("%x", datatype.Bytes([]int64{sum})),
		"min": fmt.Sprintf("%x", datatype.Bytes([]int32{lowest})), "max": fmt.Sprintf("%x", longest),
		"nulls": fmt.Sprintf("%x", datatype.Bytes([]uint64{nulls})), "sum n": fmt.Sprintf("%x", datatype.Bytes([]float64{floats}))}
	if valid == 0 {
		out["sum n"] = "null"
	}
	return out
}

func TestPositionRoundTrip(t *testing.T) {
	for _, p := range []position{{}, {1, 2}, {^uint64(0), ^uint64(0)}} {
		got, err := decodePosition(p.encode())
		if check(t, err); got != p {
			t.Errorf("%v became %v", p, got)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add(position{3, 4}.encode())
	f.Add([]byte{positionVersion, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePosition(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Error(err)
			}
			return
		}
		if again, err := decodePosition(p.encode()); err != nil || again != p {
			t.Errorf("%v became %v, %v", p, again, err)
		}
	})
}
