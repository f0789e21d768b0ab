package api

import (
	"context"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/jsonvalue"
	"azulejo/internal/vault"
	"azulejo/query"
	"azulejo/schema"
)

// metadataValue returns the JSON form of an entry of metadata.
func metadataValue(e format.MetadataEntry) any {
	switch {
	case jsonvalue.IsText(e.Type) || jsonvalue.IsBytes(e.Type):
		return jsonvalue.Of(e.Type, e.Value)
	case e.Num == 0 || len(e.Value) < e.Type.Size():
		return nil
	}
	return jsonvalue.Of(e.Type, e.Value)
}

// printer makes JSON of the cells of a field.
type printer struct {
	field schema.Field
	// labels are those of the field's enumeration, nil for none.
	labels []any
}

// newPrinter reads the labels of a field's enumeration, if it has one.
func newPrinter(ctx context.Context, arr *vault.Array, name string) (printer, error) {
	f, ok := arr.Schema().Field(name)
	p := printer{field: f}
	if !ok || f.Dimension || arr.Schema().Attributes[f.Index].Enumeration == "" {
		return p, nil
	}
	e, err := arr.Enumeration(ctx, arr.Schema().Attributes[f.Index].Enumeration)
	if err != nil {
		return p, err
	}
	p.labels = []any{}
	if e.Offsets == nil {
		size := e.Type.Size() * int(e.CellValNum)
		for b := e.Data; len(b) >= size && size > 0; b = b[size:] {
			p.labels = append(p.labels, jsonvalue.Of(e.Type, b[:size]))
		}
		return p, nil
	}
	for i, from := range e.Offsets {
		to := uint64(len(e.Data))
		if i+1 < len(e.Offsets) {
			to = e.Offsets[i+1]
		}
		p.labels = append(p.labels, jsonvalue.Of(e.Type, e.Data[from:to]))
	}
	return p, nil
}

// column returns the first n cells of a column.
func (p printer) column(c query.Column, n int) ([]any, error) {
	list := make([]any, n)
	offsets := datatype.View[uint64](c.Offsets)
	size := 0
	if c.Offsets == nil {
		size = p.field.Type.Size() * int(p.field.CellValNum)
	}
	for i := range list {
		if c.Validity != nil && c.Validity[i] == 0 {
			continue
		}
		var b []byte
		if c.Offsets == nil {
			b = c.Data[i*size : (i+1)*size]
		} else {
			to := uint64(len(c.Data))
			if i+1 < len(offsets) {
				to = offsets[i+1]
			}
			b = c.Data[offsets[i]:to]
		}
		if list[i] = p.cell(b, c.Offsets != nil); p.labels != nil {
			list[i] = p.label(b)
		}
	}
	return list, nil
}

// cell returns the JSON form of a cell; numbers of var-sized cells are always lists.
func (p printer) cell(b []byte, variable bool) any {
	t := p.field.Type
	if v := jsonvalue.Of(t, b); !variable || jsonvalue.IsText(t) || jsonvalue.IsBytes(t) || len(b) != t.Size() {
		return v
	} else {
		return []any{v}
	}
}

// label returns the label that a cell is the number of; null for none.
func (p printer) label(b []byte) any {
	if len(b) != p.field.Type.Size() {
		return nil
	}
	n := jsonvalue.Integer(p.field.Type, b)
	if !n.IsInt64() || n.Int64() < 0 || n.Int64() >= int64(len(p.labels)) {
		return nil
	}
	return p.labels[n.Int64()]
}
