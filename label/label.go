// Package label reads and writes dimension labels: values that stand for the coordinates of one dimension of an array.
//
// The labels of a dimension lie in an array of their own inside the labelled one, dense and over that dimension alone, and
// rise or fall along it (format_spec/array_schema.md, Dimension label). Find turns ranges of labels into ranges of
// coordinates, with which package query reads; Read and Submit move labels.
package label

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/internal/pool"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
)

// ErrEmpty is wrapped by the error for a range that holds no label.
var ErrEmpty = errors.New("no label in the range")

// ErrOrder is wrapped by the error for stored labels that do not rise or fall as they should.
var ErrOrder = errors.New("labels out of order")

// Open opens the array that holds the labels of that name at the time interval of a, for writing when a was. The error
// wraps query.ErrInvalid when there is no such label.
func Open(ctx context.Context, a *array.Array, name string, opts ...array.Option) (*array.Array, error) {
	l := a.Schema.Label(name)
	if l == nil {
		return nil, fmt.Errorf("%w: the array has no dimension label %q", query.ErrInvalid, name)
	}
	uri := l.URI
	if l.Relative {
		uri = vfs.Join(a.URI, l.URI)
	}
	labels, err := array.Open(ctx, a.FS, uri, a.At, append(opts, array.WithKey(a.Key()))...)
	if err != nil {
		return nil, fmt.Errorf("dimension label %q: %w", name, err)
	}
	s := labels.Schema
	if len(s.Domain.Dimensions) != 1 || s.Type != schema.Dense || attribute(s, l) < 0 {
		return nil, fmt.Errorf("dimension label %q: %w: no array of such labels", name, array.ErrCorrupt)
	}
	return labels, nil
}

// attribute returns the position of the attribute that holds the labels, or -1.
func attribute(s *schema.Array, l *schema.DimensionLabel) int {
	for i := range s.Attributes {
		if t := &s.Attributes[i]; t.Name == l.Attribute && t.Type == l.Type && t.CellValNum == l.CellValNum && !t.Nullable {
			return i
		}
	}
	return -1
}

// Read returns the labels at ranges of coordinates, one after the other; nil ranges stand for the whole dimension. The
// column bears the label's name; its offsets have 64 bits and count bytes.
func Read(ctx context.Context, a *array.Array, name string, coordinates []schema.Range) (query.Column, error) {
	return Reader{}.Read(ctx, a, query.Want{Name: name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1}, coordinates)
}

// Find returns, for every range of labels, the range of coordinates whose labels lie in it. It looks at the labels that
// were written, all of which are read. The error wraps ErrEmpty for a range without labels and ErrOrder for labels that
// cannot be searched.
func Find(ctx context.Context, a *array.Array, name string, ranges []schema.Range) ([]schema.Range, error) {
	return Reader{}.Find(ctx, a, name, ranges)
}

// Reader says how labels are read: the form of offsets, the bytes that may be held, and where results go, as in
// query.Read. The zero value is ready.
type Reader struct {
	Offsets query.OffsetsFormat
	Budget  *pool.Budget
	Alloc   func(n int) []byte
}

// Read is the function Read of the label that w names. The error wraps query.ErrInvalid when the labels do not fit into
// what w can take.
func (r Reader) Read(ctx context.Context, a *array.Array, w query.Want, coordinates []schema.Range) (query.Column, error) {
	labels, err := Open(ctx, a, w.Name)
	if err != nil {
		return query.Column{}, err
	}
	return r.read(ctx, a, labels, w, coordinates)
}

func (r Reader) read(ctx context.Context, a, labels *array.Array, w query.Want, coordinates []schema.Range) (query.Column, error) {
	name := w.Name
	w.Name = a.Schema.Label(name).Attribute
	q := &query.Read{Layout: schema.RowMajor, Subarray: query.Subarray{Ranges: [][]schema.Range{coordinates}},
		Fields: []query.Want{w}, Offsets: r.Offsets, Budget: r.Budget, Alloc: r.Alloc}
	if coordinates == nil {
		q.Subarray.Ranges = nil
	}
	result, err := query.Run(ctx, labels, q)
	if err != nil {
		return query.Column{}, fmt.Errorf("dimension label %q: %w", name, err)
	}
	if result.Next != nil {
		return query.Column{}, fmt.Errorf("dimension label %q: %w: its buffers do not hold the labels of the region", name, query.ErrInvalid)
	}
	column := result.Columns[0]
	column.Name = name
	return column, nil
}

// Find is the function Find.
func (r Reader) Find(ctx context.Context, a *array.Array, name string, ranges []schema.Range) ([]schema.Range, error) {
	labels, err := Open(ctx, a, name)
	if err != nil {
		return nil, err
	}
	written := labels.NonEmptyDomain()
	if written == nil {
		return nil, fmt.Errorf("dimension label %q: %w: none was written", name, ErrEmpty)
	}
	all := query.Want{Name: name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1}
	column, err := Reader{Budget: r.Budget, Alloc: r.Alloc}.read(ctx, a, labels, all, written)
	if err != nil {
		return nil, err
	}
	l := newList(a.Schema.Label(name), column)
	if !l.ordered() {
		return nil, fmt.Errorf("dimension label %q: %w", name, ErrOrder)
	}
	grid, err := schema.NewGrid(labels.Schema)
	if err != nil {
		return nil, err
	}
	first := grid.Box(written).Lo[0]
	out := make([]schema.Range, len(ranges))
	for i, r := range ranges {
		lo, hi := l.search(r)
		if lo >= hi {
			return nil, fmt.Errorf("dimension label %q: %w number %d", name, ErrEmpty, i)
		}
		out[i] = schema.Range{Lo: grid.Coord(0, first+uint64(lo)), Hi: grid.Coord(0, first+uint64(hi-1))}
	}
	return out, nil
}

// list is a column of labels.
type list struct {
	// value compares; it is a dimension because these know how.
	value   schema.Dimension
	falling bool
	data    []byte
	offsets []uint64
}

func newList(l *schema.DimensionLabel, c query.Column) *list {
	return &list{value: schema.Dimension{Type: l.Type, CellValNum: l.CellValNum}, falling: l.Order == schema.DecreasingData,
		data: c.Data, offsets: datatype.View[uint64](c.Offsets)}
}

func (l *list) len() int {
	if l.value.Var() {
		return len(l.offsets)
	}
	return len(l.data) / l.value.Type.Size()
}

func (l *list) at(i int) []byte {
	if !l.value.Var() {
		size := l.value.Type.Size()
		return l.data[i*size : (i+1)*size]
	}
	if i+1 < len(l.offsets) {
		return l.data[l.offsets[i]:l.offsets[i+1]]
	}
	return l.data[l.offsets[i]:]
}

// ordered reports whether every label is beyond the one before it.
func (l *list) ordered() bool {
	for i := 1; i < l.len(); i++ {
		if c := l.value.Compare(l.at(i-1), l.at(i)); c == 0 || c > 0 != l.falling {
			return false
		}
	}
	return true
}

// search returns the labels, from lo up to but not including hi, that lie in r.
func (l *list) search(r schema.Range) (lo, hi int) {
	if l.falling {
		lo = sort.Search(l.len(), func(i int) bool { return l.value.Compare(l.at(i), r.Hi) <= 0 })
		hi = sort.Search(l.len(), func(i int) bool { return l.value.Compare(l.at(i), r.Lo) < 0 })
		return lo, hi
	}
	lo = sort.Search(l.len(), func(i int) bool { return l.value.Compare(l.at(i), r.Lo) >= 0 })
	hi = sort.Search(l.len(), func(i int) bool { return l.value.Compare(l.at(i), r.Hi) > 0 })
	return lo, hi
}
