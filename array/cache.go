package array

import "azulejo/internal/cache"

// Cache keeps what was decoded from files that never change, for use by later opens and queries of arrays in the same
// vfs.FS: schemas, enumerations, fragment footers with what their readers loaded, and cells that were asked for more than
// once. It drops what was not used for longest when it would hold more than its limit. Files with names that are used
// again, such as the one schema of arrays before version 10, are never taken from it. It is safe for concurrent use.
type Cache struct {
	kept *cache.Cache
}

// CacheCounts says what happened in a cache since it was made, and what is in it now.
type CacheCounts = cache.Counts

// NewCache returns a cache that holds up to limit bytes, by estimate; one of no bytes keeps nothing.
func NewCache(limit int64) *Cache { return &Cache{cache.New(limit)} }

// Counts returns the counters of descriptions (schemas, footers and what belongs to them) and of cells.
func (c *Cache) Counts() (descriptions, cells CacheCounts) {
	return c.shared().Counts(cache.Description), c.shared().Counts(cache.Cells)
}

// shared returns what is kept; nil, which keeps nothing, for a nil Cache.
func (c *Cache) shared() *cache.Cache {
	if c == nil {
		return nil
	}
	return c.kept
}

// Kept returns the cache that the array was opened with, nil for none.
func (a *Array) Kept() *cache.Cache { return a.cache.shared() }

// ownRoom is the size of the cache of an open array that was given none. Cells can have half of it.
const ownRoom = 64 << 20

// OwnCells returns a cache for cells that lives as long as the array, for queries of it that overlap; nil when the array was
// opened with a cache, even with one that keeps nothing.
func (a *Array) OwnCells() *cache.Cache {
	if a.own == nil {
		return nil
	}
	return a.own()
}
