package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/internal/pool"
	"azulejo/schema"
)

// ErrRestricted is wrapped by the error for an array that a Restriction does not fit, such as one whose condition is on an
// attribute that the array does not have at the time: nothing of it may be read then.
var ErrRestricted = errors.New("the array has no such part")

// Restriction is the part of an array that a read may be of (decision 140). A read under it answers what it would answer of
// an array that holds this part and nothing else:
//
//   - attributes that are not named in Attributes do not exist, nor do dimension labels;
//   - those in Masked hold their fill value in every cell, null where they can be, and cannot be asked about;
//   - cells outside Box, and cells that do not satisfy Condition, do not exist: sparse arrays answer without them, dense ones
//     as if they had never been written.
//
// The newest version of a cell decides whether it exists. It is immutable and safe for concurrent use.
type Restriction struct {
	// Attributes are the attributes that exist, so that those a schema gets later do not.
	Attributes []string
	// Masked are those of Attributes whose values are withheld.
	Masked []string
	// Box has a range for every dimension, one with Lo nil for a dimension that is not cut; nil when none is.
	Box []schema.Range
	// Condition is what cells must satisfy, nil for none. It may be on any attribute.
	Condition *condition.Node
}

// restrictedName is the name of a restricted schema: that of the file would tell when the whole schema was changed.
var restrictedName = format.Name{Start: 1, End: 1, UUID: strings.Repeat("0", 32)}.String()

// Check tells whether all that the restriction names is in a schema, whose Enumerations must hold those that the condition
// compares labels of. The error wraps ErrInvalid or condition.ErrInvalid and says what is not.
func (w *Restriction) Check(s *schema.Array) error {
	for i, name := range w.Attributes {
		if f, ok := s.Field(name); !ok || f.Dimension {
			return fmt.Errorf("%w: the array has no attribute %q", ErrInvalid, name)
		}
		if slices.Contains(w.Attributes[:i], name) {
			return fmt.Errorf("%w: attribute %q is named twice", ErrInvalid, name)
		}
	}
	for _, name := range w.Masked {
		if !slices.Contains(w.Attributes, name) {
			return fmt.Errorf("%w: %q is masked but is none of the attributes that are shown", ErrInvalid, name)
		}
	}
	if len(w.Attributes) == 0 {
		return fmt.Errorf("%w: no attribute is shown", ErrInvalid)
	}
	if err := w.checkBox(s); err != nil || w.Condition == nil {
		return err
	}
	_, err := w.Condition.Check(s)
	return err
}

// checkBox refuses a box that is not one of the domain.
func (w *Restriction) checkBox(s *schema.Array) error {
	dims := s.Domain.Dimensions
	if w.Box != nil && len(w.Box) != len(dims) {
		return fmt.Errorf("%w: ranges for %d dimensions of %d", ErrInvalid, len(w.Box), len(dims))
	}
	for i, r := range w.Box {
		if r.Lo == nil {
			continue
		}
		a := axis{dim: &dims[i], kind: dims[i].Type.Kind(), text: dims[i].Var()}
		if err := a.check(r, nil); err != nil {
			return fmt.Errorf("%w: dimension %q: %w", ErrInvalid, dims[i].Name, err)
		}
	}
	return nil
}

// Schema returns the schema of the part: without the attributes that are not shown, the enumerations that only those and
// masked ones have, and dimension labels. The error wraps ErrRestricted.
func (w *Restriction) Schema(s *schema.Array) (*schema.Array, error) {
	c := *s
	c.Name = restrictedName
	c.Labels, c.Attributes, c.EnumerationNames = nil, nil, nil
	used := map[string]bool{}
	for i := range s.Attributes {
		a := s.Attributes[i]
		if !slices.Contains(w.Attributes, a.Name) {
			continue
		}
		if slices.Contains(w.Masked, a.Name) {
			a.Enumeration = ""
		}
		used[a.Enumeration] = true
		c.Attributes = append(c.Attributes, a)
	}
	if len(c.Attributes) == 0 {
		return nil, fmt.Errorf("%w: it has none of the attributes that may be seen", ErrRestricted)
	}
	for _, name := range s.EnumerationNames {
		if used[name] {
			c.EnumerationNames = append(c.EnumerationNames, name)
		}
	}
	c.Enumerations, c.EnumerationFiles = maps.Clone(s.Enumerations), maps.Clone(s.EnumerationFiles)
	maps.DeleteFunc(c.Enumerations, func(name string, _ *schema.Enumeration) bool { return !used[name] })
	maps.DeleteFunc(c.EnumerationFiles, func(name, _ string) bool { return !used[name] })
	if err := w.checkBox(s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRestricted, err)
	}
	return &c, nil
}

// node returns the condition that all cells of the part satisfy, nil when every cell does.
func (w *Restriction) node(s *schema.Array) *condition.Node {
	var parts []*condition.Node
	for i, r := range w.Box {
		if r.Lo != nil {
			name := s.Domain.Dimensions[i].Name
			parts = append(parts, &condition.Node{Op: condition.GE, Field: name, Value: r.Lo}, &condition.Node{Op: condition.LE, Field: name, Value: r.Hi})
		}
	}
	if w.Condition != nil {
		parts = append(parts, w.Condition)
	}
	if parts == nil {
		return nil
	}
	return condition.AllOf(parts...)
}

// restrict makes the query one of the part that Read.Within allows, and returns the condition of the two together. What the
// query names is looked up in the schema of the part alone, so that what is not shown is answered like what does not exist.
func (r *reading) restrict(a *array.Array) (*condition.Node, error) {
	w := r.q.Within
	shown, err := w.Schema(a.Schema)
	if err != nil {
		return nil, err
	}
	r.shown, r.schema = shown, w.nulls(a.Schema)
	if r.q.Versions != NewestVersions {
		return nil, fmt.Errorf("%w: versions of cells cannot be read of a part", ErrInvalid)
	}
	if err := w.comparable(shown, r.q.Condition); err != nil {
		return nil, err
	}
	if err := checkAggregates(shown, r.q.Aggregates); err != nil {
		return nil, err
	}
	for _, x := range r.q.Aggregates {
		if x.Op != Count && slices.Contains(w.Masked, x.Field) {
			return nil, fmt.Errorf("%w: aggregate %q: %w", ErrInvalid, x.Output, masked(x.Field))
		}
	}
	own := w.node(a.Schema)
	if a.Schema.Type == schema.Sparse && w.Box != nil && !r.cut(w.Box) {
		own = &condition.Node{Op: condition.AlwaysFalse, Field: a.Schema.Domain.Dimensions[0].Name}
	}
	switch {
	case own == nil:
		return r.q.Condition, nil
	case r.q.Condition == nil:
		return own, nil
	}
	return condition.AllOf(own, r.q.Condition), nil
}

func masked(name string) error {
	return fmt.Errorf("the values of %q are withheld, so nothing can be asked about them", name)
}

// comparable refuses a condition on what is not shown.
func (w *Restriction) comparable(shown *schema.Array, n *condition.Node) error {
	if n == nil {
		return nil
	}
	var err error
	n.Each(func(leaf *condition.Node) {
		if _, ok := shown.Field(leaf.Field); !ok {
			err = fmt.Errorf("%w: field %q: the array has no such attribute or dimension", condition.ErrInvalid, leaf.Field)
		} else if slices.Contains(w.Masked, leaf.Field) {
			err = fmt.Errorf("%w: %w", condition.ErrInvalid, masked(leaf.Field))
		}
	})
	return err
}

// cut leaves of the selection of a sparse array what lies in a box, for the R-trees to find; false when nothing does.
func (r *reading) cut(box []schema.Range) bool {
	axes := slices.Clone(r.axes)
	for i := range axes {
		if box[i].Lo != nil && !axes[i].cut(box[i]) {
			return false
		}
	}
	r.axes = axes
	return true
}

// cut leaves of the selection what lies in a range; false when nothing does.
func (a *axis) cut(r schema.Range) bool {
	a.whole, a.overlapping = false, false
	if a.text {
		given := a.textGiven
		if len(given) == 0 {
			given = []schema.Range{r}
		}
		a.textGiven = nil
		for _, g := range given {
			if bytes.Compare(g.Lo, r.Lo) < 0 {
				g.Lo = r.Lo
			}
			if bytes.Compare(g.Hi, r.Hi) > 0 {
				g.Hi = r.Hi
			}
			if bytes.Compare(g.Lo, g.Hi) <= 0 {
				a.textGiven = append(a.textGiven, g)
			}
		}
		a.mergeTexts()
		return len(a.textGiven) > 0
	}
	lo, hi := keyOf(a.kind, r.Lo), keyOf(a.kind, r.Hi)
	given := a.given
	a.given = nil
	for _, s := range given {
		if s = (span{max(s.lo, lo), min(s.hi, hi)}); s.lo <= s.hi {
			a.given = append(a.given, s)
		}
	}
	a.merge()
	return len(a.given) > 0
}

// maskedPrefix begins the names that masked attributes are looked up by in fragments. fieldIn finds nothing by them, so that
// no value can be read and every cell holds the fill value.
const maskedPrefix = "__masked/"

// nulls returns a schema whose masked attributes are null where they can be.
func (w *Restriction) nulls(s *schema.Array) *schema.Array {
	if len(w.Masked) == 0 {
		return s
	}
	c := *s
	c.Attributes = slices.Clone(s.Attributes)
	for i := range c.Attributes {
		a := &c.Attributes[i]
		a.FillValid = a.FillValid && !slices.Contains(w.Masked, a.Name)
	}
	return &c
}

// readable returns the field that a read returns under a name, false when there is none that it may.
func (r *reading) readable(name string) (f schema.Field, hidden, ok bool) {
	if w := r.q.Within; w != nil {
		if _, ok = r.shown.Field(name); !ok {
			return f, false, false
		}
		f, ok = r.schema.Field(name)
		if !f.Dimension && slices.Contains(w.Masked, name) {
			f.Name = maskedPrefix + name
		}
		return f, false, ok
	}
	if f, ok = r.schema.Field(name); !ok {
		f, hidden = r.hiddenField(name)
	}
	return f, hidden, ok || hidden
}

// NonEmptyDomain returns the smallest range per dimension that holds all cells of a part of an array, nil when there are none;
// without a restriction those of array.Array. Along dimensions that the restriction's box cuts it is the box, whatever cells
// there are. Along others the cells are looked at, with their memory booked in budget; only of dense arrays with sparse
// fragments it is the domain. Errors are those of Run.
func NonEmptyDomain(ctx context.Context, a *array.Array, w *Restriction, budget *pool.Budget) ([]schema.Range, error) {
	if w == nil {
		return a.NonEmptyDomain(), nil
	}
	dims := a.Schema.Domain.Dimensions
	out := make([]schema.Range, len(dims))
	q := &Read{Layout: schema.Unordered, Within: w, Budget: budget}
	sparseInDense := a.Schema.Type == schema.Dense && slices.ContainsFunc(a.Fragments(), func(f *fragment.Reader) bool { return !f.Dense() })
	for i := range dims {
		switch {
		case w.Box != nil && w.Box[i].Lo != nil:
			out[i] = w.Box[i]
		case sparseInDense:
			out[i] = schema.Range{Lo: dims[i].Lo(), Hi: dims[i].Hi()}
		default:
			q.Aggregates = append(q.Aggregates, Aggregate{Output: "lo", Op: Min, Field: dims[i].Name}, Aggregate{Output: "hi", Op: Max, Field: dims[i].Name})
		}
	}
	if len(q.Aggregates) == 0 {
		_, err := w.Schema(a.Schema)
		return out, err
	}
	if a.Schema.Type == schema.Dense {
		for _, r := range a.NonEmptyDomain() { // nothing else was written, and the whole domain may have too many cells to count
			q.Subarray.Ranges = append(q.Subarray.Ranges, []schema.Range{r})
		}
	}
	sums, err := tallies(ctx, a, q)
	if err != nil {
		return nil, err
	}
	for k := 0; k < len(sums); k += 2 {
		if sums[k].count == 0 {
			return nil, nil
		}
		out[sums[k].field.Index] = schema.Range{Lo: sums[k].best, Hi: sums[k+1].best}
	}
	return out, nil
}

// tallies computes the aggregates of a query.
func tallies(ctx context.Context, a *array.Array, q *Read) (sums []tally, err error) {
	r, err := newReading(ctx, a, q)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := r.files.Close(); err == nil {
			err = closeErr
		}
	}()
	sums = r.newTallies()
	return sums, r.tallyAll(ctx, sums)
}

const (
	// estimateBytes is what a column of a part takes while sizes are counted.
	estimateBytes = 1 << 20
)

// estimatePart returns the sizes of what a read of a part returns, exactly, by reading it: what fragments tell of their tiles
// is about all their cells.
func estimatePart(ctx context.Context, a *array.Array, q *Read) ([]Size, error) {
	r, err := newReading(ctx, a, q)
	if err != nil {
		return nil, err
	}
	if err := r.files.Close(); err != nil {
		return nil, err
	}
	part := *q
	part.Condition, part.Aggregates, part.Fields, part.Resume, part.Alloc = nil, nil, nil, nil, nil
	values := map[string]uint64{}
	for _, out := range r.outs {
		if out.Var() {
			part.Fields = append(part.Fields, Want{Name: out.Want.Name, DataCap: estimateBytes, OffsetsCap: estimateBytes, ValidityCap: -1})
		}
	}
	var cells uint64
	switch {
	case r.schema.Type == schema.Dense && part.Fields == nil:
		plan, err := r.planDense()
		if err != nil {
			return nil, err
		}
		cells = plan.total
	case part.Fields == nil:
		part.Fields = []Want{{Name: r.outs[0].Want.Name, DataCap: estimateBytes, OffsetsCap: -1, ValidityCap: -1}}
	}
	for len(part.Fields) > 0 {
		res, err := Run(ctx, a, &part)
		if err != nil {
			return nil, err
		}
		cells = saturatingAdd(cells, res.Cells)
		for _, c := range res.Columns {
			values[c.Name] += uint64(len(c.Data))
			if q.Budget != nil {
				q.Budget.Give(int64(len(c.Data) + len(c.Offsets) + len(c.Validity)))
			}
		}
		if part.Resume = res.Next; res.Next == nil {
			break
		}
		if res.Cells == 0 {
			for i := range part.Fields {
				part.Fields[i].DataCap, part.Fields[i].OffsetsCap = 2*part.Fields[i].DataCap, -1
			}
		}
	}
	sizes := make([]Size, len(r.outs))
	for i, out := range r.outs {
		sizes[i] = out.size(cells, values[out.Want.Name])
	}
	return sizes, nil
}
