// Package messages has tests only: libtiledb, called through the C interface of the pinned wheel, reads the messages that package wire
// encodes and hands back what it read. No server is involved, so a refusal that a client would swallow shows here.
package messages
