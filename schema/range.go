package schema

// Coords is a column of coordinates of one dimension: fixed values back to back in Data, or texts in Data with the byte
// position of each in Offsets (no extra element).
type Coords struct {
	Data    []byte
	Offsets []uint64
}

// Compare orders two coordinates of the dimension: numbers by value, texts bytewise with a prefix first. It is meant for
// single values; columns are compared with an Ordering.
func (d *Dimension) Compare(x, y []byte) int { return 0 }

// Bounds returns the smallest range that holds every coordinate of a column of n cells, in new memory; n must not be 0.
func (d *Dimension) Bounds(n int, col Coords) Range { return Range{} }

// Union returns the smallest range that holds both; it shares memory with them.
func (d *Dimension) Union(r, s Range) Range { return r }

// Intersect returns the cells common to both, and false when there are none; it shares memory with them.
func (d *Dimension) Intersect(r, s Range) (Range, bool) { return r, false }

// Overlaps reports whether some coordinate lies in both ranges.
func (d *Dimension) Overlaps(r, s Range) bool { return false }

// Contains reports whether inner lies in outer.
func (d *Dimension) Contains(outer, inner Range) bool { return false }

// ContainsValue reports whether the coordinate lies in the range.
func (d *Dimension) ContainsValue(r Range, v []byte) bool { return false }
