package format

import (
	"fmt"

	"azulejo/internal/bin"
	"azulejo/schema"
)

// An R-tree (format_spec/fragment.md, R-Tree) is the first part of fragment metadata, one generic tile:
//
//	[ u32 dimensions (before 5) ] | u32 fanout, 10 | [ u8 datatype (before 5) ] | u32 levels
//	level, root first: u64 boxes | boxes, each one range per dimension
//
// Box i of a level covers boxes i*fanout to (i+1)*fanout-1 of the next; the last level has one box per tile. Dense
// fragments have no levels.

// RTreeFanout is the number of boxes that a box of the level above covers in trees that are written.
const RTreeFanout = 10

// maxRTreeLevels bounds the levels of a tree read: with fanout 2 these are enough for any number of tiles.
const maxRTreeLevels = 64

// RTree holds the bounding boxes of tiles and of groups of them, root level first, tiles last (format_spec/fragment.md,
// R-Tree). Immutable, safe for concurrent use.
type RTree struct {
	Fanout uint32
	Levels []RTreeLevel
}

// RTreeLevel is a level of an R-tree: NumBoxes boxes, one column per dimension.
type RTreeLevel struct {
	NumBoxes int
	Columns  []RangeColumn
}

// RangeColumn is a list of ranges of one dimension. Of fixed dimensions Data is lo and hi of each back to back. Of text
// dimensions Data is all texts and Ends the position behind each: lo, hi, lo, hi.
type RangeColumn struct {
	Data []byte
	Ends []uint64
}

// Range returns range i, sharing memory; size is the number of bytes of a coordinate, unused for texts.
func (c *RangeColumn) Range(i, size int) schema.Range {
	if c.Ends == nil {
		b := c.Data[2*i*size : 2*(i+1)*size : 2*(i+1)*size]
		return schema.Range{Lo: b[:size:size], Hi: b[size:]}
	}
	start := uint64(0)
	if i > 0 {
		start = c.Ends[2*i-1]
	}
	mid, end := c.Ends[2*i], c.Ends[2*i+1]
	return schema.Range{Lo: c.Data[start:mid:mid], Hi: c.Data[mid:end:end]}
}

// Append adds a range to the column of dimension d.
func (c *RangeColumn) Append(d *schema.Dimension, r schema.Range) {
	c.Data = append(c.Data, r.Lo...)
	if d.Var() {
		c.Ends = append(c.Ends, uint64(len(c.Data)))
	}
	c.Data = append(c.Data, r.Hi...)
	if d.Var() {
		c.Ends = append(c.Ends, uint64(len(c.Data)))
	}
}

// Leaves returns the level that has the tiles' boxes, or nil when the tree is empty.
func (t *RTree) Leaves() *RTreeLevel {
	if len(t.Levels) == 0 {
		return nil
	}
	return &t.Levels[len(t.Levels)-1]
}

// NewRTree builds the tree over the tiles' boxes with libtiledb's fanout of 10. It keeps leaves.
func NewRTree(d *schema.Domain, leaves RTreeLevel) *RTree {
	t := &RTree{Fanout: RTreeFanout}
	if leaves.NumBoxes == 0 {
		return t
	}
	levels := []RTreeLevel{leaves}
	for level := leaves; level.NumBoxes > 1; {
		level = parents(d, &level)
		levels = append(levels, level)
	}
	for i := len(levels) - 1; i >= 0; i-- {
		t.Levels = append(t.Levels, levels[i])
	}
	return t
}

// parents returns the level above one.
func parents(d *schema.Domain, level *RTreeLevel) RTreeLevel {
	up := RTreeLevel{NumBoxes: (level.NumBoxes + RTreeFanout - 1) / RTreeFanout, Columns: make([]RangeColumn, len(level.Columns))}
	for c := range up.Columns {
		dim := &d.Dimensions[c]
		size := dim.Type.Size()
		for i := range up.NumBoxes {
			r := level.Columns[c].Range(i*RTreeFanout, size)
			for j := i*RTreeFanout + 1; j < min((i+1)*RTreeFanout, level.NumBoxes); j++ {
				r = dim.Union(r, level.Columns[c].Range(j, size))
			}
			up.Columns[c].Append(dim, r)
		}
	}
	return up
}

// Search calls tile for every tile whose box overlaps the ranges, one per dimension, in ascending order; full tells that
// the box lies inside them. It stops early when tile returns false.
func (t *RTree) Search(d *schema.Domain, ranges []schema.Range, tile func(i int, full bool) bool) {
	if len(t.Levels) == 0 {
		return
	}
	s := rtreeSearch{t, d, ranges, tile}
	for i := range t.Levels[0].NumBoxes {
		if !s.visit(0, i, false) {
			return
		}
	}
}

// rtreeSearch is a search under way.
type rtreeSearch struct {
	t      *RTree
	d      *schema.Domain
	ranges []schema.Range
	tile   func(i int, full bool) bool
}

// visit looks at box i of a level and, unless it is apart, below it; covered says that the box above lies inside.
func (s *rtreeSearch) visit(level, i int, covered bool) bool {
	l := &s.t.Levels[level]
	if !covered {
		var some bool
		if some, covered = s.meets(l, i); !some {
			return true
		}
	}
	if level == len(s.t.Levels)-1 {
		return s.tile(i, covered)
	}
	fanout := int(s.t.Fanout)
	for j := i * fanout; j < min((i+1)*fanout, s.t.Levels[level+1].NumBoxes); j++ {
		if !s.visit(level+1, j, covered) {
			return false
		}
	}
	return true
}

// meets reports whether box i overlaps the ranges, and lies inside them.
func (s *rtreeSearch) meets(l *RTreeLevel, i int) (some, inside bool) {
	inside = true
	for c := range l.Columns {
		d := &s.d.Dimensions[c]
		box := l.Columns[c].Range(i, d.Type.Size())
		if !d.Overlaps(s.ranges[c], box) {
			return false, false
		}
		inside = inside && d.Contains(s.ranges[c], box)
	}
	return true, inside
}

// spans reports whether the boxes of the root level, of which there is at least one, together span exactly the ranges.
func (t *RTree) spans(d *schema.Domain, ranges []schema.Range) bool {
	root := &t.Levels[0]
	if len(ranges) != len(root.Columns) {
		return false
	}
	for c := range root.Columns {
		dim := &d.Dimensions[c]
		size := dim.Type.Size()
		all := root.Columns[c].Range(0, size)
		for i := 1; i < root.NumBoxes; i++ {
			all = dim.Union(all, root.Columns[c].Range(i, size))
		}
		if dim.Compare(all.Lo, ranges[c].Lo) != 0 || dim.Compare(all.Hi, ranges[c].Hi) != 0 {
			return false
		}
	}
	return true
}

// decodeRTree decodes the payload of the R-tree's generic tile.
func decodeRTree(payload []byte, d *schema.Domain, version uint32) (*RTree, error) {
	r := bin.NewReader(payload)
	old := !has(version, dimensionFeature)
	if old {
		r.U32("dimensions")
	}
	t := &RTree{Fanout: r.U32("fanout")}
	if old {
		r.U8("datatype")
	}
	n := r.U32("number of levels")
	if r.Err() == nil && (n > maxRTreeLevels || n > 0 && (t.Fanout < 2 || t.Fanout > 1<<16)) {
		r.Failf("number of levels", "%w: %d levels of fanout %d", ErrCorrupt, n, t.Fanout)
	}
	for i := 0; r.Err() == nil && i < int(n); i++ {
		t.Levels = append(t.Levels, readLevel(r, d))
		if r.Err() != nil {
			return nil, readErr(r, fmt.Sprintf("R-tree/level %d", i), version)
		}
		if i > 0 && t.Levels[i-1].NumBoxes != (t.Levels[i].NumBoxes+int(t.Fanout)-1)/int(t.Fanout) {
			r.Failf("levels", "%w: %d boxes over %d", ErrCorrupt, t.Levels[i-1].NumBoxes, t.Levels[i].NumBoxes)
		}
	}
	if err := finish(r, "R-tree", version); err != nil {
		return nil, err
	}
	return t, nil
}

// readLevel reads a level's boxes into columns.
func readLevel(r *bin.Reader, d *schema.Domain) RTreeLevel {
	least := 0
	for i := range d.Dimensions {
		if d.Dimensions[i].Var() {
			least += 16
		} else {
			least += 2 * d.Dimensions[i].Type.Size()
		}
	}
	l := RTreeLevel{NumBoxes: r.Count("boxes", r.U64("number of boxes"), least), Columns: make([]RangeColumn, len(d.Dimensions))}
	for c := range l.Columns {
		if dim := &d.Dimensions[c]; dim.Var() {
			l.Columns[c].Ends = make([]uint64, 0, 2*l.NumBoxes)
		} else {
			l.Columns[c].Data = make([]byte, 0, 2*l.NumBoxes*dim.Type.Size())
		}
	}
	for i := 0; i < l.NumBoxes && r.Err() == nil; i++ {
		for c := range l.Columns {
			dim := &d.Dimensions[c]
			l.Columns[c].Append(dim, readRange(r, dim))
		}
	}
	return l
}

// encode returns the payload of the R-tree's generic tile.
func (t *RTree) encode(d *schema.Domain) []byte {
	w := &bin.Writer{}
	w.U32(t.Fanout)
	w.U32(uint32(len(t.Levels)))
	for l := range t.Levels {
		level := &t.Levels[l]
		w.U64(uint64(level.NumBoxes))
		for i := range level.NumBoxes {
			for c := range level.Columns {
				dim := &d.Dimensions[c]
				writeRange(w, dim, level.Columns[c].Range(i, dim.Type.Size()))
			}
		}
	}
	return w.B
}
