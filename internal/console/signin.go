package console

import (
	"errors"
	"net/http"
	"strings"

	"azulejo/internal/account"
	"azulejo/internal/factor"
	"azulejo/internal/token"
	"azulejo/internal/web"
)

// signInPage is the sign-in form; Next is the page to go on to.
type signInPage struct {
	Username, Next string
	// Mail tells that passwords can be reset by mail.
	Mail bool
}

func (c *Console) signInForm(w http.ResponseWriter, r *web.Request) error {
	return c.show(w, r, "signin", frame{Title: "Sign in", Page: signInPage{Next: r.URL.Query().Get("next"), Mail: c.letters.Sends()}})
}

// localPage returns next if it is a page of this server, else the first page: a form must not send anybody elsewhere.
func localPage(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return next
}

func (c *Console) signIn(w http.ResponseWriter, r *web.Request) error {
	name, next := r.PostFormValue("username"), r.PostFormValue("next")
	user, err := c.Login(r.Context(), name, r.PostFormValue("password"), r.PostFormValue("code"), r.Origin())
	if errors.Is(err, account.ErrCredentials) || errors.Is(err, web.ErrNeedsCode) || errors.Is(err, factor.ErrCode) || errors.Is(err, token.ErrRateLimited) {
		status := http.StatusUnauthorized
		if errors.Is(err, token.ErrRateLimited) {
			status = http.StatusTooManyRequests
		}
		body, renderErr := c.render(r, "signin", frame{Title: "Sign in", Error: err.Error(), Page: signInPage{Username: name, Next: next, Mail: c.letters.Sends()}})
		if renderErr != nil {
			return renderErr
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, err = w.Write(body)
		return err
	}
	if err != nil {
		return err
	}
	secret, made, err := c.tokens.Create(r.Context(), token.SubjectOf(user), token.NewToken{Kind: token.Session, Origin: r.Origin()})
	if err != nil {
		return err
	}
	web.SetSession(w, r, secret, made.ExpiresAt)
	return see(w, localPage(next))
}

func (c *Console) signOut(w http.ResponseWriter, r *web.Request) error {
	if r.Subject.TokenID != "" {
		if err := c.tokens.Revoke(r.Context(), r.Subject, r.Subject.TokenID, r.Origin()); err != nil && !errors.Is(err, token.ErrNotFound) {
			return err
		}
	}
	web.EndSession(w, r)
	return see(w, "/signin")
}
