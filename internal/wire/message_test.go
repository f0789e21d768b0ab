package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capnp"
)

func TestGeneratedCodeIsCurrent(t *testing.T) {
	source, err := os.ReadFile("capnp/rest.capnp")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(source)
	if hex.EncodeToString(sum[:]) != capnp.SourceSum {
		t.Error("capnp/rest.capnp.go was not generated from rest.capnp: run go generate")
	}
}

// tableBuffers is the number of bytes of cells in the recorded write to the table.
const tableBuffers = 152

func TestMessageLength(t *testing.T) {
	body := recorded(t, "table-write-submit")
	n, err := MessageLength(body)
	if err != nil || n != len(body)-tableBuffers {
		t.Fatal(n, err)
	}
	if segments := segmentCount(body); segments < 2 {
		t.Errorf("%d segments: the recording shows no message of several", segments)
	}
	for cut := range n {
		if _, err := MessageLength(body[:cut]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestReadMessage(t *testing.T) {
	body := recorded(t, "table-write-submit")
	r := bytes.NewReader(body)
	n := len(body) - tableBuffers
	b, err := ReadMessage(iotest.OneByteReader(r), int64(n))
	if err != nil || !bytes.Equal(b, body[:n]) || r.Len() != tableBuffers {
		t.Fatal(len(b), r.Len(), err)
	}
	if _, err := ReadMessage(bytes.NewReader(body), int64(n-1)); !errors.Is(err, ErrTooLarge) {
		t.Error("limit:", err)
	}
	for _, cut := range []int{0, 4, 8, 12, 100, n - 1} {
		if _, err := ReadMessage(bytes.NewReader(body[:cut]), 1<<20); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	fault := errors.New("connection reset")
	if _, err := ReadMessage(io.MultiReader(bytes.NewReader(body[:50]), iotest.ErrReader(fault)), 1<<20); !errors.Is(err, fault) {
		t.Error("fault of the stream:", err)
	}
}

// oneSegment frames words as a message of one segment.
func oneSegment(words ...uint64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(words))<<32)
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// Pointers to offset words behind themselves.
func structPointer(offset int, data, pointers uint64) uint64 {
	return uint64(uint32(offset)<<2) | data<<32 | pointers<<48
}
func listPointer(offset int, code, n uint64) uint64 {
	return uint64(uint32(offset)<<2) | 1 | code<<32 | n<<35
}

func TestHostileMessages(t *testing.T) {
	deep := []uint64{}
	for range 100 {
		deep = append(deep, structPointer(0, 0, 1))
	}
	wide := []uint64{structPointer(0, 0, 20)}
	for i := range 20 { // twenty pointers to one list of twenty pointers to one text
		wide = append(wide, listPointer(19-i, 6, 20))
	}
	for i := range 20 {
		wide = append(wide, listPointer(19-i, 2, 2000))
	}
	wide = append(wide, make([]uint64, 250)...)
	for name, c := range map[string]struct {
		message []byte
		says    string
	}{
		"nothing":                  {nil, "at least 8"},
		"no segment":               {oneSegment(), "no root"},
		"too many segments":        {[]byte{0, 2, 0, 0, 0, 0, 0, 0}, "513 segments"},
		"huge segment":             {[]byte{0, 0, 0, 0, 255, 255, 255, 255}, "cut off"},
		"struct outside":           {oneSegment(structPointer(1, 1, 0)), "of a segment of 1"},
		"struct before":            {oneSegment(structPointer(-3, 1, 0)), "of a segment of 1"},
		"list outside":             {oneSegment(structPointer(0, 0, 1), listPointer(0, 5, 1<<28)), "of a segment"},
		"list of nothing":          {oneSegment(structPointer(0, 0, 1), listPointer(0, 0, 1<<28)), "empty elements"},
		"list of bits":             {oneSegment(structPointer(0, 0, 1), listPointer(0, 1, 3), 0), "or bits"},
		"structs of nothing":       {oneSegment(structPointer(0, 0, 1), listPointer(0, 7, 0), structPointer(1<<28, 0, 0)), "list of"},
		"structs of negative size": {oneSegment(structPointer(0, 0, 1), listPointer(0, 7, 0), structPointer(-5, 0, 0)), "list of -5"},
		"more structs than room":   {oneSegment(structPointer(0, 0, 1), listPointer(0, 7, 1), structPointer(2, 1, 0), 0), "list of 2"},
		"itself":                   {oneSegment(structPointer(-1, 0, 1)), "times its size"},
		"too deep":                 {oneSegment(deep...), "nested"},
		"told again and again":     {oneSegment(wide...), "times its size"},
		"capability":               {oneSegment(structPointer(0, 0, 1), 3), "capability"},
		"far outside":              {oneSegment(structPointer(0, 0, 1), 7<<32|2), "far pointer outside"},
		"far to far":               {oneSegment(structPointer(0, 0, 1), 1<<3|2), "far pointer to a far pointer"},
		"broken landing pad":       {oneSegment(structPointer(0, 0, 2), 3<<3|6, 0, 1, 1), "landing pad"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := DecodeSchema(c.message)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("%d bytes allocated", n)
			}
		})
	}
}

// seeds adds every recorded body.
func seeds(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.bin")
	if err != nil || len(paths) == 0 {
		f.Fatal("no recordings", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// walk reads all that p leads to as whatever it is and returns the number of bytes in data sections and lists.
func walk(p capnplib.Ptr) int {
	if s := p.Struct(); s.IsValid() {
		n := int(s.Size().DataSize)
		for i := range s.Size().PointerCount {
			q, err := s.Ptr(i)
			if err != nil {
				panic(err)
			}
			n += walk(q)
		}
		return n
	}
	n := len(p.Data())
	l := p.List()
	if n > 0 {
		return n
	}
	for i := range l.Len() { // numbers, pointers and structs all read as structs
		n += walk(l.Struct(i).ToPtr())
	}
	return n
}

// FuzzMessage holds that what verify lets pass can be read whole, without a fault and without amplification.
func FuzzMessage(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		root, rest, err := openMessage(b)
		if err != nil {
			return
		}
		n, err := MessageLength(b)
		if err != nil || n+len(rest) != len(b) {
			t.Fatal(n, len(rest), err)
		}
		if read := walk(root.ToPtr()); read > 2*amplification*n+1<<10 {
			t.Errorf("%d bytes read from %d", read, n)
		}
	})
}
