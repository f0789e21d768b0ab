package group_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/group"
	"azulejo/vfs"
	"azulejo/vfs/file"
	"azulejo/vfs/mem"
)

// look is what libtiledb says about a group in an interval; see testdata/make.py.
type look struct {
	At       [2]*uint64
	Members  [][3]string
	Metadata map[string]string
}

func (l *look) interval() group.Interval {
	if l.At[1] == nil {
		return group.Latest()
	}
	return group.Interval{Start: *l.At[0], End: *l.At[1]}
}

// TestOpenAsLibtiledb opens groups that libtiledb wrote and compares what libtiledb says about them.
func TestOpenAsLibtiledb(t *testing.T) {
	content, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var looks map[string][]look
	if err := json.Unmarshal(content, &looks); err != nil {
		t.Fatal(err)
	}
	for name, list := range looks {
		uri, err := filepath.Abs(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range list {
			t.Run(fmt.Sprintf("%s at %v", name, want.interval()), func(t *testing.T) {
				g, err := group.Open(context.Background(), file.New(), uri, want.interval())
				if err != nil {
					t.Fatal(err)
				}
				compareLook(t, g, &want)
			})
		}
	}
}

func compareLook(t *testing.T, g *group.Group, want *look) {
	t.Helper()
	members := [][3]string{}
	for _, m := range g.Members() {
		kind := map[format.ObjectType]string{format.ObjectArray: "Array", format.ObjectGroup: "Group"}[m.Type]
		members = append(members, [3]string{m.Name, strings.Replace(g.Resolve(m), g.URI, "{group}", 1), kind})
	}
	// Unnamed members come first in the expectation.
	for i, m := range members {
		if m[0] == "" {
			copy(members[1:i+1], members[:i])
			members[0] = m
		}
	}
	if !reflect.DeepEqual(members, want.Members) {
		t.Errorf("members %v, libtiledb has %v", members, want.Members)
	}
	entries, err := g.Metadata(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	metadata := map[string]string{}
	for _, e := range entries {
		metadata[e.Key] = e.Type.String() + " " + hex.EncodeToString(e.Value)
	}
	if !reflect.DeepEqual(metadata, want.Metadata) {
		t.Errorf("metadata %v, libtiledb has %v", metadata, want.Metadata)
	}
}

const uri = "/storage/g"

func newGroup(t *testing.T, fs vfs.FS) *group.Group {
	t.Helper()
	if err := group.Create(context.Background(), fs, uri); err != nil {
		t.Fatal(err)
	}
	return open(t, fs)
}

func open(t *testing.T, fs vfs.FS) *group.Group {
	t.Helper()
	g, err := group.Open(context.Background(), fs, uri, group.Latest())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func named(name, uri string) group.Member {
	return group.Member{Type: format.ObjectArray, URI: uri, Name: name, Named: true}
}

func keys(g *group.Group) string {
	var list []string
	for _, m := range g.Members() {
		list = append(list, m.Key()+"="+m.URI)
	}
	return strings.Join(list, " ")
}

func TestUpdate(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	g := newGroup(t, fs)
	unnamed := group.Member{Type: format.ObjectGroup, URI: "/u"}
	for _, c := range []struct {
		name   string
		add    []group.Member
		remove []string
		want   string
	}{
		{"add", []group.Member{named("b", "/b"), named("a", "/a"), unnamed}, nil, "/u=/u a=/a b=/b"},
		{"nothing", nil, nil, "/u=/u a=/a b=/b"},
		{"replace", []group.Member{named("a", "/c")}, nil, "/u=/u a=/c b=/b"},
		{"remove by name and add", []group.Member{named("d", "/d")}, []string{"a"}, "/u=/u b=/b d=/d"},
		{"remove by URI", nil, []string{"/d"}, "/u=/u b=/b"},
		{"remove unnamed", nil, []string{"/u"}, "b=/b"},
		{"rename", []group.Member{named("x", "/b")}, []string{"b"}, "x=/b"},
		{"come back", []group.Member{named("b", "/b")}, nil, "b=/b x=/b"},
	} {
		if err := g.Update(ctx, c.add, c.remove, 0); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := keys(open(t, fs)); got != c.want {
			t.Fatalf("%s: members %s, want %s", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		name   string
		add    []group.Member
		remove []string
		want   error
	}{
		{"two under one name", []group.Member{named("n", "/1"), named("n", "/2")}, nil, group.ErrExists},
		{"not there", nil, []string{"none"}, group.ErrNotFound},
		{"URI of two", nil, []string{"/b"}, group.ErrInvalid},
		{"removed twice", nil, []string{"x", "x"}, group.ErrInvalid},
		{"no type", []group.Member{{URI: "/n"}}, nil, group.ErrInvalid},
		{"no URI", []group.Member{named("n", "")}, nil, group.ErrInvalid},
		{"relative outside", []group.Member{{Type: format.ObjectArray, URI: "a/../../b", Relative: true}}, nil, group.ErrInvalid},
	} {
		if err := g.Update(ctx, c.add, c.remove, 0); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got := keys(open(t, fs)); got != "b=/b x=/b" {
		t.Errorf("after refused changes: %s", got)
	}
}

func TestUpdateAtATime(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	g := newGroup(t, fs)
	for i, m := range []group.Member{named("a", "/a"), named("b", "/b"), named("c", "/c")} {
		if err := g.Update(ctx, []group.Member{m}, nil, uint64(10*(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	for end, want := range map[uint64]string{9: "", 10: "a=/a", 25: "a=/a b=/b", 30: "a=/a b=/b c=/c"} {
		g, err := group.Open(ctx, fs, uri, group.Interval{End: end})
		if err != nil || keys(g) != want {
			t.Errorf("at %d: %s, %v", end, keys(g), err)
		}
	}
}

func TestCreateAndDelete(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	if _, err := group.Open(ctx, fs, uri, group.Latest()); !errors.Is(err, group.ErrNotFound) {
		t.Error(err)
	}
	if err := group.Delete(ctx, fs, uri); !errors.Is(err, group.ErrNotFound) {
		t.Error(err)
	}
	g := newGroup(t, fs)
	if err := group.Create(ctx, fs, uri+"/"); !errors.Is(err, group.ErrExists) {
		t.Error(err)
	}
	value := []format.MetadataEntry{{Key: "k", Type: datatype.Uint8, Num: 1, Value: []byte{7}}}
	if err := errors.Join(g.PutMetadata(ctx, value, 0), vfs.WriteAll(ctx, fs, uri+"/mine", nil)); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, fs).Metadata(ctx); err != nil || !reflect.DeepEqual(got, value) {
		t.Errorf("metadata %v, %v", got, err)
	}
	if err := g.PutMetadata(ctx, []format.MetadataEntry{{Key: "k", Type: datatype.Any}}, 0); !errors.Is(err, group.ErrInvalid) {
		t.Error(err)
	}
	if err := group.Delete(ctx, fs, uri); err != nil {
		t.Fatal(err)
	}
	if list, _ := fs.List(ctx, uri); len(list) != 1 || list[0].Name != "mine" {
		t.Errorf("left: %v", list)
	}
	if err := vfs.WriteAll(ctx, fs, uri+"/__schema/x", nil); err != nil {
		t.Fatal(err)
	}
	if err := group.Create(ctx, fs, uri); !errors.Is(err, group.ErrExists) {
		t.Errorf("group over an array: %v", err)
	}
}

func TestDamageIsNamed(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	newGroup(t, fs)
	for name, content := range map[string]string{"__1_1_00000000000000000000000000000001_2": "\x16\x00\x00\x00junk", "odd": ""} {
		bad := fs.PowerLoss()
		if err := vfs.WriteAll(ctx, bad, uri+"/__group/"+name, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if _, err := group.Open(ctx, bad, uri, group.Latest()); !errors.Is(err, group.ErrCorrupt) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
