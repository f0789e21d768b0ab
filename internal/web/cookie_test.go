package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"azulejo/internal/access"
	"azulejo/internal/token"
)

// TOK-44: the console's cookie counts for the console's own requests only.
func TestTOK44_CookieIsSameSite(t *testing.T) {
	w := newWorld(t, Operation{ID: "session", Method: "GET", Path: "/session", Action: access.Public, Page: true,
		Handle: func(rw http.ResponseWriter, r *Request) error {
			secret, tok, err := w0.tokens.Create(ctx, w0.ann, token.NewToken{Kind: token.Session})
			SetSession(rw, r, secret, tok.ExpiresAt)
			return err
		}}, Operation{ID: "end", Method: "GET", Path: "/end", Action: access.Public, Page: true,
		Handle: func(rw http.ResponseWriter, r *Request) error { EndSession(rw, r); return nil }})
	w0 = w
	set := w.do("GET", "/session", nil).Result().Cookies()
	if len(set) != 1 || !set[0].HttpOnly || set[0].SameSite != http.SameSiteLaxMode || set[0].Secure {
		t.Fatalf("%+v", set)
	}
	cookie := set[0].Name + "=" + set[0].Value
	for _, tc := range []struct {
		name, method, path string
		h                  header
		status             int
	}{
		{"console's own GET", "GET", "/v1/user", header{"Sec-Fetch-Site": "same-origin"}, 200},
		{"typed address", "GET", "/v1/user", header{"Sec-Fetch-Site": "none"}, 200},
		{"old browser", "GET", "/v1/user", nil, 200},
		{"cross-site GET", "GET", "/v1/user", header{"Sec-Fetch-Site": "cross-site"}, 401},
		{"sibling domain", "GET", "/v1/user", header{"Sec-Fetch-Site": "same-site"}, 401},
		{"own POST", "POST", "/v1/arrays/ann/mine", header{"Sec-Fetch-Site": "same-origin"}, 200},
		{"own POST by Origin", "POST", "/v1/arrays/ann/mine", header{"Origin": "http://example.com"}, 200},
		{"cross-site POST", "POST", "/v1/arrays/ann/mine", header{"Sec-Fetch-Site": "cross-site"}, 401},
		{"cross-site POST by Origin", "POST", "/v1/arrays/ann/mine", header{"Origin": "https://evil.example"}, 401},
		{"cross-site sign-in", "POST", "/sign-in", header{"Sec-Fetch-Site": "cross-site"}, 403},
		{"link from a mail", "GET", "/", header{"Sec-Fetch-Site": "cross-site"}, 200},
	} {
		if tc.h == nil {
			tc.h = header{}
		}
		tc.h["Cookie"] = cookie
		rec := w.do(tc.method, tc.path, tc.h)
		w.want(rec, tc.status, tc.name)
		if tc.name == "link from a mail" && !strings.Contains(rec.Body.String(), `"user":"ann"`) {
			t.Errorf("%s: %s", tc.name, rec.Body)
		}
	}
	// A token in a header needs none of that.
	h := key(w.secret(w.ann))
	h["Sec-Fetch-Site"], h["Origin"] = "cross-site", "https://evil.example"
	w.want(w.do("POST", "/v1/arrays/ann/mine", h), 200, "token in a header")
	w.want(w.do("GET", "/v1/user", header{"Cookie": plainCookie + "=bad"}), 401, "bad cookie")
	if c := w.do("GET", "/end", nil).Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Errorf("%+v", c)
	}
}

// w0 lets a handler reach the world that is made with it.
var w0 *world

func TestHealthAndMetrics(t *testing.T) {
	ready := errors.New("not yet")
	m := NewMetrics()
	s, err := New(Options{Log: slog.New(slog.DiscardHandler), Metrics: m}, HealthOperations(m, func(context.Context) error { return ready }))
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		return rec
	}
	if got := get("/healthz"); got.Code != 200 || got.Body.String() != "ok\n" {
		t.Errorf("healthz: %d %s", got.Code, got.Body)
	}
	if got := get("/readyz"); got.Code != 500 {
		t.Errorf("readyz: %d", got.Code)
	}
	ready = nil
	if got := get("/readyz"); got.Code != 200 {
		t.Errorf("readyz: %d", got.Code)
	}
	get("/nothing")
	body := get("/metrics").Body.String()
	for _, want := range []string{`azulejo_http_requests_total{method="GET",operation="healthz",status="200"} 1`,
		`azulejo_http_requests_total{method="any",operation="none",status="404"} 1`, "go_goroutines", "azulejo_http_requests_running 1"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestBooleansAndNumbers(t *testing.T) {
	r := &Request{Request: httptest.NewRequest("GET", "/x?a=True&b=false&c=maybe&n=18446744073709551615&m=-1", nil)}
	for name, want := range map[string]bool{"a": true, "b": false, "absent": false} {
		if got, err := r.Flag(name); got != want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := r.Flag("c"); !errors.Is(err, ErrBadRequest) {
		t.Error(err)
	}
	if n, err := r.Number("n", 0); n != 1<<64-1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := r.Number("absent", 7); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := r.Number("m", 0); !errors.Is(err, ErrBadRequest) {
		t.Error(err)
	}
}
