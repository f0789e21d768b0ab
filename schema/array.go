package schema

import (
	"azulejo/datatype"
	"azulejo/filter"
)

// Field returns the attribute or dimension of that name. Dimension labels and hidden fields are not found.
func (a *Array) Field(name string) (Field, bool) {
	for i := range a.Domain.Dimensions {
		if a.Domain.Dimensions[i].Name == name {
			return a.DimensionField(i), true
		}
	}
	for i := range a.Attributes {
		if a.Attributes[i].Name == name {
			return a.AttributeField(i), true
		}
	}
	return Field{}, false
}

// DimensionField returns dimension i as a Field.
func (a *Array) DimensionField(i int) Field {
	d := &a.Domain.Dimensions[i]
	return Field{Name: d.Name, Type: d.Type, CellValNum: d.CellValNum, Dimension: true, Index: i}
}

// AttributeField returns attribute i as a Field.
func (a *Array) AttributeField(i int) Field {
	t := &a.Attributes[i]
	return Field{Name: t.Name, Type: t.Type, CellValNum: t.CellValNum, Nullable: t.Nullable, Index: i}
}

// FieldNames returns the names of the dimensions and then of the attributes, in stored order, in a new slice.
func (a *Array) FieldNames() []string {
	names := make([]string, 0, len(a.Domain.Dimensions)+len(a.Attributes))
	for i := range a.Domain.Dimensions {
		names = append(names, a.Domain.Dimensions[i].Name)
	}
	for i := range a.Attributes {
		names = append(names, a.Attributes[i].Name)
	}
	return names
}

// DimensionFilters returns the pipeline that stores the coordinates of dimension i: its own, or the schema's coordinate
// filters when it has none. Before version 5 no dimension has filters. The result is shared and must not be modified.
func (a *Array) DimensionFilters(i int) filter.Pipeline {
	if a.zipped() {
		return filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}
	}
	if p := a.Domain.Dimensions[i].Filters; len(p.Filters) > 0 {
		return p
	}
	return a.CoordsFilters
}

// zipped reports whether the schema is of a version in which coordinates lie in one file, filtered together.
func (a *Array) zipped() bool { return a.Version > 0 && a.Version < 5 }

// FieldFilters returns the pipeline that stores the values of f: the attribute's, or DimensionFilters; before version 5
// the schema's coordinate filters for any dimension.
func (a *Array) FieldFilters(f Field) filter.Pipeline {
	if f.Dimension && a.zipped() {
		return a.CoordsFilters
	}
	if f.Dimension {
		return a.DimensionFilters(f.Index)
	}
	return a.Attributes[f.Index].Filters
}

// Var reports whether the dimension holds texts.
func (d *Dimension) Var() bool { return d.CellValNum == datatype.VarNum }

// Lo returns the low end of the domain, sharing memory; nil for texts.
func (d *Dimension) Lo() []byte {
	if d.Var() {
		return nil
	}
	return d.Domain[:len(d.Domain)/2]
}

// Hi returns the high end of the domain, sharing memory; nil for texts.
func (d *Dimension) Hi() []byte {
	if d.Var() {
		return nil
	}
	return d.Domain[len(d.Domain)/2:]
}

// DomainRange returns the domain as a Range that shares memory; the zero Range for texts, which have none.
func (d *Dimension) DomainRange() Range { return Range{Lo: d.Lo(), Hi: d.Hi()} }

// AllFixed reports whether no dimension holds texts.
func (d *Domain) AllFixed() bool {
	for i := range d.Dimensions {
		if d.Dimensions[i].Var() {
			return false
		}
	}
	return true
}
