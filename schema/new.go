package schema

import "azulejo/datatype"

// NewDimension returns a dimension of T's number type with the inclusive domain [lo, hi] and a tile extent. Set Type
// afterwards for a type that is stored as such numbers, such as datatype.DateTimeDay for int64.
func NewDimension[T datatype.Element](name string, lo, hi, extent T) Dimension {
	return Dimension{
		Name: name, Type: datatype.TypeOf[T](), CellValNum: 1,
		Domain: clone([]T{lo, hi}), Extent: clone([]T{extent}),
	}
}

// NewTextDimension returns a dimension of texts, for sparse arrays.
func NewTextDimension(name string) Dimension {
	return Dimension{Name: name, Type: datatype.StringASCII, CellValNum: datatype.VarNum}
}

// Between returns the inclusive range [lo, hi] of a dimension whose values are T.
func Between[T datatype.Element](lo, hi T) Range {
	return Range{Lo: clone([]T{lo}), Hi: clone([]T{hi})}
}

// BetweenTexts returns the inclusive range [lo, hi] of a dimension of texts.
func BetweenTexts(lo, hi string) Range { return Range{Lo: []byte(lo), Hi: []byte(hi)} }

func clone[T datatype.Element](v []T) []byte { return append([]byte(nil), datatype.Bytes(v)...) }
