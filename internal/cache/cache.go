// Package cache keeps what was decoded from files that never change, for use by later queries: one bounded store for
// everything, with counters.
//
// There are two kinds of things. Descriptions (schemas, enumerations, footers with R-trees, tile positions and statistics)
// are kept at once: every query of an array needs them. Cells (unfiltered tiles and chunks of them) are many and most are
// read once, so they are kept only when they were asked for a second time within a while, and may take only a part of the
// room, so that a scan flushes nothing. Each kind drops what was not used for longest.
//
// A name must never stand for other contents: the cache asks nobody whether something changed.
package cache

import (
	"container/list"
	"hash/maphash"
	"sync"
)

// Kind is what something kept is.
type Kind uint8

// The kinds.
const (
	// Description is kept at once.
	Description Kind = iota
	// Cells are kept at the second time.
	Cells
	numKinds
)

// String returns the name of the kind in metrics.
func (k Kind) String() string { return [...]string{"description", "cells"}[k] }

// Key names what is kept. It is comparable; Owner is a text or a pointer.
type Key struct {
	Owner any
	// File, Tile and Chunk tell cells of one owner apart; -1 stands for all chunks of a tile.
	File  uint8
	Tile  uint64
	Chunk int64
}

// cellsShare is the part of the limit that cells may take: one in so many.
const cellsShare = 2

// seenSlots is the number of names of cells that are remembered as asked for once.
const seenSlots = 1 << 14

// Cache is a bounded store. A nil Cache keeps nothing. It is safe for concurrent use.
type Cache struct {
	limit int64
	seed  maphash.Seed

	mu sync.Mutex
	// All below is guarded by mu. order has the newest of each kind first.
	used  [numKinds]int64
	order [numKinds]*list.List
	byKey map[Key]*list.Element
	count [numKinds]Counts
	// seen has marks of cells that were asked for and not found; a newer one takes the slot of an older.
	seen []uint32
}

// entry is an element of Cache.order.
type entry struct {
	key    Key
	kind   Kind
	value  any
	nBytes int64
}

// Counts says what happened to things of one kind since the start, and what is kept now.
type Counts struct {
	// Hits and Misses count look-ups, Dropped what made room for others.
	Hits, Misses, Dropped uint64
	// Entries and NBytes are what is kept, the bytes by estimate.
	Entries, NBytes int64
}

// New returns a cache that holds up to limit bytes, by estimate; nil, which keeps nothing, when limit is 0 or less.
func New(limit int64) *Cache {
	if limit <= 0 {
		return nil
	}
	c := &Cache{limit: limit, seed: maphash.MakeSeed(), byKey: map[Key]*list.Element{}, seen: make([]uint32, seenSlots)}
	for k := range c.order {
		c.order[k] = list.New()
	}
	return c
}

// Counts returns the counters of a kind.
func (c *Cache) Counts(k Kind) Counts {
	if c == nil {
		return Counts{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.count[k]
	n.Entries, n.NBytes = int64(c.order[k].Len()), c.used[k]
	return n
}

// Room returns how many bytes of a kind may be kept.
func (c *Cache) Room(k Kind) int64 {
	switch {
	case c == nil:
		return 0
	case k == Cells:
		return c.limit / cellsShare
	}
	return c.limit
}

// Get returns what is kept under a key.
func (c *Cache) Get(k Kind, key Key) (any, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		c.count[k].Misses++
		return nil, false
	}
	c.count[k].Hits++
	c.order[k].MoveToFront(e)
	return e.Value.(*entry).value, true
}

// Wants reports whether cells that were just looked for in vain should be put, because it was not the first time. What is
// larger than a part of the room is never wanted.
func (c *Cache) Wants(key Key, nBytes int64) bool {
	if c == nil || nBytes > c.Room(Cells)/8 {
		return false
	}
	h := maphash.Comparable(c.seed, key)
	// Two keys of one slot would forget each other for ever, so a slot has two places.
	slot, mark := h%(seenSlots/2)*2, uint32(h>>32)|1
	c.mu.Lock()
	defer c.mu.Unlock()
	again := c.seen[slot] == mark || c.seen[slot+1] == mark
	if !again {
		c.seen[slot], c.seen[slot+1] = mark, c.seen[slot]
	}
	return again
}

// Put keeps a value and returns it, or the one that was put there before. nBytes estimates what it holds in memory.
func (c *Cache) Put(k Kind, key Key, value any, nBytes int64) any {
	if c == nil || nBytes > c.Room(k) {
		return value
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.order[k].MoveToFront(e)
		return e.Value.(*entry).value
	}
	c.byKey[key] = c.order[k].PushFront(&entry{key, k, value, nBytes})
	c.used[k] += nBytes
	for c.used[Cells] > c.limit/cellsShare {
		c.drop(Cells)
	}
	for c.used[Cells]+c.used[Description] > c.limit {
		// Cells can be had again for less than descriptions, which every open needs.
		if c.order[Cells].Len() > 0 {
			c.drop(Cells)
		} else {
			c.drop(Description)
		}
	}
	return value
}

// drop removes the thing of a kind that was not used for longest. mu is held.
func (c *Cache) drop(k Kind) {
	old := c.order[k].Remove(c.order[k].Back()).(*entry)
	delete(c.byKey, old.key)
	c.used[k] -= old.nBytes
	c.count[k].Dropped++
}

// Load returns what is kept under the text name as a description, made by read when it is not there; nBytes estimates what
// it holds in memory.
func Load[T any](c *Cache, name string, read func() (value T, nBytes int64, err error)) (T, error) {
	key := Key{Owner: name}
	if v, ok := c.Get(Description, key); ok {
		if t, ok := v.(T); ok {
			return t, nil
		}
	}
	v, n, err := read()
	if err != nil {
		return v, err
	}
	if t, ok := c.Put(Description, key, v, n).(T); ok {
		return t, nil
	}
	return v, nil
}
