package cells_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentShowsTheExamples compares the Go code in docs/library.md with the bodies of the examples, which are
// compiled and run.
func TestDocumentShowsTheExamples(t *testing.T) {
	page, err := os.ReadFile("../docs/library.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{}
	for _, m := range regexp.MustCompile(`(?ms)^func (Example_\w+)\(\) \{\n(.*?)^\}\n`).FindAllStringSubmatch(string(source), -1) {
		bodies[m[1]] = strings.TrimPrefix(strings.ReplaceAll("\n"+m[2], "\n\t", "\n"), "\n")
	}
	blocks := regexp.MustCompile("(?ms)^<!-- (\\w+) -->\n```go\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	if all := strings.Count(string(page), "```go"); len(blocks) != all || len(blocks) != len(bodies) {
		t.Errorf("%d of %d code blocks name an example; there are %d examples", len(blocks), all, len(bodies))
	}
	for _, b := range blocks {
		if bodies[b[1]] != b[2] {
			t.Errorf("the code under %s differs from the example, which is:\n%s", b[1], bodies[b[1]])
		}
	}
}
