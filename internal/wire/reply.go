package wire

import (
	"encoding/binary"
	"fmt"
	"io"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
	"azulejo/query"
	"azulejo/schema"
)

// Framing is how the answer to a query is wrapped.
type Framing uint8

// The framings.
const (
	// Bare is the message and its buffers: finalize everywhere, and submit in /v1, which clients before 1.7 use.
	Bare Framing = iota
	// Prefixed begins with the length of both in eight bytes: submit and submit_and_finalize in /v2 and /v3.
	Prefixed
)

// Reply is the answer to a query, ready to send: its Len and then its bytes. The columns it was made of must not change
// before it is written.
type Reply struct {
	parts  [][]byte
	nBytes int64
}

// Len returns the number of bytes, for Content-Length.
func (r *Reply) Len() int64 { return r.nBytes }

// WriteTo writes the whole reply to w, column by column without copying.
func (r *Reply) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for _, part := range r.parts {
		n, err := w.Write(part)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// newReply joins a message and its buffers.
func newReply(f Framing, message []byte, buffers [][]byte) *Reply {
	r := &Reply{parts: append([][]byte{nil, message}, buffers...)}
	for _, part := range r.parts {
		r.nBytes += int64(len(part))
	}
	if f == Prefixed {
		r.parts[0] = binary.LittleEndian.AppendUint64(nil, uint64(r.nBytes))
		r.nBytes += 8
	}
	return r
}

// EncodeRead builds the answer to a read, of which the labels that were asked for may be among the columns. It refuses columns that are longer than the client can take, because the
// client would keep its old bytes without an error. cursor is what the client's next request is to bring when the read is
// incomplete, else empty.
func (q *Query) EncodeRead(f Framing, v *query.Result, cursor string) (*Reply, error) {
	status := Completed
	if v.Next != nil {
		status = Incomplete
	}
	headers := make([]header, len(v.Columns))
	var buffers [][]byte
	for i := range v.Columns {
		c := &v.Columns[i]
		headers[i] = q.columnHeader(c)
		if err := q.fits(&headers[i]); err != nil {
			return nil, err
		}
		buffers = append(buffers, c.Offsets, c.Data, c.Validity)
	}
	message, err := encode(func(e *encoder, seg *capnplib.Segment) {
		m := q.replyRoot(e, seg, status)
		if e.err != nil {
			return
		}
		e.headers(m, headers)
		if cursor != "" || q.resumed {
			e.repeatConfig(m, q.message, cursor)
		}
		q.replyOffsets(e, m, q.Read.Offsets)
		q.replyReader(e, m)
	})
	if err != nil {
		return nil, err
	}
	return newReply(f, message, buffers), nil
}

// columnHeader announces the parts of a result column.
func (q *Query) columnHeader(c *query.Column) header {
	h := header{name: c.Name, fixed: uint64(len(c.Data)), present: uint64(len(c.Validity))}
	if field, ok := q.field(c.Name); ok && field.Var() || len(c.Offsets) > 0 {
		h.fixed, h.vary = uint64(len(c.Offsets)), uint64(len(c.Data))
	}
	return h
}

// fits compares a result with what the client asked for, and keeps that with it.
func (q *Query) fits(h *header) error {
	for i := range q.headers {
		limit := &q.headers[i]
		if limit.name != h.name {
			continue
		}
		if h.fixed > limit.fixed || h.vary > limit.vary || h.present > limit.present {
			return fmt.Errorf("column %q of %d, %d and %d bytes is too large for the client's %d, %d and %d",
				h.name, h.fixed, h.vary, h.present, limit.fixed, limit.vary, limit.present)
		}
		h.room = limit
		return nil
	}
	return fmt.Errorf("column %q was not asked for", h.name)
}

// EncodeWritten builds the answer to a write: the fragments it made, and the session that a global order write goes on
// with, or nothing.
func (q *Query) EncodeWritten(f Framing, fragments []query.Written, session string) (*Reply, error) {
	message, err := encode(func(e *encoder, seg *capnplib.Segment) {
		m := q.replyRoot(e, seg, Completed)
		if e.err != nil {
			return
		}
		e.headers(m, nil)
		if session != "" || q.resumed {
			e.repeatConfig(m, q.message, session)
		}
		q.replyOffsets(e, m, q.Write.Offsets)
		q.replyWriter(e, m)
		if len(q.WrittenFields) > 0 {
			list, err := m.NewWrittenBuffers(int32(len(q.WrittenFields)))
			e.fillTexts(q.WrittenFields, list, err)
		}
		if len(fragments) == 0 {
			return
		}
		list, err := m.NewWrittenFragmentInfo(int32(len(fragments)))
		if !e.ok(err) {
			return
		}
		for i, w := range fragments {
			e.ok(list.At(i).SetUri(w.Fragment))
			times, err := list.At(i).NewTimestampRange(2)
			fill(e, []uint64{w.Start, w.End}, times, err)
		}
	})
	if err != nil {
		return nil, err
	}
	return newReply(f, message, nil), nil
}

// EncodeDone builds the answer to a query that returns nothing: finalize after a write, and deletes.
func (q *Query) EncodeDone(f Framing) (*Reply, error) {
	if q.Type == WriteQuery {
		return q.EncodeWritten(f, nil, "")
	}
	message, err := encode(func(e *encoder, seg *capnplib.Segment) {
		if m := q.replyRoot(e, seg, Completed); e.err == nil {
			e.headers(m, nil)
			if q.Type == ReadQuery {
				q.replyReader(e, m)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return newReply(f, message, nil), nil
}

// replyRoot begins a reply.
func (q *Query) replyRoot(e *encoder, seg *capnplib.Segment, status Status) capnp.Query {
	m, err := capnp.NewRootQuery(seg)
	if e.ok(err) {
		e.ok(m.SetType(q.Type.String()))
		e.ok(m.SetLayout(nameOf(layoutNames[:], q.Layout)))
		e.ok(m.SetStatus(nameOf(statusNames[:], status)))
		q.repeatTimes(e, m)
	}
	return m
}

// repeatTimes repeats the time range that the client opened its array for. Clients before 2.15 take it from every reply: without it
// their next query would be one at time 0. They are known by an array without a directory; others do not look at it.
func (q *Query) repeatTimes(e *encoder, m capnp.Query) {
	received, err := q.message.Array()
	if !e.ok(err) || !received.IsValid() || received.HasArrayDirectory() {
		return
	}
	array, err := m.NewArray()
	if e.ok(err) {
		array.SetStartTimestamp(received.StartTimestamp())
		array.SetEndTimestamp(received.EndTimestamp())
	}
}

// headers announces the buffers that follow. The list is there even when it is empty: the client wants it.
func (e *encoder) headers(m capnp.Query, headers []header) {
	list, err := m.NewAttributeBufferHeaders(int32(len(headers)))
	if !e.ok(err) {
		return
	}
	var sum header
	for i, h := range headers {
		x := list.At(i)
		e.text(capnplib.Struct(x), 0, h.name)
		x.SetFixedLenBufferSizeInBytes(h.fixed)
		x.SetVarLenBufferSizeInBytes(h.vary)
		x.SetValidityLenBufferSizeInBytes(h.present)
		if h.room != nil {
			// Who sends the reply back to go on, as the JavaScript client does, says by them how much may come next.
			x.SetOriginalFixedLenBufferSizeInBytes(h.room.fixed)
			x.SetOriginalVarLenBufferSizeInBytes(h.room.vary)
			x.SetOriginalValidityLenBufferSizeInBytes(h.room.present)
		}
		sum.fixed += h.fixed
		sum.vary += h.vary
		sum.present += h.present
	}
	m.SetTotalFixedLengthBufferBytes(sum.fixed)
	m.SetTotalVarLenBufferBytes(sum.vary)
	m.SetTotalValidityBufferBytes(sum.present)
}

// replyOffsets repeats how offsets look: the client takes the answer for its own.
func (q *Query) replyOffsets(e *encoder, m capnp.Query, v query.OffsetsFormat) {
	mode := "bytes"
	if v.Elements {
		mode = "elements"
	}
	e.ok(m.SetVarOffsetsMode(mode))
	m.SetVarOffsetsAddExtraElement(v.Extra)
	m.SetVarOffsetsBitsize(int32(v.Bits))
}

// replyReader repeats the reader struct with its selection, which the client replaces its own by: without it, the next
// submit would read the whole domain.
func (q *Query) replyReader(e *encoder, m capnp.Query) {
	layout := nameOf(layoutNames[:], q.Layout)
	if q.reader == indexReader {
		reader, err := m.NewReaderIndex()
		received, getErr := q.message.ReaderIndex()
		if !e.ok(err) || !e.ok(getErr) {
			return
		}
		e.ok(reader.SetLayout(layout))
		stats, err := reader.NewStats()
		q.stats(e, stats, err, readerStats)
		if old, err := received.Subarray(); e.ok(err) && old.IsValid() {
			subarray, err := reader.NewSubarray()
			q.repeatSubarray(e, subarray, err, old)
		}
		return
	}
	create, get := m.NewReader, q.message.Reader
	if q.reader == denseReader {
		create, get = m.NewDenseReader, q.message.DenseReader
	}
	reader, err := create()
	received, getErr := get()
	if !e.ok(err) || !e.ok(getErr) {
		return
	}
	e.ok(reader.SetLayout(layout))
	stats, err := reader.NewStats()
	q.stats(e, stats, err, readerStats)
	if old, err := received.Subarray(); e.ok(err) && old.IsValid() {
		subarray, err := reader.NewSubarray()
		q.repeatSubarray(e, subarray, err, old)
	}
}

// repeatSubarray copies a subarray without its statistics, with the coordinates that its label ranges stand for.
func (q *Query) repeatSubarray(e *encoder, m capnp.Subarray, err error, old capnp.Subarray) {
	if !e.ok(err) {
		return
	}
	layout, err := old.Layout()
	e.ok(err)
	e.ok(m.SetLayout(layout))
	m.SetCoalesceRanges(old.CoalesceRanges())
	if len(q.LabelRanges) > 0 {
		q.foundRanges(e, m)
		labels, err := old.LabelRanges()
		e.ok(err)
		e.ok(m.SetLabelRanges(labels))
		return
	}
	ranges, err := old.Ranges()
	if e.ok(err) && ranges.IsValid() {
		e.ok(m.SetRanges(ranges))
	}
}

// foundRanges writes the ranges of coordinates that a read came to.
func (q *Query) foundRanges(e *encoder, m capnp.Subarray) {
	dims := q.schema.Domain.Dimensions
	list, err := m.NewRanges(int32(len(dims)))
	if !e.ok(err) {
		return
	}
	for i := range dims {
		if i >= len(q.Read.Subarray.Ranges) || q.Read.Subarray.Ranges[i] == nil {
			list.At(i).SetHasDefaultRange(true)
			e.ranges(list.At(i), dims[i].Type, dims[i].Var(), []schema.Range{{Lo: dims[i].Lo(), Hi: dims[i].Hi()}})
			continue
		}
		e.ranges(list.At(i), dims[i].Type, dims[i].Var(), q.Read.Subarray.Ranges[i])
	}
}

// replyWriter repeats the settings of a write, which the client replaces its own by.
func (q *Query) replyWriter(e *encoder, m capnp.Query) {
	writer, err := m.NewWriter()
	if e.ok(err) {
		writer.SetCheckCoordDups(q.Write.CheckDups)
		writer.SetCheckCoordOOB(q.Write.CheckOutOfBounds)
		writer.SetDedupCoords(q.Write.DedupCoords)
		if q.Took == 0 {
			e.repeatStats(writer, q.message)
			return
		}
		stats, err := writer.NewStats()
		q.stats(e, stats, err, writerStats)
	}
}

// repeatStats sends the statistics of a write back with the answer to what only ends it: the client forgets its own.
func (e *encoder) repeatStats(m capnp.Writer, received capnp.Query) {
	old, err := received.Writer()
	if !e.ok(err) {
		return
	}
	stats, err := old.Stats()
	if e.ok(err) && stats.IsValid() {
		e.ok(m.SetStats(stats))
	}
}

// The client adds what replies say under these names to its own statistics.
const (
	readerStats = "Context.Query.Reader.dowork"
	writerStats = "Context.Query.Writer.dowork"
)

// stats writes how long the server worked, in the client's form: a timer is a sum, a maximum and a count.
func (q *Query) stats(e *encoder, m capnp.Stats, err error, name string) {
	if !e.ok(err) || q.Took == 0 {
		return
	}
	timers, err := m.NewTimers()
	if !e.ok(err) {
		return
	}
	entries, err := timers.NewEntries(2)
	if !e.ok(err) {
		return
	}
	for i, part := range []string{".sum", ".max"} {
		e.ok(entries.At(i).SetKey(name + part))
		entries.At(i).SetValue(q.Took.Seconds())
	}
	counters, err := m.NewCounters()
	if !e.ok(err) {
		return
	}
	counts, err := counters.NewEntries(1)
	if e.ok(err) {
		e.ok(counts.At(0).SetKey(name + ".timer_count"))
		counts.At(0).SetValue(1)
	}
}
