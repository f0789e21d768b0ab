package wire

import (
	"encoding/base64"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/bin"
	"azulejo/internal/wire/capnp"
	"azulejo/query"
)

// cursorVersion begins every cursor, so that one of another release is recognised and refused.
const cursorVersion = 1

// encodeCursor returns the text form of a state.
func encodeCursor(s *query.State) string {
	var w bin.Writer
	w.U8(cursorVersion)
	w.U32(uint32(len(s.Fragments)))
	for _, name := range s.Fragments {
		w.String32(name)
	}
	w.U32(uint32(len(s.Position)))
	w.Bytes(s.Position)
	return base64.RawURLEncoding.EncodeToString(w.B)
}

// decodeCursor reads a state back. It went through the client: nothing but its form is known to be right, and the engine
// checks fragments and position against the array.
func decodeCursor(p *place, text string) *query.State {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if !p.check(err) {
		return nil
	}
	r := bin.NewReader(b)
	if v := r.U8("version"); v != cursorVersion {
		p.fail("version %d", v)
		return nil
	}
	s := &query.State{}
	if n := r.Count("fragments", uint64(r.U32("fragments")), 4); n > 0 {
		s.Fragments = make([]string, n)
	}
	for i := range s.Fragments {
		s.Fragments[i] = r.String32("fragment")
	}
	s.Position = append([]byte(nil), r.Bytes("position", uint64(r.U32("position")))...)
	if p.check(r.Err()) && r.Len() > 0 {
		p.fail("%d bytes too many", r.Len())
	}
	return s
}

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
