package wire

import (
	"encoding/binary"
	"math"

	"azulejo/datatype"
	"azulejo/internal/bin"
	"azulejo/internal/wire/capnp"
)

// decodeDomainArray reads the member of m that suits the kind as little-endian bytes, nil when it is absent.
func decodeDomainArray(p *place, kind datatype.Kind, m capnp.DomainArray) []byte {
	switch kind {
	case datatype.KindInt8:
		l, err := m.Int8()
		return littleEndian(p, values[int8](p, l, err))
	case datatype.KindInt16:
		l, err := m.Int16()
		return littleEndian(p, values[int16](p, l, err))
	case datatype.KindInt32:
		l, err := m.Int32()
		return littleEndian(p, values[int32](p, l, err))
	case datatype.KindInt64:
		l, err := m.Int64()
		return littleEndian(p, values[int64](p, l, err))
	case datatype.KindUint8:
		l, err := m.Uint8()
		return p.data(l.ToPtr().Data(), err)
	case datatype.KindUint16:
		l, err := m.Uint16()
		return littleEndian(p, values[uint16](p, l, err))
	case datatype.KindUint32:
		l, err := m.Uint32()
		return littleEndian(p, values[uint32](p, l, err))
	case datatype.KindUint64:
		l, err := m.Uint64()
		return littleEndian(p, values[uint64](p, l, err))
	case datatype.KindFloat32:
		l, err := m.Float32()
		return littleEndian(p, values[float32](p, l, err))
	}
	l, err := m.Float64()
	return littleEndian(p, values[float64](p, l, err))
}

// littleEndian returns the stored form of v.
func littleEndian[T datatype.Element](p *place, v []T) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	p.check(err)
	return b
}

// domainArray writes little-endian values of a kind into the member of m that suits it.
func (e *encoder) domainArray(m capnp.DomainArray, kind datatype.Kind, b []byte) {
	n := int32(len(b) / kind.Size())
	switch kind {
	case datatype.KindInt8:
		l, err := m.NewInt8(n)
		fill(e, datatype.View[int8](b), l, err)
	case datatype.KindInt16:
		l, err := m.NewInt16(n)
		fill(e, datatype.View[int16](b), l, err)
	case datatype.KindInt32:
		l, err := m.NewInt32(n)
		fill(e, datatype.View[int32](b), l, err)
	case datatype.KindInt64:
		l, err := m.NewInt64(n)
		fill(e, datatype.View[int64](b), l, err)
	case datatype.KindUint8:
		l, err := m.NewUint8(n)
		fill(e, b, l, err)
	case datatype.KindUint16:
		l, err := m.NewUint16(n)
		fill(e, datatype.View[uint16](b), l, err)
	case datatype.KindUint32:
		l, err := m.NewUint32(n)
		fill(e, datatype.View[uint32](b), l, err)
	case datatype.KindUint64:
		l, err := m.NewUint64(n)
		fill(e, datatype.View[uint64](b), l, err)
	case datatype.KindFloat32:
		l, err := m.NewFloat32(n)
		fill(e, datatype.View[float32](b), l, err)
	case datatype.KindFloat64:
		l, err := m.NewFloat64(n)
		fill(e, datatype.View[float64](b), l, err)
	}
}

// extentMembers has the member of a tile extent that carries a kind.
var extentMembers = [...]capnp.Dimension_tileExtent_Which{
	datatype.KindInt8:    capnp.Dimension_tileExtent_Which_int8,
	datatype.KindInt16:   capnp.Dimension_tileExtent_Which_int16,
	datatype.KindInt32:   capnp.Dimension_tileExtent_Which_int32,
	datatype.KindInt64:   capnp.Dimension_tileExtent_Which_int64,
	datatype.KindUint8:   capnp.Dimension_tileExtent_Which_uint8,
	datatype.KindUint16:  capnp.Dimension_tileExtent_Which_uint16,
	datatype.KindUint32:  capnp.Dimension_tileExtent_Which_uint32,
	datatype.KindUint64:  capnp.Dimension_tileExtent_Which_uint64,
	datatype.KindFloat32: capnp.Dimension_tileExtent_Which_float32,
	datatype.KindFloat64: capnp.Dimension_tileExtent_Which_float64,
}

// decodeExtent reads a tile extent as little-endian bytes. The generated accessors panic for a member that is not set,
// so the member is compared first.
func decodeExtent(p *place, kind datatype.Kind, m capnp.Dimension_tileExtent) []byte {
	if m.Which() != extentMembers[kind] {
		p.fail("member %v does not suit the datatype", m.Which())
		return nil
	}
	var w bin.Writer
	switch kind {
	case datatype.KindInt8:
		w.U8(uint8(m.Int8()))
	case datatype.KindInt16:
		w.U16(uint16(m.Int16()))
	case datatype.KindInt32:
		w.U32(uint32(m.Int32()))
	case datatype.KindInt64:
		w.U64(uint64(m.Int64()))
	case datatype.KindUint8:
		w.U8(m.Uint8())
	case datatype.KindUint16:
		w.U16(m.Uint16())
	case datatype.KindUint32:
		w.U32(m.Uint32())
	case datatype.KindUint64:
		w.U64(m.Uint64())
	case datatype.KindFloat32:
		w.U32(math.Float32bits(m.Float32()))
	case datatype.KindFloat64:
		w.F64(m.Float64())
	}
	return w.B
}

// extent writes a tile extent of a kind.
func (e *encoder) extent(m capnp.Dimension_tileExtent, kind datatype.Kind, b []byte) {
	r := bin.NewReader(b)
	switch kind {
	case datatype.KindInt8:
		m.SetInt8(int8(r.U8("extent")))
	case datatype.KindInt16:
		m.SetInt16(int16(r.U16("extent")))
	case datatype.KindInt32:
		m.SetInt32(int32(r.U32("extent")))
	case datatype.KindInt64:
		m.SetInt64(int64(r.U64("extent")))
	case datatype.KindUint8:
		m.SetUint8(r.U8("extent"))
	case datatype.KindUint16:
		m.SetUint16(r.U16("extent"))
	case datatype.KindUint32:
		m.SetUint32(r.U32("extent"))
	case datatype.KindUint64:
		m.SetUint64(r.U64("extent"))
	case datatype.KindFloat32:
		m.SetFloat32(math.Float32frombits(r.U32("extent")))
	case datatype.KindFloat64:
		m.SetFloat64(r.F64("extent"))
	}
	e.ok(r.Err())
}
