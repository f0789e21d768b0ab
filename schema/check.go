package schema

import (
	"fmt"
	"math"
	"strings"

	"azulejo/datatype"
	"azulejo/filter"
)

// maxHilbertDims is the largest number of dimensions of an array in Hilbert order.
const maxHilbertDims = 16

// Check tells whether the schema obeys every rule that libtiledb enforces when an array is created, but for the limits on
// the size of enumerations, which are a client's settings. The error wraps ErrInvalid and names the field. Enumerations
// that are not loaded are taken for sound.
func (a *Array) Check() error {
	if err := a.CheckStored(); err != nil {
		return err
	}
	return firstErr(a.checkNewDimensions, a.checkNewAttributes, a.checkPipelines, a.checkWebP, a.checkLabels)
}

// CheckStored tells whether a schema read from disk is sound enough to work with: the rules of Check but for those on
// filters, reserved names and the order of values, which older versions did not have and reading does not need. The
// error wraps ErrInvalid.
func (a *Array) CheckStored() error {
	err := firstErr(a.checkLayout, a.checkDomain, a.checkAttributes, a.checkNames, a.checkEnumerations)
	if err != nil || a.CurrentDomain.Active() == nil {
		return err
	}
	return a.CurrentDomain.Check(&a.Domain)
}

// firstErr returns the first error of a list of rules.
func firstErr(rules ...func() error) error {
	for _, rule := range rules {
		if err := rule(); err != nil {
			return err
		}
	}
	return nil
}

// invalid returns an error wrapping ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

func (a *Array) checkLayout() error {
	switch {
	case a.Type > Sparse:
		return invalid("unknown array type %d", a.Type)
	case a.TileOrder != RowMajor && a.TileOrder != ColMajor:
		return invalid("tile order %d is neither row- nor column-major", a.TileOrder)
	case a.CellOrder != RowMajor && a.CellOrder != ColMajor && a.CellOrder != Hilbert:
		return invalid("cell order %d is not row-major, column-major or Hilbert", a.CellOrder)
	case a.Type == Dense && a.CellOrder == Hilbert:
		return invalid("a dense array cannot be in Hilbert order")
	case a.CellOrder == Hilbert && len(a.Domain.Dimensions) > maxHilbertDims:
		return invalid("Hilbert order takes at most %d dimensions", maxHilbertDims)
	case a.Type == Dense && a.AllowsDups:
		return invalid("a dense array cannot allow duplicates")
	case a.Type == Dense && len(a.Attributes) == 0:
		return invalid("a dense array needs an attribute")
	case a.Type == Sparse && a.Capacity == 0:
		return invalid("a sparse array needs a capacity above 0")
	}
	return nil
}

func (a *Array) checkDomain() error {
	if len(a.Domain.Dimensions) == 0 {
		return invalid("no dimensions")
	}
	for i := range a.Domain.Dimensions {
		d := &a.Domain.Dimensions[i]
		if err := d.check(); err != nil {
			return err
		}
		if a.Type == Dense && (d.Var() || d.Type.IsFloat()) {
			return invalid("dimension %q: a dense array cannot have dimensions of %s", d.Name, d.Type)
		}
		if a.Type == Dense && d.Type != a.Domain.Dimensions[0].Type {
			return invalid("dimension %q: the dimensions of a dense array must have one type", d.Name)
		}
	}
	return nil
}

// check tells whether type, domain and extent of a dimension fit each other.
func (d *Dimension) check() error {
	if !d.Type.Valid() || !d.Type.Info().Dimension {
		return invalid("dimension %q cannot have type %s", d.Name, d.Type)
	}
	if d.Type == datatype.StringASCII {
		if !d.Var() || len(d.Domain) != 0 || d.Extent != nil {
			return invalid("dimension %q of texts must be of variable length, without domain and extent", d.Name)
		}
		return nil
	}
	size := d.Type.Size()
	switch {
	case d.CellValNum != 1:
		return invalid("dimension %q must have one value per coordinate", d.Name)
	case len(d.Domain) != 2*size:
		return invalid("dimension %q needs a domain of 2 %s", d.Name, d.Type)
	case d.Extent != nil && len(d.Extent) != size:
		return invalid("dimension %q: the tile extent is not one %s", d.Name, d.Type)
	}
	if d.Type.IsFloat() {
		return d.checkFloat()
	}
	return d.checkWhole()
}

func (a *Array) checkNewDimensions() error {
	for i := range a.Domain.Dimensions {
		d := &a.Domain.Dimensions[i]
		if err := d.Filters.Check(d.Type, d.Var()); err != nil {
			return invalid("dimension %q: %w", d.Name, err)
		}
	}
	return nil
}

func (d *Dimension) checkFloat() error {
	lo, hi := float(d.Type, d.Lo()), float(d.Type, d.Hi())
	switch {
	case math.IsNaN(lo) || math.IsNaN(hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0):
		return invalid("dimension %q: the domain's ends must be finite", d.Name)
	case hi < lo:
		return invalid("dimension %q: the domain ends before it starts", d.Name)
	}
	if d.Extent == nil {
		return nil
	}
	if e := float(d.Type, d.Extent); !(e > 0 || e == 0 && hi == lo) || e > hi-lo+1 {
		return invalid("dimension %q: tile extent %v does not fit the domain %v..%v", d.Name, e, lo, hi)
	}
	return nil
}

func (d *Dimension) checkWhole() error {
	if d.Compare(d.Hi(), d.Lo()) < 0 {
		return invalid("dimension %q: the domain ends before it starts", d.Name)
	}
	lo := number(d.Type, d.Lo())
	last := number(d.Type, d.Hi()) - lo
	widest := ^uint64(0) >> (64 - 8*d.Type.Size())
	if last == widest {
		return invalid("dimension %q: the domain has more cells than %s can count", d.Name, d.Type)
	}
	if d.Extent == nil {
		return nil
	}
	e := d.extent()
	if e == 0 || e > last+1 {
		return invalid("dimension %q: tile extent %d does not fit a domain of %d cells", d.Name, e, last+1)
	}
	// Only 64-bit types can run out of room when the domain is rounded up to whole tiles; libtiledb lets the others pass.
	end := uint64(math.MaxUint64)
	if d.Type.Kind().Signed() {
		end = math.MaxInt64
	}
	if d.Type.Size() == 8 && (last+1)%e != 0 && last/e*e > end-lo-(e-1) {
		return invalid("dimension %q: the domain rounded up to whole tiles passes the end of %s; end it one tile extent earlier", d.Name, d.Type)
	}
	return nil
}

func (a *Array) checkAttributes() error {
	for i := range a.Attributes {
		t := &a.Attributes[i]
		if err := t.check(); err != nil {
			return err
		}
		if t.Order != UnorderedData && (a.Type == Sparse || len(a.Domain.Dimensions) != 1) {
			return invalid("attribute %q: ordered values are only for dense arrays of one dimension", t.Name)
		}
	}
	return nil
}

func (a *Array) checkNewAttributes() error {
	for i := range a.Attributes {
		if err := a.Attributes[i].checkNew(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Attribute) check() error {
	if !t.Type.Valid() {
		return invalid("attribute %q cannot have type %s", t.Name, t.Type)
	}
	isVar := t.CellValNum == datatype.VarNum
	switch {
	case t.CellValNum == 0:
		return invalid("attribute %q has no values per cell", t.Name)
	case t.Type == datatype.Any && !isVar:
		return invalid("attribute %q of type ANY must be of variable length", t.Name)
	case len(t.Fill) == 0: // libtiledb takes a fill value of any other size for var-sized cells
		return invalid("attribute %q: a fill value of %d bytes for %s", t.Name, len(t.Fill), t.Type)
	case !isVar && uint64(len(t.Fill)) != uint64(t.CellValNum)*uint64(t.Type.Size()):
		return invalid("attribute %q: the fill value has %d bytes, not those of a cell", t.Name, len(t.Fill))
	}
	return nil
}

// checkNew has the rules for attributes that are made, over those for stored ones.
func (t *Attribute) checkNew() error {
	if strings.HasPrefix(t.Name, "__") {
		return invalid("attribute %q: names that start with two underscores are reserved", t.Name)
	}
	isVar := t.CellValNum == datatype.VarNum
	if err := t.Filters.Check(t.Type, isVar); err != nil {
		return invalid("attribute %q: %w", t.Name, err)
	}
	return t.checkOrder(isVar)
}

func (t *Attribute) checkOrder(isVar bool) error {
	text := t.Type == datatype.StringASCII
	switch {
	case t.Order > DecreasingData:
		return invalid("attribute %q: unknown data order %d", t.Name, t.Order)
	case t.Order == UnorderedData:
		return nil
	case t.Nullable:
		return invalid("attribute %q: ordered values cannot be nullable", t.Name)
	case !text && !t.Type.IsInteger() && !t.Type.IsFloat() && !t.Type.IsDateTime() && !t.Type.IsTime():
		return invalid("attribute %q: values of %s cannot be ordered", t.Name, t.Type)
	case text != isVar || !text && t.CellValNum != 1:
		return invalid("attribute %q: ordered values of %s with %d values per cell", t.Name, t.Type, t.CellValNum)
	}
	return nil
}

// checkNames tells whether the names of dimensions, attributes and labels differ.
func (a *Array) checkNames() error {
	names := map[string]bool{}
	for _, name := range a.FieldNames() {
		if names[name] {
			return invalid("the name %q is used twice", name)
		}
		names[name] = true
	}
	for i := range a.Labels {
		if names[a.Labels[i].Name] {
			return invalid("the name %q is used twice", a.Labels[i].Name)
		}
		names[a.Labels[i].Name] = true
	}
	return nil
}

// checkPipelines tells whether the schema's own pipelines are sound, and fit the dimensions that inherit them.
func (a *Array) checkPipelines() error {
	for _, p := range []struct {
		name string
		p    filter.Pipeline
	}{{"coordinate", a.CoordsFilters}, {"offsets", a.OffsetsFilters}, {"validity", a.ValidityFilters}} {
		for _, f := range p.p.Filters {
			if err := f.Check(); err != nil {
				return invalid("%s filters: %w", p.name, err)
			}
		}
	}
	for i := range a.Domain.Dimensions {
		d := &a.Domain.Dimensions[i]
		if len(d.Filters.Filters) > 0 {
			continue
		}
		for k, f := range a.CoordsFilters.Filters {
			if f.Code == filter.DoubleDelta && d.Type.IsFloat() {
				return invalid("dimension %q of %s cannot inherit double-delta compression", d.Name, d.Type)
			}
			if k > 0 && d.Var() && (f.Code == filter.RLE || f.Code == filter.Dictionary) {
				return invalid("dimension %q of texts cannot inherit %s behind other filters", d.Name, f.Name())
			}
		}
	}
	return nil
}

// maxImageSide is the most pixels that a side of a WebP image can have.
const maxImageSide = 16383

// imageDepth returns the values of a pixel in a colour format of WebP.
func imageDepth(format uint8) uint64 {
	if format > 2 {
		return 4
	}
	return 3
}

// checkWebP tells whether the array is an image when an attribute is stored as WebP.
func (a *Array) checkWebP() error {
	for i := range a.Attributes {
		t := &a.Attributes[i]
		if !t.Filters.Has(filter.WebP) {
			continue
		}
		dims := a.Domain.Dimensions
		if t.Type != datatype.Uint8 || a.Type != Dense || len(dims) != 2 || !dims[0].Type.IsInteger() || dims[1].Type != dims[0].Type {
			return invalid("attribute %q: WEBP takes UINT8 in a dense array of 2 integer dimensions", t.Name)
		}
		for _, f := range t.Filters.Filters {
			o, ok := f.Image()
			if !ok || o.Format == 0 || dims[0].Extent == nil || dims[1].Extent == nil {
				continue
			}
			rows, values, depth := number(dims[0].Type, dims[0].Extent), number(dims[1].Type, dims[1].Extent), imageDepth(o.Format)
			if values%depth != 0 || rows > maxImageSide || values/depth > maxImageSide {
				return invalid("attribute %q: tiles of %d rows of %d values are no WEBP images of at most %d x %d pixels of %d values",
					t.Name, rows, values, maxImageSide, maxImageSide, depth)
			}
		}
	}
	return nil
}

// checkEnumerations tells whether the enumerations that attributes name exist and their indexes fit the attributes.
func (a *Array) checkEnumerations() error {
	for i := range a.Attributes {
		t := &a.Attributes[i]
		if t.Enumeration == "" {
			continue
		}
		if !a.hasEnumeration(t.Enumeration) {
			return invalid("attribute %q: no enumeration %q", t.Name, t.Enumeration)
		}
		if !t.Type.IsInteger() && t.Type != datatype.Bool || t.CellValNum != 1 {
			return invalid("attribute %q: enumerations are for single integers", t.Name)
		}
		if e := a.Enumerations[t.Enumeration]; e != nil && largest(t.Type) <= uint64(e.Len()) {
			return invalid("attribute %q of %s cannot index the %d labels of %q", t.Name, t.Type, e.Len(), e.Name)
		}
	}
	for name, e := range a.Enumerations {
		if e == nil {
			continue
		}
		if e.Name != name || !a.hasEnumeration(name) {
			return invalid("enumeration %q is kept as %q", e.Name, name)
		}
		if err := e.Check(); err != nil {
			return err
		}
	}
	return nil
}

// hasEnumeration reports whether the schema lists an enumeration.
func (a *Array) hasEnumeration(name string) bool {
	for _, n := range a.EnumerationNames {
		if n == name {
			return true
		}
	}
	return false
}

// largest returns the greatest number of an integer type.
func largest(t datatype.Type) uint64 {
	all := ^uint64(0) >> (64 - 8*t.Size())
	if t.Kind().Signed() {
		return all >> 1
	}
	return all
}
