package vault

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"azulejo/array"
	"azulejo/datatype"
	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/catalog"
	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/mem"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// yielding lets other goroutines run between looking at a folder and what is done about it.
type yielding struct{ vfs.FS }

func (y yielding) List(ctx context.Context, uri string) ([]vfs.Entry, error) {
	list, err := y.FS.List(ctx, uri)
	for range 100 {
		runtime.Gosched()
	}
	return list, err
}

// world is a vault over storage in memory, with an array that its owner may write.
type world struct {
	*Vault
	asset catalog.Asset
	write access.Grant
}

func newWorld(t *testing.T) world {
	ctx, dir := context.Background(), t.TempDir()
	d, err := db.Open(ctx, dbtest.Source(t, filepath.Join(dir, "azulejo.db")))
	must(t, err)
	t.Cleanup(func() { d.Close() })
	u, err := account.New(d, time.Now, 2).Create(ctx, account.NewUser{Name: "ann", Password: "long enough"})
	must(t, err)
	assets, err := catalog.Open(d, time.Now, dir, nil, "ann")
	must(t, err)
	w := world{Vault: New(yielding{mem.New()}, assets, Limits{CacheBytes: 1 << 20, QueryBytes: 1 << 20, TotalBytes: 1 << 20})}

	ann := access.Subject{Kind: access.Password, UserID: u.ID, NamespaceID: u.NamespaceID, Namespace: u.Name, Scopes: access.Scopes{access.ScopeAll}}
	create, err := access.Allowed(ann, access.ArrayCreate, access.Object{Kind: access.Namespace, ID: u.NamespaceID, NamespaceID: u.NamespaceID})
	must(t, err)
	n := catalog.NewAsset{}
	must(t, n.FromRef("a"))
	w.asset, err = w.CreateArray(ctx, create, n, newSchema())
	must(t, err)
	w.write, err = access.Allowed(ann, access.ArrayWrite, w.asset.Object())
	must(t, err)
	return w
}

func newSchema() *schema.Array {
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{{Name: "x", Type: datatype.Int32, CellValNum: 1, Domain: datatype.Bytes([]int32{0, 9})}}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	return s
}

// TestEvolveAtOnce adds attributes from many requests at once; each must build on all before it.
func TestEvolveAtOnce(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	const n = 12
	var wg sync.WaitGroup
	for i := range n {
		a, err := w.OpenArray(ctx, w.write, w.asset, array.Latest())
		must(t, err)
		wg.Go(func() {
			added := schema.NewAttribute(fmt.Sprint("b", i), datatype.Int8, 1)
			if err := a.Evolve(ctx, schema.Evolution{AddAttributes: []schema.Attribute{added}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	a, err := w.OpenArray(ctx, w.write, w.asset, array.Latest())
	must(t, err)
	if got := len(a.Schema().Attributes); got != n+1 {
		t.Errorf("%d attributes after %d evolutions that added one each", got-1, n)
	}
}

func TestEvolveWaitsNoLongerThanItsContext(t *testing.T) {
	w := newWorld(t)
	a, err := w.OpenArray(context.Background(), w.write, w.asset, array.Latest())
	must(t, err)
	unlock, err := w.evolving.lock(context.Background(), a.arr.URI)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e := schema.Evolution{AddAttributes: []schema.Attribute{schema.NewAttribute("b", datatype.Int8, 1)}}
	if err := a.Evolve(ctx, e); !errors.Is(err, context.Canceled) {
		t.Errorf("behind another evolution: %v", err)
	}
	unlock()
	must(t, a.Evolve(context.Background(), e))
}

func TestKeyedLocks(t *testing.T) {
	l := newKeyedLocks()
	var inside [3]atomic.Int32
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			k := i % len(inside)
			unlock, err := l.lock(context.Background(), fmt.Sprint(k))
			if err != nil || inside[k].Add(1) != 1 {
				t.Errorf("two holders of key %d, %v", k, err)
				return
			}
			inside[k].Add(-1)
			unlock()
		})
	}
	wg.Wait()
}
