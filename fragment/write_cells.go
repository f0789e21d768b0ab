package fragment

import (
	"fmt"

	"azulejo/datatype"
	"azulejo/schema"
)

// Cells is one field of one tile on its way into a fragment, cells in the order of the tile. A Fill sets it, either to
// memory of its own or to memory lent by the Make methods, which is the Fill's until it returns.
type Cells struct {
	// Data holds fixed cells back to back, or the values of var-sized cells without gaps.
	Data []byte
	// Offsets has the position in Data of every var-sized cell, beginning with 0 and without an extra element; nil for
	// fixed cells.
	Offsets []uint64
	// Validity has one byte a cell, 0 for null; nil unless the field is nullable.
	Validity []byte
	// Runs are the cells that were really written, in ascending order; the others are padding of a dense tile and do not
	// count in its metadata. nil means all.
	Runs []Run

	data, validity []byte
	offsets        []uint64
	runs           []Run
}

// Slice sets the cells to those of a field's column from lo up to but not including hi, without copying values. offsets may
// have an extra element at the end or not.
func (c *Cells) Slice(f *schema.Field, data []byte, offsets []uint64, validity []byte, lo, hi int) {
	if validity != nil {
		c.Validity = validity[lo:hi]
	}
	if !f.Var() {
		size := f.CellSize()
		c.Data = data[lo*size : hi*size]
		return
	}
	base, end := offsets[lo], uint64(len(data))
	if hi < len(offsets) {
		end = offsets[hi]
	}
	places := c.MakeOffsets(hi - lo)
	for i, off := range offsets[lo:hi] {
		places[i] = off - base
	}
	c.Data = data[base:end]
}

// MakeData sets Data to n lent bytes of arbitrary content, aligned for every type, and returns it.
func (c *Cells) MakeData(n int) []byte {
	c.Data = lend(&c.data, n)
	return c.Data
}

// MakeValidity sets Validity to n lent bytes of arbitrary content and returns it.
func (c *Cells) MakeValidity(n int) []byte {
	c.Validity = lend(&c.validity, n)
	return c.Validity
}

// MakeOffsets sets Offsets to n lent numbers of arbitrary value and returns it.
func (c *Cells) MakeOffsets(n int) []uint64 {
	if cap(c.offsets) < n {
		c.offsets = make([]uint64, n)
	}
	c.Offsets = c.offsets[:n]
	return c.Offsets
}

// AddRun adds the cells from lo up to but not including hi to Runs; they follow those of the last run or touch them.
func (c *Cells) AddRun(lo, hi int) {
	if n := len(c.runs); n > 0 && c.runs[n-1].Hi == lo {
		c.runs[n-1].Hi = hi
	} else {
		c.runs = append(c.runs, Run{lo, hi})
	}
	c.Runs = c.runs
}

func lend(buffer *[]byte, n int) []byte {
	if cap(*buffer) < n {
		*buffer = datatype.AlignedBytes(n)
	}
	return (*buffer)[:n]
}

func (c *Cells) reset() {
	c.Data, c.Offsets, c.Validity, c.Runs = nil, nil, nil, nil
	c.runs = c.runs[:0]
}

// count returns the number of cells after checking that the parts agree in it.
func (c *Cells) count(f *schema.Field) (int, error) {
	n := len(c.Offsets)
	if !f.Var() {
		size := f.CellSize()
		n = len(c.Data) / size
		if len(c.Data)%size != 0 {
			return 0, fmt.Errorf("%d bytes are no whole number of cells of %d bytes", len(c.Data), size)
		}
	}
	if want := f.Nullable; want && len(c.Validity) != n || !want && c.Validity != nil {
		return 0, fmt.Errorf("%d validity bytes for %d cells", len(c.Validity), n)
	}
	return n, nil
}

// cell returns the bytes of cell i.
func (c *Cells) cell(f *schema.Field, i int) []byte {
	if !f.Var() {
		size := f.CellSize()
		return c.Data[i*size : (i+1)*size]
	}
	if i+1 == len(c.Offsets) {
		return c.Data[c.Offsets[i]:]
	}
	return c.Data[c.Offsets[i]:c.Offsets[i+1]]
}
