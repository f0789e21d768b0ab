package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
	"azulejo/query"
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
