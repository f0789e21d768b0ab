package mail

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"azulejo/internal/activity"
	"azulejo/internal/db"
)

// ErrFull means that too many mails wait.
var ErrFull = errors.New("too many mails wait to be sent; try again later")

// Kind says what a mail is about.
type Kind string

// The kinds of mail. Reset is about an address, Invitation about an invitation, the others about a user.
const (
	Reset      Kind = "password-reset"
	Confirm    Kind = "email-confirmation"
	Invitation Kind = "invitation"
	NewWord    Kind = "password-changed" // for the owner to know
)

// Item is a mail that waits: what it is about, not its text.
type Item struct {
	ID   string
	Kind Kind
	// Ref is the user or invitation that it is about, empty where Address says it.
	Ref string
	// Address is in lower case.
	Address   string
	CreatedAt time.Time
	Attempts  int
}

const (
	// most is how many mails may wait, perHour how many go to one address in an hour.
	most    = 10000
	perHour = 5
	// lease is how long one server is at work on a mail before others think it dead.
	lease = 5 * time.Minute
	// firstPause doubles with each attempt up to longestPause; after giveUp a mail is dropped.
	firstPause   = time.Minute
	longestPause = time.Hour
	giveUp       = 24 * time.Hour
	// keep is how long rows of sent mails stay.
	keep = 7 * 24 * time.Hour
)

// Outbox holds the mails that wait. It is safe for concurrent use, also by several servers on one database.
type Outbox struct {
	db  *db.DB
	now func() time.Time
	// compose makes the mail of an item when it is sent; nil means that there is nothing to be said any more.
	compose func(context.Context, Item) (*Message, error)
	send    func(context.Context, Message) error
	wake    chan struct{}
	most    int // mails that may wait
}

// NewOutbox returns the outbox in d. Run must be running for mails to go out.
func NewOutbox(d *db.DB, now func() time.Time, compose func(context.Context, Item) (*Message, error), send func(context.Context, Message) error) *Outbox {
	return &Outbox{db: d, now: now, compose: compose, send: send, wake: make(chan struct{}, 1), most: most}
}

// Put asks for a mail. One that waits already for the same is not asked for twice. Once it returns nil, the mail goes out,
// whatever happens to the process. Error class: ErrFull.
func (o *Outbox) Put(ctx context.Context, kind Kind, ref, address string) error {
	now := o.now().Unix()
	err := o.db.Update(ctx, func(tx *sql.Tx) error {
		var waiting int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM mails WHERE state = 'waiting'").Scan(&waiting); err != nil {
			return fmt.Errorf("mails: %w", err)
		}
		if waiting >= o.most {
			return ErrFull
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO mails (id, kind, ref, address, state, created_at, next_at) VALUES (?, ?, ?, ?, 'waiting', ?, ?)
			ON CONFLICT DO NOTHING`, uuid.NewString(), string(kind), ref, strings.ToLower(address), now, now)
		if err != nil {
			return fmt.Errorf("new mail: %w", err)
		}
		return nil
	})
	select {
	case o.wake <- struct{}{}:
	default: // it was woken already
	}
	return err
}

// Resume makes everything that waits due at once, where no other server is at work on it: to be called by a server that
// starts.
func (o *Outbox) Resume(ctx context.Context) error {
	if o.db.Shared() {
		return nil
	}
	return o.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE mails SET next_at = ? WHERE state = 'waiting'", o.now().Unix()); err != nil {
			return fmt.Errorf("mails: %w", err)
		}
		return nil
	})
}

// Run sends what waits until ctx ends, and reports what fails.
func (o *Outbox) Run(ctx context.Context, report func(error)) {
	for ctx.Err() == nil {
		next, err := o.Deliver(ctx, report)
		if err != nil && ctx.Err() == nil {
			report(err)
			next = o.now().Add(firstPause)
		}
		pause := longestPause // another server may have put something
		if !next.IsZero() {
			pause = min(pause, max(next.Sub(o.now()), time.Second))
		}
		if o.db.Shared() {
			pause = min(pause, firstPause)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Deliver sends every mail that is due, and returns when the next one is, the zero time when none waits. What a mail
// server refuses is reported and no error.
func (o *Outbox) Deliver(ctx context.Context, report func(error)) (next time.Time, err error) {
	if err := o.sweep(ctx); err != nil {
		return next, err
	}
	for {
		item, ok, err := o.claim(ctx)
		if err != nil {
			return next, err
		}
		if !ok {
			return o.next(ctx)
		}
		if err := o.deliver(ctx, item, report); err != nil {
			return next, err
		}
	}
}

// claim takes the mail that is due the longest. Until the lease ends no other server takes it.
func (o *Outbox) claim(ctx context.Context) (item Item, ok bool, err error) {
	now := o.now()
	err = o.db.Update(ctx, func(tx *sql.Tx) error {
		var created int64
		err := tx.QueryRowContext(ctx, `SELECT id, kind, ref, address, created_at, attempts FROM mails WHERE state = 'waiting' AND next_at <= ?
			ORDER BY next_at, id LIMIT 1`, now.Unix()).Scan(&item.ID, &item.Kind, &item.Ref, &item.Address, &created, &item.Attempts)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("mails: %w", err)
		}
		ok, item.CreatedAt = true, time.Unix(created, 0).UTC()
		item.Attempts++
		_, err = tx.ExecContext(ctx, "UPDATE mails SET next_at = ?, attempts = ? WHERE id = ?", now.Add(lease).Unix(), item.Attempts, item.ID)
		if err != nil {
			return fmt.Errorf("mails: %w", err)
		}
		return nil
	})
	return item, ok, err
}

// deliver sends one mail and writes down what came of it.
func (o *Outbox) deliver(ctx context.Context, item Item, report func(error)) error {
	if many, err := o.many(ctx, item.Address); err != nil {
		return err
	} else if many {
		return o.done(ctx, item, "dropped", "too many to this address within an hour")
	}
	m, err := o.compose(ctx, item)
	if err == nil && m == nil {
		return o.done(ctx, item, "dropped", "there is nothing to say")
	}
	if err == nil {
		err = o.send(ctx, *m)
	}
	if err == nil {
		return o.done(ctx, item, "sent", "")
	}
	report(fmt.Errorf("a mail about %s, attempt %d: %w", item.Kind, item.Attempts, err))
	if errors.Is(err, ErrRefused) {
		return o.done(ctx, item, "dropped", "the mail server refuses it")
	}
	now := o.now()
	if now.Sub(item.CreatedAt) >= giveUp {
		return o.done(ctx, item, "dropped", "the mail server took it on no attempt")
	}
	pause := longestPause
	if item.Attempts < 7 {
		pause = min(pause, firstPause<<(item.Attempts-1))
	}
	return o.db.Update(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE mails SET next_at = ? WHERE id = ?", now.Add(pause).Unix(), item.ID)
		if err != nil {
			return fmt.Errorf("mails: %w", err)
		}
		return nil
	})
}

// many reports whether an address got as many mails within an hour as it gets.
func (o *Outbox) many(ctx context.Context, address string) (bool, error) {
	var n int
	err := o.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM mails WHERE address = ? AND state = 'sent' AND done_at > ?", address,
		o.now().Add(-time.Hour).Unix()).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("mails: %w", err)
	}
	return n >= perHour, nil
}

// done ends a mail, in the audit log too.
func (o *Outbox) done(ctx context.Context, item Item, state, reason string) error {
	ctx = context.WithoutCancel(ctx)
	now := o.now()
	event := activity.MailSent
	if state != "sent" {
		event = activity.MailDropped
	}
	return o.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE mails SET state = ?, done_at = ?, reason = ? WHERE id = ?", state, now.Unix(), reason, item.ID)
		if err != nil {
			return fmt.Errorf("mails: %w", err)
		}
		detail := string(item.Kind)
		if reason != "" {
			detail += ": " + reason
		}
		e := activity.Entry{At: now, Event: event, Detail: detail}
		if item.Kind == Confirm || item.Kind == NewWord {
			e.UserID = item.Ref
		}
		return activity.Record(ctx, tx, e)
	})
}

// next returns when the next mail is due.
func (o *Outbox) next(ctx context.Context) (time.Time, error) {
	var at sql.NullInt64
	if err := o.db.Read().QueryRowContext(ctx, "SELECT min(next_at) FROM mails WHERE state = 'waiting'").Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("mails: %w", err)
	}
	if !at.Valid {
		return time.Time{}, nil
	}
	return time.Unix(at.Int64, 0), nil
}

// sweep removes rows of mails that ended long ago.
func (o *Outbox) sweep(ctx context.Context) error {
	before := o.now().Add(-keep).Unix()
	var old int
	if err := o.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM mails WHERE state <> 'waiting' AND done_at < ?", before).Scan(&old); err != nil || old == 0 {
		return err
	}
	return o.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM mails WHERE state <> 'waiting' AND done_at < ?", before)
		if err != nil {
			return fmt.Errorf("mails: %w", err)
		}
		return nil
	})
}
