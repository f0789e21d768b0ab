package credential

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestDialer dials addresses only that are public once they are resolved, and hosts that the operator allows.
func TestDialer(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer server.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "192.168.1.1", "[fe80::1]", "[fd00::1]"} {
		reply, err := Client(nil).Get("http://" + host + ":" + port + "/")
		if err == nil {
			reply.Body.Close()
		}
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, allowed := range []string{"127.0.0.1", "127.0.0.1:" + port} {
		reply, err := Client([]string{allowed}).Get(server.URL)
		if err != nil {
			t.Fatalf("%s is allowed: %v", allowed, err)
		}
		reply.Body.Close()
		if reply.StatusCode != http.StatusFound {
			t.Errorf("a redirect was followed to %d", reply.StatusCode)
		}
	}
	if _, err := Client([]string{"127.0.0.1:1"}).Get(server.URL); !errors.Is(err, ErrInvalid) {
		t.Errorf("another port is allowed: %v", err)
	}
}
