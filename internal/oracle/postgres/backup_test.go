package postgres

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"azulejo/internal/db"
	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

// TestBackupCrosses restores the backup of a server on PostgreSQL to SQLite, and the backup of that to PostgreSQL again:
// every row stays what it was, and a token of the first server opens the last.
func TestBackupCrosses(t *testing.T) {
	ctx, pg := t.Context(), Start(t)
	if out, err := pg.command("psql", "-h", pg.home, "-U", "postgres", "-c", "CREATE DATABASE second").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first := launch.Start(t, launch.Options{Env: []string{"AZULEJO_DATABASE=" + pg.URL("postgres")}})
	binary, err := launch.Binary()
	if err != nil {
		t.Fatal(err)
	}
	run := func(url string, args ...string) string {
		t.Helper()
		p := pyenv.Program{Path: binary, Args: args}
		if url != "" {
			p.Env = []string{"AZULEJO_DATABASE=" + url}
		}
		out, err := p.Run(ctx)
		if err != nil {
			t.Fatalf("azulejo %s: %v\n%s", strings.Join(args, " "), err, out.Stderr)
		}
		return string(out.Stdout)
	}
	made, err := http.NewRequestWithContext(ctx, http.MethodPost, first.URL+"/v1/groups/admin/create", strings.NewReader(`{"name":"g"}`))
	if err != nil {
		t.Fatal(err)
	}
	made.Header.Set("X-TILEDB-REST-API-Key", first.Token)
	if code, body, err := launch.Do(made); err != nil || code != http.StatusNoContent {
		t.Fatalf("a group: %d %s, %v", code, body, err)
	}
	if err := first.Stop(); err != nil { // what it notes once a second would come between the comparisons
		t.Fatal(err)
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if out := run(pg.URL("postgres"), "backup", at("backup1"), "--data", first.Data, "--storage"); !strings.Contains(out, "metadata of 1 users and 1 assets") {
		t.Error(out)
	}
	run("", "restore", at("backup1"), "--data", at("data1"))
	run("", "backup", at("backup2"), "--data", at("data1"), "--storage")
	run(pg.URL("second"), "restore", at("backup2"), "--data", at("data2"))

	from, err := db.Open(ctx, pg.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	middle, err := db.Open(ctx, at("data1/azulejo.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer middle.Close()
	to, err := db.Open(ctx, pg.URL("second"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	tables := rows(t, from, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name NOT IN ('changes', 'migrations', 'asset_texts')") // SQLite has no such ones
	if len(tables) < 10 {
		t.Fatalf("only tables %v", tables)
	}
	for _, table := range tables {
		table = strings.Trim(table, "[]")
		columns := rows(t, from, "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND is_generated = 'NEVER' AND table_name = '"+table+"'")
		query := "SELECT " + strings.NewReplacer("[", "", "]", "").Replace(strings.Join(columns, ", ")) + " FROM " + table
		a, b, c := rows(t, from, query), rows(t, middle, query), rows(t, to, query)
		if !slices.Equal(a, b) || !slices.Equal(b, c) {
			t.Errorf("table %s:\n%s\nbecame\n%s\nand\n%s", table, strings.Join(a, "\n"), strings.Join(b, "\n"), strings.Join(c, "\n"))
		}
	}
	if err := os.CopyFS(at("data2/keys"), os.DirFS(filepath.Join(first.Data, "keys"))); err != nil {
		t.Fatal(err)
	}
	last := launch.Start(t, launch.Options{Data: at("data2"), Env: []string{"AZULEJO_DATABASE=" + pg.URL("second")}})
	last.Token = first.Token
	if code, body := status(t, last); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
}
