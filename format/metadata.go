package format

import (
	"errors"

	"azulejo/datatype"
)

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
	return nil, errors.New("not written yet")
}

// DecodeMetadata decodes the content of a metadata file, entries in stored order.
func DecodeMetadata(file []byte) ([]MetadataEntry, error) { return nil, errors.New("not written yet") }
