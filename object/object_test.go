package object_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/format"
	"azulejo/group"
	"azulejo/object"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/file"
	"azulejo/vfs/mem"
)

// load puts a folder of this machine into a store.
func load(t *testing.T, dir string, fs vfs.FS, uri string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return vfs.WriteAll(context.Background(), fs, vfs.Join(uri, filepath.ToSlash(name[len(dir):])), content)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// evolved is an array with two schemas; group one with arrays in its folder.
const (
	evolved = "../array/testdata/evolved"
	members = "../group/testdata/members"
)

// content returns all files below a folder by their paths.
func content(t *testing.T, fs vfs.FS, uri string) map[string]string {
	t.Helper()
	all := map[string]string{}
	list, err := fs.List(context.Background(), uri)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		at := vfs.Join(uri, e.Name)
		if e.Dir {
			for name, text := range content(t, fs, at) {
				all[e.Name+"/"+name] = text
			}
			continue
		}
		text, err := vfs.ReadAll(context.Background(), fs, at)
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name] = string(text)
	}
	return all
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Fatalf("files %q, want %q, or other content", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

func TestListAndWalk(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	load(t, evolved, fs, "/r/b")
	load(t, evolved, fs, "/r/plain/deep/c")
	if err := errors.Join(group.Create(ctx, fs, "/r/g"), group.Create(ctx, fs, "/r/g/inner"), vfs.WriteAll(ctx, fs, "/r/file", nil)); err != nil {
		t.Fatal(err)
	}
	load(t, evolved, fs, "/r/g/a")
	list, err := object.List(ctx, fs, "/r/")
	want := []object.Object{{URI: "/r/b", Type: format.ObjectArray}, {URI: "/r/g", Type: format.ObjectGroup}, {URI: "/r/plain"}}
	if err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("list %v, %v", list, err)
	}
	var walked []string
	visit := func(o object.Object, depth int) error {
		walked = append(walked, fmt.Sprint(o.URI, o.Type, depth))
		return nil
	}
	if err := object.Walk(ctx, fs, "/r", visit); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(walked, " "); got != "/r/b2 1 /r/g1 1 /r/g/a2 2 /r/g/inner1 2 /r/plain/deep/c2 3" && got != "/r/b 2 1 /r/g 1 1 /r/g/a 2 2 /r/g/inner 1 2 /r/plain/deep/c 2 3" {
		t.Errorf("walked %s", got)
	}
	stop := errors.New("enough")
	if err := object.Walk(ctx, fs, "/r", func(object.Object, int) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped walk: %v", err)
	}
	for uri, want := range map[string]format.ObjectType{"/r": 0, "/r/b": format.ObjectArray, "/r/g/": format.ObjectGroup, "/none": 0, "/r/file": 0} {
		if got, err := object.TypeOf(ctx, fs, uri); got != want || err != nil {
			t.Errorf("%s is %d, %v", uri, got, err)
		}
	}
}

func TestCopy(t *testing.T) {
	ctx := context.Background()
	for _, dir := range []string{evolved, members, "../array/testdata/hollow"} {
		for name, to := range map[string]object.Place{
			"memory": {FS: mem.New(), URI: "mem://b/copy"}, "disk": {FS: file.New(), URI: filepath.Join(t.TempDir(), "deep", "copy") + "/"},
		} {
			fs := mem.New()
			load(t, dir, fs, "/src")
			var last object.Progress
			steps := 0
			o := object.Options{Report: func(p object.Progress) { last, steps = p, steps+1 }, Parallel: 2}
			if err := object.Copy(ctx, object.Place{FS: fs, URI: "/src/"}, to, o); err != nil {
				t.Fatalf("%s to %s: %v", dir, name, err)
			}
			want := content(t, fs, "/src")
			same(t, content(t, to.FS, to.URI), want)
			total := 0
			for _, text := range want {
				total += len(text)
			}
			if last.Files != last.AllFiles || last.NBytes != int64(total) || last.AllBytes != int64(total) || steps < last.Files {
				t.Errorf("progress %+v after %d steps, want %d bytes", last, steps, total)
			}
			if err := object.Copy(ctx, object.Place{FS: fs, URI: "/src"}, to, object.Options{}); !errors.Is(err, object.ErrExists) {
				t.Errorf("copy over a copy: %v", err)
			}
			same(t, content(t, to.FS, to.URI), want)
		}
	}
}

func TestRefused(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	load(t, evolved, fs, "/a/b")
	if err := vfs.WriteAll(ctx, fs, "/other/f", nil); err != nil {
		t.Fatal(err)
	}
	place := func(uri string) object.Place { return object.Place{FS: fs, URI: uri} }
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"/none", "/x", object.ErrNotFound}, {"/other", "/x", object.ErrNotFound}, {"/a/b", "/other", object.ErrExists},
		{"/a/b", "/a/b", object.ErrInvalid}, {"/a/b", "/a/b/c", object.ErrInvalid}, {"/a/b", "/a", object.ErrInvalid},
	} {
		if err := object.Copy(ctx, place(c.from), place(c.to), object.Options{}); !errors.Is(err, c.want) {
			t.Errorf("copy %s to %s: %v", c.from, c.to, err)
		}
		if err := object.Move(ctx, place(c.from), place(c.to), object.Options{}); !errors.Is(err, c.want) {
			t.Errorf("move %s to %s: %v", c.from, c.to, err)
		}
	}
	if err := object.Remove(ctx, fs, "/other"); !errors.Is(err, object.ErrNotFound) {
		t.Errorf("remove of a plain folder: %v", err)
	}
}

func TestMoveAndRemove(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for _, c := range []struct{ from, to object.Place }{
		{object.Place{FS: mem.New(), URI: "/a"}, object.Place{FS: mem.New(), URI: "/b"}},
		{object.Place{FS: mem.New(), URI: "/a"}, object.Place{FS: file.New(), URI: filepath.Join(dir, "across")}},
		{object.Place{FS: file.New(), URI: filepath.Join(dir, "here")}, object.Place{FS: file.New(), URI: filepath.Join(dir, "x", "there")}},
	} {
		load(t, evolved, c.from.FS, c.from.URI)
		want := content(t, c.from.FS, c.from.URI)
		if err := object.Move(ctx, c.from, c.to, object.Options{}); err != nil {
			t.Fatal(err)
		}
		same(t, content(t, c.to.FS, c.to.URI), want)
		if list, err := c.from.FS.List(ctx, c.from.URI); err != nil || len(list) > 0 {
			t.Errorf("left %v, %v", list, err)
		}
		if err := object.Remove(ctx, c.to.FS, c.to.URI); err != nil {
			t.Fatal(err)
		}
		if list, err := c.to.FS.List(ctx, c.to.URI); err != nil || len(list) > 0 {
			t.Errorf("left %v, %v", list, err)
		}
	}
	fs := faultfs.New(mem.New(), nil)
	load(t, evolved, fs, "/a")
	before := len(fs.Ops())
	if err := object.Move(ctx, object.Place{FS: fs, URI: "/a"}, object.Place{FS: fs, URI: "/b"}, object.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, op := range fs.Ops()[before:] {
		if op.Kind == "create" || op.Kind == "remove" {
			t.Errorf("a move within one store does %s", op)
		}
	}
}

// TestOrder wants files in the order that keeps readers from half an array.
func TestOrder(t *testing.T) {
	src, dst := mem.New(), faultfs.New(mem.New(), nil)
	load(t, evolved, src, "/a")
	if err := object.Copy(context.Background(), object.Place{FS: src, URI: "/a"}, object.Place{FS: dst, URI: "/b"}, object.Options{}); err != nil {
		t.Fatal(err)
	}
	var schemas []string
	last := vfs.Data
	for _, op := range dst.Ops() {
		if op.Kind != "commit" {
			continue
		}
		stage := vfs.StageOf(op.URI)
		if stage > last {
			t.Errorf("%s comes after files of stage %d", op, last)
		}
		if last = stage; stage == vfs.Schema {
			schemas = append(schemas, vfs.Base(op.URI))
		}
	}
	if len(schemas) < 2 || schemas[0] != slices.Max(schemas) {
		t.Errorf("schemas in the order %q, want the newest first", schemas)
	}
}

// TestFaults lets every operation fail, alone or for good, and looks at what is left.
func TestFaults(t *testing.T) {
	ctx := context.Background()
	src := mem.New()
	load(t, evolved, src, "/a")
	want, err := array.Open(ctx, src, "/a", array.Latest())
	if err != nil {
		t.Fatal(err)
	}
	from := object.Place{FS: src, URI: "/a"}
	for n := 0; ; n++ {
		hit := false
		for name, plan := range map[string]faultfs.Plan{
			"once": faultfs.Nth(n, faultfs.Fail), "after": faultfs.Nth(n, faultfs.FailAfter), "torn": faultfs.Nth(n, faultfs.Torn),
			"dead": faultfs.DeadFrom(n, faultfs.Torn), "dead after": faultfs.DeadFrom(n, faultfs.FailAfter),
		} {
			inner := mem.New()
			fs := faultfs.New(inner, plan)
			err := object.Copy(ctx, from, object.Place{FS: fs, URI: "/b"}, object.Options{Parallel: 1})
			if err == nil {
				same(t, content(t, inner, "/b"), content(t, src, "/a"))
				continue
			}
			hit = true
			if list, _ := inner.List(ctx, "/b"); len(list) > 0 && !strings.HasPrefix(name, "dead") {
				t.Fatalf("operation %d %s: left %v", n, name, list)
			}
			got, err := array.Open(ctx, inner, "/b", array.Latest())
			if err == nil && (len(got.Fragments()) != len(want.Fragments()) || !reflect.DeepEqual(got.Schema, want.Schema)) {
				t.Fatalf("operation %d %s: a part of the array opens", n, name)
			}
		}
		if !hit {
			break
		}
	}
}
