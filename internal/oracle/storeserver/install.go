package storeserver

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"azulejo/internal/oracle/pyenv"
)

// The programs and their versions.
const (
	gofakes3Package  = "github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0"
	versitygwPackage = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
	fakeGCSPackage   = "github.com/fsouza/fake-gcs-server@v1.56.1"
	azuritePackage   = "azurite@3.37.0"
)

// installLimit bounds one installation.
const installLimit = 15 * time.Minute

// goProgram returns the path of a Go program, building it first where this machine does not have it.
func goProgram(ctx context.Context, log io.Writer, pkg string) (string, error) {
	return installed(ctx, log, pkg, func(dir string) error {
		_, err := pyenv.Program{Path: "go", Args: []string{"install", pkg}, Dir: dir, Limit: installLimit,
			Env: []string{"GOBIN=" + filepath.Join(dir, "bin"), "GOWORK=off", "GOFLAGS="}}.Run(ctx)
		return err
	}, filepath.Join("bin", programName(pkg)))
}

// programName is the last part of a package's path before its version.
func programName(pkg string) string {
	name, _, _ := strings.Cut(filepath.Base(pkg), "@")
	return name
}

// nodeProgram returns the path of a script of a Node package, installing the package first where this machine does not
// have it.
func nodeProgram(ctx context.Context, log io.Writer, pkg, script string) (string, error) {
	return installed(ctx, log, pkg, func(dir string) error {
		_, err := pyenv.Program{Path: "npm", Dir: dir, Limit: installLimit,
			Args: []string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, pkg}}.Run(ctx)
		return err
	}, script)
}

// installed returns the path of a file of a package, running install in a directory that gets its final name when it is
// complete.
func installed(ctx context.Context, log io.Writer, pkg string, install func(dir string) error, file string) (string, error) {
	cache, err := pyenv.Cache()
	if err != nil {
		return "", err
	}
	final := filepath.Join(cache, "store-"+filepath.Base(pkg)+"-"+runtime.GOOS+"-"+runtime.GOARCH)
	path := filepath.Join(final, file)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	err = pyenv.Locked(ctx, "store-"+filepath.Base(pkg), func(cache string) error {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		dir, err := os.MkdirTemp(cache, "store-build-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) // best effort: only disk space is lost
		started := time.Now()
		fmt.Fprintf(log, "installing the store server %s in %s (once per machine)\n", pkg, final)
		if err := install(dir); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			return err
		}
		fmt.Fprintf(log, "installed in %s\n", time.Since(started).Round(time.Second))
		return os.Rename(dir, final)
	})
	if err != nil {
		return "", fmt.Errorf("the store server %s cannot be had; needed: Go with its module proxy, Node with npm and its package index: %w", pkg, err)
	}
	return path, nil
}
