package api

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/cells"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// mixedSchema is a sparse array by text and moment, with attributes of many forms.
func mixedSchema() *schema.Array {
	none := filter.Pipeline{MaxChunk: filter.DefaultMaxChunk}
	attribute := func(name string, t datatype.Type, n uint32) schema.Attribute {
		return schema.Attribute{Name: name, Type: t, CellValNum: n, Fill: schema.DefaultFill(t, n)}
	}
	maybe, color := attribute("maybe", datatype.Int64, 1), attribute("color", datatype.Uint8, 1)
	maybe.Nullable, color.Enumeration = true, "colors"
	labels := &schema.Enumeration{Name: "colors", Type: datatype.StringUTF8, CellValNum: datatype.VarNum, Data: []byte("redgreen"), Offsets: []uint64{0, 3}}
	return &schema.Array{Version: 22, Type: schema.Sparse, Capacity: 100, CoordsFilters: none, OffsetsFilters: none, ValidityFilters: none,
		Domain: schema.Domain{Dimensions: []schema.Dimension{{Name: "name", Type: datatype.StringASCII, CellValNum: datatype.VarNum},
			{Name: "day", Type: datatype.DateTimeDay, CellValNum: 1, Domain: datatype.Bytes([]int64{0, 1000}), Extent: datatype.Bytes([]int64{10})}}},
		Attributes: []schema.Attribute{maybe, color, attribute("f", datatype.Float64, 1), attribute("text", datatype.StringUTF8, datatype.VarNum), attribute("pair", datatype.Int16, 2),
			attribute("list", datatype.Float32, datatype.VarNum), attribute("yes", datatype.Bool, 1), attribute("raw", datatype.Blob, datatype.VarNum), attribute("wide", datatype.StringUTF16, 2)},
		EnumerationNames: []string{"colors"}, Enumerations: map[string]*schema.Enumeration{"colors": labels}, EnumerationFiles: map[string]string{"colors": ""}}
}

// mixed makes an array of mixedSchema with three cells, registered as mixed, and returns its URI.
func (w *world) mixed() string {
	w.t.Helper()
	ctx, fs, uri := w.t.Context(), file.New(), "file://"+w.Allowed+"/mixed"
	must(w.t, array.Create(ctx, fs, uri, mixedSchema()))
	arr, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	must(w.t, err)
	_, err = query.Submit(ctx, arr, &query.Write{Layout: schema.Unordered, Columns: []query.Column{
		cells.Texts("name", []string{"ann", "bob", "eve"}), cells.Of("day", []int64{0, 1, 365}),
		cells.Nullable(cells.Of("maybe", []int64{math.MaxInt64, 0, -5}), []bool{true, false, true}), cells.Of("color", []uint8{1, 0, 9}),
		cells.Of("f", []float64{1.5, math.NaN(), math.Inf(-1)}), cells.Texts("text", []string{"å", "", "z\xff"}), cells.Of("pair", []int16{1, -2, 3, 4, 5, 6}),
		cells.Lists("list", [][]float32{{0.5}, {}, {1, 2}}), cells.Bools("yes", []bool{true, false, true}), cells.Texts("raw", []string{"\x00\xff", "", "x"}),
		cells.Of("wide", []uint16{'h', 'i', 0xD83D, 0xDE00, 'x', 0})}})
	must(w.t, err)
	must(w.t, arr.PutMetadata(ctx, []format.MetadataEntry{
		{Key: "n", Type: datatype.Int32, Num: 1, Value: datatype.Bytes([]int32{25})}, {Key: "list", Type: datatype.Float64, Num: 2, Value: datatype.Bytes([]float64{25.5, math.NaN()})},
		{Key: "text", Type: datatype.StringUTF8, Num: 6, Value: []byte("a text")}, {Key: "raw", Type: datatype.Blob, Num: 2, Value: []byte{0, 255}},
		{Key: "big", Type: datatype.Uint64, Num: 1, Value: datatype.Bytes([]uint64{math.MaxUint64})}, {Key: "none", Type: datatype.StringUTF8}, {Key: "nothing", Type: datatype.Int64},
		{Key: "when", Type: datatype.DateTimeMS, Num: 1, Value: datatype.Bytes([]int64{1500})}}, 0))
	w.send(w.Full, post, "/v1/arrays/ann/mixed/register", `{"uri":"`+uri+`"}`, 200, "")
	return uri
}

const mixedCells = `{"color":["green","red",null],"day":["1970-01-01T00:00:00Z","1970-01-02T00:00:00Z","1971-01-01T00:00:00Z"],"f":[1.5,"NaN","-Infinity"],` +
	`"list":[[0.5],[],[1,2]],"maybe":[9223372036854775807,null,-5],"name":["ann","bob","eve"],"pair":[[1,-2],[3,4],[5,6]],"raw":["AP8=","","eA=="],` +
	`"text":["å","","z�"],"wide":["hi","😀","x"],"yes":[true,false,true]}`

func TestPreviewsOfEveryType(t *testing.T) {
	w := newWorld(t)
	w.mixed()
	if got := w.send(w.Full, post, "/v1/arrays/ann/mixed/query/submit_query_json", "{}", 200, ""); got != mixedCells {
		t.Errorf("%s\nwant %s", got, mixedCells)
	}
	query := func(body string, status int, want string) {
		t.Helper()
		w.send(w.Full, post, "/v1/arrays/ann/mixed/query/submit_query_json", body, status, want)
	}
	query(`{"fields":["maybe","name"],"query_ranges":{"ranges":[["b","z"]]}}`, 200, `{"maybe":[null,-5],"name":["bob","eve"]}`)
	query(`{"fields":["name"],"query_ranges":{"layout":"row-major","ranges":[["a","b","e","z"],[["1970-01-02T00:00:00Z","1972-01-01T00:00:00Z"]]]}}`, 200, `{"name":["eve"]}`)
	query(`{"fields":["name"],"query_ranges":{"ranges":[[],[0,1.0]]}}`, 200, `{"name":["ann","bob"]}`)
	query(`{"fields":["name"],"query_ranges":{"ranges":[[],[["1970-01-02T00:00:00Z","1970-03-01T00:00:00Z"]]]}}`, 200, `{"name":["bob"]}`)
	query(`{"fields":["nothing"]}`, 400, "no field")
	query(`{"query_ranges":{"layout":"sideways"}}`, 400, "layout")
	query(`{"query_ranges":{"ranges":[["a"]]}}`, 400, "odd")
	query(`{"query_ranges":{"ranges":[[],[1,"x"]]}}`, 400, "day")
	query(`{"query_ranges":{"ranges":[[],[2,1]]}}`, 400, "")
	query(`{"query_ranges":{"ranges":[[],[0,99999999999999999999]]}}`, 400, "fit")
	query(`{"query_ranges":{"ranges":[[],[0,1.5]]}}`, 400, "day")
	query(`{"query_ranges":{"ranges":[[],[],[]]}}`, 400, "3 dimensions")
	query(`{"query_ranges":{"ranges":[5]}}`, 400, "list")
	query(`{`, 400, "JSON")

	text := w.send(w.Full, get, "/v1/arrays/ann/mixed/sample?samples=2", "", 200, "")
	var sample map[string]json.RawMessage
	must(t, json.Unmarshal([]byte(text), &sample))
	var data map[string]json.RawMessage
	must(t, json.Unmarshal(sample["data"], &data))
	if string(sample["maybe"]) != `[9223372036854775807,null]` || string(data["maybe"]) != string(sample["maybe"]) || len(data) != 11 {
		t.Errorf("%s", text)
	}
	w.send(w.Full, get, "/v1/arrays/ann/mixed/sample", "", 200, `"name":["ann","bob","eve"]`)
	w.send(w.Full, get, "/v1/arrays/ann/mixed/sample?samples=256", "", 400, "samples")
	w.send(w.Full, get, "/v1/arrays/ann/mixed/sample?samples=0", "", 400, "samples")

	w.send(w.Full, get, "/v1/arrays/ann/mixed/metadata_json", "", 200,
		`{"big":18446744073709551615,"list":[25.5,"NaN"],"n":25,"none":"","nothing":null,"raw":"AP8=","text":"a text","when":"1970-01-01T00:00:01.5Z"}`)
	w.send(w.Full, get, "/v1/arrays/ann/mixed/metadata_json?length=1", "", 200, `"list":[25.5],"n":25,"none":"","nothing":null,"raw":"A","text":"a"`)
	w.send(w.Full, get, "/v1/arrays/ann/mixed/metadata_json?end_timestamp=1", "", 200, `{}`)
	w.send(w.Full, get, "/v1/arrays/ann/mixed/non_empty_domain_json", "", 200, `{"day":["1970-01-01T00:00:00Z","1971-01-01T00:00:00Z"],"name":["ann","eve"]}`)
	w.send(w.Full, get, "/v1/arrays/ann/mixed/max_buffer_sizes?subarray=a,z,0,1", "", 200, `{"attribute":"yes","offsetBytes":0,"dataBytes":`)
	w.send(w.Full, get, "/v1/arrays/ann/mixed/max_buffer_sizes?subarray=a,z", "", 400, "needs 4")
	w.send(w.Full, get, "/v1/arrays/ann/mixed/max_buffer_sizes", "", 400, "needs 4")
	w.send(w.Other, get, "/v1/arrays/ann/mixed/sample", "", 404, "")
}

func TestPreviewsOfDenseArrays(t *testing.T) {
	w := newWorld(t)
	w.want(w.Full, post, "/v1/arrays/ann/x", schemaBody(t, lineSchema()), 204, "")
	w.send(w.Full, get, "/v1/arrays/ann/x/sample", "", 200, `{"a":[],"d":[],"data":{"a":[],"d":[]}}`)
	w.send(w.Full, get, "/v1/arrays/ann/x/non_empty_domain_json", "", 200, `{}`)
	w.send(w.Full, post, "/v1/arrays/ann/x/query/submit_query_json", `{}`, 200, `{"a":[],"d":[]}`)
	w.want(w.Full, post, "/v3/arrays/ann/x"+submitWrite, writeBody(t, 2, 4, 7, 8, 9), 200, "")
	w.send(w.Full, get, "/v1/arrays/ann/x/sample?samples=2", "", 200, `{"a":[7,8],"d":[2,3],"data":{"a":[7,8],"d":[2,3]}}`)
	w.send(w.Full, get, "/v1/arrays/ann/x/sample", "", 200, `{"a":[7,8,9],"d":[2,3,4],`)
	w.send(w.Full, post, "/v1/arrays/ann/x/query/submit_query_json", `{}`, 200, `{"a":[7,8,9],"d":[2,3,4]}`)
	w.send(w.Full, post, "/v1/arrays/ann/x/query/submit_query_json", `{"fields":["a"],"query_ranges":{"ranges":[[1,2,4,4]]}}`, 200, `{"a":[-2147483648,7,9]}`)
	w.send(w.Full, post, "/v1/arrays/ann/x/query/submit_query_json", `{"query_ranges":{"ranges":[[5,99]]}}`, 400, "")
	w.send(w.Full, get, "/v1/arrays/ann/x/non_empty_domain_json", "", 200, `{"d":[2,4]}`)
	w.send(w.Full, get, "/v1/arrays/ann/x/max_buffer_sizes?subarray=2,4", "", 200, `{"maxBufferSizes":[{"attribute":"a","offsetBytes":0,"dataBytes":12}]}`)
	w.send(w.Full, get, "/v1/arrays/ann/x/max_buffer_sizes?subarray=2,x", "", 400, "d")
}

func TestPreviewsAreBounded(t *testing.T) {
	w := newWorld(t)
	n := previewCells + 1
	w.uploadBytes("/v2/files/ann/f/upload", "", noise(n), 201, "")
	w.send(w.Full, post, "/v1/arrays/ann/f/query/submit_query_json", `{}`, 413, "narrower")
	w.send(w.Full, post, "/v1/arrays/ann/f/query/submit_query_json", `{"query_ranges":{"ranges":[[0,18446744073709550000]]}}`, 413, "narrower")
	w.send(w.Full, post, "/v1/arrays/ann/f/query/submit_query_json", fmt.Sprintf(`{"fields":["position"],"query_ranges":{"ranges":[[0,%d]]}}`, previewCells-1), 200, `131071]}`)
	if text := w.send(w.Full, get, "/v1/arrays/ann/f/sample?samples=255", "", 200, "254]"); strings.Count(text, ",") > 1200 {
		t.Errorf("%d", len(text))
	}
}
