package s3face

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

func TestClientPrograms(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	t.Run("vfs", func(t *testing.T) { s.Script(t, "testdata/vfs.py", 3*time.Minute) })
	t.Run("boto", func(t *testing.T) { s.Script(t, "testdata/boto.py", 3*time.Minute) })
}

// TestDocument runs the Python of docs/files.md as one program.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile("../../../docs/files.md")
	if err != nil {
		t.Fatal(err)
	}
	var program strings.Builder
	blocks := regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	for _, block := range blocks {
		if block[1] != "python" {
			t.Errorf("a block of %q, which is not run", block[1])
		}
		program.WriteString(block[2] + "\n")
	}
	if len(blocks) < 5 {
		t.Fatalf("only %d blocks found", len(blocks))
	}
	s := launch.Start(t, launch.Options{})
	dir := filepath.Join(s.Allowed, "example")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := pyenv.Program{Path: launch.Python(t).Python, Args: []string{"-c", program.String()}, Env: []string{"HOME=" + t.TempDir(), "EXAMPLE_DIRECTORY=" + dir,
		"TILEDB_REST_SERVER_ADDRESS=" + s.URL, "TILEDB_REST_TOKEN=" + s.Token}}
	if _, err := p.Run(t.Context()); err != nil {
		t.Error(err)
	}
}
