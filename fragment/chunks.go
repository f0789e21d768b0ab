package fragment

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/internal/cache"
	"azulejo/internal/pool"
	"azulejo/vfs"
)

// wholeCellsVersion is the format version since which no cell lies in two chunks.
const wholeCellsVersion = 11

// Sink takes the fixed cells of a tile, or its validity bytes, chunk by chunk.
type Sink interface {
	// Place returns room for all cells from lo up to but not including hi, of which some are wanted, in the place where
	// these belong, or nil when they do not lie there without gaps. hi may be behind the last wanted cell.
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
// is unfiltered right there. Where the filters allow that a chunk is unfiltered up to its last wanted cell only; damage
// behind it may then not be seen. wanted lists the cells in ascending order without overlaps. kind is FixedFile, for a fixed
// field, or ValidityFile. The field must have been loaded.
func (f *Field) Chunks(ctx context.Context, files *Files, tile uint64, kind format.FileKind, wanted []Run, sink Sink) error {
	if f.zipped() {
		return f.zippedCells(ctx, files, tile, sink)
	}
	err := f.chunks(ctx, files, tile, kind, wanted, sink)
	if err != nil && ctx.Err() == nil {
		return f.tileError(tile, err)
	}
	return err
}

// Cells reads a run of fixed cells of a tile, or of its validity bytes, into dst, which must have just their size; see
// Chunks.
func (f *Field) Cells(ctx context.Context, files *Files, tile uint64, kind format.FileKind, run Run, dst []byte) error {
	s := runSink{run: run, dst: dst}
	if run.Hi > run.Lo {
		s.width = len(dst) / (run.Hi - run.Lo)
	}
	return f.Chunks(ctx, files, tile, kind, []Run{run}, &s)
}

// runSink takes the cells of one run.
type runSink struct {
	run   Run
	dst   []byte
	width int
}

// Place implements Sink.
func (s *runSink) Place(lo, hi int) []byte {
	if lo < s.run.Lo || hi > s.run.Hi {
		return nil
	}
	return s.dst[(lo-s.run.Lo)*s.width : (hi-s.run.Lo)*s.width]
}

// Take implements Sink.
func (s *runSink) Take(lo, hi int, cells []byte) {
	a, b := max(lo, s.run.Lo), min(hi, s.run.Hi)
	if a < b {
		copy(s.dst[(a-s.run.Lo)*s.width:], cells[(a-lo)*s.width:(b-lo)*s.width])
	}
}

func (f *Field) chunks(ctx context.Context, files *Files, tile uint64, kind format.FileKind, wanted []Run, sink Sink) error {
	c := chunkJob{field: f, files: files, kind: kind, tile: tile, codec: f.fixed, width: f.CellSize(), wanted: wanted, sink: sink}
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
	if known, ok := files.keeper.get(c.key(chunkList)); ok {
		c.chunks = known.([]chunkAt)
	}
	if c.serve() {
		return nil
	}
	if err := f.prepare(ctx, []uint64{tile}, kind); err != nil {
		return err
	}
	off, n := f.places.Load().extent(kind, tile)
	file, err := files.get(ctx, f, kind)
	if err != nil {
		return err
	}
	// Before version 11 a cell may lie in two chunks.
	if f.r.footer.Version >= wholeCellsVersion && (c.chunks != nil && isNear(file) || c.sparing(file, n)) {
		return c.some(ctx, file, int64(off), int64(n))
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
	field *Field
	files *Files
	kind  format.FileKind
	tile  uint64
	codec *filter.Codec
	width int
	cells int
	// wanted are the cells still to be delivered.
	wanted []Run
	sink   Sink
	// chunks are all of the tile's as far as they are known from the cache.
	chunks []chunkAt
	// scratch is memory for one chunk, disk for neighbouring filtered ones.
	scratch, disk *pool.Buffer
}

// key returns the key in the cache of a chunk of the tile.
func (c *chunkJob) key(chunk int) cache.Key { return c.field.chunkKey(c.kind, c.tile, int64(chunk)) }

// serve delivers all wanted cells from the cache, or nothing.
func (c *chunkJob) serve() bool {
	var found [][2]int
	var cells [][]byte
	left, lo := c.wanted, 0
	for i, chunk := range c.chunks {
		if c.holds(lo, chunk.hi) {
			v, ok := c.files.keeper.get(c.key(i))
			if !ok {
				c.wanted = left
				return false
			}
			found, cells = append(found, [2]int{lo, chunk.hi}), append(cells, v.([]byte))
		}
		lo = chunk.hi
	}
	for i, at := range found {
		c.hand(at[0], at[1], cells[i])
	}
	c.wanted = left
	return len(c.chunks) > 0
}

// hand delivers cells that are not needed afterwards.
func (c *chunkJob) hand(lo, hi int, cells []byte) {
	if dst := c.sink.Place(lo, hi); dst != nil && len(dst) == len(cells) {
		copy(dst, cells)
		return
	}
	c.sink.Take(lo, hi, cells)
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
	if n < 64<<10 || !isNear(file) {
		return false
	}
	cells := 0
	for _, run := range c.wanted {
		cells += run.Hi - run.Lo
	}
	return cells < c.cells/16
}

// isNear reports whether small reads of a file are better than large ones in vain.
func isNear(file vfs.File) bool {
	small, ok := file.(SmallReads)
	return ok && small.SmallReads()
}

// holds reports whether some of the cells from lo to hi are wanted. Calls must go up.
func (c *chunkJob) holds(lo, hi int) bool {
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
	c.learn(chunks)
	for i, chunk := range chunks {
		lo, hi := chunk.Off/c.width, (chunk.Off+chunk.NBytes)/c.width
		if !c.holds(lo, hi) {
			continue
		}
		if err := c.deliver(i, lo, hi, disk, chunk); err != nil {
			return err
		}
	}
	return nil
}

// learn keeps where the chunks of a tile lie, if that is wanted.
func (c *chunkJob) learn(chunks []filter.Chunk) {
	key := c.key(chunkList)
	if c.chunks != nil || !c.files.keeper.wants(key, 0) {
		return
	}
	list := make([]chunkAt, len(chunks))
	for i, chunk := range chunks {
		at, n := chunk.Extent()
		list[i] = chunkAt{int64(at), int64(n), (chunk.Off + chunk.NBytes) / c.width}
	}
	c.files.keeper.put(key, list, chunkAtBytes*len(list))
}

// entire serves tiles whose chunks cut through cells.
func (c *chunkJob) entire(disk []byte) error {
	dst, placed, err := c.place(0, c.cells)
	if err == nil {
		err = c.codec.Reverse(dst, disk)
	}
	if err == nil && !placed {
		c.sink.Take(0, c.cells, dst)
	}
	return err
}

// place returns where the cells from lo to hi are unfiltered to: where they belong, or scratch memory.
func (c *chunkJob) place(lo, hi int) (dst []byte, placed bool, err error) {
	n := (hi - lo) * c.width
	if dst = c.sink.Place(lo, hi); dst != nil && len(dst) == n {
		return dst, true, nil
	}
	dst, err = c.room(&c.scratch, n)
	return dst, false, err
}

// deliver unfilters a chunk of disk with that number, the cells from lo to hi, to where they belong, or into scratch memory
// for the sink to take. It keeps a copy in the cache if that wants it; otherwise what is behind the last wanted cell may be
// left out.
func (c *chunkJob) deliver(i, lo, hi int, disk []byte, chunk filter.Chunk) error {
	n := (hi - lo) * c.width
	if chunk.NBytes != n {
		return fmt.Errorf("%w: chunk %d holds %d bytes where %d are expected", ErrCorrupt, i, chunk.NBytes, n)
	}
	key := c.key(i)
	keep := c.files.keeper.wants(key, n)
	if !keep && c.codec.Heads() {
		hi = c.last(hi)
	}
	dst, placed, err := c.place(lo, hi)
	if err == nil {
		err = c.codec.ReverseChunk(dst, disk, chunk)
	}
	if err != nil {
		return err
	}
	if keep {
		c.files.keeper.put(key, slices.Clone(dst), n)
	}
	if !placed {
		c.sink.Take(lo, hi, dst)
	}
	return nil
}

// last returns the cell behind the last wanted one before hi; holds has found that there is one.
func (c *chunkJob) last(hi int) int {
	last := hi
	for _, run := range c.wanted {
		if run.Lo >= hi {
			break
		}
		last = min(run.Hi, hi)
	}
	return last
}

// sizesBytes is the length of the three sizes that a chunk begins with.
const sizesBytes = 12

// some fetches only the chunks that are wanted. A filtered tile is a 64-bit number of chunks and then, for each, three
// 32-bit sizes (of the cells, of the filtered data and of the metadata), the metadata and the data (format_spec/tile.md).
// Where the chunks lie is read from the sizes of one after the other, unless it is known.
func (c *chunkJob) some(ctx context.Context, file vfs.File, off, n int64) error {
	if key := c.key(chunkList); c.chunks == nil && c.files.keeper.wants(key, 0) {
		err := c.walk(ctx, file, off, n, func(_ int, chunk chunkAt, _ int) (bool, error) {
			c.chunks = append(c.chunks, chunk)
			return true, nil
		})
		if err != nil {
			return err
		}
		c.files.keeper.put(key, c.chunks, chunkAtBytes*len(c.chunks))
	}
	if c.chunks != nil {
		return c.listed(ctx, file, off)
	}
	return c.walk(ctx, file, off, n, func(i int, chunk chunkAt, lo int) (more bool, err error) {
		if !c.holds(lo, chunk.hi) {
			return len(c.wanted) > 0, nil
		}
		if err := c.fetch(ctx, file, off, []chunkAt{chunk}, i, lo); err != nil {
			return false, err
		}
		return chunk.hi < c.wanted[len(c.wanted)-1].Hi, nil
	})
}

// listed fetches the wanted chunks of the tile at off, whose chunks are known, those that lie side by side by one read.
func (c *chunkJob) listed(ctx context.Context, file vfs.File, off int64) error {
	lo, first, firstLo, wantedThen := 0, -1, 0, c.wanted
	flush := func(to int) error {
		if first < 0 {
			return nil
		}
		from, wantedNow := first, c.wanted
		first, c.wanted = -1, wantedThen
		err := c.fetch(ctx, file, off, c.chunks[from:to], from, firstLo)
		c.wanted = wantedNow
		return err
	}
	for i, chunk := range c.chunks {
		var cells any
		wanted := c.holds(lo, chunk.hi)
		if wanted {
			cells, _ = c.files.keeper.get(c.key(i))
		}
		if !wanted || cells != nil || first >= 0 && chunk.at-c.chunks[first].at > readRun {
			if err := flush(i); err != nil {
				return err
			}
		}
		switch {
		case cells != nil:
			c.hand(lo, chunk.hi, cells.([]byte))
		case wanted && first < 0:
			first, firstLo, wantedThen = i, lo, c.wanted
		}
		lo = chunk.hi
	}
	return flush(len(c.chunks))
}

// walk reads the sizes of one chunk after the other from the file and calls do with its number, its place and its first
// cell, until do says that it needs no more or all cells were seen.
func (c *chunkJob) walk(ctx context.Context, file vfs.File, off, n int64, do func(i int, chunk chunkAt, lo int) (more bool, err error)) error {
	var head [8 + sizesBytes]byte
	if err := file.ReadAt(ctx, head[:], off); err != nil {
		return err
	}
	count, at, cell := binary.LittleEndian.Uint64(head[:]), int64(8), 0
	for i := uint64(0); i < count; i++ {
		sizes := head[8:]
		if at > n-sizesBytes {
			return fmt.Errorf("%w: chunk %d has no sizes at byte %d", ErrCorrupt, i, at)
		}
		if i > 0 {
			if err := file.ReadAt(ctx, sizes, off+at); err != nil {
				return err
			}
		}
		cellBytes := int(binary.LittleEndian.Uint32(sizes))
		filtered := int64(binary.LittleEndian.Uint32(sizes[4:])) + int64(binary.LittleEndian.Uint32(sizes[8:])) + sizesBytes
		if filtered > n-at || cellBytes > (c.cells-cell)*c.width || cellBytes%c.width != 0 {
			return fmt.Errorf("%w: chunk %d at byte %d holds %d bytes in %d", ErrCorrupt, i, at, cellBytes, filtered)
		}
		hi := cell + cellBytes/c.width
		if more, err := do(int(i), chunkAt{at, filtered, hi}, cell); err != nil || !more {
			return err
		}
		at, cell = at+filtered, hi
	}
	if cell < c.cells {
		return fmt.Errorf("%w: the chunks end at cell %d of %d", ErrCorrupt, cell, c.cells)
	}
	return nil
}

// fetch fetches chunks that lie side by side in the tile at off, the first of which has that number and first cell, and
// unfilters each as a tile of its own: the number of its chunks, one, is put where the bytes before it were.
func (c *chunkJob) fetch(ctx context.Context, file vfs.File, off int64, chunks []chunkAt, first, lo int) error {
	const count = 8
	start, last := chunks[0].at, chunks[len(chunks)-1]
	disk, err := c.room(&c.disk, count+int(last.at+last.filtered-start))
	if err != nil {
		return err
	}
	if err := file.ReadAt(ctx, disk[count:], off+start); err != nil {
		return err
	}
	for i, chunk := range chunks {
		at := chunk.at - start
		tile := disk[at : at+count+chunk.filtered]
		binary.LittleEndian.PutUint64(tile, 1)
		alone, err := filter.Chunks(tile)
		if err == nil && c.holds(lo, chunk.hi) {
			err = c.deliver(first+i, lo, chunk.hi, tile, alone[0])
		}
		if err != nil {
			return err
		}
		lo = chunk.hi
	}
	return nil
}
