package maintain

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/oracle/launch"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/file"
)

var (
	seeds  = flag.String("maintain.seeds", "1", "seeds of the random arrays, separated by commas")
	number = flag.Int("maintain.arrays", 8, "random arrays per seed")
)

// answer is an array, how it was maintained, and its cells as texts at each end of time.
type answer struct {
	Name     string            `json:"name"`
	Dups     bool              `json:"dups"`
	Sparse   bool              `json:"sparse"`
	Ends     []uint64          `json:"ends"`
	Mode     string            `json:"mode"`
	Settings map[string]string `json:"settings"`
	Vacuum   bool              `json:"vacuum"`
	Failed   bool              `json:"failed"`
	Before   [][]string        `json:"before"`
	Cells    [][]string        `json:"cells"`
}

// program answers about random arrays.
var program = filepath.Join("testdata", "maintain.py")

// ask lets libtiledb look at our arrays, or do something to them first.
func ask(t *testing.T, verb, dir string, questions []answer) (out []answer) {
	t.Helper()
	launch.Ask(t, questions, &out, program, verb, dir)
	return out
}

// options turns libtiledb's settings into ours.
func options(t *testing.T, settings map[string]string) (o consolidate.Options) {
	t.Helper()
	number := func(key string) float64 {
		text, ok := settings["sm.consolidation."+key]
		if !ok {
			return 0
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	o.Steps, o.MinFragments, o.MaxFragments = uint32(number("steps")), uint32(number("step_min_frags")), uint32(number("step_max_frags"))
	o.SizeRatio, o.Amplification, o.MaxFragmentSize = float32(number("step_size_ratio")), number("amplification"), uint64(number("max_fragment_size"))
	o.At = array.Interval{Start: uint64(number("timestamp_start")), End: uint64(number("timestamp_end"))}
	o.Purge = settings["sm.consolidation.purge_deleted_cells"] == "true"
	return o
}

// cells reads all cells as texts, as maintain.py does.
func cells(t *testing.T, dir string, end uint64, dups bool) []string {
	t.Helper()
	a, err := array.Open(t.Context(), file.New(), dir, array.Interval{End: end})
	if err != nil {
		t.Fatalf("%s at %d: %v", dir, end, err)
	}
	q := &query.Read{Layout: schema.RowMajor}
	for _, name := range []string{"x", "y", "d", "a", "f", "n", "s", "late"} {
		if _, ok := a.Schema.Field(name); ok {
			q.Fields = append(q.Fields, query.Want{Name: name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1})
		}
	}
	res, err := query.Run(t.Context(), a, q)
	if err != nil {
		t.Fatalf("%s at %d: %v", dir, end, err)
	}
	rows := make([]string, res.Cells)
	for i := range rows {
		var parts []string
		for _, c := range res.Columns {
			f, _ := a.Schema.Field(c.Name)
			parts = append(parts, cellText(f, c, i))
		}
		rows[i] = strings.Join(parts, ":")
	}
	if dups {
		slices.Sort(rows)
	}
	return rows
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
	case c.Name == "f":
		if v := datatype.View[float64](c.Data)[i]; !math.IsNaN(v) {
			return strconv.Itoa(int(v * 4))
		}
		return "nan"
	}
	return strconv.Itoa(int(datatype.View[int32](c.Data)[i]))
}

// same compares cells at each end of time.
func same(t *testing.T, what string, q answer, ends []uint64, got, want [][]string) {
	t.Helper()
	for k, end := range ends {
		if slices.Equal(got[k], want[k]) {
			continue
		}
		for i := range max(len(got[k]), len(want[k])) {
			if i >= len(got[k]) || i >= len(want[k]) || got[k][i] != want[k][i] {
				t.Errorf("array %s (%s %v, vacuum %v) at %d, %s: %d cells, want %d; cell %d differs: %v, want %v", q.Name, q.Mode, q.Settings, q.Vacuum, end, what,
					len(got[k]), len(want[k]), i, got[k][min(i, len(got[k])):min(i+1, len(got[k]))], want[k][min(i, len(want[k])):min(i+1, len(want[k]))])
				break
			}
		}
	}
}

// merged describes the metadata of the merged fragments of an array that count, oldest first: all but sizes and places in
// files, which compressors decide.
func merged(t *testing.T, dir string) []string {
	t.Helper()
	a, err := array.Open(t.Context(), file.New(), dir, array.Latest())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, r := range a.Fragments() {
		n := r.Name()
		if n.Start == n.End {
			continue
		}
		b, err := vfs.ReadAll(t.Context(), file.New(), vfs.Join(r.URI(), "__fragment_metadata.tdb"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := format.DecodeFooter(b, int64(len(b)), n.Version, func(s string) (*schema.Array, error) { return a.SchemaOf(t.Context(), s) })
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, describe(t, f, b, n))
	}
	return list
}

func describe(t *testing.T, f *format.Footer, b []byte, n format.Name) string {
	var failed error
	checked := func(v any, err error) any {
		if err != nil && failed == nil {
			failed = err
		}
		return v
	}
	part := func(pos uint64) []byte { at, n := f.PartExtent(pos); return b[at : at+n] }
	var s strings.Builder
	fmt.Fprintln(&s, n.Start, n.End, f.SchemaName, f.Dense, f.HasTimestamps, f.HasDeletes, f.NonEmptyDomain, f.LastTileCells, f.SparseTiles)
	tree, err := f.DecodeRTree(part(f.Parts.RTree))
	if err == nil && !f.Dense {
		fmt.Fprintln(&s, *tree.Leaves())
	}
	summary, err2 := f.DecodeSummary(part(f.Parts.Summary))
	fmt.Fprintln(&s, checked(summary, err2), checked(f.DecodeProcessedConditions(part(f.Parts.ProcessedConditions))))
	for i := range f.FileSizes {
		mins, e1 := f.DecodeTileValues(part(f.Parts.Mins[i]), i)
		maxes, e2 := f.DecodeTileValues(part(f.Parts.Maxes[i]), i)
		sums, e3 := f.DecodeNumbers(part(f.Parts.Sums[i]), "sums", true)
		nulls, e4 := f.DecodeNumbers(part(f.Parts.NullCounts[i]), "null counts", true)
		failed = firstOf(failed, e1, e2, e3, e4)
		if n := len(nulls); n > 0 && nulls[n-1] == f.LastTileCells && mins.Var == nil {
			// Of a last tile of nothing but nulls libtiledb's global order writer says the greatest and the least value of the
			// type, of others zeros; nobody asks.
			mins.Fixed, maxes.Fixed = mins.Fixed[:len(mins.Fixed)/n*(n-1)], maxes.Fixed[:len(maxes.Fixed)/n*(n-1)]
		}
		fmt.Fprintln(&s, i, mins, maxes, sums, nulls)
	}
	if failed = firstOf(failed, err); failed != nil {
		t.Errorf("%d-%d: %v", n.Start, n.End, failed)
	}
	return s.String()
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestMaintenance consolidates and vacuums copies of libtiledb's arrays.
func TestMaintenance(t *testing.T) {
	for seed := range strings.SplitSeq(*seeds, ",") {
		dir := t.TempDir()
		var questions []answer
		launch.Answers(t, &questions, program, "make", dir, seed, strconv.Itoa(*number))
		compared, refused := 0, 0
		for _, q := range questions {
			ours, theirs := filepath.Join(dir, q.Name, "ours"), filepath.Join(dir, q.Name, "theirs")
			maintain(t, ours, q)
			if q.Failed {
				refused++
				continue
			}
			var got [][]string
			for _, end := range q.Ends {
				got = append(got, cells(t, theirs, end, q.Dups))
			}
			same(t, "theirs read by us", q, q.Ends, got, q.Cells)
			g, w := merged(t, ours), merged(t, theirs)
			if !slices.Equal(g, w) && q.Settings["sm.consolidation.max_fragment_size"] == "" {
				t.Errorf("array %s (%s %v): metadata of merged fragments\n%s\nwant\n%s", q.Name, q.Mode, q.Settings, strings.Join(g, ""), strings.Join(w, ""))
			}
			compared += len(w)
		}
		for i, got := range ask(t, "look", dir, questions) {
			q := questions[i]
			if q.Failed {
				last := len(q.Ends) - 1
				same(t, "ours where theirs failed", q, q.Ends[last:], got.Cells[last:], q.Before[last:])
				continue
			}
			same(t, "ours read by libtiledb", q, q.Ends, got.Cells, q.Cells)
		}
		failed := 0
		for i, got := range ask(t, "again", dir, questions) {
			q := questions[i]
			if got.Failed {
				failed++
			}
			same(t, "ours consolidated again by libtiledb", q, got.Ends, got.Cells, q.Before[len(q.Before)-1:])
		}
		t.Logf("seed %s: %d arrays, %d merged fragments compared; libtiledb failed at %d, and again at %d", seed, len(questions), compared, refused, failed)
	}
}

// maintain does what the question says.
func maintain(t *testing.T, dir string, q answer) {
	t.Helper()
	mode, err := consolidate.ParseMode(q.Mode)
	if err == nil {
		err = consolidate.Run(t.Context(), file.New(), dir, mode, options(t, q.Settings))
	}
	if err == nil && q.Vacuum {
		err = consolidate.Vacuum(t.Context(), file.New(), dir, mode)
	}
	if err != nil {
		t.Errorf("array %s (%s %v): %v", q.Name, q.Mode, q.Settings, err)
	}
}

// TestSplitVersions writes some cells several times in one millisecond and has the merged fragments split by size:
// libtiledb sees the newest versions, also when it has merged them again.
func TestSplitVersions(t *testing.T) {
	dir, fs := t.TempDir(), file.New()
	uri := filepath.Join(dir, "split", "ours")
	s := schema.New(schema.Sparse)
	s.Capacity = 3
	number := func(v int) []byte { return datatype.Bytes([]int32{int32(v)}) }
	for _, name := range []string{"x", "y"} {
		s.Domain.Dimensions = append(s.Domain.Dimensions, schema.Dimension{Name: name, Type: datatype.Int32, CellValNum: 1, Domain: append(number(1), number(20)...), Extent: number(4)})
	}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	err := os.Mkdir(filepath.Dir(uri), 0o700)
	if err == nil {
		err = array.Create(t.Context(), fs, uri, s)
	}
	if err != nil {
		t.Fatal(err)
	}
	for version := range 7 {
		a, err := array.Open(t.Context(), fs, uri, array.Latest(), array.ForWriting())
		if err != nil {
			t.Fatal(err)
		}
		w := &query.Write{Layout: schema.Unordered, Timestamp: 10, Columns: []query.Column{
			{Name: "x", Data: datatype.Bytes([]int32{1, 2, 3, 9})}, {Name: "y", Data: datatype.Bytes([]int32{5, 5, 5, 9})},
			{Name: "a", Data: datatype.Bytes([]int32{10, 20, 30, 40})}}}
		for i := range 4 {
			w.Columns[2].Data[4*i] += byte(version)
		}
		if _, err := query.Submit(t.Context(), a, w); err != nil {
			t.Fatal(err)
		}
	}
	made, err := consolidate.Fragments(t.Context(), fs, uri, consolidate.Options{MaxFragmentSize: 300})
	if err != nil || len(made) != 2 {
		t.Fatalf("split into %d fragments, error %v", len(made), err)
	}
	q := answer{Name: "split", Sparse: true, Ends: []uint64{10}}
	want := [][]string{{"1:5:16", "2:5:26", "3:5:36", "9:9:46"}}
	same(t, "read by us", q, q.Ends, [][]string{cells(t, uri, 10, false)}, want)
	same(t, "read by libtiledb", q, q.Ends, ask(t, "look", dir, []answer{q})[0].Cells, want)
	same(t, "merged by libtiledb", q, q.Ends, ask(t, "again", dir, []answer{q})[0].Cells, want)
}
