package apifuzz

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

var examples = flag.Int("api.examples", 4, "how many requests of each kind schemathesis makes per operation")

// requirements are schemathesis and all that it needs.
const requirements = "anyio==4.16.0\ncertifi==2026.10.19.post1\ncharset-normalizer==3.5.3\nclick==8.5.1\ngraphql-core==3.3.2\nharfile==0.6.0\n" +
	"hypothesis==6.170.17\nhypothesis-graphql==0.13.5\nidna==3.20\niniconfig==2.3.1\njsonschema_rs==0.60.3\nmarkdown-it-py==4.3.0\n" +
	"MarkupSafe==3.0.4\nmdurl==0.1.2\npackaging==26.4\npluggy==1.7.0\nPygments==2.21.0\npyrate-limiter==4.5.1\npytest==9.2.0\n" +
	"PyYAML==6.0.4\nrequests==2.34.2\nrich==15.0.0\nschemathesis==4.32.5\nsortedcontainers==2.4.0\ntyping_extensions==4.16.0\n" +
	"urllib3==2.8.0\nWerkzeug==3.1.9"

// settings give the paths names that exist.
const settings = `[parameters]
namespace = "admin"
array = "line"
group = "folder"
organization = "lab"
username = "jane"
`

// TestAPI sends requests made from /docs/openapi.json, valid ones and others. No operation may fail with a status of the class 5xx or
// with an error of another shape than the documented one.
func TestAPI(t *testing.T) {
	env, err := pyenv.EnsureOnly(t.Context(), os.Stderr, requirements, "schemathesis")
	if err != nil {
		t.Fatal(err)
	}
	s := launch.Start(t, launch.Options{})
	for _, made := range [][2]string{
		{"/v1/user", `{"username":"jane","password":"a long password"}`}, {"/v1/organization", `{"name":"lab"}`}, {"/v1/groups/admin/create", `{"name":"folder"}`},
		{"/v1/arrays/admin/line", `{"arrayType":"dense","capacity":"10","cellOrder":"row-major","tileOrder":"row-major","version":[2,30,0],"attributes":[{"name":"a","type":"INT32","cellValNum":1}],
			"domain":{"type":"INT32","cellOrder":"row-major","tileOrder":"row-major","dimensions":[{"name":"x","type":"INT32","domain":{"int32":[0,9]},"tileExtent":{"int32":5}}]}}`},
	} {
		if status, body := request(t, s, http.MethodPost, made[0], made[1]); status >= 300 {
			t.Fatalf("%s: %d %s", made[0], status, body)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "schemathesis.toml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-m", "schemathesis.cli", "run", s.URL + "/docs/openapi.json", "--url", s.URL, "--header", "X-TILEDB-REST-API-KEY: " + s.Token,
		"--checks", "not_a_server_error,response_schema_conformance", "--phases", "examples,coverage,fuzzing", "--seed", "1", "--continue-on-failure",
		"--generation-database", "none", "--max-examples", strconv.Itoa(*examples)}
	for _, id := range unbuilt(t, s) {
		args = append(args, "--exclude-operation-id", id)
	}
	// The first four end the account or the token that the requests are made with, the others answer 501 by a server without mail.
	for _, id := range []string{"resetUserPassword", "revokeOtherSessions", "revokeToken", "updateUser", "mailPasswordReset", "mailEmailConfirmation"} {
		args = append(args, "--exclude-operation-id", id)
	}
	p := pyenv.Program{Path: env.Python, Args: args, Dir: dir, Env: []string{"HOME=" + dir, "NO_COLOR=1", "COLUMNS=200"}, Limit: 7*time.Minute + time.Duration(*examples)*time.Minute}
	out, err := p.Run(t.Context())
	if err != nil {
		t.Errorf("%v\n%s", err, out.Stdout)
	}
	if !bytes.Contains(out.Stdout, []byte("SUMMARY")) {
		t.Errorf("nothing was tested:\n%s", out.Stdout)
	}
	if log := s.Log(); strings.Contains(log, "msg=panic") {
		t.Errorf("the server has met a fault of its own: %s", log[strings.Index(log, "msg=panic"):][:2000])
	}
	t.Logf("%s", out.Stdout[max(0, len(out.Stdout)-600):])
}

// unbuilt lists the operations that the description says are not there yet, and checks that it says of the others what they take.
func unbuilt(t *testing.T, s *launch.Server) (ids []string) {
	t.Helper()
	_, body := request(t, s, http.MethodGet, "/docs/openapi.json", "")
	var description struct {
		Paths map[string]map[string]struct {
			ID         string `json:"operationId"`
			Parameters []struct{ In string }
			Body       json.RawMessage `json:"requestBody"`
			Responses  map[string]any
		}
	}
	if err := json.Unmarshal(body, &description); err != nil {
		t.Fatal(err)
	}
	queries, bodies := 0, 0
	for _, methods := range description.Paths {
		for _, op := range methods {
			if op.Responses["501"] != nil {
				ids = append(ids, op.ID)
			}
			if len(op.Parameters) > 0 && op.Parameters[len(op.Parameters)-1].In == "query" {
				queries++
			}
			if op.Body != nil {
				bodies++
			}
		}
	}
	if queries < 40 || bodies < 25 {
		t.Errorf("%d operations with query parameters and %d with bodies are described", queries, bodies)
	}
	return ids
}

func request(t *testing.T, s *launch.Server, method, path, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-TILEDB-REST-API-KEY", s.Token)
	req.Header.Set("Content-Type", "application/json")
	status, reply, err := launch.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return status, reply
}
