package query

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/fragment"
	"azulejo/internal/pool"
	"azulejo/schema"
)

// never is the time of deletion, and the number of the delete, of cells that were not deleted.
const never = uint64(math.MaxUint64)

// hiddenNames has the names of the hidden fields.
var hiddenNames = map[string]bool{TimestampField: true, DeleteTimestampField: true, DeleteConditionField: true}

var (
	timesField           = schema.Field{Name: TimestampField, Type: datatype.Uint64, CellValNum: 1}
	deleteTimesField     = schema.Field{Name: DeleteTimestampField, Type: datatype.Uint64, CellValNum: 1}
	deleteConditionField = schema.Field{Name: DeleteConditionField, Type: datatype.Uint64, CellValNum: 1}
)

// hiddenField returns a hidden field that the read can ask for.
func (r *reading) hiddenField(name string) (schema.Field, bool) {
	ok := r.schema.Type == schema.Sparse && (name == TimestampField || r.q.Versions != NewestVersions && hiddenNames[name])
	return schema.Field{Name: name, Type: datatype.Uint64, CellValNum: 1}, ok
}

// deletion is a delete commit bound to the schema.
type deletion struct {
	array.Deletion
	survives *condition.Checked
}

// pendingDelete is a delete that the cells of a fragment are to be held against; timed says that the fragment may have
// newer cells, which it leaves alone.
type pendingDelete struct {
	index int
	timed bool
}

// openDeletes binds the snapshot's deletes to the schema and finds out which of them concern which fragment. Like
// libtiledb it refuses to read an array with a delete whose condition does not fit the schema, be it that its field was
// dropped since.
func (r *reading) openDeletes(ctx context.Context, a *array.Array) error {
	if r.schema.Type != schema.Sparse {
		return nil
	}
	for _, d := range a.Deletions() {
		survives, err := d.Survives.Check(a.Schema)
		if err != nil {
			return &array.Error{Op: "read", URI: a.URI + "/" + d.Path, Err: fmt.Errorf("%w: a delete that does not fit the schema: %v; "+
				"open the array at an earlier time", array.ErrUnsupported, err)}
		}
		r.deletes = append(r.deletes, deletion{d, survives})
	}
	r.pending = make([][]pendingDelete, len(r.fragments))
	for i, f := range r.fragments {
		var done []string
		if f.Footer().HasDeletes && len(r.deletes) > 0 {
			var err error
			if done, err = f.ProcessedConditions(ctx); err != nil {
				return err
			}
		}
		for k := range r.deletes {
			d := &r.deletes[k]
			if d.Time >= f.Name().Start && !slices.Contains(done, d.Path) {
				r.pending[i] = append(r.pending[i], pendingDelete{k, f.Footer().HasTimestamps && d.Time <= f.Name().End})
			}
		}
	}
	return nil
}

// judgeDeletes finds the deletes that may remove cells of the tiles of a fragment.
func (r *reading) judgeDeletes(ctx context.Context, f *fragment.Reader, tiles []*tileRef) error {
	for _, t := range tiles {
		t.marked = f.Footer().HasDeletes
	}
	for _, p := range r.pending[tiles[0].frag] {
		untouched := map[*tileRef]bool{}
		err := judge(ctx, f, r.deletes[p.index].survives, tiles, func(t *tileRef, v condition.Verdict) {
			switch {
			case v == condition.All:
				untouched[t] = true
			case v == condition.None && !p.timed:
				t.dead = true
			}
		})
		if err != nil {
			return err
		}
		for _, t := range tiles {
			if !untouched[t] {
				t.pending = append(t.pending, p)
			}
		}
	}
	return nil
}

// pendingAt returns the pending delete of that number.
func (t *tileRef) pendingAt(index int) (pendingDelete, bool) {
	i, ok := slices.BinarySearchFunc(t.pending, index, func(p pendingDelete, index int) int { return p.index - index })
	if !ok {
		return pendingDelete{}, false
	}
	return t.pending[i], true
}

// touched reports whether deletes may have removed cells of the tile.
func (t *tileRef) touched() bool { return t.marked || len(t.pending) > 0 }

// chooseKept clears the cells that were deleted.
func (run *slabRun) chooseKept(ctx context.Context) error {
	if !slices.ContainsFunc(run.slab.tiles, (*tileRef).touched) {
		return nil
	}
	dst, err := run.conditionMask()
	if err != nil {
		return err
	}
	// left reports whether cells of a tile are selected still.
	left := func(i int) bool {
		return run.hits(i) && bytes.IndexByte(dst[run.base[i]:run.base[i+1]], 1) >= 0
	}
	marked := func(i int) bool { return run.slab.tiles[i].marked && left(i) }
	for i := range run.slab.tiles {
		if !marked(i) {
			continue
		}
		c, err := run.column(ctx, &deleteTimesField, marked)
		if err != nil {
			return err
		}
		lo, hi := run.base[i], run.base[i+1]
		keepKeys(datatype.KindUint64, dst[lo:hi], c.data[8*lo:8*hi], span{saturatingAdd(run.at.End, 1), never})
	}
	return run.eachPending(ctx, left, func(i, _ int, survivors []byte) { keepBoth(dst[run.base[i]:run.base[i+1]], survivors) })
}

// keepBoth clears the cells of dst that are not in other.
func keepBoth(dst, other []byte) {
	other = other[:len(dst)]
	for i := range dst {
		dst[i] &= other[i]
	}
}

// eachPending calls use for every delete, oldest first, and every wanted tile that it is pending for, with a byte for
// each of the tile's cells, 1 for those that survive. use may not keep it.
func (run *slabRun) eachPending(ctx context.Context, wanted func(tile int) bool, use func(tile, index int, survivors []byte)) error {
	for index := range run.deletes {
		concerns := func(i int) bool {
			_, ok := run.slab.tiles[i].pendingAt(index)
			return ok && wanted(i)
		}
		for i := range run.slab.tiles {
			if !concerns(i) {
				continue
			}
			if err := run.applyDelete(ctx, index, i, concerns, use); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyDelete holds the cells of tile i against a delete; need tells which tiles will be next.
func (run *slabRun) applyDelete(ctx context.Context, index, i int, need func(tile int) bool, use func(tile, index int, survivors []byte)) error {
	d, t := &run.deletes[index], run.slab.tiles[i]
	lo, hi := run.base[i], run.base[i+1]
	fields := d.survives.Fields()
	cols := make([]condition.Column, len(fields))
	for k := range fields {
		c, err := run.column(ctx, &fields[k], need)
		if err != nil {
			return err
		}
		cols[k] = c.part(i, lo, hi)
	}
	survivors := pool.Get(hi - lo)
	defer survivors.Release()
	fillCells(survivors.B, []byte{1})
	if err := d.survives.Evaluate(cols, survivors.B); err != nil {
		return err
	}
	if p, _ := t.pendingAt(index); p.timed {
		c, err := run.column(ctx, &timesField, need)
		if err != nil {
			return err
		}
		for k, at := range datatype.View[uint64](c.data[8*lo : 8*hi]) {
			survivors.B[k] |= flag(at > d.Time)
		}
	}
	use(i, index, survivors.B)
	return nil
}

// findDeleted makes the columns that tell when every cell was deleted and by which delete, and clears the deleted cells
// where only kept versions are wanted and cells have no versions.
func (run *slabRun) findDeleted(ctx context.Context) error {
	always := func(int) bool { return true }
	timeColumn, err := run.column(ctx, &deleteTimesField, always)
	if err != nil {
		return err
	}
	indexColumn, err := run.column(ctx, &deleteConditionField, always)
	if err != nil {
		return err
	}
	times, indexes := alias64(timeColumn.data), alias64(indexColumn.data)
	for i, t := range run.slab.tiles {
		if err := run.translate(ctx, run.fragments[t.frag], indexes[run.base[i]:run.base[i+1]]); err != nil {
			return err
		}
	}
	err = run.eachPending(ctx, always, func(i, index int, survivors []byte) {
		lo := run.base[i]
		for k, s := range survivors {
			if at := run.deletes[index].Time; s == 0 && at < times[lo+k] {
				times[lo+k], indexes[lo+k] = at, uint64(index)
			}
		}
	})
	if err != nil || run.q.Versions != KeptVersions || run.slab.sort && !run.schema.AllowsDups {
		return err
	}
	if run.mask == nil {
		if run.mask, err = run.ones(); err != nil {
			return err
		}
	}
	for i, at := range times {
		run.mask[i] &= flag(at > run.at.End)
	}
	return nil
}

// translate turns places among a fragment's own processed conditions into those among the snapshot's deletes.
func (run *slabRun) translate(ctx context.Context, f *fragment.Reader, indexes []uint64) error {
	if !f.Footer().HasDeletes {
		return nil
	}
	own, err := f.ProcessedConditions(ctx)
	if err != nil {
		return err
	}
	places := make([]uint64, len(own))
	for i, path := range own {
		places[i] = never
		if k := slices.IndexFunc(run.deletes, func(d deletion) bool { return d.Path == path }); k >= 0 {
			places[i] = uint64(k)
		}
	}
	for i, k := range indexes {
		switch {
		case k < uint64(len(places)):
			indexes[i] = places[k]
		case k != never:
			return &array.Error{Op: "read", URI: f.URI(), Err: fmt.Errorf("%w: a cell was deleted by condition %d of %d", array.ErrCorrupt, k, len(own))}
		}
	}
	return nil
}

// newestFirst turns versions of cells around, which are sorted by place and then from old to new.
func newestFirst(keys *sortKeys, order []uint32, n int) []uint32 {
	if order == nil {
		order = make([]uint32, n)
		number(order)
	}
	eachCell(keys, order, slices.Reverse)
	return order
}

// eachCell calls do for the versions of every cell of an order.
func eachCell(keys *sortKeys, order []uint32, do func(versions []uint32)) {
	for from, to := 0, 0; from < len(order); from = to {
		for to = from + 1; to < len(order) && keys.equal(order[from], order[to]); to++ {
		}
		do(order[from:to])
	}
}

// kept leaves of the versions of every cell, newest first, the first of each time, and where the read asks for those kept
// of these the ones before the first that was deleted. Entries of order count the chosen cells.
func (run *slabRun) kept(ctx context.Context, keys *sortKeys, order, chosen []uint32) ([]uint32, error) {
	column, err := run.column(ctx, &timesField, run.hits)
	if err != nil {
		return nil, err
	}
	written, purge := alias64(column.data), run.q.Versions == KeptVersions
	var deleted []uint64
	if purge {
		deleted = alias64(run.columns[DeleteTimestampField].data)
	}
	kept := order[:0]
	eachCell(keys, order, func(versions []uint32) {
		last := uint64(0)
		for i, k := range versions {
			cell := k
			if chosen != nil {
				cell = chosen[k]
			}
			if purge && deleted[cell] <= run.at.End {
				return
			}
			if i == 0 || written[cell] != last {
				kept = append(kept, k)
			}
			last = written[cell]
		}
	})
	return kept, nil
}

// Deleted names what Delete made.
type Deleted struct {
	// Path is the delete commit, relative to the array.
	Path string
	// Time is its time in milliseconds since 1970.
	Time uint64
}

// Delete deletes the cells of a sparse array that satisfy a condition, by adding a delete commit of a time in
// milliseconds since 1970, 0 for now (format_spec/delete_commit_file.md). It takes effect as a whole and concerns what
// was written up to that time; what is written later with an earlier time is deleted as well. a must be open for writing.
//
// As in libtiledb every comparison deletes the cells whose field is null, too, although a read with the same condition
// does not return them.
//
// The error wraps ErrInvalid for dense arrays, condition.ErrInvalid for a condition that does not fit the schema or that
// deletes cannot store (see condition.Node.Survivors), array.ErrInvalid for a time inside an old consolidated fragment.
func Delete(ctx context.Context, a *array.Array, cond *condition.Node, millis uint64) (Deleted, error) {
	if a.Schema.Type != schema.Sparse {
		return Deleted{}, fmt.Errorf("%w: cells are deleted by condition in sparse arrays only", ErrInvalid)
	}
	if cond == nil {
		return Deleted{}, fmt.Errorf("%w: a delete needs a condition", ErrInvalid)
	}
	if err := a.CheckWritable(); err != nil {
		return Deleted{}, err
	}
	s := a.Schema
	if names := cond.EnumerationNames(s); len(names) > 0 {
		var err error
		if s, err = a.WithEnumerations(ctx, s, names...); err != nil {
			return Deleted{}, err
		}
	}
	survives, err := cond.Survivors(s)
	if err != nil {
		return Deleted{}, err
	}
	path, at, err := a.WriteDelete(ctx, survives, millis)
	return Deleted{path, at}, err
}
