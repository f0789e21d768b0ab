// Package activity keeps the audit log: who did what with which token, from
// where, in which request. Rows are only ever added (the database refuses
// anything else) and never hold a secret.
package activity

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"azulejo/internal/db"
)

// Event names what happened.
type Event string

// The events of the audit log (tokens-page.md, TOK-37).
const (
	TokenCreated   Event = "token-created"
	TokensListed   Event = "tokens-listed"
	TokenRevoked   Event = "token-revoked"
	TokenExpired   Event = "token-expired"
	UsedAfterEnd   Event = "token-used-after-end"
	ScopeDenied    Event = "scope-denied"
	RateLimited    Event = "rate-limited"
	PasswordFailed Event = "password-failed"
	// AssetRenamed and AssetTransferred tell the names before and after.
	AssetRenamed     Event = "asset-renamed"
	AssetTransferred Event = "asset-transferred"

	MailSent       Event = "mail-sent"
	MailDropped    Event = "mail-dropped"
	PasswordSet    Event = "password-set"
	EmailConfirmed Event = "email-confirmed"
	// Shared says that somebody shared an asset, or shares it no longer.
	Shared Event = "asset-shared"

	UserCreated  Event = "user-created"
	UserDisabled Event = "user-disabled"
	UserEnabled  Event = "user-enabled"
	UserDeleted  Event = "user-deleted"

	OrganizationCreated Event = "organization-created"
	OrganizationDeleted Event = "organization-deleted"
	MemberAdded         Event = "member-added"
	MemberChanged       Event = "member-changed"
	MemberRemoved       Event = "member-removed"

	Invited             Event = "invitation-made"
	InvitationAccepted  Event = "invitation-accepted"
	InvitationCancelled Event = "invitation-cancelled"

	CredentialAdded   Event = "credential-added"
	CredentialChanged Event = "credential-changed"
	CredentialRemoved Event = "credential-removed"

	FactorConfirmed Event = "second-factor-confirmed"
	FactorRemoved   Event = "second-factor-removed"
	RecoveryUsed    Event = "recovery-code-used"

	ServiceCreated Event = "service-account-created"
	ServiceChanged Event = "service-account-changed"
	ServiceDeleted Event = "service-account-deleted"
	ServiceToken   Event = "service-account-token"
)

// Origin says from where a request came.
type Origin struct {
	Address   string // IP address of the peer
	Agent     string // User-Agent header, shortened
	RequestID string
}

// Entry is one line of the log. Fields that do not apply are empty.
type Entry struct {
	At        time.Time // UTC, seconds
	Event     Event
	UserID    string // owner of the token, or the user who acted
	TokenID   string
	TokenName string
	Origin    Origin
	Detail    string
}

// Record appends an entry inside the caller's transaction, so that a change and
// its line in the log are one.
func Record(ctx context.Context, tx *sql.Tx, e Entry) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (at, event, user_id, token_id, token_name, address, request_id, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		e.At.Unix(), string(e.Event), e.UserID, e.TokenID, e.TokenName, e.Origin.Address, e.Origin.RequestID, e.Detail)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Add appends an entry about what is done already.
func Add(ctx context.Context, d *db.DB, e Entry) error {
	return d.Update(ctx, func(tx *sql.Tx) error { return Record(ctx, tx, e) })
}

// Filter says which entries to find; empty fields do not narrow.
type Filter struct {
	UserID     string
	Event      Event
	Since, End time.Time // from Since on, before End
}

// List returns the newest entries about a user, newest first, at most limit.
func List(ctx context.Context, q db.Querier, userID string, limit int) ([]Entry, error) {
	return find(ctx, q, "user_id = ?", []any{userID}, limit)
}

// Find returns the newest entries that meet a filter, newest first, at most limit.
func Find(ctx context.Context, q db.Querier, f Filter, limit int) ([]Entry, error) {
	where, args := "1 = 1", []any{}
	and := func(text string, arg any) { where, args = where+" AND "+text, append(args, arg) }
	if f.UserID != "" {
		and("user_id = ?", f.UserID)
	}
	if f.Event != "" {
		and("event = ?", string(f.Event))
	}
	if !f.Since.IsZero() {
		and("at >= ?", f.Since.Unix())
	}
	if !f.End.IsZero() {
		and("at < ?", f.End.Unix())
	}
	return find(ctx, q, where, args, limit)
}

func find(ctx context.Context, q db.Querier, where string, args []any, limit int) ([]Entry, error) {
	rows, err := q.QueryContext(ctx, `SELECT at, event, user_id, token_id, token_name, address, request_id, detail FROM audit
		WHERE `+where+" ORDER BY seq DESC LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer rows.Close()
	var list []Entry
	for rows.Next() {
		var e Entry
		var at int64
		if err := rows.Scan(&at, &e.Event, &e.UserID, &e.TokenID, &e.TokenName, &e.Origin.Address, &e.Origin.RequestID, &e.Detail); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		e.At = time.Unix(at, 0).UTC()
		list = append(list, e)
	}
	return list, rows.Err()
}
