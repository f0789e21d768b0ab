package array

import (
	"container/list"
	"sync"
)

// Cache keeps what was decoded from files that never change, schemas, enumerations and fragment footers with what their
// readers loaded, for use by later opens of arrays in the same vfs.FS. It drops what was not used for longest when it
// would hold more than its limit. It is safe for concurrent use.
type Cache struct {
	limit int64

	mu sync.Mutex
	// used, order (newest first) and byURI are guarded by mu.
	used  int64
	order *list.List
	byURI map[string]*list.Element
}

// cached is an element of Cache.order.
type cached struct {
	uri    string
	value  any
	nBytes int64
}

// NewCache returns a cache that holds up to limit bytes, by estimate.
func NewCache(limit int64) *Cache {
	return &Cache{limit: limit, order: list.New(), byURI: map[string]*list.Element{}}
}

// get returns the value of a URI. A nil cache has none.
func (c *Cache) get(uri string) (any, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byURI[uri]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).value, true
}

// put keeps a value and returns it, or the one that was put there before.
func (c *Cache) put(uri string, value any, nBytes int64) any {
	if c == nil || nBytes > c.limit {
		return value
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byURI[uri]; ok {
		c.order.MoveToFront(e)
		return e.Value.(*cached).value
	}
	c.byURI[uri] = c.order.PushFront(&cached{uri, value, nBytes})
	c.used += nBytes
	for c.used > c.limit {
		last := c.order.Back()
		old := c.order.Remove(last).(*cached)
		delete(c.byURI, old.uri)
		c.used -= old.nBytes
	}
	return value
}

// load returns the value of a URI, made by read when it is not there; nBytes estimates what it holds in memory.
func load[T any](c *Cache, uri string, read func() (value T, nBytes int64, err error)) (T, error) {
	if v, ok := c.get(uri); ok {
		if t, ok := v.(T); ok {
			return t, nil
		}
	}
	v, n, err := read()
	if err != nil {
		return v, err
	}
	if t, ok := c.put(uri, v, n).(T); ok {
		return t, nil
	}
	return v, nil
}
