package datatype

import "reflect"

// kindOf maps Go kinds to ours and to the plain type of that kind.
var kindOf = map[reflect.Kind]Type{
	reflect.Int8: Int8, reflect.Int16: Int16, reflect.Int32: Int32, reflect.Int64: Int64,
	reflect.Uint8: Uint8, reflect.Uint16: Uint16, reflect.Uint32: Uint32, reflect.Uint64: Uint64,
	reflect.Float32: Float32, reflect.Float64: Float64,
}

// TypeOf returns the plain number type whose values are T: Int32 for int32 and types made of it.
func TypeOf[T Element]() Type { return kindOf[reflect.TypeFor[T]().Kind()] }

// KindOf returns the element kind of T.
func KindOf[T Element]() Kind { return TypeOf[T]().Kind() }
