package api

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"azulejo/group"
	"azulejo/internal/access"
	"azulejo/internal/activity"
	"azulejo/internal/catalog"
	"azulejo/internal/web"
)

// activityOps are the rows of who used what (spec page cloud-api.md, section 3).
func (a *API) activityOps() []web.Operation {
	row := func(id, path string, action access.Action, find func(*web.Request) (access.Object, error), handle web.Handler) web.Operation {
		return web.Operation{ID: id, Method: http.MethodGet, Path: path, Action: action, Find: find, Handle: handle}
	}
	return []web.Operation{
		row("arrayActivityLog", "/v1"+onArray+"/activity", access.ArrayLogs, a.findArray, a.arrayActivity),
		row("getActivityLogById", "/v1"+onArray+"/activity/{id}", access.ArrayLogs, a.findArray, a.oneActivity),
		row("arrayActivityPage", "/v2"+onArray+"/activity", access.ArrayLogs, a.findArray, a.arrayActivityPage),
		row("getGroupActivity", "/v2"+ofGroup+"/activity", access.GroupLogs, a.findGroup, a.groupActivity),
		row("getGroupContentActivity", "/v2"+ofGroup+"/content_activity", access.GroupLogs, a.findGroup, a.contentActivity),
		row("groupContentActivityOld", "/v1"+ofGroup+"/content_activity", access.GroupLogs, a.findGroup, a.contentActivity),
		row("getLastAccessedArrays", "/v1/arrays/last_accessed", access.CatalogRead, nil, a.lastAccessed),
	}
}

// usedAs are the published words for operations on assets; a query is named by its type.
var usedAs = map[string]string{
	"createArray": "create", "openArray": "read_schema", "getArray": "read_schema", "loadArraySchema": "read_schema", "deleteArray": "delete",
	"evolveArray": "update", "loadEnumerations": "read_enumerations", "getArrayMetadata": "array_metadata_get", "putArrayMetadata": "array_metadata_update",
	"getNonEmptyDomainV1": "non_empty_domain", "getNonEmptyDomainV2": "non_empty_domain", "fragmentInfo": "read_fragment_info",
	"registerArray": "register", "transferArray": "update", "transferGroup": "update", "deregisterArray": "deregister", "updateArrayInfo": "update",
	"getArraySampleData": "query_read", "getArrayMetaDataJson": "array_metadata_get", "getArrayNonEmptyDomainJson": "non_empty_domain", "getArrayMaxBufferSizes": "max_buffer_sizes",
	"uploadNotebook": "query_write", "uploadNotebookForm": "create", "copyNotebook": "query_read", "pruneNotebook": "query_delete", "updateNotebookName": "update",
	"uploadFile": "query_write", "uploadFileForm": "create", "createFile": "create", "exportFile": "query_read", "downloadFile": "query_read",
	"registerUDFInfo": "create", "getUDFInfo": "query_read", "updateUDFInfo": "update", "deleteUDFInfo": "delete", "HandleCopyUDF": "query_read",
	"registerRegisteredTaskGraph": "create", "getRegisteredTaskGraph": "query_read", "updateRegisteredTaskGraph": "update", "deleteRegisteredTaskGraph": "delete",
	"createGroup": "create", "createGroupByName": "create", "openGroup": "group_member_get", "getGroupContents": "group_member_get",
	"updateGroup": "update", "changeGroupContents": "update", "updateGroupInfo": "update", "deleteGroup": "delete",
	"registerGroup": "register", "registerGroupByName": "register", "deregisterGroup": "deregister", "removeGroup": "deregister",
	"getGroupMetadata": "group_metadata_get", "putGroupMetadata": "group_metadata_update",
}

// useOf returns the published word for a request, or nothing for one that is no use of an asset.
func useOf(r *web.Request) string {
	if word := usedAs[r.Op.ID]; word != "" {
		return word
	}
	switch {
	case !strings.Contains(r.Op.Path, "/query/"):
	case strings.HasSuffix(r.Op.Path, "/est_result_sizes"):
		return "estimated_result_sizes"
	case r.Action == access.ArrayWrite && strings.EqualFold(r.Query().Get("type"), "delete"):
		return "query_delete"
	case r.Action == access.ArrayWrite:
		return "query_write"
	case r.Action == access.ArrayRead:
		return "query_read"
	}
	return ""
}

// Done counts a call that was done, and notes it in the log of the asset that it used. It is for web.Options.
func (a *API) Done(r *web.Request, sent, received int64) {
	a.count(r, sent, received)
	x, ok := r.Found.(catalog.Asset)
	word := useOf(r)
	if !ok || x.ID == "" || word == "" || r.Subject.UserID == "" {
		return
	}
	use := activity.Use{AssetID: x.ID, At: a.tokens.Now(), Action: word, UserID: r.Subject.UserID, UserName: r.Subject.Namespace,
		Origin: r.Origin(), Sent: sent, Received: received}
	// best effort: the call is done and its reply is out; what could not be written waits for the next turn.
	_ = a.uses.Note(context.WithoutCancel(r.Context()), use)
}

// activityInfo is the published shape of one use.
type activityInfo struct {
	ID       string    `json:"id"`
	At       time.Time `json:"event_at"`
	Action   string    `json:"action"`
	Username string    `json:"username"`
	Sent     int64     `json:"bytes_sent"`
	Received int64     `json:"bytes_received"`
	TaskID   string    `json:"array_task_id,omitempty"`
	Address  string    `json:"address"`
	Agent    string    `json:"user_agent"`
}

func activityOf(u activity.Use) activityInfo {
	return activityInfo{ID: u.ID, At: u.At, Action: u.Action, Username: u.UserName, Sent: u.Sent, Received: u.Received, TaskID: u.TaskID,
		Address: u.Origin.Address, Agent: u.Origin.Agent}
}

// useFilter reads the filters of a request about the uses of assets; page tells whether it asks for one.
func useFilter(r *web.Request, page bool, assets ...string) (activity.UseFilter, error) {
	q := r.Query()
	f := activity.UseFilter{AssetIDs: assets, TaskID: q.Get("task_id")}
	for _, at := range []struct {
		name string
		to   *time.Time
	}{{"start", &f.From}, {"end", &f.To}} {
		seconds, err := r.Number(at.name, 0)
		if err != nil {
			return f, err
		}
		if seconds > 0 {
			*at.to = time.Unix(int64(min(seconds, 1<<40)), 999_999_999)
		}
	}
	if !f.From.IsZero() {
		f.From = f.From.Truncate(time.Second)
	}
	for _, list := range q["event_types"] {
		f.Actions = append(f.Actions, strings.Split(list, ",")...)
	}
	if !page {
		return f, nil
	}
	var err error
	f.Page, f.PerPage, err = pageOf(r, 100)
	return f, err
}

func (a *API) arrayActivity(w http.ResponseWriter, r *web.Request) error {
	f, err := useFilter(r, false, asset(r).ID)
	if err != nil {
		return err
	}
	f.Page, f.PerPage = 1, 10*maxPerPage // version 1 has no pages; the newest are what people look for
	list, _, err := a.uses.List(r.Context(), f)
	if err != nil {
		return err
	}
	if strings.Contains(r.Header.Get("Accept"), "text/csv") {
		return sendActivity(w, list)
	}
	return web.JSON(w, r, http.StatusOK, mapped(list, activityOf))
}

// mapped is list with f done to each, never nil.
func mapped[T, U any](list []T, f func(T) U) []U {
	out := make([]U, len(list))
	for i, x := range list {
		out[i] = f(x)
	}
	return out
}

// sendActivity sends uses as a table.
func sendActivity(w http.ResponseWriter, list []activity.Use) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="activity.csv"`)
	out := csv.NewWriter(w)
	rows := [][]string{{"at", "action", "user", "address", "agent", "bytes_sent", "bytes_received", "id"}}
	for _, u := range list {
		rows = append(rows, []string{u.At.Format(time.RFC3339Nano), u.Action, u.UserName, u.Origin.Address, cell(u.Origin.Agent),
			strconv.FormatInt(u.Sent, 10), strconv.FormatInt(u.Received, 10), u.ID})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("activity: %w", err)
	}
	return nil
}

// cell keeps a text that others chose from being a formula where the table is opened.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (a *API) oneActivity(w http.ResponseWriter, r *web.Request) error {
	u, err := a.uses.Get(r.Context(), asset(r).ID, r.Param("id"))
	if err != nil {
		return err
	}
	return web.JSON(w, r, http.StatusOK, activityOf(u))
}

// usesPage returns the page that a request asks for of the uses of assets, of none if there are none.
func (a *API) usesPage(r *web.Request, assets ...string) ([]activity.Use, pagination, error) {
	var p pagination
	f, err := useFilter(r, true, append([]string{}, assets...)...)
	if err != nil {
		return nil, p, err
	}
	list, total, err := a.uses.List(r.Context(), f)
	p.fill(f.Page, f.PerPage, total)
	return list, p, err
}

func (a *API) arrayActivityPage(w http.ResponseWriter, r *web.Request) error {
	list, p, err := a.usesPage(r, asset(r).ID)
	if err != nil {
		return err
	}
	out := struct {
		Logs       []activityInfo `json:"activitylogs"`
		Pagination pagination     `json:"pagination_metadata"`
	}{mapped(list, activityOf), p}
	return web.JSON(w, r, http.StatusOK, out)
}

// activeAsset is the published shape of the asset that an entry is about.
type activeAsset struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Type      string `json:"asset_type"`
}

func activeOf(x catalog.Asset) activeAsset {
	return activeAsset{ID: x.ID, Name: x.Name, Namespace: x.Namespace, Type: assetType(x)}
}

func (a *API) groupActivity(w http.ResponseWriter, r *web.Request) error {
	type entry struct {
		activityInfo
		Asset activeAsset `json:"asset"`
	}
	list, p, err := a.usesPage(r, asset(r).ID)
	if err != nil {
		return err
	}
	out := struct {
		Logs       []entry    `json:"activity_logs"`
		Pagination pagination `json:"pagination_metadata"`
	}{mapped(list, func(u activity.Use) entry { return entry{activityOf(u), activeOf(asset(r))} }), p}
	return web.JSON(w, r, http.StatusOK, out)
}

// contentActivity answers the uses of a group's members, of those whose log the caller may read.
func (a *API) contentActivity(w http.ResponseWriter, r *web.Request) error {
	read, err := access.Allowed(r.Subject, access.GroupRead, r.Object)
	if err != nil {
		return err
	}
	opened, err := a.vault.OpenGroup(r.Context(), read, asset(r), group.Latest())
	if err != nil {
		return err
	}
	members, err := a.visibleMembers(r, opened)
	if err != nil {
		return err
	}
	by := map[string]catalog.Asset{}
	for _, m := range members {
		if m.known && access.RightsOn(r.Subject, m.asset.Object()).Has(access.CanReadLogs) {
			by[m.asset.ID] = m.asset
		}
	}
	ids := []string{}
	for id := range by {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	list, p, err := a.usesPage(r, ids...)
	if err != nil {
		return err
	}
	type entry struct {
		Asset activeAsset  `json:"asset"`
		Log   activityInfo `json:"activity_log"`
	}
	out := struct {
		Activity   []entry    `json:"activity"`
		Pagination pagination `json:"pagination_metadata"`
	}{mapped(list, func(u activity.Use) entry { return entry{activeOf(by[u.AssetID]), activityOf(u)} }), p}
	return web.JSON(w, r, http.StatusOK, out)
}

// lastShown is how many arrays the list of the last used ones has at most.
const lastShown = 100

// lastAccessed answers the arrays that the caller used last, as far as he still sees them.
func (a *API) lastAccessed(w http.ResponseWriter, r *web.Request) error {
	type entry struct {
		ID        string `json:"array_id"`
		Name      string `json:"array_name"`
		Namespace string `json:"namespace"`
		At        int64  `json:"accessed_time"`
		As        string `json:"access_type"`
	}
	list, err := a.uses.LastOf(r.Context(), r.Subject.UserID, lastShown)
	if err != nil {
		return err
	}
	assets, err := a.catalog.ByIDs(r.Context(), mapped(list, func(u activity.Use) string { return u.AssetID }))
	if err != nil {
		return err
	}
	out := []entry{}
	for _, u := range list {
		x, ok := assets[u.AssetID]
		if ok && x.Kind == catalog.Array && access.RightsOn(r.Subject, x.Object()) != 0 {
			out = append(out, entry{x.ID, x.Name, x.Namespace, u.At.UnixMilli(), u.Action})
		}
	}
	return web.JSON(w, r, http.StatusOK, out)
}
