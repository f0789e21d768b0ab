package postgres

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"azulejo/internal/db"
	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/pyenv"
)

// rows returns the rows of a query as text, sorted.
func rows(t *testing.T, d *db.DB, query string) (list []string) {
	t.Helper()
	found, err := d.Read().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(query, err)
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			switch v := v.(type) {
			case bool: // which SQLite keeps as numbers
				values[i] = map[bool]int64{false: 0, true: 1}[v]
			case []byte:
				values[i] = string(v)
			}
		}
		list = append(list, fmt.Sprintf("%v", values))
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// TestCarry moves a server from SQLite to PostgreSQL: every row of every table is there, what was handed out stays valid,
// and what goes wrong changes nothing.
func TestCarry(t *testing.T) {
	ctx, pg := t.Context(), Start(t)
	data, allowed := t.TempDir(), t.TempDir()
	s := launch.Start(t, launch.Options{Data: data, Allowed: allowed})
	call := func(s *launch.Server, method, path, body string, want int) string {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-TILEDB-REST-API-Key", s.Token)
		code, answer, err := launch.Do(req)
		if err != nil || code != want {
			t.Errorf("%s %s: %d %s, %v", method, path, code, answer, err)
		}
		return string(answer)
	}
	call(s, http.MethodPost, "/v1/organization", `{"name":"acme"}`, http.StatusNoContent)
	call(s, http.MethodPost, "/v1/groups/acme/create", `{"name":"g"}`, http.StatusNoContent)
	call(s, http.MethodPost, "/v1/token", `{"name":"gone"}`, http.StatusOK)
	call(s, http.MethodDelete, "/v1/tokens/gone", "", http.StatusNoContent)
	before := call(s, http.MethodGet, "/v1/organizations/acme", "", http.StatusOK)
	binary, err := launch.Binary()
	if err != nil {
		t.Fatal(err)
	}
	url := pg.URL("postgres")
	carry := func() (string, error) {
		out, err := pyenv.Program{Path: binary, Args: []string{"db", "carry", "--data", data}, Env: []string{"AZULEJO_DATABASE=" + url}}.Run(ctx)
		return string(out.Stdout), err
	}
	if _, err := carry(); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("beside the server: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	from, err := db.Open(ctx, filepath.Join(data, "azulejo.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	const broken = "INSERT INTO audit (at,event,user_id,token_id,token_name,address,request_id,detail) VALUES (9,'','','','','','',?)"
	if err := from.Update(ctx, func(tx *sql.Tx) error { _, err := tx.ExecContext(ctx, broken, "a\x00b"); return err }); err != nil {
		t.Fatal(err)
	}
	to, err := db.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	// The search index is made anew.
	tables := rows(t, from, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'asset_rows%' AND name NOT LIKE 'asset_words%'")
	fresh := rows(t, to, "SELECT id FROM namespaces")
	if _, err := db.Carry(ctx, from, to); !errors.Is(err, db.ErrText) || !strings.Contains(err.Error(), "table audit") {
		t.Errorf("with a text that cannot be kept: %v", err)
	}
	if now := rows(t, to, "SELECT id FROM namespaces"); !slices.Equal(now, fresh) {
		t.Errorf("after a failure there are namespaces %v", now)
	}
	err = from.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE at = 9")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := carry()
	if err != nil || !strings.Contains(out, "users\t1\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, table := range tables {
		table = strings.Trim(table, "[]")
		columns := strings.Join(rows(t, from, "SELECT name FROM pragma_table_info('"+table+"')"), ", ")
		query := "SELECT " + strings.NewReplacer("[", "", "]", "").Replace(columns) + " FROM " + table
		if a, b := rows(t, from, query), rows(t, to, query); !slices.Equal(a, b) {
			t.Errorf("table %s:\n%s\nbecame\n%s", table, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
	}
	if _, err := carry(); err == nil || !strings.Contains(err.Error(), "has users already") {
		t.Errorf("a second time: %v", err)
	}
	if _, err := db.Carry(ctx, to, from); err == nil {
		t.Error("the other way was not refused")
	}
	moved := launch.Start(t, launch.Options{Data: data, Allowed: allowed, Env: []string{"AZULEJO_DATABASE=" + url}})
	moved.Token = s.Token
	if after := call(moved, http.MethodGet, "/v1/organizations/acme", "", http.StatusOK); after != before {
		t.Errorf("%s became %s", before, after)
	}
	call(moved, http.MethodPost, "/v1/token", `{"name":"after"}`, http.StatusOK) // which the audit log counts on
}
