package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// EncodeNonEmptyDomain builds the answer of GET …/non_empty_domain: one range per dimension, or none at all when the
// array has no cells.
func EncodeNonEmptyDomain(v []schema.Range, dims []schema.Dimension) ([]byte, error) {
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootNonEmptyDomainList(seg)
		e.nonEmptyDomain(m, err, v, dims)
	})
}

// nonEmptyDomain writes ranges as lists of bytes; of texts the length of the low end comes along. No ranges leave the
// list out, which is how the client recognises an empty array.
func (e *encoder) nonEmptyDomain(m capnp.NonEmptyDomainList, err error, v []schema.Range, dims []schema.Dimension) {
	if !e.ok(err) || len(v) == 0 {
		return
	}
	list, err := m.NewNonEmptyDomains(int32(len(v)))
	if !e.ok(err) {
		return
	}
	for i, r := range v {
		domain, err := list.At(i).NewNonEmptyDomain()
		if !e.ok(err) {
			return
		}
		b := append(append([]byte(nil), r.Lo...), r.Hi...)
		bytes, err := domain.NewUint8(int32(len(b)))
		fill(e, b, bytes, err)
		if dims[i].Var() {
			sizes, err := list.At(i).NewSizes(1)
			fill(e, []uint64{uint64(len(r.Lo))}, sizes, err)
		}
	}
}
