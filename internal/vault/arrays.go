package vault

import (
	"context"
	"errors"
	"fmt"
	"math"

	"azulejo/array"
	"azulejo/format"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/pool"
	"azulejo/label"
	"azulejo/query"
	"azulejo/schema"
)

// Array is an array opened under a grant, as it was in an interval of time. It is for use by one request.
type Array struct {
	vault *Vault
	grant access.Grant
	asset catalog.Asset
	arr   *array.Array
	// part is what the grant covers of it, nil for all.
	part *shared
	// suspended is what Suspend keeps.
	suspended array.Hold
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

func (v *Vault) open(ctx context.Context, g access.Grant, a catalog.Asset, at array.Interval, opts ...array.Option) (*Array, error) {
	if err := permitPart(g, a, access.ArrayRead, access.ArrayWrite, access.ArrayFind, access.ArrayDelete, access.ArrayDescribe, access.ArraySchema, access.ArrayShare); err != nil {
		return nil, err
	}
	where, err := v.catalog.Locate(ctx, g, a)
	if err != nil {
		return nil, err
	}
	key, err := v.key(a)
	if err != nil {
		return nil, err
	}
	arr, err := array.Open(ctx, v.fs, where.URI(), at, append(opts, array.WithCache(v.cache), array.WithKey(key))...)
	if err != nil {
		return nil, withheld(g, err)
	}
	if kind := TypeName(arr.Schema.Type); a.ArrayType != kind && a.Part() == "" {
		// The entry of a registered array learns its type at the first open.
		if err := v.catalog.SetArrayType(ctx, g, a, kind); err != nil {
			return nil, err
		}
	}
	p, err := sharedPart(ctx, g, arr)
	if err != nil {
		return nil, err
	}
	return &Array{vault: v, grant: g, asset: a, arr: arr, part: p}, nil
}

// At returns the interval the array was opened at; now was replaced by the time of opening.
func (a *Array) At() array.Interval { return a.arr.At }

// PutMetadata writes changes of the array's metadata at a time in milliseconds, 0 for now.
func (a *Array) PutMetadata(ctx context.Context, entries []format.MetadataEntry, millis uint64) error {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return err
	}
	return a.arr.PutMetadata(ctx, entries, millis)
}

// Evolve writes a new schema. Evolutions of an array that come at the same time happen one after the other, so that each
// builds on those before it, also when they come to several servers; other programs that evolve it are not waited for.
func (a *Array) Evolve(ctx context.Context, e schema.Evolution) error {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return err
	}
	return a.vault.alone(ctx, a.vault.evolving, a.arr.URI, func() error {
		return array.Evolve(ctx, a.arr.FS, a.arr.URI, e, array.WithKey(a.arr.Key()))
	})
}

// Write writes cells as one fragment. When it returns without an error they are on disk and visible.
func (a *Array) Write(ctx context.Context, w *query.Write) (query.Written, error) {
	if err := permit(a.grant, a.asset, access.ArrayWrite); err != nil {
		return query.Written{}, err
	}
	return label.Submit(ctx, a.arr, w)
}

// Selection is what a read selects and returns by things that package query does not know.
type Selection struct {
	// LabelRanges has ranges of dimension labels by name, in place of ranges of coordinates.
	LabelRanges map[string][]schema.Range
	// Labels are the labels to return.
	Labels []query.Want
	// Check gets the coordinates that label ranges stand for, by dimension, before cells are read. Nil takes any.
	Check func([][]schema.Range) error
	// CurrentDomain takes the place of the array's own, if there is one: a client may make its copy of the schema narrower.
	CurrentDomain *schema.CurrentDomain
}

// Read runs a read within the limits of one query and hands its result to use, whose columns are gone afterwards. Those of
// labels come last. A read of labels alone has no cells. It waits in turn with others for memory; the error wraps
// gate.ErrBusy when too many wait.
func (a *Array) Read(ctx context.Context, r *query.Read, sel Selection, use func(*query.Result) error) error {
	if err := permitPart(a.grant, a.asset, access.ArrayRead); err != nil {
		return err
	}
	if err := a.limit(r, sel); err != nil {
		return err
	}
	want := a.reserve(r)
	pass, err := a.vault.enter(ctx, a.grant, want)
	if err != nil {
		return err
	}
	defer func() {
		if pass != nil {
			pass.Leave()
		}
	}()
	r.Budget = pool.NewGrowingBudget(a.vault.limits.QueryBytes, want, pass.Grow)
	var lent []*pool.Buffer
	giveBack := func() {
		for _, b := range lent {
			b.Release()
		}
		lent = nil
	}
	defer func() { giveBack() }()
	r.Alloc = func(n int) []byte {
		b := pool.Get(n)
		lent = append(lent, b)
		return b.B
	}
	columns, err := a.selection(ctx, r, sel)
	if err != nil {
		return err
	}
	result, err := a.run(ctx, r)
	if errors.Is(err, pool.ErrBudget) && pass.Refused() && len(columns) == 0 {
		// Others held what was missing: wait until one query's whole share is free.
		giveBack()
		pass.Leave()
		if pass, err = a.vault.enter(ctx, a.grant, a.vault.limits.QueryBytes); err != nil {
			return err
		}
		r.Budget = pool.NewBudget(a.vault.limits.QueryBytes)
		result, err = a.run(ctx, r)
	}
	if err != nil {
		return err
	}
	pass.Computed()
	result.Columns = append(result.Columns, columns...)
	return use(result)
}

// run reads the cells of a read, if it wants any.
func (a *Array) run(ctx context.Context, r *query.Read) (*query.Result, error) {
	if len(r.Fields)+len(r.Aggregates) == 0 {
		return &query.Result{}, nil
	}
	result, err := query.Run(ctx, a.arr, r)
	return result, withheld(a.grant, err)
}

// selection applies what package query does not know to a read, and returns the labels of its region.
func (a *Array) selection(ctx context.Context, r *query.Read, sel Selection) ([]query.Column, error) {
	if err := a.narrow(sel.CurrentDomain); err != nil {
		return nil, err
	}
	reader := label.Reader{Offsets: r.Offsets, Budget: r.Budget, Alloc: r.Alloc}
	if len(sel.LabelRanges) > 0 {
		region := make([][]schema.Range, len(a.arr.Schema.Domain.Dimensions))
		copy(region, r.Subarray.Ranges)
		for name, ranges := range sel.LabelRanges {
			coordinates, err := reader.Find(ctx, a.arr, name, ranges)
			if err != nil {
				return nil, err
			}
			region[a.arr.Schema.Label(name).Dimension] = coordinates
		}
		r.Subarray.Ranges = region
		if sel.Check != nil {
			if err := sel.Check(region); err != nil {
				return nil, err
			}
		}
	}
	var columns []query.Column
	for _, w := range sel.Labels {
		var coordinates []schema.Range
		if d := int(a.arr.Schema.Label(w.Name).Dimension); d < len(r.Subarray.Ranges) {
			coordinates = r.Subarray.Ranges[d]
		}
		column, err := reader.Read(ctx, a.arr, w, coordinates)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	return columns, nil
}

// narrow gives the array of this request another current domain.
func (a *Array) narrow(c *schema.CurrentDomain) error {
	if c.Active() == nil {
		return nil
	}
	s := *a.arr.Schema
	if err := c.Check(&s.Domain); err != nil {
		return fmt.Errorf("the current domain of the query's schema: %w", err)
	}
	s.CurrentDomain = c
	a.arr.Schema = &s
	return nil
}

// reserve says how much of the server's memory a read books before it begins: what its caller can take, within one query's
// limit; of a sparse array no more than all its cells, for clients offer the same large buffers whatever they read. What the
// read turns out to need beyond that it asks for later.
func (a *Array) reserve(r *query.Read) int64 {
	cells := int64(math.MaxInt64)
	if a.arr.Schema.Type == schema.Sparse {
		cells = 0
		for _, f := range a.arr.Fragments() {
			cells += int64(min(f.Footer().NumCells(), 1<<40))
		}
	}
	var sum int64
	for _, w := range r.Fields {
		width := int64(math.MaxInt64)
		if f, ok := a.arr.Schema.Field(w.Name); ok && !f.Var() {
			width = int64(f.CellSize())
		}
		for _, part := range []struct{ limit, width int64 }{{w.DataCap, width}, {w.OffsetsCap, 8}, {w.ValidityCap, 1}} {
			n := part.limit
			if cells < math.MaxInt64/part.width-1 && (n < 0 || n > (cells+1)*part.width) {
				n = (cells + 1) * part.width
			}
			if n < 0 || n > a.vault.limits.QueryBytes || sum > a.vault.limits.QueryBytes {
				return a.vault.limits.QueryBytes
			}
			sum += n
		}
	}
	return min(sum, a.vault.limits.QueryBytes)
}

// Estimate returns the sizes that a read would return of its fields; r gets the coordinates that labels stand for.
func (a *Array) Estimate(ctx context.Context, r *query.Read, sel Selection) ([]query.Size, error) {
	if err := permitPart(a.grant, a.asset, access.ArrayRead); err != nil {
		return nil, err
	}
	if err := a.limit(r, sel); err != nil {
		return nil, err
	}
	r.Budget = pool.NewBudget(a.vault.limits.QueryBytes)
	sel.Labels = nil
	if _, err := a.selection(ctx, r, sel); err != nil {
		return nil, err
	}
	r.Budget = nil
	if a.part != nil { // its cells are read
		pass, err := a.vault.enter(ctx, a.grant, a.vault.limits.QueryBytes)
		if err != nil {
			return nil, err
		}
		defer pass.Leave()
		r.Budget = pool.NewBudget(a.vault.limits.QueryBytes)
	}
	sizes, err := query.Estimate(ctx, a.arr, r)
	return sizes, withheld(a.grant, err)
}
