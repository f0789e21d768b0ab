package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// pgWriters, pgReaders and pgHolders are the connections of one server process
	// that write, read, and hold locks at most.
	pgWriters = 4
	pgReaders = 16
	pgHolders = 8
	// pgTurn is the number of the advisory lock under which one writes.
	pgTurn = 0x617a756c656a6f // "azulejo"
	// pgTaken is PostgreSQL's unique_violation.
	pgTaken = "23505"
)

// openPostgres opens the database of a URL.
func openPostgres(ctx context.Context, url string) (*DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the PostgreSQL URL cannot be read; it has the form postgres://user:password@host:port/database")
	}
	// An acknowledged change survives a crash, whatever the server's own default.
	config.RuntimeParams["synchronous_commit"] = "on"
	config.RuntimeParams["application_name"] = "azulejo"
	d := &DB{write: openPool(*config, pgWriters)}
	if err := migrate(ctx, d.write, postgresVersion, migrations("postgres")); err != nil {
		return nil, errors.Join(err, d.write.Close())
	}
	readOnly := *config
	readOnly.RuntimeParams = map[string]string{"default_transaction_read_only": "on", "application_name": "azulejo"}
	d.read = newReader(openPool(readOnly, pgReaders))
	if d.shared, err = share(ctx, openPool(*config, pgHolders)); err != nil {
		return nil, errors.Join(err, d.read.Close(), d.write.Close())
	}
	return d, nil
}

func openPool(config pgx.ConnConfig, most int) *sql.DB {
	pool := sql.OpenDB(pgConnector{stdlib.GetConnector(config)})
	pool.SetMaxOpenConns(most)
	pool.SetMaxIdleConns(most)
	return pool
}

// inTurn runs fn while no other Update of any process runs, and counts the change.
func inTurn(ctx context.Context, tx *sql.Tx, fn func(tx *sql.Tx) error) error {
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", int64(pgTurn)); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(tx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE changes SET n = n + 1"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// postgresVersion keeps the number of the last migration in a table, and lets one process migrate at a time.
var postgresVersion = versions{
	get: func(ctx context.Context, tx *sql.Tx) (at int, err error) {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", int64(pgTurn)); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY)"); err != nil {
			return 0, err
		}
		return at, tx.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) FROM migrations").Scan(&at)
	},
	set: func(ctx context.Context, tx *sql.Tx, number int) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO migrations (number) VALUES (?)", number)
		return err
	},
}

func takenInPostgres(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == pgTaken
}

// pgConnector makes connections that understand SQLite's placeholders.
type pgConnector struct{ driver.Connector }

// Connect is driver.Connector's; its error is of class ErrUnavailable.
func (c pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	pg, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("database driver: a %T is no connection of pgx", conn), conn.Close())
	}
	return pgConn{pg}, nil
}

// pgConn is a connection of pgx that takes statements with ? and ?1.
type pgConn struct{ *stdlib.Conn }

// Prepare is driver.Conn's.
func (c pgConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext is driver.ConnPrepareContext's.
func (c pgConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	prepared, err := c.Conn.PrepareContext(ctx, numbered(query))
	if err != nil {
		return nil, c.lost(err)
	}
	pg, ok := prepared.(*stdlib.Stmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("database driver: a %T is no statement of pgx", prepared), prepared.Close())
	}
	return pgStmt{pg, c}, nil
}

// ExecContext is driver.ExecerContext's.
func (c pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	res, err := c.Conn.ExecContext(ctx, numbered(query), args)
	return res, c.lost(err)
}

// QueryContext is driver.QueryerContext's.
func (c pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.QueryContext(ctx, numbered(query), args)
	return rows, c.lost(err)
}

// BeginTx is driver.ConnBeginTx's.
func (c pgConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, o)
	return tx, c.lost(err)
}

// lost returns driver.ErrBadConn for an error that ended the connection, unless it is the caller's context. Nothing was
// committed then: commits do not come through here. So package sql may try another connection, and Update says that the
// database cannot be reached.
func (c pgConn) lost(err error) error {
	if err == nil || !c.Conn.Conn().IsClosed() || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return driver.ErrBadConn
}

// pgStmt is a prepared statement of a pgConn.
type pgStmt struct {
	*stdlib.Stmt
	conn pgConn
}

// ExecContext is driver.StmtExecContext's.
func (s pgStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	res, err := s.Stmt.ExecContext(ctx, args)
	return res, s.conn.lost(err)
}

// QueryContext is driver.StmtQueryContext's.
func (s pgStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.Stmt.QueryContext(ctx, args)
	return rows, s.conn.lost(err)
}

// CheckNamedValue is driver.NamedValueChecker's: it refuses texts that PostgreSQL cannot hold before they are sent.
func (c pgConn) CheckNamedValue(v *driver.NamedValue) error {
	if s, ok := v.Value.(string); ok && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
		return fmt.Errorf("%w: it is not UTF-8 or has a zero byte", ErrText)
	}
	return c.Conn.CheckNamedValue(v)
}

// numbered writes the placeholders ? and ?1 of a statement as $1, outside of texts in single quotes.
func numbered(query string) string {
	if !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	b.Grow(len(query) + 16)
	quoted, next := false, 1
	for i := 0; i < len(query); i++ {
		c := query[i]
		if c == '\'' {
			quoted = !quoted
		}
		if c != '?' || quoted {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('$')
		if i+1 < len(query) && query[i+1] >= '0' && query[i+1] <= '9' {
			continue // the number follows
		}
		b.WriteString(strconv.Itoa(next))
		next++
	}
	return b.String()
}
