package wire

import (
	"io"
	"time"

	"azulejo/condition"
	"azulejo/datatype"
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
	// Read is complete but for Alloc, Threads, Budget and Resume: see Message.Cursor.
	Read *query.Read
	// LabelRanges are for those dimensions of a read that are selected by labels; Read.Subarray has no ranges of them.
	LabelRanges []LabelRanges
	// Labels are those that a read wants to have beside its fields, with the bytes that the client can take.
	Labels []query.Want
	// CurrentDomain is that of the client's copy of the schema, which it may have made narrower; nil when it has none.
	CurrentDomain *schema.CurrentDomain
	// OpenedAt is the end of the time range that the client opened the array for, in milliseconds since 1970.
	OpenedAt uint64
	// Took is how long the server worked on the query, which replies tell with their statistics.
	Took time.Duration
	// Write has no columns before ReadColumns, and no Timestamp or Threads. Its columns may bear the names of labels.
	Write *query.Write
	// Delete is the condition of the cells to delete.
	Delete *condition.Node
	// WrittenFields are those that a write field by field has brought so far, for its reply.
	WrittenFields []string
	// Session is what a former reply to this write carried (EncodeWritten), else empty.
	Session string

	schema  *schema.Array
	message capnp.Query
	reader  readerKind
	headers []header
	// resumed tells that the request's configuration has a cursor, which the last reply takes back.
	resumed bool
}

// LabelRanges are ranges of the values of one dimension label.
type LabelRanges struct {
	Name   string
	Ranges []schema.Range
}

// Message is the message of a query that was not yet held against a schema.
type Message struct {
	content []byte
	root    capnp.Query
	config  Config
	cursor  string
	status  Status
}

// OpenQuery reads the message of a query from r and leaves r at the first byte of its buffers. Errors wrap ErrMalformed,
// ErrUnsupported or ErrTooLarge, or are those of r.
func OpenQuery(r io.Reader) (*Message, error) {
	b, err := ReadMessage(r, MaxQueryMessage)
	if err != nil {
		return nil, err
	}
	root, err := openWhole(b)
	if err != nil {
		return nil, err
	}
	return newMessage(b, capnp.Query(root))
}

// newMessage looks at those parts of a query, the root of content, that need no schema.
func newMessage(content []byte, root capnp.Query) (*Message, error) {
	p, m := newPlace(), &Message{content: content, root: root}
	s, err := root.Status()
	m.status = named[Status](p.at("status"), statusNames[:], s, err)
	m.config, m.cursor = decodeConfig(p.at("config"), content, queryConfig)
	return m, p.err()
}

// Cursor returns what the last reply to an incomplete query carried (EncodeRead), empty for a query that begins.
func (m *Message) Cursor() string {
	if m.status != Incomplete {
		return ""
	}
	return m.cursor
}

// DecodeQuery is OpenQuery and Message.Query together.
func DecodeQuery(r io.Reader, a *schema.Array) (*Query, error) {
	m, err := OpenQuery(r)
	if err != nil {
		return nil, err
	}
	return m.Query(a)
}

// Query decodes the message. a is the newest schema of the array as opened; every field, range and condition is checked
// against it. Errors wrap ErrMalformed or ErrUnsupported.
func (m *Message) Query(a *schema.Array) (*Query, error) {
	p := newPlace()
	q := &Query{schema: a, message: m.root, Status: m.status, Config: m.config, resumed: m.cursor != ""}
	s, err := m.root.Type()
	q.Type = named[QueryType](p.at("type"), queryTypeNames[:], s, err)
	s, err = m.root.Layout()
	q.Layout = named[schema.Layout](p.at("layout"), layoutNames[:], s, err)
	if p.err() != nil {
		return nil, p.err()
	}
	q.decodeCopy(p.at("array"))
	switch q.Type {
	case ReadQuery:
		q.decodeRead(p)
	case WriteQuery:
		q.decodeWrite(p)
		q.Session = m.cursor
	case DeleteQuery:
		d, err := m.root.Delete()
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

// decodeCopy reads what counts of the array as the client knows it: the time of opening and the current domain of its
// schema. Everything else the server knows better.
func (q *Query) decodeCopy(p *place) {
	m, err := q.message.Array()
	if !p.check(err) || !m.IsValid() {
		return
	}
	q.OpenedAt = m.EndTimestamp()
	latest, err := m.ArraySchemaLatest()
	p.at("arraySchemaLatest").check(err)
	domain, err := latest.CurrentDomain()
	q.CurrentDomain = decodeCurrentDomain(p.at("arraySchemaLatest").at("currentDomain"), domain, err)
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

// decodeSubarray reads the ranges of every dimension; nil stands for the whole of one. Ranges of attributes are refused.
func (q *Query) decodeSubarray(p *place, m capnp.Subarray, err error) query.Subarray {
	if !p.check(err) || !m.IsValid() {
		return query.Subarray{}
	}
	labels, err := m.LabelRanges()
	q.decodeLabelRanges(p.at("labelRanges"), labels, err)
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
	for _, l := range q.LabelRanges {
		v.Ranges[q.schema.Label(l.Name).Dimension] = nil
	}
	return v
}

// decodeLabelRanges reads the ranges of dimension labels, at most one label of a dimension. The datatype that comes along
// is that of the dimension and says nothing.
func (q *Query) decodeLabelRanges(p *place, list capnp.LabelSubarrayRanges_List, err error) {
	n := p.length(list, err)
	if n > len(q.schema.Domain.Dimensions) {
		p.fail("%d for %d dimensions", n, len(q.schema.Domain.Dimensions))
		return
	}
	taken := map[uint32]bool{}
	for i := range n {
		p := p.item(i)
		name := p.at("name").text(list.At(i).Name())
		l := q.schema.Label(name)
		if l == nil {
			p.at("name").fail("no dimension label %q", name)
			return
		}
		if taken[l.Dimension] {
			p.at("name").fail("two labels of one dimension")
		}
		taken[l.Dimension] = true
		ranges, err := list.At(i).Ranges()
		p.at("ranges").check(err)
		v := LabelRanges{Name: name, Ranges: decodeRanges(p.at("ranges"), ranges, l.Type, l.CellValNum == datatype.VarNum)}
		if len(v.Ranges) == 0 {
			p.at("ranges").fail("none")
		}
		q.LabelRanges = append(q.LabelRanges, v)
	}
}

// field finds what a buffer is of: an attribute, a dimension, or a dimension label, whose Index is -1.
func (q *Query) field(name string) (schema.Field, bool) {
	if f, ok := q.schema.Field(name); ok {
		return f, true
	}
	if l := q.schema.Label(name); l != nil {
		return schema.Field{Name: name, Type: l.Type, CellValNum: l.CellValNum, Index: labelIndex}, true
	}
	return schema.Field{}, false
}

// labelIndex marks the field of a dimension label.
const labelIndex = -1
