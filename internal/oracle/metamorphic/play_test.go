package metamorphic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/group"
	"azulejo/metadata"
	"azulejo/object"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// kind is what an operation does.
type kind uint8

const (
	opWrite kind = iota
	opDelete
	opEvolve
	opMerge
	opMergeNamed
	opCommits
	opFooters
	opNotes
	opVacuum
	opDrop
	opDropNamed
	opNote
	opCopy
	opAsk
	opUpgrade
	opLabel
	opGroup
	opTable
	kinds
)

var kindNames = [kinds]string{"write", "delete", "evolve", "consolidate fragments", "consolidate named fragments", "consolidate commits", "consolidate fragment_meta",
	"consolidate array_meta", "vacuum", "delete fragments", "delete named fragments", "put metadata", "copy", "ask", "upgrade", "label", "change the group", "export and import"}

// weights say how often operations come.
var weights = [kinds]int{12, 4, 2, 4, 2, 2, 2, 1, 4, 1, 1, 2, 1, 6, 1, 2, 2, 1}

// op is an operation. What it does in particular is drawn from its seed, so that it stays the same when others are taken
// out of the list.
type op struct {
	kind kind
	seed uint64
	// time is when it happens, in milliseconds after epoch.
	time uint64
	// cells bounds the cells of a write, 0 for no bound.
	cells int
}

// player does operations on an array and its model.
type player struct {
	*model
	ctx context.Context
	fs  vfs.FS
	uri string
	// cache is used by reads, nil for none; threads is given to all that takes it.
	cache   *array.Cache
	threads int
	// groupURI is where the group is, which is not copied.
	groupURI string
	log      []string
	simple   int
	asked    int
}

func (p *player) note(text string, args ...any) { p.log = append(p.log, fmt.Sprintf(text, args...)) }

func (p *player) key() array.Option { return array.WithKey(p.spec.key) }

func (p *player) create() error {
	p.note("create %s", describe(p.spec))
	if err := array.Create(p.ctx, p.fs, p.uri, p.schema, p.key()); err != nil {
		return err
	}
	if p.group.exists {
		p.note("and a group")
		if err := group.Create(p.ctx, p.fs, p.groupURI); err != nil {
			return err
		}
	}
	if p.old {
		return p.age()
	}
	return nil
}

// do performs an operation; the error is what is wrong.
func (p *player) do(o op) error {
	rng := rand.New(rand.NewPCG(o.seed, 7))
	at := epoch + o.time
	if p.old && needsUpgrade[o.kind] {
		if err := p.upgrade(); err != nil {
			return err
		}
	}
	switch o.kind {
	case opWrite:
		return p.write(rng, o)
	case opDelete:
		return p.delete(rng, at)
	case opEvolve:
		return p.evolve(rng)
	case opMerge, opMergeNamed:
		return p.consolidate(rng, o.kind == opMergeNamed)
	case opCommits, opFooters:
		mode := map[kind]consolidate.Mode{opCommits: consolidate.ModeCommits, opFooters: consolidate.ModeFragmentMeta}[o.kind]
		p.note("consolidate %v", mode)
		return consolidate.Run(p.ctx, p.fs, p.uri, mode, consolidate.Options{Key: p.spec.key})
	case opNotes:
		when := array.Interval{End: epoch + 1000}
		if rng.IntN(2) == 0 {
			when.Start = epoch + uint64(rng.IntN(40))
			when.End = when.Start + uint64(rng.IntN(40))
		}
		p.note("consolidate array_meta in %v", short(when))
		err := consolidate.ArrayMeta(p.ctx, p.fs, p.uri, consolidate.Options{At: when, Key: p.spec.key})
		if err == nil {
			p.mergeNotes(when)
		}
		return err
	case opVacuum:
		return p.vacuum(rng)
	case opDrop, opDropNamed:
		return p.drop(rng, o.kind == opDropNamed)
	case opNote:
		return p.put(rng, at)
	case opCopy:
		return p.copy(rng)
	case opUpgrade:
		return p.upgrade()
	case opLabel:
		return p.label(rng, at)
	case opGroup:
		return p.changeGroup(rng, at)
	case opTable:
		return p.table(rng)
	default:
		return p.ask(rng)
	}
}

func (p *player) open() (*array.Array, error) {
	return array.Open(p.ctx, p.fs, p.uri, array.Latest(), array.ForWriting(), p.key())
}

// fragmentName is the name of the fragment that an operation writes.
func fragmentName(at, seed uint64) string {
	return format.Name{Start: at, End: at, UUID: fmt.Sprintf("%016x%016x", seed, seed*0x9E3779B97F4A7C15), Version: format.Version}.String()
}

func (p *player) write(rng *rand.Rand, o op) error {
	a, err := p.open()
	if err != nil {
		return err
	}
	at := epoch + o.time
	f := &piece{name: fragmentName(at, o.seed), start: at, end: at, attrs: map[string]bool{}, taken: map[int]bool{}}
	w := &query.Write{Fragment: f.name, Threads: p.threads, Offsets: []query.OffsetsFormat{{}, {Extra: true}, {Bits: 32}}[rng.IntN(3)]}
	var points []point
	if p.dense() {
		points = p.densePoints(rng, f, w)
	} else {
		points = p.sparsePoints(rng, o, w)
	}
	attrs := p.now().attrs
	for i := range attrs {
		f.attrs[attrs[i].Name] = true
	}
	for _, q := range points {
		v := version{at: q, time: at, values: map[string]value{}, deleted: forever}
		for i := range attrs {
			v.values[attrs[i].Name] = attrs[i].values[rng.IntN(len(attrs[i].values))]
		}
		f.cells = append(f.cells, v)
	}
	p.note("write %d cells at %d as %s in layout %d%s", len(points), o.time, f.name, w.Layout, few(p.spec, f.cells))
	if w.Layout == schema.GlobalOrder {
		err = p.writeGlobal(rng, a, w, f)
	} else {
		w.Columns = p.columns(f.cells, w.Offsets)
		_, err = query.Submit(p.ctx, a, w)
	}
	if err == nil {
		p.pieces[f.name] = f
	}
	return err
}

func (p *player) densePoints(rng *rand.Rand, f *piece, w *query.Write) []point {
	for i := range p.dims {
		d := &p.dims[i]
		lo := rng.IntN(d.n)
		f.region[i] = [2]int{lo, lo + rng.IntN(d.n-lo)}
		if rng.IntN(3) == 0 {
			f.region[i] = [2]int{0, d.n - 1}
		}
		w.Subarray.Ranges = append(w.Subarray.Ranges, []schema.Range{{Lo: d.coords[f.region[i][0]], Hi: d.coords[f.region[i][1]]}})
	}
	w.Layout = schema.Layout(rng.IntN(2))
	var points []point
	for q := range p.box(f.region, w.Layout) {
		points = append(points, q)
	}
	whole := true
	for i := range p.dims {
		d := &p.dims[i]
		whole = whole && f.region[i] == [2]int{0, d.n - 1} && d.n%(d.tileSize()) == 0
	}
	if whole && rng.IntN(2) == 0 {
		w.Layout = schema.GlobalOrder
		slices.SortFunc(points, func(a, b point) int { return p.inOrder(schema.GlobalOrder, a, b) })
	}
	return points
}

// tileSize returns how many places the first tile has.
func (d *dimension) tileSize() (n int) {
	for _, t := range d.tile {
		if t == 0 {
			n++
		}
	}
	return n
}

func (p *player) sparsePoints(rng *rand.Rand, o op, w *query.Write) []point {
	n := 1 + rng.IntN(40)
	if o.cells > 0 {
		n = min(n, o.cells)
	}
	var points []point
	had := map[point]bool{}
	for range n {
		var q point
		for i := range p.dims {
			q[i] = rng.IntN(p.dims[i].n)
		}
		if p.schema.AllowsDups || !had[q] {
			had[q] = true
			points = append(points, q)
		}
	}
	w.Layout = schema.Unordered
	if rng.IntN(3) == 0 {
		w.Layout = schema.GlobalOrder
		slices.SortStableFunc(points, func(a, b point) int { return p.inOrder(schema.GlobalOrder, a, b) })
	}
	return points
}

func (p *player) writeGlobal(rng *rand.Rand, a *array.Array, w *query.Write, f *piece) error {
	g, err := query.NewGlobalWriter(p.ctx, a, w)
	if err != nil {
		return err
	}
	for cells := f.cells; len(cells) > 0; {
		n := 1 + rng.IntN(len(cells))
		if err := g.Submit(p.ctx, p.columns(cells[:n], w.Offsets)); err != nil {
			return errors.Join(err, g.Abort(context.WithoutCancel(p.ctx)))
		}
		cells = cells[n:]
	}
	_, err = g.Finalize(p.ctx)
	return err
}

// columns returns cells as the columns of a write.
func (p *player) columns(cells []version, offsets query.OffsetsFormat) []query.Column {
	var out []query.Column
	add := func(name string, isVar, nullable bool, size int, get func(v *version) value) {
		c := query.Column{Name: name, Data: []byte{}}
		var at []uint64
		for i := range cells {
			v := get(&cells[i])
			at = append(at, uint64(len(c.Data)))
			if nullable {
				c.Validity = append(c.Validity, boolByte(!v.null))
			}
			if v.null && !isVar {
				c.Data = append(c.Data, make([]byte, size)...)
			}
			c.Data = append(c.Data, v.bytes...)
		}
		if offsets.Extra {
			at = append(at, uint64(len(c.Data)))
		}
		if isVar {
			c.Offsets = offsetBytes(at, offsets)
		}
		out = append(out, c)
	}
	attrs := p.now().attrs
	for i := range attrs {
		a := &attrs[i]
		isVar := a.CellValNum == datatype.VarNum
		add(a.Name, isVar, a.Nullable, a.Type.Size()*int(a.CellValNum), func(v *version) value { return v.values[a.Name] })
	}
	if !p.dense() {
		for i := range p.dims {
			d := &p.dims[i]
			add(d.Name, d.Var(), false, 0, func(v *version) value { return value{bytes: string(d.coords[v.at[i]])} })
		}
	}
	return out
}

func offsetBytes(at []uint64, f query.OffsetsFormat) []byte {
	if f.Bits != 32 {
		return datatype.Bytes(at)
	}
	var short []uint32
	for _, o := range at {
		short = append(short, uint32(o))
	}
	return datatype.Bytes(short)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (p *player) delete(rng *rand.Rand, at uint64) error {
	if p.dense() {
		return nil
	}
	a, err := p.open()
	if err != nil {
		return err
	}
	d := deletion{at, p.randomCond(rng, 0, true)}
	p.note("delete at %d where %v", at-epoch, d.cond)
	if _, err := query.Delete(p.ctx, a, d.cond.node(), at); err != nil {
		return err
	}
	p.deletes = append(p.deletes, d)
	return nil
}

// evolve adds or drops an attribute, or extends the enumeration.
func (p *player) evolve(rng *rand.Rand) error {
	if p.upgraded {
		return nil // its schema is of the time of the upgrade, which is later than all here
	}
	now := p.now()
	next := shape{now.time + 1 + uint64(rng.IntN(6)), slices.Clone(now.attrs), now.colours}
	e := schema.Evolution{Timestamp: next.time}
	used := map[string]bool{}
	for _, d := range p.deletes {
		d.cond.fields(func(name string) { used[name] = true })
	}
	coloured := slices.ContainsFunc(p.first, func(a attribute) bool { return a.Enumeration != "" })
	i := rng.IntN(len(now.attrs))
	victim := &now.attrs[i]
	switch {
	case coloured && rng.IntN(2) == 0 && now.colours+2 <= len(labelNames):
		next.colours += 1 + rng.IntN(2)
		e.ExtendEnumerations = []*schema.Enumeration{labels(next.colours)}
	case rng.IntN(2) == 0 && len(now.attrs) > 1 && victim.Enumeration == "" && !used[victim.Name]:
		e.DropAttributes = []string{victim.Name}
		next.attrs = slices.Delete(next.attrs, i, i+1)
	default:
		a := newAttribute(rng, fmt.Sprintf("b%d", next.time-epoch), p.simple)
		e.AddAttributes = []schema.Attribute{a.Attribute}
		next.attrs = append(next.attrs, a)
	}
	var added []string
	for _, a := range e.AddAttributes {
		added = append(added, describeAttribute(&a))
	}
	p.note("evolve at %d: add %v, drop %v, %d labels", next.time-epoch, added, e.DropAttributes, next.colours)
	err := array.Evolve(p.ctx, p.fs, p.uri, e, p.key())
	if err == nil {
		p.shapes = append(p.shapes, next)
	}
	return err
}

// consolidate merges fragments and learns from the vacuum files which.
func (p *player) consolidate(rng *rand.Rand, named bool) error {
	o := consolidate.Options{Key: p.spec.key, Threads: p.threads, Purge: rng.IntN(4) == 0, Amplification: float64(1 + rng.IntN(5))}
	if rng.IntN(3) == 0 {
		o.Memory = int64(2000 + rng.IntN(30000))
	}
	visible := p.visible(array.Interval{End: forever - 1})
	switch {
	case named:
		for _, v := range visible {
			if rng.IntN(2) == 0 && !v.several {
				o.Names = append(o.Names, v.name)
			}
		}
		if len(o.Names) < 2 {
			return nil
		}
	case slices.ContainsFunc(visible, func(q *piece) bool { return q.several }):
		return nil // the model does not know what each of them has
	default:
		if rng.IntN(3) == 0 {
			o.At.Start = epoch + uint64(rng.IntN(20))
			o.At.End = o.At.Start + uint64(rng.IntN(60))
		}
		if rng.IntN(3) == 0 {
			o.Steps, o.MinFragments, o.MaxFragments = uint32(1+rng.IntN(3)), 2, uint32(2+rng.IntN(3))
			o.SizeRatio = float32(rng.IntN(3)) / 2
		}
		if rng.IntN(4) == 0 {
			o.MaxFragmentSize = uint64(3000 + rng.IntN(4000))
		}
	}
	p.note("consolidate fragments %v of %v: purge %t, %d steps of %d to %d, ratio %v, amplification %v, size %d, memory %d", o.Names, short(o.At), o.Purge, o.Steps,
		o.MinFragments, o.MaxFragments, o.SizeRatio, o.Amplification, o.MaxFragmentSize, o.Memory)
	made, err := consolidate.Fragments(p.ctx, p.fs, p.uri, o)
	if errors.Is(err, consolidate.ErrInvalid) && (named && p.dense() || strings.Contains(err.Error(), "does not fit into fragments")) {
		p.note("refused: %v", err)
		return p.learn(nil, o.Purge)
	}
	if err != nil {
		return err
	}
	return p.learn(made, o.Purge)
}

// learn brings the model to what new vacuum files say, which must not change what the array holds now, but where purging
// takes a deleted version away that hides an older one in a fragment that stays, as libtiledb does.
func (p *player) learn(made []string, purge bool) error {
	list, err := array.ListCommits(p.ctx, p.fs, p.uri)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, v := range p.vacuums {
		known[strings.Join(v.names, " ")] = true
	}
	before := p.sum()
	// Steps follow each other: a vacuum file whose fragments are not known yet waits for another.
	fresh := slices.DeleteFunc(slices.Clone(list.Vacuums), func(v array.VacuumFile) bool { return known[strings.Join(v.Fragments, " ")] })
	for len(fresh) > 0 {
		i := slices.IndexFunc(fresh, func(v array.VacuumFile) bool {
			return !slices.ContainsFunc(v.Fragments, func(n string) bool { return p.pieces[n] == nil })
		})
		if i < 0 {
			return fmt.Errorf("vacuum files %v hide what is not there", fresh)
		}
		v := fresh[i]
		name := strings.TrimSuffix(path.Base(v.Path), ".vac")
		p.note("  %s replaces %v", name, v.Fragments)
		if err := p.merge(name, v.Fragments, purge); err != nil {
			return err
		}
		if q := p.pieces[name]; q != nil {
			q.several = len(made) > 1
		}
		p.vacuums = append(p.vacuums, hiding{v.Name.Start, v.Name.End, v.Fragments})
		fresh = slices.Delete(fresh, i, i+1)
	}
	if after := p.sum(); !purge && !slices.Equal(before, after) && p.timesDiffer() && (!p.dense() || len(p.shapes) == 1) {
		return fmt.Errorf("by the model's rules the consolidation changed the array:\n%v\n%v", before, after)
	}
	return nil
}

// sum is what the array holds now, without conditions.
func (p *player) sum() []string {
	var out []string
	if p.dense() {
		cells := map[point]map[string]value{}
		for _, c := range p.look(array.Interval{End: forever - 1}) {
			cells[c.at] = c.values
		}
		var all [4][2]int
		for i := range p.dims {
			all[i] = [2]int{0, p.dims[i].n - 1}
		}
		for q := range p.boxPoints(all) {
			out = append(out, fmt.Sprint(q, complete(p.now().attrs, cells[q])))
		}
		return out
	}
	for _, c := range p.look(array.Interval{End: forever - 1}) {
		out = append(out, fmt.Sprint(c.at, complete(p.now().attrs, c.values)))
	}
	slices.Sort(out)
	return out
}

// timesDiffer reports whether no two fragments are of one moment, which consolidation may put into another order.
func (p *player) timesDiffer() bool {
	had := map[uint64]bool{}
	for _, q := range p.pieces {
		if q.start == q.end {
			if had[q.start] {
				return false
			}
			had[q.start] = true
		}
	}
	return true
}

func (p *player) vacuum(rng *rand.Rand) error {
	mode := []consolidate.Mode{consolidate.ModeFragments, consolidate.ModeFragments, consolidate.ModeCommits, consolidate.ModeFragmentMeta, consolidate.ModeArrayMeta}[rng.IntN(5)]
	p.note("vacuum %v", mode)
	if err := consolidate.Vacuum(p.ctx, p.fs, p.uri, mode); err != nil {
		return err
	}
	switch mode {
	case consolidate.ModeFragments:
		for _, v := range p.vacuums {
			for _, n := range v.names {
				delete(p.pieces, n)
			}
		}
		p.vacuums = nil
	case consolidate.ModeArrayMeta:
		p.hidden = nil
	}
	return nil
}

// errDropped is about fragments deleted that are not those that the model expects.
var errDropped = errors.New("fragments deleted")

// drop deletes fragments by time or name.
func (p *player) drop(rng *rand.Rand, named bool) (err error) {
	var gone, want []string
	if named {
		var names []string
		for _, q := range p.visible(array.Interval{End: forever - 1}) {
			if !q.several && rng.IntN(3) == 0 {
				names = append(names, q.name)
			}
		}
		if len(names) == 0 {
			return nil
		}
		p.note("delete fragments %v", names)
		want = names
		gone, err = array.DeleteFragmentsNamed(p.ctx, p.fs, p.uri, names)
	} else {
		at := array.Interval{Start: epoch + uint64(rng.IntN(30))}
		at.End = at.Start + uint64(rng.IntN(8))
		p.note("delete fragments in %v", short(at))
		for _, q := range p.within(at) {
			want = append(want, q.name)
			if q.several {
				p.note("not done")
				return nil
			}
		}
		gone, err = array.DeleteFragments(p.ctx, p.fs, p.uri, at)
	}
	if err != nil {
		return err
	}
	slices.Sort(gone)
	slices.Sort(want)
	if !slices.Equal(gone, want) {
		return fmt.Errorf("%w: %v, want %v", errDropped, gone, want)
	}
	for _, n := range gone {
		delete(p.pieces, n)
	}
	return nil
}

func (p *player) put(rng *rand.Rand, at uint64) error {
	n, entries := p.draw(rng, at)
	p.note("put metadata at %d: %v", n.start-epoch, n.keys)
	a, err := p.open()
	if err == nil {
		err = a.PutMetadata(p.ctx, entries, n.start)
	}
	if err == nil {
		p.notes = append(p.notes, n)
	}
	return err
}

// draw returns new metadata, of a time when there is none yet: of one moment they would be in any order, and in a merged
// file's time before or after it.
func (m *notebook) draw(rng *rand.Rand, at uint64) (note, []format.MetadataEntry) {
	for slices.ContainsFunc(append(slices.Clone(m.notes), m.hidden...), func(n note) bool { return n.start <= at && at <= n.end }) {
		at++
	}
	n := note{start: at, end: at, keys: map[string]string{}}
	var entries []format.MetadataEntry
	for range 1 + rng.IntN(3) {
		key, text := string([]byte{byte('a' + rng.IntN(4))}), ""
		if rng.IntN(4) > 0 {
			text = fmt.Sprint("text ", rng.IntN(100))
			entries = append(entries, metadata.Text(key, text))
		} else {
			entries = append(entries, metadata.Removed(key))
		}
		n.keys[key] = text
	}
	return n, entries
}

// copy copies or moves the array, and goes on with the other one.
func (p *player) copy(rng *rand.Rand) error {
	to := p.uri + "c"
	move := rng.IntN(2) == 0
	p.note("copy to %s, and remove the old one: %t", to, move)
	do := object.Copy
	if move {
		do = object.Move
	}
	err := do(p.ctx, object.Place{FS: p.fs, URI: p.uri}, object.Place{FS: p.fs, URI: to}, object.Options{})
	if err == nil {
		p.uri = to
	}
	return err
}
