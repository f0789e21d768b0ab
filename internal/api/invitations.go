package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/invite"
	"azulejo/internal/token"
	"azulejo/internal/web"
)

// maxRecipients is how many can be invited by one request.
const maxRecipients = 100

// invitationOps are the rows of invitations (spec page cloud-api.md, section 2; decision 134).
func (a *API) invitationOps() []web.Operation {
	const base = "/v1/invitations"
	cancel := func(id, path string, kind invite.Kind) web.Operation {
		return web.Operation{ID: id, Method: http.MethodDelete, Path: base + path, Action: access.InvitationAnswer, Handle: a.cancelInvitation(kind)}
	}
	return []web.Operation{
		{ID: "fetchInvitations", Method: http.MethodGet, Path: base, Action: access.InvitationsRead, Handle: a.listInvitations},
		{ID: "acceptInvitation", Method: http.MethodPost, Path: base + "/{invitation}", Action: access.InvitationAnswer, Handle: a.acceptInvitation},
		{ID: "shareArrayByInvite", Method: http.MethodPost, Path: base + "/{namespace}/{array}/share", Action: access.ArrayShare, Find: a.findArray, Handle: a.inviteToArray},
		{ID: "shareGroupByInvite", Method: http.MethodPost, Path: base + "/group/{namespace}/{group}/share", Action: access.GroupShare, Find: a.findGroup, Handle: a.inviteToGroup},
		{ID: "joinOrganization", Method: http.MethodPost, Path: base + "/{namespace}/join", Action: access.OrganizationInvite, Find: a.findOrganization, Handle: a.inviteToOrganization},
		cancel("cancelShareArrayByInvite", "/{invitation}/{namespace}/{asset}/share", invite.ToArray),
		cancel("cancelShareGroupByInvite", "/group/{invitation}/{namespace}/{asset}/share", invite.ToGroup),
		cancel("cancelJoinOrganization", "/{invitation}/{namespace}/join", invite.ToOrganization),
	}
}

// invitationBody is the body of an invitation of any kind.
type invitationBody struct {
	Actions      []string `json:"actions"`
	ArrayActions []string `json:"array_actions"`
	GroupActions []string `json:"group_actions"`
	Role         string   `json:"organization_role"`
	Emails       []string `json:"invitee_email"`
	EmailOrName  []string `json:"invitee_email_or_name"`
	noPolicy
}

func (a *API) inviteToArray(w http.ResponseWriter, r *web.Request) error {
	var b invitationBody
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	rights, err := parseRights(access.Array, b.Actions)
	if err != nil {
		return err
	}
	return a.inviteToAsset(w, r, b, invite.Invitation{Kind: invite.ToArray, Rights: rights})
}

func (a *API) inviteToGroup(w http.ResponseWriter, r *web.Request) error {
	var b invitationBody
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	rights, err := parseRights(access.Group, b.GroupActions)
	if err != nil {
		return err
	}
	ofMembers, err := parseRights(access.Array, b.ArrayActions)
	if err != nil {
		return err
	}
	return a.inviteToAsset(w, r, b, invite.Invitation{Kind: invite.ToGroup, Rights: rights, MemberRights: ofMembers})
}

func (a *API) inviteToAsset(w http.ResponseWriter, r *web.Request, b invitationBody, to invite.Invitation) error {
	if err := b.refused(); err != nil {
		return err
	}
	if to.Rights|to.MemberRights == 0 {
		return fmt.Errorf("%w: an invitation names at least one action", web.ErrBadRequest)
	}
	if err := mayShare(r.Subject, r.Object, to.Rights, to.MemberRights); err != nil {
		return err
	}
	to.AssetID = asset(r).ID
	return a.invite(w, r, to, slices.Concat(b.Emails, b.EmailOrName))
}

func (a *API) inviteToOrganization(w http.ResponseWriter, r *web.Request) error {
	var b invitationBody
	if err := r.DecodeJSON(&b); err != nil {
		return err
	}
	to := invite.Invitation{Kind: invite.ToOrganization, OrganizationID: r.Object.ID, Role: access.Role(b.Role)}
	if to.Role == "" {
		to.Role = access.RoleReadOnly
	}
	if !to.Role.Valid() {
		return fmt.Errorf("%w: %q is no role; choose among %v", account.ErrInvalid, b.Role, access.Roles())
	}
	if err := mayGive(r, to.Role); err != nil {
		return err
	}
	return a.invite(w, r, to, slices.Concat(b.Emails, b.EmailOrName))
}

// invite makes one invitation for each recipient, a user name or a mail address, and answers which recipients failed.
// Whether an address is a user's makes no difference.
func (a *API) invite(w http.ResponseWriter, r *web.Request, to invite.Invitation, recipients []string) error {
	if len(recipients) == 0 || len(recipients) > maxRecipients {
		return fmt.Errorf("%w: invite between 1 and %d recipients at a time", web.ErrBadRequest, maxRecipients)
	}
	to.InviterID = r.Subject.UserID
	var list []invite.Invitation
	failed := []string{}
	for _, recipient := range recipients {
		n, err := a.addressed(r, to, strings.TrimSpace(recipient))
		switch {
		case err == nil:
			list = append(list, n)
		case errors.Is(err, account.ErrInvalid), errors.Is(err, account.ErrNotFound):
			failed = append(failed, recipient)
		default:
			return err
		}
	}
	if len(list) == 0 {
		return fmt.Errorf("%w: nobody was invited: %q are neither other users nor mail addresses, or need no invitation", account.ErrInvalid, failed)
	}
	made, err := a.invites.Create(r.Context(), list)
	if err != nil {
		return err
	}
	if err := a.letters.Invited(r.Context(), made); err != nil {
		return err
	}
	if len(failed) == 0 {
		return noContent(w, nil)
	}
	return web.JSON(w, r, http.StatusMultiStatus, map[string][]string{"failed_recipients": failed})
}

// addressed returns an invitation with its recipient. Error classes: account.ErrInvalid, account.ErrNotFound.
func (a *API) addressed(r *web.Request, n invite.Invitation, recipient string) (invite.Invitation, error) {
	if strings.Contains(recipient, "@") {
		n.Email = recipient
		return n, account.CheckMail(recipient)
	}
	to, err := a.accounts.Namespace(r.Context(), recipient)
	if err != nil {
		return n, err
	}
	if to.ID == access.PublicNamespace || to.ID == r.Object.NamespaceID || to.ID == r.Subject.NamespaceID {
		return n, account.ErrInvalid
	}
	if n.Kind == invite.ToOrganization {
		if to.Organization {
			return n, account.ErrInvalid
		}
		if _, err := a.accounts.Member(r.Context(), n.OrganizationID, to.Name); !errors.Is(err, account.ErrNoMember) {
			return n, errors.Join(account.ErrInvalid, err)
		}
	}
	n.NamespaceID = to.ID
	return n, nil
}

// invitationInfo is the published shape of an invitation.
type invitationInfo struct {
	ID               string     `json:"id"`
	Type             string     `json:"invitation_type"`
	Status           string     `json:"status"`
	OwnerUUID        string     `json:"owner_namespace_uuid"`
	Owner            string     `json:"owner_namespace_name"`
	InviterUUID      string     `json:"inviter_uuid"`
	Email            string     `json:"email,omitempty"`
	Invited          string     `json:"namespace_invited,omitempty"`
	Actions          string     `json:"actions"`
	GroupActions     string     `json:"group_actions,omitempty"`
	ArrayUUID        string     `json:"array_uuid,omitempty"`
	ArrayName        string     `json:"array_name,omitempty"`
	GroupUUID        string     `json:"group_uuid,omitempty"`
	GroupName        string     `json:"group_name,omitempty"`
	OrganizationUUID string     `json:"organization_uuid,omitempty"`
	Organization     string     `json:"organization_name,omitempty"`
	Role             string     `json:"organization_role,omitempty"`
	UserUUID         string     `json:"user_namespace_uuid,omitempty"`
	CreatedAt        time.Time  `json:"created_at"`
	ExpiresAt        time.Time  `json:"expires_at"`
	AcceptedAt       *time.Time `json:"accepted_at,omitempty"`
}

// The published states of an invitation.
const (
	pending  = "PENDING"
	accepted = "ACCEPTED"
)

func invitationOf(i invite.Invitation) invitationInfo {
	names := func(set access.Rights, kind access.ObjectKind) string { return strings.Join(set.Names(kind), ",") }
	info := invitationInfo{ID: i.ID, Type: string(i.Kind), Status: pending, OwnerUUID: i.OwnerID, Owner: i.Owner, InviterUUID: i.InviterID,
		Email: i.Email, Invited: i.Namespace, OrganizationUUID: i.OrganizationID, Organization: i.Organization, Role: string(i.Role),
		CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt}
	switch i.Kind {
	case invite.ToArray:
		info.ArrayUUID, info.ArrayName, info.Actions = i.AssetID, i.Asset, names(i.Rights, access.Array)
	case invite.ToGroup:
		info.GroupUUID, info.GroupName = i.AssetID, i.Asset
		info.Actions, info.GroupActions = names(i.MemberRights, access.Array), names(i.Rights, access.Group)
	case invite.ToOrganization:
		info.Actions = names(i.Role.Rights(), access.Namespace)
	}
	if !i.AcceptedAt.IsZero() {
		info.Status, info.AcceptedAt, info.UserUUID = accepted, &i.AcceptedAt, i.AcceptedBy
	}
	return info
}

// listInvitations lists what was sent to the caller and by the caller, and what is about the caller's assets and the
// organizations that he runs.
func (a *API) listInvitations(w http.ResponseWriter, r *web.Request) error {
	f, err := a.invitationFilter(r)
	if err != nil {
		return err
	}
	list, total, err := a.invites.List(r.Context(), f)
	if err != nil {
		return err
	}
	page := struct {
		Invitations []invitationInfo `json:"invitations"`
		Pagination  pagination       `json:"pagination_metadata"`
	}{Invitations: []invitationInfo{}}
	page.Pagination.fill(f.Page, f.PerPage, total)
	for _, i := range list {
		page.Invitations = append(page.Invitations, invitationOf(i))
	}
	return web.JSON(w, r, http.StatusOK, page)
}

func (a *API) invitationFilter(r *web.Request) (invite.Filter, error) {
	q := r.Query()
	f := invite.Filter{UserID: r.Subject.UserID, Spaces: runs(r.Subject), Organization: q.Get("organization"), Array: q.Get("array"),
		Group: q.Get("group"), Kind: invite.Kind(strings.ToUpper(q.Get("type"))), OrderBy: q.Get("orderby")}
	var err error
	if f.Email, err = a.accounts.ConfirmedEmail(r.Context(), r.Subject.UserID); err != nil {
		return f, err
	}
	switch status := strings.ToUpper(q.Get("status")); status {
	case "":
	case pending:
		f.Open = true
	case accepted:
		f.Accepted = true
	default:
		return f, fmt.Errorf("%w: status=%q is neither %s nor %s", web.ErrBadRequest, status, pending, accepted)
	}
	for _, at := range []struct {
		name string
		to   *time.Time
	}{{"start", &f.Start}, {"end", &f.End}} {
		n, err := r.Number(at.name, 0)
		if err != nil {
			return f, err
		}
		*at.to = seconds(n)
	}
	f.Page, f.PerPage, err = pageOf(r, defaultPerPage)
	return f, err
}

// seconds returns a time that was sent as seconds since 1970, the zero time for 0.
func seconds(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(int64(min(n, 1<<40)), 0)
}

// runs lists the namespaces for which a subject acts: its own, and the organizations that it may edit.
func runs(s access.Subject) []string {
	list := []string{s.NamespaceID}
	for _, m := range s.Memberships {
		if m.Role.Rights().Has(access.CanEditOrganization) {
			list = append(list, m.NamespaceID)
		}
	}
	return list
}

// answers returns the namespace for which the caller can accept an invitation, "" if it was not sent to him.
func (a *API) answers(r *web.Request, i invite.Invitation) (string, error) {
	if i.NamespaceID != "" {
		if slices.Contains(runs(r.Subject), i.NamespaceID) {
			return i.NamespaceID, nil
		}
		return "", nil
	}
	address, err := a.accounts.ConfirmedEmail(r.Context(), r.Subject.UserID)
	if err != nil || address == "" || !strings.EqualFold(address, i.Email) {
		return "", err
	}
	return r.Subject.NamespaceID, nil
}

func (a *API) acceptInvitation(w http.ResponseWriter, r *web.Request) error {
	i, err := a.invites.ByID(r.Context(), r.Param("invitation"))
	if err != nil {
		return err
	}
	space, err := a.answers(r, i)
	if err != nil {
		return err
	}
	if space == "" {
		return invite.ErrNotFound
	}
	// Who claims it is alone with it; if nothing comes of it, it opens again.
	if err := a.invites.Claim(r.Context(), i.ID, space); err != nil {
		return err
	}
	if err := a.give(r, i, space); err != nil {
		return errors.Join(err, a.invites.Release(context.WithoutCancel(r.Context()), i.ID))
	}
	return noContent(w, nil)
}

// give does what an invitation is for, in the name of its maker and as far as he can do it now.
func (a *API) give(r *web.Request, i invite.Invitation, space string) error {
	by, err := a.subject(r.Context(), i.InviterID)
	if err != nil {
		return err
	}
	if i.Kind == invite.ToOrganization {
		o := access.Object{Kind: access.Namespace, ID: i.OrganizationID, NamespaceID: i.OrganizationID}
		_, err := access.Allowed(by, access.OrganizationInvite, o)
		if err == nil && i.Role == access.RoleOwner && !access.RightsOn(by, o).Has(access.CanDeleteOrganization) {
			err = access.ErrDenied
		}
		if err != nil {
			return withdrawn(err)
		}
		return a.accounts.AddMember(r.Context(), i.OrganizationID, r.Subject.Namespace, i.Role)
	}
	x, err := a.catalog.Resolve(r.Context(), i.OwnerID, i.AssetID)
	if err != nil {
		return err
	}
	action := access.ArrayShare
	if i.Kind == invite.ToGroup {
		action = access.GroupShare
	}
	g, err := access.Allowed(by, action, x.Object())
	if err == nil {
		err = mayShare(by, x.Object(), i.Rights, i.MemberRights)
	}
	if err != nil {
		return withdrawn(err)
	}
	return a.addShare(r.Context(), g, x, space, i.Rights, i.MemberRights)
}

// withdrawn is the answer to an invitation whose maker lost the right to it.
func withdrawn(err error) error {
	if errors.Is(err, access.ErrNotFound) || errors.Is(err, access.ErrDenied) {
		return fmt.Errorf("%w: who invited you may not do so any more", access.ErrDenied)
	}
	return err
}

// subject returns a user as one who acts now. The error is of class access.ErrDenied for one who cannot.
func (a *API) subject(ctx context.Context, userID string) (access.Subject, error) {
	u, err := a.accounts.ByID(ctx, userID)
	if errors.Is(err, account.ErrNotFound) || err == nil && u.Disabled {
		return access.Subject{}, withdrawn(access.ErrDenied)
	}
	if err != nil {
		return access.Subject{}, err
	}
	s := token.SubjectOf(u)
	s.Memberships, err = a.accounts.Memberships(ctx, userID)
	return s, err
}

// addShare shares an asset to a namespace with these rights beside those that are shared to it already.
func (a *API) addShare(ctx context.Context, g access.Grant, x catalog.Asset, namespaceID string, rights, ofMembers access.Rights) error {
	list := access.ArrayShares
	if x.Kind == catalog.Group {
		list = access.GroupShares
	}
	see, err := access.Allowed(g.Subject(), list, x.Object())
	if err != nil {
		return err
	}
	shares, err := a.catalog.Sharings(ctx, see, x)
	if err != nil {
		return err
	}
	for _, s := range shares {
		if s.NamespaceID == namespaceID && s.Part == "" { // a share of a part ends with one of all: their union is neither
			rights, ofMembers = rights|s.Rights, ofMembers|s.MemberRights
		}
	}
	return a.catalog.Share(ctx, g, x, namespaceID, rights, ofMembers)
}

// cancelInvitation takes an invitation back, or declines it: by who made it, by who runs the namespace that it is about, and
// by the invited. To all others there is none.
func (a *API) cancelInvitation(kind invite.Kind) web.Handler {
	return func(w http.ResponseWriter, r *web.Request) error {
		i, err := a.invites.ByID(r.Context(), r.Param("invitation"))
		if err != nil {
			return err
		}
		invited, err := a.answers(r, i)
		if err != nil {
			return err
		}
		of := r.Param("namespace")
		fits := i.Kind == kind && (sameName(of, i.Owner) || sameName(of, i.OwnerID))
		if kind != invite.ToOrganization {
			ref := r.Param("asset")
			fits = fits && (ref == i.Asset || sameName(ref, i.AssetID))
		}
		if !fits || i.InviterID != r.Subject.UserID && !slices.Contains(runs(r.Subject), i.OwnerID) && invited == "" {
			return invite.ErrNotFound
		}
		return noContent(w, a.invites.Cancel(r.Context(), i.ID))
	}
}
