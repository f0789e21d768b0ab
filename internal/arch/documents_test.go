package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fence      = regexp.MustCompile("(?s)```.*?```")
	codeSpan   = regexp.MustCompile("`([^`\n]+)`")
	repoPath   = regexp.MustCompile(`^[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)+/?$`)
	identifier = regexp.MustCompile(`^([a-z]\w*)\.([A-Z]\w*)$`)
	lineNumber = regexp.MustCompile(`\.(go|py|md):\d+`)
)

// documents are the texts whose names are checked; decisions describe their day and are left out of name checks.
func documents(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(root + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	for _, name := range append(names, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		docs[strings.TrimPrefix(filepath.ToSlash(name), root+"/")] = string(text)
	}
	for _, must := range []string{"README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/development.md"} {
		if docs[must] == "" {
			t.Errorf("%s is missing", must)
		}
	}
	return docs
}

func TestDocumentsNameWhatExists(t *testing.T) {
	exported := map[string]bool{}
	packages := map[string]bool{}
	for _, f := range tree(t) {
		pkg := f.AST.Name.Name
		packages[pkg] = true
		for name := range f.AST.Scope.Objects {
			exported[pkg+"."+name] = true
		}
	}
	for name, text := range documents(t) {
		if found := lineNumber.FindString(text); found != "" {
			t.Errorf("%s names a line number (%s): lines move, names stay", name, found)
		}
		for _, span := range codeSpan.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			code := span[1]
			if m := identifier.FindStringSubmatch(code); m != nil && packages[m[1]] && !exported[code] {
				t.Errorf("%s names %s, which does not exist", name, code)
			}
			first, _, _ := strings.Cut(code, "/")
			if _, err := os.Stat(filepath.Join(root, first)); first == "." || err != nil || !repoPath.MatchString(code) {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, code)); err != nil {
				t.Errorf("%s names the path %s, which does not exist", name, code)
			}
		}
	}
}

func TestDependenciesHaveAReason(t *testing.T) {
	mod, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	architecture, err := os.ReadFile(root + "/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	direct := regexp.MustCompile(`(?m)^(?:require )?\t?(\S+\.\S+/?\S*) v\S+$`).FindAllStringSubmatch(string(mod), -1)
	if len(direct) == 0 || len(direct) > 40 {
		t.Errorf("%d direct dependencies, want 1 to 40", len(direct))
	}
	for _, m := range direct {
		if !strings.Contains(string(architecture), "`"+m[1]+"`") {
			t.Errorf("ARCHITECTURE.md does not say why we depend on `%s`", m[1])
		}
	}
}
