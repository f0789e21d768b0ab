package account

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
)

var ctx = context.Background()

func newAccounts(t *testing.T) (*Accounts, *time.Time, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.db")
	d, err := db.Open(ctx, dbtest.Source(t, path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	clock := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	return New(d, func() time.Time { return clock }, 2), &clock, path
}

func add(t *testing.T, a *Accounts, name, password string) User {
	t.Helper()
	u, err := a.Create(ctx, NewUser{Name: name, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCreateAndVerify(t *testing.T) {
	a, clock, _ := newAccounts(t)
	u := add(t, a, "Ann", "correct horse")
	if got, err := a.Verify(ctx, "aNN", "correct horse"); err != nil || got != u {
		t.Errorf("%+v, %v; want %+v", got, err, u)
	}
	if got, err := a.ByID(ctx, u.ID); err != nil || got != u || !got.CreatedAt.Equal(*clock) {
		t.Errorf("by id: %+v, %v", got, err)
	}
	for _, name := range []string{"ANN", u.NamespaceID} {
		if n, err := a.Namespace(ctx, name); err != nil || n != (Namespace{ID: u.NamespaceID, Name: "Ann"}) {
			t.Errorf("namespace %s: %+v, %v", name, n, err)
		}
	}
	for _, c := range [][2]string{{"Ann", "correct hors"}, {"Ann", ""}, {"bob", "correct horse"}, {"", ""}, {"Ann", strings.Repeat("x", 5000)}} {
		if _, err := a.Verify(ctx, c[0], c[1]); !errors.Is(err, ErrCredentials) {
			t.Errorf("%q: %v", c, err)
		}
	}
	if _, err := a.Create(ctx, NewUser{Name: "anN", Password: "another one"}); !errors.Is(err, ErrExists) {
		t.Errorf("same name in another case: %v", err)
	}
}

func TestPasswordChangeAndDisable(t *testing.T) {
	a, clock, _ := newAccounts(t)
	u := add(t, a, "ann", "password one")
	verify := func(password string, ok bool) {
		t.Helper()
		if _, err := a.Verify(ctx, "ann", password); (err == nil) != ok {
			t.Errorf("%s: %v", password, err)
		}
	}
	verify("password one", true)
	verify("password one", true) // remembered
	if err := a.SetPassword(ctx, u.ID, "password two"); err != nil {
		t.Fatal(err)
	}
	verify("password one", false)
	verify("password two", true)
	for _, off := range []bool{true, false} {
		if err := a.SetDisabled(ctx, u.ID, off); err != nil {
			t.Fatal(err)
		}
		verify("password two", !off)
	}
	*clock = clock.Add(2 * recentLife)
	verify("password two", true)
	if err := a.SetDisabled(ctx, "nobody", true); !errors.Is(err, ErrNotFound) {
		t.Errorf("err = %v", err)
	}
}

func TestEnsureAdmin(t *testing.T) {
	a, _, path := newAccounts(t)
	pw, made, err := a.EnsureAdmin(ctx, "")
	if err != nil || !made || len(pw) < 20 {
		t.Fatalf("%q, %v, %v", pw, made, err)
	}
	u, err := a.Verify(ctx, "admin", pw)
	if err != nil || !u.Admin {
		t.Errorf("%+v, %v", u, err)
	}
	if again, made, err := a.EnsureAdmin(ctx, "ignored password"); again != "" || made || err != nil {
		t.Errorf("second time: %q, %v, %v", again, made, err)
	}
	if strings.Contains(string(dbtest.Dump(t, path)), pw) {
		t.Error("the database holds the password")
	}
	b, _, _ := newAccounts(t)
	if pw, made, err := b.EnsureAdmin(ctx, "given password"); pw != "" || !made || err != nil {
		t.Errorf("given: %q, %v, %v", pw, made, err)
	}
	c, _, _ := newAccounts(t)
	if _, _, err := c.EnsureAdmin(ctx, "short"); !errors.Is(err, ErrInvalid) {
		t.Errorf("short password: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "Ann-2", "x_y.z", "7", strings.Repeat("n", 63), "unittest", "TileDB-Inc"} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", strings.Repeat("n", 64), "a b", "a/b", "é", ".", "..", "-", "Favorites", "public", "users", "browser",
		"c7ca7ca9-db11-4b04-b891-a32b4f5e0100", "a\x00", "a%2F", "owned", "v1"} {
		if err := CheckName(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSameNameAtOnce(t *testing.T) {
	a, _, _ := newAccounts(t)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			_, err := a.Create(ctx, NewUser{Name: []string{"ann", "ANN"}[i%2], Password: "long enough"})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, ErrExists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, err := a.List(ctx); won.Load() != 1 || err != nil || len(list) != 1 {
		t.Errorf("%d won, %v, %v", won.Load(), list, err)
	}
}

// An unknown user costs a hash like a known one.
func TestUnknownUserCostsAHash(t *testing.T) {
	h := newHasher(1)
	if ok, err := h.check(ctx, nobody, "x"); ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	stored, err := h.hash(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := stored[:strings.LastIndex(stored[:60], "$")], nobody[:len("$argon2id$v=19$m=19456,t=2,p=1")]; !strings.HasPrefix(a, b) {
		t.Errorf("parameters differ: %s, %s", a, b)
	}
}

func TestHashersAreBounded(t *testing.T) {
	h := newHasher(1)
	h.slots <- struct{}{}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := h.hash(done, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func FuzzCheckName(f *testing.F) {
	f.Add("ann")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, s string) {
		if CheckName(s) == nil && (strings.ContainsAny(s, "/\\%? \x00") || Reserved(s) || strings.Trim(s, "._-") == "") {
			t.Errorf("accepted %q", s)
		}
	})
}

func FuzzStoredHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA")
	f.Add(nobody)
	h := newHasher(1)
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "m=") {
			s = strings.Replace(s, "m=19456", "m=8", 1)
		}
		if len(s) < 200 {
			parts := strings.Split(s, "$")
			if len(parts) == 6 && !strings.HasPrefix(parts[3], "m=8,t=1,") {
				return // costs too much to try
			}
			_, _ = h.check(ctx, s, "x")
		}
	})
}
