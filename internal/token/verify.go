package token

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/activity"
)

// record is one row with the owner's, as verification needs it. It is never
// changed once it was read.
type record struct {
	Token
	hash     []byte
	name     string // of the owner
	space    string // UUID of the owner's namespace
	admin    bool
	disabled bool
	service  bool
}

// Verify returns the subject of the token with the given secret. All refusals
// are of class ErrUnauthorized, or ErrRateLimited once a peer or a token has
// been refused too often within a minute; a valid token is let in all the same.
// Only the holder of a secret that once was valid is told what is wrong.
func (t *Tokens) Verify(ctx context.Context, text string, from activity.Origin) (access.Subject, error) {
	now := t.clock()
	secret, err := parse(text)
	if err != nil {
		return access.Subject{}, t.refuse(now, from, "", nil, ErrUnauthorized)
	}
	d := secret.digest()
	rec, err := t.lookup(ctx, d)
	if errors.Is(err, ErrNotFound) {
		return access.Subject{}, t.refuse(now, from, d.id(), nil, ErrUnauthorized)
	}
	if err != nil {
		return access.Subject{}, err
	}
	if reason := rec.refusal(now); reason != nil {
		return access.Subject{}, t.refuse(now, from, rec.ID, rec, reason)
	}
	t.journal.touch(now, rec.ID, rec.LastUsedAt, from)
	return access.Subject{Kind: rec.Kind.credential(), UserID: rec.UserID, NamespaceID: rec.space, Namespace: rec.name,
		TokenID: rec.ID, Scopes: rec.Scopes, Admin: rec.admin, Service: rec.service}, nil
}

// refusal says why a token of ours is not let in, or nil.
func (r *record) refusal(now time.Time) error {
	const hint = "create a new one in Settings > API tokens"
	switch r.Status(now) {
	case Revoked:
		return fmt.Errorf("%w: token %q was revoked on %s; "+hint, ErrUnauthorized, r.Name, r.RevokedAt.Format(time.RFC3339))
	case Expired:
		return fmt.Errorf("%w: token %q expired on %s; "+hint, ErrUnauthorized, r.Name, r.ExpiresAt.Format(time.RFC3339))
	}
	if r.disabled {
		return fmt.Errorf("%w: its owner's account is disabled; ask the administrator", ErrUnauthorized)
	}
	return nil
}

// refuse counts a failure and returns reason, or ErrRateLimited beyond the
// limit. rec is nil for a secret that never was ours.
func (t *Tokens) refuse(now time.Time, from activity.Origin, id string, rec *record, reason error) error {
	keys := []string{"address " + network(from.Address)}
	if id != "" {
		keys = append(keys, "token "+id[:8])
	}
	over, crossed := t.limiter.fail(now, failuresPerMinute, keys...)
	entry := activity.Entry{At: now, Origin: from}
	if rec != nil {
		entry.UserID, entry.TokenID, entry.TokenName = rec.UserID, rec.ID, rec.Name
	}
	if crossed {
		entry.Event = activity.RateLimited
		t.journal.note(entry)
	}
	if over {
		return fmt.Errorf("%w with this token or from this address: wait a minute and use a valid token", ErrRateLimited)
	}
	if rec != nil {
		entry.Event, entry.Detail = activity.UsedAfterEnd, string(rec.Status(now))
		t.journal.noteOnce(now, entry)
	}
	return reason
}

// lookup finds a token by its digest: by identifier, then by a comparison of
// all of the hash in constant time.
func (t *Tokens) lookup(ctx context.Context, d digest) (*record, error) {
	return t.known.Get(ctx, d, func() (*record, error) {
		rec, err := t.load(ctx, d.id())
		if err != nil {
			return nil, err
		}
		if subtle.ConstantTimeCompare(rec.hash, d[:]) != 1 {
			return nil, ErrNotFound
		}
		return rec, nil
	})
}

func (t *Tokens) load(ctx context.Context, id string) (*record, error) {
	row := t.db.Read().QueryRowContext(ctx, `SELECT `+columns+`, tokens.hash, namespaces.name, namespaces.id, users.admin,
		users.disabled_at IS NOT NULL, EXISTS (SELECT 1 FROM service_accounts WHERE user_id = users.id) FROM tokens JOIN users ON users.id = tokens.user_id
		JOIN namespaces ON namespaces.id = users.namespace_id WHERE tokens.id = ?`, id)
	rec := &record{}
	err := scan(row, &rec.Token, &rec.hash, &rec.name, &rec.space, &rec.admin, &rec.disabled, &rec.service)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	return rec, err
}
