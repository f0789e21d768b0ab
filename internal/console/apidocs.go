package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"azulejo/internal/access"
	"azulejo/internal/web"
)

// Documentation returns the rows that describe the API: a page for people and an OpenAPI document for programs, both made
// from the table of operations itself, so that they cannot say anything else.
func (c *Console) Documentation(table []web.Operation) ([]web.Operation, error) {
	document, err := json.Marshal(openAPI(table))
	if err != nil {
		return nil, fmt.Errorf("description of the API: %w", err)
	}
	page := apiPage(table)
	return []web.Operation{
		{ID: "pageAPI", Method: http.MethodGet, Path: "/docs/api", Action: access.Public, Page: true, Handle: func(w http.ResponseWriter, r *web.Request) error {
			return c.show(w, r, "api", frame{Title: "REST API", Page: page})
		}},
		{ID: "openAPI", Method: http.MethodGet, Path: "/docs/openapi.json", Action: access.Public, Handle: func(w http.ResponseWriter, _ *web.Request) error {
			w.Header().Set("Content-Type", "application/json")
			_, err := w.Write(document)
			return err
		}},
	}, nil
}

// apiRow is an operation as the page shows it.
type apiRow struct {
	ID, Method, Path, Call, Scopes string
	Query, Members                 string
	Built                          bool
}

// apiSection is the operations of one resource.
type apiSection struct {
	Name string
	Rows []apiRow
}

var versioned = regexp.MustCompile(`^/v[0-9]+/([a-z_.]+)`)

// isAPI reports whether a row is one of the API's calls rather than a page or a probe.
func isAPI(op web.Operation) bool { return !op.Page && versioned.MatchString(op.Path) }

func apiPage(table []web.Operation) []apiSection {
	sections := map[string]*apiSection{}
	for _, op := range table {
		if !isAPI(op) {
			continue
		}
		name := versioned.FindStringSubmatch(op.Path)[1]
		if sections[name] == nil {
			sections[name] = &apiSection{Name: name}
		}
		s := sections[name]
		s.Rows = append(s.Rows, apiRow{ID: op.ID, Method: op.Method, Path: op.Path, Call: callsOf(op), Scopes: scopesOf(op), Built: op.Handle != nil,
			Query: forms[op.ID].query, Members: forms[op.ID].members})
	}
	var list []apiSection
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		s := *sections[name]
		slices.SortFunc(s.Rows, func(a, b apiRow) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
		list = append(list, s)
	}
	return list
}

func actions(op web.Operation) []access.Action { return append([]access.Action{op.Action}, op.Also...) }

// callsOf names what an operation may do, as docs/permissions.md spells it.
func callsOf(op web.Operation) string {
	var names []string
	for _, a := range actions(op) {
		names = append(names, a.String())
	}
	return strings.Join(names, ", ")
}

// scopesOf says which scopes a token needs, for each of the things that an operation may do.
func scopesOf(op web.Operation) string {
	var list []string
	for _, a := range actions(op) {
		var scopes []string
		for _, s := range a.Needs() {
			scopes = append(scopes, string(s))
		}
		if text := strings.Join(scopes, " and "); text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	if len(list) == 0 {
		return "any"
	}
	return strings.Join(list, ", ")
}

var pathParameter = regexp.MustCompile(`\{([^}]+)\}`)

type object = map[string]any

// openAPI describes the table in the form of OpenAPI 3.1.
func openAPI(table []web.Operation) object {
	paths := map[string]object{}
	for _, op := range table {
		if !isAPI(op) {
			continue
		}
		if paths[op.Path] == nil {
			paths[op.Path] = object{}
		}
		paths[op.Path][strings.ToLower(op.Method)] = openAPIRow(op)
	}
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": "Azulejo", "version": "1", "description": "The REST API of Azulejo: versions 1 to 4 of the paths that TileDB's clients use."},
		"paths":   paths,
		"security": []object{
			{"token": []string{}}, {"basic": []string{}},
		},
		"components": object{
			"securitySchemes": object{
				"token": object{"type": "apiKey", "in": "header", "name": "X-TILEDB-REST-API-KEY"},
				"basic": object{"type": "http", "scheme": "basic"},
			},
			"schemas": object{"Error": object{
				"type": "object", "required": []string{"code", "message", "request_id"},
				"properties": object{
					"code":       object{"type": "integer", "format": "int64", "description": "stable over releases"},
					"message":    object{"type": "string", "description": "what failed and what to do"},
					"request_id": object{"type": "string", "format": "uuid"},
				},
			}},
			"responses": object{"Error": object{
				"description": "what failed, on what, and what to do",
				"content":     object{"application/json": object{"schema": object{"$ref": "#/components/schemas/Error"}}},
			}},
		},
	}
}

func openAPIRow(op web.Operation) object {
	var parameters []object
	for _, m := range pathParameter.FindAllStringSubmatch(op.Path, -1) {
		parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string", "minLength": 1}})
	}
	row := object{
		"operationId": op.ID,
		"tags":        []string{versioned.FindStringSubmatch(op.Path)[1]},
		"description": "Does " + callsOf(op) + ". A token needs the scope " + scopesOf(op) + ".",
		"responses":   object{"2XX": object{"description": "done"}, "default": object{"$ref": "#/components/responses/Error"}},
	}
	parameters = forms[op.ID].describe(row, parameters)
	if parameters != nil {
		row["parameters"] = parameters
	}
	if op.Action.Open() {
		row["security"] = []object{}
	}
	if op.Handle == nil {
		row["responses"] = object{"501": object{"$ref": "#/components/responses/Error"}, "default": object{"$ref": "#/components/responses/Error"}}
	}
	return row
}
