package wire

import (
	"azulejo/datatype"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// decodeRanges reads the ranges of one dimension: pairs of ends one after another. The ends of var-sized ranges are cut
// by the sizes that come along; those of fixed-size ranges have the width of the datatype.
func decodeRanges(p *place, m capnp.SubarrayRanges, t datatype.Type, varSized bool) []schema.Range {
	b, err := m.Buffer()
	if !p.at("buffer").check(err) {
		return nil
	}
	b = append([]byte(nil), b...)
	sizesList, err := m.BufferSizes()
	sizes := values[uint64](p.at("bufferSizes"), sizesList, err)
	startsList, err := m.BufferStartSizes()
	starts := values[uint64](p.at("bufferStartSizes"), startsList, err)
	if sizes == nil && len(b) > 0 { // one range without sizes: the form of libtiledb 1.7
		sizes = []uint64{uint64(len(b))}
	}
	ranges := make([]schema.Range, len(sizes))
	for i, n := range sizes {
		if n > uint64(len(b)) {
			p.at("bufferSizes").item(i).fail("%d bytes, %d are left", n, len(b))
			return nil
		}
		cut := uint64(t.Size())
		if varSized {
			if cut = 0; i < len(starts) {
				cut = starts[i]
			}
		} else if n != 2*cut {
			p.at("bufferSizes").item(i).fail("%d bytes for a range of %v", n, t)
			return nil
		}
		if cut > n {
			p.at("bufferStartSizes").item(i).fail("%d of %d bytes", cut, n)
			return nil
		}
		ranges[i] = schema.Range{Lo: b[:cut:cut], Hi: b[cut:n:n]}
		b = b[n:]
	}
	if len(b) > 0 {
		p.at("buffer").fail("%d bytes too many", len(b))
	}
	return ranges
}

// ranges writes the ranges of one dimension.
func (e *encoder) ranges(m capnp.SubarrayRanges, t datatype.Type, varSized bool, v []schema.Range) {
	e.ok(m.SetType(t.String()))
	var b []byte
	sizes, starts := make([]uint64, len(v)), make([]uint64, len(v))
	for i, r := range v {
		b = append(append(b, r.Lo...), r.Hi...)
		sizes[i] = uint64(len(r.Lo) + len(r.Hi))
		if varSized {
			starts[i] = uint64(len(r.Lo))
		}
	}
	e.ok(m.SetBuffer(b))
	l, err := m.NewBufferSizes(int32(len(v)))
	fill(e, sizes, l, err)
	l, err = m.NewBufferStartSizes(int32(len(v)))
	fill(e, starts, l, err)
}

// currentDomainVersion is the format version of the current domain feature.
const currentDomainVersion = 0

// decodeCurrentDomain reads a current domain; nil when there is none. The datatypes come along with the ranges, so no
// schema is needed.
func decodeCurrentDomain(p *place, m capnp.CurrentDomain, err error) *schema.CurrentDomain {
	if !p.check(err) || !m.IsValid() || m.Which() != capnp.CurrentDomain_Which_ndRectangle {
		return nil
	}
	if kind, err := m.Type(); kind != "NDRECTANGLE" {
		p.at("type").check(err)
		p.at("type").fail("unknown value %q", kind)
		return nil
	}
	rectangle, err := m.NdRectangle()
	p.at("ndRectangle").check(err)
	p = p.at("ndRectangle").at("ndranges")
	list, err := rectangle.Ndranges()
	n := p.length(list, err)
	domain := &schema.CurrentDomain{Ranges: make([]schema.Range, n)}
	for i := range n {
		t := p.item(i).at("type").datatype(list.At(i).Type())
		ranges := decodeRanges(p.item(i), list.At(i), t, t == datatype.StringASCII)
		if len(ranges) != 1 {
			p.item(i).fail("%d ranges instead of one", len(ranges))
			return nil
		}
		domain.Ranges[i] = ranges[0]
	}
	return domain
}

// currentDomain writes a current domain; nil and Empty ones are written as the empty one.
func (e *encoder) currentDomain(m capnp.CurrentDomain, err error, v *schema.CurrentDomain, dims []schema.Dimension) {
	if !e.ok(err) {
		return
	}
	m.SetVersion(currentDomainVersion)
	if v == nil || v.Empty {
		m.SetEmptyCurrentDomain()
		return
	}
	e.ok(m.SetType("NDRECTANGLE"))
	rectangle, err := m.NewNdRectangle()
	if !e.ok(err) {
		return
	}
	list, err := rectangle.NewNdranges(int32(len(v.Ranges)))
	if !e.ok(err) {
		return
	}
	for i, r := range v.Ranges {
		varSized := dims[i].CellValNum == datatype.VarNum
		e.ranges(list.At(i), dims[i].Type, varSized, []schema.Range{r})
	}
}
