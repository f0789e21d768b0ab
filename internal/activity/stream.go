package activity

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"os"
	"time"

	"azulejo/internal/db"
)

// Line is an entry of the audit log with its number, as streams carry it. Numbers grow; each is sent at least once, and who
// gets one twice tells by it.
type Line struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"`
	Event     Event     `json:"event"`
	UserID    string    `json:"user_id,omitempty"`
	TokenID   string    `json:"token_id,omitempty"`
	TokenName string    `json:"token_name,omitempty"`
	Address   string    `json:"address,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
	Detail    string    `json:"detail,omitempty"`
}

const (
	// streamBatch is how many lines go out at a time.
	streamBatch = 500
	// streamEvery is how often a stream looks for new lines, streamPause how long it waits after a failure at most.
	streamEvery = time.Second
	streamPause = time.Minute
)

// Stream sends the audit log elsewhere, in order. Where it is stands in the database, so that nothing is lost when the server
// ends or the other side is away, however long. Of several servers on one database one sends at a time.
type Stream struct {
	db   *db.DB
	name string
	send func(context.Context, []Line) error
}

// NewStream returns the stream of a name. send hands lines over; when it returns nil they are safe there.
func NewStream(d *db.DB, name string, send func(context.Context, []Line) error) *Stream {
	return &Stream{db: d, name: name, send: send}
}

// Run sends what is new until ctx ends, and reports what fails.
func (s *Stream) Run(ctx context.Context, report func(error)) {
	pause := streamEvery
	for {
		n, err := s.Step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			report(fmt.Errorf("audit stream to the %s: %w", s.name, err))
			pause = min(2*pause, streamPause)
		case n == streamBatch:
			continue // there is more
		default:
			pause = streamEvery
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Step sends the next lines and returns how many there were.
func (s *Stream) Step(ctx context.Context) (n int, err error) {
	release, err := s.db.Exclude(ctx, "audit stream "+s.name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, release()) }()
	var last int64
	err = s.db.Read().QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM audit_streams WHERE name = ?", s.name).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("position: %w", err)
	}
	list, err := s.after(ctx, last)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	if err := s.send(ctx, list); err != nil {
		return 0, err
	}
	return len(list), s.db.Update(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO audit_streams (name, seq) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
			s.name, list[len(list)-1].Seq)
		if err != nil {
			return fmt.Errorf("position: %w", err)
		}
		return nil
	})
}

func (s *Stream) after(ctx context.Context, last int64) ([]Line, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT seq, at, event, user_id, token_id, token_name, address, request_id, detail FROM audit
		WHERE seq > ? ORDER BY seq LIMIT ?`, last, streamBatch)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer rows.Close()
	var list []Line
	for rows.Next() {
		var l Line
		var at int64
		if err := rows.Scan(&l.Seq, &at, &l.Event, &l.UserID, &l.TokenID, &l.TokenName, &l.Address, &l.RequestID, &l.Detail); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		l.At = time.Unix(at, 0).UTC()
		list = append(list, l)
	}
	return list, rows.Err()
}

// ToFile returns what appends lines of JSON to a file, which it opens anew each time, so that it can be moved away, and makes if
// need be. Lines that are in it already, from a batch that broke off, are not written twice.
func ToFile(path string) func(context.Context, []Line) error {
	return func(_ context.Context, list []Line) (err error) {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		last, end, err := tail(file)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		for _, l := range list {
			if l.Seq <= last {
				continue
			}
			text, err := json.Marshal(l)
			if err != nil {
				return err
			}
			out.Write(append(text, '\n'))
		}
		if err := file.Truncate(end); err != nil {
			return err
		}
		if _, err := file.WriteAt(out.Bytes(), end); err != nil {
			return err
		}
		return file.Sync()
	}
}

// maxLine is the longest line that a tail is looked through for.
const maxLine = 1 << 20

// tail returns the number of the last whole line of a file and where that line ends: what follows was not written to the end.
func tail(file *os.File) (last, end int64, err error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return 0, 0, err
	}
	from := max(info.Size()-2*maxLine, 0)
	p := make([]byte, info.Size()-from)
	if _, err := file.ReadAt(p, from); err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	whole := bytes.LastIndexByte(p, '\n') + 1
	end = from + int64(whole)
	if whole == 0 {
		return 0, end, nil
	}
	begin := bytes.LastIndexByte(p[:whole-1], '\n') + 1
	var l Line
	if err := json.Unmarshal(p[begin:whole], &l); err != nil {
		return 0, 0, fmt.Errorf("the last line of %s is none of the audit log; move the file away: %w", file.Name(), err)
	}
	return l.Seq, end, nil
}

// SignatureHeader carries the HMAC-SHA-256 of the body of a webhook's request under the secret that both sides know.
const SignatureHeader = "X-Azulejo-Signature"

// ToWebhook returns what posts lines as {"events": […]} to a URL through a client, signed with a secret unless that is empty. Any
// answer of 2xx says that they are safe there.
func ToWebhook(client *http.Client, url, secret string) func(context.Context, []Line) error {
	return func(ctx context.Context, list []Line) error {
		body, err := json.Marshal(map[string][]Line{"events": list})
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		if secret != "" {
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write(body)
			r.Header.Set(SignatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
		}
		reply, err := client.Do(r)
		if e, ok := errors.AsType[*neturl.Error](err); ok {
			err = e.Err // without the address, which may hold a secret
		}
		if err != nil {
			return err
		}
		defer reply.Body.Close()
		if reply.StatusCode/100 != 2 {
			return fmt.Errorf("it answers %s", reply.Status)
		}
		return nil
	}
}

// Retain removes uses of assets from before a time. The audit log is never shortened.
func (u *Uses) Retain(ctx context.Context, before time.Time) error {
	return u.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE uses_retention SET before_at = ?", before.UnixMilli()); err != nil {
			return fmt.Errorf("activity: %w", err)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM uses WHERE at < ?", before.UnixMilli()); err != nil {
			return fmt.Errorf("activity: %w", err)
		}
		return nil
	})
}
