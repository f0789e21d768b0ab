package pyenv

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

//go:embed requirements.txt
var requirements string

// ErrUnavailable marks every failure to provide the environment.
var ErrUnavailable = errors.New("the Python test environment cannot be made")

// wanted is the Python version the pinned packages are built for.
const wanted = "3.11"

// Env is a complete Python environment. Safe for concurrent use.
type Env struct {
	Python string // interpreter of the environment
}

// packages are what an environment has in it.
type packages struct {
	// requirements are lines "name==version", of which the named modules can be imported.
	requirements, modules string
	// pip is the interpreter that installs them; empty = the environment's own.
	pip string
}

// Ensure returns the environment, making it first where this machine has none for these requirements. What it
// installs, and how long that took, goes to log. The error wraps ErrUnavailable and says what to do.
func Ensure(ctx context.Context, log io.Writer) (Env, error) {
	return ensure(ctx, log, packages{requirements, "tiledb, tiledb.cloud, pandas, pyarrow, PIL", ""})
}

// EnsureOnly returns a small environment of other packages: requirements are lines "name==version", of which the named
// modules can be imported.
func EnsureOnly(ctx context.Context, log io.Writer, requirements, modules string) (Env, error) {
	installer, err := Ensure(ctx, log)
	if err != nil {
		return Env{}, err
	}
	return ensure(ctx, log, packages{requirements, modules, installer.Python})
}

func ensure(ctx context.Context, log io.Writer, want packages) (Env, error) {
	cache, err := Cache()
	if err != nil {
		return Env{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	key := fmt.Sprintf("%.12x", sha256.Sum256([]byte(want.requirements+wanted+runtime.GOOS+runtime.GOARCH)))
	env := Env{Python: filepath.Join(cache, "py-"+key, "bin", "python")}
	if complete(env) {
		return env, nil
	}
	err = Locked(ctx, "python", func(string) error {
		if complete(env) {
			return nil
		}
		return build(ctx, cache, filepath.Dir(filepath.Dir(env.Python)), want, log)
	})
	if err != nil {
		return Env{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return env, nil
}

// complete tells whether the environment's directory is in place; build renames it there as its last step.
func complete(e Env) bool {
	_, err := os.Stat(e.Python)
	return err == nil
}

// build makes the environment beside its final place and renames it. The caller holds the lock, so what other builds
// left behind is dead.
func build(ctx context.Context, cache, final string, want packages, log io.Writer) error {
	python, err := interpreter(ctx)
	if err != nil {
		return err
	}
	dead, err := filepath.Glob(filepath.Join(cache, "build-*"))
	if err != nil {
		return err
	}
	for _, d := range append(dead, final) {
		if err := os.RemoveAll(d); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // best effort: the next build removes it too
	started := time.Now()
	fmt.Fprintf(log, "making the Python test environment in %s (once per machine):\n%s", final, want.requirements)
	file := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(file, []byte(want.requirements), 0o644); err != nil {
		return err
	}
	made := filepath.Join(dir, "bin", "python")
	install := Program{Path: made, Limit: 20 * time.Minute,
		Args: []string{"-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "-r", file}}
	venv := Program{Path: python, Args: []string{"-m", "venv", dir}}
	if want.pip != "" {
		install.Path, install.Args = want.pip, append([]string{"-m", "pip", "--python", made}, append(install.Args[2:], "--no-compile")...)
		venv.Args = append(venv.Args, "--without-pip")
	}
	steps := []Program{venv, install, {Path: made, Args: []string{"-c", "import " + want.modules}}}
	for _, s := range steps {
		if _, err := s.Run(ctx); err != nil {
			return fmt.Errorf("%w\nneeded: Python %s with venv and pip, and a reachable package index", err, wanted)
		}
	}
	fmt.Fprintf(log, "made in %s\n", time.Since(started).Round(time.Second))
	return os.Rename(dir, final)
}

// interpreter finds a Python of the wanted version on the path.
func interpreter(ctx context.Context) (string, error) {
	var seen []string
	for _, name := range []string{"python" + wanted, "python3", "python"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := Program{Path: path, Limit: time.Minute, Args: []string{"-c", "import sys; print('%d.%d' % sys.version_info[:2])"}}.Run(ctx)
		version := strings.TrimSpace(string(out.Stdout))
		if err == nil && version == wanted {
			return path, nil
		}
		seen = append(seen, fmt.Sprintf("%s is %q", path, version))
	}
	return "", fmt.Errorf("no Python %s on the path (%s); install it", wanted, strings.Join(seen, ", "))
}

// Script prepares a run of a Python file with arguments. modules are directories whose modules it may import.
func (e Env) Script(modules []string, file string, args ...string) Program {
	return Program{
		Path: e.Python,
		Args: append([]string{"-u", file}, args...),
		Env:  []string{"PYTHONPATH=" + strings.Join(modules, string(os.PathListSeparator)), "PYTHONDONTWRITEBYTECODE=1"},
	}
}
