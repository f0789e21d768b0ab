// Package token issues, verifies, lists and revokes REST tokens and log-in
// sessions, as tokens-page.md sections 4 and 5 describe.
//
// A secret is shown once, when it is made. What is stored is its SHA-256 and
// its last seven characters. A token belongs to a user and carries scopes,
// which are never wider than those of the credential that made it; what it may
// do in the end is decided by package access from scopes and ownership.
//
// Verified tokens are remembered, so that a revocation made by this process, or
// by another server on the same PostgreSQL database, is seen at once, and one
// made by a command line tool beside a server on SQLite within a second.
package token

import (
	"errors"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/db"
)

// Error classes.
var (
	// ErrInvalid is a request for a token that cannot be made as asked.
	ErrInvalid = errors.New("invalid token request")
	// ErrNotFound means that the caller has no such token.
	ErrNotFound = errors.New("no such token")
	// ErrUnauthorized is a secret that does not let anyone in: malformed,
	// unknown, expired, revoked, or of a disabled user.
	ErrUnauthorized = errors.New("the token is not valid")
	// ErrRateLimited means too many refused credentials within a minute.
	ErrRateLimited = errors.New("too many failed attempts")
)

// Token is what may be shown of a token: everything but its secret. Times are
// UTC with second precision; LastUsedAt is zero if it was never used.
type Token struct {
	ID            string // UUID
	UserID        string
	Kind          Kind
	Name          string
	Tail          string // last seven characters of the secret
	Scopes        access.Scopes
	IssuedAt      time.Time
	ExpiresAt     time.Time // first second at which it is no longer valid
	RevokedAt     time.Time // zero if it was not revoked
	LastUsedAt    time.Time
	LastUsedIP    string
	LastUsedAgent string
}

// Status is a token's state at a moment.
type Status string

// The states of a token.
const (
	Active  Status = "active"
	Expired Status = "expired"
	Revoked Status = "revoked"
)

// Status returns the state at now. A token both revoked and expired is revoked.
func (t Token) Status(now time.Time) Status {
	switch {
	case !t.RevokedAt.IsZero():
		return Revoked
	case !now.Before(t.ExpiresAt):
		return Expired
	}
	return Active
}

// Lives are the lives of tokens made without an expiry, and the longest one.
type Lives struct {
	API      time.Duration // of an API token
	Session  time.Duration // of a session
	Remember time.Duration // of a session with remember_me
	Max      time.Duration // of any token, 0 for no maximum
}

// Tokens is the store of tokens. It is safe for concurrent use. Run must be
// running for uses and refusals to be written down.
type Tokens struct {
	db      *db.DB
	now     func() time.Time
	lives   Lives
	known   *db.Memo[digest, *record] // verified and refused ones
	limiter *limiter
	journal *journal
}

// New returns the tokens in d. now is the clock of every decision.
func New(d *db.DB, now func() time.Time, lives Lives) *Tokens {
	return &Tokens{db: d, now: now, lives: lives, known: db.NewMemo[digest, *record](d, now), limiter: newLimiter(), journal: newJournal()}
}

// clock is read once per request: UTC, second precision.
func (t *Tokens) clock() time.Time { return t.now().UTC().Truncate(time.Second) }

// Now returns the time by which the tokens' states are to be shown.
func (t *Tokens) Now() time.Time { return t.clock() }

// SubjectOf returns the subject of a user who gave the password, or for whom
// the server's administrator acts on the command line. That of a service account can do no more than tokens of such.
func SubjectOf(u account.User) access.Subject {
	s := access.Subject{Kind: access.Password, UserID: u.ID, NamespaceID: u.NamespaceID, Namespace: u.Name, Admin: u.Admin,
		Scopes: access.Scopes{access.ScopeAll}}
	if u.Service != "" {
		s.Service, s.Scopes = true, access.ServiceScopes()
	}
	return s
}

func (k Kind) credential() access.Kind {
	switch k {
	case API:
		return access.APIToken
	case Session:
		return access.Session
	case Notebook:
		return access.Notebook
	case Task:
		return access.Task
	}
	return access.Anonymous
}
