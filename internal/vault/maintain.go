package vault

import (
	"context"
	"fmt"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/consolidate"
	"azulejo/filter"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/query"
)

// Consolidate merges what one mode says of an array. The grant is for writing.
func (v *Vault) Consolidate(ctx context.Context, g access.Grant, a catalog.Asset, m consolidate.Mode, o consolidate.Options) error {
	o.Memory = min(compactMemory, v.limits.QueryBytes)
	pass, err := v.enter(ctx, g, o.Memory)
	if err != nil {
		return err
	}
	defer pass.Leave()
	return v.maintain(ctx, g, access.ArrayWrite, a, func(ctx context.Context, uri string, key *filter.Key) error {
		o.Key = key
		return consolidate.Run(ctx, v.fs, uri, m, o)
	})
}

// Vacuum removes what consolidation in one mode replaced. The grant is for writing.
func (v *Vault) Vacuum(ctx context.Context, g access.Grant, a catalog.Asset, m consolidate.Mode) error {
	return v.maintain(ctx, g, access.ArrayWrite, a, func(ctx context.Context, uri string, _ *filter.Key) error {
		return consolidate.Vacuum(ctx, v.fs, uri, m)
	})
}

// Plan returns the names of fragments that are worth merging, in groups that belong together, so that fragments get about
// the size given in bytes. The grant is for reading.
func (v *Vault) Plan(ctx context.Context, g access.Grant, a catalog.Asset, size uint64) (groups [][]string, err error) {
	err = v.maintain(ctx, g, access.ArrayRead, a, func(ctx context.Context, uri string, key *filter.Key) error {
		groups, err = consolidate.Plan(ctx, v.fs, uri, size, consolidate.Options{Key: key})
		return err
	})
	return groups, err
}

// DeleteFragments removes the fragments that lie in an interval, with their cells, or those named. The grant is for
// deleting.
func (v *Vault) DeleteFragments(ctx context.Context, g access.Grant, a catalog.Asset, at array.Interval, names []string) error {
	return v.maintain(ctx, g, access.ArrayDelete, a, func(ctx context.Context, uri string, _ *filter.Key) error {
		var err error
		if names != nil {
			_, err = array.DeleteFragmentsNamed(ctx, v.fs, uri, names)
		} else {
			_, err = array.DeleteFragments(ctx, v.fs, uri, at)
		}
		return err
	})
}

// maintain does work on the files of an array, which ends early when somebody deletes the array.
func (v *Vault) maintain(ctx context.Context, g access.Grant, action access.Action, a catalog.Asset, do func(context.Context, string, *filter.Key) error) error {
	if err := permit(g, a, action); err != nil {
		return err
	}
	where, err := v.catalog.Locate(ctx, g, a)
	if err != nil {
		return err
	}
	key, err := v.key(a)
	if err != nil {
		return err
	}
	work, end := v.atWork.begin(ctx, a.ID)
	defer end()
	err = do(work, where.URI(), key)
	if work.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: it was deleted meanwhile", catalog.ErrNotFound)
	}
	return err
}

// Delete deletes the cells that satisfy a condition, at a time in milliseconds since 1970, 0 for now.
func (a *Array) Delete(ctx context.Context, cells *condition.Node, millis uint64) error {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return err
	}
	_, err := query.Delete(ctx, a.arr, cells, millis)
	return err
}
