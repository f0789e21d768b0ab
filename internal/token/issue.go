package token

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"azulejo/internal/access"
	"azulejo/internal/activity"
)

// NewToken says what token to make. The zero value asks for an API token with a
// generated name, the default life and all the scopes of its maker.
type NewToken struct {
	Kind     Kind // empty means API
	Name     string
	Expires  time.Time // zero means the default life
	Remember bool      // sessions: the long default life, whatever Expires says
	Scopes   []string  // nil means all scopes of the maker
	Origin   activity.Origin
	// SingleUse makes a token that is good for one call only: access.ScopePasswordReset or access.ScopeConfirmEmail. The
	// server makes such for links that it mails, never at a user's request.
	SingleUse access.Scope
}

const maxName = 128

// Create makes a token for the subject's user and returns it with its secret,
// which is kept nowhere. A taken name gets "-1", "-2", … behind it. Error
// classes: ErrInvalid, access.ErrUnknownScope, access.ErrScope for scopes wider
// than the maker's. That the maker may make tokens at all is for package access
// to say.
func (t *Tokens) Create(ctx context.Context, by access.Subject, n NewToken) (Secret, Token, error) {
	return t.CreateFor(ctx, by, n, "")
}

// CreateFor is Create for a service account, at the request of the user of a UUID, of which the audit log tells.
func (t *Tokens) CreateFor(ctx context.Context, by access.Subject, n NewToken, userID string) (Secret, Token, error) {
	now := t.clock()
	if n.Kind == "" {
		n.Kind = API
	}
	scopes, err := chooseScopes(by, n.Scopes)
	if n.SingleUse != "" {
		scopes, err = access.Scopes{n.SingleUse}, nil
	}
	if err != nil {
		return "", Token{}, err
	}
	expires, err := t.chooseExpiry(now, n)
	if err != nil {
		return "", Token{}, err
	}
	if n.Name == "" {
		n.Name = generatedName(n.Kind, now)
	} else if err := checkName(n.Name); err != nil {
		return "", Token{}, err
	}
	secret := newSecret(n.Kind)
	made := Token{ID: secret.digest().id(), UserID: by.UserID, Kind: n.Kind, Name: n.Name, Tail: secret.tail(), Scopes: scopes,
		IssuedAt: now, ExpiresAt: expires}
	if n.SingleUse != "" {
		defer t.known.Forget()
	}
	err = t.db.Update(ctx, func(tx *sql.Tx) error {
		if n.SingleUse != "" { // the newest link counts
			if err := endSingleUse(ctx, tx, by.UserID, now, n.SingleUse); err != nil {
				return err
			}
		}
		if made.Name, err = freeName(ctx, tx, by.UserID, n.Name); err != nil {
			return err
		}
		if err := insert(ctx, tx, made, secret.digest()); err != nil {
			return err
		}
		if userID != "" {
			e := activity.Entry{At: now, Event: activity.ServiceToken, UserID: userID, TokenID: made.ID, TokenName: made.Name, Origin: n.Origin, Detail: by.Namespace}
			if err := activity.Record(ctx, tx, e); err != nil {
				return err
			}
		}
		return activity.Record(ctx, tx, activity.Entry{At: now, Event: activity.TokenCreated, UserID: by.UserID, TokenID: made.ID,
			TokenName: made.Name, Origin: n.Origin, Detail: strings.Join(scopes.Texts(), " ")})
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, made, nil
}

func insert(ctx context.Context, tx *sql.Tx, t Token, d digest) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO tokens (id, hash, user_id, kind, name, tail, scopes, issued_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, t.ID, d[:], t.UserID, string(t.Kind), t.Name, t.Tail,
		strings.Join(t.Scopes.Texts(), " "), t.IssuedAt.Unix(), t.ExpiresAt.Unix())
	if err != nil {
		return fmt.Errorf("new token: %w", err)
	}
	return nil
}

// chooseScopes keeps a new token from being wider than its maker (TOK-23).
func chooseScopes(by access.Subject, texts []string) (access.Scopes, error) {
	if texts == nil {
		return by.Scopes, nil
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%w: choose at least one scope, or leave the list out for all of yours", ErrInvalid)
	}
	scopes, err := access.ParseScopes(texts)
	if err != nil {
		return nil, err
	}
	for _, s := range scopes {
		if s == access.ScopePasswordReset || s == access.ScopeConfirmEmail {
			return nil, fmt.Errorf("%w: tokens with the scope %s are only sent by mail", ErrInvalid, s)
		}
		if !by.Scopes.Has(s) {
			return nil, fmt.Errorf("%w: your credential lacks the scope %s, so a token you make cannot have it", access.ErrScope, s)
		}
	}
	return scopes, nil
}

// chooseExpiry applies the default lives and the administrator's maximum: a
// default is cut to the maximum, an explicit wish beyond it is refused.
func (t *Tokens) chooseExpiry(now time.Time, n NewToken) (time.Time, error) {
	life := t.lives.API
	switch {
	case n.Remember && n.Kind == Session:
		life = t.lives.Remember
	case n.SingleUse != "" && !n.Expires.IsZero():
		if life = n.Expires.Sub(now); life < time.Second {
			return now, fmt.Errorf("%w: the expiration is in the past", ErrInvalid)
		}
	case !n.Expires.IsZero():
		return t.checkExpiry(now, n.Expires.UTC().Truncate(time.Second))
	case n.Kind == Session:
		life = t.lives.Session
	}
	if t.lives.Max > 0 && life > t.lives.Max {
		life = t.lives.Max
	}
	return now.Add(life).Truncate(time.Second), nil
}

func (t *Tokens) checkExpiry(now, at time.Time) (time.Time, error) {
	switch {
	case !at.After(now):
		return at, fmt.Errorf("%w: the expiration %s is in the past", ErrInvalid, at.Format(time.RFC3339))
	case at.Year() > 9999:
		return at, fmt.Errorf("%w: the expiration is after the year 9999", ErrInvalid)
	case t.lives.Max > 0 && at.After(now.Add(t.lives.Max)):
		return at, fmt.Errorf("%w: the latest expiration this server allows is %s", ErrInvalid, now.Add(t.lives.Max).Format(time.RFC3339))
	}
	return at, nil
}

func generatedName(k Kind, now time.Time) string {
	word := "token"
	if k != API {
		word = string(k)
	}
	return word + now.Format("-20060102-150405")
}

// checkName returns nil for 1 to 128 printable characters without '/' at either
// end, else an error of class ErrInvalid.
func checkName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("%w: a token name has at most %d characters", ErrInvalid, maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: a token name is made of printable characters", ErrInvalid)
	case name == "" || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.TrimSpace(name) == "":
		return fmt.Errorf("%w: a token name is not blank and neither begins nor ends with '/'", ErrInvalid)
	case Contains(name):
		return fmt.Errorf("%w: a token's secret must not be used as a name", ErrInvalid)
	}
	return nil
}

// freeName returns name, or name-1, name-2, … if the user has a token of that
// name that is neither revoked nor swept. It runs inside the write transaction
// of the insert, so two callers cannot find the same name free.
func freeName(ctx context.Context, tx *sql.Tx, userID, name string) (string, error) {
	// '.' follows '-': the range holds exactly the names that begin with name-.
	rows, err := tx.QueryContext(ctx, `SELECT name FROM tokens WHERE user_id = ?1 AND revoked_at IS NULL
		AND (name = ?2 OR name >= ?2 || '-' AND name < ?2 || '.')`, userID, name)
	if err != nil {
		return "", fmt.Errorf("token names: %w", err)
	}
	defer rows.Close()
	taken := map[string]bool{}
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return "", fmt.Errorf("token names: %w", err)
		}
		taken[n] = true
	}
	if err := rows.Err(); err != nil {
		return "", fmt.Errorf("token names: %w", err)
	}
	free := name
	for i := 1; taken[free]; i++ {
		free = name + "-" + strconv.Itoa(i)
	}
	return free, nil
}
