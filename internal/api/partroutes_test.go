package api

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// routeCell is a cell of the arrays below, of which the policy's fields are known.
type routeCell struct {
	x, y  int32
	a     int64
	b     float64
	valid bool
	s     string
	e     uint8
}

var routeWords = []string{"", "a", "bb", "long text"}

// routeCase is an array, what of it is shared, and the array of that part alone.
type routeCase struct {
	dense            bool
	shown, masked    []string
	box              map[string][]int32
	condition        string
	holds            func(routeCell) bool
	fragments        [][]routeCell
	policy           []byte
	whole, partAlone string
}

var routeAttributes = []string{"a", "b", "s", "e"}

func newRouteCase(rng *rand.Rand) *routeCase {
	c := &routeCase{dense: rng.IntN(2) == 0, box: map[string][]int32{}, holds: func(routeCell) bool { return true }}
	for _, name := range routeAttributes {
		if n := rng.IntN(4); n > 0 {
			c.shown = append(c.shown, name)
			if n == 1 {
				c.masked = append(c.masked, name)
			}
		}
	}
	if c.shown == nil {
		c.shown = []string{"s"}
	}
	for _, d := range []string{"x", "y"} {
		if rng.IntN(2) == 0 {
			lo := rng.Int32N(8)
			c.box[d] = []int32{lo, lo + rng.Int32N(8-lo)}
		}
	}
	v := rng.IntN(9)
	switch rng.IntN(5) {
	case 0:
		c.condition, c.holds = fmt.Sprintf(`{"field":"a","op":"<=","value":%d}`, v), func(k routeCell) bool { return k.a <= int64(v) }
	case 1:
		c.condition, c.holds = `{"field":"b","op":"!=","value":null}`, func(k routeCell) bool { return k.valid }
	case 2:
		c.condition, c.holds = `{"not":{"field":"e","op":"==","value":"red"}}`, func(k routeCell) bool { return k.e != 0 }
	case 3:
		c.condition = fmt.Sprintf(`{"any":[{"field":"s","op":"in","value":["a","bb"]},{"all":[{"field":"x","op":">","value":%d},{"field":"b","op":"<","value":3.5}]}]}`, v)
		c.holds = func(k routeCell) bool { return k.s == "a" || k.s == "bb" || int(k.x) > v && k.valid && k.b < 3.5 }
	}
	for range 1 + rng.IntN(3) {
		var list []routeCell
		x0, y0 := rng.Int32N(8), rng.Int32N(8)
		x1, y1 := x0+rng.Int32N(8-x0), y0+rng.Int32N(8-y0)
		for x := x0; x <= x1; x++ {
			for y := y0; y <= y1; y++ {
				if c.dense || rng.IntN(3) == 0 {
					list = append(list, routeCell{x, y, rng.Int64N(10), float64(rng.IntN(9)) / 2, rng.IntN(3) > 0, routeWords[rng.IntN(4)], uint8(rng.IntN(3))})
				}
			}
		}
		if len(list) > 0 {
			c.fragments = append(c.fragments, list)
		}
	}
	policy := map[string]any{"attributes": c.shown, "masked": c.masked, "ranges": c.box}
	if c.condition != "" {
		policy["condition"] = json.RawMessage(c.condition)
	}
	c.policy, _ = json.Marshal(policy)
	return c
}

func (c *routeCase) schema(names []string) *schema.Array {
	kind := schema.Sparse
	if c.dense {
		kind = schema.Dense
	}
	s := schema.New(kind)
	s.Capacity = 5
	for _, d := range []string{"x", "y"} {
		s.Domain.Dimensions = append(s.Domain.Dimensions, schema.Dimension{Name: d, Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 7}), Extent: datatype.Bytes([]int32{3})})
	}
	all := map[string]schema.Attribute{"a": schema.NewAttribute("a", datatype.Int64, 1), "b": schema.NewAttribute("b", datatype.Float64, 1),
		"s": schema.NewAttribute("s", datatype.StringUTF8, datatype.VarNum), "e": schema.NewAttribute("e", datatype.Uint8, 1)}
	for _, name := range names {
		at := all[name]
		at.Nullable = name == "b"
		if name == "e" && (len(names) == len(routeAttributes) && c.whole == "" || !slices.Contains(c.masked, "e")) {
			at.Enumeration = "colors"
			s.EnumerationNames, s.EnumerationFiles = []string{"colors"}, map[string]string{"colors": ""}
			s.Enumerations = map[string]*schema.Enumeration{"colors": {Name: "colors", Type: datatype.StringUTF8, CellValNum: datatype.VarNum, Data: []byte("redgreenblue"), Offsets: []uint64{0, 3, 8}}}
		}
		s.Attributes = append(s.Attributes, at)
	}
	return s
}

// write writes cells, which fill a box where the array is dense.
func (c *routeCase) write(t *testing.T, uri string, names []string, list []routeCell) {
	t.Helper()
	arr, err := array.Open(t.Context(), file.New(), uri, array.Latest(), array.ForWriting())
	must(t, err)
	w := &query.Write{Layout: schema.Unordered}
	column := func(get func(routeCell) int64) (out []int64) {
		for _, k := range list {
			out = append(out, get(k))
		}
		return out
	}
	narrow := func(in []int64) (out []int32) {
		for _, v := range in {
			out = append(out, int32(v))
		}
		return out
	}
	x, y := narrow(column(func(k routeCell) int64 { return int64(k.x) })), narrow(column(func(k routeCell) int64 { return int64(k.y) }))
	if c.dense {
		w.Layout = schema.RowMajor
		w.Subarray.Ranges = [][]schema.Range{{{Lo: datatype.Bytes([]int32{slices.Min(x)}), Hi: datatype.Bytes([]int32{slices.Max(x)})}},
			{{Lo: datatype.Bytes([]int32{slices.Min(y)}), Hi: datatype.Bytes([]int32{slices.Max(y)})}}}
	} else {
		w.Columns = append(w.Columns, cells.Of("x", x), cells.Of("y", y))
	}
	var b []float64
	var valid []bool
	var s []string
	var e []uint8
	for _, k := range list {
		b, valid, s, e = append(b, k.b), append(valid, k.valid), append(s, k.s), append(e, k.e)
	}
	all := map[string]query.Column{"a": cells.Of("a", column(func(k routeCell) int64 { return k.a })), "b": cells.Nullable(cells.Of("b", b), valid), "s": cells.Texts("s", s), "e": cells.Of("e", e)}
	for _, name := range names {
		w.Columns = append(w.Columns, all[name])
	}
	_, err = query.Submit(t.Context(), arr, w)
	must(t, err)
	waitMilli()
}

// make makes both arrays, registers them and shares them with bob; it returns how many cells the part has.
func (c *routeCase) make(t *testing.T, w *world, n int) int {
	t.Helper()
	whole, alone := fmt.Sprint("whole", n), fmt.Sprint("alone", n)
	uri := func(name string) string { return "file://" + w.Allowed + "/" + name }
	must(t, array.Create(t.Context(), file.New(), uri(whole), c.schema(routeAttributes)))
	c.whole, c.partAlone = whole, alone
	must(t, array.Create(t.Context(), file.New(), uri(alone), c.schema(c.shown)))
	newest := map[[2]int32]routeCell{}
	for _, list := range c.fragments {
		c.write(t, uri(whole), routeAttributes, list)
		for _, k := range list {
			newest[[2]int32{k.x, k.y}] = k
		}
	}
	fill := routeCell{a: -1 << 63, e: 255, s: "\x00"}
	var part []routeCell
	for _, k := range newest {
		inside := func(d string, v int32) bool { r, cut := c.box[d]; return !cut || r[0] <= v && v <= r[1] }
		if !inside("x", k.x) || !inside("y", k.y) || !c.holds(k) {
			continue
		}
		for _, name := range c.masked {
			switch name {
			case "a":
				k.a = fill.a
			case "b":
				k.valid = false
			case "s":
				k.s = fill.s
			case "e":
				k.e = fill.e
			}
		}
		part = append(part, k)
	}
	if c.dense {
		for _, k := range part {
			c.write(t, uri(alone), c.shown, []routeCell{k})
		}
	} else if len(part) > 0 {
		c.write(t, uri(alone), c.shown, part)
	}
	for _, name := range []string{whole, alone} {
		w.send(w.Full, post, "/v1/arrays/ann/"+name+"/register", `{"uri":"`+uri(name)+`"}`, 200, "")
	}
	w.sharePart(whole, "bob", string(c.policy), 204, "")
	w.sharePart(alone, "bob", "null", 204, "")
	w.sharePart(alone, "eve", "{}", 204, "") // for sizes, which are exact only of parts
	return len(part)
}

// TestRoutesOfParts asks every route that answers in JSON about random arrays of which a part is shared, and about arrays that
// hold the part alone. Routes of the engine's messages are judged by the real client (internal/oracle/cloud), the engine below
// them by many more cases (internal/oracle/metamorphic, TestParts).
func TestRoutesOfParts(t *testing.T) {
	w := newWorld(t)
	eve, rng := w.person("eve"), rand.New(rand.NewPCG(7, 1))
	asked := 0
	for n := range 25 {
		c := newRouteCase(rng)
		if c.make(t, w, n) == 0 && c.dense {
			continue // previews of dense arrays without cells have none, but a box has fill values
		}
		same := func(method, path, body string) {
			t.Helper()
			asked++
			by := w.Other
			if strings.HasPrefix(path, "/max_buffer_sizes") {
				by = eve
			}
			status, got := w.call(w.Other, method, "/v1/arrays/ann/"+c.whole+path, []byte(body))
			wantStatus, want := w.call(by, method, "/v1/arrays/ann/"+c.partAlone+path, []byte(body))
			if status != 200 {
				got, want = strings.ReplaceAll(got, c.whole, c.partAlone)[:20], want[:20] // but for the id of the request
			}
			if status != wantStatus || got != want {
				t.Fatalf("case %d: dense %t, policy %s\n%s %s\n%d %s\nwant\n%d %s", n, c.dense, c.policy, path, body, status, got, wantStatus, want)
			}
		}
		for range 12 {
			lo, top := rng.IntN(8), 0
			top = lo + rng.IntN(8-lo)
			same(post, "/query/submit_query_json", fmt.Sprintf(`{"query_ranges":{"layout":"row-major","ranges":[[%d,%d],[%d,7]]}}`, lo, top, rng.IntN(8)))
			same(post, "/query/submit_query_json", fmt.Sprintf(`{"fields":["%s","y"],"query_ranges":{"layout":"row-major","ranges":[[0,%d],[0,%d]]}}`, routeAttributes[rng.IntN(4)], top, lo))
			same(get, fmt.Sprintf("/max_buffer_sizes?subarray=%d,%d,0,7", lo, top), "")
		}
		same(get, "/metadata_json", "")
		same(post, "/query/submit_query_json", `{"query_ranges":{"layout":"row-major","ranges":[[0,7],[0,7]]}}`)
		if len(c.box) == 0 {
			same(get, "/non_empty_domain_json", "")
			if c.dense { // of sparse arrays the order is that of the fragments
				same(get, "/sample?samples=50", "")
			}
			same(post, "/query/submit_query_json", `{"query_ranges":{"layout":"row-major"}}`)
		} else {
			text := w.send(w.Other, get, "/v1/arrays/ann/"+c.whole+"/non_empty_domain_json", "", 200, "")
			for d, r := range c.box {
				if want := fmt.Sprintf(`"%s":[%d,%d]`, d, r[0], r[1]); text != "{}" && !strings.Contains(text, want) {
					t.Errorf("case %d: non-empty domain %s, want %s", n, text, want)
				}
			}
		}
	}
	if asked < 600 {
		t.Errorf("only %d questions", asked)
	}
}
