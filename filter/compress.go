package filter

import (
	"encoding/binary"
	"fmt"
)

// block is a compressor of single parts. Blocks are immutable and safe for concurrent use.
type block interface {
	// bound returns the most bytes that n bytes can become.
	bound(n int) int
	// compress appends the compressed form of src, which is not kept.
	compress(w *work, dst, src []byte) ([]byte, error)
	// decompress fills dst, which is not empty, with exactly what src is the compressed form of. What is behind dst, up to
	// its capacity, may be overwritten.
	decompress(w *work, dst, src []byte) error
}

// headBlock is a block that can stop early.
type headBlock interface {
	// decompressHead fills dst with the first bytes of size, else as decompress. Damage behind them may not be seen.
	decompressHead(w *work, dst, src []byte, size int) error
}

// compressor is the stage of every filter that format_spec/tile.md calls a compression filter. It compresses all
// metadata parts so far and the data part by part; its own metadata is
//
//	u32 metadata parts | u32 data parts | per part: u32 bytes, u32 compressed bytes
//
// and its data is the compressed parts, those of the metadata first.
type compressor struct {
	block
	// values says that the block takes no empty part. libtiledb stores such a part anyway, cannot read it back, and
	// reads a chunk that has no part.
	values bool
}

func (c compressor) passes() bool { return false }

func (c compressor) forward(w *work, data []byte) ([]byte, error) {
	nData, bound := 1, c.bound(len(data))
	if w.empty || c.values && len(data) == 0 {
		nData = 0
	}
	for _, m := range w.meta {
		bound += c.bound(len(m))
	}
	header := w.take(8 + 8*(len(w.meta)+nData))[:0]
	header = binary.LittleEndian.AppendUint32(header, uint32(len(w.meta)))
	header = binary.LittleEndian.AppendUint32(header, uint32(nData))
	out := w.take(bound)[:0]
	var err error
	for i := range len(w.meta) + nData {
		src := data
		if i < len(w.meta) {
			src = w.meta[i]
		}
		before := len(out)
		if out, err = c.compress(w, out, src); err != nil {
			return nil, err
		}
		header = binary.LittleEndian.AppendUint32(header, uint32(len(src)))
		header = binary.LittleEndian.AppendUint32(header, uint32(len(out)-before))
	}
	w.meta = append(w.meta[:0], header)
	w.empty = false
	return out, nil
}

func (c compressor) reverse(w *work, in part, dst []byte) (part, error) {
	return c.reverseHead(w, in, dst, len(dst))
}

// reverseHead is reverse for a dst that takes only the first bytes of size; unless it takes all, the block is a headBlock.
func (c compressor) reverseHead(w *work, in part, dst []byte, size int) (part, error) {
	nMeta, sizes, err := partSizes(in)
	if err != nil {
		return part{}, err
	}
	var total [2]uint64
	for i := range len(sizes) / 8 {
		kind := 1
		if i < nMeta {
			kind = 0
		}
		total[kind] += uint64(binary.LittleEndian.Uint32(sizes[8*i:]))
	}
	var out part
	if nMeta > 0 {
		if out.meta, err = w.place(nil, total[0]); err != nil {
			return part{}, err
		}
	}
	if len(dst) < size && total[1] == uint64(size) {
		out.data = dst
	} else if out.data, err = w.place(dst, total[1]); err != nil {
		return part{}, err
	}
	meta, data, src := out.meta, out.data, in.data
	for i := 0; len(sizes) > 0; i, sizes = i+1, sizes[8:] {
		n, nSrc := binary.LittleEndian.Uint32(sizes), binary.LittleEndian.Uint32(sizes[4:])
		rest := &data
		if i < nMeta {
			rest = &meta
		}
		some := min(int(n), len(*rest))
		switch packed := src[:nSrc:nSrc]; {
		case some == 0:
		case some < int(n):
			err = c.block.(headBlock).decompressHead(w, *rest, packed, int(n))
		default:
			err = c.decompress(w, (*rest)[:n], packed)
		}
		if err != nil {
			return part{}, fmt.Errorf("part %d: %w", i, err)
		}
		*rest, src = (*rest)[some:], src[nSrc:]
	}
	return out, nil
}

// partSizes checks a compressor's metadata and returns the number of metadata parts and the sizes of all parts, 8 bytes
// each. The compressed sizes add up to the data.
func partSizes(in part) (nMeta int, sizes []byte, err error) {
	if len(in.meta) < 8 {
		return 0, nil, fmt.Errorf("%w: %d bytes of metadata for a compressor", ErrCorrupt, len(in.meta))
	}
	m, d := uint64(binary.LittleEndian.Uint32(in.meta)), uint64(binary.LittleEndian.Uint32(in.meta[4:]))
	sizes = in.meta[8:]
	if (m+d)*8 != uint64(len(sizes)) {
		return 0, nil, fmt.Errorf("%w: %d and %d compressed parts in %d bytes of metadata", ErrCorrupt, m, d, len(in.meta))
	}
	packed := uint64(0)
	for i := 4; i < len(sizes); i += 8 {
		packed += uint64(binary.LittleEndian.Uint32(sizes[i:]))
	}
	if packed != uint64(len(in.data)) {
		return 0, nil, fmt.Errorf("%w: compressed parts of %d bytes in %d bytes", ErrCorrupt, packed, len(in.data))
	}
	return int(m), sizes, nil
}

// corrupt wraps the error of a compression library.
func corrupt(err error) error { return fmt.Errorf("%w: %w", ErrCorrupt, err) }

// wrongSize is the error for compressed data that holds fewer bytes than its part, or more.
func wrongSize(n, want int) error {
	return fmt.Errorf("%w: %d bytes decompressed, %d expected", ErrCorrupt, n, want)
}
