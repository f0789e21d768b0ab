package fragment

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"azulejo/format"
	"azulejo/internal/pool"
	"azulejo/vfs"
)

// manyTiles is from how many tiles on lists of their positions are read in pages. Such a list is a generic tile whose
// payload, a count and the numbers, is cut into chunks of 64 KiB that are filtered each by itself: a page.
const manyTiles = 1 << 15

// headRoom is more than the head of a generic tile takes.
const headRoom = 512

// maxChunks bounds the chunks of a list of which the index is made, one small read for each.
const maxChunks = 1 << 16

// pages is a list of tile positions of which only some pages are known. Safe for concurrent use.
type pages struct {
	r    *Reader
	head *format.GenericHead
	// perPage is the number of slots of every page but the last. Slot 0 of the first page is the count, so that the number of
	// tile i stands in slot i+1; tiles is how many there are and end the size of the file that they lie in.
	perPage, tiles, end uint64
	// chunks are the pages' places in the metadata file.
	chunks []pageAt
	known  []atomic.Pointer[[]uint64]
	// mu is held while a page is read, so that nobody else reads it too.
	mu sync.Mutex
}

// pageAt is the place of a filtered page in the metadata file, sizes included, and how many slots it has.
type pageAt struct {
	at, n int64
	slots uint64
}

// pagesOf returns the pages of the list at a position of the footer's Parts; nil when the list is short or far away, or
// something about it is not as expected: then it is to be read as a whole, which tells what is wrong.
func (r *Reader) pagesOf(ctx context.Context, pos, end uint64) *pages {
	if r.NumTiles() < manyTiles || r.oldest != nil || r.key != nil {
		return nil
	}
	start, n := r.footer.PartExtent(pos)
	file, err := r.fs.Open(ctx, r.metadataURI())
	if err != nil {
		return nil
	}
	defer file.Close() // best effort: it was only read
	if n < 0 {
		n = file.Size() - r.footer.NBytes - r.footer.LengthBytes() - start
	}
	if !isNear(file) || n < headRoom || start < 0 || start > file.Size() || n > file.Size()-start {
		return nil
	}
	var b [headRoom]byte
	if err := file.ReadAt(ctx, b[:], start); err != nil {
		return nil
	}
	p := &pages{r: r, tiles: r.NumTiles(), end: end}
	if p.head, err = format.DecodeGenericHead(b[:]); err != nil || p.head.Size/8 != p.tiles+1 || p.head.Size%8 != 0 ||
		p.head.Persisted != uint64(n)-uint64(p.head.Body) {
		return nil
	}
	if !p.index(ctx, file, start+int64(p.head.Body), int64(p.head.Persisted)) {
		return nil
	}
	p.known = make([]atomic.Pointer[[]uint64], len(p.chunks))
	return p
}

// index finds the chunks of the n bytes at an offset of the file from their sizes; false when they are not as expected.
func (p *pages) index(ctx context.Context, file vfs.File, off, n int64) bool {
	var head [8 + sizesBytes]byte
	if err := file.ReadAt(ctx, head[:], off); err != nil {
		return false
	}
	count := binary.LittleEndian.Uint64(head[:])
	if count > maxChunks {
		return false
	}
	p.chunks = make([]pageAt, 0, count)
	at, slots := int64(8), uint64(0)
	for i := range count {
		sizes := head[8:]
		if at > n-sizesBytes || i > 0 && file.ReadAt(ctx, sizes, off+at) != nil {
			return false
		}
		c := pageAt{at: off + at, slots: uint64(binary.LittleEndian.Uint32(sizes)) / 8}
		c.n = int64(binary.LittleEndian.Uint32(sizes[4:])) + int64(binary.LittleEndian.Uint32(sizes[8:])) + sizesBytes
		if i == 0 {
			p.perPage = c.slots
		}
		last := i+1 == count
		if binary.LittleEndian.Uint32(sizes)%8 != 0 || c.slots == 0 || c.n > n-at || !last && c.slots != p.perPage || c.slots > p.perPage {
			return false
		}
		p.chunks = append(p.chunks, c)
		at, slots = at+c.n, slots+c.slots
	}
	return at == n && slots == p.tiles+1
}

// at returns the position of a tile, or behind the last tile the size of the file. The page must be known.
func (p *pages) at(tile uint64) uint64 {
	if tile == p.tiles {
		return p.end
	}
	return (*p.known[(tile+1)/p.perPage].Load())[(tile+1)%p.perPage]
}

// prepare reads the pages that tell where tiles begin and end, and checks the latter.
func (p *pages) prepare(ctx context.Context, tiles []uint64) error {
	for _, tile := range tiles {
		if tile >= p.tiles {
			return fmt.Errorf("%w: tile %d of %d", ErrCorrupt, tile, p.tiles)
		}
		if err := p.load(ctx, (tile+1)/p.perPage); err != nil {
			return err
		}
		if tile+1 < p.tiles {
			if err := p.load(ctx, (tile+2)/p.perPage); err != nil {
				return err
			}
		}
		if p.at(tile+1) < p.at(tile) {
			return fmt.Errorf("%w: tile %d begins at byte %d, tile %d at byte %d", ErrCorrupt, tile, p.at(tile), tile+1, p.at(tile+1))
		}
	}
	return nil
}

// load reads a page unless it is known.
func (p *pages) load(ctx context.Context, page uint64) error {
	if p.known[page].Load() != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[page].Load() != nil {
		return nil
	}
	list, err := p.read(ctx, p.chunks[page])
	if err != nil {
		return err
	}
	numbers := list
	if page == 0 {
		if list[0] != p.tiles {
			return fmt.Errorf("%w: %d positions of %d tiles", ErrCorrupt, list[0], p.tiles)
		}
		numbers = list[1:]
	}
	if i := unsettled(numbers, p.end); i >= 0 {
		return fmt.Errorf("%w: the positions of tiles go from %d to %d, in a file of %d bytes", ErrCorrupt, numbers[max(i, 1)-1], numbers[i], p.end)
	}
	p.known[page].Store(&list)
	return nil
}

// read returns the slots of a page, unfiltered as a tile of its own.
func (p *pages) read(ctx context.Context, c pageAt) ([]uint64, error) {
	file, err := p.r.fs.Open(ctx, p.r.metadataURI())
	if err != nil {
		return nil, err
	}
	defer file.Close() // best effort: it was only read
	const count = 8
	disk, plain := pool.Get(count+int(c.n)), pool.Get(8*int(c.slots))
	defer disk.Release()
	defer plain.Release()
	binary.LittleEndian.PutUint64(disk.B, 1)
	if err := file.ReadAt(ctx, disk.B[count:], c.at); err != nil {
		return nil, err
	}
	if err := p.head.Reverse(plain.B, disk.B); err != nil {
		return nil, format.WithURI(err, p.r.metadataURI())
	}
	list := make([]uint64, c.slots)
	for i := range list {
		list[i] = binary.LittleEndian.Uint64(plain.B[8*i:])
	}
	return list, nil
}
