package cache

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestDescriptions(t *testing.T) {
	c := New(100)
	made := 0
	read := func() (string, int64, error) { made++; return "v", 40, nil }
	for _, name := range []string{"a", "b", "a", "c", "a", "b"} { // c pushes b out, b pushes c out
		if v, err := Load(c, name, read); v != "v" || err != nil {
			t.Fatal(v, err)
		}
	}
	if made != 4 {
		t.Errorf("made %d times", made)
	}
	if got, want := c.Counts(Description), (Counts{Hits: 2, Misses: 4, Dropped: 2, Entries: 2, NBytes: 80}); got != want {
		t.Errorf("%+v instead of %+v", got, want)
	}
	fault := errors.New("fault")
	if _, err := Load(c, "d", func() (string, int64, error) { return "", 0, fault }); err != fault {
		t.Error(err)
	}
	if v, _ := Load(c, "big", func() (string, int64, error) { return "big", 101, nil }); v != "big" || c.Counts(Description).Entries != 2 {
		t.Error("kept what is larger than all the room")
	}
}

func TestCellsAreKeptTheSecondTime(t *testing.T) {
	c := New(1 << 20)
	read := func(tile uint64) bool {
		key := Key{Owner: c, Tile: tile, Chunk: -1}
		if _, ok := c.Get(Cells, key); ok {
			return true
		}
		if c.Wants(key, 1<<10) {
			c.Put(Cells, key, tile, 1<<10)
		}
		return false
	}
	c.Put(Description, Key{Owner: "footer"}, 1, 600<<10)
	for turn, want := range []bool{false, false, true} {
		if read(7) != want {
			t.Errorf("turn %d: %v", turn, !want)
		}
	}
	for tile := uint64(100); tile < 5000; tile++ { // a scan
		read(tile)
	}
	if !read(7) {
		t.Error("a scan flushed what is in use")
	}
	for range 2 { // cells that are read again and again take no more than their share
		for tile := uint64(10000); tile < 11000; tile++ {
			read(tile)
		}
	}
	if _, ok := c.Get(Description, Key{Owner: "footer"}); !ok {
		t.Error("cells pushed a description out")
	}
	if n := c.Counts(Cells); n.NBytes > 1<<20-600<<10 || n.Dropped == 0 {
		t.Errorf("%+v", n)
	}
}

func TestOff(t *testing.T) {
	c := New(0)
	if _, ok := c.Get(Cells, Key{}); ok || c.Wants(Key{}, 1) || c.Put(Cells, Key{}, 5, 1) != 5 || c.Counts(Cells) != (Counts{}) || c.Room(Cells) != 0 {
		t.Error("a cache of no size keeps something")
	}
	if v, err := Load(c, "a", func() (int, int64, error) { return 3, 1, nil }); v != 3 || err != nil {
		t.Error(v, err)
	}
}

func TestAtOnce(t *testing.T) {
	c := New(1 << 10)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				name := fmt.Sprint((g + i) % 30)
				if v, err := Load(c, name, func() (string, int64, error) { return name, 50, nil }); v != name || err != nil {
					t.Error(v, err)
				}
			}
		})
	}
	wg.Wait()
	if n := c.Counts(Description); n.Hits+n.Misses != 4000 || n.NBytes > 1<<10 {
		t.Errorf("%+v", n)
	}
}
