package arrowio

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	arrowarray "github.com/apache/arrow-go/v18/arrow/array"

	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/schema"
)

// Options say what kind of array an import makes. The zero value makes a dense array whose one dimension numbers the
// rows, as TileDB-Py's from_pandas does, or an array of the shape of a NumPy file.
type Options struct {
	// Index names the columns that become the dimensions, in their order; with any the array is sparse.
	Index []string
	// FullDomain makes dimensions as large as their types allow, so that more can be appended; without it they end with
	// the data.
	FullDomain bool
	// Tile has the tile extent of each dimension; missing or 0 means a default.
	Tile []int64
	// Capacity is the number of cells of a sparse tile; 0 means the default.
	Capacity uint64
	// Nullable makes every attribute nullable, for what may be appended; without it those are that have nulls.
	Nullable bool
	// NoDups refuses several cells at the same coordinates.
	NoDups bool
	// Filters are the filters of dimensions and attributes; nil means Zstandard.
	Filters []filter.Spec
	// Portion is the number of bytes of cells held and written as one fragment; 0 means DefaultPortion.
	Portion int64
}

// DefaultPortion is the number of bytes of cells that an import holds at a time when nothing else is said.
const DefaultPortion = 64 << 20

// rowsName is the name of the dimension that numbers the rows of a dense table; TileDB-Py hides a dimension of that name.
const rowsName = "__tiledb_rows"

// defaultExtent is the tile extent of dimensions that nobody set one for, as from_pandas uses.
const defaultExtent = 10000

// Plan is what Infer found: the schema of the array that an import would make.
type Plan struct {
	// Schema has its enumerations loaded.
	Schema *schema.Array
	// Rows counts the source's rows.
	Rows int64
}

// columnScan is what one look at a column's values shows.
type columnScan struct {
	field  schema.Field
	arrow  arrow.Field
	nulls  int
	labels []string
	known  map[string]int
	// bounds is the range of an index column's values, of which in is the collector.
	bounds *schema.Range
	in     *inColumn
}

// Infer reads a source once and returns the schema that its columns, values and the options make: a type for every
// column, attributes nullable where there are nulls, domains that hold all index values, enumerations with the labels of
// all batches. It holds one batch at a time. The error wraps ErrInvalid or schema.ErrInvalid.
func Infer(ctx context.Context, src *Source, o Options) (*Plan, error) {
	scans, err := newScans(src, o)
	if err != nil {
		return nil, err
	}
	plan := &Plan{}
	for batch, err := range src.Records(ctx) {
		if err != nil {
			return nil, err
		}
		err := guarded(func() error {
			for i, scan := range scans {
				if err := scan.look(batch.Column(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, placed(src.Name, plan.Rows, err)
		}
		plan.Rows += batch.NumRows()
	}
	if plan.Schema, err = build(src, scans, plan.Rows, o); err != nil {
		return nil, fmt.Errorf("%s: %w", src.Name, err)
	}
	return plan, nil
}

// placed gives an error about a cell of a batch the number of its row, counted from 1.
func placed(name string, before int64, err error) error {
	if b, ok := err.(*badCell); ok {
		return fmt.Errorf("%s: row %d: %w", name, before+int64(b.i)+1, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

func newScans(src *Source, o Options) ([]*columnScan, error) {
	var scans []*columnScan
	seen := map[string]bool{}
	for _, col := range src.Schema.Fields() {
		if seen[col.Name] {
			return nil, fmt.Errorf("%s: %w: two columns are called %q; rename one", src.Name, ErrInvalid, col.Name)
		}
		seen[col.Name] = true
		f, err := fieldOf(col)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", src.Name, err)
		}
		scan := &columnScan{field: f, arrow: col}
		if slices.Contains(o.Index, col.Name) {
			if scan.field, err = indexField(f, col); err != nil {
				return nil, fmt.Errorf("%s: %w", src.Name, err)
			}
			scan.in = &inColumn{field: scan.field}
		}
		if _, ok := col.Type.(*arrow.DictionaryType); ok && scan.in == nil {
			scan.known = map[string]int{}
		}
		scans = append(scans, scan)
	}
	for i, name := range o.Index {
		if !seen[name] {
			return nil, fmt.Errorf("%s: %w: there is no column %q to be a dimension", src.Name, ErrInvalid, name)
		}
		if slices.Contains(o.Index[:i], name) {
			return nil, fmt.Errorf("%w: column %q is named twice as a dimension", ErrInvalid, name)
		}
	}
	return scans, nil
}

// indexField returns the field of a column as a dimension.
func indexField(f schema.Field, col arrow.Field) (schema.Field, error) {
	f.Dimension = true
	if _, ok := col.Type.(*arrow.DictionaryType); ok || f.Var() && isText(f.Type) {
		f.Type, f.CellValNum = datatype.StringASCII, datatype.VarNum
		return f, nil
	}
	if f.Var() || f.CellValNum != 1 || !f.Type.Info().Dimension {
		return f, unmappable(col, "a dimension is a number, a date, a time or a text")
	}
	return f, nil
}

// look takes notice of the values of one batch.
func (s *columnScan) look(arr arrow.Array) error {
	s.nulls += arr.NullN()
	if dict, ok := arr.(*arrowarray.Dictionary); ok && s.known != nil {
		get := texts(dict.Dictionary())
		if get == nil {
			return unmappable(s.arrow, "only texts can be labels of an enumeration")
		}
		for i := range dict.Dictionary().Len() {
			label := string(get(i))
			if _, ok := s.known[label]; !ok {
				s.known[label] = len(s.labels)
				s.labels = append(s.labels, label)
			}
		}
	}
	if s.in == nil || arr.Len() == 0 {
		return nil
	}
	s.in.reset()
	if err := s.in.append(arr, 0, arr.Len()); err != nil {
		return err
	}
	d := &schema.Dimension{Name: s.field.Name, Type: s.field.Type, CellValNum: s.field.CellValNum}
	r := d.Bounds(s.in.cells, schema.Coords{Data: s.in.data, Offsets: s.in.offsets})
	if d.Type.IsFloat() && (d.CheckRange(r) != nil) {
		return fmt.Errorf("%w: column %q holds NaN, which no dimension has", ErrInvalid, d.Name)
	}
	if s.bounds != nil {
		r = d.Union(*s.bounds, r)
	}
	s.bounds = &schema.Range{Lo: slices.Clone(r.Lo), Hi: slices.Clone(r.Hi)}
	return nil
}

// build makes the schema.
func build(src *Source, scans []*columnScan, rows int64, o Options) (*schema.Array, error) {
	kind := schema.Dense
	if len(o.Index) > 0 {
		kind = schema.Sparse
	}
	s := schema.New(kind)
	s.AllowsDups = kind == schema.Sparse && !o.NoDups
	if o.Capacity > 0 {
		s.Capacity = o.Capacity
	}
	filters := o.Filters
	if filters == nil {
		filters = []filter.Spec{filter.Compressor(filter.Zstd, -1)}
	}
	pipeline := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: filters}
	for i, name := range o.Index {
		at := slices.IndexFunc(scans, func(c *columnScan) bool { return c.field.Name == name })
		d, err := scans[at].dimension(tileOf(o, i), o.FullDomain)
		if err != nil {
			return nil, err
		}
		d.Filters = pipeline
		s.Domain.Dimensions = append(s.Domain.Dimensions, d)
	}
	if kind == schema.Dense {
		dims, err := denseDimensions(src, rows, o)
		if err != nil {
			return nil, err
		}
		for i := range dims {
			dims[i].Filters = pipeline
		}
		s.Domain.Dimensions = dims
		if src.ColMajor {
			s.CellOrder, s.TileOrder = schema.ColMajor, schema.ColMajor
		}
	}
	for _, c := range scans {
		if c.in != nil {
			continue
		}
		a := schema.NewAttribute(c.field.Name, c.field.Type, c.field.CellValNum)
		a.Filters = pipeline
		a.Nullable = o.Nullable || c.nulls > 0
		if c.known != nil {
			if err := c.enumerate(s, &a); err != nil {
				return nil, err
			}
		}
		s.Attributes = append(s.Attributes, a)
	}
	if len(s.Attributes) == 0 {
		return nil, fmt.Errorf("%w: no column is left to be an attribute", ErrInvalid)
	}
	return s, s.Check()
}

func tileOf(o Options, i int) int64 {
	if i < len(o.Tile) {
		return o.Tile[i]
	}
	return 0
}

// enumerate gives the attribute an enumeration with the labels of the column, named after it.
func (c *columnScan) enumerate(s *schema.Array, a *schema.Attribute) error {
	if limit := maxLabels(a.Type); uint64(len(c.labels)) > limit {
		return fmt.Errorf("%w: column %q has %d labels, its indexes of type %v count to %d", ErrInvalid, a.Name, len(c.labels), a.Type, limit)
	}
	col := cells.Texts(a.Name, c.labels)
	e := &schema.Enumeration{Name: a.Name, Type: datatype.StringUTF8, CellValNum: datatype.VarNum, Data: col.Data, Offsets: datatype.View[uint64](col.Offsets)}
	e.Ordered = c.arrow.Type.(*arrow.DictionaryType).Ordered
	a.Enumeration = e.Name
	if s.Enumerations == nil {
		s.Enumerations, s.EnumerationFiles = map[string]*schema.Enumeration{}, map[string]string{}
	}
	s.Enumerations[e.Name], s.EnumerationFiles[e.Name] = e, ""
	s.EnumerationNames = append(s.EnumerationNames, e.Name)
	return nil
}

// maxLabels is the number of labels that index values of a type can stand for.
func maxLabels(t datatype.Type) uint64 {
	if t.Kind().Signed() {
		return 1 << (8*t.Size() - 1)
	}
	if t.Size() == 8 {
		return math.MaxUint64
	}
	return 1 << (8 * t.Size())
}

// denseDimensions returns a dimension that numbers the rows, or those of the shape of a NumPy array.
func denseDimensions(src *Source, rows int64, o Options) ([]schema.Dimension, error) {
	if src.Shape == nil {
		extent := tileOf(o, 0)
		if rows == 0 && !o.FullDomain {
			return nil, fmt.Errorf("%w: there are no rows, so that the domain of the rows is unknown; --full-domain makes one for any number", ErrInvalid)
		}
		if extent <= 0 {
			extent = defaultExtent
			if !o.FullDomain {
				extent = min(rows, extent)
			}
		}
		hi := rows - 1
		if o.FullDomain {
			hi = math.MaxInt64 - extent
		}
		return []schema.Dimension{schema.NewDimension(rowsName, 0, hi, extent)}, nil
	}
	if o.FullDomain {
		return nil, fmt.Errorf("%w: a NumPy array's domain is its shape", ErrInvalid)
	}
	var dims []schema.Dimension
	extents := defaultExtents(src.Shape)
	for i, n := range src.Shape {
		if n == 0 {
			return nil, fmt.Errorf("%w: an array of shape %v has no values", ErrInvalid, src.Shape)
		}
		if t := tileOf(o, i); t > 0 {
			extents[i] = t
		}
		dims = append(dims, schema.NewDimension(fmt.Sprintf("__dim_%d", i), 0, uint64(n-1), uint64(min(extents[i], n))))
	}
	return dims, nil
}

// maxTileCells bounds the default tiles of NumPy arrays.
const maxTileCells = 1 << 20

// defaultExtents returns tile extents of at most maxTileCells cells: the whole shape, halved along its longest side until
// it is small enough.
func defaultExtents(shape []int64) []int64 {
	extents := slices.Clone(shape)
	for {
		cells, longest := 1.0, 0
		for i, n := range extents {
			cells *= float64(n)
			if n > extents[longest] {
				longest = i
			}
		}
		if cells <= maxTileCells {
			return extents
		}
		extents[longest] = (extents[longest] + 1) / 2
	}
}
