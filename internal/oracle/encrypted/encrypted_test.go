package encrypted

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
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

	rotate(t, o)
}

// rotate changes the operator's key of the server's directory, once by way of a change that broke off, and then loses it.
func rotate(t *testing.T, o launch.Options) {
	binary, err := launch.Binary()
	if err != nil {
		t.Fatal(err)
	}
	change := func() string {
		out, err := pyenv.Program{Path: binary, Args: []string{"key", "rotate", "--data", o.Data}}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return string(out.Stdout)
	}
	// read asks for the cells' domain, for which a footer has to be decrypted.
	read := func() (int, string) {
		s := launch.Start(t, o)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v2/arrays/admin/e-dense/non_empty_domain", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-TILEDB-REST-API-Key", s.Token)
		code, body, err := launch.Do(req)
		if err = errors.Join(err, s.Stop()); err != nil {
			t.Fatal(err)
		}
		return code, string(body) + s.Log()
	}
	key := func(name string) string {
		content, err := os.ReadFile(filepath.Join(o.Data, "keys", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	first := key("arrays")
	if out := change(); !strings.HasPrefix(out, "keys of ") || strings.Contains(out, " 0 ") || key("arrays") == first {
		t.Errorf("after the change: %s", out)
	}
	if code, body := read(); code != http.StatusOK {
		t.Errorf("after the change: %d %s", code, body)
	}
	// A change broke off before and after the keys were sealed anew: the directory then has both keys.
	second := key("arrays")
	change()
	third := key("arrays")
	for name, content := range map[string]string{"arrays": second, "arrays-next": third} {
		if err := os.WriteFile(filepath.Join(o.Data, "keys", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, body := read(); code != http.StatusOK {
		t.Errorf("after a change that broke off: %d %s", code, body)
	}
	change()
	if code, body := read(); code != http.StatusOK || key("arrays") != third {
		t.Errorf("after it was ended: %d %s", code, body)
	}
	if err := os.Remove(filepath.Join(o.Data, "keys", "arrays")); err != nil {
		t.Fatal(err)
	}
	if code, body := read(); code != http.StatusBadRequest || !strings.Contains(body, "another key of the operator") || !strings.Contains(body, "cannot be opened") {
		t.Errorf("without the key: %d %s", code, body)
	}
}
