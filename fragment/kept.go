package fragment

import (
	"slices"
	"sync/atomic"

	"azulejo/format"
	"azulejo/internal/cache"
)

// queryShare is the part of the room for cells that one query may fill: one in so many.
const queryShare = 4

// keeper is how a query uses the cache of cells. Names hold the Field, which belongs to one opened reader, so that cells of
// files that have the same name later, or that another key decrypts, are never mistaken for each other's.
type keeper struct {
	cache *cache.Cache
	taken atomic.Int64
}

// The marks in cache.Key.Chunk for what is not a chunk.
const (
	wholeTile = -1
	chunkList = -2
)

// get returns what is kept under a key.
func (k *keeper) get(key cache.Key) (any, bool) {
	if k.cache == nil {
		return nil, false
	}
	return k.cache.Get(cache.Cells, key)
}

// wants reports whether what was just looked for in vain should be put.
func (k *keeper) wants(key cache.Key, nBytes int) bool {
	return k.cache != nil && k.taken.Load() < k.cache.Room(cache.Cells)/queryShare && k.cache.Wants(key, int64(nBytes))
}

// put keeps a value, which must not be modified any more.
func (k *keeper) put(key cache.Key, value any, nBytes int) {
	const overhead = 256
	k.taken.Add(int64(nBytes) + overhead)
	k.cache.Put(cache.Cells, key, value, int64(nBytes)+overhead)
}

// chunkAt is one chunk of a tile: its place and length among the tile's filtered bytes, sizes included, and the cell
// behind its last.
type chunkAt struct {
	at, filtered int64
	hi           int
}

// chunkAtBytes is the size of a chunkAt in memory.
const chunkAtBytes = 24

// chunkKey returns the key of a chunk of a tile, or of one of the marks.
func (f *Field) chunkKey(kind format.FileKind, tile uint64, chunk int64) cache.Key {
	return cache.Key{Owner: f, File: uint8(kind), Tile: tile, Chunk: chunk}
}

// keptTile is a whole tile with the parts that its key names.
type keptTile struct {
	cells    int
	data     []byte
	offsets  []uint64
	validity []byte
}

// tileKey returns the key of a tile read with parts.
func (f *Field) tileKey(tile uint64, parts Parts) cache.Key {
	return cache.Key{Owner: f, File: 1<<7 | uint8(parts), Tile: tile, Chunk: wholeTile}
}

// kept returns a tile that is kept; the caller need not release it, but may.
func (f *Field) kept(files *Files, tile uint64, parts Parts) *Tile {
	v, ok := files.keeper.get(f.tileKey(tile, parts))
	if !ok {
		return nil
	}
	k := v.(*keptTile)
	return &Tile{Cells: k.cells, Data: k.data, Offsets: k.offsets, Validity: k.validity, files: files}
}

// keep puts a copy of a tile that was read, if it is wanted.
func (f *Field) keep(files *Files, tile uint64, parts Parts, t *Tile) {
	key, n := f.tileKey(tile, parts), len(t.Data)+8*len(t.Offsets)+len(t.Validity)
	if files.keeper.wants(key, n) {
		files.keeper.put(key, &keptTile{t.Cells, slices.Clone(t.Data), slices.Clone(t.Offsets), slices.Clone(t.Validity)}, n)
	}
}
