package schema

import "errors"

// Ordering compares cells by their coordinates in one layout of a schema. Immutable, safe for concurrent use.
//
// Coordinates are first turned into Keys, one unsigned number per coordinate and dimension that sorts like the
// coordinate, so that comparing needs no dispatch on the dimension's type.
type Ordering struct {
	layout Layout
}

// Keys holds the comparable form of a set of cells. It belongs to its maker and shares the memory of text columns.
type Keys struct {
	n int
}

// NewOrdering returns the order of RowMajor, ColMajor or GlobalOrder (tile order, then cell order; dimensions without an
// extent have no part in the tile order). Hilbert arrays in global order are refused with ErrInvalid.
func NewOrdering(a *Array, layout Layout) (*Ordering, error) {
	return nil, errors.New("order is not written yet")
}

// Keys returns the comparable form of n cells given as one column per dimension. reuse, when not nil, is overwritten.
// The error wraps ErrInvalid when a column is too short.
func (o *Ordering) Keys(n int, cols []Coords, reuse *Keys) (*Keys, error) { return nil, nil }

// Compare orders cell i of x and cell j of y: negative, 0 (same coordinates) or positive.
func (o *Ordering) Compare(x *Keys, i int, y *Keys, j int) int { return 0 }

// Sort returns the positions of the cells of k in this order; cells at equal coordinates keep their sequence.
func (o *Ordering) Sort(k *Keys) []int { return nil }

// Sorted reports whether the cells of k are in this order; equal neighbours are allowed.
func (o *Ordering) Sorted(k *Keys) bool { return false }

// Len returns the number of cells.
func (k *Keys) Len() int { return k.n }
