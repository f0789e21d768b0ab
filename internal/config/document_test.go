package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/settings.md")

// TestDocumentListsEverySetting holds docs/settings.md to the table of settings.
func TestDocumentListsEverySetting(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Settings of `azulejo serve`\n\nA setting comes from the defaults, then a file (`--config FILE`, lines of `key = value`), then the environment, then a flag `--key value`;\n" +
		"later ones replace earlier ones. Unknown keys are errors. This page is made from the table in `internal/config`.\n\n" +
		"| key | environment | default | meaning |\n|---|---|---|---|\n")
	for _, s := range Settings() {
		help := s.Help
		if s.Repeat {
			help += "; may be repeated"
		}
		if s.Secret {
			help += "; from the environment only"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.Key, s.Env(), s.Default, help)
	}
	path := filepath.Join("..", "..", "docs", "settings.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != b.String() {
		t.Errorf("docs/settings.md is not what the table says (%v): run with -update", err)
	}
}
