package metamorphic

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"azulejo/array"
	"azulejo/schema"
)

// forever is the time of deletion of what was not deleted.
const forever = uint64(math.MaxUint64)

// version is one version of a cell.
type version struct {
	at   point
	time uint64
	// values has what the fragment has of attributes, by name.
	values map[string]value
	// deleted is when one of the deletes that the fragment has taken in deleted it.
	deleted uint64
}

// piece is a fragment. The versions of one cell stand in the order in which they count, the last one most.
type piece struct {
	name       string
	start, end uint64
	// region is what a dense fragment covers, first and last place of each dimension.
	region [4][2]int
	attrs  map[string]bool
	cells  []version
	// taken are the deletes that it has taken in.
	taken map[int]bool
	// several says that it stands for several fragments made at once, name being the first one's.
	several bool
}

// hiding is a vacuum file.
type hiding struct {
	start, end uint64
	names      []string
}

// deletion is a delete commit.
type deletion struct {
	time uint64
	cond *cond
}

// shape is a version of the schema: its attributes and how many labels the enumeration has.
type shape struct {
	time    uint64
	attrs   []attribute
	colours int
}

// note is a metadata file: texts under keys, "" where the key is removed.
type note struct {
	start, end uint64
	keys       map[string]string
	hides      bool // other files in its time
}

// notebook is metadata, of an array or a group.
type notebook struct {
	notes []note
	// hidden are the files replaced that are there still.
	hidden []note
}

// model is what should be in the array's folder, and in the group's beside it.
type model struct {
	*spec
	pieces  map[string]*piece
	vacuums []hiding
	deletes []deletion
	shapes  []shape
	notebook
	labelled []labelling
	group    members
	// old says that the array is of an older format version, upgraded that it was.
	old, upgraded bool
}

func newModel(sp *spec) *model {
	return &model{spec: sp, pieces: map[string]*piece{}, shapes: []shape{{epoch, sp.first, sp.colours}}}
}

// clone returns a copy that changes do not touch.
func (m *model) clone() *model {
	c := *m
	c.pieces = maps.Clone(m.pieces)
	c.vacuums, c.deletes, c.shapes = slices.Clone(m.vacuums), slices.Clone(m.deletes), slices.Clone(m.shapes)
	c.notebook, c.labelled, c.group = m.notebook.clone(), slices.Clone(m.labelled), m.group.clone()
	return &c
}

// shapeAt returns the newest schema of a time, the first one before that.
func (m *model) shapeAt(end uint64) *shape {
	found := &m.shapes[0]
	for i := range m.shapes {
		if m.shapes[i].time <= end {
			found = &m.shapes[i]
		}
	}
	return found
}

func (m *model) now() *shape { return &m.shapes[len(m.shapes)-1] }

// counts reports whether a fragment or vacuum file of a time counts in an interval.
func (m *model) counts(at array.Interval, start, end uint64) bool {
	if m.dense() {
		return at.Start <= start && end <= at.End
	}
	return start <= at.End && at.Start <= end
}

// visible returns the fragments that count, oldest first.
func (m *model) visible(at array.Interval) []*piece { return m.live(at, m.counts) }

// within returns the fragments that lie in an interval, without those that vacuum files in it hide.
func (m *model) within(at array.Interval) []*piece {
	return m.live(at, func(at array.Interval, start, end uint64) bool { return at.Start <= start && end <= at.End })
}

func (m *model) live(at array.Interval, counts func(at array.Interval, start, end uint64) bool) []*piece {
	hidden := map[string]bool{}
	for _, v := range m.vacuums {
		if counts(at, v.start, v.end) {
			for _, n := range v.names {
				hidden[n] = true
			}
		}
	}
	var out []*piece
	for _, p := range m.pieces {
		if !hidden[p.name] && counts(at, p.start, p.end) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *piece) int { return cmp.Or(cmp.Compare(a.start, b.start), strings.Compare(a.name, b.name)) })
	return out
}

// seen is a cell of an answer, without the attributes that no fragment has for it. own are the values of the newest
// fragment; what that lacks in a dense array may be seen of older ones.
type seen struct {
	at          point
	time        uint64
	values, own map[string]value
}

// look returns the cells of the array in an interval: of a dense one those that were written.
func (m *model) look(at array.Interval) (out []seen) {
	pieces := m.visible(at)
	if m.dense() {
		return m.overlay(pieces)
	}
	newest := map[point]int{}
	for _, p := range pieces {
		for _, v := range p.cells {
			if v.time < at.Start || v.time > at.End {
				continue
			}
			c := seen{v.at, v.time, v.values, v.values}
			if m.isDeleted(&v, p, at) {
				c.values = nil
			}
			if i, ok := newest[v.at]; ok && !m.schema.AllowsDups {
				if out[i].time <= v.time {
					out[i] = c
				}
				continue
			}
			newest[v.at] = len(out)
			out = append(out, c)
		}
	}
	return slices.DeleteFunc(out, func(c seen) bool { return c.values == nil })
}

// overlay returns the cells of dense fragments, given from old to new. As in libtiledb an attribute that the newest one
// lacks is seen of an older one, unless the part of the tile that the older one has lies in that of a newer one.
func (m *model) overlay(pieces []*piece) []seen {
	cells := map[point]seen{}
	parts := map[point][][4][2]int{} // by tile
	for _, p := range slices.Backward(pieces) {
		usable := map[point]bool{}
		for _, v := range p.cells {
			tile, part := m.tilePart(v.at, p.region)
			ok, looked := usable[tile]
			if !looked {
				ok = !slices.ContainsFunc(parts[tile], func(newer [4][2]int) bool { return boxIn(part, newer) })
				parts[tile] = append(parts[tile], part)
				usable[tile] = ok
			}
			if !ok {
				continue
			}
			c, had := cells[v.at]
			if !had {
				c = seen{v.at, v.time, map[string]value{}, v.values}
			}
			for name, x := range v.values {
				if _, ok := c.values[name]; !ok {
					c.values[name] = x
				}
			}
			cells[v.at] = c
		}
	}
	return slices.Collect(maps.Values(cells))
}

// tilePart returns the tile of a point and the part of it in a region.
func (m *model) tilePart(at point, region [4][2]int) (tile point, part [4][2]int) {
	for i := range m.dims {
		d := &m.dims[i]
		tile[i] = d.tile[at[i]]
		part[i] = [2]int{at[i], at[i]}
		for part[i][0] > region[i][0] && d.tile[part[i][0]-1] == tile[i] {
			part[i][0]--
		}
		for part[i][1] < region[i][1] && d.tile[part[i][1]+1] == tile[i] {
			part[i][1]++
		}
	}
	return tile, part
}

func boxIn(inner, outer [4][2]int) bool {
	for i := range inner {
		if inner[i][0] < outer[i][0] || inner[i][1] > outer[i][1] {
			return false
		}
	}
	return true
}

// isDeleted reports whether a version of a fragment is deleted in an interval.
func (m *model) isDeleted(v *version, p *piece, at array.Interval) bool {
	return v.deleted <= at.End || m.deletedBy(v, p, at) != forever
}

// deletedBy returns the time of the first delete of the interval that the fragment has not taken in and that deletes the
// version.
func (m *model) deletedBy(v *version, p *piece, at array.Interval) uint64 {
	first := forever
	for i, d := range m.deletes {
		if d.time >= at.Start && d.time <= at.End && d.time >= v.time && !p.taken[i] && d.cond.deletes(m.spec, v) {
			first = min(first, d.time)
		}
	}
	return first
}

// merge makes one fragment of those named.
func (m *model) merge(name string, names []string, purge bool) error {
	var from []*piece
	all := array.Interval{End: forever - 1}
	p := &piece{name: name, start: forever, attrs: map[string]bool{}, taken: map[int]bool{}}
	for _, n := range names {
		q := m.pieces[n]
		if q == nil {
			return fmt.Errorf("%s hides %s, which is not there", name, n)
		}
		p.start, p.end = min(p.start, q.start), max(p.end, q.end)
		from = append(from, q)
	}
	slices.SortFunc(from, func(a, b *piece) int { return cmp.Or(cmp.Compare(a.start, b.start), strings.Compare(a.name, b.name)) })
	for i := range m.deletes {
		p.taken[i] = true
	}
	attrs := m.now().attrs
	for i := range attrs {
		p.attrs[attrs[i].Name] = true
	}
	for i, q := range from {
		for _, v := range q.cells {
			v.deleted = min(v.deleted, m.deletedBy(&v, q, all))
			v.values = complete(attrs, v.values)
			p.cells = append(p.cells, v)
		}
		for d := range m.dims {
			if i == 0 {
				p.region[d] = q.region[d]
			}
			p.region[d] = [2]int{min(p.region[d][0], q.region[d][0]), max(p.region[d][1], q.region[d][1])}
		}
	}
	if m.dense() {
		m.flatten(p, from)
	} else {
		slices.SortStableFunc(p.cells, func(a, b version) int { return cmp.Compare(a.time, b.time) })
	}
	if purge {
		p.purge(m.schema.AllowsDups)
	}
	if len(p.cells) > 0 {
		m.pieces[name] = p
	}
	return nil
}

// flatten leaves a dense fragment one cell for each place it covers, with fill values where there was none.
func (m *model) flatten(p *piece, from []*piece) {
	cells := map[point]version{}
	for q := range m.boxPoints(p.region) {
		cells[q] = version{at: q, values: complete(m.now().attrs, nil), deleted: forever}
	}
	for _, c := range m.overlay(from) {
		cells[c.at] = version{at: c.at, values: complete(m.now().attrs, c.values), deleted: forever}
	}
	p.cells = slices.Collect(maps.Values(cells))
}

// purge takes out what is deleted, and what a newer, deleted version hides.
func (p *piece) purge(dups bool) {
	var left []version
	gone := map[point]bool{}
	for _, v := range slices.Backward(p.cells) {
		if v.deleted != forever {
			gone[v.at] = !dups
			continue
		}
		if !gone[v.at] {
			left = append(left, v)
		}
	}
	slices.Reverse(left)
	p.cells = left
}

// complete returns the values of attributes, fill values for those that are missing.
func complete(attrs []attribute, values map[string]value) map[string]value {
	out := make(map[string]value, len(attrs))
	for i := range attrs {
		a := &attrs[i]
		v, ok := values[a.Name]
		if !ok {
			v = value{bytes: string(a.Fill)}
			if a.Nullable && !a.FillValid {
				v = value{null: true}
			}
		}
		out[a.Name] = v
	}
	return out
}

// boxPoints calls yield with the points of a box, row-major.
func (m *model) boxPoints(box [4][2]int) func(yield func(point) bool) {
	return m.spec.box(box, schema.RowMajor)
}

// box returns the points of a box in an order, row-major or col-major.
func (sp *spec) box(box [4][2]int, order schema.Layout) func(yield func(point) bool) {
	return func(yield func(point) bool) {
		n := len(sp.dims)
		var p point
		for i := range n {
			p[i] = box[i][0]
		}
		for {
			if !yield(p) {
				return
			}
			k := 0
			for ; k < n; k++ {
				i := n - 1 - k
				if order == schema.ColMajor {
					i = k
				}
				if p[i]++; p[i] <= box[i][1] {
					break
				}
				p[i] = box[i][0]
			}
			if k == n {
				return
			}
		}
	}
}

func (m *notebook) clone() notebook { return notebook{slices.Clone(m.notes), slices.Clone(m.hidden)} }

// noted returns the metadata in an interval.
func (m *notebook) noted(at array.Interval) map[string]string {
	within := func(n note) bool { return at.Start <= n.start && n.end <= at.End }
	all := slices.DeleteFunc(slices.Clone(m.notes), func(n note) bool { return !within(n) })
	for _, n := range m.hidden {
		covered := slices.ContainsFunc(m.notes, func(c note) bool { return c.hides && c.start <= n.start && n.end <= c.end && within(c) })
		if within(n) && !covered {
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(a, b note) int { return cmp.Compare(a.start, b.start) })
	out := map[string]string{}
	for _, n := range all {
		for k, v := range n.keys {
			if out[k] = v; v == "" {
				delete(out, k)
			}
		}
	}
	return out
}

// mergeNotes makes one metadata file of those in an interval.
func (m *notebook) mergeNotes(at array.Interval) {
	var left, from []note
	for _, n := range m.notes {
		if at.Start <= n.start && n.end <= at.End {
			from = append(from, n)
		} else {
			left = append(left, n)
		}
	}
	if len(from) < 2 {
		return
	}
	slices.SortStableFunc(from, func(a, b note) int { return cmp.Compare(a.start, b.start) })
	all := note{start: from[0].start, end: from[0].end, keys: map[string]string{}, hides: true}
	for _, n := range from {
		all.end = max(all.end, n.end)
		maps.Copy(all.keys, n.keys)
	}
	// As in libtiledb removals are not noted, and uncover what earlier files outside have of the key.
	maps.DeleteFunc(all.keys, func(_, text string) bool { return text == "" })
	m.notes = append(left, all)
	m.hidden = append(m.hidden, from...)
}
