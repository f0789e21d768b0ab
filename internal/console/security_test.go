package console

import (
	"encoding/base32"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"azulejo/internal/factor"
	"azulejo/internal/oracle/servertest"
	"azulejo/internal/qr"
)

// TestSecondFactorPages sets a second factor up, signs in with it and with a recovery code, and removes it.
func TestSecondFactorPages(t *testing.T) {
	b := newBrowser(t)
	b.want("/settings/security", nil, 401, `name="username"`)
	b.signIn()
	b.want("/settings/security", nil, 200, "Set up")
	b.want("/settings/security/confirm", url.Values{"code": {"123456"}}, 404, "")
	page := b.want("/settings/security/enrol", url.Values{}, 200, "otpauth://totp/Azulejo:ann?")
	uri := html.UnescapeString(regexp.MustCompile(`<code>(otpauth[^<]+)</code>`).FindStringSubmatch(page)[1])
	path := regexp.MustCompile(`<path d="([^"]+)"`).FindStringSubmatch(page)[1]
	if want, err := qr.Encode(uri); err != nil || want.Path() != path {
		t.Errorf("the picture is not of %s, %v", uri, err)
	}
	text := regexp.MustCompile(`<code class="secret">([A-Z2-7]{32})</code>`).FindStringSubmatch(page)[1]
	if !strings.HasSuffix(uri, "secret="+text) {
		t.Errorf("secret %s of %s", text, uri)
	}
	secret, err := base32.StdEncoding.DecodeString(text)
	servertest.Must(t, err)
	code := func(at int64) url.Values {
		return url.Values{"code": {factor.Code(secret, factor.Step(time.Now())+at)}}
	}
	b.want("/settings/security/confirm", code(7), 400, "wrong code")
	page = b.want("/settings/security/confirm", code(0), 200, "recovery codes")
	recovery := regexp.MustCompile(`[A-Z2-7]{16}`).FindAllString(page, -1)
	if len(recovery) != 8 {
		t.Fatalf("recovery codes %v", recovery)
	}
	if again := b.want("/settings/security", nil, 200, "Remove the second factor"); strings.Contains(again, recovery[0]) || strings.Contains(again, text) {
		t.Error("secrets are shown again")
	}
	b.want("/settings/security/enrol", url.Values{}, 409, "already")
	b.cookie = nil
	form := url.Values{"username": {"ann"}, "password": {"a long password"}}
	b.want("/signin", form, 401, "second factor")
	form.Set("code", recovery[0])
	if status, body, _ := b.open("/signin", form); status != 303 {
		t.Fatalf("with a recovery code: %d %s", status, body)
	}
	b.want("/settings/security/remove", url.Values{"code": {recovery[0]}}, 400, "wrong code") // it was used
	if status, body, to := b.open("/settings/security/remove", code(1)); status != 303 || to != "/settings/security" {
		t.Fatalf("remove: %d %s", status, body)
	}
	b.want("/settings/security", nil, 200, "Set up")
}

// TestSessionsPage lists sessions and ends them.
func TestSessionsPage(t *testing.T) {
	b := newBrowser(t)
	b.signIn()
	first := b.cookie
	b.cookie = nil
	b.signIn()
	second := b.cookie
	page := b.want("/settings/security", nil, 200, "this one")
	ids := regexp.MustCompile(`name="id" value="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(ids) != 1 {
		t.Fatalf("other sessions %v", ids)
	}
	if status, _, _ := b.open("/settings/sessions/revoke", url.Values{"id": {ids[0][1]}}); status != 303 {
		t.Errorf("revoke: %d", status)
	}
	b.cookie = first
	b.want("/settings/security", nil, 401, `name="username"`)
	b.cookie = nil
	b.signIn()
	if status, _, _ := b.open("/settings/sessions/revoke_others", url.Values{}); status != 303 {
		t.Errorf("revoke others: %d", status)
	}
	b.want("/settings/security", nil, 200, "this one")
	b.cookie = second
	b.want("/settings/security", nil, 401, `name="username"`)
	b.header.Set("Sec-Fetch-Site", "cross-site")
	b.want("/settings/security/enrol", url.Values{}, 403, "another site")
}
