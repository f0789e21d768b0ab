package token

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
)

var (
	ctx  = context.Background()
	from = activity.Origin{Address: "192.0.2.7", Agent: "client/1", RequestID: "req"}
)

// world is one database with users ann and bob and a clock that tests move.
type world struct {
	*Tokens
	accounts *account.Accounts
	clock    *time.Time
	db       *db.DB
	path     string
	ann, bob access.Subject
}

func newWorld(t *testing.T, lives Lives) world {
	t.Helper()
	w := world{path: filepath.Join(t.TempDir(), "a.db"), clock: new(time.Time)}
	*w.clock = time.Date(2027, 1, 2, 3, 4, 5, 600, time.UTC)
	now := func() time.Time { return *w.clock }
	var err error
	if w.db, err = db.Open(ctx, dbtest.Source(t, w.path)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.Tokens, w.accounts = New(w.db, now, lives), account.New(w.db, now, 1)
	for name, s := range map[string]*access.Subject{"ann": &w.ann, "bob": &w.bob} {
		u, err := w.accounts.Create(ctx, account.NewUser{Name: name, Password: "password of " + name})
		if err != nil {
			t.Fatal(err)
		}
		*s = SubjectOf(u)
	}
	return w
}

var lives = Lives{API: 30 * time.Minute, Session: 30 * time.Minute, Remember: 30 * 24 * time.Hour}

func (w world) make(t *testing.T, by access.Subject, n NewToken) (Secret, Token) {
	t.Helper()
	secret, tok, err := w.Create(ctx, by, n)
	if err != nil {
		t.Fatal(err)
	}
	return secret, tok
}

func (w world) try(s Secret) error {
	_, err := w.Verify(ctx, s.Reveal(), from)
	return err
}

func (w world) pass(d time.Duration) { *w.clock = w.clock.Add(d) }

func TestTOK04_AllBlank(t *testing.T) {
	w := newWorld(t, lives)
	secret, tok := w.make(t, w.ann, NewToken{})
	if tok.Name != "token-20270102-030405" || tok.ExpiresAt.Sub(tok.IssuedAt) != 30*time.Minute ||
		!slices.Equal(tok.Scopes.Texts(), []string{"*"}) || tok.Kind != API {
		t.Errorf("%+v", tok)
	}
	s, err := w.Verify(ctx, secret.Reveal(), from)
	want := access.Subject{Kind: access.APIToken, UserID: w.ann.UserID, NamespaceID: w.ann.NamespaceID, Namespace: "ann", TokenID: tok.ID, Scopes: tok.Scopes}
	if err != nil || fmt.Sprint(s) != fmt.Sprint(want) {
		t.Errorf("%+v, %v; want %+v", s, err, want)
	}
}

func TestTOK05_SameName(t *testing.T) {
	w := newWorld(t, lives)
	for _, want := range []string{"ci", "ci-1", "ci-2"} {
		if _, tok := w.make(t, w.ann, NewToken{Name: "ci"}); tok.Name != want {
			t.Errorf("got %s, want %s", tok.Name, want)
		}
	}
	if _, tok := w.make(t, w.bob, NewToken{Name: "ci"}); tok.Name != "ci" {
		t.Errorf("another user's: %s", tok.Name)
	}
	if err := w.Revoke(ctx, w.ann, "ci", from); err != nil {
		t.Fatal(err)
	}
	if _, tok := w.make(t, w.ann, NewToken{Name: "ci"}); tok.Name != "ci" {
		t.Errorf("a revoked token still holds its name: %s", tok.Name)
	}
}

func TestTOK05_SameNameAtOnce(t *testing.T) {
	w := newWorld(t, lives)
	const n = 24
	names := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, tok, err := w.Create(ctx, w.ann, NewToken{Name: "ci"})
			if err != nil {
				t.Error(err)
			}
			names[i] = tok.Name
		})
	}
	wg.Wait()
	slices.Sort(names)
	if len(slices.Compact(names)) != n {
		t.Errorf("names collide: %v", names)
	}
}

func TestTokenNames(t *testing.T) {
	w := newWorld(t, lives)
	secret, _ := w.make(t, w.ann, NewToken{})
	for _, good := range []string{"my/tok en?#é", "..", "a//b", "%25", strings.Repeat("é", 128), "scopes"} {
		if _, tok := w.make(t, w.ann, NewToken{Name: good}); tok.Name != good || w.Revoke(ctx, w.ann, good, from) != nil {
			t.Errorf("%q", good)
		}
	}
	for _, bad := range []string{"/a", "a/", " ", "a\nb", "\x00", "\xff", strings.Repeat("a", 129), "x" + secret.Reveal()} {
		if _, _, err := w.Create(ctx, w.ann, NewToken{Name: bad}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTOK22_Lives(t *testing.T) {
	at := func(w world, d time.Duration) time.Time { return w.clock.Add(d) }
	w, limited := newWorld(t, lives), lives
	limited.Max = 24 * time.Hour
	l := newWorld(t, limited)
	for _, tc := range []struct {
		name string
		w    world
		n    NewToken
		want time.Duration // 0: refused
	}{
		{"session", w, NewToken{Kind: Session}, 30 * time.Minute},
		{"remember", w, NewToken{Kind: Session, Remember: true}, 30 * 24 * time.Hour},
		{"remember wins", w, NewToken{Kind: Session, Remember: true, Expires: at(w, time.Hour)}, 30 * 24 * time.Hour},
		{"explicit session", w, NewToken{Kind: Session, Expires: at(w, time.Hour)}, time.Hour},
		{"explicit token", w, NewToken{Expires: at(w, 400*24*time.Hour)}, 400 * 24 * time.Hour},
		{"past", w, NewToken{Expires: at(w, -time.Second)}, 0},
		{"now", w, NewToken{Expires: at(w, 0)}, 0},
		{"remember over the maximum", l, NewToken{Kind: Session, Remember: true}, 24 * time.Hour},
		{"explicit over the maximum", l, NewToken{Expires: at(l, 25*time.Hour)}, 0},
	} {
		_, tok, err := tc.w.Create(ctx, tc.w.ann, tc.n)
		if tc.want == 0 && errors.Is(err, ErrInvalid) {
			continue
		}
		if err != nil || tok.ExpiresAt.Sub(tok.IssuedAt) != tc.want {
			t.Errorf("%s: %v, %v", tc.name, tok.ExpiresAt.Sub(tok.IssuedAt), err)
		}
	}
}

func TestTOK23_NeverWider(t *testing.T) {
	w := newWorld(t, lives)
	secret, _ := w.make(t, w.ann, NewToken{Scopes: []string{"user:admin", "array:read"}})
	narrow, err := w.Verify(ctx, secret.Reveal(), from)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []Kind{API, Session} {
		if _, tok := w.make(t, narrow, NewToken{Kind: kind}); !narrow.Scopes.Covers(tok.Scopes) || len(tok.Scopes) != 2 {
			t.Errorf("%s: %v", kind, tok.Scopes)
		}
		if _, tok := w.make(t, narrow, NewToken{Kind: kind, Scopes: []string{"user:read"}}); tok.Scopes.Texts()[0] != "user:read" {
			t.Errorf("%s: %v", kind, tok.Scopes)
		}
		for _, wider := range []string{"*", "array:read-write", "group:read"} {
			if _, _, err := w.Create(ctx, narrow, NewToken{Kind: kind, Scopes: []string{"array:read", wider}}); !errors.Is(err, access.ErrScope) {
				t.Errorf("%s %s: %v", kind, wider, err)
			}
		}
	}
	for scopes, want := range map[string]error{"password_reset": ErrInvalid, "nonsense": access.ErrUnknownScope} {
		if _, _, err := w.Create(ctx, w.ann, NewToken{Scopes: []string{scopes}}); !errors.Is(err, want) {
			t.Errorf("%s: %v", scopes, err)
		}
	}
	if _, _, err := w.Create(ctx, w.ann, NewToken{Scopes: []string{}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("empty list: %v", err)
	}
}

func TestTOK24_RevokeByIDNameSecret(t *testing.T) {
	w := newWorld(t, lives)
	for _, how := range []string{"id", "name", "secret"} {
		secret, tok := w.make(t, w.ann, NewToken{Name: "scopes"})
		ref := map[string]string{"id": tok.ID, "name": tok.Name, "secret": secret.Reveal()}[how]
		if err := w.try(secret); err != nil {
			t.Fatal(err)
		}
		if err := w.Revoke(ctx, w.ann, ref, from); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if err := w.try(secret); !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "revoked on 2027-01-02T03:04:05Z") {
			t.Errorf("by %s, next use: %v", how, err)
		}
	}
	// The identifier goes before the name.
	_, first := w.make(t, w.ann, NewToken{})
	_, second := w.make(t, w.ann, NewToken{Name: first.ID})
	if err := w.Revoke(ctx, w.ann, first.ID, from); err != nil {
		t.Fatal(err)
	}
	list, err := w.List(ctx, w.ann.UserID, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range list {
		if tok.ID == second.ID && tok.Status(w.Now()) != Active {
			t.Error("the token of that name was revoked instead")
		}
	}
}

func TestTOK25_UnknownAndRepeated(t *testing.T) {
	w := newWorld(t, lives)
	secret, tok := w.make(t, w.bob, NewToken{Name: "bobs"})
	unknown := newSecret(API).Reveal()
	for _, ref := range []string{"", "nope", "bobs", tok.ID, secret.Reveal(), unknown, "azj_a_", "00000000-0000-8000-8000-000000000000"} {
		if err := w.Revoke(ctx, w.ann, ref, from); err != ErrNotFound {
			t.Errorf("%q: %v", ref, err)
		}
	}
	if w.try(secret) != nil {
		t.Error("another user's token was revoked")
	}
	for range 2 {
		if err := w.Revoke(ctx, w.bob, "bobs", from); err != nil {
			t.Error(err)
		}
	}
	w.pass(31 * 24 * time.Hour)
	if err := w.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Revoke(ctx, w.bob, "bobs", from); err != ErrNotFound {
		t.Errorf("after 30 days: %v", err)
	}
}

func TestTOK15_Self(t *testing.T) {
	w := newWorld(t, lives)
	secret, tok := w.make(t, w.ann, NewToken{Name: "ro", Scopes: []string{"array:read"}})
	_, other := w.make(t, w.ann, NewToken{})
	me, err := w.Verify(ctx, secret.Reveal(), from)
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]bool{"ro": true, tok.ID: true, secret.Reveal(): true, other.Name: false, "nope": false} {
		if got, err := w.IsSelf(ctx, me, ref); got != want || err != nil {
			t.Errorf("%s: %v, %v", ref, got, err)
		}
	}
}

func TestTOK30_SecretForm(t *testing.T) {
	form := regexp.MustCompile(`^azj_([a-z])_[0-9A-Za-z]{49}$`)
	seen := map[Secret]bool{}
	for _, kind := range []Kind{API, Session, Notebook, Task} {
		for range 100 {
			s := newSecret(kind)
			m := form.FindStringSubmatch(s.Reveal())
			if m == nil || m[1][0] != kind.letter() || seen[s] {
				t.Fatalf("%s: %s", kind, s.Reveal())
			}
			if _, err := parse(s.Reveal()); err != nil {
				t.Fatal(err)
			}
			seen[s] = true
			for _, bad := range []string{s.Reveal()[:secretLen-1], s.Reveal() + "0", strings.ToLower(s.Reveal()) + " ", flip(s, 8), flip(s, secretLen-1), flip(s, 4)} {
				if _, err := parse(bad); err == nil {
					t.Errorf("%s passes", bad)
				}
			}
		}
	}
	var zero, ones [randomBytes]byte
	for i := range ones {
		ones[i] = 0xff
	}
	for _, random := range [][randomBytes]byte{zero, ones} {
		if s := formSecret('a', random); !form.MatchString(s.Reveal()) {
			t.Errorf("%s", s.Reveal())
		}
	}
	// A known vector: what SECURITY.md publishes must not drift.
	if s := formSecret('a', zero); s.Reveal() != "azj_a_"+strings.Repeat("0", 43)+checksum("azj_a_"+strings.Repeat("0", 43)) || len(s) != 55 {
		t.Errorf("%s", s.Reveal())
	}
}

// flip changes one character into another one of the alphabet.
func flip(s Secret, i int) string {
	b := []byte(s)
	if b[i] == 'x' {
		b[i] = 'y'
	} else {
		b[i] = 'x'
	}
	return string(b)
}

func TestTOK31_SecretIsNowhere(t *testing.T) {
	w := newWorld(t, lives)
	secret, tok := w.make(t, w.ann, NewToken{Name: "ci"})
	if err := w.try(secret); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	random := []byte(secret.Reveal())[6 : 6+randomChars]
	content := dbtest.Dump(t, w.path)
	if bytes.Contains(content, random) || bytes.Contains(content, []byte(secret)) {
		t.Error("the database holds the secret")
	}
	if !bytes.Contains(content, []byte(secret.tail())) {
		t.Error("the database does not hold the tail: the test looks in the wrong place")
	}
	printed := fmt.Sprintf("%v %+v %#v %s %q", secret, secret, secret, secret, secret)
	asJSON, err := json.Marshal(map[string]any{"t": tok, "s": secret})
	if err != nil || strings.Contains(printed+string(asJSON), string(random)) {
		t.Errorf("%s %s %v", printed, asJSON, err)
	}
}

// TOK-32, TOK-14: a token revoked or a user disabled by another process is
// noticed within a second, by this process at once.
func TestTOK32_CacheOfASecond(t *testing.T) {
	w := newWorld(t, lives)
	other := New(w.db, w.now, lives)
	secret, _ := w.make(t, w.ann, NewToken{Name: "ci"})
	if w.try(secret) != nil {
		t.Fatal("refused")
	}
	if err := other.Revoke(ctx, w.ann, "ci", from); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	if err := w.try(secret); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("a second after the other's revocation: %v", err)
	}
	secret, _ = w.make(t, w.ann, NewToken{Name: "ci"})
	if w.try(secret) != nil {
		t.Fatal("refused")
	}
	if err := w.accounts.SetDisabled(ctx, w.ann.UserID, true); err != nil {
		t.Fatal(err)
	}
	w.Forget()
	if err := w.try(secret); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("disabled owner: %v", err)
	}
}

func TestTOK33_FailuresAreAlike(t *testing.T) {
	w := newWorld(t, lives)
	secret, _ := w.make(t, w.ann, NewToken{Name: "ci"})
	same := map[string]bool{}
	for _, bad := range []string{"", "x", "azj_a_", newSecret(API).Reveal(), flip(secret, 20), "Bearer " + secret.Reveal()} {
		_, err := w.Verify(ctx, bad, activity.Origin{Address: bad})
		if !errors.Is(err, ErrUnauthorized) {
			t.Errorf("%q: %v", bad, err)
		}
		same[err.Error()] = true
	}
	if len(same) != 1 {
		t.Errorf("messages differ: %v", same)
	}
	w.pass(30*time.Minute - time.Second)
	if err := w.try(secret); err != nil {
		t.Errorf("in the last second: %v", err)
	}
	w.pass(time.Second)
	if err := w.try(secret); !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), `"ci" expired on 2027-01-02T03:34:05Z`) {
		t.Errorf("expired: %v", err)
	}
}

func TestTOK34_RateLimit(t *testing.T) {
	w := newWorld(t, lives)
	secret, _ := w.make(t, w.ann, NewToken{})
	limited := 0
	for range 30 {
		if _, err := w.Verify(ctx, "bad", from); errors.Is(err, ErrRateLimited) {
			limited++
		}
	}
	if limited != 10 {
		t.Errorf("%d of 30 limited, want 10", limited)
	}
	if err := w.try(secret); err != nil {
		t.Errorf("a good token from a limited address: %v", err)
	}
	if _, err := w.Verify(ctx, "bad", activity.Origin{Address: "192.0.2.8"}); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("another address: %v", err)
	}
	w.pass(time.Minute)
	if _, err := w.Verify(ctx, "bad", from); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("a minute later: %v", err)
	}
	// One dead token from many addresses.
	dead, n := newSecret(API).Reveal(), 0
	for i := range 30 {
		if _, err := w.Verify(ctx, dead, activity.Origin{Address: fmt.Sprintf("198.51.100.%d", i)}); errors.Is(err, ErrRateLimited) {
			n++
		}
	}
	if n != 10 {
		t.Errorf("%d limited by token, want 10", n)
	}
}

func TestPasswordLimit(t *testing.T) {
	w := newWorld(t, lives)
	for range failuresPerMinute {
		if err := w.PasswordAllowed("Ann", from); err != nil {
			t.Fatal(err)
		}
		w.PasswordFailed("ann", from)
	}
	if err := w.PasswordAllowed("ANN", from); !errors.Is(err, ErrRateLimited) {
		t.Errorf("err = %v", err)
	}
	if err := w.PasswordAllowed("bob", from); err != nil {
		t.Errorf("another user: %v", err)
	}
	if err := w.PasswordAllowed("ann", activity.Origin{Address: "192.0.2.8"}); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestLimiterNetworksAndRoom(t *testing.T) {
	if a, b := network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9%eth0"); a != b || a != "2001:db8:1:2::/64" {
		t.Errorf("%s, %s", a, b)
	}
	if network("192.0.2.1") != "192.0.2.1" || network("::ffff:192.0.2.1") != "::ffff:192.0.2.1" {
		t.Error("IPv4 addresses stand for themselves")
	}
	l, now := newLimiter(), time.Unix(0, 0)
	for i := range limiterMax + 10 {
		l.fail(now, 1, fmt.Sprint(i))
	}
	if len(l.counts) != limiterMax {
		t.Errorf("%d keys", len(l.counts))
	}
	l.fail(now.Add(window), 1, "later")
	if len(l.counts) != 1 {
		t.Errorf("%d keys after the window", len(l.counts))
	}
}

func TestTOK35_Sweep(t *testing.T) {
	w := newWorld(t, lives)
	w.make(t, w.ann, NewToken{Name: "short"})
	w.make(t, w.ann, NewToken{Name: "long", Expires: w.clock.Add(90 * 24 * time.Hour)})
	names := func() (list []string) {
		all, err := w.List(ctx, w.ann.UserID, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, tok := range all {
			list = append(list, tok.Name+" "+string(tok.Status(w.Now())))
		}
		return list
	}
	for _, step := range []struct {
		after time.Duration
		want  []string
	}{
		{time.Hour, []string{"long active", "short expired"}},
		{29 * 24 * time.Hour, []string{"long active", "short expired"}},
		{2 * 24 * time.Hour, []string{"long active"}},
	} {
		w.pass(step.after)
		if err := w.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if got := names(); !slices.Equal(got, step.want) {
			t.Errorf("after %v: %v", step.after, got)
		}
	}
}

func TestTOK36_LastUsed(t *testing.T) {
	w := newWorld(t, lives)
	secret, _ := w.make(t, w.ann, NewToken{Name: "ci"})
	used := func() Token {
		if err := w.try(secret); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		list, err := w.List(ctx, w.ann.UserID, false)
		if err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	first := used()
	if !first.LastUsedAt.Equal(w.Now()) || first.LastUsedIP != from.Address || first.LastUsedAgent != from.Agent {
		t.Errorf("%+v", first)
	}
	w.pass(59 * time.Second)
	if got := used(); !got.LastUsedAt.Equal(first.LastUsedAt) {
		t.Errorf("written again after 59 s: %v", got.LastUsedAt)
	}
	w.pass(time.Second)
	if got := used(); !got.LastUsedAt.Equal(w.Now()) {
		t.Errorf("not written after a minute: %v", got.LastUsedAt)
	}
}

func TestTOK37_Audit(t *testing.T) {
	w := newWorld(t, lives)
	secret, tok := w.make(t, w.ann, NewToken{Name: "ci", Origin: from, Scopes: []string{"array:read"}})
	w.Listed(w.ann, from)
	w.Denied(w.ann, access.ArrayWrite, from)
	if err := w.Revoke(ctx, w.ann, "ci", from); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		w.try(secret)
	}
	w.make(t, w.ann, NewToken{Name: "short"})
	w.pass(time.Hour)
	if err := errors.Join(w.Sweep(ctx), w.Flush(ctx)); err != nil {
		t.Fatal(err)
	}
	entries, err := activity.List(ctx, w.db.Read(), w.ann.UserID, 100)
	if err != nil {
		t.Fatal(err)
	}
	count := map[activity.Event]int{}
	for _, e := range entries {
		count[e.Event]++
		if Contains(fmt.Sprint(e)) {
			t.Errorf("secret in %+v", e)
		}
		if e.Event == activity.TokenRevoked && (e.TokenID != tok.ID || e.TokenName != "ci" || e.Origin.Address != from.Address || e.Origin.RequestID != "req") {
			t.Errorf("%+v", e)
		}
	}
	want := map[activity.Event]int{activity.TokenCreated: 2, activity.TokensListed: 1, activity.ScopeDenied: 1, activity.TokenRevoked: 1,
		activity.UsedAfterEnd: 1, activity.RateLimited: 1, activity.TokenExpired: 1}
	if fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v", count, want)
	}
}

func TestListsAreApart(t *testing.T) {
	w := newWorld(t, lives)
	w.make(t, w.ann, NewToken{})
	for _, k := range []Kind{Session, Notebook, Task} {
		w.make(t, w.ann, NewToken{Kind: k})
	}
	api, err1 := w.List(ctx, w.ann.UserID, false)
	sessions, err2 := w.List(ctx, w.ann.UserID, true)
	none, err3 := w.List(ctx, w.bob.UserID, false)
	if len(api) != 1 || len(sessions) != 3 || none == nil || len(none) != 0 || errors.Join(err1, err2, err3) != nil {
		t.Errorf("%v %v %v", api, sessions, none)
	}
	if err := w.RevokeSessions(ctx, w.ann.UserID, "", from); err != nil {
		t.Fatal(err)
	}
	sessions, _ = w.List(ctx, w.ann.UserID, true)
	for _, s := range sessions {
		if (s.Status(w.Now()) == Revoked) != (s.Kind == Session) {
			t.Errorf("%+v", s)
		}
	}
}

func TestRunWritesWhatIsLeft(t *testing.T) {
	w := newWorld(t, lives)
	secret, _ := w.make(t, w.ann, NewToken{})
	if err := w.try(secret); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	w.Run(stopped, func(err error) { t.Error(err) })
	list, err := w.List(ctx, w.ann.UserID, false)
	if err != nil || list[0].LastUsedAt.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestRedact(t *testing.T) {
	s := newSecret(Session).Reveal()
	if got := Redact("a " + s + " b"); got != "a azj_REDACTED b" || !Contains("x"+s+"y") || Contains(got) {
		t.Errorf("%q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(newSecret(API).Reveal())
	f.Add("azj_a_")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		secret, err := parse(s)
		if err == nil && (!pattern.MatchString(s) || secret.Reveal() != s || Redact(s) == s) {
			t.Errorf("accepted %q", s)
		}
	})
}

func FuzzName(f *testing.F) {
	f.Add("ci")
	f.Add("/x")
	f.Fuzz(func(t *testing.T, s string) {
		if checkName(s) == nil && (strings.HasPrefix(s, "/") || strings.ContainsAny(s, "\n\x00") || Contains(s)) {
			t.Errorf("accepted %q", s)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	d, err := db.Open(ctx, dbtest.Source(b, filepath.Join(b.TempDir(), "a.db")))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	u, err := account.New(d, time.Now, 1).Create(ctx, account.NewUser{Name: "ann", Password: "long enough"})
	if err != nil {
		b.Fatal(err)
	}
	tokens := New(d, time.Now, lives)
	secret, _, err := tokens.Create(ctx, SubjectOf(u), NewToken{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := tokens.Verify(ctx, secret.Reveal(), from); err != nil {
			b.Fatal(err)
		}
	}
}
