package query

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/fragment"
	"azulejo/schema"
)

// slabCells is the least number of cells that slabs are cut at: enough to be worth a task, few enough to be sorted in the
// cache. Reads that need no sorting and have fewer than slabParts of these are cut smaller, so that all threads have something
// to do till the end; it must not depend on how many there are, as a plan must come out the same when a read comes back.
const (
	slabCells = 32 << 10
	slabParts = 16
)

// tileRef is a tile of a sparse fragment that may hold selected cells.
type tileRef struct {
	// frag is the index of its fragment, tile its number there.
	frag  int
	tile  uint64
	cells int
	// full says that all its cells lie in the selected ranges, timely that all lie in the interval of time; verdict is
	// what its statistics tell about the condition.
	full    bool
	timely  bool
	verdict condition.Verdict
	// pending are the deletes that may remove some of its cells; marked says that the fragment keeps when cells were
	// deleted, dead that deletes remove all of them.
	pending      []pendingDelete
	marked, dead bool
	// first holds the numbers that the result is cut by.
	first span
	// shared is set when the tile's cells belong to several slabs.
	shared *sharedTile
}

// slab is a unit of a sparse read: a set of tiles, or of the cells of tiles that lie in a range of the numbers that the
// result is cut by. Slabs follow each other in the order of the result, no cell belongs to two.
type slab struct {
	// tiles are sorted by fragment, oldest first, and then by number.
	tiles []*tileRef
	cells int
	axes  []axis
	// cut is the slab's range of numbers; it matters to shared tiles.
	cut span
	// sort says that the cells must be brought into order, dedup that cells at equal coordinates are versions of one,
	// of which the newest counts, repeat that a cell is returned as often as ranges hold it. times says that some of the
	// versions have timestamps of their own, stored that the cells lie in the order of the result, those of one fragment.
	sort, dedup, repeat, times, stored bool
}

// sparsePlan is what a sparse read will do, determined by query and fragments alone so that it can be resumed.
type sparsePlan struct {
	order sortOrder
	slabs []*slab
}

// planSparse finds the tiles and cuts them into slabs. anyOrder plans for results whose order does not matter.
func (r *reading) planSparse(ctx context.Context, anyOrder bool) (*sparsePlan, error) {
	layout := r.q.Layout
	if anyOrder {
		layout = schema.Unordered
	}
	order, err := newSortOrder(r.schema, layout, r.occupied())
	if err != nil {
		return nil, err
	}
	p := &sparsePlan{order: order}
	if g := r.givenOrder(layout); g != nil {
		for _, axes := range g {
			if err := r.addSlabs(ctx, p, axes, layout); err != nil {
				return nil, err
			}
		}
		if r.oneFragment(p) {
			return p, nil
		}
		p.slabs = nil
	}
	return p, r.addSlabs(ctx, p, r.axes, layout)
}

// givenOrder returns one selection per range when results follow the ranges in the order given: those of one dimension in
// row- or col-major order whose ranges are not ascending or overlap. nil otherwise.
func (r *reading) givenOrder(layout schema.Layout) [][]axis {
	ordered := layout == schema.RowMajor || layout == schema.ColMajor
	if !ordered || len(r.axes) != 1 || r.axes[0].rising && !r.axes[0].overlapping {
		return nil
	}
	a := &r.axes[0]
	var out [][]axis
	for _, s := range a.given {
		out = append(out, []axis{{dim: a.dim, kind: a.kind, given: []span{s}, merged: []span{s}, rising: true}})
	}
	for _, t := range a.textGiven {
		out = append(out, []axis{{dim: a.dim, kind: a.kind, text: true, textGiven: []schema.Range{t}, textMerged: []schema.Range{t}, rising: true}})
	}
	return out
}

// oneFragment reports whether the slabs have tiles of at most one fragment.
func (r *reading) oneFragment(p *sparsePlan) bool {
	frag := -1
	for _, s := range p.slabs {
		for _, t := range s.tiles {
			if frag >= 0 && t.frag != frag {
				return false
			}
			frag = t.frag
		}
	}
	return true
}

// addSlabs appends the slabs of one selection.
func (r *reading) addSlabs(ctx context.Context, p *sparsePlan, axes []axis, layout schema.Layout) error {
	tiles, err := r.findTiles(ctx, axes, &p.order)
	if err != nil || len(tiles) == 0 {
		return err
	}
	frags := r.countVersions(tiles)
	ordered := layout != schema.Unordered
	if layout == schema.GlobalOrder || len(axes) == 1 && axes[0].rising && r.schema.CellOrder != schema.Hilbert {
		ordered = frags > 1
	}
	dedup := frags > 1 && r.hides() && (ordered || !r.allApart(tiles))
	stored := isStored(layout)
	var slabs []*slab
	if !ordered && !dedup {
		slabs = streamSlabs(tiles, r.streamCells(tiles))
	} else {
		slabs = sortSlabs(tiles, r.slabCells)
	}
	for _, s := range slabs {
		s.axes = axes
		s.dedup = dedup && r.countVersions(s.tiles) > 1
		if s.dedup {
			r.separate(s)
		}
		s.times = !r.schema.AllowsDups && (s.dedup || r.q.Versions != NewestVersions) && r.timed(s)
		s.sort = ordered || s.dedup
		s.stored = stored && s.oneFragment()
		if !stored {
			for i := range axes {
				s.repeat = s.repeat || axes[i].overlapping
			}
		}
		if !s.dedup && r.q.Versions == NewestVersions {
			s.dropHopeless()
		}
	}
	p.slabs = append(p.slabs, slices.DeleteFunc(slabs, func(s *slab) bool { return len(s.tiles) == 0 })...)
	return nil
}

// streamCells returns the size that slabs of tiles that need no sorting are cut at. Where requests cost much, fewer are better.
func (r *reading) streamCells(tiles []*tileRef) int {
	if r.fragments[tiles[0].frag].Far() {
		return r.slabCells
	}
	cells := 0
	for _, t := range tiles {
		cells += t.cells
	}
	if cells <= 2*r.slabCells {
		return r.slabCells
	}
	return min(r.slabCells, max(cells/slabParts, r.slabCells/4))
}

// isStored reports whether results of a layout may come in the order that a fragment's cells lie in.
func isStored(layout schema.Layout) bool {
	return layout == schema.GlobalOrder || layout == schema.Unordered
}

// oneFragment reports whether the slab has tiles of one fragment.
func (s *slab) oneFragment() bool {
	n := len(s.tiles)
	return n > 0 && s.tiles[0].frag == s.tiles[n-1].frag
}

// separate looks at the bounding boxes of a slab with tiles of several fragments. A hopeless tile stays only when it meets
// a tile that is not, whose cells it may hide; and when no two tiles meet that may hold versions of one cell, the slab
// needs no search for them.
func (r *reading) separate(s *slab) {
	boxes := r.keyBoxes(s.tiles)
	byLo := make([]int, len(s.tiles))
	for i := range byLo {
		byLo[i] = i
	}
	slices.SortFunc(byLo, func(x, y int) int { return compareKeys(boxes[x][0].lo, boxes[y][0].lo) })
	// hides tells of hopeless tiles whether they meet one that is not. open are the tiles that reach to the place looked at.
	hides, dedup := make([]bool, len(s.tiles)), false
	var open []int
	for _, i := range byLo {
		open = slices.DeleteFunc(open, func(k int) bool { return boxes[k][0].hi < boxes[i][0].lo })
		for _, k := range open {
			x, y := s.tiles[i], s.tiles[k]
			if x.hopeless() && y.hopeless() || x.frag == y.frag && !r.fragments[x.frag].Footer().HasTimestamps || !meetBoxes(boxes[i], boxes[k]) {
				continue
			}
			dedup, hides[i], hides[k] = true, true, true
		}
		if r.fragments[s.tiles[i].frag].Footer().HasTimestamps {
			dedup = true // versions of a cell may lie in one tile
		}
		open = append(open, i)
	}
	s.dedup = dedup
	s.drop(func(i int) bool { return s.tiles[i].hopeless() && !hides[i] })
}

// hides reports whether newer cells hide older ones at the same place.
func (r *reading) hides() bool { return !r.schema.AllowsDups && r.q.Versions == NewestVersions }

// triesPerTile bounds how many others allApart compares a tile with on average.
const triesPerTile = 32

// allApart reports whether no two tiles of different fragments meet and no cell has a timestamp of its own, so that nothing has to
// be cut or compared to find versions of a cell. It gives up, with false, where that takes long to find out.
func (r *reading) allApart(tiles []*tileRef) bool {
	if r.timed(&slab{tiles: tiles}) {
		return false
	}
	boxes := r.keyBoxes(tiles)
	byLo := make([]int, len(tiles))
	for i := range byLo {
		byLo[i] = i
	}
	slices.SortFunc(byLo, func(x, y int) int { return compareKeys(boxes[x][0].lo, boxes[y][0].lo) })
	var open []int
	tries := triesPerTile * len(tiles)
	for _, i := range byLo {
		open = slices.DeleteFunc(open, func(k int) bool { return boxes[k][0].hi < boxes[i][0].lo })
		if tries -= len(open); tries < 0 {
			return false
		}
		for _, k := range open {
			if tiles[i].frag != tiles[k].frag && meetBoxes(boxes[i], boxes[k]) {
				return false
			}
		}
		open = append(open, i)
	}
	return true
}

// keyBoxes returns the bounding boxes of tiles by dimension. Texts have the keys of their first bytes, so that boxes that
// do not meet are apart, but others need not meet.
func (r *reading) keyBoxes(tiles []*tileRef) [][]span {
	n := len(r.axes)
	all, boxes := make([]span, n*len(tiles)), make([][]span, len(tiles))
	for i, t := range tiles {
		boxes[i] = all[i*n:][:n:n]
		for d := range r.axes {
			box := r.fragments[t.frag].Box(t.tile, d)
			if dim := &r.schema.Domain.Dimensions[d]; dim.Var() {
				boxes[i][d] = span{textKey(box.Lo), textKey(box.Hi)}
			} else {
				kind := dim.Type.Kind()
				boxes[i][d] = span{keyOf(kind, box.Lo), keyOf(kind, box.Hi)}
			}
		}
	}
	return boxes
}

// meetBoxes reports whether two boxes have a place in common.
func meetBoxes(a, b []span) bool {
	for d := range a {
		if a[d].hi < b[d].lo || b[d].hi < a[d].lo {
			return false
		}
	}
	return true
}

// hopeless reports whether a tile has no cell that satisfies the condition and was not deleted.
func (t *tileRef) hopeless() bool { return t.verdict == condition.None || t.dead }

// dropHopeless leaves out the hopeless tiles. Where newer cells hide older ones they must stay.
func (s *slab) dropHopeless() {
	s.drop(func(i int) bool { return s.tiles[i].hopeless() })
}

// drop leaves out tiles, given by their numbers.
func (s *slab) drop(out func(i int) bool) {
	kept := make([]*tileRef, 0, len(s.tiles))
	s.cells = 0
	for i, t := range s.tiles {
		if out(i) {
			t.shared.drop()
			continue
		}
		kept = append(kept, t)
		s.cells += t.cells
	}
	s.tiles = kept
}

// countVersions returns how many versions of a cell the tiles may hold: one per fragment, more where cells have
// timestamps of their own.
func (r *reading) countVersions(tiles []*tileRef) int {
	n, seen := 0, map[int]bool{}
	for _, t := range tiles {
		if !seen[t.frag] {
			seen[t.frag] = true
			n++
			if r.fragments[t.frag].Footer().HasTimestamps {
				n++
			}
		}
	}
	return n
}

// timed reports whether cells of the slab have timestamps of their own.
func (r *reading) timed(s *slab) bool {
	for _, t := range s.tiles {
		if r.fragments[t.frag].Footer().HasTimestamps {
			return true
		}
	}
	return false
}

// findTiles returns the tiles whose bounding box meets the selection, by fragment and number.
func (r *reading) findTiles(ctx context.Context, axes []axis, order *sortOrder) ([]*tileRef, error) {
	var tiles []*tileRef
	for i, f := range r.fragments {
		before := len(tiles)
		timely := !f.Footer().HasTimestamps || r.at.Contains(f.Name().Start, f.Name().End)
		err := f.Search(ctx, func(dim int, box schema.Range) fragment.Overlap {
			return fragment.Overlap(axes[dim].meet(box))
		}, func(tile uint64, inside bool) {
			t := &tileRef{frag: i, tile: tile, full: inside, timely: timely}
			if n := f.TileCells(tile); n <= math.MaxUint32 {
				t.cells = int(n)
			} else {
				t.cells = -1
			}
			t.first = order.first(func(dim int) schema.Range { return f.Box(tile, dim) })
			tiles = append(tiles, t)
		})
		if err != nil {
			return nil, err
		}
		for _, t := range tiles[before:] {
			if t.cells < 0 {
				return nil, fmt.Errorf("fragment %s: tile %d is too large", f.URI(), t.tile)
			}
		}
		if err := r.judgeTiles(ctx, f, tiles[before:]); err != nil {
			return nil, err
		}
	}
	return tiles, nil
}

// judgeTiles asks the tiles' statistics what they tell about the condition and the deletes.
func (r *reading) judgeTiles(ctx context.Context, f *fragment.Reader, tiles []*tileRef) error {
	if len(tiles) == 0 {
		return nil
	}
	if r.cond != nil {
		if err := judge(ctx, f, r.cond, tiles, func(t *tileRef, v condition.Verdict) { t.verdict = v }); err != nil {
			return err
		}
	}
	return r.judgeDeletes(ctx, f, tiles)
}

// judge calls set with what the statistics of each tile tell about a condition; not at all where the fragment lacks a
// field.
func judge(ctx context.Context, f *fragment.Reader, cond *condition.Checked, tiles []*tileRef, set func(t *tileRef, v condition.Verdict)) error {
	fields := cond.Fields()
	sources := make([]*fragment.Field, len(fields))
	for i := range fields {
		var err error
		if sources[i], err = fieldIn(f, &fields[i]); err != nil || sources[i] == nil {
			return err
		}
	}
	bounds := make([]condition.Bounds, len(fields))
	for _, t := range tiles {
		for i := range fields {
			var err error
			if bounds[i], err = boundsOf(ctx, f, &fields[i], sources[i], t.tile); err != nil {
				return err
			}
		}
		set(t, cond.Prune(uint64(t.cells), bounds))
	}
	return nil
}

// boundsOf returns what is known of a field in a tile.
func boundsOf(ctx context.Context, f *fragment.Reader, field *schema.Field, source *fragment.Field, tile uint64) (b condition.Bounds, err error) {
	switch {
	case field.Var():
		return b, nil
	case field.Dimension:
		box := f.Box(tile, field.Index)
		return condition.Bounds{Min: box.Lo, Max: box.Hi}, nil
	case field.Type.Kind().Float() || field.CellValNum != 1:
		return b, nil
	}
	if b.Min, b.Max, err = source.MinMax(ctx, tile); err != nil {
		return b, err
	}
	if field.Nullable && source.Nullable {
		b.Nulls, b.NullsKnown, err = source.Nulls(ctx, tile)
	}
	return b, err
}

// fieldIn returns the field of a fragment that holds the cells of the array's field, loaded; nil when the fragment lacks
// it or has another one of that name.
func fieldIn(f *fragment.Reader, field *schema.Field) (*fragment.Field, error) {
	if strings.HasPrefix(field.Name, maskedPrefix) {
		return nil, nil
	}
	if hiddenNames[field.Name] {
		s, _, err := f.Hidden(field.Name)
		return s, err
	}
	s, ok, err := f.Field(field.Name)
	if err != nil || !ok {
		return nil, err
	}
	if s.Type != field.Type || s.CellValNum != field.CellValNum || s.Dimension != field.Dimension {
		return nil, nil
	}
	return s, nil
}

// streamSlabs groups the tiles of results whose cells need no sorting.
func streamSlabs(tiles []*tileRef, size int) []*slab {
	var out []*slab
	for _, t := range tiles {
		if n := len(out); n == 0 || out[n-1].cells+t.cells > 2*size {
			out = append(out, &slab{})
		}
		s := out[len(out)-1]
		s.tiles = append(s.tiles, t)
		s.cells += t.cells
	}
	return out
}

// sortSlabs cuts the result where few tiles lie across the cut.
func sortSlabs(tiles []*tileRef, size int) []*slab {
	cuts := findCuts(tiles, size)
	slabs := make([]*slab, len(cuts)+1)
	lo := uint64(0)
	for i := range slabs {
		slabs[i] = &slab{cut: span{lo, math.MaxUint64}}
		if i < len(cuts) {
			slabs[i].cut.hi = cuts[i] - 1
			lo = cuts[i]
		}
	}
	for _, t := range tiles {
		from := sort.Search(len(slabs), func(i int) bool { return slabs[i].cut.hi >= t.first.lo })
		to := from
		for to < len(slabs) && slabs[to].cut.lo <= t.first.hi {
			slabs[to].tiles = append(slabs[to].tiles, t)
			slabs[to].cells += t.cells
			to++
		}
		if to-from > 1 {
			t.shared = newSharedTile(to - from)
		}
	}
	return slices.DeleteFunc(slabs, func(s *slab) bool { return len(s.tiles) == 0 })
}

// findCuts returns where slabs after the first begin, ascending. A cut lies at the start of a tile. From least cells on the
// first place is taken that few tiles lie across, compared with the cells before it; after several times as many the best
// so far will do.
func findCuts(tiles []*tileRef, least int) []uint64 {
	byLo, byHi := slices.Clone(tiles), slices.Clone(tiles)
	slices.SortFunc(byLo, func(x, y *tileRef) int { return compareKeys(x.first.lo, y.first.lo) })
	slices.SortFunc(byHi, func(x, y *tileRef) int { return compareKeys(x.first.hi, y.first.hi) })
	var cuts []uint64
	// begun and ended count the cells of tiles that begin and end before the place looked at.
	begun, ended, lastCut, h := 0, 0, 0, 0
	best, bestAcross, bestBegun := uint64(0), math.MaxInt, 0
	for i, t := range byLo {
		if i > 0 && t.first.lo > byLo[i-1].first.lo {
			for h < len(byHi) && byHi[h].first.hi < t.first.lo {
				ended += byHi[h].cells
				h++
			}
			across, fresh := begun-ended, begun-lastCut
			size := bestBegun - lastCut
			if fresh >= least && (bestAcross == math.MaxInt || float64(across)*float64(size) < float64(bestAcross)*float64(fresh)) {
				best, bestAcross, bestBegun, size = t.first.lo, across, begun, fresh
			}
			if bestAcross < math.MaxInt && (bestAcross <= size/4 || fresh >= 8*least && bestAcross <= size) {
				cuts = append(cuts, best)
				lastCut, bestAcross = bestBegun, math.MaxInt
			}
		}
		begun += t.cells
	}
	return cuts
}

// sortOrder is the order of a result's cells: a list of numbers that every cell has, most significant first.
type sortOrder struct {
	// curve is set when the first number is the place on it; then parts has the coordinates in row-major order.
	curve *schema.Curve
	parts []orderPart
	// cut has the parts that results are cut by.
	cut []cutPart
}

// orderPart is one number of a sortOrder: the key of a coordinate, or the number of its space tile.
type orderPart struct {
	dim  int
	kind datatype.Kind
	text bool
	// tile asks for the tile's number, inTile for the place in the tile; lo and extent are the domain's start and the tile
	// extent.
	tile      bool
	inTile    bool
	lo        uint64
	extent    uint64
	floatLo   float64
	floatTile float64
}

// newSortOrder returns the order of a layout for cells that lie in occupied, one range per dimension, or anywhere when it is
// nil. For Unordered it is the global order, in which tiles are stored, or one that costs less.
func newSortOrder(s *schema.Array, layout schema.Layout, occupied []schema.Range) (o sortOrder, err error) {
	dims := s.Domain.Dimensions
	cells, tiles := layout, false
	switch {
	case layout == schema.GlobalOrder && s.CellOrder == schema.Hilbert:
		cells = schema.RowMajor
		if o.curve, err = schema.NewCurve(&s.Domain); err != nil {
			return o, err
		}
	case layout == schema.Unordered && s.CellOrder == schema.Hilbert:
		cells = s.TileOrder
	case layout == schema.GlobalOrder || layout == schema.Unordered:
		cells, tiles = s.CellOrder, true
	}
	for k := range dims {
		if d := along(k, len(dims), s.TileOrder); tiles && !dims[d].Var() && dims[d].Extent != nil {
			o.parts = append(o.parts, tilePart(&dims[d], d))
		}
	}
	for k := range dims {
		d := along(k, len(dims), cells)
		o.parts = append(o.parts, orderPart{dim: d, kind: dims[d].Type.Kind(), text: dims[d].Var()})
	}
	o.cut = joinParts(dims, o.parts, occupied)
	o.shorten()
	return o, nil
}

// shorten replaces the coordinates of cells whose tiles come before them in the order by their places in the tiles: these
// numbers are smaller, so that more of them are sorted at once.
func (o *sortOrder) shorten() {
	for i := range o.parts {
		p := &o.parts[i]
		if p.text || p.tile || p.kind.Float() {
			continue
		}
		for _, t := range o.parts[:i] {
			if t.tile && t.dim == p.dim {
				p.inTile, p.lo, p.extent = true, t.lo, t.extent
			}
		}
	}
}

// along returns the k-th most significant of n dimensions in row- or col-major order.
func along(k, n int, layout schema.Layout) int {
	if layout == schema.ColMajor {
		return n - 1 - k
	}
	return k
}

func tilePart(d *schema.Dimension, index int) orderPart {
	p := orderPart{dim: index, kind: d.Type.Kind(), tile: true, lo: keyOf(d.Type.Kind(), d.Lo())}
	switch p.kind {
	case datatype.KindFloat32:
		p.floatLo, p.floatTile = float64(datatype.View[float32](d.Lo())[0]), float64(datatype.View[float32](d.Extent)[0])
	case datatype.KindFloat64:
		p.floatLo, p.floatTile = datatype.View[float64](d.Lo())[0], datatype.View[float64](d.Extent)[0]
	default:
		var wide [8]byte
		copy(wide[:], d.Extent)
		p.extent = max(1, binary.LittleEndian.Uint64(wide[:]))
	}
	return p
}

// tileOf returns the space tile's number of a key, computed in the coordinate's own precision, as libtiledb does.
func (p *orderPart) tileOf(key uint64) uint64 {
	switch p.kind {
	case datatype.KindFloat32:
		return uint64(max(0, (float32(keyFloat(key))-float32(p.floatLo))/float32(p.floatTile)))
	case datatype.KindFloat64:
		return uint64(max(0, (keyFloat(key)-p.floatLo)/p.floatTile))
	}
	return (key - p.lo) / p.extent
}

// keyFloat is the inverse of floatKey.
func keyFloat(key uint64) float64 {
	if key&signBit != 0 {
		return math.Float64frombits(key &^ signBit)
	}
	return math.Float64frombits(^key)
}

// textKey is the key of a text: its first eight bytes. Texts that are longer may share one.
func textKey(b []byte) uint64 {
	var wide [8]byte
	copy(wide[:], b)
	return binary.BigEndian.Uint64(wide[:])
}
