package filter

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"azulejo/datatype"
)

// Version is the format version whose tiles a Codec writes and, unless told otherwise, reads.
const Version = 22

// Codec runs a pipeline over tiles of one field. It is immutable and safe for concurrent use; it works in the calling
// goroutine and borrows its scratch memory from package pool.
type Codec struct {
	stages []stage
	// target is the stage whose reverse output is the tile itself: the first one that is no mere check; -1 if none.
	target   int
	cellSize int
	// whole says that tiles are never cut into chunks, uncut that they would not be if there were a filter.
	whole, uncut bool
	// texts is the first stage when it stores the offsets of texts too.
	texts textStage
}

// stage is one filter of a Codec. Stages are immutable and safe for concurrent use.
type stage interface {
	// forward filters the data of one chunk and adds its metadata to w. The result may share memory with data and w.
	forward(w *work, data []byte) ([]byte, error)
	// reverse undoes forward. It reads its own metadata from the front of in.meta and leaves the rest. Unless dst is
	// nil, which is only so for stages that pass data on, it is the place for the result and has its exact size.
	reverse(w *work, in part, dst []byte) (part, error)
	// passes reports whether reverse returns the very data it was given, so that it needs no place for it.
	passes() bool
}

// textStage is a stage that filters the data and the offsets of texts together.
type textStage interface {
	forwardTexts(w *work, data []byte, offsets []uint64) ([]byte, error)
	// reverseTexts appends nothing: data and offsets have their exact sizes.
	reverseTexts(in part, data []byte, offsets []uint64) error
}

// part is a chunk on its way back: the metadata and the data that the next stage reads.
type part struct{ meta, data []byte }

// NewCodec returns a Codec for tiles of cells of cellSize bytes whose values have type t. For the values of var-sized
// cells cellSize is the size of one value; for offsets t is Uint64 and cellSize 8; for validity bytes Uint8 and 1.
// The error wraps ErrUnsupported and names the filter when this build cannot run it.
func NewCodec(p Pipeline, t datatype.Type, cellSize int) (*Codec, error) {
	return NewCodecAt(Version, p, t, cellSize)
}

// NewCodecAt is NewCodec for tiles of another format version: before 20, BitWidthReduction and PositiveDelta pass dates
// and times as they are; before 12 (STRING_ASCII) and 17 (STRING_UTF8), RLE leaves the offsets of texts alone.
func NewCodecAt(version uint32, p Pipeline, t datatype.Type, cellSize int) (*Codec, error) {
	if !t.Valid() || cellSize < 1 || cellSize > math.MaxInt32 {
		return nil, fmt.Errorf("%w: datatype %d in cells of %d bytes", ErrUnfilterable, t, cellSize)
	}
	c := &Codec{target: -1, cellSize: cellSize, whole: p.MaxChunk == 0 && len(p.Filters) > 0 || p.Has(WebP), uncut: p.MaxChunk == 0}
	in := input{t: t, cellSize: cellSize, version: version}
	for i, s := range p.Filters {
		if !s.Code.Supported() {
			return nil, fmt.Errorf("%w: %s", ErrUnsupported, s.Name())
		}
		if err := s.Check(); err != nil {
			return nil, err
		}
		st, err := builders[s.Code](s, in)
		if err != nil {
			return nil, fmt.Errorf("filter %d, %s: %w", i, s.Name(), err)
		}
		if c.target < 0 && !st.passes() {
			c.target = i
		}
		c.stages = append(c.stages, st)
		in.t = s.outputType(in.t)
	}
	if len(c.stages) > 0 && p.takesOffsets(t, version) {
		c.texts, _ = c.stages[0].(textStage)
	}
	return c, nil
}

// TakesOffsets reports whether the codec, used for var-sized values, stores their offsets with them: ForwardVar and
// ReverseStrings are then the only ways in and out, and the offsets tile on disk is 8 zero bytes.
func (c *Codec) TakesOffsets() bool { return c.texts != nil }

// Forward appends the filtered form of a tile to dst and returns it. The tile must hold whole cells. It is not kept.
// The error wraps ErrUnfilterable.
func (c *Codec) Forward(dst, tile []byte) ([]byte, error) {
	chunk := max(DefaultMaxChunk/c.cellSize*c.cellSize, c.cellSize)
	if c.whole || len(tile) <= chunk {
		chunk = max(len(tile), 1)
	}
	n := max((len(tile)+chunk-1)/chunk, 1)
	dst = slices.Grow(dst, 8+n*12)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	w := newWork()
	defer w.release()
	var err error
	for i := range n {
		if dst, err = c.forwardChunk(w, dst, tile[i*chunk:min((i+1)*chunk, len(tile))]); err != nil {
			return nil, fmt.Errorf("chunk %d: %w", i, err)
		}
	}
	return dst, nil
}

// ForwardVar appends the filtered form of a tile of var-sized values to dst and returns it. The cells are
// data[offsets[i]:offsets[i+1]], the last one up to the end. Chunks hold whole cells. With TakesOffsets the offsets are
// stored too. Nothing is kept. The error wraps ErrUnfilterable.
func (c *Codec) ForwardVar(dst, data []byte, offsets []uint64) ([]byte, error) {
	if err := checkOffsets(data, offsets); err != nil {
		return nil, err
	}
	w := newWork()
	defer w.release()
	if c.texts != nil {
		dst = binary.LittleEndian.AppendUint64(dst, 1)
		return c.forwardTexts(w, dst, data, offsets)
	}
	var cuts []int
	if limit := DefaultMaxChunk / c.cellSize * c.cellSize; !c.whole && len(data) > limit {
		cuts = varCuts(data, offsets, uint64(limit))
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(cuts)+1))
	start := 0
	var err error
	for i := range len(cuts) + 1 {
		end := len(data)
		if i < len(cuts) {
			end = cuts[i]
		}
		if dst, err = c.forwardChunk(w, dst, data[start:end]); err != nil {
			return nil, fmt.Errorf("chunk %d: %w", i, err)
		}
		start = end
	}
	return dst, nil
}

// checkOffsets tells whether the offsets rise from 0 and stay inside data.
func checkOffsets(data []byte, offsets []uint64) error {
	last := uint64(0)
	for i, o := range offsets {
		if o < last || o > uint64(len(data)) || i == 0 && o != 0 {
			return fmt.Errorf("%w: offset %d is %d after %d in %d bytes", ErrUnfilterable, i, o, last, len(data))
		}
		last = o
	}
	return nil
}

// varCuts returns where TileDB cuts a tile of var-sized cells (format_spec/filter_pipeline.md): before the cell that
// would overfill the chunk, or after it when the chunk is at most half full or ends up at most half overfull.
func varCuts(data []byte, offsets []uint64, limit uint64) []int {
	var cuts []int
	size := uint64(0)
	for i, start := range offsets {
		end := uint64(len(data))
		if i+1 < len(offsets) {
			end = offsets[i+1]
		}
		cell := end - start
		switch grown := size + cell; {
		case grown <= limit:
			size = grown
		case size <= limit/2 || grown <= limit+limit/2:
			cuts = append(cuts, int(end))
			size = 0
		case cell > limit:
			cuts = append(cuts, int(start))
			if i+1 < len(offsets) {
				cuts = append(cuts, int(end))
			}
			size = 0
		default:
			cuts = append(cuts, int(start))
			size = cell
		}
	}
	return cuts
}

// forwardChunk appends one filtered chunk with its sizes.
func (c *Codec) forwardChunk(w *work, dst, data []byte) ([]byte, error) {
	w.reset(len(data))
	return c.finishChunk(w, dst, data, len(data), 0)
}

// forwardTexts appends the only chunk of a tile of texts.
func (c *Codec) forwardTexts(w *work, dst, data []byte, offsets []uint64) ([]byte, error) {
	w.reset(len(data))
	filtered, err := c.texts.forwardTexts(w, data, offsets)
	if err != nil {
		return nil, err
	}
	return c.finishChunk(w, dst, filtered, len(data), 1)
}

// finishChunk runs the stages from number first on and appends the result.
func (c *Codec) finishChunk(w *work, dst, data []byte, original, first int) ([]byte, error) {
	var err error
	for _, s := range c.stages[first:] {
		if data, err = s.forward(w, data); err != nil {
			return nil, err
		}
	}
	nMeta := w.metaBytes()
	if uint64(max(original, len(data), nMeta)) > math.MaxUint32 {
		return nil, fmt.Errorf("%w: a chunk of %d bytes is too large", ErrUnfilterable, original)
	}
	dst = slices.Grow(dst, 12+nMeta+len(data))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(original))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(data)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(nMeta))
	for _, m := range w.meta {
		dst = append(dst, m...)
	}
	return append(dst, data...), nil
}
