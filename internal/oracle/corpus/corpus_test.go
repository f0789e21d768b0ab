package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

var (
	full  = flag.Bool("corpus.full", false, "run every case of the corpora, not a sample")
	seeds = flag.String("corpus.seeds", "1", "seeds of the corpora, separated by commas")
)

// sample has at least one case of everything that cases differ in.
var sample = []string{
	"dtype/*/int16", "dtype/*/uint64", "dtype/*/float64", "dtype/*/bool", "dtype/*/string_utf*", "dtype/*/datetime_ms", "dtype/*/blob",
	"dimtype/*/int8", "dimtype/*/uint64", "dimtype/*/datetime_day", "dimtype/sparse/float32", "dimtype/sparse/[ehs]*",
	"fill/*", "order/*/2d-*", "order/*/3d-col-*", "order/*/[a-z]*", "filter/*/plain-dense", "filter/zstd/*", "filter/webp-*", "filter/rle/*", "filter/*/strings-dense",
	"filter/double_delta/*", "filter/chain/*-0[0-3]", "filter/offsets-validity/*", "cells/*", "empty/*", "names/*", "metadata/*", "enumeration/*",
	"evolution/*", "current-domain/*", "condition/*", "aggregate/*", "group/*", "hilbert/*", "consolidation/[a-r]*", "consolidation/stepped-sparse", "delete/*", "encrypted/dense", "labels/*",
}

// corpusOf returns the directory of a corpus, which is made when this machine does not have it yet.
func corpusOf(t *testing.T, env pyenv.Env, seed string) string {
	t.Helper()
	globs := sample
	if *full {
		globs = []string{"*"}
	}
	key := sha256.New()
	for _, name := range []string{"generate.py", "capi.py", "sample.py"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "python", name))
		if err != nil {
			t.Fatal(err)
		}
		key.Write(raw)
	}
	fmt.Fprint(key, globs, seed)
	var dir string
	err := pyenv.Locked(t.Context(), "corpus", func(cache string) error {
		dir = filepath.Join(cache, fmt.Sprintf("corpus-%x", key.Sum(nil)[:8]))
		if _, err := os.Stat(dir); err == nil {
			return nil
		}
		p := env.Script(nil, filepath.Join("testdata", "python", "sample.py"), append([]string{dir, seed}, globs...)...)
		p.Limit = 20 * time.Minute
		out, err := p.Run(t.Context())
		t.Logf("%s", out.Stdout)
		return err
	})
	if err != nil {
		t.Fatalf("making a corpus: %v", err)
	}
	return dir
}

// judge runs one of the corpus's own programs, compare.py or rerun.py, and fails the test with every difference in a case
// that report.json does not call unsupported.
func judge(t *testing.T, env pyenv.Env, cases map[string]outcome, program string, args ...string) {
	t.Helper()
	p := env.Script(nil, filepath.Join("testdata", "python", program), args...)
	p.Limit = 10 * time.Minute
	out, err := p.Run(t.Context())
	lines := strings.Split(strings.TrimSpace(string(out.Stdout)), "\n")
	for _, line := range lines[:len(lines)-1] {
		if words := strings.Fields(line); len(words) < 2 || cases[words[1]].Status != statusUnsupported {
			t.Errorf("%.400s", line)
		}
	}
	// The last line has the totals; status 1 alone says that some lines were printed.
	if total := lines[len(lines)-1]; !strings.Contains(total, " passed, ") {
		t.Errorf("%s ended with %q: %v", program, total, err)
	} else {
		t.Logf("%s, those of unsupported cases included in the failed", total)
	}
}

// forEachSeed runs test for the corpus of every seed.
func forEachSeed(t *testing.T, test func(t *testing.T, env pyenv.Env, corpus string)) {
	env := launch.Python(t)
	if err := launch.DependOn(filepath.Join("testdata", "python")); err != nil {
		t.Fatal(err)
	}
	for seed := range strings.SplitSeq(*seeds, ",") {
		t.Run("seed "+seed, func(t *testing.T) { test(t, env, corpusOf(t, env, seed)) })
	}
}

// perform runs a command line of this program, whose last argument but flags is the output directory, and returns its
// report. Every case must be done: nothing is left that the library may refuse.
func perform(t *testing.T, verb, corpus, out string, flags ...string) map[string]outcome {
	t.Helper()
	var said bytes.Buffer
	if err := run(context.WithoutCancel(t.Context()), append([]string{verb, corpus, out}, flags...), &said); err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	t.Log(lines[len(lines)-1])
	raw, err := os.ReadFile(filepath.Join(out, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string]outcome
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		if c.Status != statusOK {
			t.Errorf("%s: %s: %s", name, c.Status, c.Message)
		}
	}
	return cases
}

func TestReadsEqualLibtiledbs(t *testing.T) {
	forEachSeed(t, func(t *testing.T, env pyenv.Env, corpus string) {
		results := t.TempDir()
		judge(t, env, perform(t, "read", corpus, results), "compare.py", "check", corpus, results)
	})
}

func TestReadsInPartsEqualLibtiledbs(t *testing.T) {
	forEachSeed(t, func(t *testing.T, env pyenv.Env, corpus string) {
		results := t.TempDir()
		judge(t, env, perform(t, "read", corpus, results, "--cells", "7"), "compare.py", "check", corpus, results)
	})
}

func TestLibtiledbReadsWhatWeWrite(t *testing.T) {
	forEachSeed(t, func(t *testing.T, env pyenv.Env, corpus string) {
		written := t.TempDir()
		judge(t, env, perform(t, "replay", corpus, written), "rerun.py", corpus, "--written", written)
	})
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "order/dense/2d", true}, {"order/*", "order/dense/2d", true}, {"*2d", "order/dense/2d", true},
		{"order/*/3d", "order/dense/2d", false}, {"order/dense/[12]d", "order/dense/2d", true}, {"dense", "order/dense/2d", false},
	} {
		if got, err := matches(c.pattern, c.name); err != nil || got != c.want {
			t.Errorf("%q on %q: %v, %v", c.pattern, c.name, got, err)
		}
	}
}
