package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/internal/access"
	"azulejo/internal/jsonvalue"
	"azulejo/internal/pool"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/query"
	"azulejo/schema"
)

const (
	// previewBytes bounds the cells of a preview, per field, and metadata.
	previewBytes = 8 << 20
	// previewCells bounds their number.
	previewCells = 1 << 17
	maxSamples   = 255
)

// errPreview is the class of previews that would be too long.
var errPreview = errors.New("too much for a preview")

// previewOps are the rows of what arrays hold as JSON (spec page cloud-api.md, section 7; decision 133).
func (a *API) previewOps() []web.Operation {
	row := func(id, method, path string, handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: method, Path: "/v1" + onArray + path, Action: access.ArrayRead, Find: a.findArray, Handle: handle}
	}
	return []web.Operation{
		row("getArraySampleData", http.MethodGet, "/sample", a.sample),
		row("submitQueryJson", http.MethodPost, "/query/submit_query_json", a.queryJSON),
		row("getArrayMetaDataJson", http.MethodGet, "/metadata_json", a.metadataJSON),
		row("getArrayNonEmptyDomainJson", http.MethodGet, "/non_empty_domain_json", a.nonEmptyDomainJSON),
		row("getArrayMaxBufferSizes", http.MethodGet, "/max_buffer_sizes", a.maxBufferSizes),
	}
}

// sample answers the first cells that an array holds.
func (a *API) sample(w http.ResponseWriter, r *web.Request) error {
	n, err := r.Number("samples", 5)
	if err != nil {
		return err
	}
	if n < 1 || n > maxSamples {
		return fmt.Errorf("%w: samples=%d is not between 1 and %d", web.ErrBadRequest, n, maxSamples)
	}
	arr, err := opened(r, a.vault.OpenArray)
	if err != nil {
		return err
	}
	s := arr.Schema()
	q := &query.Read{Layout: schema.Unordered}
	box, err := arr.NonEmptyDomain(r.Context())
	if err != nil {
		return err
	}
	if s.Type == schema.Dense {
		q.Layout = schema.RowMajor
		if box != nil {
			q.Subarray = corner(s, box, n)
		}
	}
	q.Fields = wants(s, s.FieldNames(), int64(n))
	columns, err := previewColumns(r, arr, q, n, box == nil)
	if err != nil {
		return err
	}
	// The published example has the fields themselves, the published definition has them in "data".
	out := map[string]any{}
	for name, values := range columns {
		out[name] = values
	}
	out["data"] = columns
	return web.JSON(w, r, http.StatusOK, out)
}

// corner returns a box of at most n cells at the low corner of a box of integers.
func corner(s *schema.Array, box []schema.Range, n uint64) query.Subarray {
	dims := s.Domain.Dimensions
	ranges := make([][]schema.Range, len(dims))
	for i := len(dims) - 1; i >= 0; i-- {
		lo, hi := jsonvalue.Integer(dims[i].Type, box[i].Lo), jsonvalue.Integer(dims[i].Type, box[i].Hi)
		count := new(big.Int).Add(new(big.Int).Sub(hi, lo), big.NewInt(1))
		take := min(n, 1<<16)
		if count.IsUint64() {
			take = min(take, count.Uint64())
		}
		last := new(big.Int).Add(lo, new(big.Int).SetUint64(take-1))
		ranges[i] = []schema.Range{{Lo: box[i].Lo, Hi: jsonvalue.IntegerBytes(dims[i].Type, last)}}
		n = max(n/take, 1)
	}
	return query.Subarray{Ranges: ranges}
}

// wants asks for at most n cells of fields, and so many bytes as a preview may have. Unknown fields are asked for too: the
// query refuses them.
func wants(s *schema.Array, names []string, n int64) []query.Want {
	list := make([]query.Want, len(names))
	for i, name := range names {
		w := query.Want{Name: name, DataCap: previewBytes, OffsetsCap: 8 * n, ValidityCap: n}
		if f, ok := s.Field(name); ok && f.CellValNum != datatype.VarNum {
			w.DataCap = n * int64(f.CellValNum) * int64(f.Type.Size())
		}
		list[i] = w
	}
	return list
}

// previewColumns reads the cells of a preview as JSON, at most n; none where the array is empty.
func previewColumns(r *web.Request, arr *vault.Array, q *query.Read, n uint64, empty bool) (map[string]any, error) {
	out := map[string]any{}
	if empty {
		for _, f := range q.Fields {
			out[f.Name] = []any{}
		}
		return out, nil
	}
	printers := make([]printer, len(q.Fields))
	for i, f := range q.Fields {
		var err error
		if printers[i], err = newPrinter(r.Context(), arr, f.Name); err != nil {
			return nil, err
		}
	}
	err := arr.Read(r.Context(), q, vault.Selection{}, func(result *query.Result) error {
		if result.Cells == 0 && result.Next != nil {
			return fmt.Errorf("%w: one cell has more than %d bytes", errPreview, previewBytes)
		}
		if result.Next != nil && n == previewCells {
			return fmt.Errorf("%w: more than %d cells or %d bytes of a field; ask for narrower ranges or fewer fields", errPreview, previewCells, previewBytes)
		}
		for i, c := range result.Columns {
			values, err := printers[i].column(c, int(min(result.Cells, n)))
			if err != nil {
				return err
			}
			out[c.Name] = values
		}
		return nil
	})
	if errors.Is(err, pool.ErrBudget) {
		return nil, fmt.Errorf("%w: %w", errPreview, err)
	}
	return out, err
}

// jsonQuery is the published shape of a query whose answer is JSON.
type jsonQuery struct {
	Ranges struct {
		Layout string            `json:"layout"`
		Ranges []json.RawMessage `json:"ranges"`
	} `json:"query_ranges"`
	Fields []string `json:"fields"`
}

// layouts are the published words for orders of cells.
var layouts = map[string]schema.Layout{"row-major": schema.RowMajor, "col-major": schema.ColMajor, "global-order": schema.GlobalOrder, "unordered": schema.Unordered}

// queryJSON answers the cells in ranges as lists by field.
func (a *API) queryJSON(w http.ResponseWriter, r *web.Request) error {
	var want jsonQuery
	if err := r.DecodeJSON(&want); err != nil {
		return err
	}
	arr, err := opened(r, a.vault.OpenArray)
	if err != nil {
		return err
	}
	s := arr.Schema()
	q := &query.Read{Layout: schema.RowMajor}
	if s.Type == schema.Sparse {
		q.Layout = schema.Unordered
	}
	if name := want.Ranges.Layout; name != "" {
		layout, ok := layouts[name]
		if !ok {
			return fmt.Errorf("%w: layout %q is none of row-major, col-major, global-order, unordered", web.ErrBadRequest, name)
		}
		q.Layout = layout
	}
	if q.Subarray, err = jsonRanges(s, want.Ranges.Ranges); err != nil {
		return err
	}
	box, err := arr.NonEmptyDomain(r.Context())
	if err != nil {
		return err
	}
	if s.Type == schema.Dense && box != nil {
		q.Subarray.Ranges = slices.Grow(q.Subarray.Ranges, len(box))[:len(box)]
		for i, list := range q.Subarray.Ranges {
			if len(list) == 0 { // all of it, as far as there is anything
				q.Subarray.Ranges[i] = []schema.Range{box[i]}
			}
		}
	}
	names := want.Fields
	if len(names) == 0 {
		names = s.FieldNames()
	}
	for _, name := range names {
		if _, ok := s.Field(name); !ok {
			return fmt.Errorf("%w: the array has no field %q", web.ErrBadRequest, name)
		}
	}
	slices.Sort(names)
	q.Fields = wants(s, slices.Compact(names), previewCells)
	columns, err := previewColumns(r, arr, q, previewCells, box == nil)
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, columns)
}

// jsonRanges reads ranges, by dimension as [lo, hi, lo, hi, …] or [[lo, hi], …].
func jsonRanges(s *schema.Array, list []json.RawMessage) (query.Subarray, error) {
	dims := s.Domain.Dimensions
	if len(list) > len(dims) {
		return query.Subarray{}, fmt.Errorf("%w: ranges of %d dimensions, the array has %d", web.ErrBadRequest, len(list), len(dims))
	}
	sub := query.Subarray{Ranges: make([][]schema.Range, len(dims))}
	for i, raw := range list {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var values []any
		if err := decoder.Decode(&values); err != nil {
			return sub, fmt.Errorf("%w: the ranges of dimension %q are not a list", web.ErrBadRequest, dims[i].Name)
		}
		var flat []any
		for _, v := range values {
			if pair, ok := v.([]any); ok && len(pair) == 2 {
				flat = append(flat, pair...)
			} else {
				flat = append(flat, v)
			}
		}
		var err error
		if sub.Ranges[i], err = pairs(dims[i], flat); err != nil {
			return sub, err
		}
	}
	return sub, nil
}

// pairs makes ranges of the ends of ranges.
func pairs(d schema.Dimension, ends []any) ([]schema.Range, error) {
	if len(ends)%2 != 0 {
		return nil, fmt.Errorf("%w: the ranges of dimension %q have an odd number of ends", web.ErrBadRequest, d.Name)
	}
	var list []schema.Range
	for i := 0; i < len(ends); i += 2 {
		var ends2 [2][]byte
		for j := range ends2 {
			b, err := jsonvalue.Parse(d.Type, ends[i+j])
			if err != nil {
				return nil, fmt.Errorf("%w: %v is no coordinate of dimension %q: %w", web.ErrBadRequest, ends[i+j], d.Name, err)
			}
			ends2[j] = b
		}
		list = append(list, schema.Range{Lo: ends2[0], Hi: ends2[1]})
	}
	return list, nil
}

// metadataJSON answers metadata as one object, with texts cut to a length if one is given.
func (a *API) metadataJSON(w http.ResponseWriter, r *web.Request) error {
	length, err := r.Number("length", 0)
	if err != nil {
		return err
	}
	arr, err := opened(r, a.vault.OpenSchema)
	if err != nil {
		return err
	}
	entries, err := arr.Metadata(r.Context())
	if err != nil {
		return err
	}
	out := map[string]any{}
	for _, e := range entries {
		v := metadataValue(e)
		if text, ok := v.(string); ok && length > 0 {
			v = cut(text, int(min(length, previewBytes)))
		}
		if list, ok := v.([]any); ok && length > 0 {
			v = list[:min(uint64(len(list)), length)]
		}
		out[strings.ToValidUTF8(e.Key, "?")] = v
	}
	return web.JSON(w, r, http.StatusOK, out)
}

// nonEmptyDomainJSON answers the lowest and highest coordinate by dimension; nothing for an empty array.
func (a *API) nonEmptyDomainJSON(w http.ResponseWriter, r *web.Request) error {
	arr, err := opened(r, a.vault.OpenArray)
	if err != nil {
		return err
	}
	out := map[string]any{}
	dims := arr.Schema().Domain.Dimensions
	boxes, err := arr.NonEmptyDomain(r.Context())
	if err != nil {
		return err
	}
	for i, box := range boxes {
		out[dims[i].Name] = []any{jsonvalue.Of(dims[i].Type, box.Lo), jsonvalue.Of(dims[i].Type, box.Hi)}
	}
	return web.JSON(w, r, http.StatusOK, out)
}

// bufferSize is the published shape of the bytes that a read needs for one field.
type bufferSize struct {
	Attribute   string `json:"attribute"`
	OffsetBytes uint64 `json:"offsetBytes"`
	DataBytes   uint64 `json:"dataBytes"`
}

// maxBufferSizes answers how many bytes a read of a subarray needs at most.
func (a *API) maxBufferSizes(w http.ResponseWriter, r *web.Request) error {
	arr, err := a.vault.OpenArray(r.Context(), r.Grant, asset(r), array.Latest())
	if err != nil {
		return err
	}
	s := arr.Schema()
	dims := s.Domain.Dimensions
	q := &query.Read{Layout: schema.Unordered, Fields: wants(s, s.FieldNames(), previewCells)}
	if s.Type == schema.Dense {
		q.Layout, q.Fields = schema.RowMajor, q.Fields[len(dims):]
	}
	ends := strings.Split(r.Query().Get("subarray"), ",")
	if len(ends) != 2*len(dims) {
		return fmt.Errorf("%w: subarray has %d values, the array of %d dimensions needs %d: low,high of each", web.ErrBadRequest, len(ends), len(dims), 2*len(dims))
	}
	for i, d := range dims {
		lo, hi := jsonvalue.Parameter(d.Type, ends[2*i]), jsonvalue.Parameter(d.Type, ends[2*i+1])
		list, err := pairs(d, []any{lo, hi})
		if err != nil {
			return err
		}
		q.Subarray.Ranges = append(q.Subarray.Ranges, list)
	}
	sizes, err := arr.Estimate(r.Context(), q, vault.Selection{})
	if err != nil {
		return err
	}
	out := []bufferSize{}
	for _, size := range sizes {
		out = append(out, bufferSize{size.Name, size.Offsets, size.Data})
	}
	return web.JSON(w, r, http.StatusOK, map[string]any{"maxBufferSizes": out})
}
