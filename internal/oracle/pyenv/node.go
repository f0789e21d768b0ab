package pyenv

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// installLimit bounds one installation.
const installLimit = 15 * time.Minute

// NodePackages returns a directory whose node_modules has the packages, each "name@version", installing them first where
// this machine does not have them. No script of theirs is run. The error says what is needed.
func NodePackages(ctx context.Context, log io.Writer, packages ...string) (string, error) {
	key := fmt.Sprintf("node-%.8x", sha256.Sum256([]byte(strings.Join(packages, " "))))
	return Installed(ctx, log, key, strings.Join(packages, " "), func(dir string) error {
		_, err := Program{Path: "npm", Dir: dir, Limit: installLimit,
			Args: append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir}, packages...)}.Run(ctx)
		return err
	})
}

// GoProgram returns the path of a Go program, "package@version", building it first where this machine does not have it.
func GoProgram(ctx context.Context, log io.Writer, pkg string) (string, error) {
	name, _, _ := strings.Cut(filepath.Base(pkg), "@")
	dir, err := Installed(ctx, log, "go-"+filepath.Base(pkg), pkg, func(dir string) error {
		_, err := Program{Path: "go", Args: []string{"install", pkg}, Dir: dir, Limit: installLimit,
			Env: []string{"GOBIN=" + filepath.Join(dir, "bin"), "GOWORK=off", "GOFLAGS="}}.Run(ctx)
		return err
	})
	return filepath.Join(dir, "bin", name), err
}

// Installed returns a directory of the shared cache that has what install puts in it. It gets its name when it is complete.
// what is what people are told of it.
func Installed(ctx context.Context, log io.Writer, key, what string, install func(dir string) error) (string, error) {
	cache, err := Cache()
	if err != nil {
		return "", err
	}
	final := filepath.Join(cache, key+"-"+runtime.GOOS+"-"+runtime.GOARCH)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	err = Locked(ctx, key, func(cache string) error {
		if _, err := os.Stat(final); err == nil {
			return nil
		}
		dir, err := os.MkdirTemp(cache, "install-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) // best effort: only disk space is lost
		started := time.Now()
		fmt.Fprintf(log, "installing %s in %s (once per machine)\n", what, final)
		if err := install(dir); err != nil {
			return err
		}
		fmt.Fprintf(log, "installed in %s\n", time.Since(started).Round(time.Second))
		return os.Rename(dir, final)
	})
	if err != nil {
		return "", fmt.Errorf("%s cannot be had; needed: Go with its module proxy, Node with npm and its package index: %w", what, err)
	}
	return final, nil
}
