package s3face

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/oracle/servertest"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// array makes a registered array of ann's; ref is a name or storage URI.
func (w *world) array(ref string, info catalog.Info) catalog.Asset {
	w.t.Helper()
	return w.create(catalog.Array, access.ArrayCreate, ref, info, func(ctx context.Context, at catalog.Location) error {
		s := schema.New(schema.Sparse)
		s.Domain.Dimensions = []schema.Dimension{{Name: "d", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 9}), Extent: datatype.Bytes([]int32{2})}}
		return array.Create(ctx, file.New(), at.URI(), s)
	})
}

func (w *world) group(ref string) catalog.Asset {
	w.t.Helper()
	return w.create(catalog.Group, access.GroupCreate, ref, catalog.Info{}, func(ctx context.Context, at catalog.Location) error {
		return group.Create(ctx, file.New(), at.URI())
	})
}

func (w *world) create(kind catalog.Kind, action access.Action, ref string, info catalog.Info, store func(context.Context, catalog.Location) error) catalog.Asset {
	w.t.Helper()
	n := catalog.NewAsset{Kind: kind, Info: info}
	servertest.Must(w.t, n.FromRef(ref))
	g, err := access.Allowed(w.Ann, action, access.Object{Kind: access.Namespace, ID: w.Ann.NamespaceID, NamespaceID: w.Ann.NamespaceID})
	servertest.Must(w.t, err)
	a, err := w.Catalog.Create(context.Background(), g, n, store)
	servertest.Must(w.t, err)
	return a
}

// resolve returns ann's asset of that name, and whether there is one.
func (w *world) resolve(ref string) (catalog.Asset, bool) {
	w.t.Helper()
	a, err := w.Catalog.Resolve(context.Background(), w.Ann.NamespaceID, ref)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		w.t.Fatal(err)
	}
	return a, err == nil
}

// move does what libtiledb's tiledb.move does: it copies and removes file by file.
func (w *world) move(from, to string) {
	w.t.Helper()
	list := w.keys("prefix=" + url.QueryEscape(from+"/"))
	if len(list) == 0 {
		w.t.Fatalf("nothing at %s", from)
	}
	for _, key := range list {
		path := func(key string) string { return (&url.URL{Path: key}).EscapedPath() }
		w.want(put, "/ann/"+path(to+strings.TrimPrefix(key, from)), "", 200, "", copySource, "ann/"+path(key))
		w.want(del, "/ann/"+path(key), "", 204, "")
	}
}

// gone checks that nothing but empty directories, if any, is left of an asset's place.
func (w *world) gone(a catalog.Asset) {
	w.t.Helper()
	path := strings.TrimPrefix(a.StorageURI(), "file://")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		w.t.Errorf("%s is still there: %v", path, err)
	}
}

func TestArraysByName(t *testing.T) {
	w := newWorld(t)
	a := w.array("deep/arr", catalog.Info{Description: "of great value"})
	if got := w.keys("delimiter=/&prefix=deep/"); !slices.Equal(got, []string{"deep/arr/"}) {
		t.Errorf("%v", got)
	}
	keys := w.keys("")
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "deep/arr/__schema/") {
		t.Fatalf("%v", keys)
	}
	if got := w.keys("prefix=" + a.ID + "/"); len(got) != 1 || got[0] != a.ID+strings.TrimPrefix(keys[0], "deep/arr") {
		t.Errorf("by UUID: %v", got)
	}
	w.want(head, "/ann/"+keys[0], "", 200, "")
	w.want(put, "/ann/deep/arr/notes.txt", "mine", 200, "")
	if text, err := os.ReadFile(strings.TrimPrefix(a.StorageURI(), "file://") + "/notes.txt"); err != nil || string(text) != "mine" {
		t.Errorf("%s, %v", text, err)
	}
	w.move("deep/arr", "moved")
	if _, ok := w.resolve("deep/arr"); ok {
		t.Error("the old name is still there")
	}
	w.gone(a)
	b, ok := w.resolve("moved")
	if !ok || b.Kind != catalog.Array || b.Info.Description != "of great value" {
		t.Fatalf("%+v", b)
	}
	if there, err := array.Exists(context.Background(), file.New(), b.StorageURI()); err != nil || !there {
		t.Errorf("no array there: %v", err)
	}
	w.want(get, "/ann/moved/notes.txt", "", 200, "mine")
	w.move("moved", "file:"+w.Allowed+"/sub/c")
	if _, ok := w.resolve("moved"); ok {
		t.Error("the second name is still there")
	}
	w.gone(b)
	c, ok := w.resolve("file://" + w.Allowed + "/sub/c")
	if !ok || c.Name != "c" {
		t.Errorf("%+v", c)
	}
	if got, ok := w.resolve("file:" + w.Allowed + "/sub/c"); !ok || got.ID != c.ID {
		t.Errorf("by one slash: %+v", got)
	}
	// Removed by name, all at once.
	body := "<Delete>"
	for _, key := range w.keys("prefix=c/") {
		body += "<Object><Key>" + key + "</Key></Object>"
	}
	w.want(post, "/ann?delete", body+"</Delete>", 200, "")
	if _, ok := w.resolve("c"); ok {
		t.Error("the last name is still there")
	}
	w.gone(c)
	if got := w.keys(""); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

// A group goes when its own files go; arrays inside it stay until theirs do.
func TestGroups(t *testing.T) {
	w := newWorld(t)
	g := w.group("file://" + w.Allowed + "/g")
	inside := w.array("file://"+w.Allowed+"/g/inside", catalog.Info{})
	base := "file://" + w.Allowed + "/g/"
	keys := w.keys("prefix=" + base)
	if len(keys) != 2 || keys[0] != base+"__tiledb_group.tdb" || !strings.HasPrefix(keys[1], base+"inside/__schema/") {
		t.Fatalf("%v", keys)
	}
	// A token for arrays alone sees the array, and not the group around it.
	arrays := w.Token(w.t, "array:admin")
	w.wantAs(request{arrays, get, "/ann/" + keys[0], "", nil, false}, 403, "AccessDenied")
	w.wantAs(request{arrays, get, "/ann/" + keys[1], "", nil, false}, 200, "")
	w.wantAs(request{w.Other, get, "/ann/" + keys[0], "", nil, false}, 404, "NoSuchBucket")
	w.want(del, "/ann/"+keys[0], "", 204, "")
	if _, ok := w.resolve(g.ID); ok {
		t.Error("the group is still there")
	}
	if _, ok := w.resolve(inside.ID); !ok {
		t.Error("the array went with the group")
	}
	w.want(del, "/ann/"+keys[1], "", 204, "")
	if _, ok := w.resolve(inside.ID); ok {
		t.Error("the array is still there")
	}
	if left, err := os.ReadDir(w.Allowed); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	// A group that is written becomes one, where its token may register groups.
	w.wantAs(request{arrays, put, "/ann/new/__tiledb_group.tdb", "", nil, false}, 403, "AccessDenied")
	w.want(put, "/ann/new/__tiledb_group.tdb", "", 200, "")
	if a, ok := w.resolve("new"); !ok || a.Kind != catalog.Group {
		t.Errorf("%+v", a)
	}
}

// What is marked read-only stays as it is.
func TestReadOnly(t *testing.T) {
	w := newWorld(t)
	w.array("arr", catalog.Info{ReadOnly: true})
	key := w.keys("")[0]
	w.want(get, "/ann/"+key, "", 200, "")
	w.want(put, "/ann/arr/x", "x", 403, "AccessDenied")
	w.want(post, "/ann/arr/x?uploads", "", 403, "AccessDenied")
	w.want(del, "/ann/"+key, "", 403, "AccessDenied")
	w.want(post, "/ann?delete", "<Delete><Object><Key>"+key+"</Key></Object></Delete>", 200, "<Code>AccessDenied</Code>")
	w.want(put, "/ann/copy/"+strings.TrimPrefix(key, "arr/"), "", 200, "", copySource, "ann/"+key)
	if a, ok := w.resolve("copy"); !ok || a.Info.ReadOnly {
		t.Errorf("%+v", a)
	}
}

// Files of the namespace that have the name of an asset stay in reach.
func TestFilesBesideAssets(t *testing.T) {
	w := newWorld(t)
	w.want(put, "/ann/arr/before.txt", "x", 200, "")
	a := w.array("arr", catalog.Info{})
	w.want(put, "/ann/arr/after.txt", "y", 200, "")
	w.want(get, "/ann/arr/before.txt", "", 200, "x")
	w.want(get, "/ann/arr/after.txt", "", 200, "y")
	if got := w.keys("prefix=arr/&delimiter=/"); !slices.Equal(got, []string{"arr/after.txt", "arr/before.txt", "arr/__schema/"}) {
		t.Errorf("%v", got)
	}
	if _, err := os.Stat(strings.TrimPrefix(a.StorageURI(), "file://") + "/after.txt"); err != nil {
		t.Error(err)
	}
	w.want(del, "/ann/arr/before.txt", "", 204, "")
	w.want(get, "/ann/arr/before.txt", "", 404, "")
	// The server's own unfinished work among an array's files is nobody's.
	hidden := filepath.Join(strings.TrimPrefix(a.StorageURI(), "file://"), ".azulejo-upload-1")
	servertest.Must(t, os.Mkdir(hidden, 0o700))
	servertest.Must(t, os.WriteFile(filepath.Join(hidden, "begin"), nil, 0o600))
	w.want(get, "/ann/arr/.azulejo-upload-1/begin", "", 404, "")
	for _, key := range w.keys("prefix=arr/") {
		if strings.Contains(key, "azulejo") {
			t.Errorf("listed: %s", key)
		}
		w.want(del, "/ann/"+key, "", 204, "")
	}
	w.gone(a)
}
