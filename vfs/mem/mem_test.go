package mem_test

import (
	"context"
	"errors"
	"testing"

	"azulejo/vfs"
	"azulejo/vfs/mem"
	"azulejo/vfs/vfstest"
)

func TestBackend(t *testing.T) {
	vfstest.Run(t, func(*testing.T) (vfs.FS, string) { return mem.New(), "mem://test" })
}

func TestPowerLossKeepsCommittedFilesOnly(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	if err := vfs.WriteAll(ctx, fs, "/d/kept", []byte("x")); err != nil {
		t.Fatal(err)
	}
	w, _ := fs.Create(ctx, "/d/lost")
	w.Write([]byte("y"))
	after := fs.PowerLoss()
	if err := errors.Join(w.Commit(ctx), fs.Remove(ctx, "/d/kept")); err != nil {
		t.Fatal(err)
	}
	list, _ := after.List(ctx, "/d")
	if len(list) != 1 || list[0].Name != "kept" {
		t.Errorf("after the power loss: %v", list)
	}
	list, _ = fs.List(ctx, "/d")
	if len(list) != 1 || list[0].Name != "lost" {
		t.Errorf("the original went on: %v", list)
	}
}
