package metadata

import (
	"azulejo/datatype"
	"azulejo/format"
)

// Text returns the entry that sets a key to a text (STRING_UTF8).
func Text(key, value string) format.MetadataEntry {
	return format.MetadataEntry{Key: key, Type: datatype.StringUTF8, Num: uint32(len(value)), Value: []byte(value)}
}

// Numbers returns the entry that sets a key to one or more numbers of T's type.
func Numbers[T datatype.Element](key string, values ...T) format.MetadataEntry {
	return format.MetadataEntry{
		Key: key, Type: datatype.TypeOf[T](), Num: uint32(len(values)), Value: append([]byte(nil), datatype.Bytes(values)...),
	}
}

// Removed returns the entry that deletes a key.
func Removed(key string) format.MetadataEntry { return format.MetadataEntry{Key: key, Deleted: true} }
