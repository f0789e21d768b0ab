package filter

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// rleBlock is the compressor of RLE for cells of fixed size: a cell, then how often it repeats as 2 bytes, the higher
// one first. It works on the tile's cells whatever the filters before it made of them.
type rleBlock struct{ cellSize int }

// longestRun is the most repetitions that one run of fixed cells can have.
const longestRun = 65535

// rle is the stage of RLE, for fixed cells and, as the first stage of texts, for texts with their offsets.
type rle struct{ compressor }

// buildRLE makes the stage of RLE.
func buildRLE(_ Spec, in input) (stage, error) {
	return rle{compressor{block: rleBlock{in.cellSize}}}, nil
}

func (b rleBlock) bound(n int) int { return (n/b.cellSize + 1) * (b.cellSize + 2) }

func (b rleBlock) compress(w *work, dst, src []byte) ([]byte, error) {
	if len(src)%b.cellSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes are no cells of %d bytes", ErrUnfilterable, len(src), b.cellSize)
	}
	switch b.cellSize {
	case 1:
		return encodeRuns(dst, src), nil
	case 2:
		return encodeRuns(dst, aligned[uint16](w, src)), nil
	case 4:
		return encodeRuns(dst, aligned[uint32](w, src)), nil
	case 8:
		return encodeRuns(dst, aligned[uint64](w, src)), nil
	}
	for len(src) > 0 {
		cell, n := src[:b.cellSize], 1
		src = src[b.cellSize:]
		for n < longestRun && len(src) > 0 && bytes.Equal(cell, src[:b.cellSize]) {
			src = src[b.cellSize:]
			n++
		}
		dst = binary.BigEndian.AppendUint16(append(dst, cell...), uint16(n))
	}
	return dst, nil
}

// encodeRuns appends the runs of cells of one value each.
func encodeRuns[T unsigned](dst []byte, cells []T) []byte {
	for i := 0; i < len(cells); {
		v, end := cells[i], min(i+longestRun, len(cells))
		j := i + 1
		for j < end && cells[j] == v {
			j++
		}
		dst = binary.BigEndian.AppendUint16(appendValue(dst, v), uint16(j-i))
		i = j
	}
	return dst
}

func (b rleBlock) decompress(w *work, dst, src []byte) error {
	if len(src)%(b.cellSize+2) != 0 || len(dst)%b.cellSize != 0 {
		return fmt.Errorf("%w: %d bytes of runs of cells of %d bytes", ErrCorrupt, len(src), b.cellSize)
	}
	n := 0
	switch b.cellSize {
	case 1:
		n = decodeRuns(dst, src)
	case 2:
		n = decodeAligned[uint16](w, dst, src)
	case 4:
		n = decodeAligned[uint32](w, dst, src)
	case 8:
		n = decodeAligned[uint64](w, dst, src)
	default:
		n = decodeCells(dst, src, b.cellSize)
	}
	if n != len(dst) {
		return fmt.Errorf("%w: the runs do not hold %d bytes", ErrCorrupt, len(dst))
	}
	return nil
}

// decodeAligned is decodeRuns into memory of any alignment; it returns bytes.
func decodeAligned[T unsigned](w *work, dst, src []byte) int {
	o := outputOf[T](w, dst)
	n := decodeRuns(o.v, src)
	o.flush()
	return n * widthOf[T]()
}

// decodeRuns fills out from runs of one value each and returns the number of cells, or -1 when the runs hold more.
func decodeRuns[T unsigned](out []T, src []byte) int {
	width := widthOf[T]()
	at := 0
	for ; len(src) >= width+2; src = src[width+2:] {
		v := valueOf[T](src)
		n := int(src[width])<<8 | int(src[width+1])
		if n <= 4 && at+4 <= len(out) {
			// Writing more than the run is cheaper than asking how long it is.
			run := out[at : at+4]
			run[0], run[1], run[2], run[3] = v, v, v, v
			at += n
			continue
		}
		if n > len(out)-at {
			return -1
		}
		run := out[at : at+n]
		at += n
		for i := 0; i < len(run) && i < 32; i++ {
			run[i] = v
		}
		for i := 32; i < len(run); i *= 2 {
			copy(run[i:], run[:i])
		}
	}
	return at
}

// decodeCells is decodeRuns for cells of any size; it returns bytes.
func decodeCells(dst, src []byte, cellSize int) int {
	at := 0
	for ; len(src) > 0; src = src[cellSize+2:] {
		n := int(binary.BigEndian.Uint16(src[cellSize:])) * cellSize
		if n > len(dst)-at {
			return -1
		}
		run := dst[at : at+n]
		at += n
		for i := copy(run, src[:cellSize]); i < len(run) && i > 0; i *= 2 {
			copy(run[i:], run[:i])
		}
	}
	return at
}
