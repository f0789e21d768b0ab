package arrowio

import (
	"archive/zip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"azulejo/array"
	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
)

// WriteNPY writes one field of a read as a NumPy array: of dense arrays in the shape of the read's ranges, of sparse ones
// as a list. Texts become fixed-size texts as long as the longest, for which the cells are read twice. It returns the
// number of cells. The error wraps ErrInvalid for cells that NumPy has no type for and for nulls of others than floats and
// dates, or is that of query.Run.
func WriteNPY(ctx context.Context, a *array.Array, q *query.Read, w io.Writer, progress func(cells int64)) (int64, error) {
	if len(q.Fields) != 1 {
		return 0, fmt.Errorf("%w: an .npy file holds one attribute, not %d; choose one or write an .npz file", ErrInvalid, len(q.Fields))
	}
	shape, err := shapeOf(ctx, a, q)
	if err != nil {
		return 0, err
	}
	return writeNPY(ctx, a, q, q.Fields[0].Name, shape, w, progress)
}

// WriteNPZ writes every field of a read as an array of an .npz file, each by itself; otherwise it is like WriteNPY.
func WriteNPZ(ctx context.Context, a *array.Array, q *query.Read, w io.Writer, progress func(cells int64)) (int64, error) {
	shape, err := shapeOf(ctx, a, q)
	if err != nil {
		return 0, err
	}
	z := zip.NewWriter(w)
	total := int64(0)
	for i, f := range q.Fields {
		name := f.Name
		if name == "" {
			name = fmt.Sprintf("arr_%d", i)
		}
		entry, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Deflate})
		if err != nil {
			return total, err
		}
		n, err := writeNPY(ctx, a, q, f.Name, shape, entry, func(n int64) {
			if progress != nil {
				progress((int64(i)*n + n) / int64(len(q.Fields)))
			}
		})
		if err != nil {
			return total, err
		}
		total = n
	}
	return total, z.Close()
}

// shapeOf returns the shape of a read's result.
func shapeOf(ctx context.Context, a *array.Array, q *query.Read) ([]uint64, error) {
	if a.Schema.Type == schema.Sparse {
		t, err := cells.Read(ctx, a, &query.Read{
			Layout: schema.Unordered, Subarray: q.Subarray, Condition: q.Condition, Aggregates: []query.Aggregate{{Output: "n", Op: query.Count}},
		})
		if err != nil {
			return nil, err
		}
		n, _, err := cells.Value[uint64](t, "n")
		return []uint64{n}, err
	}
	grid, err := schema.NewGrid(a.Schema)
	if err != nil {
		return nil, err
	}
	var shape []uint64
	for i, last := range grid.Last {
		if i >= len(q.Subarray.Ranges) || q.Subarray.Ranges[i] == nil {
			shape = append(shape, last+1)
			continue
		}
		n := uint64(0)
		for _, r := range q.Subarray.Ranges[i] {
			n += grid.CellNumber(i, r.Hi) - grid.CellNumber(i, r.Lo) + 1
		}
		shape = append(shape, n)
	}
	return shape, nil
}

// npyOut writes the cells of one field.
type npyOut struct {
	field schema.Field
	descr string
	// runes is the length of texts in characters, 0 for fields of fixed size.
	runes int
}

func writeNPY(ctx context.Context, a *array.Array, q *query.Read, name string, shape []uint64, w io.Writer, progress func(int64)) (int64, error) {
	f, ok := a.Schema.Field(name)
	if !ok {
		return 0, fmt.Errorf("%w: the array has no field %q", query.ErrInvalid, name)
	}
	own := *q
	own.Fields = cells.FieldsWithin(DefaultBatch, name)
	own.Layout = schema.RowMajor
	out := &npyOut{field: f}
	if f.Var() {
		if !isText(f.Type) {
			return 0, fmt.Errorf("%w: field %q holds cells of any length, which NumPy has no type for; export Parquet or Arrow", ErrInvalid, name)
		}
		for t, err := range cells.Parts(ctx, a, &own) {
			if err != nil {
				return 0, err
			}
			all, err := cells.Strings(t, name)
			if err != nil {
				return 0, err
			}
			for _, s := range all {
				out.runes = max(out.runes, utf8.RuneCountInString(s))
			}
		}
		out.runes = max(out.runes, 1)
	}
	out.descr = npyDescrOf(&f, out.runes)
	dims := shape
	if !f.Var() && f.CellValNum > 1 && !isBytes(f.Type) {
		dims = append(append([]uint64{}, shape...), uint64(f.CellValNum))
	}
	if _, err := w.Write(npyHead(out.descr, dims)); err != nil {
		return 0, err
	}
	done := int64(0)
	for t, err := range cells.Parts(ctx, a, &own) {
		if err == nil {
			err = out.write(w, t)
		}
		if err != nil {
			return done, err
		}
		if done += int64(t.Len()); progress != nil {
			progress(done)
		}
	}
	return done, nil
}

// write adds the cells of one portion.
func (o *npyOut) write(w io.Writer, t *cells.Table) error {
	c := &t.Result.Columns[0]
	data := c.Data
	if o.runes > 0 {
		all, err := cells.Strings(t, o.field.Name)
		if err != nil {
			return err
		}
		data = make([]byte, 0, 4*o.runes*len(all))
		for _, s := range all {
			n := 0
			for _, r := range s {
				data = binary.LittleEndian.AppendUint32(data, uint32(r))
				n++
			}
			data = append(data, make([]byte, 4*(o.runes-n))...)
		}
	}
	if err := o.nulls(c, data); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// nulls puts NaN and NaT where cells are null; other types have no such value.
func (o *npyOut) nulls(c *query.Column, data []byte) error {
	fill := o.field.Type.Fill()
	for i, valid := range c.Validity {
		if valid != 0 {
			continue
		}
		if !o.field.Type.IsFloat() && !o.field.Type.IsDateTime() && !o.field.Type.IsTime() {
			return fmt.Errorf("%w: field %q has nulls, which NumPy has not; export Parquet, Arrow or CSV", ErrInvalid, o.field.Name)
		}
		width := o.field.CellSize()
		for at := i * width; at < (i+1)*width; at += len(fill) {
			copy(data[at:], fill)
		}
	}
	return nil
}

// npyDescrOf returns NumPy's name of a field's cells; runes is the length of texts.
func npyDescrOf(f *schema.Field, runes int) string {
	kinds := map[datatype.Kind]string{
		datatype.KindInt8: "|i1", datatype.KindInt16: "<i2", datatype.KindInt32: "<i4", datatype.KindInt64: "<i8",
		datatype.KindUint8: "|u1", datatype.KindUint16: "<u2", datatype.KindUint32: "<u4", datatype.KindUint64: "<u8",
		datatype.KindFloat32: "<f4", datatype.KindFloat64: "<f8",
	}
	units := [...]string{"Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"}
	switch t := f.Type; {
	case runes > 0:
		return fmt.Sprintf("<U%d", runes)
	case isBytes(t):
		return fmt.Sprintf("|S%d", f.CellSize())
	case t == datatype.Bool:
		return "|b1"
	case t.IsDateTime():
		return "<M8[" + units[t-datatype.DateTimeYear] + "]"
	case t.IsTime():
		return "<m8[" + units[t-datatype.TimeHR+4] + "]"
	}
	return kinds[f.Type.Kind()]
}

// npyHead returns what stands before the elements: a multiple of 64 bytes.
func npyHead(descr string, shape []uint64) []byte {
	var dims strings.Builder
	for _, n := range shape {
		fmt.Fprintf(&dims, "%d, ", n)
	}
	text := dims.String()
	if len(shape) > 1 {
		text = strings.TrimSuffix(text, ", ")
	} else {
		text = strings.TrimSuffix(text, " ")
	}
	text = fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, text)
	n := (10 + len(text) + 1 + 63) / 64 * 64
	out := append([]byte(npyMagic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(n-10))
	out = append(out, text...)
	for len(out) < n-1 {
		out = append(out, ' ')
	}
	return append(out, '\n')
}
