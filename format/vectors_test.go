package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/schema"
)

// fact is what vectors.json says of a file: libtiledb's own answers, for fragments.
type fact struct {
	Original string
	Fragment string
	Version  uint32
	Dense    bool
	Cells    uint64
	Domain   [][2]any
	MBRs     [][][2]any `json:"mbrs"`
	Files    map[string]uint64
	Names    []string
	Y        string
}

func vectors(t testing.TB) map[string]map[string]fact {
	var all map[string]map[string]fact
	if err := json.Unmarshal(read(t, "vectors/vectors.json"), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// read returns a file of testdata.
func read(t testing.TB, path string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readSchema decodes the schema file of a case.
func readSchema(t testing.TB, path string) *schema.Array {
	a, err := DecodeArraySchema(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// always returns a schemaOf that knows one schema.
func always(a *schema.Array) func(string) (*schema.Array, error) {
	return func(string) (*schema.Array, error) { return a, nil }
}

// payloads returns what the generic tiles that a file begins with hold, up to the footer.
func payloads(t testing.TB, file []byte, end int64) (all [][]byte) {
	for off := 0; int64(off) < end; {
		p, n, err := DecodeGenericTile(file[off:])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		off += n
	}
	return all
}

// samePayload compares two files of one generic tile each, whose compressed bytes may differ.
func samePayload(t *testing.T, got, want []byte) {
	t.Helper()
	if a, b := payloads(t, got, int64(len(got))), payloads(t, want, int64(len(want))); !reflect.DeepEqual(a, b) {
		t.Errorf("encoded again:\n%q\nwant:\n%q", a, b)
	}
}

func TestSchemaVectors(t *testing.T) {
	for name, files := range vectors(t) {
		for _, file := range slices.Sorted(maps.Keys(files)) {
			if !strings.HasPrefix(file, "schema") {
				continue
			}
			t.Run(name+"/"+file, func(t *testing.T) {
				original := read(t, "vectors/"+name+"/"+file)
				a := readSchema(t, "vectors/"+name+"/"+file)
				if err := a.Check(); err != nil && name != "filters" {
					t.Error(err)
				}
				again, err := EncodeArraySchema(a)
				if err != nil {
					t.Fatal(err)
				}
				if a.Version == Version {
					samePayload(t, again, original)
				}
				b, err := DecodeArraySchema(again)
				if err != nil {
					t.Fatal(err)
				}
				if b.Version = a.Version; !reflect.DeepEqual(a, b) {
					t.Errorf("decoded again:\n%+v\nwant:\n%+v", b, a)
				}
			})
		}
	}
}

func TestDenseSchemaValues(t *testing.T) {
	a := readSchema(t, "vectors/dense/schema0.tdb")
	le := func(v ...int32) []byte { return bytes.Clone(datatype.Bytes(v)) }
	zstd7 := filter.Pipeline{MaxChunk: 65536, Filters: []filter.Spec{filter.Compressor(filter.Zstd, 7)}}
	want := schema.Domain{Dimensions: []schema.Dimension{
		{Name: "row", Type: datatype.Int32, CellValNum: 1, Domain: le(1, 6), Extent: le(2), Filters: zstd7},
		{Name: "col", Type: datatype.Int32, CellValNum: 1, Domain: le(10, 17), Extent: le(4), Filters: zstd7},
	}}
	if !reflect.DeepEqual(a.Domain, want) {
		t.Errorf("domain %+v", a.Domain)
	}
	if a.Type != schema.Dense || a.CellOrder != schema.ColMajor || a.TileOrder != schema.RowMajor || a.Capacity != 77 || a.AllowsDups {
		t.Errorf("header %+v", a)
	}
	offsets := []filter.Spec{filter.Plain(filter.Bitshuffle), filter.Compressor(filter.Zstd, 1)}
	if got := a.OffsetsFilters.Filters; !reflect.DeepEqual(got, offsets) || len(a.CoordsFilters.Filters) != 0 {
		t.Errorf("offsets filters %v, coordinate filters %v", got, a.CoordsFilters)
	}
	var types []string
	for _, f := range a.Attributes {
		types = append(types, fmt.Sprintf("%s %s %d %v %x", f.Name, f.Type, int32(f.CellValNum), f.Nullable, f.Fill))
	}
	if want := []string{
		"i32 INT32 1 false f9ffffff", "f64 FLOAT64 1 false 000000000000f87f", "text STRING_ASCII -1 false 00",
		"maybe INT16 1 true 0080", "pair INT32 2 false 0000008000000080", "day DATETIME_DAY 1 false 0000000000000080",
		"letter CHAR 1 false 80",
	}; !slices.Equal(types, want) {
		t.Errorf("attributes %q", types)
	}
	wantFilters := []filter.Spec{filter.Reinterpreting(filter.DoubleDelta, -1, datatype.Any), filter.Compressor(filter.Gzip, 5)}
	if got := a.Attributes[0].Filters.Filters; !reflect.DeepEqual(got, wantFilters) {
		t.Errorf("filters %v", got)
	}
}

func TestLabelVectors(t *testing.T) {
	want := []schema.DimensionLabel{
		{Name: "position", URI: "__labels/l0", Relative: true, Attribute: "label", Order: schema.DecreasingData, Type: datatype.Float64, CellValNum: 1},
		{Name: "name", URI: "__labels/l1", Relative: true, Attribute: "label", Order: schema.IncreasingData, Type: datatype.StringASCII, CellValNum: datatype.VarNum},
	}
	if got := readSchema(t, "vectors/labels/schema0.tdb").Labels; !reflect.DeepEqual(got, want) {
		t.Errorf("labels %+v", got)
	}
}

func TestEnumerationVectors(t *testing.T) {
	a := readSchema(t, "vectors/enumerations/schema1.tdb")
	labels := map[string][]string{}
	for file, f := range vectors(t)["enumerations"] {
		if !strings.HasPrefix(file, "enumeration") {
			continue
		}
		original := read(t, "vectors/enumerations/"+file)
		e, err := DecodeEnumeration(original)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Check(); err != nil || e.File != f.Original {
			t.Errorf("%s is %q, %v", file, e.File, err)
		}
		again, err := EncodeEnumeration(e)
		if err != nil {
			t.Fatal(err)
		}
		samePayload(t, again, original)
		if a.EnumerationFiles[e.Name] == e.File {
			for i := range e.Len() {
				labels[e.Name] = append(labels[e.Name], string(e.Label(i)))
			}
		}
	}
	want := map[string][]string{"fruit": {"apple", "", "pear", "zucchini"}, "size": {"\x0a\x00", "\x14\x00", "\x28\x00"}}
	if !reflect.DeepEqual(labels, want) {
		t.Errorf("labels %q", labels)
	}
	if a.Attributes[0].Enumeration != "fruit" || len(a.Attributes) != 2 || a.Attributes[1].Name != "added" {
		t.Errorf("evolved attributes %+v", a.Attributes)
	}
	wantDomain := []schema.Range{{Lo: []byte{5, 0, 0, 0}, Hi: []byte{50, 0, 0, 0}}, {Lo: []byte("a"), Hi: []byte("mmm")}}
	if !reflect.DeepEqual(a.CurrentDomain, &schema.CurrentDomain{Ranges: wantDomain}) {
		t.Errorf("current domain %+v", a.CurrentDomain)
	}
}

func TestMetadataVectors(t *testing.T) {
	want := [][]MetadataEntry{{
		{Key: "bytes", Type: datatype.Blob, Num: 3, Value: []byte{0, 1, 0xFF}},
		{Key: "empty", Type: datatype.StringUTF8, Value: []byte{}},
		{Key: "floats", Type: datatype.Float64, Num: 2, Value: datatype.Bytes([]float64{1.5, -2.5})},
		{Key: "gone", Type: datatype.Int64, Num: 1, Value: []byte{1, 0, 0, 0, 0, 0, 0, 0}},
		{Key: "int", Type: datatype.Int64, Num: 1, Value: []byte{7, 0, 0, 0, 0, 0, 0, 0}},
		{Key: "text", Type: datatype.StringUTF8, Num: 6, Value: []byte("héllo")},
	}, {
		{Key: "gone", Deleted: true},
		{Key: "int", Type: datatype.Int64, Num: 1, Value: []byte{8, 0, 0, 0, 0, 0, 0, 0}},
	}}
	for i, w := range want {
		original := read(t, fmt.Sprintf("vectors/meta/meta%d.tdb", i))
		got, err := DecodeMetadata(original)
		own := slices.DeleteFunc(slices.Clone(got), func(e MetadataEntry) bool { return strings.HasPrefix(e.Key, "__np_") && e.Deleted })
		if err != nil || !reflect.DeepEqual(own, w) {
			t.Errorf("file %d: got %+v, error %v", i, own, err)
		}
		again, err := EncodeMetadata(got)
		if err != nil {
			t.Fatal(err)
		}
		samePayload(t, again, original)
	}
}

func TestGroupVectors(t *testing.T) {
	y := vectors(t)["group"]["group0.tdb"].Y
	sub := GroupMember{Type: ObjectGroup, URI: "sub", Relative: true}
	second := GroupMember{Type: ObjectArray, URI: y, Name: "second", Named: true}
	first := GroupMember{Type: ObjectArray, URI: "x", Relative: true, Name: "first", Named: true}
	gone := first
	gone.Deleted = true
	for file, want := range map[string]GroupDetails{
		"vectors/group/group0.tdb": {2, []GroupMember{first, second, sub}},
		"vectors/group/group1.tdb": {2, []GroupMember{gone, second, sub}},
		"upstream/group_v1.tdb":    {1, []GroupMember{{Type: ObjectGroup, URI: "subgroup1", Relative: true, Name: "subgroup1", Named: true}}},
	} {
		original := read(t, file)
		got, err := DecodeGroupDetails(original)
		if err != nil {
			t.Fatal(err)
		}
		byURI := func(a, b GroupMember) int { return strings.Compare(a.Name+a.URI, b.Name+b.URI) }
		again, err := EncodeGroupDetails(got.Members)
		if err != nil {
			t.Fatal(err)
		}
		if got.Version == GroupVersion {
			samePayload(t, again, original)
		}
		slices.SortFunc(got.Members, byURI)
		slices.SortFunc(want.Members, byURI)
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: got %+v", file, got)
		}
	}
}

func TestCommitVectors(t *testing.T) {
	facts := vectors(t)["commits"]
	file := read(t, "vectors/commits/all.con")
	commits, err := DecodeConsolidatedCommits(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	deletes := map[string][]byte{}
	for _, c := range commits {
		if HasCondition(c.Path) {
			deletes[strings.TrimPrefix(c.Path, "__commits/")] = c.Condition
		} else {
			names = append(names, strings.TrimPrefix(c.Path, "__commits/"))
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, facts["all.con"].Names) || len(deletes) != 2 {
		t.Errorf("commits %q and %d deletes", names, len(deletes))
	}
	for _, name := range []string{"first.del", "second.del"} {
		if !bytes.Equal(deletes[facts[name].Original], read(t, "vectors/commits/"+name)) {
			t.Errorf("%s is not the condition in the consolidated file", name)
		}
	}
	if again, err := EncodeConsolidatedCommits(commits); err != nil || !bytes.Equal(again, file) {
		t.Errorf("encoded again: %q, %v", again, err)
	}
	for name, prefix := range map[string]string{"fragments.vac": "/__fragments/", "fragments.ign": "__commits/"} {
		file := read(t, "vectors/commits/"+name)
		lines, err := DecodeLines(file)
		if err != nil || len(lines) != 3 || !strings.HasPrefix(lines[0], prefix) {
			t.Errorf("%s: %q, %v", name, lines, err)
		}
		if again, err := EncodeLines(lines); err != nil || !bytes.Equal(again, file) {
			t.Errorf("%s encoded again: %q, %v", name, again, err)
		}
	}
}

func TestDeleteVectors(t *testing.T) {
	i64 := func(v ...int64) []byte { return bytes.Clone(datatype.Bytes(v)) }
	leaf := func(op condition.Op, field string, value []byte) *condition.Node {
		return &condition.Node{Op: op, Field: field, Value: value}
	}
	for name, want := range map[string]*condition.Node{
		"first.del": {Op: condition.And, Children: []*condition.Node{
			leaf(condition.GE, "a", i64(5)),
			{Op: condition.Or, Children: []*condition.Node{leaf(condition.NE, "s", []byte("s9")), leaf(condition.EQ, "a", i64(9))}},
		}},
		"second.del": {Op: condition.NotIn, Field: "a", Value: i64(12, 18), Offsets: []uint64{0, 8}},
	} {
		original := read(t, "vectors/commits/"+name)
		got, err := DecodeDeleteCommit(original)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, error %v", name, got, err)
		}
		again, err := EncodeDeleteCommit(got)
		if err != nil {
			t.Fatal(err)
		}
		samePayload(t, again, original)
	}
}
