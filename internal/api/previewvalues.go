package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/vault"
	"azulejo/query"
	"azulejo/schema"
)

// Values as JSON (decision 133): numbers are numbers, but those JSON has none for ("NaN", "Infinity", "-Infinity"); moments
// are RFC 3339 texts where time.Time can hold them, otherwise their number; text is text, other bytes are base64; what is
// null, missing or no moment is null.

// isText reports whether values of a type are text as a whole.
func isText(t datatype.Type) bool {
	switch t {
	case datatype.Char, datatype.StringASCII, datatype.StringUTF8, datatype.StringUTF16, datatype.StringUTF32, datatype.StringUCS2, datatype.StringUCS4, datatype.GeomWKT:
		return true
	}
	return false
}

// isBytes reports whether values of a type are bytes of no meaning to us.
func isBytes(t datatype.Type) bool {
	return t == datatype.Blob || t == datatype.GeomWKB || t == datatype.Any
}

// isMoment reports whether values of a type are moments.
func isMoment(t datatype.Type) bool { return t >= datatype.DateTimeYear && t <= datatype.DateTimeAS }

// value returns the JSON form of all of a cell: of one value, or of any number of characters.
func value(t datatype.Type, b []byte) any {
	size := t.Size()
	switch {
	case isText(t):
		return text(t, b)
	case isBytes(t):
		return base64.StdEncoding.EncodeToString(b)
	case len(b) == size:
		return number(t, b)
	}
	list := make([]any, 0, len(b)/size)
	for ; len(b) >= size; b = b[size:] {
		list = append(list, number(t, b[:size]))
	}
	return list
}

// text decodes a text, without the zeros that fill it up.
func text(t datatype.Type, b []byte) string {
	var s string
	switch t.Size() {
	case 2:
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		s = string(utf16.Decode(units))
	case 4:
		runes := make([]rune, len(b)/4)
		for i := range runes {
			if runes[i] = rune(binary.LittleEndian.Uint32(b[4*i:])); !utf8.ValidRune(runes[i]) {
				runes[i] = utf8.RuneError
			}
		}
		s = string(runes)
	default:
		s = strings.ToValidUTF8(string(b), string(utf8.RuneError))
	}
	return strings.TrimRight(s, "\x00")
}

// number returns the JSON form of one value of a type whose values are numbers, truths or moments.
func number(t datatype.Type, b []byte) any {
	if t == datatype.Bool {
		return b[0] != 0
	}
	switch t.Kind() {
	case datatype.KindFloat32:
		return floating(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
	case datatype.KindFloat64:
		return floating(math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
	}
	if isMoment(t) {
		n := int64(binary.LittleEndian.Uint64(b))
		if n == cells.NaT {
			return nil
		}
		if at, err := cells.ToTime(t, n); err == nil && at.Year() >= 0 && at.Year() <= 9999 {
			return at.UTC().Format(time.RFC3339Nano)
		}
	}
	return json.Number(integer(t, b).String())
}

func floating(f float64, bits int) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case bits == 32:
		return float32(f)
	}
	return f
}

// integer decodes one whole number.
func integer(t datatype.Type, b []byte) *big.Int {
	var wide [8]byte
	copy(wide[:], b)
	if t.Kind().Signed() && b[len(b)-1] >= 0x80 {
		for i := len(b); i < 8; i++ {
			wide[i] = 0xFF
		}
	}
	n := binary.LittleEndian.Uint64(wide[:])
	if t.Kind().Signed() {
		return big.NewInt(int64(n))
	}
	return new(big.Int).SetUint64(n)
}

// integerBytes encodes a whole number that fits.
func integerBytes(t datatype.Type, n *big.Int) []byte {
	u := n.Uint64()
	if n.Sign() < 0 {
		u = uint64(n.Int64())
	}
	return binary.LittleEndian.AppendUint64(nil, u)[:t.Size():t.Size()]
}

var errNoCoordinate = errors.New("a number, or a text for texts and moments, is expected")

// coordinate reads a coordinate from JSON.
func coordinate(t datatype.Type, v any) ([]byte, error) {
	if isText(t) {
		if s, ok := v.(string); ok {
			return []byte(s), nil
		}
		return nil, errNoCoordinate
	}
	if s, ok := v.(string); ok && isMoment(t) {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return nil, err
		}
		n, err := cells.FromTime(t, at)
		return datatype.Bytes([]int64{n}), err
	}
	s, ok := v.(json.Number)
	if !ok {
		return nil, errNoCoordinate
	}
	switch t.Kind() {
	case datatype.KindFloat32:
		f, err := strconv.ParseFloat(string(s), 32)
		return datatype.Bytes([]float32{float32(f)}), err
	case datatype.KindFloat64:
		f, err := strconv.ParseFloat(string(s), 64)
		return datatype.Bytes([]float64{f}), err
	}
	n, ok := new(big.Int).SetString(string(s), 10)
	if !ok {
		f, err := strconv.ParseFloat(string(s), 64) // as in 3.0 and 1e3
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return nil, errNoCoordinate
		}
		n = big.NewInt(int64(f))
	}
	if b := integerBytesChecked(t, n); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("it does not fit in %v", t)
}

// integerBytesChecked is integerBytes, or nil for a number that does not fit.
func integerBytesChecked(t datatype.Type, n *big.Int) []byte {
	if !n.IsInt64() && !n.IsUint64() {
		return nil
	}
	b := integerBytes(t, n)
	if integer(t, b).Cmp(n) != 0 {
		return nil
	}
	return b
}

// parameterValue is a coordinate in an address, as JSON has it.
func parameterValue(t datatype.Type, s string) any {
	s = strings.TrimSpace(s)
	if isText(t) || isMoment(t) && strings.Contains(s, "T") {
		return s
	}
	return json.Number(s)
}

// metadataValue returns the JSON form of an entry of metadata.
func metadataValue(e format.MetadataEntry) any {
	switch {
	case isText(e.Type) || isBytes(e.Type):
		return value(e.Type, e.Value)
	case e.Num == 0 || len(e.Value) < e.Type.Size():
		return nil
	}
	return value(e.Type, e.Value)
}

// printer makes JSON of the cells of a field.
type printer struct {
	field schema.Field
	// labels are those of the field's enumeration, nil for none.
	labels []any
}

// newPrinter reads the labels of a field's enumeration, if it has one.
func newPrinter(ctx context.Context, arr *vault.Array, name string) (printer, error) {
	f, ok := arr.Schema().Field(name)
	p := printer{field: f}
	if !ok || f.Dimension || arr.Schema().Attributes[f.Index].Enumeration == "" {
		return p, nil
	}
	e, err := arr.Enumeration(ctx, arr.Schema().Attributes[f.Index].Enumeration)
	if err != nil {
		return p, err
	}
	p.labels = []any{}
	if e.Offsets == nil {
		size := e.Type.Size() * int(e.CellValNum)
		for b := e.Data; len(b) >= size && size > 0; b = b[size:] {
			p.labels = append(p.labels, value(e.Type, b[:size]))
		}
		return p, nil
	}
	for i, from := range e.Offsets {
		to := uint64(len(e.Data))
		if i+1 < len(e.Offsets) {
			to = e.Offsets[i+1]
		}
		p.labels = append(p.labels, value(e.Type, e.Data[from:to]))
	}
	return p, nil
}

// column returns the first n cells of a column.
func (p printer) column(c query.Column, n int) ([]any, error) {
	list := make([]any, n)
	offsets := datatype.View[uint64](c.Offsets)
	size := 0
	if c.Offsets == nil {
		size = p.field.Type.Size() * int(p.field.CellValNum)
	}
	for i := range list {
		if c.Validity != nil && c.Validity[i] == 0 {
			continue
		}
		var b []byte
		if c.Offsets == nil {
			b = c.Data[i*size : (i+1)*size]
		} else {
			to := uint64(len(c.Data))
			if i+1 < len(offsets) {
				to = offsets[i+1]
			}
			b = c.Data[offsets[i]:to]
		}
		if list[i] = p.cell(b, c.Offsets != nil); p.labels != nil {
			list[i] = p.label(b)
		}
	}
	return list, nil
}

// cell returns the JSON form of a cell; numbers of var-sized cells are always lists.
func (p printer) cell(b []byte, variable bool) any {
	t := p.field.Type
	if v := value(t, b); !variable || isText(t) || isBytes(t) || len(b) != t.Size() {
		return v
	} else {
		return []any{v}
	}
}

// label returns the label that a cell is the number of; null for none.
func (p printer) label(b []byte) any {
	if len(b) != p.field.Type.Size() {
		return nil
	}
	n := integer(p.field.Type, b)
	if !n.IsInt64() || n.Int64() < 0 || n.Int64() >= int64(len(p.labels)) {
		return nil
	}
	return p.labels[n.Int64()]
}
