package array_test

import (
	"context"
	"path/filepath"
	"testing"

	"azulejo/array"
	"azulejo/vfs/file"
)

// BenchmarkOpen opens an array of libtiledb with five fragments, reading everything or with a warm cache.
func BenchmarkOpen(b *testing.B) {
	ctx := context.Background()
	uri, err := filepath.Abs("testdata/dense-times")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		opts []array.Option
	}{{"cold", nil}, {"cached", []array.Option{array.WithCache(array.NewCache(1 << 20))}}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := array.Open(ctx, file.New(), uri, array.Latest(), c.opts...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
