package format

import (
	"bytes"
	"errors"
	"testing"

	"azulejo/filter"
)

func TestGenericTile(t *testing.T) {
	payload := bytes.Repeat([]byte("azulejo "), 20000) // several chunks
	for _, p := range [][]byte{nil, {7}, payload} {
		file, err := AppendGenericTile([]byte("xyz"), p)
		if err != nil {
			t.Fatal(err)
		}
		got, n, err := DecodeGenericTile(append(file[3:], 1, 2, 3))
		if err != nil || n != len(file)-3 || !bytes.Equal(got, p) {
			t.Errorf("%d bytes: got %d of %d file bytes, error %v", len(p), len(got), n, err)
		}
	}
}

func TestGenericTileRefuses(t *testing.T) {
	good, err := AppendGenericTile(nil, []byte("some payload of a tile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		at    int
		value byte
		want  error
	}{
		{"newer version", 0, 24, ErrVersion},
		{"version 0", 0, 0, ErrVersion},
		{"persisted size", 11, 0xFF, ErrCorrupt},
		{"tile size", 18, 0xFF, ErrCorrupt},
		{"datatype", 20, 99, ErrCorrupt},
		{"encryption", 29, 1, filter.ErrKey},
		{"unknown encryption", 29, 9, ErrCorrupt},
		{"pipeline size", 30, 1, ErrCorrupt},
		{"unknown filter", 42, 77, ErrUnsupported},
		{"chunks", 52, 200, ErrCorrupt},
		{"data", len(good) - 1, good[len(good)-1] + 1, ErrCorrupt},
	} {
		bad := bytes.Clone(good)
		bad[c.at] = c.value
		if _, _, err := DecodeGenericTile(bad); !errors.Is(err, c.want) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.want)
		}
	}
	for n := range good {
		if _, _, err := DecodeGenericTile(good[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: got error %v", n, err)
		}
	}
}
