package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"azulejo/internal/access"
	"azulejo/internal/activity"
	"azulejo/internal/db"
)

// Organization is a namespace that users share, as a value.
type Organization struct {
	ID          string // UUID of its namespace
	Name        string
	Description string
	Logo        string
	CreatedAt   time.Time // UTC, seconds
	UpdatedAt   time.Time
}

// Member is a user in an organization, as a value.
type Member struct {
	UserID         string
	UserName       string
	FullName       string
	Email          string
	OrganizationID string
	Organization   string // its name
	Role           access.Role
}

// Error classes of organizations.
var (
	// ErrNoMember means that the user is not in the organization.
	ErrNoMember = errors.New("no such member")
	// ErrLastOwner means that an organization would be without an owner.
	ErrLastOwner = errors.New("an organization needs an owner")
	// ErrInUse means that a namespace still has assets.
	ErrInUse = errors.New("the namespace still has assets; delete, deregister or transfer them first")
)

// CreateOrganization makes an organization with the user as its owner. Users and organizations have their names from one
// space. Error classes: ErrInvalid, ErrExists.
func (a *Accounts) CreateOrganization(ctx context.Context, ownerID, name string, text OrganizationText) (Organization, error) {
	if err := CheckName(name); err != nil {
		return Organization{}, err
	}
	o := Organization{ID: uuid.NewString(), Name: name, CreatedAt: a.now().UTC().Truncate(time.Second)}
	o.UpdatedAt = o.CreatedAt
	if err := text.apply(&o); err != nil {
		return Organization{}, err
	}
	err := a.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO namespaces (id, name, name_key, kind, created_at) VALUES (?, ?, ?, 'organization', ?)",
			o.ID, o.Name, key(o.Name), o.CreatedAt.Unix())
		if db.IsTaken(err) {
			return fmt.Errorf("the name %q %w", name, ErrExists)
		}
		if err != nil {
			return fmt.Errorf("new namespace: %w", err)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO organizations (namespace_id, description, logo, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
			o.ID, o.Description, o.Logo, o.CreatedAt.Unix(), o.UpdatedAt.Unix())
		if err != nil {
			return fmt.Errorf("new organization: %w", err)
		}
		if err := a.insertMember(ctx, tx, o.ID, ownerID, access.RoleOwner); err != nil {
			return err
		}
		return activity.RecordBy(ctx, tx, a.now(), activity.OrganizationCreated, o.Name)
	})
	return o, err
}

func (a *Accounts) insertMember(ctx context.Context, tx *sql.Tx, organizationID, userID string, role access.Role) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO members (organization_id, user_id, role, created_at) VALUES (?, ?, ?, ?)",
		organizationID, userID, string(role), a.now().Unix())
	if db.IsTaken(err) {
		return fmt.Errorf("the membership %w", ErrExists)
	}
	if err != nil {
		return fmt.Errorf("new member: %w", err)
	}
	return nil
}

// OrganizationText changes what an organization says about itself; nil fields stay.
type OrganizationText struct {
	Description, Logo *string
}

const maxProfileText = 1 << 20 // bytes of any one text; a logo is an image as text

func (t OrganizationText) apply(o *Organization) error {
	for _, f := range []struct{ to, from *string }{{&o.Description, t.Description}, {&o.Logo, t.Logo}} {
		if f.from == nil {
			continue
		}
		if len(*f.from) > maxProfileText {
			return fmt.Errorf("%w: a text has at most 1 MiB", ErrInvalid)
		}
		*f.to = *f.from
	}
	return nil
}

const organizationColumns = `o.namespace_id, n.name, o.description, o.logo, o.created_at, o.updated_at
	FROM organizations o JOIN namespaces n ON n.id = o.namespace_id`

func scanOrganization(row interface{ Scan(...any) error }) (Organization, error) {
	var o Organization
	var created, updated int64
	err := row.Scan(&o.ID, &o.Name, &o.Description, &o.Logo, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return Organization{}, ErrNotFound
	}
	if err != nil {
		return Organization{}, fmt.Errorf("organization: %w", err)
	}
	o.CreatedAt, o.UpdatedAt = time.Unix(created, 0).UTC(), time.Unix(updated, 0).UTC()
	return o, nil
}

// OrganizationByID returns the organization of the namespace with the UUID, or an error of class ErrNotFound.
func (a *Accounts) OrganizationByID(ctx context.Context, id string) (Organization, error) {
	return scanOrganization(a.db.Read().QueryRowContext(ctx, "SELECT "+organizationColumns+" WHERE o.namespace_id = ?", id))
}

// UpdateOrganization changes an organization's texts, and its name where that is not nil. Error classes: ErrInvalid,
// ErrExists, ErrNotFound.
func (a *Accounts) UpdateOrganization(ctx context.Context, id string, name *string, text OrganizationText) error {
	if name != nil {
		if err := CheckName(*name); err != nil {
			return err
		}
	}
	o, err := a.OrganizationByID(ctx, id)
	if err != nil {
		return err
	}
	if err := text.apply(&o); err != nil {
		return err
	}
	return a.update(ctx, func(tx *sql.Tx) error {
		if name != nil && *name != o.Name {
			_, err := tx.ExecContext(ctx, "UPDATE namespaces SET name = ?, name_key = ? WHERE id = ?", *name, key(*name), id)
			if db.IsTaken(err) {
				return fmt.Errorf("the name %q %w", *name, ErrExists)
			}
			if err != nil {
				return fmt.Errorf("organization: %w", err)
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE organizations SET description = ?, logo = ?, updated_at = ? WHERE namespace_id = ?",
			o.Description, o.Logo, a.now().Unix(), id)
		if err != nil {
			return fmt.Errorf("organization: %w", err)
		}
		return nil
	})
}

// DeleteOrganization removes an organization that has no assets, and with it its memberships, its service accounts and what
// was shared to it.
// Error classes: ErrInUse, ErrNotFound.
func (a *Accounts) DeleteOrganization(ctx context.Context, id string) error {
	return a.update(ctx, func(tx *sql.Tx) error {
		if err := empty(ctx, tx, id); err != nil {
			return err
		}
		if err := endServices(ctx, tx, id); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "DELETE FROM organizations WHERE namespace_id = ?", id)
		if err != nil {
			return fmt.Errorf("organization: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM namespaces WHERE id = ?", id)
		if err != nil {
			return fmt.Errorf("organization: %w", err)
		}
		return activity.RecordBy(ctx, tx, a.now(), activity.OrganizationDeleted, id)
	})
}

// empty returns an error of class ErrInUse if assets are left in a namespace.
func empty(ctx context.Context, tx *sql.Tx, namespaceID string) error {
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM assets WHERE namespace_id = ?1 OR home = ?1", namespaceID).Scan(&n); err != nil {
		return fmt.Errorf("namespace: %w", err)
	}
	if n > 0 {
		return fmt.Errorf("%w: %d are left", ErrInUse, n)
	}
	return nil
}

// Memberships returns the organizations that a user is in, by name, as they are at the moment. The slice is shared: nobody
// may modify it.
func (a *Accounts) Memberships(ctx context.Context, userID string) ([]access.Membership, error) {
	return a.memberships.Get(ctx, userID, func() ([]access.Membership, error) {
		list, err := a.listMembers(ctx, "m.user_id = ? ORDER BY o.name_key", userID)
		if err != nil {
			return nil, err
		}
		var in []access.Membership
		for _, m := range list {
			in = append(in, access.Membership{NamespaceID: m.OrganizationID, Name: m.Organization, Role: m.Role})
		}
		return in, nil
	})
}

// person keeps service accounts out of lists of members.
const person = "u.id NOT IN (SELECT user_id FROM service_accounts)"

// Members returns the people in an organization by user name.
func (a *Accounts) Members(ctx context.Context, organizationID string) ([]Member, error) {
	return a.listMembers(ctx, person+" AND m.organization_id = ? ORDER BY n.name_key", organizationID)
}

// Member returns a member by user name or UUID, or an error of class ErrNoMember.
func (a *Accounts) Member(ctx context.Context, organizationID, user string) (Member, error) {
	list, err := a.listMembers(ctx, person+" AND m.organization_id = ? AND (n.name_key = ? OR u.id = ?)", organizationID, key(user), key(user))
	if err == nil && len(list) == 0 {
		err = ErrNoMember
	}
	if err != nil {
		return Member{}, err
	}
	return list[0], nil
}

func (a *Accounts) listMembers(ctx context.Context, where string, args ...any) ([]Member, error) {
	rows, err := a.db.Read().QueryContext(ctx, `SELECT u.id, n.name, u.full_name, u.email, o.id, o.name, m.role FROM members m
		JOIN users u ON u.id = m.user_id JOIN namespaces n ON n.id = u.namespace_id JOIN namespaces o ON o.id = m.organization_id
		WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("members: %w", err)
	}
	defer rows.Close()
	var list []Member
	for rows.Next() {
		var m Member
		if err := rows.Scan(&m.UserID, &m.UserName, &m.FullName, &m.Email, &m.OrganizationID, &m.Organization, &m.Role); err != nil {
			return nil, fmt.Errorf("members: %w", err)
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// AddMember puts a user, by name, into an organization. Error classes: ErrInvalid for a role that is none, ErrNotFound for a
// user that is none, ErrExists for a member.
func (a *Accounts) AddMember(ctx context.Context, organizationID, user string, role access.Role) error {
	if !role.Valid() {
		return badRole(role)
	}
	u, err := a.ByName(ctx, user)
	if err != nil {
		return err
	}
	if u.Service != "" {
		return fmt.Errorf("%w: %s is a service account of another organization, or of this one", ErrInvalid, u.Name)
	}
	return a.update(ctx, func(tx *sql.Tx) error {
		if err := a.insertMember(ctx, tx, organizationID, u.ID, role); err != nil {
			return err
		}
		return activity.RecordBy(ctx, tx, a.now(), activity.MemberAdded, u.Name+" as "+string(role)+" to organization "+organizationID)
	})
}

func badRole(role access.Role) error {
	return fmt.Errorf("%w: %q is no role; choose among %v", ErrInvalid, role, access.Roles())
}

// SetRole gives a member another role, and Remove ends a membership, at once for tokens that exist too. Neither leaves an
// organization without an owner. Error classes: ErrInvalid, ErrNoMember, ErrLastOwner.
func (a *Accounts) SetRole(ctx context.Context, organizationID, userID string, role access.Role) error {
	if !role.Valid() {
		return badRole(role)
	}
	return a.changeMember(ctx, organizationID, activity.MemberChanged, "user "+userID+" to "+string(role),
		"UPDATE members SET role = ? WHERE organization_id = ? AND user_id = ?", string(role), organizationID, userID)
}

// RemoveMember: see SetRole.
func (a *Accounts) RemoveMember(ctx context.Context, organizationID, userID string) error {
	return a.changeMember(ctx, organizationID, activity.MemberRemoved, "user "+userID, "DELETE FROM members WHERE organization_id = ? AND user_id = ?", organizationID, userID)
}

func (a *Accounts) changeMember(ctx context.Context, organizationID string, event activity.Event, what, stmt string, args ...any) error {
	return a.update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, stmt, args...)
		if err != nil {
			return fmt.Errorf("member: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNoMember, err)
		}
		if err := owned(ctx, tx, organizationID); err != nil {
			return err
		}
		return activity.RecordBy(ctx, tx, a.now(), event, what+" in organization "+organizationID)
	})
}

// owned returns an error of class ErrLastOwner if an organization has no owner.
func owned(ctx context.Context, tx *sql.Tx, organizationID string) error {
	var owners int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM members WHERE organization_id = ? AND role = 'owner'", organizationID).Scan(&owners)
	if err != nil {
		return fmt.Errorf("members: %w", err)
	}
	if owners == 0 {
		return fmt.Errorf("%w: make another member owner first, or delete the organization", ErrLastOwner)
	}
	return nil
}
