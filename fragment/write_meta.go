package fragment

import (
	"errors"
	"fmt"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/schema"
)

var errEmpty = errors.New("a fragment needs at least one cell")

// metadata assembles the fragment's metadata from its fields'.
func (w *Writer) metadata() (*format.FragmentMetadata, error) {
	slots := w.slots()
	n := slots.Len()
	m := &format.FragmentMetadata{
		Footer: format.Footer{
			Version:        format.Version,
			SchemaName:     w.schema.Name,
			Schema:         w.schema,
			Dense:          w.schema.Type == schema.Dense,
			NonEmptyDomain: w.opts.Domain,
			HasTimestamps:  w.opts.Timestamps,
			HasDeletes:     w.opts.Deletes,
			FileSizes:      make([]uint64, n),
			VarSizes:       make([]uint64, n),
			ValiditySizes:  make([]uint64, n),
		},
		RTree:  &format.RTree{Fanout: 10},
		Fields: make([]format.FieldMetadata, n),

		ProcessedConditions: w.opts.Processed,
	}
	tiles, err := w.tileCount()
	if err != nil {
		return nil, err
	}
	cells := w.tileCells(m, tiles)
	m.Fields[slots.Coords()] = w.coordsField(tiles)
	for i := range w.schema.Domain.Dimensions {
		m.Fields[slots.Dimension(i)] = blankField(tiles)
	}
	for _, f := range w.fields {
		f.pad(tiles)
		m.Fields[f.slot] = f.meta
		summarize(&f.field, &m.Fields[f.slot], cells)
		m.FileSizes[f.slot] = f.fixed.nBytes
		m.VarSizes[f.slot] = f.vars.nBytes
		m.ValiditySizes[f.slot] = f.validity.nBytes
	}
	if !m.Dense {
		w.sparseMetadata(m, tiles)
	}
	return m, nil
}

// tileCount returns the number of tiles, which all fields must agree in.
func (w *Writer) tileCount() (int, error) {
	tiles, cells := w.fields[0].tiles, w.fields[0].lastCells
	for _, f := range w.fields {
		if f.tiles != tiles || f.lastCells != cells {
			return 0, fmt.Errorf("field %q has %d tiles, the last of %d cells, and field %q %d, the last of %d",
				f.field.Name, f.tiles, f.lastCells, w.fields[0].field.Name, tiles, cells)
		}
	}
	if tiles == 0 {
		return 0, errEmpty
	}
	return tiles, nil
}

// tileCells returns the function that tells the number of cells of a tile, and notes the last one's.
func (w *Writer) tileCells(m *format.FragmentMetadata, tiles int) func(int) uint64 {
	last := w.fields[0].lastCells
	m.LastTileCells = last
	if m.Dense {
		return func(int) uint64 { return last }
	}
	m.SparseTiles = uint64(tiles)
	return func(i int) uint64 {
		if i == tiles-1 {
			return last
		}
		return w.schema.Capacity
	}
}

// blankField is the metadata of a slot that holds nothing: every list has its zero per tile.
func blankField(tiles int) format.FieldMetadata {
	return format.FieldMetadata{
		TileOffsets: make([]uint64, tiles), VarOffsets: make([]uint64, tiles),
		VarSizes: make([]uint64, tiles), ValidityOffsets: make([]uint64, tiles),
	}
}

// coordsField is the metadata of the slot of zipped coordinates, which libtiledb fills with zeros as if it were an
// attribute of the first dimension's type with a cell of all coordinates.
func (w *Writer) coordsField(tiles int) format.FieldMetadata {
	m := blankField(tiles)
	dims := w.schema.Domain.Dimensions
	f := schema.Field{Type: dims[0].Type, CellValNum: 1}
	if hasMinMax(&f) {
		m.Mins.Fixed = make([]byte, tiles*len(dims)*f.CellSize())
		m.Maxes.Fixed = make([]byte, tiles*len(dims)*f.CellSize())
		m.Summary = format.FieldSummary{Min: make([]byte, f.CellSize()), Max: make([]byte, f.CellSize())}
	}
	if hasSum(&f) {
		m.Sums = make([]uint64, tiles)
	}
	return m
}

// sparseMetadata builds the R-tree over the tiles' boxes and the non-empty domain around them.
func (w *Writer) sparseMetadata(m *format.FragmentMetadata, tiles int) {
	leaves := format.RTreeLevel{NumBoxes: tiles}
	for _, f := range w.fields {
		if f.field.Dimension {
			leaves.Columns = append(leaves.Columns, f.boxes)
			m.NonEmptyDomain = append(m.NonEmptyDomain, f.domain)
		}
	}
	m.RTree = format.NewRTree(&w.schema.Domain, leaves)
}

// tallyInto appends the metadata of one tile to m. A tile of nothing but nulls leaves zeros and empty texts.
func tallyInto(f *schema.Field, m *format.FieldMetadata, c *Cells, cells int, t *tally) {
	tallyTile(f, c, t)
	if hasMinMax(f) {
		if t.nulls == uint64(cells) {
			t.min, t.max = nil, nil
		}
		appendTileValue(f, &m.Mins, t.min)
		appendTileValue(f, &m.Maxes, t.max)
	}
	if hasSum(f) {
		m.Sums = append(m.Sums, t.sum)
	}
	if f.Nullable {
		m.NullCounts = append(m.NullCounts, t.nulls)
	}
}

func appendTileValue(f *schema.Field, v *format.TileValues, value []byte) {
	switch {
	case f.Var():
		v.Fixed = append(v.Fixed, datatype.Bytes([]uint64{uint64(len(v.Var))})...)
		v.Var = append(v.Var, value...)
	case value == nil:
		v.Fixed = append(v.Fixed, make([]byte, f.CellSize())...)
	default:
		v.Fixed = append(v.Fixed, value...)
	}
}
