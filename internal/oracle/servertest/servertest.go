// Package servertest puts the parts of a server together for the tests of packages that answer requests: metadata,
// storage in a temporary directory, and the users ann and bob. Only tests import it.
package servertest

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/catalog"
	"azulejo/internal/credential"
	"azulejo/internal/db"
	"azulejo/internal/factor"
	"azulejo/internal/invite"
	"azulejo/internal/letters"
	"azulejo/internal/mail"
	"azulejo/internal/oracle/dbtest"
	"azulejo/internal/repeat"
	"azulejo/internal/spool"
	"azulejo/internal/token"
	"azulejo/internal/usage"
	"azulejo/internal/vault"
	"azulejo/vfs/file"
)

// Parts are the parts of a server over Dir that end with the test.
type Parts struct {
	DB       *db.DB
	Accounts *account.Accounts
	Tokens   *token.Tokens
	Catalog  *catalog.Catalog
	Invites  *invite.Invitations
	Secrets  *credential.Credentials
	Factors  *factor.Factors
	Letters  *letters.Letters
	// Mails are those that Deliver has sent.
	Mails   []mail.Message
	Vault   *vault.Vault
	Uses    *activity.Uses
	Usage   *usage.Usage
	Spool   *spool.Dir
	Repeats *repeat.Writes
	// Dir is the data directory, Allowed one that ann may use as well.
	Dir, Allowed string
	// Ann is a user, Full and Other are tokens of ann and of bob with every scope.
	Ann         access.Subject
	Full, Other string
}

// New makes the parts over two new directories.
func New(t testing.TB) *Parts {
	t.Helper()
	return NewIn(t, t.TempDir(), t.TempDir())
}

// NewIn makes the parts over the data directory dir and the directory allowed.
func NewIn(t testing.TB, dir, allowed string) *Parts {
	t.Helper()
	ctx := context.Background()
	dir, err := filepath.EvalSymlinks(dir)
	Must(t, err)
	allowed, err = filepath.EvalSymlinks(allowed)
	Must(t, err)
	d, err := db.Open(ctx, dbtest.Source(t, filepath.Join(dir, "azulejo.db")))
	Must(t, err)
	t.Cleanup(func() { d.Close() })
	p := &Parts{DB: d, Dir: dir, Allowed: allowed, Accounts: account.New(d, time.Now, 2), Invites: invite.New(d, time.Now)}
	p.Tokens = token.New(d, time.Now, token.Lives{API: time.Hour, Session: time.Hour, Remember: 24 * time.Hour})
	p.Catalog, err = catalog.Open(d, time.Now, dir, []string{allowed}, "ann")
	Must(t, err)
	p.Uses = activity.NewUses(d)
	p.Usage = usage.New(d, time.Now)
	p.Repeats = repeat.New(d, time.Now)
	p.Spool, err = spool.Open(filepath.Join(dir, "spool"))
	Must(t, err)
	p.Vault = vault.New(file.New(), p.Catalog, vault.Limits{CacheBytes: 1 << 20, QueryBytes: 64 << 20, TotalBytes: 256 << 20})
	Must(t, p.Vault.UseOperatorKey(bytes.Repeat([]byte{1}, vault.OperatorKeyBytes)))
	p.Factors = factor.New(d, time.Now, p.Vault)
	p.Letters = letters.New(letters.Parts{DB: d, Now: time.Now, Accounts: p.Accounts, Tokens: p.Tokens, Invites: p.Invites, URL: "https://azulejo.example",
		Send: func(_ context.Context, m mail.Message) error {
			p.Mails = append(p.Mails, m)
			return nil
		}})
	p.Secrets = credential.New(d, time.Now, p.Vault)
	for _, name := range []string{"ann", "bob"} {
		u, err := p.Accounts.Create(ctx, account.NewUser{Name: name, Password: "a long password"})
		Must(t, err)
		secret, _, err := p.Tokens.Create(ctx, token.SubjectOf(u), token.NewToken{Name: "test"})
		Must(t, err)
		if p.Other = secret.Reveal(); name == "ann" {
			p.Ann, p.Full = token.SubjectOf(u), secret.Reveal()
		}
	}
	return p
}

// Deliver sends the mails that wait and returns those of this call.
func (p *Parts) Deliver(t testing.TB) []mail.Message {
	t.Helper()
	before := len(p.Mails)
	_, err := p.Letters.Outbox().Deliver(context.Background(), func(err error) { t.Error(err) })
	Must(t, err)
	return p.Mails[before:]
}

// Link returns the address in a mail that begins with the server's and a path.
func Link(t testing.TB, m mail.Message, path string) string {
	t.Helper()
	for line := range strings.Lines(m.Text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "https://azulejo.example"+path); ok {
			return rest
		}
	}
	t.Fatalf("no %s in the mail %q", path, m.Text)
	return ""
}

// Must ends the test on an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Token makes a token of ann's with the given scopes.
func (p *Parts) Token(t testing.TB, scopes ...string) string {
	t.Helper()
	secret, _, err := p.Tokens.Create(context.Background(), p.Ann, token.NewToken{Scopes: scopes})
	Must(t, err)
	return secret.Reveal()
}
