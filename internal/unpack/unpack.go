// Package unpack decodes zlib, bzip2 and Zstandard streams of which both the packed and the unpacked form are whole in
// memory, as the chunks of tiles are. That makes it faster than decoders of io.Readers, which keep a window and copy from
// it, read by bytes and allocate for the largest stream. Nothing here allocates once its pools are warm.
package unpack

import (
	"encoding/binary"
	"errors"
)

// ErrDamaged is wrapped by the error for input that is no stream of its kind or does not have the expected size.
var ErrDamaged = errors.New("damaged stream")

// load64 returns the 8 bytes at place i. Slices whose capacity is a constant cost less than those up to the end.
func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8 : i+8]) }

// store64 sets the 8 bytes at place i.
func store64(b []byte, i int, v uint64) { binary.LittleEndian.PutUint64(b[i:i+8:i+8], v) }
