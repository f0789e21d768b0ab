package rest

import (
	"bufio"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

var full = flag.Bool("rest.suite", false, "run all of TileDB-Py's own tests that can pass over REST, not a sample")

// sampled is how many tests of the list one of the sample stands for.
const sampled = 20

// TestSuite runs the client's own tests, which its package has inside, with their arrays at the server: by storage address
// and by name.
func TestSuite(t *testing.T) {
	content, err := os.ReadFile("testdata/suite/tests.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	for i, mode := range []string{"storage", "name"} {
		t.Run(mode, func(t *testing.T) {
			tests := all
			if !*full {
				tests = nil
				for j := i * sampled / 2; j < len(all); j += sampled {
					tests = append(tests, all[j])
				}
			}
			runSuite(t, mode, tests)
		})
	}
}

func runSuite(t *testing.T, mode string, tests []string) {
	if err := launch.DependOn("testdata/suite"); err != nil {
		t.Fatal(err)
	}
	s := launch.Start(t, launch.Options{})
	dir := t.TempDir()
	only, report := filepath.Join(dir, "only"), filepath.Join(dir, "report")
	if err := os.WriteFile(only, []byte(strings.Join(tests, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	conf, err := json.Marshal(map[string]string{"server": s.URL, "token": s.Token, "namespace": launch.User, "mode": mode, "only": only, "report": report})
	if err != nil {
		t.Fatal(err)
	}
	python := launch.Python(t).Python
	found, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(python)), "lib", "python*", "site-packages", "tiledb"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	plugins, err := filepath.Abs("testdata/suite")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-m", "pytest", "-q", "-p", "rest_paths", "-p", "no:cacheprovider", "--import-mode=importlib", "--collect-in-virtualenv", "--timeout", "120",
		"-o", "python_classes=*Test*", "--rootdir", found[0]}
	files := map[string]bool{}
	for _, id := range tests {
		file, _, _ := strings.Cut(id, "::")
		if !files[file] {
			args = append(args, filepath.Join(found[0], file))
		}
		files[file] = true
	}
	p := pyenv.Program{Path: python, Args: args, Dir: dir, Limit: 20 * time.Minute,
		Env: []string{"AZULEJO_SUITE=" + string(conf), "PYTHONPATH=" + plugins, "TMPDIR=" + s.Allowed, "HOME=" + dir}}
	out, runErr := p.Run(t.Context())
	outcomes := map[string]string{}
	if f, err := os.Open(report); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var l struct{ Node, When, Outcome, Reason string }
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				t.Fatal(err)
			}
			if outcomes[l.Node] == "" || l.Outcome == "failed" {
				outcomes[l.Node] = l.Outcome
			}
			if l.Outcome == "failed" {
				t.Errorf("%s (%s): %s", l.Node, l.When, l.Reason)
			}
		}
	}
	for _, id := range tests {
		if outcomes[id] == "" {
			t.Errorf("%s did not run", id)
		}
	}
	if runErr != nil && !t.Failed() {
		t.Errorf("%v\n%s", runErr, out.Stdout)
	}
}
