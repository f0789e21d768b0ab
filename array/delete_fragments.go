package array

import (
	"context"
	"fmt"
	"slices"

	"azulejo/format"
	"azulejo/vfs"
)

// DeleteFragments removes the fragments whose time lies wholly in an interval, with their cells, at all times of opening,
// and returns their names, newest first. Fragments that vacuum files of the interval hide are left alone. Delete commits
// stay. Snapshots that have the fragments break.
//
// The newest fragment goes first and a fragment goes as a whole, so that an interrupted call, which may be repeated,
// leaves an array without its newest writes; only those that a consolidated commits file holds go all at once, by an
// ignore file (format_spec/ignore_file.md). The names of fragments that were removed are returned with an error too. It
// wraps ErrNotFound when there is no array, or is the storage's.
func DeleteFragments(ctx context.Context, fs vfs.FS, uri string, at Interval) ([]string, error) {
	d, live, err := deletable(ctx, fs, uri, at)
	if err != nil {
		return nil, classify(err)
	}
	return d.removeFragments(ctx, live)
}

// DeleteFragmentsNamed is DeleteFragments for fragments given by the names or URIs of their folders. When one of them is
// not there nothing is removed and the error wraps ErrInvalid.
func DeleteFragmentsNamed(ctx context.Context, fs vfs.FS, uri string, names []string) ([]string, error) {
	d, live, err := deletable(ctx, fs, uri, Latest())
	if err != nil {
		return nil, classify(err)
	}
	wanted := map[string]bool{}
	for _, name := range names {
		file := vfs.Base(vfs.Trim(name))
		if !slices.ContainsFunc(live, func(l located) bool { return l.file == file }) {
			return nil, &Error{"delete fragments", d.uri, fmt.Errorf("%w: it has no fragment %q", ErrInvalid, name)}
		}
		wanted[file] = true
	}
	return d.removeFragments(ctx, slices.DeleteFunc(live, func(l located) bool { return !wanted[l.file] }))
}

// deletable returns the fragments that lie in an interval, oldest first.
func deletable(ctx context.Context, fs vfs.FS, uri string, at Interval) (*directory, []located, error) {
	d, err := readDirectory(ctx, fs, vfs.Trim(uri), true)
	if err != nil {
		return nil, nil, err
	}
	if len(d.schemas) == 0 {
		return nil, nil, &Error{"delete fragments", d.uri, ErrNotFound}
	}
	all, err := d.committed(ctx)
	if err != nil {
		return nil, nil, err
	}
	// Nothing counts for overlapping the interval only, as it does in dense arrays.
	live, _, err := d.visible(ctx, all, at, true)
	return d, live, err
}

// removeFragments removes fragments, the last first.
func (d *directory) removeFragments(ctx context.Context, list []located) (removed []string, err error) {
	ignored := false
	for _, l := range slices.Backward(list) {
		if l.consolidated && !ignored {
			if err := d.ignore(ctx, list); err != nil {
				return removed, err
			}
			ignored = true
		}
		if err := d.removeFragment(ctx, &l); err != nil {
			return removed, err
		}
		removed = append(removed, l.file)
	}
	return removed, nil
}

// ignore writes an ignore file for the commits in consolidated commits files.
func (d *directory) ignore(ctx context.Context, list []located) error {
	var paths []string
	start, end := uint64(Now), uint64(0)
	for i := range list {
		if list[i].consolidated {
			paths = append(paths, list[i].commit())
			start, end = min(start, list[i].Start), max(end, list[i].End)
		}
	}
	content, err := format.EncodeLines(paths)
	if err != nil {
		return err
	}
	return vfs.WriteAll(ctx, d.fs, vfs.Join(d.uri, commitsDir, format.NewName(start, end, format.Version).String()+ignoreExt), content)
}

// removeFragment removes what makes a fragment count and then its folder.
func (d *directory) removeFragment(ctx context.Context, l *located) error {
	folder := l.uri(d.uri)
	switch {
	case l.single:
		if err := d.fs.Remove(ctx, vfs.Join(d.uri, l.commit())); err != nil {
			return err
		}
	case !l.consolidated:
		// Before version 5 a fragment counts as soon as its metadata is there.
		if err := d.fs.Remove(ctx, vfs.Join(folder, fragmentMetadataFile)); err != nil {
			return err
		}
	}
	return d.fs.Remove(ctx, folder)
}
