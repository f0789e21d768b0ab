package query

import "azulejo/datatype"

// loop is one level of a nest of copy loops: n steps, each moving the two positions by so many cells.
type loop struct{ n, to, from int }

// blockSide is the side of the square blocks in which cells are copied between row- and column-major memory, so that both
// sides stay in the first level cache.
const blockSide = 32

// copyBox copies the cells of a box: loops from the innermost (to is 1 there) to the outermost, positions in cells.
func copyBox(dst, src []byte, size int, loops []loop, to, from int) {
	switch size {
	case 1:
		copyElements(dst, src, loops, to, from)
	case 2:
		copyTyped[uint16](dst, src, loops, to, from)
	case 4:
		copyTyped[uint32](dst, src, loops, to, from)
	case 8:
		copyTyped[uint64](dst, src, loops, to, from)
	default:
		copyWide(dst, src, size, loops, to, from)
	}
}

// copyTyped is copyBox for a width that has a type; memory that is not aligned for it is copied bytewise.
func copyTyped[T datatype.Element](dst, src []byte, loops []loop, to, from int) {
	d, aligned := datatype.Alias[T](dst)
	s, alsoAligned := datatype.Alias[T](src)
	if aligned && alsoAligned {
		copyElements(d, s, loops, to, from)
		return
	}
	copyWide(dst, src, len(datatype.Bytes(make([]T, 1))), loops, to, from)
}

func copyElements[T datatype.Element](dst, src []T, loops []loop, to, from int) {
	inner := loops[0]
	switch {
	case inner.from == 1:
		eachRow(loops[1:], to, from, func(to, from int) {
			copy(dst[to:to+inner.n], src[from:from+inner.n])
		})
	case len(loops) == 1:
		for i := range inner.n {
			dst[to+i] = src[from+i*inner.from]
		}
	default:
		across, rest := splitAcross(loops)
		eachRow(rest, to, from, func(to, from int) { transpose(dst, src, inner, across, to, from) })
	}
}

// splitAcross takes out of the loops but the first the one that walks src in the smallest steps.
func splitAcross(loops []loop) (across loop, rest []loop) {
	best := 1
	for i := 2; i < len(loops); i++ {
		if loops[i].from < loops[best].from {
			best = i
		}
	}
	rest = append(rest, loops[1:best]...)
	return loops[best], append(rest, loops[best+1:]...)
}

// transpose copies a plane of cells in blocks.
func transpose[T datatype.Element](dst, src []T, inner, across loop, to, from int) {
	for a := 0; a < across.n; a += blockSide {
		aEnd := min(a+blockSide, across.n)
		for i := 0; i < inner.n; i += blockSide {
			iEnd := min(i+blockSide, inner.n)
			for x := a; x < aEnd; x++ {
				row := dst[to+x*across.to+i:][:iEnd-i]
				at := from + x*across.from + i*inner.from
				for k := range row {
					row[k] = src[at]
					at += inner.from
				}
			}
		}
	}
}

// copyWide is copyBox for cells of any number of bytes.
func copyWide(dst, src []byte, size int, loops []loop, to, from int) {
	inner := loops[0]
	eachRow(loops[1:], to, from, func(to, from int) {
		if inner.from == 1 {
			copy(dst[to*size:(to+inner.n)*size], src[from*size:(from+inner.n)*size])
			return
		}
		for i := range inner.n {
			at := (from + i*inner.from) * size
			copy(dst[(to+i)*size:(to+i+1)*size], src[at:at+size])
		}
	})
}

// eachRow calls row for every step of the loops, outermost slowest, with the positions there.
func eachRow(loops []loop, to, from int, row func(to, from int)) {
	if len(loops) == 0 {
		row(to, from)
		return
	}
	last := loops[len(loops)-1]
	for i := range last.n {
		eachRow(loops[:len(loops)-1], to+i*last.to, from+i*last.from, row)
	}
}

// gather copies the cells of src that pick names to dst, cells of size bytes.
func gather(dst, src []byte, size int, pick []int) {
	switch size {
	case 1:
		gatherElements(dst, src, pick)
	case 2:
		gatherTyped[uint16](dst, src, pick)
	case 4:
		gatherTyped[uint32](dst, src, pick)
	case 8:
		gatherTyped[uint64](dst, src, pick)
	default:
		gatherWide(dst, src, size, pick)
	}
}

func gatherTyped[T datatype.Element](dst, src []byte, pick []int) {
	d, aligned := datatype.Alias[T](dst)
	s, alsoAligned := datatype.Alias[T](src)
	if aligned && alsoAligned {
		gatherElements(d, s, pick)
		return
	}
	gatherWide(dst, src, len(datatype.Bytes(make([]T, 1))), pick)
}

func gatherElements[T datatype.Element](dst, src []T, pick []int) {
	dst = dst[:len(pick)]
	for i, p := range pick {
		dst[i] = src[p]
	}
}

func gatherWide(dst, src []byte, size int, pick []int) {
	for i, p := range pick {
		copy(dst[i*size:(i+1)*size], src[p*size:(p+1)*size])
	}
}
