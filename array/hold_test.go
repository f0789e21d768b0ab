package array_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

const sixCells = "10 20 30 40 50 60"

// ownFiles returns the names of Azulejo's own files in the array's folder.
func ownFiles(t *testing.T, fs vfs.FS) (names []string) {
	t.Helper()
	root, err := fs.List(context.Background(), uri)
	must(t, err)
	for _, e := range root {
		if strings.HasPrefix(e.Name, ".azulejo-") {
			names = append(names, e.Name)
		}
	}
	return names
}

// reheld opens a held snapshot and returns its cells.
func reheld(ctx context.Context, fs vfs.FS, h array.Hold, opts ...array.Option) (*array.Array, string, error) {
	a, err := array.Open(ctx, fs, uri, array.Latest(), append(opts, array.WithHold(h.ID))...)
	if err != nil {
		return nil, "", err
	}
	got, err := cells(ctx, a)
	return a, got, err
}

func later() time.Time { return time.Now().Add(time.Hour) }

func TestHold(t *testing.T) {
	ctx := context.Background()
	fs := sixFragments(t, []uint64{10, 20, 30}, []uint64{20})
	a, err := array.Open(ctx, fs, uri, array.Interval{Start: 15, End: 55})
	must(t, err)
	h, err := a.Hold(ctx, "0a", later())
	must(t, err)
	must(t, write(ctx, fs, 54, 54))
	removed, err := array.DeleteFragments(ctx, fs, uri, array.Latest())
	if err != nil || len(removed) != 7 {
		t.Fatal(removed, err)
	}
	wantCells(t, fs, array.Latest(), "")
	folders, err := fs.List(ctx, vfs.Join(uri, "__fragments"))
	if err != nil || len(folders) != 4 {
		t.Errorf("%d folders stay, %v", len(folders), err)
	}
	cache := array.NewCache(1 << 20)
	for _, opts := range [][]array.Option{nil, {array.WithCache(cache)}, {array.WithCache(cache)}} {
		b, got, err := reheld(ctx, fs, h, opts...)
		if err != nil || got != "20 30 40 50" || b.At != a.At {
			t.Fatalf("held: %q at %v, %v", got, b.At, err)
		}
	}
	if found := check(t, fs, uri); len(found) > 0 {
		t.Errorf("check: %v", found)
	}
	b, _, err := reheld(ctx, fs, h)
	must(t, err)
	held, _ := b.Held()
	must(t, held.Renew(ctx, b, later().Add(time.Hour)))
	if err := held.Renew(ctx, b, later()); !errors.Is(err, vfs.ErrNotExist) {
		t.Errorf("renewed twice from one: %v", err)
	}
	b, _, err = reheld(ctx, fs, h)
	must(t, err)
	if held, _ = b.Held(); held.Until.Before(later().Add(time.Minute)) {
		t.Errorf("renewed until %v", held.Until)
	}
	must(t, h.Release(ctx, b)) // by whom it was made, before it was renewed
	if own := ownFiles(t, fs); len(own) > 0 {
		t.Errorf("after the end there are %v", own)
	}
	if folders, err = fs.List(ctx, vfs.Join(uri, "__fragments")); err != nil || len(folders) != 0 {
		t.Errorf("%d folders stay, %v", len(folders), err)
	}
	if _, _, err := reheld(ctx, fs, h, array.WithCache(cache)); !errors.Is(err, array.ErrSnapshotLost) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := a.Hold(ctx, "0a", later()); !errors.Is(err, array.ErrSnapshotLost) || len(ownFiles(t, fs)) > 0 {
		t.Errorf("of what is gone: %v", err)
	}
	if _, err := a.Hold(ctx, "../x", later()); !errors.Is(err, array.ErrInvalid) {
		t.Errorf("an owner that is none: %v", err)
	}
}

func TestHoldEnds(t *testing.T) {
	ctx := context.Background()
	fs := sixFragments(t, nil, nil)
	a, err := array.Open(ctx, fs, uri, array.Latest())
	must(t, err)
	h, err := a.Hold(ctx, "0a", time.Now().Add(-time.Second))
	must(t, err)
	if _, _, err := reheld(ctx, fs, h); !errors.Is(err, array.ErrSnapshotLost) {
		t.Errorf("after its time: %v", err)
	}
	if held, err := array.HeldFragments(ctx, fs, uri); err != nil || len(held) != 0 {
		t.Errorf("held %v, %v", held, err)
	}
	// One owner does not push another's out, and those that have ended go by the way.
	first, err := a.Hold(ctx, "0b", later())
	must(t, err)
	var own []array.Hold
	for i := range 257 {
		h, err := a.Hold(ctx, "0a", later().Add(time.Duration(i)*time.Second))
		must(t, err)
		own = append(own, h)
	}
	if n := len(ownFiles(t, fs)); n != 257 {
		t.Errorf("%d are held", n)
	}
	for i, want := range map[int]bool{0: true, 1: false, 256: false} {
		if _, _, err := reheld(ctx, fs, own[i]); errors.Is(err, array.ErrSnapshotLost) != want {
			t.Errorf("number %d: %v", i, err)
		}
	}
	if _, got, err := reheld(ctx, fs, first); err != nil || got != sixCells {
		t.Errorf("another's: %q, %v", got, err)
	}
	must(t, fs.Remove(ctx, vfs.Join(uri, ownFiles(t, fs)[0])))
	must(t, array.Delete(ctx, fs, uri))
	if left := filesBelow(t, fs, uri); len(left) > 0 {
		t.Errorf("of the deleted array there stay %v", left)
	}
}

// within returns a storage that does something before operation k of those that come through it.
func within(fs vfs.FS, k int, do func()) *faultfs.FS {
	return faultfs.New(fs, func(o faultfs.Op) faultfs.Action {
		if o.N == k {
			do()
		}
		return faultfs.Pass
	})
}

// TestHoldAndDeletionAtOnce begins a hold within every storage operation of a deletion, and the other way round: either
// who wanted to hold is told that the fragments are gone, or they stay until the end.
func TestHoldAndDeletionAtOnce(t *testing.T) {
	ctx := context.Background()
	for _, con := range [][]uint64{nil, {20, 30, 40}} {
		full := sixFragments(t, con, nil)
		remove := func(fs vfs.FS) {
			_, err := array.DeleteFragments(ctx, fs, uri, array.Latest())
			must(t, err)
		}
		judge := func(name string, disk *mem.FS, h array.Hold, err error) (kept bool) {
			wantCells(t, disk, array.Latest(), "")
			if err == nil {
				b, got, err := reheld(ctx, disk, h)
				if err != nil || got != sixCells {
					t.Fatalf("%s: held %q, %v", name, got, err)
				}
				must(t, h.Release(ctx, b))
			} else if !errors.Is(err, array.ErrSnapshotLost) {
				t.Errorf("%s: %v", name, err)
			}
			if left := append(ownFiles(t, disk), filesBelow(t, disk, vfs.Join(uri, "__fragments"))...); len(left) > 0 {
				t.Errorf("%s: there stay %v", name, left)
			}
			return err == nil
		}
		hold := func(disk, fs vfs.FS) (array.Hold, error) {
			a, err := array.Open(ctx, disk, uri, array.Latest())
			must(t, err)
			a.FS = fs
			return a.Hold(ctx, "0a", later())
		}
		counts := map[bool]int{}
		counted := faultfs.New(full.PowerLoss(), nil)
		remove(counted)
		for k := range len(counted.Ops()) {
			disk := full.PowerLoss()
			a, err := array.Open(ctx, disk, uri, array.Latest())
			must(t, err)
			var h array.Hold
			remove(within(disk, k, func() { h, err = a.Hold(ctx, "0a", later()) }))
			counts[judge("hold within "+counted.Ops()[k].String(), disk, h, err)]++
		}
		disk := full.PowerLoss()
		counted = faultfs.New(disk, nil)
		_, err := hold(disk, counted)
		must(t, err)
		for k := range len(counted.Ops()) {
			disk := full.PowerLoss()
			h, err := hold(disk, within(disk, k, func() { remove(disk) }))
			counts[judge("deletion within "+counted.Ops()[k].String(), disk, h, err)]++
		}
		if counts[true] == 0 || counts[false] == 0 {
			t.Errorf("%d were kept, %d not", counts[true], counts[false])
		}
	}
}
