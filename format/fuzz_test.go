package format

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"azulejo/filter"
	"azulejo/schema"
)

// testFiles returns the files of testdata whose path holds a word.
func testFiles(t testing.TB, word string) (files [][]byte) {
	err := filepath.WalkDir("testdata", func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.Contains(path, word) && !strings.HasSuffix(path, ".txt") {
			b, readErr := os.ReadFile(path)
			files = append(files, b)
			return readErr
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d seeds with %q, error %v", len(files), word, err)
	}
	return files
}

// seedPayloads adds what the generic tiles of test files hold: mutating compressed bytes would only try their checksum.
func seedPayloads(f *testing.F, word string) {
	for _, b := range testFiles(f, word) {
		f.Add(payloads(f, b, int64(len(b)))[0])
	}
}

// tile wraps a payload.
func tile(t testing.TB, payload []byte) []byte {
	b, err := AppendGenericTile(nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkClass expects an error of this package's classes with a place.
func checkClass(t *testing.T, err error) {
	var e *Error
	if !errors.As(err, &e) || e.Field == "" || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, filter.ErrKey) {
		t.Errorf("error %v has no place or class", err)
	}
}

// roundTrip is the property of all decoders: what was decoded and encoded decodes to the same.
func roundTrip[T any](t *testing.T, file []byte, decode func([]byte) (T, error), encode func(T) ([]byte, error)) (T, bool) {
	v, err := decode(file)
	if err != nil {
		checkClass(t, err)
		return v, false
	}
	again, err := encode(v)
	if err != nil {
		t.Fatalf("cannot encode %+v: %v", v, err)
	}
	w, err := decode(again)
	if err != nil || !reflect.DeepEqual(v, w) {
		t.Fatalf("decoded %+v, again %+v, error %v", v, w, err)
	}
	return v, true
}

func FuzzGenericTile(f *testing.F) {
	for _, b := range testFiles(f, "schema") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, n, err := DecodeGenericTile(b)
		if err != nil {
			checkClass(t, err)
			return
		}
		again, m, err := DecodeGenericTile(tile(t, p))
		if err != nil || n > len(b) || m == 0 || !bytes.Equal(again, p) {
			t.Errorf("payload %q, again %q, error %v", p, again, err)
		}
	})
}

func FuzzArraySchema(f *testing.F) {
	seedPayloads(f, "schema")
	f.Fuzz(func(t *testing.T, payload []byte) {
		current := func(file []byte) (*schema.Array, error) {
			a, err := DecodeArraySchema(file)
			if a != nil {
				a.Version = Version
			}
			return a, err
		}
		a, ok := roundTrip(t, tile(t, payload), current, EncodeArraySchema)
		if !ok || a.CheckStored() != nil {
			return
		}
		_ = a.Check()
		if g, err := schema.NewGrid(a); err == nil {
			g.CellsPerTile()
			g.TileBox(g.Whole()).Count()
		}
		if _, err := schema.NewOrdering(a, schema.RowMajor); err != nil {
			t.Error(err)
		}
		for _, name := range a.FieldNames() {
			if f, ok := a.Field(name); !ok || f.CellSize() < 1 {
				t.Errorf("field %q: %+v", name, f)
			}
		}
	})
}

func FuzzEnumeration(f *testing.F) {
	seedPayloads(f, "enumeration")
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, ok := roundTrip(t, tile(t, payload), DecodeEnumeration, EncodeEnumeration)
		if ok && e.Check() == nil && e.Len() > 0 {
			if i, found := e.Index(e.Label(e.Len() - 1)); !found || i != e.Len()-1 {
				t.Errorf("last label found at %d, %v", i, found)
			}
		}
	})
}

func FuzzMetadata(f *testing.F) {
	seedPayloads(f, "meta")
	f.Fuzz(func(t *testing.T, payload []byte) {
		roundTrip(t, tile(t, payload), DecodeMetadata, EncodeMetadata)
	})
}

func FuzzGroup(f *testing.F) {
	seedPayloads(f, "group")
	f.Fuzz(func(t *testing.T, payload []byte) {
		members := func(file []byte) ([]GroupMember, error) {
			g, err := DecodeGroupDetails(file)
			if err != nil {
				return nil, err
			}
			return g.Members, nil
		}
		roundTrip(t, tile(t, payload), members, EncodeGroupDetails)
	})
}

func FuzzDeleteCommit(f *testing.F) {
	seedPayloads(f, ".del")
	f.Fuzz(func(t *testing.T, payload []byte) {
		roundTrip(t, tile(t, payload), DecodeDeleteCommit, EncodeDeleteCommit)
	})
}

func FuzzUpdateCommit(f *testing.F) {
	for _, payload := range [][]byte{{}, {1}, {1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 'a'}} {
		f.Add(append([]byte{comparisonNode, 4, 1, 0, 0, 0, 'a', 1, 0, 0, 0, 0, 0, 0, 0, 9}, payload...))
		f.Add(append([]byte{comparisonNode, 4, 1, 0, 0, 0, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, payload...))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		n, err := DecodeUpdateCommit(tile(t, payload))
		if err != nil {
			return
		}
		// The condition is what a delete commit has.
		file, err := EncodeDeleteCommit(n)
		if err != nil {
			t.Fatal(err)
		}
		if head, _, err := DecodeGenericTile(file); err != nil || !bytes.HasPrefix(payload, head) {
			t.Errorf("%x begins with %x: %v", payload, head, err)
		}
	})
}

func FuzzConsolidatedCommits(f *testing.F) {
	for _, b := range testFiles(f, ".con") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		roundTrip(t, file, DecodeConsolidatedCommits, EncodeConsolidatedCommits)
	})
}

func FuzzLines(f *testing.F) {
	for _, b := range testFiles(f, ".vac") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		roundTrip(t, file, DecodeLines, EncodeLines)
	})
}

func FuzzName(f *testing.F) {
	f.Add("__10_20_" + someUUID + "_22")
	f.Add("__" + someUUID + "_15_16")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			return
		}
		if m, err := ParseName(n.String()); n.Version != 2 && (err != nil || m != n) {
			t.Errorf("%q is %+v, printed and parsed %+v, error %v", s, n, m, err)
		}
	})
}

// FuzzFooter changes the footer of a fragment metadata file, whose other parts stay.
func FuzzFooter(f *testing.F) {
	all := fragmentVectors(f)
	for i, v := range all {
		m, err := DecodeFragmentMetadata(v.file, v.Version, false, always(v.schema))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, v.file[m.Start:])
	}
	f.Fuzz(func(t *testing.T, i int, footer []byte) {
		v := all[uint(i)%uint(len(all))]
		m, err := DecodeFragmentMetadata(v.file, v.Version, false, always(v.schema))
		if err != nil {
			t.Fatal(err)
		}
		file := append(bytes.Clone(v.file[:m.Start]), footer...)
		if _, err = DecodeFooter(footer, int64(len(file)), v.Version, always(v.schema)); err != nil {
			if tail := (*TailError)(nil); !errors.As(err, &tail) {
				checkClass(t, err)
			}
			return
		}
		if m, err = DecodeFragmentMetadata(file, v.Version, false, always(v.schema)); err != nil {
			checkClass(t, err)
			return
		}
		if n := m.NumTiles(); n > 0 && m.TileCells(n-1) == 0 {
			t.Error("a last tile without cells")
		}
		if _, err := EncodeFragmentMetadata(m, nil); err != nil {
			checkClass(t, err)
		}
	})
}

// FuzzFragmentParts gives the decoders of all parts any payload, under footers of each version.
func FuzzFragmentParts(f *testing.F) {
	all := fragmentVectors(f)
	for i, v := range all {
		m, err := DecodeFragmentMetadata(v.file, v.Version, false, always(v.schema))
		if err != nil {
			f.Fatal(err)
		}
		if v.name == "dense" || v.name == "sparse" || v.name == "v11" {
			for _, p := range payloads(f, v.file, m.Start) {
				f.Add(i, 0, p)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i, slot int, payload []byte) {
		v := all[uint(i)%uint(len(all))]
		foot, err := DecodeFooter(v.file, int64(len(v.file)), v.Version, always(v.schema))
		if err != nil {
			t.Fatal(err)
		}
		slot = int(uint(slot) % uint(foot.Slots().Len()))
		decodeAllParts(t, foot, tile(t, payload), slot)
	})
}

func decodeAllParts(t *testing.T, foot *Footer, b []byte, slot int) {
	n := int(foot.NumTiles())
	for _, err := range []error{
		second(foot.DecodeNumbers(b, "numbers", true)), second(foot.DecodeSummary(b)), second(foot.DecodeProcessedConditions(b)),
	} {
		if err != nil {
			checkClass(t, err)
		}
	}
	values, err := foot.DecodeTileValues(b, slot)
	if err != nil {
		checkClass(t, err)
	} else {
		for i := range n {
			values.Value(i, n, foot.slotWidth(slot) == 0)
		}
	}
	tree, err := foot.DecodeRTree(b)
	if err != nil {
		checkClass(t, err)
		return
	}
	seen := 0
	tree.Search(&foot.Schema.Domain, foot.NonEmptyDomain, func(i int, full bool) bool { seen++; return i < n || foot.Dense })
	again, err := decodeRTree(tree.encode(&foot.Schema.Domain), &foot.Schema.Domain, Version)
	if err != nil || !reflect.DeepEqual(again, tree) {
		t.Errorf("tree %+v, again %+v, error %v", tree, again, err)
	}
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }
