package query

import (
	"bytes"
	"context"
	"encoding/binary"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/schema"
)

// evaluate makes the mask of the cells that satisfy the condition. Cells that no fragment wrote count as satisfying it:
// they hold the fill value either way.
func (j *denseJob) evaluate(ctx context.Context) error {
	if j.cond == nil {
		return nil
	}
	mask, err := j.room(int(j.n))
	if err != nil {
		return err
	}
	fillCells(mask, []byte{1})
	j.mask = mask
	err = parallel(ctx, j.threads, len(j.units), func(ctx context.Context, i int) error {
		for k := range j.shown[i] {
			piece := &j.shown[i][k]
			if piece.frag == nil {
				continue
			}
			if err := j.evaluatePiece(ctx, &j.units[i], piece); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return j.judgeOverlay(ctx)
}

// evaluatePiece evaluates the condition on the cells that one fragment shows of a unit.
func (j *denseJob) evaluatePiece(ctx context.Context, u *denseUnit, piece *pieces) error {
	verdict, err := j.judgeDense(ctx, j.plan, u, piece)
	if err != nil || verdict == condition.All {
		return err
	}
	sink := &boxSink{dst: j.mask, width: 1}
	from, to := j.plan.hull(u, piece, sink)
	if verdict == condition.None {
		for _, c := range sink.copies {
			c.fill(j.mask, []byte{0})
		}
		piece.none = true
		return nil
	}
	cells, err := j.lend(to - from)
	if err != nil {
		return err
	}
	defer j.giveBack(&cells)
	fillCells(cells.b.B, []byte{1})
	if err := j.conditionOn(ctx, j.plan, u, piece, from, to, cells.b.B); err != nil {
		return err
	}
	sink.Take(from, to, cells.b.B)
	piece.none = bytes.IndexByte(cells.b.B, 1) < 0
	return nil
}

// hull makes the walks over the boxes of a piece and returns the first cell of the tile they want and the one behind the
// last.
func (p *densePlan) hull(u *denseUnit, piece *pieces, sink *boxSink) (from, to int) {
	for i := range piece.boxes {
		c := p.newBoxCopy(u.tile, &piece.boxes[i])
		if i == 0 || c.srcAt < from {
			from = c.srcAt
		}
		to = max(to, c.last())
		sink.copies = append(sink.copies, c)
	}
	return from, to
}

// conditionOn evaluates the condition on the cells of a tile from up to but not including to.
func (r *reading) conditionOn(ctx context.Context, p *densePlan, u *denseUnit, piece *pieces, from, to int, mask []byte) error {
	fields := r.cond.Fields()
	cols := make([]condition.Column, len(fields))
	var tiles []*fragment.Tile
	var buffers []lent
	defer func() {
		for _, t := range tiles {
			t.Release()
		}
		for i := range buffers {
			r.giveBack(&buffers[i])
		}
	}()
	for k := range fields {
		f := &fields[k]
		if f.Dimension {
			cols[k].Data = p.tileCoords(u.tile, f, from, to)
			continue
		}
		source, err := fieldIn(piece.frag.Reader, f)
		if err != nil {
			return err
		}
		if source == nil {
			cols[k].Missing = true
			continue
		}
		if f.Var() {
			t, err := source.ReadTile(ctx, &r.files, piece.tile, fragment.Everything)
			if err != nil {
				return err
			}
			tiles = append(tiles, t)
			cols[k] = tileColumn(t, f, from, to)
			continue
		}
		read := func(kind format.FileKind, width int) ([]byte, error) {
			b, err := r.lend((to - from) * width)
			if err != nil {
				return nil, err
			}
			buffers = append(buffers, b)
			return b.b.B, source.Cells(ctx, &r.files, piece.tile, kind, fragment.Run{Lo: from, Hi: to}, b.b.B)
		}
		if cols[k].Data, err = read(format.FixedFile, f.CellSize()); err != nil {
			return err
		}
		if f.Nullable && !source.Nullable {
			cols[k].Validity = bytes.Repeat([]byte{1}, to-from)
		} else if f.Nullable {
			if cols[k].Validity, err = read(format.ValidityFile, 1); err != nil {
				return err
			}
		}
	}
	return r.cond.Evaluate(cols, mask)
}

// tileColumn returns the cells of a tile from up to but not including to.
func tileColumn(t *fragment.Tile, f *schema.Field, from, to int) condition.Column {
	c := condition.Column{Data: t.Data}
	if f.Var() {
		c.Offsets = t.Offsets[from:min(to+1, len(t.Offsets))]
	} else {
		c.Data = t.Data[from*f.CellSize() : to*f.CellSize()]
	}
	if f.Nullable {
		if t.Validity != nil {
			c.Validity = t.Validity[from:to]
		} else {
			c.Validity = make([]byte, to-from)
			fillCells(c.Validity, []byte{1})
		}
	}
	return c
}

// tileCoords returns the coordinates along one dimension of cells of a tile, in the tile's order.
func (p *densePlan) tileCoords(tile []uint64, field *schema.Field, from, to int) []byte {
	d, stride := field.Index, uint64(1)
	for k := len(p.cellOrder) - 1; p.cellOrder[k] != d; k-- {
		stride *= p.grid.Extent[p.cellOrder[k]]
	}
	extent, width := p.grid.Extent[d], field.CellSize()
	out := datatype.AlignedBytes((to - from) * width)
	first := p.firstCoord(d) + tile[d]*extent
	for i := range to - from {
		putCoord(out[i*width:], width, first+uint64(from+i)/stride%extent)
	}
	return out
}

// tileBounds returns the first and the last coordinate of a tile along one dimension, as far as they are in the domain.
func (p *densePlan) tileBounds(tile []uint64, field *schema.Field) (lo, hi []byte) {
	d, width := field.Index, field.CellSize()
	first := tile[d] * p.grid.Extent[d]
	last := first + min(p.grid.Extent[d]-1, p.grid.Last[d]-first)
	lo, hi = datatype.AlignedBytes(width), datatype.AlignedBytes(width)
	putCoord(lo, width, p.firstCoord(d)+first)
	putCoord(hi, width, p.firstCoord(d)+last)
	return lo, hi
}

// firstCoord returns the first coordinate of a dimension's domain as the low bits of a number.
func (p *densePlan) firstCoord(d int) uint64 {
	var wide [8]byte
	copy(wide[:], p.grid.Coord(d, 0))
	return binary.LittleEndian.Uint64(wide[:])
}

// putCoord writes the low bytes of a number.
func putCoord(dst []byte, width int, v uint64) {
	switch width {
	case 1:
		dst[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(dst, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(dst, uint32(v))
	default:
		binary.LittleEndian.PutUint64(dst, v)
	}
}

// judgeDense asks the statistics of a tile what they tell about the condition.
func (r *reading) judgeDense(ctx context.Context, p *densePlan, u *denseUnit, piece *pieces) (condition.Verdict, error) {
	fields := r.cond.Fields()
	bounds := make([]condition.Bounds, len(fields))
	for k := range fields {
		f := &fields[k]
		if f.Dimension {
			bounds[k].Min, bounds[k].Max = p.tileBounds(u.tile, f)
			continue
		}
		source, err := fieldIn(piece.frag.Reader, f)
		if err != nil || source == nil {
			return condition.Some, err
		}
		if f.Var() || f.Type.Kind().Float() || f.CellValNum != 1 {
			continue
		}
		if bounds[k].Min, bounds[k].Max, err = source.MinMax(ctx, piece.tile); err != nil {
			return condition.Some, err
		}
		if f.Nullable && source.Nullable {
			if bounds[k].Nulls, bounds[k].NullsKnown, err = source.Nulls(ctx, piece.tile); err != nil {
				return condition.Some, err
			}
		}
	}
	return r.cond.Prune(piece.frag.TileCells(piece.tile), bounds), nil
}
