// Package jsonvalue has the values of cells as JSON (decision 133): numbers are numbers, but those JSON has none for ("NaN",
// "Infinity", "-Infinity"); moments are RFC 3339 texts where time.Time can hold them, otherwise their number; text is text,
// other bytes are base64; what is null, missing or no moment is null.
package jsonvalue

import (
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
)

// IsText reports whether values of a type are text as a whole.
func IsText(t datatype.Type) bool {
	switch t {
	case datatype.Char, datatype.StringASCII, datatype.StringUTF8, datatype.StringUTF16, datatype.StringUTF32, datatype.StringUCS2, datatype.StringUCS4, datatype.GeomWKT:
		return true
	}
	return false
}

// IsBytes reports whether values of a type are bytes of no meaning to us.
func IsBytes(t datatype.Type) bool {
	return t == datatype.Blob || t == datatype.GeomWKB || t == datatype.Any
}

// isMoment reports whether values of a type are moments.
func isMoment(t datatype.Type) bool { return t >= datatype.DateTimeYear && t <= datatype.DateTimeAS }

// Of returns the JSON form of all of a cell: of one value, or of any number of characters.
func Of(t datatype.Type, b []byte) any {
	size := t.Size()
	switch {
	case IsText(t):
		return text(t, b)
	case IsBytes(t):
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
	return json.Number(Integer(t, b).String())
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

// Integer decodes one whole number.
func Integer(t datatype.Type, b []byte) *big.Int {
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

// IntegerBytes encodes a whole number that fits.
func IntegerBytes(t datatype.Type, n *big.Int) []byte {
	u := n.Uint64()
	if n.Sign() < 0 {
		u = uint64(n.Int64())
	}
	return binary.LittleEndian.AppendUint64(nil, u)[:t.Size():t.Size()]
}

var errNoValue = errors.New("a number, or a text for texts and moments, is expected")

// Parse reads one value of a type from JSON whose numbers were left json.Number, such as a coordinate; the bytes are those that
// cells have. The error says what is expected instead.
func Parse(t datatype.Type, v any) ([]byte, error) {
	if IsText(t) {
		if s, ok := v.(string); ok {
			return []byte(s), nil
		}
		return nil, errNoValue
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
		return nil, errNoValue
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
			return nil, errNoValue
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
	b := IntegerBytes(t, n)
	if Integer(t, b).Cmp(n) != 0 {
		return nil
	}
	return b
}

// Parameter is a coordinate in an address, as JSON has it.
func Parameter(t datatype.Type, s string) any {
	s = strings.TrimSpace(s)
	if IsText(t) || isMoment(t) && strings.Contains(s, "T") {
		return s
	}
	return json.Number(s)
}
