package activity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
)

func openAudit(t *testing.T) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dbtest.Source(t, filepath.Join(t.TempDir(), "a.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// record writes lines of the audit log whose details are numbers from first to last.
func record(t *testing.T, d *db.DB, first, last int) {
	t.Helper()
	err := d.Update(t.Context(), func(tx *sql.Tx) error {
		ctx := As(t.Context(), "user", "token", Origin{Address: "1.2.3.4", RequestID: "r"})
		for i := first; i <= last; i++ {
			if err := RecordBy(ctx, tx, time.Unix(1000, 0), TokenCreated, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func step(t *testing.T, s *Stream, want int) {
	t.Helper()
	if n, err := s.Step(t.Context()); err != nil || n != want {
		t.Fatalf("%d lines, %v; want %d", n, err, want)
	}
}

// details returns those of a file's lines.
func details(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		var l Line
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if l.UserID != "user" || l.TokenID != "token" || l.Address != "1.2.3.4" || l.RequestID != "r" || l.Event != TokenCreated || l.At.Unix() != 1000 {
			t.Errorf("line %+v", l)
		}
		list = append(list, l.Detail)
	}
	return strings.Join(list, " ")
}

// TestStreamToFile appends the log to a file, each line once, whatever breaks off, and to a new file when that is moved away.
func TestStreamToFile(t *testing.T) {
	d, path := openAudit(t), filepath.Join(t.TempDir(), "audit.jsonl")
	s := NewStream(d, "file", ToFile(path))
	step(t, s, 0)
	record(t, d, 1, 3)
	step(t, s, 3)
	step(t, s, 0)
	// A batch is written, but the process dies before it says so; another time amid a line.
	record(t, d, 4, 6)
	dies := NewStream(d, "file", func(ctx context.Context, list []Line) error {
		if err := ToFile(path)(ctx, list[:2]); err != nil {
			t.Error(err)
		}
		return errors.New("killed")
	})
	if _, err := dies.Step(t.Context()); err == nil {
		t.Error("no error")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, `{"seq":6,"at`...), 0o600); err != nil {
		t.Fatal(err)
	}
	step(t, NewStream(d, "file", ToFile(path)), 3)
	if got := details(t, path); got != "1 2 3 4 5 6" {
		t.Errorf("the file has %s", got)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	record(t, d, 7, 7)
	step(t, s, 1)
	if got := details(t, path); got != "7" {
		t.Errorf("the new file has %s", got)
	}
	if err := os.WriteFile(path, []byte("something else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	record(t, d, 8, 8)
	if _, err := s.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "move the file away") {
		t.Errorf("over another file: %v", err)
	}
}

// TestStreamToWebhook posts the log, signed, and again what was not taken.
func TestStreamToWebhook(t *testing.T) {
	d := openAudit(t)
	status := http.StatusInternalServerError
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mac := hmac.New(sha256.New, []byte("shared"))
		mac.Write(body)
		if r.Header.Get(SignatureHeader) != "sha256="+hex.EncodeToString(mac.Sum(nil)) || r.Method != http.MethodPost {
			t.Errorf("%s, signature %s", r.Method, r.Header.Get(SignatureHeader))
		}
		var page struct{ Events []Line }
		if err := json.Unmarshal(body, &page); err != nil {
			t.Error(err)
		}
		if status == http.StatusOK {
			for _, l := range page.Events {
				got = append(got, l.Detail)
			}
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer server.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s := NewStream(d, "webhook", ToWebhook(client, server.URL, "shared"))
	record(t, d, 1, streamBatch+2)
	for _, status = range []int{http.StatusInternalServerError, http.StatusFound} {
		if _, err := s.Step(t.Context()); err == nil || !strings.Contains(err.Error(), http.StatusText(status)) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	status = http.StatusOK
	step(t, s, streamBatch)
	step(t, NewStream(d, "webhook", ToWebhook(client, server.URL, "shared")), 2) // goes on after a new start
	if len(got) != streamBatch+2 || got[0] != "1" || got[len(got)-1] != fmt.Sprint(streamBatch+2) {
		t.Errorf("%d lines, the last %s", len(got), got[len(got)-1])
	}
	server.Close()
	record(t, d, 1, 1)
	if _, err := NewStream(d, "webhook", ToWebhook(client, server.URL+"/secret", "")).Step(t.Context()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody there: %v", err)
	}
}

// TestRetention removes old activity and nothing else; without it nothing can be removed.
func TestRetention(t *testing.T) {
	d := openAudit(t)
	u := NewUses(d)
	for i := range 5 {
		if err := u.Note(t.Context(), Use{AssetID: "a", At: time.UnixMilli(int64(1000 * i)), Action: "query_read"}); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		t.Helper()
		_, n, err := u.List(t.Context(), UseFilter{AssetIDs: []string{"a"}})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 5 {
		t.Fatalf("%d uses", n)
	}
	remove := func() error {
		return d.Update(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec("DELETE FROM uses")
			return err
		})
	}
	if err := remove(); err == nil || count() != 5 {
		t.Errorf("removed by hand: %v", err)
	}
	if err := u.Retain(t.Context(), time.UnixMilli(2000)); err != nil || count() != 3 {
		t.Errorf("%d uses are left, %v", count(), err)
	}
	if err := remove(); err == nil || count() != 3 {
		t.Errorf("removed by hand: %v", err)
	}
}
