package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/token"
	"azulejo/internal/web"
)

// tokensPage lists API tokens and has the form that makes one.
type tokensPage struct {
	Tokens []tokenRow
	Scopes []choice
	Lives  []choice
	Made   *madeToken
	Server string
}

type tokenRow struct {
	ID, Name, Scope, Tail, Issued, Expires, Status, Label string
	Revocable                                             bool
}

// madeToken is shown once, in the reply that made it.
type madeToken struct{ Name, Secret string }

type choice struct{ Value, Text string }

// lives are the choices of an expiration; the first is the server's default.
var lives = []struct {
	choice
	life time.Duration
}{
	{choice{"", "30 minutes"}, 0}, {choice{"8h", "8 hours"}, 8 * time.Hour}, {choice{"7d", "7 days"}, 7 * 24 * time.Hour},
	{choice{"30d", "30 days"}, 30 * 24 * time.Hour}, {choice{"90d", "90 days"}, 90 * 24 * time.Hour}, {choice{"1y", "1 year"}, 365 * 24 * time.Hour},
}

func (c *Console) tokenList(w http.ResponseWriter, r *web.Request) error {
	c.tokens.Listed(r.Subject, r.Origin())
	return c.showTokens(w, r, nil)
}

func (c *Console) showTokens(w http.ResponseWriter, r *web.Request, made *madeToken) error {
	list, err := c.tokens.List(r.Context(), r.Subject.UserID, false)
	if err != nil {
		return err
	}
	page := tokensPage{Made: made, Server: server(r)}
	now := c.tokens.Now()
	for _, t := range list {
		status := t.Status(now)
		page.Tokens = append(page.Tokens, tokenRow{ID: t.ID, Name: t.Name, Scope: scopeText(t.Scopes), Tail: t.Tail,
			Issued: t.IssuedAt.Format(time.RFC3339), Expires: t.ExpiresAt.Format(time.RFC3339), Status: string(status),
			Label: strings.ToUpper(string(status[:1])) + string(status[1:]), Revocable: status == token.Active})
	}
	for _, s := range r.Subject.Scopes.Grantable() {
		page.Scopes = append(page.Scopes, choice{string(s), s.Text()})
	}
	for _, l := range lives {
		page.Lives = append(page.Lives, l.choice)
	}
	return c.show(w, r, "tokens", frame{Title: "API tokens - Settings", Page: page})
}

func scopeText(scopes access.Scopes) string {
	if text := strings.Join(scopes.Texts(), " "); text != "*" {
		return text
	}
	return "All"
}

func (c *Console) createToken(w http.ResponseWriter, r *web.Request) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: the form cannot be read", web.ErrBadRequest)
	}
	n := token.NewToken{Name: strings.TrimSpace(r.PostFormValue("name")), Scopes: r.PostForm["scope"], Origin: r.Origin()}
	want := r.PostFormValue("expires")
	for _, l := range lives {
		if l.Value == want && l.life > 0 {
			n.Expires = c.tokens.Now().Add(l.life)
		}
	}
	secret, made, err := c.tokens.Create(r.Context(), r.Subject, n)
	if err != nil {
		return err
	}
	return c.showTokens(w, r, &madeToken{Name: made.Name, Secret: secret.Reveal()})
}

func (c *Console) revokeToken(w http.ResponseWriter, r *web.Request) error {
	if err := c.tokens.Revoke(r.Context(), r.Subject, r.PostFormValue("id"), r.Origin()); err != nil {
		return err
	}
	return see(w, "/settings/tokens")
}
