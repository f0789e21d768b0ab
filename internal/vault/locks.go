package vault

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
)

// alone runs work while nobody else has key, among those of this process that ask l and in no other server process.
func (v *Vault) alone(ctx context.Context, l *keyedLocks, key string, work func() error) error {
	unlock, err := l.lock(ctx, key)
	if err != nil {
		return fmt.Errorf("waiting for another request: %w", err)
	}
	defer unlock()
	release, err := v.catalog.Exclude(ctx, key)
	if err != nil {
		return fmt.Errorf("waiting for another server: %w", err)
	}
	return errors.Join(work(), release())
}

// numLocks is the number of locks that all keys share: keys that fall on the same one wait for each other, which costs a
// little time, and the memory does not grow with the keys.
const numLocks = 64

// keyedLocks lets one holder of a key in at a time. It is safe for concurrent use.
type keyedLocks struct {
	seed maphash.Seed
	// held has room for the holder of each lock.
	held [numLocks]chan struct{}
}

func newKeyedLocks() *keyedLocks {
	l := &keyedLocks{seed: maphash.MakeSeed()}
	for i := range l.held {
		l.held[i] = make(chan struct{}, 1)
	}
	return l
}

// lock waits until nobody else has the key and returns the function that gives it back; the error is that of ctx. A holder
// must not ask for another key.
func (l *keyedLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	held := l.held[maphash.String(l.seed, key)%numLocks]
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
