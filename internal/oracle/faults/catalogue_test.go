package faults

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
	"azulejo/internal/oracle/postgres"
	"azulejo/internal/oracle/pyenv"
	"azulejo/internal/wire"
)

var catalogueOps = flag.Int("faults.catalogue", 150, "operations on the catalogue that must succeed, on each database, while the server is killed again and again")

// state is what the catalogue should hold of one worker's assets, by name.
type state map[string]asset

// asset is one of them. Values compare.
type asset struct {
	kind    string // array, group or file
	public  bool
	members string // of a group: names, sorted, separated by blanks
	outside bool   // it lies outside the data directory
}

// change is an operation: the request and what the catalogue should hold afterwards.
type change struct {
	method, path, contentType string
	body                      []byte
	after                     state
}

// worker makes changes to assets of its own, one after the other.
type worker struct {
	c       *client
	id, n   int
	allowed string
	rng     *rand.Rand
	// now is what was acknowledged, then what may be so too: a request that was not answered was done or not.
	now, then state
}

func jsonBody(format string, args ...any) (string, []byte) {
	return "application/json", fmt.Appendf(nil, format, args...)
}

// pick returns a name of one of the worker's assets that is of a kind.
func (w *worker) pick(kinds ...string) (string, bool) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(w.now)) {
		if slices.Contains(kinds, w.now[name].kind) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", false
	}
	return names[w.rng.IntN(len(names))], true
}

// without returns the state without a name, also in groups.
func (s state) without(name string) state {
	after := state{}
	for n, a := range s {
		a.members = strings.Join(slices.DeleteFunc(strings.Fields(a.members), func(m string) bool { return m == name }), " ")
		if n != name {
			after[n] = a
		}
	}
	return after
}

// with returns the state with an asset.
func (s state) with(name string, a asset) state {
	after := maps.Clone(s)
	after[name] = a
	return after
}

// fresh makes something new.
func (w *worker) fresh(schema []byte) change {
	w.n++
	name := fmt.Sprintf("w%d-%d", w.id, w.n)
	kind := []string{"array", "array", "group", "file", "outside"}[w.rng.IntN(5)]
	ch := change{method: http.MethodPost, contentType: "application/capnp", body: schema, path: "/v1/arrays/admin/" + name}
	switch kind {
	case "group":
		ch.path = "/v1/groups/admin/create"
		ch.contentType, ch.body = jsonBody(`{"name":%q}`, name)
	case "file":
		ch.path, ch.contentType, ch.body = "/v2/files/admin/"+name+"/upload?filesize=5000", "application/octet-stream", bytes.Repeat([]byte("file "), 1000)
	case "outside":
		ch.path = "/v1/arrays/admin/" + strings.ReplaceAll("file://"+filepath.Join(w.allowed, name), "/", "%2F")
		ch.after = w.now.with(name, asset{kind: "array", outside: true})
		return ch
	}
	ch.after = w.now.with(name, asset{kind: kind})
	return ch
}

// base is the address of an asset.
func base(name, kind string) string {
	if kind == "group" {
		return "/v1/groups/admin/" + name
	}
	return "/v1/arrays/admin/" + name
}

// change returns a change of what is there, false when there is nothing to change in that way.
func (w *worker) change() (change, bool) {
	name, ok := w.pick("array", "file", "group")
	if !ok {
		return change{}, false
	}
	a := w.now[name]
	ch := change{contentType: "application/json"}
	switch w.rng.IntN(5) {
	case 0: // a new name
		w.n++
		to := fmt.Sprintf("w%d-%d", w.id, w.n)
		ch.method, ch.path = http.MethodPatch, base(name, a.kind)
		if a.kind != "group" {
			ch.path += "/metadata"
		}
		_, ch.body = jsonBody(`{"name":%q}`, to)
		ch.after = state{}
		for n, x := range w.now {
			members := strings.Fields(x.members)
			for i, m := range members {
				if m == name {
					members[i] = to
				}
			}
			slices.Sort(members)
			if x.members = strings.Join(members, " "); n == name {
				n = to
			}
			ch.after[n] = x
		}
	case 1: // for everybody
		ch.method, ch.path = http.MethodPatch, base(name, a.kind)+"/share"
		_, ch.body = jsonBody(`{"namespace":"public","actions":["read"],"group_actions":["read"]}`)
		a.public = true
		ch.after = w.now.with(name, a)
	case 2: // deleted
		ch.method, ch.path = http.MethodDelete, base(name, a.kind)
		if a.kind == "group" {
			ch.path = "/v2/groups/admin/" + name + "/delete"
		}
		ch.after = w.now.without(name)
	case 3: // deregistered
		ch.method, ch.path = http.MethodDelete, base(name, a.kind)
		if a.kind != "group" {
			ch.path += "/deregister"
		}
		ch.after = w.now.without(name)
	default:
		return w.regroup()
	}
	return ch, true
}

// regroup changes the members of a group.
func (w *worker) regroup() (change, bool) {
	in, ok := w.pick("group")
	member, also := w.pick("array", "file")
	if !ok || !also {
		return change{}, false
	}
	g := w.now[in]
	ch := change{method: http.MethodPost, path: "/v1/groups/admin/" + in + "/contents", contentType: "application/json"}
	verb, members := "add", strings.Fields(g.members)
	if slices.Contains(members, member) {
		verb, members = "remove", slices.DeleteFunc(members, func(m string) bool { return m == member })
	} else {
		members = append(members, member)
	}
	slices.Sort(members)
	g.members = strings.Join(members, " ")
	_, ch.body = jsonBody(`{%q:[{"namespace":"admin","name":%q}]}`, verb, member)
	ch.after = w.now.with(in, g)
	return ch, true
}

// run makes changes until one is not answered. Refusals are errors: the worker only asks for what can be done.
func (w *worker) run(t *testing.T, schema []byte, done func() bool) {
	for !done() {
		ch, ok := change{}, false
		if len(w.now) > 3 || w.rng.IntN(3) == 0 {
			ch, ok = w.change()
		}
		if !ok {
			ch = w.fresh(schema)
		}
		w.then = ch.after
		status, answer := w.c.send(t, ch)
		switch {
		case status == 0:
			return
		case status >= 300:
			t.Errorf("worker %d: %s %s %s: %d %s", w.id, ch.method, ch.path, ch.body[:min(len(ch.body), 100)], status, answer)
			return
		}
		w.now, w.then = ch.after, nil
		catalogueDone.Add(1)
	}
}

// catalogueDone counts the operations that were acknowledged.
var catalogueDone atomic.Int64

// send performs a change; status 0 stands for no answer.
func (c *client) send(t *testing.T, ch change) (int, []byte) {
	req, err := http.NewRequestWithContext(t.Context(), ch.method, c.url+ch.path, bytes.NewReader(ch.body))
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	req.Header.Set("X-TILEDB-REST-API-Key", c.token)
	req.Header.Set("Content-Type", ch.contentType)
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(res.Body); err != nil {
		return 0, nil
	}
	return res.StatusCode, answer.Bytes()
}

// get asks for JSON.
func (c *client) get(t *testing.T, path string, into any) int {
	t.Helper()
	status, answer := c.send(t, change{method: http.MethodGet, path: path})
	if status == http.StatusOK {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Errorf("GET %s: %v in %s", path, err, answer)
		}
	} else if status != http.StatusNotFound {
		t.Errorf("GET %s: %d %s", path, status, answer)
	}
	return status
}

// look returns what the server says of names.
func (c *client) look(t *testing.T, names map[string]asset) state {
	seen := state{}
	for name, a := range names {
		var info struct {
			Name   string `json:"name"`
			Public bool   `json:"public_share"`
		}
		path := base(name, a.kind)
		if a.kind != "group" {
			path += "/metadata"
		}
		if c.get(t, path, &info) != http.StatusOK || info.Name != name { // an old name leads to the asset that had it
			continue
		}
		got := asset{kind: a.kind, public: info.Public, outside: a.outside}
		if a.kind == "group" {
			var in struct {
				Entries []struct{ Array struct{ Name string } }
			}
			c.get(t, path+"/contents", &in)
			var members []string
			for _, e := range in.Entries {
				members = append(members, e.Array.Name)
			}
			slices.Sort(members)
			got.members = strings.Join(members, " ")
		} else if status, answer := c.call(t.Context(), http.MethodGet, base(name, a.kind), nil); status != http.StatusOK {
			t.Errorf("%s cannot be opened: %d %s", name, status, answer)
		}
		seen[name] = got
	}
	return seen
}

// settle compares what the server says with what it may say after a kill, and returns it.
func (w *worker) settle(t *testing.T) {
	t.Helper()
	names := map[string]asset{}
	maps.Copy(names, w.then)
	maps.Copy(names, w.now)
	seen := w.c.look(t, names)
	if !maps.Equal(seen, w.now) && (w.then == nil || !maps.Equal(seen, w.then)) {
		t.Errorf("worker %d: there is %v; acknowledged was %v, then asked for %v", w.id, seen, w.now, w.then)
	}
	w.now, w.then = seen, nil
}

// TestKilledAmidCatalogueOperations kills the server at random moments of operations on the catalogue, repairs what the check
// finds, and compares what is there with what was acknowledged.
func TestKilledAmidCatalogueOperations(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { killAmidCatalogue(t, nil) })
	t.Run("PostgreSQL", func(t *testing.T) {
		killAmidCatalogue(t, []string{"AZULEJO_DATABASE=" + postgres.Start(t).URL("postgres")})
	})
}

func killAmidCatalogue(t *testing.T, env []string) {
	schema, err := wire.EncodeSchema(killSchema())
	if err != nil {
		t.Fatal(err)
	}
	binary, err := launch.Binary()
	if err != nil {
		t.Fatal(err)
	}
	o := launch.Options{Data: t.TempDir(), Allowed: t.TempDir(), Env: env}
	check := func(args ...string) (string, error) {
		out, err := pyenv.Program{Path: binary, Args: append([]string{"check", "--database", "--data", o.Data, "--allow-path", o.Allowed}, args...), Env: env}.Run(t.Context())
		return string(out.Stdout), err
	}
	rng := rand.New(rand.NewPCG(7, uint64(len(env))))
	workers := make([]*worker, 4)
	for i := range workers {
		workers[i] = &worker{id: i, allowed: o.Allowed, rng: rand.New(rand.NewPCG(uint64(i), uint64(len(env)))), now: state{}}
	}
	begun := catalogueDone.Load()
	total := func() int { return int(catalogueDone.Load() - begun) }
	kills, classes := 0, map[string]int{}
	for total() < *catalogueOps && !t.Failed() {
		s := launch.Start(t, o)
		c := &client{url: s.URL, token: s.Token, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(workers)}}}
		for _, w := range workers {
			w.c = c
			w.settle(t)
		}
		var all sync.WaitGroup
		until := total() + 5 + rng.IntN(25)
		reached := make(chan struct{})
		var once sync.Once
		for _, w := range workers {
			all.Go(func() {
				w.run(t, schema, func() bool {
					if total() >= until || t.Failed() {
						once.Do(func() { close(reached) })
					}
					return t.Failed()
				})
			})
		}
		<-reached
		timer := time.NewTimer(time.Duration(rng.IntN(40)) * time.Millisecond)
		<-timer.C
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
		all.Wait()
		c.http.CloseIdleConnections()
		kills++
		out, err := check("--repair")
		if err != nil {
			t.Errorf("after kill %d: %v\n%s", kills, err, out)
		}
		for line := range strings.Lines(out) {
			if class, _, ok := strings.Cut(line, "\t"); ok {
				classes[class]++
			}
		}
		if out, err := check(); err != nil || !strings.Contains(out, " 0 findings") {
			t.Errorf("after the repair of kill %d: %v\n%s", kills, err, out)
		}
	}
	s := launch.Start(t, o)
	c := &client{url: s.URL, token: s.Token, http: http.DefaultClient}
	want := map[string]bool{}
	for _, w := range workers {
		w.c = c
		w.settle(t)
		for name, a := range w.now {
			if a.kind != "group" {
				want[name] = true
			}
		}
	}
	var list []struct{ Name string }
	c.get(t, "/v1/arrays/admin", &list)
	for _, x := range list {
		if !want[x.Name] {
			t.Errorf("%s is there, which nobody made", x.Name)
		}
	}
	t.Logf("%d operations in %d kills; the check found %v", total(), kills, classes)
	if len(list) != len(want) || total() < *catalogueOps {
		t.Errorf("%d arrays of %d, %d operations of %d", len(list), len(want), total(), *catalogueOps)
	}
}
