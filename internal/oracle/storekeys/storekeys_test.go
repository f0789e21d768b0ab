package storekeys

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/storeserver"
)

// call sends JSON as the administrator and compares the status.
func call(t *testing.T, s *launch.Server, path string, body any, want int, part string) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-TILEDB-REST-API-Key", s.Token)
	r.Header.Set("Content-Type", "application/json")
	status, answer, err := launch.Do(r)
	if err != nil || status != want || !strings.Contains(string(answer), part) {
		t.Errorf("%s %s: %d %s, %v; want %d with %q", path, text, status, answer, err, want, part)
	}
	for _, secret := range []string{"versity-secret", "wrong secret of a test"} {
		if strings.Contains(string(answer), secret) {
			t.Errorf("the answer tells a secret: %s", answer)
		}
	}
}

// TestCredentialsAreTried tries right and wrong keys on a real server of S3 that checks signatures.
func TestCredentialsAreTried(t *testing.T) {
	s3 := storeserver.VersityGW(t)
	s := launch.Start(t, launch.Options{Args: []string{"--allow-endpoint", "127.0.0.1"}})
	type fields map[string]any
	const at = "/v2/credentials/admin"
	aws := func(name, secret, endpoint string) fields {
		return fields{"name": name, "credential": fields{"aws": fields{"access_key_id": s3.Key, "secret_access_key": secret, "endpoint": endpoint}}}
	}
	call(t, s, at, aws("good", s3.Secret, s3.URL), http.StatusNoContent, "")
	call(t, s, at, aws("bad", "wrong secret of a test", s3.URL), http.StatusNoContent, "")
	call(t, s, at, fields{"name": "role", "role": fields{"aws": fields{"role_arn": "arn:aws:iam::1:role/r", "external_id": "x"}}}, http.StatusNoContent, "")
	call(t, s, at+"/good/test", fields{"uri": "s3://" + storeserver.Bucket + "/folder", "write": true}, http.StatusNoContent, "")
	call(t, s, at+"/good/test", fields{"uri": "s3://no-such-bucket/folder", "write": true}, http.StatusBadRequest, "cannot be used")
	call(t, s, at+"/good/test", fields{"uri": "azure://" + storeserver.Bucket}, http.StatusBadRequest, "s3://bucket/folder")
	call(t, s, at+"/good/test", fields{"uri": "s3://user@" + storeserver.Bucket}, http.StatusBadRequest, "s3://bucket/folder")
	call(t, s, at+"/bad/test", fields{"uri": "s3://" + storeserver.Bucket}, http.StatusBadRequest, "cannot be used")
	call(t, s, at+"/role/test", fields{"uri": "s3://" + storeserver.Bucket}, http.StatusNotImplemented, "no roles")
	call(t, s, at+"/nobody/test", fields{"uri": "s3://" + storeserver.Bucket}, http.StatusNotFound, "")

	// Elsewhere the same endpoint is not allowed, neither when it is kept nor when it is dialed.
	closed := launch.Start(t, launch.Options{})
	call(t, closed, at, aws("good", s3.Secret, s3.URL), http.StatusBadRequest, "allow-endpoint")
}
