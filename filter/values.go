package filter

import (
	"azulejo/datatype"
)

// integer is the set of element types that the filters of integers compute with.
type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// unsigned is the set of element types for filters to which signs make no difference.
type unsigned interface {
	uint8 | uint16 | uint32 | uint64
}

// aligned returns b as values, sharing its memory if it is aligned for them and in scratch memory otherwise.
func aligned[T datatype.Element](w *work, b []byte) []T {
	if v, ok := datatype.Alias[T](b); ok {
		return v
	}
	c := w.take(len(b))
	copy(c, b)
	v, _ := datatype.Alias[T](c)
	return v
}

// output is a place for values: b are the bytes of v and of what follows the last whole value.
type output[T datatype.Element] struct {
	v   []T
	b   []byte
	dst []byte
}

// outputOf returns a place for what belongs to dst: dst itself when it is aligned for values. flush ends its use.
func outputOf[T datatype.Element](w *work, dst []byte) output[T] {
	b := dst
	v, ok := datatype.Alias[T](b)
	if !ok {
		b = w.take(len(dst))
		v, _ = datatype.Alias[T](b)
	}
	return output[T]{v: v, b: b, dst: dst}
}

// flush copies the bytes to where they belong unless they are there.
func (o output[T]) flush() {
	if len(o.dst) > 0 && &o.b[0] != &o.dst[0] {
		copy(o.dst, o.b)
	}
}

// integerKind returns the kind in which the filters of integers compute with values of type t: texts count as bytes
// whatever their width. False for floats.
func integerKind(t datatype.Type) (datatype.Kind, bool) {
	switch {
	case t.IsFloat():
		return 0, false
	case t.IsString() || t == datatype.Any:
		return datatype.KindUint8, true
	}
	return t.Kind(), true
}

// widthOf returns the bytes of a T.
func widthOf[T datatype.Element]() int {
	var one [1]T
	return len(datatype.Bytes(one[:]))
}
