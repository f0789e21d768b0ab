package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/wire/capnp"
	"azulejo/query"
	"azulejo/schema"
)

// python names an interpreter that has the tiledb wheel. Package oracle has one and runs these tests with it; without it
// they are skipped, because nothing but libtiledb itself can tell whether libtiledb accepts a message.
var python = flag.String("python", "", "Python with the tiledb wheel, to judge our messages by libtiledb")

// judge is a folder of messages for testdata/judge.py.
type judge struct {
	*testing.T
	dir string
}

func newJudge(t *testing.T) judge {
	if *python == "" {
		t.Skip("needs -python, a Python with the tiledb wheel")
	}
	return judge{t, t.TempDir()}
}

// put adds a file to judge.
func (j judge) put(name string, b []byte, err error) {
	j.Helper()
	if err == nil {
		err = os.WriteFile(filepath.Join(j.dir, name), b, 0o600)
	}
	if err != nil {
		j.Fatal(name, err)
	}
}

// run has libtiledb read the files.
func (j judge) run() {
	j.Helper()
	out, err := exec.CommandContext(j.Context(), *python, "testdata/judge.py", j.dir).CombinedOutput()
	if err != nil {
		j.Fatalf("%v\n%s", err, out)
	}
	errors, _ := filepath.Glob(filepath.Join(j.dir, "*.error"))
	for _, path := range errors {
		text, _ := os.ReadFile(path)
		j.Errorf("libtiledb refuses %s: %s", filepath.Base(path), text)
	}
}

// get returns a file that libtiledb wrote.
func (j judge) get(name string) []byte {
	j.Helper()
	b, err := os.ReadFile(filepath.Join(j.dir, name))
	if err != nil {
		j.Fatal(err)
	}
	return b
}

// json reads a JSON file that judge.py wrote.
func (j judge) json(name string, v any) {
	j.Helper()
	if err := json.Unmarshal(j.get(name), v); err != nil {
		j.Fatal(err)
	}
}

// equal compares what libtiledb read with what we wrote.
func (j judge) equal(what string, got, want any) {
	j.Helper()
	if !reflect.DeepEqual(got, want) {
		j.Errorf("%s:\n got %s\nwant %s", what, show(got), show(want))
	}
}

// show returns v as JSON, which follows pointers.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestJudgeSchemas(t *testing.T) {
	j := newJudge(t)
	names := []string{"dense", "image", "kinds", "small", "table"}
	for _, name := range names {
		b, err := EncodeSchema(recordedSchema(t, name))
		j.put("schema-"+name+".bin", b, err)
	}
	j.run()
	for _, name := range names {
		back, err := DecodeSchema(j.get("schema-" + name + ".back"))
		if err != nil {
			t.Fatal(name, err)
		}
		j.equal(name, sortEnumerations(back), sortEnumerations(recordedSchema(t, name)))
	}
}

func TestJudgeArray(t *testing.T) {
	j := newJudge(t)
	latest := recordedSchema(t, "table")
	entries := []format.MetadataEntry{{Key: "n", Type: datatype.Int32, Num: 2, Value: []byte{1, 0, 0, 0, 2, 0, 0, 0}}, {Key: "none", Type: datatype.StringUTF8}}
	ranges := []schema.Range{{Lo: little(int64(7)), Hi: little(int64(300))}, {Lo: []byte("aa"), Hi: []byte("ccc")}}
	array := &Array{Type: ReadQuery, Start: 3, End: 9, OpenedAt: 8, Latest: latest, Schemas: []*schema.Array{latest},
		HasNonEmptyDomain: true, NonEmptyDomain: ranges, HasMetadata: true, Metadata: entries}
	b, err := EncodeArray(array)
	j.put("array-table.bin", b, err)
	b, err = EncodeArray(&Array{Type: WriteQuery, End: 9, Latest: latest, HasNonEmptyDomain: true, HasMetadata: true})
	j.put("array-empty.bin", b, err)
	j.run()

	root, err := openWhole(j.get("array-table.back"))
	if err != nil {
		t.Fatal(err)
	}
	m, p := capnp.Array(root), newPlace()
	s, err := m.ArraySchemaLatest()
	j.equal("latest schema", sortEnumerations(decodeSchema(p, s)), sortEnumerations(latest))
	mode, err2 := m.QueryType()
	j.equal("mode", []any{mode, m.StartTimestamp(), m.OpenedAtEndTimestamp(), err, err2}, []any{"READ", uint64(3), uint64(9), nil, nil})
	metadata, err := m.ArrayMetadata()
	j.equal("metadata", decodeMetadata(p, metadata, err), entries)
	domain, err := m.NonEmptyDomain()
	j.equal("non-empty domain", decodeNonEmptyDomain(p, domain, err), ranges)
	j.get("array-empty.back")
}

func TestJudgeFragmentInfo(t *testing.T) {
	j := newJudge(t)
	sparse, dense := recordedSchema(t, "table"), recordedSchema(t, "small")
	lo, hi := little(int64(7)), little(int64(300))
	ranges := []schema.Range{{Lo: lo, Hi: hi}, {Lo: []byte("aa"), Hi: []byte("ccc")}}
	leaves := format.RTreeLevel{NumBoxes: 1, Columns: make([]format.RangeColumn, 2)}
	for d := range ranges {
		leaves.Columns[d].Append(&sparse.Domain.Dimensions[d], ranges[d])
	}
	sizes := func(s *schema.Array) []uint64 { return make([]uint64, format.NewSlots(s, false, false).Len()) }
	const name = "__50_60_0123456789abcdef0123456789abcdef_22"
	b, err := EncodeFragmentInfo(sparse, []*schema.Array{sparse}, []FragmentInfo{{
		Name: name, Start: 50, End: 60, NBytes: 1234, RTree: format.NewRTree(&sparse.Domain, leaves),
		Footer: &format.Footer{Version: 22, SchemaName: sparse.Name, Schema: sparse, NonEmptyDomain: ranges, SparseTiles: 1, LastTileCells: 3,
			FileSizes: sizes(sparse), VarSizes: sizes(sparse), ValiditySizes: sizes(sparse)},
	}}, []string{"__1_2_0123456789abcdef0123456789abcdef_22"})
	j.put("fragments-sparse.bin", b, err)
	b, err = EncodeFragmentInfo(dense, []*schema.Array{dense}, []FragmentInfo{{
		Name: name, Start: 50, End: 60, NBytes: 99,
		Footer: &format.Footer{Version: 22, SchemaName: dense.Name, Schema: dense, Dense: true, NonEmptyDomain: []schema.Range{{Lo: little(int32(2)), Hi: little(int32(4))}},
			FileSizes: sizes(dense), VarSizes: sizes(dense), ValiditySizes: sizes(dense)},
	}}, nil)
	j.put("fragments-dense.bin", b, err)
	b, err = EncodeFragmentInfo(dense, []*schema.Array{dense}, nil, nil)
	j.put("fragments-none.bin", b, err)
	j.run()

	type fragment struct {
		Name, URI, Schema, Domain string
		Size, Cells               uint64
		Times                     [2]uint64
		Dense, Version            int
		Boxes                     []string
	}
	var got struct {
		Fragments []fragment
		Vacuum    []string
	}
	box := hex.EncodeToString(append(lo, hi...))
	j.json("fragments-sparse.json", &got)
	j.equal("sparse", got.Fragments, []fragment{{Name: name, URI: "tiledb://ns/a/__fragments/" + name, Schema: sparse.Name, Domain: box,
		Size: 1234, Cells: 3, Times: [2]uint64{50, 60}, Version: 22, Boxes: []string{box}}})
	j.equal("to vacuum", got.Vacuum, []string{"tiledb://ns/a/__fragments/__1_2_0123456789abcdef0123456789abcdef_22"})
	got.Fragments = nil
	j.json("fragments-dense.json", &got)
	j.equal("dense", got.Fragments, []fragment{{Name: name, URI: "tiledb://ns/a/__fragments/" + name, Schema: dense.Name,
		Domain: "0200000004000000" + strings.Repeat("0", 16), Size: 99, Cells: 6, Times: [2]uint64{50, 60}, Dense: 1, Version: 22}})
	got.Fragments = nil
	j.json("fragments-none.json", &got)
	j.equal("none", len(got.Fragments), 0)
}

func TestJudgeReplies(t *testing.T) {
	j := newJudge(t)
	table, small := recordedSchema(t, "table"), recordedSchema(t, "small")
	b, err := EncodeSchema(table)
	j.put("schema-table.bin", b, err)
	b, err = EncodeSchema(small)
	j.put("schema-small.bin", b, err)
	reply := func(name, ask string, r *Reply, err error) {
		t.Helper()
		var w bytes.Buffer
		if err == nil {
			_, err = r.WriteTo(&w)
		}
		j.put("reply-"+name+".bin", w.Bytes(), err)
		j.put("reply-"+name+".ask", []byte(ask), nil)
	}
	next := &query.State{Fragments: []string{"__1_1_0123456789abcdef0123456789abcdef_22"}, Position: []byte{1, 2, 3}}
	part := query.Column{Name: "plain", Data: []byte("pqq"), Offsets: little([]uint64{0, 1})}
	ranges, _ := recordedQuery(t, "table-incomplete-submit", table)
	r, err := ranges.EncodeRead(Bare, &query.Result{Columns: []query.Column{part}, Next: next})
	reply("incomplete", `{"schema":"schema-table.bin","type":0,"layout":3,"fields":[["plain",40,40,0]]}`, r, err)
	dense, _ := recordedQuery(t, "small-read-submit", small)
	columns := []query.Column{{Name: "w", Data: little([]int16{2, 3})}, {Name: "n", Data: little([]int64{8, 9}), Validity: []byte{0, 1}}}
	r, err = dense.EncodeRead(Bare, &query.Result{Columns: columns})
	reply("dense", `{"schema":"schema-small.bin","type":0,"layout":0,"fields":[["w",100,0,0],["n",100,0,100]]}`, r, err)
	write, _ := recordedQuery(t, "small-write-submit", small)
	r, err = write.EncodeWritten(Bare, []query.Written{{Fragment: "__5_6_0123456789abcdef0123456789abcdef_22", Start: 5, End: 6}}, "session")
	reply("write", `{"schema":"schema-small.bin","type":1,"layout":0,"fields":[]}`, r, err)
	remove, _ := recordedQuery(t, "table-delete-submit", table)
	r, err = remove.EncodeDone(Bare)
	reply("delete", `{"schema":"schema-table.bin","type":2,"layout":3,"fields":[]}`, r, err)
	j.run()

	var got struct {
		Status int
		Fields map[string]map[string]string
	}
	j.json("reply-incomplete.json", &got)
	j.equal("incomplete", got.Fields, map[string]map[string]string{"plain": {"data": hex.EncodeToString(part.Data), "offsets": hex.EncodeToString(part.Offsets)}})
	again, err := DecodeQuery(bytes.NewReader(j.get("reply-incomplete.back")), table)
	if err != nil {
		t.Fatal(err)
	}
	j.equal("resumed", again.Read.Resume, next)
	j.equal("selection", again.Read.Subarray, ranges.Read.Subarray)
	j.equal("capacity", again.Read.Fields, []query.Want{{Name: "plain", DataCap: 40, OffsetsCap: 40}})
	got.Fields = nil
	j.json("reply-dense.json", &got)
	j.equal("dense", got.Fields, map[string]map[string]string{"w": {"data": hex.EncodeToString(columns[0].Data)},
		"n": {"data": hex.EncodeToString(columns[1].Data), "validity": "0001"}})
	again, err = DecodeQuery(bytes.NewReader(j.get("reply-dense.back")), small)
	if err != nil {
		t.Fatal(err)
	}
	j.equal("selection", again.Read.Subarray, dense.Read.Subarray)
	again, err = DecodeQuery(bytes.NewReader(j.get("reply-write.back")), small)
	if err != nil {
		t.Fatal(err)
	}
	j.equal("session", []any{again.Session, again.Write.CheckDups, again.Write.CheckOutOfBounds}, []any{"session", true, true})
}

// little returns the little-endian form of a value or slice.
func little(v any) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err)
	}
	return b
}

// sortEnumerations orders the names of a schema's enumerations, which libtiledb keeps in no order.
func sortEnumerations(s *schema.Array) *schema.Array {
	c := *s
	c.EnumerationNames = nil
	return &c
}

// decodeNonEmptyDomain reads a non-empty domain back; only tests need to.
func decodeNonEmptyDomain(p *place, m capnp.NonEmptyDomainList, err error) []schema.Range {
	p.check(err)
	list, err := m.NonEmptyDomains()
	v := make([]schema.Range, p.length(list, err))
	for i := range v {
		d, err := list.At(i).NonEmptyDomain()
		p.check(err)
		b := decodeDomainArray(p, datatype.KindUint8, d)
		cut := len(b) / 2
		if sizes, err := list.At(i).Sizes(); p.length(sizes, err) > 0 {
			cut = int(sizes.At(0))
		}
		v[i] = schema.Range{Lo: b[:cut], Hi: b[cut:]}
	}
	return v
}
