package fragment

import (
	"context"

	"azulejo/schema"
)

// Overlap tells how a bounding box lies to what a search is for.
type Overlap uint8

// The overlaps.
const (
	// Apart boxes have no cell that is searched for.
	Apart Overlap = iota
	// Partly selected boxes may have some.
	Partly
	// Inside boxes have nothing else.
	Inside
)

// Search goes through the bounding boxes of a sparse fragment's tiles from the root of its R-tree, leaving out groups of
// tiles that are apart from what is searched for, and calls tile for the others in ascending order. judge gets a box in one
// dimension, a range of coordinates; a box is apart when one
// dimension says so and inside when all do.
func (r *Reader) Search(ctx context.Context, judge func(dim int, box schema.Range) Overlap, tile func(i uint64, inside bool)) error {
	tree, err := r.RTree(ctx)
	if err != nil || tree.Leaves() == nil {
		return err
	}
	s := search{r: r, judge: judge, tile: tile, depth: len(tree.Levels) - 1}
	for i := range tree.Levels[0].NumBoxes {
		if err := s.box(ctx, 0, i); err != nil {
			return err
		}
	}
	return nil
}

// search is one call of Search.
type search struct {
	r     *Reader
	judge func(dim int, box schema.Range) Overlap
	tile  func(i uint64, inside bool)
	depth int
}

func (s *search) box(ctx context.Context, level, i int) error {
	tree := s.r.rtree.Load()
	inside := true
	for d := range s.r.Schema().Domain.Dimensions {
		size := s.r.Schema().Domain.Dimensions[d].Type.Size()
		switch s.judge(d, tree.Levels[level].Columns[d].Range(i, size)) {
		case Apart:
			return nil
		case Partly:
			inside = false
		}
	}
	if level == s.depth {
		s.tile(uint64(i), inside)
		return nil
	}
	if level == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	fanout, below := int(tree.Fanout), tree.Levels[level+1].NumBoxes
	for child := i * fanout; child < (i+1)*fanout && child < below; child++ {
		if err := s.box(ctx, level+1, child); err != nil {
			return err
		}
	}
	return nil
}

// Box returns the bounding box of a tile of a sparse fragment in one dimension, sharing memory. The tree must have been
// loaded by RTree or Search.
func (r *Reader) Box(tile uint64, dim int) schema.Range {
	return r.rtree.Load().Leaves().Columns[dim].Range(int(tile), r.Schema().Domain.Dimensions[dim].Type.Size())
}
