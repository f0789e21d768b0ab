package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/factor"
	"azulejo/internal/token"
	"azulejo/internal/web"
)

// tokenOps are the rows of API tokens and sessions (spec page tokens-page.md, section 4).
func (a *API) tokenOps() []web.Operation {
	return []web.Operation{
		{ID: "requestToken", Method: http.MethodPost, Path: "/v1/token", Action: access.TokenCreate, Handle: a.createToken},
		{ID: "tokensGet", Method: http.MethodGet, Path: "/v1/tokens", Action: access.TokensRead, Handle: a.listTokens(false)},
		{ID: "tokensSessionGet", Method: http.MethodGet, Path: "/v1/tokens/session", Action: access.TokensRead, Handle: a.listTokens(true)},
		{ID: "getTokenScopes", Method: http.MethodGet, Path: "/v1/tokens/scopes", Action: access.ScopesRead, Handle: a.grantableScopes},
		{ID: "revokeToken", Method: http.MethodDelete, Path: "/v1/tokens/{token}", Action: access.TokenRevoke,
			Also: []access.Action{access.TokenRevokeSelf}, Refine: a.revokeAction, Handle: a.revokeToken, Secret: true},
		{ID: "revokeOtherSessions", Method: http.MethodPost, Path: "/v1/tokens/session/revoke_others", Action: access.TokenRevoke, Handle: a.revokeOthers},
		{ID: "getSession", Method: http.MethodGet, Path: "/v1/session", Action: access.Login, Handle: a.login},
	}
}

// tokenInfo is the published shape of a token with our additions. Token is the secret in the reply that creates it, and
// its last seven characters ever after.
type tokenInfo struct {
	Token      string     `json:"token"`
	Name       string     `json:"name"`
	IssuedAt   time.Time  `json:"issued_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	Scope      []string   `json:"scope"`
	ID         string     `json:"id"`
	Status     string     `json:"status"`
	Kind       string     `json:"kind"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
	LastUsedIP string     `json:"last_used_ip,omitempty"`
}

func (a *API) tokenInfo(t token.Token) tokenInfo {
	info := tokenInfo{Token: t.Tail, Name: t.Name, IssuedAt: t.IssuedAt, ExpiresAt: t.ExpiresAt, Scope: t.Scopes.Texts(), ID: t.ID,
		Status: string(t.Status(a.tokens.Now())), Kind: string(t.Kind), LastUsedIP: t.LastUsedIP}
	if !t.LastUsedAt.IsZero() {
		info.LastUsedAt = &t.LastUsedAt
	}
	return info
}

// tokenRequest is the body of a token's creation; all of it is optional, and so is the body.
type tokenRequest struct {
	Expires *time.Time `json:"expires"`
	Name    string     `json:"name"`
	Scope   []string   `json:"scope"`
}

func (a *API) createToken(w http.ResponseWriter, r *web.Request) error {
	var want tokenRequest
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	n := token.NewToken{Name: want.Name, Scopes: want.Scope, Origin: r.Origin()}
	if want.Expires != nil {
		n.Expires = *want.Expires
	}
	return a.make(w, r, n)
}

// make creates a token and sends it with its secret, this once.
func (a *API) make(w http.ResponseWriter, r *web.Request, n token.NewToken) error {
	secret, made, err := a.tokens.Create(r.Context(), r.Subject, n)
	if err != nil {
		return err
	}
	info := a.tokenInfo(made)
	info.Token = secret.Reveal()
	return web.JSON(w, r, http.StatusOK, info)
}

func (a *API) listTokens(sessions bool) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		list, err := a.tokens.List(r.Context(), r.Subject.UserID, sessions)
		if err != nil {
			return err
		}
		a.tokens.Listed(r.Subject, r.Origin())
		infos := make([]tokenInfo, len(list))
		for i, t := range list {
			infos[i] = a.tokenInfo(t)
		}
		return web.JSON(w, r, http.StatusOK, infos)
	}
}

func (a *API) grantableScopes(w http.ResponseWriter, r *web.Request) error {
	texts := []string{}
	for _, s := range r.Subject.Scopes.Grantable() {
		texts = append(texts, string(s))
	}
	return web.JSON(w, r, http.StatusOK, texts)
}

// revokeAction lets any token revoke itself, whatever its scopes.
func (a *API) revokeAction(r *web.Request) (access.Action, error) {
	self, err := a.tokens.IsSelf(r.Context(), r.Subject, r.Param("token"))
	if self {
		return access.TokenRevokeSelf, err
	}
	return access.TokenRevoke, err
}

func (a *API) revokeToken(w http.ResponseWriter, r *web.Request) error {
	if err := a.tokens.Revoke(r.Context(), r.Subject, r.Param("token"), r.Origin()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// revokeOthers ends all sessions of the caller but the one that asks.
func (a *API) revokeOthers(w http.ResponseWriter, r *web.Request) error {
	return noContent(w, a.tokens.RevokeSessions(r.Context(), r.Subject.UserID, r.Subject.TokenID, r.Origin()))
}

// login exchanges a credential for a session token.
func (a *API) login(w http.ResponseWriter, r *web.Request) error {
	remember, err := r.Flag("remember_me")
	if err != nil {
		return err
	}
	n := token.NewToken{Kind: token.Session, Remember: remember, Origin: r.Origin()}
	if text := r.Query().Get("expires"); text != "" && !remember {
		if n.Expires, err = time.Parse(time.RFC3339, text); err != nil {
			return fmt.Errorf("%w: expires=%q is not a time such as 2027-01-02T03:04:05Z", web.ErrBadRequest, text)
		}
	}
	return a.make(w, r, n)
}

// factorOps are the rows of the caller's second factor; they are ours, not published (decision 136).
func (a *API) factorOps() []web.Operation {
	const path = "/v1/user/second_factor"
	return []web.Operation{
		{ID: "getSecondFactor", Method: http.MethodGet, Path: path, Action: access.SelfSecure, Handle: a.getFactor},
		{ID: "enrolSecondFactor", Method: http.MethodPost, Path: path, Action: access.SelfSecure, Handle: a.enrolFactor},
		{ID: "confirmSecondFactor", Method: http.MethodPut, Path: path, Action: access.SelfSecure, Handle: a.confirmFactor},
		{ID: "removeSecondFactor", Method: http.MethodDelete, Path: path, Action: access.SelfSecure, Handle: a.removeFactor},
	}
}

func (a *API) getFactor(w http.ResponseWriter, r *web.Request) error {
	on, err := a.factors.Required(r.Context(), r.Subject.UserID)
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, map[string]bool{"enabled": on})
}

func (a *API) enrolFactor(w http.ResponseWriter, r *web.Request) error {
	e, err := a.factors.Enrol(r.Context(), r.Subject.UserID, r.Subject.Namespace)
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, map[string]string{"secret": e.Secret, "uri": e.URI})
}

// code reads the code of a request's body. Wrong ones count as wrong passwords do.
func (a *API) code(r *web.Request, use func(code string) error) error {
	var b struct {
		Code string `json:"code"`
	}
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	if err := a.tokens.PasswordAllowed(r.Subject.Namespace, r.Origin()); err != nil {
		return err
	}
	err := use(b.Code)
	if errors.Is(err, factor.ErrCode) {
		a.tokens.PasswordFailed(r.Subject.Namespace, r.Origin())
	}
	return err
}

func (a *API) confirmFactor(w http.ResponseWriter, r *web.Request) error {
	var codes []string
	err := a.code(r, func(code string) (err error) {
		codes, err = a.factors.Confirm(r.Context(), r.Subject.UserID, code)
		return err
	})
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, map[string][]string{"recovery_codes": codes})
}

func (a *API) removeFactor(w http.ResponseWriter, r *web.Request) error {
	err := a.code(r, func(code string) error { return a.factors.Use(r.Context(), r.Subject.UserID, code) })
	if err != nil {
		return err
	}
	return noContent(w, a.factors.Remove(r.Context(), r.Subject.UserID))
}
