package filter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// Texts under RLE: the data is runs of equal texts, each
//
//	repetitions | bytes of the text | the text
//
// with numbers of 1, 2, 4 or 8 bytes, higher bytes first. The metadata is that of a compressor of one data part, longer:
//
//	u32 0 | u32 1 | u32 bytes of the texts | u32 bytes of the runs | u32 bytes of the offsets
//	u8 width of the repetitions | u8 width of the lengths
const textMetaBytes = 22

// text returns text i.
func text(data []byte, offsets []uint64, i int) []byte {
	if i+1 < len(offsets) {
		return data[offsets[i]:offsets[i+1]]
	}
	return data[offsets[i]:]
}

// textWidth returns the bytes of the numbers that hold n.
func textWidth(n uint64) int {
	switch {
	case n <= math.MaxUint8:
		return 1
	case n <= math.MaxUint16:
		return 2
	case n <= math.MaxUint32:
		return 4
	}
	return 8
}

// textRuns returns the longest run, the longest text and the bytes of the runs' texts together with their number.
func textRuns(data []byte, offsets []uint64) (longestRun, longestText, nBytes, nRuns int) {
	run := 0
	for i := range offsets {
		run++
		t := text(data, offsets, i)
		if i+1 < len(offsets) && bytes.Equal(t, text(data, offsets, i+1)) {
			continue
		}
		longestRun, longestText = max(longestRun, run), max(longestText, len(t))
		nBytes += len(t)
		nRuns++
		run = 0
	}
	return longestRun, longestText, nBytes, nRuns
}

func (rle) forwardTexts(w *work, data []byte, offsets []uint64) ([]byte, error) {
	if len(offsets) == 0 || uint64(max(8*len(offsets), len(data))) > math.MaxUint32 {
		return nil, fmt.Errorf("%w: %d texts of %d bytes", ErrUnfilterable, len(offsets), len(data))
	}
	longest, longestText, nBytes, nRuns := textRuns(data, offsets)
	runWidth, lengthWidth := textWidth(uint64(longest)), textWidth(uint64(longestText))
	nBytes += nRuns * (runWidth + lengthWidth)
	if uint64(nBytes) > math.MaxUint32 {
		return nil, fmt.Errorf("%w: runs of texts of %d bytes", ErrUnfilterable, nBytes)
	}
	out := w.take(nBytes)[:0]
	run := uint64(0)
	for i := range offsets {
		run++
		t := text(data, offsets, i)
		if i+1 < len(offsets) && bytes.Equal(t, text(data, offsets, i+1)) {
			continue
		}
		out = appendNumber(out, run, runWidth)
		out = append(appendNumber(out, uint64(len(t)), lengthWidth), t...)
		run = 0
	}
	meta := w.take(textMetaBytes)[:0]
	for _, n := range []uint32{0, 1, uint32(len(data)), uint32(len(out)), uint32(8 * len(offsets))} {
		meta = binary.LittleEndian.AppendUint32(meta, n)
	}
	w.meta = append(w.meta[:0], append(meta, byte(runWidth), byte(lengthWidth)))
	return out, nil
}

// appendNumber appends a number of width bytes, higher bytes first.
func appendNumber(dst []byte, n uint64, width int) []byte {
	for i := width - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

func (rle) reverseTexts(in part, data []byte, offsets []uint64) error {
	if len(in.meta) != textMetaBytes {
		return fmt.Errorf("%w: %d bytes of metadata for runs of texts", ErrCorrupt, len(in.meta))
	}
	for i, want := range []int{0, 1, len(data), len(in.data), 8 * len(offsets)} {
		if got := binary.LittleEndian.Uint32(in.meta[4*i:]); uint64(got) != uint64(want) {
			return fmt.Errorf("%w: number %d of the runs of texts is %d, not %d", ErrCorrupt, i, got, want)
		}
	}
	runWidth, lengthWidth := int(in.meta[20]), int(in.meta[21])
	if !isNumberWidth(runWidth) || !isNumberWidth(lengthWidth) {
		return fmt.Errorf("%w: runs of texts with numbers of %d and %d bytes", ErrCorrupt, runWidth, lengthWidth)
	}
	head := runWidth + lengthWidth
	src := in.data
	at, cell := 0, 0
	for len(src) >= head {
		run, length := number(src[:runWidth]), number(src[runWidth:head])
		src = src[head:]
		if length > uint64(len(src)) || run > uint64(len(offsets)-cell) ||
			length > 0 && run > uint64(len(data)-at)/length {
			return fmt.Errorf("%w: %d texts of %d bytes at cell %d", ErrCorrupt, run, length, cell)
		}
		for range run {
			offsets[cell] = uint64(at)
			at += copy(data[at:], src[:length])
			cell++
		}
		src = src[length:]
	}
	if len(src) != 0 || at != len(data) || cell != len(offsets) {
		return fmt.Errorf("%w: the runs hold %d of %d texts, %d of %d bytes", ErrCorrupt, cell, len(offsets), at, len(data))
	}
	return nil
}

func isNumberWidth(n int) bool { return n == 1 || n == 2 || n == 4 || n == 8 }

// number reads a number, higher bytes first.
func number(b []byte) uint64 {
	n := uint64(0)
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}
