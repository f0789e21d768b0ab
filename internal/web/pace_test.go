package web

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"azulejo/internal/access"
)

// listening serves a world on loopback.
func listening(t *testing.T, w *world) string {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config = NewHTTPServer(w, w.Log)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestBodiesThatComeTooSlowlyAreGivenUp(t *testing.T) {
	w := newWorld(t, Operation{ID: "takes", Method: "POST", Path: "/takes", Action: access.Public, MaxBody: 1 << 20, Handle: func(_ http.ResponseWriter, r *Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}})
	w.Pace = Pace{Grace: time.Millisecond, Rate: 1 << 40}
	address := listening(t, w)
	for _, head := range []string{"Content-Length: 100\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n64\r\nabc"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /takes HTTP/1.1\r\nHost: x\r\n"+head); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%q: status %d", head, res.StatusCode)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Error(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%q: the connection stays: %v", head, err)
		}
	}
}

// The deadline of a body must not end what comes after it: a long computation, and the next request on the connection.
func TestDeadlinesEndWithTheBody(t *testing.T) {
	ended := make(chan error, 1)
	w := newWorld(t, Operation{ID: "takes", Method: "POST", Path: "/takes", Action: access.Public, MaxBody: 1 << 20, Handle: func(_ http.ResponseWriter, r *Request) error {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		select {
		case <-r.Context().Done(): // what a deadline on the connection would do
			ended <- r.Context().Err()
		case <-time.After(3 * time.Millisecond):
			ended <- nil
		}
		return nil
	}})
	w.Pace = Pace{Grace: time.Millisecond, Rate: 1 << 40}
	address := listening(t, w)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for range 3 {
		if _, err := io.WriteString(conn, "POST /takes HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil || res.StatusCode != 200 {
			t.Errorf("%v, status %d", err, res.StatusCode)
		}
	}
}

func TestRepliesThatAreNotTakenAreGivenUp(t *testing.T) {
	ended := make(chan error, 1)
	w := newWorld(t, Operation{ID: "sends", Method: "GET", Path: "/sends", Action: access.Public, Handle: func(rw http.ResponseWriter, r *Request) error {
		err := Send(rw, r, 200, Bytes(make([]byte, 256<<20)))
		ended <- err
		return err
	}})
	w.Pace = Pace{Grace: 10 * time.Millisecond, Rate: 1 << 40}
	conn, err := net.Dial("tcp", listening(t, w))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /sends HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("sending ended with %v", err)
	}
}

func TestLongRepliesArriveWhole(t *testing.T) {
	body := make([]byte, 5<<20+7)
	for i := range body {
		body[i] = byte(i >> 3)
	}
	w := newWorld(t, sends(&body))
	w.Pace, w.Compression = Pace{Grace: time.Minute, Rate: 1}, CompressNone
	address := listening(t, w)
	for range 3 {
		res, err := http.Get("http://" + address + "/sends")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || string(got) != string(body) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		res.Body.Close()
	}
}

func TestPace(t *testing.T) {
	p := Pace{Grace: time.Second, Rate: 100}
	for _, tc := range []struct {
		n            int64
		waited, left time.Duration
	}{{0, 0, time.Second}, {100, 0, 2 * time.Second}, {50, time.Second, time.Second / 2}, {0, 2 * time.Second, -time.Second}, {1 << 62, 0, time.Second + 1<<30*time.Second}} {
		if got := p.left(tc.n, tc.waited); got != tc.left {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}
