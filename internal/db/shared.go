package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"sync"
)

// shared is what the server processes of one PostgreSQL database agree by: advisory locks, which the database gives back
// when the process that held one ends, however it ends.
type shared struct {
	pool *sql.DB
	// maker is this process; its lock is held by alive.
	maker int64

	mu    sync.Mutex
	alive *sql.Conn // guarded by mu; the connection on which maker is locked, nil when it was lost
}

// share makes the process known to the others.
func share(ctx context.Context, pool *sql.DB) (*shared, error) {
	var random [8]byte
	rand.Read(random[:])
	s := &shared{pool: pool, maker: int64(binary.LittleEndian.Uint64(random[:]) >> 1)}
	if err := s.refresh(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return s, nil
}

// refresh takes the lock of this process again if the connection that held it is lost.
func (s *shared) refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive != nil {
		if err := s.alive.PingContext(ctx); err == nil {
			return nil
		} else if ctx.Err() != nil {
			return err
		}
		s.alive.Close() // best effort: it is broken
		s.alive = nil
	}
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(?)", s.maker); err != nil {
		return errors.Join(err, conn.Close())
	}
	s.alive = conn
	return nil
}

func (s *shared) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.alive != nil {
		err = giveBack(context.Background(), s.alive, s.maker)
	}
	return errors.Join(err, s.pool.Close())
}

// Shared reports whether other server processes may use the database too.
func (d *DB) Shared() bool { return d.shared != nil }

// Maker is a text that names this server process among all that share the database, for rows that it has not ended yet;
// empty where there is only one. It makes sure that the others see this process alive.
func (d *DB) Maker(ctx context.Context) (string, error) {
	if d.shared == nil {
		return "", nil
	}
	if err := d.shared.refresh(ctx); err != nil {
		return "", err
	}
	return strconv.FormatInt(d.shared.maker, 10), nil
}

// Alive reports whether the server process that Maker named so still runs. Where there is only one process, what another
// has left is of a dead one.
func (d *DB) Alive(ctx context.Context, maker string) (bool, error) {
	if d.shared == nil || maker == "" {
		return false, nil
	}
	n, err := strconv.ParseInt(maker, 10, 64)
	if err != nil {
		return false, fmt.Errorf("maker %q: %w", maker, err)
	}
	if n == d.shared.maker {
		return true, nil
	}
	var free bool
	err = d.read.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock(?)", n).Scan(&free)
	return !free, err
}

// Exclude waits until no other process holds key and returns the function that gives it back. A holder must not ask for
// another key. Where there is only one process there is nothing to wait for: callers exclude each other within it.
func (d *DB) Exclude(ctx context.Context, key string) (release func() error, err error) {
	if d.shared == nil {
		return func() error { return nil }, nil
	}
	conn, err := d.shared.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	h := fnv.New64a()
	h.Write([]byte(key))
	n := int64(h.Sum64() | 1<<63) // makers have this bit clear
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(?)", n); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// After the work is done its client may be gone; the lock is given back all the same.
	return func() error { return giveBack(context.WithoutCancel(ctx), conn, n) }, nil
}

// giveBack gives back a lock and the connection that holds it. Of a connection that broke both are gone already.
func giveBack(ctx context.Context, conn *sql.Conn, n int64) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock(?)", n)
	if errors.Is(err, driver.ErrBadConn) {
		err = nil
	}
	if shut := conn.Close(); !errors.Is(shut, driver.ErrBadConn) {
		err = errors.Join(err, shut)
	}
	return err
}

// stampKey is where Once keeps its stamp in a context.
type stampKey struct{}

// stampOnce is a stamp that is read when it is first asked for.
type stampOnce struct {
	once  sync.Once
	stamp int64
	err   error
}

// Once returns a context in which what is remembered is held against the changes that were committed when it was first
// looked at: one look for all memories of a request.
func (d *DB) Once(ctx context.Context) context.Context {
	if d.shared == nil {
		return ctx
	}
	return context.WithValue(ctx, stampKey{}, &stampOnce{})
}

// Stamp returns a number that is another one after every change that any process commits; 0 where there is only one
// process, which tells its memories itself.
func (d *DB) Stamp(ctx context.Context) (int64, error) {
	if d.shared == nil {
		return 0, nil
	}
	if o, ok := ctx.Value(stampKey{}).(*stampOnce); ok {
		o.once.Do(func() { o.stamp, o.err = d.readStamp(ctx) })
		return o.stamp, o.err
	}
	return d.readStamp(ctx)
}

func (d *DB) readStamp(ctx context.Context) (n int64, err error) {
	if err = d.Read().QueryRowContext(ctx, "SELECT n FROM changes").Scan(&n); err != nil {
		return 0, fmt.Errorf("changes: %w", err)
	}
	return n, nil
}
