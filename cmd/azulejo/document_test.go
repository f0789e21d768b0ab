package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestImportDocument runs every command of docs/import-export.md and compares what it prints: blocks marked "file NAME"
// are files, lines behind "$ " commands, lines behind "! " what they print on standard error, others on standard output.
func TestImportDocument(t *testing.T) {
	page, err := os.ReadFile("../../docs/import-export.md")
	if err != nil {
		t.Fatal(err)
	}
	var script, files strings.Builder
	commands := 0
	for _, block := range regexp.MustCompile("(?ms)^```(\\S+)(?: (\\S+))?\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		switch block[1] {
		case "file":
			fmt.Fprintf(&files, "-- %s --\n%s", block[2], block[3])
			continue
		case "console":
		default:
			t.Errorf("a block of %q, which is not run", block[1])
		}
		for _, one := range strings.Split("\n"+block[3], "\n$ ")[1:] {
			commands++
			line, printed, _ := strings.Cut(one, "\n")
			var stdout, stderr strings.Builder
			for text := range strings.Lines(printed + "\n") {
				if complaint, ok := strings.CutPrefix(text, "! "); ok {
					stderr.WriteString(complaint)
				} else if text != "\n" {
					stdout.WriteString(text)
				}
			}
			not := ""
			if stderr.Len() > 0 {
				not = "! "
			}
			fmt.Fprintf(&script, "%sexec sh -c '%s'\ncmp stdout want-out-%d\ncmp stderr want-err-%d\n", not, strings.ReplaceAll(line, "'", "''"), commands, commands)
			fmt.Fprintf(&files, "-- want-out-%d --\n%s-- want-err-%d --\n%s", commands, stdout.String(), commands, stderr.String())
		}
	}
	if commands < 10 {
		t.Fatalf("only %d commands found", commands)
	}
	name := filepath.Join(t.TempDir(), "import-export.txtar")
	if err := os.WriteFile(name, []byte(script.String()+files.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Files: []string{name}})
}
