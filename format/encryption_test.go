package format

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"azulejo/filter"
	"azulejo/filter/filtertest"
)

func TestEncrypt(t *testing.T) {
	k, first, second := filtertest.Key(t), tile(t, []byte("some payload")), tile(t, nil)
	a, err := Encrypt(k, first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Encrypt(k, second)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Decrypt(k, slices.Concat(a, b))
	if err != nil || !bytes.Equal(plain, slices.Concat(first, second)) {
		t.Errorf("decrypted %x, %v", plain, err)
	}
	if same, err := Encrypt(nil, first); err != nil || !bytes.Equal(same, first) {
		t.Errorf("without a key: %x, %v", same, err)
	}
	for name, c := range map[string]struct {
		key *filter.Key
		b   []byte
	}{"no key": {nil, a}, "another key": {filtertest.OtherKey(t), a}, "not encrypted": {k, first}} {
		if _, err := Decrypt(c.key, c.b); !errors.Is(err, filter.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range a {
		if plain, err := Decrypt(k, a[:n]); err == nil && n >= genericHeaderLen {
			t.Fatalf("cut to %d bytes: %x", n, plain)
		}
	}
	for bit := range 8 * len(a) {
		bad := bytes.Clone(a)
		bad[bit/8] ^= 1 << (bit % 8)
		plain, err := Decrypt(k, bad)
		if err == nil {
			payload, _, err := DecodeGenericTile(plain)
			if err == nil && string(payload) != "some payload" {
				t.Fatalf("bit %d: payload %q", bit, payload)
			}
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	k := filtertest.Key(f)
	for _, text := range []string{"", "some payload"} {
		b, err := Encrypt(k, tile(f, []byte(text)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append(b, b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := Decrypt(k, b)
		if err != nil {
			checkClass(t, err)
			return
		}
		if len(plain) > 2*len(b) {
			t.Errorf("%d bytes decrypt to %d", len(b), len(plain))
		}
	})
}
