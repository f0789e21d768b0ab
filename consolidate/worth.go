package consolidate

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"azulejo/array"
	"azulejo/schema"
	"azulejo/vfs"
)

// planWindow is how many fragments, neighbours in time, are planned at a time: the work grows with its square.
const planWindow = 512

// policyAmplification is how many times as many cells a merged dense fragment may have as those that it replaces.
const policyAmplification = 4

// mergeFragments merges what is worth it.
func (u *upkeep) mergeFragments(ctx context.Context) error {
	a, err := array.Open(ctx, u.fs, u.uri, array.Latest(), array.WithKey(u.Key))
	if err != nil {
		return err
	}
	if a.CheckWritable() != nil {
		return nil
	}
	infos, err := a.FragmentInfos(ctx)
	if err != nil {
		return err
	}
	at := array.Interval{End: u.millis(0)}
	if a.Schema.Type == schema.Dense {
		at.End = u.past()
	}
	c, err := newCandidates(a.Schema, infos, at)
	if err != nil {
		return err
	}
	if c.grid == nil {
		c.infos = slices.DeleteFunc(c.infos, func(i array.FragmentInfo) bool { return i.NBytes >= u.FragmentBytes/2 })
	}
	for window := range slices.Chunk(c.infos, planWindow) {
		for _, group := range u.worth(&candidates{dims: c.dims, grid: c.grid, infos: window, anterior: c.anterior}) {
			if err := u.merge(ctx, group); err != nil {
				return err
			}
		}
	}
	return nil
}

// merge merges fragments, unless others are doing or have done it, or some dense ones cannot be merged without more.
func (u *upkeep) merge(ctx context.Context, group []array.FragmentInfo) error {
	o := Options{Key: u.Key, MaxFragmentSize: u.FragmentBytes, Threads: u.Threads, Memory: u.Memory}
	for _, info := range group {
		o.Names = append(o.Names, info.Name)
	}
	names, err := Fragments(ctx, u.fs, u.uri, o)
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, ErrInvalid), errors.Is(err, vfs.ErrNotExist), errors.Is(err, array.ErrSnapshotLost):
		return nil
	case err != nil:
		return err
	}
	u.done.Merged += len(group)
	u.done.Made += len(names)
	u.done.MergedBytes += sumBytes(group)
	if len(names) == 0 {
		return nil
	}
	a, err := array.Open(ctx, u.fs, u.uri, array.Latest(), array.WithFragments(names), array.WithKey(u.Key))
	if err == nil {
		var made []array.FragmentInfo
		made, err = a.FragmentInfos(ctx)
		u.done.MadeBytes += sumBytes(made)
	}
	if errors.Is(err, array.ErrSnapshotLost) {
		return nil // merged again by another
	}
	return err
}

func sumBytes(infos []array.FragmentInfo) (n uint64) {
	for _, i := range infos {
		n += i.NBytes
	}
	return n
}

// worth returns groups of fragments, of those that overlap or are small and near each other, that are many enough.
func (u *upkeep) worth(c *candidates) [][]array.FragmentInfo {
	p := planner{candidates: *c, size: u.FragmentBytes}
	byName := map[string]array.FragmentInfo{}
	for _, info := range c.infos {
		p.nodes = append(p.nodes, &planNode{[]string{info.Name}, info.NonEmptyDomain, info.NBytes})
		byName[info.Name] = info
	}
	p.joinOverlapping()
	p.joinSmall()
	var groups [][]array.FragmentInfo
	for _, n := range p.nodes {
		if len(n.names) <= u.Fragments {
			continue
		}
		var group []array.FragmentInfo
		for _, name := range n.names {
			group = append(group, byName[name])
		}
		if c.grid == nil {
			group = u.levelled(group)
		} else if !u.worthDense(c, group) {
			continue
		}
		if len(group) > 1 {
			groups = append(groups, group)
		}
	}
	if len(groups) == 0 && c.grid != nil {
		if run := u.run(c); len(run) > 1 {
			groups = append(groups, run)
		}
	}
	return groups
}

// levelled returns the smallest of many sparse fragments, so many that half of the number allowed are left, and more until
// the next one is as large as all of them together: so a cell is copied only so often as the logarithm of their number says.
func (u *upkeep) levelled(group []array.FragmentInfo) []array.FragmentInfo {
	slices.SortFunc(group, func(x, y array.FragmentInfo) int {
		return cmp.Or(cmp.Compare(x.NBytes, y.NBytes), cmp.Compare(x.Start, y.Start), cmp.Compare(x.Name, y.Name))
	})
	sum, n := uint64(0), 0
	for n < len(group) {
		enough := n > 1 && len(group)-n <= u.Fragments/2
		if enough && group[n].NBytes >= sum || u.MergeBytes > 0 && sum+group[n].NBytes > u.MergeBytes {
			break
		}
		sum += group[n].NBytes
		n++
	}
	return group[:n]
}

// worthDense reports whether dense fragments are worth merging all together: not too many bytes, not too large already, and
// the new fragment not too large for what is in it.
func (u *upkeep) worthDense(c *candidates, group []array.FragmentInfo) bool {
	size, cells, union := sumBytes(group), 0.0, []schema.Range(nil)
	for _, info := range group {
		cells += c.cells(info.NonEmptyDomain, true)
		union = c.union(union, info.NonEmptyDomain)
	}
	parts := (size + u.FragmentBytes - 1) / max(u.FragmentBytes, 1)
	return (u.MergeBytes == 0 || size <= u.MergeBytes) && 4*parts < uint64(len(group)) && c.cells(union, false) <= policyAmplification*cells
}

// run returns the longest run of dense fragments that may be merged where no plan says so, because they lie scattered; nil
// when it is too short.
func (u *upkeep) run(c *candidates) []array.FragmentInfo {
	n := len(c.infos)
	if n <= u.Fragments {
		return nil
	}
	from, to := c.next(&Options{MinFragments: uint32(max(n-u.Fragments+1, 2)), MaxFragments: uint32(n), Amplification: policyAmplification})
	if to-from < 2 || !u.worthDense(c, c.infos[from:to]) {
		return nil
	}
	return c.infos[from:to]
}
