package capjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
)

// converted is a directory with the JSON form of every recorded message, made by `capnp convert binary:json`.
var converted = flag.String("capjson.converted", "testdata", "directory of JSON forms to compare with")

// roots are the structs of the recorded messages, by the end of the name.
var roots = []struct {
	suffix string
	id     uint64
}{
	{"create-v3", capnp.ArrayCreateRequest_TypeID}, {"create-group", capnp.GroupCreate_TypeID}, {"-create", capnp.ArraySchema_TypeID},
	{"-submit", capnp.Query_TypeID}, {"-finalize", capnp.Query_TypeID}, {"-est_result_sizes", capnp.Query_TypeID}, {"-open", capnp.ArrayOpen_TypeID},
	{"-update", capnp.GroupUpdate_TypeID}, {"-groupmeta", capnp.GroupMetadata_TypeID}, {"-group", capnp.Group_TypeID},
	{"-enumerations", capnp.LoadEnumerationsRequest_TypeID}, {"-evolve", capnp.ArraySchemaEvolution_TypeID},
	{"-fragment_info", capnp.FragmentInfoRequest_TypeID}, {"-array_metadata", capnp.ArrayMetadata_TypeID},
}

// recorded returns the messages that package wire keeps for its tests, without what follows them, and their root's ids.
func recorded(t testing.TB) map[string]uint64 {
	t.Helper()
	files, err := filepath.Glob("../testdata/*.bin")
	if err != nil || len(files) < 30 {
		t.Fatal(len(files), err)
	}
	all := map[string]uint64{}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".bin")
		for _, root := range roots {
			if strings.HasSuffix(name, root.suffix) {
				all[name] = root.id
				break
			}
		}
		if all[name] == 0 {
			t.Fatalf("%s: of which struct?", name)
		}
	}
	return all
}

func message(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../testdata/" + name + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := capnplib.NewDecoder(bytes.NewReader(b)).Decode()
	if err != nil {
		t.Fatal(err)
	}
	b, err = msg.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOfOneMind compares with what Cap'n Proto's own program makes of the messages.
func TestOfOneMind(t *testing.T) {
	compared := 0
	for name, id := range recorded(t) {
		want, err := os.ReadFile(filepath.Join(*converted, name+".json"))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		compared++
		got, err := Encode(message(t, name), id)
		if err != nil {
			t.Fatal(name, err)
		}
		var mine, theirs any
		if err := errors.Join(json.Unmarshal(got, &mine), json.NewDecoder(bytes.NewReader(want)).Decode(&theirs)); err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(mine, theirs) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	if compared < 7 {
		t.Errorf("%d messages were compared", compared)
	}
}

func TestThereAndBack(t *testing.T) {
	for name, id := range recorded(t) {
		m := message(t, name)
		text, err := Encode(m, id)
		if err != nil {
			t.Fatal(name, err)
		}
		back, err := Decode(append(text, 0), id)
		if err != nil {
			t.Fatal(name, err)
		}
		again, err := Encode(back, id)
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("%s:\n%s\nbecame (%v)\n%s", name, text, err, again)
		}
	}
}

// TestValues has values at the edge of what fields hold.
func TestValues(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{}`, `{}`},
		{` { "key" : "a\"\\\/\b\n\u00e9\ud83d\ude00\u0001" , "value":null,"later":[{"x":[1,"]"]}]}`, `{"key":"a\"\\/\u0008\u000aé😀\u0001"}`},
		{"{\"key\":\"\xff\xfe\"}", "{\"key\":\"\xff\xfe\"}"},
	} {
		round(t, c.body, capnp.KV_TypeID, c.want)
	}
	for _, c := range []struct{ body, want string }{
		{`{"int8":[-128,"127"]}`, `{"int8":[-128,127]}`},
		{`{"uint64":[0,18446744073709551615,"18446744073709551615"]}`, `{"uint64":["0","18446744073709551615","18446744073709551615"]}`},
		{`{"int64":["-9223372036854775808"]}`, `{"int64":["-9223372036854775808"]}`},
		{`{"float64":["NaN","Infinity","-Infinity",-0.0,5e-324,1.5]}`, `{"float64":["NaN","Infinity","-Infinity",-0,5e-324,1.5]}`},
		{`{"float32":[3.4028234e38]}`, `{"float32":[3.4028235e+38]}`},
		{`{"uint8":[]}`, `{"uint8":[]}`},
	} {
		round(t, c.body, capnp.DomainArray_TypeID, c.want)
	}
	round(t, `{"group_changes":{"members_to_add":[{"name":"a"}],"members_to_remove":["b"]}}`, capnp.GroupUpdate_TypeID,
		`{"groupUpdate":{"membersToRemove":["b"],"membersToAdd":[{"relative":false,"name":"a"}]}}`)
	round(t, `{"group_details":{"uri":"a"}}`, capnp.GroupCreate_TypeID, `{"groupDetails":{"uri":"a"}}`)
	round(t, `{"type":"X","data":{"int8":1,"float64":0.5}}`, capnp.Filter_TypeID, `{"type":"X","data":{"float64":0.5}}`)
}

// round decodes a body and encodes it again.
func round(t *testing.T, body string, id uint64, want string) {
	t.Helper()
	m, err := Decode([]byte(body), id)
	if err != nil {
		t.Errorf("%s: %v", body, err)
		return
	}
	got, err := Encode(m, id)
	if err != nil || string(got) != want {
		t.Errorf("%s became %s, want %s (%v)", body, got, want, err)
	}
}

func TestFaults(t *testing.T) {
	deep := strings.Repeat(`{"children":[`, 40) + "{}" + strings.Repeat(`]}`, 40)
	for _, c := range []struct {
		body  string
		id    uint64
		fault string
	}{
		{``, capnp.KV_TypeID, "not JSON"},
		{`{"key":"a"`, capnp.KV_TypeID, "not JSON"},
		{`{"key":"a"} {}`, capnp.KV_TypeID, "not JSON"},
		{`[]`, capnp.KV_TypeID, "not an object"},
		{`{"key":1}`, capnp.KV_TypeID, "key: malformed JSON message: not a text"},
		{`{"int8":[0,128]}`, capnp.DomainArray_TypeID, "int8[1]: malformed JSON message: \"128\" is no number of this field"},
		{`{"int8":[1.5]}`, capnp.DomainArray_TypeID, "is no number of this field"},
		{`{"uint64":[18446744073709551616]}`, capnp.DomainArray_TypeID, "is no number of this field"},
		{`{"float64":[1e999]}`, capnp.DomainArray_TypeID, "is no number of this field"},
		{`{"float64":[` + strings.Repeat("9", 65) + `]}`, capnp.DomainArray_TypeID, "a number of 65 digits"},
		{`{"int8":[[1]]}`, capnp.DomainArray_TypeID, "neither a number nor a text"},
		{`{"int8":5}`, capnp.DomainArray_TypeID, "not an array"},
		{`{"capacity":"x"}`, capnp.ArraySchema_TypeID, "capacity: "},
		{`{"allowsDuplicates":"true"}`, capnp.ArraySchema_TypeID, "not true or false"},
		{`{"domain":{"dimensions":[{},{"name":[]}]}}`, capnp.ArraySchema_TypeID, "domain.dimensions[1].name: "},
		{deep, capnp.ASTNode_TypeID, "nested more than 64 deep"},
		{`{"fragmentMetadataAll":[` + strings.Repeat(`{},`, 5000) + `{}]}`, capnp.Array_TypeID, "more than 16 times"},
	} {
		_, err := Decode([]byte(c.body), c.id)
		var place *Error
		if !errors.Is(err, ErrMalformed) || !errors.As(err, &place) || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%.60s: %v, want %q", c.body, err, c.fault)
		}
	}
}

// FuzzDecode looks for bodies that do not become a message, or one that its own form does not give back.
func FuzzDecode(f *testing.F) {
	var ids []uint64
	for _, root := range roots {
		ids = append(ids, root.id)
	}
	for name, id := range recorded(f) {
		text, err := Encode(message(f, name), id)
		if err != nil {
			f.Fatal(name, err)
		}
		for i := range ids {
			if ids[i] == id && len(text) < 4096 {
				f.Add(text, uint8(i))
				break
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, root uint8) {
		id := ids[int(root)%len(ids)]
		m, err := Decode(body, id)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if len(m) > growth*len(body)+room+math.MaxUint16 {
			t.Fatalf("%d bytes became %d", len(body), len(m))
		}
		text, err := Encode(m, id)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(text, id)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if back, err := Encode(again, id); err != nil || !bytes.Equal(text, back) {
			t.Fatalf("%s became %s (%v)", text, back, err)
		}
	})
}
