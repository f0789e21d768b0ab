package filter

import (
	"fmt"
	"sync"

	"azulejo/internal/pool"
)

// work is the scratch memory of one call of a Codec: buffers that are used afresh for every chunk, and the metadata
// that the stages have made of it. One goroutine uses it at a time.
type work struct {
	buffers []*pool.Buffer
	used    int
	// limit is the most bytes that a buffer may have for this chunk.
	limit int
	// meta is the metadata of a chunk on its way forward, newest first, in the parts that compressors take.
	meta [][]byte
	// empty says that the data of a chunk on its way forward is no part at all, which an empty part becomes in a
	// stage that passes it on.
	empty bool
}

var works = sync.Pool{New: func() any { return new(work) }}

// newWork borrows a work until release.
func newWork() *work { return works.Get().(*work) }

// release gives the buffers back to the pool.
func (w *work) release() {
	for i, b := range w.buffers {
		b.Release()
		w.buffers[i] = nil
	}
	w.buffers, w.used = w.buffers[:0], 0
	clear(w.meta)
	w.meta = w.meta[:0]
	works.Put(w)
}

// reset starts a chunk of n bytes: all buffers are free again.
func (w *work) reset(n int) {
	w.used, w.empty = 0, false
	w.meta = w.meta[:0]
	w.limit = 16 * (n + DefaultMaxChunk)
}

// take returns n bytes of scratch memory until the next reset, aligned for every type, with arbitrary contents.
func (w *work) take(n int) []byte {
	if w.used == len(w.buffers) {
		w.buffers = append(w.buffers, pool.Get(n))
	}
	b := w.buffers[w.used]
	if cap(b.B) < n {
		b.Release()
		b = pool.Get(n)
		w.buffers[w.used] = b
	}
	w.used++
	b.B = b.B[:n]
	return b.B
}

// place returns where a stage puts the n bytes that it reverses to: dst, which must have that size, or scratch memory.
// Sizes that no chunk can have grown to are refused, so that a damaged size does not claim memory.
func (w *work) place(dst []byte, n uint64) ([]byte, error) {
	if dst != nil {
		if n != uint64(len(dst)) {
			return nil, fmt.Errorf("%w: %d bytes come out of a chunk of %d bytes", ErrCorrupt, n, len(dst))
		}
		return dst, nil
	}
	if n > uint64(w.limit) {
		return nil, fmt.Errorf("%w: %d bytes between filters is too much", ErrCorrupt, n)
	}
	return w.take(int(n)), nil
}

// push puts a stage's own metadata in front of that of the stages before it.
func (w *work) push(meta []byte) {
	w.meta = append(w.meta, nil)
	copy(w.meta[1:], w.meta)
	w.meta[0] = meta
}

// metaBytes returns the bytes of all metadata.
func (w *work) metaBytes() int {
	n := 0
	for _, m := range w.meta {
		n += len(m)
	}
	return n
}
