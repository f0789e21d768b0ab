// Package vfstest has the tests that every vfs backend must pass.
package vfstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"testing"

	"azulejo/vfs"
)

// Run tests a backend. The function is called for each sub-test and returns a file system and the URI of a directory
// in it that is empty and the test's own.
func Run(t *testing.T, newFS func(t *testing.T) (vfs.FS, string)) {
	t.Helper()
	run(t, newFS, append(tests(), []conformance{
		{"one of many commits wins", testRace},
		{"one of two large commits wins", testLargeRace},
	}...))
}

// RunUnconditional tests a backend on a server that cannot refuse to publish a file that exists at the moment when it is
// published: everything but two writers of one file at the same time.
func RunUnconditional(t *testing.T, newFS func(t *testing.T) (vfs.FS, string)) {
	t.Helper()
	run(t, newFS, append(tests(), conformance{"the second of two large commits loses", testLargeLate}))
}

// conformance is one test of the suite.
type conformance struct {
	name string
	test func(t *testing.T, fs vfs.FS, root string)
}

func run(t *testing.T, newFS func(t *testing.T) (vfs.FS, string), list []conformance) {
	t.Helper()
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			fs, root := newFS(t)
			c.test(t, fs, root)
		})
	}
}

// tests lists what every backend must pass.
func tests() []conformance {
	return []conformance{
		{"list", testList},
		{"write once", testWriteOnce},
		{"visible at commit", testVisible},
		{"abort", testAbort},
		{"commit all", testCommitAll},
		{"ranged reads", testReadAt},
		{"parallel reads", testParallel},
		{"missing", testMissing},
		{"make directory", testMakeDir},
		{"remove", testRemove},
		{"remove empty", testRemoveEmpty},
		{"rename", testRename},
		{"names", testNames},
		{"large file", testLarge},
		{"abort of a large file", testLargeAbort},
		{"many entries", testMany},
		{"replaced file", testReplaced},
		{"cancelled", testCancelled},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, class error) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Fatalf("got error %v, want one that wraps %q", err, class)
	}
	if ve, ok := errors.AsType[*vfs.Error](err); !ok || ve.URI == "" || ve.Op == "" {
		t.Fatalf("error %v names no operation and URI", err)
	}
}

func names(t *testing.T, fs vfs.FS, dir string) []string {
	t.Helper()
	list, err := fs.List(context.Background(), dir)
	must(t, err)
	var out []string
	for _, e := range list {
		name := e.Name
		if e.Dir {
			name += "/"
		}
		out = append(out, name)
	}
	return out
}

func wantNames(t *testing.T, fs vfs.FS, dir string, want ...string) {
	t.Helper()
	if got := names(t, fs, dir); !reflect.DeepEqual(got, want) {
		t.Fatalf("%s lists %q, want %q", dir, got, want)
	}
}

func testList(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	wantNames(t, fs, root)
	for _, n := range []string{"b", "a", "d/x", "c", "d/e/y", "B", "__10_", "__9_"} {
		must(t, vfs.WriteAll(ctx, fs, vfs.Join(root, n), []byte(n)))
	}
	wantNames(t, fs, root, "B", "__10_", "__9_", "a", "b", "c", "d/")
	wantNames(t, fs, root+"/", "B", "__10_", "__9_", "a", "b", "c", "d/")
	wantNames(t, fs, vfs.Join(root, "d"), "e/", "x")
	list, err := fs.List(ctx, vfs.Join(root, "d"))
	must(t, err)
	if list[0].NBytes != 0 || list[1].NBytes != 3 && list[1].NBytes != -1 {
		t.Errorf("sizes %d and %d, want 0 and 3 or -1", list[0].NBytes, list[1].NBytes)
	}
}

func testWriteOnce(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	uri := vfs.Join(root, "f")
	must(t, vfs.WriteAll(ctx, fs, uri, []byte("first")))
	wantErr(t, vfs.WriteAll(ctx, fs, uri, []byte("second")), vfs.ErrExist)
	got, err := vfs.ReadAll(ctx, fs, uri)
	must(t, err)
	if string(got) != "first" {
		t.Fatalf("read %q, want the first content", got)
	}
	wantNames(t, fs, root, "f")
	must(t, vfs.WriteAll(ctx, fs, vfs.Join(root, "empty"), nil))
	if n, err := vfs.Size(ctx, fs, vfs.Join(root, "empty")); n != 0 || err != nil {
		t.Fatalf("size %d, %v", n, err)
	}
}

func testVisible(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	uri := vfs.Join(root, "dir", "f")
	w, err := fs.Create(ctx, uri)
	must(t, err)
	for range 3 {
		n, err := w.Write(bytes.Repeat([]byte("x"), 100000))
		must(t, err)
		if n != 100000 {
			t.Fatalf("wrote %d bytes", n)
		}
	}
	if _, err := fs.Open(ctx, uri); !errors.Is(err, vfs.ErrNotExist) {
		t.Fatalf("file can be opened before commit: %v", err)
	}
	wantNames(t, fs, vfs.Join(root, "dir"))
	must(t, w.Commit(ctx))
	must(t, w.Abort())
	wantNames(t, fs, vfs.Join(root, "dir"), "f")
	if n, err := vfs.Size(ctx, fs, uri); n != 300000 || err != nil {
		t.Fatalf("size %d, %v", n, err)
	}
	if err := w.Commit(ctx); err == nil {
		t.Error("a second commit is no error")
	}
	if _, err := w.Write([]byte("late")); err == nil {
		t.Error("a write after commit is no error")
	}
}

func testAbort(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	w, err := fs.Create(ctx, vfs.Join(root, "f"))
	must(t, err)
	_, err = w.Write([]byte("lost"))
	must(t, err)
	must(t, w.Abort())
	must(t, w.Abort())
	wantNames(t, fs, root)
}

func testRace(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	uri := vfs.Join(root, "f")
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = vfs.WriteAll(ctx, fs, uri, []byte{byte(i)}) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		if err == nil && winner < 0 {
			winner = i
		} else {
			wantErr(t, err, vfs.ErrExist)
		}
	}
	got, err := vfs.ReadAll(ctx, fs, uri)
	must(t, err)
	if len(got) != 1 || int(got[0]) != winner {
		t.Fatalf("file holds %v, winner was %d", got, winner)
	}
}

func testCommitAll(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	begin := func(names ...string) (ws []vfs.Writer) {
		for _, n := range names {
			w, err := fs.Create(ctx, vfs.Join(root, n))
			must(t, err)
			_, err = w.Write([]byte(n))
			must(t, err)
			ws = append(ws, w)
		}
		return ws
	}
	must(t, vfs.CommitAll(ctx, fs, begin("a", "b", "d/c")))
	wantNames(t, fs, root, "a", "b", "d/")
	wantErr(t, vfs.CommitAll(ctx, fs, begin("e", "b", "f")), vfs.ErrExist)
	wantNames(t, fs, root, "a", "b", "d/", "e")
}

func testReadAt(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	uri := vfs.Join(root, "f")
	must(t, vfs.WriteAll(ctx, fs, uri, []byte("0123456789")))
	f, err := fs.Open(ctx, uri)
	must(t, err)
	defer f.Close()
	if f.Size() != 10 {
		t.Fatalf("size %d", f.Size())
	}
	for _, c := range []struct {
		off  int64
		n    int
		want string
	}{{0, 10, "0123456789"}, {3, 4, "3456"}, {9, 1, "9"}, {10, 0, ""}, {0, 0, ""}} {
		p := make([]byte, c.n)
		if err := f.ReadAt(ctx, p, c.off); err != nil || string(p) != c.want {
			t.Errorf("%d bytes at %d: %q, %v", c.n, c.off, p, err)
		}
	}
	for _, c := range []struct {
		off int64
		n   int
	}{{0, 11}, {5, 6}, {11, 0}, {11, 1}, {-1, 1}, {1 << 62, 1}} {
		wantErr(t, f.ReadAt(ctx, make([]byte, c.n), c.off), io.ErrUnexpectedEOF)
	}
}

func testParallel(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	uri := vfs.Join(root, "f")
	content := make([]byte, 1<<16)
	for i := range content {
		content[i] = byte(i * 7)
	}
	must(t, vfs.WriteAll(ctx, fs, uri, content))
	f, err := fs.Open(ctx, uri)
	must(t, err)
	defer f.Close()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := make([]byte, 1000)
			for off := i; off+len(p) <= len(content); off += 997 {
				if err := f.ReadAt(ctx, p, int64(off)); err != nil || !bytes.Equal(p, content[off:off+len(p)]) {
					t.Errorf("read at %d: %v", off, err)
				}
			}
		})
	}
	wg.Wait()
}

func testMissing(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	must(t, vfs.WriteAll(ctx, fs, vfs.Join(root, "d", "f"), nil))
	for _, n := range []string{"none", "d", "d/none", "d/f/below"} {
		_, err := fs.Open(ctx, vfs.Join(root, n))
		wantErr(t, err, vfs.ErrNotExist)
	}
	wantNames(t, fs, vfs.Join(root, "none"))
	wantNames(t, fs, vfs.Join(root, "d", "f"))
}

func testMakeDir(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	must(t, fs.MakeDir(ctx, vfs.Join(root, "a/b/c")))
	must(t, fs.MakeDir(ctx, vfs.Join(root, "a/b/c")))
	must(t, fs.MakeDir(ctx, vfs.Join(root, "a")))
	must(t, vfs.WriteAll(ctx, fs, vfs.Join(root, "a/b/c/f"), nil))
	wantNames(t, fs, vfs.Join(root, "a/b/c"), "f")
}

func testRemove(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	for _, n := range []string{"a", "d/x", "d/e/y", "z"} {
		must(t, vfs.WriteAll(ctx, fs, vfs.Join(root, n), nil))
	}
	must(t, fs.Remove(ctx, vfs.Join(root, "a")))
	must(t, fs.Remove(ctx, vfs.Join(root, "a")))
	must(t, fs.Remove(ctx, vfs.Join(root, "a/b")))
	wantNames(t, fs, root, "d/", "z")
	must(t, fs.Remove(ctx, vfs.Join(root, "d")))
	wantNames(t, fs, root, "z")
	must(t, vfs.WriteAll(ctx, fs, vfs.Join(root, "d/x"), []byte("again")))
	wantNames(t, fs, vfs.Join(root, "d"), "x")
}

func testRemoveEmpty(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	dir := vfs.Join(root, "d")
	must(t, vfs.WriteAll(ctx, fs, vfs.Join(dir, "x"), nil))
	must(t, vfs.RemoveEmpty(ctx, fs, dir))
	wantNames(t, fs, dir, "x")
	must(t, fs.Remove(ctx, vfs.Join(dir, "x")))
	must(t, vfs.RemoveEmpty(ctx, fs, dir))
	must(t, vfs.RemoveEmpty(ctx, fs, dir))
	wantNames(t, fs, root)
}

// testRename is for backends that rename; others say that they do not.
func testRename(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	for _, n := range []string{"d/x", "d/e/y", "f", "g/z"} {
		must(t, vfs.WriteAll(ctx, fs, vfs.Join(root, n), []byte(n)))
	}
	err := vfs.Rename(ctx, fs, vfs.Join(root, "d"), vfs.Join(root, "new/parent/d"))
	if errors.Is(err, errors.ErrUnsupported) {
		wantNames(t, fs, root, "d/", "f", "g/")
		return
	}
	must(t, err)
	wantNames(t, fs, root, "f", "g/", "new/")
	wantNames(t, fs, vfs.Join(root, "new/parent/d"), "e/", "x")
	wantErr(t, vfs.Rename(ctx, fs, vfs.Join(root, "d"), vfs.Join(root, "h")), vfs.ErrNotExist)
	wantErr(t, vfs.Rename(ctx, fs, vfs.Join(root, "f"), vfs.Join(root, "h")), vfs.ErrNotExist)
	wantErr(t, vfs.Rename(ctx, fs, vfs.Join(root, "new"), vfs.Join(root, "g")), vfs.ErrExist)
	if err := vfs.Rename(ctx, fs, vfs.Join(root, "new"), vfs.Join(root, "new/parent/below")); err == nil {
		t.Error("a directory went into itself")
	}
	wantNames(t, fs, root, "f", "g/", "new/")
}

func testNames(t *testing.T, fs vfs.FS, root string) {
	ctx := context.Background()
	for i, n := range []string{"a b", "50%", "%2F", "ü", "x:y", "q?p=1#f", "-", "...", "a+b", "a%20b", "日本", "é", "&=;@$,!'()*~", "[x]{y}|^`<>\""} {
		dir := vfs.Join(root, fmt.Sprint(i))
		must(t, vfs.WriteAll(ctx, fs, vfs.Join(dir, n), []byte(n)))
		wantNames(t, fs, dir, n)
		got, err := vfs.ReadAll(ctx, fs, vfs.Join(dir, n))
		must(t, err)
		if string(got) != n {
			t.Errorf("%q holds %q", n, got)
		}
	}
}

func testCancelled(t *testing.T, fs vfs.FS, root string) {
	uri := vfs.Join(root, "f")
	must(t, vfs.WriteAll(context.Background(), fs, uri, []byte("x")))
	f, err := fs.Open(context.Background(), uri)
	must(t, err)
	defer f.Close()
	w, err := fs.Create(context.Background(), vfs.Join(root, "g"))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = fs.List(ctx, root)
	wantErr(t, err, context.Canceled)
	_, err = fs.Open(ctx, uri)
	wantErr(t, err, context.Canceled)
	_, err = fs.Create(ctx, vfs.Join(root, "h"))
	wantErr(t, err, context.Canceled)
	wantErr(t, f.ReadAt(ctx, make([]byte, 1), 0), context.Canceled)
	wantErr(t, fs.MakeDir(ctx, vfs.Join(root, "d")), context.Canceled)
	wantErr(t, fs.Remove(ctx, uri), context.Canceled)
	wantErr(t, w.Commit(ctx), context.Canceled)
	wantNames(t, fs, root, "f")
}
