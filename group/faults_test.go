package group_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/group"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

// history is work on one group: every step is one commit.
var history = []func(ctx context.Context, fs vfs.FS) error{
	func(ctx context.Context, fs vfs.FS) error { return group.Create(ctx, fs, uri) },
	change(func(ctx context.Context, g *group.Group) error {
		return g.Update(ctx, []group.Member{named("a", "/a"), named("b", "/b")}, nil, 0)
	}),
	change(func(ctx context.Context, g *group.Group) error {
		return g.PutMetadata(ctx, []format.MetadataEntry{{Key: "k", Type: datatype.Uint8, Num: 1, Value: []byte{7}}}, 0)
	}),
	change(func(ctx context.Context, g *group.Group) error {
		return g.Update(ctx, []group.Member{named("c", "/c")}, []string{"a"}, 0)
	}),
	func(ctx context.Context, fs vfs.FS) error { return group.Delete(ctx, fs, uri) },
}

func change(do func(context.Context, *group.Group) error) func(context.Context, vfs.FS) error {
	return func(ctx context.Context, fs vfs.FS) error {
		g, err := group.Open(ctx, fs, uri, group.Latest())
		if err != nil {
			return err
		}
		return do(ctx, g)
	}
}

// state says all there is to see of the group, as one text.
func state(t *testing.T, fs vfs.FS) string {
	t.Helper()
	ctx := context.Background()
	g, err := group.Open(ctx, fs, uri, group.Latest())
	if errors.Is(err, group.ErrNotFound) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	entries, err := g.Metadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(keys(g), entries)
}

// TestEveryFaultLeavesAPrefix lets every storage operation of a history fail, and wants what is found afterwards to be
// what there was after some number of steps; a group made at the same place after a deletion that died starts empty.
func TestEveryFaultLeavesAPrefix(t *testing.T) {
	ctx := context.Background()
	states := []string{"none"}
	counted := faultfs.New(mem.New(), nil)
	for _, step := range history {
		if err := step(ctx, counted); err != nil {
			t.Fatal(err)
		}
		states = append(states, state(t, counted))
	}
	for k := range len(counted.Ops()) {
		for _, action := range []faultfs.Action{faultfs.Fail, faultfs.FailAfter} {
			disk := mem.New()
			fs := faultfs.New(disk, faultfs.DeadFrom(k, action))
			done := 0
			for done < len(history) && history[done](ctx, fs) == nil {
				done++
			}
			got := state(t, disk.PowerLoss())
			if got != states[done] && (done == len(history) || got != states[done+1]) {
				t.Fatalf("operation %d, action %d: %d steps done, found %s", k, action, done, got)
			}
			if done == len(history)-1 && got == "none" {
				if err := group.Create(ctx, disk, uri); err != nil {
					t.Fatal(err)
				}
				if got := state(t, disk); got != states[1] {
					t.Fatalf("operation %d: the new group has %s", k, got)
				}
			}
		}
	}
}

// FuzzOpen puts one file of any name and content into a group.
func FuzzOpen(f *testing.F) {
	for _, pattern := range []string{"testdata/*/__group/*", "testdata/*/__meta/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range files {
			content, err := os.ReadFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(filepath.Base(filepath.Dir(p))+"/"+filepath.Base(p), content)
		}
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		ctx := context.Background()
		fs := mem.New()
		if group.Create(ctx, fs, uri) != nil || vfs.WriteAll(ctx, fs, vfs.Join(uri, name), content) != nil {
			return
		}
		g, err := group.Open(ctx, fs, uri, group.Latest())
		if err != nil {
			return
		}
		g.Members()
		_, _ = g.Metadata(ctx)
		_ = g.Update(ctx, []group.Member{named("n", "/n")}, nil, 0)
	})
}
