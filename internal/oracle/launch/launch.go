// Package launch builds the azulejo program and runs servers of it for tests, each with a data directory of its own.
//
// It knows the server as its users do: command line, the ready line on stdout, HTTP, signals. Only tests import it.
package launch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"azulejo/internal/oracle/pyenv"
)

// User and Password are the administrator of every server started here.
const (
	User     = "admin"
	Password = "correct horse battery staple"
)

// readyPrefix begins the line that a server prints when it serves.
const readyPrefix = "azulejo: ready on "

// limits of a build and of a server's life.
const (
	buildLimit = 15 * time.Minute
	startLimit = 30 * time.Second
	stopLimit  = 20 * time.Second
)

// Binary builds the program, once per test process, and returns its path. Test processes share the result: the compiler's
// cache makes a second build cheap, and a program that a server still runs is never overwritten, for each content has a
// name of its own.
var Binary = sync.OnceValues(build)

func build() (string, error) {
	// The first caller's test may end before others that wait for the same build.
	ctx, cancel := context.WithTimeout(context.Background(), buildLimit)
	defer cancel()
	if err := DependOn(filepath.Dir(filepath.Dir(Root()))); err != nil {
		return "", err
	}
	var path string
	err := pyenv.Locked(ctx, "binary", func(cache string) error {
		dir, err := os.MkdirTemp(cache, "link-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) // best effort: only disk space is lost
		built := filepath.Join(dir, "azulejo")
		link := pyenv.Program{Path: "go", Args: []string{"build", "-o", built, "azulejo/cmd/azulejo"}, Limit: buildLimit}
		if _, err := link.Run(ctx); err != nil {
			return err
		}
		id, err := pyenv.Program{Path: "go", Args: []string{"tool", "buildid", built}}.Run(ctx)
		if err != nil {
			return err
		}
		parts := strings.Split(strings.TrimSpace(string(id.Stdout)), "/")
		path = filepath.Join(cache, "azulejo-"+parts[len(parts)-1])
		if err := sweep(cache, path); err != nil {
			return err
		}
		return os.Rename(built, path)
	})
	return path, err
}

// sweep removes programs that were built more than a day ago.
func sweep(cache, keep string) error {
	old, err := filepath.Glob(filepath.Join(cache, "azulejo-*"))
	if err != nil {
		return err
	}
	for _, p := range old {
		info, err := os.Stat(p)
		if err != nil || p == keep || time.Since(info.ModTime()) < 24*time.Hour {
			continue
		}
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	// URL is the address it serves on, without a slash at the end.
	URL string
	// Data is its data directory, Allowed a directory that it may take existing arrays from.
	Data, Allowed string
	// Token authenticates as the administrator, with every right.
	Token string

	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
	// exit is the end of the process, readable when done is closed.
	exit error
}

// Options change how a server is started.
type Options struct {
	// Data is the data directory; empty = a new one of the test.
	Data string
	// Allowed is passed as --allow-path; empty = a new directory of the test.
	Allowed string
	// Listen is the address to serve on; empty = a free port on loopback.
	Listen string
	// Args are added to the command line, Env to the environment.
	Args, Env []string
}

// Start builds the program and starts a server, which ends with the test. A server that does not come up fails the test
// with what it logged.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	binary, err := Binary()
	if err != nil {
		t.Fatalf("building azulejo: %v", err)
	}
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	if o.Allowed == "" {
		o.Allowed = t.TempDir()
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	s := &Server{Data: o.Data, Allowed: o.Allowed, log: &logBuffer{}, done: make(chan struct{})}
	args := append([]string{"serve", "--data", o.Data, "--listen", o.Listen, "--allow-path", o.Allowed}, o.Args...)
	p := pyenv.Program{Path: binary, Args: args, Env: append([]string{"AZULEJO_ADMIN_PASSWORD=" + Password}, o.Env...)}
	// The test's own context ends before its cleanups run, and Stop is one of them.
	s.cmd = p.Command(context.WithoutCancel(t.Context()))
	s.cmd.Stderr = s.log
	if err := s.start(); err != nil {
		t.Fatalf("starting azulejo: %v\n%s", err, s.log.String())
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stopping azulejo: %v", err)
		}
		if log := s.log.troubles(4000); t.Failed() && log != "" {
			t.Logf("warnings and errors of the server:\n%s", log)
		}
	})
	if s.Token, err = s.NewToken(t.Context(), `{"name":"oracle"}`); err != nil {
		t.Fatalf("making a token: %v\n%s", err, s.log.String())
	}
	return s
}

// start runs the process until it says that it is ready.
func (s *Server) start() error {
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), readyPrefix); ok {
				ready <- url
			}
		}
		s.exit = s.cmd.Wait()
		close(s.done)
	}()
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	select {
	case s.URL = <-ready:
		return nil
	case <-s.done:
		return fmt.Errorf("ended before it was ready: %w", s.exit)
	case <-limit.C:
		return errors.Join(fmt.Errorf("not ready after %s", startLimit), s.Kill())
	}
}

// Stop asks the server to end as an operator does, by SIGTERM, and waits. It is an error when it does not end with exit
// status 0 within a bounded time, then it is killed. Stopping one that has ended reports nothing.
func (s *Server) Stop() error {
	select {
	case <-s.done:
		return nil
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-s.done:
		return s.exit
	case <-limit.C:
		return errors.Join(fmt.Errorf("still running %s after SIGTERM", stopLimit), s.Kill())
	}
}

// Kill ends the server by SIGKILL, as a crash does, and waits until it is gone.
func (s *Server) Kill() error {
	err := pyenv.KillGroup(s.cmd.Process)
	<-s.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Alive reports whether the process still runs.
func (s *Server) Alive() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// PeakMemory returns the greatest resident size that the running process had, in bytes, as the kernel counts it.
func (s *Server) PeakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kibibytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, errors.New("the kernel tells no greatest resident size")
}

// Log returns what the server has written to its standard error so far.
func (s *Server) Log() string { return s.log.String() }

// NewToken makes an API token with the administrator's password; request is the JSON body. It returns the secret.
func (s *Server) NewToken(ctx context.Context, request string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/token", strings.NewReader(request))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(User, Password)
	req.Header.Set("Content-Type", "application/json")
	status, body, err := Do(req)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("POST /v1/token: %d %s", status, body)
	}
	return tokenOf(body)
}

// Do performs a request and returns status and body.
func Do(req *http.Request) (int, []byte, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, body, errors.Join(err, res.Body.Close())
}

// logBuffer collects what a process writes. It is safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// troubles returns the last n bytes of what is not said at level INFO.
func (l *logBuffer) troubles(n int) string {
	var out strings.Builder
	for line := range strings.Lines(l.String()) {
		if !strings.Contains(line, "level=INFO") {
			out.WriteString(line)
		}
	}
	return out.String()[max(0, out.Len()-n):]
}
