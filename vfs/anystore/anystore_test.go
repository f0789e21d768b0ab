package anystore_test

import (
	"context"
	"errors"
	"testing"

	"azulejo/vfs"
	"azulejo/vfs/anystore"
	"azulejo/vfs/vfstest"
)

func TestBackends(t *testing.T) {
	vfstest.Run(t, func(*testing.T) (vfs.FS, string) { return anystore.New(anystore.Config{}), "mem://m/root" })
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return anystore.New(anystore.Config{}), t.TempDir() })
}

func TestSchemes(t *testing.T) {
	fs := anystore.New(anystore.Config{})
	for uri, want := range map[string]string{
		"/a": "", "file:///a": "file", "s3://b/k": "s3", "a/b://c": "", "x://y": "x", "gs://b": "gs", "mem://x": "mem", "/x://y": "",
	} {
		if got := anystore.Scheme(uri); got != want {
			t.Errorf("scheme of %q is %q", uri, got)
		}
		if _, err := fs.Backend(uri); (err != nil) != (want == "x") {
			t.Errorf("backend of %q: %v", uri, err)
		}
	}
	if _, err := fs.List(context.Background(), "x://y"); !errors.Is(err, anystore.ErrScheme) {
		t.Errorf("list of an unknown scheme: %v", err)
	}
	if _, err := fs.Backend("azure://c/k"); err == nil {
		t.Error("Azure without an account")
	}
}

func TestStoresDoNotMix(t *testing.T) {
	ctx := context.Background()
	fs, dir := anystore.New(anystore.Config{}), t.TempDir()
	if err := vfs.WriteAll(ctx, fs, "mem://m/d/f", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := fs.Rename(ctx, "mem://m/d", dir+"/d"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("rename across stores: %v", err)
	}
	var ws []vfs.Writer
	for _, uri := range []string{"mem://m/g", dir + "/g"} {
		w, err := fs.Create(ctx, uri)
		if err != nil {
			t.Fatal(err)
		}
		ws = append(ws, w)
	}
	if err := vfs.CommitAll(ctx, fs, ws); err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{"mem://m/g", dir + "/g"} {
		if n, err := vfs.Size(ctx, fs, uri); n != 0 || err != nil {
			t.Errorf("%s: %d, %v", uri, n, err)
		}
	}
}
