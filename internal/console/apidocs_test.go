package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"azulejo/internal/access"
	"azulejo/internal/web"
)

func TestDocumentation(t *testing.T) {
	b := newBrowser(t)
	done := func(http.ResponseWriter, *web.Request) error { return nil }
	find := func(*web.Request) (access.Object, error) { return access.Object{}, nil }
	table := []web.Operation{
		{ID: "getArray", Method: http.MethodGet, Path: "/v1/arrays/{namespace}/{array}", Action: access.ArraySchema, Find: find, Handle: done},
		{ID: "runSQL", Method: http.MethodPost, Path: "/v1/sql/{namespace}", Action: access.CodeRun, Find: find},
		{ID: "capabilities", Method: http.MethodGet, Path: "/v4/capabilities", Action: access.Public, Handle: done},
		{ID: "page", Method: http.MethodGet, Path: "/v1/page", Action: access.Public, Page: true, Handle: done},
		{ID: "healthz", Method: http.MethodGet, Path: "/healthz", Action: access.Public, Handle: done},
	}
	c, err := New(Parts{Accounts: b.Accounts, Tokens: b.Tokens, Letters: b.Letters})
	if err != nil {
		t.Fatal(err)
	}
	docs, err := c.Documentation(table)
	if err != nil {
		t.Fatal(err)
	}
	server, err := web.New(b.server.Options, append(table, docs...))
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) string {
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		if rec.Code != 200 {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
		return rec.Body.String()
	}
	page := get("/docs/api")
	for _, want := range []string{"/v1/arrays/{namespace}/{array}", "array:read", "runSQL (answers 501)", "array:read-write and user:read-write"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			ID         string           `json:"operationId"`
			Parameters []map[string]any `json:"parameters"`
			Responses  map[string]any   `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(get("/docs/openapi.json")), &doc); err != nil {
		t.Fatal(err)
	}
	op := doc.Paths["/v1/arrays/{namespace}/{array}"]["get"]
	if doc.OpenAPI != "3.1.0" || len(doc.Paths) != 3 || op.ID != "getArray" || len(op.Parameters) != 2 || op.Responses["default"] == nil {
		t.Errorf("document %+v", doc)
	}
	if sql := doc.Paths["/v1/sql/{namespace}"]["post"]; sql.Responses["501"] == nil || sql.Responses["2XX"] != nil {
		t.Errorf("what is not built: %+v", sql)
	}
}
