package metamorphic

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/mem"
)

var parts = flag.Int("metamorphic.parts", 600, "questions about parts of random arrays, each compared with an array that holds the part alone")

// part is a part of an array that somebody may read.
type part struct {
	shown, masked []string
	// box has the first and last place of dimensions that are cut.
	box  [4]*[2]int
	cond *cond
}

func (x *part) String() string {
	var box []string
	for i, b := range x.box {
		if b != nil {
			box = append(box, fmt.Sprintf("%d: %v", i, *b))
		}
	}
	return fmt.Sprintf("part of %q, masked %q, box %v, condition %v", x.shown, x.masked, box, x.cond)
}

// randomPart returns a part of the array as it is at a time.
func (m *model) randomPart(rng *rand.Rand, end uint64) *part {
	x := &part{}
	for _, a := range m.shapeAt(end).attrs {
		switch rng.IntN(4) {
		case 0:
			x.shown, x.masked = append(x.shown, a.Name), append(x.masked, a.Name)
		case 1, 2:
			x.shown = append(x.shown, a.Name)
		}
	}
	if x.shown == nil {
		x.shown = []string{m.shapeAt(end).attrs[0].Name}
	}
	for i := range m.dims {
		if n := m.dims[i].n; rng.IntN(3) == 0 {
			lo := rng.IntN(n)
			x.box[i] = &[2]int{lo, lo + rng.IntN(n-lo)}
		}
	}
	if rng.IntN(2) == 0 {
		if c := m.randomCond(rng, 0, false); m.fits(c, end) {
			x.cond = c
		}
	}
	return x
}

// restriction returns the part as the engine has it.
func (x *part) restriction(m *model) *query.Restriction {
	w := &query.Restriction{Attributes: x.shown, Masked: x.masked, Condition: x.cond.node()}
	for i, b := range x.box {
		if b == nil {
			continue
		}
		if w.Box == nil {
			w.Box = make([]schema.Range, len(m.dims))
		}
		w.Box[i] = schema.Range{Lo: m.dims[i].coords[b[0]], Hi: m.dims[i].coords[b[1]]}
	}
	return w
}

// allows reports whether a cell is of the part.
func (x *part) allows(m *model, c *seen) bool {
	for i, b := range x.box {
		if b != nil && (c.at[i] < b[0] || c.at[i] > b[1]) {
			return false
		}
	}
	return x.cond == nil || x.cond.holds(m.spec, c.at, c.own, false, verdict{})
}

// alone makes an array that holds the part and nothing else, in one moment.
func (p *player) alone(x *part, at array.Interval) (*player, error) {
	sp := *p.spec
	sp.key, sp.first = nil, nil
	s := *p.spec.schema
	s.Name, s.Labels, s.Attributes = "", nil, nil
	s.Enumerations, s.EnumerationFiles, s.EnumerationNames = nil, nil, nil
	shape := p.shapeAt(at.End)
	for _, a := range shape.attrs {
		if !slices.Contains(x.shown, a.Name) {
			continue
		}
		if slices.Contains(x.masked, a.Name) {
			a.Enumeration, a.FillValid = "", false
		}
		if a.Enumeration != "" {
			s.Enumerations = map[string]*schema.Enumeration{"colours": labels(shape.colours)}
			s.EnumerationNames, s.EnumerationFiles = []string{"colours"}, map[string]string{"colours": ""}
		}
		sp.first, s.Attributes = append(sp.first, a), append(s.Attributes, a.Attribute)
	}
	sp.schema = &s
	out := &player{model: newModel(&sp), ctx: p.ctx, fs: mem.New(), uri: "mem://part", threads: 1, simple: p.simple}
	if err := array.Create(p.ctx, out.fs, out.uri, &s); err != nil {
		return nil, err
	}
	var cells []version
	for _, c := range p.look(at) {
		if !x.allows(p.model, &c) {
			continue
		}
		v := version{at: c.at, values: complete(shape.attrs, c.values), deleted: forever}
		for i := range out.first {
			// Null cells that stand for missing ones have the bytes of the fill value too.
			a := &out.first[i]
			_, has := c.values[a.Name]
			if has && !slices.Contains(x.masked, a.Name) {
				continue
			}
			fill := complete(out.first, nil)[a.Name]
			if a.CellValNum == datatype.VarNum {
				fill.bytes = string(a.Fill)
			}
			v.values[a.Name] = fill
		}
		cells = append(cells, v)
	}
	return out, out.writeAll(cells)
}

// writeAll writes cells: a sparse array's at once, a dense one's in runs along the last dimension.
func (p *player) writeAll(cells []version) error {
	a, err := p.open()
	if err != nil {
		return err
	}
	if !p.dense() {
		if len(cells) > 0 {
			_, err = query.Submit(p.ctx, a, &query.Write{Layout: schema.Unordered, Columns: p.columns(cells, query.OffsetsFormat{})})
		}
		return err
	}
	n := len(p.dims)
	slices.SortFunc(cells, func(x, y version) int { return p.inOrder(schema.RowMajor, x.at, y.at) })
	for len(cells) > 0 {
		run := 1
		for ; run < len(cells); run++ {
			next := cells[run-1].at
			if next[n-1]++; next != cells[run].at {
				break
			}
		}
		w := &query.Write{Layout: schema.RowMajor, Columns: p.columns(cells[:run], query.OffsetsFormat{})}
		for i := range p.dims {
			d := &p.dims[i]
			w.Subarray.Ranges = append(w.Subarray.Ranges, []schema.Range{{Lo: d.coords[cells[0].at[i]], Hi: d.coords[cells[run-1].at[i]]}})
		}
		if _, err := query.Submit(p.ctx, a, w); err != nil {
			return err
		}
		cells = cells[run:]
	}
	return nil
}

// everywhere reports whether every fragment that counts has an attribute. Cells of those without it satisfy no comparison
// with it, which those of an array written anew do.
func (p *player) everywhere(name string, at array.Interval) bool {
	if slices.ContainsFunc(p.dims, func(d dimension) bool { return d.Name == name }) {
		return true
	}
	return !slices.ContainsFunc(p.visible(at), func(f *piece) bool { return !f.attrs[name] })
}

// comparable reports whether a condition can be asked of both arrays.
func (p *player) comparable(c *cond, x *part, at array.Interval) bool {
	ok := true
	c.fields(func(name string) { ok = ok && p.everywhere(name, at) && !slices.Contains(x.masked, name) })
	return ok
}

// askPart asks the array, restricted to a part, and the array of the part alone the same, and compares.
func (p *player) askPart(rng *rand.Rand, x *part, at array.Interval, only *player) error {
	a, err := array.Open(p.ctx, p.fs, p.uri, at, p.key())
	if err != nil {
		return err
	}
	b, err := array.Open(p.ctx, only.fs, only.uri, array.Latest())
	if err != nil {
		return err
	}
	q := only.question(rng)
	if q.cond != nil && !p.comparable(q.cond, x, at) {
		q.cond = nil
	}
	fail := func(err error) error { return fmt.Errorf("%v at %v: %s: %w", x, short(at), q, err) }
	want, err := only.run(rng, b, q)
	if err != nil {
		return fail(err)
	}
	w := x.restriction(p.model)
	q.read.Within = w
	got, err := p.run(rng, a, q)
	if err != nil {
		return fail(err)
	}
	if err := only.judge(q, got, want); err != nil {
		return fail(err)
	}
	if err := p.compareTallies(rng, x, at, q, a, b, only); err != nil {
		return fail(err)
	}
	if err := p.compareSizes(w, q, a, b, only); err != nil {
		return fail(err)
	}
	if err := p.compareBox(x, w, a, at); err != nil {
		return fail(err)
	}
	return p.refused(x, w, a)
}

// ranged returns a read of a question's ranges.
func (p *player) ranged(q *question, w *query.Restriction) *query.Read {
	r := &query.Read{Layout: q.layout, Condition: q.cond.node(), Threads: 1, Within: w}
	for i := range p.dims {
		var list []schema.Range
		for _, b := range q.ranges[i] {
			list = append(list, schema.Range{Lo: p.dims[i].coords[b[0]], Hi: p.dims[i].coords[b[1]]})
		}
		r.Subarray.Ranges = append(r.Subarray.Ranges, list)
	}
	return r
}

// compareTallies compares all aggregates of a field.
func (p *player) compareTallies(rng *rand.Rand, x *part, at array.Interval, q *question, a, b *array.Array, only *player) error {
	r := only.ranged(q, nil)
	names := b.Schema.FieldNames()
	name := names[rng.IntN(len(names))]
	if slices.Contains(x.masked, name) || !p.everywhere(name, at) {
		name = names[0]
	}
	field, _ := b.Schema.Field(name)
	for op := query.Count; op <= query.NullCount; op++ {
		g := query.Aggregate{Output: fmt.Sprint("out", op), Op: op, Field: name}
		if op == query.Count {
			g.Field = ""
		}
		if field.Type.Kind().Float() && (op == query.Min || op == query.Max) && !field.Dimension {
			continue // whether a NaN counts depends on the order of cells
		}
		if _, err := query.AggregateField(b.Schema, g); err == nil {
			r.Aggregates = append(r.Aggregates, g)
		}
	}
	want, err := query.Run(p.ctx, b, r)
	if err != nil {
		return err
	}
	r.Within = x.restriction(p.model)
	got, err := query.Run(p.ctx, a, r)
	if err != nil {
		return err
	}
	for i := range want.Columns {
		x, y := got.Columns[i], want.Columns[i]
		if string(x.Validity) != string(y.Validity) || !sameValue(r.Aggregates[i], b.Schema, x.Data, y.Data) {
			return fmt.Errorf("%w: aggregate %d of %s is %x %x, want %x %x", errAnswer, r.Aggregates[i].Op, name, x.Data, x.Validity, y.Data, y.Validity)
		}
	}
	return nil
}

// sameValue compares the values of an aggregate; any two that are no number are the same.
func sameValue(g query.Aggregate, s *schema.Array, x, y []byte) bool {
	f, _ := query.AggregateField(s, g)
	if f.Type == datatype.Float64 && len(x) == 8 && len(y) == 8 {
		u, v := datatype.View[float64](x)[0], datatype.View[float64](y)[0]
		return u == v || math.IsNaN(u) && math.IsNaN(v)
	}
	return string(x) == string(y)
}

// compareSizes compares an estimate with the size of the answer, which of a part it is exactly.
func (p *player) compareSizes(w *query.Restriction, q *question, a, b *array.Array, only *player) error {
	r := only.ranged(q, nil)
	r.Condition = nil
	for _, name := range q.fields {
		r.Fields = append(r.Fields, query.Want{Name: name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1})
	}
	want, err := query.Run(p.ctx, b, r)
	if err != nil {
		return err
	}
	r.Within = w
	own, err := query.Run(p.ctx, a, r)
	if err != nil {
		return err
	}
	r.Condition = q.cond.node()
	sizes, err := query.Estimate(p.ctx, a, r)
	if err != nil {
		return err
	}
	for i, c := range want.Columns {
		if c.Offsets != nil && c.Validity != nil {
			c.Data = own.Columns[i].Data // of null cells the model does not know the bytes
		}
		if s := sizes[i]; s.Name != c.Name || s.Data != uint64(len(c.Data)) || s.Offsets != uint64(len(c.Offsets)) || s.Validity != uint64(len(c.Validity)) {
			return fmt.Errorf("%w: estimate %+v of a column of %d, %d, %d bytes", errAnswer, s, len(c.Data), len(c.Offsets), len(c.Validity))
		}
	}
	return nil
}

// compareBox compares the non-empty domain: along dimensions that are cut it is the box, along others that of the cells.
func (p *player) compareBox(x *part, w *query.Restriction, a *array.Array, at array.Interval) error {
	got, err := query.NonEmptyDomain(p.ctx, a, w, nil)
	if err != nil {
		return err
	}
	var box [4][2]int
	cut, cells := 0, 0
	for _, c := range p.look(at) {
		if !x.allows(p.model, &c) {
			continue
		}
		for i := range p.dims {
			if cells == 0 {
				box[i] = [2]int{c.at[i], c.at[i]}
			}
			box[i] = [2]int{min(box[i][0], c.at[i]), max(box[i][1], c.at[i])}
		}
		cells++
	}
	var want []schema.Range
	for i := range p.dims {
		if x.box[i] != nil {
			box[i] = *x.box[i]
			cut++
		}
		want = append(want, schema.Range{Lo: p.dims[i].coords[box[i][0]], Hi: p.dims[i].coords[box[i][1]]})
	}
	if cells == 0 && cut < len(p.dims) {
		want = nil
	}
	if fmt.Sprintf("%x", got) != fmt.Sprintf("%x", want) {
		return fmt.Errorf("%w: non-empty domain %x, want %x", errAnswer, got, want)
	}
	return nil
}

// refused asks for what the part has not got, which must be answered as if it did not exist.
func (p *player) refused(x *part, w *query.Restriction, a *array.Array) error {
	loaded, err := a.WithEnumerations(p.ctx, a.Schema)
	if err != nil {
		return err
	}
	shown, err := w.Schema(loaded)
	if err != nil {
		return err
	}
	used := map[string]bool{}
	if len(shown.Labels) > 0 || len(shown.Attributes) != len(x.shown) {
		return fmt.Errorf("%w: %d attributes and %d labels are shown", errAnswer, len(shown.Attributes), len(shown.Labels))
	}
	for _, at := range shown.Attributes {
		used[at.Enumeration] = true
		if at.Enumeration != "" && slices.Contains(x.masked, at.Name) {
			return fmt.Errorf("%w: masked %s has labels", errAnswer, at.Name)
		}
	}
	names := append(slices.Collect(maps.Keys(shown.EnumerationFiles)), slices.Collect(maps.Keys(shown.Enumerations))...)
	for _, name := range append(names, shown.EnumerationNames...) {
		if !used[name] {
			return fmt.Errorf("%w: enumeration %s is shown", errAnswer, name)
		}
	}
	ask := func(name string, change func(*query.Read)) error {
		r := &query.Read{Layout: schema.GlobalOrder, Threads: 1, Within: w, Fields: []query.Want{{Name: p.dims[0].Name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1}}}
		change(r)
		if _, err := query.Run(p.ctx, a, r); !errors.Is(err, query.ErrInvalid) && !errors.Is(err, condition.ErrInvalid) {
			return fmt.Errorf("%w: asking about %q: %v", errAnswer, name, err)
		}
		return nil
	}
	names = []string{query.TimestampField, query.DeleteTimestampField, "__masked"}
	for _, attr := range a.Schema.Attributes {
		if !slices.Contains(x.shown, attr.Name) {
			names = append(names, attr.Name)
		}
	}
	errs := []error{ask("versions", func(r *query.Read) { r.Versions = query.AllVersions })}
	for _, name := range names {
		errs = append(errs, ask(name, func(r *query.Read) { r.Fields[0].Name = name }))
	}
	for _, name := range append(names, x.masked...) {
		errs = append(errs, ask(name, func(r *query.Read) { r.Condition = condition.Negated(condition.IsNull(name)) }),
			ask(name, func(r *query.Read) { r.Aggregates = []query.Aggregate{{Output: "o", Op: query.Max, Field: name}} }),
			ask(name, func(r *query.Read) { r.Aggregates = []query.Aggregate{{Output: "o", Op: query.NullCount, Field: name}} }))
	}
	return errors.Join(errs...)
}

// playParts plays the story without its questions and asks about parts of what it made; it returns how many.
func (s *story) playParts(dir string, most int) (p *player, asked int, err error) {
	p = s.player(dir)
	if err := p.create(); err != nil {
		return p, 0, err
	}
	for _, o := range s.ops {
		if o.kind == opAsk || o.kind == opTable || o.kind == opGroup {
			continue
		}
		if err := p.do(o); err != nil {
			return p, 0, err
		}
	}
	rng := rand.New(rand.NewPCG(s.seed, 9))
	for range 4 {
		at := array.Interval{End: epoch + 1000}
		if rng.IntN(2) == 0 {
			at.End = epoch + uint64(rng.IntN(60))
		}
		if rng.IntN(4) == 0 {
			at.Start = min(epoch+uint64(rng.IntN(40)), at.End)
		}
		misfit := func(d deletion) bool { return d.time >= at.Start && d.time <= at.End && !p.fits(d.cond, at.End) }
		if slices.ContainsFunc(p.deletes, misfit) {
			continue // such an array is not read at all
		}
		x := p.randomPart(rng, at.End)
		only, err := p.alone(x, at)
		if err != nil {
			return p, asked, fmt.Errorf("%v at %v: %w", x, short(at), err)
		}
		for range min(4, most-asked) {
			if err := p.askPart(rng, x, at, only); err != nil {
				return p, asked, err
			}
			asked++
		}
	}
	return p, asked, nil
}

// TestParts restricts random arrays to random parts, at random times, and asks them all that can be asked. Every answer must
// be that of an array which holds the part and nothing else.
func TestParts(t *testing.T) {
	dir := t.TempDir()
	asked, arrays := 0, 0
	for i := uint64(0); asked < *parts; i++ {
		s := newStory(*seed + i)
		p, n, err := s.playParts(dir, *parts-asked)
		asked, arrays = asked+n, arrays+1
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", s.seed, err, strings.Join(p.log, "\n"))
		}
	}
	t.Logf("%d questions about parts of %d arrays", asked, arrays)
}
