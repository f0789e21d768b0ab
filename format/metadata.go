package format

import (
	"azulejo/datatype"
	"azulejo/internal/bin"
)

// A metadata file of an array or a group (format_spec/metadata.md) is one generic tile; its payload is entries back to
// back up to its end:
//
//	u32+key | u8 deleted | unless deleted: u8 type | u32 number of values | values

// MetadataEntry is one change in a metadata file: a value set under a key, or the key's deletion.
type MetadataEntry struct {
	Key  string
	Type datatype.Type
	// Num is the number of values; 0 is a value too, it has no bytes.
	Num uint32
	// Value is Num*Type.Size() bytes.
	Value   []byte
	Deleted bool
}

// EncodeMetadata returns the content of an array's or group's metadata file (format_spec/metadata.md).
func EncodeMetadata(entries []MetadataEntry) ([]byte, error) {
	w := &bin.Writer{}
	for i := range entries {
		e := &entries[i]
		w.String32(e.Key)
		w.Bool(e.Deleted)
		if e.Deleted {
			continue
		}
		w.U8(uint8(e.Type))
		w.U32(e.Num)
		w.Bytes(e.Value)
	}
	return AppendGenericTile(nil, w.B)
}

// DecodeMetadata decodes the content of a metadata file, entries in stored order.
func DecodeMetadata(file []byte) ([]MetadataEntry, error) {
	payload, err := decodeWhole(file, "metadata")
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(payload)
	var entries []MetadataEntry
	for r.Err() == nil && r.Len() > 0 {
		e := MetadataEntry{Key: r.String32("key"), Deleted: r.U8("deleted") != 0}
		if !e.Deleted {
			e.Type = datatype.Type(r.U8("type"))
			e.Num = r.U32("number of values")
			if !e.Type.Valid() {
				r.Failf("type", "%w: unknown datatype %d of key %q", ErrCorrupt, uint8(e.Type), e.Key)
				break
			}
			e.Value = r.Bytes("values", uint64(e.Num)*uint64(e.Type.Size()))
		}
		entries = append(entries, e)
	}
	if err := readErr(r, "metadata", 0); err != nil {
		return nil, err
	}
	return entries, nil
}
