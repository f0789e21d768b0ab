// Package cells moves cells between Go slices and arrays. It is the pleasant face of package query: columns are made of
// typed slices, and the columns of a result are looked at as typed slices, both without a copy of the numbers.
//
//	query.Submit(ctx, arr, &query.Write{Columns: []query.Column{cells.Of("a", []int32{1, 2, 3})}})
//
//	t, err := cells.Read(ctx, arr, &query.Read{Fields: cells.Fields("a")})
//	a, err := cells.Values[int32](t, "a")
//
// The examples in this package and docs/library.md show every use.
package cells

import (
	"fmt"

	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
)

// Of returns a column of numbers of a field of T's kind: one number a cell or, for fields of several values a cell, all
// of them back to back. It shares v's memory.
func Of[T datatype.Element](name string, v []T) query.Column {
	return query.Column{Name: name, Data: datatype.Bytes(v)}
}

// Texts returns a column of var-sized cells of texts or bytes. The texts are copied once, into one piece.
func Texts[S ~string | ~[]byte](name string, v []S) query.Column {
	n := 0
	for _, s := range v {
		n += len(s)
	}
	data, offsets := make([]byte, 0, n), make([]uint64, len(v))
	for i, s := range v {
		offsets[i] = uint64(len(data))
		data = append(data, s...)
	}
	return query.Column{Name: name, Data: data, Offsets: datatype.Bytes(offsets)}
}

// Lists returns a column of var-sized cells of numbers. The numbers are copied once, into one piece.
func Lists[T datatype.Element](name string, v [][]T) query.Column {
	n := 0
	for _, list := range v {
		n += len(list)
	}
	data, offsets := make([]T, 0, n), make([]uint64, len(v))
	size := uint64(datatype.KindOf[T]().Size())
	for i, list := range v {
		offsets[i] = uint64(len(data)) * size
		data = append(data, list...)
	}
	return query.Column{Name: name, Data: datatype.Bytes(data), Offsets: datatype.Bytes(offsets)}
}

// Bools returns a column of a BOOL field.
func Bools(name string, v []bool) query.Column { return query.Column{Name: name, Data: flags(v)} }

// Nullable returns a column with the validity that fields declared nullable need: cells whose valid is false are null.
func Nullable(c query.Column, valid []bool) query.Column {
	c.Validity = flags(valid)
	return c
}

// AllValid returns a column of a nullable field without nulls. cells is the number of cells.
func AllValid(c query.Column, cells int) query.Column {
	c.Validity = make([]byte, cells)
	for i := range c.Validity {
		c.Validity[i] = 1
	}
	return c
}

// flags returns one byte for every bool.
func flags(v []bool) []byte {
	out := make([]byte, len(v))
	for i, b := range v {
		if b {
			out[i] = 1
		}
	}
	return out
}

// Fields asks for fields of any size.
func Fields(names ...string) []query.Want { return FieldsWithin(-1, names...) }

// FieldsWithin asks for fields of which each may take up to nBytes of data, of offsets and of validity: the bounds of the
// tables of Parts.
func FieldsWithin(nBytes int64, names ...string) []query.Want {
	wants := make([]query.Want, len(names))
	for i, name := range names {
		wants[i] = query.Want{Name: name, DataCap: nBytes, OffsetsCap: nBytes, ValidityCap: nBytes}
	}
	return wants
}

// Box selects one range of every dimension, in their order.
func Box(ranges ...schema.Range) query.Subarray {
	var sub query.Subarray
	for _, r := range ranges {
		sub.Ranges = append(sub.Ranges, []schema.Range{r})
	}
	return sub
}

// mismatch is the error for a column that is looked at as what it is not.
func mismatch(f *schema.Field, as string) error {
	kind := f.Type.String()
	switch {
	case f.CellValNum == datatype.VarNum:
		kind = "var-sized " + kind
	case f.CellValNum > 1:
		kind = fmt.Sprintf("%d×%v", f.CellValNum, f.Type)
	}
	return fmt.Errorf("%w: field %q is %s and cannot be read as %s", query.ErrInvalid, f.Name, kind, as)
}
