package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestFunctionsAreKept(t *testing.T) {
	w := newWorld(t)
	const f = "/v1/udf/ann/dbl"
	w.send(w.Full, post, f, `{"name":"other","language":"python","version":"3.11.7","type":"generic","exec":"gASV","exec_raw":"def f(x): ...","readme":"Doubles","tags":["math"],"image_name":null}`, 204, "")
	w.send(w.Full, post, f, `{"exec":"gASV","language":"python"}`, 409, "exists")
	for body, part := range map[string]string{`[]`: "one JSON object", `{"language":"python"} x`: "follows", `{"language":"cobol"}`: "python or r", `{"language":"r","type":"x"}`: "single_array",
		`{"language":1}`: "language", `{"exec":"x"}`: "is missing", `{"language":"r","tags":["A"]}`: "lower-case", `{"language":"r","readme":{}}`: "readme", ``: "one JSON object", `{"a":`: "one JSON object"} {
		w.send(w.Full, post, "/v1/udf/ann/bad", body, 400, part)
	}
	w.send(w.Full, get, "/v1/udf/ann/bad", "", 404, "")
	got := w.send(w.Full, get, f, "", 200, "")
	for _, part := range []string{`"language": "python"`, `"exec_raw": "def f(x): ..."`, `"readme": "Doubles"`, `"name": "dbl"`, `"tags": ["math"]`, `"version": "3.11.7"`} {
		if !strings.Contains(got, part) || !json.Valid([]byte(got)) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
	w.send(w.Full, get, "/v1/arrays/ann/dbl/metadata", "", 200, `"file_type":"user_defined_function","file_properties":{"mime_type":"application/json"`)
	w.send(w.Full, get, "/v1/arrays/ann/dbl/metadata", "", 200, `"udf_language":"python","udf_type":"generic"`)
	w.send(w.Full, get, "/v1/assets/ann?asset_type=user_defined_function", "", 200, `"name":"dbl"`)

	// What is not said stays; each change of the code is a version.
	var first struct {
		Times []int64 `json:"end_timestamps"`
	}
	must(t, json.Unmarshal([]byte(w.send(w.Full, get, f+"/end_timestamps", "", 200, "")), &first))
	if len(first.Times) != 1 {
		t.Fatalf("%+v", first)
	}
	waitMilli()
	w.send(w.Full, patch, f, `{"name":"dbl","version":"3.12.1","exec":"gBSV","exec_raw":null}`, 204, "")
	w.send(w.Full, get, f, "", 200, `"version": "3.12.1", "type": "generic", "exec_raw": "def f(x): ..."`)
	w.send(w.Full, get, fmt.Sprintf("%s?end_timestamp=%d", f, first.Times[0]), "", 200, `"version": "3.11.7"`)
	w.send(w.Full, get, f+"/end_timestamps", "", 200, `"total_items":2`)
	w.send(w.Full, patch, f, `{"license_id":"MIT","license_text":"Permission","tags":[]}`, 204, "")
	w.send(w.Full, get, f+"/end_timestamps", "", 200, `"total_items":2`)
	w.send(w.Full, get, f, "", 200, `"license_id": "MIT", "license_text": "Permission", "tags": []`)

	w.send(w.Full, post, f+"/copy", `{"name":"twice"}`, 201, `"output_uri":"tiledb://ann/twice"`)
	w.send(w.Full, get, "/v1/udf/ann/twice", "", 200, `"version": "3.12.1"`)
	w.send(w.Full, patch, f, `{"name":"twice","exec":"none"}`, 409, "exists")
	w.send(w.Full, get, f+"/end_timestamps", "", 200, `"total_items":2`)
	w.send(w.Full, patch, f, `{"name":"double"}`, 204, "")
	w.send(w.Full, get, "/v1/udf/ann/double", "", 200, `"name": "double"`)
	w.send(w.Full, patch, "/v1/arrays/ann/double/metadata", `{"read_only":true}`, 204, "")
	w.send(w.Full, patch, "/v1/udf/ann/double", `{"exec":"x"}`, 403, "read-only")
	w.send(w.Full, http.MethodDelete, "/v1/udf/ann/double", "", 403, "read-only")
	w.send(w.Full, patch, "/v1/arrays/ann/double/metadata", `{"read_only":false}`, 204, "")
	w.send(w.Full, http.MethodDelete, "/v1/udf/ann/double", "", 204, "")
	w.send(w.Full, get, "/v1/udf/ann/double", "", 404, "")
}

func TestCodeIsShared(t *testing.T) {
	w := newWorld(t)
	w.send(w.Full, post, "/v1/udf/ann/f", `{"language":"python","exec":"gASV"}`, 204, "")
	w.send(w.Full, post, "/v1/taskgraphs/ann/registered/g", `{"nodes":[]}`, 204, "")
	for _, tc := range []struct{ path, fetch, share, kind string }{{"/v1/udf/ann/f", "fetch_udf", "share_udf", "UDF"}, {"/v1/taskgraphs/ann/registered/g", "fetch_task_graph", "share_task_graph", "graph"}} {
		w.send(w.Other, get, tc.path, "", 404, "")
		w.send(w.Full, patch, tc.path+"/share", `{"namespace":"bob","actions":["read"]}`, 400, tc.fetch)
		w.send(w.Full, patch, tc.path+"/share", `{"actions":["`+tc.fetch+`"]}`, 404, "")
		w.send(w.Full, patch, tc.path+"/share", `{"namespace":"bob","actions":["`+tc.fetch+`"]}`, 204, "")
		w.send(w.Other, get, tc.path, "", 200, "")
		w.send(w.Other, get, tc.path+"/share", "", 403, "")
		w.send(w.Other, patch, tc.path, `{"tags":[]}`, 403, "")
		w.send(w.Other, http.MethodDelete, tc.path, "", 403, "")
		w.send(w.Full, patch, tc.path+"/share", `{"namespace":"bob","actions":["`+tc.fetch+`","`+tc.share+`"]}`, 204, "")
		w.send(w.Other, get, tc.path+"/share", "", 200, `[{"actions":["`+tc.fetch+`","`+tc.share+`"],"namespace":"bob","namespace_type":"user"}]`)
		w.send(w.Full, patch, tc.path+"/share", `{"namespace":"bob"}`, 204, "")
		w.send(w.Other, get, tc.path, "", 404, "")
	}
	w.send(w.Full, get, "/v1/udf/ann/g", "", 404, "")
	w.send(w.Full, get, "/v1/taskgraphs/ann/registered/f", "", 404, "")
	w.send(w.Token(t, "array:read"), post, "/v1/udf/ann/h", `{"language":"python"}`, 403, "array:read-write")
	w.send(w.Full, get, "/v1/.stats", "", 403, "")
}

// A graph comes back as it was sent, whatever is in it.
func TestGraphsAreKeptAsTheyAre(t *testing.T) {
	w := newWorld(t)
	const g = "/v1/taskgraphs/ann/registered/g"
	nodes := `[{"client_node_id":"a","name":"b \u00e9 <&>","udf_node":{"result_format":"booga","environment":null, "arguments":[1.50, 1e3, 12345678901234567890]}} ,
		{"depends_on":["a"],"client_node_id":"c"}]`
	w.send(w.Full, post, g, `{"nodes":`+nodes+`,"future":{"x": [ ]}, "name":"old"}`, 204, "")
	w.send(w.Full, get, g, "", 200, `{"nodes": `+nodes+`, "future": {"x": [ ]}, "name": "g", "uuid": "`)
	for body, part := range map[string]string{`{"nodes":[{}]}`: "client_node_id", `{"nodes":[{"client_node_id":"a"},{"client_node_id":"a"}]}`: "used twice",
		`{"nodes":[{"client_node_id":"a","depends_on":["b"]}]}`: "not in the graph", `{"nodes":{}}`: "nodes", `{}`: "is missing"} {
		w.send(w.Full, post, "/v1/taskgraphs/ann/registered/bad", body, 400, part)
	}
	w.send(w.Full, patch, g, `{"name":"h","nodes":[],"license_id":"MIT"}`, 204, "")
	w.send(w.Full, get, "/v1/taskgraphs/ann/registered/h", "", 200, `{"name": "h", "nodes": [], "license_id": "MIT", `)
	w.send(w.Full, get, "/v1/arrays/ann/h/metadata", "", 200, `"file_type":"registered_task_graph"`)
	w.send(w.Full, http.MethodDelete, "/v1/taskgraphs/ann/registered/h", "", 204, "")
	w.send(w.Full, get, "/v1/taskgraphs/ann/registered/h", "", 404, "")
}
