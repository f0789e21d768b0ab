package vfstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sync/errgroup"

	"azulejo/vfs"
)

// largeBytes is more than two parts of PartBytes.
const largeBytes = 2*PartBytes + 12345

// PartBytes is the size of the parts in which backends under test upload large files: the least that S3 takes.
const PartBytes = 5 << 20

// noise returns n bytes that depend on seed.
func noise(seed byte, n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(p) // never fails
	return p
}

// write writes a file in pieces that fit no part. The context of its creation has ended when it returns.
func write(ctx context.Context, fs vfs.FS, uri string, content []byte) (vfs.Writer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := fs.Create(ctx, uri)
	if err != nil {
		return nil, err
	}
	for len(content) > 0 {
		n := min(len(content), 999_983)
		if _, err := w.Write(content[:n]); err != nil {
			return w, errors.Join(err, w.Abort())
		}
		content = content[n:]
	}
	return w, nil
}

func testLarge(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	for i, n := range []int{largeBytes, 2 * PartBytes, PartBytes, PartBytes + 1} {
		uri := vfs.Join(root, "large", fmt.Sprint(i))
		content := noise(byte(i), n)
		w, err := write(ctx, fs, uri, content)
		must(t, err)
		if _, err := fs.Open(ctx, uri); !errors.Is(err, vfs.ErrNotExist) {
			t.Fatalf("file can be opened before commit: %v", err)
		}
		must(t, w.Commit(ctx))
		got, err := vfs.ReadAll(ctx, fs, uri)
		must(t, err)
		if !bytes.Equal(got, content) {
			t.Fatalf("a file of %d bytes is another when read", n)
		}
		f, err := fs.Open(ctx, uri)
		must(t, err)
		for _, off := range []int{0, PartBytes - 50, n - 100, n / 2} {
			off = max(0, min(off, n-100))
			p := make([]byte, 100)
			if err := f.ReadAt(ctx, p, int64(off)); err != nil || !bytes.Equal(p, content[off:off+100]) {
				t.Errorf("100 bytes at %d of %d: %v", off, n, err)
			}
		}
		must(t, f.Close())
	}
}

func testLargeRace(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	uri := vfs.Join(root, "f")
	var ws [2]vfs.Writer
	for i := range ws {
		var err error
		ws[i], err = write(ctx, fs, uri, noise(byte(i), largeBytes))
		must(t, err)
	}
	var errs [2]error
	var group errgroup.Group
	for i := range ws {
		group.Go(func() error {
			errs[i] = ws[i].Commit(ctx)
			return nil
		})
	}
	must(t, group.Wait())
	winner := 0
	if errs[0] != nil {
		winner = 1
	}
	must(t, errs[winner])
	wantErr(t, errs[1-winner], vfs.ErrExist)
	got, err := vfs.ReadAll(ctx, fs, uri)
	must(t, err)
	if !bytes.Equal(got, noise(byte(winner), largeBytes)) {
		t.Error("the file is not the winner's")
	}
}

func testLargeLate(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	uri := vfs.Join(root, "f")
	var ws [2]vfs.Writer
	for i := range ws {
		var err error
		ws[i], err = write(ctx, fs, uri, noise(byte(i), largeBytes))
		must(t, err)
	}
	must(t, ws[0].Commit(ctx))
	wantErr(t, ws[1].Commit(ctx), vfs.ErrExist)
	got, err := vfs.ReadAll(ctx, fs, uri)
	must(t, err)
	if !bytes.Equal(got, noise(0, largeBytes)) {
		t.Error("the file is not the first writer's")
	}
}

func testLargeAbort(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	w, err := write(ctx, fs, vfs.Join(root, "f"), noise(1, largeBytes))
	must(t, err)
	must(t, w.Abort())
	wantNames(t, fs, root)
	w, err = write(ctx, fs, vfs.Join(root, "f"), noise(1, largeBytes))
	must(t, err)
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	wantErr(t, w.Commit(stopped), context.Canceled)
	wantNames(t, fs, root)
}

// manyEntries is more than one page of a listing.
const manyEntries = 1234

func testMany(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	var group errgroup.Group
	group.SetLimit(16)
	want := make([]string, manyEntries)
	for i := range want {
		want[i] = fmt.Sprintf("n%06d", i)
		name := want[i]
		if i%3 == 0 {
			name, want[i] = name+"/x", name+"/"
		}
		group.Go(func() error { return vfs.WriteAll(ctx, fs, vfs.Join(root, "many", name), nil) })
	}
	must(t, group.Wait())
	wantNames(t, fs, vfs.Join(root, "many"), want...)
	must(t, fs.Remove(ctx, vfs.Join(root, "many")))
	wantNames(t, fs, root)
}

// testReplaced wants that a file that was opened is never mixed with one of its name that came later.
func testReplaced(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	uri := vfs.Join(root, "f")
	old := noise(1, 100_000)
	must(t, vfs.WriteAll(ctx, fs, uri, old))
	f, err := fs.Open(ctx, uri)
	must(t, err)
	defer f.Close()
	must(t, fs.Remove(ctx, uri))
	must(t, vfs.WriteAll(ctx, fs, uri, noise(2, 100_000)))
	p := make([]byte, len(old))
	if err := f.ReadAt(ctx, p, 0); err == nil && !bytes.Equal(p, old) {
		t.Error("an open file reads as the one that replaced it")
	}
}
