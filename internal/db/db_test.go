package db

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

func open(t *testing.T, path string) *DB {
	t.Helper()
	d, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestOpenTwiceKeepsData(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "a ?b#%41", "azulejo.db")
	d := open(t, path)
	insert := func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO namespaces (id, name, name_key, kind, created_at) VALUES ('1', 'Ann', 'ann', 'user', 0)")
		return err
	}
	if err := d.Update(ctx, insert); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(ctx, insert); !IsTaken(err) {
		t.Errorf("second insert: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("database file: %v %v", info, err)
	}
	other := open(t, path)
	var name string
	if err := other.Read().QueryRowContext(ctx, "SELECT name FROM namespaces WHERE kind = 'user'").Scan(&name); err != nil || name != "Ann" {
		t.Errorf("got %q, %v", name, err)
	}
}

func TestDurabilitySettings(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "x.db"))
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		if err := d.write.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
		}
	}
	if _, err := d.read.pool.Exec("DELETE FROM namespaces"); err == nil {
		t.Error("a reader could write")
	}
}

func TestRollback(t *testing.T) {
	ctx, d := context.Background(), open(t, filepath.Join(t.TempDir(), "x.db"))
	boom := errors.New("boom")
	err := d.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO namespaces (id, name, name_key, kind, created_at) VALUES ('1', 'a', 'a', 'user', 0)"); err != nil {
			return err
		}
		return boom
	})
	var n int
	if scan := d.Read().QueryRowContext(ctx, "SELECT count(*) FROM namespaces WHERE kind = 'user'").Scan(&n); !errors.Is(err, boom) || scan != nil || n != 0 {
		t.Errorf("err %v, scan %v, %d rows", err, scan, n)
	}
}

func TestConcurrentWriters(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "x.db")
	handles := []*DB{open(t, path), open(t, path)}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			err := handles[i%2].Update(ctx, func(tx *sql.Tx) error {
				_, err := tx.Exec("INSERT INTO audit (at,event,user_id,token_id,token_name,address,request_id,detail) VALUES (0,'','','','','','','')")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var n int
	if err := handles[0].Read().QueryRowContext(ctx, "SELECT count(*) FROM audit").Scan(&n); err != nil || n != 16 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestAuditIsAppendOnly(t *testing.T) {
	ctx, d := context.Background(), open(t, filepath.Join(t.TempDir(), "x.db"))
	for _, stmt := range []string{"UPDATE audit SET event = 'x'", "DELETE FROM audit"} {
		err := d.Update(ctx, func(tx *sql.Tx) error {
			if _, err := tx.Exec("INSERT INTO audit (at,event,user_id,token_id,token_name,address,request_id,detail) VALUES (0,'','','','','','','')"); err != nil {
				return err
			}
			_, err := tx.Exec(stmt)
			return err
		})
		if err == nil {
			t.Errorf("%s was allowed", stmt)
		}
	}
}

func TestRefusesNewerDatabase(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "x.db")
	d := open(t, path)
	if _, err := d.write.Exec("PRAGMA user_version = 999"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, path); !errors.Is(err, ErrTooNew) {
		t.Errorf("err = %v", err)
	}
}

func TestBrokenMigrationChangesNothing(t *testing.T) {
	ctx, d := context.Background(), open(t, filepath.Join(t.TempDir(), "x.db"))
	last := len(migrations("sqlite"))
	list := append(migrations("sqlite"), migration{last + 1, "good", "CREATE TABLE t (x)"}, migration{last + 2, "bad", "CREATE TABLE"})
	if err := migrate(ctx, d.write, sqliteVersion, list); err == nil {
		t.Fatal("no error")
	}
	var at, tables int
	if err := d.write.QueryRow("PRAGMA user_version").Scan(&at); err != nil || at != last {
		t.Errorf("at %d, %v", at, err)
	}
	if err := d.write.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 't'").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d tables, %v", tables, err)
	}
}

func TestMigrationNumbers(t *testing.T) {
	for i, m := range migrations("sqlite") {
		if m.number != i+1 {
			t.Errorf("%s is step %d", m.name, i+1)
		}
	}
	names := func(list []migration) (names []string) {
		for _, m := range list {
			names = append(names, m.name)
		}
		return names
	}
	if s, p := names(migrations("sqlite")), names(migrations("postgres")); !slices.Equal(s, p) {
		t.Errorf("steps for SQLite %v, for PostgreSQL %v", s, p)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.lock")
	for _, shared := range []bool{false, true} {
		release, err := Lock(path, shared)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Lock(path, false); !errors.Is(err, ErrInUse) {
			t.Errorf("beside shared %v: %v", shared, err)
		}
		other, err := Lock(path, true)
		if shared != (err == nil) || !shared && !errors.Is(err, ErrInUse) {
			t.Errorf("shared beside shared %v: %v", shared, err)
		}
		if shared {
			err = other()
		}
		if err := errors.Join(err, release()); shared && err != nil {
			t.Fatal(err)
		}
	}
}
