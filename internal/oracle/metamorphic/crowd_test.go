package metamorphic

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"azulejo/array"
	"azulejo/consolidate"
	"azulejo/datatype"
	"azulejo/query"
	"azulejo/schema"
	"azulejo/vfs"
	"azulejo/vfs/file"
)

// A crowd writes to one array: each of its members one cell after the other, so that whoever sees a cell of a member must
// see all that it wrote before.
const crowd, cellsEach = 16, 6

// member is set in the processes that the test of several processes starts.
var member = flag.String("metamorphic.member", "", "the array that this process, one of several, writes to")
var memberFirst = flag.Int("metamorphic.member.first", 0, "the first of the four members that this process is")

func TestCrowdInOneProcess(t *testing.T) {
	uri := newCrowd(t)
	surround(t, uri, func() {
		var writers sync.WaitGroup
		for w := range crowd {
			writers.Go(func() { writeMember(t, uri, w) })
		}
		writers.Wait()
	})
}

func TestCrowdOfProcesses(t *testing.T) {
	uri := newCrowd(t)
	surround(t, uri, func() {
		var writers sync.WaitGroup
		for first := 0; first < crowd; first += 4 {
			writers.Go(func() {
				c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMember$", "-metamorphic.member="+uri, fmt.Sprint("-metamorphic.member.first=", first))
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		writers.Wait()
	})
}

// TestMember is the work of a process of TestCrowdOfProcesses, and nothing in others.
func TestMember(t *testing.T) {
	if *member == "" {
		return
	}
	var writers sync.WaitGroup
	for w := *memberFirst; w < *memberFirst+4; w++ {
		writers.Go(func() { writeMember(t, *member, w) })
	}
	writers.Wait()
}

func newCrowd(t *testing.T) string {
	s := schema.New(schema.Sparse)
	s.Domain.Dimensions = []schema.Dimension{schema.NewDimension[int32]("x", 0, crowd*cellsEach-1, 10)}
	s.Attributes = []schema.Attribute{schema.NewAttribute("a", datatype.Int32, 1)}
	uri := filepath.Join(t.TempDir(), "crowd")
	if err := array.Create(t.Context(), file.New(), uri, s); err != nil {
		t.Fatal(err)
	}
	return uri
}

func writeMember(t *testing.T, uri string, w int) {
	for i := range cellsEach {
		a, err := array.Open(t.Context(), file.New(), uri, array.Latest(), array.ForWriting())
		if err == nil {
			cell := datatype.Bytes([]int32{int32(w*cellsEach + i)})
			_, err = query.Submit(t.Context(), a, &query.Write{Layout: schema.Unordered, Threads: 1, Columns: []query.Column{{Name: "x", Data: cell}, {Name: "a", Data: cell}}})
		}
		if err != nil {
			t.Errorf("member %d, cell %d: %v", w, i, err)
			return
		}
	}
}

// surround reads, consolidates and vacuums while work goes on, and then looks whether everything is there.
func surround(t *testing.T, uri string, work func()) {
	var over atomic.Bool
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for !over.Load() {
				if _, err := countCrowd(t.Context(), uri); err != nil && !vacuumed(err) {
					t.Error(err)
					return
				}
			}
		})
	}
	others.Go(func() {
		for !over.Load() {
			if err := maintainCrowd(t.Context(), uri); err != nil {
				t.Error(err)
				return
			}
		}
	})
	work()
	over.Store(true)
	others.Wait()
	for range 2 {
		if n, err := countCrowd(t.Context(), uri); n != crowd*cellsEach || err != nil {
			t.Fatalf("%d cells, want %d: %v", n, crowd*cellsEach, err)
		}
		if err := maintainCrowd(t.Context(), uri); err != nil {
			t.Fatal(err)
		}
	}
}

// vacuumed tells the error of a reader whose files a vacuum removed: it has to open the array again.
func vacuumed(err error) bool {
	return errors.Is(err, vfs.ErrNotExist) || errors.Is(err, array.ErrSnapshotLost)
}

func maintainCrowd(ctx context.Context, uri string) error {
	for _, mode := range []consolidate.Mode{consolidate.ModeFragments, consolidate.ModeCommits, consolidate.ModeFragmentMeta} {
		if err := consolidate.Run(ctx, file.New(), uri, mode, consolidate.Options{Threads: 1}); err != nil {
			return fmt.Errorf("consolidating %v: %w", mode, err)
		}
		if err := consolidate.Vacuum(ctx, file.New(), uri, mode); err != nil {
			return fmt.Errorf("vacuuming %v: %w", mode, err)
		}
	}
	return nil
}

// countCrowd reads everything and checks that no member's cell is missing before another.
func countCrowd(ctx context.Context, uri string) (int, error) {
	a, err := array.Open(ctx, file.New(), uri, array.Latest())
	if err != nil {
		return 0, err
	}
	all := query.Want{DataCap: -1, OffsetsCap: -1, ValidityCap: -1}
	x, v := all, all
	x.Name, v.Name = "x", "a"
	res, err := query.Run(ctx, a, &query.Read{Layout: schema.RowMajor, Fields: []query.Want{x, v}, Threads: 1})
	if err != nil {
		return 0, err
	}
	next := map[int32]int32{}
	for i, cell := range datatype.View[int32](res.Columns[0].Data) {
		w, k := cell/cellsEach, cell%cellsEach
		if next[w] != k || datatype.View[int32](res.Columns[1].Data)[i] != cell {
			return 0, fmt.Errorf("member %d: cell %d comes after %d", w, k, next[w]-1)
		}
		next[w] = k + 1
	}
	return int(res.Cells), nil
}
