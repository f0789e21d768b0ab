package mail

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"azulejo/internal/activity"
	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
	"azulejo/internal/oracle/postbox"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSend sends mails through a real conversation, protected in each way.
func TestSend(t *testing.T) {
	for name, c := range map[string]struct {
		box    postbox.Options
		server Server
		tls    bool
	}{
		"starttls": {postbox.Options{StartTLS: true, User: "u", Password: "p"}, Server{Security: StartTLS, User: "u", Password: "p"}, true},
		"implicit": {postbox.Options{Implicit: true, User: "u", Password: "p"}, Server{Security: Implicit, User: "u", Password: "p"}, true},
		"none":     {postbox.Options{StartTLS: true}, Server{Security: Clear}, false},
	} {
		t.Run(name, func(t *testing.T) {
			box := postbox.Start(t, c.box)
			s := c.server
			s.Address, s.Roots, s.From = box.Address, box.Roots, "Azulejo <azulejo@example.org>"
			text := "Olá,\n\n.a line that begins with a dot\n" + strings.Repeat("long ", 300) + "\nhttps://example.org/reset/azj_s_=3D\n"
			must(t, s.Send(t.Context(), Message{To: "ann@example.org", Subject: "Um azulejo é\r\nBcc: eve@example.org", Text: text}))
			m := box.Next(t)
			if m.From != "azulejo@example.org" || m.To != "ann@example.org" || m.TLS != c.tls || m.User != s.User || strings.TrimSpace(m.Text) != strings.TrimSpace(text) {
				t.Errorf("%+v", m)
			}
			if m.Subject != "Um azulejo é  Bcc: eve@example.org" || m.Header.Get("Bcc") != "" || m.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("header %v", m.Header)
			}
			if at, err := m.Header.Date(); err != nil || time.Since(at) > time.Hour {
				t.Errorf("date %v, %v", at, err)
			}
		})
	}
}

// TestSendRefuses looks at what must not be sent, and which refusals last.
func TestSendRefuses(t *testing.T) {
	box := postbox.Start(t, postbox.Options{StartTLS: true, User: "u", Password: "p"})
	plain := postbox.Start(t, postbox.Options{})
	m := Message{To: "ann@example.org", Subject: "s", Text: "t"}
	good := Server{Address: box.Address, Security: StartTLS, User: "u", Password: "p", From: "a@example.org", Roots: box.Roots}
	for name, change := range map[string]func(*Server){
		"an unknown certificate": func(s *Server) { s.Roots = plain.Roots },
		"no STARTTLS":            func(s *Server) { s.Address, s.User = plain.Address, "" },
		"no TLS at all":          func(s *Server) { s.Address, s.Security = plain.Address, Implicit },
		"a wrong password":       func(s *Server) { s.Password = "x" },
		"nobody there":           func(s *Server) { s.Address = "127.0.0.1:1" },
	} {
		s := good
		change(&s)
		if err := s.Send(t.Context(), m); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for answer, lasts := range map[string]bool{"550 nobody of that name": true, "451 later": false} {
		box.Answer(answer)
		if err := good.Send(t.Context(), m); err == nil || errors.Is(err, ErrRefused) != lasts || strings.Contains(err.Error(), `"p"`) {
			t.Errorf("%s: %v", answer, err)
		}
	}
	for _, bad := range []Message{{To: "no address"}, {To: "ann@example.org\r\nRCPT TO:<eve@example.org>"}} {
		if err := good.Send(t.Context(), bad); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", bad.To, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := good.Send(ctx, m); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	if box.Waiting()+plain.Waiting() != 0 {
		t.Error("something was sent")
	}
}

// desk is an outbox over a clock of its own whose mails are kept.
type desk struct {
	*Outbox
	db   *db.DB
	mu   sync.Mutex
	time time.Time
	sent []Message
	fail func(Message) error
	said []string
}

func newDesk(t *testing.T, path string) *desk {
	t.Helper()
	d, err := db.Open(t.Context(), dbtest.Source(t, path))
	must(t, err)
	t.Cleanup(func() { d.Close() })
	k := &desk{db: d, time: time.Unix(1_700_000_000, 0), fail: func(Message) error { return nil }}
	compose := func(_ context.Context, i Item) (*Message, error) {
		if i.Ref == "gone" {
			return nil, nil
		}
		return &Message{To: i.Address, Subject: string(i.Kind), Text: i.Ref}, nil
	}
	send := func(_ context.Context, m Message) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if err := k.fail(m); err != nil {
			return err
		}
		k.sent = append(k.sent, m)
		return nil
	}
	k.Outbox = NewOutbox(d, func() time.Time { return k.time }, compose, send)
	return k
}

func (k *desk) deliver(t *testing.T) time.Time {
	t.Helper()
	next, err := k.Deliver(t.Context(), func(err error) { k.said = append(k.said, err.Error()) })
	must(t, err)
	return next
}

// events returns the audit log, oldest first.
func (k *desk) events(t *testing.T) (list []string) {
	t.Helper()
	found, err := activity.Find(t.Context(), k.db.Read(), activity.Filter{}, 1000)
	must(t, err)
	for _, e := range found {
		list = append(list, string(e.Event)+" "+e.UserID+" "+e.Detail)
	}
	slices.Reverse(list)
	return list
}

// TestOutbox shows that what was put is sent once, that the same is not put twice, and what the audit log tells.
func TestOutbox(t *testing.T) {
	ctx, k := t.Context(), newDesk(t, filepath.Join(t.TempDir(), "a.db"))
	if next := k.deliver(t); !next.IsZero() {
		t.Errorf("an empty outbox waits for %v", next)
	}
	for range 3 {
		must(t, k.Put(ctx, Confirm, "u1", "Ann@Example.org"))
	}
	must(t, k.Put(ctx, Reset, "", "bob@example.org"))
	must(t, k.Put(ctx, Confirm, "gone", "c@example.org"))
	k.deliver(t)
	k.deliver(t)
	if len(k.sent) != 2 || !slices.Contains(k.sent, Message{"ann@example.org", "email-confirmation", "u1"}) {
		t.Errorf("sent %v", k.sent)
	}
	events := k.events(t)
	slices.Sort(events)
	want := []string{"mail-dropped gone email-confirmation: there is nothing to say", "mail-sent  password-reset", "mail-sent u1 email-confirmation"}
	if !slices.Equal(events, want) {
		t.Errorf("events %q", events)
	}
	must(t, k.Put(ctx, Confirm, "u1", "ann@example.org")) // again, as the first was sent
	k.deliver(t)
	if len(k.sent) != 3 {
		t.Errorf("sent %v", k.sent)
	}
}

// TestOutboxTriesAgain looks at the pauses while the mail server cannot be reached, at what is given up, and at refusals.
func TestOutboxTriesAgain(t *testing.T) {
	ctx, k := t.Context(), newDesk(t, filepath.Join(t.TempDir(), "a.db"))
	begin := k.time
	k.fail = func(Message) error { return errors.New("unreachable") }
	must(t, k.Put(ctx, Confirm, "u", "ann@example.org"))
	var pauses []time.Duration
	for range 40 {
		next := k.deliver(t)
		if next.IsZero() {
			break
		}
		pauses = append(pauses, next.Sub(k.time))
		k.time = next.Add(-time.Second)
		if before := len(k.said); k.deliver(t) != next || len(k.said) != before {
			t.Errorf("tried again before %v", next)
		}
		k.time = next
	}
	minutes := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for i, m := range minutes {
		if pauses[i] != m*time.Minute {
			t.Errorf("pause %d is %v, want %d minutes", i, pauses[i], m)
		}
	}
	if given := k.time.Sub(begin); given < giveUp || given > giveUp+longestPause {
		t.Errorf("given up after %v", given)
	}
	if events := k.events(t); len(events) != 1 || !strings.HasPrefix(events[0], "mail-dropped u email-confirmation: the mail server took it on no attempt") {
		t.Errorf("events %q", events)
	}
	k.said = nil
	k.fail = func(Message) error { return fmt.Errorf("%w: no such box", ErrRefused) }
	must(t, k.Put(ctx, Confirm, "u", "ann@example.org"))
	if next := k.deliver(t); !next.IsZero() || len(k.said) != 1 {
		t.Errorf("after a refusal that lasts it waits for %v; said %q", next, k.said)
	}
	k.fail = func(Message) error { return nil }
	must(t, k.Put(ctx, Confirm, "u", "ann@example.org"))
	if k.deliver(t); len(k.sent) != 1 {
		t.Errorf("sent %v", k.sent)
	}
}

// TestOutboxOutlivesItsProcess puts mails and loses the process before, and while, they are sent.
func TestOutboxOutlivesItsProcess(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "a.db")
	first := newDesk(t, path)
	must(t, first.Put(ctx, Confirm, "u1", "a@example.org"))
	must(t, first.Put(ctx, Confirm, "u2", "b@example.org"))
	if _, ok, err := first.claim(ctx); !ok || err != nil { // and dies while it sends
		t.Fatal(ok, err)
	}
	second := newDesk(t, path)
	if second.deliver(t); len(second.sent) != 1 {
		t.Errorf("at once %v", second.sent)
	}
	second.time = second.time.Add(lease)
	if second.deliver(t); len(second.sent) != 2 {
		t.Errorf("after the lease %v", second.sent)
	}
	must(t, second.Put(ctx, Confirm, "u3", "c@example.org"))
	if _, ok, err := second.claim(ctx); !ok || err != nil {
		t.Fatal(ok, err)
	}
	third := newDesk(t, path)
	third.time = second.time
	must(t, third.Resume(ctx))
	third.deliver(t)
	if want := map[bool]int{false: 1, true: 0}[third.db.Shared()]; len(third.sent) != want {
		t.Errorf("after a new start %v", third.sent)
	}
}

// TestOutboxOfSeveralServers lets two outboxes on one database send at the same time: each mail goes out once.
func TestOutboxOfSeveralServers(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "a.db")
	a, b := newDesk(t, path), newDesk(t, path)
	const n = 30
	for i := range n {
		must(t, a.Put(ctx, Confirm, fmt.Sprint("u", i), fmt.Sprintf("u%d@example.org", i)))
	}
	var all sync.WaitGroup
	for _, k := range []*desk{a, b} {
		all.Go(func() {
			if _, err := k.Deliver(ctx, func(err error) { t.Error(err) }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	seen := map[string]int{}
	for _, m := range append(a.sent, b.sent...) {
		seen[m.To]++
	}
	if len(seen) != n || len(a.sent)+len(b.sent) != n {
		t.Errorf("%d and %d mails to %d addresses", len(a.sent), len(b.sent), len(seen))
	}
}

// TestOutboxLimits shows how many mails go to one address, how many may wait, and that rows of old ones go.
func TestOutboxLimits(t *testing.T) {
	ctx, k := t.Context(), newDesk(t, filepath.Join(t.TempDir(), "a.db"))
	for i := range perHour + 2 {
		must(t, k.Put(ctx, Invitation, fmt.Sprint(i), "ann@example.org"))
		k.deliver(t)
	}
	if len(k.sent) != perHour {
		t.Errorf("%d mails within an hour", len(k.sent))
	}
	k.time = k.time.Add(time.Hour + time.Second)
	must(t, k.Put(ctx, Invitation, "later", "ann@example.org"))
	if k.deliver(t); len(k.sent) != perHour+1 {
		t.Errorf("%d mails after an hour", len(k.sent))
	}
	count := func() (n int) {
		t.Helper()
		must(t, k.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM mails").Scan(&n))
		return n
	}
	if n := count(); n != perHour+3 {
		t.Errorf("%d rows", n)
	}
	k.time = k.time.Add(keep + time.Second)
	k.deliver(t)
	if n := count(); n != 0 {
		t.Errorf("%d rows a week later", n)
	}
	k.most = 2
	must(t, k.Put(ctx, Reset, "", "1@example.org"))
	must(t, k.Put(ctx, Reset, "", "2@example.org"))
	if err := k.Put(ctx, Reset, "", "3@example.org"); !errors.Is(err, ErrFull) {
		t.Errorf("above the limit: %v", err)
	}
}
