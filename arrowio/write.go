package arrowio

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// Writer writes record batches into an array, portion by portion, and commits all of them at one moment: nothing is
// visible before Commit. It holds one portion of cells. It is not safe for concurrent use.
type Writer struct {
	array   *array.Array
	columns []*inColumn
	// from has the position of every column in the batches.
	from []int
	// rows counts the rows written, held included; cells those held.
	rows, cells int64
	portion     int64
	noDups      bool
	slab        *slab
	at          uint64
	fragments   []string
}

// slab says where the next cells of a dense array go: whole steps along its slowest dimension.
type slab struct {
	grid *schema.Grid
	// axis is the slowest dimension, cells the number of cells of one step along it.
	axis  int
	cells int64
	// next is the next step, steps the number of steps of a portion.
	next  uint64
	steps int64
}

// NewWriter begins a write into an array opened for writing. The batches have a column for every attribute and, when
// the array is sparse, every dimension, found by name. Cells of a dense array come in the order of the array's cells; they
// go to the rows from first on. The error wraps ErrInvalid or query.ErrInvalid.
func NewWriter(ctx context.Context, a *array.Array, columns *arrow.Schema, o Options, first uint64) (*Writer, error) {
	w := &Writer{array: a, portion: o.Portion, noDups: o.NoDups && !a.Schema.AllowsDups, at: uint64(time.Now().UnixMilli())}
	if w.portion <= 0 {
		w.portion = DefaultPortion
	}
	s := a.Schema
	var fields []schema.Field
	if s.Type == schema.Sparse {
		for i := range s.Domain.Dimensions {
			fields = append(fields, s.DimensionField(i))
		}
	}
	for i := range s.Attributes {
		fields = append(fields, s.AttributeField(i))
	}
	rowBytes := int64(0)
	for _, f := range fields {
		at := columns.FieldIndices(f.Name)
		if len(at) != 1 {
			return nil, fmt.Errorf("%w: the array has a field %q, the data %d columns of that name", ErrInvalid, f.Name, len(at))
		}
		c := &inColumn{field: f}
		if err := w.loadLabels(ctx, c); err != nil {
			return nil, err
		}
		w.columns, w.from = append(w.columns, c), append(w.from, at[0])
		rowBytes += int64(f.CellSize())
	}
	if n := len(columns.Fields()); n != len(fields) {
		for _, col := range columns.Fields() {
			if _, ok := s.Field(col.Name); !ok {
				return nil, fmt.Errorf("%w: the array has no field for column %q", ErrInvalid, col.Name)
			}
		}
		return nil, fmt.Errorf("%w: the data has %d columns, the array takes %d", ErrInvalid, n, len(fields))
	}
	if s.Type == schema.Dense {
		return w, w.newSlab(first, rowBytes)
	}
	return w, nil
}

func (w *Writer) loadLabels(ctx context.Context, c *inColumn) error {
	if c.field.Dimension || w.array.Schema.Attributes[c.field.Index].Enumeration == "" {
		return nil
	}
	e, err := w.array.Enumeration(ctx, w.array.Schema.Attributes[c.field.Index].Enumeration)
	if err == nil {
		c.labels = e.Lookup()
	}
	return err
}

// newSlab sets up a dense write: portions are whole tiles along the slowest dimension.
func (w *Writer) newSlab(first uint64, rowBytes int64) error {
	grid, err := schema.NewGrid(w.array.Schema)
	if err != nil {
		return err
	}
	w.slab = &slab{grid: grid, cells: 1, next: first}
	if w.array.Schema.CellOrder == schema.ColMajor {
		w.slab.axis = len(grid.Last) - 1
	}
	total := big.NewInt(1)
	for i, last := range grid.Last {
		if i != w.slab.axis {
			total.Mul(total, new(big.Int).Add(new(big.Int).SetUint64(last), big.NewInt(1)))
		}
	}
	if !total.IsInt64() || total.Int64() > 1<<40 {
		return fmt.Errorf("%w: the array's domain is too large to be filled from a table", ErrInvalid)
	}
	w.slab.cells = total.Int64()
	w.slab.steps = max(1, w.portion/max(1, w.slab.cells*max(1, rowBytes)))
	if extent := int64(grid.Extent[w.slab.axis]); extent > 0 {
		w.slab.steps = (w.slab.steps + extent - 1) / extent * extent
	}
	return nil
}

// room returns how many cells the current portion still takes.
func (w *Writer) room() int64 {
	if w.slab == nil {
		return 1 << 16
	}
	extent := w.slab.grid.Extent[w.slab.axis]
	steps := w.slab.steps - int64(w.slab.next%extent) // so that the portions after the first begin at tiles
	return steps*w.slab.cells - w.cells
}

// Write adds the rows of a batch. Nothing of it is kept. After an error the write can only be aborted.
func (w *Writer) Write(ctx context.Context, batch arrow.RecordBatch) error {
	for from := int64(0); from < batch.NumRows(); {
		to := min(batch.NumRows(), from+w.room())
		size := int64(0)
		err := guarded(func() error {
			for i, c := range w.columns {
				if err := c.append(batch.Column(w.from[i]), int(from), int(to)); err != nil {
					return err
				}
				size += int64(c.size())
			}
			return nil
		})
		if err != nil {
			return placed("data", w.rows-from, err)
		}
		w.rows, w.cells = w.rows+to-from, w.cells+to-from
		from = to
		if w.slab == nil && size >= w.portion || w.slab != nil && w.room() == 0 {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the cells held as one fragment, without committing it.
func (w *Writer) flush(ctx context.Context) error {
	if w.cells == 0 {
		return nil
	}
	write := &query.Write{Layout: schema.Unordered, Timestamp: w.at, Hold: true, CheckDups: w.noDups, CheckOutOfBounds: true}
	for _, c := range w.columns {
		write.Columns = append(write.Columns, c.column())
	}
	if w.slab != nil {
		if err := w.slab.place(w.array.Schema, write, w.cells); err != nil {
			return err
		}
	}
	done, err := query.Submit(ctx, w.array, write)
	if err != nil {
		return err
	}
	if done.Fragment != "" {
		w.fragments = append(w.fragments, done.Fragment)
	}
	for _, c := range w.columns {
		c.reset()
	}
	w.cells = 0
	return nil
}

// place sets the subarray of a write of so many cells and moves on behind it.
func (s *slab) place(a *schema.Array, write *query.Write, cells int64) error {
	if cells%s.cells != 0 {
		return fmt.Errorf("%w: the data ends within a row: rows have %d cells, %d are left", ErrInvalid, s.cells, cells%s.cells)
	}
	box := s.grid.Whole()
	last := s.next + uint64(cells/s.cells) - 1
	if last > box.Hi[s.axis] || last < s.next {
		return fmt.Errorf("%w: the data has more rows than the domain of dimension %q has room for: there is no row %d; import with a full domain what is to be appended to",
			ErrInvalid, a.Domain.Dimensions[s.axis].Name, last)
	}
	box.Lo[s.axis], box.Hi[s.axis] = s.next, last
	for _, r := range s.grid.Ranges(box) {
		write.Subarray.Ranges = append(write.Subarray.Ranges, []schema.Range{r})
	}
	write.Layout = schema.RowMajor
	if s.axis > 0 {
		write.Layout = schema.ColMajor
	}
	s.next = last + 1
	return nil
}

// Commit writes what is held and makes all rows visible at one moment. It returns the names of the new fragments. After
// an error nothing is visible, unless it is a storage fault of the very last step, and Abort removes what was written.
func (w *Writer) Commit(ctx context.Context) ([]string, error) {
	if err := w.flush(ctx); err != nil {
		return nil, err
	}
	if err := array.CommitTogether(ctx, w.array.FS, w.array.URI, w.fragments); err != nil {
		return nil, err
	}
	names := w.fragments
	w.fragments = nil
	return names, nil
}

// Abort removes what was written. It does nothing after a Commit that succeeded, and works with a cancelled context.
func (w *Writer) Abort(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, name := range w.fragments {
		errs = append(errs, w.array.FS.Remove(ctx, vfs.Join(w.array.URI, "__fragments", name)))
	}
	w.fragments = nil
	return errors.Join(errs...)
}

// Rows returns the number of rows written so far.
func (w *Writer) Rows() int64 { return w.rows }

// nextRow returns the row behind the last that a dense array has cells of, counted from the start of its domain.
func nextRow(ctx context.Context, fs vfs.FS, uri string, opts []array.Option) (uint64, error) {
	a, err := array.Open(ctx, fs, uri, array.Latest(), opts...)
	if err != nil || a.Schema.Type == schema.Sparse {
		return 0, err
	}
	box := a.NonEmptyDomain()
	if box == nil {
		return 0, nil
	}
	grid, err := schema.NewGrid(a.Schema)
	if err != nil {
		return 0, err
	}
	axis := 0
	if a.Schema.CellOrder == schema.ColMajor {
		axis = len(box) - 1
	}
	return grid.CellNumber(axis, box[axis].Hi) + 1, nil
}

// kindName names an integer type as pandas' nullable types do: Int64, UInt8.
func kindName(t datatype.Type) string {
	name := strings.ToLower(t.String())
	if rest, ok := strings.CutPrefix(name, "uint"); ok {
		return "UInt" + rest
	}
	return "I" + name[1:]
}
