package token

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"azulejo/internal/activity"
)

const (
	touchEvery   = time.Minute         // how often a token's last use is written
	retention    = 30 * 24 * time.Hour // how long an ended token's row is kept
	flushEvery   = time.Second
	sweepEvery   = 10 * time.Minute
	journalMax   = 4096 // entries and touches waiting; beyond, new ones are dropped
	maxAgentText = 200
)

// journal collects what is written off the request path: last uses and audit
// entries of refused requests.
type journal struct {
	mu      sync.Mutex // guards all below
	touches map[string]touch
	entries []activity.Entry
	noted   map[activity.Entry]time.Time // when an entry like this was last taken
}

type touch struct {
	at   time.Time
	from activity.Origin
}

func newJournal() *journal {
	return &journal{touches: map[string]touch{}, noted: map[activity.Entry]time.Time{}}
}

// touch remembers a use, unless one was written within the last minute.
func (j *journal) touch(now time.Time, id string, last time.Time, from activity.Origin) {
	if now.Sub(last) < touchEvery {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, waiting := j.touches[id]; waiting || len(j.touches) < journalMax {
		j.touches[id] = touch{now, from}
	}
}

func (j *journal) note(e activity.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) < journalMax {
		j.entries = append(j.entries, e)
	}
}

// noteOnce takes an entry unless one that differs only in time and request was
// taken within the last minute: a client in a loop must not fill the disk.
func (j *journal) noteOnce(now time.Time, e activity.Entry) {
	like := e
	like.At, like.Origin.RequestID, like.Origin.Agent = time.Time{}, "", ""
	j.mu.Lock()
	last, seen := j.noted[like]
	fresh := !seen || now.Sub(last) >= touchEvery
	if fresh {
		if len(j.noted) >= journalMax {
			clear(j.noted)
		}
		j.noted[like] = now
	}
	j.mu.Unlock()
	if fresh {
		j.note(e)
	}
}

func (j *journal) take() (map[string]touch, []activity.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	touches, entries := j.touches, j.entries
	j.touches, j.entries = map[string]touch{}, nil
	return touches, entries
}

// Flush writes the collected last uses and audit entries.
func (t *Tokens) Flush(ctx context.Context) error {
	touches, entries := t.journal.take()
	if len(touches) == 0 && len(entries) == 0 {
		return nil
	}
	return t.db.Update(ctx, func(tx *sql.Tx) error {
		for id, u := range touches {
			_, err := tx.ExecContext(ctx, "UPDATE tokens SET last_used_at = ?, last_used_ip = ?, last_used_agent = ? WHERE id = ?",
				u.at.Unix(), u.from.Address, shorten(u.from.Agent), id)
			if err != nil {
				return fmt.Errorf("last use: %w", err)
			}
		}
		for _, e := range entries {
			if err := activity.Record(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func shorten(agent string) string {
	if len(agent) > maxAgentText {
		agent = agent[:maxAgentText]
	}
	return Redact(strings.ReplaceAll(strings.ToValidUTF8(agent, "?"), "\x00", "?"))
}

// Sweep notes in the audit log which tokens have expired since the last sweep
// and deletes those that ended over 30 days ago. It is housekeeping only: that
// an expired token is refused is decided at its use.
func (t *Tokens) Sweep(ctx context.Context) error {
	now := t.clock()
	expired, err := t.query(ctx, "expires_at <= ? AND expiry_noted = 0 LIMIT 1000", now.Unix())
	if err != nil {
		return err
	}
	return t.db.Update(ctx, func(tx *sql.Tx) error {
		for _, tok := range expired {
			if _, err := tx.ExecContext(ctx, "UPDATE tokens SET expiry_noted = 1 WHERE id = ?", tok.ID); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
			if !tok.RevokedAt.IsZero() {
				continue
			}
			err := activity.Record(ctx, tx, activity.Entry{At: tok.ExpiresAt, Event: activity.TokenExpired, UserID: tok.UserID,
				TokenID: tok.ID, TokenName: tok.Name})
			if err != nil {
				return err
			}
		}
		old := now.Add(-retention).Unix()
		_, err := tx.ExecContext(ctx, "DELETE FROM tokens WHERE expires_at <= ?1 AND expiry_noted = 1 OR revoked_at <= ?1", old)
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		return nil
	})
}

// Run writes and sweeps in the background until ctx ends, then writes what is
// left and returns. report gets the errors; Run goes on after one.
func (t *Tokens) Run(ctx context.Context, report func(error)) {
	flush, sweep := time.NewTicker(flushEvery), time.NewTicker(sweepEvery)
	defer flush.Stop()
	defer sweep.Stop()
	check := func(err error) {
		if err != nil && !errors.Is(err, context.Canceled) {
			report(err)
		}
	}
	check(t.Sweep(ctx))
	for {
		select {
		case <-flush.C:
			check(t.Flush(ctx))
		case <-sweep.C:
			check(t.Sweep(ctx))
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			check(t.Flush(last))
			return
		}
	}
}
