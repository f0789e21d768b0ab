package format

import (
	"errors"

	"azulejo/schema"
)

// EncodeEnumeration returns the content of an enumeration file, __schema/__enumerations/__uuid_0
// (format_spec/enumeration.md). e.Name and e.File are stored in it and must be set.
func EncodeEnumeration(e *schema.Enumeration) ([]byte, error) {
	return nil, errors.New("not written yet")
}

// DecodeEnumeration decodes the content of an enumeration file; the result was not checked.
func DecodeEnumeration(file []byte) (*schema.Enumeration, error) {
	return nil, errors.New("not written yet")
}
