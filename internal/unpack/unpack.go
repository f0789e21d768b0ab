// Package unpack decodes zlib, bzip2 and Zstandard streams of which both the packed and the unpacked form are whole in
// memory, as the chunks of tiles are. That makes it faster than decoders of io.Readers, which keep a window and copy from
// it, read by bytes and allocate for the largest stream. Nothing here allocates once its pools are warm.
package unpack

import "errors"

// ErrDamaged is wrapped by the error for input that is no stream of its kind or does not have the expected size.
var ErrDamaged = errors.New("damaged stream")
