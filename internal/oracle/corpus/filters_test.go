package main

import (
	"flag"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

var filterCases = flag.Int("corpus.filters", 80, "random pipelines per seed; there are some 750 pairs of a filter and a datatype")

// TestFiltersOfEveryTypeInEveryPlace has libtiledb and the library read what the other wrote through random pipelines of
// one to four filters, on attributes, dimensions, offsets and validity, and take the same schemas.
func TestFiltersOfEveryTypeInEveryPlace(t *testing.T) {
	env := launch.Python(t)
	if err := launch.DependOn(filepath.Join("testdata", "python")); err != nil {
		t.Fatal(err)
	}
	for seed := range strings.SplitSeq(*seeds, ",") {
		t.Run("seed "+seed, func(t *testing.T) {
			corpus := filepath.Join(t.TempDir(), "corpus")
			p := env.Script(nil, filepath.Join("testdata", "python", "filter_matrix.py"), corpus, strconv.Itoa(*filterCases), seed)
			p.Limit = time.Hour
			out, err := p.Run(t.Context())
			if err != nil {
				t.Fatalf("%v\n%s", err, out.Stdout)
			}
			compareSchemas(t, filepath.Join(corpus, "schemas.json"))
			results, written := t.TempDir(), t.TempDir()
			judge(t, env, perform(t, "read", corpus, results), "compare.py", "check", corpus, results)
			judge(t, env, perform(t, "replay", corpus, written), "rerun.py", corpus, "--written", written)
		})
	}
}
