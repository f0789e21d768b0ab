// Package repeat remembers changes until their replies were sent, so that a client which repeats one because the connection
// broke gets the first outcome and not a second fragment, or an error because what it made is there.
//
// The order makes a crash at any point harmless: the name of what is made is durable before the change begins, the change
// ends with its commit, and the row goes once the reply was sent. A repetition finds the row, and by the name whether the
// change was made; a write of cells under the same name does nothing if that is committed already.
package repeat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"azulejo/internal/db"
)

const (
	// life is how long an unsent outcome is remembered: clients of 2.30 repeat for some nine minutes.
	life = 30 * time.Minute
	// most is how many outcomes are remembered, of all users.
	most = 10000
	// look is how often one looks whether another server process has ended a change.
	look = 100 * time.Millisecond
)

// Writes is the memory. It is safe for concurrent use.
type Writes struct {
	db  *db.DB
	now func() time.Time

	mu      sync.Mutex
	running map[string]chan struct{} // by id, closed at the end; guarded by mu
}

// New returns the memory kept in d.
func New(d *db.DB, now func() time.Time) *Writes {
	return &Writes{db: d, now: now, running: map[string]chan struct{}{}}
}

// Write is a change being made, by one request at a time over all server processes. One of End and Forget must be called.
type Write struct {
	// Name is that of what is made, or goes: a fragment, an asset's UUID, the UUID in the name of a file.
	Name string
	// Again tells that an earlier request began it, Done that it ended it too. One that began it and did not end it may have
	// made the change all the same.
	Again, Done bool

	writes *Writes
	id     string
}

// Begin waits until nobody works on the change of this id and makes it this request's. name is its name if nobody began
// it before.
func (w *Writes) Begin(ctx context.Context, id, name string) (*Write, error) {
	if err := w.lock(ctx, id); err != nil {
		return nil, err
	}
	found, err := w.take(ctx, id, name)
	if err != nil {
		w.unlock(id)
		return nil, fmt.Errorf("remembering the change: %w", errors.Join(err, ctx.Err()))
	}
	return found, nil
}

// Known reports whether somebody began the change of this id, whose outcome is still remembered.
func (w *Writes) Known(ctx context.Context, id string) (bool, error) {
	var n int
	err := w.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM repeats WHERE id = ? AND at >= ?", id, w.now().Add(-life).UnixMilli()).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("remembered changes: %w", err)
	}
	return n > 0, nil
}

// lock excludes the other requests of this process.
func (w *Writes) lock(ctx context.Context, id string) error {
	for {
		w.mu.Lock()
		other := w.running[id]
		if other == nil {
			w.running[id] = make(chan struct{})
		}
		w.mu.Unlock()
		if other == nil {
			return nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *Writes) unlock(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.running[id])
	delete(w.running, id)
}

// take makes the row this process's, as soon as no other process that lives has it.
func (w *Writes) take(ctx context.Context, id, name string) (*Write, error) {
	maker, err := w.db.Maker(ctx)
	if err != nil {
		return nil, err
	}
	for {
		v := &Write{Name: name, writes: w, id: id}
		held, err := w.claim(ctx, v, maker)
		if err != nil || held == "" {
			return v, err
		}
		// Another process has it. Where it died, its claim is free.
		alive, err := w.db.Alive(ctx, held)
		if err != nil {
			return nil, err
		}
		if !alive {
			if err := w.set(ctx, "UPDATE repeats SET maker = '' WHERE id = ? AND maker = ?", id, held); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// claim begins the row, or takes one over that nobody works on; else it returns who does.
func (w *Writes) claim(ctx context.Context, v *Write, maker string) (held string, err error) {
	now := w.now()
	err = w.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM repeats WHERE at < ?", now.Add(-life).UnixMilli()); err != nil {
			return err
		}
		var name string
		var done int64
		err := tx.QueryRowContext(ctx, "SELECT fragment, done, maker FROM repeats WHERE id = ?", v.id).Scan(&name, &done, &held)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return w.insert(ctx, tx, v, maker, now)
		case err != nil:
			return err
		case held != "" && held != maker:
			return nil
		}
		held, v.Name, v.Again, v.Done = "", name, true, done != 0
		_, err = tx.ExecContext(ctx, "UPDATE repeats SET maker = ?, at = ? WHERE id = ?", maker, now.UnixMilli(), v.id)
		return err
	})
	return held, err
}

// insert begins a row, in the place of the oldest one where there are too many.
func (w *Writes) insert(ctx context.Context, tx *sql.Tx, v *Write, maker string, now time.Time) error {
	var n int64
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM repeats").Scan(&n); err != nil {
		return err
	}
	if n >= most {
		if _, err := tx.ExecContext(ctx, "DELETE FROM repeats WHERE id IN (SELECT id FROM repeats ORDER BY at, id LIMIT ?)", n-most+1); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO repeats (id, fragment, done, maker, at) VALUES (?, ?, 0, ?, ?)", v.id, v.Name, maker, now.UnixMilli())
	return err
}

// Forget ends a change whose reply was fully sent, or that failed for good: the same request is a new change from then on.
func (v *Write) Forget(ctx context.Context) error {
	defer v.writes.unlock(v.id)
	return v.writes.set(ctx, "DELETE FROM repeats WHERE id = ?", v.id)
}

// End ends a change whose reply was not sent. done tells that it was made.
func (v *Write) End(ctx context.Context, done bool) error {
	defer v.writes.unlock(v.id)
	n := 0
	if done || v.Done {
		n = 1
	}
	return v.writes.set(ctx, "UPDATE repeats SET maker = '', done = ? WHERE id = ?", n, v.id)
}

// set changes a row; the end of a request does not keep it from that.
func (w *Writes) set(ctx context.Context, statement string, args ...any) error {
	ctx = context.WithoutCancel(ctx)
	err := w.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("remembering the change: %w", err)
	}
	return nil
}
