package db

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var files embed.FS

// migration is one numbered step; its text may hold several statements.
type migration struct {
	number int
	name   string
	text   string
}

// migrations lists the embedded steps in order. The numbers are checked to be
// 1, 2, 3, … by a test, so a fault here is one of ours.
func migrations() []migration {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		panic("db: embedded migrations: " + err.Error())
	}
	var list []migration
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic("db: embedded migrations: " + err.Error())
		}
		name = strings.TrimPrefix(name, "migrations/")
		digits, _, _ := strings.Cut(name, "_")
		n, err := strconv.Atoi(digits)
		if err != nil {
			panic("db: migration without a number: " + name)
		}
		list = append(list, migration{n, name, string(text)})
	}
	slices.SortFunc(list, func(a, b migration) int { return a.number - b.number })
	return list
}

// migrate brings the database to the last step of list. All steps of one start
// are one transaction: a crash leaves the old state or the new one. The number
// of the last step taken is SQLite's user_version.
func migrate(ctx context.Context, w *sql.DB, list []migration) error {
	tx, err := w.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer tx.Rollback() // best effort: after a commit there is nothing to undo
	var at int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&at); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if last := list[len(list)-1].number; at > last {
		return fmt.Errorf("%w: it is at migration %d, this program knows %d; install a newer azulejo", ErrTooNew, at, last)
	}
	for _, m := range list {
		if m.number <= at {
			continue
		}
		if _, err := tx.ExecContext(ctx, m.text); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", m.number)); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}
