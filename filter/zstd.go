package filter

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"azulejo/internal/pack"
	"azulejo/internal/unpack"
)

// zstdBlock compresses into one Zstandard frame with its content size and without a checksum, as libtiledb does.
type zstdBlock struct{ level int }

// buildZstd makes the stage of Zstd.
func buildZstd(s Spec, _ input) (stage, error) {
	level, _ := s.Level()
	return compressor{block: zstdBlock{int(min(level, 22))}}, nil
}

// ours reports whether a level is for our own encoder: below 3 it makes smaller files than the library's at its speed, and
// from 8 on the library's finds too little. In between the library's is as fast at sizes like libzstd's. 0 is the default, 3.
func ours(level int) bool { return level != 0 && level < 3 || level >= 8 }

// libraryLevel returns the level of the library's encoder that comes nearest to one of libzstd's.
func libraryLevel(level int) zstd.EncoderLevel {
	if level < 6 {
		return zstd.SpeedDefault
	}
	return zstd.SpeedBetterCompression
}

var (
	zstdEncoders [zstd.SpeedBetterCompression + 1]sync.Pool
	ownEncoders  = sync.Pool{New: func() any { return new(pack.Zstd) }}
	zstdDecoders sync.Pool
)

// encoder returns an encoder of the library.
func (z zstdBlock) encoder() (*zstd.Encoder, error) {
	level := libraryLevel(z.level)
	if e, ok := zstdEncoders[level].Get().(*zstd.Encoder); ok {
		return e, nil
	}
	// Without entropy coding of all literals the faster levels store most integers as they are.
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithZeroFrames(true), zstd.WithLowerEncoderMem(true), zstd.WithAllLitEntropyCompression(true))
}

func (z zstdBlock) bound(n int) int { return n + n/128 + 256 }

func (z zstdBlock) compress(_ *work, dst, src []byte) ([]byte, error) {
	if ours(z.level) {
		e := ownEncoders.Get().(*pack.Zstd)
		dst = e.Append(dst, src, z.level)
		ownEncoders.Put(e)
		return dst, nil
	}
	e, err := z.encoder()
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	dst = e.EncodeAll(src, dst)
	zstdEncoders[libraryLevel(z.level)].Put(e)
	return dst, nil
}

// zstdSlack is the spare room behind the data that lets the library's decoder copy in words. Without it, decoding elsewhere
// and copying the result costs less than decoding in place.
const zstdSlack = 16

func (z zstdBlock) decompress(w *work, dst, src []byte) error {
	return z.decompressHead(w, dst, src, len(dst))
}

func (z zstdBlock) decompressHead(w *work, dst, src []byte, size int) error {
	if err := unpack.ZstdHead(dst, src, size); err == nil {
		return nil
	} else if err != unpack.ErrLeft {
		return corrupt(err)
	}
	d, ok := zstdDecoders.Get().(*zstd.Decoder)
	if !ok {
		var err error
		d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return fmt.Errorf("zstd decoder: %w", err)
		}
	}
	room := dst
	if cap(dst)-size < zstdSlack {
		room = w.take(size + zstdSlack)
	}
	out, err := d.DecodeAll(src, room[:0:size+zstdSlack])
	zstdDecoders.Put(d)
	if err != nil {
		return corrupt(err)
	}
	if len(out) != size {
		return wrongSize(len(out), size)
	}
	copy(dst, out) // nothing when they are the same
	return nil
}
