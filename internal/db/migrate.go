package db

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var files embed.FS

// migration is one numbered step; its text may hold several statements.
type migration struct {
	number int
	name   string
	text   string
}

// migrations lists the embedded steps of a kind of database, "sqlite" or
// "postgres", in order. The numbers are checked to be 1, 2, 3, … and the names to
// be the same in both by a test, so a fault here is one of ours.
func migrations(kind string) []migration {
	names, err := fs.Glob(files, "migrations/"+kind+"/*.sql")
	if err != nil {
		panic("db: embedded migrations: " + err.Error())
	}
	var list []migration
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic("db: embedded migrations: " + err.Error())
		}
		name = path.Base(name)
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

// versions reads and writes the number of the last step taken.
type versions struct {
	get func(ctx context.Context, tx *sql.Tx) (int, error)
	set func(ctx context.Context, tx *sql.Tx, number int) error
}

// migrate brings the database to the last step of list. All steps of one start
// are one transaction: a crash leaves the old state or the new one.
func migrate(ctx context.Context, w *sql.DB, v versions, list []migration) error {
	tx, err := w.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer tx.Rollback() // best effort: after a commit there is nothing to undo
	at, err := v.get(ctx, tx)
	if err != nil {
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
		if err := v.set(ctx, tx, m.number); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}
