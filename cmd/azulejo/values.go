package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"azulejo/datatype"
)

// formatValue prints one value of type t as a decimal number or, for character types, a quoted text. It prints all
// values of a longer v, separated by blanks.
func formatValue(v []byte, t datatype.Type) string {
	if t.IsString() || t == datatype.Char || t == datatype.Blob {
		return strconv.Quote(string(v))
	}
	size := t.Size()
	var parts []string
	for ; len(v) >= size; v = v[size:] {
		parts = append(parts, formatOne(v[:size], t.Kind()))
	}
	return strings.Join(parts, " ")
}

func formatOne(v []byte, kind datatype.Kind) string {
	var bits uint64
	for i, b := range v {
		bits |= uint64(b) << (8 * i)
	}
	switch {
	case kind == datatype.KindFloat32:
		return formatFloat(float64(math.Float32frombits(uint32(bits))), 32)
	case kind == datatype.KindFloat64:
		return formatFloat(math.Float64frombits(bits), 64)
	case kind.Signed():
		shift := 64 - 8*len(v)
		return strconv.FormatInt(int64(bits<<shift)>>shift, 10)
	}
	return strconv.FormatUint(bits, 10)
}

// formatFloat prints a float so that it reads back equal, always with a point or exponent.
func formatFloat(f float64, bitSize int) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strings.ToLower(strings.TrimPrefix(fmt.Sprint(f), "+"))
	}
	text := strconv.FormatFloat(f, 'g', -1, bitSize)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}
