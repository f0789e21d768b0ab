package array_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/file"
	"azulejo/vfs/mem"
)

const uri = "/storage/a"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func i32(v ...int32) []byte { return datatype.Bytes(v) }

// newSchema returns a sparse schema of one int32 dimension with an attribute "a" and an enumeration "e".
func newSchema() *schema.Array {
	return &schema.Array{
		Version: format.Version, Type: schema.Sparse, Capacity: 4,
		CoordsFilters: schema.DefaultCoordsFilters(), OffsetsFilters: schema.DefaultOffsetsFilters(), ValidityFilters: schema.DefaultValidityFilters(),
		Domain: schema.Domain{Dimensions: []schema.Dimension{{
			Name: "x", Type: datatype.Int32, CellValNum: 1, Domain: i32(1, 1000), Extent: i32(10),
		}}},
		Attributes: []schema.Attribute{
			attribute("a", datatype.Int32, ""),
			attribute("n", datatype.Int8, "e"),
		},
		EnumerationNames: []string{"e"},
		Enumerations:     map[string]*schema.Enumeration{"e": texts("e", "red", "green")},
		EnumerationFiles: map[string]string{"e": ""},
	}
}

func attribute(name string, t datatype.Type, enum string) schema.Attribute {
	return schema.Attribute{
		Name: name, Type: t, CellValNum: 1, Fill: schema.DefaultFill(t, 1), Enumeration: enum,
		Filters: filter.Pipeline{MaxChunk: filter.DefaultMaxChunk, Filters: []filter.Spec{filter.Plain(filter.ChecksumSHA256)}},
	}
}

func texts(name string, labels ...string) *schema.Enumeration {
	e := &schema.Enumeration{Name: name, Type: datatype.StringUTF8, CellValNum: datatype.VarNum}
	for _, l := range labels {
		e.Offsets = append(e.Offsets, uint64(len(e.Data)))
		e.Data = append(e.Data, l...)
	}
	return e
}

// write writes and commits a fragment with cells at the coordinates, the attributes holding the same numbers.
func write(ctx context.Context, fs vfs.FS, at uint64, coords ...int32) error {
	return writeWith(ctx, fs, at, nil, coords...)
}

// writeWith is write into an array encrypted with a key.
func writeWith(ctx context.Context, fs vfs.FS, at uint64, key *filter.Key, coords ...int32) error {
	name, err := writeFragmentWith(ctx, fs, at, key, coords...)
	if err != nil {
		return err
	}
	return array.Commit(ctx, fs, uri, name)
}

func writeFragment(ctx context.Context, fs vfs.FS, at uint64, coords ...int32) (string, error) {
	return writeFragmentWith(ctx, fs, at, nil, coords...)
}

func writeFragmentWith(ctx context.Context, fs vfs.FS, at uint64, key *filter.Key, coords ...int32) (string, error) {
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting(), array.WithKey(key))
	if err != nil {
		return "", err
	}
	name := format.NewName(at, at, format.Version).String()
	w, err := fragment.Create(ctx, fs, uri, a.Schema, name, fragment.WriterOptions{Threads: 1, Key: a.Key()})
	if err != nil {
		return "", err
	}
	fields := w.Fields()
	for len(coords) > 0 && err == nil {
		n := min(len(coords), int(a.Schema.Capacity))
		err = w.Append(ctx, 1, func(_, field int, c *fragment.Cells) error {
			data := c.MakeData(n * fields[field].CellSize())
			for i := range n {
				copy(data[i*fields[field].CellSize():][:fields[field].CellSize()], i32(coords[i]))
			}
			return nil
		})
		coords = coords[n:]
	}
	if err == nil {
		err = w.Finish(ctx)
	}
	if err != nil {
		return "", errors.Join(err, w.Abort(ctx))
	}
	return name, nil
}

// cells returns the coordinates in the fragments of a snapshot, oldest fragment first.
func cells(ctx context.Context, a *array.Array) (string, error) {
	var all []int32
	for _, r := range a.Fragments() {
		f, ok, err := r.Field("x")
		if err == nil && ok {
			err = f.Load(ctx)
		}
		if err != nil {
			return "", err
		}
		files := &fragment.Files{}
		for i := range r.NumTiles() {
			tile, err := f.ReadTile(ctx, files, i, fragment.Everything)
			if err != nil {
				return "", err
			}
			all = append(all, datatype.View[int32](tile.Data)[:tile.Cells]...)
		}
		files.Close()
	}
	return strings.Trim(fmt.Sprint(all), "[]"), nil
}

func wantCells(t *testing.T, fs vfs.FS, at array.Interval, want string) {
	t.Helper()
	ctx := context.Background()
	a, err := array.Open(ctx, fs, uri, at)
	must(t, err)
	if got, err := cells(ctx, a); err != nil || got != want {
		t.Errorf("cells %s, want %s, %v", got, want, err)
	}
}

func TestCreateWriteReopen(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	_, err := array.Open(ctx, fs, uri, array.Latest())
	if !errors.Is(err, array.ErrNotFound) {
		t.Fatal(err)
	}
	must(t, array.Create(ctx, fs, uri+"/", newSchema()))
	if err := array.Create(ctx, fs, uri, newSchema()); !errors.Is(err, array.ErrExists) {
		t.Fatal(err)
	}
	list, _ := fs.List(ctx, uri)
	var got []string
	for _, e := range list {
		got = append(got, e.Name)
	}
	if want := []string{"__commits", "__fragment_meta", "__fragments", "__labels", "__meta", "__schema"}; !reflect.DeepEqual(got, want) {
		t.Errorf("folders %v", got)
	}
	must(t, write(ctx, fs, 10, 1, 2, 3, 4, 5))
	must(t, write(ctx, fs, 20, 7))
	wantCells(t, fs, array.Latest(), "1 2 3 4 5 7")
	wantCells(t, fs, array.Interval{Start: 0, End: 19}, "1 2 3 4 5")
	wantCells(t, fs, array.Interval{Start: 11, End: 19}, "")
	wantCells(t, fs, array.Interval{Start: 20, End: 20}, "7")

	a, err := array.Open(ctx, fs, uri, array.Latest())
	must(t, err)
	if ned := a.NonEmptyDomain(); !reflect.DeepEqual(ned, []schema.Range{{Lo: i32(1), Hi: i32(7)}}) {
		t.Errorf("non-empty domain %v", ned)
	}
	e, err := a.Enumeration(ctx, "e")
	if err != nil || string(e.Label(1)) != "green" {
		t.Errorf("enumeration %v, %v", e, err)
	}
	infos, err := a.FragmentInfos(ctx)
	must(t, err)
	if len(infos) != 2 || infos[0].NumTiles != 2 || infos[0].NumCells != 5 || infos[0].Path != "__fragments/"+infos[0].Name {
		t.Errorf("%+v", infos)
	}
	var nBytes int64
	files, _ := fs.List(ctx, vfs.Join(uri, infos[0].Path))
	for _, f := range files {
		nBytes += f.NBytes
	}
	if infos[0].NBytes != uint64(nBytes) {
		t.Errorf("fragment of %d bytes, files have %d", infos[0].NBytes, nBytes)
	}
	if err := array.Commit(ctx, fs, uri, infos[0].Name); !errors.Is(err, array.ErrExists) {
		t.Errorf("second commit: %v", err)
	}
	for name, want := range map[string]bool{infos[0].Name: true, "__1_1_00000000000000000000000000000000_22": false} {
		if got, err := array.Committed(ctx, fs, uri, name); got != want || err != nil {
			t.Errorf("%s committed: %v, %v", name, got, err)
		}
	}
	if err := array.Commit(ctx, fs, uri, "../x"); !errors.Is(err, array.ErrInvalid) {
		t.Error(err)
	}
}

func TestCreateRefuses(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		change func(s *schema.Array)
		want   error
	}{
		{"two fields of one name", func(s *schema.Array) { s.Attributes[0].Name = "x" }, array.ErrInvalid},
		{"hilbert in dense arrays", func(s *schema.Array) { s.Type, s.CellOrder = schema.Dense, schema.Hilbert }, array.ErrInvalid},
		{"enumeration without labels", func(s *schema.Array) { s.Enumerations = nil }, array.ErrInvalid},
		{"encryption as a filter", func(s *schema.Array) {
			s.OffsetsFilters.Filters = []filter.Spec{filter.Plain(filter.AES256GCM)}
		}, array.ErrUnsupported},
		{"schema name", func(s *schema.Array) { s.Name = "../x" }, array.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := mem.New()
			s := newSchema()
			c.change(s)
			if err := array.Create(ctx, fs, uri, s); !errors.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
			if ok, err := array.Exists(ctx, fs, uri); ok || err != nil {
				t.Errorf("exists: %v, %v", ok, err)
			}
		})
	}
	fs := mem.New()
	must(t, vfs.WriteAll(ctx, fs, uri+"/__tiledb_group.tdb", nil))
	if err := array.Create(ctx, fs, uri, newSchema()); !errors.Is(err, array.ErrExists) {
		t.Errorf("array over a group: %v", err)
	}
}

func TestOneOfManyCreatesWins(t *testing.T) {
	ctx := context.Background()
	for name, fs := range map[string]vfs.FS{"mem": mem.New(), "file": file.New()} {
		t.Run(name, func(t *testing.T) {
			uri := t.TempDir() + "/a"
			errs := make([]error, 8)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() { errs[i] = array.Create(ctx, fs, uri, newSchema()) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if !errors.Is(err, array.ErrExists) {
					t.Error(err)
				}
			}
			a, err := array.Open(ctx, fs, uri, array.Latest())
			must(t, err)
			all, err := a.Schemas(ctx)
			if err != nil || won != 1 || len(all) != 1 {
				t.Errorf("%d creates won, %d schemas, %v", won, len(all), err)
			}
		})
	}
}

func TestAbandonedClaimIsFollowed(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	must(t, vfs.WriteAll(ctx, fs, uri+"/.azulejo-create-0", []byte("1000")))
	must(t, array.Create(ctx, fs, uri, newSchema()))
	if list, _ := fs.List(ctx, uri); len(list) != 6 {
		t.Errorf("claims are left: %v", list)
	}
	fs = mem.New()
	must(t, vfs.WriteAll(ctx, fs, uri+"/.azulejo-create-0", []byte("99999999999999")))
	if err := array.Create(ctx, fs, uri, newSchema()); !errors.Is(err, array.ErrExists) {
		t.Errorf("claimed by another: %v", err)
	}
}

func TestEvolve(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	must(t, array.Create(ctx, fs, uri, newSchema()))
	must(t, write(ctx, fs, 10, 1))
	must(t, array.Evolve(ctx, fs, uri, schema.Evolution{
		AddAttributes:      []schema.Attribute{attribute("b", datatype.Int32, "f")},
		AddEnumerations:    []*schema.Enumeration{texts("f", "x")},
		ExtendEnumerations: []*schema.Enumeration{texts("e", "red", "green", "blue")},
	}))
	must(t, array.Evolve(ctx, fs, uri, schema.Evolution{DropAttributes: []string{"a"}}))
	far := array.Interval{End: array.Now - 1}
	a, err := array.Open(ctx, fs, uri, far)
	must(t, err)
	if names := a.Schema.FieldNames(); !reflect.DeepEqual(names, []string{"x", "n", "b"}) {
		t.Errorf("fields %v", names)
	}
	for name, want := range map[string]int{"e": 3, "f": 1} {
		if e, err := a.Enumeration(ctx, name); err != nil || e.Len() != want {
			t.Errorf("enumeration %s: %v, %v", name, e, err)
		}
	}
	old := a.Fragments()[0].Schema()
	if names := old.FieldNames(); !reflect.DeepEqual(names, []string{"x", "a", "n"}) {
		t.Errorf("fields of the old fragment %v", names)
	}
	before, err := a.WithEnumerations(ctx, old, "e")
	if err != nil || before.Enumerations["e"].Len() != 2 {
		t.Errorf("old labels: %v", err)
	}
	if err := array.Evolve(ctx, fs, uri, schema.Evolution{DropAttributes: []string{"none"}}); !errors.Is(err, array.ErrInvalid) {
		t.Error(err)
	}
	if err := array.Evolve(ctx, fs, "/none", schema.Evolution{}); !errors.Is(err, array.ErrNotFound) {
		t.Error(err)
	}
}

// TestCreateFillsExtents stores the whole domain as the extent of dimensions made without one.
func TestCreateFillsExtents(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		dim  schema.Dimension
		want []byte
	}{
		"int32": {schema.Dimension{Type: datatype.Int32, CellValNum: 1, Domain: i32(5, 45)}, i32(41)},
		"wide":  {schema.Dimension{Type: datatype.Int8, CellValNum: 1, Domain: datatype.Bytes([]int8{-128, 126})}, []byte{0xFF}},
		"date":  {schema.Dimension{Type: datatype.DateTimeDay, CellValNum: 1, Domain: datatype.Bytes([]int64{-1, 8})}, datatype.Bytes([]int64{10})},
		"float": {schema.Dimension{Type: datatype.Float64, CellValNum: 1, Domain: datatype.Bytes([]float64{-1, 2.5})}, datatype.Bytes([]float64{3.5})},
		"text":  {schema.Dimension{Type: datatype.StringASCII, CellValNum: datatype.VarNum}, nil},
		"given": {schema.Dimension{Type: datatype.Int32, CellValNum: 1, Domain: i32(0, 9), Extent: i32(3)}, i32(3)},
	} {
		t.Run(name, func(t *testing.T) {
			fs, s := mem.New(), newSchema()
			c.dim.Name = "x"
			s.Domain.Dimensions = []schema.Dimension{c.dim}
			must(t, array.Create(ctx, fs, uri, s))
			a, err := array.Open(ctx, fs, uri, array.Latest())
			must(t, err)
			if got := a.Schema.Domain.Dimensions[0].Extent; !reflect.DeepEqual(got, c.want) {
				t.Errorf("extent %v, want %v", got, c.want)
			}
			if !reflect.DeepEqual(s.Domain.Dimensions[0].Extent, c.dim.Extent) {
				t.Error("the caller's schema changed")
			}
		})
	}
}

// TestEvolveTwoEnumerations adds, and then extends, two enumerations in one evolution.
func TestEvolveTwoEnumerations(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	must(t, array.Create(ctx, fs, uri, newSchema()))
	must(t, array.Evolve(ctx, fs, uri, schema.Evolution{AddEnumerations: []*schema.Enumeration{texts("f", "x"), texts("g", "x")}}))
	must(t, array.Evolve(ctx, fs, uri, schema.Evolution{
		ExtendEnumerations: []*schema.Enumeration{texts("e", "red", "green", "blue"), texts("f", "x", "y")},
	}))
	a, err := array.Open(ctx, fs, uri, array.Interval{End: array.Now - 1})
	must(t, err)
	files := map[string]bool{}
	for name, want := range map[string]string{"e": "redgreenblue", "f": "xy", "g": "x"} {
		e, err := a.Enumeration(ctx, name)
		must(t, err)
		if string(e.Data) != want {
			t.Errorf("%s has %q, want %q", name, e.Data, want)
		}
		files[e.File] = true
	}
	if len(files) != 3 {
		t.Errorf("enumerations share files: %v", files)
	}
}

func TestMetadata(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	must(t, array.Create(ctx, fs, uri, newSchema()))
	a, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	must(t, err)
	one := format.MetadataEntry{Key: "k", Type: datatype.Int32, Num: 1, Value: i32(1)}
	empty := format.MetadataEntry{Key: "e", Type: datatype.StringUTF8}
	must(t, a.PutMetadata(ctx, []format.MetadataEntry{one, empty}, 5))
	must(t, a.PutMetadata(ctx, []format.MetadataEntry{{Key: "k", Deleted: true}}, 6))
	must(t, a.PutMetadata(ctx, nil, 7))
	for end, want := range map[uint64][]format.MetadataEntry{4: {}, 5: {empty, one}, 6: {empty}, 9: {empty}} {
		b, err := array.Open(ctx, fs, uri, array.Interval{End: end}, array.SchemaOnly())
		must(t, err)
		if got, err := b.Metadata(ctx); err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(clean(got), want) {
			t.Errorf("at %d: %v, %v", end, got, err)
		}
	}
	bad := format.MetadataEntry{Key: "k", Type: datatype.Int32, Num: 2, Value: i32(1)}
	if err := a.PutMetadata(ctx, []format.MetadataEntry{bad}, 0); !errors.Is(err, array.ErrInvalid) {
		t.Error(err)
	}
}

// clean makes empty values nil.
func clean(list []format.MetadataEntry) []format.MetadataEntry {
	for i := range list {
		if len(list[i].Value) == 0 {
			list[i].Value = nil
		}
	}
	return list
}

func TestDelete(t *testing.T) {
	ctx := context.Background()
	fs := mem.New()
	if err := array.Delete(ctx, fs, uri); !errors.Is(err, array.ErrNotFound) {
		t.Error(err)
	}
	must(t, array.Create(ctx, fs, uri, newSchema()))
	must(t, write(ctx, fs, 10, 1))
	must(t, vfs.WriteAll(ctx, fs, uri+"/notes.txt", nil))
	must(t, vfs.WriteAll(ctx, fs, uri+"/mine.vac", nil))
	must(t, array.Delete(ctx, fs, uri))
	list, _ := fs.List(ctx, uri)
	if len(list) != 2 || list[1].Name != "notes.txt" {
		t.Errorf("left %v", list)
	}
	must(t, array.Create(ctx, fs, uri, newSchema()))
	must(t, array.Delete(ctx, fs, uri))
	must(t, vfs.WriteAll(ctx, fs, "/storage/g/__meta/x", nil))
	if err := array.Delete(ctx, fs, "/storage/g"); !errors.Is(err, array.ErrNotFound) {
		t.Errorf("a group was deleted as an array: %v", err)
	}
}

func TestCacheServesImmutableFiles(t *testing.T) {
	ctx := context.Background()
	inner := mem.New()
	must(t, array.Create(ctx, inner, uri, newSchema()))
	for i := range 3 {
		must(t, write(ctx, inner, uint64(10+i), int32(i+1)))
	}
	reads := func(limit int64) (n int) {
		cache := array.NewCache(limit)
		for range 2 {
			fs := faultfs.New(inner, nil)
			a, err := array.Open(ctx, fs, uri, array.Latest(), array.WithCache(cache))
			if err != nil || len(a.Fragments()) != 3 {
				t.Fatal(err)
			}
			n = 0
			for _, op := range fs.Ops() {
				if op.Kind == "read" {
					n++
				}
			}
		}
		return n
	}
	if n := reads(1 << 20); n != 0 {
		t.Errorf("%d reads with a full cache", n)
	}
	if n := reads(0); n != 4 {
		t.Errorf("%d reads without a cache", n)
	}
}

// vanishing is a file system in which another process vacuums the oldest fragment after the first listing of commits.
type vanishing struct {
	vfs.FS
	once   sync.Once
	vacuum func()
}

func (v *vanishing) List(ctx context.Context, dir string) ([]vfs.Entry, error) {
	list, err := v.FS.List(ctx, dir)
	if vfs.Base(dir) == "__commits" {
		v.once.Do(v.vacuum)
	}
	return list, err
}

func TestOpenDuringAVacuum(t *testing.T) {
	ctx := context.Background()
	disk := mem.New()
	must(t, array.Create(ctx, disk, uri, newSchema()))
	must(t, write(ctx, disk, 1, 1))
	must(t, write(ctx, disk, 2, 2))
	a, err := array.Open(ctx, disk, uri, array.Latest())
	must(t, err)
	pin := a.Pin()
	vacuum := func() {
		must(t, disk.Remove(ctx, vfs.Join(uri, "__commits", pin[0]+".wrt")))
		must(t, disk.Remove(ctx, vfs.Join(uri, "__fragments", pin[0])))
	}
	b, err := array.Open(ctx, &vanishing{FS: disk, vacuum: vacuum}, uri, array.Latest())
	if err != nil || !reflect.DeepEqual(b.Pin(), pin[1:]) {
		t.Errorf("%v, %v", b, err)
	}
	if _, err := array.Open(ctx, disk, uri, array.Latest(), array.WithFragments(pin)); !errors.Is(err, array.ErrSnapshotLost) {
		t.Error(err)
	}
	// A commit without its fragment is damage.
	must(t, disk.Remove(ctx, vfs.Join(uri, "__fragments", pin[1])))
	if _, err := array.Open(ctx, disk, uri, array.Latest()); !errors.Is(err, array.ErrCorrupt) {
		t.Error(err)
	}
}
