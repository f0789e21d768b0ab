package rest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	lines := s.Parity(t, launch.Python(t), nil)
	var page strings.Builder
	page.WriteString(parityHead)
	for _, l := range lines {
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
