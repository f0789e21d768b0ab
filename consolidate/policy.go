package consolidate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/group"
	"azulejo/metadata"
	"azulejo/schema"
	"azulejo/vfs"
)

// Forever is a History or Grace without end.
const Forever time.Duration = math.MaxInt64

// ParseHistory reads a History: "forever" or a duration such as 720h. The error wraps ErrInvalid.
func ParseHistory(text string) (time.Duration, error) {
	if text == "forever" {
		return Forever, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%w: a history of %q is neither forever nor a duration such as 720h", ErrInvalid, text)
	}
	return d, nil
}

// Policy says when an array or group is worth the work of compacting, and what may be lost by it. Each limit that is 0
// switches off what it is about. DefaultPolicy has sensible ones.
type Policy struct {
	// Key is the key of an encrypted array or group.
	Key *filter.Key
	// Now is the time of the call; the zero time stands for the clock's.
	Now time.Time
	// Grace is how long files stay after others have replaced them, for readers that have begun with them; writers of the
	// past are taken to arrive within it. The time runs from the first call that sees a file replaced.
	Grace time.Duration
	// History is how far back from now the array must answer as it always did. Sparse fragments keep the time of every cell
	// when they are merged; dense fragments and metadata files lose the times between their first and their last, so they
	// are merged, and removed when somebody else has merged them, only once all of them are older.
	History time.Duration
	// Fragments is the number of fragments worth merging (Plan) above which they are merged; Footers the number of fragments
	// without a merged footer, Commits that of files with commits, Metadata that of metadata files.
	Fragments, Footers, Commits, Metadata int
	// FragmentBytes is the size of fragments aimed at. Sparse ones half as large are merged no more.
	FragmentBytes uint64
	// MergeBytes bounds the bytes that are merged at a time; dense fragments that cannot be merged in parts are left alone
	// when they have more.
	MergeBytes uint64
	// Threads bounds the parallel work, 0 means the number of cores; Memory is as in Options.
	Threads int
	Memory  int64
}

// DefaultPolicy returns the policy that keeps all history: fragments of about 1 GiB, replaced files removed after an hour.
func DefaultPolicy() Policy {
	return Policy{Grace: time.Hour, History: Forever, Fragments: 32, Footers: 64, Commits: 64, Metadata: 16, FragmentBytes: 1 << 30, MergeBytes: 8 << 30}
}

// Done says what was done by a call.
type Done struct {
	// Merged counts the fragments merged and Made those made of them; MergedBytes and MadeBytes are their sizes.
	Merged, Made           int
	MergedBytes, MadeBytes uint64
	// Commits, Footers and Metadata count the merged files written.
	Commits, Footers, Metadata int
	// Removed counts the files and fragments removed because others had replaced them, and RemovedBytes their bytes.
	Removed      int
	RemovedBytes uint64
	// Waiting counts those that will be removed later.
	Waiting int
}

// Any reports whether anything was merged or removed.
func (d Done) Any() bool {
	return d.Merged+d.Commits+d.Footers+d.Metadata+d.Removed > 0
}

// String returns what was done in one line.
func (d Done) String() string {
	return fmt.Sprintf("fragments merged %d (%d bytes) into %d (%d bytes); merged files of commits %d, footers %d, metadata %d; removed %d (%d bytes), waiting %d",
		d.Merged, d.MergedBytes, d.Made, d.MadeBytes, d.Commits, d.Footers, d.Metadata, d.Removed, d.RemovedBytes, d.Waiting)
}

// Apply does what is due to the array or group at a URI and returns what that was, also with an error. It may be broken off
// at any point and done again, and run beside writers, readers and other calls: what another one is doing it leaves to
// that. Arrays of old versions it leaves as they are. The error wraps array.ErrNotFound when there is nothing at the URI.
//
// What was replaced but has to stay is noted in a file in the array's own folder, where libtiledb does not look.
func (p Policy) Apply(ctx context.Context, fs vfs.FS, uri string) (Done, error) {
	if p.Now.IsZero() {
		p.Now = time.Now()
	}
	u := &upkeep{Policy: p, fs: fs, uri: vfs.Trim(uri)}
	for try := 1; ; try++ {
		err := u.apply(ctx)
		// A file that was listed and is gone was removed by another call meanwhile.
		if try == applyTries || !errors.Is(err, vfs.ErrNotExist) {
			return u.done, err
		}
	}
}

// applyTries is how often Apply begins anew when files go away under it.
const applyTries = 3

func (u *upkeep) apply(ctx context.Context) error {
	isArray, err := array.Exists(ctx, u.fs, u.uri)
	if err != nil {
		return err
	}
	if isArray {
		return u.array(ctx)
	}
	isGroup, err := group.Exists(ctx, u.fs, u.uri)
	if err != nil {
		return err
	}
	if !isGroup {
		return fmt.Errorf("compact %s: %w", u.uri, array.ErrNotFound)
	}
	if err := u.metadata(ctx, ModeGroupMeta); err != nil {
		return err
	}
	return u.sweep(ctx, ModeGroupMeta)
}

// upkeep is one application of a policy.
type upkeep struct {
	Policy
	fs   vfs.FS
	uri  string
	kind schema.ArrayType
	done Done
}

// millis returns the time so long before now, in milliseconds; 0 when there is none.
func (u *upkeep) millis(before time.Duration) uint64 {
	now := u.Now.UnixMilli()
	if d := before.Milliseconds(); d < now {
		return uint64(now - d)
	}
	return 0
}

// past is the end of the time whose states may be lost.
func (u *upkeep) past() uint64 {
	return u.millis(max(u.Grace, u.History))
}

// array does what is due to an array.
func (u *upkeep) array(ctx context.Context) error {
	a, err := array.Open(ctx, u.fs, u.uri, array.Latest(), array.ForWriting(), array.WithKey(u.Key))
	if err != nil {
		return err
	}
	if a.CheckWritable() != nil {
		return nil
	}
	u.kind = a.Schema.Type
	list, err := array.ListCommits(ctx, u.fs, u.uri)
	if err != nil {
		return err
	}
	n := liveFragments(list)
	if u.Fragments > 0 && n > u.Fragments {
		if err := u.mergeFragments(ctx); err != nil {
			return err
		}
	}
	if u.Commits > 0 {
		if err := u.mergeCommits(ctx); err != nil {
			return err
		}
	}
	if u.Footers > 0 && n > u.Footers {
		if err := u.mergeFooters(ctx); err != nil {
			return err
		}
	}
	if err := u.metadata(ctx, ModeArrayMeta); err != nil {
		return err
	}
	return u.sweep(ctx, ModeFragments, ModeCommits, ModeFragmentMeta, ModeArrayMeta)
}

// liveFragments counts the fragments that are committed and not hidden.
func liveFragments(list *array.Commits) int {
	count := map[string]bool{}
	for _, c := range mergedCommits(list) {
		count[c.Path] = true
	}
	for _, p := range list.Single {
		count[p] = true
	}
	hidden := map[string]bool{}
	for _, v := range list.Vacuums {
		for _, name := range v.Fragments {
			hidden[name] = true
		}
	}
	n := 0
	for _, folder := range list.Folders {
		if count[array.CommitPath(folder)] && !hidden[vfs.Base(folder)] {
			n++
		}
	}
	return n
}

// mergeCommits merges commits when there are many files of them that count.
func (u *upkeep) mergeCommits(ctx context.Context) error {
	list, err := array.ListCommits(ctx, u.fs, u.uri)
	if err != nil {
		return err
	}
	held := map[string]bool{}
	for _, c := range mergedCommits(list) {
		held[c.Path] = true
	}
	n := 0
	for _, p := range countingCommits(list) {
		if !held[p] {
			n++
		}
	}
	if holdsAll(list) == nil {
		n += len(list.Files) + len(list.IgnoreFiles)
	}
	if n <= u.Commits {
		return nil
	}
	if err := Commits(ctx, u.fs, u.uri, Options{Key: u.Key}); err != nil {
		return err
	}
	u.done.Commits++
	return nil
}

// mergeFooters merges footers when many are in no merged file.
func (u *upkeep) mergeFooters(ctx context.Context) error {
	a, err := array.Open(ctx, u.fs, u.uri, array.Latest(), array.WithKey(u.Key))
	if err != nil {
		return err
	}
	infos, err := a.FragmentInfos(ctx)
	if err != nil {
		return err
	}
	n := 0
	for _, info := range infos {
		if !info.ConsolidatedMetadata && info.Version >= footerVersion {
			n++
		}
	}
	if n <= u.Footers {
		return nil
	}
	if err := FragmentMeta(ctx, u.fs, u.uri, Options{Key: u.Key}); err != nil {
		return err
	}
	u.done.Footers++
	return nil
}

// metadata merges metadata files that are older than the history when there are many.
func (u *upkeep) metadata(ctx context.Context, m Mode) error {
	at := array.Interval{End: u.past()}
	files, err := metadata.Files(ctx, u.fs, vfs.Join(u.uri, metadata.Folder), at)
	if err != nil || u.Metadata <= 0 || len(files) <= u.Metadata {
		return err
	}
	pathOf := arrayMetaPath
	if m == ModeGroupMeta {
		pathOf = groupMetaPath(u.uri)
	}
	switch err := metadata.Consolidate(ctx, u.fs, vfs.Join(u.uri, metadata.Folder), at, u.Key, pathOf); {
	case errors.Is(err, metadata.ErrBusy):
		return nil
	case err != nil:
		return err
	}
	u.done.Metadata++
	return nil
}
