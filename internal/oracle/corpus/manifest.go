package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"azulejo/filter"
)

// manifest lists the cases of a corpus: arrays and groups that libtiledb wrote, the steps that made them and what must be
// read from them.
type manifest struct {
	Cases []testCase `json:"cases"`
}

// testCase is one case of a corpus.
type testCase struct {
	Name  string
	Kind  string
	Tags  []string
	Dir   string
	Steps []step
	Reads []read
	// Encryption is set when the case's data is encrypted.
	Encryption *struct{ Type, Key string }
}

// key returns the case's encryption key, nil when it is not encrypted.
func (c *testCase) key() (*filter.Key, error) {
	if c.Encryption == nil {
		return nil, nil
	}
	return keyOf(c.Encryption.Key)
}

// keyOf returns the key of a text, nil for none.
func keyOf(text string) (*filter.Key, error) {
	if text == "" {
		return nil, nil
	}
	return filter.NewKey([]byte(text))
}

// read is one result that must be had. Which members count depends on Op.
type read struct {
	Op string
	// Data is the directory read, "data" or "state-N", Sub a path in it.
	Data, Sub string
	AfterStep int `json:"after_step"`
	// Expected is the file of the expected result; empty when the read must be refused.
	Expected   string
	Layout     string
	Fields     []string
	Ranges     map[string][][2]any
	Condition  map[string]any
	OpenAt     []uint64 `json:"open_at"`
	Aggregates []any
	// Key, of an open, is the key to try.
	Key string
}

// step is one action of a case. Which members count depends on Op.
type step struct {
	Op, Sub   string
	Timestamp uint64
	// create
	Schema *schemaSpec
	// write
	Layout  string
	Ranges  map[string][][2]any
	Columns []string
	// metadata: key -> [type, value, count], and keys to delete
	Items  map[string][3]any
	Delete []string
	// delete
	Condition map[string]any
	// delete_fragments: the interval, both ends included
	Timestamps []uint64
	// evolve: a changes map each, Add also as [uri, relative, name] of a group
	Add           json.RawMessage
	Drop          []string
	AddEnums      []enumSpec `json:"add_enums"`
	Extend        [][2]any   `json:"extend"`
	DropEnums     []string   `json:"drop_enums"`
	CurrentDomain [][2]any   `json:"current_domain"`
	Remove        []string
	Mode          string
	// consolidate: Vacuum says that vacuum follows, FragmentCount how many fragments are named
	Vacuum        bool
	Config        map[string]string
	FragmentCount int `json:"fragment_count"`
	Settings      map[string]string
}

// labelSpec is a dimension label as the corpus's steps describe it.
type labelSpec struct {
	Name, Type, Order string
	Dim               int
}

// schemaSpec is a schema as the corpus's steps describe it.
type schemaSpec struct {
	Sparse          bool
	Dims            []dimSpec
	Attrs           []attrSpec
	CellOrder       string `json:"cell_order"`
	TileOrder       string `json:"tile_order"`
	Capacity        *uint64
	Dups            bool
	CoordsFilters   []any `json:"coords_filters"`
	OffsetsFilters  []any `json:"offsets_filters"`
	ValidityFilters []any `json:"validity_filters"`
	Enums           []enumSpec
	Labels          []labelSpec
	CurrentDomain   [][2]any `json:"current_domain"`
}

type dimSpec struct {
	Name, Type string
	Domain     *[2]any
	Tile       any
	Filters    []any
	MaxChunk   *uint32 `json:"max_chunk"`
}

type attrSpec struct {
	Name, Type string
	NVal       uint32
	Nullable   bool
	Fill       any
	FillValid  int `json:"fill_valid"`
	Filters    []any
	MaxChunk   *uint32 `json:"max_chunk"`
	Enum       string
}

type enumSpec struct {
	Name, Type string
	Values     []any
	Ordered    bool
	NVal       uint32
}

// loadManifest reads the manifest of a corpus and keeps the cases whose names match the pattern, in which * also matches
// slashes.
func loadManifest(corpus, only string) (*manifest, error) {
	raw, err := os.ReadFile(filepath.Join(corpus, "manifest.json"))
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m manifest
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("manifest of %s: %w", corpus, err)
	}
	kept := m.Cases[:0]
	for _, c := range m.Cases {
		ok, err := matches(only, c.Name)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, c)
		}
	}
	m.Cases = kept
	return &m, nil
}

// matches is a glob match on names with slashes, which count as ordinary characters.
func matches(pattern, name string) (bool, error) {
	const plain = "\x01"
	return path.Match(replaceSlash(pattern, plain), replaceSlash(name, plain))
}

func replaceSlash(s, with string) string {
	return string(bytes.ReplaceAll([]byte(s), []byte("/"), []byte(with)))
}
