package mailed

import (
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

// TestNoAuditLineIsLost posts the audit log to a webhook that is down at first, kills the server meanwhile, and counts what comes.
func TestNoAuditLineIsLost(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := taken.Addr().String()
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	o := launch.Options{Data: t.TempDir(), Allowed: t.TempDir(), Args: []string{"--audit-webhook", "http://" + address + "/hook", "--allow-endpoint", "127.0.0.1"}}
	s := launch.Start(t, o)
	want := map[string]bool{"first": true, "second": true, "third": true}
	for name := range want {
		if status, answer := call(t, s, s.Token, http.MethodPost, "/v1/token", `{"name":"`+name+`"}`); status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	type line struct {
		Seq       int64
		TokenName string `json:"token_name"`
	}
	lines := make(chan line, 1000)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	hook := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var page struct{ Events []line }
		if err := json.NewDecoder(r.Body).Decode(&page); err != nil || r.URL.Path != "/hook" {
			t.Errorf("%s: %v", r.URL, err)
		}
		for _, l := range page.Events {
			lines <- l
		}
	})}
	served := make(chan struct{})
	go func() {
		hook.Serve(listener) // ends with Close
		close(served)
	}()
	defer func() {
		hook.Close()
		<-served
	}()
	launch.Start(t, o)
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for last := int64(0); len(want) > 0; {
		select {
		case l := <-lines:
			if l.Seq != last+1 {
				t.Errorf("line %d after %d", l.Seq, last)
			}
			last = l.Seq
			delete(want, l.TokenName)
		case <-limit.C:
			t.Fatalf("%v never came", want)
		}
	}
}
