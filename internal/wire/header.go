package wire

import (
	"math"

	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// header announces the buffers of one field: how many bytes follow of each part of a write, or how many a read may
// return.
type header struct {
	name                 string
	fixed, vary, present uint64
	room                 *header // in a reply to a read: what the client asked for
}

// decodeHeaders reads the buffer headers. The capacities of a read are its original sizes where they are given: after an
// incomplete read the plain ones hold the size of the last result.
func (q *Query) decodeHeaders(p *place) {
	list, err := q.message.AttributeBufferHeaders()
	p = p.at("attributeBufferHeaders")
	n := p.length(list, err)
	if n > len(q.schema.Attributes)+len(q.schema.Domain.Dimensions)+len(q.schema.Labels)+maxAggregates {
		p.fail("%d headers", n)
		return
	}
	q.headers = make([]header, n)
	seen := make(map[string]bool, n)
	for i := range n {
		m, p := list.At(i), p.item(i)
		h := header{
			name:    p.at("name").text(m.Name()),
			fixed:   m.FixedLenBufferSizeInBytes(),
			vary:    m.VarLenBufferSizeInBytes(),
			present: m.ValidityLenBufferSizeInBytes(),
		}
		if q.Type == ReadQuery {
			h = originalSizes(h, m)
		}
		if seen[h.name] {
			p.at("name").fail("%q comes twice", h.name)
		}
		seen[h.name] = true
		q.headers[i] = h
	}
}

// originalSizes replaces sizes by the original ones that m has.
func originalSizes(h header, m capnp.AttributeBufferHeader) header {
	for _, size := range []struct {
		plain    *uint64
		original uint64
	}{
		{&h.fixed, m.OriginalFixedLenBufferSizeInBytes()},
		{&h.vary, m.OriginalVarLenBufferSizeInBytes()},
		{&h.present, m.OriginalValidityLenBufferSizeInBytes()},
	} {
		if size.original > 0 {
			*size.plain = size.original
		}
	}
	return h
}

// headerField finds the field of a header and checks that the header has the parts that the field has.
func (q *Query) headerField(p *place, h *header) (schema.Field, bool) {
	f, ok := q.field(h.name)
	switch {
	case !ok && h.name == "__coords":
		p.at("name").unsupported("zipped coordinates")
	case !ok && (h.name == "__timestamps" || h.name == "__delete_timestamps"):
		p.at("name").unsupported("cell timestamps")
	case !ok:
		p.at("name").fail("no field %q", h.name)
	case !f.Var() && h.vary > 0:
		p.at("varLenBufferSizeInBytes").fail("%d for a field of fixed size", h.vary)
	case !f.Nullable && h.present > 0:
		p.at("validityLenBufferSizeInBytes").fail("%d for a field without nulls", h.present)
	}
	return f, ok
}

// capacity turns a size into the engine's form.
func capacity(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
