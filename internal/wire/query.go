package wire

import (
	"io"

	"azulejo/condition"
	"azulejo/internal/wire/capnp"
	"azulejo/query"
	"azulejo/schema"
)

// MaxQueryMessage is how many bytes the message of a query may have; its buffers are not counted. Only a subarray of
// millions of ranges comes near it.
const MaxQueryMessage = 256 << 20

// Status is how far a query has come.
type Status uint8

// The query statuses.
const (
	Failed Status = iota
	Completed
	InProgress
	Incomplete
	Uninitialized
	Initialized
)

var statusNames = [...]string{"FAILED", "COMPLETED", "INPROGRESS", "INCOMPLETE", "UNINITIALIZED", "INITIALIZED"}

// readerKind is the struct in which a read's selection came; the answer must have it in the same one.
type readerKind uint8

const (
	noReader readerKind = iota
	legacyReader
	indexReader
	denseReader
)

// Query is a query as a client sent it. Exactly one of Read, Write and Delete is set for the types of those names.
// It holds on to the request's message and is for use by one goroutine.
type Query struct {
	Type   QueryType
	Layout schema.Layout
	Status Status
	Config Config
	// Read is complete but for Alloc, Threads and Budget. Resume is set when the client goes on with an incomplete read.
	Read *query.Read
	// Write has no columns before ReadColumns, and no Timestamp or Threads.
	Write *query.Write
	// Delete is the condition of the cells to delete.
	Delete *condition.Node
	// Session is what a former reply to this write carried (EncodeWritten), else empty.
	Session string

	schema  *schema.Array
	message capnp.Query
	reader  readerKind
	headers []header
	// resumed tells that the request's configuration has a cursor, which the last reply takes back.
	resumed bool
}

// DecodeQuery reads the message of a query from r and leaves r at the first byte of its buffers. a is the newest schema
// of the array as opened; every field, range and condition is checked against it. Errors wrap ErrMalformed,
// ErrUnsupported or ErrTooLarge, or are those of r.
func DecodeQuery(r io.Reader, a *schema.Array) (*Query, error) {
	b, err := ReadMessage(r, MaxQueryMessage)
	if err != nil {
		return nil, err
	}
	root, err := openWhole(b)
	if err != nil {
		return nil, err
	}
	return decodeQuery(b, capnp.Query(root), a)
}

// decodeQuery reads a query, the root of message.
func decodeQuery(message []byte, m capnp.Query, a *schema.Array) (*Query, error) {
	p := newPlace()
	q := &Query{schema: a, message: m}
	s, err := m.Type()
	q.Type = named[QueryType](p.at("type"), queryTypeNames[:], s, err)
	s, err = m.Layout()
	q.Layout = named[schema.Layout](p.at("layout"), layoutNames[:], s, err)
	s, err = m.Status()
	q.Status = named[Status](p.at("status"), statusNames[:], s, err)
	var cursor string
	q.Config, cursor = decodeConfig(p.at("config"), message, queryConfig)
	q.resumed = cursor != ""
	if p.err() != nil {
		return nil, p.err()
	}
	switch q.Type {
	case ReadQuery:
		q.decodeRead(p, cursor)
	case WriteQuery:
		q.decodeWrite(p)
		q.Session = cursor
	case DeleteQuery:
		d, err := m.Delete()
		p.at("delete").check(err)
		c, err := d.Condition()
		q.Delete = decodeCondition(p.at("delete").at("condition"), c, err, a)
		if q.Delete == nil {
			p.at("delete").at("condition").fail("missing")
		}
	default:
		p.at("type").unsupported("query of type " + q.Type.String())
	}
	if p.err() != nil {
		return nil, p.err()
	}
	return q, nil
}

// decodeOffsets reads how offsets of var-sized fields look: from the configuration, else from the older fields of the
// message.
func (q *Query) decodeOffsets(p *place) query.OffsetsFormat {
	bits, extra := q.message.VarOffsetsBitsize(), q.message.VarOffsetsAddExtraElement()
	mode, err := q.message.VarOffsetsMode()
	p.at("varOffsetsMode").check(err)
	if v, ok := q.Config["sm.var_offsets.mode"]; ok {
		mode = v
		bits = int32(q.Config.Uint64("sm.var_offsets.bitsize", 64))
		extra = q.Config.Bool("sm.var_offsets.extra_element", false)
	}
	if bits == 0 {
		bits = 64
	}
	if bits != 64 && bits != 32 {
		p.at("varOffsetsBitsize").fail("%d bits", bits)
	}
	if mode != "" && mode != "bytes" && mode != "elements" {
		p.at("varOffsetsMode").fail("unknown value %q", mode)
	}
	return query.OffsetsFormat{Bits: int(bits), Elements: mode == "elements", Extra: extra}
}

// decodeSubarray reads the ranges of every dimension; nil stands for the whole of one. Ranges of labels and of
// attributes are refused.
func (q *Query) decodeSubarray(p *place, m capnp.Subarray, err error) query.Subarray {
	if !p.check(err) || !m.IsValid() {
		return query.Subarray{}
	}
	labels, err := m.LabelRanges()
	if p.at("labelRanges").length(labels, err) > 0 {
		p.at("labelRanges").unsupported("ranges of dimension labels")
	}
	attributes, err := m.AttributeRanges()
	p.at("attributeRanges").check(err)
	entries, err := attributes.Entries()
	if p.at("attributeRanges").length(entries, err) > 0 {
		p.at("attributeRanges").unsupported("ranges of attributes")
	}
	p = p.at("ranges")
	list, err := m.Ranges()
	n := p.length(list, err)
	dims := q.schema.Domain.Dimensions
	if n == 0 {
		return query.Subarray{}
	}
	if n != len(dims) {
		p.fail("%d for %d dimensions", n, len(dims))
		return query.Subarray{}
	}
	v := query.Subarray{Ranges: make([][]schema.Range, n)}
	for i := range dims {
		if !list.At(i).HasDefaultRange() {
			v.Ranges[i] = decodeRanges(p.item(i), list.At(i), dims[i].Type, dims[i].Var())
		}
	}
	return v
}
