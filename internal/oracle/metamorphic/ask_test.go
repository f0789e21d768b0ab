package metamorphic

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/pool"
	"azulejo/query"
	"azulejo/schema"
)

// question is a read.
type question struct {
	at     array.Interval
	layout schema.Layout
	// ranges are the first and last places of each dimension's ranges.
	ranges [4][][2]int
	cond   *cond
	fields []string
	read   query.Read
	// parts says that columns take few bytes at a time.
	parts bool
}

// errAnswer is an answer that is not the model's.
var errAnswer = errors.New("wrong answer")

// ask reads the array at some time in some way, and its metadata, and compares both with the model.
func (p *player) ask(rng *rand.Rand) error {
	p.asked++
	q := p.question(rng)
	if err := p.compare(rng, q); err != nil {
		return fmt.Errorf("%s: %w", q, err)
	}
	if rng.IntN(3) == 0 {
		return p.compareRest(q.at)
	}
	return nil
}

// askAll reads everything at several times.
func (p *player) askAll(rng *rand.Rand, times ...uint64) error {
	for _, t := range times {
		q := p.whole(array.Interval{End: t})
		if err := p.compare(rng, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
		if err := p.compareRest(q.at); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

// whole returns the question for everything in an interval.
func (p *player) whole(at array.Interval) *question {
	q := &question{at: at, layout: schema.RowMajor}
	for i := range p.dims {
		q.ranges[i] = [][2]int{{0, p.dims[i].n - 1}}
		q.fields = append(q.fields, p.dims[i].Name)
	}
	for _, a := range p.shapeAt(at.End).attrs {
		q.fields = append(q.fields, a.Name)
	}
	return q
}

func (p *player) question(rng *rand.Rand) *question {
	at := array.Interval{End: epoch + 1000}
	if rng.IntN(2) == 0 {
		at.End = epoch + uint64(rng.IntN(60))
	}
	if rng.IntN(4) == 0 {
		at.Start = min(epoch+uint64(rng.IntN(40)), at.End)
	}
	q := p.whole(at)
	q.layout = []schema.Layout{schema.RowMajor, schema.ColMajor, schema.GlobalOrder, schema.Unordered}[rng.IntN(4)]
	if p.dense() && q.layout == schema.Unordered {
		q.layout = schema.RowMajor
	}
	several := rng.IntN(4) == 0 && !(p.dense() && q.layout == schema.GlobalOrder)
	if rng.IntN(3) > 0 {
		for i := range p.dims {
			q.ranges[i] = nil
			for more := true; more; more = several && rng.IntN(2) == 0 {
				lo := rng.IntN(p.dims[i].n)
				q.ranges[i] = append(q.ranges[i], [2]int{lo, lo + rng.IntN(p.dims[i].n-lo)})
			}
		}
	}
	if rng.IntN(3) == 0 {
		// A condition must fit the schema of the time.
		if c := p.randomCond(rng, 0, false); p.fits(c, at.End) {
			q.cond = c
		}
	}
	if rng.IntN(3) == 0 {
		rng.Shuffle(len(q.fields), func(i, j int) { q.fields[i], q.fields[j] = q.fields[j], q.fields[i] })
		q.fields = q.fields[:1+rng.IntN(len(q.fields))]
	}
	q.parts = p.simple&plainReads == 0 && rng.IntN(3) == 0
	q.read.Offsets = []query.OffsetsFormat{{}, {Extra: true}, {Bits: 32}}[rng.IntN(3)]
	if p.simple&plainReads == 0 && rng.IntN(4) == 0 {
		q.read.Budget = pool.NewBudget(int64(20_000 + rng.IntN(100_000)))
	}
	return q
}

// fits reports whether a condition's fields are all in the schema of a time.
func (m *model) fits(c *cond, end uint64) bool {
	ok := true
	c.fields(func(name string) {
		isIt := func(a attribute) bool { return a.Name == name }
		d := slices.ContainsFunc(m.dims, func(d dimension) bool { return d.Name == name })
		ok = ok && (d || slices.ContainsFunc(m.shapeAt(end).attrs, isIt))
	})
	return ok
}

func (q *question) String() string {
	return fmt.Sprintf("read of %v in %v, layout %d, ranges %v, condition %v, in parts %t, budget %t, offsets %v", q.fields, short(q.at), q.layout, q.ranges, q.cond,
		q.parts, q.read.Budget != nil, q.read.Offsets)
}

// compare asks the array and the model.
func (p *player) compare(rng *rand.Rand, q *question) error {
	opts := []array.Option{p.key()}
	if p.cache != nil {
		opts = append(opts, array.WithCache(p.cache))
	}
	a, err := array.Open(p.ctx, p.fs, p.uri, q.at, opts...)
	if err != nil {
		return err
	}
	got, err := p.run(rng, a, q)
	for _, d := range p.deletes {
		// A delete of a field that the schema has not got at the time: the read is refused.
		if d.time >= q.at.Start && d.time <= q.at.End && !p.fits(d.cond, q.at.End) {
			if err == nil && len(p.visible(q.at)) > 0 {
				return errors.New("a delete that does not fit the schema was passed over")
			}
			return nil
		}
	}
	if err != nil {
		return err
	}
	return p.judge(q, got, p.answer(q))
}

// judge compares the cells of an answer, which may be in any order where they are unordered or of one place.
func (p *player) judge(q *question, got, want []string) error {
	// Ranges of one dimension that are not ascending give their order to the cells of a single fragment.
	several := len(p.dims) == 1 && len(q.ranges[0]) > 1
	if q.layout == schema.Unordered || p.schema.AllowsDups || !p.dense() && several {
		slices.Sort(got)
		slices.Sort(want)
	}
	if slices.Equal(got, want) {
		return nil
	}
	for i := 0; ; i++ {
		x, y := "nothing", "nothing"
		if i < len(got) {
			x = got[i]
		}
		if i < len(want) {
			y = want[i]
		}
		if x != y {
			return fmt.Errorf("%w: %d cells, want %d; cell %d is %s, want %s", errAnswer, len(got), len(want), i, x, y)
		}
	}
}

// answer is what the model says: cells as texts.
func (p *player) answer(q *question) []string {
	cells := p.look(q.at)
	attrs := p.shapeAt(q.at.End).attrs
	text := func(at point, values map[string]value) string {
		all := complete(attrs, values)
		for i := range p.dims {
			all[p.dims[i].Name] = value{bytes: string(p.dims[i].coords[at[i]])}
		}
		var parts []string
		for _, f := range q.fields {
			parts = append(parts, all[f].String())
		}
		return strings.Join(parts, " ")
	}
	holds := func(c seen) bool {
		return q.cond == nil || q.cond.holds(p.spec, c.at, c.own, false, verdict{})
	}
	var out []string
	if p.dense() {
		had := map[point]map[string]value{}
		for _, c := range cells {
			if holds(c) {
				had[c.at] = c.values
			}
		}
		for _, at := range p.product(q) {
			out = append(out, text(at, had[at]))
		}
		return out
	}
	slices.SortStableFunc(cells, func(a, b seen) int { return p.inOrder(q.layout, a.at, b.at) })
	for _, c := range cells {
		times := 1
		for i := range p.dims {
			n := 0
			for _, r := range q.ranges[i] {
				if r[0] <= c.at[i] && c.at[i] <= r[1] {
					n++
				}
			}
			times *= n
		}
		if q.layout == schema.GlobalOrder || q.layout == schema.Unordered {
			times = min(times, 1)
		}
		for range times {
			if holds(c) {
				out = append(out, text(c.at, c.values))
			}
		}
	}
	return out
}

// product returns the places that a read of a dense array asks for, in its order.
func (p *player) product(q *question) []point {
	var lists [4][]int
	var box [4][2]int
	for i := range p.dims {
		for _, r := range q.ranges[i] {
			for x := r[0]; x <= r[1]; x++ {
				lists[i] = append(lists[i], x)
			}
		}
		box[i] = [2]int{0, len(lists[i]) - 1}
	}
	order := q.layout
	if order == schema.GlobalOrder {
		order = schema.RowMajor
	}
	var out []point
	for k := range p.box(box, order) {
		var at point
		for i := range p.dims {
			at[i] = lists[i][k[i]]
		}
		out = append(out, at)
	}
	if q.layout == schema.GlobalOrder {
		slices.SortFunc(out, func(a, b point) int { return p.inOrder(schema.GlobalOrder, a, b) })
	}
	return out
}

// run performs the read until it is complete.
func (p *player) run(rng *rand.Rand, a *array.Array, q *question) ([]string, error) {
	r := q.read
	r.Layout, r.Condition, r.Threads = q.layout, q.cond.node(), p.threads
	for i := range p.dims {
		d := &p.dims[i]
		var list []schema.Range
		for _, b := range q.ranges[i] {
			list = append(list, schema.Range{Lo: d.coords[b[0]], Hi: d.coords[b[1]]})
		}
		r.Subarray.Ranges = append(r.Subarray.Ranges, list)
	}
	var out []string
	least, limit := 0, int64(0)
	if r.Budget != nil {
		limit = 20_000 + int64(rng.IntN(50_000))
	}
	for range 20000 {
		r.Fields = nil
		for _, f := range q.fields {
			w := query.Want{Name: f, DataCap: -1, OffsetsCap: -1, ValidityCap: -1}
			if q.parts && rng.IntN(2) == 0 {
				w.DataCap, w.OffsetsCap, w.ValidityCap = int64(least+rng.IntN(400)), int64(least+rng.IntN(400)), int64(least+rng.IntN(60))
			}
			r.Fields = append(r.Fields, w)
		}
		if limit > 0 {
			r.Budget = pool.NewBudget(limit)
		}
		res, err := query.Run(p.ctx, a, &r)
		if errors.Is(err, pool.ErrBudget) && limit > 0 && limit < 1<<26 {
			limit *= 2
			continue
		}
		if err != nil {
			return nil, err
		}
		if res.Cells == 0 && res.Next != nil {
			least += 50
		}
		rows, err := rowsOf(a.Schema, q.fields, res, r.Offsets)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
		if r.Resume = res.Next; res.Next == nil {
			return out, nil
		}
	}
	return nil, errors.New("the read does not end")
}

// rowsOf returns the cells of a result as texts.
func rowsOf(s *schema.Array, fields []string, res *query.Result, f query.OffsetsFormat) ([]string, error) {
	n := int(res.Cells)
	rows := make([][]string, n)
	for k, name := range fields {
		field, ok := s.Field(name)
		c := &res.Columns[k]
		if !ok || c.Name != name {
			return nil, fmt.Errorf("column %d is %q, want %q", k, c.Name, name)
		}
		var ends []uint64
		if field.Var() {
			if ends = positions(c, n, f); len(ends) != n+1 {
				return nil, fmt.Errorf("column %s has %d offsets for %d cells", name, len(ends)-1, n)
			}
		} else if len(c.Data) != n*field.CellSize() {
			return nil, fmt.Errorf("column %s has %d bytes for %d cells", name, len(c.Data), n)
		}
		if field.Nullable && len(c.Validity) != n {
			return nil, fmt.Errorf("column %s has %d bytes of validity for %d cells", name, len(c.Validity), n)
		}
		for i := range n {
			v := value{null: field.Nullable && c.Validity[i] == 0}
			if field.Var() {
				v.bytes = string(c.Data[ends[i]:ends[i+1]])
			} else {
				v.bytes = string(c.Data[i*field.CellSize() : (i+1)*field.CellSize()])
			}
			rows[i] = append(rows[i], v.String())
		}
	}
	out := make([]string, n)
	for i := range rows {
		out[i] = strings.Join(rows[i], " ")
	}
	return out, nil
}

// positions returns where the cells of a column begin and end.
func positions(c *query.Column, n int, f query.OffsetsFormat) (out []uint64) {
	if f.Bits == 32 {
		for _, o := range datatype.View[uint32](c.Offsets) {
			out = append(out, uint64(o))
		}
	} else {
		out = slices.Clone(datatype.View[uint64](c.Offsets))
	}
	if !f.Extra || n == 0 {
		out = append(out, uint64(len(c.Data)))
	}
	return out
}

// sameNotes compares metadata.
func (m *notebook) sameNotes(entries []format.MetadataEntry, at array.Interval) error {
	got := map[string]string{}
	for _, e := range entries {
		got[e.Key] = string(e.Value)
	}
	if want := m.noted(at); fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%w: metadata in %v: %v, want %v", errAnswer, short(at), got, want)
	}
	return nil
}

// compareRest compares metadata, labels of all kinds, the group and aggregates in an interval.
func (p *player) compareRest(at array.Interval) error {
	a, err := array.Open(p.ctx, p.fs, p.uri, at, p.key())
	if err != nil {
		return err
	}
	entries, err := a.Metadata(p.ctx)
	if err != nil {
		return err
	}
	if err := p.sameNotes(entries, at); err != nil {
		return err
	}
	if err := p.compareLabels(a, at); err != nil {
		return err
	}
	if err := p.compareGroup(at.End); err != nil {
		return err
	}
	if p.schema.EnumerationNames != nil {
		e, err := a.Enumeration(p.ctx, "colours")
		if err != nil {
			return err
		}
		if want := p.shapeAt(at.End).colours; e.Len() != want || string(e.Data) != string(labels(want).Data) {
			return fmt.Errorf("%w: %d labels in %v, want %d", errAnswer, e.Len(), short(at), want)
		}
	}
	for _, d := range p.deletes {
		if d.time <= at.End && !p.fits(d.cond, at.End) {
			return nil
		}
	}
	res, err := query.Run(p.ctx, a, &query.Read{Layout: schema.RowMajor, Threads: p.threads, Aggregates: []query.Aggregate{{Output: "n", Op: query.Count}}})
	if err != nil {
		return err
	}
	want := uint64(len(p.look(at)))
	if p.dense() {
		want = 1
		for i := range p.dims {
			want *= uint64(p.dims[i].n)
		}
	}
	if n := datatype.View[uint64](res.Columns[0].Data)[0]; n != want {
		return fmt.Errorf("%w: count in %v is %d, want %d", errAnswer, short(at), n, want)
	}
	return nil
}
