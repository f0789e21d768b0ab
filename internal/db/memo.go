package db

import (
	"context"
	"sync"
	"time"
)

const (
	// memoLife is how long a look-up is remembered at most, so that what a command
	// line tool writes beside a server on SQLite is seen.
	memoLife = time.Second
	// memoSize bounds the look-ups remembered at once, where they are small.
	memoSize = 4096
)

// Memo remembers the results of look-ups until something is written, on
// PostgreSQL by whichever process. It is safe for concurrent use. Values are shared: nobody may modify them.
type Memo[K comparable, V any] struct {
	db   *DB
	now  func() time.Time
	most int // look-ups remembered at once

	mu sync.Mutex
	// writes counts the calls of Forget; both fields are guarded by mu.
	writes uint64
	known  map[K]remembered[V]
}

type remembered[V any] struct {
	value V
	at    time.Time
	stamp int64 // DB.Stamp before it was looked up
}

// NewMemo returns an empty memo of what is found in d. now is the clock.
func NewMemo[K comparable, V any](d *DB, now func() time.Time) *Memo[K, V] {
	return NewSmallMemo[K, V](d, now, memoSize)
}

// NewSmallMemo returns an empty memo that holds at most so many values, for large ones.
func NewSmallMemo[K comparable, V any](d *DB, now func() time.Time, most int) *Memo[K, V] {
	return &Memo[K, V]{db: d, now: now, most: most, known: map[K]remembered[V]{}}
}

// Get returns what is remembered for k, or what find finds. Errors are not
// remembered, nor is what was found while Forget was called.
func (m *Memo[K, V]) Get(ctx context.Context, k K, find func() (V, error)) (V, error) {
	stamp, err := m.db.Stamp(ctx)
	if err != nil {
		var none V
		return none, err
	}
	m.mu.Lock()
	r, ok := m.known[k]
	writes := m.writes
	m.mu.Unlock()
	if age := m.now().Sub(r.at); ok && r.stamp == stamp && age >= 0 && age < memoLife { // a clock may be set back
		return r.value, nil
	}
	at := m.now()
	v, err := find()
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes == writes {
		if len(m.known) >= m.most {
			clear(m.known)
		}
		m.known[k] = remembered[V]{v, at, stamp}
	}
	return v, nil
}

// Forget is to be called after every write that can change a result.
func (m *Memo[K, V]) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	clear(m.known)
}
