package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"modernc.org/sqlite"
)

// Backup writes all metadata as it is at one moment into a new SQLite file at path, which only its owner may read; servers
// go on meanwhile. Of a SQLite database it is a copy page by page, of a PostgreSQL database the rows of all tables, so that
// Carry brings it back to either. The error wraps os.ErrExist when there is a file already.
func (d *DB) Backup(ctx context.Context, path string) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if d.shared != nil {
		return d.export(ctx, path)
	}
	conn, err := d.read.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(driver any) error {
		source, ok := driver.(interface {
			NewBackup(string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("database driver: a %T makes no backups", driver)
		}
		b, err := source.NewBackup((&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String())
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		// All pages in one step: a reader of a database in write-ahead mode holds up nobody.
		_, err = b.Step(-1)
		if err = errors.Join(err, b.Finish()); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		return nil
	})
}

// export copies the rows of a PostgreSQL database, all as of one moment, to a SQLite file.
func (d *DB) export(ctx context.Context, path string) (err error) {
	to, err := openSQLite(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	source, err := d.read.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer source.Rollback() // best effort: it only read
	known, err := texts(ctx, source, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	tables, err := texts(ctx, to.Read(), "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	tables = slices.DeleteFunc(tables, func(table string) bool { return !slices.Contains(known, table) })
	return to.Update(ctx, func(tx *sql.Tx) error {
		// What refers to rows that come later is held against them at the end.
		if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = ON"); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		for _, table := range slices.Backward(tables) {
			if err := empty(ctx, tx, table); err != nil {
				return fmt.Errorf("backup of table %s: %w", table, err)
			}
		}
		for _, table := range tables {
			columns, err := texts(ctx, tx, "SELECT name FROM pragma_table_info(?)", table)
			if err != nil {
				return fmt.Errorf("backup of table %s: %w", table, err)
			}
			_, err = copyTable(ctx, source, tx, table, strings.Join(columns, ", "), "", func(_ string, v any) any { return v })
			if err != nil {
				return fmt.Errorf("backup of table %s: %w", table, err)
			}
		}
		return nil
	})
}

// Users returns how many users there are; a database without any was not used yet.
func (d *DB) Users(ctx context.Context) (n int, err error) {
	if err := d.Read().QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&n); err != nil {
		return 0, fmt.Errorf("users: %w", err)
	}
	return n, nil
}
