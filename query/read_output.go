package query

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"azulejo/datatype"
	"azulejo/schema"
)

// outField is one field to return.
type outField struct {
	Want
	schema.Field
	// width is the size of a fixed cell.
	width int
	// fill is the cell that stands for one that is not there, fillValid its validity byte.
	fill      []byte
	fillValid byte
	format    OffsetsFormat
}

// newOutField resolves a wanted field.
func (r *reading) newOutField(want Want) (*outField, error) {
	s := r.schema
	f, hidden, ok := r.readable(want.Name)
	if !ok {
		return nil, fmt.Errorf("%w: the array has no field %q", ErrInvalid, want.Name)
	}
	out := &outField{Want: want, Field: f, format: r.q.Offsets}
	if !f.Var() {
		out.width = f.CellSize()
	}
	if !f.Dimension && !hidden {
		a := &s.Attributes[f.Index]
		out.fill = a.Fill
		if a.FillValid {
			out.fillValid = 1
		}
		if !f.Var() && len(out.fill) != out.width {
			return nil, fmt.Errorf("%w: field %q: a fill value of %d bytes for cells of %d", schema.ErrInvalid, want.Name, len(a.Fill), out.width)
		}
	}
	return out, nil
}

// offsetSize returns the bytes of one offset.
func (o *outField) offsetSize() int64 {
	if o.format.Bits == 32 {
		return 4
	}
	return 8
}

// dataCap returns the most bytes of data the caller can take.
func (o *outField) dataCap() int64 {
	limit := int64(math.MaxInt64)
	if o.DataCap >= 0 {
		limit = o.DataCap
	}
	if o.Var() && o.format.Bits == 32 {
		unit := int64(1)
		if o.format.Elements {
			unit = int64(o.Type.Size())
		}
		limit = min(limit, math.MaxUint32*unit)
	}
	return limit
}

// cellsCap returns the most cells the caller can take, but for the bytes of var cells.
func (o *outField) cellsCap() uint64 {
	limit := uint64(math.MaxInt64)
	if !o.Var() && o.DataCap >= 0 {
		limit = uint64(o.DataCap) / uint64(o.width)
	}
	if o.Var() && o.OffsetsCap >= 0 {
		n := uint64(o.OffsetsCap / o.offsetSize())
		if o.format.Extra && n > 0 {
			n--
		}
		limit = min(limit, n)
	}
	if o.Nullable && o.ValidityCap >= 0 {
		limit = min(limit, uint64(o.ValidityCap))
	}
	return limit
}

// cellsCap returns the most cells that all fields' capacities allow.
func cellsCap(outs []*outField) uint64 {
	limit := uint64(math.MaxInt64)
	for _, o := range outs {
		limit = min(limit, o.cellsCap())
	}
	return limit
}

// limited reports whether a field has any capacity set.
func limited(outs []*outField) bool {
	for _, o := range outs {
		if cellsCap([]*outField{o}) != math.MaxInt64 || o.Var() && o.dataCap() != math.MaxInt64 {
			return true
		}
	}
	return false
}

// alloc makes a result column's bytes and books them.
func (r *reading) alloc(n uint64) ([]byte, error) {
	if n > math.MaxInt {
		return nil, fmt.Errorf("%w: a column of %d bytes", ErrInvalid, n)
	}
	if b := r.q.Budget; b != nil {
		if err := b.Take(int64(n)); err != nil {
			return nil, err
		}
	}
	for i, b := range r.spare {
		if n > 0 && uint64(cap(b)) >= n {
			r.spare = slices.Delete(r.spare, i, i+1)
			return b[:n], nil
		}
	}
	if r.q.Alloc != nil {
		return r.q.Alloc(int(n)), nil
	}
	return datatype.AlignedBytes(int(n)), nil
}

// newColumn allocates the column of n cells with dataBytes bytes of data. On failure nothing stays booked.
func (r *reading) newColumn(o *outField, n, dataBytes uint64) (c Column, err error) {
	c.Name = o.Want.Name
	if c.Data, err = r.alloc(dataBytes); err != nil {
		return Column{}, err
	}
	if o.Var() {
		if c.Offsets, err = r.alloc(o.offsetBytes(n)); err != nil {
			r.unbook(c)
			return Column{}, err
		}
	}
	if o.Nullable {
		if c.Validity, err = r.alloc(n); err != nil {
			r.unbook(c)
			return Column{}, err
		}
	}
	return c, nil
}

// unbook gives the booked bytes of a column that is not returned back. The memory, which the caller's allocator may hold on
// to, is used for the columns of the next try.
func (r *reading) unbook(c Column) {
	for _, b := range [][]byte{c.Data, c.Offsets, c.Validity} {
		if len(b) > 0 {
			r.spare = append(r.spare, b)
		}
	}
	if b := r.q.Budget; b != nil {
		b.Give(int64(len(c.Data) + len(c.Offsets) + len(c.Validity)))
	}
}

// offsetBytes returns the size of an offsets column of n cells. A result without cells has no extra element.
func (o *outField) offsetBytes(n uint64) uint64 {
	if o.format.Extra && n > 0 {
		n++
	}
	return n * uint64(o.offsetSize())
}

// putOffsets writes the offsets of cells, which begin at from, rising positions relative to base, into the column: cell
// from+i begins at byte base+starts[i].
func (o *outField) putOffsets(column []byte, from int, starts []uint64, base uint64) {
	unit := uint64(1)
	if o.format.Elements {
		unit = uint64(o.Type.Size())
	}
	if o.format.Bits == 32 {
		dst, _ := datatype.Alias[uint32](column)
		if dst == nil {
			for i, s := range starts {
				binary.LittleEndian.PutUint32(column[4*(from+i):], uint32((base+s)/unit))
			}
			return
		}
		for i, s := range starts {
			dst[from+i] = uint32((base + s) / unit)
		}
		return
	}
	dst, _ := datatype.Alias[uint64](column)
	switch {
	case dst == nil:
		for i, s := range starts {
			binary.LittleEndian.PutUint64(column[8*(from+i):], (base+s)/unit)
		}
	case unit == 1:
		dst = dst[from : from+len(starts)]
		for i, s := range starts {
			dst[i] = base + s
		}
	default:
		for i, s := range starts {
			dst[from+i] = (base + s) / unit
		}
	}
}

// putExtra writes the offset behind the last of n cells when the format has one.
func (o *outField) putExtra(column []byte, n int, dataBytes uint64) {
	if o.format.Extra && n > 0 {
		o.putOffsets(column, n, []uint64{dataBytes}, 0)
	}
}

// emptyResult is the answer without cells.
func (r *reading) emptyResult() (*Result, error) {
	res := &Result{}
	for _, o := range r.outs {
		c, err := r.newColumn(o, 0, 0)
		if err != nil {
			return nil, err
		}
		res.Columns = append(res.Columns, c)
	}
	return res, nil
}

// fillCells writes a cell's bytes to every cell of dst.
func fillCells(dst, cell []byte) {
	if len(dst) == 0 || len(cell) == 0 {
		return
	}
	n := copy(dst, cell)
	for n < len(dst) {
		n += copy(dst[n:], dst[:n])
	}
}
