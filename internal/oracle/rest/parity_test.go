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

const parityFoot = `
## What is refused

Programs in C and C++ can ask for a few things that this server answers with 501 and their name: coordinates of all dimensions in one buffer (` + "`" + `__coords` + "`" + `), the times of cells (` + "`" + `__timestamps` + "`" + `, ` + "`" + `__delete_timestamps` + "`" + `), queries of
type UPDATE, ranges of attributes, and more than one channel of aggregates. TileDB-Py asks for none of them.

The client of 2.30 refuses by itself, whatever the server: an encryption key (register the key with the array instead), ` + "`" + `finalize` + "`" + ` of a write in global order (` + "`" + `submit_and_finalize` + "`" + ` ends one), a limit of the size of fragments of a dense array, and queries
as JSON.
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
	page.WriteString(parityFoot)
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
