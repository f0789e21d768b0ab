package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/web"
)

// userOps are the rows of accounts, and the one that clients ask before anything else.
func (a *API) userOps() []web.Operation {
	onUser := func(id, method string, action access.Action, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: "/v1/users/{user}", Action: action, Find: a.findSelf, Handle: handle}
	}
	get := onUser("getUserWithUsername", http.MethodGet, access.ProfileRead, a.getProfile)
	get.Find = nil
	return []web.Operation{
		{ID: "capabilities", Method: http.MethodGet, Path: "/v4/capabilities", Action: access.Public, Handle: capabilities},
		{ID: "getUser", Method: http.MethodGet, Path: "/v1/user", Action: access.SelfRead, Handle: a.getUser},
		{ID: "createUser", Method: http.MethodPost, Path: "/v1/user", Action: access.SignUp, Handle: a.createUser},
		{ID: "resetUserPassword", Method: http.MethodPost, Path: "/v1/user/password_reset", Action: access.PasswordReset, Handle: a.resetPassword},
		{ID: "confirmEmail", Method: http.MethodPost, Path: "/v1/user/confirm_email", Action: access.EmailConfirm, Handle: a.confirmEmail},
		{ID: "mailPasswordReset", Method: http.MethodPost, Path: "/v1/user/password_reset/mail", Action: access.Public, Handle: a.mailReset},
		{ID: "mailEmailConfirmation", Method: http.MethodPost, Path: "/v1/user/confirm_email/mail", Action: access.SelfWrite, Handle: a.mailConfirmation},
		{ID: "makeUserLink", Method: http.MethodPost, Path: "/v1/admin/users/{user}/link", Action: access.UsersAdmin, Handle: a.userLink},
		get,
		onUser("updateUser", http.MethodPatch, access.SelfWrite, a.updateUser),
		onUser("deleteUser", http.MethodDelete, access.SelfDelete, a.deleteUser),
	}
}

// capabilities answers 404, which makes libtiledb use addresses of the form tiledb://namespace/array. Any other error
// would stop it.
func capabilities(http.ResponseWriter, *web.Request) error { return access.ErrNotFound }

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

func ownersOnly() error {
	return fmt.Errorf("%w: only an owner makes owners or changes what an owner is", access.ErrDenied)
}

// findSelf finds the account of a path if it is the caller's own; to a change, others' do not exist.
func (a *API) findSelf(r *web.Request) (access.Object, error) {
	if !sameName(r.Param("user"), r.Subject.Namespace) {
		return access.Object{}, account.ErrNotFound
	}
	return access.Object{Kind: access.Self, ID: r.Subject.UserID}, nil
}

// userInfo is the published shape of a user. Organizations and AllowedActions must be lists, empty or not: clients
// iterate over them unasked. A name must not be empty, only absent: tiledb-cloud refuses the reply otherwise.
type userInfo struct {
	ID                      string       `json:"id"`
	Username                string       `json:"username"`
	Name                    string       `json:"name,omitempty"`
	Email                   string       `json:"email"`
	IsValidEmail            bool         `json:"is_valid_email"`
	Company                 string       `json:"company,omitempty"`
	Logo                    string       `json:"logo,omitempty"`
	Timezone                string       `json:"timezone"`
	DefaultRegion           string       `json:"default_region,omitempty"`
	Organizations           []memberInfo `json:"organizations"`
	AllowedActions          []string     `json:"allowed_actions"`
	EnabledFeatures         []string     `json:"enabled_features"`
	DefaultNamespaceCharged string       `json:"default_namespace_charged"`
	places
}

func (a *API) getUser(w http.ResponseWriter, r *web.Request) error {
	info, err := a.ownInfo(r)
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, info)
}

func (a *API) ownInfo(r *web.Request) (userInfo, error) {
	u, err := a.accounts.ByID(r.Context(), r.Subject.UserID)
	if err != nil {
		return userInfo{}, err
	}
	p, err := a.accounts.Profile(r.Context(), u.ID)
	if err != nil {
		return userInfo{}, err
	}
	own := access.Object{Kind: access.Namespace, ID: u.NamespaceID, NamespaceID: u.NamespaceID}
	info := userInfo{ID: u.ID, Username: u.Name, Name: u.FullName, Email: u.Email, IsValidEmail: p.EmailConfirmed, Company: p.Company, Logo: p.Logo,
		Timezone: p.Timezone, DefaultRegion: p.Region, Organizations: []memberInfo{}, EnabledFeatures: []string{},
		AllowedActions: access.RightsOn(r.Subject, own).Names(access.Namespace), DefaultNamespaceCharged: p.Charged}
	if info.DefaultNamespaceCharged == "" {
		info.DefaultNamespaceCharged = u.Name
	}
	for _, m := range r.Subject.Memberships {
		info.Organizations = append(info.Organizations, memberInfo{UserID: u.ID, OrganizationID: m.NamespaceID, Username: u.Name,
			OrganizationName: m.Name, Role: string(m.Role), AllowedActions: m.Role.Rights().Names(access.Namespace)})
	}
	info.places, err = a.places(r.Context(), u.NamespaceID)
	return info, err
}

// profileInfo is what users see of each other: names are public, the rest is not.
type profileInfo struct {
	ID             string   `json:"id"`
	Username       string   `json:"username"`
	Logo           string   `json:"logo,omitempty"`
	Organizations  []string `json:"organizations"`
	AllowedActions []string `json:"allowed_actions"`
}

func (a *API) getProfile(w http.ResponseWriter, r *web.Request) error {
	if sameName(r.Param("user"), r.Subject.Namespace) {
		return a.getUser(w, r)
	}
	u, err := a.accounts.ByName(r.Context(), r.Param("user"))
	if err != nil {
		return err
	}
	p, err := a.accounts.Profile(r.Context(), u.ID)
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, profileInfo{ID: u.ID, Username: u.Name, Logo: p.Logo, Organizations: []string{}, AllowedActions: []string{}})
}

// userBody is the body of a sign-up or of a change of the caller's own account.
type userBody struct {
	Username string  `json:"username"`
	Password *string `json:"password"`
	Name     *string `json:"name"`
	Email    *string `json:"email"`
	Company  *string `json:"company"`
	Logo     *string `json:"logo"`
	Timezone *string `json:"timezone"`
	Region   *string `json:"default_region"`
	Charged  *string `json:"default_namespace_charged"`
	placesPatch
}

func (b userBody) patch() account.ProfilePatch {
	return account.ProfilePatch{FullName: b.Name, Email: b.Email, Company: b.Company, Logo: b.Logo, Timezone: b.Timezone, Region: b.Region, Charged: b.Charged}
}

// SignUp says who may make an account without being asked.
type SignUp string

// The kinds of sign-up. The server's administrator makes accounts whatever it is.
const (
	InviteOnly SignUp = "invite"   // nobody
	Approval   SignUp = "approval" // anybody, and the administrator lets them in
	OpenToAll  SignUp = "open"     // anybody
)

func (a *API) createUser(w http.ResponseWriter, r *web.Request) error {
	var b userBody
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	n := account.NewUser{Name: b.Username}
	for _, f := range []struct{ to, from *string }{{&n.Password, b.Password}, {&n.FullName, b.Name}, {&n.Email, b.Email}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	_, err := access.Allowed(r.Subject, access.UsersAdmin, access.Object{Kind: access.Server})
	switch {
	case err == nil:
	case a.limits.SignUp == OpenToAll:
	case a.limits.SignUp == Approval:
		n.Waiting = true
	default:
		return fmt.Errorf("%w: accounts on this server are made by its administrator; ask for one", access.ErrDenied)
	}
	if err := a.tokens.PasswordAllowed(n.Name, r.Origin()); err != nil {
		return err
	}
	u, err := a.accounts.Create(r.Context(), n)
	if err != nil {
		if errors.Is(err, account.ErrExists) {
			a.tokens.PasswordFailed(n.Name, r.Origin()) // nobody tries all names
		}
		return err
	}
	if err := a.letters.NewAddress(r.Context(), u); err != nil {
		return err
	}
	patch := b.patch()
	patch.FullName, patch.Email = nil, nil
	return noContent(w, a.accounts.UpdateProfile(r.Context(), u.ID, patch))
}

func (a *API) updateUser(w http.ResponseWriter, r *web.Request) error {
	var b userBody
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	if b.Username != "" && !sameName(b.Username, r.Subject.Namespace) {
		return fmt.Errorf("%w: user names cannot be changed: addresses hold them", account.ErrInvalid)
	}
	if b.Charged != nil && *b.Charged != "" {
		if err := a.mayCharge(r, *b.Charged); err != nil {
			return err
		}
	}
	if err := a.secureChanges(r, b); err != nil {
		return err
	}
	return noContent(w, a.setPlaces(r.Context(), r.Subject.NamespaceID, b.placesPatch))
}

// secureChanges makes the changes of a caller's own account with which somebody could take it over: a new password, and a
// new mail address, to which links for new passwords go.
func (a *API) secureChanges(r *web.Request, b userBody) error {
	before, err := a.accounts.ByID(r.Context(), r.Subject.UserID)
	if err != nil {
		return err
	}
	password, address := b.Password != nil && *b.Password != "", b.Email != nil && *b.Email != before.Email
	if password || address {
		if _, err := access.Allowed(r.Subject, access.SelfDelete, r.Object); err != nil {
			return err // as much as either can do
		}
	}
	if address {
		if err := a.tokens.AskedForMail(r.Origin()); err != nil {
			return err
		}
	}
	if password {
		if err := a.accounts.SetPassword(r.Context(), r.Subject.UserID, *b.Password); err != nil {
			return err
		}
		if err := a.letters.PasswordChanged(r.Context(), r.Subject.UserID, r.Origin()); err != nil {
			return err
		}
	}
	if err := a.accounts.UpdateProfile(r.Context(), r.Subject.UserID, b.patch()); err != nil || !address {
		return err
	}
	before.Email = *b.Email
	return a.letters.NewAddress(r.Context(), before)
}

// mayCharge checks that the caller may run code at a namespace's cost.
func (a *API) mayCharge(r *web.Request, namespace string) error {
	n, err := a.accounts.Namespace(r.Context(), namespace)
	if err == nil {
		o := access.Object{Kind: access.Namespace, ID: n.ID, NamespaceID: n.ID}
		if access.RightsOn(r.Subject, o).Has(access.CanRun) {
			return nil
		}
		err = account.ErrNotFound
	}
	if errors.Is(err, account.ErrNotFound) {
		return fmt.Errorf("%w: no work of yours can be charged to %q", account.ErrInvalid, namespace)
	}
	return err
}

func (a *API) deleteUser(w http.ResponseWriter, r *web.Request) error {
	if err := a.accounts.Delete(r.Context(), r.Subject.UserID); err != nil {
		return err
	}
	a.tokens.Forget()
	return noContent(w, nil)
}

// resetPassword sets the password of who holds the single-use token of a mailed link, and ends the token.
func (a *API) resetPassword(w http.ResponseWriter, r *web.Request) error {
	var b struct {
		Password string `json:"password"`
	}
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	return noContent(w, a.letters.Reset(r.Context(), r.Subject, b.Password, r.Origin()))
}

// confirmEmail records that the address a mailed link went to is the caller's, and ends the token.
func (a *API) confirmEmail(w http.ResponseWriter, r *web.Request) error {
	return noContent(w, a.letters.Confirm(r.Context(), r.Subject, r.Origin()))
}

// mailReset sends links with which passwords are set to a mail address, if it is of any account: the answer is the same.
func (a *API) mailReset(w http.ResponseWriter, r *web.Request) error {
	var b struct {
		Email string `json:"email"`
	}
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	if err := a.letters.AskReset(r.Context(), b.Email, r.Origin()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// mailConfirmation sends the caller a link to confirm his mail address.
func (a *API) mailConfirmation(w http.ResponseWriter, r *web.Request) error {
	if err := a.letters.AskConfirm(r.Context(), r.Subject.UserID, r.Origin()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// userLink makes a link for a user that the server's administrator passes on himself, for lack of a mail server.
func (a *API) userLink(w http.ResponseWriter, r *web.Request) error {
	var b struct {
		For string `json:"for"`
	}
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	u, err := a.accounts.ByName(r.Context(), r.Param("user"))
	if err != nil {
		return err
	}
	var out struct {
		URL       string    `json:"url"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	switch b.For {
	case string(access.ScopePasswordReset):
		out.URL, out.ExpiresAt, err = a.letters.ResetLink(r.Context(), u, r.Origin())
	case string(access.ScopeConfirmEmail):
		out.URL, out.ExpiresAt, err = a.letters.ConfirmLink(r.Context(), u, r.Origin())
	default:
		err = fmt.Errorf("%w: for is %s or %s", web.ErrBadRequest, access.ScopePasswordReset, access.ScopeConfirmEmail)
	}
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, out)
}
