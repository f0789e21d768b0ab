package rest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

var update = flag.Bool("rest.update", false, "write docs/parity.md anew")

const parityHead = `# What works over REST

Each line is an operation of libtiledb's client, done once with a local array and once with one at the server. "yes" means that it works, and over REST that its
answer is the local one. The program is ` + "`parity.py`" + ` in the oracle's test data; ` + "`TestParity`" + ` runs it and compares this page, ` + "`go test ./internal/oracle/rest -run TestParity -rest.update`" + `
writes it.

| operation | call | local | REST |
|---|---|---|---|
`

// TestParity has the client do the same with a local array and with one at the server, and compares docs/parity.md.
func TestParity(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	if err := launch.DependOn("testdata", filepath.Join(launch.Root(), "testdata", "python")); err != nil {
		t.Fatal(err)
	}
	conf, err := json.Marshal(map[string]string{"mode": "server", "server": s.URL, "token": s.Token, "namespace": launch.User, "dir": s.Allowed, "data": ""})
	if err != nil {
		t.Fatal(err)
	}
	p := launch.Python(t).Script([]string{filepath.Join(launch.Root(), "testdata", "python")}, "testdata/parity.py", string(conf))
	// The client opens the arrays of labels by its default context, whatever the one in use.
	p.Env = append(p.Env, "HOME="+t.TempDir(), "TILEDB_REST_SERVER_ADDRESS="+s.URL, "TILEDB_REST_TOKEN="+s.Token)
	p.Limit = 3 * time.Minute
	out, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString(parityHead)
	for line := range bytes.Lines(out.Stdout) {
		var l struct{ Operation, Call, Local, Rest string }
		if json.Unmarshal(line, &l) != nil || l.Operation == "" {
			continue // something the client printed
		}
		if l.Rest != "yes" || l.Local != "yes" {
			t.Errorf("%s: local: %s; over REST: %s", l.Operation, l.Local, l.Rest)
		}
		fmt.Fprintf(&page, "| %s | `%s` | %s | %s |\n", l.Operation, l.Call, l.Local, l.Rest)
	}
	path := filepath.Join(launch.Root(), "..", "..", "docs", "parity.md")
	if *update && !t.Failed() {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != page.String() {
		t.Errorf("docs/parity.md does not say what the client can do (%v); look at the differences and run with -rest.update:\n%s", err, page.String())
	}
}
