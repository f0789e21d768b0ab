package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestActivity(t *testing.T) {
	w := newWorld(t)
	body := string(schemaBody(t, lineSchema()))
	w.send(w.Full, post, "/v1/arrays/ann/x", body, 204, "")
	w.want(w.Full, post, "/v3/arrays/ann/x"+submitWrite, writeBody(t, 2, 4, 7, 8, 9), 200, "")
	w.send(w.Full, get, "/v1/arrays/ann/x", "", 200, "")
	w.send(w.Other, get, "/v1/arrays/ann/x", "", 404, "")
	var list []activityInfo
	must(t, json.Unmarshal([]byte(w.send(w.Full, get, "/v1/arrays/ann/x/activity", "", 200, "")), &list))
	var words []string
	for _, u := range list {
		words = append(words, u.Action)
		if u.Username != "ann" || u.ID == "" || u.At.IsZero() {
			t.Errorf("entry %+v", u)
		}
	}
	if got := strings.Join(words, " "); got != "read_schema query_write create" {
		t.Errorf("activity %q", got)
	}
	if list[1].Received == 0 || list[1].Sent == 0 {
		t.Errorf("a write without bytes: %+v", list[1])
	}
	w.send(w.Full, get, "/v1/arrays/ann/x/activity?event_types=query_write", "", 200, `"action":"query_write"`)
	w.send(w.Full, get, "/v1/arrays/ann/x/activity?end=1", "", 200, "[]")
	w.send(w.Full, get, "/v1/arrays/ann/x/activity?start=x", "", 400, "start")
	w.send(w.Full, get, "/v1/arrays/ann/x/activity/"+list[0].ID, "", 200, "read_schema")
	w.send(w.Full, get, "/v1/arrays/ann/x/activity/none", "", 404, "")
	w.send(w.Full, get, "/v2/arrays/ann/x/activity?per_page=2&page=2", "", 200, `"total_items":3`)
	w.send(w.Full, get, "/v1/arrays/last_accessed", "", 200, `"array_name":"x"`)
	w.send(w.Other, get, "/v1/arrays/last_accessed", "", 200, "[]")

	// Reading somebody's array gives no right to see who else reads it.
	w.send(w.Full, patch, "/v1/arrays/ann/x/share", `{"namespace":"bob","actions":["read"]}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/ann/x/activity", "", 403, "")
	w.send(w.Full, patch, "/v1/arrays/ann/x/share", `{"namespace":"bob","actions":["read_array_logs"]}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/ann/x/activity", "", 200, "query_write")

	w.send2(w.Full, post, "/v2/groups/ann", `{"group_details":{"name":"g"}}`, 201, "")
	w.send2(w.Full, patch, "/v2/groups/ann/g", `{"group_changes":{"members_to_add":[{"uri":"tiledb://ann/x"}]}}`, 204, "")
	w.send(w.Full, get, "/v2/groups/ann/g/activity", "", 200, `"action":"update"`)
	w.send(w.Full, get, "/v2/groups/ann/g/content_activity", "", 200, `"action":"query_write"`)
	w.send(w.Full, get, "/v1/groups/ann/g/content_activity?per_page=1", "", 200, `"total_items":3`)
}

func TestFavorites(t *testing.T) {
	w := newWorld(t)
	body := string(schemaBody(t, lineSchema()))
	for _, name := range []string{"x", "book"} {
		w.send(w.Full, post, "/v1/arrays/ann/"+name, body, 204, "")
	}
	w.send(w.Full, patch, "/v1/arrays/ann/book/metadata", `{"file_type":"notebook","file_properties":{"is_dashboard":"true"}}`, 204, "")
	w.send(w.Full, get, "/v1/arrays/favorites", "", 200, `"arrays":[]`)
	w.send(w.Full, get, "/v1/arrays/favorites/ann/x", "", 404, "")
	w.send(w.Full, post, "/v1/arrays/favorites/ann/x", "", 204, "")
	w.send(w.Full, post, "/v1/arrays/favorites/ann/x", "", 204, "")
	w.send(w.Full, post, "/v1/notebooks/favorites/ann/book", "", 204, "")
	w.send(w.Full, get, "/v1/arrays/favorites/ann/x", "", 200, `"array_uuid"`)
	w.send(w.Full, get, "/v1/arrays/favorites", "", 200, `"total_items":1`)
	w.send(w.Full, get, "/v1/arrays/favorites", "", 200, `"is_favorite":true`)
	w.send(w.Full, get, "/v1/notebooks/favorites?is_dashboard=True", "", 200, `"name":"book"`)
	w.send(w.Full, get, "/v1/notebooks/favorites/uuids", "", 200, `"notebook_uuid"`)
	w.send(w.Full, get, "/v1/ml_models/favorites", "", 200, `"mlmodels":[]`)
	w.send(w.Full, get, "/v1/udfs/favorites/uuids", "", 200, `[]`)
	w.send(w.Other, post, "/v1/arrays/favorites/ann/x", "", 404, "")
	w.send(w.Full, patch, "/v1/arrays/ann/x/share", `{"namespace":"bob","actions":["read"]}`, 204, "")
	w.send(w.Other, post, "/v1/arrays/favorites/ann/x", "", 204, "")
	w.send(w.Other, get, "/v1/arrays/favorites/uuids", "", 200, `"name":"x"`)
	w.send(w.Full, patch, "/v1/arrays/ann/x/share", `{"namespace":"bob","actions":[]}`, 204, "")
	w.send(w.Other, get, "/v1/arrays/favorites/uuids", "", 200, `[]`) // what is no longer his to see is nowhere
	w.send(w.Full, del, "/v1/arrays/favorites/ann/x", "", 204, "")
	w.send(w.Full, get, "/v1/arrays/favorites", "", 200, `"total_items":0`)
}
