package schema

import (
	"bytes"
	"fmt"

	"azulejo/datatype"
)

// LabelsFolder is the folder of an array in which the arrays of its dimension labels lie.
const LabelsFolder = "__labels"

// labelAttribute is the name of the only attribute of the arrays that AddLabel describes.
const labelAttribute = "label"

// AddLabel gives a dimension a label: values of type t, one per coordinate, that rise or fall along the dimension. They
// lie in an array of their own, which is made together with this one. Check tells whether the label is sound.
func (a *Array) AddLabel(dimension int, name string, order Order, t datatype.Type) {
	number := 0
	for i := range a.Labels {
		if !a.Labels[i].External {
			number++
		}
	}
	cells := uint32(1)
	if t == datatype.StringASCII {
		cells = datatype.VarNum
	}
	a.Labels = append(a.Labels, DimensionLabel{Dimension: uint32(dimension), Name: name, URI: fmt.Sprintf("%s/l%d", LabelsFolder, number),
		Relative: true, Attribute: labelAttribute, Order: order, Type: t, CellValNum: cells})
}

// Label returns the dimension label of that name, shared, or nil.
func (a *Array) Label(name string) *DimensionLabel {
	for i := range a.Labels {
		if a.Labels[i].Name == name {
			return &a.Labels[i]
		}
	}
	return nil
}

// LabelArray returns the schema of the array that holds the values of a label: dense, over the labelled dimension alone,
// with one ordered attribute.
func (a *Array) LabelArray(l *DimensionLabel) *Array {
	if l.Array != nil {
		return l.Array
	}
	d := &a.Domain.Dimensions[l.Dimension]
	out := New(Dense)
	out.Domain.Dimensions = []Dimension{{Name: "index", Type: d.Type, CellValNum: 1, Domain: d.Domain, Extent: d.Extent}}
	out.Domain.Dimensions[0].Filters.MaxChunk = out.CoordsFilters.MaxChunk
	values := NewAttribute(l.Attribute, l.Type, l.CellValNum)
	values.Order = l.Order
	out.Attributes = []Attribute{values}
	return out
}

// checkLabels tells whether the labels of a new schema can be made.
func (a *Array) checkLabels() error {
	for i := range a.Labels {
		l := &a.Labels[i]
		switch {
		case l.Name == "" || l.URI == "" || l.Attribute == "":
			return invalid("dimension label %d needs a name, a place and the name of an attribute", i)
		case int64(l.Dimension) >= int64(len(a.Domain.Dimensions)):
			return invalid("dimension label %q belongs to dimension %d of %d", l.Name, l.Dimension, len(a.Domain.Dimensions))
		case l.Order != IncreasingData && l.Order != DecreasingData:
			return invalid("dimension label %q: labels must rise or fall", l.Name)
		case l.External || !l.Relative:
			return invalid("dimension label %q: labels must lie in the array", l.Name)
		case !l.Type.Valid() || !l.Type.Info().Dimension:
			return invalid("dimension label %q cannot have type %s", l.Name, l.Type)
		case l.CellValNum != 1 && (l.Type != datatype.StringASCII || l.CellValNum != datatype.VarNum):
			// Before the label's array is made, whose fill value is as large as a cell.
			return invalid("dimension label %q: labels of %s with %d values each", l.Name, l.Type, l.CellValNum)
		}
		if d := &a.Domain.Dimensions[l.Dimension]; d.Var() || d.Type.IsFloat() {
			return invalid("dimension label %q: dimension %q of %s takes no labels", l.Name, d.Name, d.Type)
		}
		if err := a.checkLabelArray(l); err != nil {
			return invalid("dimension label %q: %w", l.Name, err)
		}
	}
	return nil
}

// checkLabelArray tells whether the array of a label can be made and suits the label.
func (a *Array) checkLabelArray(l *DimensionLabel) error {
	s := a.LabelArray(l)
	if s.Type != Dense || len(s.Domain.Dimensions) != 1 || len(s.Attributes) != 1 || len(s.Labels) > 0 {
		return invalid("its array must be dense, of one dimension and one attribute")
	}
	d, own, values := &a.Domain.Dimensions[l.Dimension], &s.Domain.Dimensions[0], &s.Attributes[0]
	if own.Type != d.Type || !bytes.Equal(own.Domain, d.Domain) {
		return invalid("its array has another domain than the dimension")
	}
	if values.Name != l.Attribute || values.Type != l.Type || values.CellValNum != l.CellValNum || values.Order != l.Order || values.Nullable {
		return invalid("its array has other values than the label")
	}
	return s.Check()
}
