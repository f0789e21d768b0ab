package query

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"azulejo/array"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

// vector is a write that libtiledb did, see testdata/writes/vectors.py.
type vector struct {
	SchemaName string `json:"schema_name"`
	Layout     string
	Ranges     [][2]hexBytes
	Columns    []struct {
		Name                    string
		Data, Offsets, Validity hexBytes
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := hex.DecodeString(s)
	*h = v
	return err
}

// theirFaults are values that libtiledb computes wrongly: behind a tile of nothing but nulls it takes the least text of
// the wrong tile.
var theirFaults = map[string]bool{
	"TestFragmentMetadataIsLibtiledbs/all-null-sparse c summary":   true,
	"TestFragmentMetadataIsLibtiledbs/all-null-sparse two summary": true,
}

// TestFragmentMetadataIsLibtiledbs compares the metadata of fragments that we and libtiledb made of the same cells.
func TestFragmentMetadataIsLibtiledbs(t *testing.T) {
	dirs, _ := filepath.Glob("testdata/writes/*/fragment")
	if len(dirs) < 10 {
		t.Fatalf("%d vectors", len(dirs))
	}
	for _, file := range dirs {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			s, w := loadVector(t, dir)
			ours := writeAndDecode(t, s, w)
			theirs := decodeMetadata(t, readFile(t, file), s)
			compareMetadata(t, s, ours, theirs)
		})
	}
}

func loadVector(t *testing.T, dir string) (*schema.Array, *Write) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "write.json.gz"))
	check(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(t, err)
	var v vector
	check(t, json.NewDecoder(z).Decode(&v))
	s, err := format.DecodeArraySchema(readFile(t, filepath.Join(dir, "schema")))
	check(t, err)
	s.Name = v.SchemaName
	layouts := map[string]schema.Layout{"row-major": schema.RowMajor, "col-major": schema.ColMajor,
		"global": schema.GlobalOrder, "unordered": schema.Unordered}
	w := &Write{Layout: layouts[v.Layout], CheckDups: true, CheckOutOfBounds: true, Timestamp: 7}
	for _, r := range v.Ranges {
		w.Subarray.Ranges = append(w.Subarray.Ranges, []schema.Range{{Lo: r[0], Hi: r[1]}})
	}
	for _, c := range v.Columns {
		w.Columns = append(w.Columns, Column{Name: c.Name, Data: c.Data, Offsets: c.Offsets, Validity: c.Validity})
	}
	return s, w
}

func writeAndDecode(t *testing.T, s *schema.Array, w *Write) *format.FragmentMetadata {
	t.Helper()
	ctx, fs := context.Background(), mem.New()
	a := &array.Array{FS: fs, URI: "mem://a", Schema: s}
	got, err := Submit(ctx, a, w)
	check(t, err)
	if got.Start != 7 || got.End != 7 {
		t.Errorf("written at %d to %d", got.Start, got.End)
	}
	file, err := vfs.ReadAll(ctx, fs, vfs.Join(a.URI, "__fragments", got.Fragment, fragment.MetadataFile))
	check(t, err)
	return decodeMetadata(t, file, s)
}

func decodeMetadata(t *testing.T, file []byte, s *schema.Array) *format.FragmentMetadata {
	t.Helper()
	m, err := format.DecodeFragmentMetadata(file, format.Version, s.Type == schema.Dense,
		func(string) (*schema.Array, error) { return s, nil })
	check(t, err)
	return m
}

// compareMetadata compares everything but the sizes and places of filtered tiles, which depend on the compressor's build.
func compareMetadata(t *testing.T, s *schema.Array, ours, theirs *format.FragmentMetadata) {
	t.Helper()
	same(t, "schema name", ours.SchemaName, theirs.SchemaName)
	same(t, "dense", ours.Dense, theirs.Dense)
	same(t, "non-empty domain", ours.NonEmptyDomain, theirs.NonEmptyDomain)
	same(t, "tiles", ours.NumTiles(), theirs.NumTiles())
	same(t, "last tile cells", ours.LastTileCells, theirs.LastTileCells)
	same(t, "timestamps", ours.HasTimestamps || ours.HasDeletes, false)
	same(t, "r-tree", ours.RTree, theirs.RTree)
	same(t, "processed conditions", len(ours.ProcessedConditions), len(theirs.ProcessedConditions))
	slots := ours.Slots()
	for i := range slots.Len() {
		name := "zipped coordinates"
		if i < len(s.Attributes) {
			name = s.Attributes[i].Name
		} else if i > slots.Coords() {
			name = s.Domain.Dimensions[i-slots.Dimension(0)].Name
		}
		x, y := ours.Fields[i], theirs.Fields[i]
		same(t, name+" tile offsets", len(x.TileOffsets), len(y.TileOffsets))
		same(t, name+" var offsets", len(x.VarOffsets), len(y.VarOffsets))
		same(t, name+" validity offsets", len(x.ValidityOffsets), len(y.ValidityOffsets))
		same(t, name+" var sizes", x.VarSizes, y.VarSizes)
		same(t, name+" mins", x.Mins, y.Mins)
		same(t, name+" maxes", x.Maxes, y.Maxes)
		same(t, name+" sums", x.Sums, y.Sums)
		same(t, name+" null counts", x.NullCounts, y.NullCounts)
		same(t, name+" summary", x.Summary, y.Summary)
		same(t, name+" has a file", ours.FileSizes[i] > 0, theirs.FileSizes[i] > 0)
		same(t, name+" has a var file", ours.VarSizes[i] > 0, theirs.VarSizes[i] > 0)
		same(t, name+" has a validity file", ours.ValiditySizes[i] > 0, theirs.ValiditySizes[i] > 0)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) && !theirFaults[t.Name()+" "+what] {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	check(t, err)
	return b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
