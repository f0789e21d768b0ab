package main

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/schema"
)

// object is a JSON object of an expected result.
type object map[string]any

var layoutNames = map[schema.Layout]string{
	schema.RowMajor: "row-major", schema.ColMajor: "col-major", schema.GlobalOrder: "global",
	schema.Unordered: "unordered", schema.Hilbert: "hilbert",
}

var orderNames = map[schema.Order]string{
	schema.UnorderedData: "unordered", schema.IncreasingData: "increasing", schema.DecreasingData: "decreasing",
}

// describeSchema returns a schema as the corpus describes it; the enumerations that attributes use must be loaded.
func describeSchema(s *schema.Array) (object, error) {
	out := object{
		"version": s.Version, "array_type": "dense", "allows_dups": s.AllowsDups, "cell_order": layoutNames[s.CellOrder],
		"tile_order": layoutNames[s.TileOrder], "capacity": s.Capacity, "coords_filters": describePipeline(s.CoordsFilters),
		"offsets_filters": describePipeline(s.OffsetsFilters), "validity_filters": describePipeline(s.ValidityFilters),
		"current_domain": describeCurrentDomain(s),
	}
	if s.Type == schema.Sparse {
		out["array_type"] = "sparse"
	}
	dims, attrs, labels, enums := []object{}, []object{}, []object{}, object{}
	for i := range s.Domain.Dimensions {
		dims = append(dims, describeDimension(s, i))
	}
	for i := range s.Attributes {
		a := &s.Attributes[i]
		attrs = append(attrs, describeAttribute(a))
		if a.Enumeration == "" {
			continue
		}
		e, ok := s.Enumerations[a.Enumeration]
		if !ok {
			return nil, fmt.Errorf("enumeration %q is not loaded", a.Enumeration)
		}
		enums[e.Name] = describeEnumeration(e)
	}
	for _, l := range s.Labels {
		labels = append(labels, object{"name": l.Name, "type": l.Type.String(), "cell_val_num": l.CellValNum,
			"dimension": l.Dimension, "order": orderNames[l.Order], "attribute": l.Attribute})
	}
	out["dimensions"], out["attributes"], out["labels"], out["enumerations"] = dims, attrs, labels, enums
	return out, nil
}

func describeDimension(s *schema.Array, i int) object {
	d := &s.Domain.Dimensions[i]
	out := object{"name": d.Name, "type": d.Type.String(), "cell_val_num": d.CellValNum, "domain": nil, "tile_extent": nil,
		"filters": describePipeline(s.DimensionFilters(i))}
	if len(d.Domain) > 0 {
		out["domain"] = plainPair(d.Type, d.Domain[:d.Type.Size()], d.Domain[d.Type.Size():])
	}
	if len(d.Extent) > 0 {
		out["tile_extent"] = plainValue(d.Type, d.Extent)
	}
	return out
}

func describeAttribute(a *schema.Attribute) object {
	out := object{"name": a.Name, "type": a.Type.String(), "cell_val_num": a.CellValNum, "nullable": a.Nullable,
		"fill_value_hex": hex.EncodeToString(a.Fill), "enumeration": nil, "filters": describePipeline(a.Filters)}
	if a.Nullable {
		out["fill_value_valid"] = 0
		if a.FillValid {
			out["fill_value_valid"] = 1
		}
	}
	if a.Enumeration != "" {
		out["enumeration"] = a.Enumeration
	}
	return out
}

func describeEnumeration(e *schema.Enumeration) object {
	offsets := e.Offsets
	if offsets == nil {
		offsets = []uint64{}
	}
	return object{"name": e.Name, "type": e.Type.String(), "cell_val_num": e.CellValNum, "ordered": e.Ordered,
		"data_hex": hex.EncodeToString(e.Data), "offsets": offsets}
}

func describeCurrentDomain(s *schema.Array) any {
	ranges := s.CurrentDomain.Active()
	if ranges == nil {
		return nil
	}
	return describeRanges(s, ranges)
}

// describeRanges returns one pair of values per dimension; texts with a character per byte.
func describeRanges(s *schema.Array, ranges []schema.Range) any {
	out := []any{}
	for i, r := range ranges {
		if d := &s.Domain.Dimensions[i]; d.CellValNum == datatype.VarNum {
			out = append(out, []any{latin1(r.Lo), latin1(r.Hi)})
		} else {
			out = append(out, plainPair(d.Type, r.Lo, r.Hi))
		}
	}
	return out
}

func plainPair(t datatype.Type, lo, hi []byte) []any {
	return []any{plainValue(t, lo), plainValue(t, hi)}
}

func describePipeline(p filter.Pipeline) object {
	filters := []object{}
	for _, f := range p.Filters {
		filters = append(filters, describeFilter(f))
	}
	return object{"max_chunk_size": p.MaxChunk, "filters": filters}
}

func describeFilter(f filter.Spec) object {
	out := object{"filter": filterNames[f.Code]}
	if level, ok := f.Level(); ok {
		out["level"] = level
	}
	if t, ok := f.Reinterpret(); ok {
		out["reinterpret"] = t.String()
	}
	if w, ok := f.MaxWindow(); ok && f.Code == filter.BitWidthReduction {
		out["bit_width_max_window"] = w
	} else if ok {
		out["positive_delta_max_window"] = w
	}
	if o, ok := f.Scaling(); ok {
		out["factor"], out["offset"], out["byte_width"] = plainFloat(o.Scale), plainFloat(o.Offset), o.ByteWidth
	}
	if o, ok := f.Image(); ok {
		lossless := 0
		if o.Lossless {
			lossless = 1
		}
		out["quality"], out["format"], out["lossless"] = o.Quality, o.Format, lossless
	}
	return out
}

// describeMetadata returns metadata by key. libtiledb reports the count of a value without values as 1.
func describeMetadata(entries []format.MetadataEntry) object {
	out := object{}
	for _, e := range entries {
		out[e.Key] = object{"type": e.Type.String(), "num": max(e.Num, 1), "hex": hex.EncodeToString(e.Value)}
	}
	return out
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
