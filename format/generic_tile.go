package format

import "errors"

// AppendGenericTile appends payload to dst as a generic tile: GZIP at level 1, version 22, unencrypted
// (format_spec/generic_tile.md).
func AppendGenericTile(dst, payload []byte) ([]byte, error) {
	return nil, errors.New("not written yet")
}

// DecodeGenericTile returns the unfiltered payload, in new memory, of the generic tile that b begins with, and the number
// of bytes of b that it takes. Encrypted tiles are refused with ErrUnsupported.
func DecodeGenericTile(b []byte) (payload []byte, consumed int, err error) {
	return nil, 0, errors.New("not written yet")
}
