package api

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/wire"
)

// putMetadata writes texts into the metadata of an array or, with a path of a group, of that.
func (w *world) putMetadata(path string, texts ...string) {
	w.t.Helper()
	body, err := wire.EncodeMetadata(textEntries(texts...))
	must(w.t, err)
	w.want(w.Full, post, path+"/array_metadata", body, 204, "")
}

func TestListsAreSearched(t *testing.T) {
	w := newWorld(t)
	schema := schemaBody(t, lineSchema())
	for _, name := range []string{"sales_2024", "weather"} {
		w.want(w.Full, post, "/v1/arrays/ann/"+name, schema, 204, "")
	}
	w.putMetadata("/v1/arrays/ann/weather", "station", "Sales office", "unit", "K")
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"sold","description":"All sales"}}`, 201, "")
	w.send2(w.Full, patch, "/v2/groups/ann/sold", `{"group_changes":{"members_to_add":[{"uri":"tiledb://ann/weather"},{"uri":"tiledb://ann/sales_2024"}]}}`, 204, "")
	names := func(text string) string {
		var list []string
		for _, part := range strings.Split(text, `"name":"`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			list = append(list, name)
		}
		return strings.Join(list, " ")
	}
	for path, want := range map[string]string{
		"/v1/arrays/browser/owned?search=sales": "sales_2024 weather", "/v1/groups/browser/owned?search=sales": "sold", "/v1/groups/ann/sold/contents?search=SALES": "sales_2024 weather",
		"/v1/groups/ann/sold/contents?search=2024": "sales_2024", "/v1/assets/ann?search=sales": "sales_2024 sold weather", "/v1/assets/ann?search=sales&order_by=name+desc": "weather sold sales_2024",
		"/v1/arrays/browser/owned?search=sales&orderby=name+desc": "weather sales_2024", "/v1/arrays/browser/shared?search=sales": "", "/v1/public_assets?search=sales": "",
		"/v1/arrays/browser/owned?search=eath": "weather",
	} {
		if got := names(w.send(w.Full, get, path, "", 200, "")); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	w.send(w.Full, get, "/v1/arrays/browser/owned/sidebar?search=sales", "", 200, `"result_count_for_all":2`)
	w.send(w.Full, get, "/v1/arrays/browser/owned?search=weather&with_metadata=True", "", 200, `"metadata":[{"key":"station","value":"Sales office","type":"STRING_UTF8"},`)
	w.send(w.Full, get, "/v1/assets/ann?search=weather&expand=metadata", "", 200, `"metadata":{"entries":[{"key":"station"`)
	w.send(w.Full, get, "/v1/arrays/browser/owned?with_metadata=x", "", 400, "with_metadata")
	// Who may know of an asset and not read it does not find it by its metadata, nor sees them.
	w.send(w.Full, patch, "/v1/arrays/ann/weather/share", `{"namespace":"bob","actions":["read_array_info"]}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/browser/shared?search=office", "", 200, `"arrays":null`)
	if text := w.send(w.Other, get, "/v1/arrays/browser/shared?search=weather&with_metadata=true", "", 200, `"name":"weather"`); strings.Contains(text, "office") {
		t.Error(text)
	}
	w.send(w.Full, patch, "/v1/arrays/ann/weather/share", `{"namespace":"bob","actions":["read"]}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/browser/shared?search=office&with_metadata=true", "", 200, `"value":"Sales office"`)
	// Nor does who may read a part.
	w.sharePart("weather", "bob", `{"masked":["a"]}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/browser/shared?search=office", "", 200, `"arrays":null`)
	w.send(w.Other, get, "/v1/arrays/browser/shared?search=weather", "", 200, `"name":"weather"`)
	// What was deleted from the metadata is found no more.
	body, err := wire.EncodeMetadata([]format.MetadataEntry{{Key: "station", Type: datatype.StringUTF8, Deleted: true}})
	must(t, err)
	waitMilli()
	w.want(w.Full, post, "/v1/arrays/ann/weather/array_metadata", body, 204, "")
	w.send(w.Full, get, "/v1/arrays/browser/owned?search=office", "", 200, `"total_items":0`)
	// Lists tell favourites, and when what was used.
	w.send(w.Full, post, "/v1/arrays/favorites/ann/weather", "", 204, "")
	must(t, w.Uses.Flush(t.Context()))
	w.send(w.Full, get, "/v1/arrays/browser/owned?search=weather", "", 200, `"is_favorite":true`)
	w.send(w.Full, get, "/v1/arrays/ann/weather/metadata", "", 200, `"last_accessed":"20`)
	w.send(w.Other, get, "/v1/arrays/ann/weather/metadata", "", 200, `"is_favorite":false,"created_at"`)
}

// What an array is shows from what it says, also when it was there before it was registered.
func TestRecognisedOnRegistration(t *testing.T) {
	w := newWorld(t)
	place := "file://" + filepath.Join(w.Allowed, "f")
	w.uploadBytes("/v2/files/ann/"+url.PathEscape(place)+"/upload", "&filename=a.csv", []byte("a,b\n1,2\n"), 201, "")
	w.send(w.Full, "DELETE", "/v1/arrays/ann/f/deregister", "", 204, "")
	w.send(w.Full, post, "/v1/arrays/ann/"+url.PathEscape(place)+"/register", `{"name":"again"}`, 200, `"file_type":"file","file_properties":{"mime_type":"text/plain; charset=utf-8","size":"8"}`)
	w.send(w.Full, get, "/v1/arrays/browser/owned?search=csv&file_property=size,8", "", 200, `"name":"again"`)
	w.send(w.Full, get, "/v1/arrays/browser/owned?file_property=size,9", "", 200, `"total_items":0`)
	w.send(w.Full, get, "/v1/arrays/browser/owned?file_property=size", "", 400, "key,value")
	w.want(w.Full, post, "/v1/arrays/ann/points", schemaBody(t, lineSchema()), 204, "")
	w.putMetadata("/v1/arrays/ann/points", "dataset_type", "pointcloud")
	w.send(w.Full, get, "/v1/assets/ann?asset_type=pointcloud", "", 200, `"name":"points"`)
	for _, tc := range []struct {
		said    map[string]string
		members []string
		want    string
	}{
		{map[string]string{"dataset_type": "soma"}, nil, "soma"}, {map[string]string{"dataset_type": "workflow", "soma_object_type": "SOMAExperiment"}, nil, ""},
		{map[string]string{"soma_object_type": "SOMAExperiment"}, nil, "soma"}, {map[string]string{"soma_object_type": "SOMACollection"}, nil, ""},
		{map[string]string{"index_type": "IVF_FLAT"}, nil, "vector_search"}, {nil, []string{"parts.tdb", "shuffled_vectors", "x"}, "vector_search"},
		{nil, []string{"data", "vcf_headers"}, "vcf"}, {nil, []string{"data", "headers"}, ""}, {map[string]string{"fmt_version": "2"}, []string{"l_0.tdb"}, "bioimg"},
	} {
		if got := recognisedGroup(tc.said, tc.members); got != tc.want {
			t.Errorf("%v %v: %q, want %q", tc.said, tc.members, got, tc.want)
		}
	}
}
