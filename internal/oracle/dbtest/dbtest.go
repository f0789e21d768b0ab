// Package dbtest lets the tests of packages that use the metadata database run on SQLite and on PostgreSQL. Without more
// they use SQLite; internal/oracle/postgres runs them again with Variable set. Only tests import it.
package dbtest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
)

// Variable names the environment variable with the URL of a PostgreSQL server, as a user that may create databases.
const Variable = "AZULEJO_TEST_POSTGRES"

// Source returns the source for db.Open that stands for the SQLite file at path: the path itself, or a PostgreSQL database
// of the path's own, which is made at the first call and dropped when the test ends.
func Source(t testing.TB, path string) string {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		return path
	}
	h := fnv.New64a()
	h.Write([]byte(path))
	name := fmt.Sprintf("test_%x", h.Sum64())
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: %v", Variable, err)
	}
	u.Path = "/" + name
	if exec(t, server, "SELECT 1 FROM pg_database WHERE datname = '"+name+"'") == 0 {
		exec(t, server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'")
		t.Cleanup(func() { exec(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	}
	return u.String()
}

// Dump returns all that is kept in the database that Source returned for path, as it is stored, for tests that look for what
// must not be there.
func Dump(t testing.TB, path string) []byte {
	t.Helper()
	source := Source(t, path)
	var all bytes.Buffer
	if source == path {
		for _, file := range []string{path, path + "-wal"} {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(content)
		}
		return all.Bytes()
	}
	pool, err := sql.Open("pgx", source)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	column := func(query string) (texts []string) {
		rows, err := pool.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			texts = append(texts, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return texts
	}
	for _, table := range column("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'") {
		for _, row := range column("SELECT t::text FROM " + table + " t") {
			all.WriteString(row)
		}
	}
	return all.Bytes()
}

// exec runs a statement and returns how many rows it touched or found.
func exec(t testing.TB, server, statement string) int64 {
	t.Helper()
	pool, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	res, err := pool.ExecContext(context.Background(), statement) // also after the test's own context has ended
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return n
}
