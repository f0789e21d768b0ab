package api

import (
	"net/http"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/web"
)

// userOps are the rows of the caller's own account, and the one that clients ask before anything else.
func (a *API) userOps() []web.Operation {
	return []web.Operation{
		{ID: "capabilities", Method: http.MethodGet, Path: "/v4/capabilities", Action: access.Public, Handle: capabilities},
		{ID: "getUser", Method: http.MethodGet, Path: "/v1/user", Action: access.SelfRead, Handle: a.getUser},
	}
}

// capabilities answers 404, which makes libtiledb use addresses of the form tiledb://namespace/array. Any other error
// would stop it.
func capabilities(http.ResponseWriter, *web.Request) error { return access.ErrNotFound }

// userInfo is the published shape of a user. Organizations and AllowedActions must be lists, empty or not: clients
// iterate over them unasked. A name must not be empty, only absent: tiledb-cloud refuses the reply otherwise.
type userInfo struct {
	ID                      string   `json:"id"`
	Username                string   `json:"username"`
	Name                    string   `json:"name,omitempty"`
	Email                   string   `json:"email"`
	IsValidEmail            bool     `json:"is_valid_email"`
	Organizations           []string `json:"organizations"`
	AllowedActions          []string `json:"allowed_actions"`
	DefaultNamespaceCharged string   `json:"default_namespace_charged"`
	Timezone                string   `json:"timezone"`
}

func (a *API) getUser(w http.ResponseWriter, r *web.Request) error {
	u, err := a.accounts.ByID(r.Context(), r.Subject.UserID)
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, userOf(u))
}

func userOf(u account.User) userInfo {
	return userInfo{ID: u.ID, Username: u.Name, Name: u.FullName, Email: u.Email, Organizations: []string{}, DefaultNamespaceCharged: u.Name,
		AllowedActions: []string{"read", "write", "create", "delete", "edit", "read_array_logs", "read_object_logs"}}
}
