package consolidate

import (
	"context"
	"slices"
	"time"

	"azulejo/array"
	"azulejo/format"
	"azulejo/vfs"
)

// abandonedAge is the time after which the process that began a consolidation is taken for dead.
const abandonedAge = 24 * time.Hour

// listRecovered lists the commits of an array after finishing what broke off: fragments that were committed without their
// vacuum file get it, those that were given up long ago are removed.
func listRecovered(ctx context.Context, fs vfs.FS, uri string) (*array.Commits, error) {
	list, given, err := recovered(ctx, fs, uri, abandonedAge)
	if err == nil && given != nil {
		return array.ListCommits(ctx, fs, uri)
	}
	return list, err
}

// recovered finishes announced consolidations that were committed, gives up those begun longer ago than an age, and
// returns the commits from before and those consolidations.
func recovered(ctx context.Context, fs vfs.FS, uri string, age time.Duration) (list *array.Commits, given []array.Pending, err error) {
	if list, err = array.ListCommits(ctx, fs, uri); err != nil {
		return nil, nil, err
	}
	for i := range list.Pending {
		p := &list.Pending[i]
		switch {
		case list.IsCommitted(fragmentsFolder + "/" + p.Fragment):
			err = p.Settle(ctx, fs, uri)
		case time.Since(p.Since) >= age:
			err = p.Drop(ctx, fs, uri)
		default:
			continue
		}
		if err != nil {
			return nil, given, err
		}
		given = append(given, *p)
	}
	return list, given, nil
}

// Release gives up the consolidations of an array that were begun and not ended at least an age ago, 0 for all, and
// returns them: for arrays that allow duplicates others wait for them (ErrBusy), up to a day when their process died. What
// they wrote is removed; one that was committed all the same is finished. One that is given up while it still runs ends
// with an error and changes nothing, unless it is about to commit: make sure that its process is dead. The error wraps
// array.ErrNotFound when there is no array.
func Release(ctx context.Context, fs vfs.FS, uri string, age time.Duration) ([]array.Pending, error) {
	_, given, err := recovered(ctx, fs, vfs.Trim(uri), age)
	return given, err
}

// dueFunc says of a file by its path relative to the array or group whether its time to be removed has come. It is asked
// once about each file that is of no use any more: commits, merged files, and vacuum files, which stand for what they list.
type dueFunc func(path string) bool

// in is the function for names in a folder.
func (f dueFunc) in(folder string) func(name string) bool {
	return func(name string) bool { return f(folder + "/" + name) }
}

// vacuumFragments removes the fragments that vacuum files list and then those. A fragment's commit goes first, so that no
// half of it is ever read; one that stands in a consolidated commits file is listed in an ignore file before. Folders that
// an earlier try left without a commit go too. What a read under way holds stays for a later call, with its vacuum file.
func vacuumFragments(ctx context.Context, fs vfs.FS, uri string, due dueFunc) error {
	if err := array.SweepDeleted(ctx, fs, uri); err != nil {
		return err
	}
	list, err := listRecovered(ctx, fs, uri)
	if err != nil {
		return err
	}
	held, err := array.HeldFragments(ctx, fs, uri)
	if err != nil {
		return err
	}
	hidden := map[string]bool{}
	list.Vacuums = slices.DeleteFunc(list.Vacuums, func(v array.VacuumFile) bool { return anyIn(held, v.Fragments) || !due(v.Path) })
	for _, v := range list.Vacuums {
		for _, name := range v.Fragments {
			hidden[name] = true
		}
	}
	single := map[string]bool{}
	for _, p := range list.Single {
		single[p] = true
	}
	consolidated := map[string]bool{}
	for _, c := range mergedCommits(list) {
		consolidated[c.Path] = true
	}
	var ignored, commits, folders, vacuums []string
	for _, folder := range list.Folders {
		if !hidden[vfs.Base(folder)] {
			continue
		}
		commit := array.CommitPath(folder)
		if consolidated[commit] {
			ignored = append(ignored, commit)
		}
		if single[commit] {
			commits = append(commits, commit)
		}
		folders = append(folders, folder)
	}
	if err := ignore(ctx, fs, uri, ignored); err != nil {
		return err
	}
	if err := removeAll(ctx, fs, uri, commits); err != nil {
		return err
	}
	// A read that began to hold fragments before their commits went has been promised that they stay.
	if held, err = array.HeldFragments(ctx, fs, uri); err != nil {
		return err
	}
	folders = slices.DeleteFunc(folders, func(folder string) bool { return held[vfs.Base(folder)] })
	for _, v := range list.Vacuums {
		if !anyIn(held, v.Fragments) {
			vacuums = append(vacuums, v.Path)
		}
	}
	for _, paths := range [][]string{folders, vacuums} {
		if err := removeAll(ctx, fs, uri, paths); err != nil {
			return err
		}
	}
	return nil
}

// anyIn reports whether one of the names is in a set.
func anyIn(set map[string]bool, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return set[name] })
}

// ignore writes an ignore file, which takes commits out of consolidated commits files (format_spec/ignore_file.md).
func ignore(ctx context.Context, fs vfs.FS, uri string, commits []string) error {
	if len(commits) == 0 {
		return nil
	}
	content, err := format.EncodeLines(commits)
	if err != nil {
		return err
	}
	name, err := spanOf(commits)
	if err != nil {
		return err
	}
	return vfs.WriteAll(ctx, fs, vfs.Join(uri, commitsFolder, name.String()+ignoreExt), content)
}
