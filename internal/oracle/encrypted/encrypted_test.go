package encrypted

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

func TestClientPrograms(t *testing.T) {
	o := launch.Options{Data: t.TempDir(), Allowed: t.TempDir()}
	s := launch.Start(t, o)
	s.Script(t, "testdata/encrypted.py", 3*time.Minute)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	// The key is nowhere in the database, nor in the log.
	files, err := filepath.Glob(filepath.Join(o.Data, "azulejo.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "0123456789abcdeF0123456789abcdeF") {
			t.Errorf("%s holds the key", name)
		}
	}
	if strings.Contains(s.Log(), "0123456789abcdeF0123456789abcdeF") {
		t.Error("the log holds the key")
	}
}
