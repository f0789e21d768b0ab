package basic

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/internal/demo"
	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

// TestFirstFiveMinutes does what README says a new user does first: a Python environment by its command, with the versions
// that are pinned for the tests, what the demo prints to paste into it, and the look at the files without a server.
func TestFirstFiveMinutes(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(launch.Root())), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := launch.Start(t, launch.Options{})
	at := demo.Server{Base: s.URL, Token: s.Token, Namespace: launch.User}
	if _, err := demo.Load(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := (pyenv.Program{Path: launch.Python(t).Python, Args: []string{"-m", "venv", dir}}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	binary, err := launch.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(s.Data, filepath.Join(dir, "azulejo-data")); err != nil {
		t.Fatal(err)
	}
	// sh runs lines of README, in a directory in which the server has its data.
	sh := func(lines string) string {
		t.Helper()
		if !strings.Contains(string(readme), "       "+strings.ReplaceAll(lines, "\n", "\n       ")+"\n") {
			t.Errorf("README does not say %q", lines)
		}
		out, err := pyenv.Program{Path: "/bin/sh", Args: []string{"-ec", strings.ReplaceAll(lines, "go run ./cmd/azulejo", binary)}, Dir: dir, Limit: 5 * time.Minute,
			Env: []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "PIP_DISABLE_PIP_VERSION_CHECK=1",
				"PIP_CONSTRAINT=" + filepath.Join(launch.Root(), "pyenv", "requirements.txt")}}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return string(out.Stdout)
	}
	sh(demo.Install)
	out, err := pyenv.Program{Path: filepath.Join(bin, "python"), Args: []string{"-"}, Stdin: []byte(demo.Snippet(at)), Env: []string{"HOME=" + dir}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Stderr) > 0 {
		t.Errorf("warnings: %s", out.Stderr)
	}
	looked := sh("go run ./cmd/azulejo array tree azulejo-data/storage\nA=$(ls -d azulejo-data/storage/*/*-* | head -1)\n" +
		"go run ./cmd/azulejo array schema $A\ngo run ./cmd/azulejo array check $A")
	for _, part := range []string{"Idaho", "Maine", "Louisiana", "12901.504", "[123  47  11]", "  array", "format version ", "no faults in"} {
		if !strings.Contains(string(out.Stdout)+looked, part) {
			t.Errorf("%q was not printed:\n%s%s", part, out.Stdout, looked)
		}
	}
}
