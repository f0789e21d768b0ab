package stores

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/arrowio"
	"azulejo/datatype"
	"azulejo/format"
	"azulejo/group"
	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/storeserver"
	"azulejo/object"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/azblob"
	"azulejo/vfs/bucket"
	"azulejo/vfs/file"
	"azulejo/vfs/s3"
)

// small makes files go in parts early.
func small() bucket.Options { return bucket.Options{PartBytes: 5 << 20} }

func TestS3(t *testing.T) {
	s := storeserver.VersityGW(t)
	fs, err := s3.New(s3.Options{Endpoint: s.URL, AccessKey: s.Key, SecretKey: s.Secret, Options: small()})
	if err != nil {
		t.Fatal(err)
	}
	both(t, fs, "s3://"+storeserver.Bucket+"/root", map[string]string{
		"vfs.s3.endpoint_override": strings.TrimPrefix(s.URL, "http://"), "vfs.s3.scheme": "http", "vfs.s3.use_virtual_addressing": "false",
		"vfs.s3.region": "us-east-1", "vfs.s3.aws_access_key_id": s.Key, "vfs.s3.aws_secret_access_key": s.Secret,
	})
}

func TestAzure(t *testing.T) {
	s := storeserver.Azurite(t)
	fs, err := azblob.New(azblob.Options{Endpoint: s.URL, Account: s.Key, Key: s.Secret, Options: small()})
	if err != nil {
		t.Fatal(err)
	}
	both(t, fs, "azure://"+storeserver.Bucket+"/root", map[string]string{
		"vfs.azure.storage_account_name": s.Key, "vfs.azure.storage_account_key": s.Secret, "vfs.azure.blob_endpoint": s.URL,
	})
}

const cells = 3_000_000

// both writes with the engine, lets libtiledb look and write, and looks at what libtiledb wrote.
func both(t *testing.T, fs vfs.FS, root string, settings map[string]string) {
	t.Helper()
	ctx := t.Context()
	local := filepath.Join(launch.Root(), "../../array/testdata")
	for _, name := range []string{"evolved", "hilbert", "dense-times", "deleted"} {
		if err := object.Copy(ctx, object.Place{FS: file.New(), URI: filepath.Join(local, name)}, object.Place{FS: fs, URI: root + "/copies/" + name}, object.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"/gone", "/to-move"} {
		if err := object.Copy(ctx, object.Place{FS: fs, URI: root + "/copies/evolved"}, object.Place{FS: fs, URI: root + name}, object.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := object.Move(ctx, object.Place{FS: fs, URI: root + "/to-move"}, object.Place{FS: fs, URI: root + "/moved"}, object.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := object.Remove(ctx, fs, root+"/gone"); err != nil {
		t.Fatal(err)
	}
	back := t.TempDir()
	for _, name := range []string{"/evolved", "/deleted"} {
		if err := object.Copy(ctx, object.Place{FS: fs, URI: root + "/copies" + name}, object.Place{FS: file.New(), URI: back + name}, object.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	writeOurs(t, fs, root+"/ours")
	tables(t, fs, root+"/imported")
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	program := launch.Python(t).Script(nil, "testdata/stores.py", config, root, local, back)
	program.Limit = 4 * time.Minute
	if out, err := program.Run(ctx); err != nil {
		t.Fatalf("%v\n%s", err, out.Stdout)
	}
	readTheirs(t, fs, root)
}

// value is what cell i of our array holds.
func value(i int) int64 { return int64(i) * 2654435761 % 1000003 }

// tables imports files into an array of the store, appends others and exports all of it as one of each kind.
func tables(t *testing.T, fs vfs.FS, uri string) {
	t.Helper()
	ctx := t.Context()
	const rows = 30_000
	part := func(from, to int) *arrowio.Source {
		text := []byte("n,s\n")
		for i := from; i < to; i++ {
			text = fmt.Appendf(text, "%d,row %d\n", value(i), i)
		}
		src, err := arrowio.CSVSource(ctx, []arrowio.File{{Name: "part.csv", Data: bytes.NewReader(text), Size: int64(len(text))}}, arrowio.CSVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	o := arrowio.Options{FullDomain: true, Portion: 500_000}
	first := part(0, rows/2)
	plan, err := arrowio.Infer(ctx, first, o)
	if err == nil {
		_, err = arrowio.Import(ctx, fs, uri, first, plan, o, nil)
	}
	if err == nil {
		_, err = arrowio.Append(ctx, fs, uri, part(rows/2, rows), o, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	arr, err := array.Open(ctx, fs, uri, array.Latest())
	if err != nil {
		t.Fatal(err)
	}
	q := &query.Read{Layout: schema.RowMajor, Subarray: query.Subarray{Ranges: [][]schema.Range{arr.NonEmptyDomain()}}, Fields: []query.Want{{Name: "n"}, {Name: "s"}}}
	for i := range q.Fields {
		q.Fields[i].DataCap, q.Fields[i].OffsetsCap, q.Fields[i].ValidityCap = -1, -1, -1
	}
	table, err := arrowio.NewTable(ctx, arr, q, 0)
	if err != nil {
		t.Fatal(err)
	}
	var parquet, csv bytes.Buffer
	if n, err := arrowio.WriteParquet(ctx, table, &parquet, nil); n != rows || err != nil {
		t.Errorf("%d rows exported to Parquet, error %v", n, err)
	}
	if n, err := arrowio.WriteCSV(ctx, table, &csv, ',', nil); n != rows || err != nil {
		t.Errorf("%d rows exported to CSV, error %v", n, err)
	}
	lines := strings.Split(strings.TrimSpace(csv.String()), "\n")
	if len(lines) != rows+1 || lines[0] != "n,s" || lines[rows] != fmt.Sprintf("%d,row %d", value(rows-1), rows-1) {
		t.Errorf("%d lines of CSV, the last %q", len(lines), lines[len(lines)-1])
	}
	if _, err := arrowio.ParquetSource(ctx, arrowio.File{Name: "out", Data: bytes.NewReader(parquet.Bytes()), Size: int64(parquet.Len())}); err != nil {
		t.Error(err)
	}
}

func writeOurs(t *testing.T, fs vfs.FS, uri string) {
	t.Helper()
	ctx := t.Context()
	s := schema.New(schema.Dense)
	s.Domain.Dimensions = []schema.Dimension{schema.NewDimension[int64]("x", 0, cells-1, 100_000)}
	s.Attributes = []schema.Attribute{schema.NewAttribute("v", datatype.Int64, 1)}
	if err := array.Create(ctx, fs, uri, s); err != nil {
		t.Fatal(err)
	}
	arr, err := array.Open(ctx, fs, uri, array.Latest(), array.ForWriting())
	if err != nil {
		t.Fatal(err)
	}
	values := make([]int64, cells)
	for i := range values {
		values[i] = value(i)
	}
	if _, err := query.Submit(ctx, arr, &query.Write{Layout: schema.RowMajor, Columns: []query.Column{{Name: "v", Data: datatype.Bytes(values)}}}); err != nil {
		t.Fatal(err)
	}
	text := []byte("azulejo")
	if err := arr.PutMetadata(ctx, []format.MetadataEntry{{Key: "from", Type: datatype.StringUTF8, Num: uint32(len(text)), Value: text}}, 0); err != nil {
		t.Fatal(err)
	}
}

// column reads all cells of an attribute of a dense array.
func column(t *testing.T, fs vfs.FS, uri string) (*array.Array, []byte) {
	t.Helper()
	arr, err := array.Open(t.Context(), fs, uri, array.Latest())
	if err != nil {
		t.Fatal(err)
	}
	res, err := query.Run(t.Context(), arr, &query.Read{Layout: schema.RowMajor, Fields: []query.Want{{Name: arr.Schema.Attributes[0].Name, DataCap: -1, OffsetsCap: -1, ValidityCap: -1}}})
	if err != nil {
		t.Fatal(err)
	}
	return arr, res.Columns[0].Data
}

func readTheirs(t *testing.T, fs vfs.FS, root string) {
	t.Helper()
	ctx := t.Context()
	arr, data := column(t, fs, root+"/theirs")
	got := datatype.View[float64](data)
	for i := range 9000 {
		part := min(i/2000, 3)
		if want := float64(i - part*2000 + part); got[i] != want {
			t.Fatalf("cell %d holds %v, want %v", i, got[i], want)
		}
	}
	if entries, err := arr.Metadata(ctx); err != nil || len(entries) != 4 || entries[3].Key != "part 3" {
		t.Errorf("metadata %v, %v", entries, err)
	}
	arr, data = column(t, fs, root+"/ours")
	if n := len(arr.Fragments()); n != 1 {
		t.Errorf("%d fragments after consolidation and vacuum", n)
	}
	ours := datatype.View[int64](data)
	for i := range ours {
		want := value(i)
		if i >= 1000 && i < 2000 {
			want = -7
		}
		if ours[i] != want {
			t.Fatalf("cell %d of our array holds %d, want %d", i, ours[i], want)
		}
	}
	g, err := group.Open(ctx, fs, root+"/group", group.Latest())
	if err != nil {
		t.Fatal(err)
	}
	m, ok := g.Member("theirs")
	if !ok || g.Resolve(m) != root+"/theirs" {
		t.Errorf("members %v", g.Members())
	}
	entries, err := g.Metadata(ctx)
	if err != nil || len(entries) != 1 || entries[0].Key != "answer" {
		t.Errorf("metadata of the group: %v, %v", entries, err)
	}
	var found []string
	if err := object.Walk(ctx, fs, root, func(o object.Object, _ int) error {
		found = append(found, o.URI[len(root)+1:])
		return nil
	}); err != nil || strings.Join(found, " ") != "copies/deleted copies/dense-times copies/evolved copies/hilbert group imported moved ours theirs" {
		t.Errorf("found %q, %v", found, err)
	}
}
