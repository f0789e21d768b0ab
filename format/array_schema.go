package format

import (
	"fmt"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/bin"
	"azulejo/schema"
)

// A schema file (format_spec/array_schema.md) is one generic tile with this payload; numbers behind a field tell the
// version that brought it:
//
//	u32 version | u8 allows duplicates (5) | u8 array type | u8 tile order | u8 cell order | u64 capacity
//	pipelines: coordinates | offsets | validity (7)
//	[ u8 type of all dimensions (before 5) ] | u32 n, n x dimension
//	u32 n, n x attribute
//	u32 n, n x dimension label (18)
//	u32 n, n x ( u32+enumeration name | u32+file name ) (20)
//	current domain (22): u32 its own version 0 | u8 empty | unless empty: u8 kind 0 | one range per dimension
//
//	dimension:  u32+name | u8 type (5) | u32 values per cell (5) | pipeline (5) | u64+domain (5; before: 2 x type size)
//	            u8 null extent | unless null: extent
//	attribute:  u32+name | u8 type | u32 values per cell | pipeline | u64+fill (6) | u8 nullable (7) | u8 fill validity (7)
//	            u8 order (17) | u32+enumeration name (20)
//	label:      u32 dimension | u32+name | u8 relative | u64+URI | u32+attribute | u8 order | u8 type
//	            u32 values per cell | u8 external
//
// The page has the label's fields in another order and leaves out the attribute's enumeration; the above is what files
// hold.

// DecodeArraySchema decodes the content of a schema file of versions 1 to 23; the caller sets Name. Enumerations are
// left unloaded. Sizes and types are sound, but whether the schema obeys the rules is for its Check to say.
func DecodeArraySchema(file []byte) (*schema.Array, error) {
	payload, err := decodeWhole(file, "array schema")
	if err != nil {
		return nil, err
	}
	d := schemaDecoder{Reader: bin.NewReader(payload)}
	d.header()
	d.domain()
	d.attributes()
	if d.has(labelsFeature) {
		d.labels()
	}
	if d.has(enumerationsFeature) {
		d.enumerations()
	}
	if d.has(currentDomainFeature) {
		d.currentDomain()
	}
	if err := finish(d.Reader, "array schema"+d.place, d.a.Version); err != nil {
		return nil, err
	}
	return &d.a, nil
}

// schemaDecoder reads a schema's payload.
type schemaDecoder struct {
	*bin.Reader
	a schema.Array
	// place is the list item being read, such as "/attribute 2", kept at the first fault.
	place string
}

// has reports whether the schema's version knows the feature; false after a fault.
func (d *schemaDecoder) has(f feature) bool { return d.Err() == nil && has(d.a.Version, f) }

// each reads n items, each of at least size bytes, and notes the one at fault.
func (d *schemaDecoder) each(item string, size int, read func()) {
	d.place = ""
	n := d.Count("number of "+item+"s", uint64(d.U32("number of "+item+"s")), size)
	for i := range n {
		read()
		if d.Err() != nil {
			d.place = fmt.Sprintf("/%s %d", item, i)
			return
		}
	}
}

func (d *schemaDecoder) header() {
	a := &d.a
	version := d.U32("format version")
	if d.Err() == nil && !known(version) {
		d.Fail("format version", fmt.Errorf("%w: %d", ErrVersion, version))
		return
	}
	a.Version = version
	if d.has(dimensionFeature) {
		a.AllowsDups = d.U8("allows duplicates") != 0
	}
	a.Type = schema.ArrayType(d.oneOf("array type", 0, 1))
	a.TileOrder = schema.Layout(d.oneOf("tile order", 0, 1))
	a.CellOrder = schema.Layout(d.oneOf("cell order", 0, 1, 4))
	a.Capacity = d.U64("capacity")
	a.CoordsFilters = filter.Decode(d.Reader, version)
	a.OffsetsFilters = filter.Decode(d.Reader, version)
	a.ValidityFilters.MaxChunk = filter.DefaultMaxChunk
	if d.has(nullableFeature) {
		a.ValidityFilters = filter.Decode(d.Reader, version)
	}
}

// oneOf reads a byte that must be one of a few values.
func (d *schemaDecoder) oneOf(field string, allowed ...uint8) uint8 {
	v := d.U8(field)
	for _, x := range allowed {
		if v == x {
			return v
		}
	}
	d.Failf(field, "%w: %d", ErrCorrupt, v)
	return 0
}

// datatype reads a type that must be known.
func (d *schemaDecoder) datatype(field string) datatype.Type {
	t := datatype.Type(d.U8(field))
	if d.Err() == nil && !t.Valid() {
		d.Failf(field, "%w: unknown datatype %d", ErrCorrupt, uint8(t))
		return 0
	}
	return t
}

// own returns a copy of n bytes read.
func (d *schemaDecoder) own(field string, n uint64) []byte {
	b := d.Bytes(field, n)
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

func (d *schemaDecoder) domain() {
	shared := datatype.Int32
	if d.Err() == nil && !has(d.a.Version, dimensionFeature) {
		shared = d.datatype("type of the domain")
	}
	d.each("dimension", 5, func() {
		d.a.Domain.Dimensions = append(d.a.Domain.Dimensions, d.dimension(shared))
	})
	if d.Err() == nil && len(d.a.Domain.Dimensions) == 0 {
		d.Failf("number of dimensions", "%w: 0", ErrCorrupt)
	}
}

func (d *schemaDecoder) dimension(shared datatype.Type) schema.Dimension {
	dim := schema.Dimension{Name: d.String32("name"), Type: shared, CellValNum: 1}
	if d.has(dimensionFeature) {
		dim.Type = d.datatype("type")
		dim.CellValNum = d.U32("values per cell")
		dim.Filters = filter.Decode(d.Reader, d.a.Version)
	}
	if d.Err() == nil && (!dim.Type.Info().Dimension || dim.Var() != (dim.Type == datatype.StringASCII) || !dim.Var() && dim.CellValNum != 1) {
		d.Failf("type", "%w: %s with %d values per cell cannot be a dimension", ErrCorrupt, dim.Type, dim.CellValNum)
		return dim
	}
	size := 2 * uint64(dim.Type.Size())
	if dim.Var() {
		size = 0
	}
	if d.has(dimensionFeature) {
		if n := d.U64("domain size"); d.Err() == nil && n != size {
			d.Failf("domain size", "%w: %d bytes for %s", ErrCorrupt, n, dim.Type)
		}
	}
	if size > 0 {
		dim.Domain = d.own("domain", size)
	}
	if null := d.U8("null tile extent"); null == 0 && d.Err() == nil {
		dim.Extent = d.own("tile extent", uint64(dim.Type.Size()))
	}
	return dim
}

func (d *schemaDecoder) attributes() {
	d.each("attribute", 17, func() {
		d.a.Attributes = append(d.a.Attributes, d.attribute())
	})
}

func (d *schemaDecoder) attribute() schema.Attribute {
	t := schema.Attribute{Name: d.String32("name"), Type: d.datatype("type"), CellValNum: d.U32("values per cell")}
	if t.CellValNum == 0 {
		d.Failf("values per cell", "%w: 0", ErrCorrupt)
	}
	t.Filters = filter.Decode(d.Reader, d.a.Version)
	width := uint64(t.Type.Size())
	if d.has(fillFeature) {
		t.Fill = d.own("fill value", d.U64("fill value size"))
		if n := uint64(len(t.Fill)); d.Err() == nil && (n == 0 || n%width != 0 || t.CellValNum != datatype.VarNum && n != width*uint64(t.CellValNum)) {
			d.Failf("fill value", "%w: %d bytes for %d x %s", ErrCorrupt, n, t.CellValNum, t.Type)
		}
	} else if t.CellValNum != datatype.VarNum && t.CellValNum > maxOldValues {
		d.Failf("values per cell", "%w: %d", ErrCorrupt, t.CellValNum)
	} else if d.Err() == nil {
		t.Fill = schema.DefaultFill(t.Type, t.CellValNum)
	}
	if d.has(nullableFeature) {
		t.Nullable = d.U8("nullable") != 0
		t.FillValid = d.U8("fill validity") != 0
	}
	if d.has(attributeOrderFeature) {
		t.Order = schema.Order(d.oneOf("order", 0, 1, 2))
	}
	if d.has(enumerationsFeature) {
		t.Enumeration = d.String32("enumeration")
	}
	return t
}

// maxOldValues bounds the values per cell of schemas that store no fill value, for which one is made up.
const maxOldValues = 1 << 20

func (d *schemaDecoder) labels() {
	d.each("dimension label", 29, func() {
		l := schema.DimensionLabel{Dimension: d.U32("dimension"), Name: d.String32("name"), Relative: d.U8("relative") != 0}
		l.URI = d.String64("URI")
		l.Attribute = d.String32("attribute")
		l.Order = schema.Order(d.oneOf("order", 0, 1, 2))
		l.Type = d.datatype("type")
		l.CellValNum = d.U32("values per cell")
		l.External = d.U8("external") != 0
		if d.Err() == nil && int64(l.Dimension) >= int64(len(d.a.Domain.Dimensions)) {
			d.Failf("dimension", "%w: %d", ErrCorrupt, l.Dimension)
		}
		d.a.Labels = append(d.a.Labels, l)
	})
}

func (d *schemaDecoder) enumerations() {
	d.each("enumeration", 8, func() {
		name, file := d.String32("name"), d.String32("file name")
		if d.Err() != nil {
			return
		}
		if _, twice := d.a.EnumerationFiles[name]; twice || !plainFile(file) {
			d.Failf("name", "%w: enumeration %q in file %q", ErrCorrupt, name, file)
			return
		}
		if d.a.EnumerationFiles == nil {
			d.a.EnumerationFiles = map[string]string{}
		}
		d.a.EnumerationFiles[name] = file
		d.a.EnumerationNames = append(d.a.EnumerationNames, name)
	})
}

// plainFile reports whether a stored file name stays inside its folder.
func plainFile(name string) bool {
	for _, c := range []byte(name) {
		if c == '/' || c == '\\' || c == 0 {
			return false
		}
	}
	return name != "" && name != "." && name != ".."
}

func (d *schemaDecoder) currentDomain() {
	d.place = "/current domain"
	if v := d.U32("version"); v != 0 && d.Err() == nil {
		d.Fail("version", fmt.Errorf("%w: %d", ErrVersion, v))
	}
	if empty := d.U8("empty"); empty == 0 && d.Err() == nil {
		d.oneOf("kind", 0)
		d.a.CurrentDomain = &schema.CurrentDomain{Ranges: readRanges(d.Reader, &d.a.Domain)}
	}
	if d.Err() == nil {
		d.place = ""
	}
}

// EncodeArraySchema returns the content of a schema file, __schema/__t1_t2_uuid (format_spec/array_schema.md). It is
// written in version 22 whatever a.Version says, and a.Name is not stored.
func EncodeArraySchema(a *schema.Array) ([]byte, error) {
	w := &bin.Writer{}
	w.U32(Version)
	w.Bool(a.AllowsDups)
	w.U8(uint8(a.Type))
	w.U8(uint8(a.TileOrder))
	w.U8(uint8(a.CellOrder))
	w.U64(a.Capacity)
	a.CoordsFilters.Encode(w)
	a.OffsetsFilters.Encode(w)
	a.ValidityFilters.Encode(w)
	w.U32(uint32(len(a.Domain.Dimensions)))
	for i := range a.Domain.Dimensions {
		writeDimension(w, &a.Domain.Dimensions[i])
	}
	w.U32(uint32(len(a.Attributes)))
	for i := range a.Attributes {
		writeAttribute(w, &a.Attributes[i])
	}
	w.U32(uint32(len(a.Labels)))
	for i := range a.Labels {
		writeLabel(w, &a.Labels[i])
	}
	w.U32(uint32(len(a.EnumerationNames)))
	for _, name := range a.EnumerationNames {
		w.String32(name)
		w.String32(a.EnumerationFiles[name])
	}
	writeCurrentDomain(w, a)
	return AppendGenericTile(nil, w.B)
}

func writeDimension(w *bin.Writer, d *schema.Dimension) {
	w.String32(d.Name)
	w.U8(uint8(d.Type))
	w.U32(d.CellValNum)
	d.Filters.Encode(w)
	w.U64(uint64(len(d.Domain)))
	w.Bytes(d.Domain)
	w.Bool(d.Extent == nil)
	w.Bytes(d.Extent)
}

func writeAttribute(w *bin.Writer, t *schema.Attribute) {
	w.String32(t.Name)
	w.U8(uint8(t.Type))
	w.U32(t.CellValNum)
	t.Filters.Encode(w)
	w.U64(uint64(len(t.Fill)))
	w.Bytes(t.Fill)
	w.Bool(t.Nullable)
	w.Bool(t.FillValid)
	w.U8(uint8(t.Order))
	w.String32(t.Enumeration)
}

func writeLabel(w *bin.Writer, l *schema.DimensionLabel) {
	w.U32(l.Dimension)
	w.String32(l.Name)
	w.Bool(l.Relative)
	w.String64(l.URI)
	w.String32(l.Attribute)
	w.U8(uint8(l.Order))
	w.U8(uint8(l.Type))
	w.U32(l.CellValNum)
	w.Bool(l.External)
}

func writeCurrentDomain(w *bin.Writer, a *schema.Array) {
	ranges := a.CurrentDomain.Active()
	w.U32(0)
	w.Bool(ranges == nil)
	if ranges != nil {
		w.U8(0)
		writeRanges(w, &a.Domain, ranges)
	}
}
