package console

import (
	"errors"
	"net/http"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/letters"
	"azulejo/internal/token"
	"azulejo/internal/web"
)

// The pages behind links that are mailed. To open one changes nothing, as programs that look into mails do that; only the form on it does.

// namedPage says whose account a form is about.
type namedPage struct{ Name string }

func (c *Console) resetForm(w http.ResponseWriter, r *web.Request) error {
	if !c.letters.Sends() {
		return letters.ErrNoServer
	}
	return c.show(w, r, "reset", frame{Title: "Set a new password"})
}

// askReset says the same whether there is an account of the address or not.
func (c *Console) askReset(w http.ResponseWriter, r *web.Request) error {
	if err := c.letters.AskReset(r.Context(), r.PostFormValue("email"), r.Origin()); err != nil {
		if errors.Is(err, account.ErrInvalid) {
			return c.again(w, r, "reset", frame{Title: "Set a new password", Error: err.Error()})
		}
		return err
	}
	return c.show(w, r, "said", frame{Title: "Look into your mail", Page: "If an account has that address, a link is on its way to it. It works for an hour."})
}

// again shows a form once more that was filled in wrongly.
func (c *Console) again(w http.ResponseWriter, r *web.Request, name string, f frame) error {
	body, err := c.render(r, name, f)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusBadRequest)
	_, err = w.Write(body)
	return err
}

// holder returns who holds the single-use token in the address of a page, of which no other site and no history may learn.
func (c *Console) holder(w http.ResponseWriter, r *web.Request, check func(access.Subject) error) (access.Subject, error) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	by, err := c.tokens.Verify(r.Context(), r.Param("token"), r.Origin())
	if err == nil {
		err = check(by)
	}
	if errors.Is(err, token.ErrUnauthorized) {
		err = errLink
	}
	return by, err
}

// errLink is the class of links that do not work, or not any more.
var errLink = errors.New("this link does not work, or was used, or is too old; ask for another one")

func (c *Console) passwordForm(w http.ResponseWriter, r *web.Request) error {
	by, err := c.holder(w, r, letters.CheckReset)
	if err != nil {
		return err
	}
	return c.show(w, r, "password", frame{Title: "Set a new password", Page: namedPage{by.Namespace}})
}

func (c *Console) setPassword(w http.ResponseWriter, r *web.Request) error {
	by, err := c.holder(w, r, letters.CheckReset)
	if err != nil {
		return err
	}
	err = c.letters.Reset(r.Context(), by, r.PostFormValue("password"), r.Origin())
	if errors.Is(err, account.ErrInvalid) {
		return c.again(w, r, "password", frame{Title: "Set a new password", Error: err.Error(), Page: namedPage{by.Namespace}})
	}
	if err != nil {
		return err
	}
	return c.show(w, r, "said", frame{Title: "Your password is set", Page: "Sign in with it."})
}

func (c *Console) confirmForm(w http.ResponseWriter, r *web.Request) error {
	by, err := c.holder(w, r, letters.CheckConfirm)
	if err != nil {
		return err
	}
	return c.show(w, r, "confirm", frame{Title: "Confirm your mail address", Page: namedPage{by.Namespace}})
}

func (c *Console) confirm(w http.ResponseWriter, r *web.Request) error {
	by, err := c.holder(w, r, letters.CheckConfirm)
	if err != nil {
		return err
	}
	if err := c.letters.Confirm(r.Context(), by, r.Origin()); err != nil {
		return err
	}
	return c.show(w, r, "said", frame{Title: "Your mail address is confirmed", Page: "Invitations to it are now yours to accept."})
}

// Classes maps the errors of pages to replies.
func Classes() []web.Class {
	return []web.Class{{Err: errLink, Status: http.StatusBadRequest, Code: 4122}}
}
