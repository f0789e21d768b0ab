package console

import (
	"database/sql"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/servertest"
	"azulejo/internal/token"
	"azulejo/internal/web"
)

// browser talks to a whole console over a temporary directory and keeps its cookie.
type browser struct {
	*servertest.Parts
	t      *testing.T
	server *web.Server
	cookie *http.Cookie
	header http.Header
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	p := servertest.New(t)
	servertest.Must(t, p.DB.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM tokens") // those that other tests use
		return err
	}))
	c, err := New(Parts{Accounts: p.Accounts, Tokens: p.Tokens, Catalog: p.Catalog, Letters: p.Letters, Factors: p.Factors})
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, Parts: p, header: http.Header{"Sec-Fetch-Site": {"same-origin"}}}
	b.server, err = web.New(web.Options{Now: time.Now, Log: web.NewLog(io.Discard, "error"), Tokens: p.Tokens, Accounts: p.Accounts, Factors: p.Factors, ErrorPage: c.ErrorPage,
		Classes: Classes()}, c.Operations())
	if err != nil {
		t.Fatal(err)
	}
	c.Login = b.server.Login
	return b
}

// open requests a page, by POST when there is a form, and returns status, body and where it leads.
func (b *browser) open(path string, form url.Values) (int, string, string) {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	b.server.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookie = c; c.MaxAge < 0 {
			b.cookie = nil
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'self'") {
		b.t.Errorf("%s: policy %q", path, policy)
	}
	return w.Code, w.Body.String(), w.Header().Get("Location")
}

// want is open with a check of status and a part of the page.
func (b *browser) want(path string, form url.Values, status int, part string) string {
	b.t.Helper()
	got, body, _ := b.open(path, form)
	if got != status || !strings.Contains(body, part) {
		b.t.Fatalf("%s: status %d, want %d with %q in:\n%s", path, got, status, part, body)
	}
	return body
}

func (b *browser) signIn() {
	b.t.Helper()
	status, body, to := b.open("/signin", url.Values{"username": {"ann"}, "password": {"a long password"}, "next": {"/settings/tokens"}})
	if status != http.StatusSeeOther || to != "/settings/tokens" || b.cookie == nil || !b.cookie.HttpOnly || b.cookie.SameSite != http.SameSiteLaxMode {
		b.t.Fatalf("sign-in: %d to %q, cookie %v\n%s", status, to, b.cookie, body)
	}
}

func TestSignInAndOut(t *testing.T) {
	b := newBrowser(t)
	b.want("/", nil, 401, `name="username"`)
	b.want("/settings/tokens", nil, 401, `name="next" value="/settings/tokens"`)
	b.want("/signin", url.Values{"username": {"ann"}, "password": {"wrong"}}, 401, "wrong user name or password")
	b.signIn()
	b.want("/", nil, 200, "There are no arrays yet")
	old := b.cookie
	if status, _, to := b.open("/signout", url.Values{}); status != http.StatusSeeOther || to != "/signin" || b.cookie != nil {
		t.Errorf("sign-out: %d to %q, cookie %v", status, to, b.cookie)
	}
	b.cookie = old
	b.want("/", nil, 401, `name="username"`)
}

func TestNoSuchPage(t *testing.T) {
	b := newBrowser(t)
	b.header = http.Header{"Accept": {"text/html,application/xhtml+xml;q=0.9"}}
	b.want("/nothing", nil, 404, "<h1>Not Found</h1>")
	for _, at := range []struct{ path, accept string }{{"/v1/nothing", "text/html"}, {"/nothing", "*/*"}} {
		r := httptest.NewRequest(http.MethodGet, at.path, nil)
		r.Header.Set("Accept", at.accept)
		w := httptest.NewRecorder()
		b.server.ServeHTTP(w, r)
		if w.Code != 404 || w.Header().Get("Content-Type") != "application/json" || !strings.Contains(w.Body.String(), "no such address") {
			t.Errorf("%s for %s: %d %s", at.path, at.accept, w.Code, w.Body)
		}
	}
}

func TestTokensAreShownOnce(t *testing.T) {
	b := newBrowser(t)
	b.signIn()
	b.want("/settings/tokens", nil, 200, "You have no API tokens")
	page := b.want("/settings/tokens", url.Values{"name": {"ci <b>"}, "expires": {"8h"}, "scope": {"array:read"}}, 200, "will not be shown again")
	secret := regexp.MustCompile(token.Pattern).FindString(page)
	if secret == "" || !strings.Contains(page, "ci &lt;b&gt;") {
		t.Fatalf("no secret or no escaped name in:\n%s", page)
	}
	list := b.want("/settings/tokens", nil, 200, secret[len(secret)-7:])
	if strings.Contains(list, secret) || !strings.Contains(list, "Active") {
		t.Errorf("the list shows the secret, or not its status:\n%s", list)
	}
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(list)
	if id == nil {
		t.Fatalf("nothing to revoke in:\n%s", list)
	}
	if status, _, to := b.open("/settings/tokens/revoke", url.Values{"id": {id[1]}}); status != http.StatusSeeOther || to != "/settings/tokens" {
		t.Errorf("revoke: %d to %q", status, to)
	}
	b.want("/settings/tokens", nil, 200, "Revoked")
	b.want("/settings/tokens", url.Values{"name": {"x/"}}, 400, "name")
}

func TestOtherSitesCannotAct(t *testing.T) {
	b := newBrowser(t)
	b.signIn()
	b.header.Set("Sec-Fetch-Site", "cross-site")
	b.want("/settings/tokens", url.Values{"name": {"x"}}, 403, "another site")
}

func TestSignInLeadsOnlyToThisServer(t *testing.T) {
	for next, want := range map[string]string{"": "/", "/settings/tokens": "/settings/tokens", "//evil": "/", "https://evil": "/", "/\\evil": "/", "/a\r\nb": "/"} {
		if got := localPage(next); got != want {
			t.Errorf("after signing in %q leads to %q, want %q", next, got, want)
		}
	}
}

func TestStaticFiles(t *testing.T) {
	b := newBrowser(t)
	b.want("/static/style.css", nil, 200, "--accent")
	b.want("/static/icon.svg", nil, 200, "<svg")
	b.want("/static/..%2Fpages%2Flayout.html", nil, 404, "")
}
