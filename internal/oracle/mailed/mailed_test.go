package mailed

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/postbox"
	"azulejo/internal/token"
)

// call performs a request as the administrator or, without a token, as a browser that fills in a form.
func call(t *testing.T, s *launch.Server, secret, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if secret == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.Header.Set("X-TILEDB-REST-API-Key", secret)
	}
	status, answer, err := launch.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return status, string(answer)
}

// TestNoMailIsLost asks for mails while the mail server is down, kills the server, and looks that they come once both are back;
// their links work once, and their secrets are neither in the log nor in the database.
func TestNoMailIsLost(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := taken.Addr().String()
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	o := launch.Options{Data: t.TempDir(), Allowed: t.TempDir(), Args: []string{"--mail-server", address, "--mail-from", "Azulejo <azulejo@example.org>",
		"--public-url", "https://azulejo.example", "--mail-user", "azulejo", "--sign-up", "open"},
		Env: []string{"AZULEJO_MAIL_PASSWORD=secret of the mail server", "SSL_CERT_FILE=" + ca}}
	if err := os.WriteFile(ca, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := launch.Start(t, o)
	if status, answer := call(t, s, s.Token, http.MethodPost, "/v1/user", `{"username":"ann","password":"a long password","email":"ann@example.org"}`); status != http.StatusNoContent {
		t.Fatalf("new user: %d %s", status, answer)
	}
	if status, answer := call(t, s, "", http.MethodPost, "/reset", url.Values{"email": {"ann@example.org"}}.Encode()); status != http.StatusOK {
		t.Fatalf("form: %d %s", status, answer)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	box := postbox.Start(t, postbox.Options{StartTLS: true, User: "azulejo", Password: "secret of the mail server", Listen: address})
	if err := os.WriteFile(ca, box.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	again := launch.Start(t, o)
	links := map[string]string{}
	for range 2 {
		m := box.Next(t)
		if m.To != "ann@example.org" || m.From != "azulejo@example.org" || !m.TLS || m.User != "azulejo" {
			t.Errorf("%+v", m)
		}
		for _, path := range regexp.MustCompile(`https://azulejo\.example(/(\w+)/`+token.Pattern+")").FindAllStringSubmatch(m.Text, -1) {
			links[path[2]] = path[1]
		}
	}
	if len(links) != 2 {
		t.Fatalf("links %v", links)
	}
	for kind, form := range map[string]string{"confirm": "", "reset": url.Values{"password": {"another long password"}}.Encode()} {
		if status, answer := call(t, again, "", http.MethodPost, links[kind], form); status != http.StatusOK {
			t.Errorf("%s: %d %s", kind, status, answer)
		}
		if status, _ := call(t, again, "", http.MethodPost, links[kind], form); status != http.StatusBadRequest {
			t.Errorf("%s once more: %d", kind, status)
		}
	}
	if m := box.Next(t); !strings.Contains(m.Subject, "was changed") {
		t.Errorf("notice %+v", m)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, again.URL+"/v1/user", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("ann", "another long password")
	if status, answer, err := launch.Do(r); err != nil || status != http.StatusOK || !strings.Contains(string(answer), `"is_valid_email":true`) {
		t.Errorf("%d %s, %v", status, answer, err)
	}
	if err := again.Stop(); err != nil {
		t.Error(err)
	}
	kept := []string{s.Log(), again.Log()}
	files, err := filepath.Glob(filepath.Join(o.Data, "azulejo.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		content, err := os.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		content.Close()
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, string(text))
	}
	for _, link := range links {
		secret := link[strings.LastIndex(link, "/")+1:]
		for i, text := range kept {
			if strings.Contains(text, secret) || strings.Contains(text, "secret of the mail server") {
				t.Errorf("text %d holds a secret", i)
			}
		}
	}
}
