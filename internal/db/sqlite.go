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

	"modernc.org/sqlite" // also registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// openSQLite opens or creates the file at path, in write-ahead mode with
// synchronous=FULL.
func openSQLite(ctx context.Context, path string) (*DB, error) {
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
	if err := migrate(ctx, d.write, sqliteVersion, migrations("sqlite")); err != nil {
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

func takenInSQLite(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// sqliteVersion keeps the number of the last migration as SQLite's user_version.
var sqliteVersion = versions{
	get: func(ctx context.Context, tx *sql.Tx) (at int, err error) {
		return at, tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&at)
	},
	set: func(ctx context.Context, tx *sql.Tx, number int) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", number))
		return err
	},
}
