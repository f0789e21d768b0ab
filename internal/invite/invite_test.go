package invite

import (
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
)

// world is invitations over a database with the users ann and bob and ann's organization.
type world struct {
	*Invitations
	ann, bob account.User
	org      account.Organization
	clock    time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d, err := db.Open(t.Context(), dbtest.Source(t, filepath.Join(t.TempDir(), "a.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	w := &world{clock: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)}
	now := func() time.Time { return w.clock }
	w.Invitations = New(d, now)
	accounts := account.New(d, now, 2)
	for name, to := range map[string]*account.User{"ann": &w.ann, "bob": &w.bob} {
		if *to, err = accounts.Create(t.Context(), account.NewUser{Name: name, Password: "a long password"}); err != nil {
			t.Fatal(err)
		}
	}
	if w.org, err = accounts.CreateOrganization(t.Context(), w.ann.ID, "lab", account.OrganizationText{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) toOrg() Invitation {
	return Invitation{Kind: ToOrganization, OrganizationID: w.org.ID, Role: access.RoleReadWrite, InviterID: w.ann.ID, NamespaceID: w.bob.NamespaceID}
}

func (w *world) make(t *testing.T, n Invitation) Invitation {
	t.Helper()
	made, err := w.Create(t.Context(), []Invitation{n})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.ByID(t.Context(), made[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestInvitationIsKept(t *testing.T) {
	w := newWorld(t)
	got := w.make(t, w.toOrg())
	if got.Organization != "lab" || got.Owner != "lab" || got.Namespace != "bob" || got.Role != access.RoleReadWrite || got.InviterID != w.ann.ID ||
		!got.CreatedAt.Equal(w.clock) || !got.ExpiresAt.Equal(w.clock.Add(life)) || !got.AcceptedAt.IsZero() {
		t.Errorf("%+v", got)
	}
	mail := w.make(t, Invitation{Kind: ToOrganization, OrganizationID: w.org.ID, Role: access.RoleReadOnly, InviterID: w.ann.ID, Email: "Eve@Example.org"})
	if mail.Email != "Eve@Example.org" || mail.NamespaceID != "" {
		t.Errorf("%+v", mail)
	}
}

// The same invitation again takes the place of the one that is open, so that only the last counts.
func TestSecondInvitationReplacesTheFirst(t *testing.T) {
	w := newWorld(t)
	first := w.make(t, w.toOrg())
	second := w.make(t, w.toOrg())
	if _, err := w.ByID(t.Context(), first.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the first: %v", err)
	}
	if err := w.Claim(t.Context(), second.ID, w.bob.NamespaceID); err != nil {
		t.Fatal(err)
	}
	third := w.make(t, w.toOrg())
	if _, err := w.ByID(t.Context(), second.ID); err != nil || third.ID == second.ID {
		t.Errorf("an accepted one went: %v", err)
	}
}

func TestOneClaimOnly(t *testing.T) {
	w := newWorld(t)
	i := w.make(t, w.toOrg())
	var won atomic.Int32
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			switch err := w.Claim(t.Context(), i.ID, w.bob.NamespaceID); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrOver):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d claims succeeded", won.Load())
	}
	if err := w.Cancel(t.Context(), i.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("an accepted one was cancelled: %v", err)
	}
	if err := w.Release(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Claim(t.Context(), i.ID, w.bob.NamespaceID); err != nil {
		t.Errorf("after its release: %v", err)
	}
}

func TestInvitationsEnd(t *testing.T) {
	w := newWorld(t)
	i := w.make(t, w.toOrg())
	w.clock = w.clock.Add(life)
	if err := w.Claim(t.Context(), i.ID, w.bob.NamespaceID); !errors.Is(err, ErrOver) {
		t.Errorf("at its end: %v", err)
	}
	w.make(t, Invitation{Kind: ToOrganization, OrganizationID: w.org.ID, InviterID: w.ann.ID, Email: "eve@example.org"})
	if _, err := w.ByID(t.Context(), i.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("what ended is still there: %v", err)
	}
	j := w.make(t, w.toOrg())
	if err := w.Cancel(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Claim(t.Context(), j.ID, w.bob.NamespaceID); !errors.Is(err, ErrOver) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestOpenInvitationsAreBounded(t *testing.T) {
	w := newWorld(t)
	i := w.make(t, w.toOrg())
	err := w.db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO invitations (id, kind, organization_id, rights, member_rights, role, inviter_id, email, email_key, created_at, expires_at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			SELECT 'x' || i, 'JOIN_ORGANIZATION', ?, '', '', 'read_only', ?, i || '@x', i || '@x', ?, ? FROM n`,
			maxOpen-1, w.org.ID, w.ann.ID, w.clock.Unix(), w.clock.Add(life).Unix())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create(t.Context(), []Invitation{{Kind: ToOrganization, OrganizationID: w.org.ID, InviterID: w.ann.ID, Email: "one@too.many"}}); !errors.Is(err, ErrMany) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := w.Create(t.Context(), []Invitation{w.toOrg()}); err != nil { // takes the place of another
		t.Errorf("in the place of %s: %v", i.ID, err)
	}
}
