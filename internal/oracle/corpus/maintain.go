package main

import (
	"context"
	"fmt"
	"strconv"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/schema"
)

// consolidate performs a consolidation, and the vacuum that the step asks for after it.
func (r *replayer) consolidate(ctx context.Context, uri string, s *step) error {
	mode, err := consolidate.ParseMode(s.Mode)
	if err != nil {
		return err
	}
	o, err := consolidateOptions(s.Config)
	if err != nil {
		return err
	}
	o.Key = r.key
	if s.FragmentCount > 0 {
		if o.Names, err = r.namedFragments(ctx, uri, s.FragmentCount); err != nil {
			return err
		}
	}
	if err := consolidate.Run(ctx, fs, uri, mode, o); err != nil || !s.Vacuum {
		return err
	}
	return consolidate.Vacuum(ctx, fs, uri, mode)
}

// namedFragments returns the names of the fragments that a step lists. The corpus takes the oldest ones of dense arrays and
// leaves out the first one of sparse arrays.
func (r *replayer) namedFragments(ctx context.Context, uri string, n int) ([]string, error) {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.WithKey(r.key))
	if err != nil {
		return nil, err
	}
	first := 0
	if a.Schema.Type == schema.Sparse {
		first = 1
	}
	var names []string
	for _, f := range a.Fragments()[first : first+n] {
		names = append(names, f.Name().String())
	}
	return names, nil
}

func (r *replayer) vacuum(ctx context.Context, uri, name string) error {
	mode, err := consolidate.ParseMode(name)
	if err != nil {
		return err
	}
	return consolidate.Vacuum(ctx, fs, uri, mode)
}

// consolidateOptions turns libtiledb's settings into options.
func consolidateOptions(settings map[string]string) (o consolidate.Options, err error) {
	number := func(s string) uint64 {
		v, e := strconv.ParseUint(s, 10, 64)
		if e != nil {
			err = e
		}
		return v
	}
	float := func(s string) float64 {
		v, e := strconv.ParseFloat(s, 64)
		if e != nil {
			err = e
		}
		return v
	}
	for key, value := range settings {
		switch key {
		case "sm.consolidation.steps":
			o.Steps = uint32(number(value))
		case "sm.consolidation.step_min_frags":
			o.MinFragments = uint32(number(value))
		case "sm.consolidation.step_max_frags":
			o.MaxFragments = uint32(number(value))
		case "sm.consolidation.step_size_ratio":
			o.SizeRatio = float32(float(value))
		case "sm.consolidation.amplification":
			o.Amplification = float(value)
		case "sm.consolidation.max_fragment_size":
			o.MaxFragmentSize = number(value)
		case "sm.consolidation.purge_deleted_cells":
			o.Purge = value == "true"
		default:
			return o, fmt.Errorf("unknown setting %q", key)
		}
	}
	return o, err
}
