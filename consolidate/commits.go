package consolidate

import (
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"azulejo/array"
	"azulejo/format"
	"azulejo/vfs"
)

// The folders that maintenance writes to, and the extensions of its files.
const (
	fragmentsFolder    = "__fragments"
	commitsFolder      = "__commits"
	fragmentMetaFolder = "__fragment_meta"
	consolidatedExt    = ".con"
	ignoreExt          = ".ign"
	vacuumExt          = ".vac"
	metaExt            = ".meta"
)

// commitsVersion is the first format version whose commits can be merged.
const commitsVersion = 12

// Commits merges all commits of the array at a URI into one consolidated commits file: those of fragments by name, those
// of deletes with their content (format_spec/consolidated_commits_file.md). It does nothing when one file holds them all.
// Commits of fragments that vacuum files hide stay as they are: a vacuum at the same time may be about to remove them.
func Commits(ctx context.Context, fs vfs.FS, uri string, o Options) error {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting(), array.WithKey(o.Key))
	if err != nil {
		return err
	}
	if v := a.Schema.Version; v < commitsVersion {
		return fmt.Errorf("%w: the commits of an array of format version %d cannot be merged; upgrade it to version %d first",
			array.ErrUnsupported, v, format.Version)
	}
	list, err := array.ListCommits(ctx, fs, a.URI)
	if err != nil {
		return err
	}
	merged := mergedCommits(list)
	known, held := len(merged), map[string]bool{}
	for _, c := range merged {
		held[c.Path] = true
	}
	for _, p := range countingCommits(list) {
		if !held[p] {
			merged = append(merged, format.ConsolidatedCommit{Path: p})
		}
	}
	if len(merged) == 0 || len(merged) == known && holdsAll(list) != nil {
		return nil
	}
	for i := range merged {
		if c := &merged[i]; format.HasCondition(c.Path) && c.Condition == nil {
			if c.Condition, err = vfs.ReadAll(ctx, fs, vfs.Join(a.URI, c.Path)); err != nil {
				return err
			}
		}
	}
	return writeCommits(ctx, fs, a.URI, merged)
}

// countingCommits returns the commits with a file of their own, without those of fragments that others have replaced.
func countingCommits(list *array.Commits) []string {
	replaced := map[string]bool{}
	for _, v := range list.Vacuums {
		for _, name := range v.Fragments {
			replaced[name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(list.Single), func(p string) bool { return replaced[stem(p)] && !format.HasCondition(p) })
}

// writeCommits writes a consolidated commits file, named after the time from its first to its last commit.
func writeCommits(ctx context.Context, fs vfs.FS, uri string, commits []format.ConsolidatedCommit) error {
	content, err := format.EncodeConsolidatedCommits(commits)
	if err != nil {
		return err
	}
	paths := make([]string, len(commits))
	for i, c := range commits {
		paths[i] = c.Path
	}
	name, err := spanOf(paths)
	if err != nil {
		return err
	}
	return vfs.WriteAll(ctx, fs, vfs.Join(uri, commitsFolder, name.String()+consolidatedExt), content)
}

// spanOf returns a new name for the time that timestamped files and folders, given by path, span together.
func spanOf(paths []string) (format.Name, error) {
	start, end := uint64(math.MaxUint64), uint64(0)
	for _, p := range paths {
		n, err := format.ParseName(stem(p))
		if err != nil {
			return n, err
		}
		start, end = min(start, n.Start), max(end, n.End)
	}
	return format.NewName(start, end, format.Version), nil
}

// stem returns the last part of a path without its extension.
func stem(p string) string {
	base := vfs.Base(p)
	return strings.TrimSuffix(base, path.Ext(base))
}

// mergedCommits returns what the consolidated commits files hold and no ignore file lists, sorted by path.
func mergedCommits(list *array.Commits) []format.ConsolidatedCommit {
	var merged []format.ConsolidatedCommit
	for _, f := range list.Files {
		for _, c := range f.Commits {
			if !list.Ignored[c.Path] {
				merged = append(merged, c)
			}
		}
	}
	byPath := func(x, y format.ConsolidatedCommit) int { return strings.Compare(x.Path, y.Path) }
	slices.SortStableFunc(merged, byPath)
	return slices.CompactFunc(merged, func(x, y format.ConsolidatedCommit) bool { return x.Path == y.Path })
}

// holdsAll returns the consolidated commits file that holds exactly the commits of all that are not ignored; nil when
// there is none.
func holdsAll(list *array.Commits) *array.ConsolidatedFile {
	want := len(mergedCommits(list))
	for i := range list.Files {
		f := &list.Files[i]
		distinct := map[string]bool{}
		for _, c := range f.Commits {
			distinct[c.Path] = true
			if list.Ignored[c.Path] {
				distinct = nil
				break
			}
		}
		if distinct != nil && len(distinct) == want {
			return f
		}
	}
	return nil
}

// vacuumCommits removes the commit files that consolidated ones hold, and the consolidated and ignore files that are of
// no use once one file holds everything.
func vacuumCommits(ctx context.Context, fs vfs.FS, uri string, due dueFunc) error {
	list, err := array.ListCommits(ctx, fs, uri)
	if err != nil {
		return err
	}
	held := map[string]bool{}
	for _, c := range mergedCommits(list) {
		held[c.Path] = true
	}
	var old []string
	for _, p := range list.Single {
		if held[p] && due(p) {
			old = append(old, p)
		}
	}
	// The ignore files go last: they may hide what the other consolidated files hold.
	var ignores []string
	if all := holdsAll(list); all != nil {
		others := 0
		for _, f := range list.Files {
			if f.Path == all.Path {
				continue
			}
			if others++; due(f.Path) {
				old = append(old, f.Path)
				others--
			}
		}
		for _, path := range list.IgnoreFiles {
			if due(path) && others == 0 {
				ignores = append(ignores, path)
			}
		}
	}
	if err := removeAll(ctx, fs, uri, old); err != nil {
		return err
	}
	return removeAll(ctx, fs, uri, ignores)
}

// removeAll removes paths of an array, several at a time.
func removeAll(ctx context.Context, fs vfs.FS, uri string, paths []string) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelReads)
	for _, p := range paths {
		group.Go(func() error { return fs.Remove(gctx, vfs.Join(uri, p)) })
	}
	return group.Wait()
}
