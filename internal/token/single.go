package token

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/activity"
)

// Redeem uses up the single-use token that authenticates the subject and returns it: of several calls one succeeds. The error
// is of class ErrUnauthorized.
func (t *Tokens) Redeem(ctx context.Context, by access.Subject, from activity.Origin) (Token, error) {
	now := t.clock()
	list, err := t.query(ctx, "id = ? AND user_id = ?", by.TokenID, by.UserID)
	if err == nil && len(list) == 0 {
		err = ErrUnauthorized
	}
	if err != nil {
		return Token{}, err
	}
	defer t.known.Forget()
	return list[0], t.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL AND expires_at > ?", now.Unix(), by.TokenID, now.Unix())
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("%w: it was used before", ErrUnauthorized)
		}
		return activity.Record(ctx, tx, activity.Entry{At: now, Event: activity.TokenRevoked, UserID: by.UserID, TokenID: by.TokenID, TokenName: list[0].Name,
			Origin: from, Detail: "used"})
	})
}

// EndLinks ends all links that were mailed to a user and not used.
func (t *Tokens) EndLinks(ctx context.Context, userID string) error {
	defer t.known.Forget()
	return t.db.Update(ctx, func(tx *sql.Tx) error {
		return endSingleUse(ctx, tx, userID, t.clock(), access.ScopePasswordReset, access.ScopeConfirmEmail)
	})
}

// endSingleUse revokes the single-use tokens of a user that have a scope.
func endSingleUse(ctx context.Context, tx *sql.Tx, userID string, now time.Time, scopes ...access.Scope) error {
	for _, s := range scopes {
		_, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked_at = ? WHERE user_id = ? AND scopes = ? AND revoked_at IS NULL", now.Unix(), userID, string(s))
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
	}
	return nil
}

// asksPerMinute is how often one peer may ask for mail, and for a test of a credential, within a minute.
const asksPerMinute = 10

// AskedForTest counts a request to try a credential. The error is of class ErrRateLimited after too many.
func (t *Tokens) AskedForTest(from activity.Origin) error {
	if over, _ := t.limiter.fail(t.clock(), asksPerMinute, "test "+network(from.Address)); over {
		return fmt.Errorf("%w: wait a minute before you try another credential", ErrRateLimited)
	}
	return nil
}

// AskedForMail counts a request for a mail to somebody. The error is of class ErrRateLimited after too many.
func (t *Tokens) AskedForMail(from activity.Origin) error {
	if over, _ := t.limiter.fail(t.clock(), asksPerMinute, "mail "+network(from.Address)); over {
		return fmt.Errorf("%w: wait a minute before you ask for another mail", ErrRateLimited)
	}
	return nil
}
