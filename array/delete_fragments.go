package array

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"azulejo/format"
	"azulejo/metadata"
	"azulejo/vfs"
)

// DeleteFragments removes the fragments whose time lies wholly in an interval, with their cells, at all times of opening,
// and returns their names, newest first. Fragments that vacuum files of the interval hide are left alone. Delete commits
// stay. Open snapshots that have the fragments break, unless they are held (Array.Hold): for those the files stay until
// the hold ends.
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

// removeFragments removes fragments, the last first: what makes them count, and then, unless a read under way holds
// them, their folders. What was begun is noted, so that the folders go in the end whatever comes between.
func (d *directory) removeFragments(ctx context.Context, list []located) (removed []string, err error) {
	if len(list) == 0 {
		return nil, SweepDeleted(ctx, d.fs, d.uri)
	}
	if err := d.noteDeleted(ctx, list); err != nil {
		return nil, err
	}
	ignored := false
	for _, l := range slices.Backward(list) {
		if l.consolidated && !ignored {
			if err := d.ignore(ctx, list); err != nil {
				return removed, err
			}
			ignored = true
		}
		if err := d.uncommit(ctx, &l); err != nil {
			return removed, err
		}
		removed = append(removed, l.file)
	}
	return removed, SweepDeleted(ctx, d.fs, d.uri)
}

// deletedPrefix begins the name of a file in the array's own folder that lists the paths of fragments that were deleted,
// the folders of which may still be there.
const deletedPrefix = metadata.OwnPrefix + "deleted-"

// noteDeleted notes that fragments are being deleted.
func (d *directory) noteDeleted(ctx context.Context, list []located) error {
	var paths []string
	start, end := uint64(Now), uint64(0)
	for i := range list {
		paths = append(paths, strings.TrimPrefix(list[i].uri(d.uri), d.uri+"/"))
		start, end = min(start, list[i].Start), max(end, list[i].End)
	}
	content, err := format.EncodeLines(paths)
	if err != nil {
		return err
	}
	return vfs.WriteAll(ctx, d.fs, vfs.Join(d.uri, deletedPrefix+format.NewName(start, end, format.Version).String()), content)
}

// SweepDeleted removes the folders of fragments that were deleted while a read held them, or by a call that broke off, as
// far as no read holds them now. Vacuum, deletions and the ends of reads call it.
func SweepDeleted(ctx context.Context, fs vfs.FS, uri string) error {
	d := &directory{fs: fs, uri: vfs.Trim(uri)}
	root, err := fs.List(ctx, d.uri)
	if err != nil {
		return err
	}
	var notes []string
	for _, e := range root {
		if strings.HasPrefix(e.Name, deletedPrefix) && !e.Dir {
			notes = append(notes, e.Name)
		}
	}
	if len(notes) == 0 {
		return nil
	}
	stay, err := d.committedOrHeld(ctx)
	if err != nil {
		return classify(err)
	}
	for _, note := range notes {
		paths, err := d.lines(ctx, note)
		if errors.Is(err, vfs.ErrNotExist) {
			continue // somebody else has ended it
		}
		if err != nil {
			return classify(err)
		}
		waits := false
		for _, path := range slices.Backward(paths) {
			if name := vfs.Base(path); stay(name) {
				waits = true
			} else if err := d.fs.Remove(ctx, vfs.Join(d.uri, path)); err != nil {
				return err
			}
		}
		if waits {
			continue
		}
		if err := d.fs.Remove(ctx, vfs.Join(d.uri, note)); err != nil {
			return err
		}
	}
	return nil
}

// committedOrHeld returns what says whether a fragment counts, or is in the snapshot of a read under way.
func (d *directory) committedOrHeld(ctx context.Context) (func(name string) bool, error) {
	// The commits are looked at before the holds: see holdPrefix.
	now, err := readDirectory(ctx, d.fs, d.uri, true)
	if err != nil {
		return nil, err
	}
	all, err := now.committed(ctx)
	if err != nil {
		return nil, err
	}
	held, err := HeldFragments(ctx, d.fs, d.uri)
	return func(name string) bool {
		_, ok := all.fragment(name)
		return ok || held[name]
	}, err
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

// uncommit removes what makes a fragment count, if a file of its own does.
func (d *directory) uncommit(ctx context.Context, l *located) error {
	switch {
	case l.single:
		return d.fs.Remove(ctx, vfs.Join(d.uri, l.commit()))
	case !l.consolidated:
		// Before version 5 a fragment counts as soon as its metadata is there. Reads that hold it break.
		return d.fs.Remove(ctx, vfs.Join(l.uri(d.uri), fragmentMetadataFile))
	}
	return nil
}
