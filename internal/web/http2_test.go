package web

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"azulejo/internal/access"
)

// HTTP/2 without TLS: requests share one connection, bodies and replies are as they are in HTTP/1.1, and one that comes too
// slowly ends alone.
func TestHTTP2(t *testing.T) {
	body := bytes.Repeat([]byte("many bytes "), 1<<17)
	started := make(chan struct{})
	w := newWorld(t, sends(&body), Operation{ID: "takes", Method: "POST", Path: "/takes", Action: access.Public, MaxBody: 4 << 20,
		Handle: func(rw http.ResponseWriter, r *Request) error {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			return Send(rw, r, 200, Bytes(b))
		}}, Operation{ID: "waits", Method: "POST", Path: "/waits", Action: access.Public, Handle: func(_ http.ResponseWriter, r *Request) error {
		close(started)
		<-r.Context().Done() // the client goes away
		return r.Context().Err()
	}})
	w.Pace = Pace{Grace: 50 * time.Millisecond, Rate: 1 << 30}
	address := "http://" + listening(t, w)
	var spoken http.Protocols
	spoken.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &spoken}}
	defer client.CloseIdleConnections()

	silent, never := io.Pipe() // a body of which nothing comes
	defer never.Close()
	slow, err := client.Post(address+"/takes", "", silent)
	if err != nil {
		t.Fatal(err)
	}
	if slow.StatusCode != http.StatusRequestTimeout || slow.ProtoMajor != 2 {
		t.Errorf("a slow body: %s %d", slow.Proto, slow.StatusCode)
	}
	slow.Body.Close()
	for range 3 {
		res, err := client.Post(address+"/takes", "", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || res.ProtoMajor != 2 || !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes, %v", res.Proto, len(got), err)
		}
		res.Body.Close()
	}
	leaving, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(leaving, "POST", address+"/waits", nil)
	if err != nil {
		t.Fatal(err)
	}

	go func() {
		<-started
		leave()
	}()
	if _, err := client.Do(req); err == nil {
		t.Error("a cancelled request was answered")
	}
}
