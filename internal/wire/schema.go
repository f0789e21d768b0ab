package wire

import (
	"regexp"
	"strings"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/datatype"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// maxFill bounds the fill value in bytes that is made up for an attribute whose message has none.
const maxFill = 1 << 16

// DecodeSchema reads the body of POST /v1/arrays/{ns}/{array}: the schema of a new array. The names that the client made
// up for the schema's files are kept only where they are plain names; the array's creator gives new ones.
func DecodeSchema(body []byte) (*schema.Array, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, err
	}
	p := newPlace()
	v := decodeSchema(p, capnp.ArraySchema(root))
	return v, p.err()
}

// DecodeCreate reads the body of the same request in the 3.0 URI form: a storage URI, empty for the default storage,
// and the schema.
func DecodeCreate(body []byte) (uri string, v *schema.Array, err error) {
	root, err := openWhole(body)
	if err != nil {
		return "", nil, err
	}
	p := newPlace()
	m := capnp.ArrayCreateRequest(root)
	uri = p.at("uri").text(m.Uri())
	s, err := m.Schema()
	p.at("schema").check(err)
	v = decodeSchema(p.at("schema"), s)
	return uri, v, p.err()
}

// EncodeSchema builds the answer of GET /v1/arrays/{ns}/{array}.
func EncodeSchema(v *schema.Array) ([]byte, error) {
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootArraySchema(seg)
		e.schema(m, err, v)
	})
}

// DecodeLoadSchema reads the body of POST …/schema, which older and other clients send, and tells whether the
// enumerations' labels are wanted.
func DecodeLoadSchema(body []byte) (enumerations bool, err error) {
	root, err := openWhole(body)
	if err != nil {
		return false, err
	}
	return capnp.LoadArraySchemaRequest(root).IncludeEnumerations(), nil
}

// EncodeLoadSchema builds the answer of POST …/schema: the newest schema and all of them by name.
func EncodeLoadSchema(latest *schema.Array, all []*schema.Array) ([]byte, error) {
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootLoadArraySchemaResponse(seg)
		if !e.ok(err) {
			return
		}
		s, err := m.NewSchema()
		e.schema(s, err, latest)
		byName, err := m.NewArraySchemasAll()
		e.schemas(byName, err, all, latest, s)
	})
}

// decodeSchema reads a schema.
func decodeSchema(p *place, m capnp.ArraySchema) *schema.Array {
	v := &schema.Array{
		Name:       schemaName(p.at("name").text(m.Name())),
		Capacity:   m.Capacity(),
		AllowsDups: m.AllowsDuplicates(),
	}
	s, err := m.ArrayType()
	v.Type = named[schema.ArrayType](p.at("arrayType"), arrayTypeNames[:], s, err)
	s, err = m.TileOrder()
	v.TileOrder = named[schema.Layout](p.at("tileOrder"), layoutNames[:], s, err)
	s, err = m.CellOrder()
	v.CellOrder = named[schema.Layout](p.at("cellOrder"), layoutNames[:], s, err)
	versions, err := m.Version()
	if p.at("version").length(versions, err) == 1 { // other lengths are library versions of before 1.8
		if versions.At(0) < 0 {
			p.at("version").fail("negative")
		}
		v.Version = uint32(versions.At(0))
	}
	pipeline, err := m.CoordsFilterPipeline()
	v.CoordsFilters = decodePipeline(p.at("coordsFilterPipeline"), pipeline, err)
	pipeline, err = m.OffsetFilterPipeline()
	v.OffsetsFilters = decodePipeline(p.at("offsetFilterPipeline"), pipeline, err)
	pipeline, err = m.ValidityFilterPipeline()
	v.ValidityFilters = decodePipeline(p.at("validityFilterPipeline"), pipeline, err)
	v.Domain = decodeDomain(p.at("domain"), m)
	attributes, err := m.Attributes()
	v.Attributes = decodeAttributes(p.at("attributes"), attributes, err)
	v.Labels = decodeLabels(p.at("dimensionLabels"), m)
	decodeSchemaEnumerations(p, m, v)
	current, err := m.CurrentDomain()
	v.CurrentDomain = decodeCurrentDomain(p.at("currentDomain"), current, err)
	if v.CurrentDomain != nil && len(v.CurrentDomain.Ranges) != len(v.Domain.Dimensions) {
		p.at("currentDomain").fail("%d ranges for %d dimensions", len(v.CurrentDomain.Ranges), len(v.Domain.Dimensions))
	}
	return v
}

// storedSchemaName is the form of a schema's file name.
var storedSchemaName = regexp.MustCompile(`^__[0-9]{1,20}_[0-9]{1,20}_[0-9a-f]{32}$`)

// schemaName returns a schema's file name when it is one, else nothing. New schemas come with a slash before it.
func schemaName(name string) string {
	if name = strings.TrimPrefix(name, "/"); storedSchemaName.MatchString(name) {
		return name
	}
	return ""
}

// decodeDomain reads the dimensions of a schema.
func decodeDomain(p *place, m capnp.ArraySchema) schema.Domain {
	d, err := m.Domain()
	p.check(err)
	p = p.at("dimensions")
	list, err := d.Dimensions()
	dims := make([]schema.Dimension, p.length(list, err))
	for i := range dims {
		dims[i] = decodeDimension(p.item(i), list.At(i))
	}
	return schema.Domain{Dimensions: dims}
}

// decodeDimension reads one dimension.
func decodeDimension(p *place, m capnp.Dimension) schema.Dimension {
	v := schema.Dimension{
		Name:       p.at("name").text(m.Name()),
		Type:       p.at("type").datatype(m.Type()),
		CellValNum: 1,
	}
	pipeline, err := m.FilterPipeline()
	v.Filters = decodePipeline(p.at("filterPipeline"), pipeline, err)
	if v.Type == datatype.StringASCII {
		v.CellValNum = datatype.VarNum
		return v
	}
	if !v.Type.Info().Dimension {
		p.at("type").fail("no dimension can have the datatype %v", v.Type)
		return v
	}
	domain, err := m.Domain()
	p.at("domain").check(err)
	v.Domain = decodeDomainArray(p.at("domain"), v.Type.Kind(), domain)
	if len(v.Domain) != 2*v.Type.Size() {
		p.at("domain").fail("%d bytes instead of two values of %v", len(v.Domain), v.Type)
	}
	if !m.NullTileExtent() {
		v.Extent = decodeExtent(p.at("tileExtent"), v.Type.Kind(), m.TileExtent())
	}
	return v
}

// decodeAttributes reads a list of attributes.
func decodeAttributes(p *place, l capnp.Attribute_List, err error) []schema.Attribute {
	n := p.length(l, err)
	if n == 0 {
		return nil
	}
	v := make([]schema.Attribute, n)
	for i := range v {
		v[i] = decodeAttribute(p.item(i), l.At(i))
	}
	return v
}

// decodeAttribute reads one attribute.
func decodeAttribute(p *place, m capnp.Attribute) schema.Attribute {
	v := schema.Attribute{
		Name:        p.at("name").text(m.Name()),
		Type:        p.at("type").datatype(m.Type()),
		CellValNum:  m.CellValNum(),
		Nullable:    m.Nullable(),
		Fill:        p.at("fillValue").data(m.FillValue()),
		Enumeration: p.at("enumerationName").text(m.EnumerationName()),
	}
	v.FillValid = v.Nullable && m.FillValueValidity()
	if m.HasOrder() {
		s, err := m.Order()
		v.Order = named[schema.Order](p.at("order"), orderNames[:], s, err)
	}
	pipeline, err := m.FilterPipeline()
	v.Filters = decodePipeline(p.at("filterPipeline"), pipeline, err)
	values := uint64(v.CellValNum)
	if v.CellValNum == datatype.VarNum {
		values = 1
	}
	width := uint64(v.Type.Size())
	switch {
	case v.Fill == nil && values*width <= maxFill:
		v.Fill = schema.DefaultFill(v.Type, v.CellValNum)
	case v.Fill == nil:
		p.at("fillValue").fail("missing for a cell of %d bytes", values*width)
	case uint64(len(v.Fill))%width != 0 || v.CellValNum != datatype.VarNum && uint64(len(v.Fill)) != values*width:
		p.at("fillValue").fail("%d bytes for a cell of %d values of %v", len(v.Fill), v.CellValNum, v.Type)
	}
	return v
}

// decodeLabels reads the dimension labels of a schema, with the schemas of their arrays where there are any. Their place
// must be below the array.
func decodeLabels(p *place, m capnp.ArraySchema) []schema.DimensionLabel {
	l, err := m.DimensionLabels()
	n := p.length(l, err)
	if n == 0 {
		return nil
	}
	v := make([]schema.DimensionLabel, n)
	for i := range v {
		x, p := l.At(i), p.item(i)
		v[i] = schema.DimensionLabel{
			Dimension:  x.DimensionId(),
			Name:       p.at("name").text(x.Name()),
			URI:        p.at("uri").text(x.Uri()),
			Relative:   x.Relative(),
			Attribute:  p.at("attributeName").text(x.AttributeName()),
			Type:       p.at("type").datatype(x.Type()),
			CellValNum: x.CellValNum(),
			External:   x.External(),
		}
		s, err := x.Order()
		v[i].Order = named[schema.Order](p.at("order"), orderNames[:], s, err)
		if name, ok := strings.CutPrefix(v[i].URI, schema.LabelsFolder+"/"); v[i].Relative && (!ok || !plainName.MatchString(name)) {
			p.at("uri").fail("%q is not in %s", v[i].URI, schema.LabelsFolder)
		}
		if x.HasSchema() {
			own, err := x.Schema()
			p.at("schema").check(err)
			v[i].Array = decodeSchema(p.at("schema"), own)
		}
	}
	return v
}

// plainName are names that lead nowhere.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// decodeSchemaEnumerations reads the names and files of a schema's enumerations and those whose labels came along.
func decodeSchemaEnumerations(p *place, m capnp.ArraySchema, v *schema.Array) {
	add := func(name, file string) {
		if v.EnumerationFiles == nil {
			v.EnumerationFiles = map[string]string{}
		}
		if _, known := v.EnumerationFiles[name]; !known {
			v.EnumerationNames = append(v.EnumerationNames, name)
		}
		v.EnumerationFiles[name] = file
	}
	files, err := m.EnumerationPathMap()
	pm := p.at("enumerationPathMap")
	for i := range pm.length(files, err) {
		kv := files.At(i)
		add(pm.item(i).at("key").text(kv.Key()), fileName(pm.item(i).at("value").text(kv.Value())))
	}
	list, err := m.Enumerations()
	for _, x := range decodeEnumerationList(p.at("enumerations"), list, err) {
		if v.Enumerations == nil {
			v.Enumerations = map[string]*schema.Enumeration{}
		}
		v.Enumerations[x.Name] = x
		add(x.Name, x.File)
	}
}
