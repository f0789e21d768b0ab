package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/schema"
)

var update = flag.Bool("update", false, "rewrite the golden dumps in testdata")

// dumper prints bytes on the left and their meaning on the right. It knows the format by itself, so that a golden dump
// checks encoders without trusting decoders.
type dumper struct {
	b   []byte
	off int
	out strings.Builder
}

// line prints the next n bytes under a meaning.
func (d *dumper) line(n int, meaning string, args ...any) []byte {
	b := d.b[d.off : d.off+n]
	for i := 0; i == 0 || i < n; i += 16 {
		text := ""
		if i == 0 {
			text = "  " + fmt.Sprintf(meaning, args...)
		}
		fmt.Fprintf(&d.out, "%s\n", strings.TrimRight(fmt.Sprintf("%6d: %-47s%s", d.off+i, fmt.Sprintf("% x", b[i:min(i+16, n)]), text), " "))
	}
	d.off += n
	return b
}

func (d *dumper) u8(what string) int { v := int(d.b[d.off]); d.line(1, "%s %d", what, v); return v }
func (d *dumper) u32(what string) int {
	v := int(binary.LittleEndian.Uint32(d.b[d.off:]))
	d.line(4, "%s %d", what, v)
	return v
}
func (d *dumper) u64(what string) int {
	v := int(binary.LittleEndian.Uint64(d.b[d.off:]))
	d.line(8, "%s %d", what, v)
	return v
}
func (d *dumper) text(n int, what string) string {
	s := string(d.b[d.off : d.off+n])
	if n > 0 {
		d.line(n, "%s %q", what, s)
	}
	return s
}
func (d *dumper) bytes(n int, what string) {
	if n > 0 {
		d.line(n, "%s", what)
	}
}
func (d *dumper) head(format string, args ...any) { fmt.Fprintf(&d.out, "# "+format+"\n", args...) }

func (d *dumper) pipeline(what string) {
	d.u32(what + ": max chunk size")
	for range d.u32(what + ": filters") {
		code := d.u8("  filter")
		n := d.u32("  option bytes")
		d.bytes(n, "  options of "+filter.Code(code).String())
	}
}

// tile prints the header of the generic tile at off and then its payload by its own meaning. Compressed bytes, and with
// them the persisted size, are left out: they change with the compressor.
func dumpTile(t *testing.T, file []byte, meaning func(*dumper)) string {
	d := &dumper{b: file}
	d.u32("format version")
	d.out.WriteString("     4: (persisted size)\n")
	d.off = 12
	d.u64("tile size")
	d.u8("datatype")
	d.u64("cell size")
	d.u8("encryption")
	d.u32("pipeline size")
	d.pipeline("pipeline")
	p := &dumper{b: payloads(t, file, int64(len(file)))[0]}
	meaning(p)
	if p.off != len(p.b) {
		t.Errorf("%d of %d bytes dumped", p.off, len(p.b))
	}
	return d.out.String() + "# payload\n" + p.out.String()
}

// golden compares a dump with testdata/name.txt, or rewrites that with -update.
func golden(t *testing.T, name, dump string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(dump), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, name+".txt"); !bytes.Equal([]byte(dump), want) {
		t.Errorf("%s differs from what is written now (run with -update and look at the difference):\n%s", path, dump)
	}
}

// goldenSchema is an array with a bit of everything that a schema stores.
func goldenSchema() *schema.Array {
	a := schema.New(schema.Sparse)
	a.AllowsDups, a.TileOrder, a.Capacity = true, schema.ColMajor, 100
	a.Domain.Dimensions = []schema.Dimension{
		{Name: "d", Type: datatype.Int16, CellValNum: 1, Domain: datatype.Bytes([]int16{-3, 300}), Extent: datatype.Bytes([]int16{10})},
		{Name: "s", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Filters: filter.Pipeline{
			MaxChunk: 65536, Filters: []filter.Spec{filter.Compressor(filter.RLE, -1)}}},
	}
	f := schema.NewAttribute("a", datatype.Float32, 2)
	f.Filters.Filters = []filter.Spec{filter.Plain(filter.Byteshuffle), filter.Compressor(filter.LZ4, 5)}
	e := schema.NewAttribute("e", datatype.Uint8, 1)
	e.Nullable, e.Enumeration = true, "colours"
	a.Attributes = []schema.Attribute{f, e}
	a.Labels = []schema.DimensionLabel{{
		Name: "l", URI: "__labels/l0", Relative: true, Attribute: "label", Order: schema.IncreasingData, Type: datatype.Float64, CellValNum: 1,
	}}
	a.EnumerationNames = []string{"colours"}
	a.EnumerationFiles = map[string]string{"colours": "__0123_0"}
	a.CurrentDomain = &schema.CurrentDomain{Ranges: []schema.Range{
		{Lo: datatype.Bytes([]int16{0}), Hi: datatype.Bytes([]int16{9})}, {Lo: []byte("aa"), Hi: []byte("b")},
	}}
	return a
}

func TestGoldenSchema(t *testing.T) {
	file, err := EncodeArraySchema(goldenSchema())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "array_schema", dumpTile(t, file, func(d *dumper) {
		d.u32("format version")
		d.u8("allows duplicates")
		d.u8("array type")
		d.u8("tile order")
		d.u8("cell order")
		d.u64("capacity")
		d.pipeline("coordinate filters")
		d.pipeline("offsets filters")
		d.pipeline("validity filters")
		for range d.u32("dimensions") {
			d.text(d.u32("name length"), "name")
			size := datatype.Type(d.u8("  type")).Size()
			d.u32("  values per cell")
			d.pipeline("  filters")
			d.bytes(d.u64("  domain size"), "  domain")
			if d.u8("  null tile extent") == 0 {
				d.bytes(size, "  tile extent")
			}
		}
		dumpSchemaTail(d)
	}))
}

func dumpSchemaTail(d *dumper) {
	for range d.u32("attributes") {
		d.text(d.u32("name length"), "name")
		d.u8("  type")
		d.u32("  values per cell")
		d.pipeline("  filters")
		d.bytes(d.u64("  fill value size"), "  fill value")
		d.u8("  nullable")
		d.u8("  fill validity")
		d.u8("  order")
		d.text(d.u32("  enumeration name length"), "  enumeration")
	}
	for range d.u32("dimension labels") {
		d.u32("dimension")
		d.text(d.u32("  name length"), "  name")
		d.u8("  relative")
		d.text(d.u64("  URI length"), "  URI")
		d.text(d.u32("  attribute length"), "  attribute")
		d.u8("  order")
		d.u8("  type")
		d.u32("  values per cell")
		d.u8("  external")
	}
	for range d.u32("enumerations") {
		d.text(d.u32("name length"), "name")
		d.text(d.u32("  file name length"), "  file name")
	}
	d.u32("current domain version")
	d.u8("  empty")
	d.u8("  kind")
	d.bytes(4, "  range of d")
	n := d.u64("  range size of s")
	lo := d.u64("  range start size of s")
	d.text(lo, "  lo")
	d.text(n-lo, "  hi")
}

func TestGoldenEnumeration(t *testing.T) {
	file, err := EncodeEnumeration(&schema.Enumeration{
		Name: "colours", File: "__0123_0", Type: datatype.StringASCII, CellValNum: datatype.VarNum, Ordered: true,
		Data: []byte("redgreen"), Offsets: []uint64{0, 3, 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "enumeration", dumpTile(t, file, func(d *dumper) {
		d.u32("version")
		d.text(d.u32("name length"), "name")
		d.text(d.u32("file name length"), "file name")
		d.u8("type")
		d.u32("values per label")
		d.u8("ordered")
		d.text(d.u64("data size"), "labels")
		for n := d.u64("offsets size") / 8; n > 0; n-- {
			d.u64("offset")
		}
	}))
}

func TestGoldenMetadata(t *testing.T) {
	file, err := EncodeMetadata([]MetadataEntry{
		{Key: "gone", Deleted: true},
		{Key: "n", Type: datatype.Int32, Num: 2, Value: datatype.Bytes([]int32{1, -1})},
		{Key: "none", Type: datatype.StringUTF8},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "metadata", dumpTile(t, file, func(d *dumper) {
		for d.off < len(d.b) {
			d.text(d.u32("key length"), "key")
			if d.u8("  deleted") == 0 {
				size := datatype.Type(d.u8("  type")).Size()
				d.bytes(d.u32("  number of values")*size, "  values")
			}
		}
	}))
}

func TestGoldenGroup(t *testing.T) {
	file, err := EncodeGroupDetails([]GroupMember{
		{Type: ObjectArray, URI: "a", Relative: true, Name: "first", Named: true},
		{Type: ObjectGroup, URI: "file:///g", Deleted: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "group", dumpTile(t, file, func(d *dumper) {
		d.u32("version")
		for range d.u64("members") {
			d.u32("member version")
			d.u8("  object type")
			d.u8("  relative")
			d.text(d.u64("  URI length"), "  URI")
			if d.u8("  named") == 1 {
				d.text(d.u64("  name length"), "  name")
			}
			d.u8("  deleted")
		}
	}))
}

func TestGoldenDeleteCommit(t *testing.T) {
	file, err := EncodeDeleteCommit(&condition.Node{Op: condition.Or, Children: []*condition.Node{
		{Op: condition.GE, Field: "a", Value: datatype.Bytes([]int32{7})},
		{Op: condition.NotIn, Field: "s", Value: []byte("xyz"), Offsets: []uint64{0, 1}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var node func(d *dumper)
	node = func(d *dumper) {
		if d.u8("node type") == combinationNode {
			d.u8("  combination")
			for range d.u64("  children") {
				node(d)
			}
			return
		}
		op := d.u8("  operator")
		d.text(d.u32("  field length"), "  field")
		d.bytes(d.u64("  value size"), "  value")
		if op == int(condition.NotIn) {
			for n := d.u64("  offsets size") / 8; n > 0; n-- {
				d.u64("  offset")
			}
		}
	}
	golden(t, "delete_commit_file", dumpTile(t, file, node))
}

func TestGoldenCommits(t *testing.T) {
	file, err := EncodeConsolidatedCommits([]ConsolidatedCommit{
		{Path: "__commits/__1_1_a_22.wrt"}, {Path: "__commits/__2_2_b_22.del", Condition: []byte{1, '\n', 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &dumper{b: file}
	for d.off < len(file) {
		path := d.text(bytes.IndexByte(file[d.off:], '\n')+1, "path")
		if strings.HasSuffix(path, ".del\n") {
			d.bytes(d.u64("  condition size"), "  condition")
		}
	}
	golden(t, "consolidated_commits_file", d.out.String())
}

// TestUpdateCommit decodes a condition with values behind it, which must be whole.
func TestUpdateCommit(t *testing.T) {
	stored := &condition.Node{Op: condition.GE, Field: "a", Value: []byte{1, 2}}
	file, err := EncodeDeleteCommit(stored)
	if err != nil {
		t.Fatal(err)
	}
	payload, _, err := DecodeGenericTile(file)
	if err != nil {
		t.Fatal(err)
	}
	values := []byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'b', 2, 0, 0, 0, 0, 0, 0, 0, 7, 7}
	for cut := range values {
		file, err := AppendGenericTile(nil, append(payload[:len(payload):len(payload)], values[:cut]...))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeUpdateCommit(file); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	if file, err = AppendGenericTile(nil, append(payload, values...)); err != nil {
		t.Fatal(err)
	}
	if n, err := DecodeUpdateCommit(file); err != nil || !reflect.DeepEqual(n, stored) {
		t.Errorf("%+v, %v", n, err)
	}
}
