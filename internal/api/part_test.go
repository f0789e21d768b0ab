package api

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/cells"
	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/internal/access"
	"azulejo/internal/activity"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// mixedPolicy shares of the array "mixed" the cells of ann and bob, without two attributes and without the values of a third.
const mixedPolicy = `{"hidden":["text","raw"],"masked":["f","color"],"ranges":{"name":["a","c"]},"condition":{"any":[{"field":"color","op":"in","value":["red","green"]},` +
	`{"all":[{"field":"text","op":"==","value":"z"},{"not":{"field":"maybe","op":"==","value":null}}]}]},"metadata":["n"]}`

// sharePart shares an array of ann to somebody with a policy.
func (w *world) sharePart(name, to, policy string, status int, part string) {
	w.t.Helper()
	w.send(w.Full, patch, "/v1/arrays/ann/"+name+"/share", `{"namespace":"`+to+`","actions":["read"],"policy":`+policy+`}`, status, part)
}

func TestPolicies(t *testing.T) {
	w := newWorld(t)
	uri := w.mixed()
	w.sharePart("mixed", "bob", mixedPolicy, 204, "")
	const on = "/v1/arrays/ann/mixed"
	const shown = `{"color":[255,255],"day":["1970-01-01T00:00:00Z","1970-01-02T00:00:00Z"],"f":["NaN","NaN"],"list":[[0.5],[]],"maybe":[9223372036854775807,null],` +
		`"name":["ann","bob"],"pair":[[1,-2],[3,4]],"wide":["hi","😀"],"yes":[true,false]}`
	if got := w.send(w.Other, post, on+"/query/submit_query_json", "{}", 200, ""); got != shown {
		t.Errorf("%s\nwant %s", got, shown)
	}
	w.send(w.Other, get, on+"/sample?samples=9", "", 200, `"name":["ann","bob"]`)
	if text := w.send(w.Other, get, on+"/sample", "", 200, ""); strings.Contains(text, `"raw"`) || strings.Contains(text, "eve") {
		t.Errorf("sample: %s", text)
	}
	w.send(w.Other, get, on+"/metadata_json", "", 200, `{"n":25}`)
	w.send(w.Other, get, on+"/non_empty_domain_json", "", 200, `{"day":["1970-01-01T00:00:00Z","1970-01-02T00:00:00Z"],"name":["a","c"]}`)
	w.send(w.Other, get, on+"/max_buffer_sizes?subarray=a,z,0,1000", "", 200, `{"attribute":"name","offsetBytes":16,"dataBytes":6}`)
	w.send(w.Other, post, on+"/query/submit_query_json", `{"fields":["text"]}`, 400, "no field")
	w.send(w.Other, post, on+"/query/submit_query_json", `{"fields":["name"],"query_ranges":{"ranges":[["d","z"]]}}`, 200, `{"name":[]}`)
	for _, path := range []string{"", "/metadata", "/non_empty_domain", "/array_metadata"} {
		if text := w.send(w.Other, get, on+path, "", 200, ""); strings.Contains(text, "raw") || strings.Contains(text, "text\x00") || strings.Contains(text, "colors") || strings.Contains(text, "eve") {
			t.Errorf("%s tells of what is hidden: %q", path, text)
		}
	}
	w.send(w.Other, get, on+"/end_timestamps", "", 200, `"end_timestamps":[]`)
	w.send(w.Other, get, on+"/fragment_end_timestamp", "", 404, "nothing was written")
	if text := w.send(w.Other, post, on+"/fragment_info", "", 200, ""); strings.Contains(text, fmt.Sprint("__", time.Now().UnixMilli()/100_000)) {
		t.Errorf("fragment info tells when something was written: %q", text)
	}
	// Nor do lists tell, or the search.
	w.send(w.Full, get, "/v1/arrays/browser/owned?with_metadata=true&search=25.5", "", 200, `"total_items":1`)
	w.send(w.Other, get, "/v1/arrays/browser/shared?search=mixed", "", 200, `"total_items":1`)
	w.send(w.Other, get, "/v1/arrays/browser/shared?search=25.5", "", 200, `"total_items":0`)
	for _, path := range []string{"/v1/arrays/browser/shared?with_metadata=true", "/v1/arrays/ann?with_metadata=true", "/v1/assets/ann?with_metadata=true"} {
		if text := w.send(w.Other, get, path, "", 200, `"mixed"`); strings.Contains(text, "25.5") || strings.Contains(text, "a text") {
			t.Errorf("%s tells metadata: %s", path, text)
		}
	}
	// Who may see everything still does.
	if got := w.send(w.Full, post, on+"/query/submit_query_json", "{}", 200, ""); got != mixedCells {
		t.Errorf("the owner sees %s", got)
	}
	// The policy is listed for who shares, and noted.
	w.send(w.Full, get, on+"/share", "", 200, `"policy":{"attributes":["maybe","color","f","pair","list","yes","wide"],"masked":["f","color"],"ranges":{"name":["a","c"]},"condition":{"any":[`)
	w.send(w.Other, get, on+"/share", "", 403, "")
	entries, err := activity.Find(t.Context(), w.DB.Read(), activity.Filter{Event: activity.Shared}, 9)
	if err != nil || len(entries) != 1 || !strings.Contains(entries[0].Detail, `"masked":["f","color"]`) || entries[0].UserID == "" {
		t.Errorf("%+v, %v", entries, err)
	}
	// A schema that is older or newer: new attributes are not shown, and without one of the condition nothing is.
	extra := schema.NewAttribute("salary", mixedSchema().Attributes[0].Type, 1)
	must(t, array.Evolve(t.Context(), file.New(), uri, schema.Evolution{AddAttributes: []schema.Attribute{extra}}))
	w.send(w.Full, post, on+"/query/submit_query_json", `{"fields":["salary"]}`, 200, "salary")
	w.send(w.Other, post, on+"/query/submit_query_json", `{"fields":["salary"]}`, 400, "no field")
	w.send(w.Other, get, on+"/sample", "", 200, "")
	must(t, array.Evolve(t.Context(), file.New(), uri, schema.Evolution{DropAttributes: []string{"text"}}))
	for _, path := range []string{"/sample", "", "/metadata_json", "/non_empty_domain_json"} {
		if text := w.send(w.Other, get, on+path, "", 403, "share it anew"); strings.Contains(text, `"text"`) {
			t.Errorf("the refusal names what is hidden: %s", text)
		}
	}
	// Sharing again without a policy shares all of it; sharing nothing ends it.
	w.send(w.Full, patch, on+"/share", `{"namespace":"bob","actions":["read"]}`, 204, "")
	w.send(w.Other, post, on+"/query/submit_query_json", `{"fields":["salary","name"]}`, 200, `"eve"`)
	w.send(w.Full, patch, on+"/share", `{"namespace":"bob","actions":[]}`, 204, "")
	w.send(w.Other, get, on+"/sample", "", 404, "")
}

// TestLabelsOfParts lets who may see a part see no dimension labels: neither in the schema nor by their own address.
func TestLabelsOfParts(t *testing.T) {
	w := newWorld(t)
	s := lineSchema()
	s.AddLabel(0, "height", schema.IncreasingData, datatype.Float64)
	uri := "file://" + w.Allowed + "/labelled"
	must(t, array.Create(t.Context(), file.New(), uri, s))
	w.send(w.Full, post, "/v1/arrays/ann/labelled/register", `{"uri":"`+uri+`"}`, 200, "")
	labels := "/v1/arrays/ann/labelled%2F__labels%2Fl0"
	w.send(w.Full, patch, "/v1/arrays/ann/labelled/share", `{"namespace":"bob","actions":["read"]}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/ann/labelled", "", 200, "height")
	w.send(w.Other, get, labels, "", 200, "")
	w.sharePart("labelled", "bob", `{"ranges":{"d":[2,3]}}`, 204, "")
	if text := w.send(w.Other, get, "/v1/arrays/ann/labelled", "", 200, ""); strings.Contains(text, "height") {
		t.Errorf("the schema tells of the label: %q", text)
	}
	w.send(w.Other, get, labels, "", 403, "labels are none of it")
	w.send(w.Full, get, labels, "", 200, "")
}

// TestFaultsOfParts tells who may see a part nothing of the rest by what goes wrong.
func TestFaultsOfParts(t *testing.T) {
	w := newWorld(t)
	uri := w.mixed()
	w.sharePart("mixed", "bob", `{"hidden":["text"]}`, 204, "")
	arr, err := array.Open(t.Context(), file.New(), uri, array.Latest(), array.ForWriting())
	must(t, err)
	_, err = query.Delete(t.Context(), arr, condition.CompareText("text", condition.EQ, "none"), 0)
	must(t, err)
	w.send(w.Other, get, "/v1/arrays/ann/mixed/sample", "", 200, `"eve"`)
	must(t, array.Evolve(t.Context(), file.New(), uri, schema.Evolution{DropAttributes: []string{"text"}}))
	for _, path := range []string{"/sample", "/non_empty_domain_json", "/max_buffer_sizes?subarray=a,b,0,1"} {
		if text := w.send(w.Other, get, "/v1/arrays/ann/mixed"+path, "", 501, "its owner is told"); strings.Contains(text, `\"text`) || strings.Contains(text, "__") {
			t.Errorf("%s: %s", path, text)
		}
	}
	w.send(w.Full, get, "/v1/arrays/ann/mixed/sample", "", 501, `\"text\"`)
	// A damaged file.
	for name, hurt := range map[string]string{"torn": "__fragment_metadata.tdb", "bitten": "a0.tdb"} {
		uri := "file://" + w.Allowed + "/" + name
		must(t, array.Create(t.Context(), file.New(), uri, lineSchema()))
		arr, err = array.Open(t.Context(), file.New(), uri, array.Latest(), array.ForWriting())
		must(t, err)
		_, err = query.Submit(t.Context(), arr, &query.Write{Layout: schema.RowMajor, Columns: []query.Column{cells.Of("a", make([]int32, 10))}})
		must(t, err)
		found, err := filepath.Glob(w.Allowed + "/" + name + "/__fragments/*/" + hurt)
		must(t, err)
		must(t, os.WriteFile(found[0], bytes.Repeat([]byte{255}, 200), 0o600))
		w.send(w.Full, post, "/v1/arrays/ann/"+name+"/register", `{"uri":"`+uri+`"}`, 200, "")
		w.sharePart(name, "bob", `{}`, 204, "")
		if text := w.send(w.Full, get, "/v1/arrays/ann/"+name+"/sample", "", 500, hurt); !strings.Contains(text, "azulejo array check") || strings.Contains(text, w.Allowed) {
			t.Errorf("%s", text)
		}
		if text := w.send(w.Other, get, "/v1/arrays/ann/"+name+"/sample", "", 500, "damaged"); strings.Contains(text, "__") || strings.Contains(text, hurt) {
			t.Errorf("%s", text)
		}
	}
}

func TestBadPolicies(t *testing.T) {
	w := newWorld(t)
	w.mixed()
	for policy, text := range map[string]string{
		`{"hidden":["nothing"]}`:                                                    `no attribute \"nothing\" to hide`,
		`{"hidden":["name"]}`:                                                       "dimensions are always shown",
		`{"attributes":["nothing"]}`:                                                `no attribute \"nothing\"`,
		`{"attributes":[]}`:                                                         "no attribute is shown",
		`{"attributes":["f","f"]}`:                                                  "twice",
		`{"attributes":["f"],"hidden":["yes"]}`:                                     "one of them",
		`{"attributes":["f"],"masked":["yes"]}`:                                     `\"yes\" is masked`,
		`{"hiden":["f"]}`:                                                           "hiden",
		`{"ranges":{"nothing":[1,2]}}`:                                              `no dimension \"nothing\"`,
		`{"ranges":{"day":[1]}}`:                                                    "two",
		`{"ranges":{"day":[1,1001]}}`:                                               "out of domain",
		`{"ranges":{"day":[3,2]}}`:                                                  "ends before it starts",
		`{"ranges":{"day":["x",2]}}`:                                                "no coordinate",
		`{"condition":{"field":"none","op":"==","value":1}}`:                        `\"none\"`,
		`{"condition":{"field":"f","op":"=","value":1}}`:                            "operator",
		`{"condition":{"field":"f","op":"=="}}`:                                     "no value",
		`{"condition":{"field":"f","op":"==","value":null}}`:                        "nullable",
		`{"condition":{"field":"f","op":"in","value":1}}`:                           "list",
		`{"condition":{"field":"f","op":"==","value":[1]}}`:                         "list",
		`{"condition":{"field":"f","op":"==","value":"x"}}`:                         "number",
		`{"condition":{"field":"color","op":"==","value":"mauve"}}`:                 `no label mauve`,
		`{"condition":{"field":"color","op":"<","value":"red"}}`:                    "order",
		`{"condition":{"field":"list","op":"<","value":1}}`:                         "cannot be compared",
		`{"condition":{}}`:                                                          "one of all",
		`{"condition":{"all":[]}}`:                                                  "combines nothing",
		`{"condition":{"not":{"all":[{"field":"f","op":"<","value":1}],"any":[]}}}`: "one of all",
		`{"condition":` + strings.Repeat(`{"not":`, 60) + `{"field":"f","op":"<","value":1}` + strings.Repeat(`}`, 60) + `}`: "nests",
		`[]`: "object", `5`: "object", `"x"`: "object",
		`{"metadata":["` + strings.Repeat("x", 70_000) + `"]}`: "bytes",
	} {
		w.sharePart("mixed", "bob", policy, 400, text)
	}
	w.send(w.Other, get, "/v1/arrays/ann/mixed/sample", "", 404, "")
	for _, actions := range []string{`"read","write"`, `"edit"`, `"read","read_array_logs"`} {
		w.send(w.Full, patch, "/v1/arrays/ann/mixed/share", `{"namespace":"bob","actions":[`+actions+`],"policy":{"masked":["f"]}}`, 400, "policy")
	}
	w.send(w.Other, get, "/v1/arrays/ann/mixed/sample", "", 404, "")
	w.send(w.Full, patch, "/v1/arrays/ann/mixed/share", `{"namespace":"bob","actions":["read"],"policy":null}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/ann/mixed/sample", "", 200, "eve")
	// Where there can be none it is not passed over.
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"g"}}`, 201, "")
	w.send(w.Full, patch, "/v1/groups/ann/g/share", `{"namespace":"bob","group_actions":["read"],"array_actions":["read"],"policy":{"masked":["f"]}}`, 400, "policy")
	w.send(w.Full, post, "/v1/invitations/ann/mixed/share", `{"invitee_email":["bob@example.org"],"actions":["read"],"policy":{"masked":["f"]}}`, 400, "policy")
	w.send(w.Full, post, "/v1/udf/ann/fn", `{"name":"fn","language":"python","version":"3.11.7","type":"generic","exec":"gASV","exec_raw":"def f(x): ..."}`, 204, "")
	w.send(w.Full, patch, "/v1/udf/ann/fn/share", `{"namespace":"bob","actions":["fetch_udf"],"policy":{}}`, 400, "policy")
	// One to everybody, and one that hides nothing of now.
	w.sharePart("mixed", "public", `{"ranges":{"day":["1970-01-02T00:00:00Z",1]},"condition":{"field":"yes","op":"==","value":false}}`, 204, "")
	w.send(w.person("eve"), get, "/v1/arrays/ann/mixed/sample", "", 200, `"name":["bob"]`)
}

// TestPartsAreNotPassedOn lets who may share on what he reads share no more than that.
func TestPartsAreNotPassedOn(t *testing.T) {
	w := newWorld(t)
	eve := w.person("eve")
	w.mixed()
	w.send(w.Full, post, "/v1/organization", `{"name":"lab"}`, 204, "")
	w.send(w.Full, post, "/v1/organizations/lab/user", `{"username":"bob","role":"admin"}`, 204, "")
	const on = "/v1/arrays/ann/mixed"
	w.send(w.Full, patch, on+"/share", `{"namespace":"lab","actions":["edit"]}`, 204, "")
	w.sharePart("mixed", "bob", mixedPolicy, 204, "")
	w.send(w.Other, patch, on+"/share", `{"namespace":"eve","actions":["read"]}`, 403, "only what you may do")
	w.send(w.Other, patch, on+"/share", `{"namespace":"eve","actions":["read_array_info"]}`, 204, "")
	w.send(eve, get, on+"/sample", "", 403, "")
	// Nor by a group of his own.
	w.send2(w.Other, post, "/v2/groups/bob", `{"group_details":{"name":"g"}}`, 201, "")
	w.send(w.Other, patch, "/v1/groups/bob/g/share", `{"namespace":"eve","group_actions":["read"],"array_actions":["read"]}`, 204, "")
	w.send2(w.Other, patch, "/v2/groups/bob/g", `{"group_changes":{"members_to_add":[{"name":"mixed","uri":"tiledb://ann/mixed","type":"array"}]}}`, 204, "")
	w.send(eve, get, on+"/sample", "", 403, "")
	// Of what all his organization may read, his own share takes nothing away.
	w.send(w.Full, patch, on+"/share", `{"namespace":"lab","actions":["read"]}`, 204, "")
	w.send(w.Other, get, on+"/sample", "", 200, "eve")
}

// partDecisions says of every operation that somebody may do who sees only a part of an array what becomes of the part:
// "part" when the answer is about the part alone, "refused" when there is none, "entry" when it tells nothing of what the array
// holds. An operation that is new has to be thought about, and to be put here.
var partDecisions = map[string]string{
	"openArray": "part", "getArray": "part", "loadArraySchema": "part", "loadEnumerations": "part", "getArrayMetadata": "part",
	"getNonEmptyDomainV1": "part", "getNonEmptyDomainV2": "part", "fragmentInfo": "part",
	"getArraySampleData": "part", "submitQueryJson": "part", "getArrayMetaDataJson": "part", "getArrayNonEmptyDomainJson": "part", "getArrayMaxBufferSizes": "part",
	"arrayEndTimestamps": "part", "getFragmentEndTimestamp": "part", "notebookEndTimestamps": "part", "udfEndTimestamps": "part",
	"getArrayInfo": "entry", "submitUDF": "not built",
	"consolidationPlan": "refused", "getFile": "refused", "exportFile": "refused", "downloadFile": "refused", "copyNotebook": "refused",
	"getUDFInfo": "refused", "getRegisteredTaskGraph": "refused", "HandleCopyUDF": "refused",
}

// partDecision is the row of partDecisions of an operation: queries are served by three routes each, favourites by many.
func partDecision(id string) (string, bool) {
	if strings.HasSuffix(id, "Favorite") {
		return "entry", true
	}
	for _, version := range []string{"v1", "v2", "v3"} {
		switch strings.TrimSuffix(id, version) {
		case "submitQuery", "finalizeQuery", "submitAndFinalizeQuery", "estimateResultSizes", "queryPlan":
			return "part", true
		}
	}
	decision, ok := partDecisions[id]
	return decision, ok
}

// partAssets are the assets that operations on other things than plain arrays are tried with.
var partAssets = map[string]string{"getFile": "f", "exportFile": "f", "downloadFile": "f", "copyNotebook": "nb", "getUDFInfo": "fn", "HandleCopyUDF": "fn", "getRegisteredTaskGraph": "tg",
	"uploadNotebook": "nb", "updateNotebookName": "nb", "pruneNotebook": "nb", "uploadFile": "f", "updateUDFInfo": "fn", "deleteUDFInfo": "fn"}

// partBodies are the bodies of operations that look at theirs first.
var partBodies = map[string]string{"consolidationPlan": `{"fragmentSize":"10"}`, "exportFile": `{"output_uri":"s3://bob/copy"}`}

// TestEveryOperationDecides walks the table of operations as somebody who may see parts of arrays.
func TestEveryOperationDecides(t *testing.T) {
	w := newWorld(t)
	w.mixed()
	w.sharePart("mixed", "bob", mixedPolicy, 204, "")
	w.uploadBytes("/v2/files/ann/f/upload", "", []byte("a file"), 201, "")
	w.uploadBytes("/v2/notebooks/ann/nb/upload", "", []byte(`{"cells":[]}`), 201, "")
	w.send(w.Full, post, "/v1/udf/ann/fn", `{"name":"fn","language":"python","version":"3.11.7","type":"generic","exec":"gASV","exec_raw":"def f(x): ..."}`, 204, "")
	w.send(w.Full, post, "/v1/taskgraphs/ann/registered/tg", `{"name":"tg","nodes":[]}`, 204, "")
	for _, name := range []string{"f", "nb", "fn", "tg"} {
		w.sharePart(name, "bob", `{}`, 204, "")
	}
	seen, refused := map[string]bool{}, 0
	for _, op := range w.api.Operations() {
		actions := append([]access.Action{op.Action}, op.Also...)
		if !slices.ContainsFunc(actions, func(a access.Action) bool { return slices.Contains(a.On(), access.Array) }) || op.Find == nil {
			continue
		}
		parts := slices.ContainsFunc(actions, access.Action.Parts)
		decision, decided := partDecision(op.ID)
		seen[op.ID] = true
		switch {
		case !parts && decided:
			t.Errorf("%s: the decision is never asked for: its actions are not for parts", op.ID)
		case !parts:
			// The rules refuse it before any handler, which TestRightsAgainstModel shows.
			continue
		case !decided:
			t.Errorf("%s %s %s: what does it do for somebody who may see only a part of the array? See partDecisions", op.ID, op.Method, op.Path)
			continue
		}
		name := partAssets[op.ID]
		if name == "" {
			name = "mixed"
		}
		path := strings.NewReplacer("{namespace}", "ann", "{array}", name, "{name}", name, "{file}", name).Replace(op.Path)
		body := partBodies[op.ID]
		if body == "" {
			body = "{}"
		}
		w.contentType = "application/json"
		if strings.Contains(op.Path, "/query/") {
			w.contentType = ""
		}
		switch status, text := w.call(w.Other, op.Method, path, []byte(body)); decision {
		case "refused":
			refused++
			if status != 403 || !strings.Contains(text, "only a part of the array is shared to you") {
				t.Errorf("%s is to be refused: %d %s", op.ID, status, text)
			}
		case "not built":
			if status != 501 {
				t.Errorf("%s is built by now and has to decide: %d %s", op.ID, status, text)
			}
		}
	}
	for id := range partDecisions {
		if !seen[id] {
			t.Errorf("there is no operation %s", id)
		}
	}
	if refused < 7 {
		t.Errorf("%d operations were tried and refused", refused)
	}
}
