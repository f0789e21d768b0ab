package storeserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"azulejo/internal/oracle/pyenv"
)

// Bucket is the bucket or container that every server has.
const Bucket = "tiles"

// Server is a running server of a store.
type Server struct {
	// URL is its address without a slash at the end; for Azure that of the account.
	URL string
	// Key and Secret are the access key and its secret, or account and shared key; empty where none are looked at.
	Key, Secret string
}

// startLimit bounds the start of a server.
const startLimit = 90 * time.Second

// install runs an installation with a time limit of its own: the first caller's test may end before others that wait.
func install(do func(ctx context.Context) (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	return do(ctx)
}

// The programs and their versions.
const (
	gofakes3Package  = "github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0"
	versitygwPackage = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
	fakeGCSPackage   = "github.com/fsouza/fake-gcs-server@v1.56.1"
	azuritePackage   = "azurite@3.37.0"
)

// GoFakeS3 starts gofakes3, an S3 server that keeps everything in memory and checks no signatures. It ends with the test.
func GoFakeS3(t testing.TB) Server {
	t.Helper()
	path, err := install(func(ctx context.Context) (string, error) { return pyenv.GoProgram(ctx, os.Stderr, gofakes3Package) })
	if err != nil {
		t.Fatal(err)
	}
	addr := start(t, func(addr string) pyenv.Program {
		return pyenv.Program{Path: path, Args: []string{"-host", addr, "-backend", "memory", "-initialbucket", Bucket}}
	}, "/")
	return Server{URL: "http://" + addr, Key: "any", Secret: "thing"}
}

// VersityGW starts versitygw, an S3 server on a directory of the test. It ends with the test.
func VersityGW(t testing.TB) Server {
	t.Helper()
	path, err := install(func(ctx context.Context) (string, error) { return pyenv.GoProgram(ctx, os.Stderr, versitygwPackage) })
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data, side := filepath.Join(dir, "data"), filepath.Join(dir, "sidecar")
	if err := errors.Join(os.MkdirAll(filepath.Join(data, Bucket), 0o755), os.Mkdir(side, 0o755)); err != nil {
		t.Fatal(err)
	}
	s := Server{Key: "versity", Secret: "versity-secret"}
	s.URL = "http://" + start(t, func(addr string) pyenv.Program {
		return pyenv.Program{Path: path, Args: []string{"--access", s.Key, "--secret", s.Secret, "--port", addr, "--quiet", "posix", "--sidecar", side, data}}
	}, "/")
	return s
}

// The account that Azurite has from the start, with its key, which its documentation publishes.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Azurite starts Azurite's blob service with everything in memory. It ends with the test.
func Azurite(t testing.TB) Server {
	t.Helper()
	dir, err := install(func(ctx context.Context) (string, error) { return pyenv.NodePackages(ctx, os.Stderr, azuritePackage) })
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "node_modules", "azurite", "dist", "src", "blob", "main.js")
	addr := start(t, func(addr string) pyenv.Program {
		host, port, _ := strings.Cut(addr, ":")
		return pyenv.Program{Path: "node", Args: []string{script, "--blobHost", host, "--blobPort", port,
			"--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableProductStyleUrl"}}
	}, "/"+azuriteAccount)
	s := Server{URL: "http://" + addr + "/" + azuriteAccount, Key: azuriteAccount, Secret: azuriteKey}
	cred, err := container.NewSharedKeyCredential(s.Key, s.Secret)
	if err != nil {
		t.Fatal(err)
	}
	c, err := container.NewClientWithSharedKeyCredential(s.URL+"/"+Bucket, cred, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// FakeGCS starts fake-gcs-server with everything in memory. It ends with the test.
func FakeGCS(t testing.TB) Server {
	t.Helper()
	path, err := install(func(ctx context.Context) (string, error) { return pyenv.GoProgram(ctx, os.Stderr, fakeGCSPackage) })
	if err != nil {
		t.Fatal(err)
	}
	addr := start(t, func(addr string) pyenv.Program {
		host, port, _ := strings.Cut(addr, ":")
		return pyenv.Program{Path: path, Args: []string{"-scheme", "http", "-host", host, "-port", port, "-backend", "memory",
			"-public-host", addr, "-external-url", "http://" + addr, "-log-level", "error"}}
	}, "/storage/v1/b")
	s := Server{URL: "http://" + addr}
	resp, err := http.Post(s.URL+"/storage/v1/b", "application/json", strings.NewReader(`{"name":"`+Bucket+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("making a bucket: %s, %v", resp.Status, err)
	}
	return s
}

// start runs a program that is told its address, waits until it answers a request for path, whatever it says, and returns
// the address. Another program may take the free port first; then it is tried with another.
func start(t testing.TB, program func(addr string) pyenv.Program, path string) string {
	t.Helper()
	var err error
	for range 3 {
		var addr string
		if addr, err = tryStart(t, program, path); err == nil {
			return addr
		}
	}
	t.Fatal(err)
	return ""
}

func tryStart(t testing.TB, program func(addr string) pyenv.Program, path string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := program(addr)
	cmd := p.Command(ctx)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		stop()
		return "", err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ends by our signal
		close(ended)
	}()
	end := func() {
		stop()
		<-ended
	}
	deadline := time.NewTimer(startLimit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			stop()
			return "", fmt.Errorf("%s ended at once:\n%s", p.Path, out)
		case <-deadline.C:
			end()
			return "", fmt.Errorf("%s did not answer within %s:\n%s", p.Path, startLimit, out)
		case <-tick.C:
		}
		resp, err := http.Get("http://" + addr + path)
		if err == nil {
			t.Cleanup(end)
			return addr, resp.Body.Close()
		}
	}
}

// output collects what a program writes. It is safe for concurrent use.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.b.Len() < 1<<20 {
		o.b.Write(p)
	}
	return len(p), nil
}

// String returns what came so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
