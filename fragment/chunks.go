package fragment

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/internal/pool"
	"azulejo/vfs"
)

// Sink takes the fixed cells of a tile, or its validity bytes, chunk by chunk.
type Sink interface {
	// Place returns room for all cells from lo up to but not including hi, of which some are wanted, in the place where
	// these belong, or nil when they do not lie there without gaps.
	Place(lo, hi int) []byte
	// Take hands over the cells from lo up to but not including hi, some of which are wanted; they are lent for the call.
	Take(lo, hi int, cells []byte)
}

// SmallReads is implemented by open files whose small reads cost little more than their bytes, as those of a local disk
// do and those of an object store do not.
type SmallReads interface {
	// SmallReads reports whether many small reads are better than one large one that fetches bytes in vain.
	SmallReads() bool
}

// Chunks unfilters the chunks of a tile that hold wanted cells and hands them to sink; a chunk that Place gives room for
// is unfiltered right there. wanted lists the cells in ascending order without overlaps. kind is FixedFile, for a fixed
// field, or ValidityFile. The field must have been loaded.
func (f *Field) Chunks(ctx context.Context, files *Files, tile uint64, kind format.FileKind, wanted []Run, sink Sink) error {
	err := f.chunks(ctx, files, tile, kind, wanted, sink)
	if err != nil && ctx.Err() == nil {
		return f.tileError(tile, err)
	}
	return err
}

func (f *Field) chunks(ctx context.Context, files *Files, tile uint64, kind format.FileKind, wanted []Run, sink Sink) error {
	c := chunkJob{files: files, codec: f.fixed, width: f.CellSize(), wanted: wanted, sink: sink}
	if kind == format.ValidityFile {
		c.codec, c.width = f.validity, 1
	}
	defer c.release()
	cells := f.r.TileCells(tile)
	if cells > math.MaxInt/uint64(max(c.width, 8)) {
		return fmt.Errorf("%w: %d cells", ErrCorrupt, cells)
	}
	c.cells = int(cells)
	if n := len(wanted); n > 0 && (wanted[0].Lo < 0 || wanted[n-1].Hi > c.cells) {
		return fmt.Errorf("%w: cells %d to %d of %d", ErrCorrupt, wanted[0].Lo, wanted[n-1].Hi, c.cells)
	}
	off, n := f.places.Load().extent(kind, tile)
	file, err := files.get(ctx, f, kind)
	if err != nil {
		return err
	}
	if c.sparing(file, n) {
		return c.walk(ctx, file, int64(off), int64(n))
	}
	disk, err := f.fetch(ctx, files, kind, off, n)
	if err != nil {
		return err
	}
	defer files.giveBack(disk, len(disk.B))
	return c.all(disk.B)
}

// chunkJob is one call of Chunks.
type chunkJob struct {
	files  *Files
	codec  *filter.Codec
	width  int
	cells  int
	wanted []Run
	sink   Sink
	// scratch and disk are memory for one chunk.
	scratch, disk *pool.Buffer
}

func (c *chunkJob) release() {
	for _, b := range []*pool.Buffer{c.scratch, c.disk} {
		if b != nil {
			c.files.giveBack(b, cap(b.B))
		}
	}
}

// room returns n bytes of a buffer that grows.
func (c *chunkJob) room(b **pool.Buffer, n int) ([]byte, error) {
	if *b == nil || cap((*b).B) < n {
		if *b != nil {
			c.files.giveBack(*b, cap((*b).B))
			*b = nil
		}
		grown, err := c.files.lend(n)
		if err != nil {
			return nil, err
		}
		grown.B = grown.B[:n:n]
		*b = grown
	}
	return (*b).B[:n], nil
}

// sparing tells whether so little of a tile of n filtered bytes is wanted that looking for its chunks pays.
func (c *chunkJob) sparing(file vfs.File, n uint64) bool {
	small, ok := file.(SmallReads)
	if !ok || n < 64<<10 || !small.SmallReads() {
		return false
	}
	cells := 0
	for _, run := range c.wanted {
		cells += run.Hi - run.Lo
	}
	return cells < c.cells/16
}

// some reports whether some of the cells from lo to hi are wanted. Calls must go up.
func (c *chunkJob) some(lo, hi int) bool {
	for len(c.wanted) > 0 && c.wanted[0].Hi <= lo {
		c.wanted = c.wanted[1:]
	}
	return len(c.wanted) > 0 && c.wanted[0].Lo < hi
}

// all goes through the chunks of a tile that was fetched whole.
func (c *chunkJob) all(disk []byte) error {
	chunks, err := filter.Chunks(disk)
	if err != nil {
		return err
	}
	total, whole := 0, true
	for _, chunk := range chunks {
		total += chunk.NBytes
		whole = whole && chunk.NBytes%c.width == 0
	}
	if total != c.cells*c.width {
		return fmt.Errorf("%w: %d bytes where %d are expected", ErrCorrupt, total, c.cells*c.width)
	}
	if !whole {
		return c.entire(disk)
	}
	for _, chunk := range chunks {
		lo, hi := chunk.Off/c.width, (chunk.Off+chunk.NBytes)/c.width
		if !c.some(lo, hi) {
			continue
		}
		if err := c.deliver(lo, hi, func(dst []byte) error { return c.codec.ReverseChunk(dst, disk, chunk) }); err != nil {
			return err
		}
	}
	return nil
}

// entire serves tiles whose chunks cut through cells.
func (c *chunkJob) entire(disk []byte) error {
	return c.deliver(0, c.cells, func(dst []byte) error { return c.codec.Reverse(dst, disk) })
}

// deliver unfilters the cells from lo to hi to where they belong, or into scratch memory for the sink to take.
func (c *chunkJob) deliver(lo, hi int, unfilter func(dst []byte) error) error {
	n := (hi - lo) * c.width
	if dst := c.sink.Place(lo, hi); dst != nil && len(dst) == n {
		return unfilter(dst)
	}
	dst, err := c.room(&c.scratch, n)
	if err != nil {
		return err
	}
	if err := unfilter(dst); err != nil {
		return err
	}
	c.sink.Take(lo, hi, dst)
	return nil
}

// walk reads the sizes of one chunk after the other from the file and fetches those that are wanted. A filtered tile is a
// 64-bit number of chunks and then, for each, three 32-bit sizes (of the cells, of the filtered data and of the
// metadata), the metadata and the data (format_spec/tile.md).
func (c *chunkJob) walk(ctx context.Context, file vfs.File, off, n int64) error {
	var head [20]byte
	if err := file.ReadAt(ctx, head[:], off); err != nil {
		return err
	}
	count, at, cell := binary.LittleEndian.Uint64(head[:]), int64(8), 0
	for i := uint64(0); i < count && len(c.wanted) > 0; i++ {
		sizes := head[8:20]
		if at > n-12 {
			return fmt.Errorf("%w: chunk %d has no sizes at byte %d", ErrCorrupt, i, at)
		}
		if i > 0 {
			if err := file.ReadAt(ctx, sizes, off+at); err != nil {
				return err
			}
		}
		cellBytes := int(binary.LittleEndian.Uint32(sizes))
		filtered := int64(binary.LittleEndian.Uint32(sizes[4:])) + int64(binary.LittleEndian.Uint32(sizes[8:])) + 12
		if filtered > n-at || cellBytes > (c.cells-cell)*c.width || cellBytes%c.width != 0 {
			return fmt.Errorf("%w: chunk %d at byte %d holds %d bytes in %d", ErrCorrupt, i, at, cellBytes, filtered)
		}
		lo, hi := cell, cell+cellBytes/c.width
		if c.some(lo, hi) {
			if err := c.one(ctx, file, off+at, int(filtered), lo, hi); err != nil {
				return err
			}
			if hi >= c.wanted[len(c.wanted)-1].Hi {
				return nil
			}
		}
		at, cell = at+filtered, hi
	}
	if len(c.wanted) > 0 {
		return fmt.Errorf("%w: the chunks end at cell %d of %d", ErrCorrupt, cell, c.cells)
	}
	return nil
}

// one fetches a single chunk and unfilters it as a tile of its own.
func (c *chunkJob) one(ctx context.Context, file vfs.File, at int64, filtered, lo, hi int) error {
	disk, err := c.room(&c.disk, 8+filtered)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(disk, 1)
	if err := file.ReadAt(ctx, disk[8:], at); err != nil {
		return err
	}
	return c.deliver(lo, hi, func(dst []byte) error { return c.codec.Reverse(dst, disk) })
}
