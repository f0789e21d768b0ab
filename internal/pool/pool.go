// Package pool lends byte buffers by size class and accounts for the bytes that one query may hold.
package pool

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"

	"azulejo/datatype"
)

// ErrBudget is wrapped by the error of a Budget that would be exceeded.
var ErrBudget = errors.New("memory budget exceeded")

const (
	minBits = 10 // 1 KiB
	maxBits = 26 // 64 MiB: larger buffers are not kept
	// steps is the number of sizes between two powers of two, so that a buffer is at most a quarter larger than asked for.
	steps = 4
)

var classes [(maxBits-minBits)*steps + 1]sync.Pool

// classOf returns the number and the size of the smallest class of at least n bytes; the number is -1 when there is none.
func classOf(n int) (class, size int) {
	if n <= 1<<minBits {
		return 0, 1 << minBits
	}
	if n > 1<<maxBits {
		return -1, n
	}
	// n lies above a power of two, base, and not above the next; step is the part of base that sizes go up by.
	octave := bits.Len(uint(n-1)) - 1
	base := 1 << octave
	step := base / steps
	k := (n - base + step - 1) / step
	return (octave-minBits)*steps + k, base + k*step
}

// Buffer is a lent byte slice, aligned for every element type. Its contents are not zeroed.
type Buffer struct {
	// B has the length asked for; the borrower may reslice and write it until Release.
	B     []byte
	whole []byte
	class int
}

// Get lends a buffer of n bytes. The caller returns it by Release, once, in the function that took it.
func Get(n int) *Buffer {
	class, size := classOf(n)
	if class >= 0 {
		if got, ok := classes[class].Get().(*Buffer); ok {
			got.B = got.whole[:n]
			return got
		}
	}
	whole := datatype.AlignedBytes(size)
	return &Buffer{B: whole[:n], whole: whole, class: class}
}

// Release gives the buffer back; it must not be used afterwards. A nil Buffer is ignored.
func (b *Buffer) Release() {
	if b == nil || b.class < 0 {
		return
	}
	scribble(b.whole)
	b.B = nil
	classes[b.class].Put(b)
}

// Budget bounds the bytes that one query holds at a time. It is safe for concurrent use. The zero value has no limit.
type Budget struct {
	limit int64
	used  atomic.Int64
	// granted is what grow has let the query hold so far; both are unused where grow is nil.
	granted atomic.Int64
	mu      sync.Mutex // for one at a time to ask grow
	grow    func(int64) bool
}

// NewBudget returns a budget of limit bytes; 0 or less means no limit.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// growStep is the grain in bytes in which a budget grows.
const growStep = 1 << 20

// NewGrowingBudget returns a budget of limit bytes of which granted are there and grow is asked for each further part.
// What grow gave is not given back to it.
func NewGrowingBudget(limit, granted int64, grow func(int64) bool) *Budget {
	b := &Budget{limit: limit, grow: grow}
	b.granted.Store(granted)
	return b
}

// Take books n bytes or returns an error wrapping ErrBudget and books nothing.
func (b *Budget) Take(n int64) error {
	used := b.used.Add(n)
	if b.limit > 0 && used > b.limit || b.grow != nil && used > b.granted.Load() && !b.more(used) {
		b.used.Add(-n)
		return fmt.Errorf("%w: %d bytes wanted, %d of %d in use", ErrBudget, n, used-n, b.limit)
	}
	return nil
}

// more asks for what is missing of used bytes.
func (b *Budget) more(used int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	granted := b.granted.Load()
	missing := used - granted
	if missing <= 0 {
		return true
	}
	if ask := (missing + growStep - 1) / growStep * growStep; b.grow(ask) {
		b.granted.Store(granted + ask)
		return true
	}
	return false
}

// Give returns n booked bytes.
func (b *Budget) Give(n int64) { b.used.Add(-n) }

// Left returns the bytes that could be booked now.
func (b *Budget) Left() int64 {
	if b.limit <= 0 {
		return math.MaxInt64
	}
	return b.limit - b.used.Load()
}

// Used returns the bytes booked now.
func (b *Budget) Used() int64 { return b.used.Load() }
