package consolidate

import (
	"context"
	"fmt"
	"math"

	"azulejo/fragment"
	"azulejo/query"
	"azulejo/schema"
)

// writeSparse writes every version of every cell with its time, in global order.
func (j *job) writeSparse(ctx context.Context) error {
	s := j.a.Schema
	fields := fragmentFields(s, true, j.times)
	versions := query.AllVersions
	if j.Purge {
		versions = query.KeptVersions
	}
	read := &query.Read{Layout: schema.GlobalOrder, Versions: versions, Threads: j.Threads}
	for i := range fields {
		read.Fields = append(read.Fields, query.Want{Name: fields[i].Name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1})
	}
	out := &tiler{job: j, queue: newQueue(fields), perTile: int(min(s.Capacity, math.MaxInt))}
	err := query.Stream(ctx, j.a, read, func(r *query.Result) error { return out.take(ctx, newPortion(fields, r)) })
	if err != nil {
		return err
	}
	return out.finish(ctx)
}

// fragmentFields returns the fields of a fragment in the order of fragment.Writer.
func fragmentFields(s *schema.Array, times, deletes bool) []schema.Field {
	var fields []schema.Field
	for i := range s.Attributes {
		fields = append(fields, s.AttributeField(i))
	}
	if s.Type == schema.Dense {
		return fields
	}
	for i := range s.Domain.Dimensions {
		fields = append(fields, s.DimensionField(i))
	}
	return append(fields, fragment.HiddenFields(times, deletes)...)
}

// tiler cuts cells into the tiles of sparse fragments.
type tiler struct {
	*job
	queue   *queue
	perTile int
	// writer is the fragment being written, nBytes the size of its data files so far.
	writer *fragment.Writer
	nBytes uint64
}

// take writes the tiles that a portion fills and keeps the other cells.
func (t *tiler) take(ctx context.Context, p *portion) error {
	t.queue.add(p)
	tiles := t.queue.cells() / t.perTile
	if err := t.append(ctx, tiles); err != nil {
		return err
	}
	t.queue.shift(tiles * t.perTile)
	return nil
}

// finish writes the last tile and completes the last fragment.
func (t *tiler) finish(ctx context.Context) error {
	if t.queue.cells() > 0 {
		if err := t.append(ctx, 1); err != nil {
			return err
		}
	}
	if t.writer == nil {
		return nil
	}
	return t.writer.Finish(ctx)
}

// append writes the next n tiles of the queue, beginning a new fragment where the size of one does not suffice.
func (t *tiler) append(ctx context.Context, n int) (err error) {
	if n == 0 {
		return nil
	}
	if t.writer == nil {
		if t.writer, err = t.begin(ctx, nil); err != nil {
			return err
		}
	}
	if t.MaxFragmentSize == math.MaxUint64 {
		return t.writer.Append(ctx, n, t.fillFrom(0))
	}
	sizes, err := fragment.FilteredSizes(ctx, t.a.Schema, t.options(nil), n, t.fillFrom(0))
	if err != nil {
		return err
	}
	first := 0
	for i, size := range sizes {
		if size > t.MaxFragmentSize {
			return fmt.Errorf("%w: a tile of %d bytes does not fit into fragments of %d", ErrInvalid, size, t.MaxFragmentSize)
		}
		if t.nBytes+size > t.MaxFragmentSize {
			if err := t.next(ctx, first, i); err != nil {
				return err
			}
			first = i
		}
		t.nBytes += size
	}
	return t.writer.Append(ctx, len(sizes)-first, t.fillFrom(first))
}

// next writes tiles first to last, completes the fragment and begins another.
func (t *tiler) next(ctx context.Context, first, last int) (err error) {
	if last > first {
		if err := t.writer.Append(ctx, last-first, t.fillFrom(first)); err != nil {
			return err
		}
	}
	if err := t.writer.Finish(ctx); err != nil {
		return err
	}
	t.nBytes = 0
	t.writer, err = t.begin(ctx, nil)
	return err
}

// fillFrom provides tiles of the queue from one on.
func (t *tiler) fillFrom(first int) fragment.Fill {
	return func(tile, field int, c *fragment.Cells) error {
		lo := (first + tile) * t.perTile
		t.queue.fill(field, lo, min(lo+t.perTile, t.queue.cells()), c)
		return nil
	}
}
