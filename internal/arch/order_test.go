package arch

import (
	"os"
	"strings"
	"testing"
)

const root = "../.."

func tree(t *testing.T) []*File {
	t.Helper()
	files, err := Tree(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d Go files found: the checks would check nothing", len(files))
	}
	return files
}

func order(t *testing.T) *Order {
	t.Helper()
	text, err := os.ReadFile("order.txt")
	if err != nil {
		t.Fatal(err)
	}
	return ParseOrder(string(text))
}

func TestImportOrder(t *testing.T) {
	files, order := tree(t), order(t)
	ours := map[string]bool{}
	for _, f := range files {
		ours[f.Package] = true
	}
	for _, f := range files {
		if f.Test {
			continue
		}
		for _, to := range f.Imports {
			if !ours[to] || to == f.Package {
				continue
			}
			if err := order.May(f.Package, to); err != nil {
				t.Errorf("%s: %v", f.Path, err)
			}
		}
	}
}

func TestOrderRefusesUpwardImports(t *testing.T) {
	order := order(t)
	for _, pair := range [][2]string{
		{"schema", "array"}, {"array", "internal/wire"}, {"query", "internal/db"}, {"vfs/file", "fragment"},
		{"internal/token", "internal/web"}, {"datatype", "internal/pool"}, {"array", "group"}, {"nowhere", "schema"},
	} {
		if order.May(pair[0], pair[1]) == nil {
			t.Errorf("%s may import %s", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"array", "fragment"}, {"cmd/azulejo", "internal/api"}, {"internal/oracle/reads", "internal/oracle/pyenv"}} {
		if err := order.May(pair[0], pair[1]); err != nil {
			t.Error(err)
		}
	}
}

// forbidden lists imports that a package tree must never have, even in order, and why.
var forbidden = []struct {
	packages []string
	imports  []string
	why      string
}{
	{[]string{"format", "schema", "filter", "condition", "datatype"}, []string{"vfs", "vfs/file", "vfs/mem", "os", "net", "net/http"},
		"the format's bytes and rules know no storage"},
	{[]string{"datatype", "filter", "schema", "condition", "format", "vfs", "fragment", "array", "group", "query", "cells", "arrowio", "internal/bin", "internal/pool"},
		[]string{"net/http", "database/sql", "log", "log/slog", "flag"}, "the library serves nothing, logs nothing and has no flags"},
	{[]string{"internal/access"}, []string{"net/http", "database/sql", "internal/db"}, "access rules are pure"},
}

func TestForbiddenImports(t *testing.T) {
	exists := map[string]bool{}
	for _, f := range tree(t) {
		exists[f.Package] = true
		for _, to := range f.Imports {
			for _, rule := range forbidden {
				if !f.Test && contains(rule.packages, f.Package) && contains(rule.imports, to) {
					t.Errorf("%s imports %s: %s", f.Path, to, rule.why)
				}
			}
			if to == "unsafe" && f.Package != "datatype" {
				t.Errorf("%s imports unsafe, which only datatype may", f.Path)
			}
			if to == "C" && f.Package != "internal/sql" {
				t.Errorf("%s uses cgo, which only internal/sql may", f.Path)
			}
		}
	}
	for _, rule := range forbidden {
		for _, pkg := range rule.packages {
			if !exists[pkg] {
				t.Errorf("the rule %q names package %s, which does not exist", rule.why, pkg)
			}
		}
	}
}

// TestArrowStaysAbove holds arrow-go to arrowio, to what lies above it and to tests.
func TestArrowStaysAbove(t *testing.T) {
	order, uses := order(t), 0
	limit, ok := order.Layer("arrowio")
	if !ok {
		t.Fatal("arrowio is on no line of order.txt")
	}
	for _, f := range tree(t) {
		for _, to := range f.Imports {
			if !strings.HasPrefix(to, "github.com/apache/arrow-go/") {
				continue
			}
			uses++
			if layer, _ := order.Layer(f.Package); f.Package != "arrowio" && layer <= limit {
				t.Errorf("%s imports %s: of the library only arrowio may", f.Path, to)
			}
		}
	}
	if uses == 0 {
		t.Error("nothing imports arrow-go: the check checks nothing")
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func TestNoEnvironmentOutsideCommands(t *testing.T) {
	for _, f := range tree(t) {
		if f.Test || strings.HasPrefix(f.Package, "cmd/") || strings.HasPrefix(f.Package, "internal/oracle") {
			continue
		}
		src, err := os.ReadFile(root + "/" + f.Path)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{"os.Getenv(", "os.LookupEnv(", "os.Environ("} {
			if strings.Contains(string(src), call) && f.Package != "internal/arch" {
				t.Errorf("%s calls %s...): only commands read the environment", f.Path, call)
			}
		}
	}
}
