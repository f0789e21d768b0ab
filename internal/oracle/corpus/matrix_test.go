package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/internal/oracle/launch"
	"azulejo/vfs/mem"
)

var valueRounds = flag.Int("corpus.values", 1, "rounds of random values of all datatypes per seed")

// TestSchemasThatLibtiledbTakes makes random schemas of every datatype, many of them wrong, and wants the library to take
// and to refuse the same as libtiledb.
func TestSchemasThatLibtiledbTakes(t *testing.T) {
	env := launch.Python(t)
	if err := launch.DependOn(filepath.Join("testdata", "python")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "schemas.json")
	if out, err := env.Script(nil, filepath.Join("testdata", "python", "schema_matrix.py"), file, "1000", strings.Split(*seeds, ",")[0]).Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.Stdout)
	}
	compareSchemas(t, file)
}

// compareSchemas wants the library to take and to refuse the schemas of a file of schema_matrix.py as libtiledb did, and
// some to be taken.
func compareSchemas(t *testing.T, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Schema   schemaSpec
		Accepted bool
		Error    string
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for i, c := range list {
		s, err := buildSchema(&c.Schema)
		if err == nil {
			err = array.Create(t.Context(), mem.New(), "a", s)
		}
		if (err == nil) != c.Accepted {
			text, _ := json.Marshal(c.Schema)
			t.Errorf("schema %d: libtiledb says %q, we say %v: %s", i, c.Error, err, text)
		}
		if c.Accepted {
			taken++
		}
	}
	if taken < len(list)/20 {
		t.Errorf("libtiledb took only %d of %d schemas", taken, len(list))
	}
}

// TestValuesOfEveryType has libtiledb and the library read, equal to the bit, what the other wrote: random bytes of every
// datatype, one value, several or any number in a cell, nullable or not, as attribute and as dimension, through random
// pipelines: some 500 combinations a round.
func TestValuesOfEveryType(t *testing.T) {
	env := launch.Python(t)
	if err := launch.DependOn(filepath.Join("testdata", "python")); err != nil {
		t.Fatal(err)
	}
	for seed := range strings.SplitSeq(*seeds, ",") {
		corpus, results, written := t.TempDir(), t.TempDir(), t.TempDir()
		p := env.Script(nil, filepath.Join("testdata", "python", "value_matrix.py"), corpus, strconv.Itoa(*valueRounds), seed)
		p.Limit = time.Hour
		out, err := p.Run(t.Context())
		if err != nil {
			t.Fatalf("%v\n%s", err, out.Stdout)
		}
		judge(t, env, perform(t, "read", corpus, results), "compare.py", "check", corpus, results)
		judge(t, env, perform(t, "replay", corpus, written), "rerun.py", corpus, "--written", written)
	}
}

// TestRandomGroups makes groups with random histories and compares members and metadata at several times, both ways.
func TestRandomGroups(t *testing.T) {
	env := launch.Python(t)
	if err := launch.DependOn(filepath.Join("testdata", "python")); err != nil {
		t.Fatal(err)
	}
	corpus, results, written := t.TempDir(), t.TempDir(), t.TempDir()
	out, err := env.Script(nil, filepath.Join("testdata", "python", "group_random.py"), corpus, "25", strings.Split(*seeds, ",")[0]).Run(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.Stdout)
	}
	judge(t, env, perform(t, "read", corpus, results), "compare.py", "check", corpus, results)
	judge(t, env, perform(t, "replay", corpus, written), "rerun.py", corpus, "--written", written)
}
