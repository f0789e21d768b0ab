package capjson

import (
	"math"
	"strconv"

	capnplib "capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/std/capnp/schema"
)

// Limits of what is read.
const (
	maxNesting = 64
	// maxNumber bounds the digits of a number.
	maxNumber = 64
	// growth bounds the bytes of a message as a multiple of its JSON form: a struct has room for all its fields.
	growth = 16
	// room is what any message may have.
	room = 64 << 10
)

// Decode returns the message whose JSON form is body, with the struct of the id as its root. The result is the caller's. Errors wrap
// ErrMalformed.
func Decode(body []byte, id uint64) ([]byte, error) {
	t, err := find(id)
	if err != nil {
		return nil, err
	}
	text, err := newText(body)
	if err != nil {
		return nil, err
	}
	msg, seg, err := capnplib.NewMessage(capnplib.SingleSegment(nil))
	if err != nil {
		return nil, err
	}
	defer msg.Release()
	d := decoder{text: text, seg: seg, budget: int64(len(body))*growth + room}
	root, err := capnplib.NewRootStruct(seg, t.size)
	if err != nil {
		return nil, err
	}
	if err := d.structure(root, t, 0); err != nil {
		return nil, err
	}
	return msg.Marshal()
}

type decoder struct {
	*text
	seg *capnplib.Segment
	// budget is how many bytes the message may still grow by.
	budget int64
}

// spend pays for n elements of so many bytes.
func (d *decoder) spend(n int, bytes int64) error {
	if d.budget -= int64(n)*bytes + 8; d.budget < 0 {
		return &Error{Err: malformed("the message would have more than %d times the bytes of its JSON form", growth)}
	}
	return nil
}

// structure reads an object into a struct.
func (d *decoder) structure(s capnplib.Struct, t *structure, depth int) error {
	if depth >= maxNesting {
		return &Error{Err: malformed("nested more than %d deep", maxNesting)}
	}
	if !d.take('{') {
		return &Error{Err: malformed("not an object")}
	}
	for !d.take('}') {
		name := string(unquote(d.quoted()))
		d.take(':')
		i, known := t.byName[name]
		if !known || d.next() == 'n' {
			d.skip()
		} else if err := d.field(s, t, &t.fields[i], depth); err != nil {
			return within(name, err)
		}
		d.take(',')
	}
	return nil
}

// field reads a value into a field.
func (d *decoder) field(s capnplib.Struct, t *structure, f *field, depth int) error {
	if f.member != notInUnion {
		s.SetUint16(t.which, uint16(f.member))
	}
	if f.group != nil {
		return d.structure(s, f.group, depth+1)
	}
	if isPointer(f.of.kind) {
		p, err := d.pointer(f.of, depth)
		if err != nil {
			return err
		}
		return s.SetPtr(uint16(f.place), p)
	}
	v, err := d.scalar(f.of)
	if err == nil {
		setScalar(s, f, v^f.standard)
	}
	return err
}

// setScalar sets the bits of a number or truth value.
func setScalar(s capnplib.Struct, f *field, v uint64) {
	switch width(f.of.kind) {
	case 1:
		if f.of.kind == schema.Type_Which_bool {
			s.SetBit(capnplib.BitOffset(f.place), v == 1)
		} else {
			s.SetUint8(capnplib.DataOffset(f.place), uint8(v))
		}
	case 2:
		s.SetUint16(capnplib.DataOffset(2*f.place), uint16(v))
	case 4:
		s.SetUint32(capnplib.DataOffset(4*f.place), uint32(v))
	case 8:
		s.SetUint64(capnplib.DataOffset(8*f.place), v)
	}
}

// scalar reads a number, a truth value or the name of an enumeration's value and returns its bits.
func (d *decoder) scalar(t *shape) (uint64, error) {
	first := d.next()
	switch {
	case first == '{' || first == '[':
		return 0, &Error{Err: malformed("neither a number nor a text")}
	case t.kind == schema.Type_Which_void:
		d.skip()
		return 0, nil
	}
	var w string
	if first == '"' {
		w = string(unquote(d.quoted()))
	} else {
		w = string(d.word())
	}
	if t.kind == schema.Type_Which_bool {
		if first == '"' || w != "true" && w != "false" {
			return 0, &Error{Err: malformed("not true or false")}
		}
		return uint64(len("false") - len(w)), nil
	}
	if t.kind == schema.Type_Which_enum && first == '"' {
		for i, name := range t.names {
			if name == w {
				return uint64(i), nil
			}
		}
		return 0, &Error{Err: malformed("no such name")}
	}
	if len(w) > maxNumber {
		return 0, &Error{Err: malformed("a number of %d digits", len(w))}
	}
	v, err := number(w, t.kind)
	if err != nil {
		return 0, &Error{Err: malformed("%q is no number of this field", w)}
	}
	return v, nil
}

// number reads a number and returns its bits.
func number(w string, kind schema.Type_Which) (uint64, error) {
	bits := 8 * width(kind)
	switch kind {
	case schema.Type_Which_int8, schema.Type_Which_int16, schema.Type_Which_int32, schema.Type_Which_int64:
		v, err := strconv.ParseInt(w, 10, bits)
		return uint64(v), err
	case schema.Type_Which_float32:
		v, err := strconv.ParseFloat(w, 32)
		return uint64(math.Float32bits(float32(v))), err
	case schema.Type_Which_float64:
		v, err := strconv.ParseFloat(w, 64)
		return math.Float64bits(v), err
	}
	return strconv.ParseUint(w, 10, bits)
}

// pointer reads a text, bytes, a list or a struct of their own.
func (d *decoder) pointer(t *shape, depth int) (capnplib.Ptr, error) {
	switch t.kind {
	case schema.Type_Which_text:
		if d.next() != '"' {
			return capnplib.Ptr{}, &Error{Err: malformed("not a text")}
		}
		b := unquote(d.quoted())
		if err := d.spend(len(b)+1, 1); err != nil {
			return capnplib.Ptr{}, err
		}
		v, err := capnplib.NewTextFromBytes(d.seg, b)
		return v.ToPtr(), err
	case schema.Type_Which_structType:
		if err := d.spend(1, structBytes(t)); err != nil {
			return capnplib.Ptr{}, err
		}
		s, err := capnplib.NewStruct(d.seg, t.structure.size)
		if err == nil {
			err = d.structure(s, t.structure, depth+1)
		}
		return s.ToPtr(), err
	case schema.Type_Which_data:
		return d.numbers(&shape{kind: schema.Type_Which_uint8})
	case schema.Type_Which_list:
		return d.list(t.element, depth+1)
	}
	return capnplib.Ptr{}, &Error{Err: malformed("a value of kind %v", t.kind)}
}

// structBytes is the size of a struct.
func structBytes(t *shape) int64 {
	return int64(t.structure.size.DataSize) + 8*int64(t.structure.size.PointerCount)
}

// open begins an array and returns how many elements it has.
func (d *decoder) open() (int, error) {
	if !d.take('[') {
		return 0, &Error{Err: malformed("not an array")}
	}
	return d.count(), nil
}

// each reads the elements of an array that was begun.
func (d *decoder) each(n int, read func(i int) error) error {
	for i := range n {
		if err := read(i); err != nil {
			return within("["+strconv.Itoa(i)+"]", err)
		}
		d.take(',')
	}
	d.take(']')
	return nil
}

// list reads a list of structs, pointers or numbers.
func (d *decoder) list(t *shape, depth int) (capnplib.Ptr, error) {
	if depth >= maxNesting {
		return capnplib.Ptr{}, &Error{Err: malformed("nested more than %d deep", maxNesting)}
	}
	if !isPointer(t.kind) {
		return d.numbers(t)
	}
	n, err := d.open()
	if err != nil {
		return capnplib.Ptr{}, err
	}
	if t.kind != schema.Type_Which_structType {
		return d.pointers(t, n, depth)
	}
	if err := d.spend(n, structBytes(t)); err != nil {
		return capnplib.Ptr{}, err
	}
	l, err := capnplib.NewCompositeList(d.seg, t.structure.size, int32(n))
	if err != nil {
		return capnplib.Ptr{}, err
	}
	return l.ToPtr(), d.each(n, func(i int) error { return d.structure(l.Struct(i), t.structure, depth+1) })
}

// pointers reads a list of texts, bytes or lists.
func (d *decoder) pointers(t *shape, n, depth int) (capnplib.Ptr, error) {
	if err := d.spend(n, 8); err != nil {
		return capnplib.Ptr{}, err
	}
	l, err := capnplib.NewPointerList(d.seg, int32(n))
	if err != nil {
		return capnplib.Ptr{}, err
	}
	return l.ToPtr(), d.each(n, func(i int) error {
		if d.next() == 'n' {
			d.skip()
			return nil
		}
		p, err := d.pointer(t, depth)
		if err != nil {
			return err
		}
		return l.Set(i, p)
	})
}

// numbers reads a list of numbers.
func (d *decoder) numbers(t *shape) (capnplib.Ptr, error) {
	n, err := d.open()
	if err != nil {
		return capnplib.Ptr{}, err
	}
	if err := d.spend(n, int64(width(t.kind))); err != nil {
		return capnplib.Ptr{}, err
	}
	var p capnplib.Ptr
	var set func(i int, v uint64)
	switch width(t.kind) {
	case 1:
		var l capnplib.UInt8List
		l, err = capnplib.NewUInt8List(d.seg, int32(n))
		p, set = l.ToPtr(), func(i int, v uint64) { l.Set(i, uint8(v)) }
	case 2:
		var l capnplib.UInt16List
		l, err = capnplib.NewUInt16List(d.seg, int32(n))
		p, set = l.ToPtr(), func(i int, v uint64) { l.Set(i, uint16(v)) }
	case 4:
		var l capnplib.UInt32List
		l, err = capnplib.NewUInt32List(d.seg, int32(n))
		p, set = l.ToPtr(), func(i int, v uint64) { l.Set(i, uint32(v)) }
	case 8:
		var l capnplib.UInt64List
		l, err = capnplib.NewUInt64List(d.seg, int32(n))
		p, set = l.ToPtr(), func(i int, v uint64) { l.Set(i, v) }
	}
	if err != nil || set == nil || t.kind == schema.Type_Which_bool {
		return capnplib.Ptr{}, &Error{Err: malformed("a list of kind %v", t.kind)}
	}
	return p, d.each(n, func(i int) error {
		v, err := d.scalar(t)
		if err == nil {
			set(i, v)
		}
		return err
	})
}
