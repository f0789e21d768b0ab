package token

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"azulejo/internal/access"
	"azulejo/internal/activity"
)

const columns = `tokens.id, tokens.user_id, tokens.kind, tokens.name, tokens.tail, tokens.scopes, tokens.issued_at, tokens.expires_at,
	coalesce(tokens.revoked_at, 0), coalesce(tokens.last_used_at, 0), tokens.last_used_ip, tokens.last_used_agent`

type scanner interface{ Scan(...any) error }

// scan reads columns and then the caller's own.
func scan(row scanner, t *Token, more ...any) error {
	var scopes string
	var issued, expires, revoked, used int64
	dest := []any{&t.ID, &t.UserID, &t.Kind, &t.Name, &t.Tail, &scopes, &issued, &expires, &revoked, &used, &t.LastUsedIP, &t.LastUsedAgent}
	if err := row.Scan(append(dest, more...)...); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	var err error
	if t.Scopes, err = access.ParseScopes(strings.Fields(scopes)); err != nil {
		return fmt.Errorf("stored token %s: %w", t.ID, err)
	}
	t.IssuedAt, t.ExpiresAt = time.Unix(issued, 0).UTC(), time.Unix(expires, 0).UTC()
	if revoked != 0 {
		t.RevokedAt = time.Unix(revoked, 0).UTC()
	}
	if used != 0 {
		t.LastUsedAt = time.Unix(used, 0).UTC()
	}
	return nil
}

// List returns the user's API tokens, or with sessions its session, notebook
// and task tokens, newest first. Expired and revoked ones are among them until
// they are swept.
func (t *Tokens) List(ctx context.Context, userID string, sessions bool) ([]Token, error) {
	return t.query(ctx, "user_id = ? AND (kind <> 'api') = ? ORDER BY issued_at DESC, name", userID, sessions)
}

// Listed notes in the audit log that the subject listed its tokens.
func (t *Tokens) Listed(by access.Subject, from activity.Origin) {
	now := t.clock()
	t.journal.noteOnce(now, activity.Entry{At: now, Event: activity.TokensListed, UserID: by.UserID, TokenID: by.TokenID, Origin: from})
}

// Denied notes in the audit log that the subject's scopes did not allow action.
func (t *Tokens) Denied(by access.Subject, action access.Action, from activity.Origin) {
	now := t.clock()
	t.journal.noteOnce(now, activity.Entry{At: now, Event: activity.ScopeDenied, UserID: by.UserID, TokenID: by.TokenID, Origin: from,
		Detail: action.String()})
}

func (t *Tokens) query(ctx context.Context, where string, args ...any) ([]Token, error) {
	rows, err := t.db.Read().QueryContext(ctx, "SELECT "+columns+" FROM tokens WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	defer rows.Close()
	list := []Token{}
	for rows.Next() {
		var one Token
		if err := scan(rows, &one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, rows.Err()
}

// find returns the one of the user's tokens that ref names: by identifier, by
// exact name, or by its secret, in this order (TOK-24). A revoked token is
// found only if no live one has the name. All failures take the same path and
// return ErrNotFound.
func (t *Tokens) find(ctx context.Context, userID, ref string) (Token, error) {
	id, secretID := "", ""
	if u, err := uuid.Parse(ref); err == nil {
		id = u.String()
	}
	d := Secret(ref).digest()
	if _, err := parse(ref); err == nil {
		secretID = d.id()
	}
	rows, err := t.db.Read().QueryContext(ctx, "SELECT "+columns+", hash FROM tokens WHERE user_id = ? AND (id = ? OR name = ? OR id = ?)",
		userID, id, ref, secretID)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: %w", err)
	}
	defer rows.Close()
	type candidate struct {
		Token
		rank int
	}
	var found []candidate
	for rows.Next() {
		var c candidate
		var hash []byte
		if err := scan(rows, &c.Token, &hash); err != nil {
			return Token{}, err
		}
		switch {
		case c.ID == id:
			c.rank = 0
		case c.Name == ref && c.RevokedAt.IsZero():
			c.rank = 1
		case c.Name == ref:
			c.rank = 2
		case subtle.ConstantTimeCompare(hash, d[:]) == 1:
			c.rank = 3
		default:
			continue
		}
		found = append(found, c)
	}
	if err := rows.Err(); err != nil || len(found) == 0 {
		if err != nil {
			return Token{}, fmt.Errorf("tokens: %w", err)
		}
		return Token{}, ErrNotFound
	}
	return slices.MinFunc(found, func(a, b candidate) int { return a.rank - b.rank }).Token, nil
}

// IsSelf reports whether ref names the token that authenticates the subject:
// any token may revoke itself, whatever its scopes (TOK-15).
func (t *Tokens) IsSelf(ctx context.Context, by access.Subject, ref string) (bool, error) {
	if by.TokenID == "" {
		return false, nil
	}
	tok, err := t.find(ctx, by.UserID, ref)
	if err != nil {
		if err == ErrNotFound {
			err = nil
		}
		return false, err
	}
	return tok.ID == by.TokenID, nil
}

// Revoke ends the one of the subject's tokens that ref names (identifier, name
// or secret). Revoking it again is no error while its row is kept. The error is
// ErrNotFound if there is none, or it is another user's. From the return on, no
// request in this process is let in with it.
func (t *Tokens) Revoke(ctx context.Context, by access.Subject, ref string, from activity.Origin) error {
	tok, err := t.find(ctx, by.UserID, ref)
	if err != nil || !tok.RevokedAt.IsZero() {
		return err
	}
	now := t.clock()
	defer t.known.Forget()
	return t.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now.Unix(), tok.ID)
		if err != nil {
			return fmt.Errorf("revoke: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return activity.Record(ctx, tx, activity.Entry{At: now, Event: activity.TokenRevoked, UserID: tok.UserID, TokenID: tok.ID,
			TokenName: tok.Name, Origin: from})
	})
}

// RevokeSessions ends all sessions of a user but the one of the UUID except, if that is not empty.
func (t *Tokens) RevokeSessions(ctx context.Context, userID, except string, from activity.Origin) error {
	now := t.clock()
	defer t.known.Forget()
	return t.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked_at = ? WHERE user_id = ? AND kind = 'session' AND revoked_at IS NULL AND id <> ?",
			now.Unix(), userID, except)
		if err != nil {
			return fmt.Errorf("revoke sessions: %w", err)
		}
		return activity.Record(ctx, tx, activity.Entry{At: now, Event: activity.TokenRevoked, UserID: userID, Origin: from, Detail: "all sessions"})
	})
}

// Forget drops what is remembered of verified tokens, so that a change made
// elsewhere in this process, such as disabling a user, holds at once.
func (t *Tokens) Forget() { t.known.Forget() }
