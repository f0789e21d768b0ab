package consolidate

import (
	"context"
	"errors"
	"path"
	"slices"

	"azulejo/array"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/schema"
	"azulejo/vfs"
)

// Fragments merges fragments of the array at a URI, step by step, and returns the names of the new ones that are left.
// Dense fragments become one with what reads see of them, and fill values where there is none of them; sparse ones keep
// every version of every cell with its time, so that what was written before can still be looked at, and deletes with
// theirs. The fragments merged are hidden, not removed; Vacuum does that.
//
// The error wraps ErrInvalid for options that do not fit, ErrBusy when another consolidation replaces the same fragments,
// array.ErrUnsupported for arrays of old versions.
func Fragments(ctx context.Context, fs vfs.FS, uri string, o Options) ([]string, error) {
	o, err := o.settled()
	if err != nil {
		return nil, err
	}
	uri = vfs.Trim(uri)
	if _, err := listRecovered(ctx, fs, uri); err != nil {
		return nil, err
	}
	var made []string
	for step := uint32(0); step < o.Steps; step++ {
		chosen, a, err := o.choose(ctx, fs, uri)
		if err != nil || len(chosen) < 2 {
			return made, err
		}
		names, err := merge(ctx, a, chosen, &o)
		if err != nil {
			return made, err
		}
		made = slices.DeleteFunc(made, func(n string) bool {
			return slices.ContainsFunc(chosen, func(c array.FragmentInfo) bool { return c.Name == n })
		})
		made = append(made, names...)
		if len(o.Names) > 0 || len(names) > 1 {
			break // fragments that were split would be merged and split again
		}
	}
	return made, nil
}

// choose opens the array as it is now and chooses the fragments of the next step.
func (o *Options) choose(ctx context.Context, fs vfs.FS, uri string) ([]array.FragmentInfo, *array.Array, error) {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.WithKey(o.Key))
	if err != nil {
		return nil, nil, err
	}
	if err := a.CheckWritable(); err != nil {
		return nil, nil, err
	}
	infos, err := a.FragmentInfos(ctx)
	if err != nil {
		return nil, nil, err
	}
	at := o.interval()
	if len(o.Names) > 0 {
		at = array.Latest()
	}
	c, err := newCandidates(a.Schema, infos, at)
	switch {
	case err != nil:
		return nil, nil, err
	case len(o.Names) > 0:
		chosen, err := c.named(o.Names)
		return chosen, a, err
	}
	from, to := c.next(o)
	return c.infos[from:to], a, nil
}

// job is the making of one merged fragment, or of several that appear together.
type job struct {
	*Options
	// a is the array opened with the fragments to merge and its deletes.
	a      *array.Array
	chosen []array.FragmentInfo
	// start and end are the times of the new fragments.
	start, end uint64
	// union is what the fragments cover together, deletes the deletes of the array.
	union   []schema.Range
	deletes []array.Deletion
	// times says that cells of the new fragment have times of deletion.
	times bool
	// announced are the fragments begun, the first of which hides those it replaces; writers those not aborted.
	announced []*array.Pending
	writers   []*fragment.Writer
}

// merge makes one fragment of those chosen and hides them.
func merge(ctx context.Context, a *array.Array, chosen []array.FragmentInfo, o *Options) ([]string, error) {
	j := &job{Options: o, chosen: chosen, start: chosen[0].Start}
	c := candidates{dims: a.Schema.Domain.Dimensions}
	names := make([]string, 0, len(chosen))
	for _, info := range chosen {
		names = append(names, info.Name)
		j.end = max(j.end, info.End)
		j.union = c.union(j.union, info.NonEmptyDomain)
	}
	for _, name := range a.Pin() {
		if x := path.Ext(name); x != "" {
			names = append(names, name) // a delete
		}
	}
	// Cells may be newer than now: a fragment counts as soon as it overlaps the time until now.
	at := array.Interval{End: max(a.At.End, j.end)}
	var err error
	if j.a, err = array.Open(ctx, a.FS, a.URI, at, array.WithFragments(names), array.WithKey(o.Key)); err != nil {
		return nil, err
	}
	j.deletes = j.a.Deletions()
	j.times = j.marksDeletes()
	if err := j.write(ctx); err != nil {
		return nil, errors.Join(err, j.abort(ctx))
	}
	return j.publish(ctx)
}

// marksDeletes reports whether the new fragment says when its cells were deleted: some were, or may be.
func (j *job) marksDeletes() bool {
	if j.Purge || j.a.Schema.Type == schema.Dense {
		return false
	}
	for _, d := range j.deletes {
		if d.Time >= j.start {
			return true
		}
	}
	return slices.ContainsFunc(j.a.Fragments(), func(f *fragment.Reader) bool { return f.Footer().HasDeletes })
}

// write writes the new fragments.
func (j *job) write(ctx context.Context) error {
	if j.a.Schema.Type == schema.Dense {
		return j.writeDense(ctx)
	}
	return j.writeSparse(ctx)
}

// begin announces and creates the next fragment; domain is that of a dense one.
func (j *job) begin(ctx context.Context, domain []schema.Range) (*fragment.Writer, error) {
	name := format.NewName(j.start, j.end, format.Version).String()
	var hidden []string
	if len(j.announced) == 0 {
		for _, info := range j.chosen {
			hidden = append(hidden, "/"+info.Path)
		}
	}
	p, err := array.Announce(ctx, j.a.FS, j.a.URI, name, hidden)
	if p != nil {
		j.announced = append(j.announced, p)
	}
	if err == nil && len(j.announced) == 1 {
		err = j.alone(ctx)
	}
	if err != nil {
		return nil, err
	}
	w, err := fragment.Create(ctx, j.a.FS, j.a.URI, j.a.Schema, name, j.options(domain))
	if w != nil {
		j.writers = append(j.writers, w)
	}
	return w, err
}

// options returns the options of a new fragment; domain is that of a dense one.
func (j *job) options(domain []schema.Range) fragment.WriterOptions {
	opts := fragment.WriterOptions{Domain: domain, Threads: j.Threads, Key: j.a.Key()}
	if domain == nil {
		opts.Timestamps, opts.Deletes = true, j.times
		for _, d := range j.deletes {
			opts.Processed = append(opts.Processed, d.Path)
		}
	}
	return opts
}

// abort removes what was written.
func (j *job) abort(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, w := range j.writers {
		errs = append(errs, w.Abort(ctx))
	}
	for _, p := range j.announced {
		errs = append(errs, p.Drop(ctx, j.a.FS, j.a.URI))
	}
	return errors.Join(errs...)
}

// publish commits the fragments, which hides the old ones at the same moment, and writes that down where libtiledb looks
// for it. After an error of the commit nobody knows whether it is there: the announcement stays, for the next
// consolidation or vacuum to see. Where purging left no cell the old fragments are just hidden.
func (j *job) publish(ctx context.Context) ([]string, error) {
	fs, uri := j.a.FS, j.a.URI
	if len(j.announced) == 0 {
		return nil, j.hide(ctx)
	}
	if err := j.unreplaced(ctx); err != nil {
		return nil, errors.Join(err, j.abort(ctx))
	}
	names := make([]string, len(j.announced))
	for i, p := range j.announced {
		names[i] = p.Fragment
	}
	var err error
	if len(names) == 1 {
		err = array.Commit(ctx, fs, uri, names[0])
	} else {
		commits := make([]format.ConsolidatedCommit, len(names))
		for i, name := range names {
			commits[i].Path = array.CommitPath(fragmentsFolder + "/" + name)
		}
		err = writeCommits(ctx, fs, uri, commits)
	}
	for _, p := range j.announced {
		if err == nil {
			err = p.Settle(ctx, fs, uri)
		}
	}
	return names, err
}

// hide hides the fragments chosen behind nothing.
func (j *job) hide(ctx context.Context) error {
	paths := make([]string, len(j.chosen))
	for i, info := range j.chosen {
		paths[i] = "/" + info.Path
	}
	content, err := format.EncodeLines(paths)
	if err != nil {
		return err
	}
	name := format.NewName(j.start, j.end, format.Version).String()
	return vfs.WriteAll(ctx, j.a.FS, vfs.Join(j.a.URI, commitsFolder, name+vacuumExt), content)
}
