package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"azulejo/datatype"
)

func TestPartsComeBackAligned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Create()
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int{0, 1, inMemory, inMemory + 1, 3 << 20, large, 100_003}
	var body bytes.Buffer
	for i, n := range sizes {
		for k := range n {
			body.WriteByte(byte(k>>4 + i))
		}
	}
	var parts [][]byte
	for _, n := range sizes {
		b, err := s.Take(&body, uint64(n))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, b)
	}
	for range 2 {
		for i, b := range parts {
			if len(b) != sizes[i] {
				t.Errorf("part %d has %d bytes", i, len(b))
			}
			if _, ok := datatype.Alias[int64](b); !ok {
				t.Errorf("part %d is not aligned", i)
			}
			for k, v := range b {
				if v != byte(k>>4+i) {
					t.Fatalf("part %d, byte %d: %d", i, k, v)
				}
			}
			if len(b) > inMemory {
				giveBack(b) // the second round reads what was given back
			}
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("names in the directory: %v, %v", left, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestBodiesThatEndEarly(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, n := range []uint64{10, inMemory + 1, 1 << 40} {
		if _, err := s.Take(bytes.NewReader(make([]byte, 9)), n); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes wanted: %v", n, err)
		}
	}
	broken := errors.New("broken")
	if _, err := s.Take(iotest.ErrReader(broken), inMemory+1); !errors.Is(err, broken) {
		t.Errorf("a broken body: %v", err)
	}
}

func TestWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{"body-1": time.Hour, "body-2": 0, "other": time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 2 || filepath.Base(left[0]) != "body-2" || filepath.Base(left[1]) != "other" {
		t.Errorf("left: %v, %v", left, err)
	}
}
