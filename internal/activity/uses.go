package activity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"azulejo/internal/db"
)

// ErrNotFound means that there is no such entry.
var ErrNotFound = errors.New("no such activity")

// Use is one use of an asset: who did what, when, from where, and how much of it went over the wire.
type Use struct {
	ID       string // UUID
	AssetID  string // UUID
	At       time.Time
	Action   string // a published word, such as query_read
	UserID   string
	UserName string
	Origin   Origin
	Sent     int64 // bytes of the reply
	Received int64 // bytes of the request
	TaskID   string
}

const (
	usesWaiting = 4096 // uses in memory that are not left until the second is over
	usesAtMost  = 4 * usesWaiting
	usesEvery   = time.Second
	maxAgent    = 200
)

// Uses is the log of the uses of assets. They are collected and written once a second, off the path of requests: a crash
// loses the last second of them, which is why what changes rights has its own log (Record). It is safe for concurrent use.
type Uses struct {
	db *db.DB

	mu      sync.Mutex // guards waiting
	waiting []Use
	// many wakes Run before its time.
	many chan struct{}
}

// NewUses returns the log in d. Run must be running for uses to be written down.
func NewUses(d *db.DB) *Uses { return &Uses{db: d, many: make(chan struct{}, 1)} }

// Note takes a use. Where Run does not keep up, the caller writes what waits; the error is that of the writing.
func (u *Uses) Note(ctx context.Context, use Use) error {
	use.ID = uuid.NewString()
	if len(use.Origin.Agent) > maxAgent {
		use.Origin.Agent = use.Origin.Agent[:maxAgent]
	}
	use.Origin.Agent = strings.ReplaceAll(strings.ToValidUTF8(use.Origin.Agent, "?"), "\x00", "?")
	u.mu.Lock()
	u.waiting = append(u.waiting, use)
	n := len(u.waiting)
	u.mu.Unlock()
	switch {
	case n >= usesAtMost:
		return u.Flush(ctx)
	case n >= usesWaiting:
		select {
		case u.many <- struct{}{}:
		default: // it was woken already
		}
	}
	return nil
}

// Flush writes what waits. What could not be written waits on.
func (u *Uses) Flush(ctx context.Context) error {
	u.mu.Lock()
	list := u.waiting
	u.waiting = nil
	u.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	err := u.db.Update(ctx, func(tx *sql.Tx) error {
		for _, x := range list {
			_, err := tx.ExecContext(ctx, `INSERT INTO uses (id, asset_id, at, action, user_id, user_name, address, agent, request_id, sent, received, task_id)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, x.ID, x.AssetID, x.At.UnixMilli(), x.Action, x.UserID, x.UserName, x.Origin.Address, x.Origin.Agent,
				x.Origin.RequestID, x.Sent, x.Received, x.TaskID)
			if err != nil {
				return fmt.Errorf("activity: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		u.mu.Lock()
		if len(u.waiting)+len(list) <= 2*usesAtMost {
			u.waiting = append(list, u.waiting...)
		}
		u.mu.Unlock()
	}
	return err
}

// Run writes what waits, once a second and when ctx ends, and reports what fails.
func (u *Uses) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(usesEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-u.many:
		case <-ctx.Done():
			if err := u.Flush(context.WithoutCancel(ctx)); err != nil {
				report(err)
			}
			return
		}
		if err := u.Flush(context.WithoutCancel(ctx)); err != nil {
			report(err)
		}
	}
}

// UseFilter says which uses to list. Zero values do not filter.
type UseFilter struct {
	AssetIDs []string
	UserID   string
	From, To time.Time
	Actions  []string
	TaskID   string
	Page     int // from 1
	PerPage  int // 0 for all
}

const useColumns = "id, asset_id, at, action, user_id, user_name, address, agent, request_id, sent, received, task_id FROM uses"

// List returns one page of uses, newest first, and how many there are on all pages. What was noted before the call is in it.
func (u *Uses) List(ctx context.Context, f UseFilter) ([]Use, int, error) {
	if err := u.Flush(ctx); err != nil {
		return nil, 0, err
	}
	where, args, err := f.where()
	if err != nil {
		return nil, 0, err
	}
	var total int
	if err := u.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM uses WHERE "+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("activity: %w", err)
	}
	where += " ORDER BY seq DESC"
	if f.PerPage > 0 {
		where += " LIMIT ? OFFSET ?"
		args = append(args, f.PerPage, int64(f.PerPage)*int64(max(f.Page-1, 0)))
	}
	list, err := u.query(ctx, where, args...)
	return list, total, err
}

func (f UseFilter) where() (string, []any, error) {
	parts, args := []string{"seq > 0"}, []any{}
	add := func(text string, v any) { parts, args = append(parts, text), append(args, v) }
	in := func(column string, list []string) error {
		if list == nil {
			return nil
		}
		text, err := json.Marshal(list)
		add(column+" IN (SELECT value FROM json_each(?))", string(text))
		return err
	}
	if err := errors.Join(in("asset_id", f.AssetIDs), in("action", f.Actions)); err != nil {
		return "", nil, fmt.Errorf("activity: %w", err)
	}
	if f.UserID != "" {
		add("user_id = ?", f.UserID)
	}
	if !f.From.IsZero() {
		add("at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		add("at <= ?", f.To.UnixMilli())
	}
	if f.TaskID != "" {
		add("task_id = ?", f.TaskID)
	}
	return strings.Join(parts, " AND "), args, nil
}

// Get returns a use of an asset, or an error of class ErrNotFound.
func (u *Uses) Get(ctx context.Context, assetID, id string) (Use, error) {
	if err := u.Flush(ctx); err != nil {
		return Use{}, err
	}
	list, err := u.query(ctx, "asset_id = ? AND id = ?", assetID, id)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Use{}, err
	}
	return list[0], nil
}

// LastOf returns a user's last use of each asset, newest first, at most limit.
func (u *Uses) LastOf(ctx context.Context, userID string, limit int) ([]Use, error) {
	if err := u.Flush(ctx); err != nil {
		return nil, err
	}
	return u.query(ctx, "seq IN (SELECT max(seq) FROM uses WHERE user_id = ? GROUP BY asset_id) ORDER BY seq DESC LIMIT ?", userID, limit)
}

// LastUsed returns when assets were used last, as far as that was written down already; one that never was is left out.
func (u *Uses) LastUsed(ctx context.Context, assetIDs []string) (map[string]time.Time, error) {
	text, err := json.Marshal(assetIDs)
	if err != nil || len(assetIDs) == 0 {
		return nil, err
	}
	list, err := u.query(ctx, "seq IN (SELECT (SELECT max(x.seq) FROM uses x WHERE x.asset_id = l.value) FROM json_each(?) l)", string(text))
	if err != nil {
		return nil, err
	}
	found := make(map[string]time.Time, len(list))
	for _, x := range list {
		found[x.AssetID] = x.At
	}
	return found, nil
}

func (u *Uses) query(ctx context.Context, where string, args ...any) ([]Use, error) {
	rows, err := u.db.Read().QueryContext(ctx, "SELECT "+useColumns+" WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("activity: %w", err)
	}
	defer rows.Close()
	list := []Use{}
	for rows.Next() {
		var x Use
		var at int64
		if err := rows.Scan(&x.ID, &x.AssetID, &at, &x.Action, &x.UserID, &x.UserName, &x.Origin.Address, &x.Origin.Agent, &x.Origin.RequestID,
			&x.Sent, &x.Received, &x.TaskID); err != nil {
			return nil, fmt.Errorf("activity: %w", err)
		}
		x.At = time.UnixMilli(at).UTC()
		list = append(list, x)
	}
	return list, rows.Err()
}
