package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrOccupied means that the database to carry metadata to has some already.
var ErrOccupied = errors.New("the database has users already")

// Carried is how many rows of a table were carried over.
type Carried struct {
	Table string
	Rows  int
}

// Carry copies all metadata from a SQLite database to a PostgreSQL database that no server has used yet: all tables in one
// transaction, or nothing. No server may run on from meanwhile, which stays as it is. The error is of class ErrOccupied
// when there are users in to, and ErrText when a text cannot be kept there.
func Carry(ctx context.Context, from, to *DB) ([]Carried, error) {
	if from.shared != nil || to.shared == nil {
		return nil, errors.New("metadata is carried from a SQLite database to a PostgreSQL database only")
	}
	tables, err := texts(ctx, from.read.pool, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
	if err != nil {
		return nil, err
	}
	// Nobody else writes meanwhile, not even another command.
	source, err := from.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer source.Rollback() // best effort: it only read
	// What only SQLite has, such as the tables behind a search index, has nothing to be carried to.
	known, err := texts(ctx, to.Read(), "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
	if err != nil {
		return nil, err
	}
	tables = slices.DeleteFunc(tables, func(table string) bool { return !slices.Contains(known, table) })
	var carried []Carried
	err = to.Update(ctx, func(tx *sql.Tx) error {
		var users int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&users); err != nil {
			return err
		}
		if users > 0 {
			return fmt.Errorf("%w: %d", ErrOccupied, users)
		}
		// Migrations put rows of their own in; those of the source take their place. Tables refer to older ones.
		for _, table := range slices.Backward(tables) {
			if err := empty(ctx, tx, table); err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
		}
		for _, table := range tables {
			n, err := carryTable(ctx, source, tx, table)
			if err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
			carried = append(carried, Carried{table, n})
		}
		return nil
	})
	return carried, err
}

// texts returns the one column of a query.
func texts(ctx context.Context, q Querier, query string, args ...any) (list []string, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// empty removes all rows of a table. Where there are none it does nothing, as some tables take no removal.
func empty(ctx context.Context, tx *sql.Tx, table string) error {
	var n int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n)
	if err == nil && n > 0 {
		_, err = tx.ExecContext(ctx, "DELETE FROM "+table)
	}
	return err
}

// carryTable copies the rows of one table to PostgreSQL; names of tables and columns are those of our migrations.
func carryTable(ctx context.Context, from, to *sql.Tx, table string) (n int, err error) {
	const column = "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ? AND "
	flags, err := texts(ctx, to, column+"data_type = 'boolean'", table)
	if err != nil {
		return 0, err
	}
	counters, err := texts(ctx, to, column+"is_identity = 'YES'", table)
	if err != nil {
		return 0, err
	}
	n, err = copyTable(ctx, from, to, table, "*", "OVERRIDING SYSTEM VALUE", func(column string, v any) any {
		if number, ok := v.(int64); ok && slices.Contains(flags, column) {
			return number != 0
		}
		return v
	})
	if err != nil {
		return n, err
	}
	for _, name := range counters {
		_, err := to.ExecContext(ctx, "SELECT setval(pg_get_serial_sequence(?1, ?2), coalesce(max("+name+"), 0) + 1, false) FROM "+table, table, name)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// copyTable copies columns, or all as "*", of the rows of one table. over stands before the values that are inserted, and
// convert makes of a value what is kept.
func copyTable(ctx context.Context, from, to *sql.Tx, table, which, over string, convert func(column string, v any) any) (n int, err error) {
	rows, err := from.QueryContext(ctx, "SELECT "+which+" FROM "+table)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	insert, err := to.PrepareContext(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") "+over+" VALUES (?"+
		strings.Repeat(", ?", len(columns)-1)+")")
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		for i, name := range columns {
			if b, ok := values[i].([]byte); ok && b == nil {
				values[i] = []byte{} // no bytes are not no value
			}
			values[i] = convert(name, values[i])
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return n, fmt.Errorf("row %d: %w", n+1, err)
		}
	}
	return n, rows.Err()
}
