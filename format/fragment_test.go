package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"azulejo/schema"
)

// fragmentVector is a fragment metadata file with what is known of it.
type fragmentVector struct {
	name   string
	file   []byte
	schema *schema.Array
	fact
}

// fragmentVectors returns the fragments in vectors.json, those of old versions among them.
func fragmentVectors(t testing.TB) (all []fragmentVector) {
	cases := vectors(t)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		if f, ok := cases[name]["fragment0.tdb"]; ok {
			all = append(all, fragmentVector{
				name, read(t, "vectors/"+name+"/fragment0.tdb"), readSchema(t, "vectors/"+name+"/schema0.tdb"), f,
			})
		}
	}
	return all
}

// coordinate turns a value of vectors.json into bytes of a dimension.
func coordinate(d *schema.Dimension, v any) []byte {
	if text, ok := v.(string); ok {
		return []byte(text)
	}
	x := v.(float64)
	switch {
	case d.Type.IsFloat() && d.Type.Size() == 4:
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(x)))
	case d.Type.IsFloat():
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(x))
	}
	return binary.LittleEndian.AppendUint64(nil, uint64(int64(x)))[:d.Type.Size()]
}

func checkRange(t *testing.T, what string, d *schema.Dimension, got schema.Range, want [2]any) {
	t.Helper()
	if w := (schema.Range{Lo: coordinate(d, want[0]), Hi: coordinate(d, want[1])}); !reflect.DeepEqual(got, w) {
		t.Errorf("%s of %s: got %q, want %q", what, d.Name, got, w)
	}
}

func TestFragmentVectors(t *testing.T) {
	for _, v := range fragmentVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			name, err := ParseName(v.Fragment)
			if err != nil {
				t.Fatal(err)
			}
			m, err := DecodeFragmentMetadata(v.file, name.Version, false, always(v.schema))
			if err != nil {
				t.Fatal(err)
			}
			if m.Version != v.Version || m.Dense != v.Dense || v.Cells != 0 && m.NumCells() != v.Cells {
				t.Errorf("version %d, dense %v, %d cells", m.Version, m.Dense, m.NumCells())
			}
			for i, r := range v.Domain {
				checkRange(t, "non-empty domain", &v.schema.Domain.Dimensions[i], m.NonEmptyDomain[i], r)
			}
			for i, box := range v.MBRs {
				for c, r := range box {
					d := &v.schema.Domain.Dimensions[c]
					checkRange(t, fmt.Sprintf("box %d", i), d, m.RTree.Leaves().Columns[c].Range(i, d.Type.Size()), r)
				}
			}
			checkFiles(t, m, v.Files)
		})
	}
}

// checkFiles compares the names and sizes of all data files with those found beside the metadata.
func checkFiles(t *testing.T, m *FragmentMetadata, want map[string]uint64) {
	got := map[string]uint64{}
	for slot := range m.Fields {
		for kind, sizes := range [][]uint64{FixedFile: m.FileSizes, VarFile: m.VarSizes, ValidityFile: m.ValiditySizes} {
			if sizes[slot] > 0 {
				got[m.FileName(slot, FileKind(kind))] = sizes[slot]
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// TestFragmentEncode writes what was read and expects every part to hold the same bytes as libtiledb's.
func TestFragmentEncode(t *testing.T) {
	for _, v := range fragmentVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			m, err := DecodeFragmentMetadata(v.file, v.Version, false, always(v.schema))
			if err != nil {
				t.Fatal(err)
			}
			start := m.Start
			again, err := EncodeFragmentMetadata(m, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := DecodeFragmentMetadata(again, Version, false, always(v.schema))
			if err != nil {
				t.Fatal(err)
			}
			if third, err := EncodeFragmentMetadata(b, nil); err != nil || !bytes.Equal(third, again) {
				t.Errorf("decoding and encoding again changes the file, error %v", err)
			}
			if v.Version != Version {
				return
			}
			if got, want := payloads(t, again, m.Start), payloads(t, v.file, start); !reflect.DeepEqual(got, want) {
				t.Errorf("parts differ:\n%q\nwant:\n%q", got, want)
			}
			if got, want := len(again)-int(m.Start), len(v.file)-int(start); got != want {
				t.Errorf("footer of %d bytes, want %d", got, want)
			}
		})
	}
}

// TestRTreeBuild builds the tree again from its leaves and expects libtiledb's.
func TestRTreeBuild(t *testing.T) {
	for _, v := range fragmentVectors(t) {
		m, err := DecodeFragmentMetadata(v.file, v.Version, false, always(v.schema))
		if err != nil {
			t.Fatal(err)
		}
		leaves := RTreeLevel{}
		if l := m.RTree.Leaves(); l != nil {
			leaves = *l
		}
		if got := NewRTree(&v.schema.Domain, leaves); !reflect.DeepEqual(got.encode(&v.schema.Domain), m.RTree.encode(&v.schema.Domain)) {
			t.Errorf("%s: got %+v, want %+v", v.name, got, m.RTree)
		}
	}
}

func TestRTreeSearch(t *testing.T) {
	d := &schema.Domain{Dimensions: []schema.Dimension{{Name: "x", Type: 6, CellValNum: 1}, {Name: "s", Type: 11, CellValNum: 0xFFFFFFFF}}}
	leaves := RTreeLevel{NumBoxes: 123, Columns: make([]RangeColumn, 2)}
	for i := range leaves.NumBoxes {
		leaves.Columns[0].Append(&d.Dimensions[0], schema.Range{Lo: []byte{byte(i)}, Hi: []byte{byte(i + 1)}})
		leaves.Columns[1].Append(&d.Dimensions[1], schema.Range{Lo: fmt.Appendf(nil, "%03d", i), Hi: fmt.Appendf(nil, "%03d", i)})
	}
	tree := NewRTree(d, leaves)
	var some, full []int
	tree.Search(d, []schema.Range{{Lo: []byte{40}, Hi: []byte{52}}, {Lo: []byte("041"), Hi: []byte("1")}}, func(i int, inside bool) bool {
		some = append(some, i)
		if inside {
			full = append(full, i)
		}
		return i < 51
	})
	want := []int{41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51}
	if len(tree.Levels) != 4 || !slices.Equal(some, want) || !slices.Equal(full, want) {
		t.Errorf("%d levels, found %v, fully %v", len(tree.Levels), some, full)
	}
}

// TestRTreeSpans finds a footer whose domain is not that of the tiles, as a flipped bit makes it.
func TestRTreeSpans(t *testing.T) {
	m := goldenFragment()
	file, err := EncodeFragmentMetadata(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	domain := int(m.Start) + 24 // behind version, schema name and two flags
	for _, at := range []int{domain, domain + 2, domain + 20, domain + 24} {
		bad := bytes.Clone(file)
		bad[at] ^= 2
		if _, err := DecodeFragmentMetadata(bad, Version, false, always(m.Schema)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d flipped: error %v", at, err)
		}
	}
}

func TestTileValues(t *testing.T) {
	offsets := binary.LittleEndian.AppendUint64(make([]byte, 8), 2)
	texts := TileValues{Fixed: offsets, Var: []byte("abc")}
	if a, b := texts.Value(0, 2, true), texts.Value(1, 2, true); string(a) != "ab" || string(b) != "c" {
		t.Errorf("texts %q %q", a, b)
	}
	fixed := TileValues{Fixed: []byte("aabb")}
	if v := fixed.Value(1, 2, false); string(v) != "bb" {
		t.Errorf("fixed %q", v)
	}
	if v := (TileValues{}).Value(0, 2, false); v != nil {
		t.Errorf("empty %q", v)
	}
}

// TestCoordinatesSlot takes zeros of any width in the unused slot, as libtiledb's depends on the dimensions.
func TestCoordinatesSlot(t *testing.T) {
	f := &Footer{Version: Version, Schema: oldArray(), tiles: 3}
	for n, ok := range map[int]bool{0: true, 3: true, 12: true, 24: true, 13: false} {
		w := append(binary.LittleEndian.AppendUint64(nil, uint64(n)), make([]byte, 8+n)...)
		if _, err := f.DecodeTileValues(tile(t, w), f.Slots().Coords()); (err == nil) != ok {
			t.Errorf("%d bytes: error %v", n, err)
		}
	}
}

// TestFooterTail decodes footers from tails of every length and wants the missing length said.
func TestFooterTail(t *testing.T) {
	for _, v := range fragmentVectors(t) {
		whole, err := DecodeFooter(v.file, int64(len(v.file)), v.Version, always(v.schema))
		if err != nil {
			t.Fatal(err)
		}
		n := len(v.file) - int(whole.Start)
		for _, tail := range []int{0, 7, 8, n - 1, n, n + 1} {
			f, err := DecodeFooter(v.file[len(v.file)-tail:], int64(len(v.file)), v.Version, always(v.schema))
			var short *TailError
			if errors.As(err, &short) && tail < n && short.Need <= int64(n) && short.Need > int64(tail) {
				continue
			}
			if err != nil || tail < n || !reflect.DeepEqual(f, whole) {
				t.Errorf("%s: tail of %d of %d bytes: error %v", v.name, tail, n, err)
			}
		}
	}
}

// TestUpstreamFragments reads metadata that old releases wrote.
func TestUpstreamFragments(t *testing.T) {
	for _, c := range []struct {
		version     uint32
		file, files string
		cells       uint64
		schemaName  string
	}{
		{2, "v01", "__coords.tdb=64 a.tdb=36", 4, LegacySchema},
		{10, "v10", "a0.tdb=24 d0.tdb=53 d0_var.tdb=8", 1, "__1693562063520_1693562063520_87f6551825c94139b3000f0d6b7c0ac0"},
	} {
		a := readSchema(t, "upstream/"+c.file+"_schema.tdb")
		if err := a.CheckStored(); err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		m, err := DecodeFragmentMetadata(read(t, "upstream/"+c.file+"_fragment.tdb"), c.version, false, always(a))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		var files []string
		for slot, n := range m.FileSizes {
			if n > 0 {
				files = append(files, fmt.Sprintf("%s=%d", m.FileName(slot, FixedFile), n))
			}
			if n := m.VarSizes[slot]; n > 0 {
				files = append(files, fmt.Sprintf("%s=%d", m.FileName(slot, VarFile), n))
			}
		}
		slices.Sort(files)
		if got := strings.Join(files, " "); got != c.files || m.NumCells() != c.cells || m.SchemaName != c.schemaName {
			t.Errorf("%s: files %s, %d cells, schema %s", c.file, got, m.NumCells(), m.SchemaName)
		}
	}
	if a := readSchema(t, "upstream/v11_schema.tdb"); a.Version != 11 || a.CheckStored() != nil {
		t.Errorf("v11: %+v", a)
	}
}
