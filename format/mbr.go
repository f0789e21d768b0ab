package format

import (
	"azulejo/internal/bin"
	"azulejo/schema"
)

// A hyper-rectangle (format_spec/fragment.md, MBR) is one range per dimension:
//
//	fixed:  lo | hi
//	texts:  u64 bytes of both | u64 bytes of lo | lo | hi

// readRange reads the range of one dimension. The result shares the input's memory.
func readRange(r *bin.Reader, d *schema.Dimension) schema.Range {
	if !d.Var() {
		size := uint64(d.Type.Size())
		return schema.Range{Lo: r.Bytes("range start", size), Hi: r.Bytes("range end", size)}
	}
	both, lo := r.U64("range size"), r.U64("range start size")
	if r.Err() == nil && lo > both {
		r.Failf("range start size", "%w: %d of %d bytes", ErrCorrupt, lo, both)
	}
	return schema.Range{Lo: r.Bytes("range start", lo), Hi: r.Bytes("range end", both-lo)}
}

// readRanges reads one range per dimension into new memory.
func readRanges(r *bin.Reader, d *schema.Domain) []schema.Range {
	ranges := make([]schema.Range, len(d.Dimensions))
	n := 0
	for i := range ranges {
		ranges[i] = readRange(r, &d.Dimensions[i])
		n += len(ranges[i].Lo) + len(ranges[i].Hi)
	}
	room := make([]byte, 0, n)
	for i := range ranges {
		s := &ranges[i]
		at := len(room)
		room = append(append(room, s.Lo...), s.Hi...)
		mid := at + len(s.Lo)
		s.Lo, s.Hi = room[at:mid:mid], room[mid:len(room):len(room)]
	}
	return ranges
}

// writeRange writes the range of one dimension.
func writeRange(w *bin.Writer, d *schema.Dimension, s schema.Range) {
	if d.Var() {
		w.U64(uint64(len(s.Lo) + len(s.Hi)))
		w.U64(uint64(len(s.Lo)))
	}
	w.Bytes(s.Lo)
	w.Bytes(s.Hi)
}

// writeRanges writes one range per dimension.
func writeRanges(w *bin.Writer, d *schema.Domain, ranges []schema.Range) {
	for i := range d.Dimensions {
		writeRange(w, &d.Dimensions[i], ranges[i])
	}
}
