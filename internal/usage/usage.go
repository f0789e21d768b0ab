// Package usage counts what is done at whose cost, by day, and knows what a namespace may spend in a month.
//
// Counting costs a request no statement: sums are kept in memory and written once a second, so a crash loses the last second of
// them. Quotas are read at most once a second; a server that shares its database sees what others have counted a second or
// two later. A quota is a brake, not a till.
package usage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"azulejo/internal/db"
)

// ErrSpent is the class of errors about a quota that is spent.
var ErrSpent = errors.New("the quota is spent")

// Counts are sums of what was done.
type Counts struct {
	Requests       int64
	Sent, Received int64 // bytes of replies and of requests
	TaskMillis     int64 // how long tasks ran
}

// Plus returns the sums of both.
func (c Counts) Plus(d Counts) Counts {
	return Counts{c.Requests + d.Requests, c.Sent + d.Sent, c.Received + d.Received, c.TaskMillis + d.TaskMillis}
}

// Account says whose counts they are: the namespace that pays, the user who acted, and the asset that was used, by UUID; the latter may be empty.
type Account struct {
	PayerID, UserID, AssetID string
}

// AnyNumber is the limit that is none.
const AnyNumber = -1

// Quota is what a namespace may spend in a calendar month, UTC. Each limit can be AnyNumber.
type Quota struct {
	Limit, Spent Counts
}

// dayLength is a day in seconds.
const dayLength = 24 * 60 * 60

// daily is an account on a day.
type daily struct {
	Account
	day int64
}

// Usage counts in d. It is safe for concurrent use.
type Usage struct {
	db  *db.DB
	now func() time.Time

	mu sync.Mutex // guards what follows
	// waiting are the sums that are not written yet.
	waiting map[daily]Counts
	// quotas are those of all namespaces that have one, with what was written down as spent, as read at a time; stale says that they changed since.
	quotas map[string]Quota
	read   time.Time
	stale  bool
}

const every = time.Second

// New returns the counters in d. Run must be running for sums to be written down.
func New(d *db.DB, now func() time.Time) *Usage {
	return &Usage{db: d, now: now, waiting: map[daily]Counts{}, stale: true}
}

// Add counts what was done.
func (u *Usage) Add(a Account, c Counts) {
	k := daily{a, u.now().Unix() / dayLength}
	u.mu.Lock()
	u.waiting[k] = u.waiting[k].Plus(c)
	u.mu.Unlock()
}

// Flush writes what waits. What could not be written waits on.
func (u *Usage) Flush(ctx context.Context) error {
	u.mu.Lock()
	sums := u.waiting
	u.waiting = map[daily]Counts{}
	u.mu.Unlock()
	if len(sums) == 0 {
		return nil
	}
	err := u.db.Update(ctx, func(tx *sql.Tx) error {
		for k, c := range sums {
			_, err := tx.ExecContext(ctx, `INSERT INTO usage (day, payer_id, user_id, asset_id, requests, sent, received, task_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (payer_id, day, user_id, asset_id) DO UPDATE SET requests = usage.requests + excluded.requests, sent = usage.sent + excluded.sent,
				received = usage.received + excluded.received, task_ms = usage.task_ms + excluded.task_ms`,
				k.day, k.PayerID, k.UserID, k.AssetID, c.Requests, c.Sent, c.Received, c.TaskMillis)
			if err != nil {
				return fmt.Errorf("usage: %w", err)
			}
		}
		return nil
	})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stale = true
	if err == nil {
		return nil
	}
	for k, c := range sums {
		u.waiting[k] = u.waiting[k].Plus(c)
	}
	return err
}

// Run writes what waits, once a second and when ctx ends, and reports what fails.
func (u *Usage) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		if err := u.Flush(context.WithoutCancel(ctx)); err != nil {
			report(err)
		}
	}
}

// month returns the first day of the month of a time, and when the next one begins.
func month(at time.Time) (first int64, next time.Time) {
	y, m, _ := at.UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).Unix() / dayLength, time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
}

// Quotas returns the quotas by namespace, as they were a second ago or later, without what waits to be written. The map must not be modified.
func (u *Usage) Quotas(ctx context.Context) (map[string]Quota, error) {
	now := u.now()
	u.mu.Lock()
	known, age := u.quotas, now.Sub(u.read)
	fresh := !u.stale && age >= 0 && age < every // a clock may be set back
	if !fresh {
		u.stale = false // what changes from here on makes it stale again
	}
	u.mu.Unlock()
	if fresh {
		return known, nil
	}
	all, err := u.readQuotas(ctx, now)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.stale = true
		return nil, err
	}
	u.quotas, u.read = all, now
	return all, nil
}

func (u *Usage) readQuotas(ctx context.Context, now time.Time) (map[string]Quota, error) {
	first, _ := month(now)
	rows, err := u.db.Read().QueryContext(ctx, `SELECT q.namespace_id, q.requests, q.sent, q.received, q.task_ms, coalesce(sum(u.requests), 0), coalesce(sum(u.sent), 0),
		coalesce(sum(u.received), 0), coalesce(sum(u.task_ms), 0) FROM quotas q LEFT JOIN usage u ON u.payer_id = q.namespace_id AND u.day >= ?
		GROUP BY q.namespace_id, q.requests, q.sent, q.received, q.task_ms`, first)
	if err != nil {
		return nil, fmt.Errorf("quotas: %w", err)
	}
	defer rows.Close()
	all := map[string]Quota{}
	for rows.Next() {
		var id string
		var q Quota
		if err := rows.Scan(&id, &q.Limit.Requests, &q.Limit.Sent, &q.Limit.Received, &q.Limit.TaskMillis,
			&q.Spent.Requests, &q.Spent.Sent, &q.Spent.Received, &q.Spent.TaskMillis); err != nil {
			return nil, fmt.Errorf("quotas: %w", err)
		}
		all[id] = q
	}
	return all, rows.Err()
}

// QuotaOf returns the quota of a namespace with what was spent of it, also what waits to be written, and whether there is one.
func (u *Usage) QuotaOf(ctx context.Context, namespaceID string) (q Quota, ok bool, err error) {
	all, err := u.Quotas(ctx)
	if err != nil {
		return q, false, err
	}
	if q, ok = all[namespaceID]; !ok {
		return q, false, nil
	}
	first, _ := month(u.now())
	u.mu.Lock()
	defer u.mu.Unlock()
	for k, c := range u.waiting {
		if k.PayerID == namespaceID && k.day >= first {
			q.Spent = q.Spent.Plus(c)
		}
	}
	return q, true, nil
}

// Check returns an error of class ErrSpent when a namespace has spent its quota. name is what it is called in the message.
func (u *Usage) Check(ctx context.Context, namespaceID, name string) error {
	q, ok, err := u.QuotaOf(ctx, namespaceID)
	if err != nil || !ok {
		return err
	}
	_, next := month(u.now())
	for _, x := range []struct {
		what         string
		limit, spent int64
	}{{"requests", q.Limit.Requests, q.Spent.Requests}, {"bytes sent", q.Limit.Sent, q.Spent.Sent}, {"bytes received", q.Limit.Received, q.Spent.Received},
		{"milliseconds of tasks", q.Limit.TaskMillis, q.Spent.TaskMillis}} {
		if x.limit != AnyNumber && x.spent >= x.limit {
			return fmt.Errorf("%w: %s has used %d of %d %s this month, which ends on %s; ask the administrator for more, or name another namespace that is to pay in the header X-Payer",
				ErrSpent, name, x.spent, x.limit, x.what, next.Format("2 January 2006 15:04 MST"))
		}
	}
	return nil
}

// SetQuota sets what a namespace may spend in a month; without any limit it has no quota.
func (u *Usage) SetQuota(ctx context.Context, namespaceID string, limit Counts) error {
	defer func() {
		u.mu.Lock()
		u.stale = true
		u.mu.Unlock()
	}()
	return u.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM quotas WHERE namespace_id = ?", namespaceID); err != nil {
			return fmt.Errorf("quota: %w", err)
		}
		if limit == (Counts{AnyNumber, AnyNumber, AnyNumber, AnyNumber}) {
			return nil
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO quotas (namespace_id, requests, sent, received, task_ms) VALUES (?, ?, ?, ?, ?)",
			namespaceID, limit.Requests, limit.Sent, limit.Received, limit.TaskMillis)
		if err != nil {
			return fmt.Errorf("quota: %w", err)
		}
		return nil
	})
}

// By says by what records are summed beside the day.
type By string

// What records can be summed by.
const (
	ByDay   By = "day" // by nothing else
	ByUser  By = "user"
	ByAsset By = "asset"
	ByPayer By = "payer"
)

// Filter says which records to sum. Empty fields do not filter.
type Filter struct {
	PayerID, AssetID string
	From, To         time.Time // days, both included
	By               By
	// Most is how many records there are at most; the error of more is of class ErrMany.
	Most int
}

// ErrMany is the class of reports that would be too long.
var ErrMany = errors.New("too many records; ask for fewer days, or sum by fewer things")

// Record is a sum.
type Record struct {
	Day time.Time
	// ID is the UUID of the user, asset or namespace that is summed by, Name its name now; a name that is gone is empty.
	ID, Name string
	Counts
}

// Report returns sums by day, oldest first, with what was added before the call.
func (u *Usage) Report(ctx context.Context, f Filter) ([]Record, error) {
	if err := u.Flush(ctx); err != nil {
		return nil, err
	}
	by, ok := map[By][2]string{
		ByDay: {"''", "''"}, "": {"''", "''"},
		ByUser:  {"u.user_id", "(SELECT n.name FROM users p JOIN namespaces n ON n.id = p.namespace_id WHERE p.id = x.id)"},
		ByAsset: {"u.asset_id", "(SELECT n.name || '/' || a.name FROM assets a JOIN namespaces n ON n.id = a.namespace_id WHERE a.id = x.id)"},
		ByPayer: {"u.payer_id", "(SELECT n.name FROM namespaces n WHERE n.id = x.id)"},
	}[f.By]
	if !ok {
		return nil, fmt.Errorf("usage: no sums by %q", f.By)
	}
	where, args := "u.day >= ? AND u.day <= ?", []any{f.From.Unix() / dayLength, f.To.Unix() / dayLength}
	if f.PayerID != "" {
		where, args = where+" AND u.payer_id = ?", append(args, f.PayerID)
	}
	if f.AssetID != "" {
		where, args = where+" AND u.asset_id = ?", append(args, f.AssetID)
	}
	rows, err := u.db.Read().QueryContext(ctx, "SELECT x.day, x.id, coalesce("+by[1]+", ''), x.requests, x.sent, x.received, x.task_ms FROM (SELECT u.day AS day, "+by[0]+
		" AS id, sum(u.requests) AS requests, sum(u.sent) AS sent, sum(u.received) AS received, sum(u.task_ms) AS task_ms FROM usage u WHERE "+where+
		" GROUP BY 1, 2) x ORDER BY x.day, x.id LIMIT ?", append(args, f.Most+1)...)
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	defer rows.Close()
	list := []Record{}
	for rows.Next() {
		var r Record
		var day int64
		if err := rows.Scan(&day, &r.ID, &r.Name, &r.Requests, &r.Sent, &r.Received, &r.TaskMillis); err != nil {
			return nil, fmt.Errorf("usage: %w", err)
		}
		r.Day = time.Unix(day*dayLength, 0).UTC()
		list = append(list, r)
	}
	if len(list) > f.Most {
		return nil, fmt.Errorf("%w: there are more than %d", ErrMany, f.Most)
	}
	return list, rows.Err()
}
