package launch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/pyenv"
)

// tokenOf returns the secret in the reply to a request for a token.
func tokenOf(body []byte) (string, error) {
	var reply struct{ Token string }
	if err := json.Unmarshal(body, &reply); err != nil || reply.Token == "" {
		return "", fmt.Errorf("no token in the reply %q", body)
	}
	return reply.Token, nil
}

// Python returns the environment with the clients; a test that cannot have it fails.
func Python(t testing.TB) pyenv.Env {
	t.Helper()
	env, err := pyenv.Ensure(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// Root returns the directory of package oracle, which holds the data sets and the modules of the client programs.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}

// DependOn makes the result of the test depend on the directories and all below them but test data of other packages:
// `go test` reuses a result until a file changes that the test itself looked at, and what a program run by the test looks
// at does not count.
func DependOn(dirs ...string) error {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() && path != dir && (e.Name() == "testdata" || strings.HasPrefix(e.Name(), ".")) {
				return filepath.SkipDir
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Answers runs a program that writes a list as JSON to the file answers.json of a directory, which is its second argument,
// and decodes that into out. The test's result then depends on all below the program's directory.
func Answers(t testing.TB, out any, script string, args ...string) {
	t.Helper()
	if err := DependOn(filepath.Dir(script)); err != nil {
		t.Fatal(err)
	}
	p := Python(t).Script(nil, script, args...)
	p.Limit = 20 * time.Minute
	if _, err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(args[1], "answers.json"))
	if err == nil {
		err = json.Unmarshal(raw, out)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Ask writes questions as JSON to the file questions.json of a directory and lets a program answer them.
func Ask(t testing.TB, questions, answers any, script, verb, dir string) {
	t.Helper()
	raw, err := json.Marshal(questions)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "questions.json"), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	Answers(t, answers, script, verb, dir)
}

// line is one line of a client program's report.
type line struct {
	Scenario, Step, Error string
	Begin, OK             bool
}

// Script runs a client program against the server and reports every step as a sub-test. A program that breaks off fails
// the step it was in.
func (s *Server) Script(t *testing.T, file string, limit time.Duration) {
	t.Helper()
	if err := DependOn(filepath.Dir(file), filepath.Join(Root(), "testdata", "python"), filepath.Join(Root(), "testdata", "data")); err != nil {
		t.Fatal(err)
	}
	p := Python(t).Script([]string{filepath.Join(Root(), "testdata", "python")}, file, s.configuration(t, file))
	p.Limit = limit
	// The clients keep settings in the home directory: give them one of their own.
	p.Env = append(p.Env, "HOME="+t.TempDir())
	out, err := p.Run(t.Context())
	report(t, file, out, err)
}

// NodeScript is Script for a program of Node, which may require the packages, each "name@version".
func (s *Server) NodeScript(t *testing.T, file string, limit time.Duration, packages ...string) {
	t.Helper()
	if err := DependOn(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	dir, err := pyenv.NodePackages(t.Context(), os.Stderr, packages...)
	if err != nil {
		t.Fatal(err)
	}
	p := pyenv.Program{Path: "node", Args: []string{file, s.configuration(t, file)}, Limit: limit,
		Env: []string{"NODE_PATH=" + filepath.Join(dir, "node_modules"), "HOME=" + t.TempDir()}}
	out, err := p.Run(t.Context())
	report(t, file, out, err)
}

// configuration is what a client program is told, as JSON. The directory in it is there.
func (s *Server) configuration(t *testing.T, file string) string {
	t.Helper()
	scratch := filepath.Join(s.Allowed, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
	conf, err := json.Marshal(map[string]string{
		"mode": "server", "server": s.URL, "token": s.Token, "user": User, "password": Password, "namespace": User,
		"dir": scratch, "data": filepath.Join(Root(), "testdata", "data"), "server_data": s.Data,
	})
	if err == nil {
		err = os.MkdirAll(scratch, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(conf)
}

// report makes a sub-test of every step that a client program reported.
func report(t *testing.T, file string, out pyenv.Output, runErr error) {
	t.Helper()
	steps, open := 0, line{}
	lines := bufio.NewReader(bytes.NewReader(out.Stdout))
	for {
		raw, err := lines.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		var l line
		if json.Unmarshal(raw, &l) != nil || l.Scenario == "" {
			continue // something a client printed
		}
		if open = l; l.Begin {
			continue
		}
		steps++
		t.Run(l.Scenario+"/"+l.Step, func(t *testing.T) {
			if !l.OK {
				t.Error(l.Error)
			}
		})
	}
	switch {
	case runErr != nil && open.Begin:
		t.Errorf("the client broke off in %s/%s: %v", open.Scenario, open.Step, runErr)
	case runErr != nil:
		t.Error(runErr)
	case steps == 0:
		t.Errorf("%s reported nothing: %s", file, out.Stderr)
	}
}

// Parity is what one operation of parity.py, a program that does everything a client can do twice, came to with a local array
// and with one at the server: "yes", or why not.
type Parity struct{ Operation, Call, Local, Rest string }

// Parity has a client do all operations of parity.py. settings are its configuration at the server.
func (s *Server) Parity(t *testing.T, client pyenv.Env, settings map[string]string) []Parity {
	t.Helper()
	modules := filepath.Join(Root(), "testdata", "python")
	if err := DependOn(modules); err != nil {
		t.Fatal(err)
	}
	conf, err := json.Marshal(map[string]any{"mode": "server", "server": s.URL, "token": s.Token, "namespace": User, "dir": s.Allowed, "data": "",
		"settings": settings})
	if err != nil {
		t.Fatal(err)
	}
	p := client.Script([]string{modules}, filepath.Join(modules, "parity.py"), string(conf))
	// The client opens the arrays of labels by its default context, whatever the one in use.
	p.Env = append(p.Env, "HOME="+t.TempDir(), "TILEDB_REST_SERVER_ADDRESS="+s.URL, "TILEDB_REST_TOKEN="+s.Token)
	p.Limit = 5 * time.Minute
	out, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []Parity
	for line := range bytes.Lines(out.Stdout) {
		var l Parity
		if json.Unmarshal(line, &l) == nil && l.Operation != "" { // else something the client printed
			list = append(list, l)
		}
	}
	return list
}
