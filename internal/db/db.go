// Package db opens the server's metadata database, a SQLite file or a PostgreSQL
// database, and brings it up to date by numbered migrations that only go forward.
//
// Once Update returns nil, its changes survive a crash of the process and of the
// machine. Writers follow one another in both: in SQLite through the one
// connection that writes, in PostgreSQL through a lock that every Update holds.
// So a check made inside an Update holds until it commits.
//
// SQLite serves one server process, and command line tools beside it, which are
// waited for up to the busy timeout. PostgreSQL serves any number of server
// processes over one storage: see Makers and Exclude for what they must not do
// at once, and Memo for what they may remember.
//
// Statements are written for SQLite, with the placeholders ? and ?1; what both
// understand is used, and internal/oracle/dbtest runs tests against both.
//
// A Tx of Update must not outlive its function, and nothing slow (hashing,
// storage) belongs inside one.
package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error classes.
var (
	// ErrTooNew means that a newer program has already migrated the database.
	ErrTooNew = errors.New("database was written by a newer azulejo")
	// ErrInUse means that another server process serves the same directory.
	ErrInUse = errors.New("data directory is in use by another server")
	// ErrUnavailable means that the PostgreSQL server cannot be reached now;
	// nothing was changed.
	ErrUnavailable = errors.New("the metadata database cannot be reached")
	// ErrText is a text that cannot be kept: it is not UTF-8 or has a zero byte.
	ErrText = errors.New("text that cannot be kept")
)

// DB is the open database. It is safe for concurrent use.
type DB struct {
	write *sql.DB // of SQLite exactly one connection
	read  *reader // read-only connections
	// shared is what several server processes agree by; nil in SQLite.
	shared *shared
}

// Querier is what a query needs: a Tx, or the pool of readers.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const (
	busyTimeout = 10 * time.Second
	readers     = 4
)

// Open opens the database at source and migrates it: a URL postgres://… of a
// database that exists, or the path of a SQLite file, which is created if there
// is none and which only its owner may read. An error is of class ErrTooNew if a
// newer program wrote it, and ErrUnavailable if there is no such PostgreSQL
// server. No error holds the URL's password.
func Open(ctx context.Context, source string) (*DB, error) {
	if IsPostgres(source) {
		return openPostgres(ctx, source)
	}
	return openSQLite(ctx, source)
}

// IsPostgres reports whether a source of Open names a PostgreSQL database.
func IsPostgres(source string) bool {
	return strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://")
}

// Read returns the read-only side. Every query made through it sees all that
// was committed before it began.
func (d *DB) Read() Querier { return d.read }

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error { return d.read.pool.PingContext(ctx) }

// Update runs fn in one write transaction and commits it durably if fn returns
// nil, else rolls it back and returns fn's error unchanged.
func (d *DB) Update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	run := fn
	if d.shared != nil {
		run = func(tx *sql.Tx) error { return inTurn(ctx, tx, fn) }
	}
	if err := run(tx); err != nil {
		if errors.Is(err, driver.ErrBadConn) {
			return fmt.Errorf("%w: the connection broke", ErrUnavailable)
		}
		if back := tx.Rollback(); back != nil && !errors.Is(back, sql.ErrTxDone) {
			return errors.Join(err, back)
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Close closes both sides; no transaction may be running.
func (d *DB) Close() error {
	var err error
	if d.shared != nil {
		err = d.shared.close()
	}
	return errors.Join(err, d.read.Close(), d.write.Close())
}

// IsTaken reports whether err is a broken UNIQUE or PRIMARY KEY rule.
func IsTaken(err error) bool { return takenInSQLite(err) || takenInPostgres(err) }
