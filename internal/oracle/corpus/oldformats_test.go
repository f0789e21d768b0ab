package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/fragment"
	"azulejo/internal/oracle/launch"
	"azulejo/query"
	"azulejo/schema"
)

// TestOldFormats reads arrays and groups that releases 1.5 to 2.12 wrote. testdata/old-formats.tar.zst holds them with what
// libtiledb 2.30 reads from them; old_write.py and old_expect.py beside compare.py made it.
func TestOldFormats(t *testing.T) {
	env := launch.Python(t)
	if err := launch.DependOn(filepath.Join("testdata", "python")); err != nil {
		t.Fatal(err)
	}
	corpus, results := t.TempDir(), t.TempDir()
	if err := unpack("testdata/old-formats.tar.zst", corpus); err != nil {
		t.Fatal(err)
	}
	judge(t, env, perform(t, "read", corpus, results), "compare.py", "check", corpus, results)
	checkAll(t, corpus)
}

// checkAll fails the test when the library finds damage in an array of the corpus.
func checkAll(t *testing.T, corpus string) {
	m, err := loadManifest(corpus, "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range m.Cases {
		if c.Kind == "group" {
			continue
		}
		_, err := array.Check(t.Context(), fs, filepath.Join(corpus, c.Dir, "data"), func(d array.Damage) { t.Errorf("%s: %v", c.Name, d) })
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// unpack writes the files of a compressed tar archive below dir.
func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close() // best effort: it was only read
	z, err := zstd.NewReader(f)
	if err != nil {
		return err
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.Clean("/"+h.Name))
		if h.FileInfo().IsDir() {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
}

// TestUpgradedOldFormats upgrades the same arrays, writes their newest cells again as they are, and reads them as before:
// by the library and by libtiledb.
func TestUpgradedOldFormats(t *testing.T) {
	env := launch.Python(t)
	if err := launch.DependOn(filepath.Join("testdata", "python")); err != nil {
		t.Fatal(err)
	}
	corpus := t.TempDir()
	if err := unpack("testdata/old-formats.tar.zst", corpus); err != nil {
		t.Fatal(err)
	}
	m, err := loadManifest(corpus, "*")
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, c := range m.Cases {
		if c.Kind == "group" {
			continue
		}
		if err := upgradeAndRewrite(t, filepath.Join(corpus, c.Dir, "data")); err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		done++
	}
	t.Logf("%d arrays upgraded", done)
	p := env.Script(nil, filepath.Join("testdata", "python", "old_again.py"), corpus)
	p.Limit = 5 * time.Minute
	out, err := p.Run(t.Context())
	if err != nil {
		t.Errorf("libtiledb: %v\n%.4000s", err, out.Stdout)
	}
}

// upgradeAndRewrite upgrades an array and writes all its cells into a new fragment, or consolidates those of a dense array
// with sparse ones.
func upgradeAndRewrite(t *testing.T, uri string) error {
	a, err := array.Open(t.Context(), fs, uri, array.Latest())
	if err != nil {
		return err
	}
	before, err := allCells(t, a)
	if err != nil {
		return err
	}
	if len(before.Columns[0].Data) == 0 || a.Schema.AllowsDups {
		_, err := array.Upgrade(t.Context(), fs, uri)
		return err
	}
	if err := rewrite(t, a, before); !errors.Is(err, array.ErrUnsupported) {
		t.Errorf("%s: writing before an upgrade: %v", uri, err)
	}
	if _, err := array.Upgrade(t.Context(), fs, uri); err != nil {
		return err
	}
	if a, err = array.Open(t.Context(), fs, uri, array.Latest()); err != nil {
		return err
	}
	if a.Schema.Type == schema.Dense && slices.ContainsFunc(a.Fragments(), sparse) {
		return makeDense(t, uri, before)
	}
	return rewrite(t, a, before)
}

func sparse(f *fragment.Reader) bool { return !f.Dense() }

// makeDense consolidates a dense array with sparse fragments, after which it holds the same and no such fragment.
func makeDense(t *testing.T, uri string, before *query.Result) error {
	if _, err := consolidate.Fragments(t.Context(), fs, uri, consolidate.Options{}); err != nil {
		return err
	}
	if err := consolidate.Vacuum(t.Context(), fs, uri, consolidate.ModeFragments); err != nil {
		return err
	}
	a, err := array.Open(t.Context(), fs, uri, array.Latest())
	if err != nil {
		return err
	}
	if slices.ContainsFunc(a.Fragments(), sparse) {
		t.Errorf("%s: sparse fragments stay", uri)
	}
	after, err := allCells(t, a)
	if err == nil && !reflect.DeepEqual(after.Columns, before.Columns) {
		t.Errorf("%s: other cells after consolidation", uri)
	}
	return err
}

// allCells reads what the array's schema has, over the non-empty domain of a dense array.
func allCells(t *testing.T, a *array.Array) (*query.Result, error) {
	q := &query.Read{Layout: schema.RowMajor}
	for _, name := range a.Schema.FieldNames() {
		if f, _ := a.Schema.Field(name); !f.Dimension || a.Schema.Type == schema.Sparse {
			q.Fields = append(q.Fields, query.Want{Name: name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1})
		}
	}
	if a.Schema.Type == schema.Dense {
		q.Subarray.Ranges = written(a)
	}
	return query.Run(t.Context(), a, q)
}

// written returns the non-empty domain as a subarray, nil for the whole domain when nothing was written.
func written(a *array.Array) [][]schema.Range {
	var out [][]schema.Range
	for _, r := range a.NonEmptyDomain() {
		out = append(out, []schema.Range{r})
	}
	return out
}

func rewrite(t *testing.T, a *array.Array, cells *query.Result) error {
	w := &query.Write{Layout: schema.Unordered, Columns: cells.Columns, CheckOutOfBounds: true, CheckDups: true}
	if a.Schema.Type == schema.Dense {
		w.Layout, w.Subarray.Ranges = schema.RowMajor, written(a)
	}
	_, err := query.Submit(t.Context(), a, w)
	return err
}
