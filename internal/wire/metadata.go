package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/wire/capnp"
)

// DecodeMetadata reads the body of POST …/array_metadata: values set and keys deleted since the array was opened.
func DecodeMetadata(body []byte) ([]format.MetadataEntry, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, err
	}
	p := newPlace()
	v := decodeMetadata(p, capnp.ArrayMetadata(root), nil)
	return v, p.err()
}

// DecodeGroupMetadata reads the body of PUT …/metadata of a group.
func DecodeGroupMetadata(body []byte) ([]format.MetadataEntry, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, err
	}
	p := newPlace()
	m, err := capnp.GroupMetadata(root).Metadata()
	v := decodeMetadata(p.at("metadata"), m, err)
	return v, p.err()
}

// EncodeMetadata builds the answer of GET …/array_metadata and of POST …/metadata of a group. Nothing set is a message
// with an empty list, because an empty body is an error to the client.
func EncodeMetadata(v []format.MetadataEntry) ([]byte, error) {
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootArrayMetadata(seg)
		e.metadata(m, err, v)
	})
}

// decodeMetadata reads a list of metadata entries.
func decodeMetadata(p *place, m capnp.ArrayMetadata, err error) []format.MetadataEntry {
	if !p.check(err) {
		return nil
	}
	p = p.at("entries")
	entries, err := m.Entries()
	n := p.length(entries, err)
	if n == 0 {
		return nil
	}
	v := make([]format.MetadataEntry, n)
	for i := range v {
		v[i] = decodeMetadataEntry(p.item(i), entries.At(i))
	}
	return v
}

// decodeMetadataEntry reads one entry. A value without bytes is one of no values, whatever its count says: a client that
// sets an empty text sends a count of 1 for some types.
func decodeMetadataEntry(p *place, m capnp.ArrayMetadata_MetadataEntry) format.MetadataEntry {
	v := format.MetadataEntry{
		Key:     p.at("key").text(m.Key()),
		Num:     m.ValueNum(),
		Value:   p.at("value").data(m.Value()),
		Deleted: m.Del(),
	}
	if v.Deleted {
		v.Num, v.Value, v.Type = 0, nil, datatype.Any
		return v
	}
	v.Type = p.at("type").datatype(m.Type())
	if len(v.Value) == 0 {
		v.Num = 0
	} else if uint64(len(v.Value)) != uint64(v.Num)*uint64(v.Type.Size()) {
		p.at("value").fail("%d bytes for %d values of %v", len(v.Value), v.Num, v.Type)
	}
	return v
}

// metadata writes a list of metadata entries. Sizes and counts have to agree or the client refuses all of them.
func (e *encoder) metadata(m capnp.ArrayMetadata, err error, v []format.MetadataEntry) {
	if !e.ok(err) {
		return
	}
	entries, err := m.NewEntries(int32(len(v)))
	if !e.ok(err) {
		return
	}
	for i, x := range v {
		entry := entries.At(i)
		e.ok(entry.SetKey(x.Key))
		e.ok(entry.SetType(x.Type.String()))
		entry.SetDel(x.Deleted)
		if !x.Deleted && len(x.Value) > 0 {
			entry.SetValueNum(x.Num)
			e.ok(entry.SetValue(x.Value))
		}
	}
}
