package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"azulejo/internal/activity"
)

// madeOf returns the id of an asset.
func (w *world) idOf(path string) string {
	w.t.Helper()
	var info struct {
		ID string `json:"id"`
	}
	must(w.t, json.Unmarshal([]byte(w.send(w.Full, get, path, "", 200, "")), &info))
	return info.ID
}

func TestOldNamesLeadToTheAsset(t *testing.T) {
	w := newWorld(t)
	schema := schemaBody(t, lineSchema())
	w.want(w.Full, post, "/v1/arrays/ann/one", schema, 204, "")
	id := w.idOf("/v1/arrays/ann/one/metadata")
	w.want(w.Full, post, "/v3/arrays/ann/one"+submitWrite, writeBody(t, 0, 1, 5, 6), 200, "")
	w.send(w.Full, patch, "/v1/arrays/ann/one/metadata", `{"name":"two"}`, 204, "")
	w.send(w.Full, patch, "/v1/arrays/ann/one/metadata", `{"name":"three"}`, 204, "") // by its old name
	for _, name := range []string{"one", "two", "three", id} {
		w.send(w.Full, get, "/v1/arrays/ann/"+name+"/metadata", "", 200, `"name":"three"`)
		w.want(w.Full, post, "/v3/arrays/ann/"+name+submitWrite, writeBody(t, 0, 1, 5, 6), 200, "")
		w.send(w.Full, get, "/v1/arrays/ann/"+name, "", 200, "")
		w.send(w.Other, get, "/v1/arrays/ann/"+name+"/metadata", "", 404, "")
	}
	w.send(w.Full, patch, "/v1/arrays/ann/three/share", `{"namespace":"bob","actions":["read"]}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/ann/one/metadata", "", 200, `"name":"three"`)
	w.send(w.Other, patch, "/v1/arrays/ann/one/metadata", `{"name":"mine"}`, 403, "")
	// A list has it once, under the name that it has.
	w.send(w.Full, get, "/v1/arrays/browser/owned", "", 200, `"total_items":1`)

	// Another asset takes an old name, and only that.
	w.want(w.Full, post, "/v1/arrays/ann/one", schema, 204, "")
	w.send(w.Full, get, "/v1/arrays/ann/one/metadata", "", 200, `"name":"one"`)
	w.send(w.Full, get, "/v1/arrays/ann/two/metadata", "", 200, `"name":"three"`)
	w.send(w.Full, http.MethodDelete, "/v1/arrays/ann/one", "", 204, "")
	w.send(w.Full, get, "/v1/arrays/ann/one/metadata", "", 404, "")
	w.send(w.Full, patch, "/v1/arrays/ann/three/metadata", `{"name":"two"}`, 204, "")
	w.send(w.Full, get, "/v1/arrays/ann/three/metadata", "", 200, `"name":"two"`)
	w.send(w.Full, http.MethodDelete, "/v1/arrays/ann/two", "", 204, "")
	w.send(w.Full, get, "/v1/arrays/ann/three/metadata", "", 404, "")

	// Groups, and code by the addresses of code.
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"g"}}`, 201, "")
	w.send(w.Full, patch, "/v1/groups/ann/g", `{"name":"h"}`, 204, "")
	w.send(w.Full, get, "/v1/groups/ann/g", "", 200, `"name":"h"`)
	w.send(w.Full, http.MethodOptions, "/v2/groups/ann/g", "", 200, "")
	w.send(w.Full, post, "/v1/udf/ann/f", `{"language":"python"}`, 204, "")
	w.send(w.Full, patch, "/v1/udf/ann/f", `{"name":"k"}`, 204, "")
	w.send(w.Full, get, "/v1/udf/ann/f", "", 200, `"name": "k"`)

	log, err := activity.Find(t.Context(), w.DB.Read(), activity.Filter{Event: activity.AssetRenamed}, 10)
	if err != nil || len(log) != 5 || log[0].UserID != w.Ann.UserID || !strings.HasSuffix(log[0].Detail, " ann/f to k") {
		t.Errorf("%+v, %v", log, err)
	}
}

func TestTransfer(t *testing.T) {
	w := newWorld(t)
	schema := schemaBody(t, lineSchema())
	w.send(w.Full, post, "/v1/organization", `{"name":"lab"}`, 204, "")
	w.want(w.Full, post, "/v1/arrays/ann/x", schema, 204, "")
	w.want(w.Full, post, "/v3/arrays/ann/x"+submitWrite, writeBody(t, 0, 1, 5, 6), 200, "")
	id := w.idOf("/v1/arrays/ann/x/metadata")
	for body, status := range map[string]int{`{"namespace":"bob"}`: 404, `{"namespace":"nobody"}`: 404, `{}`: 404, `{"namespace":"ann"}`: 400, `{"namespace":"public"}`: 404, `{"namespace":"lab","name":"a//b"}`: 400} {
		w.send(w.Full, post, "/v1/arrays/ann/x/transfer", body, status, "")
	}
	w.send(w.Full, patch, "/v1/arrays/ann/x/share", `{"namespace":"bob","actions":["read","write","edit"]}`, 204, "")
	w.send(w.Other, post, "/v1/arrays/ann/x/transfer", `{"namespace":"bob"}`, 403, "")
	w.send(w.Token(t, "array:read-write"), post, "/v1/arrays/ann/x/transfer", `{"namespace":"lab"}`, 403, "array:admin")
	w.send(w.Full, post, "/v1/arrays/ann/x/transfer", `{"namespace":"lab","name":"y"}`, 200, `"namespace":"lab","name":"y"`)
	for _, name := range []string{"/v1/arrays/ann/x", "/v1/arrays/ann/" + id, "/v1/arrays/lab/y", "/v1/arrays/lab/" + id} {
		w.send(w.Full, get, name+"/metadata", "", 200, `"namespace":"lab","name":"y"`)
		w.send(w.Other, get, name+"/metadata", "", 200, `"tiledb_uri":"tiledb://lab/y"`) // still shared
	}
	w.send(w.Full, get, "/v1/arrays/lab/x/metadata", "", 404, "")
	w.send(w.Full, get, "/v1/arrays/ann/y/metadata", "", 404, "")
	w.want(w.Full, post, "/v3/arrays/lab/y"+submitWrite, writeBody(t, 0, 1, 7, 8), 200, "")
	w.send(w.Full, get, "/v1/arrays/lab/y/sample", "", 200, `"a":[7,8]`)
	w.send(w.Full, get, "/v1/arrays/ann/sidebar", "", 404, "")
	// What it was given up for good may be deleted, not left to the giver's storage.
	w.send(w.Full, http.MethodDelete, "/v1/arrays/lab/y/deregister", "", 400, "delete it")
	w.send(w.Full, http.MethodDelete, "/v1/organizations/lab", "", 409, "")
	w.send(w.Full, post, "/v1/arrays/lab/y/transfer", `{"namespace":"ann"}`, 200, `"namespace":"ann","name":"y"`)
	w.send(w.Full, get, "/v1/arrays/lab/y/metadata", "", 200, `"namespace":"ann"`)
	w.send(w.Full, http.MethodDelete, "/v1/arrays/ann/y/deregister", "", 204, "")

	// Where an array of the name is, nothing goes.
	w.want(w.Full, post, "/v1/arrays/ann/z", schema, 204, "")
	w.want(w.Full, post, "/v1/arrays/lab/z", schema, 204, "")
	w.send(w.Full, post, "/v1/arrays/ann/z/transfer", `{"namespace":"lab"}`, 409, "exists")
	w.send(w.Full, get, "/v1/arrays/ann/z/metadata", "", 200, `"namespace":"ann"`)
	// Data in a directory of the administrator's go with the directory only.
	w.want(w.Full, post, "/v1/arrays/ann/"+url.PathEscape("file://"+w.Allowed+"/placed"), schema, 204, "")
	w.send(w.Full, post, "/v1/arrays/ann/placed/transfer", `{"namespace":"lab"}`, 403, "administrator")
}

// What is given away is not the giver's any more, by no route: not by the place of the data, nor by a group around it.
func TestTransferTakesRightsAlong(t *testing.T) {
	w := newWorld(t)
	schema := schemaBody(t, lineSchema())
	w.send(w.Other, post, "/v1/organization", `{"name":"lab"}`, 204, "")
	w.send(w.Other, post, "/v1/organizations/lab/user", `{"username":"ann","role":"read_write_delete"}`, 204, "")
	var me struct {
		Path string `json:"default_s3_path"`
	}
	must(t, json.Unmarshal([]byte(w.send(w.Full, get, "/v1/user", "", 200, "")), &me))
	place := me.Path + "/dir/x"
	w.want(w.Full, post, "/v1/arrays/ann/"+url.PathEscape(place), schema, 204, "")
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"g"}}`, 201, "")
	w.send2(w.Full, patch, "/v2/groups/ann/g", `{"group_changes":{"members_to_add":[{"uri":"tiledb://ann/x"}]}}`, 204, "")
	eve := w.person("eve")
	w.send(w.Full, patch, "/v1/groups/ann/g/share", `{"namespace":"eve","group_actions":["read"],"array_actions":["read"]}`, 204, "")
	w.send(eve, get, "/v1/arrays/ann/x/metadata", "", 200, "")
	w.send(w.Full, post, "/v1/arrays/ann/x/transfer", `{"namespace":"lab"}`, 200, "")
	w.send(eve, get, "/v1/arrays/ann/x/metadata", "", 404, "")
	w.send(w.Other, http.MethodDelete, "/v1/organizations/lab/ann", "", 204, "")
	for _, ref := range []string{"ann/x", "lab/x", "ann/" + url.PathEscape(place), "lab/" + url.PathEscape(place)} {
		w.send(w.Full, get, "/v1/arrays/"+ref+"/metadata", "", 404, "")
		w.send(w.Other, get, "/v1/arrays/"+ref+"/metadata", "", 200, `"namespace":"lab"`)
	}
	w.send(w.Full, post, "/v1/arrays/ann/"+url.PathEscape(place)+"/register", `{"name":"mine"}`, 403, "storage")
	w.want(w.Full, post, "/v1/arrays/ann/"+url.PathEscape(me.Path+"/dir"), schema, 403, "storage")
	w.send(w.Full, get, "/v1/groups/ann/g/contents", "", 200, `"entries":[]`)
}

func TestGroupsAreTransferredAndTriedDry(t *testing.T) {
	w := newWorld(t)
	w.send(w.Full, post, "/v1/organization", `{"name":"lab"}`, 204, "")
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"g"}}`, 201, "")
	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"sub"}}`, 201, "")
	for _, name := range []string{"a", "b"} {
		w.want(w.Full, post, "/v1/arrays/ann/"+name, schemaBody(t, lineSchema()), 204, "")
	}
	w.send2(w.Full, patch, "/v2/groups/ann/g", `{"group_changes":{"members_to_add":[{"uri":"tiledb://ann/a"},{"uri":"tiledb://ann/sub"}]}}`, 204, "")
	w.send2(w.Full, patch, "/v2/groups/ann/sub", `{"group_changes":{"members_to_add":[{"uri":"tiledb://ann/b"}]}}`, 204, "")
	names := func(text string) (list string) {
		var out struct {
			Assets []struct {
				Name string `json:"name"`
			} `json:"assets"`
			Files bool `json:"deletes_files"`
		}
		must(t, json.Unmarshal([]byte(text), &out))
		slices.SortFunc(out.Assets, func(x, y struct {
			Name string `json:"name"`
		}) int {
			return strings.Compare(x.Name, y.Name)
		})
		for _, x := range out.Assets {
			list += x.Name + " "
		}
		if out.Files {
			list += "with files"
		}
		return list
	}
	for _, tc := range []struct{ path, want string }{
		{"/v2/groups/ann/g/delete?dry_run=true", "g with files"}, {"/v2/groups/ann/g/delete?dry_run=True&recursive=true", "a b g sub with files"},
		{"/v2/groups/ann/g?dry_run=true&recursive=true", "a b g sub "}, {"/v1/groups/ann/g?dry_run=true", "g "}, {"/v1/arrays/ann/a?dry_run=true", "a with files"},
		{"/v1/arrays/ann/a/deregister?dry_run=true", "a "},
	} {
		if got := names(w.send(w.Full, http.MethodDelete, tc.path, "", 200, "")); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.path, got, tc.want)
		}
	}
	w.send(w.Other, http.MethodDelete, "/v1/arrays/ann/a?dry_run=true", "", 404, "")
	w.send(w.Full, http.MethodDelete, "/v1/arrays/ann/a?dry_run=x", "", 400, "")
	w.send(w.Full, get, "/v1/groups/ann/g", "", 200, `"asset_count":1,"group_count":1`)

	w.send(w.Full, post, "/v1/groups/ann/g/transfer", `{"namespace":"lab","recursive":true,"name":"study"}`, 200, `"namespace":"lab","name":"study"`)
	w.send(w.Full, get, "/v1/groups/lab/study", "", 200, `"asset_count":1,"group_count":1`)
	w.send(w.Full, get, "/v1/arrays/lab/b/metadata", "", 200, `"namespace":"lab"`)
	w.send(w.Full, get, "/v1/groups/lab/study/contents", "", 200, `"total_items":2`)
	// Within one namespace the shares of a group go on to reach its members.
	w.send(w.Full, patch, "/v1/groups/lab/study/share", `{"namespace":"bob","group_actions":["read"],"array_actions":["read"]}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/lab/b/metadata", "", 200, `"namespace":"lab"`)
	w.send(w.Full, get, "/v1/arrays/browser/owned?namespace=ann", "", 200, `"total_items":0`)
}
