package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"azulejo/array"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/schema"
	"azulejo/vfs"
)

// Submit writes the cells of w into a as one new fragment and commits it: when Submit returns without an error, the cells
// are durable and every later open sees them; before, and after an error, none do. Everything about w is checked before
// anything is written; such errors wrap ErrInvalid and name the field or dimension. An unordered write of no cells makes
// no fragment. Submit keeps nothing of w.
//
// Dense arrays take RowMajor, ColMajor and GlobalOrder, sparse ones Unordered and GlobalOrder.
func Submit(ctx context.Context, a *array.Array, w *Write) (Written, error) {
	if err := checkWrite(a, w); err != nil {
		return Written{}, err
	}
	if w.Layout == schema.GlobalOrder {
		return submitGlobal(ctx, a, w)
	}
	name, done, err := chooseName(ctx, a, w)
	if err != nil || done {
		return written(name), err
	}
	if a.Schema.Type == schema.Dense {
		return submitDense(ctx, a, w, name)
	}
	return submitUnordered(ctx, a, w, name)
}

// checkWrite refuses what cannot be written to the array whatever the columns hold.
func checkWrite(a *array.Array, w *Write) error {
	if err := a.CheckWritable(); err != nil {
		return err
	}
	s := a.Schema
	for i := range s.Attributes {
		if s.Attributes[i].Order != schema.UnorderedData && w.Layout == schema.GlobalOrder {
			return fmt.Errorf("%w: attribute %q, whose values are ordered (a dimension label), is not written in global order",
				ErrInvalid, s.Attributes[i].Name)
		}
	}
	ordered := w.Layout == schema.RowMajor || w.Layout == schema.ColMajor
	switch {
	case w.Layout == schema.GlobalOrder && w.Hold:
		return fmt.Errorf("%w: a write in global order is one fragment and cannot be held back", ErrInvalid)
	case w.Layout == schema.GlobalOrder:
	case s.Type == schema.Dense && !ordered:
		return fmt.Errorf("%w: writes to dense arrays are in row-major, col-major or global order", ErrInvalid)
	case s.Type == schema.Sparse && w.Layout != schema.Unordered:
		return fmt.Errorf("%w: writes to sparse arrays are unordered or in global order", ErrInvalid)
	}
	if s.Type == schema.Sparse && w.Subarray.Ranges != nil {
		return fmt.Errorf("%w: writes to sparse arrays take no subarray", ErrInvalid)
	}
	return nil
}

// chooseName returns the name of the fragment to write. done tells that the fragment of that name is committed already;
// what an uncommitted try of that name left is removed.
func chooseName(ctx context.Context, a *array.Array, w *Write) (name format.Name, done bool, err error) {
	if w.Fragment == "" {
		at := w.Timestamp
		if at == 0 {
			at = uint64(time.Now().UnixMilli())
		}
		return format.NewName(at, at, format.Version), false, nil
	}
	if name, err = format.ParseName(w.Fragment); err != nil {
		return name, false, fmt.Errorf("%w: fragment name: %w", ErrInvalid, err)
	}
	if name.Version != format.Version || name.String() != w.Fragment {
		return name, false, fmt.Errorf("%w: %q is not the name of a fragment of version %d", ErrInvalid, w.Fragment, format.Version)
	}
	if done, err = array.Committed(ctx, a.FS, a.URI, w.Fragment); err != nil || done {
		return name, done, err
	}
	return name, false, a.FS.Remove(ctx, vfs.Join(a.URI, "__fragments", w.Fragment))
}

func written(name format.Name) Written {
	return Written{Fragment: name.String(), Start: name.Start, End: name.End}
}

// writeFragment makes one fragment of n tiles and commits it, unless the write holds that back.
func writeFragment(ctx context.Context, a *array.Array, w *Write, name format.Name, opts fragment.WriterOptions, n int, fill fragment.Fill) (Written, error) {
	opts.Key = a.Key()
	f, err := fragment.Create(ctx, a.FS, a.URI, a.Schema, name.String(), opts)
	if err != nil {
		return Written{}, classify(err)
	}
	if err = f.Append(ctx, n, fill); err == nil {
		err = f.Finish(ctx)
	}
	if err != nil {
		return Written{}, errors.Join(classify(err), f.Abort(ctx))
	}
	if w.Hold {
		return written(name), nil
	}
	return publish(ctx, a, name)
}

// classify gives errors of filters their class here: values that a filter refuses are the caller's fault, filters that
// the build lacks the array's.
func classify(err error) error {
	switch {
	case errors.Is(err, filter.ErrUnfilterable):
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	case errors.Is(err, filter.ErrUnsupported):
		return fmt.Errorf("%w: %w", array.ErrUnsupported, err)
	}
	return err
}

// publish commits a finished fragment. After an error nobody knows whether the commit file is there, so the fragment
// stays: without the file it is invisible, with it it is whole.
func publish(ctx context.Context, a *array.Array, name format.Name) (Written, error) {
	if err := array.Commit(ctx, a.FS, a.URI, name.String()); err != nil {
		return Written{}, err
	}
	return written(name), nil
}

// writtenFields returns the fields that a write gives, as fragment.Writer orders them: attributes, then, when sparse,
// dimensions.
func writtenFields(s *schema.Array) []schema.Field {
	fields := make([]schema.Field, 0, len(s.Attributes)+len(s.Domain.Dimensions))
	for i := range s.Attributes {
		fields = append(fields, s.AttributeField(i))
	}
	if s.Type == schema.Sparse {
		for i := range s.Domain.Dimensions {
			fields = append(fields, s.DimensionField(i))
		}
	}
	return fields
}

// checkCurrentDomain tells whether cells in the box lie in the part of the domain in use. Unlike the check of the domain
// it cannot be switched off.
func checkCurrentDomain(s *schema.Array, box []schema.Range) error {
	for i, r := range s.CurrentDomain.Active() {
		d := &s.Domain.Dimensions[i]
		if !d.Contains(r, box[i]) {
			return fmt.Errorf("%w: cells are written outside of the current domain: %s on dimension %q, which is in use for %s",
				ErrInvalid, rangeText(d, box[i]), d.Name, rangeText(d, r))
		}
	}
	return nil
}
