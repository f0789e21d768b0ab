package tables

import (
	"path/filepath"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

// TestReadersAgree imports and exports with the program and lets the real readers compare.
func TestReadersAgree(t *testing.T) {
	binary, err := launch.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if err := launch.DependOn("testdata"); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/tables.py")
	if err != nil {
		t.Fatal(err)
	}
	p := launch.Python(t).Script(nil, script, binary, t.TempDir())
	p.Limit = 5 * time.Minute
	out, err := p.Run(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.Stdout)
	}
}
