package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"azulejo/vfs"
)

func backends() map[string]*FS { return map[string]*FS{"nameless": New(), "named": {named: true}} }

func TestReplace(t *testing.T) {
	ctx := context.Background()
	for name, fs := range backends() {
		t.Run(name, func(t *testing.T) {
			uri := filepath.Join(t.TempDir(), "d", "f")
			before := vfs.Info{}
			for _, text := range []string{"one", "other", ""} {
				w, err := vfs.Replace(ctx, fs, uri)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
				if now, err := vfs.Stat(ctx, fs, uri); before.Version == "" && !errors.Is(err, vfs.ErrNotExist) || before.Version != "" && now != before {
					t.Errorf("before the commit: %+v, %v", now, err)
				}
				if err := w.Commit(ctx); err != nil {
					t.Fatal(err)
				}
				content, err := vfs.ReadAll(ctx, fs, uri)
				if err != nil || string(content) != text {
					t.Errorf("read %q, %v", content, err)
				}
				now, err := vfs.Stat(ctx, fs, uri)
				if err != nil || now.Version == before.Version || now.NBytes != int64(len(text)) || now.Dir || now.Link || now.Modified.IsZero() {
					t.Errorf("%+v, %v", now, err)
				}
				before = now
			}
			w, err := vfs.Replace(ctx, fs, uri)
			if err == nil {
				err = w.Abort()
			}
			if now, statErr := vfs.Stat(ctx, fs, uri); err != nil || statErr != nil || now != before {
				t.Errorf("after an abort: %+v, %v, %v", now, err, statErr)
			}
			if list, _ := os.ReadDir(filepath.Dir(uri)); len(list) != 1 {
				t.Errorf("left: %v", list)
			}
		})
	}
}

// The directory of a file that is being written can go away, with the last of its other files.
func TestCommitMakesItsDirectoryAnew(t *testing.T) {
	ctx := context.Background()
	uri := filepath.Join(t.TempDir(), "d", "e", "f")
	for _, begin := range []func(vfs.FS) (vfs.Writer, error){
		func(fs vfs.FS) (vfs.Writer, error) { return fs.Create(ctx, uri) },
		func(fs vfs.FS) (vfs.Writer, error) { return vfs.Replace(ctx, fs, uri) },
	} {
		w, err := begin(New())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Dir(filepath.Dir(uri))); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(ctx); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(uri); err != nil {
			t.Error(err)
		}
		if err := os.Remove(uri); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStatOfLinksAndDirectories(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	if err := os.Symlink(root, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	link, err := vfs.Stat(ctx, New(), root+"/link")
	if err != nil || !link.Link || link.Dir || link.Version != "" {
		t.Errorf("link: %+v, %v", link, err)
	}
	dir, err := vfs.Stat(ctx, New(), root)
	if err != nil || dir.Link || !dir.Dir || dir.NBytes != 0 {
		t.Errorf("directory: %+v, %v", dir, err)
	}
}
