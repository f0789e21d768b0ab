package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/schema"
)

// layouts are the corpus's names of orders.
var layouts = map[string]schema.Layout{
	"row-major": schema.RowMajor, "col-major": schema.ColMajor, "global": schema.GlobalOrder,
	"unordered": schema.Unordered, "hilbert": schema.Hilbert,
}

// filterNames are the corpus's names of filters.
var filterNames = map[filter.Code]string{
	filter.None: "none", filter.Gzip: "gzip", filter.Zstd: "zstd", filter.LZ4: "lz4", filter.RLE: "rle", filter.Bzip2: "bzip2",
	filter.DoubleDelta: "double_delta", filter.BitWidthReduction: "bit_width_reduction", filter.Bitshuffle: "bitshuffle",
	filter.Byteshuffle: "byteshuffle", filter.PositiveDelta: "positive_delta", filter.ChecksumMD5: "checksum_md5",
	filter.ChecksumSHA256: "checksum_sha256", filter.Dictionary: "dictionary", filter.FloatScale: "float_scale",
	filter.XOR: "xor", filter.WebP: "webp", filter.Delta: "delta",
}

// parseType returns the datatype of a name.
func parseType(name string) (datatype.Type, error) {
	t, ok := datatype.Parse(name)
	if !ok {
		return 0, fmt.Errorf("no datatype %q", name)
	}
	return t, nil
}

var labelOrders = map[string]schema.Order{"increasing": schema.IncreasingData, "decreasing": schema.DecreasingData}

// buildSchema returns the schema of a create step.
func buildSchema(s *schemaSpec) (*schema.Array, error) {
	out := &schema.Array{
		Type: schema.Dense, AllowsDups: s.Dups, CellOrder: layouts[s.CellOrder], TileOrder: layouts[s.TileOrder],
		Capacity: schema.DefaultCapacity, CoordsFilters: schema.DefaultCoordsFilters(),
		OffsetsFilters: schema.DefaultOffsetsFilters(), ValidityFilters: schema.DefaultValidityFilters(),
		Enumerations: map[string]*schema.Enumeration{},
	}
	if s.Sparse {
		out.Type = schema.Sparse
	}
	if s.Capacity != nil {
		out.Capacity = *s.Capacity
	}
	for _, p := range []struct {
		spec []any
		to   *filter.Pipeline
	}{{s.CoordsFilters, &out.CoordsFilters}, {s.OffsetsFilters, &out.OffsetsFilters}, {s.ValidityFilters, &out.ValidityFilters}} {
		if p.spec == nil {
			continue
		}
		var err error
		if *p.to, err = buildPipeline(p.spec, nil); err != nil {
			return nil, err
		}
	}
	for _, d := range s.Dims {
		dim, err := buildDimension(d)
		if err != nil {
			return nil, fmt.Errorf("dimension %q: %w", d.Name, err)
		}
		out.Domain.Dimensions = append(out.Domain.Dimensions, dim)
	}
	for _, l := range s.Labels {
		t, err := parseType(l.Type)
		if err != nil {
			return nil, fmt.Errorf("label %q: %w", l.Name, err)
		}
		out.AddLabel(l.Dim, l.Name, labelOrders[l.Order], t)
	}
	for _, a := range s.Attrs {
		attr, err := buildAttribute(a)
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Name, err)
		}
		out.Attributes = append(out.Attributes, attr)
	}
	for _, e := range s.Enums {
		enum, err := buildEnumeration(e)
		if err != nil {
			return nil, fmt.Errorf("enumeration %q: %w", e.Name, err)
		}
		out.EnumerationNames = append(out.EnumerationNames, e.Name)
		out.Enumerations[e.Name] = enum
	}
	var err error
	if s.CurrentDomain != nil {
		out.CurrentDomain, err = buildCurrentDomain(s.CurrentDomain, out.Domain.Dimensions)
	}
	return out, err
}

func buildDimension(d dimSpec) (schema.Dimension, error) {
	t, err := parseType(d.Type)
	if err != nil {
		return schema.Dimension{}, err
	}
	out := schema.Dimension{Name: d.Name, Type: t, CellValNum: 1, Filters: filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}}
	if d.Domain == nil {
		out.CellValNum = datatype.VarNum
	} else if out.Domain, err = pack(t, []any{d.Domain[0], d.Domain[1]}); err != nil {
		return out, err
	}
	if d.Tile != nil {
		if out.Extent, err = pack(t, d.Tile); err != nil {
			return out, err
		}
	}
	if d.Filters != nil {
		out.Filters, err = buildPipeline(d.Filters, d.MaxChunk)
	}
	return out, err
}

func buildAttribute(a attrSpec) (schema.Attribute, error) {
	t, err := parseType(a.Type)
	if err != nil {
		return schema.Attribute{}, err
	}
	if t == datatype.Any && a.NVal == 1 {
		a.NVal = datatype.VarNum // what an attribute of that type begins with
	}
	out := schema.Attribute{
		Name: a.Name, Type: t, CellValNum: a.NVal, Nullable: a.Nullable, Enumeration: a.Enum,
		Fill: schema.DefaultFill(t, a.NVal),
	}
	if a.Fill != nil {
		if out.Fill, err = pack(t, a.Fill); err != nil {
			return out, err
		}
		out.FillValid = a.Nullable && a.FillValid != 0
	}
	out.Filters, err = buildPipeline(a.Filters, a.MaxChunk)
	return out, err
}

func buildEnumeration(e enumSpec) (*schema.Enumeration, error) {
	t, err := parseType(e.Type)
	if err != nil {
		return nil, err
	}
	out := &schema.Enumeration{Name: e.Name, Type: t, CellValNum: e.NVal, Ordered: e.Ordered}
	for _, v := range e.Values {
		b, err := pack(t, v)
		if err != nil {
			return nil, err
		}
		if e.NVal == datatype.VarNum {
			out.Offsets = append(out.Offsets, uint64(len(out.Data)))
		}
		out.Data = append(out.Data, b...)
	}
	return out, nil
}

func buildCurrentDomain(spec [][2]any, dims []schema.Dimension) (*schema.CurrentDomain, error) {
	out := &schema.CurrentDomain{}
	for i, r := range spec {
		lo, err := pack(dims[i].Type, r[0])
		if err != nil {
			return nil, err
		}
		hi, err := pack(dims[i].Type, r[1])
		if err != nil {
			return nil, err
		}
		out.Ranges = append(out.Ranges, schema.Range{Lo: lo, Hi: hi})
	}
	return out, nil
}

// buildPipeline returns a pipeline of a list whose items are a name or [name, options].
func buildPipeline(items []any, maxChunk *uint32) (filter.Pipeline, error) {
	out := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}
	if maxChunk != nil {
		out.MaxChunk = *maxChunk
	}
	for _, item := range items {
		name, options := item, map[string]any{}
		if pair, ok := item.([]any); ok && len(pair) == 2 {
			name = pair[0]
			options, _ = pair[1].(map[string]any)
		}
		s, err := buildFilter(fmt.Sprint(name), options)
		if err != nil {
			return out, err
		}
		out.Filters = append(out.Filters, s)
	}
	return out, nil
}

// buildFilter returns a filter with its options; those left out get libtiledb's defaults.
func buildFilter(name string, options map[string]any) (filter.Spec, error) {
	code, ok := filterCode(name)
	if !ok {
		return filter.Spec{}, fmt.Errorf("no filter %q", name)
	}
	number := func(key string, preset float64) float64 {
		n, ok := options[key].(json.Number)
		if !ok {
			return preset
		}
		f, err := strconv.ParseFloat(n.String(), 64)
		if err != nil {
			return preset
		}
		return f
	}
	switch code {
	case filter.Delta, filter.DoubleDelta:
		t := datatype.Any
		if s, ok := options["reinterpret"].(string); ok {
			var err error
			if t, err = parseType(s); err != nil {
				return filter.Spec{}, err
			}
		}
		return filter.Reinterpreting(code, int32(number("level", -1)), t), nil
	case filter.Gzip, filter.Zstd, filter.LZ4, filter.RLE, filter.Bzip2, filter.Dictionary:
		return filter.Compressor(code, int32(number("level", -1))), nil
	case filter.BitWidthReduction:
		return filter.Windowed(code, uint32(number("bit_width_max_window", 256))), nil
	case filter.PositiveDelta:
		return filter.Windowed(code, uint32(number("positive_delta_max_window", 1024))), nil
	case filter.FloatScale:
		return filter.Scaling(filter.FloatScaleOptions{
			Scale: number("factor", 1), Offset: number("offset", 0), ByteWidth: uint64(number("byte_width", 8))}), nil
	case filter.WebP:
		return filter.Image(filter.WebPOptions{
			Quality: float32(number("quality", 100)), Format: uint8(number("format", 0)), Lossless: number("lossless", 0) != 0}), nil
	}
	return filter.Plain(code), nil
}

func filterCode(name string) (filter.Code, bool) {
	for c, n := range filterNames {
		if n == name {
			return c, true
		}
	}
	return 0, false
}

// buildRanges returns a subarray of the ranges per dimension name; nil ranges of a dimension mean all of it.
func buildRanges(s *schema.Array, ranges map[string][][2]any) ([][]schema.Range, error) {
	out := make([][]schema.Range, len(s.Domain.Dimensions))
	known := 0
	for i, d := range s.Domain.Dimensions {
		for _, r := range ranges[d.Name] {
			lo, err := pack(d.Type, r[0])
			if err != nil {
				return nil, err
			}
			hi, err := pack(d.Type, r[1])
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], schema.Range{Lo: lo, Hi: hi})
		}
		if _, ok := ranges[d.Name]; ok {
			known++
		}
	}
	if known < len(ranges) {
		return nil, fmt.Errorf("ranges of fields that are no dimensions: %v", sortedKeys(ranges))
	}
	return out, nil
}

// wholeDomain returns the domain of every dimension as explicit ranges.
func wholeDomain(s *schema.Array) [][]schema.Range {
	out := make([][]schema.Range, len(s.Domain.Dimensions))
	for i, d := range s.Domain.Dimensions {
		n := d.Type.Size()
		out[i] = []schema.Range{{Lo: d.Domain[:n], Hi: d.Domain[n:]}}
	}
	return out
}
