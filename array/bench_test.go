package array_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"azulejo/array"
	"azulejo/format"
	"azulejo/vfs"
	"azulejo/vfs/file"
)

// BenchmarkOpen opens an array of libtiledb with five fragments, reading everything or with a warm cache.
func BenchmarkOpen(b *testing.B) {
	uri, err := filepath.Abs("testdata/dense-times")
	if err != nil {
		b.Fatal(err)
	}
	benchmarkOpen(b, "cold", uri)
	benchmarkOpen(b, "cached", uri, array.WithCache(array.NewCache(1<<20)))
}

// BenchmarkOpenMany opens an array of 1,000 copies of a fragment of libtiledb's, whose footers are read one by one, from a
// consolidated fragment metadata file, or not at all.
func BenchmarkOpenMany(b *testing.B) {
	uri := b.TempDir()
	footer := copies(b, "testdata/cell-times", uri, 1000)
	benchmarkOpen(b, "cold", uri)
	benchmarkOpen(b, "cached", uri, array.WithCache(array.NewCache(64<<20)))
	var all []format.ConsolidatedFooter
	names, err := os.ReadDir(filepath.Join(uri, "__fragments"))
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range names {
		all = append(all, format.ConsolidatedFooter{Fragment: n.Name(), Footer: footer})
	}
	content, err := format.EncodeConsolidatedFragmentMetadata(all)
	if err == nil {
		err = vfs.WriteAll(b.Context(), file.New(), vfs.Join(uri, "__fragment_meta", format.NewName(1, 2000, format.Version).String()+".meta"), content)
	}
	if err != nil {
		b.Fatal(err)
	}
	benchmarkOpen(b, "merged", uri)
}

func benchmarkOpen(b *testing.B, name, uri string, opts ...array.Option) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a, err := array.Open(context.Background(), file.New(), uri, array.Latest(), opts...)
			if err != nil {
				b.Fatal(err)
			}
			if a.NonEmptyDomain() == nil {
				b.Fatal("no domain")
			}
		}
	})
}

// copies makes an array with n copies of the only fragment of another and returns the fragment's footer.
func copies(b *testing.B, from, to string, n int) []byte {
	a, err := array.Open(b.Context(), file.New(), abs(b, from), array.Latest())
	if err != nil {
		b.Fatal(err)
	}
	f := a.Fragments()[0]
	footer, err := f.RawFooter(b.Context())
	if err == nil {
		err = os.CopyFS(filepath.Join(to, "__schema"), os.DirFS(filepath.Join(from, "__schema")))
	}
	for i := range n {
		if err != nil {
			break
		}
		name := fmt.Sprintf("__%d_%d_%032x_%d", i+1, i+1, i, format.Version)
		err = os.CopyFS(filepath.Join(to, "__fragments", name), os.DirFS(f.URI()))
		if err == nil {
			err = vfs.WriteAll(b.Context(), file.New(), vfs.Join(to, "__commits", name+".wrt"), nil)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	return footer
}

func abs(b *testing.B, path string) string {
	full, err := filepath.Abs(path)
	if err != nil {
		b.Fatal(err)
	}
	return full
}
