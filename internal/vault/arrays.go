package vault

import (
	"context"
	"fmt"

	"azulejo/array"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/pool"
	"azulejo/query"
	"azulejo/schema"
)

// Array is an array opened under a grant, as it was in an interval of time. It is for use by one request.
type Array struct {
	vault *Vault
	grant access.Grant
	asset catalog.Asset
	arr   *array.Array
}

// OpenArray opens an array for what the grant's action allows: a grant to read opens the fragments of the interval, a
// grant to write the newest schema.
func (v *Vault) OpenArray(ctx context.Context, g access.Grant, a catalog.Asset, at array.Interval) (*Array, error) {
	if g.Action() == access.ArrayWrite {
		return v.open(ctx, g, a, at, array.ForWriting())
	}
	return v.open(ctx, g, a, at)
}

// OpenSchema opens an array for its schemas, enumerations and metadata only, which also works when the cells hold
// something that this server cannot read.
func (v *Vault) OpenSchema(ctx context.Context, g access.Grant, a catalog.Asset, at array.Interval) (*Array, error) {
	return v.open(ctx, g, a, at, array.SchemaOnly())
}

// Reopen opens just the fragments with which an incomplete read began. The error wraps array.ErrSnapshotLost when one is
// gone.
func (v *Vault) Reopen(ctx context.Context, g access.Grant, a catalog.Asset, at array.Interval, fragments []string) (*Array, error) {
	return v.open(ctx, g, a, at, array.WithFragments(fragments))
}

func (v *Vault) open(ctx context.Context, g access.Grant, a catalog.Asset, at array.Interval, opts ...array.Option) (*Array, error) {
	if err := permit(g, a, access.ArrayRead, access.ArrayWrite, access.ArrayFind, access.ArrayDelete, access.ArrayDescribe); err != nil {
		return nil, err
	}
	where, err := v.catalog.Locate(ctx, g, a)
	if err != nil {
		return nil, err
	}
	arr, err := array.Open(ctx, v.fs, where.URI(), at, append(opts, array.WithCache(v.cache))...)
	if err != nil {
		return nil, err
	}
	if kind := TypeName(arr.Schema.Type); a.ArrayType != kind {
		// The entry of a registered array learns its type at the first open.
		if err := v.catalog.SetArrayType(ctx, g, a, kind); err != nil {
			return nil, err
		}
	}
	return &Array{vault: v, grant: g, asset: a, arr: arr}, nil
}

// Schema returns the newest schema of the interval, without labels of enumerations. It must not be modified.
func (a *Array) Schema() *schema.Array { return a.arr.Schema }

// At returns the interval the array was opened at; now was replaced by the time of opening.
func (a *Array) At() array.Interval { return a.arr.At }

// NonEmptyDomain returns one range per dimension, or nil when there are no cells.
func (a *Array) NonEmptyDomain() []schema.Range { return a.arr.NonEmptyDomain() }

// Schemas returns every schema that the array has had, by file name.
func (a *Array) Schemas(ctx context.Context) (map[string]*schema.Array, error) {
	return a.arr.Schemas(ctx)
}

// WithEnumerations returns s with the labels of its enumerations, of those named or of all.
func (a *Array) WithEnumerations(ctx context.Context, s *schema.Array, names ...string) (*schema.Array, error) {
	return a.arr.WithEnumerations(ctx, s, names...)
}

// Enumeration returns one enumeration of the newest schema with its labels.
func (a *Array) Enumeration(ctx context.Context, name string) (*schema.Enumeration, error) {
	return a.arr.Enumeration(ctx, name)
}

// Metadata returns the array's metadata in the interval, sorted by key.
func (a *Array) Metadata(ctx context.Context) ([]format.MetadataEntry, error) {
	return a.arr.Metadata(ctx)
}

// FragmentInfos describes the fragments, oldest first, and returns their readers for the R-trees.
func (a *Array) FragmentInfos(ctx context.Context) ([]array.FragmentInfo, []*fragment.Reader, error) {
	infos, err := a.arr.FragmentInfos(ctx)
	return infos, a.arr.Fragments(), err
}

// Vacuumed returns the names of committed fragments that vacuum files hide.
func (a *Array) Vacuumed() []string { return a.arr.Vacuumed() }

// PutMetadata writes changes of the array's metadata at a time in milliseconds, 0 for now.
func (a *Array) PutMetadata(ctx context.Context, entries []format.MetadataEntry, millis uint64) error {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return err
	}
	return a.arr.PutMetadata(ctx, entries, millis)
}

// Evolve writes a new schema. Evolutions of an array that come at the same time happen one after the other, so that each
// builds on those before it; other programs that evolve it are not waited for.
func (a *Array) Evolve(ctx context.Context, e schema.Evolution) error {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return err
	}
	unlock, err := a.vault.evolving.lock(ctx, a.arr.URI)
	if err != nil {
		return fmt.Errorf("waiting for another evolution: %w", err)
	}
	defer unlock()
	return array.Evolve(ctx, a.arr.FS, a.arr.URI, e)
}

// Write writes cells as one fragment. When it returns without an error they are on disk and visible.
func (a *Array) Write(ctx context.Context, w *query.Write) (query.Written, error) {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return query.Written{}, err
	}
	return query.Submit(ctx, a.arr, w)
}

// Read runs a read within the limits of one query and hands its result to use, whose columns are gone afterwards.
func (a *Array) Read(ctx context.Context, r *query.Read, use func(*query.Result) error) error {
	if err := permit(a.grant, a.asset, access.ArrayRead); err != nil {
		return err
	}
	leave, err := a.vault.total.enter(ctx, a.reserve(r))
	if err != nil {
		return fmt.Errorf("waiting for memory: %w", err)
	}
	defer leave()
	r.Budget = pool.NewBudget(a.vault.limits.QueryBytes)
	var lent []*pool.Buffer
	defer func() {
		for _, b := range lent {
			b.Release()
		}
	}()
	r.Alloc = func(n int) []byte {
		b := pool.Get(n)
		lent = append(lent, b)
		return b.B
	}
	result, err := query.Run(ctx, a.arr, r)
	if err != nil {
		return err
	}
	return use(result)
}

// reserve says how much of the server's memory a read books: what its caller can take, within one query's limit.
func (a *Array) reserve(r *query.Read) int64 {
	var sum int64
	for _, w := range r.Fields {
		for _, n := range []int64{w.DataCap, w.OffsetsCap, w.ValidityCap} {
			if n < 0 || n > a.vault.limits.QueryBytes || sum > a.vault.limits.QueryBytes {
				return a.vault.limits.QueryBytes
			}
			sum += n
		}
	}
	return min(sum, a.vault.limits.QueryBytes)
}

// Estimate returns the sizes that a read would return.
func (a *Array) Estimate(ctx context.Context, r *query.Read) ([]query.Size, error) {
	if err := permit(a.grant, a.asset, access.ArrayRead); err != nil {
		return nil, err
	}
	return query.Estimate(ctx, a.arr, r)
}
