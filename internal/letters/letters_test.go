package letters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/db"
	"azulejo/internal/invite"
	"azulejo/internal/mail"
	"azulejo/internal/oracle/dbtest"
	"azulejo/internal/token"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// office is letters over a clock of its own, with mails that are kept.
type office struct {
	*Letters
	t    *testing.T
	path string
	time time.Time
	sent []mail.Message
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, path: filepath.Join(t.TempDir(), "a.db"), time: time.Unix(1_700_000_000, 0)}
	now := func() time.Time { return o.time }
	d, err := db.Open(t.Context(), dbtest.Source(t, o.path))
	must(t, err)
	t.Cleanup(func() { d.Close() })
	o.Letters = New(Parts{DB: d, Now: now, Accounts: account.New(d, now, 2), Invites: invite.New(d, now), URL: "https://azulejo.example",
		Tokens: token.New(d, now, token.Lives{API: time.Hour, Session: time.Hour, Max: 2 * time.Hour}),
		Send: func(_ context.Context, m mail.Message) error {
			o.sent = append(o.sent, m)
			return nil
		}})
	return o
}

func (o *office) user(name, address string) account.User {
	o.t.Helper()
	u, err := o.Accounts.Create(o.t.Context(), account.NewUser{Name: name, Password: "a long password", Email: address})
	must(o.t, err)
	return u
}

// deliver returns the mails that were waiting.
func (o *office) deliver() []mail.Message {
	o.t.Helper()
	before := len(o.sent)
	_, err := o.Outbox().Deliver(o.t.Context(), func(err error) { o.t.Error(err) })
	must(o.t, err)
	return o.sent[before:]
}

// secrets returns the tokens in a mail.
func secrets(m mail.Message) (list []string) {
	for word := range strings.FieldsSeq(m.Text) {
		if i := strings.LastIndex(word, "/azj_"); i >= 0 {
			list = append(list, word[i+1:])
		}
	}
	return list
}

// TestReset looks at who gets a link, and that it works once, for an hour, and ends sessions but no API tokens.
func TestReset(t *testing.T) {
	ctx, o := t.Context(), newOffice(t)
	ann, also, off := o.user("ann", "ann@example.org"), o.user("ann2", "ANN@example.org"), o.user("off", "ann@example.org")
	must(t, o.Accounts.SetDisabled(ctx, off.ID, true))
	create := func(k token.Kind) string {
		secret, _, err := o.Tokens.Create(ctx, token.SubjectOf(ann), token.NewToken{Kind: k})
		must(t, err)
		return secret.Reveal()
	}
	session, api := create(token.Session), create(token.API)
	must(t, o.AskReset(ctx, "nobody@example.org", activity.Origin{Address: "1.1.1.1"}))
	must(t, o.AskReset(ctx, "Ann@Example.org", activity.Origin{Address: "1.1.1.1"}))
	mails := o.deliver()
	if len(mails) != 1 || strings.Contains(mails[0].Text, " off:") || strings.Count(mails[0].Text, "https://azulejo.example/reset/") != 2 {
		t.Fatalf("mails %+v", mails)
	}
	links := secrets(mails[0])
	if all := dbtest.Dump(t, o.path); bytes.Contains(all, []byte(links[0])) || bytes.Contains(all, []byte(links[0][6:49])) {
		t.Error("the database holds the secret of a link")
	}
	by, err := o.Tokens.Verify(ctx, links[0], activity.Origin{})
	must(t, err)
	if by.UserID != ann.ID || CheckReset(by) != nil || CheckConfirm(by) == nil {
		t.Errorf("subject %+v", by)
	}
	if err := o.Reset(ctx, by, "short", activity.Origin{}); !errors.Is(err, account.ErrInvalid) {
		t.Errorf("a short password: %v", err)
	}
	// Of several who use the link at once, one does.
	var done atomic.Int32
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			err := o.Reset(ctx, by, fmt.Sprint("a new password ", i), activity.Origin{})
			switch {
			case err == nil:
				done.Add(1)
			case !errors.Is(err, token.ErrUnauthorized):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if done.Load() != 1 {
		t.Errorf("%d used the link", done.Load())
	}
	if _, err := o.Accounts.Verify(ctx, "ann", "a long password"); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := o.Tokens.Verify(ctx, session, activity.Origin{}); !errors.Is(err, token.ErrUnauthorized) {
		t.Errorf("a session of before: %v", err)
	}
	if _, err := o.Tokens.Verify(ctx, api, activity.Origin{}); err != nil {
		t.Errorf("an API token: %v", err)
	}
	o.deliver() // the notice
	// The other account's link of the same mail ends after an hour, and when a newer one is made.
	other, err := o.Tokens.Verify(ctx, links[1], activity.Origin{})
	must(t, err)
	if other.UserID != also.ID {
		t.Errorf("subject %+v", other)
	}
	must(t, o.AskReset(ctx, "ann@example.org", activity.Origin{Address: "1.1.1.1"}))
	newer := secrets(o.deliver()[0])
	if err := o.Reset(ctx, other, "another password", activity.Origin{}); !errors.Is(err, token.ErrUnauthorized) {
		t.Errorf("the older link: %v", err)
	}
	last, err := o.Tokens.Verify(ctx, newer[1], activity.Origin{})
	must(t, err)
	o.time = o.time.Add(resetLife)
	if err := o.Reset(ctx, last, "another password", activity.Origin{}); !errors.Is(err, token.ErrUnauthorized) {
		t.Errorf("an hour later: %v", err)
	}
}

// TestConfirm binds links to the address that they were sent to.
func TestConfirm(t *testing.T) {
	ctx, o := t.Context(), newOffice(t)
	u := o.user("ann", "ann@example.org")
	must(t, o.NewAddress(ctx, u))
	by, err := o.Tokens.Verify(ctx, secrets(o.deliver()[0])[0], activity.Origin{})
	must(t, err)
	// The address changes behind the letters' back.
	address := "ann@example.com"
	must(t, o.Accounts.UpdateProfile(ctx, u.ID, account.ProfilePatch{Email: &address}))
	if err := o.Confirm(ctx, by, activity.Origin{}); !errors.Is(err, ErrAddress) {
		t.Errorf("the link of another address: %v", err)
	}
	must(t, o.AskConfirm(ctx, u.ID, activity.Origin{Address: "1.1.1.1"}))
	by, err = o.Tokens.Verify(ctx, secrets(o.deliver()[0])[0], activity.Origin{})
	must(t, err)
	must(t, o.Confirm(ctx, by, activity.Origin{}))
	if got, err := o.Accounts.ConfirmedEmail(ctx, u.ID); err != nil || got != address {
		t.Errorf("confirmed %q, %v", got, err)
	}
	must(t, o.AskConfirm(ctx, u.ID, activity.Origin{Address: "1.1.1.1"}))
	if mails := o.deliver(); len(mails) != 0 {
		t.Errorf("once more %+v", mails)
	}
	events, err := activity.Find(ctx, o.DB.Read(), activity.Filter{Event: activity.EmailConfirmed}, 10)
	if err != nil || len(events) != 1 || events[0].UserID != u.ID {
		t.Errorf("%+v, %v", events, err)
	}
}

// TestInvited mails invitations to addresses, as long as they are open.
func TestInvited(t *testing.T) {
	ctx, o := t.Context(), newOffice(t)
	ann := o.user("ann", "")
	org, err := o.Accounts.CreateOrganization(ctx, ann.ID, "lab", account.OrganizationText{})
	must(t, err)
	made, err := o.Invites.Create(ctx, []invite.Invitation{
		{Kind: invite.ToOrganization, OrganizationID: org.ID, Role: "read_only", InviterID: ann.ID, Email: "eve@example.org"},
		{Kind: invite.ToOrganization, OrganizationID: org.ID, Role: "read_only", InviterID: ann.ID, Email: "bob@example.org"}})
	must(t, err)
	must(t, o.Invited(ctx, made))
	must(t, o.Invites.Cancel(ctx, made[1].ID))
	mails := o.deliver()
	if len(mails) != 1 || mails[0].To != "eve@example.org" || mails[0].Subject != "ann invites you into the organization lab" ||
		!strings.Contains(mails[0].Text, `invites.accept_invitation("`+made[0].ID+`")`) {
		t.Errorf("mails %+v", mails)
	}
}

// TestWithoutMailServer makes links that are passed on by hand.
func TestWithoutMailServer(t *testing.T) {
	ctx, o := t.Context(), newOffice(t)
	o.Send = nil
	u := o.user("ann", "")
	for _, err := range []error{o.AskReset(ctx, "ann@example.org", activity.Origin{}), o.AskConfirm(ctx, u.ID, activity.Origin{})} {
		if !errors.Is(err, ErrNoServer) {
			t.Error(err)
		}
	}
	if _, _, err := o.ConfirmLink(ctx, u, activity.Origin{}); !errors.Is(err, ErrAddress) {
		t.Errorf("no address: %v", err)
	}
	link, until, err := o.ResetLink(ctx, u, activity.Origin{})
	if err != nil || !strings.HasPrefix(link, "https://azulejo.example/reset/azj_s_") || !until.Equal(o.time.Add(resetLife)) {
		t.Errorf("%s until %v, %v", link, until, err)
	}
	address := "ann@example.org"
	must(t, o.Accounts.UpdateProfile(ctx, u.ID, account.ProfilePatch{Email: &address}))
	u.Email = address
	must(t, o.NewAddress(ctx, u))
	if _, until, err := o.ConfirmLink(ctx, u, activity.Origin{}); err != nil || !until.Equal(o.time.Add(2*time.Hour)) { // the longest life of any token
		t.Errorf("until %v, %v", until, err)
	}
	if mails := o.deliver(); len(mails) != 0 {
		t.Errorf("mails %+v", mails)
	}
}
