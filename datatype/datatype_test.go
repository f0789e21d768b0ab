package datatype

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

func TestEveryRowIsWhole(t *testing.T) {
	names := map[string]bool{}
	for code := range table {
		row := Type(code).Info()
		if int(row.Code) != code || row.Name == "" || names[row.Name] {
			t.Errorf("row %d: code %d, name %q", code, row.Code, row.Name)
		}
		names[row.Name] = true
		if len(row.Fill) != row.Size || row.Kind.Size() != row.Size {
			t.Errorf("%s: fill of %d bytes, kind of %d, size %d", row.Name, len(row.Fill), row.Kind.Size(), row.Size)
		}
		if back, ok := Parse(row.Name); !ok || back != Type(code) {
			t.Errorf("Parse(%q) = %v, %v", row.Name, back, ok)
		}
	}
	if len(table) != 44 {
		t.Errorf("%d rows, format version 22 has 44", len(table))
	}
}

func TestFillValues(t *testing.T) {
	for _, c := range []struct {
		typ  Type
		want any
	}{
		{Int8, int8(math.MinInt8)}, {Int16, int16(math.MinInt16)}, {Int32, int32(math.MinInt32)}, {Int64, int64(math.MinInt64)},
		{Uint8, uint8(math.MaxUint8)}, {Uint16, uint16(math.MaxUint16)}, {Uint32, uint32(math.MaxUint32)}, {Uint64, uint64(math.MaxUint64)},
		{Char, int8(-128)}, {StringASCII, uint8(0)}, {Bool, uint8(0)}, {DateTimeNS, int64(math.MinInt64)}, {TimeAS, int64(math.MinInt64)},
	} {
		var want bytes.Buffer
		if err := binary.Write(&want, binary.LittleEndian, c.want); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.typ.Fill(), want.Bytes()) {
			t.Errorf("%v: fill % x, want % x", c.typ, c.typ.Fill(), want.Bytes())
		}
	}
	if f := math.Float64frombits(binary.LittleEndian.Uint64(Float64.Fill())); !math.IsNaN(f) {
		t.Errorf("FLOAT64 fill %v, want NaN", f)
	}
	if f := math.Float32frombits(binary.LittleEndian.Uint32(Float32.Fill())); f == f {
		t.Errorf("FLOAT32 fill %v, want NaN", f)
	}
}

func TestClasses(t *testing.T) {
	count := func(is func(Type) bool) int {
		n := 0
		for code := range table {
			if is(Type(code)) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		name string
		is   func(Type) bool
		want int
	}{
		{"datetime", Type.IsDateTime, 13}, {"time", Type.IsTime, 9}, {"string", Type.IsString, 6}, {"integer", Type.IsInteger, 8},
		{"float", Type.IsFloat, 2}, {"dimension", func(t Type) bool { return t.Info().Dimension }, 33},
	} {
		if got := count(c.is); got != c.want {
			t.Errorf("%d %s types, want %d", got, c.name, c.want)
		}
	}
	if Type(44).Valid() || Type(44).String() != "datatype(44)" {
		t.Errorf("type 44 is %v", Type(44))
	}
}

func TestViews(t *testing.T) {
	b := AlignedBytes(24)
	v, ok := Alias[int64](b)
	if !ok || len(v) != 3 {
		t.Fatalf("alias of aligned bytes: %v, %d values", ok, len(v))
	}
	v[1] = -2
	if got := int64(binary.LittleEndian.Uint64(b[8:])); got != -2 {
		t.Errorf("the alias wrote %d", got)
	}
	if _, ok := Alias[int64](b[1:17]); ok {
		t.Error("misaligned bytes were aliased")
	}
	if got := View[int64](append([]byte{0}, b...)[1:]); got[1] != -2 {
		t.Errorf("view of any bytes: %v", got)
	}
	if got := len(View[uint32](b[:7])); got != 1 {
		t.Errorf("7 bytes hold %d 4-byte values", got)
	}
	if len(AlignedBytes(0)) != 0 || len(Bytes([]int32{})) != 0 || len(View[int8](nil)) != 0 {
		t.Error("empty views are not empty")
	}
	if got := Bytes([]uint16{0x0102, 3}); !bytes.Equal(got, []byte{2, 1, 3, 0}) {
		t.Errorf("bytes of uint16s: % x", got)
	}
}
