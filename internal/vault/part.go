package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/part"
	"azulejo/internal/pool"
	"azulejo/query"
	"azulejo/schema"
)

// shared is the part of an array that a grant covers (decision 140): what of the schema is shown, and what reads are of.
type shared struct {
	within *query.Restriction
	shown  *schema.Array
	keys   []string
}

// permitPart is permit for what can be done to a part of an array: whoever asks it applies the part.
func permitPart(g access.Grant, a catalog.Asset, actions ...access.Action) error {
	if g.Part() == "" {
		return permit(g, a, actions...)
	}
	if !slices.Contains(actions, g.Action()) {
		return fmt.Errorf("%w: the grant is for another action", access.ErrDenied)
	}
	if a.Part() != "" {
		return fmt.Errorf("%w: only a part of the array is shared to you, and its dimension labels are none of it", access.ErrDenied)
	}
	return g.Permits(g.Action(), a.ID)
}

// sharedPart returns what a grant covers of an open array, nil for all of it. What no longer fits opens nothing: the error is
// of class access.ErrDenied.
func sharedPart(ctx context.Context, g access.Grant, arr *array.Array) (*shared, error) {
	if g.Part() == "" {
		return nil, nil
	}
	s := arr.Schema
	// What does not fit is not named: it may be what the part withholds.
	misfit := fmt.Errorf("%w: the part of the array that is shared to you cannot be told from the rest, because the array has changed or is opened at a time at which it was another; "+
		"its owner can share it anew", access.ErrDenied)
	words, err := part.Decode([]byte(g.Part()))
	if err != nil {
		return nil, misfit
	}
	if names := words.Labels(s); len(names) > 0 {
		if s, err = arr.WithEnumerations(ctx, s, names...); err != nil {
			return nil, withheld(g, err)
		}
	}
	p := &shared{keys: words.Metadata}
	if p.within, err = words.Restriction(s); err != nil {
		return nil, misfit
	}
	if p.shown, err = p.within.Schema(arr.Schema); err != nil {
		return nil, misfit
	}
	if c := p.within.Condition; c != nil {
		if _, err := c.Check(s); err != nil {
			return nil, misfit
		}
	}
	return p, nil
}

// partError is an error about an array to who may see only a part of it: of the same classes, without what its text tells of files,
// their times, and fields.
type partError struct{ err error }

func (e *partError) Error() string {
	return "the array cannot be read; its owner is told the reason when he reads it"
}

// Is reports whether the error is of a class.
func (e *partError) Is(class error) bool { return errors.Is(e.err, class) }

// withheld returns what of an error may be told under a grant. Faults of a query are those of its author, and told.
func withheld(g access.Grant, err error) error {
	if err == nil || g.Part() == "" {
		return err
	}
	for _, told := range []error{query.ErrInvalid, condition.ErrInvalid, access.ErrDenied} {
		if errors.Is(err, told) {
			return err
		}
	}
	return &partError{err}
}

// Fit checks which part of an array is to be shared, given as JSON, against the newest schema, and returns the text to share
// it with. The grant is for sharing. The error is of class part.ErrInvalid.
func (v *Vault) Fit(ctx context.Context, g access.Grant, a catalog.Asset, text []byte) (string, error) {
	words, err := part.Decode(text)
	if err != nil {
		return "", err
	}
	arr, err := v.open(ctx, g, a, array.Latest(), array.SchemaOnly())
	if err != nil {
		return "", err
	}
	s := arr.Schema()
	if names := words.Labels(s); len(names) > 0 {
		if s, err = arr.WithEnumerations(ctx, s, names...); err != nil {
			return "", err
		}
	}
	return words.Fit(s)
}

// Schema returns the newest schema of the interval, without labels of enumerations: of a part of an array what of it is shown.
// It must not be modified.
func (a *Array) Schema() *schema.Array {
	if a.part != nil {
		return a.part.shown
	}
	return a.arr.Schema
}

// Schemas returns every schema that the array has had, by file name; of a part the newest of the interval alone.
func (a *Array) Schemas(ctx context.Context) (map[string]*schema.Array, error) {
	if a.part != nil {
		return map[string]*schema.Array{a.part.shown.Name: a.part.shown}, nil
	}
	return a.arr.Schemas(ctx)
}

// WithEnumerations returns s, which is one of Schema or Schemas, with the labels of its enumerations, of those named or of all.
func (a *Array) WithEnumerations(ctx context.Context, s *schema.Array, names ...string) (*schema.Array, error) {
	if a.part != nil {
		s = a.part.shown
	}
	loaded, err := a.arr.WithEnumerations(ctx, s, names...)
	return loaded, withheld(a.grant, err)
}

// Enumeration returns one enumeration of the newest schema with its labels.
func (a *Array) Enumeration(ctx context.Context, name string) (*schema.Enumeration, error) {
	if a.part != nil && !slices.Contains(a.part.shown.EnumerationNames, name) {
		return nil, fmt.Errorf("%w: no enumeration %q", array.ErrInvalid, name)
	}
	e, err := a.arr.Enumeration(ctx, name)
	return e, withheld(a.grant, err)
}

// Metadata returns the array's metadata in the interval, sorted by key; of a part those that are shared with it.
func (a *Array) Metadata(ctx context.Context) ([]format.MetadataEntry, error) {
	if a.part != nil && len(a.part.keys) == 0 {
		return nil, nil
	}
	entries, err := a.arr.Metadata(ctx)
	if a.part == nil {
		return entries, err
	}
	return slices.DeleteFunc(entries, func(e format.MetadataEntry) bool { return !slices.Contains(a.part.keys, e.Key) }), withheld(a.grant, err)
}

// FragmentInfos describes the fragments, oldest first, and returns their readers for the R-trees. Of a part there are none to
// see: their number, sizes and times are those of the whole array.
func (a *Array) FragmentInfos(ctx context.Context) ([]array.FragmentInfo, []*fragment.Reader, error) {
	if a.part != nil {
		return nil, nil, nil
	}
	infos, err := a.arr.FragmentInfos(ctx)
	return infos, a.arr.Fragments(), err
}

// Vacuumed returns the names of committed fragments that vacuum files hide; of a part none.
func (a *Array) Vacuumed() []string {
	if a.part != nil {
		return nil
	}
	return a.arr.Vacuumed()
}

// NonEmptyDomain returns one range per dimension, or nil when there are no cells. Of a part it is what query.NonEmptyDomain
// says, for which cells may have to be read, in turn with other queries.
func (a *Array) NonEmptyDomain(ctx context.Context) ([]schema.Range, error) {
	if a.part == nil {
		return a.arr.NonEmptyDomain(), nil
	}
	pass, err := a.vault.enter(ctx, a.grant, a.vault.limits.QueryBytes)
	if err != nil {
		return nil, err
	}
	defer pass.Leave()
	box, err := query.NonEmptyDomain(ctx, a.arr, a.part.within, pool.NewBudget(a.vault.limits.QueryBytes))
	return box, withheld(a.grant, err)
}

// limit makes a read one of what the grant covers.
func (a *Array) limit(r *query.Read, sel Selection) error {
	if a.part == nil {
		return nil
	}
	if len(sel.Labels)+len(sel.LabelRanges) > 0 {
		return fmt.Errorf("%w: only a part of the array is shared to you, which has no dimension labels", access.ErrDenied)
	}
	r.Within = a.part.within
	return nil
}
