package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/activity"
)

// Service is a service account: a user that is a program of an organization. It has tokens and a role in that organization
// only; it has no password, no mail address and nothing of its own.
type Service struct {
	User
	Description string
	Role        access.Role
	CreatedBy   string // UUID of the user who made it
}

// ErrNoService means that an organization has no service account of that name.
var ErrNoService = errors.New("no such service account")

// NewService is what CreateService needs.
type NewService struct {
	OrganizationID, Name, Description string
	Role                              access.Role
	By                                string // UUID of who makes it
	Origin                            activity.Origin
}

func checkServiceRole(r access.Role) error {
	if !r.Valid() || r == access.RoleOwner {
		return fmt.Errorf("%w: %q is no role of a service account; choose among %v", ErrInvalid, r, slices.DeleteFunc(access.Roles(),
			func(r access.Role) bool { return r == access.RoleOwner }))
	}
	return nil
}

// CreateService makes a service account of an organization. Its name is from the space of all users and organizations. Error
// classes: ErrInvalid, ErrExists.
func (a *Accounts) CreateService(ctx context.Context, n NewService) (Service, error) {
	if err := errors.Join(CheckName(n.Name), checkServiceRole(n.Role)); err != nil {
		return Service{}, err
	}
	if len(n.Description) > maxProfileText {
		return Service{}, fmt.Errorf("%w: a text has at most 1 MiB", ErrInvalid)
	}
	s := Service{Description: n.Description, Role: n.Role, CreatedBy: n.By}
	err := a.update(ctx, func(tx *sql.Tx) (err error) {
		// No password is known for this hash, and to try one costs what it costs for others.
		if s.User, err = a.insert(ctx, tx, NewUser{Name: n.Name}, nobody); err != nil {
			return err
		}
		s.Service = n.OrganizationID
		_, err = tx.ExecContext(ctx, "INSERT INTO service_accounts (user_id, organization_id, description, created_by, created_at) VALUES (?, ?, ?, ?, ?)",
			s.ID, n.OrganizationID, n.Description, n.By, s.CreatedAt.Unix())
		if err != nil {
			return fmt.Errorf("new service account: %w", err)
		}
		if err := a.insertMember(ctx, tx, n.OrganizationID, s.ID, n.Role); err != nil {
			return err
		}
		return a.serviceEvent(ctx, tx, activity.ServiceCreated, n.By, n.Name+" as "+string(n.Role), n.Origin)
	})
	return s, err
}

func (a *Accounts) serviceEvent(ctx context.Context, tx *sql.Tx, event activity.Event, by, detail string, from activity.Origin) error {
	return activity.Record(ctx, tx, activity.Entry{At: a.now(), Event: event, UserID: by, Detail: detail, Origin: from})
}

// Services returns the service accounts of an organization by name.
func (a *Accounts) Services(ctx context.Context, organizationID string) ([]Service, error) {
	rows, err := a.db.Read().QueryContext(ctx, `SELECT u.id, n.id, n.name, u.disabled_at IS NOT NULL, u.created_at, s.organization_id, s.description, m.role, s.created_by
		FROM service_accounts s JOIN users u ON u.id = s.user_id JOIN namespaces n ON n.id = u.namespace_id
		JOIN members m ON m.user_id = s.user_id AND m.organization_id = s.organization_id WHERE s.organization_id = ? ORDER BY n.name_key`, organizationID)
	if err != nil {
		return nil, fmt.Errorf("service accounts: %w", err)
	}
	defer rows.Close()
	list := []Service{}
	for rows.Next() {
		var s Service
		var created int64
		if err := rows.Scan(&s.ID, &s.NamespaceID, &s.Name, &s.Disabled, &created, &s.Service, &s.Description, &s.Role, &s.CreatedBy); err != nil {
			return nil, fmt.Errorf("service accounts: %w", err)
		}
		s.CreatedAt = time.Unix(created, 0).UTC()
		list = append(list, s)
	}
	return list, rows.Err()
}

// FindService returns a service account of an organization by name or UUID, or an error of class ErrNoService.
func (a *Accounts) FindService(ctx context.Context, organizationID, name string) (Service, error) {
	list, err := a.Services(ctx, organizationID)
	if err != nil {
		return Service{}, err
	}
	for _, s := range list {
		if key(s.Name) == key(name) || s.ID == key(name) {
			return s, nil
		}
	}
	return Service{}, ErrNoService
}

// ServicePatch changes a service account; nil fields stay.
type ServicePatch struct {
	Description *string
	Role        *access.Role
	Disabled    *bool
	By          string // UUID of who changes it
	Origin      activity.Origin
}

// UpdateService changes a service account. Error class: ErrInvalid.
func (a *Accounts) UpdateService(ctx context.Context, s Service, p ServicePatch) error {
	if p.Role != nil {
		if err := checkServiceRole(*p.Role); err != nil {
			return err
		}
		s.Role = *p.Role
	}
	if p.Description != nil {
		s.Description = *p.Description
	}
	if len(s.Description) > maxProfileText {
		return fmt.Errorf("%w: a text has at most 1 MiB", ErrInvalid)
	}
	detail := s.Name + " as " + string(s.Role)
	return a.update(ctx, func(tx *sql.Tx) error {
		if p.Disabled != nil {
			var at any
			if *p.Disabled {
				at, detail = a.now().Unix(), detail+", disabled"
			}
			if _, err := tx.ExecContext(ctx, "UPDATE users SET disabled_at = ? WHERE id = ?", at, s.ID); err != nil {
				return fmt.Errorf("service account: %w", err)
			}
		}
		if _, err := tx.ExecContext(ctx, "UPDATE service_accounts SET description = ? WHERE user_id = ?", s.Description, s.ID); err != nil {
			return fmt.Errorf("service account: %w", err)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE members SET role = ? WHERE organization_id = ? AND user_id = ?", string(s.Role), s.Service, s.ID); err != nil {
			return fmt.Errorf("service account: %w", err)
		}
		return a.serviceEvent(ctx, tx, activity.ServiceChanged, p.By, detail, p.Origin)
	})
}

// DeleteService removes a service account with its tokens.
func (a *Accounts) DeleteService(ctx context.Context, s Service, by string, from activity.Origin) error {
	return a.update(ctx, func(tx *sql.Tx) error {
		if err := endService(ctx, tx, s.ID, s.NamespaceID); err != nil {
			return err
		}
		return a.serviceEvent(ctx, tx, activity.ServiceDeleted, by, s.Name, from)
	})
}

// endServices removes all service accounts of an organization.
func endServices(ctx context.Context, tx *sql.Tx, organizationID string) error {
	rows, err := tx.QueryContext(ctx, "SELECT u.id, u.namespace_id FROM service_accounts s JOIN users u ON u.id = s.user_id WHERE s.organization_id = ?", organizationID)
	if err != nil {
		return fmt.Errorf("service accounts: %w", err)
	}
	defer rows.Close()
	var ids [][2]string
	for rows.Next() {
		var id [2]string
		if err := rows.Scan(&id[0], &id[1]); err != nil {
			return fmt.Errorf("service accounts: %w", err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("service accounts: %w", err)
	}
	for _, id := range ids {
		if err := endService(ctx, tx, id[0], id[1]); err != nil {
			return err
		}
	}
	return nil
}

func endService(ctx context.Context, tx *sql.Tx, userID, namespaceID string) error {
	for _, stmt := range []struct{ text, arg string }{{"DELETE FROM users WHERE id = ?", userID}, {"DELETE FROM namespaces WHERE id = ?", namespaceID}} {
		if _, err := tx.ExecContext(ctx, stmt.text, stmt.arg); err != nil {
			return fmt.Errorf("service account: %w", err)
		}
	}
	return nil
}
