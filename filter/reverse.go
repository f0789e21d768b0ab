package filter

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Chunk is a chunk of a filtered tile: where its data lies in the tile and its bytes in the filtered form.
type Chunk struct {
	// Off and NBytes are the place and size in bytes of the chunk's data in the tile.
	Off, NBytes int
	// at is the place in the filtered form of the metadata, meta and data the bytes of the two.
	at, meta, data int
}

// chunkSizes is the length of the three sizes that a chunk begins with.
const chunkSizes = 12

// Extent returns the place and length of the chunk in the filtered tile, with the sizes that it begins with.
func (c Chunk) Extent() (at, nBytes int) { return c.at - chunkSizes, c.meta + c.data + chunkSizes }

// chunkReader walks the chunks of a filtered tile.
type chunkReader struct {
	disk []byte
	// n is the number of chunks, i of those read, at and off the places after them in disk and in the tile.
	n      uint64
	i      uint64
	at     int
	off    int
	lastAt int
}

// newChunkReader reads the number of chunks.
func newChunkReader(disk []byte) (chunkReader, error) {
	if len(disk) < 8 {
		return chunkReader{}, fmt.Errorf("%w: %d bytes are no tile", ErrCorrupt, len(disk))
	}
	r := chunkReader{disk: disk, n: binary.LittleEndian.Uint64(disk), at: 8}
	if r.n > uint64(len(disk)-8)/12 {
		return r, fmt.Errorf("%w: %d chunks in %d bytes", ErrCorrupt, r.n, len(disk))
	}
	return r, nil
}

// more reports whether another chunk follows.
func (r *chunkReader) more() bool { return r.i < r.n }

// next reads one chunk's sizes and steps over it.
func (r *chunkReader) next() (Chunk, error) {
	if len(r.disk)-r.at < 12 {
		return Chunk{}, fmt.Errorf("%w: chunk %d has no sizes at byte %d", ErrCorrupt, r.i, r.at)
	}
	h := r.disk[r.at : r.at+12]
	original := uint64(binary.LittleEndian.Uint32(h))
	data, meta := uint64(binary.LittleEndian.Uint32(h[4:])), uint64(binary.LittleEndian.Uint32(h[8:]))
	if data+meta > uint64(len(r.disk)-r.at-12) {
		return Chunk{}, fmt.Errorf("%w: chunk %d at byte %d has %d bytes, %d are left", ErrCorrupt, r.i, r.at, data+meta,
			len(r.disk)-r.at-12)
	}
	if original > uint64(math.MaxInt-r.off) {
		return Chunk{}, fmt.Errorf("%w: chunk %d of %d bytes", ErrCorrupt, r.i, original)
	}
	c := Chunk{Off: r.off, NBytes: int(original), at: r.at + 12, meta: int(meta), data: int(data)}
	r.lastAt = r.at
	r.at += 12 + c.meta + c.data
	r.off += c.NBytes
	r.i++
	return c, nil
}

// end tells whether the chunks end where the filtered tile does.
func (r *chunkReader) end() error {
	if r.at != len(r.disk) {
		return fmt.Errorf("%w: %d bytes after the last chunk at byte %d", ErrCorrupt, len(r.disk)-r.at, r.at)
	}
	return nil
}

// OriginalSize returns the bytes of a tile before filtering, as its chunks claim: check it against what is expected
// before allocating that much. The error wraps ErrCorrupt.
func OriginalSize(disk []byte) (uint64, error) {
	r, err := newChunkReader(disk)
	for err == nil && r.more() {
		_, err = r.next()
	}
	if err == nil {
		err = r.end()
	}
	return uint64(r.off), err
}

// Chunks returns the chunks of a filtered tile in order, in a new slice. The error wraps ErrCorrupt.
func Chunks(disk []byte) ([]Chunk, error) {
	r, err := newChunkReader(disk)
	if err != nil {
		return nil, err
	}
	chunks := make([]Chunk, r.n)
	for i := range chunks {
		if chunks[i], err = r.next(); err != nil {
			return nil, err
		}
	}
	return chunks, r.end()
}

// Reverse writes the tile that disk is the filtered form of into dst, which must have its exact size; otherwise, and
// for damaged data, the error wraps ErrCorrupt and dst holds anything. Aligned destinations (datatype.AlignedBytes,
// package pool) are faster. Neither slice is kept.
func (c *Codec) Reverse(dst, disk []byte) error {
	r, err := newChunkReader(disk)
	if err != nil {
		return err
	}
	w := newWork()
	defer w.release()
	for r.more() {
		chunk, err := r.next()
		if err != nil {
			return err
		}
		if chunk.NBytes > len(dst)-chunk.Off {
			return fmt.Errorf("%w: chunk %d ends at byte %d of a tile of %d bytes", ErrCorrupt, r.i-1, r.off, len(dst))
		}
		if err := c.reverseChunk(w, dst[chunk.Off:r.off:len(dst)], disk, chunk); err != nil {
			return fmt.Errorf("chunk %d at byte %d: %w", r.i-1, r.lastAt, err)
		}
	}
	if r.off != len(dst) {
		return fmt.Errorf("%w: the chunks hold %d bytes of a tile of %d bytes", ErrCorrupt, r.off, len(dst))
	}
	return r.end()
}

// Heads reports whether the first bytes of a chunk cost less than all of them, so that ReverseChunk should be asked for no
// more than is wanted.
func (c *Codec) Heads() bool {
	if len(c.stages) == 0 {
		return true
	}
	if first, ok := c.stages[0].(compressor); ok {
		_, ok = first.block.(headBlock)
		return ok
	}
	return false
}

// ReverseChunk writes the data of one chunk, from Chunks of the same disk, into dst, which must have Chunk.NBytes
// bytes, or fewer to get only the first ones: then damage behind them may not be seen. Errors are as those of Reverse.
// Check Chunk.NBytes before: a pipeline without Heads takes that much memory.
func (c *Codec) ReverseChunk(dst, disk []byte, chunk Chunk) error {
	if len(dst) > chunk.NBytes || chunk.at < 0 || chunk.at+chunk.meta+chunk.data > len(disk) {
		return fmt.Errorf("%w: a chunk of %d bytes does not fit %d bytes", ErrCorrupt, chunk.NBytes, len(dst))
	}
	w := newWork()
	defer w.release()
	if err := c.reverseChunk(w, dst[:len(dst):len(dst)], disk, chunk); err != nil {
		return fmt.Errorf("chunk at byte %d: %w", chunk.at-12, err)
	}
	return nil
}

// ReverseStrings reverses a tile of texts whose offsets the pipeline stores (TakesOffsets). It returns the texts back to
// back and the nCells offsets they start at, both new. Check OriginalSize before: that many bytes are allocated.
func (c *Codec) ReverseStrings(disk []byte, nCells int) (data []byte, offsets []uint64, err error) {
	size, err := OriginalSize(disk)
	if err != nil {
		return nil, nil, err
	}
	r, err := newChunkReader(disk)
	if err != nil {
		return nil, nil, err
	}
	if c.texts == nil || r.n > 1 || r.n == 0 && nCells > 0 {
		return nil, nil, fmt.Errorf("%w: %d chunks of texts", ErrCorrupt, r.n)
	}
	if r.n == 0 {
		return []byte{}, []uint64{}, nil
	}
	chunk, err := r.next()
	if err != nil {
		return nil, nil, err
	}
	w := newWork()
	defer w.release()
	w.reset(chunk.NBytes + 8*nCells)
	in, err := c.reverseStages(w, chunkPart(disk, chunk), nil, 1)
	if err != nil {
		return nil, nil, err
	}
	data, offsets = make([]byte, size), make([]uint64, nCells)
	if err := c.texts.reverseTexts(in, data, offsets); err != nil {
		return nil, nil, err
	}
	return data, offsets, nil
}

// chunkPart returns the metadata and data of a chunk.
func chunkPart(disk []byte, c Chunk) part {
	at := c.at + c.meta
	return part{meta: disk[c.at:at:at], data: disk[at : at+c.data : at+c.data]}
}

// reverseChunk writes the data of one chunk to dst, which has its size, or less for its first bytes only. What is behind dst,
// up to its capacity, may be overwritten: it is of chunks that come later.
func (c *Codec) reverseChunk(w *work, dst, disk []byte, chunk Chunk) error {
	if len(dst) == 0 {
		return nil
	}
	w.reset(chunk.NBytes)
	in := chunkPart(disk, chunk)
	switch {
	case len(dst) == chunk.NBytes:
		return c.reverseWhole(w, in, dst)
	case c.Heads():
		return c.reverseHead(w, in, dst, chunk.NBytes)
	}
	whole := w.take(chunk.NBytes)
	err := c.reverseWhole(w, in, whole)
	copy(dst, whole)
	return err
}

// reverseWhole writes all data of a chunk to dst, which has its size.
func (c *Codec) reverseWhole(w *work, in part, dst []byte) error {
	in, err := c.reverseStages(w, in, dst, 0)
	if err == nil {
		err = checkPart(in, len(dst))
	}
	if err == nil && c.target < 0 {
		copy(dst, in.data)
	}
	return err
}

// reverseHead writes the first of size bytes of a chunk to dst.
func (c *Codec) reverseHead(w *work, in part, dst []byte, size int) error {
	if len(c.stages) == 0 {
		copy(dst, in.data)
		return checkPart(in, size)
	}
	in, err := c.reverseStages(w, in, nil, 1)
	if err == nil {
		in, err = c.stages[0].(compressor).reverseHead(w, in, dst, size)
	}
	if err == nil {
		err = checkPart(in, len(dst))
	}
	return err
}

// checkPart tells whether what comes out of the last stage has n bytes and no metadata is left.
func checkPart(in part, n int) error {
	if len(in.data) != n {
		return fmt.Errorf("%w: %d bytes come out of a chunk of %d bytes", ErrCorrupt, len(in.data), n)
	}
	if len(in.meta) != 0 {
		return fmt.Errorf("%w: %d bytes of metadata that no filter takes", ErrCorrupt, len(in.meta))
	}
	return nil
}

// reverseStages reverses the stages from the last down to number first. The target stage writes into dst.
func (c *Codec) reverseStages(w *work, in part, dst []byte, first int) (part, error) {
	var err error
	for i := len(c.stages) - 1; i >= first; i-- {
		var out []byte
		if i == c.target {
			out = dst
		}
		if in, err = c.stages[i].reverse(w, in, out); err != nil {
			return part{}, err
		}
	}
	return in, nil
}
