package query

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"azulejo/array"
	"azulejo/condition"
	"azulejo/fragment"
	"azulejo/internal/pool"
	"azulejo/schema"
)

// Run answers a read of an open array. It does not modify q or a; the columns of the result belong to the caller, their
// bytes stay booked in the query's Budget.
//
// Dense results have a cell for every coordinate of the subarray: cells that no fragment wrote, or that fail the
// condition, hold the fill value. Sparse results have the cells that exist and satisfy the condition; row-major and
// col-major ones come sorted, a cell as often as ranges hold it; unordered and global ones have every cell once.
// Aggregates are computed over the whole selection and returned with the last part of an incomplete read.
//
// The error wraps ErrInvalid for a query that does not fit the array, condition.ErrInvalid for its condition,
// pool.ErrBudget when not one cell fits the budget, or is that of a damaged or unreadable file.
func Run(ctx context.Context, a *array.Array, q *Read) (*Result, error) {
	r, err := newReading(ctx, a, q)
	if err != nil {
		return nil, err
	}
	return r.answer(ctx)
}

// answer runs the query and closes its files.
func (r *reading) answer(ctx context.Context) (*Result, error) {
	result, err := r.run(ctx)
	if closeErr := r.files.Close(); err == nil && closeErr != nil {
		return nil, closeErr
	}
	return result, err
}

// reading is one call of Run: the query resolved against the array. It is immutable while workers run, but for files.
type reading struct {
	q         *Read
	schema    *schema.Array
	fragments []*fragment.Reader
	// shown is the schema of the part that q is of, nil without a restriction.
	shown *schema.Array
	// deletes are the snapshot's delete commits, pending those that each fragment's cells are still to be held against.
	deletes []deletion
	pending [][]pendingDelete
	// snapshot has the names that array.Pin returns.
	snapshot []string
	// axes has the selection of every dimension.
	axes []axis
	// outs are the fields to return.
	outs []*outField
	cond *condition.Checked
	// occupied returns the ranges that all cells lie in, nil when there are none.
	occupied func() []schema.Range
	// at is the interval of time that cells with timestamps of their own must lie in.
	at array.Interval
	// slabCells is the size that slabs are cut at.
	slabCells int
	threads   int
	files     fragment.Files
	// spare is memory of columns that were given up; one goroutine allocates columns.
	spare [][]byte
	from  position
}

func newReading(ctx context.Context, a *array.Array, q *Read) (*reading, error) {
	r := &reading{q: q, schema: a.Schema, fragments: a.Fragments(), occupied: a.NonEmptyDomain, at: a.At, snapshot: a.Pin(), slabCells: slabCells, threads: q.Threads}
	if r.threads <= 0 {
		r.threads = runtime.GOMAXPROCS(0)
	}
	r.files.Budget = q.Budget
	kept := a.Kept()
	if kept == nil && q.Budget == nil {
		kept = a.OwnCells()
	}
	r.files.Keep(kept)
	if err := r.checkLayout(); err != nil {
		return nil, err
	}
	var err error
	if r.axes, err = newAxes(a.Schema, q.Subarray); err != nil {
		return nil, err
	}
	cond := q.Condition
	if q.Within != nil {
		if cond, err = r.restrict(a); err != nil {
			return nil, err
		}
	}
	for _, want := range q.Fields {
		out, err := r.newOutField(want)
		if err != nil {
			return nil, err
		}
		r.outs = append(r.outs, out)
	}
	if err := r.bind(ctx, a, cond); err != nil {
		return nil, err
	}
	if err := checkAggregates(a.Schema, q.Aggregates); err != nil {
		return nil, err
	}
	if err := r.sparseAggregates(); err != nil {
		return nil, err
	}
	if err := r.resume(); err != nil {
		return nil, err
	}
	return r, r.openDeletes(ctx, a)
}

// bind checks the condition that cells are to satisfy, nil for none.
func (r *reading) bind(ctx context.Context, a *array.Array, cond *condition.Node) (err error) {
	if cond == nil {
		return nil
	}
	s := a.Schema
	if names := cond.EnumerationNames(s); len(names) > 0 {
		if s, err = a.WithEnumerations(ctx, s, names...); err != nil {
			return err
		}
	}
	r.cond, err = cond.Check(s)
	return err
}

// resume checks that the state belongs to this snapshot and decodes its position.
func (r *reading) resume() (err error) {
	if r.q.Resume == nil {
		return nil
	}
	if !slices.Equal(r.snapshot, r.q.Resume.Fragments) {
		return fmt.Errorf("%w: the read began with other fragments or deletes", ErrInvalid)
	}
	r.from, err = decodePosition(r.q.Resume.Position)
	return err
}

// checkLayout refuses layouts that the array cannot be read in.
func (r *reading) checkLayout() error {
	switch layout := r.q.Layout; {
	case layout > schema.Unordered:
		return fmt.Errorf("%w: reads have no layout %d", ErrInvalid, layout)
	case r.q.Versions > KeptVersions:
		return fmt.Errorf("%w: unknown versions %d", ErrInvalid, r.q.Versions)
	case r.q.Versions != NewestVersions && (layout != schema.GlobalOrder || r.schema.Type != schema.Sparse ||
		r.q.Condition != nil || len(r.q.Aggregates) > 0):
		return fmt.Errorf("%w: all versions of cells are read in global order from sparse arrays, without condition or aggregates", ErrInvalid)
	case r.q.Offsets.Bits != 0 && r.q.Offsets.Bits != 32 && r.q.Offsets.Bits != 64:
		return fmt.Errorf("%w: offsets of %d bits", ErrInvalid, r.q.Offsets.Bits)
	}
	return nil
}

func (r *reading) run(ctx context.Context) (*Result, error) {
	result := &Result{}
	var err error
	if len(r.outs) > 0 {
		if r.schema.Type == schema.Dense {
			result, err = r.dense(ctx)
		} else {
			result, err = r.sparse(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(r.q.Aggregates) == 0 {
		return result, nil
	}
	columns, err := r.aggregates(ctx, result.Next == nil)
	if err != nil {
		return nil, err
	}
	result.Columns = append(result.Columns, columns...)
	return result, nil
}

// next returns the state to resume at.
func (r *reading) next(p position) *State {
	return &State{Fragments: slices.Clone(r.snapshot), Position: p.encode()}
}

// overBudget reports whether err says that the budget does not suffice.
func overBudget(err error) bool { return errors.Is(err, pool.ErrBudget) }

// parallel runs do for every number below n on up to threads goroutines and waits for all of them. It stops handing out
// numbers after an error or when ctx ends, and returns the error of the lowest number that failed.
func parallel(ctx context.Context, threads, n int, do func(ctx context.Context, i int) error) error {
	if threads <= 1 || n <= 1 {
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	p := pooled{failed: n}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for range min(threads, n) {
		wg.Go(func() {
			for {
				i := int(p.next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				if err := do(ctx, i); err != nil {
					p.fail(i, err)
					cancel()
				}
			}
		})
	}
	wg.Wait()
	if p.err != nil {
		return p.err
	}
	return ctx.Err()
}

// pooled is the state that the goroutines of one call of parallel share.
type pooled struct {
	next atomic.Int64

	mu sync.Mutex
	// failed is the lowest number that failed and err its error; both are guarded by mu.
	failed int
	err    error
}

// fail records an error. One that only says that the others were cancelled never hides their cause.
func (p *pooled) fail(i int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cancelled := errors.Is(err, context.Canceled)
	known := p.err != nil && !errors.Is(p.err, context.Canceled)
	if p.err == nil || !cancelled && (!known || i < p.failed) {
		p.failed, p.err = i, err
	}
}
