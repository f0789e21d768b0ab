package reconcile

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/oracle/servertest"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// world is a server's parts and what makes assets of ann's in them.
type world struct {
	*servertest.Parts
	t *testing.T
}

func (w world) grant(a access.Action, o access.Object) access.Grant {
	w.t.Helper()
	g, err := access.Allowed(w.Ann, a, o)
	servertest.Must(w.t, err)
	return g
}

func (w world) space() access.Object {
	return access.Object{Kind: access.Namespace, ID: w.Ann.NamespaceID, NamespaceID: w.Ann.NamespaceID}
}

func cells() *schema.Array {
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{{Name: "x", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 9})}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	return s
}

func (w world) array(n catalog.NewAsset) catalog.Asset {
	w.t.Helper()
	a, err := w.Vault.CreateArray(w.t.Context(), w.grant(access.ArrayCreate, w.space()), n, cells())
	servertest.Must(w.t, err)
	return a
}

func (w world) group(name string) catalog.Asset {
	w.t.Helper()
	a, err := w.Vault.CreateGroup(w.t.Context(), w.grant(access.GroupCreate, w.space()), catalog.NewAsset{Name: name})
	servertest.Must(w.t, err)
	return a
}

func (w world) exec(statement string, args ...any) {
	w.t.Helper()
	servertest.Must(w.t, w.DB.Update(w.t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(w.t.Context(), statement, args...)
		return err
	}))
}

// path is where an asset is stored.
func path(a catalog.Asset) string { return strings.TrimPrefix(a.StorageURI(), "file://") }

// check runs a comparison and returns class and mending of every finding by where it is.
func (w world) check(repair, alone bool) (map[string]Finding, Counts) {
	w.t.Helper()
	found := map[string]Finding{}
	p := Parts{DB: w.DB, Catalog: w.Catalog, Vault: w.Vault, Data: w.Dir, Now: time.Now, Alone: alone}
	counts, err := Check(w.t.Context(), p, repair, func(f Finding) {
		w.t.Logf("%s %s: %s; %s (mended %v)", f.Class, f.Where, f.What, f.Mend, f.Mended)
		key := string(f.Class) + " " + strings.TrimPrefix(f.Where, w.Dir+"/storage/"+w.Ann.NamespaceID+"/")
		if _, ok := found[key]; ok {
			w.t.Errorf("%s was found twice", key)
		}
		found[key] = f
	})
	servertest.Must(w.t, err)
	return found, counts
}

// mkdir makes a directory below ann's storage with a file in it.
func (w world) mkdir(rel string) string {
	w.t.Helper()
	dir := filepath.Join(w.Dir, "storage", w.Ann.NamespaceID, rel)
	servertest.Must(w.t, os.MkdirAll(dir, 0o700))
	servertest.Must(w.t, os.WriteFile(filepath.Join(dir, "content"), []byte("content"), 0o600))
	return dir
}

const (
	id1 = "11111111-1111-4111-8111-111111111111"
	id2 = "22222222-2222-4222-8222-222222222222"
	id3 = "33333333-3333-4333-8333-333333333333"
	id4 = "44444444-4444-4444-8444-444444444444"
)

// TestEveryDifference makes every difference there is, looks at what is said of each, and mends them.
func TestEveryDifference(t *testing.T) {
	w := world{servertest.New(t), t}
	ctx, fs := t.Context(), file.New()
	must := func(err error) { t.Helper(); servertest.Must(t, err) }

	sound, lost := w.array(catalog.NewAsset{Name: "sound"}), w.array(catalog.NewAsset{Name: "lost"})
	named := w.array(catalog.NewAsset{Name: "named", Storage: w.Catalog.DefaultStorage(w.Ann.NamespaceID) + "/some/where"})
	outside := w.array(catalog.NewAsset{Name: "outside", Storage: "file://" + w.Allowed + "/gone"})
	kept := w.array(catalog.NewAsset{Name: "kept"})
	must(w.Catalog.Deregister(ctx, w.grant(access.ArrayDeregister, kept.Object()), kept))
	must(os.RemoveAll(path(lost)))
	must(os.RemoveAll(path(outside)))
	must(os.WriteFile(filepath.Join(path(sound), "__fragments", file.TempPrefix+"1"), nil, 0o600))

	// Orphans: a whole array, a whole group, an encrypted array, a piece of an array, something else; in a chosen place too.
	at := func(rel string) string { return filepath.Join(w.Dir, "storage", w.Ann.NamespaceID, rel) }
	must(array.Create(ctx, fs, at(id1), cells()))
	must(group.Create(ctx, fs, at(id2)))
	key, err := filter.NewKey([]byte(strings.Repeat("k", filter.KeyBytes)))
	must(err)
	must(array.Create(ctx, fs, at(id3), cells(), array.WithKey(key)))
	w.mkdir(id4)
	must(array.Create(ctx, fs, at("named/some/orphan"), cells()))
	w.mkdir("named/some/part/__fragments")
	w.mkdir("named/own") // of a user
	w.mkdir("files/own") // of a user
	w.mkdir("strange")
	w.mkdir(file.TempPrefix + "2")
	old := w.mkdir("uploads/0123456789abcdef0123456789abcdef")
	must(os.Chtimes(old, time.Now(), time.Now().Add(-8*24*time.Hour)))
	w.mkdir("uploads/fedcba9876543210fedcba9876543210")
	must(os.MkdirAll(filepath.Join(w.Dir, "storage", id1, id2), 0o700))

	// Half-made ones.
	for id, state := range map[string]string{"55555555-5555-4555-8555-555555555555": "pending", "66666666-6666-4666-8666-666666666666": "deleting"} {
		w.mkdir(id)
		w.exec(`INSERT INTO assets (id, namespace_id, kind, name, root, path, state, fresh, created_by, created_at)
			VALUES (?, ?, 'array', ?, 'default', ?, ?, ?, 'ann', 0)`, id, w.Ann.NamespaceID, state, w.Ann.NamespaceID+"/"+id, state, true)
	}

	// Kinds: one that can be corrected, one that is shared.
	wrong, shared := w.group("wrong"), w.group("shared")
	must(w.Catalog.Share(ctx, w.grant(access.GroupShare, shared.Object()), shared, access.PublicNamespace, access.CanRead, 0))
	w.exec("UPDATE assets SET kind = 'array' WHERE id IN (?, ?)", wrong.ID, shared.ID)

	// A group: one member that is there and noted, one there and not noted, one gone, and a note of one that is no member.
	g := w.group("group")
	opened, err := group.Open(ctx, fs, path(g), group.Latest())
	must(err)
	must(opened.Update(ctx, []group.Member{
		{Type: format.ObjectArray, URI: sound.StorageURI(), Name: "s", Named: true},
		{Type: format.ObjectArray, URI: named.StorageURI()},
		{Type: format.ObjectArray, URI: "file://" + at("77777777-7777-4777-8777-777777777777"), Name: "gone", Named: true}}, nil, 0))
	stale := w.array(catalog.NewAsset{Name: "stale"})
	must(w.Catalog.AddMembers(ctx, w.grant(access.GroupWrite, g.Object()), g, []catalog.NewMember{{Asset: sound, Shared: true}, {Asset: stale, Shared: true}}))
	granted := filepath.Join(w.Allowed, "granted")
	must(os.Mkdir(granted, 0o700))
	must(w.Catalog.GrantPath(ctx, w.Ann.NamespaceID, granted))
	must(os.Remove(granted))

	want := map[string]struct {
		by    bool
		alone bool // is said or mended only when no server runs
	}{
		"half-made tiledb://ann/pending":  {alone: !w.DB.Shared()},
		"half-made tiledb://ann/deleting": {alone: !w.DB.Shared()},
		"no-storage tiledb://ann/lost":    {},
		"no-storage tiledb://ann/outside": {by: true},
		"orphan " + id1:                   {}, "orphan " + id2: {}, "orphan " + id3: {}, "orphan " + id4: {},
		"orphan named/some/orphan": {}, "orphan named/some/part": {},
		"unknown strange": {by: true},
		"litter " + sound.ID + "/__fragments/" + file.TempPrefix + "1": {alone: true},
		"litter " + file.TempPrefix + "2":                              {alone: true},
		"abandoned-upload uploads/0123456789abcdef0123456789abcdef":    {},
		"no-namespace " + filepath.Join(w.Dir, "storage", id1):         {},
		"wrong-kind tiledb://ann/wrong":                                {},
		"wrong-kind tiledb://ann/shared":                               {},
		"member-gone tiledb://ann/group":                               {alone: true},
		"member-notes tiledb://ann/group":                              {},
		"grant-gone " + granted:                                        {by: true},
	}
	compare := func(found map[string]Finding, alone bool) {
		t.Helper()
		for name, x := range want {
			f, ok := found[name]
			if there := alone || !x.alone || strings.HasPrefix(name, "member-gone"); ok != there {
				t.Errorf("%s: found %v", name, ok)
			}
			if by := x.by || x.alone && !alone; ok && f.By != by {
				t.Errorf("%s is the operator's to mend: %v", name, f.By)
			}
		}
		for name := range found {
			if _, ok := want[name]; !ok {
				t.Errorf("%s was found", name)
			}
		}
	}
	before := tree(t, w.Dir)
	found, _ := w.check(false, false)
	compare(found, false)
	found, counts := w.check(false, true)
	compare(found, true)
	if counts.Findings != len(want) || counts.Mended != 0 || counts.Kept != 1 {
		t.Errorf("counts %+v", counts)
	}
	if after := tree(t, w.Dir); !slices.Equal(before, after) {
		t.Errorf("looking changed the storage: %v, then %v", before, after)
	}
	found, counts = w.check(true, true)
	for name, f := range found {
		if byHand := want[name].by || strings.HasSuffix(name, "/shared"); f.Mended == byHand || f.By != byHand {
			t.Errorf("%s: mended %v, by the operator %v", name, f.Mended, f.By)
		}
	}
	if counts.Mended != len(want)-4 {
		t.Errorf("counts %+v", counts)
	}
	found, _ = w.check(true, true)
	for name := range found {
		if !want[name].by && name != "wrong-kind tiledb://ann/shared" {
			t.Errorf("after mending: %s", name)
		}
	}
	w.mended(ctx, g, sound, named, wrong)
}

// mended looks at what mending made of the differences.
func (w world) mended(ctx context.Context, g, sound, named, wrong catalog.Asset) {
	t := w.t
	t.Helper()
	for ref, kind := range map[string]catalog.Kind{id1: catalog.Array, id2: catalog.Group, "recovered-orphan": catalog.Array, "wrong": catalog.Group} {
		a, err := w.Catalog.Resolve(ctx, w.Ann.NamespaceID, ref)
		if err != nil || a.Kind != kind {
			t.Errorf("%s: %s, %v", ref, a.Kind, err)
		}
	}
	if a, err := w.Catalog.Resolve(ctx, w.Ann.NamespaceID, id1); err != nil || a.ArrayType != "sparse" || a.Name != "recovered-"+id1 {
		t.Errorf("%+v, %v", a, err)
	}
	for _, name := range []string{"pending", "deleting", "lost", id3, id4} {
		if _, err := w.Catalog.Resolve(ctx, w.Ann.NamespaceID, name); !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, pattern := range []string{w.Ann.NamespaceID + "/" + id3 + "/__schema", w.Ann.NamespaceID + "/" + id4 + "/content",
		w.Ann.NamespaceID + "/named/some/part/__fragments/content", id1 + "/" + id2} {
		if found, err := filepath.Glob(filepath.Join(w.Dir, "quarantine", "*", pattern)); err != nil || len(found) != 1 {
			t.Errorf("in quarantine %s: %v, %v", pattern, found, err)
		}
	}
	notes, err := filepath.Glob(filepath.Join(w.Dir, "quarantine", "*", w.Ann.NamespaceID, "*.json"))
	if err != nil || len(notes) != 1 {
		t.Fatalf("%v, %v", notes, err)
	}
	text, err := os.ReadFile(notes[0])
	servertest.Must(t, err)
	var note retiredNote
	if err := json.Unmarshal(text, &note); err != nil || note.Asset.Name != "lost" {
		t.Errorf("%s, %v", text, err)
	}
	noted, err := w.Catalog.Noted(ctx, g.ID)
	both := []string{named.ID, sound.ID}
	slices.Sort(both)
	if err != nil || !slices.Equal(noted, both) {
		t.Errorf("members %v, %v", noted, err)
	}
	for _, rel := range []string{"named/own/content", "files/own/content", "strange/content", "uploads/fedcba9876543210fedcba9876543210/content"} {
		if _, err := os.Stat(filepath.Join(w.Dir, "storage", w.Ann.NamespaceID, rel)); err != nil {
			t.Error(err)
		}
	}
}

type retiredNote struct{ Asset struct{ Name string } }

// tree lists a directory.
func tree(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "storage"), func(path string, _ os.DirEntry, err error) error {
		list = append(list, path)
		return err
	})
	servertest.Must(t, err)
	return list
}

// TestDanglingRows looks for rows that refer to what is gone, which only SQLite without its checks lets in.
func TestDanglingRows(t *testing.T) {
	w := world{servertest.New(t), t}
	if w.DB.Shared() { // PostgreSQL cannot be told to let such rows in
		if found, err := w.DB.Dangling(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("%v, %v", found, err)
		}
		return
	}
	a := w.array(catalog.NewAsset{Name: "a"})
	bob, err := w.Accounts.ByName(t.Context(), "bob")
	servertest.Must(t, err)
	servertest.Must(t, w.Catalog.Share(t.Context(), w.grant(access.ArrayShare, a.Object()), a, bob.NamespaceID, access.CanRead, 0))
	plain, err := sql.Open("sqlite", filepath.Join(w.Dir, "azulejo.db"))
	servertest.Must(t, err)
	defer plain.Close()
	for _, statement := range []string{"DELETE FROM users WHERE id = ?1", "DELETE FROM namespaces WHERE id = ?2 AND ?1 <> ''"} {
		_, err = plain.Exec(statement, bob.ID, bob.NamespaceID)
		servertest.Must(t, err)
	}
	found, _ := w.check(true, true)
	for _, name := range []string{"reference table shares", "reference table tokens"} {
		if !found[name].Mended {
			t.Errorf("%s: %+v", name, found[name])
		}
	}
	if found, _ := w.check(true, true); len(found) != 0 {
		t.Errorf("then %v", found)
	}
}

// TestWithoutTheStorage looks at a data directory whose storage is not mounted: nothing is mended then.
func TestWithoutTheStorage(t *testing.T) {
	w := world{servertest.New(t), t}
	w.array(catalog.NewAsset{Name: "a"})
	servertest.Must(t, os.RemoveAll(filepath.Join(w.Dir, "storage", w.Ann.NamespaceID)))
	found, counts := w.check(true, true)
	if f := found["no-storage tiledb://ann/a"]; len(found) != 1 || !f.By || counts.Mended != 0 {
		t.Errorf("%+v", found)
	}
	if _, err := w.Catalog.Resolve(t.Context(), w.Ann.NamespaceID, "a"); err != nil {
		t.Error(err)
	}
}

// TestDeletedOrganization shows that what an organization leaves behind is put aside.
func TestDeletedOrganization(t *testing.T) {
	w := world{servertest.New(t), t}
	o, err := w.Accounts.CreateOrganization(t.Context(), w.Ann.UserID, "acme", account.OrganizationText{})
	servertest.Must(t, err)
	dir := filepath.Join(w.Dir, "storage", o.ID, "files")
	servertest.Must(t, os.MkdirAll(dir, 0o700))
	servertest.Must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("f"), 0o600))
	if found, _ := w.check(true, true); len(found) != 0 {
		t.Errorf("while it is there: %v", found)
	}
	servertest.Must(t, w.Accounts.DeleteOrganization(t.Context(), o.ID))
	found, _ := w.check(true, true)
	if f := found["no-namespace "+filepath.Join(w.Dir, "storage", o.ID)]; len(found) != 1 || !f.Mended {
		t.Errorf("%+v", found)
	}
	if kept, err := filepath.Glob(filepath.Join(w.Dir, "quarantine", "*", o.ID, "files", "f")); err != nil || len(kept) != 1 {
		t.Errorf("%v, %v", kept, err)
	}
}

// TestGivenAway looks at the directory of a namespace that is gone with an array that was given to somebody else: the array stays
// where it lies, and what else is there is put aside.
func TestGivenAway(t *testing.T) {
	w := world{servertest.New(t), t}
	o, err := w.Accounts.CreateOrganization(t.Context(), w.Ann.UserID, "acme", account.OrganizationText{})
	servertest.Must(t, err)
	a, lost := w.array(catalog.NewAsset{Name: "a"}), w.array(catalog.NewAsset{Name: "lost"})
	old := filepath.Join(w.Dir, "storage", o.ID)
	servertest.Must(t, os.MkdirAll(filepath.Join(old, "files"), 0o700))
	servertest.Must(t, os.WriteFile(filepath.Join(old, "files", "f"), []byte("f"), 0o600))
	servertest.Must(t, os.Rename(path(a), filepath.Join(old, a.ID)))
	servertest.Must(t, os.RemoveAll(path(lost)))
	for _, id := range []string{a.ID, lost.ID} {
		w.exec("UPDATE assets SET path = ?, home = ? WHERE id = ?", o.ID+"/"+id, o.ID, id)
	}
	w.exec("DELETE FROM organizations WHERE namespace_id = ?", o.ID) // the server refuses to while such assets are left
	w.exec("DELETE FROM namespaces WHERE id = ?", o.ID)
	found, _ := w.check(true, true)
	if len(found) != 2 || !found["no-namespace "+old+"/files"].Mended || !found["no-storage tiledb://ann/lost"].Mended {
		t.Errorf("%+v", found)
	}
	if found, _ := w.check(true, true); len(found) != 0 {
		t.Errorf("then %+v", found)
	}
	if there, err := array.Exists(t.Context(), file.New(), filepath.Join(old, a.ID)); err != nil || !there {
		t.Errorf("the array is there: %v, %v", there, err)
	}
}
