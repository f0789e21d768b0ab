package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
	"azulejo/internal/oracle/servertest"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs/file"
)

// secret is the operator's key of the tests.
var secret = bytes.Repeat([]byte{0xa7, 0x3c}, 16)

func numbers() *schema.Array {
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{{Name: "x", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 1 << 20})}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	return s
}

// makeArray makes an array of ann's and returns its entry.
func makeArray(t *testing.T, p *servertest.Parts, n catalog.NewAsset) catalog.Asset {
	t.Helper()
	space := access.Object{Kind: access.Namespace, ID: p.Ann.NamespaceID, NamespaceID: p.Ann.NamespaceID}
	g, err := access.Allowed(p.Ann, access.ArrayCreate, space)
	servertest.Must(t, err)
	a, err := p.Vault.CreateArray(t.Context(), g, n, numbers())
	servertest.Must(t, err)
	return a
}

// write writes the cells x to x+9 of an array, each with its coordinate as value.
func write(ctx context.Context, uri string, x int32) error {
	arr, err := array.Open(ctx, file.New(), uri, array.Latest(), array.ForWriting())
	if err != nil {
		return err
	}
	var cells []int32
	for i := range int32(10) {
		cells = append(cells, x+i)
	}
	_, err = query.Submit(ctx, arr, &query.Write{Layout: schema.Unordered, Columns: []query.Column{
		{Name: "x", Data: datatype.Bytes(cells)}, {Name: "a", Data: datatype.Bytes(cells)}}})
	return err
}

// read returns the cells of an array.
func read(t *testing.T, uri string) []int32 {
	t.Helper()
	arr, err := array.Open(t.Context(), file.New(), uri, array.Latest())
	servertest.Must(t, err)
	result, err := query.Run(t.Context(), arr, &query.Read{Layout: schema.RowMajor, Fields: []query.Want{{Name: "x", DataCap: 1 << 20}, {Name: "a", DataCap: 1 << 20}}})
	servertest.Must(t, err)
	if result.Next != nil || !bytes.Equal(result.Columns[0].Data, result.Columns[1].Data) {
		t.Errorf("%s: more cells than there are, or values that are not their coordinates", uri)
	}
	return datatype.View[int32](result.Columns[0].Data)
}

// target is a new data directory with a database of its own.
func target(t *testing.T) Target {
	dir := t.TempDir()
	return Target{Data: dir, Database: dbtest.Source(t, filepath.Join(dir, "azulejo.db"))}
}

func source(p *servertest.Parts) Source {
	return Source{DB: p.DB, Data: p.Dir, Key: secret, Now: time.Now}
}

// TestBackupAndRestore brings a server's metadata and files into another directory, on whichever database the tests run.
func TestBackupAndRestore(t *testing.T) {
	ctx, p := t.Context(), servertest.New(t)
	servertest.Must(t, p.Vault.UseOperatorKey(secret))
	servertest.Must(t, os.MkdirAll(filepath.Join(p.Dir, "keys"), 0o700))
	servertest.Must(t, os.WriteFile(filepath.Join(p.Dir, "keys", "arrays"), secret, 0o600))
	inside := makeArray(t, p, catalog.NewAsset{Name: "inside"})
	outside := makeArray(t, p, catalog.NewAsset{Name: "outside", Storage: "file://" + filepath.Join(p.Allowed, "x")})
	for i := range int32(3) {
		servertest.Must(t, write(ctx, inside.StorageURI(), 10*i))
	}
	servertest.Must(t, write(ctx, outside.StorageURI(), 0))
	to := filepath.Join(t.TempDir(), "backup")
	m, err := Make(ctx, source(p), to, true)
	servertest.Must(t, err)
	if m.Users != 2 || m.Assets != 2 || m.Files == 0 || m.KeyFingerprint != Fingerprint(secret) || len(m.KeyFingerprint) != 32 {
		t.Errorf("manifest %+v", m)
	}
	err = filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, secret) {
			t.Errorf("%s has the operator's key", path)
		}
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		return err
	})
	servertest.Must(t, err)
	lines, err := os.ReadFile(filepath.Join(to, locationsFile))
	servertest.Must(t, err)
	found := map[string]location{}
	for line := range strings.Lines(string(lines)) {
		var l location
		servertest.Must(t, json.Unmarshal([]byte(line), &l))
		found[l.Name] = l
	}
	if l := found["inside"]; l.URI != inside.StorageURI() || !l.Inside || l.ID != inside.ID || l.Namespace != "ann" || l.State != "live" {
		t.Errorf("inside: %+v", l)
	}
	if l := found["outside"]; l.URI != outside.StorageURI() || l.Inside || l.Kind != "array" {
		t.Errorf("outside: %+v", l)
	}

	if _, err := Make(ctx, source(p), to, false); !errors.Is(err, ErrOccupied) {
		t.Errorf("over a backup: %v", err)
	}
	there := target(t)
	if _, err := Restore(ctx, to, there, true); err != nil {
		t.Errorf("dry: %v", err)
	}
	if left, err := os.ReadDir(there.Data); err != nil || len(left) != 0 {
		t.Errorf("dry: %v, %v", left, err)
	}
	_, err = Restore(ctx, to, there, false)
	servertest.Must(t, err)
	if _, err := Restore(ctx, to, there, false); !errors.Is(err, ErrOccupied) {
		t.Errorf("over a data directory: %v", err)
	}
	rel, err := filepath.Rel(p.Dir, strings.TrimPrefix(inside.StorageURI(), "file://"))
	servertest.Must(t, err)
	if got := read(t, filepath.Join(there.Data, rel)); len(got) != 30 || got[29] != 29 {
		t.Errorf("cells %v", got)
	}
	d, err := db.Open(ctx, there.Database)
	servertest.Must(t, err)
	defer d.Close()
	var n, tokens int
	err = d.Read().QueryRowContext(ctx, "SELECT (SELECT count(*) FROM assets WHERE state = 'live'), (SELECT count(*) FROM tokens)").Scan(&n, &tokens)
	if err != nil || n != 2 || tokens != 2 {
		t.Errorf("%d assets, %d tokens, %v", n, tokens, err)
	}
}

// TestRestoreRefuses looks at what a restoration does not take: damage, and targets that are in use.
func TestRestoreRefuses(t *testing.T) {
	ctx, p := t.Context(), servertest.New(t)
	a := makeArray(t, p, catalog.NewAsset{Name: "a"})
	servertest.Must(t, write(ctx, a.StorageURI(), 0))
	to := filepath.Join(t.TempDir(), "backup")
	_, err := Make(ctx, source(p), to, true)
	servertest.Must(t, err)
	var names []string
	servertest.Must(t, each(to, func(_, name string) error { names = append(names, name); return nil }))
	if len(names) < 6 {
		t.Fatalf("only %v", names)
	}
	for _, name := range append(names, checksumsFile, manifestFile) {
		path := filepath.Join(to, name)
		content, err := os.ReadFile(path)
		servertest.Must(t, err)
		bad := append(bytes.Clone(content), 'x')
		bad[len(bad)/2] ^= 1
		for what, change := range map[string]func() error{
			"changed": func() error { return os.WriteFile(path, bad, 0o600) },
			"gone":    func() error { return os.Remove(path) },
		} {
			servertest.Must(t, change())
			there := target(t)
			if _, err := Restore(ctx, to, there, false); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s %s: %v", name, what, err)
			}
			servertest.Must(t, os.WriteFile(path, content, 0o600))
		}
	}
	there := target(t)
	servertest.Must(t, os.MkdirAll(filepath.Join(there.Data, storageDir), 0o700))
	if _, err := Restore(ctx, to, there, false); !errors.Is(err, ErrOccupied) {
		t.Errorf("beside storage: %v", err)
	}
	used := Target{Data: t.TempDir(), Database: dbtest.Source(t, filepath.Join(p.Dir, "azulejo.db"))}
	if db.IsPostgres(used.Database) {
		if _, err := Restore(ctx, to, used, false); !errors.Is(err, ErrOccupied) {
			t.Errorf("into a database with users: %v", err)
		}
	}
	there = target(t)
	servertest.Must(t, os.MkdirAll(filepath.Join(there.Data, "keys"), 0o700))
	release, err := db.Lock(filepath.Join(there.Data, "lock"), false)
	servertest.Must(t, err)
	if _, err := Restore(ctx, to, there, false); !errors.Is(err, db.ErrInUse) {
		t.Errorf("beside a server: %v", err)
	}
	servertest.Must(t, release())
	_, err = Restore(ctx, to, there, false)
	servertest.Must(t, err)
}

// TestBackupBesideWriters copies arrays that are written, consolidated and vacuumed all the time: each copy has every
// write up to one, whole.
func TestBackupBesideWriters(t *testing.T) {
	ctx, p := t.Context(), servertest.New(t)
	a := makeArray(t, p, catalog.NewAsset{Name: "a"})
	uri := a.StorageURI()
	rel, err := filepath.Rel(p.Dir, strings.TrimPrefix(uri, "file://"))
	servertest.Must(t, err)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	written := make(chan struct{}, 1)
	go func() {
		stopped <- func() error {
			for x := int32(0); ; x += 10 {
				select {
				case <-stop:
					return nil
				default:
				}
				if err := write(ctx, uri, x); err != nil {
					return err
				}
				select {
				case written <- struct{}{}:
				default:
				}
				if x%50 != 0 {
					continue
				}
				if _, err := consolidate.Fragments(ctx, file.New(), uri, consolidate.Options{}); err != nil {
					return fmt.Errorf("consolidate: %w", err)
				}
				if err := consolidate.Vacuum(ctx, file.New(), uri, consolidate.ModeFragments); err != nil {
					return fmt.Errorf("vacuum: %w", err)
				}
			}
		}()
	}()
	var last int
	for i := range 6 {
		<-written
		to := filepath.Join(t.TempDir(), fmt.Sprint("backup", i))
		if _, err := Make(ctx, source(p), to, true); err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(to, rel)
		checked, err := array.Check(ctx, file.New(), copied, func(d array.Damage) { t.Error(d) })
		if err != nil || checked.Damaged > 0 {
			t.Errorf("%+v, %v", checked, err)
		}
		cells := read(t, copied)
		if len(cells)%10 != 0 || len(cells) < last || len(cells) == 0 || int(cells[len(cells)-1]) != len(cells)-1 {
			t.Errorf("copy %d has %d cells, the one before had %d", i, len(cells), last)
		}
		last = len(cells)
	}
	close(stop)
	servertest.Must(t, <-stopped)
}
