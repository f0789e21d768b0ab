package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
)

// encoder keeps the first fault of building a message, which can only be one of size: the values come from the engine.
type encoder struct {
	err error
}

// ok records err and reports whether building may go on.
func (e *encoder) ok(err error) bool {
	if e.err == nil {
		e.err = err
	}
	return e.err == nil
}

// text sets the text field at pointer index i even when v is empty; the generated setters leave an empty text null.
func (e *encoder) text(s capnplib.Struct, i uint16, v string) { e.ok(s.SetNewText(i, v)) }

// numberList is what the generated lists of numbers offer to writers.
type numberList[T any] interface {
	Set(int, T)
}

// fill copies v into a list just made for it.
func fill[T any, L numberList[T]](e *encoder, v []T, l L, err error) {
	if !e.ok(err) {
		return
	}
	for i, x := range v {
		l.Set(i, x)
	}
}

// fillTexts copies v into a list just made for it.
func (e *encoder) fillTexts(v []string, l capnplib.TextList, err error) {
	if !e.ok(err) {
		return
	}
	for i, x := range v {
		e.ok(l.Set(i, x))
	}
}

// mapEntries makes n entries of the protocol's generic map and has set called for each with the entry's segment; set
// returns key and value.
func (e *encoder) mapEntries(m capnp.Map, err error, n int, set func(seg *capnplib.Segment, i int) (string, capnplib.Ptr)) {
	if !e.ok(err) {
		return
	}
	entries, err := m.NewEntries(int32(n))
	if !e.ok(err) {
		return
	}
	for i := range n {
		key, value := set(m.Segment(), i)
		t, err := capnplib.NewText(m.Segment(), key)
		if !e.ok(err) {
			return
		}
		e.ok(entries.At(i).SetKey(t.ToPtr()))
		e.ok(entries.At(i).SetValue(value))
	}
}

// encode builds a message and returns its bytes, which belong to the caller.
func encode(build func(e *encoder, seg *capnplib.Segment)) ([]byte, error) {
	msg, seg, err := capnplib.NewMessage(capnplib.SingleSegment(nil))
	if err != nil {
		return nil, err
	}
	defer msg.Release()
	var e encoder
	build(&e, seg)
	if e.err != nil {
		return nil, e.err
	}
	return msg.Marshal()
}
