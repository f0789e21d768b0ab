package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

// killer is a proxy before two servers that are one. Of every change that it has not seen before, the server that gets it is killed
// once it has made the change and sent the reply, which the client does not get; the other server gets the repetition.
type killer struct {
	t       *testing.T
	o       launch.Options
	servers [2]*launch.Server
	// lock is a connection to their database, which keeps servers from forgetting changes.
	lock *sql.Conn
	// turn is the server that the next change goes to, seen are the changes by their hash, kills counts.
	turn  int
	seen  map[[sha256.Size]byte]bool
	kills int
}

// waiting has the database wait for whoever has advisory lock 7 before a change is forgotten, which comes right after the reply.
const waiting = `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN OLD; END';
	CREATE TRIGGER wait BEFORE DELETE ON repeats FOR EACH ROW EXECUTE FUNCTION wait()`

// changing matches method and address of the requests that change something.
var changing = regexp.MustCompile(`^(PATCH|PUT|DELETE) |/(array_metadata|evolve|delete_fragments|consolidate|vacuum)(\?|$)|submit\?type=(WRITE|DELETE)` +
	`|^POST /v1/arrays/[^/]+/[^/]+$|^POST /v2/groups/[^/]+$`)

// patience is how long a change may take.
const patience = 20 * time.Second

// ServeHTTP passes a request on. The client sends one at a time.
func (k *killer) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	id := sha256.Sum256(append([]byte(q.Method+" "+q.RequestURI+" "), body...))
	kill := changing.MatchString(q.Method+" "+q.RequestURI) && !k.seen[id]
	k.seen[id] = true
	if kill {
		// The change before may not be forgotten yet though its reply is here.
		for n := 1; n > 0 && k.t.Context().Err() == nil; {
			if err := k.lock.QueryRowContext(k.t.Context(), "SELECT count(*) FROM repeats").Scan(&n); err != nil {
				k.t.Error(err)
				break
			}
		}
		k.exec("SELECT pg_advisory_lock(7)")
		// A change that is refused is forgotten before the reply.
		late := time.AfterFunc(patience, func() {
			k.t.Errorf("no reply to %s %s; the server's log:\n%s", q.Method, q.RequestURI, k.servers[k.turn].Log())
			k.exec("SELECT pg_advisory_unlock(7)")
		})
		defer late.Stop()
	}
	on, err := http.NewRequestWithContext(q.Context(), q.Method, k.servers[k.turn].URL+q.RequestURI, bytes.NewReader(body))
	if err != nil {
		k.t.Error(err)
		panic(http.ErrAbortHandler)
	}
	on.Header = q.Header.Clone()
	res, err := http.DefaultClient.Do(on)
	if err != nil {
		k.t.Error(q.Method, q.RequestURI, err)
		panic(http.ErrAbortHandler)
	}
	defer res.Body.Close()
	reply, err := io.ReadAll(res.Body)
	if err != nil {
		k.t.Error(err)
	}
	if kill {
		k.crash(res.StatusCode, string(reply))
		panic(http.ErrAbortHandler)
	}
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	if _, err := w.Write(reply); err != nil && len(reply) > 0 {
		k.t.Error(err)
	}
}

// crash kills the server that made a change and has another one started for a later turn.
func (k *killer) crash(status int, reply string) {
	if status >= 300 {
		k.t.Errorf("the first try of a change: %d %s", status, reply)
	}
	if err := k.servers[k.turn].Kill(); err != nil {
		k.t.Error(err)
	}
	k.exec("SELECT pg_advisory_unlock(7)")
	k.servers[k.turn] = launch.Start(k.t, k.o)
	k.turn = 1 - k.turn
	k.kills++
}

func (k *killer) exec(statement string) {
	if _, err := k.lock.ExecContext(context.WithoutCancel(k.t.Context()), statement); err != nil {
		k.t.Error(statement, err)
	}
}

// TestChangesOfKilledServers kills a server between every change and the end of its request: the unmodified client repeats the change at
// another server, which answers with the outcome of the first.
func TestChangesOfKilledServers(t *testing.T) {
	pg := Start(t)
	o := launch.Options{Data: t.TempDir(), Allowed: t.TempDir(), Env: []string{"AZULEJO_DATABASE=" + pg.URL("postgres")}}
	k := &killer{t: t, o: o, servers: [2]*launch.Server{launch.Start(t, o), launch.Start(t, o)}, seen: map[[sha256.Size]byte]bool{}}
	direct, err := sql.Open("pgx", pg.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	if k.lock, err = direct.Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer k.lock.Close()
	k.exec(waiting)
	front := httptest.NewServer(k)
	defer front.Close()
	client := *k.servers[0]
	client.URL = front.URL
	client.Script(t, "../transport/testdata/cut.py", 5*time.Minute)
	// Some of the writes are the same as the one before, byte by byte.
	if k.kills < 25 {
		t.Errorf("%d servers were killed, want 25 at least", k.kills)
	}
	t.Logf("%d servers were killed", k.kills)
	var n int
	if err := direct.QueryRowContext(t.Context(), "SELECT count(*) FROM repeats").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d changes remembered, %v", n, err)
	}
}
