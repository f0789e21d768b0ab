package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"azulejo/internal/account"
	"azulejo/internal/token"
)

// charge is call with a payer and a type that is accepted.
func (w *world) charge(secret, method, path, payer, accept string) (int, string) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewReader(nil))
	for name, value := range map[string]string{"X-TILEDB-REST-API-Key": secret, "X-Payer": payer, "Accept": accept} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, r)
	return recorder.Code, recorder.Body.String()
}

func TestUsageIsCounted(t *testing.T) {
	w := newWorld(t)
	w.send(w.Full, post, "/v1/organization", `{"name":"lab"}`, 204, "")
	body := schemaBody(t, lineSchema())
	w.want(w.Full, post, "/v1/arrays/ann/x", body, 204, "")
	w.send(w.Full, patch, "/v1/arrays/ann/x/share", `{"namespace":"bob","actions":["read"]}`, 204, "")
	if status, text := w.charge(w.Full, get, "/v1/arrays/ann/x/sample", "LAB", ""); status != 200 {
		t.Fatal(status, text)
	}
	if status, text := w.charge(w.Other, get, "/v1/arrays/ann/x/sample", "", ""); status != 200 {
		t.Fatal(status, text)
	}
	for _, payer := range []string{"lab", "ann", "nobody", "public"} {
		if status, text := w.charge(w.Other, get, "/v1/arrays/ann/x/sample", payer, ""); status != 403 || !strings.Contains(text, "X-Payer") {
			t.Errorf("charged to %s: %d %s", payer, status, text)
		}
	}
	w.send(w.Full, get, "/v1/usage/lab?by=asset", "", 200, `"name":"ann/x","requests":1,"bytes_sent":`)
	w.send(w.Full, get, "/v1/usage/ann?by=user", "", 200, `"name":"ann","requests":4`) // the organization, the array, the share, and the usage of lab
	w.send(w.Full, get, "/v1/arrays/ann/x/usage?by=payer", "", 200, `"name":"bob","requests":1,`)
	w.send(w.Other, get, "/v1/usage/ann", "", 404, "")
	w.send(w.Other, get, "/v1/usage/lab", "", 404, "")
	w.send(w.Other, get, "/v1/arrays/ann/x/usage", "", 403, "")
	w.send(w.Full, get, "/v1/usage/ann?by=payer", "", 400, "by=")
	w.send(w.Full, get, "/v1/usage/ann?from=yesterday", "", 400, "2027-01-31")
	w.send(w.Full, get, "/v1/usage/ann?from=2020-01-01&to=2020-01-31", "", 200, `{"usage":[]}`)
	if status, text := w.charge(w.Full, get, "/v1/usage/lab?by=user", "", "text/csv"); status != 200 || !strings.HasPrefix(text, "day,id,name,requests,bytes_sent,bytes_received,task_seconds\n20") || !strings.Contains(text, ",ann,1,") {
		t.Errorf("%d %q", status, text)
	}
}

func TestQuotas(t *testing.T) {
	w := newWorld(t)
	w.want(w.Full, post, "/v1/arrays/ann/x", schemaBody(t, lineSchema()), 204, "")
	w.send(w.Full, http.MethodPut, "/v1/admin/quotas/ann", `{"requests":5}`, 403, "")
	u, err := w.Accounts.Create(t.Context(), account.NewUser{Name: "root", Password: "a long password", Admin: true})
	must(t, err)
	secret, _, err := w.Tokens.Create(t.Context(), token.SubjectOf(u), token.NewToken{Name: "test"})
	must(t, err)
	admin := secret.Reveal()
	w.send(admin, http.MethodPut, "/v1/admin/quotas/ann", `{"requests":-1}`, 400, "null")
	w.send(admin, http.MethodPut, "/v1/admin/quotas/ann", `{"task_seconds":-1}`, 400, "null")
	w.send(admin, http.MethodPut, "/v1/admin/quotas/nobody", `{"requests":5}`, 404, "")
	w.send(admin, http.MethodPut, "/v1/admin/quotas/ann", `{"bytes_sent":100000,"requests":2,"task_seconds":1.5}`, 204, "")
	w.send(w.Full, get, "/v1/usage/ann/quota", "", 200, `"limits":{"requests":2,"bytes_sent":100000,"bytes_received":null,"task_seconds":1.5}`)
	w.send(admin, get, "/v1/admin/quotas/ann", "", 200, `"namespace":"ann"`)
	w.send(w.Full, get, "/v1/arrays/ann/x/sample", "", 402, "ann has used")
	w.send(w.Full, post, "/v1/arrays/ann/y", "", 402, "")
	// Who has spent it still sees what there is, and can end it.
	w.send(w.Full, get, "/v1/arrays/ann/x/metadata", "", 200, "")
	w.send(w.Full, get, "/v1/usage/ann", "", 200, "")
	w.send(w.Full, get, "/v1/arrays/browser/owned", "", 200, "")
	w.send(w.Other, get, "/v1/arrays/ann/x/sample", "", 404, "")
	w.send(admin, http.MethodPut, "/v1/admin/quotas/ann", `{}`, 204, "")
	w.send(w.Full, get, "/v1/arrays/ann/x/sample", "", 200, "")
	w.send(w.Full, get, "/v1/usage/ann/quota", "", 200, `"limits":{"requests":null,`)
	w.send(w.Full, http.MethodDelete, "/v1/arrays/ann/x", "", 204, "")
}
