package wire

import (
	"slices"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
	"azulejo/query"
	"azulejo/schema"
)

// EncodeEstimates builds the answer of POST …/query/est_result_sizes: the bytes each field of the read would return.
// Sizes in memory, which the message has a second map for, are left out: the client has no use for them.
func (q *Query) EncodeEstimates(v []query.Size) ([]byte, error) {
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootEstimatedResultSize(seg)
		if !e.ok(err) {
			return
		}
		sizes, err := m.NewResultSizes()
		e.mapEntries(sizes, err, len(v), func(seg *capnplib.Segment, i int) (string, capnplib.Ptr) {
			s, err := capnp.NewEstimatedResultSize_ResultSize(seg)
			if e.ok(err) {
				s.SetSizeFixed(float64(v[i].Data))
				if field, ok := q.schema.Field(v[i].Name); ok && field.Var() {
					s.SetSizeFixed(float64(v[i].Offsets))
					s.SetSizeVar(float64(v[i].Data))
				}
				s.SetSizeValidity(float64(v[i].Validity))
			}
			return v[i].Name, s.ToPtr()
		})
	})
}

// DecodePlanQuery reads the body of POST …/query/plan: the query that a plan is asked for, without cells.
func DecodePlanQuery(body []byte, a *schema.Array) (*Query, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, err
	}
	m, err := capnp.QueryPlanRequest(root).Query()
	if err != nil {
		return nil, malformed("%v", err)
	}
	message, err := newMessage(body, m)
	if err != nil {
		return nil, err
	}
	return message.Query(a)
}

// EncodeQueryPlan builds the answer of POST …/query/plan: the names that libtiledb has for how a query is answered. They
// say what the client knows of; this server answers all reads of an array alike.
func (q *Query) EncodeQueryPlan() ([]byte, error) {
	var attributes, dimensions []string
	for _, h := range q.headers {
		f, ok := q.schema.Field(h.name)
		switch {
		case ok && f.Dimension:
			dimensions = append(dimensions, h.name)
		case ok:
			attributes = append(attributes, h.name)
		}
	}
	if q.schema.Type == schema.Dense {
		dimensions = nil
		for i := range q.schema.Domain.Dimensions {
			dimensions = append(dimensions, q.schema.Domain.Dimensions[i].Name)
		}
	}
	slices.Sort(attributes)
	slices.Sort(dimensions)
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootQueryPlanResponse(seg)
		if !e.ok(err) {
			return
		}
		e.ok(m.SetQueryLayout(nameOf(layoutNames[:], q.Layout)))
		e.ok(m.SetArrayType(nameOf(arrayTypeNames[:], q.schema.Type)))
		e.ok(m.SetStrategyName(q.strategy()))
		list, err := m.NewAttributeNames(int32(len(attributes)))
		e.fillTexts(attributes, list, err)
		list, err = m.NewDimensionNames(int32(len(dimensions)))
		e.fillTexts(dimensions, list, err)
	})
}

// strategy is libtiledb's name for what answers a query.
func (q *Query) strategy() string {
	switch {
	case q.Type == DeleteQuery:
		return "DeletesAndUpdates"
	case q.Type == WriteQuery && q.Layout == schema.GlobalOrder:
		return "GlobalOrderWriter"
	case q.Type == WriteQuery && q.Layout == schema.Unordered:
		return "UnorderedWriter"
	case q.Type == WriteQuery:
		return "OrderedWriter"
	case q.reader == denseReader:
		return "DenseReader"
	case q.reader == indexReader && q.Layout == schema.Unordered && q.schema.AllowsDups:
		return "SparseUnorderedWithDupsReader<h>"
	case q.reader == indexReader:
		return "SparseGlobalOrderReader<h>"
	}
	return "LegacyReader"
}
