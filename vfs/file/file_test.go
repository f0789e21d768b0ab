package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"azulejo/vfs"
	"azulejo/vfs/vfstest"
)

func TestBackend(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return New(), t.TempDir() })
}

func TestBackendWithTemporaryNames(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return &FS{named: true}, "file://" + t.TempDir() })
}

func TestPath(t *testing.T) {
	for uri, want := range map[string]string{
		"/a/b": "/a/b", "file:///a/b/": "/a/b", "/a%20b": "/a%20b", "file:///a%2Fb": "/a%2Fb", "/a//b/../c": "/a/c",
		"a/b": "", "file://host/a": "", "": "", "s3://b/k": "", "/a\x00b": "", "FILE:///a": "",
	} {
		if got, err := Path(uri); got != want || (err != nil) != (want == "") {
			t.Errorf("Path(%q) = %q, %v", uri, got, err)
		}
	}
}

// A writer must not leave a name, not even a temporary one, in the directories of which libtiledb reads every file.
func TestTemporaryNamesKeepOutOfTheWay(t *testing.T) {
	ctx := context.Background()
	for _, dir := range []string{"__schema", "__meta", "__fragment_meta", "__group", "__commits", "__schema/__enumerations"} {
		root := t.TempDir()
		fs := &FS{named: true}
		w, err := fs.Create(ctx, vfs.Join(root, dir, "f"))
		if err != nil {
			t.Fatal(err)
		}
		des, _ := os.ReadDir(filepath.Join(root, dir))
		for _, de := range des {
			if tripDirs[dir] && !de.IsDir() {
				t.Errorf("%s holds %s", dir, de.Name())
			}
		}
		if err := w.Abort(); err != nil {
			t.Fatal(err)
		}
		filepath.WalkDir(root, func(p string, d os.DirEntry, _ error) error {
			if !d.IsDir() {
				t.Errorf("abort left %s", p)
			}
			return nil
		})
	}
}

func TestErrorsTellTheURIAlone(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "plain"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	fs := New()
	_, err := fs.Open(ctx, root+"/none")
	if err == nil || err.Error() != "open "+root+"/none: does not exist" {
		t.Errorf("open: %v", err)
	}
	err = fs.MakeDir(ctx, root+"/plain/d")
	if err == nil || strings.Count(err.Error(), root) != 1 {
		t.Errorf("mkdir below a file: %v", err)
	}
	err = fs.Remove(ctx, "relative")
	if _, ok := errors.AsType[*vfs.Error](err); !ok {
		t.Errorf("remove of a relative path: %v", err)
	}
}

func TestListFollowsLinksAndHidesTemporaries(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(root, "d"), 0o755),
		os.Symlink("d", filepath.Join(root, "to-dir")),
		os.Symlink("nowhere", filepath.Join(root, "broken")),
		os.WriteFile(filepath.Join(root, TempPrefix+"1"), nil, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	list, err := New().List(ctx, root)
	if err != nil || len(list) != 3 || list[0].Dir || !list[1].Dir || !list[2].Dir {
		t.Fatalf("%+v, %v", list, err)
	}
}

func TestSweep(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for name, age := range map[string]time.Time{TempPrefix + "old": old, TempPrefix + "new": time.Now(), "other": old} {
		p := filepath.Join(root, name)
		if err := errors.Join(os.Mkdir(p, 0o755), os.Chtimes(p, age, age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := New().Sweep(ctx, root, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := New().RemoveEmpty(ctx, root); err != nil {
		t.Fatal(err)
	}
	des, _ := os.ReadDir(root)
	if len(des) != 2 || des[0].Name() != TempPrefix+"new" || des[1].Name() != "other" {
		t.Errorf("left: %v", des)
	}
	litter := filepath.Join(root, "other", TempPrefix+"old")
	if err := errors.Join(os.Mkdir(litter, 0o755), os.Chtimes(litter, old, old), New().RemoveEmpty(ctx, root+"/other")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root + "/other"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory with litter was kept: %v", err)
	}
}

// TestRemoversOfOneDirectory lets several remove the files of a directory, and then the directory, and others write there.
func TestRemoversOfOneDirectory(t *testing.T) {
	ctx, fsys := context.Background(), New()
	dir := filepath.Join(t.TempDir(), "a", "b")
	write := func(name string) error { return vfs.WriteAll(ctx, fsys, filepath.Join(dir, name), []byte(name)) }
	for range 100 {
		var names []string
		for i := range 4 {
			names = append(names, strconv.Itoa(i))
			if err := write(names[i]); err != nil {
				t.Fatal(err)
			}
		}
		var all sync.WaitGroup
		for _, name := range names {
			all.Go(func() {
				err := fsys.Remove(ctx, filepath.Join(dir, name))
				for _, d := range []string{dir, filepath.Dir(dir)} {
					if err == nil {
						err = fsys.RemoveEmpty(ctx, d)
					}
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			if err := write("new"); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if _, err := os.Stat(filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
		if err := fsys.Remove(ctx, filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, uri := range []string{"/a", "file:///a/../b", "file://host/x", "s3://b", "/a\x00"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		p, err := Path(uri)
		if err == nil && (!filepath.IsAbs(p) || filepath.Clean(p) != p || strings.IndexByte(p, 0) >= 0) {
			t.Errorf("%q gives %q", uri, p)
		}
	})
}
