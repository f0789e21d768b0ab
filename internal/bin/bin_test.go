package bin

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	var w Writer
	w.U8(7)
	w.Bool(true)
	w.Bool(false)
	w.U16(0x0102)
	w.U32(0x01020304)
	w.U64(math.MaxUint64)
	w.F64(-1.5)
	w.Bytes([]byte("xy"))
	w.U64s([]uint64{1, 2})
	w.String32("abc")
	w.String64("é")
	r := NewReader(w.B)
	if r.U8("a") != 7 || r.U8("b") != 1 || r.U8("c") != 0 || r.U16("d") != 0x0102 || r.U32("e") != 0x01020304 ||
		r.U64("f") != math.MaxUint64 || r.F64("g") != -1.5 || string(r.Bytes("h", 2)) != "xy" {
		t.Error("fixed fields differ")
	}
	if v := r.U64s("i", 2); len(v) != 2 || v[0] != 1 || v[1] != 2 {
		t.Errorf("numbers %v", v)
	}
	if a, b := r.String32("j"), r.String64("k"); a != "abc" || b != "é" {
		t.Errorf("texts %q, %q", a, b)
	}
	if r.Err() != nil || r.Len() != 0 || r.Offset() != len(w.B) {
		t.Errorf("at the end: %v, %d left, offset %d", r.Err(), r.Len(), r.Offset())
	}
}

func TestFirstErrorSticksWithItsPlace(t *testing.T) {
	r := NewReader([]byte{1, 2, 3})
	r.U16("first")
	r.U32("second")
	r.U8("third")
	r.Failf("fourth", "other")
	var e *Error
	if !errors.As(r.Err(), &e) || !errors.Is(e, ErrShort) || e.Field != "second" || e.Offset != 2 {
		t.Fatalf("error %v", r.Err())
	}
	if !strings.Contains(e.Error(), "second at byte 2") {
		t.Errorf("text %q", e)
	}
	if r.U8("more") != 0 || r.String64("text") != "" || r.F64("f") != 0 || r.U64s("n", 1) != nil {
		t.Error("reads after a fault are not zero")
	}
}

func TestCountsAreCheckedBeforeAllocation(t *testing.T) {
	r := NewReader(make([]byte, 64))
	if r.U64s("numbers", math.MaxUint64) != nil || r.Err() == nil {
		t.Error("an absurd count was accepted")
	}
	r = NewReader(make([]byte, 64))
	if r.Bytes("bytes", math.MaxUint64) != nil || r.Err() == nil {
		t.Error("an absurd length was accepted")
	}
	r = NewReader(make([]byte, 64))
	if n := r.Count("pairs", 4, 16); n != 4 || r.Err() != nil {
		t.Errorf("count %d, %v", n, r.Err())
	}
	if n := r.Count("pairs", 5, 16); n != 0 || r.Err() == nil {
		t.Errorf("count %d, %v", n, r.Err())
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0, 'a', 'b', 'c'}, []byte{0, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, input, ops []byte) {
		r := NewReader(input)
		for _, op := range ops {
			before := r.Offset()
			switch op % 7 {
			case 0:
				r.U8("u8")
			case 1:
				r.U16("u16")
			case 2:
				r.U32("u32")
			case 3:
				r.U64("u64")
			case 4:
				r.String32("text")
			case 5:
				r.U64s("numbers", uint64(op))
			case 6:
				r.Bytes("bytes", uint64(op))
			}
			if r.Offset() < before || r.Offset() > len(input) {
				t.Fatalf("offset went from %d to %d of %d", before, r.Offset(), len(input))
			}
		}
	})
}
