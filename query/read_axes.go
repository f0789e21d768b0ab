package query

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sort"

	"azulejo/datatype"
	"azulejo/schema"
)

// span is an inclusive range of keys.
type span struct{ lo, hi uint64 }

// axis is the selection of one dimension.
type axis struct {
	dim  *schema.Dimension
	kind datatype.Kind
	text bool
	// whole says that the query names no ranges.
	whole bool
	// given has the ranges in the query's order; merged the same cells as sorted ranges that are apart. Both are empty for
	// texts, whose ranges are in textGiven and textMerged.
	given, merged         []span
	textGiven, textMerged []schema.Range
	// overlapping says that some cells lie in several of the ranges, rising that they are given in ascending order.
	overlapping, rising bool
}

// newAxes checks a subarray against the domain.
func newAxes(s *schema.Array, sub Subarray) ([]axis, error) {
	dims := s.Domain.Dimensions
	if sub.Ranges != nil && len(sub.Ranges) != len(dims) {
		return nil, fmt.Errorf("%w: ranges for %d dimensions of %d", ErrInvalid, len(sub.Ranges), len(dims))
	}
	axes := make([]axis, len(dims))
	for i := range dims {
		a := &axes[i]
		a.dim, a.kind, a.text = &dims[i], dims[i].Type.Kind(), dims[i].Var()
		var ranges []schema.Range
		if sub.Ranges != nil {
			ranges = sub.Ranges[i]
		}
		if err := a.set(s, i, ranges); err != nil {
			return nil, fmt.Errorf("%w: dimension %q: %w", ErrInvalid, a.dim.Name, err)
		}
	}
	return axes, nil
}

// set resolves the ranges of dimension i.
func (a *axis) set(s *schema.Array, i int, ranges []schema.Range) error {
	current := currentRange(s, i)
	a.whole, a.rising = len(ranges) == 0, true
	if a.whole {
		if s.Type == schema.Sparse && current != nil {
			ranges = []schema.Range{*current}
		} else if a.text {
			return nil
		} else {
			ranges = []schema.Range{{Lo: a.dim.Lo(), Hi: a.dim.Hi()}}
		}
	}
	for _, r := range ranges {
		if err := a.check(r, current); err != nil {
			return err
		}
		if a.text {
			a.textGiven = append(a.textGiven, r)
		} else {
			a.given = append(a.given, span{keyOf(a.kind, r.Lo), keyOf(a.kind, r.Hi)})
		}
	}
	if a.text {
		a.mergeTexts()
	} else {
		a.merge()
	}
	return nil
}

// currentRange returns the current domain's range of a dimension, or nil.
func currentRange(s *schema.Array, i int) *schema.Range {
	if c := s.CurrentDomain; c != nil && !c.Empty && i < len(c.Ranges) {
		return &c.Ranges[i]
	}
	return nil
}

// check refuses ranges that end before they start or leave the domain in use.
func (a *axis) check(r schema.Range, current *schema.Range) error {
	if a.text {
		if bytes.Compare(r.Lo, r.Hi) > 0 {
			return fmt.Errorf("range from %q ends at %q", r.Lo, r.Hi)
		}
	} else {
		if n := a.dim.Type.Size(); len(r.Lo) != n || len(r.Hi) != n {
			return fmt.Errorf("range ends of %d and %d bytes instead of %d", len(r.Lo), len(r.Hi), n)
		}
		if a.isNaN(r.Lo) || a.isNaN(r.Hi) {
			return fmt.Errorf("a range ends at NaN")
		}
		if a.dim.Compare(r.Lo, r.Hi) > 0 {
			return fmt.Errorf("range ends before it starts")
		}
		if domain := (schema.Range{Lo: a.dim.Lo(), Hi: a.dim.Hi()}); !a.dim.Contains(domain, r) {
			return fmt.Errorf("range is out of domain bounds")
		}
	}
	if current != nil && !a.dim.Contains(*current, r) {
		return fmt.Errorf("range is outside of the current domain")
	}
	return nil
}

func (a *axis) isNaN(b []byte) bool {
	switch a.kind {
	case datatype.KindFloat32:
		v := datatype.View[float32](b)[0]
		return v != v
	case datatype.KindFloat64:
		return math.IsNaN(datatype.View[float64](b)[0])
	}
	return false
}

// merge makes merged from given.
func (a *axis) merge() {
	a.merged = slices.Clone(a.given)
	a.rising = slices.IsSortedFunc(a.merged, func(x, y span) int { return compareKeys(x.lo, y.lo) })
	slices.SortFunc(a.merged, func(x, y span) int { return compareKeys(x.lo, y.lo) })
	out := a.merged[:0]
	for _, s := range a.merged {
		if n := len(out); n > 0 && s.lo <= out[n-1].hi {
			a.overlapping = true
			out[n-1].hi = max(out[n-1].hi, s.hi)
			continue
		}
		out = append(out, s)
	}
	a.merged = out
}

func compareKeys(x, y uint64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func (a *axis) mergeTexts() {
	byLo := func(x, y schema.Range) int { return bytes.Compare(x.Lo, y.Lo) }
	a.textMerged = slices.Clone(a.textGiven)
	a.rising = slices.IsSortedFunc(a.textMerged, byLo)
	slices.SortFunc(a.textMerged, byLo)
	out := a.textMerged[:0]
	for _, r := range a.textMerged {
		if n := len(out); n > 0 && bytes.Compare(r.Lo, out[n-1].Hi) <= 0 {
			a.overlapping = true
			if bytes.Compare(r.Hi, out[n-1].Hi) > 0 {
				out[n-1].Hi = r.Hi
			}
			continue
		}
		out = append(out, r)
	}
	a.textMerged = out
}

// restricted reports whether some coordinates of the domain are not selected.
func (a *axis) restricted() bool {
	if a.text {
		return len(a.textMerged) > 0
	}
	return !(len(a.merged) == 1 && a.merged[0].lo <= keyOf(a.kind, a.dim.Lo()) && a.merged[0].hi >= keyOf(a.kind, a.dim.Hi()))
}

// overlap is how a box lies to a selection.
type overlap uint8

const (
	apart overlap = iota
	partly
	inside
)

// meet tells how an inclusive range of coordinates, such as a bounding box's, lies to the selection.
func (a *axis) meet(r schema.Range) overlap {
	if a.text {
		return a.meetText(r)
	}
	s := span{keyOf(a.kind, r.Lo), keyOf(a.kind, r.Hi)}
	i := sort.Search(len(a.merged), func(i int) bool { return a.merged[i].hi >= s.lo })
	switch {
	case i == len(a.merged) || a.merged[i].lo > s.hi:
		return apart
	case a.merged[i].lo <= s.lo && a.merged[i].hi >= s.hi:
		return inside
	}
	return partly
}

func (a *axis) meetText(r schema.Range) overlap {
	if len(a.textMerged) == 0 {
		return inside
	}
	i := sort.Search(len(a.textMerged), func(i int) bool { return bytes.Compare(a.textMerged[i].Hi, r.Lo) >= 0 })
	switch {
	case i == len(a.textMerged) || bytes.Compare(a.textMerged[i].Lo, r.Hi) > 0:
		return apart
	case bytes.Compare(a.textMerged[i].Lo, r.Lo) <= 0 && bytes.Compare(a.textMerged[i].Hi, r.Hi) >= 0:
		return inside
	}
	return partly
}

// within returns the merged spans that meet a span.
func (a *axis) within(s span) []span {
	i := sort.Search(len(a.merged), func(i int) bool { return a.merged[i].hi >= s.lo })
	j := i
	for j < len(a.merged) && a.merged[j].lo <= s.hi {
		j++
	}
	return a.merged[i:j]
}

// times returns how many of the given ranges hold a key.
func (a *axis) times(key uint64) int {
	n := 0
	for _, s := range a.given {
		if s.lo <= key && key <= s.hi {
			n++
		}
	}
	return n
}

// timesText is times for a text.
func (a *axis) timesText(v []byte) int {
	if len(a.textGiven) == 0 {
		return 1
	}
	n := 0
	for _, r := range a.textGiven {
		if bytes.Compare(r.Lo, v) <= 0 && bytes.Compare(v, r.Hi) <= 0 {
			n++
		}
	}
	return n
}
