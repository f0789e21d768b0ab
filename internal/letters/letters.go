// Package letters writes the mails of the server: links with which people show that a mail address is theirs or set a new
// password, invitations, and notices. A link holds a single-use token, which is made when the mail is sent and kept as a hash
// only. Without a mail server the server's administrator is shown the link instead and passes it on.
package letters

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/db"
	"azulejo/internal/invite"
	"azulejo/internal/mail"
	"azulejo/internal/token"
)

// Error classes.
var (
	// ErrNoServer means that the server sends no mail.
	ErrNoServer = errors.New("this server sends no mail; ask its administrator for a link")
	// ErrAddress means that the address a link was sent to is not the user's any more, or that there is none.
	ErrAddress = errors.New("no such mail address of this account")
)

// Lives of links.
const (
	resetLife   = time.Hour
	confirmLife = 7 * 24 * time.Hour
)

// maxAccounts is how many accounts of one address get links in a mail.
const maxAccounts = 10

// Parts are what letters are made of.
type Parts struct {
	DB       *db.DB
	Now      func() time.Time
	Accounts *account.Accounts
	Tokens   *token.Tokens
	Invites  *invite.Invitations
	// URL is the address under which people reach the server, without a slash at the end.
	URL string
	// Send sends one mail; nil when there is no mail server.
	Send func(context.Context, mail.Message) error
}

// Letters writes and answers mails. It is safe for concurrent use.
type Letters struct {
	Parts
	outbox *mail.Outbox
}

// New returns the letters of a server.
func New(p Parts) *Letters {
	l := &Letters{Parts: p}
	l.outbox = mail.NewOutbox(p.DB, p.Now, l.compose, p.Send)
	return l
}

// Sends reports whether the server sends mail.
func (l *Letters) Sends() bool { return l.Send != nil }

// Outbox returns what waits to be sent.
func (l *Letters) Outbox() *mail.Outbox { return l.outbox }

// AskReset asks for a mail with links to set new passwords of the accounts that have an address. What it answers and costs is
// the same whether there are any: they are looked up when the mail is sent. Error classes: ErrNoServer, account.ErrInvalid,
// token.ErrRateLimited, mail.ErrFull.
func (l *Letters) AskReset(ctx context.Context, address string, from activity.Origin) error {
	if !l.Sends() {
		return ErrNoServer
	}
	if err := account.CheckMail(address); err != nil {
		return err
	}
	if err := l.Tokens.AskedForMail(from); err != nil {
		return err
	}
	return l.outbox.Put(ctx, mail.Reset, "", address)
}

// AskConfirm sends a user a link to show that its address is its own. Error classes: ErrNoServer, ErrAddress,
// token.ErrRateLimited, mail.ErrFull.
func (l *Letters) AskConfirm(ctx context.Context, userID string, from activity.Origin) error {
	if !l.Sends() {
		return ErrNoServer
	}
	u, err := l.Accounts.ByID(ctx, userID)
	if err != nil {
		return err
	}
	if u.Email == "" {
		return ErrAddress
	}
	if err := l.Tokens.AskedForMail(from); err != nil {
		return err
	}
	return l.outbox.Put(ctx, mail.Confirm, u.ID, u.Email)
}

// NewAddress asks a user to confirm an address that it has just given, where the server sends mail. Links that went to another
// address end.
func (l *Letters) NewAddress(ctx context.Context, u account.User) error {
	if err := l.Tokens.EndLinks(ctx, u.ID); err != nil || u.Email == "" || !l.Sends() {
		return err
	}
	return l.outbox.Put(ctx, mail.Confirm, u.ID, u.Email)
}

// Invited tells those of mail addresses that they are invited, where the server sends mail.
func (l *Letters) Invited(ctx context.Context, list []invite.Invitation) error {
	for _, i := range list {
		if i.Email == "" || !l.Sends() {
			continue
		}
		if err := l.outbox.Put(ctx, mail.Invitation, i.ID, i.Email); err != nil {
			return err
		}
	}
	return nil
}

// ResetLink and ConfirmLink make a link for a user, for the server's administrator to pass on. Links of before end. The address
// is that of a page of this server; without Parts.URL it begins with the path.
func (l *Letters) ResetLink(ctx context.Context, u account.User, from activity.Origin) (string, time.Time, error) {
	return l.link(ctx, u, access.ScopePasswordReset, from)
}

// ConfirmLink: see ResetLink. Error class: ErrAddress.
func (l *Letters) ConfirmLink(ctx context.Context, u account.User, from activity.Origin) (string, time.Time, error) {
	if u.Email == "" {
		return "", time.Time{}, ErrAddress
	}
	return l.link(ctx, u, access.ScopeConfirmEmail, from)
}

func (l *Letters) link(ctx context.Context, u account.User, scope access.Scope, from activity.Origin) (string, time.Time, error) {
	if u.Service != "" {
		return "", time.Time{}, fmt.Errorf("%w: %s is a service account, which signs in by tokens only", account.ErrInvalid, u.Name)
	}
	n := token.NewToken{Kind: token.Session, SingleUse: scope, Origin: from, Name: "password reset", Expires: l.Now().Add(resetLife)}
	page := "/reset/"
	if scope == access.ScopeConfirmEmail {
		n.Name, n.Expires, page = confirmName(u.Email), l.Now().Add(confirmLife), "/confirm/"
	}
	secret, made, err := l.Tokens.Create(ctx, token.SubjectOf(u), n)
	if err != nil {
		return "", time.Time{}, err
	}
	return l.URL + page + secret.Reveal(), made.ExpiresAt, nil
}

// confirmName binds a token to the address that it confirms.
func confirmName(address string) string {
	sum := sha256.Sum256([]byte(address))
	return "confirm " + hex.EncodeToString(sum[:16])
}

// CheckReset returns nil if a subject may set its user's password by its single-use token.
func CheckReset(s access.Subject) error { return holds(s, access.ScopePasswordReset) }

// CheckConfirm returns nil if a subject may confirm its user's address by its single-use token.
func CheckConfirm(s access.Subject) error { return holds(s, access.ScopeConfirmEmail) }

// holds checks a token whose page was asked for without the server's own check of scopes.
func holds(s access.Subject, scope access.Scope) error {
	if len(s.Scopes) != 1 || s.Scopes[0] != scope {
		return token.ErrUnauthorized
	}
	return nil
}

// Reset sets the password of who holds a single-use token for it, uses the token up, and ends all sessions of the user: who
// knew the old password may have one. Error classes: account.ErrInvalid, token.ErrUnauthorized.
func (l *Letters) Reset(ctx context.Context, by access.Subject, password string, from activity.Origin) error {
	if err := account.CheckPassword(password); err != nil {
		return err
	}
	if _, err := l.Tokens.Redeem(ctx, by, from); err != nil {
		return err
	}
	if err := l.Accounts.SetPassword(ctx, by.UserID, password); err != nil {
		return err
	}
	if err := l.Tokens.RevokeSessions(ctx, by.UserID, "", from); err != nil {
		return err
	}
	return l.PasswordChanged(ctx, by.UserID, from)
}

// PasswordChanged writes down that a user has a new password, ends links for others, and tells the user by mail.
func (l *Letters) PasswordChanged(ctx context.Context, userID string, from activity.Origin) error {
	if err := l.Tokens.EndLinks(ctx, userID); err != nil {
		return err
	}
	if err := l.record(ctx, activity.PasswordSet, userID, from); err != nil || !l.Sends() {
		return err
	}
	u, err := l.Accounts.ByID(ctx, userID)
	if err != nil || u.Email == "" {
		return err
	}
	return l.outbox.Put(ctx, mail.NewWord, u.ID, u.Email)
}

// Confirm records that the address a link went to is the user's, and uses the link up. Error classes: token.ErrUnauthorized,
// ErrAddress when the user has another address now.
func (l *Letters) Confirm(ctx context.Context, by access.Subject, from activity.Origin) error {
	used, err := l.Tokens.Redeem(ctx, by, from)
	if err != nil {
		return err
	}
	u, err := l.Accounts.ByID(ctx, by.UserID)
	if err != nil {
		return err
	}
	if u.Email == "" || used.Name != confirmName(u.Email) {
		return fmt.Errorf("%w: it was changed after the link was made; ask for another link", ErrAddress)
	}
	if err := l.Accounts.ConfirmEmail(ctx, u.ID, u.Email); err != nil {
		return err
	}
	return l.record(ctx, activity.EmailConfirmed, u.ID, from)
}

func (l *Letters) record(ctx context.Context, event activity.Event, userID string, from activity.Origin) error {
	return activity.Add(ctx, l.DB, activity.Entry{At: l.Now(), Event: event, UserID: userID, Origin: from})
}

// compose makes the mail of an item. It returns nil when there is nothing to say any more.
func (l *Letters) compose(ctx context.Context, item mail.Item) (*mail.Message, error) {
	switch item.Kind {
	case mail.Reset:
		return l.composeReset(ctx, item)
	case mail.Confirm, mail.NewWord:
		u, err := l.Accounts.ByID(ctx, item.Ref)
		if errors.Is(err, account.ErrNotFound) || err == nil && (u.Disabled || !strings.EqualFold(u.Email, item.Address)) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if item.Kind == mail.NewWord {
			return l.message(u.Email, "Your password was changed", "The password of the account "+u.Name+" was changed, and all its sessions ended.\n\n"+
				"If that was not you, set another one:\n\n"+l.URL+"/reset\n"), nil
		}
		return l.composeConfirm(ctx, u)
	case mail.Invitation:
		return l.composeInvitation(ctx, item)
	}
	return nil, nil
}

// byMail is how the audit log names what links do.
var byMail = activity.Origin{Agent: "mail"}

func (l *Letters) composeReset(ctx context.Context, item mail.Item) (*mail.Message, error) {
	users, err := l.Accounts.ByEmail(ctx, item.Address, maxAccounts)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	to := ""
	for _, u := range users {
		link, until, err := l.ResetLink(ctx, u, byMail)
		if err != nil {
			return nil, err
		}
		to = u.Email
		fmt.Fprintf(&text, "Set a new password for the account %s:\n\n%s\n\nThe link works once, until %s.\n\n", u.Name, link, until.Format(time.RFC1123))
	}
	if to == "" {
		return nil, nil
	}
	text.WriteString("If you did not ask for it, ignore this mail: nothing has changed.\n")
	return l.message(to, "Set a new password", text.String()), nil
}

func (l *Letters) composeConfirm(ctx context.Context, u account.User) (*mail.Message, error) {
	p, err := l.Accounts.Profile(ctx, u.ID)
	if err != nil || p.EmailConfirmed {
		return nil, err
	}
	link, until, err := l.ConfirmLink(ctx, u, byMail)
	if err != nil {
		return nil, err
	}
	return l.message(u.Email, "Confirm your mail address", fmt.Sprintf("Somebody gave this address for the account %s. If it was you, confirm it:\n\n%s\n\n"+
		"The link works once, until %s. If it was not you, ignore this mail.\n", u.Name, link, until.Format(time.RFC1123))), nil
}

func (l *Letters) composeInvitation(ctx context.Context, item mail.Item) (*mail.Message, error) {
	i, err := l.Invites.ByID(ctx, item.Ref)
	if errors.Is(err, invite.ErrNotFound) || err == nil && (!i.AcceptedAt.IsZero() || !l.Now().Before(i.ExpiresAt)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	by, err := l.Accounts.ByID(ctx, i.InviterID)
	if errors.Is(err, account.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	what := "into the organization " + i.Organization
	if i.AssetID != "" {
		what = "to " + i.Owner + "/" + i.Asset
	}
	return l.message(i.Email, by.Name+" invites you "+what, fmt.Sprintf(`%s invites you %s.

Sign in at %s with an account that has this mail address and confirmed it, and accept the invitation %s, until %s. In Python:

    import tiledb.cloud
    from tiledb.cloud import invites
    tiledb.cloud.login(host=%q)
    invites.accept_invitation(%q)

If you know nothing of it, ignore this mail.
`, by.Name, what, l.URL, i.ID, i.ExpiresAt.Format(time.RFC1123), l.URL, i.ID)), nil
}

func (l *Letters) message(to, subject, text string) *mail.Message {
	return &mail.Message{To: to, Subject: subject, Text: text}
}
