package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// copier copies the default storage while servers write to it.
//
// Files never change once they have a name, but some go when arrays are vacuumed or deleted. What belongs together, the
// folders of one array or group, is listed with its commits first, copied, and listed again: when nothing of the first
// list has gone, every commit that was copied has all that it names. Else that array is copied anew.
type copier struct {
	from, to string
	// copied is told every file that stays in the copy, by its path below from.
	copied func(rel, sum string, n int64) error
}

// attempts is how often an array is copied before the backup gives up on one that is vacuumed all the time.
const attempts = 20

// unfinished begins the names of what writers and readers keep for themselves while they work.
var unfinished = []string{".azulejo-tmp-", ".azulejo-reading-", ".azulejo-upload-"}

// all copies every namespace's storage but for the uploads that are not finished.
func (c *copier) all(ctx context.Context) error {
	if err := os.MkdirAll(c.to, 0o700); err != nil {
		return err
	}
	namespaces, err := readDir(c.from)
	if err != nil {
		return err
	}
	for _, n := range namespaces {
		entries, err := readDir(filepath.Join(c.from, n.Name()))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name() == "uploads" {
				continue
			}
			if err := c.tree(ctx, filepath.Join(n.Name(), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// readDir lists a directory by name; one that is gone, or that is a file, is empty. What is unfinished is left out.
func readDir(path string) ([]fs.DirEntry, error) {
	list, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return slices.DeleteFunc(list, func(e fs.DirEntry) bool {
		return slices.ContainsFunc(unfinished, func(p string) bool { return strings.HasPrefix(e.Name(), p) })
	}), err
}

// tree copies what is at a path: the folders and marks of an array or group as one, all else piece by piece.
func (c *copier) tree(ctx context.Context, rel string) error {
	info, err := os.Lstat(filepath.Join(c.from, rel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		return c.one(ctx, rel)
	}
	if !info.IsDir() {
		return nil // a link: no file of the server's
	}
	entries, err := readDir(filepath.Join(c.from, rel))
	if err != nil {
		return err
	}
	object := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), "__") })
	if object {
		if err := c.object(ctx, rel); err != nil {
			return err
		}
	} else if err := os.MkdirAll(filepath.Join(c.to, rel), 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		if object && ofObject(e.Name()) {
			continue
		}
		if err := c.tree(ctx, filepath.Join(rel, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// ofObject tells whether a name in the folder of an array or group belongs to it.
func ofObject(name string) bool {
	return strings.HasPrefix(name, "__") || strings.HasPrefix(name, ".azulejo-")
}

// one copies a file that stands for itself.
func (c *copier) one(ctx context.Context, rel string) error {
	sum, n, err := c.file(ctx, rel)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it went meanwhile
	}
	if err != nil {
		return err
	}
	return c.copied(rel, sum, n)
}

// entry is a file or a directory of an object.
type entry struct {
	rel string
	dir bool
}

// list returns what belongs to the object at a path, commits first, directories before what is in them.
func (c *copier) list(rel string) ([]entry, error) {
	top, err := readDir(filepath.Join(c.from, rel))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(top, func(a, b fs.DirEntry) int { return rank(a.Name()) - rank(b.Name()) })
	var all []entry
	for _, e := range top {
		if ofObject(e.Name()) {
			if all, err = c.append(all, filepath.Join(rel, e.Name()), e); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// rank orders the folders of an array: a commit is listed before what it makes visible.
func rank(name string) int {
	if name == "__commits" {
		return 0
	}
	return 1
}

func (c *copier) append(all []entry, rel string, e fs.DirEntry) ([]entry, error) {
	if e.IsDir() || e.Type().IsRegular() {
		all = append(all, entry{rel, e.IsDir()})
	}
	if !e.IsDir() {
		return all, nil
	}
	children, err := readDir(filepath.Join(c.from, rel))
	for _, child := range children {
		if err == nil {
			all, err = c.append(all, filepath.Join(rel, child.Name()), child)
		}
	}
	return all, err
}

// summed is a file that was copied.
type summed struct {
	rel, sum string
	n        int64
}

// object copies an array or group as it was at one moment.
func (c *copier) object(ctx context.Context, rel string) error {
	for range attempts {
		files, err := c.attempt(ctx, rel)
		if errors.Is(err, fs.ErrNotExist) {
			if err := c.withdraw(rel); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := c.copied(f.rel, f.sum, f.n); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("storage/%s: files went each of the %d times that it was copied; copy it again when it is vacuumed less", rel, attempts)
}

// attempt copies the object once; the error wraps fs.ErrNotExist when something went meanwhile.
func (c *copier) attempt(ctx context.Context, rel string) ([]summed, error) {
	before, err := c.list(rel)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(c.to, rel), 0o700); err != nil {
		return nil, err
	}
	var files []summed
	for _, e := range before {
		if e.dir {
			if err := os.MkdirAll(filepath.Join(c.to, e.rel), 0o700); err != nil {
				return nil, err
			}
			continue
		}
		sum, n, err := c.file(ctx, e.rel)
		if err != nil {
			return nil, err
		}
		files = append(files, summed{e.rel, sum, n})
	}
	after, err := c.list(rel)
	if err != nil {
		return nil, err
	}
	still := make(map[entry]bool, len(after))
	for _, e := range after {
		still[e] = true
	}
	for _, e := range before {
		if !still[e] {
			return nil, fmt.Errorf("%s: %w", e.rel, fs.ErrNotExist)
		}
	}
	return files, nil
}

// withdraw removes a copy of an object that is not whole, not what else is in its folder.
func (c *copier) withdraw(rel string) error {
	list, err := os.ReadDir(filepath.Join(c.to, rel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range list {
		if err == nil && ofObject(e.Name()) {
			err = os.RemoveAll(filepath.Join(c.to, rel, e.Name()))
		}
	}
	return err
}

// file copies one file durably and returns its checksum and length.
func (c *copier) file(ctx context.Context, rel string) (string, int64, error) {
	if err := ctx.Err(); err != nil {
		return "", 0, err
	}
	in, err := os.Open(filepath.Join(c.from, rel))
	if err != nil {
		return "", 0, err
	}
	defer in.Close()
	out, digest, err := create(filepath.Join(c.to, rel))
	if err != nil {
		return "", 0, err
	}
	n, err := io.Copy(io.MultiWriter(out, digest), in)
	return hex.EncodeToString(digest.Sum(nil)), n, errors.Join(err, finish(out, err))
}
