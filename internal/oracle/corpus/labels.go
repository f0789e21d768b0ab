package main

import (
	"context"
	"maps"
	"slices"

	"azulejo/array"
	"azulejo/label"
	"azulejo/query"
	"azulejo/schema"
)

// labelled is what a read says about dimension labels.
type labelled struct {
	// fields are the labels to read.
	fields []*schema.DimensionLabel
	// ranges has the coordinates that ranges of labels stand for, by dimension.
	ranges map[uint32][]schema.Range
}

// withoutLabels returns a read without what it says about labels, and that. Ranges of labels are looked up.
func withoutLabels(ctx context.Context, a *array.Array, rd *read) (*read, *labelled, error) {
	plain, l := *rd, &labelled{ranges: map[uint32][]schema.Range{}}
	plain.Ranges = maps.Clone(rd.Ranges)
	for _, name := range sortedKeys(rd.Ranges) {
		d := a.Schema.Label(name)
		if d == nil {
			continue
		}
		var ranges []schema.Range
		for _, r := range rd.Ranges[name] {
			lo, err := pack(d.Type, r[0])
			if err != nil {
				return nil, nil, err
			}
			hi, err := pack(d.Type, r[1])
			if err != nil {
				return nil, nil, err
			}
			ranges = append(ranges, schema.Range{Lo: lo, Hi: hi})
		}
		var err error
		if l.ranges[d.Dimension], err = label.Find(ctx, a, name, ranges); err != nil {
			return nil, nil, err
		}
		delete(plain.Ranges, name)
	}
	plain.Fields = slices.DeleteFunc(slices.Clone(rd.Fields), func(name string) bool {
		d := a.Schema.Label(name)
		if d != nil {
			l.fields = append(l.fields, d)
		}
		return d != nil
	})
	return &plain, l, nil
}

// restrict puts the coordinates found into a query.
func (l *labelled) restrict(a *array.Array, q *query.Read) {
	if q.Subarray.Ranges == nil && len(l.ranges) > 0 {
		q.Subarray.Ranges = make([][]schema.Range, len(a.Schema.Domain.Dimensions))
	}
	for d, ranges := range l.ranges {
		q.Subarray.Ranges[d] = ranges
	}
}

// add reads the labels at the coordinates of a query.
func (l *labelled) add(ctx context.Context, a *array.Array, q *query.Read, out *cells) error {
	for _, d := range l.fields {
		var at []schema.Range
		if q.Subarray.Ranges != nil {
			at = q.Subarray.Ranges[d.Dimension]
		}
		column, err := label.Read(ctx, a, d.Name, at)
		if err != nil {
			return err
		}
		out.columns = append(out.columns, column)
		out.fields = append(out.fields, schema.Field{Name: d.Name, Type: d.Type, CellValNum: d.CellValNum})
	}
	return nil
}
