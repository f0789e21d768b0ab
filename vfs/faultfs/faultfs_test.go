package faultfs_test

import (
	"context"
	"errors"
	"testing"

	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
	"azulejo/vfs/vfstest"
)

func TestBackend(t *testing.T) {
	vfstest.Run(t, func(*testing.T) (vfs.FS, string) { return faultfs.New(mem.New(), nil), "/root" })
}

func TestActions(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		op   int
		a    faultfs.Action
		// there tells whether the file exists afterwards.
		there bool
	}{
		{"create fails", 0, faultfs.Fail, false},
		{"write fails", 1, faultfs.Fail, false},
		{"write torn", 1, faultfs.Torn, false},
		{"commit fails", 2, faultfs.Fail, false},
		{"commit's reply lost", 2, faultfs.FailAfter, true},
		{"no fault reached", 3, faultfs.Fail, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := mem.New()
			fs := faultfs.New(inner, faultfs.Nth(c.op, c.a))
			err := vfs.WriteAll(ctx, fs, "/d/f", []byte("data"))
			if injected := errors.Is(err, faultfs.ErrInjected); injected != (c.op < 3) {
				t.Errorf("error %v", err)
			}
			_, err = inner.Open(ctx, "/d/f")
			if (err == nil) != c.there {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestTornRemovalAndRot(t *testing.T) {
	ctx := context.Background()
	inner := mem.New()
	for _, n := range []string{"a", "b", "c"} {
		if err := vfs.WriteAll(ctx, inner, "/d/"+n, []byte{4, 4, 4}); err != nil {
			t.Fatal(err)
		}
	}
	if err := faultfs.New(inner, faultfs.Nth(0, faultfs.Torn)).Remove(ctx, "/d"); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatal(err)
	}
	list, _ := inner.List(ctx, "/d")
	if len(list) != 1 || list[0].Name != "b" {
		t.Errorf("left %v", list)
	}
	fs := faultfs.New(inner, faultfs.Nth(1, faultfs.Rot))
	if got, err := vfs.ReadAll(ctx, fs, "/d/b"); err != nil || got[1] != 5 || got[0] != 4 {
		t.Errorf("%v, %v", got, err)
	}
	if ops := fs.Ops(); len(ops) != 2 || ops[1].String() != "1 read /d/b" {
		t.Errorf("operations %v", ops)
	}
}

func TestDeadProcessDoesNothingMore(t *testing.T) {
	ctx := context.Background()
	inner := mem.New()
	fs := faultfs.New(inner, faultfs.DeadFrom(2, faultfs.FailAfter))
	_ = vfs.WriteAll(ctx, fs, "/a", nil)
	if err := vfs.WriteAll(ctx, fs, "/b", nil); !errors.Is(err, faultfs.ErrInjected) {
		t.Error(err)
	}
	if list, _ := inner.List(ctx, "/"); len(list) != 1 || list[0].Name != "a" {
		t.Errorf("left %v", list)
	}
}
