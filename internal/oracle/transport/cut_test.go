package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

// changing matches method and address of the requests that change something.
var changing = regexp.MustCompile(`^(PATCH|PUT|DELETE) |/(array_metadata|evolve|delete_fragments|consolidate|vacuum)(\?|$)|submit\?type=(WRITE|DELETE)` +
	`|^POST /v1/arrays/[^/]+/[^/]+$|^POST /v2/groups/[^/]+$`)

// cutting is a proxy that breaks the connection of the first try of every change, after all of the request went to the
// server and before the reply comes back. The client waits for the reply before it asks for more, so the tries alternate.
func cutting(t *testing.T, s *launch.Server, cuts *atomic.Int32) *launch.Server {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		on, err := http.NewRequestWithContext(q.Context(), q.Method, s.URL+q.RequestURI, strings.NewReader(string(body)))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		on.Header = q.Header.Clone()
		if changing.MatchString(q.Method+" "+q.RequestURI) && cuts.Add(1)%2 == 1 {
			cut(s.URL, on, body)
			panic(http.ErrAbortHandler)
		}
		res, err := client.Do(on)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer res.Body.Close()
		for k, v := range res.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(res.StatusCode)
		if _, err := io.Copy(w, res.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(front.Close)
	behind := *s
	behind.URL = front.URL
	return &behind
}

// cut sends a request and breaks the connection at once.
func cut(url string, q *http.Request, body []byte) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return
	}
	q.ContentLength, q.Body = int64(len(body)), io.NopCloser(strings.NewReader(string(body)))
	q.Write(conn) // best effort: the connection is to break
	conn.Close()
}

// The unmodified client repeats the changes that got no reply, and each of them is made once.
func TestChangesBehindABreakingConnection(t *testing.T) {
	s := launch.Start(t, launch.Options{})
	var cuts atomic.Int32
	cutting(t, s, &cuts).Script(t, "testdata/cut.py", 3*time.Minute)
	// Twelve writes, four creates, one of them refused, and fifteen other changes.
	if n := cuts.Load(); n != 62 {
		t.Errorf("%d changes were sent, want 31 and their repetitions", n)
	}
}

// certificate makes files with a certificate for loopback and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// Over TLS clients that can speak HTTP/2, and libtiledb works with the certificate of a private authority.
func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	t.Setenv("SSL_CERT_FILE", cert) // for Go's client here, which reads it once, and for the one under test
	s := launch.Start(t, launch.Options{Args: []string{"--tls-cert", cert, "--tls-key", key}})
	res, err := http.Get(s.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK {
		t.Errorf("%s %d", res.Proto, res.StatusCode)
	}
	res.Body.Close()
	if err := os.WriteFile(filepath.Join(s.Allowed, "ca.pem"), read(t, cert), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Script(t, "testdata/tls.py", 3*time.Minute)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
