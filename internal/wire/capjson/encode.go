package capjson

import (
	"fmt"
	"math"
	"strconv"

	capnplib "capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/std/capnp/schema"
)

// Encode returns the JSON form of a message of ours, whose root is the struct with the id. The result is the caller's.
func Encode(message []byte, id uint64) ([]byte, error) { return encode(message, id, false) }

// EncodeNumbers is Encode but writes numbers of 64 bits as JSON numbers, as the cloud's API describes its messages
// (openapi-v1.yaml, ArraySchema), where Cap'n Proto's codec writes texts.
func EncodeNumbers(message []byte, id uint64) ([]byte, error) { return encode(message, id, true) }

func encode(message []byte, id uint64, numbers bool) ([]byte, error) {
	t, err := find(id)
	if err != nil {
		return nil, err
	}
	msg, err := capnplib.Unmarshal(message)
	if err != nil {
		return nil, err
	}
	msg.ResetReadLimit(math.MaxUint64)
	msg.DepthLimit = 4 * maxNesting
	root, err := msg.Root()
	if err != nil {
		return nil, err
	}
	e := encoder{b: make([]byte, 0, 2*len(message)), numbers: numbers}
	e.structure(root.Struct(), t)
	return e.b, e.err
}

// encoder keeps the first fault, which can only be one of ours.
type encoder struct {
	b       []byte
	err     error
	numbers bool // of 64 bits are written as such
}

func (e *encoder) ok(err error) bool {
	if e.err == nil {
		e.err = err
	}
	return e.err == nil
}

func (e *encoder) structure(s capnplib.Struct, t *structure) {
	e.b = append(e.b, '{')
	first := true
	for i := range t.fields {
		f := &t.fields[i]
		if f.member != notInUnion && int(s.Uint16(t.which)) != f.member || !present(s, f) {
			continue
		}
		if !first {
			e.b = append(e.b, ',')
		}
		first = false
		e.b = appendQuoted(e.b, []byte(f.name))
		e.b = append(e.b, ':')
		if f.group != nil {
			e.structure(s, f.group)
		} else {
			e.field(s, f)
		}
	}
	e.b = append(e.b, '}')
}

// present tells whether a field is written: pointers to nothing are not, unless they are the member of a union that is set.
func present(s capnplib.Struct, f *field) bool {
	return f.group != nil || !isPointer(f.of.kind) || f.member != notInUnion || s.HasPtr(uint16(f.place))
}

// isPointer tells whether values of a kind are reached by a pointer.
func isPointer(kind schema.Type_Which) bool {
	switch kind {
	case schema.Type_Which_text, schema.Type_Which_data, schema.Type_Which_list, schema.Type_Which_structType, schema.Type_Which_anyPointer:
		return true
	}
	return false
}

// field writes the value of a field.
func (e *encoder) field(s capnplib.Struct, f *field) {
	if isPointer(f.of.kind) {
		p, err := s.Ptr(uint16(f.place))
		if e.ok(err) {
			e.pointer(p, f.of)
		}
		return
	}
	e.scalar(scalar(s, f.of.kind, f.place)^f.standard, f.of)
}

// scalar returns the bits of a number or truth value of a struct; places are counted in its own size.
func scalar(s capnplib.Struct, kind schema.Type_Which, place uint32) uint64 {
	switch width(kind) {
	case 1:
		if kind != schema.Type_Which_bool {
			return uint64(s.Uint8(capnplib.DataOffset(place)))
		}
		if s.Bit(capnplib.BitOffset(place)) {
			return 1
		}
		return 0
	case 2:
		return uint64(s.Uint16(capnplib.DataOffset(2 * place)))
	case 4:
		return uint64(s.Uint32(capnplib.DataOffset(4 * place)))
	case 8:
		return s.Uint64(capnplib.DataOffset(8 * place))
	}
	return 0
}

// width returns the bytes of a number, 1 for a truth value, 0 for what has none.
func width(kind schema.Type_Which) int {
	switch kind {
	case schema.Type_Which_bool, schema.Type_Which_int8, schema.Type_Which_uint8:
		return 1
	case schema.Type_Which_int16, schema.Type_Which_uint16, schema.Type_Which_enum:
		return 2
	case schema.Type_Which_int32, schema.Type_Which_uint32, schema.Type_Which_float32:
		return 4
	case schema.Type_Which_int64, schema.Type_Which_uint64, schema.Type_Which_float64:
		return 8
	}
	return 0
}

// scalar writes a number or truth value by its bits.
func (e *encoder) scalar(v uint64, t *shape) {
	switch t.kind {
	case schema.Type_Which_void:
		e.b = append(e.b, "null"...)
	case schema.Type_Which_bool:
		e.b = strconv.AppendBool(e.b, v == 1)
	case schema.Type_Which_int8:
		e.b = strconv.AppendInt(e.b, int64(int8(v)), 10)
	case schema.Type_Which_int16:
		e.b = strconv.AppendInt(e.b, int64(int16(v)), 10)
	case schema.Type_Which_int32:
		e.b = strconv.AppendInt(e.b, int64(int32(v)), 10)
	case schema.Type_Which_uint8, schema.Type_Which_uint16, schema.Type_Which_uint32:
		e.b = strconv.AppendUint(e.b, v, 10)
	case schema.Type_Which_int64, schema.Type_Which_uint64:
		e.wide(v, t.kind == schema.Type_Which_int64)
	case schema.Type_Which_float32:
		e.float(float64(math.Float32frombits(uint32(v))), 32)
	case schema.Type_Which_float64:
		e.float(math.Float64frombits(v), 64)
	case schema.Type_Which_enum:
		if v < uint64(len(t.names)) {
			e.b = appendQuoted(e.b, []byte(t.names[v]))
		} else {
			e.b = strconv.AppendUint(e.b, v, 10)
		}
	default:
		e.ok(fmt.Errorf("capjson: a value of kind %v", t.kind))
	}
}

// wide writes a number of 64 bits.
func (e *encoder) wide(v uint64, signed bool) {
	if !e.numbers {
		e.b = append(e.b, '"')
	}
	if signed {
		e.b = strconv.AppendInt(e.b, int64(v), 10)
	} else {
		e.b = strconv.AppendUint(e.b, v, 10)
	}
	if !e.numbers {
		e.b = append(e.b, '"')
	}
}

func (e *encoder) float(v float64, bits int) {
	switch {
	case math.IsNaN(v):
		e.b = append(e.b, `"NaN"`...)
	case math.IsInf(v, 1):
		e.b = append(e.b, `"Infinity"`...)
	case math.IsInf(v, -1):
		e.b = append(e.b, `"-Infinity"`...)
	default:
		e.b = strconv.AppendFloat(e.b, v, 'g', -1, bits)
	}
}

// pointer writes what a pointer leads to.
func (e *encoder) pointer(p capnplib.Ptr, t *shape) {
	switch t.kind {
	case schema.Type_Which_text:
		e.b = appendQuoted(e.b, p.TextBytes())
	case schema.Type_Which_data:
		e.elements(len(p.Data()), func(i int) { e.b = strconv.AppendUint(e.b, uint64(p.Data()[i]), 10) })
	case schema.Type_Which_structType:
		e.structure(p.Struct(), t.structure)
	case schema.Type_Which_list:
		e.list(p.List(), t.element)
	default:
		e.ok(fmt.Errorf("capjson: a pointer of kind %v", t.kind))
	}
}

// list writes a list.
func (e *encoder) list(l capnplib.List, t *shape) {
	switch {
	case t.kind == schema.Type_Which_structType:
		e.elements(l.Len(), func(i int) { e.structure(l.Struct(i), t.structure) })
	case isPointer(t.kind):
		e.elements(l.Len(), func(i int) {
			p, err := capnplib.PointerList(l).At(i)
			if e.ok(err) {
				e.pointer(p, t)
			}
		})
	case t.kind == schema.Type_Which_bool:
		e.ok(fmt.Errorf("capjson: a list of bits"))
	default:
		e.elements(l.Len(), func(i int) { e.scalar(element(l, i, width(t.kind)), t) })
	}
}

// element returns the bits of an element of a list of numbers.
func element(l capnplib.List, i, width int) uint64 {
	switch width {
	case 1:
		return uint64(capnplib.UInt8List(l).At(i))
	case 2:
		return uint64(capnplib.UInt16List(l).At(i))
	case 4:
		return uint64(capnplib.UInt32List(l).At(i))
	case 8:
		return capnplib.UInt64List(l).At(i)
	}
	return 0
}

// elements writes an array of n elements.
func (e *encoder) elements(n int, each func(i int)) {
	e.b = append(e.b, '[')
	for i := range n {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		each(i)
	}
	e.b = append(e.b, ']')
}
