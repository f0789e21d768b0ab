package db

import (
	"context"
	"database/sql"
	"sync"
)

// maxStatements bounds the statements a reader keeps prepared. The server has
// some dozens of fixed ones; those with a variable number of conditions take
// what is left and are then prepared each time.
const maxStatements = 128

// reader is the pool of read-only connections with its statements prepared:
// parsing costs more than running most of them. It is safe for concurrent use.
type reader struct {
	pool *sql.DB

	mu         sync.RWMutex
	statements map[string]*sql.Stmt // guarded by mu
}

func newReader(pool *sql.DB) *reader {
	return &reader{pool: pool, statements: map[string]*sql.Stmt{}}
}

// QueryContext is sql.DB.QueryContext.
func (r *reader) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := r.prepared(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return r.pool.QueryContext(ctx, query, args...)
}

// QueryRowContext is sql.DB.QueryRowContext.
func (r *reader) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := r.prepared(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return r.pool.QueryRowContext(ctx, query, args...)
}

// prepared returns the statement of a query text, or nil where it cannot be
// kept: the plain query then says what is wrong.
func (r *reader) prepared(ctx context.Context, query string) *sql.Stmt {
	r.mu.RLock()
	s, full := r.statements[query], len(r.statements) >= maxStatements
	r.mu.RUnlock()
	if s != nil || full {
		return s
	}
	s, err := r.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.statements[query]; other != nil {
		s.Close() // best effort: another call has prepared the same text
		return other
	}
	r.statements[query] = s
	return s
}

// Close closes the statements with their connections.
func (r *reader) Close() error { return r.pool.Close() }
