package query

import (
	"fmt"
	"strings"

	"azulejo/datatype"
	"azulejo/schema"
)

// rangeText shows a range of a dimension in a message.
func rangeText(d *schema.Dimension, r schema.Range) string {
	return "[" + coordText(d, r.Lo) + ", " + coordText(d, r.Hi) + "]"
}

// cellText shows the coordinates of cell i, given as one column per dimension.
func cellText(s *schema.Array, dims []column, i int) string {
	texts := make([]string, len(dims))
	for d := range dims {
		c := &dims[d]
		var v []byte
		if c.field.Var() {
			v = c.data[c.offsets[i]:c.end(i)]
		} else {
			size := c.field.CellSize()
			v = c.data[i*size : (i+1)*size]
		}
		texts[d] = coordText(&s.Domain.Dimensions[d], v)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

var coordTexts = [...]func([]byte) string{
	datatype.KindInt8: numberText[int8], datatype.KindInt16: numberText[int16],
	datatype.KindInt32: numberText[int32], datatype.KindInt64: numberText[int64],
	datatype.KindUint8: numberText[uint8], datatype.KindUint16: numberText[uint16],
	datatype.KindUint32: numberText[uint32], datatype.KindUint64: numberText[uint64],
	datatype.KindFloat32: numberText[float32], datatype.KindFloat64: numberText[float64],
}

// coordText shows one coordinate.
func coordText(d *schema.Dimension, v []byte) string {
	if d.Var() {
		return fmt.Sprintf("%q", v)
	}
	return coordTexts[d.Type.Kind()](v)
}

func numberText[T datatype.Element](b []byte) string { return fmt.Sprint(datatype.View[T](b)[0]) }
