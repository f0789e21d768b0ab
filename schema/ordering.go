package schema

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"azulejo/datatype"
)

// Ordering compares cells by their coordinates in one layout of a schema. Immutable, safe for concurrent use.
//
// Coordinates are first turned into Keys, columns of unsigned numbers that sort like the coordinates, so that comparing
// needs no dispatch on the dimension's type. Global order has a column of tile numbers for every dimension with more than
// one tile, in tile order, and then the coordinates in cell order; in arrays in Hilbert order it has a column of places on
// the curve, and then the coordinates in row-major order. The number of a text is its first eight bytes; the rest is
// compared only where those are equal.
type Ordering struct {
	domain *Domain
	// curve is set when the first part is the place on it.
	curve *Curve
	parts []part
}

// part is one column of Keys.
type part struct {
	dim  int
	kind partKind
}

// partKind says what a column's numbers are.
type partKind uint8

const (
	coordPart partKind = iota
	tilePart
	placePart
)

// Keys holds the comparable form of a set of cells. It belongs to its maker and shares the memory of text columns.
type Keys struct {
	n     int
	nums  [][]uint64
	texts []*Coords
}

// NewOrdering returns the order of RowMajor, ColMajor or GlobalOrder (tile order, then cell order; dimensions without an
// extent have no part in the tile order; Hilbert arrays have their curve in place of both). Others are refused with
// ErrInvalid.
func NewOrdering(a *Array, layout Layout) (*Ordering, error) {
	o := &Ordering{domain: &a.Domain}
	n := len(a.Domain.Dimensions)
	cells := layout
	switch {
	case layout == GlobalOrder && a.CellOrder == Hilbert:
		var err error
		if o.curve, err = NewCurve(&a.Domain); err != nil {
			return nil, err
		}
		o.parts = append(o.parts, part{0, placePart})
		cells = RowMajor
	case layout == GlobalOrder:
		cells = a.CellOrder
		for k := range n {
			i := axis(k, n, a.TileOrder == ColMajor)
			if d := &a.Domain.Dimensions[i]; !d.Var() && d.Extent != nil && d.severalTiles() {
				o.parts = append(o.parts, part{i, tilePart})
			}
		}
	}
	if cells != RowMajor && cells != ColMajor {
		return nil, fmt.Errorf("%w: cells cannot be compared in layout %d", ErrInvalid, cells)
	}
	for k := range n {
		o.parts = append(o.parts, part{axis(k, n, cells == ColMajor), coordPart})
	}
	return o, nil
}

// severalTiles reports whether the dimension, which has an extent, has more than one tile.
func (d *Dimension) severalTiles() bool {
	if d.Type.IsFloat() {
		e := float(d.Type, d.Extent)
		return e > 0 && float(d.Type, d.Hi())-float(d.Type, d.Lo()) >= e
	}
	return number(d.Type, d.Hi())-number(d.Type, d.Lo()) >= d.extent()
}

// Keys returns the comparable form of n cells given as one column per dimension. reuse, when not nil, is overwritten.
// The error wraps ErrInvalid when a column is too short.
func (o *Ordering) Keys(n int, cols []Coords, reuse *Keys) (*Keys, error) {
	if len(cols) != len(o.domain.Dimensions) {
		return nil, fmt.Errorf("%w: %d coordinate columns for %d dimensions", ErrInvalid, len(cols), len(o.domain.Dimensions))
	}
	for i := range cols {
		if d := &o.domain.Dimensions[i]; !cols[i].valid(d, n) {
			return nil, fmt.Errorf("%w: column %q does not hold %d cells", ErrInvalid, d.Name, n)
		}
	}
	k := reuse
	if k == nil {
		k = &Keys{}
	}
	k.n = n
	k.nums = slices.Grow(k.nums[:0], len(o.parts))[:len(o.parts)]
	k.texts = slices.Grow(k.texts[:0], len(o.parts))[:len(o.parts)]
	for p, part := range o.parts {
		d := &o.domain.Dimensions[part.dim]
		k.nums[p] = slices.Grow(k.nums[p][:0], n)[:n]
		k.texts[p] = nil
		switch {
		case part.kind == placePart:
			o.curve.Values(k.nums[p], cols, nil)
		case part.kind == tilePart:
			tileNumbers(k.nums[p], d, cols[part.dim].Data)
		case d.Var():
			col := cols[part.dim]
			col.Offsets = col.Offsets[:len(col.Offsets):len(col.Offsets)]
			k.texts[p] = &col
			prefixes(k.nums[p], &col)
		default:
			sortable(k.nums[p], d.Type.Kind(), cols[part.dim].Data)
		}
	}
	return k, nil
}

// Len returns the number of cells.
func (k *Keys) Len() int { return k.n }

// Compare orders cell i of x and cell j of y: negative, 0 (same coordinates) or positive.
func (o *Ordering) Compare(x *Keys, i int, y *Keys, j int) int {
	for p, nums := range x.nums {
		if a, b := nums[i], y.nums[p][j]; a != b {
			if a < b {
				return -1
			}
			return 1
		}
		if t := x.texts[p]; t != nil {
			if c := bytes.Compare(t.text(i), y.texts[p].text(j)); c != 0 {
				return c
			}
		}
	}
	return 0
}

// Sorted reports whether the cells of k are in this order; equal neighbours are allowed.
func (o *Ordering) Sorted(k *Keys) bool {
	for i := 1; i < k.n; i++ {
		if o.Compare(k, i-1, k, i) > 0 {
			return false
		}
	}
	return true
}

// MayFollow reports whether a fragment may store cell j of y behind cell i of x: whether it does not come before it. As in
// libtiledb, cells at one place of a Hilbert curve may be stored in any sequence.
func (o *Ordering) MayFollow(x *Keys, i int, y *Keys, j int) bool {
	if o.curve != nil {
		return x.nums[0][i] <= y.nums[0][j]
	}
	return o.Compare(x, i, y, j) <= 0
}

// Sort returns the positions of the cells of k in this order; cells at equal coordinates keep their sequence.
func (o *Ordering) Sort(k *Keys) []int {
	order := make([]int, k.n)
	for i := range order {
		order[i] = i
	}
	if o.Sorted(k) {
		return order
	}
	for _, t := range k.texts {
		if t != nil {
			slices.SortStableFunc(order, func(i, j int) int { return o.Compare(k, i, k, j) })
			return order
		}
	}
	words := pack(k.nums)
	pairs, spare := make([]pair, k.n), make([]pair, k.n)
	for w := len(words) - 1; w >= 0; w-- {
		for i, at := range order {
			pairs[i] = pair{words[w][at], at}
		}
		pairs, spare = radixSort(pairs, spare)
		for i := range pairs {
			order[i] = pairs[i].at
		}
	}
	return order
}

// pair is a key on its way to its place, with the position of its cell.
type pair struct {
	key uint64
	at  int
}

// pack joins columns of numbers into as few columns as their ranges allow; comparing the joined columns in turn is
// comparing the given ones in turn. Single columns are returned as they are.
func pack(nums [][]uint64) [][]uint64 {
	var words [][]uint64
	var word []uint64
	room := 0
	for _, col := range nums {
		lo, hi := slices.Min(col), slices.Max(col)
		width := bits.Len64(hi - lo)
		if word == nil || width > room {
			word, room = make([]uint64, len(col)), 64
			words = append(words, word)
		}
		room -= width
		for i, v := range col {
			word[i] = word[i]<<width | (v - lo)
		}
	}
	return words
}

// radixBits is the number of bits that a pass of the radix sort looks at.
const radixBits = 11

// radixSort sorts by key, stably, from the least bits; bits that are the same in all keys cost nothing but a look. It
// returns the sorted slice and the other one.
func radixSort(pairs, spare []pair) (sorted, other []pair) {
	all, none := uint64(0), ^uint64(0)
	for i := range pairs {
		all |= pairs[i].key
		none &= pairs[i].key
	}
	const mask = 1<<radixBits - 1
	varying := all &^ none
	for shift := 0; shift < 64; shift += radixBits {
		if varying>>shift&mask == 0 {
			continue
		}
		var at [1 << radixBits]int
		for i := range pairs {
			at[pairs[i].key>>shift&mask]++
		}
		sum := 0
		for b, n := range at {
			at[b] = sum
			sum += n
		}
		for _, p := range pairs {
			b := p.key >> shift & mask
			spare[at[b]] = p
			at[b]++
		}
		pairs, spare = spare, pairs
	}
	return pairs, spare
}

// prefixes sets each number to the first eight bytes of a text, the first one most significant.
func prefixes(dst []uint64, col *Coords) {
	for i := range dst {
		t := col.text(i)
		if len(t) >= 8 {
			dst[i] = binary.BigEndian.Uint64(t)
			continue
		}
		v := uint64(0)
		for j, c := range t {
			v |= uint64(c) << (56 - 8*j)
		}
		dst[i] = v
	}
}

// sortable turns values into unsigned numbers of the same order.
func sortable(dst []uint64, k datatype.Kind, b []byte) {
	switch k {
	case datatype.KindInt8:
		signed(dst, datatype.View[int8](b))
	case datatype.KindInt16:
		signed(dst, datatype.View[int16](b))
	case datatype.KindInt32:
		signed(dst, datatype.View[int32](b))
	case datatype.KindInt64:
		signed(dst, datatype.View[int64](b))
	case datatype.KindUint8:
		unsigned(dst, datatype.View[uint8](b))
	case datatype.KindUint16:
		unsigned(dst, datatype.View[uint16](b))
	case datatype.KindUint32:
		unsigned(dst, datatype.View[uint32](b))
	case datatype.KindUint64:
		unsigned(dst, datatype.View[uint64](b))
	case datatype.KindFloat32:
		floats(dst, datatype.View[float32](b))
	case datatype.KindFloat64:
		floats(dst, datatype.View[float64](b))
	}
}

func signed[T int8 | int16 | int32 | int64](dst []uint64, v []T) {
	for i, x := range v[:len(dst)] {
		dst[i] = uint64(int64(x)) ^ 1<<63
	}
}

func unsigned[T uint8 | uint16 | uint32 | uint64](dst []uint64, v []T) {
	for i, x := range v[:len(dst)] {
		dst[i] = uint64(x)
	}
}

// floats flips the bits of a float so that they sort like it: all of a negative number, the sign of others. Both zeros
// are one number.
func floats[T float32 | float64](dst []uint64, v []T) {
	for i, x := range v[:len(dst)] {
		u := math.Float64bits(float64(x) + 0)
		dst[i] = u ^ (uint64(int64(u)>>63) | 1<<63)
	}
}

// tileNumbers sets each number to the tile of a coordinate, counted from the start of the domain.
func tileNumbers(dst []uint64, d *Dimension, b []byte) {
	switch d.Type.Kind() {
	case datatype.KindInt8:
		tiles(dst, datatype.View[int8](b), d)
	case datatype.KindInt16:
		tiles(dst, datatype.View[int16](b), d)
	case datatype.KindInt32:
		tiles(dst, datatype.View[int32](b), d)
	case datatype.KindInt64:
		tiles(dst, datatype.View[int64](b), d)
	case datatype.KindUint8:
		tiles(dst, datatype.View[uint8](b), d)
	case datatype.KindUint16:
		tiles(dst, datatype.View[uint16](b), d)
	case datatype.KindUint32:
		tiles(dst, datatype.View[uint32](b), d)
	case datatype.KindUint64:
		tiles(dst, datatype.View[uint64](b), d)
	case datatype.KindFloat32:
		floatTiles(dst, datatype.View[float32](b), float32(float(d.Type, d.Lo())), float32(float(d.Type, d.Extent)))
	case datatype.KindFloat64:
		floatTiles(dst, datatype.View[float64](b), float(d.Type, d.Lo()), float(d.Type, d.Extent))
	}
}

func tiles[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](dst []uint64, v []T, d *Dimension) {
	lo, extent := number(d.Type, d.Lo()), d.extent()
	if extent&(extent-1) == 0 {
		shift := 0
		for extent>>shift > 1 {
			shift++
		}
		for i, x := range v[:len(dst)] {
			dst[i] = (uint64(x) - lo) >> shift
		}
		return
	}
	for i, x := range v[:len(dst)] {
		dst[i] = (uint64(x) - lo) / extent
	}
}

// floatTiles computes in the coordinate's own precision, as libtiledb does.
func floatTiles[T float32 | float64](dst []uint64, v []T, lo, extent T) {
	for i, x := range v[:len(dst)] {
		dst[i] = uint64((x - lo) / extent)
	}
}
