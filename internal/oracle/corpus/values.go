package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"azulejo/datatype"
)

// pack returns the bytes of a value as the manifest writes it: a number, a text, {"hex": bytes}, or a list of numbers.
func pack(t datatype.Type, v any) ([]byte, error) {
	switch v := v.(type) {
	case map[string]any:
		s, ok := v["hex"].(string)
		if !ok {
			return nil, fmt.Errorf("value %v is no bytes", v)
		}
		return hex.DecodeString(s)
	case []any:
		var out []byte
		for _, e := range v {
			b, err := pack(t, e)
			if err != nil {
				return nil, err
			}
			out = append(out, b...)
		}
		return out, nil
	case bool:
		if v {
			return []byte{1}, nil
		}
		return []byte{0}, nil
	case json.Number:
		return packNumber(t, v.String())
	case string:
		if t.IsFloat() {
			return packNumber(t, v)
		}
		return []byte(v), nil
	}
	return nil, fmt.Errorf("value %v (%T) cannot be packed as %s", v, v, t)
}

func packNumber(t datatype.Type, text string) ([]byte, error) {
	le := binary.LittleEndian
	switch t.Kind() {
	case datatype.KindFloat32:
		f, err := strconv.ParseFloat(text, 64)
		return le.AppendUint32(nil, math.Float32bits(float32(f))), err
	case datatype.KindFloat64:
		f, err := strconv.ParseFloat(text, 64)
		return le.AppendUint64(nil, math.Float64bits(f)), err
	}
	var bits uint64
	n, err := strconv.ParseInt(text, 10, 64)
	bits = uint64(n)
	if err != nil {
		if bits, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, fmt.Errorf("value %s as %s: %w", text, t, err)
		}
	}
	return le.AppendUint64(nil, bits)[:t.Size()], nil
}

// plainValue returns one value as JSON shows it: a number, or a text where a float is not finite.
func plainValue(t datatype.Type, raw []byte) any {
	le := binary.LittleEndian
	switch t.Kind() {
	case datatype.KindInt8:
		return int8(raw[0])
	case datatype.KindUint8:
		return raw[0]
	case datatype.KindInt16:
		return int16(le.Uint16(raw))
	case datatype.KindUint16:
		return le.Uint16(raw)
	case datatype.KindInt32:
		return int32(le.Uint32(raw))
	case datatype.KindUint32:
		return le.Uint32(raw)
	case datatype.KindInt64:
		return int64(le.Uint64(raw))
	case datatype.KindUint64:
		return le.Uint64(raw)
	case datatype.KindFloat32:
		return plainFloat(float64(math.Float32frombits(le.Uint32(raw))))
	}
	return plainFloat(math.Float64frombits(le.Uint64(raw)))
}

func plainFloat(f float64) any {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return f
}

// latin1 returns bytes as a text with one character per byte.
func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// uint64s returns the numbers as little-endian bytes.
func uint64s(v []uint64) []byte {
	out := make([]byte, 0, 8*len(v))
	for _, x := range v {
		out = binary.LittleEndian.AppendUint64(out, x)
	}
	return out
}
