package console

import (
	"errors"
	"net/http"
	"time"

	"azulejo/internal/factor"
	"azulejo/internal/qr"
	"azulejo/internal/token"
	"azulejo/internal/web"
)

// securityPage is about the second factor and the sessions of who is signed in.
type securityPage struct {
	// On tells that a code is asked for; Enrolled that a secret waits for its first code.
	On, Enrolled bool
	// New is what was just made, shown this once.
	New *newFactor
	// Recovery are the codes of a second factor that was just confirmed, shown this once.
	Recovery []string
	Sessions []sessionRow
}

// newFactor is a secret with its picture: Path draws it in a square of Side.
type newFactor struct {
	Secret, URI, Path string
	Side              int
}

type sessionRow struct {
	ID, Began, Ends, Used, From, Agent string
	Mine                               bool
}

func (c *Console) security(w http.ResponseWriter, r *web.Request) error {
	return c.showSecurity(w, r, http.StatusOK, "", securityPage{})
}

// showSecurity completes a page and shows it.
func (c *Console) showSecurity(w http.ResponseWriter, r *web.Request, status int, fault string, page securityPage) error {
	var err error
	if page.On, err = c.factors.Required(r.Context(), r.Subject.UserID); err != nil {
		return err
	}
	list, err := c.tokens.List(r.Context(), r.Subject.UserID, true)
	if err != nil {
		return err
	}
	now := c.tokens.Now()
	for _, t := range list {
		if t.Kind != token.Session || t.Status(now) != token.Active {
			continue
		}
		row := sessionRow{ID: t.ID, Began: t.IssuedAt.Format(time.RFC3339), Ends: t.ExpiresAt.Format(time.RFC3339), From: t.LastUsedIP, Agent: t.LastUsedAgent,
			Mine: t.ID == r.Subject.TokenID}
		if !t.LastUsedAt.IsZero() {
			row.Used = t.LastUsedAt.Format(time.RFC3339)
		}
		page.Sessions = append(page.Sessions, row)
	}
	body, err := c.render(r, "security", frame{Title: "Security - Settings", Error: fault, Page: page})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

func (c *Console) enrol(w http.ResponseWriter, r *web.Request) error {
	e, err := c.factors.Enrol(r.Context(), r.Subject.UserID, r.Subject.Namespace)
	if errors.Is(err, factor.ErrExists) {
		return c.showSecurity(w, r, http.StatusConflict, err.Error(), securityPage{})
	}
	if err != nil {
		return err
	}
	code, err := qr.Encode(e.URI)
	if err != nil {
		return err
	}
	return c.showSecurity(w, r, http.StatusOK, "", securityPage{Enrolled: true, New: &newFactor{Secret: e.Secret, URI: e.URI, Path: code.Path(), Side: code.Size + 8}})
}

// code uses the code of a form. Wrong ones count as wrong passwords do.
func (c *Console) code(r *web.Request, use func(code string) error) error {
	if err := c.tokens.PasswordAllowed(r.Subject.Namespace, r.Origin()); err != nil {
		return err
	}
	err := use(r.PostFormValue("code"))
	if errors.Is(err, factor.ErrCode) {
		c.tokens.PasswordFailed(r.Subject.Namespace, r.Origin())
	}
	return err
}

func (c *Console) confirmFactor(w http.ResponseWriter, r *web.Request) error {
	var page securityPage
	err := c.code(r, func(code string) (err error) {
		page.Recovery, err = c.factors.Confirm(r.Context(), r.Subject.UserID, code)
		return err
	})
	if errors.Is(err, factor.ErrCode) {
		return c.showSecurity(w, r, http.StatusBadRequest, err.Error(), securityPage{Enrolled: true})
	}
	if err != nil {
		return err
	}
	return c.showSecurity(w, r, http.StatusOK, "", page)
}

func (c *Console) removeFactor(w http.ResponseWriter, r *web.Request) error {
	err := c.code(r, func(code string) error { return c.factors.Use(r.Context(), r.Subject.UserID, code) })
	if errors.Is(err, factor.ErrCode) {
		return c.showSecurity(w, r, http.StatusBadRequest, err.Error(), securityPage{})
	}
	if err == nil {
		err = c.factors.Remove(r.Context(), r.Subject.UserID)
	}
	if err != nil {
		return err
	}
	return see(w, "/settings/security")
}

func (c *Console) endSession(w http.ResponseWriter, r *web.Request) error {
	if err := c.tokens.Revoke(r.Context(), r.Subject, r.PostFormValue("id"), r.Origin()); err != nil {
		return err
	}
	return see(w, "/settings/security")
}

func (c *Console) endOthers(w http.ResponseWriter, r *web.Request) error {
	if err := c.tokens.RevokeSessions(r.Context(), r.Subject.UserID, r.Subject.TokenID, r.Origin()); err != nil {
		return err
	}
	return see(w, "/settings/security")
}
