package filter

import (
	"fmt"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// lz4Block compresses into one raw LZ4 block. The level is ignored, as libtiledb does.
type lz4Block struct{}

// buildLZ4 makes the stage of LZ4.
func buildLZ4(Spec, input) (stage, error) { return compressor{block: lz4Block{}}, nil }

var lz4Encoders = sync.Pool{New: func() any { return new(lz4.Compressor) }}

func (lz4Block) bound(n int) int { return lz4.CompressBlockBound(n) }

func (b lz4Block) compress(w *work, dst, src []byte) ([]byte, error) {
	if len(src) == 0 {
		return append(dst, 0), nil
	}
	out := w.take(b.bound(len(src)))
	e := lz4Encoders.Get().(*lz4.Compressor)
	n, err := e.CompressBlock(src, out)
	lz4Encoders.Put(e)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("%w: lz4 block of %d bytes: %v", ErrUnfilterable, len(src), err)
	}
	return append(dst, out[:n]...), nil
}

func (lz4Block) decompress(_ *work, dst, src []byte) error {
	n, err := lz4.UncompressBlock(src, dst)
	if err != nil {
		return corrupt(err)
	}
	if n != len(dst) {
		return wrongSize(n, len(dst))
	}
	return nil
}
