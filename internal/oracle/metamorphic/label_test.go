package metamorphic

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/label"
	"azulejo/query"
	"azulejo/schema"
)

var labelTypes = []datatype.Type{datatype.Float64, datatype.Int32, datatype.Uint64, datatype.DateTimeDay, datatype.StringASCII}

// labelling is a write of labels for the places from lo on. The labels of every place are in a range of their own, so that
// they rise or fall whatever was written when.
type labelling struct {
	time  uint64
	lo    int
	marks []int
}

// mark returns a label of a place as a number.
func mark(rng *rand.Rand, l *schema.DimensionLabel, place int) int {
	if l.Order == schema.DecreasingData {
		place = 99 - place
	}
	return 10*place + rng.IntN(10)
}

// labelBytes returns the label that a number stands for.
func labelBytes(l *schema.DimensionLabel, mark int) []byte {
	if l.Type == datatype.StringASCII {
		return fmt.Appendf(nil, "%04d", mark)
	}
	return number(l.Type.Info().Kind, float64(mark))
}

// label writes labels for some of the places of a dimension.
func (p *player) label(rng *rand.Rand, at uint64) error {
	if len(p.schema.Labels) == 0 {
		return nil
	}
	for slices.ContainsFunc(p.labelled, func(w labelling) bool { return w.time == at }) {
		at++ // of one moment they would be in any order
	}
	l := &p.schema.Labels[0]
	d := &p.dims[l.Dimension]
	w := labelling{time: at, lo: rng.IntN(d.n)}
	column := query.Column{Name: l.Name}
	var offsets []uint64
	for range 1 + rng.IntN(d.n-w.lo) {
		m := mark(rng, l, w.lo+len(w.marks))
		w.marks = append(w.marks, m)
		offsets = append(offsets, uint64(len(column.Data)))
		column.Data = append(column.Data, labelBytes(l, m)...)
	}
	if l.CellValNum == datatype.VarNum {
		column.Offsets = datatype.Bytes(offsets)
	}
	p.note("label %d places from %d on at %d", len(w.marks), w.lo, at-epoch)
	a, err := p.open()
	if err == nil {
		err = label.Write(p.ctx, a, l.Name, &schema.Range{Lo: d.coords[w.lo], Hi: d.coords[w.lo+len(w.marks)-1]}, column, at)
	}
	if err == nil {
		p.labelled = append(p.labelled, w)
	}
	return err
}

// marksIn returns the labels of places in an interval as numbers, -1 where there is none.
func (m *model) marksIn(at array.Interval) []int {
	out := slices.Repeat([]int{-1}, m.dims[m.schema.Labels[0].Dimension].n)
	writes := slices.Clone(m.labelled)
	slices.SortFunc(writes, func(a, b labelling) int { return int(a.time) - int(b.time) })
	for _, w := range writes {
		if at.Start <= w.time && w.time <= at.End {
			copy(out[w.lo:], w.marks)
		}
	}
	return out
}

// compareLabels reads all labels in an interval and looks for every single one.
func (p *player) compareLabels(a *array.Array, at array.Interval) error {
	if len(p.schema.Labels) == 0 {
		return nil
	}
	l := &p.schema.Labels[0]
	marks := p.marksIn(at)
	column, err := label.Read(p.ctx, a, l.Name, nil)
	if err != nil {
		return err
	}
	var want []byte
	for _, m := range marks {
		if m < 0 {
			want = append(want, p.schema.LabelArray(l).Attributes[0].Fill...)
			continue
		}
		want = append(want, labelBytes(l, m)...)
	}
	if string(column.Data) != string(want) {
		return fmt.Errorf("%w: labels in %v: %x, want %x", errAnswer, short(at), column.Data, want)
	}
	first := slices.IndexFunc(marks, func(m int) bool { return m >= 0 })
	end := len(marks)
	for end > 0 && marks[end-1] < 0 {
		end--
	}
	if first < 0 || slices.Contains(marks[first:end], -1) {
		return nil // with a gap they need not be in order
	}
	for place := first; place < end; place++ {
		one := labelBytes(l, marks[place])
		got, err := label.Find(p.ctx, a, l.Name, []schema.Range{{Lo: one, Hi: one}})
		c := string(p.dims[l.Dimension].coords[place])
		if err != nil || string(got[0].Lo) != c || string(got[0].Hi) != c {
			return fmt.Errorf("%w: label %x in %v is found at %x, want %x; error %w", errAnswer, one, short(at), got, c, err)
		}
	}
	none := labelBytes(l, 9999)
	if _, err := label.Find(p.ctx, a, l.Name, []schema.Range{{Lo: none, Hi: none}}); !errors.Is(err, label.ErrEmpty) {
		return fmt.Errorf("%w: a label that there is not: %w", errAnswer, err)
	}
	return nil
}
