package array_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

// FuzzOpen puts one file of any name and content into an array, or in place of one of its files, and opens, reads and
// checks the array: every fault is an error.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"consolidated-times", "ignored-times", "deleted-consolidated", "evolved"} {
		err := filepath.WalkDir("testdata/"+name, func(p string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(p)
			f.Add(strings.TrimPrefix(filepath.ToSlash(p), "testdata/"+name+"/"), content)
			return err
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	f.Add("__commits/__1_1_x_22.wrt", []byte{})
	f.Add("__commits/__5_5_00000000000000000000000000000000_22.vac", []byte("/__fragments/x\n"))
	f.Add("__1_1_00000000000000000000000000000000.ok", []byte{})
	f.Add("__array_schema.tdb", []byte("x"))
	ctx := context.Background()
	good := mem.New()
	if err := array.Create(ctx, good, uri, newSchema()); err != nil {
		f.Fatal(err)
	}
	if err := write(ctx, good, 1, 1, 2, 3, 4, 5); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		fs := good.PowerLoss()
		file := vfs.Join(uri, name)
		_ = fs.Remove(ctx, file) // the root of the store cannot be removed
		_ = vfs.WriteAll(ctx, fs, file, content)
		for _, at := range []array.Interval{array.Latest(), {End: 1}} {
			a, err := array.Open(ctx, fs, uri, at)
			if err != nil {
				continue
			}
			_, _ = cells(ctx, a)
			_, _ = a.Metadata(ctx)
			_, _ = a.Schemas(ctx)
			_, _ = a.WithEnumerations(ctx, a.Schema)
			a.NonEmptyDomain()
			_, _ = a.FragmentInfos(ctx)
		}
		_, _ = array.Check(ctx, fs, uri, func(array.Damage) {})
	})
}
