package filter_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/filter/filtertest"
)

func TestKeysDoNotTell(t *testing.T) {
	k := filtertest.Key(t)
	for _, v := range []any{k, struct{ Key *filter.Key }{k}, []*filter.Key{k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "0123") || strings.Contains(s, "3031") || strings.Contains(s, "48 49") || len(s) > 60 {
				t.Errorf("%s of %T prints %s", verb, v, s)
			}
		}
	}
	if k.ID() != filtertest.Key(t).ID() || k.ID() == filtertest.OtherKey(t).ID() || (*filter.Key)(nil).ID() != "" {
		t.Error("ids do not tell keys apart")
	}
	for _, n := range []int{0, 16, 31, 33} {
		_, err := filter.NewKey([]byte(strings.Repeat("z", n)))
		if !errors.Is(err, filter.ErrKey) || strings.Contains(err.Error(), "zz") {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
}

// TestEncryption runs the battery with encryption on top of every pipeline.
func TestEncryption(t *testing.T) {
	for _, p := range filtertest.Pipelines() {
		t.Run(filtertest.Name(p), func(t *testing.T) { filtertest.RunEncrypted(t, p, datatype.Int32, filtertest.Key(t)) })
		t.Run("texts"+filtertest.Name(p), func(t *testing.T) { filtertest.RunTexts(t, p, datatype.StringASCII, filtertest.Key(t)) })
	}
}

func TestEncryptedTilesNeedTheirKey(t *testing.T) {
	c, err := filter.NewCodec(pipeline(filter.Compressor(filter.Zstd, 3)), datatype.Int32, 4)
	if err != nil {
		t.Fatal(err)
	}
	tile := filtertest.Values(datatype.Int32, 40000, false)
	disk, err := c.WithKey(filtertest.Key(t)).Forward(nil, tile)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.WithKey(filtertest.Key(t)).Forward(nil, tile)
	if err != nil || bytes.Equal(disk, again) {
		t.Fatal("a nonce was used twice", err)
	}
	got := make([]byte, len(tile))
	for name, wrong := range map[string]*filter.Codec{"other key": c.WithKey(filtertest.OtherKey(t)), "no key": c.WithKey(nil)} {
		if err := wrong.Reverse(got, disk); !errors.Is(err, filter.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c.WithKey(nil) != c {
		t.Error("no key makes another codec")
	}
}

func TestSealedTiles(t *testing.T) {
	c, err := filter.NewCodec(pipeline(filter.Compressor(filter.Gzip, 1)), datatype.Char, 1)
	if err != nil {
		t.Fatal(err)
	}
	k := filtertest.Key(t)
	for _, n := range []int{0, 1, 5000, 200000} {
		tile := filtertest.Values(datatype.Char, n, false)
		plain, err := c.Forward(nil, tile)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := k.AppendSealed([]byte("x"), plain)
		if err != nil {
			t.Fatal(err)
		}
		sealed = sealed[1:]
		got := make([]byte, n)
		if err := c.WithKey(k).Reverse(got, sealed); err != nil || !bytes.Equal(got, tile) {
			t.Errorf("%d bytes do not decrypt with the codec: %v", n, err)
		}
		opened, err := k.AppendOpened([]byte("y"), sealed)
		if err != nil || !bytes.Equal(opened[1:], plain) {
			t.Errorf("%d bytes do not open: %v", n, err)
		}
		if _, err := filtertest.OtherKey(t).AppendOpened(nil, sealed); !errors.Is(err, filter.ErrKey) {
			t.Errorf("another key: %v", err)
		}
		if _, err := k.AppendOpened(nil, plain); !errors.Is(err, filter.ErrCorrupt) {
			t.Errorf("a plain tile: %v", err)
		}
	}
}

// FuzzOpen decrypts damaged tiles: nothing panics, errors have their class, and what opens seals again.
func FuzzOpen(f *testing.F) {
	k := filtertest.Key(f)
	for _, text := range []string{"", "x", "some text that is some text"} {
		for _, p := range []filter.Pipeline{{}, pipeline(filter.Compressor(filter.Zstd, 3)), pipeline(filter.Plain(filter.ChecksumMD5))} {
			c, err := filter.NewCodec(p, datatype.Char, 1)
			if err != nil {
				f.Fatal(err)
			}
			disk, err := c.WithKey(k).Forward(nil, []byte(text))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(disk)
		}
	}
	f.Fuzz(func(t *testing.T, disk []byte) {
		plain, err := k.AppendOpened(nil, disk)
		if err != nil {
			if !errors.Is(err, filter.ErrKey) && !errors.Is(err, filter.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		sealed, err := k.AppendSealed(nil, plain)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := k.AppendOpened(nil, sealed); err != nil || !bytes.Equal(again, plain) {
			t.Fatal(err)
		}
	})
}
