package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/access"
	"azulejo/internal/gate"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// manyCells is the number of cells of writes that go through a file.
const manyCells = 100_000

// manySchema is an array of manyCells cells with filters of every shape over fixed, nullable and var-sized attributes.
func manySchema(kind schema.ArrayType) *schema.Array {
	zstd := filter.Spec{Code: filter.Zstd, Options: []byte{2, 1, 0, 0, 0}}
	pipe := func(codes ...filter.Code) filter.Pipeline {
		p := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}
		for _, c := range codes {
			p.Filters = append(p.Filters, filter.Spec{Code: c})
		}
		p.Filters = append(p.Filters, zstd)
		return p
	}
	attribute := func(name string, t datatype.Type, n uint32, nullable bool, p filter.Pipeline) schema.Attribute {
		return schema.Attribute{Name: name, Type: t, CellValNum: n, Nullable: nullable, Fill: schema.DefaultFill(t, n), Filters: p}
	}
	return &schema.Array{Version: 22, Type: kind, Capacity: 1000, CoordsFilters: pipe(), OffsetsFilters: pipe(filter.Byteshuffle), ValidityFilters: pipe(),
		Domain: schema.Domain{Dimensions: []schema.Dimension{{Name: "d", Type: datatype.Int64, CellValNum: 1,
			Domain: datatype.Bytes([]int64{0, manyCells - 1}), Extent: datatype.Bytes([]int64{1000})}}},
		Attributes: []schema.Attribute{
			attribute("a", datatype.Int32, 1, false, pipe(filter.XOR, filter.Bitshuffle)),
			attribute("b", datatype.Float64, 1, true, pipe(filter.Byteshuffle, filter.ChecksumMD5)),
			attribute("c", datatype.StringASCII, datatype.VarNum, false, filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}),
		}}
}

// manyColumns are the cells, and the same in order.
func manyColumns(kind schema.ArrayType) (given, ordered []query.Column) {
	a, b, c, d, valid := make([]int32, manyCells), make([]float64, manyCells), make([]byte, 0, 3*manyCells), make([]int64, manyCells), make([]byte, manyCells)
	offsets := make([]uint64, manyCells)
	columns := func(at func(int) int) []query.Column {
		c = c[:0:0]
		for i := range manyCells {
			k := at(i)
			a[i], b[i], d[i], valid[i], offsets[i] = int32(k*7), float64(k)/3, int64(k), byte(k%2), uint64(len(c))
			c = append(c, "abc"[:k%4]...)
		}
		v := []query.Column{{Name: "a", Data: bytes.Clone(datatype.Bytes(a))}, {Name: "b", Data: bytes.Clone(datatype.Bytes(b)), Validity: bytes.Clone(valid)},
			{Name: "c", Data: c, Offsets: bytes.Clone(datatype.Bytes(offsets))}}
		if kind == schema.Sparse {
			v = append(v, query.Column{Name: "d", Data: bytes.Clone(datatype.Bytes(d))})
		}
		return v
	}
	ordered = columns(func(i int) int { return i })
	if kind == schema.Dense {
		return ordered, ordered
	}
	return columns(func(i int) int { return (i*7919 + 5) % manyCells }), ordered
}

// Cells that went through a file are mapped read-only: whatever writes to them would end the process.
func TestManyCellsGoThroughAFile(t *testing.T) {
	for name, kind := range map[string]schema.ArrayType{"dense": schema.Dense, "sparse": schema.Sparse} {
		w := newWorld(t)
		s := manySchema(kind)
		w.want(w.Full, post, "/v1/arrays/ann/"+name, schemaBody(t, s), 204, "")
		given, ordered := manyColumns(kind)
		q := &query.Write{Layout: schema.RowMajor, Columns: given}
		if kind == schema.Sparse {
			q.Layout, q.CheckDups = schema.Unordered, true
		} else {
			q.Subarray.Ranges = [][]schema.Range{{{Lo: datatype.Bytes([]int64{0}), Hi: datatype.Bytes([]int64{manyCells - 1})}}}
		}
		reply, err := wire.EncodeWriteRequest(q, s)
		must(t, err)
		var body bytes.Buffer
		_, err = reply.WriteTo(&body)
		must(t, err)
		w.want(w.Full, post, "/v3/arrays/ann/"+name+submitWrite, body.Bytes(), 200, "")
		if c := w.Vault.Queue(); c != (gate.Counts{}) {
			t.Errorf("%s: memory left booked: %+v", name, c)
		}
		for _, n := range []int{body.Len() - 1, body.Len() / 2} {
			w.want(w.Full, post, "/v3/arrays/ann/"+name+submitWrite, body.Bytes()[:n], 400, "shorter")
		}
		w.want(w.Full, post, "/v3/arrays/ann/"+name+submitWrite, append(body.Bytes(), 0), 400, "bytes after")

		found, err := w.Catalog.Resolve(t.Context(), w.Ann.NamespaceID, name)
		must(t, err)
		arr, err := array.Open(t.Context(), file.New(), "file://"+w.Dir+"/storage/"+w.Ann.NamespaceID+"/"+found.ID, array.Latest())
		must(t, err)
		read := &query.Read{Layout: schema.RowMajor, Offsets: query.OffsetsFormat{Bits: 64}}
		for _, c := range ordered {
			read.Fields = append(read.Fields, query.Want{Name: c.Name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1})
		}
		result, err := query.Run(t.Context(), arr, read)
		must(t, err)
		for i, c := range ordered {
			got := result.Columns[i]
			if !bytes.Equal(got.Data, c.Data) || !bytes.Equal(got.Offsets, c.Offsets) || !bytes.Equal(got.Validity, c.Validity) {
				t.Errorf("%s: field %q reads otherwise", name, c.Name)
			}
		}
	}
}

// A write that needs more memory than all queries have is refused, and one that finds none waits, before any of its cells are
// taken.
func TestWritesWaitForMemory(t *testing.T) {
	w := newWorld(t)
	w.want(w.Full, post, "/v1/arrays/ann/line", schemaBody(t, lineSchema()), 204, "")
	found, err := w.Catalog.Resolve(t.Context(), w.Ann.NamespaceID, "line")
	must(t, err)
	grant, err := access.Allowed(w.Ann, access.ArrayWrite, found.Object())
	must(t, err)
	leave, err := w.Vault.Hold(t.Context(), grant, 256*mib)
	must(t, err)
	// The small lane is free: a small write does not wait.
	w.want(w.Full, post, "/v3/arrays/ann/line"+submitWrite, writeBody(t, 0, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), 200, "")
	s := httptest.NewServer(w.server)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	name := "/v3/arrays/ann/many" + submitWrite
	many := manySchema(schema.Sparse)
	w.want(w.Full, post, "/v1/arrays/ann/many", schemaBody(t, many), 204, "")
	given, _ := manyColumns(schema.Sparse)
	reply, err := wire.EncodeWriteRequest(&query.Write{Layout: schema.Unordered, Columns: given}, many)
	must(t, err)
	var body bytes.Buffer
	_, err = reply.WriteTo(&body)
	must(t, err)
	gone := w.later(ctx, s.URL+name, body.Bytes())
	w.until(func(c gate.Counts) bool { return c.Waiting == 1 })
	cancel()
	if a := <-gone; !errors.Is(a.err, context.Canceled) {
		t.Errorf("%+v", a)
	}
	w.until(func(c gate.Counts) bool { return c.Waiting == 0 })
	waiting := w.later(t.Context(), s.URL+name, body.Bytes())
	w.until(func(c gate.Counts) bool { return c.Waiting == 1 })
	leave()
	if a := <-waiting; a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, err := w.Vault.Hold(t.Context(), grant, 1<<40); err == nil {
		t.Error("more memory than there is")
	}
}
