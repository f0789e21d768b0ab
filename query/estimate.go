package query

import (
	"context"
	"math"
	"math/bits"

	"azulejo/array"
	"azulejo/fragment"
	"azulejo/schema"
)

// Size is an estimate of the bytes a read returns for one field; Offsets is 0 for fixed fields, Validity 0 unless the
// field is nullable.
type Size struct {
	Name                    string
	Data, Offsets, Validity uint64
}

// Estimate returns how many bytes each of q's fields would need, in their order, and those of all attributes and dimensions
// when q names none. Fixed fields of dense arrays are exact; values of var-sized fields are the
// share of each tile that is selected; cells of sparse arrays are those of all tiles that may have some, without regard
// for duplicates. Conditions are not taken into account. Of a restricted read sizes are exact, and the cells are read for
// them. Errors are those of Run.
func Estimate(ctx context.Context, a *array.Array, q *Read) (sizes []Size, err error) {
	if len(q.Fields) == 0 {
		whole, s := *q, a.Schema
		if q.Within != nil {
			if s, err = q.Within.Schema(s); err != nil {
				return nil, err
			}
		}
		whole.Fields = everyField(s)
		q = &whole
	}
	if q.Within != nil {
		return estimatePart(ctx, a, q)
	}
	r, err := newReading(ctx, a, q)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := r.files.Close(); err == nil {
			err = closeErr
		}
	}()
	if a.Schema.Type == schema.Dense {
		return r.estimateDense(ctx)
	}
	return r.estimateSparse(ctx)
}

// everyField asks for all attributes and dimensions, dense arrays' too: a client that reads coordinates and finds no size
// for them takes memory without end.
func everyField(s *schema.Array) []Want {
	var fields []Want
	for _, name := range s.FieldNames() {
		fields = append(fields, Want{Name: name})
	}
	return fields
}

// size returns the bytes of cells cells, of which var-sized values take nBytes.
func (o *outField) size(cells, nBytes uint64) Size {
	s := Size{Name: o.Want.Name, Data: nBytes}
	if o.Var() {
		width := uint64(8)
		if o.format.Bits == 32 {
			width = 4
		}
		n := cells
		if o.format.Extra {
			n = saturatingAdd(n, 1)
		}
		s.Offsets = saturatingMul(n, width)
	} else {
		s.Data = saturatingMul(cells, uint64(o.width))
	}
	if o.Nullable {
		s.Validity = cells
	}
	return s
}

// estimateDense counts the cells of the subarray and shares out the values of every fragment's tiles.
func (r *reading) estimateDense(ctx context.Context) ([]Size, error) {
	plan, err := r.planDense()
	if err != nil {
		return nil, err
	}
	sizes := make([]Size, len(r.outs))
	for i, out := range r.outs {
		var nBytes uint64
		if out.Var() {
			nBytes = saturatingMul(plan.total, uint64(len(out.fill)))
			for _, f := range plan.frags {
				share, err := plan.varShare(ctx, f, out.Want.Name)
				if err != nil {
					return nil, err
				}
				nBytes = saturatingAdd(nBytes, share)
			}
			for k := range plan.sparse {
				share, err := r.sparseShare(ctx, &plan.sparse[k], out.Want.Name)
				if err != nil {
					return nil, err
				}
				nBytes = saturatingAdd(nBytes, share)
			}
		}
		sizes[i] = out.size(plan.total, nBytes)
	}
	return sizes, nil
}

// varShare returns how many bytes of a var-sized field's values in a fragment are selected, taking the values of a tile
// to be of equal length.
func (p *densePlan) varShare(ctx context.Context, f *denseFragment, name string) (uint64, error) {
	field, ok, err := f.Field(name)
	if err != nil || !ok {
		return 0, err
	}
	if err := field.Load(ctx); err != nil {
		return 0, err
	}
	cellsPerTile, _ := p.grid.CellsPerTile()
	tile, cells, total := make([]uint64, len(p.axes)), p.grid.NewBox(), 0.0
	for i := range f.NumTiles() {
		p.grid.TileAt(tile, f.tiles, i)
		p.grid.FillTileCells(cells, tile)
		selected := 1.0
		for d := range p.axes {
			selected *= float64(p.axes[d].overlap(max(cells.Lo[d], f.box.Lo[d]), min(cells.Hi[d], f.box.Hi[d])))
		}
		if selected > 0 {
			total += selected / float64(cellsPerTile) * float64(field.VarBytes(i))
		}
	}
	return uint64(math.Ceil(min(total, math.MaxInt64))), nil
}

// overlap counts the selected cells between two cell numbers, both included; several ranges count a cell several times.
func (a *denseAxis) overlap(lo, hi uint64) uint64 {
	n := uint64(0)
	for _, s := range a.ranges {
		if from, to := max(s.lo, lo), min(s.hi, hi); from <= to {
			n += to - from + 1
		}
	}
	return n
}

// estimateSparse adds up the tiles whose bounding boxes meet the subarray.
func (r *reading) estimateSparse(ctx context.Context) ([]Size, error) {
	var cells uint64
	values := make([]uint64, len(r.outs))
	for _, f := range r.fragments {
		fields := make([]*fragment.Field, len(r.outs))
		for i, out := range r.outs {
			field, ok, err := f.Field(out.Want.Name)
			if err != nil {
				return nil, err
			}
			if ok && out.Var() {
				if err := field.Load(ctx); err != nil {
					return nil, err
				}
				fields[i] = field
			}
		}
		judge := func(dim int, box schema.Range) fragment.Overlap { return fragment.Overlap(r.axes[dim].meet(box)) }
		err := f.Search(ctx, judge, func(tile uint64, _ bool) {
			n := f.TileCells(tile)
			cells = saturatingAdd(cells, n)
			for i, field := range fields {
				switch {
				case field != nil:
					values[i] = saturatingAdd(values[i], field.VarBytes(tile))
				case r.outs[i].Var():
					values[i] = saturatingAdd(values[i], saturatingMul(n, uint64(len(r.outs[i].fill))))
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	sizes := make([]Size, len(r.outs))
	for i, out := range r.outs {
		sizes[i] = out.size(cells, values[i])
	}
	return sizes, nil
}

func saturatingAdd(x, y uint64) uint64 {
	sum, carry := bits.Add64(x, y, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return sum
}

func saturatingMul(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	if hi != 0 {
		return math.MaxUint64
	}
	return lo
}
