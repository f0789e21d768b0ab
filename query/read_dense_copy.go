package query

import (
	"azulejo/datatype"
	"azulejo/fragment"
)

// boxCopy goes through the cells of a box row by row in the order a tile stores them. A row is a stretch of cells that
// lie side by side in the tile.
type boxCopy struct {
	// run is the number of cells of a row, step the distance of neighbours in the result.
	run, step int
	// counts, src and dst describe the loops around the rows, slowest first: how often, and by how much the first cell of
	// a row moves in the tile and in the result.
	counts, src, dst []int
	// at counts the loops; srcAt and dstAt are the place of the current row, which done says is behind the last.
	at           []int
	srcAt, dstAt int
	done         bool
}

// newBoxCopy returns a walk over a box of the tile with that number.
func (p *densePlan) newBoxCopy(tile []uint64, b *denseBox) *boxCopy {
	c := &boxCopy{run: 1, step: 1}
	stride := uint64(1)
	for k := len(p.cellOrder) - 1; k >= 0; k-- {
		d := p.cellOrder[k]
		n := int(b.hi[d] - b.lo[d] + 1)
		c.srcAt += int((b.lo[d] - tile[d]*p.grid.Extent[d]) * stride)
		c.add(n, int(stride), int(b.strides[d]))
		stride *= p.grid.Extent[d]
	}
	c.dstAt = int(b.dst)
	c.at = make([]int, len(c.counts))
	return c
}

// add puts a loop around those there are, joining it with the row when that goes on without a gap.
func (c *boxCopy) add(n, src, dst int) {
	switch {
	case n == 1:
	case c.run == 1 && len(c.counts) == 0 && src == 1:
		c.run, c.step = n, dst
	case len(c.counts) == 0 && src == c.run && dst == c.run*c.step:
		c.run *= n
	default:
		c.counts = append([]int{n}, c.counts...)
		c.src = append([]int{src}, c.src...)
		c.dst = append([]int{dst}, c.dst...)
	}
}

// advance moves to the next row.
func (c *boxCopy) advance() {
	for k := len(c.counts) - 1; k >= 0; k-- {
		c.at[k]++
		c.srcAt += c.src[k]
		c.dstAt += c.dst[k]
		if c.at[k] < c.counts[k] {
			return
		}
		c.srcAt -= c.src[k] * c.counts[k]
		c.dstAt -= c.dst[k] * c.counts[k]
		c.at[k] = 0
	}
	c.done = true
}

// rewind returns a walk over the same box from its start.
func (c *boxCopy) rewind() *boxCopy {
	again := *c
	again.at = make([]int, len(c.counts))
	for k, n := range c.at {
		again.srcAt -= c.src[k] * n
		again.dstAt -= c.dst[k] * n
	}
	again.done = false
	return &again
}

// last returns the cell behind the last of the box in the tile; the walk must not have begun.
func (c *boxCopy) last() int {
	end := c.srcAt + c.run
	for k, n := range c.counts {
		end += (n - 1) * c.src[k]
	}
	return end
}

// wanted appends the stretches of the tile that hold the box, joining those less than gap cells apart; the walk must not
// have begun.
func (c *boxCopy) wanted(runs []fragment.Run, gap int) []fragment.Run {
	length, k := c.run, len(c.counts)
	for k > 0 && c.src[k-1]-length < gap {
		k--
		length += (c.counts[k] - 1) * c.src[k]
	}
	outer := boxCopy{run: length, counts: c.counts[:k], src: c.src[:k], dst: c.dst[:k], at: make([]int, k), srcAt: c.srcAt}
	for ; !outer.done; outer.advance() {
		runs = append(runs, fragment.Run{Lo: outer.srcAt, Hi: outer.srcAt + length})
	}
	return runs
}

// boxSink copies the cells of boxes from the chunks of a tile to the result. It implements fragment.Sink.
type boxSink struct {
	copies []*boxCopy
	dst    []byte
	width  int
}

var _ fragment.Sink = (*boxSink)(nil)

// Place implements fragment.Sink: rows that go on through a whole chunk are unfiltered in their place.
func (s *boxSink) Place(lo, hi int) []byte {
	if len(s.copies) != 1 {
		return nil
	}
	c := s.copies[0]
	for !c.done && c.srcAt+c.run <= lo {
		c.advance()
	}
	if c.done || c.step != 1 || c.srcAt > lo || c.srcAt+c.run < hi {
		return nil
	}
	at := (c.dstAt + lo - c.srcAt) * s.width
	return s.dst[at : at+(hi-lo)*s.width]
}

// Take implements fragment.Sink.
func (s *boxSink) Take(lo, hi int, cells []byte) {
	for _, c := range s.copies {
		for !c.done && c.srcAt < hi {
			a, b := max(c.srcAt, lo), min(c.srcAt+c.run, hi)
			if a < b {
				copyRow(s.dst, cells[(a-lo)*s.width:(b-lo)*s.width], c.dstAt+(a-c.srcAt)*c.step, c.step, s.width)
			}
			if c.srcAt+c.run > hi {
				break
			}
			c.advance()
		}
	}
}

// copyRow copies cells to places at, at+step, … of dst.
func copyRow(dst, cells []byte, at, step, width int) {
	if step == 1 {
		copy(dst[at*width:], cells)
		return
	}
	switch width {
	case 1:
		scatter[uint8](dst, cells, at, step)
	case 2:
		scatter[uint16](dst, cells, at, step)
	case 4:
		scatter[uint32](dst, cells, at, step)
	case 8:
		scatter[uint64](dst, cells, at, step)
	default:
		for i := 0; i < len(cells); i += width {
			copy(dst[at*width:(at+1)*width], cells[i:i+width])
			at += step
		}
	}
}

func scatter[T uint8 | uint16 | uint32 | uint64](dst, cells []byte, at, step int) {
	d, ok := datatype.Alias[T](dst)
	if !ok {
		var zero T
		width := len(datatype.Bytes([]T{zero}))
		for i := 0; i < len(cells); i += width {
			copy(dst[at*width:(at+1)*width], cells[i:i+width])
			at += step
		}
		return
	}
	for _, v := range datatype.View[T](cells) {
		d[at] = v
		at += step
	}
}

// fill writes a cell to every place of the box.
func (c *boxCopy) fill(dst, cell []byte) {
	width := len(cell)
	for ; !c.done; c.advance() {
		if c.step == 1 {
			fillCells(dst[c.dstAt*width:(c.dstAt+c.run)*width], cell)
			continue
		}
		at := c.dstAt * width
		for range c.run {
			copy(dst[at:at+width], cell)
			at += c.step * width
		}
	}
}
