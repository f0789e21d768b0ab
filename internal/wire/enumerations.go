package wire

import (
	"strings"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/datatype"
	"azulejo/internal/bin"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// decodeEnumeration reads one enumeration.
func decodeEnumeration(p *place, m capnp.Enumeration) *schema.Enumeration {
	v := &schema.Enumeration{
		Name:       p.at("name").text(m.Name()),
		File:       fileName(p.at("pathName").text(m.PathName())),
		Type:       p.at("type").datatype(m.Type()),
		CellValNum: m.CellValNum(),
		Ordered:    m.Ordered(),
		Data:       p.at("data").data(m.Data()),
	}
	b, err := m.Offsets()
	v.Offsets = uint64s(p.at("offsets"), b, err)
	if (v.CellValNum == datatype.VarNum) != (v.Offsets != nil) && len(v.Data) > 0 {
		p.at("offsets").fail("%d offsets for %d values a label", len(v.Offsets), v.CellValNum)
	}
	for i, off := range v.Offsets {
		if off > uint64(len(v.Data)) || i > 0 && off < v.Offsets[i-1] {
			p.at("offsets").item(i).fail("position %d in %d bytes", off, len(v.Data))
			break
		}
	}
	return v
}

// fileName returns name when it is a plain file name as the engine makes them, and nothing otherwise: it must not lead
// out of its folder.
func fileName(name string) string {
	if !strings.HasPrefix(name, "__") || strings.ContainsAny(name, "/\\\x00") {
		return ""
	}
	return name
}

// decodeEnumerationList reads a list of enumerations.
func decodeEnumerationList(p *place, l capnp.Enumeration_List, err error) []*schema.Enumeration {
	n := p.length(l, err)
	if n == 0 {
		return nil
	}
	v := make([]*schema.Enumeration, n)
	for i := range v {
		v[i] = decodeEnumeration(p.item(i), l.At(i))
	}
	return v
}

// enumerations writes a list of enumerations.
func (e *encoder) enumerations(v []*schema.Enumeration, l capnp.Enumeration_List, err error) {
	if !e.ok(err) {
		return
	}
	for i, x := range v {
		m := l.At(i)
		e.text(capnplib.Struct(m), 0, x.Name)
		e.ok(m.SetPathName(x.File))
		e.ok(m.SetType(x.Type.String()))
		m.SetCellValNum(x.CellValNum)
		m.SetOrdered(x.Ordered)
		if len(x.Data) > 0 {
			e.ok(m.SetData(x.Data))
		}
		if len(x.Offsets) > 0 {
			var w bin.Writer
			w.U64s(x.Offsets)
			e.ok(m.SetOffsets(w.B))
		}
	}
}

// DecodeLoadEnumerations reads the body of POST …/enumerations: the names wanted. No names means every enumeration of
// every schema.
func DecodeLoadEnumerations(body []byte) ([]string, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, err
	}
	p := newPlace()
	names, err := capnp.LoadEnumerationsRequest(root).Enumerations()
	v := p.at("enumerations").texts(names, err)
	return v, p.err()
}

// EncodeEnumerations builds the answer of POST …/enumerations for the newest schema.
func EncodeEnumerations(v []*schema.Enumeration) ([]byte, error) {
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootLoadEnumerationsResponse(seg)
		if e.ok(err) {
			l, err := m.NewEnumerations(int32(len(v)))
			e.enumerations(v, l, err)
		}
	})
}

// EncodeAllEnumerations builds the answer of POST …/enumerations when those of every schema were asked for: the loaded
// enumerations of each. One schema alone is answered in the short form, which the client takes for the newest.
func EncodeAllEnumerations(schemas []*schema.Array) ([]byte, error) {
	if len(schemas) == 1 {
		return EncodeEnumerations(loadedEnumerations(schemas[0]))
	}
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootLoadEnumerationsResponse(seg)
		if !e.ok(err) {
			return
		}
		all, err := m.NewAllEnumerations()
		if !e.ok(err) {
			return
		}
		entries, err := all.NewEntries(int32(len(schemas)))
		if !e.ok(err) {
			return
		}
		for i, s := range schemas {
			e.ok(entries.At(i).SetKey(s.Name))
			v := loadedEnumerations(s)
			l, err := entries.At(i).NewValue(int32(len(v)))
			e.enumerations(v, l, err)
		}
	})
}

// loadedEnumerations lists the loaded enumerations of a schema in stored order.
func loadedEnumerations(s *schema.Array) []*schema.Enumeration {
	var v []*schema.Enumeration
	for _, name := range s.EnumerationNames {
		if x := s.Enumerations[name]; x != nil {
			v = append(v, x)
		}
	}
	return v
}
