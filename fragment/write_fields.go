package fragment

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/schema"
)

// slots returns where the fields stand in the metadata.
func (w *Writer) slots() format.Slots {
	return format.NewSlots(w.schema, w.opts.Timestamps, w.opts.Deletes)
}

// addFields makes the writers of all fields.
func (w *Writer) addFields() error {
	s, slots := w.schema, w.slots()
	for i := range s.Attributes {
		f := s.AttributeField(i)
		if err := w.addField(f, s.FieldFilters(f), slots.Field(f), "a"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	if s.Type == schema.Dense {
		return nil
	}
	for i := range s.Domain.Dimensions {
		f := s.DimensionField(i)
		if err := w.addField(f, s.FieldFilters(f), slots.Field(f), "d"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	hidden := HiddenFields(w.opts.Timestamps, w.opts.Deletes)
	for i, slot := range hiddenSlots(slots) {
		if err := w.addField(hidden[i], s.CoordsFilters, slot, hiddenFiles[hidden[i].Name]); err != nil {
			return err
		}
	}
	return nil
}

// hiddenFiles has the names of the files of hidden fields.
var hiddenFiles = map[string]string{TimestampsField: "t", DeleteTimestampsField: "dt", DeleteConditionField: "dci"}

// HiddenFields returns the hidden fields of a fragment whose cells have times, and times of deletion, in a new slice.
func HiddenFields(timestamps, deletes bool) []schema.Field {
	var fields []schema.Field
	add := func(name string) {
		fields = append(fields, schema.Field{Name: name, Type: datatype.Uint64, CellValNum: 1})
	}
	if timestamps {
		add(TimestampsField)
	}
	if deletes {
		add(DeleteTimestampsField)
		add(DeleteConditionField)
	}
	return fields
}

// hiddenSlots returns the slots of the hidden fields there are.
func hiddenSlots(slots format.Slots) []int {
	var list []int
	if s := slots.Timestamp(); s >= 0 {
		list = append(list, s)
	}
	if s := slots.DeleteTimestamp(); s >= 0 {
		list = append(list, s, s+1)
	}
	return list
}

// FilteredSizes returns the bytes that each of n tiles would take in the data files of a fragment that Create would make
// with the same schema and options.
func FilteredSizes(ctx context.Context, s *schema.Array, opts WriterOptions, n int, fill Fill) ([]uint64, error) {
	w := &Writer{schema: s, opts: opts}
	if err := w.addFields(); err != nil {
		return nil, err
	}
	sizes := make([]atomic.Uint64, n)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, opts.Threads))
	for tile := range n {
		group.Go(func() error {
			for i, f := range w.fields {
				b := batch{first: tile, n: 1, pieces: 1}
				if err := f.encode(gctx, &b, i, fill); err != nil {
					return fmt.Errorf("field %q: %w", f.field.Name, err)
				}
				sizes[tile].Add(uint64(len(b.fixed) + len(b.vars) + len(b.validity)))
			}
			return nil
		})
	}
	err := group.Wait()
	out := make([]uint64, n)
	for i := range sizes {
		out[i] = sizes[i].Load()
	}
	return out, err
}
