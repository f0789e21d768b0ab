package api

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// missing says how many published operations have no row yet; it only goes down.
const missing = 0

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// TestPublishedOperations compares the table with the published operations: method and path of each are served, or answer 501
// after all checks, or are missing.
func TestPublishedOperations(t *testing.T) {
	w := newWorld(t)
	ours := map[string]bool{}
	for _, op := range w.server.Operations() {
		ours[op.Method+" "+parameter.ReplaceAllString(op.Path, "{}")] = op.Handle != nil
	}
	text, err := os.ReadFile(filepath.Join("testdata", "published.txt"))
	must(t, err)
	served, later, n := 0, 0, 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		n++
		key := f[0] + " " + parameter.ReplaceAllString(f[1], "{}")
		handled, known := ours[key]
		switch {
		case handled:
			served++
		case known:
			later++
		default:
			t.Logf("%s %s (%s) has no row", f[0], f[1], f[2])
		}
	}
	if n-served-later > missing {
		t.Errorf("%d operations have no row; there were %d before", n-served-later, missing)
	}
	if n != 189 {
		t.Errorf("%d published operations, want 168 + 21", n)
	}
	if flag.Lookup("test.v").Value.String() == "true" {
		fmt.Printf("%d served, %d answer 501, %d have no row\n", served, later, n-served-later)
	}
}
