package api

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"azulejo/internal/credential"
	"azulejo/internal/vault"
)

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	const v1, v2 = "/v1/credentials/ann/aws", "/v2/credentials/ann"
	w.send(w.Full, get, v1, "", 200, "[]")
	w.send(w.Full, get, v2, "", 200, `"credentials":[{"allowed_in_tasks":true,"name":"local","provider_default":false}]`)
	w.send(w.Full, post, v1, `{"name":"main","access_key_id":"AKIA1","secret_access_key":"top-secret-1","default":true,"buckets":["s3://b"]}`, 204, "")
	w.send(w.Full, get, v1+"/MAIN", "", 200, `{"name":"main","access_key_id":"AKIA1","default":true,"buckets":["s3://b"],`)
	w.send(w.Full, post, v1, `{"name":"Main","access_key_id":"AKIA1","secret_access_key":"top-secret-1"}`, 409, "already exists")
	w.send(w.Full, post, v1, `{"name":"role","service_role_arn":"arn:aws:iam::1:role/x"}`, 204, "")
	w.send(w.Full, get, v2+"/role", "", 200, `"role":{"aws":{"endpoint":"","role_arn":"arn:aws:iam::1:role/x","sse_kms_key_id":""}}`)
	for body, part := range map[string]string{
		`{"name":"x"}`: "no key, role or token",
		`{"name":"x","credential":{"aws":{"access_key_id":"a"}}}`:                                                               "secret_access_key",
		`{"name":"x","credential":{"azure":{"account_key":"top-secret-2"}}}`:                                                    "account_name",
		`{"name":"x","token":{"gcp":{"key_text":"top-secret-2"}}}`:                                                              "service account",
		`{"name":"x","credential":3}`:                                                                                           "not the JSON",
		`{"name":"local","role":{"aws":{"role_arn":"a","external_id":"top-secret-2"}}}`:                                         "own storage",
		`{"name":"a/b","role":{"aws":{"role_arn":"a","external_id":"top-secret-2"}}}`:                                           "printable",
		`{"name":"x","role":{"aws":{"role_arn":"a","external_id":"e"}},"token":{"azure":{"account_name":"a","sas_token":"s"}}}`: "one form only",
	} {
		if text := w.send(w.Full, post, v2, body, 400, part); strings.Contains(text, "top-secret") {
			t.Errorf("a refusal repeats a secret: %s", text)
		}
	}
	for name, body := range map[string]string{
		"k": `"credential":{"aws":{"access_key_id":"A","secret_access_key":"top-secret-3","endpoint":"https://s3.example.org"}}`,
		"a": `"credential":{"azure":{"account_name":"acc","account_key":"top-secret-4"}}`,
		"g": `"credential":{"gcp":{"access_key_id":"G","secret_access_key":"top-secret-5"}}`,
		"r": `"role":{"aws":{"role_arn":"arn","external_id":"top-secret-6"}}`,
		"s": `"token":{"azure":{"account_name":"acc","sas_token":"top-secret-7"}}`,
		"j": `"token":{"gcp":{"key_text":"{\"client_email\":\"c@x\",\"private_key_id\":\"7\",\"private_key\":\"top-secret-8\"}"}}`,
	} {
		w.send(w.Full, post, v2, `{"name":"`+name+`","allowed_in_tasks":true,`+body+`}`, 204, "")
	}
	w.send(w.Full, get, v2+"?provider=AZURE&type=azure_token", "", 200, `"token":{"azure":{"account_name":"acc"}}`)
	w.send(w.Full, get, v2+"/j", "", 200, `"token":{"gcp":{"account_id":"c@x","key_id":"7"}}`)
	w.send(w.Full, get, v1+"/j", "", 404, "")
	w.send(w.Full, get, v2+"?page=2&per_page=5", "", 200, `"total_items":9`)

	// One default for each provider; a secret never goes to an endpoint that it was not given for.
	w.send(w.Full, patch, v2+"/k", `{"provider_default":true}`, 204, "")
	w.send(w.Full, get, v1+"/main", "", 200, `"default":false`)
	w.send(w.Full, patch, v2+"/k", `{"credential":{"aws":{"access_key_id":"A","endpoint":"https://evil.example.org"}}}`, 400, "both needed")
	w.send(w.Full, patch, v2+"/k", `{"name":"main"}`, 409, "")
	w.send(w.Full, patch, v2+"/nothing", `{"name":"y"}`, 404, "")

	body := string(schemaBody(t, lineSchema()))
	w.send(w.Full, post, "/v1/arrays/ann/x", body, 204, "")
	w.send(w.Other, post, "/v1/arrays/bob/y", body, 204, "")
	id := func(secret, of string) string {
		_, text := w.call(secret, get, of+"/metadata", nil)
		_, text, _ = strings.Cut(text, `"id":"`)
		return text[:36]
	}
	x, y := id(w.Full, "/v1/arrays/ann/x"), id(w.Other, "/v1/arrays/bob/y")
	const move = "/v1/assets/ann/change_credentials"
	w.send(w.Full, post, move, `{"access_credentials":"k","asset_uuids":["`+x+`"]}`, 204, "")
	w.send(w.Full, post, move, `{"access_credentials":"main","asset_uuids":["`+x+`","`+y+`"]}`, 404, "nothing was changed")
	w.send(w.Full, post, move, `{"access_credentials":"none","asset_uuids":["`+x+`"]}`, 404, "")
	w.send(w.Full, post, move, `{}`, 400, "")
	w.send(w.Other, post, move, `{"access_credentials":"k","asset_uuids":["`+x+`"]}`, 404, "")
	w.send(w.Full, patch, v2+"/k", `{"name":"kk"}`, 204, "")
	w.send(w.Full, get, "/v1/arrays/ann/x/metadata", "", 200, `"access_credentials_name":"kk"`)
	w.send(w.Full, del, v2+"/kk", "", 204, "")
	w.send(w.Full, del, v1+"/kk", "", 404, "")
	w.send(w.Full, del, v2+"/local", "", 404, "")
	if all := w.send(w.Full, get, v2+"?per_page=100", "", 200, "") + w.send(w.Full, get, v1, "", 200, ""); strings.Contains(all, "top-secret") {
		t.Errorf("a list tells a secret: %s", all)
	}
	w.nowhere("top-secret")
}

// nowhere fails if a text is in a file of the data directory.
func (w *world) nowhere(secret string) {
	w.t.Helper()
	must(w.t, filepath.WalkDir(w.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			w.t.Errorf("%s holds a secret", path)
		}
		return err
	}))
}

func TestCredentialsAreTheNamespaces(t *testing.T) {
	w := newWorld(t)
	const key = `{"name":"k","credential":{"aws":{"access_key_id":"A","secret_access_key":"s"}}}`
	w.send(w.Other, post, "/v2/credentials/ann", key, 404, "")
	w.send(w.Other, get, "/v2/credentials/ann", "", 404, "")
	w.send(w.Other, get, "/v2/credentials/nobody", "", 404, "")
	w.send(w.Full, post, "/v2/credentials/public", key, 404, "")
	w.send(w.Full, post, "/v1/organization", `{"name":"Lab"}`, 204, "")
	w.send(w.Full, post, "/v1/organizations/Lab/user", `{"username":"bob","role":"read_write_delete"}`, 204, "")
	w.send(w.Full, post, "/v2/credentials/lab", key, 204, "")
	w.send(w.Other, get, "/v2/credentials/lab", "", 200, `"access_key_id":"A"`)
	w.send(w.Other, post, "/v2/credentials/lab", key, 403, "")
	w.send(w.Other, patch, "/v2/credentials/lab/k", `{"name":"z"}`, 403, "")
	w.send(w.Other, del, "/v2/credentials/lab/k", "", 403, "")
	for _, c := range []struct{ scope, method, path, needs string }{
		{"user:read", post, "/v2/credentials/ann", "user:admin"}, {"organization:admin", get, "/v2/credentials/ann", "user:read"},
		{"user:admin", get, "/v2/credentials/lab", "organization:read"}, {"organization:read-write", post, "/v2/credentials/lab", "scope"},
		{"array:admin", get, "/v1/credentials/nobody/aws", "scope"},
	} {
		w.send(w.Token(t, c.scope), c.method, c.path, key, 403, c.needs)
	}
	w.send(w.Token(t, "user:read"), get, "/v2/credentials/ann", "", 200, "")

	// Another operator's key opens nothing, and resealing with both carries secrets over.
	ctx := t.Context()
	one, two := bytes.Repeat([]byte{1}, vault.OperatorKeyBytes), bytes.Repeat([]byte{2}, vault.OperatorKeyBytes)
	must(t, w.Vault.UseOperatorKey(two))
	if lost, err := w.Vault.LostKeys(ctx); lost != 1 || err != nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	must(t, w.Vault.UseOperatorKey(two, one))
	if sealed, lost, err := w.Vault.Reseal(ctx); sealed != 1 || lost != 0 || err != nil {
		t.Errorf("%d sealed, %d lost, %v", sealed, lost, err)
	}
	must(t, w.Vault.UseOperatorKey(two))
	if lost, err := w.Vault.LostKeys(ctx); lost != 0 || err != nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	w.send(w.Full, del, "/v2/credentials/lab/k", "", 204, "")
}

func TestEndpoints(t *testing.T) {
	for _, good := range []string{"", "https://s3.example.org", "http://s3.example.org:9000/", "s3.example.org", "https://8.8.8.8", "https://[2606:4700::1]",
		"https://minio.lab.internal:9000", "127.0.0.2"} {
		if err := credential.CheckEndpoint(good, []string{"minio.lab.internal:9000", "127.0.0.2"}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"https://127.0.0.1", "http://localhost:9000", "https://x.localhost", "https://10.0.0.1", "https://192.168.1.1", "https://169.254.169.254",
		"https://[::1]", "https://[fe80::1]", "https://[fd00::1]", "https://[::ffff:127.0.0.1]", "https://[::ffff:10.0.0.1]", "https://0.0.0.0", "https://100.64.0.1",
		"https://127.1", "https://0x7f.1", "https://2130706433", "https://intranet", "https://metadata.google.internal", "https://metadata.google.internal.",
		"ftp://s3.example.org", "file:///etc/passwd", "https://user:pw@s3.example.org", "https://s3.example.org/path", "https://s3.example.org/?x=1", "https://",
		"https://[64:ff9b::7f00:1]", "https://minio.lab.internal:9001", "https://224.0.0.1", "https://255.255.255.255"} {
		if err := credential.CheckEndpoint(bad, []string{"minio.lab.internal:9000", "127.0.0.2"}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	w := newWorld(t)
	const body = `{"name":"k","credential":{"aws":{"access_key_id":"A","secret_access_key":"s","endpoint":"http://127.0.0.1:9000"}}}`
	w.send(w.Full, post, "/v2/credentials/ann", body, 400, "allow-endpoint")
	w.api.limits.Endpoints = []string{"127.0.0.1"}
	w.send(w.Full, post, "/v2/credentials/ann", body, 204, "")
	w.api.limits.Endpoints = nil
	w.send(w.Full, patch, "/v2/credentials/ann/k", body, 400, "allow-endpoint")
}
