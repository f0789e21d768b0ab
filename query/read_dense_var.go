package query

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"azulejo/fragment"
)

// joinRuns sorts stretches of cells and joins those that touch or overlap; several says that there is more than one list.
func joinRuns(runs []fragment.Run, several bool) []fragment.Run {
	if !several {
		return runs
	}
	slices.SortFunc(runs, func(x, y fragment.Run) int { return cmp.Compare(x.Lo, y.Lo) })
	out := runs[:0]
	for _, r := range runs {
		if n := len(out); n > 0 && r.Lo <= out[n-1].Hi {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// varField is the work on one var-sized field of a dense read.
type varField struct {
	// starts has the place of every cell in the column's data, and the end of the last.
	starts []uint64
	// tiles has, for every unit, the pieces it is made of with the tiles' offsets.
	tiles [][]varPiece
}

// varPiece is what one fragment shows of a unit.
type varPiece struct {
	pieces
	source *fragment.Field
	tile   *fragment.Tile
	total  uint64
}

func (v *varField) close(j *denseJob) {
	if v == nil {
		return
	}
	for _, unit := range v.tiles {
		for _, p := range unit {
			if p.tile != nil {
				p.tile.Release()
			}
		}
	}
}

// measure reads the offsets of a var field and finds where each cell goes.
func (j *denseJob) measure(ctx context.Context, o *outField) (v *varField, err error) {
	b, err := j.room(8 * int(j.n+1))
	if err != nil {
		return nil, err
	}
	v = &varField{starts: alias64(b), tiles: make([][]varPiece, len(j.units))}
	err = parallel(ctx, j.threads, len(j.units), func(ctx context.Context, i int) error {
		return j.measureUnit(ctx, i, v, o)
	})
	if err == nil {
		err = j.measureOverlay(ctx, v, o)
	}
	if err != nil {
		v.close(j)
		return nil, err
	}
	at := uint64(0)
	for i := range v.starts[:j.n] {
		n := v.starts[i]
		if j.mask != nil && j.mask[i] == 0 {
			n = uint64(len(o.fill))
		}
		v.starts[i] = at
		at += n
	}
	v.starts[j.n] = at
	return v, nil
}

// measureUnit writes the sizes of the cells of a unit.
func (j *denseJob) measureUnit(ctx context.Context, i int, v *varField, o *outField) error {
	u := &j.units[i]
	for _, piece := range j.piecesOf(i, o) {
		p := varPiece{pieces: piece}
		if piece.frag != nil && !piece.none {
			var err error
			if p.source, err = fieldIn(piece.frag.Reader, &o.Field); err != nil {
				return err
			}
			parts := fragment.Offsets
			if p.source.TakesOffsets() {
				parts |= fragment.Values
			}
			if p.tile, err = p.source.ReadTile(ctx, &j.files, piece.tile, parts); err != nil {
				return err
			}
			p.total = p.source.VarBytes(piece.tile)
		}
		v.tiles[i] = append(v.tiles[i], p)
		for k := range piece.boxes {
			for c := j.plan.newBoxCopy(u.tile, &piece.boxes[k]); !c.done; c.advance() {
				at := c.dstAt
				for cell := c.srcAt; cell < c.srcAt+c.run; cell++ {
					if p.tile == nil {
						v.starts[at] = uint64(len(o.fill))
					} else {
						v.starts[at] = p.tile.CellBytes(cell, p.total)
					}
					at += c.step
				}
			}
		}
	}
	return nil
}

// fit returns how many cells the field's capacity of data allows.
func (v *varField) fit(o *outField) uint64 {
	limit := uint64(max(o.dataCap(), 0))
	n := len(v.starts) - 1
	return uint64(sort.Search(n, func(i int) bool { return v.starts[i+1] > limit }))
}

// copyVar puts the values of a unit's cells into the column.
func (j *denseJob) copyVar(ctx context.Context, i int, v *varField, o *outField, column *Column) error {
	u := &j.units[i]
	for k := range v.tiles[i] {
		p := &v.tiles[i][k]
		values := &fragment.Tile{}
		if p.tile != nil {
			values = p.tile
			if !p.source.TakesOffsets() {
				var err error
				if values, err = p.source.ReadTile(ctx, &j.files, p.pieces.tile, fragment.Values); err != nil {
					return err
				}
			}
		}
		for b := range p.boxes {
			j.copyVarBox(j.plan.newBoxCopy(u.tile, &p.boxes[b]), p, values.Data, v, o, column.Data)
		}
		if values != p.tile && p.tile != nil {
			values.Release()
		}
	}
	return nil
}

// end returns where the values of the cells before cell end.
func (p *varPiece) end(cell int) uint64 {
	if cell < len(p.tile.Offsets) {
		return p.tile.Offsets[cell]
	}
	return p.total
}

// copyVarBox copies the values of the cells of a box.
func (j *denseJob) copyVarBox(c *boxCopy, p *varPiece, data []byte, v *varField, o *outField, dst []byte) {
	for ; !c.done; c.advance() {
		if p.tile != nil && c.step == 1 && j.mask == nil && j.over == nil {
			copy(dst[v.starts[c.dstAt]:], data[p.tile.Offsets[c.srcAt]:p.end(c.srcAt+c.run)])
			continue
		}
		at := c.dstAt
		for cell := c.srcAt; cell < c.srcAt+c.run; cell++ {
			value := o.fill
			if p.tile != nil && (j.mask == nil || j.mask[at] != 0) {
				value = data[p.tile.Offsets[cell]:p.end(cell+1)]
			}
			if !j.over.takes(at) {
				copy(dst[v.starts[at]:], value)
			}
			at += c.step
		}
	}
}
