package array_test

import (
	"context"
	"fmt"
	"testing"

	"azulejo/array"
	"azulejo/vfs"
	"azulejo/vfs/countfs"
	"azulejo/vfs/mem"
)

// TestReopeningCostsOneListing holds what an open with a warm cache asks of the storage: the three folders that tell what
// counts, and nothing else.
func TestReopeningCostsOneListing(t *testing.T) {
	ctx := context.Background()
	fs := countfs.New(mem.New())
	must(t, array.Create(ctx, fs, uri, newSchema()))
	for i := range 5 {
		must(t, write(ctx, fs, uint64(10+i), int32(i+1)))
	}
	cache := array.WithCache(array.NewCache(1 << 20))
	for turn, want := range []countfs.Counts{{Lists: 3, Opens: 6, Reads: 6}, {Lists: 3}, {Lists: 3}} {
		fs.Reset()
		a, err := array.Open(ctx, fs, uri, array.Latest(), cache)
		must(t, err)
		got := fs.Reset()
		got.ReadBytes = 0
		if got != want || len(a.Fragments()) != 5 {
			t.Errorf("open %d: %+v instead of %+v", turn, got, want)
		}
	}
	must(t, write(ctx, fs, 30, 99))
	fs.Reset()
	if a, err := array.Open(ctx, fs, uri, array.Latest(), cache); err != nil || len(a.Fragments()) != 6 || fs.Counts().Opens != 1 {
		t.Errorf("after a write: %+v, %v", fs.Counts(), err)
	}
}

// TestCacheAndReplacedArrays deletes an array and makes another one at its place, again and again, with one cache.
func TestCacheAndReplacedArrays(t *testing.T) {
	ctx := context.Background()
	var fs vfs.FS = mem.New()
	cache := array.NewCache(1 << 20)
	for turn := range int32(4) {
		s := newSchema()
		s.Capacity = uint64(10 + turn)
		must(t, array.Create(ctx, fs, uri, s))
		must(t, write(ctx, fs, 10, turn+1))
		for range 3 {
			a, err := array.Open(ctx, fs, uri, array.Latest(), array.WithCache(cache))
			must(t, err)
			if a.Schema.Capacity != s.Capacity {
				t.Errorf("turn %d: the schema of capacity %d", turn, a.Schema.Capacity)
			}
			if got, err := cells(ctx, a); err != nil || got != fmt.Sprint(turn+1) {
				t.Errorf("turn %d: cells %q, %v", turn, got, err)
			}
			if e, err := a.Enumeration(ctx, "e"); err != nil || string(e.Data) != "redgreen" {
				t.Errorf("turn %d: %v", turn, err)
			}
		}
		must(t, array.Delete(ctx, fs, uri))
		if _, err := array.Open(ctx, fs, uri, array.Latest(), array.WithCache(cache)); err == nil {
			t.Error("a deleted array opens from the cache")
		}
	}
}
