package npz

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestWriteThenRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	want := []Array{
		{Name: "data:", Type: "<i4", Count: 3, Data: []byte{1, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255}},
		{Name: "data:a b/c%20", Type: "|u1", Count: 2, Data: []byte{7, 8}},
		{Name: "offsets:ação", Type: "<u8", Count: 0, Data: []byte{}},
	}
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d arrays, want %d", len(got), len(want))
	}
	for _, a := range want {
		if !reflect.DeepEqual(got[a.Name], a) {
			t.Errorf("%q is %v, want %v", a.Name, got[a.Name], a)
		}
	}
}

func TestReadRefusesWhatItDoesNotKnow(t *testing.T) {
	npy := func(header string, data string) string {
		return magic + "\x01\x00" + string(rune(len(header))) + "\x00" + header + data
	}
	for name, content := range map[string]string{
		"not npy":          "hello, world",
		"header too long":  magic + "\x01\x00\xff\xff{}",
		"objects":          npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "12345678"),
		"big-endian":       npy("{'descr': '>i4', 'fortran_order': False, 'shape': (1,), }", "1234"),
		"column order":     npy("{'descr': '<i4', 'fortran_order': True, 'shape': (1,), }", "1234"),
		"too little data":  npy("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", "1234"),
		"more than memory": npy("{'descr': '<i4', 'fortran_order': False, 'shape': (9999999999,), }", ""),
	} {
		path := filepath.Join(t.TempDir(), "a.npz")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		w, err := z.Create("x.npy")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(append(header(Array{Type: "<f8", Count: 1}), 0, 0, 0, 0, 0, 0, 0, 0))
	f.Add([]byte(magic + "\x02\x00\x05\x00\x00\x00{}   "))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := decode(raw)
		if err != nil {
			return
		}
		again, err := decode(append(header(a), a.Data...))
		if err != nil || !reflect.DeepEqual(a, again) {
			t.Errorf("%v became %v, %v", a, again, err)
		}
	})
}
