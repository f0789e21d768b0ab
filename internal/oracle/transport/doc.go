// Package transport has tests only: what lies between the unmodified client and the server: compressed replies, TLS, connections that
// are cut off, slow and hostile peers.
package transport
