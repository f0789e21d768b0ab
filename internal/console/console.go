// Package console holds the web pages: signing in, the list of arrays and API tokens. Pages are rendered by the server
// from embedded templates, need no script and load nothing from elsewhere. One page is a file under pages and a handler
// here.
package console

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/catalog"
	"azulejo/internal/factor"
	"azulejo/internal/letters"
	"azulejo/internal/token"
	"azulejo/internal/web"
)

//go:embed pages static
var files embed.FS

// Parts are what the pages show.
type Parts struct {
	Accounts *account.Accounts
	Tokens   *token.Tokens
	Catalog  *catalog.Catalog
	Letters  *letters.Letters
	Factors  *factor.Factors
}

// Console answers the pages. It is safe for concurrent use.
type Console struct {
	accounts *account.Accounts
	tokens   *token.Tokens
	catalog  *catalog.Catalog
	letters  *letters.Letters
	factors  *factor.Factors
	pages    map[string]*template.Template

	// Login checks a name, a password and the code of a second factor, within the limit on wrong ones; to be set before the first request.
	Login func(ctx context.Context, name, password, code string, from activity.Origin) (account.User, error)
}

// New returns the console. The error is a template that does not parse.
func New(p Parts) (*Console, error) {
	c := &Console{accounts: p.Accounts, tokens: p.Tokens, catalog: p.Catalog, letters: p.Letters, factors: p.Factors, pages: map[string]*template.Template{}}
	for _, name := range []string{"signin", "arrays", "tokens", "api", "error", "reset", "password", "confirm", "said", "security"} {
		page, err := template.ParseFS(files, "pages/layout.html", "pages/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		c.pages[name] = page
	}
	return c, nil
}

// Operations returns the rows of the pages.
func (c *Console) Operations() []web.Operation {
	return []web.Operation{
		{ID: "pageArrays", Method: http.MethodGet, Path: "/", Action: access.CatalogRead, Page: true, Handle: c.arrays},
		{ID: "pageSignIn", Method: http.MethodGet, Path: "/signin", Action: access.Public, Page: true, Handle: c.signInForm},
		{ID: "signIn", Method: http.MethodPost, Path: "/signin", Action: access.Public, Page: true, Handle: c.signIn},
		{ID: "signOut", Method: http.MethodPost, Path: "/signout", Action: access.Public, Page: true, Handle: c.signOut},
		{ID: "pageReset", Method: http.MethodGet, Path: "/reset", Action: access.Public, Page: true, Handle: c.resetForm},
		{ID: "pageAskReset", Method: http.MethodPost, Path: "/reset", Action: access.Public, Page: true, Handle: c.askReset},
		{ID: "pagePassword", Method: http.MethodGet, Path: "/reset/{token}", Action: access.Public, Page: true, Handle: c.passwordForm},
		{ID: "pageSetPassword", Method: http.MethodPost, Path: "/reset/{token}", Action: access.Public, Page: true, Handle: c.setPassword},
		{ID: "pageConfirm", Method: http.MethodGet, Path: "/confirm/{token}", Action: access.Public, Page: true, Handle: c.confirmForm},
		{ID: "pageConfirmEmail", Method: http.MethodPost, Path: "/confirm/{token}", Action: access.Public, Page: true, Handle: c.confirm},
		{ID: "pageSecurity", Method: http.MethodGet, Path: "/settings/security", Action: access.SelfSecure, Page: true, Handle: c.security},
		{ID: "pageEnrol", Method: http.MethodPost, Path: "/settings/security/enrol", Action: access.SelfSecure, Page: true, Handle: c.enrol},
		{ID: "pageConfirmFactor", Method: http.MethodPost, Path: "/settings/security/confirm", Action: access.SelfSecure, Page: true, Handle: c.confirmFactor},
		{ID: "pageRemoveFactor", Method: http.MethodPost, Path: "/settings/security/remove", Action: access.SelfSecure, Page: true, Handle: c.removeFactor},
		{ID: "pageEndSession", Method: http.MethodPost, Path: "/settings/sessions/revoke", Action: access.TokenRevoke, Page: true, Handle: c.endSession},
		{ID: "pageEndOtherSessions", Method: http.MethodPost, Path: "/settings/sessions/revoke_others", Action: access.TokenRevoke, Page: true, Handle: c.endOthers},
		{ID: "pageTokens", Method: http.MethodGet, Path: "/settings/tokens", Action: access.TokensRead, Page: true, Handle: c.tokenList},
		{ID: "pageCreateToken", Method: http.MethodPost, Path: "/settings/tokens", Action: access.TokenCreate, Page: true, Handle: c.createToken},
		{ID: "pageRevokeToken", Method: http.MethodPost, Path: "/settings/tokens/revoke", Action: access.TokenRevoke, Page: true, Handle: c.revokeToken},
		{ID: "pageStatic", Method: http.MethodGet, Path: "/static/{file}", Action: access.Public, Page: true, Handle: c.static},
	}
}

// frame is what the layout shows around a page.
type frame struct {
	Title, User, Error string
	// Insecure tells that the connection is plain HTTP and not on this machine.
	Insecure bool
	Page     any
}

// show renders a page whole before the first byte goes out.
func (c *Console) show(w http.ResponseWriter, r *web.Request, name string, f frame) error {
	body, err := c.render(r, name, f)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err = w.Write(body)
	return err
}

func (c *Console) render(r *web.Request, name string, f frame) ([]byte, error) {
	f.User = r.Subject.Namespace
	f.Insecure = r.TLS == nil && !strings.HasPrefix(r.RemoteAddr, "127.") && !strings.HasPrefix(r.RemoteAddr, "[::1]")
	var body bytes.Buffer
	err := c.pages[name].ExecuteTemplate(&body, "layout", f)
	return body.Bytes(), err
}

// ErrorPage shows what went wrong, or the sign-in form to who is not signed in. It is web.Options.ErrorPage.
func (c *Console) ErrorPage(w io.Writer, r *web.Request, status int, message string) {
	name, f := "error", frame{Title: http.StatusText(status), Error: message}
	if status == http.StatusUnauthorized && r.Method == http.MethodGet {
		name, f = "signin", frame{Title: "Sign in", Page: signInPage{Next: r.URL.EscapedPath(), Mail: c.letters.Sends()}}
	}
	body, err := c.render(r, name, f)
	if err != nil {
		body = []byte(template.HTMLEscapeString(message))
	}
	w.Write(body) // best effort: the browser may be gone, and there is nothing else to tell it
}

// static serves the embedded style sheet and icon.
func (c *Console) static(w http.ResponseWriter, r *web.Request) error {
	name := path.Join("static", path.Base(r.Param("file")))
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return access.ErrNotFound
	}
	kind := map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(name)]
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, err = w.Write(content)
	return err
}

// server is the address under which the browser reaches this server, for snippets.
func server(r *web.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// see sends the browser on to another page after a form was done.
func see(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
