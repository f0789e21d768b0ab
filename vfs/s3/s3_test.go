package s3_test

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"azulejo/internal/oracle/storeserver"
	"azulejo/vfs"
	"azulejo/vfs/bucket"
	"azulejo/vfs/s3"
	"azulejo/vfs/vfstest"
)

func open(t *testing.T, o s3.Options) *bucket.FS {
	t.Helper()
	o.PartBytes = vfstest.PartBytes
	fs, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func options(s storeserver.Server) s3.Options {
	return s3.Options{Endpoint: s.URL, AccessKey: s.Key, SecretKey: s.Secret}
}

// roots gives each sub-test a directory of its own in one bucket.
func roots(fs vfs.FS) func(t *testing.T) (vfs.FS, string) {
	return func(t *testing.T) (vfs.FS, string) { return fs, "s3://" + storeserver.Bucket + "/" + t.Name() }
}

func TestGoFakeS3(t *testing.T) {
	o := options(storeserver.GoFakeS3(t))
	o.NoConditionalPut = true // it does not look at the condition when an upload in parts is completed
	vfstest.RunUnconditional(t, roots(open(t, o)))
}

func TestVersityGW(t *testing.T) {
	vfstest.Run(t, roots(open(t, options(storeserver.VersityGW(t)))))
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    s3.Options
		want string
	}{
		{s3.Options{}, ""},
		{s3.Options{Region: "eu-central-1", AccessKey: "a", SecretKey: "b", SessionToken: "c"}, ""},
		{s3.Options{Endpoint: "minio.example:9000", PathStyle: true, Encryption: s3.Encryption{KMSKey: "k"}}, ""},
		{s3.Options{Endpoint: "ftp://x"}, "want http:// or https://"},
		{s3.Options{Endpoint: "http://x/path"}, "without a path"},
		{s3.Options{Encryption: s3.Encryption{Managed: true, KMSKey: "k"}}, "choose one"},
		{s3.Options{Encryption: s3.Encryption{CustomerKey: []byte("short")}}, "key"},
		{s3.Options{Network: bucket.Network{CAFile: "/nonexistent"}}, "CA file"},
		{s3.Options{Network: bucket.Network{Proxy: "http://%"}}, "proxy"},
	} {
		_, err := s3.New(c.o)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// TestWrongCredentials wants an error that says so, without a retry.
func TestWrongCredentials(t *testing.T) {
	ctx := t.Context()
	s := storeserver.VersityGW(t)
	for _, o := range []s3.Options{
		{Endpoint: s.URL, AccessKey: s.Key, SecretKey: "wrong"},
		{Endpoint: s.URL, AccessKey: "nobody", SecretKey: s.Secret},
		{Endpoint: s.URL},
	} {
		o.Retry.Attempts = 1
		fs := open(t, o)
		_, err := fs.List(ctx, "s3://"+storeserver.Bucket)
		if err == nil || !strings.Contains(err.Error(), "check the credentials") {
			t.Errorf("list with key %q: %v", o.AccessKey, err)
		}
		if err := vfs.WriteAll(ctx, fs, "s3://"+storeserver.Bucket+"/f", []byte("x")); err == nil {
			t.Errorf("write with key %q: no error", o.AccessKey)
		}
	}
	fs := open(t, options(s))
	if _, err := fs.List(ctx, "s3://no-such-bucket"); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("list of a bucket that does not exist: %v", err)
	}
}

// recorder notes the headers of requests on their way to a server, whose TLS it speaks.
type recorder struct {
	mu   sync.Mutex
	puts []http.Header
	gets []http.Header
}

func (r *recorder) serve(t *testing.T, target string) *httptest.Server {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		switch req.Method {
		case http.MethodPut, http.MethodPost:
			r.puts = append(r.puts, req.Header.Clone())
		case http.MethodGet:
			r.gets = append(r.gets, req.Header.Clone())
		}
		r.mu.Unlock()
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	return server
}

// caFile writes the certificate of a server that signed its own.
func caFile(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestOwnCertificateAndEncryption speaks to a server that signed its own certificate, and looks at what it is asked.
func TestOwnCertificateAndEncryption(t *testing.T) {
	ctx := t.Context()
	r := &recorder{}
	server := r.serve(t, storeserver.GoFakeS3(t).URL)
	o := s3.Options{Endpoint: server.URL, AccessKey: "a", SecretKey: "b", SessionToken: "session", StorageClass: "STANDARD_IA"}
	if _, err := open(t, o).Open(ctx, "s3://"+storeserver.Bucket+"/f"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA file: %v", err)
	}
	o.Network.CAFile = caFile(t, server)
	key := bytes.Repeat([]byte("k"), 32)
	for i, c := range []struct {
		e            s3.Encryption
		header, want string
		// read tells whether reads must send the header too.
		read bool
	}{
		{s3.Encryption{}, "X-Amz-Storage-Class", "STANDARD_IA", false},
		{s3.Encryption{}, "X-Amz-Security-Token", "session", true},
		{s3.Encryption{}, "If-None-Match", "*", false},
		{s3.Encryption{Managed: true}, "X-Amz-Server-Side-Encryption", "AES256", false},
		{s3.Encryption{KMSKey: "my-key"}, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "my-key", false},
		{s3.Encryption{CustomerKey: key}, "X-Amz-Server-Side-Encryption-Customer-Key", base64.StdEncoding.EncodeToString(key), true},
	} {
		o.Encryption = c.e
		fs := open(t, o)
		r.puts, r.gets = nil, nil
		uri := fmt.Sprint("s3://", storeserver.Bucket, "/f", i)
		if err := vfs.WriteAll(ctx, fs, uri, []byte("content")); err != nil {
			t.Fatal(err)
		}
		if got, err := vfs.ReadAll(ctx, fs, uri); err != nil || string(got) != "content" {
			t.Fatalf("%q, %v", got, err)
		}
		if got := r.puts[0].Get(c.header); got != c.want {
			t.Errorf("%s of a put is %q, want %q", c.header, got, c.want)
		}
		if got := r.gets[0].Get(c.header); (got == c.want) != c.read {
			t.Errorf("%s of a get is %q", c.header, got)
		}
	}
}
