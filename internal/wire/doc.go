// Package wire turns the messages of the TileDB REST protocol (libtiledb 2.30; spec page rest-wire.md) into plain values
// of the engine and back. It knows Cap'n Proto and the rules of each message; it does no I/O of its own beyond reading
// from and writing to the streams it is handed, and it opens no array.
//
// # Bytes from strangers
//
// A message is an unpacked Cap'n Proto stream message: a table of segment sizes and the segments. Before anything is
// read from it, every pointer is followed once (see verify): it must lie inside the bytes received, lists must have the
// size they claim, nesting is bounded and the sum of everything reachable is bounded by a multiple of the bytes
// received. After that a decoder may size its slices by the lengths of lists. Every fault wraps ErrMalformed and names
// the field by its path in the message, such as "reader.subarray.ranges[1].buffer".
//
// Decoded values never share memory with the message, except columns of cells, which own theirs.
//
// # Buffers
//
// The cells of a query follow its message without padding, in the order of the buffer headers: for each field the fixed
// part (offsets of var-sized fields), the var-sized part, the validity. Requests are read straight into one aligned
// slice a part; replies are written from the engine's columns without another copy.
//
// # Secrets
//
// Every body carries the client's whole configuration with its token. Config keeps the entries the server acts upon and
// nothing else. The one exception is Query, which holds on to the received entries until its reply is built, because an
// incomplete reply has to repeat them; it has no String method and nothing in it is exported.
package wire

//go:generate sh generate.sh
