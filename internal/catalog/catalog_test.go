package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
)

var ctx = context.Background()

// world is a catalog with the users admin, ann and bob.
type world struct {
	*Catalog
	t     testing.TB
	db    *db.DB
	clock *time.Time
	dir   string // parent of the data directory and of the allowed one
	admin access.Subject
	ann   access.Subject
	bob   access.Subject
}

func newWorld(t testing.TB) world {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := world{t: t, dir: dir, clock: new(time.Time)}
	*w.clock = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	now := func() time.Time { return *w.clock }
	for _, sub := range []string{"data", "allowed/bob", "elsewhere"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if w.db, err = db.Open(ctx, dbtest.Source(t, filepath.Join(dir, "data", "azulejo.db"))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	accounts := account.New(w.db, now, 2)
	for name, s := range map[string]*access.Subject{"admin": &w.admin, "ann": &w.ann, "bob": &w.bob} {
		u, err := accounts.Create(ctx, account.NewUser{Name: name, Password: "long enough"})
		if err != nil {
			t.Fatal(err)
		}
		*s = access.Subject{Kind: access.Password, UserID: u.ID, NamespaceID: u.NamespaceID, Namespace: u.Name, Scopes: access.Scopes{access.ScopeAll}}
	}
	if w.Catalog, err = Open(w.db, now, filepath.Join(dir, "data"), []string{filepath.Join(dir, "allowed")}, "admin"); err != nil {
		t.Fatal(err)
	}
	return w
}

// restart stands for a crash of the server and a new start.
func (w *world) restart() {
	w.t.Helper()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	var err error
	if w.db, err = db.Open(ctx, dbtest.Source(w.t, w.path("data", "azulejo.db"))); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.db.Close() })
	if w.Catalog, err = Open(w.db, func() time.Time { return *w.clock }, w.path("data"), []string{w.path("allowed")}, "admin"); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w world) grant(s access.Subject, a access.Action, o access.Object) access.Grant {
	w.t.Helper()
	g, err := access.Allowed(s, a, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

func space(s access.Subject) access.Object {
	return access.Object{Kind: access.Namespace, ID: s.NamespaceID, NamespaceID: s.NamespaceID}
}

// makeDir stands for the engine: it makes the directory an array would be.
func makeDir(_ context.Context, l Location) error {
	return os.MkdirAll(filepath.Join(l.Path(), "__schema"), 0o700)
}

func removeDir(_ context.Context, l Location) error { return os.RemoveAll(l.Path()) }

func exists(_ context.Context, l Location) (bool, error) {
	_, err := os.Stat(filepath.Join(l.Path(), "__schema"))
	return err == nil, nil
}

func (w world) create(s access.Subject, ref string) (Asset, error) {
	n := NewAsset{Kind: Array}
	if err := n.FromRef(ref); err != nil {
		return Asset{}, err
	}
	return w.Create(ctx, w.grant(s, access.ArrayCreate, space(s)), n, makeDir)
}

func (w world) must(a Asset, err error) Asset {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w world) register(s access.Subject, n NewAsset) (Asset, error) {
	n.Kind = Array
	return w.Register(ctx, w.grant(s, access.ArrayRegister, space(s)), n, exists)
}

func (w world) locate(s access.Subject, a Asset) (Location, error) {
	return w.Locate(ctx, w.grant(s, access.ArrayRead, a.Object()), a)
}

func TestCreateResolveDelete(t *testing.T) {
	w := newWorld(t)
	a := w.must(w.create(w.ann, "a/b c?é%25"))
	if a.Name != "a/b c?é%25" || a.Namespace != "ann" || a.CreatedBy != "ann" || !a.CreatedAt.Equal(*w.clock) || a.Kind != Array {
		t.Errorf("%+v", a)
	}
	if want := w.path("data", "storage", w.ann.NamespaceID, a.ID); a.StorageURI() != "file://"+want {
		t.Errorf("stored at %s, want %s", a.StorageURI(), want)
	}
	for _, ref := range []string{a.Name, a.Name + "/", a.ID, strings.ToUpper(a.ID), a.StorageURI(), strings.TrimPrefix(a.StorageURI(), "file://"), a.StorageURI() + "/"} {
		if got, err := w.Resolve(ctx, w.ann.NamespaceID, ref); err != nil || got.ID != a.ID {
			t.Errorf("%s: %+v, %v", ref, got, err)
		}
		if _, err := w.Resolve(ctx, w.bob.NamespaceID, ref); err != ErrNotFound {
			t.Errorf("in another namespace, %s: %v", ref, err)
		}
	}
	for _, ref := range []string{"", "a", "../a", "s3://b/a", "tiledb://x/y", "/etc", "a//b c?é%25"} {
		if _, err := w.Resolve(ctx, w.ann.NamespaceID, ref); err != ErrNotFound {
			t.Errorf("%q: %v", ref, err)
		}
	}
	g := w.grant(w.ann, access.ArrayDelete, a.Object())
	if err := w.Delete(ctx, g, a, removeDir); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Resolve(ctx, w.ann.NamespaceID, a.ID); err != ErrNotFound {
		t.Errorf("after delete: %v", err)
	}
	if _, err := os.Stat(strings.TrimPrefix(a.StorageURI(), "file://")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("storage after delete: %v", err)
	}
	w.must(w.create(w.ann, a.Name))
}

func TestTakenNames(t *testing.T) {
	w := newWorld(t)
	w.must(w.create(w.admin, "x"))
	if _, err := w.create(w.admin, "x"); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("explicit: %v", err)
	}
	w.must(w.create(w.ann, "x"))
	for i, want := range []string{"x-1", "x-2"} {
		if a := w.must(w.create(w.admin, "file://"+w.path("allowed", fmt.Sprint(i), "x"))); a.Name != want {
			t.Errorf("derived: %s, want %s", a.Name, want)
		}
	}
	if _, err := w.create(w.admin, w.path("allowed", "0", "x")); !errors.Is(err, ErrExists) {
		t.Errorf("same path: %v", err)
	}
}

func TestSameNameAtOnce(t *testing.T) {
	w := newWorld(t)
	const n = 12
	errs, derived := make([]error, n), make([]Asset, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = w.create(w.admin, "same") })
		wg.Go(func() {
			var err error
			if derived[i], err = w.create(w.admin, w.path("allowed", fmt.Sprint(i), "derived")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrExists) {
			t.Error(err)
		}
	}
	names := map[string]bool{}
	for _, a := range derived {
		names[a.Name] = true
	}
	if won != 1 || len(names) != n {
		t.Errorf("%d creations won, names %v", won, names)
	}
}

// Every storage path has one owner; nothing of anyone else's can be named.
func TestPathOwnership(t *testing.T) {
	w := newWorld(t)
	annsArray := w.must(w.create(w.ann, "private"))
	secret := strings.TrimPrefix(annsArray.StorageURI(), "file://")
	if err := w.GrantPath(ctx, w.bob.NamespaceID, w.path("allowed", "bob")); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"allowed/bob/to-ann": secret, "allowed/bob/to-data": w.path("data"),
		"allowed/bob/to-admin": w.path("allowed"), "allowed/bob/dangling": w.path("elsewhere", "not-yet"), "elsewhere/in": w.path("allowed", "bob"),
		"allowed/bob/self": "self"} {
		if err := os.Symlink(target, w.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		who  access.Subject
		path string
		want error
	}{
		{w.admin, w.path("allowed", "new"), nil},
		{w.admin, w.path("allowed", "a", "b", "c"), nil},
		{w.bob, w.path("allowed", "bob", "mine"), nil},
		{w.bob, w.path("elsewhere", "in", "by-link"), nil},                 // the link leads to what is bob's
		{w.admin, w.path("allowed", "bob", "x"), ErrNotOwned},              // granted away
		{w.admin, w.path("allowed"), ErrNotOwned},                          // holds bob's
		{w.bob, w.path("allowed", "x"), ErrNotOwned},                       // the admin's
		{w.bob, w.path("allowed", "bobby"), ErrNotOwned},                   // a prefix of text is no prefix of paths
		{w.ann, w.path("allowed", "new2"), ErrNotOwned},                    // not granted
		{w.admin, w.path("elsewhere", "x"), ErrNotOwned},                   // not allowed
		{w.bob, secret, ErrNotOwned},                                       // another tenant's array
		{w.bob, secret + "/sub", ErrNotOwned},                              //
		{w.bob, w.path("allowed", "bob", "to-ann"), ErrNotOwned},           // by links
		{w.bob, w.path("allowed", "bob", "to-ann", "sub"), ErrNotOwned},    //
		{w.bob, w.path("allowed", "bob", "to-admin", "y"), ErrNotOwned},    //
		{w.bob, w.path("allowed", "bob", "to-data", "x"), ErrNotOwned},     //
		{w.bob, w.path("allowed", "bob", "dangling"), ErrNotOwned},         //
		{w.bob, w.path("allowed", "bob", "dangling", "x"), ErrNotOwned},    //
		{w.bob, w.path("allowed", "bob", "self", "x"), ErrNotOwned},        // a loop
		{w.admin, w.path("data"), ErrNotOwned},                             // database and keys
		{w.admin, w.path("data", "azulejo.db"), ErrNotOwned},               //
		{w.admin, w.path("data", "storage"), ErrNotOwned},                  //
		{w.admin, w.path("data", "storage", "x"), ErrNotOwned},             //
		{w.bob, w.path("data", "storage", w.bob.NamespaceID), ErrNotOwned}, // all of one's own at once
		{w.ann, secret + "/__fragments/x", ErrInvalid},                     // inside an array's own files
		{w.ann, secret + "/sub", ErrInvalid},                               // inside an array
		{w.admin, w.path("allowed") + "/../data/x", ErrInvalid},            // traversal
		{w.admin, w.path("allowed") + "/./x", ErrInvalid},                  //
		{w.admin, "/", ErrInvalid},
		{w.admin, "/x\x00y", ErrInvalid},
		{w.admin, "s3://bucket/x", ErrUnsupported},
		{w.admin, "GS://bucket/x", ErrUnsupported},
		{w.admin, "file://host/x", ErrInvalid},
		{w.admin, "tiledb://ann/private", ErrInvalid},
		{w.admin, "/etc/passwd", ErrNotOwned},
		{w.admin, "/proc/self/root" + w.path("data"), ErrNotOwned},
	} {
		for _, form := range []string{tc.path, "file://" + tc.path} {
			if strings.Contains(tc.path, "://") && form != tc.path {
				continue
			}
			a, err := w.create(tc.who, form)
			if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
				t.Errorf("%s creates %s: %v, want %v", tc.who.Namespace, form, err, tc.want)
			}
			if err == nil {
				if err := w.Delete(ctx, w.grant(tc.who, access.ArrayDelete, a.Object()), a, removeDir); err != nil {
					t.Error(err)
				}
			}
			if _, err := w.Owned(ctx, tc.who.NamespaceID, form); tc.want == ErrNotOwned && !errors.Is(err, ErrNotOwned) {
				t.Errorf("%s may put %s into a group: %v", tc.who.Namespace, form, err)
			}
		}
	}
	if ok, _ := exists(ctx, Location{secret}); !ok {
		t.Error("ann's array was harmed")
	}
}

// What is refused is refused alike, whether something is there or not.
func TestRefusalsTellNothing(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for _, p := range []string{w.path("data", "azulejo.db"), w.path("data", "nothing"), w.path("data", "azulejo.db", "below-a-file"), "/root/x", "/nonexistent/y"} {
		_, err := w.create(w.bob, p)
		if err == nil || strings.Contains(err.Error(), w.dir) {
			t.Errorf("%s: %v", p, err)
		}
		seen[fmt.Sprint(err)] = true
	}
	if len(seen) != 1 {
		t.Errorf("refusals differ: %v", seen)
	}
}

func TestRegister(t *testing.T) {
	w := newWorld(t)
	dir := w.path("allowed", "old")
	if err := makeDir(ctx, Location{dir}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.register(w.admin, NewAsset{Storage: w.path("allowed", "nothing")}); !errors.Is(err, ErrNotFound) {
		t.Errorf("nothing there: %v", err)
	}
	a := w.must(w.register(w.admin, NewAsset{Storage: "file://" + dir + "/", Info: Info{Description: "d"}}))
	if a.Name != "old" || a.StorageURI() != "file://"+dir || a.Info.Description != "d" {
		t.Errorf("%+v", a)
	}
	for _, p := range []string{dir, dir + "/inside", w.path("allowed")} {
		if _, err := w.create(w.admin, p); err == nil {
			t.Errorf("created at %s", p)
		}
	}
	if err := w.Deregister(ctx, w.grant(w.admin, access.ArrayDeregister, a.Object()), a); err != nil {
		t.Fatal(err)
	}
	again := w.must(w.register(w.admin, NewAsset{Name: "new name", Storage: dir}))
	if again.Name != "new name" {
		t.Errorf("%+v", again)
	}
	// A deregistered array of the default storage can come back too.
	b := w.must(w.create(w.ann, "b"))
	if err := w.Deregister(ctx, w.grant(w.ann, access.ArrayDeregister, b.Object()), b); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create(ctx, w.grant(w.ann, access.ArrayCreate, space(w.ann)), NewAsset{Kind: Array, Storage: b.StorageURI()},
		func(context.Context, Location) error { return errors.New("exists") }); err == nil {
		t.Error("created over it")
	}
	if got := w.must(w.register(w.ann, NewAsset{Storage: b.StorageURI(), Name: "b"})); got.StorageURI() != b.StorageURI() {
		t.Errorf("%+v", got)
	}
}

func TestLocateLooksAgain(t *testing.T) {
	w := newWorld(t)
	victim := w.must(w.create(w.ann, "private"))
	if err := w.GrantPath(ctx, w.bob.NamespaceID, w.path("allowed", "bob")); err != nil {
		t.Fatal(err)
	}
	a := w.must(w.create(w.bob, w.path("allowed", "bob", "mine")))
	if loc, err := w.locate(w.bob, a); err != nil || loc.URI() != a.StorageURI() {
		t.Errorf("%v, %v", loc, err)
	}
	if err := os.RemoveAll(w.path("allowed", "bob", "mine")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(strings.TrimPrefix(victim.StorageURI(), "file://"), w.path("allowed", "bob", "mine")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.locate(w.bob, a); !errors.Is(err, ErrNotOwned) {
		t.Errorf("after it became a link: %v", err)
	}
	if err := os.Remove(w.path("allowed", "bob", "mine")); err != nil {
		t.Fatal(err)
	}
	if err := w.RevokePath(ctx, w.path("allowed", "bob")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.locate(w.bob, a); !errors.Is(err, ErrNotOwned) {
		t.Errorf("after the grant was taken back: %v", err)
	}
	g := w.grant(w.ann, access.ArrayRead, victim.Object())
	for name, err := range map[string]error{
		"zero grant":     second(w.Locate(ctx, access.Grant{}, victim)),
		"another object": second(w.Locate(ctx, g, a)),
		"delete by read": w.Delete(ctx, g, victim, removeDir),
		"deregister":     w.Deregister(ctx, g, victim),
		"update":         second(w.Update(ctx, g, victim, Patch{})),
		"create by read": second(w.Create(ctx, g, NewAsset{Kind: Array, Name: "x"}, makeDir)),
		"group by array": second(w.Create(ctx, w.grant(w.ann, access.ArrayCreate, space(w.ann)), NewAsset{Kind: Group, Name: "x"}, makeDir)),
	} {
		if !errors.Is(err, access.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestFailedCreationLeavesNothing(t *testing.T) {
	w := newWorld(t)
	boom := errors.New("boom")
	gone, cancel := context.WithCancel(ctx)
	_, err := w.Create(gone, w.grant(w.ann, access.ArrayCreate, space(w.ann)), NewAsset{Kind: Array, Name: "x"}, func(_ context.Context, l Location) error {
		cancel() // the client hangs up meanwhile
		return errors.Join(boom, makeDir(ctx, l))
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(w.path("data", "storage", w.ann.NamespaceID))
	if err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	w.must(w.create(w.ann, "x"))
}

// A crash at any point of create or delete leaves a row that Recover ends.
func TestRecover(t *testing.T) {
	w := newWorld(t)
	type crash struct{}
	crashing := func(after func(context.Context, Location) error) func(context.Context, Location) error {
		return func(ctx context.Context, l Location) error {
			if after != nil {
				if err := after(ctx, l); err != nil {
					t.Error(err)
				}
			}
			panic(crash{})
		}
	}
	survive := func(fn func()) {
		defer func() { recover() }()
		fn()
	}
	create := w.grant(w.admin, access.ArrayCreate, space(w.admin))
	victim := w.must(w.create(w.admin, "victim"))
	survive(func() { w.Create(ctx, create, NewAsset{Kind: Array, Name: "early"}, crashing(nil)) })
	survive(func() { w.Create(ctx, create, NewAsset{Kind: Array, Name: "late"}, crashing(makeDir)) })
	survive(func() {
		w.Create(ctx, create, NewAsset{Kind: Array, Storage: w.path("allowed", "early2")}, crashing(nil))
	})
	survive(func() {
		w.Create(ctx, create, NewAsset{Kind: Array, Storage: w.path("allowed", "late2")}, crashing(makeDir))
	})
	survive(func() { w.Delete(ctx, w.grant(w.admin, access.ArrayDelete, victim.Object()), victim, crashing(nil)) })
	if list, n, err := w.List(ctx, Filter{Namespaces: []string{w.admin.NamespaceID}}); err != nil || n != 0 {
		t.Errorf("half-made assets are visible: %v, %v", list, err)
	}
	w.restart()
	err := w.Recover(ctx, func(ctx context.Context, _ Kind, l Location) (bool, error) { return exists(ctx, l) },
		func(ctx context.Context, _ Kind, l Location) error { return removeDir(ctx, l) })
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := w.List(ctx, Filter{Namespaces: []string{w.admin.NamespaceID}})
	if err != nil || len(list) != 1 || list[0].Name != "late2" {
		t.Errorf("%+v, %v", list, err)
	}
	if entries, err := os.ReadDir(w.path("data", "storage", w.admin.NamespaceID)); err != nil || len(entries) != 0 {
		t.Errorf("left in storage: %v, %v", entries, err)
	}
	for _, name := range []string{"early", "late", "victim", w.path("allowed", "early2")} {
		w.must(w.create(w.admin, name))
	}
}

func TestUpdateAndRename(t *testing.T) {
	w := newWorld(t)
	a, other := w.must(w.create(w.ann, "a")), w.must(w.create(w.ann, "other"))
	g := w.grant(w.ann, access.ArrayDescribe, a.Object())
	name, text, tags, frozen := "b/c", "about it", []string{"x", "y-z"}, true
	b, err := w.Update(ctx, g, a, Patch{Name: &name, Description: &text, Tags: &tags, FileProperties: &map[string]string{"size": "1"}, ReadOnly: &frozen})
	if err != nil || b.Name != name || b.Info.Description != text || !slices.Equal(b.Info.Tags, tags) || b.Info.FileProperties["size"] != "1" ||
		b.StorageURI() != a.StorageURI() || !b.Object().ReadOnly {
		t.Errorf("%+v, %v", b, err)
	}
	for ref, want := range map[string]error{"a": nil, "b/c": nil, a.ID: nil, a.StorageURI(): nil} {
		if _, err := w.Resolve(ctx, w.ann.NamespaceID, ref); err != want {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := w.Update(ctx, g, a, Patch{Name: &other.Name}); !errors.Is(err, ErrExists) {
		t.Errorf("taken: %v", err)
	}
	for _, bad := range []Patch{{Name: new(string)}, {Tags: &[]string{"No"}}} {
		if _, err := w.Update(ctx, g, a, bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{"gamma", "Alpha", "be_ta"} {
		*w.clock = w.clock.Add(time.Second)
		n := NewAsset{Kind: Array, Name: name, Info: Info{Tags: []string{"all", name[len(name)-1:]}, FileType: []string{"", "file", "notebook"}[i]}}
		w.must(w.Create(ctx, w.grant(w.ann, access.ArrayCreate, space(w.ann)), n, makeDir))
	}
	w.must(w.Create(ctx, w.grant(w.ann, access.GroupCreate, space(w.ann)), NewAsset{Kind: Group, Name: "grp"}, makeDir))
	w.must(w.create(w.bob, "bobs"))
	for _, tc := range []struct {
		name  string
		f     Filter
		want  string
		total int
	}{
		{"newest first", Filter{}, "grp be_ta Alpha gamma", 4},
		{"arrays by name", Filter{Kind: Array, OrderBy: "name"}, "Alpha be_ta gamma", 3},
		{"descending", Filter{Kind: Array, OrderBy: "name", Descending: true}, "gamma be_ta Alpha", 3},
		{"second page", Filter{Kind: Array, OrderBy: "name", Page: 2, PerPage: 2}, "gamma", 3},
		{"search", Filter{Search: "ALPH"}, "Alpha", 1},
		{"search for words", Filter{Search: "be_t"}, "be_ta", 1},
		{"search is no pattern", Filter{Search: "e_t"}, "", 0},
		{"search %", Filter{Search: "%"}, "", 0},
		{"search namespace", Filter{Search: "ann", Kind: Group}, "grp", 1},
		{"tag", Filter{Tags: []string{"all"}, ExcludeTags: []string{"a"}}, "", 0},
		{"excluded tag", Filter{ExcludeTags: []string{"all"}}, "grp", 1},
		{"file types", Filter{FileTypes: []string{"file", "notebook"}, OrderBy: "name"}, "Alpha be_ta", 2},
		{"no file types", Filter{ExcludeFileTypes: []string{"file", "notebook"}, OrderBy: "name"}, "gamma grp", 2},
	} {
		tc.f.Namespaces = []string{w.ann.NamespaceID}
		list, total, err := w.List(ctx, tc.f)
		names := make([]string, len(list))
		for i, a := range list {
			names[i] = a.Name
		}
		// Two assets share the last second; names decide among them.
		if got := strings.Join(names, " "); err != nil || total != tc.total || got != tc.want && tc.name != "newest first" {
			t.Errorf("%s: %q of %d, %v; want %q of %d", tc.name, got, total, err, tc.want, tc.total)
		}
	}
}

func TestNestedGroups(t *testing.T) {
	w := newWorld(t)
	group := func(ref string) (Asset, error) {
		n := NewAsset{Kind: Group}
		if err := n.FromRef(ref); err != nil {
			t.Fatal(err)
		}
		return w.Create(ctx, w.grant(w.admin, access.GroupCreate, space(w.admin)), n, func(_ context.Context, l Location) error {
			return os.MkdirAll(filepath.Join(l.Path(), "__group"), 0o700)
		})
	}
	g := w.must(group(w.path("allowed", "soma")))
	inner := w.must(w.create(w.admin, w.path("allowed", "soma", "obs")))
	if inner.Name != "obs" || g.Name != "soma" {
		t.Errorf("%+v %+v", g, inner)
	}
	if _, err := group(w.path("allowed", "soma", "obs", "x")); !errors.Is(err, ErrInvalid) {
		t.Errorf("a group inside an array: %v", err)
	}
	def := w.must(group("in default"))
	below := w.must(w.create(w.admin, def.StorageURI()+"/below"))
	if err := w.Delete(ctx, w.grant(w.admin, access.GroupDelete, def.Object()), def, func(context.Context, Location) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if ok, _ := exists(ctx, Location{strings.TrimPrefix(below.StorageURI(), "file://")}); !ok {
		t.Error("an array below a deleted group was harmed")
	}
}

func TestGrantPath(t *testing.T) {
	w := newWorld(t)
	w.must(w.create(w.admin, w.path("allowed", "bob", "admins")))
	for _, dir := range []string{w.path("elsewhere"), w.path("data"), w.path("allowed", "missing"), w.path("allowed", "bob")} {
		if err := w.GrantPath(ctx, w.bob.NamespaceID, dir); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if err := w.RevokePath(ctx, w.path("allowed", "bob")); !errors.Is(err, ErrNotFound) {
		t.Errorf("not granted: %v", err)
	}
	if _, err := Open(w.db, w.now, w.path("data"), []string{w.path("data", "storage")}, "admin"); !errors.Is(err, ErrInvalid) {
		t.Errorf("allowing the data directory: %v", err)
	}
	if _, err := Open(w.db, w.now, w.path("data"), []string{w.path("missing")}, "admin"); err == nil {
		t.Error("allowing a missing directory")
	}
}

// A data directory inside an allowed one stays nobody's.
func TestAllowedAroundData(t *testing.T) {
	w := newWorld(t)
	c, err := Open(w.db, w.now, w.path("data"), []string{w.dir}, "admin")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{"data/x": ErrNotOwned, "data": ErrNotOwned, "data/storage/y": ErrNotOwned, "elsewhere/z": nil} {
		if _, err := c.Owned(ctx, w.admin.NamespaceID, w.path(path)); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := c.Owned(ctx, w.admin.NamespaceID, w.dir); !errors.Is(err, ErrNotOwned) {
		t.Errorf("a directory around the data: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "a/b", "é à", "a.b", "...", "a%2Fb", "x?y#z", "__meta", "a:b", strings.Repeat("n", 1024)} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "/a", "a/", "a//b", "..", "a/../b", "./a", `a\b`, "a\nb", "\xff", "a\x00", "s3://x", "file:/x", " a", strings.Repeat("n", 1025),
		"c7ca7ca9-db11-4b04-b891-a32b4f5e0100"} {
		if err := CheckName(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"a/b", "file:///a/b", "/a/../b", "s3://b/k", "c7ca7ca9-db11-4b04-b891-a32b4f5e0100", "//", "file:////"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		if r.Path != "" && (!filepath.IsAbs(r.Path) || filepath.Clean(r.Path) != r.Path || strings.Contains(r.Path+"/", "/../") || r.Path == "/") {
			t.Errorf("%q gives path %q", s, r.Path)
		}
		if r.Name != "" && (strings.HasPrefix(r.Name, "/") || strings.Contains("/"+r.Name+"/", "/../")) {
			t.Errorf("%q gives name %q", s, r.Name)
		}
		if r == (Ref{}) {
			t.Errorf("%q gives nothing", s)
		}
	})
}

func FuzzCheckName(f *testing.F) {
	f.Add("a/b")
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		if CheckName(s) != nil {
			return
		}
		if r, err := ParseRef(s); err != nil || r.Name != s {
			t.Errorf("%q is a name but reads as %+v, %v", s, r, err)
		}
	})
}

func TestByStorageKnowsChanges(t *testing.T) {
	w := newWorld(t) // its clock stands still, so nothing is forgotten by age
	a, b := w.must(w.create(w.ann, "a")), w.must(w.create(w.bob, "b"))
	uris := []string{a.StorageURI(), b.StorageURI(), "file:///nowhere", "s3://x/y"}
	check := func(what string, want ...string) {
		t.Helper()
		for range 2 {
			found, err := w.ByStorage(ctx, uris)
			if err != nil || len(found) != len(want) {
				t.Fatalf("%s: %v, %v", what, found, err)
			}
			for _, id := range want {
				if !slices.ContainsFunc(uris, func(u string) bool { return found[u].ID == id }) {
					t.Errorf("%s: %s is missing", what, id)
				}
			}
		}
	}
	check("both", a.ID, b.ID)
	if err := w.Delete(ctx, w.grant(w.ann, access.ArrayDelete, a.Object()), a, removeDir); err != nil {
		t.Fatal(err)
	}
	check("after one was deleted", b.ID)
	uris = slices.Concat(uris, make([]string, storedURIs))
	check("a list too long to remember", b.ID)
}
