package vault

import (
	"context"
	"hash/maphash"
)

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
