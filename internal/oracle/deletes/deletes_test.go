package deletes

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/oracle/launch"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/file"
)

var (
	seeds  = flag.String("deletes.seeds", "1", "seeds of the random arrays, separated by commas")
	number = flag.Int("deletes.arrays", 15, "random arrays per seed")
)

// answer is what is to be seen of an array: the cells in each order, and counts and sums, at each end of time.
type answer struct {
	Name  string       `json:"name"`
	Ends  []uint64     `json:"ends"`
	Dups  bool         `json:"dups"`
	Cells [][][]string `json:"cells"`
	Sums  [][2]int64   `json:"sums"`
}

// keyOf returns the key of an array: every fifth is encrypted.
func keyOf(t *testing.T, name string) *filter.Key {
	t.Helper()
	i, err := strconv.Atoi(name)
	if err != nil {
		t.Fatal(err)
	}
	if i%5 != 4 {
		return nil
	}
	key, err := filter.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// orders are the layouts in the order of an answer's cells.
var orders = []schema.Layout{schema.GlobalOrder, schema.Unordered, schema.RowMajor, schema.ColMajor}

// look answers by our own reading.
func look(t *testing.T, dir string, q answer) answer {
	t.Helper()
	out := answer{Name: q.Name, Ends: q.Ends, Dups: q.Dups}
	for _, end := range q.Ends {
		a, err := array.Open(t.Context(), file.New(), filepath.Join(dir, q.Name), array.Interval{End: end}, array.WithKey(keyOf(t, q.Name)))
		if err != nil {
			t.Fatalf("%s at %d: %v", q.Name, end, err)
		}
		var cells [][]string
		for _, layout := range orders {
			rows := rowsOf(t, a, layout)
			if layout == schema.Unordered || q.Dups {
				slices.Sort(rows)
			}
			cells = append(cells, rows)
		}
		out.Cells = append(out.Cells, cells)
		res, err := query.Run(t.Context(), a, &query.Read{Aggregates: []query.Aggregate{{Output: "n", Op: query.Count}, {Output: "s", Op: query.Sum, Field: "a"}}})
		if err != nil {
			t.Fatalf("%s at %d: %v", q.Name, end, err)
		}
		out.Sums = append(out.Sums, [2]int64{datatype.View[int64](res.Columns[0].Data)[0], datatype.View[int64](res.Columns[1].Data)[0]})
	}
	return out
}

// rowsOf returns all cells as texts: every other one in parts of a few cells.
func rowsOf(t *testing.T, a *array.Array, layout schema.Layout) []string {
	t.Helper()
	q := &query.Read{Layout: layout}
	for _, name := range []string{"x", "y", "a", "n", "s", "e", "late"} {
		if f, ok := a.Schema.Field(name); ok {
			want := query.Want{Name: name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1}
			if f.Dimension && layout != schema.RowMajor {
				want.DataCap = 4 * 7
			}
			q.Fields = append(q.Fields, want)
		}
	}
	rows := []string{}
	for {
		res, err := query.Run(t.Context(), a, q)
		if err != nil {
			t.Fatalf("%s: %v", a.URI, err)
		}
		for i := range int(res.Cells) {
			var parts []string
			for _, c := range res.Columns {
				f, _ := a.Schema.Field(c.Name)
				parts = append(parts, cellText(f, c, i))
			}
			rows = append(rows, strings.Join(parts, ":"))
		}
		if res.Next == nil {
			return rows
		}
		q.Resume = res.Next
	}
}

func cellText(f schema.Field, c query.Column, i int) string {
	switch {
	case c.Validity != nil && c.Validity[i] == 0:
		return "null"
	case f.Var():
		offsets, end := datatype.View[uint64](c.Offsets), uint64(len(c.Data))
		if i+1 < len(offsets) {
			end = offsets[i+1]
		}
		return string(c.Data[offsets[i]:end])
	case f.CellSize() == 1:
		return strconv.Itoa(int(int8(c.Data[i])))
	}
	return strconv.Itoa(int(datatype.View[int32](c.Data)[i]))
}

// compare compares answers about the same arrays.
func compare(t *testing.T, got, want []answer) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		for k, end := range w.Ends {
			for o := range orders {
				if !slices.Equal(g.Cells[k][o], w.Cells[k][o]) {
					t.Errorf("array %s at %d in layout %d:\n got %d %.300v\nwant %d %.300v", w.Name, end, orders[o], len(g.Cells[k][o]), g.Cells[k][o],
						len(w.Cells[k][o]), w.Cells[k][o])
					break
				}
			}
			if g.Sums[k] != w.Sums[k] {
				t.Errorf("array %s at %d: count and sum %v, want %v", w.Name, end, g.Sums[k], w.Sums[k])
			}
		}
	}
}

// python runs testdata/deletes.py and returns its answers.
func python(t *testing.T, args ...string) (out []answer) {
	t.Helper()
	launch.Answers(t, &out, filepath.Join("testdata", "deletes.py"), args...)
	return out
}

func TestWhatLibtiledbDeletes(t *testing.T) {
	for seed := range strings.SplitSeq(*seeds, ",") {
		dir := t.TempDir()
		want := python(t, "make", dir, seed, strconv.Itoa(*number))
		var got []answer
		for _, q := range want {
			got = append(got, look(t, dir, q))
		}
		compare(t, got, want)
	}
}

func TestWhatWeDelete(t *testing.T) {
	for seed := range strings.SplitSeq(*seeds, ",") {
		dir := t.TempDir()
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(n, 1))
		var questions []answer
		for i := range *number {
			questions = append(questions, makeArray(t, rng, dir, strconv.Itoa(i)))
		}
		raw, err := json.Marshal(questions)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "questions.json"), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []answer
		for _, q := range questions {
			got = append(got, look(t, dir, q))
		}
		compare(t, got, python(t, "look", dir))
	}
}

// maker makes a random array.
type maker struct {
	t    *testing.T
	rng  *rand.Rand
	fs   vfs.FS
	uri  string
	key  *filter.Key
	dups bool
	now  uint64
	// marks are the times at which something happened.
	marks []uint64
}

var colours = &schema.Enumeration{Name: "colours", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Ordered: true,
	Data: []byte("redgreenbluegrey"), Offsets: []uint64{0, 3, 8, 12}}

func makeArray(t *testing.T, rng *rand.Rand, dir, name string) answer {
	m := &maker{t: t, rng: rng, fs: file.New(), uri: filepath.Join(dir, name), key: keyOf(t, name), dups: rng.IntN(3) == 0}
	s := schema.New(schema.Sparse)
	s.Capacity, s.AllowsDups = []uint64{3, 8, 50}[rng.IntN(3)], m.dups
	s.CellOrder = []schema.Layout{schema.RowMajor, schema.ColMajor, schema.Hilbert}[rng.IntN(3)]
	for _, d := range []string{"x", "y"} {
		s.Domain.Dimensions = append(s.Domain.Dimensions, schema.Dimension{Name: d, Type: datatype.Int32, CellValNum: 1,
			Domain: datatype.Bytes([]int32{0, 19}), Extent: datatype.Bytes([]int32{[]int32{4, 5, 20}[rng.IntN(3)]})})
	}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1), schema.NewAttribute("n", datatype.Int32, 1),
		schema.NewAttribute("s", datatype.StringASCII, datatype.VarNum), schema.NewAttribute("e", datatype.Int8, 1)}
	s.Attributes[1].Nullable, s.Attributes[2].Nullable, s.Attributes[3].Enumeration = true, true, "colours"
	s.Attributes[0].Filters = filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: []filter.Spec{filter.Compressor(filter.Zstd, 3)}}
	s.Enumerations, s.EnumerationNames, s.EnumerationFiles = map[string]*schema.Enumeration{"colours": colours}, []string{"colours"}, map[string]string{"colours": ""}
	m.must(array.Create(t.Context(), m.fs, m.uri, s, array.WithKey(m.key)))
	m.write()
	for range 3 + rng.IntN(9) {
		switch rng.IntN(10) {
		case 0, 1, 2, 3:
			m.write()
		case 4, 5, 6, 7:
			m.delete()
		case 8, 9, 10:
			m.consolidate()
		default:
			from := m.marks[rng.IntN(len(m.marks))]
			_, err := array.DeleteFragments(t.Context(), m.fs, m.uri, array.Interval{Start: from, End: from + 2})
			m.must(err)
		}
	}
	ends := []uint64{m.now + 1}
	for range 3 {
		ends = append(ends, m.marks[rng.IntN(len(m.marks))])
	}
	return answer{Name: name, Ends: ends, Dups: m.dups}
}

func (m *maker) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *maker) tick() uint64 {
	m.now += uint64(1 + m.rng.IntN(3))
	m.marks = append(m.marks, m.now)
	return m.now
}

func (m *maker) open() *array.Array {
	a, err := array.Open(m.t.Context(), m.fs, m.uri, array.Latest(), array.ForWriting(), array.WithKey(m.key))
	m.must(err)
	return a
}

func (m *maker) write() {
	n := 1 + m.rng.IntN(30)
	var x, y, a, nulls []int32
	var texts, e, valid []byte
	var offsets []uint64
	for range n {
		x, y = append(x, int32(m.rng.IntN(20))), append(y, int32(m.rng.IntN(20)))
		a, nulls, e = append(a, int32(m.rng.IntN(10))), append(nulls, int32(m.rng.IntN(4))), append(e, byte(m.rng.IntN(4)))
		offsets, texts = append(offsets, uint64(len(texts))), append(texts, []string{"", "a", "ab", "b"}[m.rng.IntN(4)]...)
		valid = append(valid, byte(min(m.rng.IntN(4), 1)))
	}
	_, err := query.Submit(m.t.Context(), m.open(), &query.Write{Layout: schema.Unordered, Timestamp: m.tick(), DedupCoords: !m.dups, Columns: []query.Column{
		{Name: "x", Data: datatype.Bytes(x)}, {Name: "y", Data: datatype.Bytes(y)}, {Name: "a", Data: datatype.Bytes(a)},
		{Name: "n", Data: datatype.Bytes(nulls), Validity: valid}, {Name: "s", Data: texts, Offsets: datatype.Bytes(offsets), Validity: valid}, {Name: "e", Data: e}}})
	m.must(err)
}

func (m *maker) condition(depth int) *condition.Node {
	if depth < 3 && m.rng.IntN(3) == 0 {
		n := &condition.Node{Op: []condition.Op{condition.And, condition.Or, condition.Not}[m.rng.IntN(3)]}
		n.Children = append(n.Children, m.condition(depth+1))
		if n.Op != condition.Not {
			n.Children = append(n.Children, m.condition(depth+1))
		}
		return n
	}
	n := &condition.Node{Field: []string{"x", "a", "n", "s", "e"}[m.rng.IntN(5)], Op: condition.Op(m.rng.IntN(8)), UseEnumeration: true}
	members := 1
	if n.Op == condition.In || n.Op == condition.NotIn {
		members = 2
	}
	for range members {
		n.Offsets = append(n.Offsets, uint64(len(n.Value)))
		switch n.Field {
		case "s":
			n.Value = append(n.Value, []string{"c", "a", "ab", "b"}[m.rng.IntN(4)]...)
		case "e":
			n.Value = append(n.Value, colours.Label(m.rng.IntN(4))...)
		default:
			n.Value = append(n.Value, datatype.Bytes([]int32{int32(m.rng.IntN(10))})...)
		}
	}
	if members == 1 {
		n.Offsets = nil
	}
	return n
}

func (m *maker) delete() {
	at := m.tick()
	if m.rng.IntN(3) == 0 {
		at = m.marks[m.rng.IntN(len(m.marks))]
	}
	cond := m.condition(0)
	if m.rng.IntN(2) == 0 {
		few := &condition.Node{Field: "a", Op: condition.EQ, Value: datatype.Bytes([]int32{int32(m.rng.IntN(10))})}
		cond = &condition.Node{Op: condition.And, Children: []*condition.Node{cond, few}}
	}
	_, err := query.Delete(m.t.Context(), m.open(), cond, at)
	m.must(err)
}

// consolidate merges fragments or commits.
func (m *maker) consolidate() {
	o := consolidate.Options{Key: m.key, Purge: m.rng.IntN(3) == 0}
	mode := consolidate.ModeFragments
	if m.rng.IntN(3) == 0 {
		mode = consolidate.ModeCommits
	}
	m.must(consolidate.Run(m.t.Context(), m.fs, m.uri, mode, o))
	if m.rng.IntN(2) == 0 {
		m.must(consolidate.Vacuum(m.t.Context(), m.fs, m.uri, mode))
	}
}
