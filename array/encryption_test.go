package array_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/file"
	"azulejo/vfs/mem"
)

const secret = "0123456789abcdeF0123456789abcdeF"

func newKey(t *testing.T, text string) *filter.Key {
	t.Helper()
	k, err := filter.NewKey([]byte(text))
	must(t, err)
	return k
}

// TestEncryptedArray writes an encrypted array and holds that nothing in its files is plain, that it reads with its key
// and with no other, also through a warm cache.
func TestEncryptedArray(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	key, wrong := array.WithKey(newKey(t, secret)), array.WithKey(newKey(t, strings.Repeat("w", 32)))
	must(t, array.Create(ctx, fs, uri, newSchema(), key))
	must(t, writeWith(ctx, fs, 10, newKey(t, secret), 3, 1701))
	must(t, array.Evolve(ctx, fs, uri, schema.Evolution{AddEnumerations: []*schema.Enumeration{texts("colours", "crimson", "teal")}}, key))
	w, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting(), key)
	must(t, err)
	must(t, w.PutMetadata(ctx, []format.MetadataEntry{{Key: "motto", Type: datatype.StringUTF8, Num: 7, Value: []byte("crimson")}}, 20))
	cache := array.NewCache(1 << 20)
	for range 2 {
		a, err := array.Open(ctx, fs, uri, array.Latest(), key, array.WithCache(cache))
		must(t, err)
		if got, err := cells(ctx, a); err != nil || got != "3 1701" {
			t.Errorf("cells %q, %v", got, err)
		}
		if e, err := a.Enumeration(ctx, "colours"); err != nil || string(e.Data) != "crimsonteal" {
			t.Errorf("enumeration %v, %v", e, err)
		}
		if m, err := a.Metadata(ctx); err != nil || len(m) != 1 || string(m[0].Value) != "crimson" {
			t.Errorf("metadata %v, %v", m, err)
		}
		for name, opt := range map[string]array.Option{"wrong": wrong, "none": array.WithKey(nil)} {
			for _, mode := range []array.Option{array.SchemaOnly(), array.ForWriting(), array.WithFragments(nil)} {
				if _, err := array.Open(ctx, fs, uri, array.Latest(), opt, mode, array.WithCache(cache)); !errors.Is(err, array.ErrKey) || !strings.Contains(fmt.Sprint(err), "__schema") {
					t.Errorf("%s key: %v", name, err)
				}
			}
		}
	}
	if err := array.Evolve(ctx, fs, uri, schema.Evolution{DropAttributes: []string{"a"}}, wrong); !errors.Is(err, array.ErrKey) {
		t.Error(err)
	}
	sum, err := array.Check(ctx, fs, uri, func(d array.Damage) { t.Errorf("check: %v", d) }, key)
	if err != nil || sum.Tiles == 0 {
		t.Errorf("checked %+v, %v", sum, err)
	}
	if sum, err = array.Check(ctx, fs, uri, func(array.Damage) {}, wrong); err != nil || sum.Damaged < 3 {
		t.Errorf("checked %+v with the wrong key, %v", sum, err)
	}
	mustBeEncrypted(t, fs, uri)
}

// mustBeEncrypted holds that every file of an array that is a generic tile is encrypted.
func mustBeEncrypted(t *testing.T, fs vfs.FS, dir string) {
	t.Helper()
	entries, err := fs.List(context.Background(), dir)
	must(t, err)
	for _, e := range entries {
		path := vfs.Join(dir, e.Name)
		if e.Dir {
			mustBeEncrypted(t, fs, path)
			continue
		}
		content, err := vfs.ReadAll(context.Background(), fs, path)
		must(t, err)
		if strings.Contains(string(content), "crimson") {
			t.Errorf("%s holds a text", path)
		}
		if strings.Contains(path, "/__schema/") || strings.Contains(path, "/__meta/") || strings.HasSuffix(path, "_metadata.tdb") {
			if _, _, err := format.DecodeGenericTile(content); !errors.Is(err, filter.ErrKey) {
				t.Errorf("%s is not encrypted: %v", path, err)
			}
		}
	}
}

// TestPlainArrayRefusesAKey opens an array that is not encrypted with a key, as libtiledb refuses to.
func TestPlainArrayRefusesAKey(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	must(t, array.Create(ctx, fs, uri, newSchema()))
	cache := array.NewCache(1 << 20)
	_, err := array.Open(ctx, fs, uri, array.Latest(), array.WithCache(cache))
	must(t, err)
	if _, err := array.Open(ctx, fs, uri, array.Latest(), array.WithCache(cache), array.WithKey(newKey(t, secret))); !errors.Is(err, array.ErrKey) {
		t.Error(err)
	}
}

// TestEncryptedByTileDB opens what libtiledb encrypted.
func TestEncryptedByTileDB(t *testing.T) {
	ctx := context.Background()
	dir := vector(t, "encrypted")
	if _, err := array.Open(ctx, file.New(), dir, array.Latest()); !errors.Is(err, array.ErrKey) || !strings.Contains(fmt.Sprint(err), "encrypted with AES-256-GCM") {
		t.Error(err)
	}
	a, err := array.Open(ctx, file.New(), dir, array.Latest(), array.WithKey(newKey(t, secret)))
	must(t, err)
	if len(a.Schema.Attributes) != 1 {
		t.Errorf("schema %+v", a.Schema)
	}
}
