package arrowio

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// csvKind is a type that CSV fields can have. A column has the first one that all its fields can.
type csvKind uint8

const (
	csvBool csvKind = iota
	csvInt
	csvUint
	csvFloat
	csvDate
	csvSeconds
	csvNanos
	csvText
	nKinds
)

// csvTypes are the Arrow types of the kinds: those that pyarrow's reader infers too.
var csvTypes = [nKinds]arrow.DataType{
	csvBool: arrow.FixedWidthTypes.Boolean, csvInt: arrow.PrimitiveTypes.Int64, csvUint: arrow.PrimitiveTypes.Uint64,
	csvFloat: arrow.PrimitiveTypes.Float64, csvDate: arrow.FixedWidthTypes.Date32, csvSeconds: &arrow.TimestampType{Unit: arrow.Second},
	csvNanos: &arrow.TimestampType{Unit: arrow.Nanosecond}, csvText: arrow.BinaryTypes.LargeString,
}

// csvKinds is the set of kinds that the fields seen so far can have, one bit each.
type csvKinds uint16

const allKinds csvKinds = 1<<nKinds - 1

// narrow takes away the kinds that a field cannot have.
func (k csvKinds) narrow(field []byte) csvKinds {
	for kind := csvBool; kind < csvText; kind++ {
		if k&(1<<kind) != 0 && !canBe(kind, field) {
			k &^= 1 << kind
		}
	}
	// Digits that are too many for any whole number are a name, not a quantity.
	if k&(1<<csvInt|1<<csvUint) == 0 && onlyDigits(field) && !canBe(csvInt, field) {
		k &^= 1 << csvFloat
	}
	return k
}

// kind returns the column's kind; of a column without values it is text.
func (k csvKinds) kind(values bool) csvKind {
	for kind := csvBool; values && kind < csvText; kind++ {
		if k&(1<<kind) != 0 {
			return kind
		}
	}
	return csvText
}

func canBe(kind csvKind, field []byte) bool {
	var ok bool
	switch kind {
	case csvBool:
		_, ok = parseBool(field)
	case csvInt:
		_, ok = parseInt(field)
	case csvUint:
		_, ok = parseUint(field)
	case csvFloat:
		_, ok = parseFloat(field)
	case csvDate:
		_, ok = parseDate(field)
	case csvSeconds:
		var t time.Time
		t, ok = parseTime(field)
		ok = ok && t.Nanosecond() == 0 && bytes.IndexByte(field, '.') < 0
	case csvNanos:
		_, ok = parseNanos(field)
	}
	return ok
}

func onlyDigits(b []byte) bool {
	for i, c := range b {
		if (c < '0' || c > '9') && (i > 0 || c != '-' && c != '+') {
			return false
		}
	}
	return len(b) > 0
}

func parseBool(b []byte) (value, ok bool) {
	switch string(b) {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

// parseInt takes decimal digits with an optional sign.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 64 || !onlyDigits(b) {
		return 0, false
	}
	v, err := strconv.ParseInt(string(b), 10, 64)
	return v, err == nil
}

func parseUint(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 64 || !onlyDigits(b) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(bytes.TrimPrefix(b, []byte("+"))), 10, 64)
	return v, err == nil
}

// parseFloat takes decimal numbers with an optional exponent, nan, inf and infinity.
func parseFloat(b []byte) (float64, bool) {
	if len(b) == 0 || len(b) > 1024 {
		return 0, false
	}
	for _, c := range b {
		if c == 'x' || c == 'X' || c == 'p' || c == 'P' || c == '_' { // Go's literals are no business of CSV
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(b), 64)
	return v, err == nil
}

// parseDate returns the days since 1970 of YYYY-MM-DD.
func parseDate(b []byte) (int32, bool) {
	if len(b) != len(time.DateOnly) || b[4] != '-' {
		return 0, false
	}
	t, err := time.Parse(time.DateOnly, string(b))
	if err != nil {
		return 0, false
	}
	return int32(math.Floor(float64(t.Unix()) / 86400)), true
}

// parseTime returns the moment of a date with a time, such as 2024-05-01 12:30:00.25, with T or a blank between them and
// an optional zone, Z or ±hh:mm; a date alone is its midnight. Without a zone it is taken as UTC.
func parseTime(b []byte) (time.Time, bool) {
	if len(b) < 10 || len(b) > 40 || b[4] != '-' {
		return time.Time{}, false
	}
	text := string(b)
	if len(b) == 10 {
		t, err := time.Parse(time.DateOnly, text)
		return t, err == nil
	}
	if text[10] != 'T' && text[10] != ' ' {
		return time.Time{}, false
	}
	text = text[:10] + "T" + text[11:]
	for _, layout := range [...]string{"2006-01-02T15:04:05", time.RFC3339, "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// The moments that 64 bits of nanoseconds hold.
var (
	firstNanos = time.Unix(0, math.MinInt64+1)
	lastNanos  = time.Unix(0, math.MaxInt64)
)

func parseNanos(b []byte) (int64, bool) {
	t, ok := parseTime(b)
	if !ok || t.Before(firstNanos) || t.After(lastNanos) {
		return 0, false
	}
	return t.UnixNano(), true
}
