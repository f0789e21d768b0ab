package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/schema"
)

// schemaJSON is the document that 'array schema --json' prints and 'array create' reads.
type schemaJSON struct {
	Type            string            `json:"type"`
	TileOrder       string            `json:"tile_order,omitempty"`
	CellOrder       string            `json:"cell_order,omitempty"`
	Capacity        uint64            `json:"capacity,omitempty"`
	AllowsDups      bool              `json:"allows_duplicates,omitempty"`
	CoordsFilters   *pipelineJSON     `json:"coords_filters,omitempty"`
	OffsetsFilters  *pipelineJSON     `json:"offsets_filters,omitempty"`
	ValidityFilters *pipelineJSON     `json:"validity_filters,omitempty"`
	Dimensions      []dimensionJSON   `json:"dimensions"`
	Attributes      []attributeJSON   `json:"attributes"`
	Enumerations    []enumerationJSON `json:"enumerations,omitempty"`
	CurrentDomain   []json.RawMessage `json:"current_domain,omitempty"`
}

type dimensionJSON struct {
	Name    string          `json:"name"`
	Type    string          `json:"type"`
	Domain  json.RawMessage `json:"domain,omitempty"`
	Tile    json.RawMessage `json:"tile,omitempty"`
	Filters *pipelineJSON   `json:"filters,omitempty"`
}

type attributeJSON struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Values is the number of values of a cell, 0 for 1; Var says any number.
	Values      uint32          `json:"values,omitempty"`
	Var         bool            `json:"var,omitempty"`
	Nullable    bool            `json:"nullable,omitempty"`
	Fill        json.RawMessage `json:"fill,omitempty"`
	FillValid   bool            `json:"fill_valid,omitempty"`
	Order       uint8           `json:"order,omitempty"`
	Enumeration string          `json:"enumeration,omitempty"`
	Filters     *pipelineJSON   `json:"filters,omitempty"`
}

type enumerationJSON struct {
	Name    string            `json:"name"`
	Type    string            `json:"type"`
	Values  uint32            `json:"values,omitempty"`
	Var     bool              `json:"var,omitempty"`
	Ordered bool              `json:"ordered,omitempty"`
	Labels  []json.RawMessage `json:"labels"`
}

// pipelineJSON is a pipeline; Chunk is its largest chunk in bytes, absent for the default.
type pipelineJSON struct {
	Chunk   *uint32      `json:"chunk,omitempty"`
	Filters []filterJSON `json:"filters"`
}

// filterJSON is a filter with the options it has.
type filterJSON struct {
	Name   string                    `json:"name"`
	Level  *int32                    `json:"level,omitempty"`
	Type   string                    `json:"type,omitempty"`
	Window *uint32                   `json:"window,omitempty"`
	Scale  *filter.FloatScaleOptions `json:"scale,omitempty"`
	Image  *filter.WebPOptions       `json:"image,omitempty"`
}

// writeSchemaJSON prints a schema whose enumerations are loaded.
func writeSchemaJSON(out io.Writer, s *schema.Array) error {
	doc := schemaJSON{
		Type: "dense", TileOrder: layoutNames[s.TileOrder], CellOrder: layoutNames[s.CellOrder], Capacity: s.Capacity, AllowsDups: s.AllowsDups,
		CoordsFilters: pipelineDoc(s.CoordsFilters), OffsetsFilters: pipelineDoc(s.OffsetsFilters), ValidityFilters: pipelineDoc(s.ValidityFilters),
	}
	if s.Type == schema.Sparse {
		doc.Type = "sparse"
	}
	for i := range s.Domain.Dimensions {
		d := &s.Domain.Dimensions[i]
		one := dimensionJSON{Name: d.Name, Type: d.Type.String(), Filters: pipelineDoc(d.Filters)}
		if len(d.Domain) > 0 {
			one.Domain = valuesDoc(d.Domain, d.Type, true)
		}
		if d.Extent != nil {
			one.Tile = valuesDoc(d.Extent, d.Type, false)
		}
		doc.Dimensions = append(doc.Dimensions, one)
	}
	for i := range s.Attributes {
		a := &s.Attributes[i]
		one := attributeJSON{Name: a.Name, Type: a.Type.String(), Nullable: a.Nullable, FillValid: a.FillValid, Order: uint8(a.Order),
			Enumeration: a.Enumeration, Filters: pipelineDoc(a.Filters), Fill: valuesDoc(a.Fill, a.Type, false)}
		one.Values, one.Var = countDoc(a.CellValNum)
		doc.Attributes = append(doc.Attributes, one)
	}
	for _, name := range s.EnumerationNames {
		e := s.Enumerations[name]
		one := enumerationJSON{Name: e.Name, Type: e.Type.String(), Ordered: e.Ordered}
		one.Values, one.Var = countDoc(e.CellValNum)
		for i := range e.Len() {
			one.Labels = append(one.Labels, valuesDoc(e.Label(i), e.Type, false))
		}
		doc.Enumerations = append(doc.Enumerations, one)
	}
	for i, r := range s.CurrentDomain.Active() {
		d := &s.Domain.Dimensions[i]
		ends := []json.RawMessage{valuesDoc(r.Lo, d.Type, false), valuesDoc(r.Hi, d.Type, false)}
		text, err := json.Marshal(ends)
		if err != nil {
			return err
		}
		doc.CurrentDomain = append(doc.CurrentDomain, text)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}

func countDoc(n uint32) (values uint32, variable bool) {
	switch n {
	case datatype.VarNum:
		return 0, true
	case 1:
		return 0, false
	}
	return n, false
}

func pipelineDoc(p filter.Pipeline) *pipelineJSON {
	doc := &pipelineJSON{Filters: []filterJSON{}}
	if p.MaxChunk != filter.DefaultMaxChunk {
		doc.Chunk = &p.MaxChunk
	}
	for _, f := range p.Filters {
		one := filterJSON{Name: f.Name()}
		if level, ok := f.Level(); ok {
			one.Level = &level
		}
		if t, ok := f.Reinterpret(); ok && t != datatype.Any {
			one.Type = t.String()
		}
		if window, ok := f.MaxWindow(); ok {
			one.Window = &window
		}
		if scale, ok := f.Scaling(); ok {
			one.Scale = &scale
		}
		if image, ok := f.Image(); ok {
			one.Image = &image
		}
		doc.Filters = append(doc.Filters, one)
	}
	return doc
}

// isText tells types whose values are written as one text.
func isText(t datatype.Type) bool {
	return t.Size() == 1 && (t.IsString() || t == datatype.Char || t == datatype.Blob || t == datatype.GeomWKB || t == datatype.GeomWKT || t == datatype.Any)
}

// valuesDoc writes values: texts as a text, or {"base64": …} when they are none, one number as itself, several, or any
// with list, as a list. Floats that JSON has no number for are texts.
func valuesDoc(v []byte, t datatype.Type, list bool) json.RawMessage {
	if isText(t) {
		var text any = string(v)
		if !utf8.Valid(v) {
			text = map[string]string{"base64": base64.StdEncoding.EncodeToString(v)}
		}
		out := &bytes.Buffer{}
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(text); err != nil {
			return json.RawMessage("null") // a text and a map of texts always encode
		}
		return bytes.TrimSpace(out.Bytes())
	}
	var parts []string
	for size := t.Size(); len(v) >= size; v = v[size:] {
		part := formatOne(v[:size], t.Kind())
		if t.IsFloat() && strings.ContainsAny(part, "nN") {
			part = `"` + part + `"`
		}
		parts = append(parts, part)
	}
	if len(parts) == 1 && !list {
		return json.RawMessage(parts[0])
	}
	return json.RawMessage("[" + strings.Join(parts, ", ") + "]")
}

// readSchemaJSON reads the document. What it leaves out has the default; the schema is not yet checked.
func readSchemaJSON(in io.Reader) (*schema.Array, error) {
	var doc schemaJSON
	dec := json.NewDecoder(in)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	kinds := map[string]schema.ArrayType{"dense": schema.Dense, "sparse": schema.Sparse}
	kind, ok := kinds[doc.Type]
	if !ok {
		return nil, fmt.Errorf("type: %q is neither dense nor sparse", doc.Type)
	}
	s := schema.New(kind)
	s.AllowsDups = doc.AllowsDups
	if doc.Capacity > 0 {
		s.Capacity = doc.Capacity
	}
	for _, o := range []struct {
		name string
		to   *schema.Layout
	}{{doc.TileOrder, &s.TileOrder}, {doc.CellOrder, &s.CellOrder}} {
		for layout, name := range layoutNames {
			if name == o.name {
				*o.to = layout
			}
		}
		if o.name != "" && layoutNames[*o.to] != o.name {
			return nil, fmt.Errorf("order %q is none of row-major, col-major, hilbert", o.name)
		}
	}
	for _, p := range []struct {
		doc *pipelineJSON
		to  *filter.Pipeline
	}{{doc.CoordsFilters, &s.CoordsFilters}, {doc.OffsetsFilters, &s.OffsetsFilters}, {doc.ValidityFilters, &s.ValidityFilters}} {
		if p.doc == nil {
			continue
		}
		var err error
		if *p.to, err = p.doc.pipeline(); err != nil {
			return nil, err
		}
	}
	for _, d := range doc.Dimensions {
		one, err := d.dimension()
		if err != nil {
			return nil, fmt.Errorf("dimension %q: %w", d.Name, err)
		}
		s.Domain.Dimensions = append(s.Domain.Dimensions, one)
	}
	for _, a := range doc.Attributes {
		one, err := a.attribute()
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Name, err)
		}
		s.Attributes = append(s.Attributes, one)
	}
	for _, e := range doc.Enumerations {
		one, err := e.enumeration()
		if err != nil {
			return nil, fmt.Errorf("enumeration %q: %w", e.Name, err)
		}
		if s.Enumerations == nil {
			s.Enumerations, s.EnumerationFiles = map[string]*schema.Enumeration{}, map[string]string{}
		}
		s.Enumerations[e.Name], s.EnumerationFiles[e.Name] = one, ""
		s.EnumerationNames = append(s.EnumerationNames, e.Name)
	}
	return s, doc.currentDomain(s)
}

func (doc *schemaJSON) currentDomain(s *schema.Array) error {
	if doc.CurrentDomain == nil {
		return nil
	}
	if len(doc.CurrentDomain) != len(s.Domain.Dimensions) {
		return fmt.Errorf("current_domain has %d ranges, the array %d dimensions", len(doc.CurrentDomain), len(s.Domain.Dimensions))
	}
	s.CurrentDomain = &schema.CurrentDomain{}
	for i, text := range doc.CurrentDomain {
		var ends []json.RawMessage
		if err := json.Unmarshal(text, &ends); err != nil || len(ends) != 2 {
			return fmt.Errorf("current_domain: %s is not a list of two", text)
		}
		lo, err := valuesOf(ends[0], s.Domain.Dimensions[i].Type)
		if err != nil {
			return err
		}
		hi, err := valuesOf(ends[1], s.Domain.Dimensions[i].Type)
		if err != nil {
			return err
		}
		s.CurrentDomain.Ranges = append(s.CurrentDomain.Ranges, schema.Range{Lo: lo, Hi: hi})
	}
	return nil
}

func typeNamed(name string) (datatype.Type, error) {
	t, ok := datatype.Parse(name)
	if !ok {
		return 0, fmt.Errorf("there is no type %q", name)
	}
	return t, nil
}

func (d *dimensionJSON) dimension() (out schema.Dimension, err error) {
	out = schema.Dimension{Name: d.Name, CellValNum: 1}
	if out.Type, err = typeNamed(d.Type); err != nil {
		return out, err
	}
	if out.Filters, err = d.Filters.pipeline(); err != nil {
		return out, err
	}
	if out.Type == datatype.StringASCII {
		out.CellValNum = datatype.VarNum
		return out, nil
	}
	if d.Domain != nil {
		if out.Domain, err = valuesOf(d.Domain, out.Type); err != nil {
			return out, fmt.Errorf("domain: %w", err)
		}
	}
	if d.Tile != nil {
		if out.Extent, err = valuesOf(d.Tile, out.Type); err != nil {
			return out, fmt.Errorf("tile: %w", err)
		}
	}
	return out, nil
}

func countOf(values uint32, variable bool) uint32 {
	if variable {
		return datatype.VarNum
	}
	return max(1, values)
}

func (a *attributeJSON) attribute() (out schema.Attribute, err error) {
	t, err := typeNamed(a.Type)
	if err != nil {
		return out, err
	}
	n := countOf(a.Values, a.Var)
	if n != datatype.VarNum && n > math.MaxInt32/8 {
		return out, fmt.Errorf("%d values in a cell", n)
	}
	out = schema.NewAttribute(a.Name, t, n)
	out.Nullable, out.FillValid, out.Order, out.Enumeration = a.Nullable, a.FillValid, schema.Order(a.Order), a.Enumeration
	if a.Fill != nil {
		if out.Fill, err = valuesOf(a.Fill, t); err != nil {
			return out, fmt.Errorf("fill: %w", err)
		}
	}
	out.Filters, err = a.Filters.pipeline()
	return out, err
}

func (e *enumerationJSON) enumeration() (*schema.Enumeration, error) {
	t, err := typeNamed(e.Type)
	if err != nil {
		return nil, err
	}
	out := &schema.Enumeration{Name: e.Name, Type: t, CellValNum: countOf(e.Values, e.Var), Ordered: e.Ordered}
	for _, label := range e.Labels {
		v, err := valuesOf(label, t)
		if err != nil {
			return nil, err
		}
		if e.Var {
			out.Offsets = append(out.Offsets, uint64(len(out.Data)))
		}
		out.Data = append(out.Data, v...)
	}
	return out, nil
}

// pipeline returns the filters of a document, none for a missing one.
func (p *pipelineJSON) pipeline() (filter.Pipeline, error) {
	out := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}
	if p == nil {
		return out, nil
	}
	if p.Chunk != nil {
		out.MaxChunk = *p.Chunk
	}
	for _, f := range p.Filters {
		one, err := f.spec()
		if err != nil {
			return out, err
		}
		out.Filters = append(out.Filters, one)
	}
	return out, nil
}

func (f *filterJSON) spec() (filter.Spec, error) {
	code, ok := filter.ParseCode(f.Name)
	if !ok {
		return filter.Spec{}, fmt.Errorf("there is no filter %q", f.Name)
	}
	level := int32(-1)
	if f.Level != nil {
		level = *f.Level
	}
	deltas := []filter.Code{filter.Delta, filter.DoubleDelta}
	compressors := []filter.Code{filter.Gzip, filter.Zstd, filter.LZ4, filter.RLE, filter.Bzip2, filter.Dictionary}
	var spec filter.Spec
	switch {
	case slices.Contains(deltas, code):
		t := datatype.Any
		if f.Type != "" {
			var err error
			if t, err = typeNamed(f.Type); err != nil {
				return spec, err
			}
		}
		spec = filter.Reinterpreting(code, level, t)
	case slices.Contains(compressors, code):
		spec = filter.Compressor(code, level)
	case code == filter.BitWidthReduction || code == filter.PositiveDelta:
		window := map[filter.Code]uint32{filter.BitWidthReduction: 256, filter.PositiveDelta: 1024}[code]
		if f.Window != nil {
			window = *f.Window
		}
		spec = filter.Windowed(code, window)
	case code == filter.FloatScale && f.Scale != nil:
		spec = filter.Scaling(*f.Scale)
	case code == filter.WebP && f.Image != nil:
		spec = filter.Image(*f.Image)
	default:
		spec = filter.Plain(code)
	}
	return spec, spec.Check()
}

// valuesOf reads what valuesDoc writes.
func valuesOf(text json.RawMessage, t datatype.Type) ([]byte, error) {
	if isText(t) {
		var s string
		if json.Unmarshal(text, &s) == nil {
			return []byte(s), nil
		}
		var wrapped struct {
			Base64 []byte `json:"base64"`
		}
		if err := json.Unmarshal(text, &wrapped); err != nil {
			return nil, fmt.Errorf("%s is no text", text)
		}
		return wrapped.Base64, nil
	}
	parts := []json.RawMessage{text}
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '[' {
		if err := json.Unmarshal(text, &parts); err != nil {
			return nil, err
		}
	}
	out := []byte{}
	for _, part := range parts {
		v, err := parseValue(strings.Trim(string(part), `"`), t)
		if err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	return out, nil
}
