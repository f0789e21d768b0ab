package postgres

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"azulejo/internal/oracle/launch"
)

// TestRegions runs the clients against two servers with storage of their own and one database. Each sends on what the other stores.
func TestRegions(t *testing.T) {
	pg := Start(t)
	eu, us := freeAddress(t), freeAddress(t)
	start := func(region, listen, data string) *launch.Server {
		return launch.Start(t, launch.Options{Data: data, Listen: listen, Env: []string{"AZULEJO_DATABASE=" + pg.URL("postgres")},
			Args: []string{"--region", region, "--region-server", "eu=http://" + eu, "--region-server", "us=http://" + us}})
	}
	a := start("eu", eu, t.TempDir())
	// The keys are the operator's to bring along.
	data := t.TempDir()
	if err := os.CopyFS(filepath.Join(data, "keys"), os.DirFS(filepath.Join(a.Data, "keys"))); err != nil {
		t.Fatal(err)
	}
	b := start("us", us, data)
	raw, err := json.Marshal(map[string]string{"server": b.URL, "token": b.Token, "storage": filepath.Join(b.Data, "storage")})
	if err == nil {
		err = os.WriteFile(filepath.Join(a.Allowed, "second.json"), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.Script(t, "testdata/regions.py", 4*time.Minute)
}

// freeAddress returns an address of this machine where nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
