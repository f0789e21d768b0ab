package messages

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/oracle/pyenv"
	"azulejo/internal/wire"
	"azulejo/internal/wire/capnp"
	"azulejo/query"
	"azulejo/schema"
)

// judge is a folder of messages for testdata/judge.py.
type judge struct {
	*testing.T
	env pyenv.Env
	dir string
}

func newJudge(t *testing.T) judge {
	env, err := pyenv.Ensure(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return judge{t, env, t.TempDir()}
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
	if _, err := j.env.Script(nil, "testdata/judge.py", j.dir).Run(j.Context()); err != nil {
		j.Fatal(err)
	}
	refusals, _ := filepath.Glob(filepath.Join(j.dir, "*.error"))
	for _, path := range refusals {
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

// asShown returns a schema as clients are shown it: each dimension with the filters that its coordinates pass.
func asShown(v *schema.Array) *schema.Array {
	c := *v
	c.Domain.Dimensions = slices.Clone(v.Domain.Dimensions)
	for i := range c.Domain.Dimensions {
		c.Domain.Dimensions[i].Filters = v.DimensionFilters(i)
	}
	return &c
}

func TestSchemas(t *testing.T) {
	j := newJudge(t)
	names := []string{"dense", "image", "kinds", "small", "table"}
	for _, name := range names {
		b, err := wire.EncodeSchema(recordedSchema(t, name))
		j.put("schema-"+name+".bin", b, err)
	}
	j.run()
	for _, name := range names {
		back, err := wire.DecodeSchema(j.get("schema-" + name + ".back"))
		if err != nil {
			t.Fatal(name, err)
		}
		j.equal(name, sortEnumerations(back), asShown(sortEnumerations(recordedSchema(t, name))))
	}
}

func TestArray(t *testing.T) {
	j := newJudge(t)
	latest := recordedSchema(t, "table")
	entries := []format.MetadataEntry{{Key: "n", Type: datatype.Int32, Num: 2, Value: []byte{1, 0, 0, 0, 2, 0, 0, 0}}, {Key: "none", Type: datatype.StringUTF8}}
	ranges := []schema.Range{{Lo: little(int64(7)), Hi: little(int64(300))}, {Lo: []byte("aa"), Hi: []byte("ccc")}}
	array := &wire.Array{Type: wire.ReadQuery, Start: 3, End: 9, OpenedAt: 8, Latest: latest, Schemas: []*schema.Array{latest},
		HasNonEmptyDomain: true, NonEmptyDomain: ranges, HasMetadata: true, Metadata: entries}
	b, err := wire.EncodeArray(array)
	j.put("array-table.bin", b, err)
	b, err = wire.EncodeArray(&wire.Array{Type: wire.WriteQuery, End: 9, Latest: latest, HasNonEmptyDomain: true, HasMetadata: true})
	j.put("array-empty.bin", b, err)
	j.run()

	msg, err := capnplib.Unmarshal(j.get("array-table.back"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := capnp.ReadRootArray(msg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.ArraySchemaLatest()
	got, err2 := wire.DecodeSchema(alone(t, s.ToPtr(), err))
	j.equal("latest schema", []any{sortEnumerations(got), err2}, []any{asShown(sortEnumerations(latest)), nil})
	mode, err := m.QueryType()
	j.equal("mode", []any{mode, m.StartTimestamp(), m.OpenedAtEndTimestamp(), err}, []any{"READ", uint64(3), uint64(9), nil})
	metadata, err := m.ArrayMetadata()
	back, err2 := wire.DecodeMetadata(alone(t, metadata.ToPtr(), err))
	j.equal("metadata", []any{back, err2}, []any{entries, nil})
	domain, err := m.NonEmptyDomain()
	b, err2 = wire.EncodeNonEmptyDomain(ranges, latest.Domain.Dimensions)
	j.equal("non-empty domain", canonical(t, alone(t, domain.ToPtr(), err)), canonical(t, b))
	j.equal("encoding", err2, nil)
	j.get("array-empty.back")
}

func TestFragmentInfo(t *testing.T) {
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
	b, err := wire.EncodeFragmentInfo(sparse, []*schema.Array{sparse}, []wire.FragmentInfo{{
		Name: name, Start: 50, End: 60, NBytes: 1234, RTree: format.NewRTree(&sparse.Domain, leaves),
		Footer: &format.Footer{Version: 22, SchemaName: sparse.Name, Schema: sparse, NonEmptyDomain: ranges, SparseTiles: 1, LastTileCells: 3,
			FileSizes: sizes(sparse), VarSizes: sizes(sparse), ValiditySizes: sizes(sparse)},
	}}, []string{"__1_2_0123456789abcdef0123456789abcdef_22"})
	j.put("fragments-sparse.bin", b, err)
	b, err = wire.EncodeFragmentInfo(dense, []*schema.Array{dense}, []wire.FragmentInfo{{
		Name: name, Start: 50, End: 60, NBytes: 99,
		Footer: &format.Footer{Version: 22, SchemaName: dense.Name, Schema: dense, Dense: true, NonEmptyDomain: []schema.Range{{Lo: little(int32(2)), Hi: little(int32(4))}},
			FileSizes: sizes(dense), VarSizes: sizes(dense), ValiditySizes: sizes(dense)},
	}}, nil)
	j.put("fragments-dense.bin", b, err)
	b, err = wire.EncodeFragmentInfo(dense, []*schema.Array{dense}, nil, nil)
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

func TestReplies(t *testing.T) {
	j := newJudge(t)
	table, small := recordedSchema(t, "table"), recordedSchema(t, "small")
	b, err := wire.EncodeSchema(table)
	j.put("schema-table.bin", b, err)
	b, err = wire.EncodeSchema(small)
	j.put("schema-small.bin", b, err)
	reply := func(name, ask string, r *wire.Reply, err error) {
		t.Helper()
		var w bytes.Buffer
		if err == nil {
			_, err = r.WriteTo(&w)
		}
		j.put("reply-"+name+".bin", w.Bytes(), err)
		j.put("reply-"+name+".ask", []byte(ask), nil)
	}
	const next = "the place"
	part := query.Column{Name: "plain", Data: []byte("pqq"), Offsets: little([]uint64{0, 1})}
	ranges := recordedQuery(t, "table-incomplete-submit", table)
	r, err := ranges.EncodeRead(wire.Bare, &query.Result{Columns: []query.Column{part}, Next: &query.State{}}, next)
	reply("incomplete", `{"schema":"schema-table.bin","type":0,"layout":3,"fields":[["plain",40,40,0]]}`, r, err)
	dense := recordedQuery(t, "small-read-submit", small)
	columns := []query.Column{{Name: "w", Data: little([]int16{2, 3})}, {Name: "n", Data: little([]int64{8, 9}), Validity: []byte{0, 1}}}
	r, err = dense.EncodeRead(wire.Bare, &query.Result{Columns: columns}, "")
	reply("dense", `{"schema":"schema-small.bin","type":0,"layout":0,"fields":[["w",100,0,0],["n",100,0,100]]}`, r, err)
	write := recordedQuery(t, "small-write-submit", small)
	r, err = write.EncodeWritten(wire.Bare, []query.Written{{Fragment: "__5_6_0123456789abcdef0123456789abcdef_22", Start: 5, End: 6}}, "session")
	reply("write", `{"schema":"schema-small.bin","type":1,"layout":0,"fields":[]}`, r, err)
	remove := recordedQuery(t, "table-delete-submit", table)
	r, err = remove.EncodeDone(wire.Bare)
	reply("delete", `{"schema":"schema-table.bin","type":2,"layout":3,"fields":[]}`, r, err)
	j.run()

	var got struct {
		Status int
		Fields map[string]map[string]string
	}
	j.json("reply-incomplete.json", &got)
	j.equal("incomplete", got.Fields, map[string]map[string]string{"plain": {"data": hex.EncodeToString(part.Data), "offsets": hex.EncodeToString(part.Offsets)}})
	message, err := wire.OpenQuery(bytes.NewReader(j.get("reply-incomplete.back")))
	if err != nil {
		t.Fatal(err)
	}
	again, err := message.Query(table)
	if err != nil {
		t.Fatal(err)
	}
	j.equal("resumed", message.Cursor(), next)
	j.equal("selection", again.Read.Subarray, ranges.Read.Subarray)
	j.equal("capacity", again.Read.Fields, []query.Want{{Name: "plain", DataCap: 40, OffsetsCap: 40}})
	got.Fields = nil
	j.json("reply-dense.json", &got)
	j.equal("dense", got.Fields, map[string]map[string]string{"w": {"data": hex.EncodeToString(columns[0].Data)},
		"n": {"data": hex.EncodeToString(columns[1].Data), "validity": "0001"}})
	again, err = wire.DecodeQuery(bytes.NewReader(j.get("reply-dense.back")), small)
	if err != nil {
		t.Fatal(err)
	}
	j.equal("selection", again.Read.Subarray, dense.Read.Subarray)
	again, err = wire.DecodeQuery(bytes.NewReader(j.get("reply-write.back")), small)
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

// alone returns a part of a message as a message of its own.
func alone(t *testing.T, part capnplib.Ptr, err error) []byte {
	t.Helper()
	to, _, err2 := capnplib.NewMessage(capnplib.SingleSegment(nil))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if err := to.SetRoot(part); err != nil {
		t.Fatal(err)
	}
	b, err := to.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// canonical returns the one form that all messages of the same content share.
func canonical(t *testing.T, b []byte) string {
	t.Helper()
	msg, err := capnplib.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	root, err := msg.Root()
	if err != nil {
		t.Fatal(err)
	}
	c, err := capnplib.Canonicalize(root.Struct())
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(c)
}

// recorded returns a request body that package wire keeps for its own tests.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../wire/testdata/" + name + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recordedSchema returns the schema of one of the recorded arrays.
func recordedSchema(t *testing.T, name string) *schema.Array {
	t.Helper()
	s, err := wire.DecodeSchema(recorded(t, name+"-create"))
	if err != nil {
		t.Fatal(name, err)
	}
	return s
}

// recordedQuery returns a recorded query.
func recordedQuery(t *testing.T, name string, a *schema.Array) *wire.Query {
	t.Helper()
	q, err := wire.DecodeQuery(bytes.NewReader(recorded(t, name)), a)
	if err != nil {
		t.Fatal(name, err)
	}
	return q
}
