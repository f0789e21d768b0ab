// Package invite keeps invitations: to an array or a group, or into an organization. An invitation gives nothing by itself.
// Whoever accepts it is given, at that moment, what its maker can give then (package api asks package access for the maker).
//
// The invited is a namespace, or a mail address: then whoever showed that the address is his own. Invitations that nobody
// accepted in time cannot be accepted any more and are removed.
package invite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"azulejo/internal/access"
	"azulejo/internal/activity"
	"azulejo/internal/db"
)

// Kind says to what an invitation is; its text is what the API carries.
type Kind string

// The kinds that can be made.
const (
	ToArray        Kind = "ARRAY_SHARE"
	ToGroup        Kind = "GROUP_SHARE"
	ToOrganization Kind = "JOIN_ORGANIZATION"
)

// Error classes.
var (
	// ErrNotFound means that there is no such invitation, or that it was cancelled.
	ErrNotFound = errors.New("no such invitation")
	// ErrOver means that an invitation was accepted before or came to its end.
	ErrOver = errors.New("the invitation cannot be accepted any more")
	// ErrMany means that a user invited too many.
	ErrMany = errors.New("too many invitations are open; cancel some or wait for their answers")
)

const (
	// life is how long an invitation can be accepted.
	life = 14 * 24 * time.Hour
	// maxOpen is how many invitations of one user can wait for an answer.
	maxOpen = 1000
)

// Invitation is one invitation, as a value.
type Invitation struct {
	ID   string // UUID
	Kind Kind
	// AssetID and Asset are the UUID and name of the array or group, OrganizationID and Organization those of the organization
	// that it is into. One of both is empty.
	AssetID, Asset               string
	OrganizationID, Organization string
	// OwnerID and Owner are the namespace of the asset, or the organization.
	OwnerID, Owner       string
	Rights, MemberRights access.Rights // on the asset, and on the arrays in a group
	Role                 access.Role   // in the organization
	InviterID            string        // UUID of the user who made it
	// NamespaceID and Namespace are the invited, empty if it is Email.
	NamespaceID, Namespace string
	Email                  string
	CreatedAt, ExpiresAt   time.Time // UTC, seconds
	AcceptedAt             time.Time // zero while it is open
	AcceptedBy             string    // UUID of the namespace that accepted it
}

// Invitations reads and writes invitations. It is safe for concurrent use.
type Invitations struct {
	db  *db.DB
	now func() time.Time
}

// New returns the invitations in d.
func New(d *db.DB, now func() time.Time) *Invitations { return &Invitations{db: d, now: now} }

func (v *Invitations) clock() time.Time { return v.now().UTC().Truncate(time.Second) }

func mailKey(address string) string { return strings.ToLower(address) }

// Create keeps new invitations and returns them with their UUIDs and times. One that is open from the same user to the same
// invited for the same thing is replaced. The error is of class ErrMany.
func (v *Invitations) Create(ctx context.Context, list []Invitation) ([]Invitation, error) {
	now := v.clock()
	made := make([]Invitation, len(list))
	for i, n := range list {
		n.ID, n.CreatedAt, n.ExpiresAt = uuid.NewString(), now, now.Add(life)
		made[i] = n
	}
	return made, v.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM invitations WHERE accepted_at IS NULL AND expires_at <= ?", now.Unix()); err != nil {
			return fmt.Errorf("invitations: %w", err)
		}
		for _, n := range made {
			if err := insert(ctx, tx, n); err != nil {
				return err
			}
			to := n.Email
			if to == "" {
				to = "namespace " + n.NamespaceID
			}
			if err := activity.RecordBy(ctx, tx, now, activity.Invited, fmt.Sprintf("%s of %s to %s%s", n.ID, to, n.AssetID, n.OrganizationID)); err != nil {
				return err
			}
		}
		return nil
	})
}

func insert(ctx context.Context, tx *sql.Tx, n Invitation) error {
	key := mailKey(n.Email)
	_, err := tx.ExecContext(ctx, `DELETE FROM invitations WHERE accepted_at IS NULL AND inviter_id = ? AND kind = ?
		AND (asset_id = ? OR organization_id = ?) AND (namespace_id = ? OR email_key = ? AND email_key <> '')`,
		n.InviterID, string(n.Kind), n.AssetID, n.OrganizationID, n.NamespaceID, key)
	if err != nil {
		return fmt.Errorf("invitation: %w", err)
	}
	var open int
	err = tx.QueryRowContext(ctx, "SELECT count(*) FROM invitations WHERE inviter_id = ? AND accepted_at IS NULL", n.InviterID).Scan(&open)
	if err != nil {
		return fmt.Errorf("invitation: %w", err)
	}
	if open >= maxOpen {
		return ErrMany
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO invitations (id, kind, asset_id, organization_id, rights, member_rights, role, inviter_id,
		namespace_id, email, email_key, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		n.ID, string(n.Kind), orNull(n.AssetID), orNull(n.OrganizationID), encode(n.Rights), encode(n.MemberRights), string(n.Role),
		n.InviterID, orNull(n.NamespaceID), n.Email, key, n.CreatedAt.Unix(), n.ExpiresAt.Unix())
	if err != nil {
		return fmt.Errorf("new invitation: %w", err)
	}
	return nil
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// Rights are kept by their published names, as in shares.
func encode(set access.Rights) string { return strings.Join(set.Names(access.Array), " ") }

func decode(text string) access.Rights {
	set, _ := access.ParseRights(access.Array, strings.Fields(text)) // what this program does not know gives nothing
	return set
}

const columns = `i.id, i.kind, COALESCE(i.asset_id, ''), COALESCE(a.name, ''), COALESCE(i.organization_id, ''), COALESCE(o.name, ''),
	COALESCE(own.id, o.id), COALESCE(own.name, o.name), i.rights, i.member_rights, i.role, i.inviter_id, COALESCE(i.namespace_id, ''),
	COALESCE(n.name, ''), i.email, i.created_at, i.expires_at, i.accepted_at, i.accepted_by`

const from = ` FROM invitations i LEFT JOIN assets a ON a.id = i.asset_id LEFT JOIN namespaces own ON own.id = a.namespace_id
	LEFT JOIN namespaces o ON o.id = i.organization_id LEFT JOIN namespaces n ON n.id = i.namespace_id
	WHERE (i.asset_id IS NULL OR a.state = 'live')`

func scan(row interface{ Scan(...any) error }) (Invitation, error) {
	var i Invitation
	var rights, memberRights string
	var created, expires int64
	var accepted sql.NullInt64
	err := row.Scan(&i.ID, &i.Kind, &i.AssetID, &i.Asset, &i.OrganizationID, &i.Organization, &i.OwnerID, &i.Owner, &rights, &memberRights,
		&i.Role, &i.InviterID, &i.NamespaceID, &i.Namespace, &i.Email, &created, &expires, &accepted, &i.AcceptedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return Invitation{}, ErrNotFound
	}
	if err != nil {
		return Invitation{}, fmt.Errorf("invitation: %w", err)
	}
	i.Rights, i.MemberRights = decode(rights), decode(memberRights)
	i.CreatedAt, i.ExpiresAt = time.Unix(created, 0).UTC(), time.Unix(expires, 0).UTC()
	if accepted.Valid {
		i.AcceptedAt = time.Unix(accepted.Int64, 0).UTC()
	}
	return i, nil
}

// ByID returns the invitation of a UUID, or an error of class ErrNotFound. Whether somebody may know of it is the caller's
// to ask.
func (v *Invitations) ByID(ctx context.Context, id string) (Invitation, error) {
	return scan(v.db.Read().QueryRowContext(ctx, "SELECT "+columns+from+" AND i.id = ?", strings.ToLower(id)))
}

// Claim marks an invitation as accepted by a namespace. Of several callers it succeeds for one. Error class: ErrOver.
func (v *Invitations) Claim(ctx context.Context, id, namespaceID string) error {
	now := v.clock().Unix()
	return v.change(ctx, ErrOver, activity.InvitationAccepted, id, "UPDATE invitations SET accepted_at = ?, accepted_by = ? WHERE id = ? AND accepted_at IS NULL AND expires_at > ?",
		now, namespaceID, id, now)
}

// Release opens an invitation again whose claim led to nothing. Error class: ErrNotFound.
func (v *Invitations) Release(ctx context.Context, id string) error {
	return v.change(ctx, ErrNotFound, "", id, "UPDATE invitations SET accepted_at = NULL, accepted_by = '' WHERE id = ?", id)
}

// Cancel removes an invitation that is open. Error class: ErrNotFound.
func (v *Invitations) Cancel(ctx context.Context, id string) error {
	return v.change(ctx, ErrNotFound, activity.InvitationCancelled, id, "DELETE FROM invitations WHERE id = ? AND accepted_at IS NULL", id)
}

// change runs a statement on the invitation of an id, with a line of the audit log unless event is empty.
func (v *Invitations) change(ctx context.Context, none error, event activity.Event, id, stmt string, args ...any) error {
	return v.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, stmt, args...)
		if err != nil {
			return fmt.Errorf("invitation: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(none, err)
		}
		if event == "" {
			return nil
		}
		return activity.RecordBy(ctx, tx, v.clock(), event, id)
	})
}
