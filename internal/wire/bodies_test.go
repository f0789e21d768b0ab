package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

func TestDecodeArrayOpen(t *testing.T) {
	o, err := DecodeArrayOpen(recorded(t, "table-open-write-open"))
	latest, all := o.WantsEnumerations()
	if err != nil || o.Type != WriteQuery || o.Type.String() != "WRITE" || !o.WantsMetadata() || !o.WantsNonEmptyDomain() || latest || all {
		t.Error(o.Type, latest, all, err)
	}
	if o.Config["sm.var_offsets.mode"] != "bytes" || o.Config.Uint64("sm.var_offsets.bitsize", 0) != 64 || o.Config.Bool("rest.load_metadata_on_array_open", false) != true {
		t.Error("settings:", o.Config)
	}
	for key, value := range o.Config {
		if !strings.HasPrefix(key, "sm.") && !strings.HasPrefix(key, "rest.load_") || strings.Contains(value, "secret") {
			t.Errorf("%s is kept", key)
		}
	}
	if c := (Config{"a": "x"}); c.Bool("a", true) != true || c.Uint64("a", 7) != 7 {
		t.Error("settings that are neither")
	}
}

func TestEncodeArray(t *testing.T) {
	latest := recordedSchema(t, "table")
	b, err := EncodeArray(&Array{Type: DeleteQuery, Start: 5, End: 1<<64 - 1, OpenedAt: 70, Latest: latest, Schemas: []*schema.Array{latest, latest}})
	if err != nil {
		t.Fatal(err)
	}
	root, err := openWhole(b)
	if err != nil {
		t.Fatal(err)
	}
	m := capnp.Array(root)
	mode, _ := m.QueryType()
	directory, _ := m.ArrayDirectory()
	schemas, _ := m.ArraySchemasAll()
	entries, _ := schemas.Entries()
	if mode != "DELETE" || m.EndTimestamp() != 1<<64-1 || directory.TimestampStart() != 5 || directory.TimestampEnd() != 70 || entries.Len() != 2 {
		t.Error(mode, m.EndTimestamp(), directory.TimestampStart(), directory.TimestampEnd(), entries.Len())
	}
	if m.HasNonEmptyDomain() || m.HasArrayMetadata() || m.HasUri() {
		t.Error("the answer holds what nobody asked for")
	}
}

func TestDecodeEvolution(t *testing.T) {
	v, err := DecodeEvolution(recorded(t, "table-evolve-evolve"))
	if err != nil {
		t.Fatal(err)
	}
	extra := v.AddAttributes[0]
	if len(v.AddAttributes) != 1 || extra.Name != "extra" || extra.Type != datatype.Int16 || !extra.Nullable || !reflect.DeepEqual(v.DropAttributes, []string{"v"}) {
		t.Error("attributes:", show(v))
	}
	if e := v.ExtendEnumerations[0]; e.Name != "colors" || string(e.Data) != "redgreenblueblack" || len(e.Offsets) != 4 {
		t.Error("extended:", show(e))
	}
	if e := v.AddEnumerations[0]; e.Name != "more" || string(e.Data) != "uvv" || v.DropEnumerations != nil {
		t.Error("added:", show(e))
	}
	ranges := []schema.Range{{Lo: little(int64(0)), Hi: little(int64(900))}, {Lo: []byte("a"), Hi: []byte("zzz")}}
	if v.Timestamp != 60 || !reflect.DeepEqual(v.ExpandCurrentDomain.Ranges, ranges) {
		t.Error(v.Timestamp, show(v.ExpandCurrentDomain))
	}
}

func TestEnumerations(t *testing.T) {
	names, err := DecodeLoadEnumerations(recorded(t, "table-enumerations-enumerations"))
	if err != nil || !reflect.DeepEqual(names, []string{"colors"}) {
		t.Error(names, err)
	}
	table := recordedSchema(t, "table")
	for schemas := 1; schemas <= 2; schemas++ {
		b, err := EncodeAllEnumerations([]*schema.Array{table, table}[:schemas])
		if err != nil {
			t.Fatal(err)
		}
		root, err := openWhole(b)
		if err != nil {
			t.Fatal(err)
		}
		m, p := capnp.LoadEnumerationsResponse(root), newPlace()
		list, err := m.Enumerations()
		if schemas == 2 {
			all, _ := m.AllEnumerations()
			entries, _ := all.Entries()
			if key, _ := entries.At(1).Key(); key != table.Name || entries.Len() != 2 || m.HasEnumerations() {
				t.Error(key, entries.Len())
			}
			list, err = entries.At(1).Value()
		}
		if got := decodeEnumerationList(p, list, err); !reflect.DeepEqual(got, loadedEnumerations(table)) || len(got) != 2 {
			t.Errorf("of %d schemas: %s", schemas, show(got))
		}
	}
}

func TestMetadata(t *testing.T) {
	entries, err := DecodeMetadata(recorded(t, "table-metadata-array_metadata"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]format.MetadataEntry{}
	for _, e := range entries {
		key := e.Key
		e.Key = ""
		got[key] = e
	}
	want := map[string]format.MetadataEntry{
		"int":   {Type: datatype.Int64, Num: 1, Value: little(int64(42))},
		"text":  {Type: datatype.StringUTF8, Num: 7, Value: []byte("grüße")},
		"list":  {Type: datatype.Float64, Num: 2, Value: little([]float64{1.5, 2.5})},
		"empty": {Type: datatype.StringUTF8},
		"bytes": {Type: datatype.Blob, Num: 2, Value: []byte{0, 1}},
	}
	for key := range want {
		if !reflect.DeepEqual(got[key], want[key]) {
			t.Errorf("%s: got %s, want %s", key, show(got[key]), show(want[key]))
		}
	}
	removed, err := DecodeMetadata(recorded(t, "table-metadata-delete-array_metadata"))
	if err != nil || len(removed) != 3 || removed[2].Key != "int" || !removed[2].Deleted {
		t.Error("deletion:", show(removed), err)
	}
	b, err := EncodeMetadata(append(entries, removed...))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := DecodeMetadata(b); err != nil || !reflect.DeepEqual(again, append(entries, removed...)) {
		t.Error("round trip:", show(again), err)
	}
	if b, err := EncodeMetadata(nil); err != nil || len(b) == 0 {
		t.Error("no entries:", len(b), err)
	}
	_, seg, _ := capnplib.NewMessage(capnplib.SingleSegment(nil))
	m, _ := capnp.NewRootArrayMetadata(seg)
	list, _ := m.NewEntries(1)
	list.At(0).SetType("INT32")
	list.At(0).SetValueNum(2)
	list.At(0).SetValue(make([]byte, 7))
	b, _ = seg.Message().Marshal()
	if _, err := DecodeMetadata(b); !errors.Is(err, ErrMalformed) || !strings.HasPrefix(err.Error(), "entries[0].value: ") {
		t.Error(err)
	}
}

func TestNonEmptyDomain(t *testing.T) {
	dims := recordedSchema(t, "table").Domain.Dimensions
	want := []schema.Range{{Lo: little(int64(-3)), Hi: little(int64(9))}, {Lo: []byte("b"), Hi: []byte("aaa")}}
	for _, ranges := range [][]schema.Range{want, nil} {
		b, err := EncodeNonEmptyDomain(ranges, dims)
		if err != nil {
			t.Fatal(err)
		}
		root, err := openWhole(b)
		if err != nil {
			t.Fatal(err)
		}
		m, p := capnp.NonEmptyDomainList(root), newPlace()
		if got := decodeNonEmptyDomain(p, m, nil); len(got) != len(ranges) || len(got) > 0 && !reflect.DeepEqual(got, ranges) {
			t.Error(show(got), p.err())
		}
		if cells, err := DecodeHasCells(b); err != nil || cells != (ranges != nil) {
			t.Error(cells, err)
		}
	}
}

func TestGroups(t *testing.T) {
	uri, err := DecodeGroupCreate(recorded(t, "group-create-group"))
	if err != nil || uri != "g" {
		t.Errorf("create: %q %v", uri, err)
	}
	update, err := DecodeGroupUpdate(recorded(t, "group-add-update"))
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]format.GroupMember{}
	for _, m := range update.Add {
		members[m.Name] = m
	}
	first := format.GroupMember{Type: format.ObjectArray, URI: "tiledb://ns/table", Name: "first", Named: true}
	if len(update.Add) != 2 || members["first"] != first || members["small"].URI != "tiledb://ns/small" || update.Remove != nil {
		t.Error("add:", show(update))
	}
	update, err = DecodeGroupUpdate(recorded(t, "group-remove-update"))
	if err != nil || !reflect.DeepEqual(update.Remove, []string{"tiledb://ns/table"}) || update.Add != nil {
		t.Error("remove:", show(update), err)
	}
	metadata, err := DecodeGroupMetadata(recorded(t, "group-add-groupmeta"))
	want := format.MetadataEntry{Key: "k", Type: datatype.Float64, Num: 1, Value: little(1.5)}
	if err != nil || len(metadata) != 3 || !reflect.DeepEqual(metadata[2], want) || !metadata[0].Deleted {
		t.Error("metadata:", show(metadata), err)
	}
	b, err := EncodeGroup([]format.GroupMember{first, {Type: format.ObjectGroup, URI: "x", Relative: true}, {Type: format.ObjectArray, URI: "y", Deleted: true}}, metadata)
	if err != nil {
		t.Fatal(err)
	}
	root, err := openWhole(b)
	if err != nil {
		t.Fatal(err)
	}
	m, p := capnp.Group_GroupDetails(root), newPlace()
	list, _ := m.Members()
	if list.Len() != 2 || decodeGroupMember(p, list.At(0)) != first || decodeGroupMember(p, list.At(1)) != (format.GroupMember{Type: format.ObjectGroup, URI: "x", Relative: true}) {
		t.Error("details:", list.Len(), p.err())
	}
	again, err := m.Metadata()
	if got := decodeMetadata(p, again, err); !reflect.DeepEqual(got, metadata) {
		t.Error("details:", show(got))
	}
}

func TestConfigRequest(t *testing.T) {
	c, err := DecodeConfigRequest(recorded(t, "table-fragments-fragment_info"))
	if err != nil || c["sm.var_offsets.mode"] != "bytes" {
		t.Error(len(c), err)
	}
}

// FuzzBodies has every decoder read whatever comes: none may panic, and each says what is wrong in one of three ways.
func FuzzBodies(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		decode := func(name string, err error) {
			if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := DecodeSchema(b)
		decode("schema", err)
		_, _, err = DecodeCreate(b)
		decode("create", err)
		_, err = DecodeLoadSchema(b)
		decode("load schema", err)
		_, err = DecodeArrayOpen(b)
		decode("open", err)
		_, err = DecodeEvolution(b)
		decode("evolution", err)
		_, err = DecodeLoadEnumerations(b)
		decode("enumerations", err)
		_, err = DecodeMetadata(b)
		decode("metadata", err)
		_, err = DecodeGroupMetadata(b)
		decode("group metadata", err)
		_, err = DecodeGroupCreate(b)
		decode("group create", err)
		_, err = DecodeGroupUpdate(b)
		decode("group update", err)
		_, err = DecodeConfigRequest(b)
		decode("config", err)
		_, err = DecodeHasCells(b)
		decode("has cells", err)
	})
}
