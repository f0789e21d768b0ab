package wire

import (
	"azulejo/internal/wire/capnp"
	"azulejo/query"
	"azulejo/schema"
)

// maxAggregates bounds the aggregates of a query.
const maxAggregates = 1024

var aggregateNames = [...]string{
	query.Count:     "COUNT",
	query.Sum:       "SUM",
	query.Mean:      "MEAN",
	query.Min:       "MIN",
	query.Max:       "MAX",
	query.NullCount: "NULL_COUNT",
}

// decodeRead reads what a read query selects and returns.
func (q *Query) decodeRead(p *place) {
	v := &query.Read{Layout: q.Layout, Offsets: q.decodeOffsets(p)}
	q.Read = v
	q.decodeReader(p)
	v.Aggregates = decodeAggregates(p.at("channels"), q.message, q.schema)
	outputs := make(map[string]bool, len(v.Aggregates))
	for _, a := range v.Aggregates {
		outputs[a.Output] = false
	}
	q.decodeHeaders(p)
	for i := range q.headers {
		h, p := &q.headers[i], p.at("attributeBufferHeaders").item(i)
		if _, ok := outputs[h.name]; ok {
			outputs[h.name] = true
			continue
		}
		f, ok := q.headerField(p, h)
		if !ok {
			continue
		}
		want := query.Want{Name: h.name, DataCap: capacity(h.fixed), ValidityCap: capacity(h.present)}
		if f.Var() {
			want.DataCap, want.OffsetsCap = capacity(h.vary), capacity(h.fixed)
		}
		if f.Index == labelIndex {
			q.Labels = append(q.Labels, want)
		} else {
			v.Fields = append(v.Fields, want)
		}
	}
	for name, buffered := range outputs {
		if !buffered {
			p.at("attributeBufferHeaders").fail("no buffer for the aggregate %q", name)
		}
	}
}

// decodeReader reads selection and condition from whichever reader struct there is.
func (q *Query) decodeReader(p *place) {
	var subarray capnp.Subarray
	var filter capnp.Condition
	var err, filterErr error
	name := ""
	switch m := q.message; {
	case m.HasReaderIndex():
		q.reader, name = indexReader, "readerIndex"
		reader, readErr := m.ReaderIndex()
		p.at(name).check(readErr)
		subarray, err = reader.Subarray()
		filter, filterErr = reader.Condition()
	case m.HasOrderedDimLabelReader():
		p.at("orderedDimLabelReader").unsupported("reading dimension labels")
		return
	case m.HasDenseReader(), m.HasReader():
		get := m.Reader
		if q.reader, name = legacyReader, "reader"; m.HasDenseReader() {
			q.reader, name, get = denseReader, "denseReader", m.DenseReader
		}
		reader, readErr := get()
		p.at(name).check(readErr)
		subarray, err = reader.Subarray()
		filter, filterErr = reader.Condition()
	default:
		p.fail("a read without a reader")
		return
	}
	q.Read.Subarray = q.decodeSubarray(p.at(name).at("subarray"), subarray, err)
	q.Read.Condition = decodeCondition(p.at(name).at("condition"), filter, filterErr, q.schema)
}

// decodeAggregates reads the aggregates of the default channel, the only one there is.
func decodeAggregates(p *place, m capnp.Query, a *schema.Array) []query.Aggregate {
	channels, err := m.Channels()
	n := p.length(channels, err)
	if n > 1 {
		p.unsupported("more than one query channel")
	}
	if n != 1 {
		return nil
	}
	list, err := channels.At(0).Aggregates()
	p = p.item(0).at("aggregates")
	n = p.length(list, err)
	if n > maxAggregates {
		p.fail("%d aggregates", n)
		return nil
	}
	var v []query.Aggregate
	outputs := make(map[string]bool, n)
	for i := range n {
		m, p := list.At(i), p.item(i)
		name, err := m.Name()
		x := query.Aggregate{
			Output: p.at("outputFieldName").text(m.OutputFieldName()),
			Op:     named[query.AggregateOp](p.at("name"), aggregateNames[:], name, err),
			Field:  p.at("inputFieldName").text(m.InputFieldName()),
		}
		if x.Op == query.Count {
			x.Field = ""
		} else if _, ok := a.Field(x.Field); !ok {
			p.at("inputFieldName").fail("no field %q", x.Field)
		}
		if _, clash := a.Field(x.Output); clash || outputs[x.Output] {
			p.at("outputFieldName").fail("%q is taken", x.Output)
		}
		outputs[x.Output] = true
		v = append(v, x)
	}
	return v
}

// TakesParts reports whether the client joins several parts of an answer rightly: it moves offsets as numbers of 64 bits that
// count bytes, and adds labels once more with every part.
func (q *Query) TakesParts() bool {
	f := q.Read.Offsets
	return f.Bits == 64 && !f.Elements && len(q.Labels) == 0
}
