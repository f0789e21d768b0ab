package console

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"azulejo/internal/account"
	"azulejo/internal/oracle/servertest"
)

// TestForgottenPassword goes the way of somebody who forgot the password: form, mail, link, new password.
func TestForgottenPassword(t *testing.T) {
	b := newBrowser(t)
	address := "Ann@example.org"
	servertest.Must(t, b.Accounts.UpdateProfile(t.Context(), b.Ann.UserID, account.ProfilePatch{Email: &address}))
	b.signIn()
	session := b.cookie
	b.cookie = nil
	b.want("/signin", nil, 200, `href="/reset"`)
	b.want("/reset", nil, 200, `name="email"`)
	b.want("/reset", url.Values{"email": {"no address"}}, 400, "no mail address")
	known := b.want("/reset", url.Values{"email": {"ann@example.ORG"}}, 200, "on its way")
	if unknown := b.want("/reset", url.Values{"email": {"nobody@example.org"}}, 200, ""); unknown != known {
		t.Errorf("the answers differ:\n%s\n%s", known, unknown)
	}
	mails := b.Deliver(t)
	if len(mails) != 1 || mails[0].To != address {
		t.Fatalf("mails %+v", mails)
	}
	link := "/reset/" + servertest.Link(t, mails[0], "/reset/")
	for range 2 { // to open it changes nothing
		b.want(link, nil, 200, "For the account ann")
	}
	w := httptest.NewRecorder()
	b.server.ServeHTTP(w, httptest.NewRequest("GET", link, nil))
	if h := w.Header(); h.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(h.Get("Cache-Control"), "no-store") {
		t.Errorf("header %v", h)
	}
	b.want(strings.Replace(link, "/reset/", "/confirm/", 1), nil, 400, "does not work")
	b.want(link, url.Values{"password": {"short"}}, 400, "at least")
	b.want(link, url.Values{"password": {"a brand new password"}}, 200, "Sign in")
	b.want(link, url.Values{"password": {"once more please"}}, 400, "does not work")
	b.want(link, nil, 400, "does not work")
	b.want("/signin", url.Values{"username": {"ann"}, "password": {"a long password"}}, 401, "wrong")
	if status, _, _ := b.open("/signin", url.Values{"username": {"ann"}, "password": {"a brand new password"}}); status != 303 {
		t.Errorf("with the new password: %d", status)
	}
	b.cookie = session
	b.want("/settings/tokens", nil, 401, `name="username"`) // the old session ended
	if notice := b.Deliver(t); len(notice) != 1 || !strings.Contains(notice[0].Subject, "was changed") || strings.Contains(notice[0].Text, "brand new") {
		t.Errorf("notice %+v", notice)
	}
}

// TestConfirmByPage confirms an address by its link, and not another one that was given meanwhile.
func TestConfirmByPage(t *testing.T) {
	b := newBrowser(t)
	give := func(address string) string {
		t.Helper()
		servertest.Must(t, b.Accounts.UpdateProfile(t.Context(), b.Ann.UserID, account.ProfilePatch{Email: &address}))
		u, err := b.Accounts.ByID(t.Context(), b.Ann.UserID)
		servertest.Must(t, err)
		servertest.Must(t, b.Letters.NewAddress(t.Context(), u))
		mails := b.Deliver(t)
		if len(mails) != 1 || mails[0].To != address {
			t.Fatalf("mails %+v", mails)
		}
		return "/confirm/" + servertest.Link(t, mails[0], "/confirm/")
	}
	confirmed := func() string {
		t.Helper()
		address, err := b.Accounts.ConfirmedEmail(t.Context(), b.Ann.UserID)
		servertest.Must(t, err)
		return address
	}
	old := give("ann@example.org")
	link := give("ann@example.com")
	b.want(old, nil, 400, "does not work")
	b.want(link, nil, 200, "For the account ann")
	if got := confirmed(); got != "" {
		t.Errorf("to open the link confirmed %s", got)
	}
	b.want(link, url.Values{}, 200, "is confirmed")
	if got := confirmed(); got != "ann@example.com" {
		t.Errorf("confirmed %q", got)
	}
	b.want(link, url.Values{}, 400, "does not work")
	b.want("/confirm/nonsense", nil, 400, "does not work")
}

// TestAskingForMailIsBounded shows that one peer cannot ask for mail as often as it likes.
func TestAskingForMailIsBounded(t *testing.T) {
	b := newBrowser(t)
	for range 10 {
		b.want("/reset", url.Values{"email": {"ann@example.org"}}, 200, "on its way")
	}
	b.want("/reset", url.Values{"email": {"ann@example.org"}}, 429, "wait a minute")
}
