package wire

import (
	"fmt"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
	"azulejo/query"
	"azulejo/schema"
)

// EncodeWriteRequest builds the body of a write's submit, as a client sends it: the message and the columns, which must
// not change before it is written. a is the schema of the array, with every field of the columns.
func EncodeWriteRequest(w *query.Write, a *schema.Array) (*Reply, error) {
	q := &Query{schema: a}
	headers := make([]header, len(w.Columns))
	var buffers [][]byte
	for i := range w.Columns {
		c := &w.Columns[i]
		if _, ok := a.Field(c.Name); !ok {
			return nil, fmt.Errorf("%w: no field %q", query.ErrInvalid, c.Name)
		}
		headers[i] = q.columnHeader(c)
		buffers = append(buffers, c.Offsets, c.Data, c.Validity)
	}
	message, err := encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootQuery(seg)
		if !e.ok(err) {
			return
		}
		e.ok(m.SetType(WriteQuery.String()))
		e.ok(m.SetLayout(nameOf(layoutNames[:], w.Layout)))
		e.ok(m.SetStatus(nameOf(statusNames[:], Uninitialized)))
		e.headers(m, headers)
		writer, err := m.NewWriter()
		if !e.ok(err) {
			return
		}
		writer.SetCheckCoordDups(w.CheckDups)
		writer.SetCheckCoordOOB(w.CheckOutOfBounds)
		writer.SetDedupCoords(w.DedupCoords)
		if len(w.Subarray.Ranges) == 0 {
			return
		}
		region, err := writer.NewSubarrayRanges()
		if !e.ok(err) {
			return
		}
		list, err := region.NewRanges(int32(len(w.Subarray.Ranges)))
		if !e.ok(err) {
			return
		}
		for i, ranges := range w.Subarray.Ranges {
			d := &a.Domain.Dimensions[i]
			e.ranges(list.At(i), d.Type, d.Var(), ranges)
		}
	})
	if err != nil {
		return nil, err
	}
	return newReply(Bare, message, buffers), nil
}

// DecodeHasCells tells whether an answer of GET …/non_empty_domain says that the array has cells.
func DecodeHasCells(answer []byte) (bool, error) {
	root, err := openWhole(answer)
	if err != nil {
		return false, err
	}
	p := newPlace()
	list, err := capnp.NonEmptyDomainList(root).NonEmptyDomains()
	return p.at("nonEmptyDomains").length(list, err) > 0, p.err()
}
