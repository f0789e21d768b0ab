package consolidate

import (
	"fmt"
	"math"
	"strings"

	"azulejo/array"
	"azulejo/schema"
	"azulejo/vfs"
)

// candidates are the fragments that a step chooses from, oldest first.
type candidates struct {
	dims  []schema.Dimension
	grid  *schema.Grid // nil when sparse
	infos []array.FragmentInfo
	// anterior is what the fragments before the interval cover together; nil when sparse or when there are none.
	anterior []schema.Range
	// straddling are the fragments that reach out of the interval, which no step takes but which hide others or are hidden.
	straddling []array.FragmentInfo
}

// newCandidates sorts the fragments of a snapshot into those in the interval and those before it.
func newCandidates(s *schema.Array, infos []array.FragmentInfo, at array.Interval) (*candidates, error) {
	c := &candidates{dims: s.Domain.Dimensions}
	if s.Type == schema.Dense {
		var err error
		if c.grid, err = schema.NewGrid(s); err != nil {
			return nil, err
		}
	}
	for _, info := range infos {
		switch {
		case at.Contains(info.Start, info.End):
			c.infos = append(c.infos, info)
		case c.grid != nil && info.End < at.Start:
			c.anterior = c.union(c.anterior, info.NonEmptyDomain)
		case c.grid != nil && info.Start <= at.End:
			c.straddling = append(c.straddling, info)
		}
	}
	return c, nil
}

// union returns the smallest ranges around both; nil is nothing.
func (c *candidates) union(a, b []schema.Range) []schema.Range {
	if len(a) != len(c.dims) {
		return b
	}
	if len(b) != len(c.dims) {
		return a
	}
	u := make([]schema.Range, len(a))
	for i := range a {
		u[i] = c.dims[i].Union(a[i], b[i])
	}
	return u
}

// overlap reports whether the ranges have a cell in common.
func (c *candidates) overlap(a, b []schema.Range) bool {
	if len(a) != len(c.dims) || len(b) != len(c.dims) {
		return false
	}
	for i := range a {
		if !c.dims[i].Overlaps(a[i], b[i]) {
			return false
		}
	}
	return true
}

// cells returns the number of cells in ranges of a dense array, those of whole tiles when expanded.
func (c *candidates) cells(r []schema.Range, expanded bool) float64 {
	if len(r) != len(c.dims) {
		return 0
	}
	box, n := c.grid.Box(r), 1.0
	tiles := c.grid.TileBox(box)
	for i := range box.Lo {
		if expanded {
			n *= (float64(tiles.Hi[i]-tiles.Lo[i]) + 1) * float64(c.grid.Extent[i])
		} else {
			n *= float64(box.Hi[i]-box.Lo[i]) + 1
		}
	}
	return n
}

// next returns the fragments that the next step merges, as a range of infos, as libtiledb chooses them: of all runs of
// neighbours with the greatest allowed number of members the smallest, and an earlier one unless a later one is much
// smaller. Fewer than two mean that there is nothing left to do.
func (c *candidates) next(o *Options) (from, to int) {
	n := len(c.infos)
	longest, least := min(int(o.MaxFragments), n), min(int(o.MinFragments), n)
	// best has the smallest size of runs of each length so far, and where the run begins.
	best, start := make([]uint64, longest+1), make([]int, longest+1)
	for i := range best {
		best[i] = math.MaxUint64
	}
	for j := range n {
		if n-j < least {
			break
		}
		size, union := uint64(0), []schema.Range(nil)
		for length := 1; length <= longest && j+length <= n; length++ {
			k := j + length - 1
			union = c.union(union, c.infos[k].NonEmptyDomain)
			if length > 1 && (!c.similar(k-1, k, o.SizeRatio) || c.grid != nil && !c.mergeable(j, k, union, o.Amplification)) {
				break
			}
			size += c.infos[k].NBytes
			if best[length] == math.MaxUint64 || float64(size) < float64(best[length])/1.25 {
				best[length], start[length] = size, j
			}
		}
	}
	for length := longest; length >= max(least, 1); length-- {
		if best[length] != math.MaxUint64 {
			return start[length], start[length] + length
		}
	}
	return 0, 0
}

// similar reports whether two neighbours are of similar enough size.
func (c *candidates) similar(i, j int, least float32) bool {
	ratio := float32(c.infos[i].NBytes) / float32(c.infos[j].NBytes)
	if ratio > 1 {
		ratio = 1 / ratio
	}
	return ratio >= least
}

// mergeable reports whether dense fragments i to j, which lie in union, may become one: where the new fragment has no
// cells of theirs it holds fill values, which must not hide what older fragments have there, and there must not be too
// many of them.
func (c *candidates) mergeable(i, j int, union []schema.Range, amplification float64) bool {
	if c.overlap(union, c.anterior) {
		return false
	}
	for k := range i {
		if c.overlap(union, c.infos[k].NonEmptyDomain) {
			return false
		}
	}
	// libtiledb does not look at these, and loses what they have.
	for _, s := range c.straddling {
		if s.Start <= c.infos[j].Start && c.overlap(union, s.NonEmptyDomain) {
			return false
		}
	}
	sum := 0.0
	for k := i; k <= j; k++ {
		sum += c.cells(c.infos[k].NonEmptyDomain, true)
	}
	return c.cells(union, false)/sum <= amplification
}

// named returns the fragments of the names given, after checking that merging them loses nothing.
func (c *candidates) named(names []string) ([]array.FragmentInfo, error) {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[vfs.Base(strings.TrimSpace(n))] = true
	}
	var chosen, others []array.FragmentInfo
	var union []schema.Range
	last := uint64(0)
	for _, info := range c.infos {
		if !wanted[info.Name] {
			others = append(others, info)
			continue
		}
		chosen = append(chosen, info)
		union = c.union(union, info.NonEmptyDomain)
		last = max(last, info.End)
	}
	if len(chosen) != len(names) {
		return nil, fmt.Errorf("%w: %d of the %d fragments named are in the array", ErrInvalid, len(chosen), len(names))
	}
	if c.grid == nil {
		return chosen, nil
	}
	tiles := c.grid.TileBox(c.grid.Box(union))
	for _, info := range others {
		if info.Start > last || len(info.NonEmptyDomain) != len(c.dims) {
			continue
		}
		cells := c.grid.Box(info.NonEmptyDomain)
		if common := c.grid.NewBox(); tiles.Intersect(common, c.grid.TileBox(cells)) {
			return nil, fmt.Errorf("%w: fragment %s is older than the last of those named and overlaps the region that they span, "+
				"whose gaps would hide it; name it too", ErrInvalid, info.Name)
		}
	}
	return chosen, nil
}
