package fragment

import (
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/sync/errgroup"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/vfs"
)

// dataFile is one data file of a fragment, created when its first bytes come.
type dataFile struct {
	codec *filter.Codec
	// chunk is the size of the chunks that tiles are cut into, 0 when they are not.
	chunk int
	// uncut says that they are not if there is a filter.
	uncut  bool
	name   string
	w      vfs.Writer
	nBytes uint64
}

// filterBy makes the codec of the file's tiles.
func (d *dataFile) filterBy(p filter.Pipeline, t datatype.Type, cellSize int) (err error) {
	if d.codec, err = filter.NewCodec(p, t, cellSize); err != nil {
		return err
	}
	if p.MaxChunk > 0 || len(p.Filters) == 0 {
		d.chunk = max(filter.DefaultMaxChunk/cellSize, 1) * cellSize
	}
	d.uncut = p.MaxChunk == 0
	return nil
}

// encryptBy makes the codec encrypt too, unless the key is nil.
func (d *dataFile) encryptBy(k *filter.Key) {
	if d.codec = d.codec.WithKey(k); k != nil && d.uncut {
		d.chunk = 0
	}
}

// minChunks is the least number of chunks that is worth a goroutine.
const minChunks = 8

// forward appends the filtered form of a tile of fixed cells, up to so many pieces of it filtered at a time: chunks know
// nothing of each other, so a tile is the number of its chunks (u64) and the chunks of its pieces in turn.
func (d *dataFile) forward(dst, tile []byte, pieces int) ([]byte, error) {
	chunks := 0
	if d.chunk > 0 {
		chunks = (len(tile) + d.chunk - 1) / d.chunk
	}
	if pieces = min(pieces, chunks/minChunks); pieces < 2 {
		return d.codec.Forward(dst, tile)
	}
	filtered := make([][]byte, pieces)
	var group errgroup.Group
	for i := range filtered {
		group.Go(func() (err error) {
			from, to := i*chunks/pieces*d.chunk, min((i+1)*chunks/pieces*d.chunk, len(tile))
			filtered[i], err = d.codec.Forward(nil, tile[from:to])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	start := len(dst)
	dst = append(dst, filtered[0]...)
	n := binary.LittleEndian.Uint64(filtered[0])
	for _, p := range filtered[1:] {
		n += binary.LittleEndian.Uint64(p)
		dst = append(dst, p[8:]...)
	}
	binary.LittleEndian.PutUint64(dst[start:], n)
	return dst, nil
}

func (d *dataFile) write(ctx context.Context, w *Writer, p []byte) (err error) {
	if d.codec == nil {
		return nil
	}
	if d.w == nil {
		if d.w, err = w.create(ctx, d.name); err != nil {
			return err
		}
	}
	n, err := d.w.Write(p)
	d.nBytes += uint64(n)
	return err
}

// filter appends the filtered form of one tile to the batch.
func (f *fieldWriter) filter(b *batch, c *Cells) (err error) {
	b.meta.TileOffsets = append(b.meta.TileOffsets, uint64(len(b.fixed)))
	if f.field.Var() {
		b.meta.VarOffsets = append(b.meta.VarOffsets, uint64(len(b.vars)))
		b.meta.VarSizes = append(b.meta.VarSizes, uint64(len(c.Data)))
		if b.vars, err = f.vars.codec.ForwardVar(b.vars, c.Data, c.Offsets); err != nil {
			return err
		}
		if f.vars.codec.TakesOffsets() {
			b.fixed = append(b.fixed, 0, 0, 0, 0, 0, 0, 0, 0) // a tile of no chunks
		} else if b.fixed, err = f.fixed.forward(b.fixed, datatype.Bytes(c.Offsets), b.pieces); err != nil {
			return fmt.Errorf("offsets: %w", err)
		}
	} else if b.fixed, err = f.fixed.forward(b.fixed, c.Data, b.pieces); err != nil {
		return err
	}
	if f.field.Nullable {
		b.meta.ValidityOffsets = append(b.meta.ValidityOffsets, uint64(len(b.validity)))
		if b.validity, err = f.validity.forward(b.validity, c.Validity, b.pieces); err != nil {
			return fmt.Errorf("validity: %w", err)
		}
	}
	return nil
}
