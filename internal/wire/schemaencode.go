package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// schema writes a schema with the enumerations that are loaded.
func (e *encoder) schema(m capnp.ArraySchema, err error, v *schema.Array) {
	if !e.ok(err) {
		return
	}
	e.ok(m.SetName(v.Name))
	if name, err := format.ParseName(v.Name); err == nil {
		times, err := m.NewTimestampRange(2)
		fill(e, []uint64{name.Start, name.End}, times, err)
	}
	e.ok(m.SetArrayType(nameOf(arrayTypeNames[:], v.Type)))
	e.ok(m.SetTileOrder(nameOf(layoutNames[:], v.TileOrder)))
	e.ok(m.SetCellOrder(nameOf(layoutNames[:], v.CellOrder)))
	m.SetCapacity(v.Capacity)
	m.SetAllowsDuplicates(v.AllowsDups)
	versions, err := m.NewVersion(1)
	fill(e, []int32{int32(v.Version)}, versions, err)
	pipeline, err := m.NewCoordsFilterPipeline()
	e.pipeline(v.CoordsFilters, pipeline, err)
	pipeline, err = m.NewOffsetFilterPipeline()
	e.pipeline(v.OffsetsFilters, pipeline, err)
	pipeline, err = m.NewValidityFilterPipeline()
	e.pipeline(v.ValidityFilters, pipeline, err)
	domain, err := m.NewDomain()
	e.domain(domain, err, v)
	attributes, err := m.NewAttributes(int32(len(v.Attributes)))
	e.attributes(v.Attributes, attributes, err)
	e.labels(m, v.Labels)
	e.schemaEnumerations(m, v)
	current, err := m.NewCurrentDomain()
	e.currentDomain(current, err, v.CurrentDomain, v.Domain.Dimensions)
}

// schemas writes schemas by name. latest is in the message already, as written: several pointers may lead to one struct.
func (e *encoder) schemas(m capnp.Map, err error, all []*schema.Array, latest *schema.Array, written capnp.ArraySchema) {
	e.mapEntries(m, err, len(all), func(seg *capnplib.Segment, i int) (string, capnplib.Ptr) {
		if all[i] == latest {
			return latest.Name, written.ToPtr()
		}
		s, err := capnp.NewArraySchema(seg)
		e.schema(s, err, all[i])
		return all[i].Name, s.ToPtr()
	})
}

// domain writes the dimensions of a schema. The orders and the first dimension's datatype are repeated there because
// clients before 2.10 look for them.
func (e *encoder) domain(m capnp.Domain, err error, v *schema.Array) {
	dims := v.Domain.Dimensions
	if !e.ok(err) {
		return
	}
	e.ok(m.SetTileOrder(nameOf(layoutNames[:], v.TileOrder)))
	e.ok(m.SetCellOrder(nameOf(layoutNames[:], v.CellOrder)))
	if len(dims) > 0 {
		e.ok(m.SetType(dims[0].Type.String()))
	}
	list, err := m.NewDimensions(int32(len(dims)))
	if !e.ok(err) {
		return
	}
	for i := range dims {
		e.dimension(list.At(i), &dims[i], v.DimensionFilters(i))
	}
}

// dimension writes one dimension with the filters that its coordinates pass, its own or the schema's, as libtiledb shows
// them.
func (e *encoder) dimension(m capnp.Dimension, v *schema.Dimension, filters filter.Pipeline) {
	e.text(capnplib.Struct(m), 0, v.Name)
	e.ok(m.SetType(v.Type.String()))
	m.SetNullTileExtent(v.Extent == nil)
	if v.Extent != nil {
		e.extent(m.TileExtent(), v.Type.Kind(), v.Extent)
	}
	if len(v.Domain) > 0 {
		d, err := m.NewDomain()
		if e.ok(err) {
			e.domainArray(d, v.Type.Kind(), v.Domain)
		}
	}
	pipeline, err := m.NewFilterPipeline()
	e.pipeline(filters, pipeline, err)
}

// attributes writes a list of attributes.
func (e *encoder) attributes(v []schema.Attribute, l capnp.Attribute_List, err error) {
	if !e.ok(err) {
		return
	}
	for i := range v {
		m, a := l.At(i), &v[i]
		e.text(capnplib.Struct(m), 0, a.Name)
		e.ok(m.SetType(a.Type.String()))
		m.SetCellValNum(a.CellValNum)
		m.SetNullable(a.Nullable)
		m.SetFillValueValidity(a.FillValid || !a.Nullable)
		e.ok(m.SetFillValue(a.Fill))
		e.ok(m.SetOrder(nameOf(orderNames[:], a.Order)))
		e.ok(m.SetEnumerationName(a.Enumeration))
		pipeline, err := m.NewFilterPipeline()
		e.pipeline(a.Filters, pipeline, err)
	}
}

// labels writes the dimension labels of a schema.
func (e *encoder) labels(m capnp.ArraySchema, v []schema.DimensionLabel) {
	if len(v) == 0 {
		return
	}
	l, err := m.NewDimensionLabels(int32(len(v)))
	if !e.ok(err) {
		return
	}
	for i, x := range v {
		m := l.At(i)
		m.SetDimensionId(x.Dimension)
		e.ok(m.SetName(x.Name))
		e.ok(m.SetUri(x.URI))
		e.ok(m.SetAttributeName(x.Attribute))
		e.ok(m.SetOrder(nameOf(orderNames[:], x.Order)))
		e.ok(m.SetType(x.Type.String()))
		m.SetCellValNum(x.CellValNum)
		m.SetExternal(x.External)
		m.SetRelative(x.Relative)
	}
}

// schemaEnumerations writes the files of a schema's enumerations and the labels of those that are loaded.
func (e *encoder) schemaEnumerations(m capnp.ArraySchema, v *schema.Array) {
	if len(v.EnumerationNames) == 0 {
		return
	}
	files, err := m.NewEnumerationPathMap(int32(len(v.EnumerationNames)))
	if !e.ok(err) {
		return
	}
	for i, name := range v.EnumerationNames {
		e.ok(files.At(i).SetKey(name))
		e.ok(files.At(i).SetValue(v.EnumerationFiles[name]))
	}
	if loaded := loadedEnumerations(v); len(loaded) > 0 {
		l, err := m.NewEnumerations(int32(len(loaded)))
		e.enumerations(loaded, l, err)
	}
}
