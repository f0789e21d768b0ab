package fragment

import (
	"context"
	"fmt"
	"sync/atomic"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
)

// Field gives access to the tiles of one field of a fragment. Safe for concurrent use.
type Field struct {
	// Field is the field as the fragment's own schema has it.
	schema.Field
	r    *Reader
	slot int
	// fixed filters the values of fixed cells or the offsets of var cells, vars the values of var cells.
	fixed, vars, validity *filter.Codec
	places                atomic.Pointer[places]
	stats                 [4]atomic.Pointer[statistic]
}

// The names of the lists of one number per tile, in errors.
const (
	tileOffsetsPart = "tile offsets"
	varOffsetsPart  = "tile var offsets"
	varSizesPart    = "tile var sizes"
)

// Field returns the field of that name; false when the fragment's schema has none.
func (r *Reader) Field(name string) (*Field, bool, error) {
	f, ok := r.Schema().Field(name)
	if !ok || f.Dimension && r.footer.Dense {
		return nil, false, nil
	}
	slot := r.slots.Field(f)
	place := slot
	if f.Dimension && slot == r.slots.Coords() {
		place = r.slots.Len() + f.Index
	}
	if known := r.fields[place].Load(); known != nil {
		return known, true, nil
	}
	field, err := r.newField(f, slot)
	if err != nil {
		return nil, false, err
	}
	r.fields[place].CompareAndSwap(nil, field)
	return r.fields[place].Load(), true, nil
}

// The hidden fields of consolidated sparse fragments, each a UINT64 per cell; libtiledb calls them the same.
const (
	// TimestampsField has the time in milliseconds since 1970 that a cell was written at. Where a fragment lacks it, all
	// its cells have its own start timestamp.
	TimestampsField = "__timestamps"
	// DeleteTimestampsField has the time that a cell was deleted at, the largest number for cells that were not.
	DeleteTimestampsField = "__delete_timestamps"
	// DeleteConditionField has the place among ProcessedConditions of the delete that removed a cell, the largest number
	// for cells that were not deleted.
	DeleteConditionField = "__delete_condition_index"
)

// Hidden returns a hidden field; false when the fragment lacks it, or there is none of that name.
func (r *Reader) Hidden(name string) (*Field, bool, error) {
	slot := -1
	switch name {
	case TimestampsField:
		slot = r.slots.Timestamp()
	case DeleteTimestampsField:
		slot = r.slots.DeleteTimestamp()
	case DeleteConditionField:
		if slot = r.slots.DeleteTimestamp(); slot >= 0 {
			slot++
		}
	}
	if slot < 0 {
		return nil, false, nil
	}
	if known := r.fields[slot].Load(); known != nil {
		return known, true, nil
	}
	f := schema.Field{Name: name, Type: datatype.Uint64, CellValNum: 1}
	codec, err := filter.NewCodecAt(r.footer.Version, r.Schema().CoordsFilters, f.Type, f.CellSize())
	if err != nil {
		return nil, false, r.fieldError(&f, err)
	}
	r.fields[slot].CompareAndSwap(nil, &Field{Field: f, r: r, slot: slot, fixed: codec.WithKey(r.key)})
	return r.fields[slot].Load(), true, nil
}

// ProcessedConditions returns the paths, relative to the array, of the delete commits that were applied to the cells of
// the fragment when it was made; none where the metadata has no such list. The slice must not be modified.
func (r *Reader) ProcessedConditions(ctx context.Context) ([]string, error) {
	pos := r.footer.Parts.ProcessedConditions
	if pos == 0 {
		return nil, nil
	}
	if known := r.processed.Load(); known != nil {
		return *known, nil
	}
	var paths []string
	err := r.part(ctx, pos, func(b []byte) (err error) {
		paths, err = r.footer.DecodeProcessedConditions(b)
		return err
	})
	if err == nil {
		r.processed.Store(&paths)
	}
	return paths, err
}

func (r *Reader) newField(f schema.Field, slot int) (*Field, error) {
	s, version := r.Schema(), r.footer.Version
	out := &Field{Field: f, r: r, slot: slot}
	size := valueSize(&f)
	if out.zipped() {
		size = out.zippedSize()
	}
	values, err := filter.NewCodecAt(version, s.FieldFilters(f), f.Type, size)
	if err != nil {
		return nil, r.fieldError(&f, err)
	}
	out.fixed = values
	if f.Var() {
		out.vars = values
		if out.fixed, err = filter.NewCodecAt(version, s.OffsetsFilters, datatype.Uint64, 8); err != nil {
			return nil, r.fieldError(&f, fmt.Errorf("offsets: %w", err))
		}
	}
	if f.Nullable {
		if out.validity, err = filter.NewCodecAt(version, s.ValidityFilters, datatype.Uint8, 1); err != nil {
			return nil, r.fieldError(&f, fmt.Errorf("validity: %w", err))
		}
	}
	out.fixed, out.vars, out.validity = out.fixed.WithKey(r.key), out.vars.WithKey(r.key), out.validity.WithKey(r.key)
	return out, nil
}

// valueSize returns the cell size that the codec of a field's values works with.
func valueSize(f *schema.Field) int {
	if f.Var() {
		return f.Type.Size()
	}
	return f.CellSize()
}

func (r *Reader) fieldError(f *schema.Field, err error) error {
	return fmt.Errorf("fragment %s: field %q: %w", r.uri, f.Name, err)
}

// Reader returns the fragment that the field belongs to.
func (f *Field) Reader() *Reader { return f.r }

// numbers decodes a list of one number per tile.
func (f *Field) numbers(ctx context.Context, positions []uint64, part string) ([]uint64, error) {
	if f.r.oldest != nil {
		return f.oldestNumbers(part)
	}
	if f.slot >= len(positions) {
		return nil, f.r.corrupt("field %q has no %s", f.Name, part)
	}
	var out []uint64
	err := f.r.part(ctx, positions[f.slot], func(b []byte) (err error) {
		out, err = f.r.footer.DecodeNumbers(b, part, false)
		return err
	})
	if err != nil {
		return nil, f.r.fieldError(&f.Field, err)
	}
	return out, f.checkCount(out, part)
}

// checkCount refuses a list that has not one number per tile.
func (f *Field) checkCount(list []uint64, part string) error {
	if n := f.r.NumTiles(); uint64(len(list)) != n {
		return f.r.corrupt("field %q has %d %s for %d tiles", f.Name, len(list), part, n)
	}
	return nil
}

// uri returns the place of one of the field's data files.
func (f *Field) uri(kind format.FileKind) string {
	return vfs.Join(f.r.uri, f.r.footer.FileName(f.slot, kind))
}

// TakesOffsets reports whether the offsets of the field's var cells are stored with the values, so that reading them
// alone is not possible.
func (f *Field) TakesOffsets() bool { return f.vars != nil && f.vars.TakesOffsets() }
