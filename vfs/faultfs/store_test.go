package faultfs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"azulejo/vfs"
	"azulejo/vfs/bucket"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
	"azulejo/vfs/vfstest"
)

// TestStore runs the suite on a store far away that throttles every third request and loses the reply of every seventh.
func TestStore(t *testing.T) {
	for name, reply := range map[string]faultfs.Reply{
		"sound": nil, "throttled": faultfs.Answers(faultfs.Every(3, faultfs.Throttle)), "lossy": faultfs.Answers(faultfs.Every(7, faultfs.FailAfter)),
	} {
		t.Run(name, func(t *testing.T) {
			vfstest.Run(t, func(*testing.T) (vfs.FS, string) {
				s := faultfs.NewStore()
				s.Reply, s.Latency, s.Page = reply, 20*time.Millisecond, 500
				o := s.Options()
				o.PartBytes = vfstest.PartBytes
				return bucket.New(s, o, "s"), "s://b/root"
			})
		})
	}
}

func TestClockOfAStore(t *testing.T) {
	ctx := context.Background()
	s := faultfs.NewStore()
	s.Latency = time.Second
	fs := bucket.New(s, s.Options(), "s")
	if err := vfs.WriteAll(ctx, fs, "s://b/f", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := vfs.ReadAll(ctx, fs, "s://b/f"); err != nil {
		t.Fatal(err)
	}
	if got := s.Now().Sub(time.UnixMilli(0)); got != 2*time.Second {
		t.Errorf("two requests took %s", got)
	}
	lost := s.PowerLoss()
	if err := fs.Remove(ctx, "s://b/f"); err != nil || len(s.Keys()) != 0 || len(lost.Keys()) != 1 {
		t.Errorf("%v; %q and %q are left", err, s.Keys(), lost.Keys())
	}
}

func TestEveryAndThrottle(t *testing.T) {
	ctx := context.Background()
	fs := faultfs.New(mem.New(), faultfs.Every(2, faultfs.Throttle))
	for i := range 6 {
		_, err := fs.List(ctx, "/")
		if errors.Is(err, faultfs.ErrInjected) != (i%2 == 1) {
			t.Errorf("list %d: %v", i, err)
		}
	}
}
