package fragment

import (
	"context"

	"azulejo/format"
)

// statistic is one list of per-tile statistics of a field.
type statistic struct {
	values  format.TileValues
	numbers []uint64
}

// The lists, as indexes of Field.stats.
const (
	statMins = iota
	statMaxes
	statSums
	statNulls
)

// MinMax returns the smallest and the largest valid value of a tile as the metadata has them, sharing memory; nil when it
// has none. What they are worth depends on the type: those of floats are not bounds once a NaN is among the cells, and
// those of var-sized texts in dense fragments may belong to other tiles. For a tile without valid values they are exchanged.
func (f *Field) MinMax(ctx context.Context, tile uint64) (lo, hi []byte, err error) {
	mins, err := f.values(ctx, statMins, f.r.footer.Parts.Mins)
	if err != nil {
		return nil, nil, err
	}
	maxes, err := f.values(ctx, statMaxes, f.r.footer.Parts.Maxes)
	if err != nil {
		return nil, nil, err
	}
	n := int(f.r.NumTiles())
	return mins.values.Value(int(tile), n, f.Var()), maxes.values.Value(int(tile), n, f.Var()), nil
}

// Sum returns the sum of the valid values of a tile: an int64, uint64 or the bits of a float64, by the field's type, at
// its limit when it overflowed; false when the metadata has none.
func (f *Field) Sum(ctx context.Context, tile uint64) (uint64, bool, error) {
	return f.number(ctx, statSums, f.r.footer.Parts.Sums, "tile sums", tile)
}

// Nulls returns the number of null cells of a tile; false when the metadata has none.
func (f *Field) Nulls(ctx context.Context, tile uint64) (uint64, bool, error) {
	return f.number(ctx, statNulls, f.r.footer.Parts.NullCounts, "tile null counts", tile)
}

func (f *Field) values(ctx context.Context, which int, positions []uint64) (*statistic, error) {
	if s := f.stats[which].Load(); s != nil {
		return s, nil
	}
	s := &statistic{}
	if f.slot < len(positions) {
		err := f.r.part(ctx, positions[f.slot], func(b []byte) (err error) {
			s.values, err = f.r.footer.DecodeTileValues(b, f.slot)
			return err
		})
		if err != nil {
			return nil, f.r.fieldError(&f.Field, err)
		}
	}
	f.stats[which].CompareAndSwap(nil, s)
	return f.stats[which].Load(), nil
}

func (f *Field) number(ctx context.Context, which int, positions []uint64, part string, tile uint64) (uint64, bool, error) {
	s := f.stats[which].Load()
	if s == nil {
		s = &statistic{}
		if f.slot < len(positions) {
			err := f.r.part(ctx, positions[f.slot], func(b []byte) (err error) {
				s.numbers, err = f.r.footer.DecodeNumbers(b, part, true)
				return err
			})
			if err != nil {
				return 0, false, f.r.fieldError(&f.Field, err)
			}
		}
		f.stats[which].CompareAndSwap(nil, s)
	}
	if tile >= uint64(len(s.numbers)) {
		return 0, false, nil
	}
	return s.numbers[tile], true, nil
}
