// Package db opens the server's SQLite database: one connection that writes,
// a few that read, and numbered migrations that only go forward.
//
// Write-ahead log with synchronous=FULL: once Update returns nil, its changes
// survive a crash of the process and of the machine. All writers of a process
// pass through one connection, so they queue in Go and never meet SQLITE_BUSY
// from each other; another process (the command line beside a running server)
// is waited for up to the busy timeout.
//
// A Tx of Update must not outlive its function, and nothing slow (hashing,
// storage) belongs inside one.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite" // also registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Error classes.
var (
	// ErrTooNew means that a newer program has already migrated the database.
	ErrTooNew = errors.New("database was written by a newer azulejo")
	// ErrInUse means that another server process serves the same directory.
	ErrInUse = errors.New("data directory is in use by another server")
)

// DB is the open database. It is safe for concurrent use.
type DB struct {
	write *sql.DB // exactly one connection
	read  *reader // read-only connections
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

// Open opens or creates the database file at path, which only its owner may
// read, and migrates it. An error is of class ErrTooNew if a newer program
// wrote it.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("database directory: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	d := &DB{}
	if d.write, err = sql.Open("sqlite", dsn(path, "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)")); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	d.write.SetMaxOpenConns(1)
	if err := migrate(ctx, d.write, migrations()); err != nil {
		return nil, errors.Join(err, d.write.Close())
	}
	pool, err := sql.Open("sqlite", dsn(path, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", err), d.write.Close())
	}
	pool.SetMaxOpenConns(readers)
	pool.SetMaxIdleConns(readers)
	d.read = newReader(pool)
	return d, nil
}

func dsn(path string, pragmas ...string) string {
	q := url.Values{"_txlock": {"immediate"}}
	q.Add("_pragma", "busy_timeout("+strconv.FormatInt(busyTimeout.Milliseconds(), 10)+")")
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
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
	if err := fn(tx); err != nil {
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
func (d *DB) Close() error { return errors.Join(d.read.Close(), d.write.Close()) }

// IsTaken reports whether err is a broken UNIQUE or PRIMARY KEY rule.
func IsTaken(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}
