package wire

import (
	"io"

	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
)

// decodeWrite reads how and where a write goes; its cells follow the message (ReadColumns).
func (q *Query) decodeWrite(p *place) {
	q.Write = &query.Write{Layout: q.Layout, Offsets: q.decodeOffsets(p)}
	q.decodeHeaders(p)
	m, err := q.message.Writer()
	p = p.at("writer")
	p.check(err)
	q.Write.CheckDups, q.Write.DedupCoords = m.CheckCoordDups(), m.DedupCoords()
	q.Write.CheckOutOfBounds = m.CheckCoordOOB()
	if q.schema.Type == schema.Sparse || q.Layout == schema.Unordered {
		return
	}
	if m.HasSubarrayRanges() {
		ranges, err := m.SubarrayRanges()
		q.Write.Subarray = q.decodeSubarray(p.at("subarrayRanges"), ranges, err)
	} else if m.HasSubarray() {
		q.Write.Subarray = q.decodeOldSubarray(p.at("subarray"))
	}
}

// SomeFields tells whether a write leaves fields out, to bring them in a later request. Clients may do so only where their
// configuration says it.
func (q *Query) SomeFields() bool {
	return q.Config.Bool("sm.allow_separate_attribute_writes", false) && len(q.headers) < len(q.schema.Attributes)+len(q.schema.Domain.Dimensions)
}

// decodeOldSubarray reads the older form of a dense write's region: low and high of every dimension, all of one
// datatype.
func (q *Query) decodeOldSubarray(p *place) query.Subarray {
	writer, err := q.message.Writer()
	p.check(err)
	m, err := writer.Subarray()
	p.check(err)
	dims := q.schema.Domain.Dimensions
	v := query.Subarray{Ranges: make([][]schema.Range, len(dims))}
	if len(dims) == 0 {
		return v
	}
	b := decodeDomainArray(p, dims[0].Type.Kind(), m)
	size := dims[0].Type.Size()
	if len(b) != 2*size*len(dims) {
		p.fail("%d bytes for %d dimensions", len(b), len(dims))
		return v
	}
	for i := range dims {
		if dims[i].Type != dims[0].Type {
			p.fail("dimensions of several datatypes")
			return v
		}
		v.Ranges[i] = []schema.Range{{Lo: b[:size:size], Hi: b[size : 2*size : 2*size]}}
		b = b[2*size:]
	}
	return v
}

// BufferBytes returns the bytes that follow the message of a write, false when their number overflows.
func (q *Query) BufferBytes() (int64, bool) {
	var sum uint64
	for _, h := range q.headers {
		for _, n := range []uint64{h.fixed, h.vary, h.present} {
			if n > 1<<62 || sum > 1<<62 {
				return 0, false
			}
			sum += n
		}
	}
	return int64(sum), sum <= 1<<62
}

// SortBytes returns the memory in bytes that it takes at most to put the cells of a write in order: two numbers a cell for
// every dimension, and its place before and after.
func (q *Query) SortBytes() int64 {
	if q.schema.Type != schema.Sparse || q.Layout != schema.Unordered {
		return 0
	}
	var cells uint64
	for _, h := range q.headers {
		f, _ := q.field(h.name)
		unit := uint64(max(f.CellSize(), 1))
		if f.Var() {
			unit = uint64(max(q.Write.Offsets.Bits/8, 1))
		}
		cells = max(cells, min(h.fixed, 1<<50)/unit)
	}
	return int64(cells) * int64(16*len(q.schema.Domain.Dimensions)+16)
}

// Take reads the next n bytes of a body and returns them in a slice that is aligned for every type.
type Take func(r io.Reader, n uint64) ([]byte, error)

// InMemory is a Take of slices that are the caller's from then on.
func InMemory(r io.Reader, n uint64) ([]byte, error) { return readAligned(r, n) }

// ReadColumns reads the cells of a write from r, which DecodeQuery left at their first byte, into Write.Columns; each
// part into a slice that take makes of it. No more than limit bytes are read or asked for. Bytes after the last part are a
// fault: they would be cells that nobody announced.
func (q *Query) ReadColumns(r io.Reader, limit int64, take Take) error {
	if err := q.checkWriteHeaders(limit); err != nil {
		return err
	}
	columns := make([]query.Column, len(q.headers))
	for i := range q.headers {
		c, err := q.readColumn(r, &q.headers[i], take)
		if err != nil {
			return bufferCutOff(err)
		}
		columns[i] = c
	}
	if err := AtEnd(r); err != nil {
		return err
	}
	q.Write.Columns = columns
	return nil
}

// AtEnd tells whether a body ends after its last buffer.
func AtEnd(r io.Reader) error {
	if n, err := r.Read(make([]byte, 1)); n > 0 {
		return malformed("bytes after the last buffer")
	} else if err != nil && err != io.EOF {
		return err
	}
	return nil
}

// ColumnSizes are the bytes of one field in the body of a write: offsets of var-sized cells or the cells themselves, the
// values of var-sized cells, the validity.
type ColumnSizes struct {
	Name                 string
	Fixed, Vary, Present uint64
}

// Columns returns what follows the message of a write, for who does not read it by ReadColumns but as it comes. No more
// than limit bytes are taken.
func (q *Query) Columns(limit int64) ([]ColumnSizes, error) {
	if err := q.checkWriteHeaders(limit); err != nil {
		return nil, err
	}
	v := make([]ColumnSizes, len(q.headers))
	for i, h := range q.headers {
		v[i] = ColumnSizes{h.name, h.fixed, h.vary, h.present}
	}
	return v, nil
}

// BufferError is the fault of a body that ends inside its buffers; other errors of reading it pass as they are.
func BufferError(err error) error { return bufferCutOff(err) }

// checkWriteHeaders checks the sizes of what follows the message of a write.
func (q *Query) checkWriteHeaders(limit int64) error {
	p := newPlace()
	total, ok := q.BufferBytes()
	if !ok {
		p.at("attributeBufferHeaders").fail("sizes overflow")
		return p.err()
	}
	if total > limit {
		return &Error{Field: "attributeBufferHeaders", Err: ErrTooLarge}
	}
	for i := range q.headers {
		if q.checkWriteHeader(p.at("attributeBufferHeaders").item(i), &q.headers[i]); p.err() != nil {
			return p.err()
		}
	}
	return nil
}

// checkWriteHeader checks that the parts of a field are whole cells.
func (q *Query) checkWriteHeader(p *place, h *header) {
	f, ok := q.headerField(p, h)
	if !ok {
		return
	}
	unit := uint64(f.CellSize())
	if f.Var() {
		unit = uint64(q.Write.Offsets.Bits / 8)
		if h.vary%uint64(f.Type.Size()) != 0 {
			p.at("varLenBufferSizeInBytes").fail("%d bytes are no whole values of %v", h.vary, f.Type)
		}
	}
	if unit == 0 || h.fixed%unit != 0 {
		p.at("fixedLenBufferSizeInBytes").fail("%d bytes are no whole cells of %d", h.fixed, unit)
		return
	}
	cells := h.fixed / unit
	if f.Var() && q.Write.Offsets.Extra && cells > 0 {
		cells--
	}
	if f.Nullable && h.present != cells {
		p.at("validityLenBufferSizeInBytes").fail("%d for %d cells", h.present, cells)
	}
}

// readColumn reads the parts of one field.
func (q *Query) readColumn(r io.Reader, h *header, take Take) (query.Column, error) {
	c := query.Column{Name: h.name}
	f, _ := q.field(h.name)
	var err error
	if f.Var() {
		if c.Offsets, err = take(r, h.fixed); err != nil {
			return c, err
		}
		if c.Data, err = take(r, h.vary); err != nil {
			return c, err
		}
	} else if c.Data, err = take(r, h.fixed); err != nil {
		return c, err
	}
	if f.Nullable {
		c.Validity, err = take(r, h.present)
	}
	return c, err
}

// readAligned reads n bytes into a new aligned slice. A large slice is taken only when its first part has arrived, so
// that a lie about the size costs as much to tell as to hear.
func readAligned(r io.Reader, n uint64) ([]byte, error) {
	const first = 1 << 20
	if n <= first {
		b := datatype.AlignedBytes(int(n))
		_, err := io.ReadFull(r, b)
		return b, err
	}
	head := make([]byte, first)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	b := datatype.AlignedBytes(int(n))
	_, err := io.ReadFull(r, b[copy(b, head):])
	return b, err
}

// bufferCutOff turns the end of a stream inside a buffer into a fault of the body; other errors pass as they are.
func bufferCutOff(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return malformed("buffers shorter than their headers say")
	}
	return err
}
