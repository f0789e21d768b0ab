package query

// State is the place where an incomplete read goes on: plain values that a server can send away and get back.
type State struct {
	// Fragments are the names of the fragments the read began with, oldest first; a resumed read uses just these.
	Fragments []string
	// Position is the reader's own place, opaque to everybody else.
	Position []byte
}
