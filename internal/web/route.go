package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
)

// methods are the ones an operation can have.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// param is one parameter of a path, unescaped.
type param struct{ key, value string }

// match is what routing found: the row with its parameters, or else the methods
// that the path answers to.
type match struct {
	op     *Operation
	params []param
	allow  []string
}

// route finds the row of a request. It works on the escaped path, so an escaped
// slash never separates, and "..", "." and "//" are segments like others. Each
// parameter is then unescaped exactly once; an empty one, or one that is not
// UTF-8, matches nothing. GET rows answer HEAD too.
func (s *Server) route(method string, u *url.URL) match {
	path := routePath(u)
	if op, params := s.lookup(method, path); op != nil {
		return match{op: op, params: params}
	}
	var m match
	if method == http.MethodHead {
		if op, params := s.lookup(http.MethodGet, path); op != nil {
			return match{op: op, params: params}
		}
	}
	for _, other := range methods {
		if op, _ := s.lookup(other, path); op != nil {
			m.allow = append(m.allow, other)
		}
	}
	if slices.Contains(m.allow, http.MethodGet) && !slices.Contains(m.allow, http.MethodHead) {
		m.allow = append(m.allow, http.MethodHead)
	}
	return m
}

func (s *Server) lookup(method, path string) (*Operation, []param) {
	rctx := chi.NewRouteContext()
	pattern := s.mux.Find(rctx, method, path)
	if pattern == "" {
		return nil, nil
	}
	op := s.ops[method+" "+pattern]
	if op == nil {
		return nil, nil
	}
	params := make([]param, len(rctx.URLParams.Keys))
	for i, key := range rctx.URLParams.Keys {
		value, err := url.PathUnescape(rctx.URLParams.Values[i])
		if err != nil || value == "" || !utf8.ValidString(value) {
			return nil, nil
		}
		params[i] = param{key, value}
	}
	return op, params
}

// routePath returns the escaped path to route by: one slash at the end does not
// count (libtiledb opens arrays at ".../?start_timestamp=…"), nor does a second
// one at the start (a client's server address that ends in a slash).
func routePath(u *url.URL) string {
	path := u.EscapedPath()
	if strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	if path == "" {
		return "/"
	}
	return path
}
