package filter

import (
	"encoding/binary"
	"fmt"
	"math"
)

// dictionary is the stage of Dictionary (format_spec/filters/dictionary_encoding.md). It only takes texts of variable
// length with their offsets, and only as the first filter. Its data is one id per text, the place of the text in the
// dictionary; its metadata, longer than that of a compressor of one data part, is
//
//	u32 0 | u32 1 | u32 bytes of the texts | u32 bytes of the ids | u32 bytes of the offsets
//	u8 width of the ids | u8 width of the lengths | u32 bytes of the dictionary
//	the dictionary: per text, in the order they first appear: bytes of the text | the text
//
// Ids and lengths have 1, 2, 4 or 8 bytes, higher bytes first. The width of the ids is that of the number of texts, not
// of distinct ones.
type dictionary struct{}

// dictionaryHead is the bytes of the metadata in front of the dictionary.
const dictionaryHead = 26

// buildDictionary makes the stage of Dictionary. Fields of other types may have the filter in their schema, as in
// libtiledb, but nothing can be written through it.
func buildDictionary(Spec, input) (stage, error) { return dictionary{}, nil }

func (dictionary) passes() bool { return false }

func (dictionary) forward(*work, []byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: only texts of variable length go in a dictionary", ErrUnfilterable)
}

func (dictionary) forwardTexts(w *work, data []byte, offsets []uint64) ([]byte, error) {
	if len(offsets) == 0 || len(offsets) > math.MaxUint32/8 || len(data) > math.MaxUint32 {
		return nil, fmt.Errorf("%w: %d texts of %d bytes", ErrUnfilterable, len(offsets), len(data))
	}
	longest := 0
	for i := range offsets {
		longest = max(longest, len(text(data, offsets, i)))
	}
	idWidth, lengthWidth := textWidth(uint64(len(offsets))), textWidth(uint64(longest))
	ids := w.take(len(offsets) * idWidth)[:0]
	meta := w.take(dictionaryHead + len(data) + len(offsets)*lengthWidth)[:dictionaryHead]
	known := make(map[string]uint64)
	for i := range offsets {
		t := text(data, offsets, i)
		id, ok := known[string(t)]
		if !ok {
			id = uint64(len(known))
			known[string(t)] = id
			meta = append(appendNumber(meta, uint64(len(t)), lengthWidth), t...)
		}
		ids = appendNumber(ids, id, idWidth)
	}
	if len(meta) > math.MaxUint32 {
		return nil, fmt.Errorf("%w: a dictionary of %d bytes", ErrUnfilterable, len(meta))
	}
	for i, n := range []int{0, 1, len(data), len(ids), 8 * len(offsets)} {
		binary.LittleEndian.PutUint32(meta[4*i:], uint32(n))
	}
	meta[20], meta[21] = byte(idWidth), byte(lengthWidth)
	binary.LittleEndian.PutUint32(meta[22:], uint32(len(meta)-dictionaryHead))
	w.meta = append(w.meta[:0], meta)
	return ids, nil
}

// reverse returns the texts of a tile whose offsets have a tile of their own, as old versions store them.
func (d dictionary) reverse(w *work, in part, dst []byte) (part, error) {
	if len(in.meta) < dictionaryHead {
		return part{}, fmt.Errorf("%w: %d bytes of metadata for a dictionary", ErrCorrupt, len(in.meta))
	}
	out, err := w.place(dst, uint64(binary.LittleEndian.Uint32(in.meta[8:])))
	if err != nil {
		return part{}, err
	}
	nTexts := binary.LittleEndian.Uint32(in.meta[16:]) / 8
	if int(nTexts) > len(in.data) {
		return part{}, fmt.Errorf("%w: %d texts have %d bytes of ids", ErrCorrupt, nTexts, len(in.data))
	}
	return part{data: out}, d.reverseTexts(in, out, make([]uint64, nTexts))
}

func (dictionary) reverseTexts(in part, data []byte, offsets []uint64) error {
	if len(in.meta) < dictionaryHead {
		return fmt.Errorf("%w: %d bytes of metadata for a dictionary", ErrCorrupt, len(in.meta))
	}
	for i, want := range []int{0, 1, len(data), len(in.data), 8 * len(offsets)} {
		if got := binary.LittleEndian.Uint32(in.meta[4*i:]); uint64(got) != uint64(want) {
			return fmt.Errorf("%w: number %d of the dictionary is %d, not %d", ErrCorrupt, i, got, want)
		}
	}
	idWidth, lengthWidth := int(in.meta[20]), int(in.meta[21])
	nBytes := binary.LittleEndian.Uint32(in.meta[22:])
	if !isNumberWidth(idWidth) || !isNumberWidth(lengthWidth) || len(in.data) != len(offsets)*idWidth ||
		uint64(nBytes) != uint64(len(in.meta)-dictionaryHead) {
		return fmt.Errorf("%w: %d ids of %d bytes in %d bytes, lengths of %d bytes in a dictionary of %d bytes", ErrCorrupt,
			len(offsets), idWidth, len(in.data), lengthWidth, nBytes)
	}
	words, err := dictionaryWords(in.meta[dictionaryHead:], lengthWidth, len(offsets))
	if err != nil {
		return err
	}
	at := 0
	for i := range offsets {
		id := number(in.data[i*idWidth:][:idWidth])
		if id >= uint64(len(words)) || len(words[id]) > len(data)-at {
			return fmt.Errorf("%w: text %d at byte %d of %d is number %d of %d", ErrCorrupt, i, at, len(data), id, len(words))
		}
		offsets[i] = uint64(at)
		at += copy(data[at:], words[id])
	}
	if at != len(data) {
		return fmt.Errorf("%w: the texts have %d bytes of %d", ErrCorrupt, at, len(data))
	}
	return nil
}

// dictionaryWords returns the texts of a dictionary, at most that many, which share its memory.
func dictionaryWords(b []byte, lengthWidth, largest int) ([][]byte, error) {
	var words [][]byte
	for rest := b; len(rest) > 0; {
		if len(rest) < lengthWidth || len(words) == largest {
			return nil, fmt.Errorf("%w: %d bytes after text %d of a dictionary", ErrCorrupt, len(rest), len(words))
		}
		n := number(rest[:lengthWidth])
		if rest = rest[lengthWidth:]; n > uint64(len(rest)) {
			return nil, fmt.Errorf("%w: text %d of a dictionary has %d bytes, %d are left", ErrCorrupt, len(words), n, len(rest))
		}
		words, rest = append(words, rest[:n:n]), rest[n:]
	}
	return words, nil
}
