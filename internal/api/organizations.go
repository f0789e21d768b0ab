package api

import (
	"context"
	"net/http"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/token"
	"azulejo/internal/web"
)

const onOrganization = "/v1/organizations/{namespace}"

// organizationOps are the rows of organizations and their members (spec page cloud-api.md, section 2).
func (a *API) organizationOps() []web.Operation {
	row := func(id, method, path string, action access.Action, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: onOrganization + path, Action: action, Find: a.findOrganization, Handle: handle}
	}
	leave := row("deleteUserFromOrganization", http.MethodDelete, "/{user}", access.OrganizationMembers, a.removeMember)
	leave.Also, leave.Refine = []access.Action{access.OrganizationLeave}, func(r *web.Request) (access.Action, error) {
		if sameName(r.Param("user"), r.Subject.Namespace) {
			return access.OrganizationLeave, nil
		}
		return access.OrganizationMembers, nil
	}
	return append(a.serviceOps(), []web.Operation{
		{ID: "createOrganization", Method: http.MethodPost, Path: "/v1/organization", Action: access.OrganizationCreate, Handle: a.createOrganization},
		{ID: "getAllOrganizations", Method: http.MethodGet, Path: "/v1/organizations", Action: access.OrganizationsRead, Handle: a.listOrganizations},
		row("getOrganization", http.MethodGet, "", access.OrganizationRead, a.getOrganization),
		row("updateOrganization", http.MethodPatch, "", access.OrganizationWrite, a.updateOrganization),
		row("deleteOrganization", http.MethodDelete, "", access.OrganizationDelete, a.deleteOrganization),
		row("addUserToOrganization", http.MethodPost, "/user", access.OrganizationMembers, a.addMember),
		row("getOrganizationUser", http.MethodGet, "/{user}", access.OrganizationRead, a.getMember),
		row("updateUserInOrganization", http.MethodPatch, "/{user}", access.OrganizationMembers, a.updateMember),
		leave,
	}...)
}

// findOrganization looks up the organization of a path; a user's namespace counts as absent.
func (a *API) findOrganization(r *web.Request) (access.Object, error) {
	n, err := a.accounts.Namespace(r.Context(), r.Param("namespace"))
	if err == nil && !n.Organization {
		err = account.ErrNotFound
	}
	if err != nil {
		return access.Object{}, err
	}
	return access.Object{Kind: access.Namespace, ID: n.ID, NamespaceID: n.ID}, nil
}

// memberInfo is the published shape of a user in an organization.
type memberInfo struct {
	UserID           string   `json:"user_id"`
	OrganizationID   string   `json:"organization_id"`
	Username         string   `json:"username"`
	FullName         string   `json:"user_full_name,omitempty"`
	Email            string   `json:"user_email,omitempty"`
	OrganizationName string   `json:"organization_name"`
	Role             string   `json:"role"`
	AllowedActions   []string `json:"allowed_actions"`
}

func memberOf(m account.Member) memberInfo {
	return memberInfo{UserID: m.UserID, OrganizationID: m.OrganizationID, Username: m.UserName, FullName: m.FullName, Email: m.Email,
		OrganizationName: m.Organization, Role: string(m.Role), AllowedActions: m.Role.Rights().Names(access.Namespace)}
}

// organizationInfo is the published shape of an organization, as one of its members sees it.
type organizationInfo struct {
	ID             string       `json:"id"`
	Name           string       `json:"name"`
	Description    string       `json:"description"`
	Logo           string       `json:"logo,omitempty"`
	Role           string       `json:"role"`
	CreatedAt      time.Time    `json:"created_at"`
	UpdatedAt      time.Time    `json:"updated_at"`
	Users          []memberInfo `json:"users,omitempty"`
	AllowedActions []string     `json:"allowed_actions"`
	ArrayCount     int          `json:"num_of_arrays"`
	places
}

// roleIn returns the subject's membership in an organization.
func roleIn(s access.Subject, organizationID string) access.Role {
	for _, m := range s.Memberships {
		if m.NamespaceID == organizationID {
			return m.Role
		}
	}
	return ""
}

func (a *API) organizationInfo(r *web.Request, id string, members bool) (organizationInfo, error) {
	o, err := a.accounts.OrganizationByID(r.Context(), id)
	if err != nil {
		return organizationInfo{}, err
	}
	role := roleIn(r.Subject, id)
	info := organizationInfo{ID: o.ID, Name: o.Name, Description: o.Description, Logo: o.Logo, Role: string(role), CreatedAt: o.CreatedAt,
		UpdatedAt: o.UpdatedAt, AllowedActions: role.Rights().Names(access.Namespace)}
	if info.places, err = a.places(r.Context(), id); err != nil {
		return info, err
	}
	if !members {
		return info, nil
	}
	list, err := a.accounts.Members(r.Context(), id)
	if err != nil {
		return info, err
	}
	for _, m := range list {
		info.Users = append(info.Users, memberOf(m))
	}
	info.ArrayCount, err = a.catalog.CountArrays(r.Context(), id)
	return info, err
}

func (a *API) listOrganizations(w http.ResponseWriter, r *web.Request) error {
	list := []organizationInfo{}
	for _, m := range r.Subject.Memberships {
		info, err := a.organizationInfo(r, m.NamespaceID, false)
		if err != nil {
			return err
		}
		list = append(list, info)
	}
	return web.JSON(w, r, http.StatusOK, list)
}

func (a *API) getOrganization(w http.ResponseWriter, r *web.Request) error {
	info, err := a.organizationInfo(r, r.Object.ID, true)
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, info)
}

// organizationPatch is the body of the creation or update of an organization.
type organizationPatch struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	Logo        *string `json:"logo"`
	placesPatch
}

func (p organizationPatch) text() account.OrganizationText {
	return account.OrganizationText{Description: p.Description, Logo: p.Logo}
}

func (a *API) createOrganization(w http.ResponseWriter, r *web.Request) error {
	var p organizationPatch
	if err := r.DecodeJSON(&p); err != nil {
		return err
	}
	name := ""
	if p.Name != nil {
		name = *p.Name
	}
	o, err := a.accounts.CreateOrganization(r.Context(), r.Subject.UserID, name, p.text())
	if err != nil {
		return err
	}
	return noContent(w, a.setPlaces(r.Context(), o.ID, p.placesPatch))
}

func (a *API) updateOrganization(w http.ResponseWriter, r *web.Request) error {
	var p organizationPatch
	if err := r.DecodeJSON(&p); err != nil {
		return err
	}
	if err := a.accounts.UpdateOrganization(r.Context(), r.Object.ID, p.Name, p.text()); err != nil {
		return err
	}
	return noContent(w, a.setPlaces(r.Context(), r.Object.ID, p.placesPatch))
}

func (a *API) deleteOrganization(w http.ResponseWriter, r *web.Request) error {
	return noContent(w, a.accounts.DeleteOrganization(r.Context(), r.Object.ID))
}

// memberPatch is the body of a new membership or of a change of role.
type memberPatch struct {
	Username string `json:"username"`
	Role     string `json:"role"`
}

// mayGive refuses to give or take the role of owner for whom is none.
func mayGive(r *web.Request, roles ...access.Role) error {
	if !access.RightsOn(r.Subject, r.Object).Has(access.CanDeleteOrganization) {
		for _, role := range roles {
			if role == access.RoleOwner {
				return ownersOnly()
			}
		}
	}
	return nil
}

func (a *API) addMember(w http.ResponseWriter, r *web.Request) error {
	var p memberPatch
	if err := r.DecodeJSON(&p); err != nil {
		return err
	}
	if p.Role == "" {
		p.Role = string(access.RoleReadOnly)
	}
	if err := mayGive(r, access.Role(p.Role)); err != nil {
		return err
	}
	return noContent(w, a.accounts.AddMember(r.Context(), r.Object.ID, p.Username, access.Role(p.Role)))
}

func (a *API) getMember(w http.ResponseWriter, r *web.Request) error {
	m, err := a.accounts.Member(r.Context(), r.Object.ID, r.Param("user"))
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, memberOf(m))
}

func (a *API) updateMember(w http.ResponseWriter, r *web.Request) error {
	var p memberPatch
	if err := r.DecodeJSON(&p); err != nil {
		return err
	}
	m, err := a.accounts.Member(r.Context(), r.Object.ID, r.Param("user"))
	if err == nil {
		err = mayGive(r, m.Role, access.Role(p.Role))
	}
	if err != nil {
		return err
	}
	return noContent(w, a.accounts.SetRole(r.Context(), r.Object.ID, m.UserID, access.Role(p.Role)))
}

func (a *API) removeMember(w http.ResponseWriter, r *web.Request) error {
	m, err := a.accounts.Member(r.Context(), r.Object.ID, r.Param("user"))
	if err == nil && r.Action != access.OrganizationLeave {
		err = mayGive(r, m.Role)
	}
	if err != nil {
		return err
	}
	return noContent(w, a.accounts.RemoveMember(r.Context(), r.Object.ID, m.UserID))
}

// noContent answers 204 if what was to be done is done.
func noContent(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// place is the published shape of a place for new assets.
type place struct {
	Path        string `json:"path"`
	Credentials string `json:"credentials_name"`
}

// places are the published fields of where new assets go, of users and organizations alike.
type places struct {
	DefaultPath        string           `json:"default_s3_path"`
	DefaultCredentials string           `json:"default_s3_path_credentials_name"`
	Locations          map[string]place `json:"asset_locations"`
}

// placesPatch changes them: what is absent or null stays, an empty text goes back to the server's choice.
type placesPatch struct {
	DefaultPath        *string `json:"default_s3_path"`
	DefaultCredentials *string `json:"default_s3_path_credentials_name"`
	Locations          map[string]*struct {
		Path        *string `json:"path"`
		Credentials *string `json:"credentials_name"`
	} `json:"asset_locations"`
}

// localCredentials is the name by which clients call what needs no credentials: the server's own disk.
const localCredentials = "local"

// places returns where a namespace's new assets go. What the namespace did not choose is below the server's storage.
func (a *API) places(ctx context.Context, namespaceID string) (places, error) {
	d, err := a.accounts.Defaults(ctx, namespaceID)
	if err != nil {
		return places{}, err
	}
	or := func(text, other string) string {
		if text == "" {
			return other
		}
		return text
	}
	p := places{DefaultPath: or(d.Path, a.catalog.DefaultStorage(namespaceID)), DefaultCredentials: or(d.Credentials, localCredentials),
		Locations: map[string]place{}}
	for _, kind := range account.AssetKinds() {
		k := d.Kinds[kind]
		p.Locations[kind] = place{Path: or(k.Path, p.DefaultPath+"/"+kind), Credentials: or(k.Credentials, p.DefaultCredentials)}
	}
	return p, nil
}

// setPlaces changes where a namespace's new assets go. A path must be the namespace's.
func (a *API) setPlaces(ctx context.Context, namespaceID string, p placesPatch) error {
	d, err := a.accounts.Defaults(ctx, namespaceID)
	if err != nil {
		return err
	}
	changed := false
	set := func(to, from *string, path bool) error {
		if from == nil {
			return nil
		}
		changed = true
		if *to = *from; *from == "" || !path {
			return nil
		}
		*to, err = a.catalog.Owned(ctx, namespaceID, *from)
		return err
	}
	if err := set(&d.Path, p.DefaultPath, true); err != nil {
		return err
	}
	if err := set(&d.Credentials, p.DefaultCredentials, false); err != nil {
		return err
	}
	for _, kind := range account.AssetKinds() {
		from := p.Locations[kind]
		if from == nil {
			continue
		}
		k := d.Kinds[kind]
		if err := set(&k.Path, from.Path, true); err != nil {
			return err
		}
		if err := set(&k.Credentials, from.Credentials, false); err != nil {
			return err
		}
		if d.Kinds == nil {
			d.Kinds = map[string]account.Place{}
		}
		d.Kinds[kind] = k
	}
	if !changed {
		return nil
	}
	return a.accounts.SetDefaults(ctx, namespaceID, d)
}

// serviceOps are the rows of service accounts; they are ours, not published (decision 156). Who may run the organization runs
// them.
func (a *API) serviceOps() []web.Operation {
	row := func(id, method, path string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: onOrganization + "/service_accounts" + path, Action: access.OrganizationMembers, Find: a.findOrganization, Handle: handle}
	}
	return []web.Operation{
		row("listServiceAccounts", http.MethodGet, "", a.listServices), row("createServiceAccount", http.MethodPost, "", a.createService),
		row("getServiceAccount", http.MethodGet, "/{account}", a.onService(a.getService)),
		row("updateServiceAccount", http.MethodPatch, "/{account}", a.onService(a.updateService)),
		row("deleteServiceAccount", http.MethodDelete, "/{account}", a.onService(a.deleteService)),
		row("listServiceTokens", http.MethodGet, "/{account}/tokens", a.onService(a.listServiceTokens)),
		row("createServiceToken", http.MethodPost, "/{account}/tokens", a.onService(a.createServiceToken)),
		row("revokeServiceToken", http.MethodDelete, "/{account}/tokens/{token}", a.onService(a.revokeServiceToken)),
	}
}

// onService looks up the service account of a path.
func (a *API) onService(do func(http.ResponseWriter, *web.Request, account.Service) error) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		s, err := a.accounts.FindService(r.Context(), r.Object.ID, r.Param("account"))
		if err != nil {
			return err
		}
		return do(w, r, s)
	}
}

// serviceInfo is a service account as those who run its organization see it.
type serviceInfo struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Role        string    `json:"role"`
	Disabled    bool      `json:"disabled"`
	CreatedAt   time.Time `json:"created_at"`
}

func serviceOf(s account.Service) serviceInfo {
	return serviceInfo{ID: s.ID, Name: s.Name, Description: s.Description, Role: string(s.Role), Disabled: s.Disabled, CreatedAt: s.CreatedAt}
}

func (a *API) listServices(w http.ResponseWriter, r *web.Request) error {
	list, err := a.accounts.Services(r.Context(), r.Object.ID)
	if err != nil {
		return err
	}
	infos := make([]serviceInfo, len(list))
	for i, s := range list {
		infos[i] = serviceOf(s)
	}
	return web.JSON(w, r, http.StatusOK, infos)
}

func (a *API) createService(w http.ResponseWriter, r *web.Request) error {
	var b struct {
		Name        string      `json:"name"`
		Description string      `json:"description"`
		Role        access.Role `json:"role"`
	}
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	if b.Role == "" {
		b.Role = access.RoleReadOnly
	}
	s, err := a.accounts.CreateService(r.Context(), account.NewService{OrganizationID: r.Object.ID, Name: b.Name, Description: b.Description, Role: b.Role,
		By: r.Subject.UserID, Origin: r.Origin()})
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusCreated, serviceOf(s))
}

func (a *API) getService(w http.ResponseWriter, r *web.Request, s account.Service) error {
	return web.JSON(w, r, http.StatusOK, serviceOf(s))
}

func (a *API) updateService(w http.ResponseWriter, r *web.Request, s account.Service) error {
	var b struct {
		Description *string      `json:"description"`
		Role        *access.Role `json:"role"`
		Disabled    *bool        `json:"disabled"`
	}
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	err := a.accounts.UpdateService(r.Context(), s, account.ServicePatch{Description: b.Description, Role: b.Role, Disabled: b.Disabled,
		By: r.Subject.UserID, Origin: r.Origin()})
	a.tokens.Forget()
	return noContent(w, err)
}

func (a *API) deleteService(w http.ResponseWriter, r *web.Request, s account.Service) error {
	err := a.accounts.DeleteService(r.Context(), s, r.Subject.UserID, r.Origin())
	a.tokens.Forget()
	return noContent(w, err)
}

func (a *API) listServiceTokens(w http.ResponseWriter, r *web.Request, s account.Service) error {
	list, err := a.tokens.List(r.Context(), s.ID, false)
	if err != nil {
		return err
	}
	infos := make([]tokenInfo, len(list))
	for i, t := range list {
		infos[i] = a.tokenInfo(t)
	}
	return web.JSON(w, r, http.StatusOK, infos)
}

func (a *API) createServiceToken(w http.ResponseWriter, r *web.Request, s account.Service) error {
	var want tokenRequest
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	n := token.NewToken{Name: want.Name, Scopes: want.Scope, Origin: r.Origin()}
	if want.Expires != nil {
		n.Expires = *want.Expires
	}
	secret, made, err := a.tokens.CreateFor(r.Context(), token.SubjectOf(s.User), n, r.Subject.UserID)
	if err != nil {
		return err
	}
	info := a.tokenInfo(made)
	info.Token = secret.Reveal()
	return web.JSON(w, r, http.StatusOK, info)
}

func (a *API) revokeServiceToken(w http.ResponseWriter, r *web.Request, s account.Service) error {
	return noContent(w, a.tokens.Revoke(r.Context(), token.SubjectOf(s.User), r.Param("token"), r.Origin()))
}
