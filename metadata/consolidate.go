package metadata

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/vfs"
)

// Consolidate writes what the files of a metadata folder add up to in the interval as one file and hides them behind it
// with a vacuum file, which calls the files by pathOf(name). It does nothing when there are fewer than two. The order of
// both keeps what the folder says the same at every moment: the new file adds up with the old ones to what they are.
//
// The error wraps ErrBusy when another consolidation of the folder was done meanwhile: two merged files of which one knows
// more deletions than the other would add up to neither, so the one that sees the other's gives way.
func Consolidate(ctx context.Context, fs vfs.FS, dir string, at Interval, key *filter.Key, pathOf func(name string) string) error {
	files, err := Files(ctx, fs, dir, at)
	if err != nil || len(files) < 2 {
		return err
	}
	entries, err := add(ctx, fs, dir, files, key)
	if err != nil {
		return err
	}
	start, end := uint64(math.MaxUint64), uint64(0)
	paths := make([]string, len(files))
	for i, f := range files {
		start, end = min(start, f.Start), max(end, f.End)
		paths[i] = pathOf(f.File)
	}
	lines, err := format.EncodeLines(paths)
	if err != nil {
		return err
	}
	file := vfs.Join(dir, format.NewName(start, end, 0).String())
	if len(entries) > 0 { // where everything was deleted the vacuum file alone says so
		content, err := format.EncodeMetadata(entries)
		if err == nil {
			content, err = format.Encrypt(key, content)
		}
		if err != nil {
			return err
		}
		if err := vfs.WriteAll(ctx, fs, file, content); err != nil {
			return err
		}
	}
	if err := alone(ctx, fs, dir, at, files, vfs.Base(file)); err != nil {
		return errors.Join(err, fs.Remove(context.WithoutCancel(ctx), file))
	}
	return vfs.WriteAll(ctx, fs, file+vacuumExt, lines)
}

// ErrBusy is wrapped by the error of a consolidation that gave way to another one. Nothing was changed.
var ErrBusy = errors.New("another consolidation was faster")

// alone makes sure, once the file named ours is there, that the files which it sums up still count and that there is no
// new file which sums up others.
func alone(ctx context.Context, fs vfs.FS, dir string, at Interval, files []Stamped, ours string) error {
	now, err := Files(ctx, fs, dir, at)
	if err != nil {
		return err
	}
	before, still := map[string]bool{}, 0
	for _, f := range files {
		before[f.File] = true
	}
	for _, f := range now {
		if before[f.File] {
			still++
		} else if f.File != ours && f.Start < f.End {
			return fmt.Errorf("consolidate %s: %w", dir, ErrBusy)
		}
	}
	if still < len(files) {
		return fmt.Errorf("consolidate %s: %w", dir, ErrBusy)
	}
	return nil
}

// Vacuum removes the files of a metadata folder that vacuum files list, and then those; with due only of vacuum files by
// the names it says.
func Vacuum(ctx context.Context, fs vfs.FS, dir string, due func(name string) bool) error {
	entries, err := fs.List(ctx, dir)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	var vacuums []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name, vacuumExt) && !e.Dir {
			if due != nil && !due(e.Name) {
				continue
			}
			vacuums = append(vacuums, vfs.Join(dir, e.Name))
		} else {
			there[e.Name] = !e.Dir
		}
	}
	hidden := map[string]bool{}
	for _, uri := range vacuums {
		if err := hide(ctx, fs, uri, hidden); err != nil {
			return err
		}
	}
	for name := range hidden {
		if there[name] {
			if err := fs.Remove(ctx, vfs.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	for _, uri := range vacuums {
		if err := fs.Remove(ctx, uri); err != nil {
			return err
		}
	}
	return nil
}
