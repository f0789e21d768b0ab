package postgres

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

// keepers are the packages that keep metadata; their tests run on PostgreSQL here.
var keepers = []string{"account", "activity", "api", "backup", "letters", "mail", "repeat", "catalog", "console", "reconcile", "s3face", "token", "usage", "vault", "web"}

func TestPackagesOnPostgreSQL(t *testing.T) {
	pg := Start(t)
	root := filepath.Dir(launch.Root())
	args := []string{"test", "-count=1"}
	for _, k := range keepers {
		args = append(args, "azulejo/internal/"+k)
		if err := launch.DependOn(filepath.Join(root, k)); err != nil {
			t.Fatal(err)
		}
	}
	if err := launch.DependOn(filepath.Join(root, "db")); err != nil {
		t.Fatal(err)
	}
	run := pyenv.Program{Path: "go", Args: args, Dir: root, Env: []string{dbtest.Variable + "=" + pg.URL("postgres")}, Limit: 7 * time.Minute}
	out, err := run.Run(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.Stdout)
	}
	if n := strings.Count(string(out.Stdout), "ok  \t"); n != len(keepers) {
		t.Errorf("%d of %d packages passed:\n%s", n, len(keepers), out.Stdout)
	}
}

// pair starts two servers on one database and one data directory.
func pair(t *testing.T) (pg *Server, a, b *launch.Server) {
	pg = Start(t)
	data, allowed := t.TempDir(), t.TempDir()
	o := launch.Options{Data: data, Allowed: allowed, Env: []string{"AZULEJO_DATABASE=" + pg.URL("postgres")}}
	return pg, launch.Start(t, o), launch.Start(t, o)
}

// TestTwoServersAreOne runs the client against both servers.
func TestTwoServersAreOne(t *testing.T) {
	_, a, b := pair(t)
	raw, err := json.Marshal(map[string]string{"server": b.URL, "token": b.Token})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.Allowed, "second.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	a.Script(t, "testdata/pair.py", 4*time.Minute)
	for _, s := range []*launch.Server{a, b} {
		if strings.Contains(s.Log(), "postgres://") {
			t.Error("the log shows the database's URL")
		}
	}
}

// TestReadsGoOnAtEitherServer lets the submits of one read go to both servers in turns, and kills one of them between.
func TestReadsGoOnAtEitherServer(t *testing.T) {
	pg := Start(t)
	o := launch.Options{Data: t.TempDir(), Allowed: t.TempDir(), Env: []string{"AZULEJO_DATABASE=" + pg.URL("postgres")}}
	launch.Front(t, o, launch.Start(t, o), launch.Start(t, o)).Script(t, "../rest/testdata/snapshots.py", 4*time.Minute)
}

// status asks one server for the list of arrays.
func status(t *testing.T, s *launch.Server) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/arrays/admin", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-TILEDB-REST-API-Key", s.Token)
	code, body, err := launch.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return code, string(body)
}

// TestDatabaseThatGoesAway shows that a server outlives its database and says what is wrong meanwhile.
func TestDatabaseThatGoesAway(t *testing.T) {
	pg, a, _ := pair(t)
	if code, body := status(t, a); code != http.StatusOK {
		t.Fatalf("before: %d %s", code, body)
	}
	pg.Stop(t)
	code, body := status(t, a)
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "try again") || strings.Contains(body, pg.home) {
		t.Errorf("without the database: %d %s", code, body)
	}
	pg.Run(t)
	if code, body := status(t, a); code != http.StatusOK {
		t.Errorf("with the database again: %d %s", code, body)
	}
}

// TestProcessesExcludeEachOther looks at what package db promises to several processes.
func TestProcessesExcludeEachOther(t *testing.T) {
	pg, ctx := Start(t), t.Context()
	open := func() *db.DB {
		d, err := db.Open(ctx, pg.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a, b := open(), open()
	defer a.Close()
	maker, err := b.Maker(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*db.DB{a, b} {
		if alive, err := d.Alive(ctx, maker); err != nil || !alive {
			t.Errorf("while it runs: %v, %v", alive, err)
		}
	}
	now := time.Unix(1000, 0)
	memo := db.NewMemo[string, int](a, func() time.Time { return now })
	finds := 0
	find := func() (int, error) { finds++; return finds, nil }
	once := a.Once(ctx)
	for _, want := range []int{1, 1} {
		if got, err := memo.Get(once, "k", find); err != nil || got != want {
			t.Errorf("remembered %d, %v; want %d", got, err, want)
		}
	}
	if err := b.Update(ctx, func(tx *sql.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got, err := memo.Get(once, "k", find); err != nil || got != 1 {
		t.Errorf("within the request %d, %v; want 1", got, err)
	}
	if got, err := memo.Get(ctx, "k", find); err != nil || got != 2 {
		t.Errorf("after a change elsewhere %d, %v; want 2", got, err)
	}
	boom := errors.New("boom")
	if err := b.Update(ctx, func(tx *sql.Tx) error { return boom }); err != boom {
		t.Errorf("error of an update: %v", err)
	}
	if got, err := memo.Get(ctx, "k", find); err != nil || got != 2 {
		t.Errorf("after a change that was undone %d, %v; want 2", got, err)
	}
	release, err := a.Exclude(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan struct{})
	go func() {
		release, err := b.Exclude(ctx, "x")
		if err == nil {
			err = release()
		}
		if err != nil {
			t.Error(err)
		}
		close(held)
	}()
	other, err := b.Exclude(ctx, "y")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-held:
		t.Error("two hold the same key")
	default:
	}
	if err := errors.Join(other(), release()); err != nil {
		t.Fatal(err)
	}
	<-held
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if alive, err := a.Alive(ctx, maker); err != nil || alive {
		t.Errorf("after its end: %v, %v", alive, err)
	}
	if _, err := a.Read().QueryContext(ctx, "SELECT id FROM users WHERE id = ?", "a\x00b"); !errors.Is(err, db.ErrText) {
		t.Errorf("a zero byte: %v", err)
	}
	if _, err := db.Open(ctx, "postgres://postgres:hush@127.0.0.1:1/x?connect_timeout=1"); !errors.Is(err, db.ErrUnavailable) || strings.Contains(err.Error(), "hush") {
		t.Errorf("no server there: %v", err)
	}
}
