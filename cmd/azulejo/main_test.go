package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"azulejo/array"
	"azulejo/internal/oracle/storeserver"
	"azulejo/object"
	"azulejo/vfs/file"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"azulejo": main})
}

// TestScripts runs the transcripts of the command line in testdata.
func TestScripts(t *testing.T) {
	server := storeserver.GoFakeS3(t)
	arrays, err := filepath.Abs("../../array/testdata")
	if err != nil {
		t.Fatal(err)
	}
	setup := func(env *testscript.Env) error {
		for name, v := range map[string]string{
			"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": server.Key, "AWS_SECRET_ACCESS_KEY": server.Secret,
			"ARRAYS": arrays, "GROUPS": filepath.Join(arrays, "../../group/testdata"),
		} {
			env.Setenv(name, v)
		}
		return nil
	}
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: setup, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"serve": serveScript, "damage": damageScript, "locate": locateScript, "fragments": fragmentsScript,
	}})
}

// serveScript starts a server with the given arguments, waits until it is ready, ends it with SIGTERM and checks that it
// exits with 0. What it printed lands in serve.stdout and serve.stderr.
func serveScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve cannot be negated")
	}
	binary, err := exec.LookPath(filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], "azulejo"))
	ts.Check(err)
	cmd := exec.Command(binary, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "AZULEJO_ADMIN_PASSWORD="+ts.Getenv("AZULEJO_ADMIN_PASSWORD"))
	var stdout, stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		stdout.WriteString(line)
		if err != nil {
			cmd.Wait()
			ts.Fatalf("the server ended early: %v\n%s", err, stderr.String())
		}
		if last := "print(A[100:102"; strings.HasPrefix(line, "azulejo: ready") && len(args) > 0 && args[len(args)-1] != "--demo" || strings.Contains(line, last) {
			break
		}
	}
	ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	rest, err := io.ReadAll(lines)
	ts.Check(err)
	stdout.Write(rest)
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("after SIGTERM: %v\n%s", err, stderr.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("serve.stdout"), stdout.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("serve.stderr"), stderr.Bytes(), 0o600))
}

// locateScript sets a variable to the one array below a directory whose first dimension is of a kind: "string".
func locateScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: locate variable kind directory")
	}
	schemas, err := filepath.Glob(ts.MkAbs(args[2]) + "/*/*/__schema")
	ts.Check(err)
	for _, name := range schemas {
		dir := filepath.Dir(name)
		arr, err := array.Open(context.Background(), file.New(), dir, array.Latest())
		ts.Check(err)
		if d := arr.Schema.Domain.Dimensions[0]; d.Type.IsString() == (args[1] == "string") {
			ts.Setenv(args[0], dir)
			return
		}
	}
	ts.Fatalf("none of %d arrays in %s is of the kind %s", len(schemas), args[2], args[1])
}

// damageScript flips a bit in the first byte of the one file that a pattern matches.
func damageScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage pattern")
	}
	names, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(names) != 1 {
		ts.Fatalf("%s matches %d files", args[0], len(names))
	}
	content, err := os.ReadFile(names[0])
	ts.Check(err)
	content[0] ^= 0x10
	ts.Check(os.WriteFile(names[0], content, 0o600))
}

// TestDrain checks that a request which is under way when SIGTERM comes is answered.
func TestDrain(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "azulejo")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "AZULEJO_ADMIN_PASSWORD=a long password")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() // best effort: it has ended when the test passed
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "azulejo: ready on ")
	if !ok {
		t.Fatalf("the server said %q", line)
	}
	// The body of a token request arrives only after the signal.
	body, feed := io.Pipe()
	request, err := http.NewRequest(http.MethodPost, base+"/v1/token", body)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("admin", "a long password")
	type answer struct {
		status int
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			answered <- answer{0, err}
			return
		}
		reply.Body.Close()
		answered <- answer{reply.StatusCode, nil}
	}()
	fmt.Fprint(feed, `{"name":`)
	waitForRunning(t, base)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitForClosed(t, strings.TrimPrefix(base, "http://"))
	fmt.Fprint(feed, `"late"}`)
	feed.Close()
	if a := <-answered; a.err != nil || a.status != http.StatusOK {
		t.Errorf("the request under way: status %d, %v", a.status, a.err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server's exit: %v", err)
	}
}

// waitForRunning polls the metrics until two requests are being answered: the one under way and the poll.
func waitForRunning(t *testing.T, base string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		reply, err := http.Get(base + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "azulejo_http_requests_running 2") {
			return
		}
	}
	t.Fatal("the request never began")
}

// waitForClosed polls until the server takes no more connections.
func waitForClosed(t *testing.T, address string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		reply, err := client.Get("http://" + address + "/healthz")
		if err != nil {
			return
		}
		reply.Body.Close()
	}
	t.Fatal("the server still takes connections")
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		p    object.Progress
		want string
	}{
		{object.Progress{AllFiles: 2, AllBytes: 2048}, "[..............................] 0 of 2 files, 0 bytes of 2.0 KiB"},
		{object.Progress{Files: 1, AllFiles: 2, NBytes: 1 << 20, AllBytes: 2 << 20}, "[###############...............] 1 of 2 files, 1.0 MiB of 2.0 MiB"},
		{object.Progress{Files: 2, AllFiles: 2}, "[##############################] 2 of 2 files, 0 bytes of 0 bytes"},
	} {
		if got := barText(c.p); got != c.want {
			t.Errorf("%+v: %q, want %q", c.p, got, c.want)
		}
	}
}
