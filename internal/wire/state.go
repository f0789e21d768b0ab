package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
)

// repeatConfig writes the received configuration into the reply, with the cursor unless it is empty. The client takes
// the reply's configuration for its own, so all of it has to be there or nothing.
func (e *encoder) repeatConfig(m capnp.Query, received capnp.Query, cursor string) {
	config, err := received.Config()
	if !e.ok(err) {
		return
	}
	old, err := config.Entries()
	if !e.ok(err) {
		return
	}
	keep := make([]int, 0, old.Len())
	for i := range old.Len() {
		key, err := old.At(i).Key()
		if e.ok(err) && key != cursorKey {
			keep = append(keep, i)
		}
	}
	n := len(keep)
	if cursor != "" {
		n++
	}
	reply, err := m.NewConfig()
	if !e.ok(err) {
		return
	}
	entries, err := reply.NewEntries(int32(n))
	if !e.ok(err) {
		return
	}
	for to, from := range keep {
		key, err := old.At(from).KeyBytes()
		e.ok(err)
		value, err := old.At(from).ValueBytes()
		e.ok(err)
		e.ok(capnplib.Struct(entries.At(to)).SetTextFromBytes(0, key))
		e.ok(capnplib.Struct(entries.At(to)).SetTextFromBytes(1, value))
	}
	if cursor != "" {
		e.ok(entries.At(n - 1).SetKey(cursorKey))
		e.ok(entries.At(n - 1).SetValue(cursor))
	}
}
