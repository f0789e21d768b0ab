package web

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/factor"
	"azulejo/internal/token"
)

const (
	tokenHeader  = "X-Tiledb-Rest-Api-Key" // canonical form of the header name
	plainCookie  = "azulejo_session"
	secureCookie = "__Host-azulejo_session" // over TLS; browsers bind it to this host
)

// authenticate finds the credential of a request and returns its subject, the
// zero one if there is none. Of several credentials the first of these counts:
// the token header, the Authorization header, the console's cookie. An empty
// header counts as absent.
func (s *Server) authenticate(r *Request) (access.Subject, error) {
	ctx := r.Context()
	switch keys := r.Header.Values(tokenHeader); {
	case len(keys) > 1:
		return access.Subject{}, token.ErrUnauthorized
	case len(keys) == 1 && strings.TrimSpace(keys[0]) != "":
		return s.Tokens.Verify(ctx, strings.TrimSpace(keys[0]), r.origin)
	}
	if header := strings.TrimSpace(r.Header.Get("Authorization")); header != "" {
		return s.authorization(ctx, header, r)
	}
	if secret := s.cookie(r); secret != "" {
		sub, err := s.Tokens.Verify(ctx, secret, r.origin)
		if errors.Is(err, token.ErrUnauthorized) {
			return access.Subject{}, nil // a session that ended: the page shows the sign-in form
		}
		return sub, err
	}
	return access.Subject{}, nil
}

// authorization reads Basic and Bearer, the token in the place of the access
// key of a signature for S3, and the bare base64 of name and password that the
// cloud client's file upload sends by mistake.
func (s *Server) authorization(ctx context.Context, header string, r *Request) (access.Subject, error) {
	from := r.origin
	scheme, rest, _ := strings.Cut(header, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return s.Tokens.Verify(ctx, rest, from)
	case strings.EqualFold(scheme, signatureScheme) && r.Op.AccessKey:
		return s.Tokens.Verify(ctx, accessKey(rest), from)
	case strings.EqualFold(scheme, "Basic"):
		return s.password(r, rest)
	case rest == "":
		return s.password(r, scheme)
	}
	return access.Subject{}, access.ErrUnauthenticated
}

// signatureScheme begins the Authorization header of requests to S3.
const signatureScheme = "AWS4-HMAC-SHA256"

// accessKey returns the access key of a signature's parameters, "Credential=KEY/date/region/service/aws4_request,
// SignedHeaders=…, Signature=…", or "" if there is none. The key is a token and all that counts: everyone knows the secret
// that clients sign with, so the signature proves nothing.
func accessKey(params string) string {
	for part := range strings.SplitSeq(params, ",") {
		if credential, ok := strings.CutPrefix(strings.TrimSpace(part), "Credential="); ok {
			key, scope, _ := strings.Cut(credential, "/")
			if strings.Count(scope, "/") == 3 && strings.HasSuffix(scope, "/aws4_request") {
				return key
			}
			return ""
		}
	}
	return ""
}

// codeHeader carries the code of the second factor beside a password, when a session is asked for.
const codeHeader = "X-Azulejo-Code"

// ErrNeedsCode means that a password was right, or might be, and a code of the second factor is needed beside it.
var ErrNeedsCode = errors.New("this account has a second factor: send its code too")

func (s *Server) password(r *Request, encoded string) (access.Subject, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	name, password, ok := strings.Cut(string(raw), ":")
	if err != nil || !ok || !utf8.Valid(raw) {
		return access.Subject{}, access.ErrUnauthenticated
	}
	login := r.Op != nil && r.Op.Action == access.Login
	code := ""
	if login {
		code = r.Header.Get(codeHeader)
	}
	u, err := s.Login(r.Context(), name, password, code, r.origin)
	if errors.Is(err, ErrNeedsCode) && !login {
		err = errNeedsToken
	}
	if err != nil {
		return access.Subject{}, err
	}
	return token.SubjectOf(u), nil
}

// Login checks a name and password, and the code of a user with a second factor, within the limit on wrong ones. Error
// classes: account.ErrCredentials, token.ErrRateLimited, ErrNeedsCode, factor.ErrCode.
func (s *Server) Login(ctx context.Context, name, password, code string, from activity.Origin) (account.User, error) {
	if err := s.Tokens.PasswordAllowed(name, from); err != nil {
		return account.User{}, err
	}
	u, err := s.Accounts.Verify(ctx, name, password)
	if errors.Is(err, account.ErrCredentials) {
		s.Tokens.PasswordFailed(name, from)
	}
	if err == nil && s.Factors != nil {
		err = s.second(ctx, u, code, from)
	}
	if err != nil {
		return account.User{}, err
	}
	return u, nil
}

// second checks the code of a user who gave the right password.
func (s *Server) second(ctx context.Context, u account.User, code string, from activity.Origin) error {
	needed, err := s.Factors.Required(ctx, u.ID)
	if err != nil || !needed {
		return err
	}
	if code == "" {
		return ErrNeedsCode
	}
	err = s.Factors.Use(ctx, u.ID, code)
	if errors.Is(err, factor.ErrCode) {
		s.Tokens.PasswordFailed(u.Name, from)
	}
	return err
}

// cookie returns the session secret of the console's cookie, or "" if the
// request was made by another site's page: it then counts as nobody's. Links
// from elsewhere may open pages, never call the API.
func (s *Server) cookie(r *Request) string {
	name := plainCookie
	if r.TLS != nil {
		name = secureCookie
	}
	c, err := r.Cookie(name)
	if err != nil || c.Value == "" || s.csrf.Check(r.Request) != nil {
		return ""
	}
	if site := r.Header.Get("Sec-Fetch-Site"); !r.Op.Page && site != "" && site != "same-origin" && site != "none" {
		return ""
	}
	return c.Value
}

// SetSession gives the browser a session. The secret is a session token's.
func SetSession(w http.ResponseWriter, r *Request, secret token.Secret, expires time.Time) {
	http.SetCookie(w, sessionCookie(r, secret.Reveal(), expires))
}

// EndSession takes the browser's session cookie away.
func EndSession(w http.ResponseWriter, r *Request) {
	c := sessionCookie(r, "", time.Unix(1, 0))
	c.MaxAge = -1
	http.SetCookie(w, c)
}

func sessionCookie(r *Request, value string, expires time.Time) *http.Cookie {
	c := &http.Cookie{Name: plainCookie, Value: value, Path: "/", Expires: expires, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if r.TLS != nil {
		c.Name, c.Secure = secureCookie, true
	}
	return c
}

// tokenInQuery reports whether the query string carries a credential. Addresses
// end up in histories and logs, so such a request is refused even if the token
// is valid.
func tokenInQuery(r *Request) bool {
	if r.URL.RawQuery == "" {
		return false
	}
	if token.Contains(r.URL.RawQuery) {
		return true
	}
	for key, values := range r.Query() {
		switch strings.ToLower(key) {
		case "access_token", "api_key", "apikey", "x-tiledb-rest-api-key":
			return true
		}
		for _, v := range values {
			if token.Contains(v) || token.Contains(key) {
				return true
			}
		}
	}
	return false
}
