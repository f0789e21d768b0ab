package array_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"azulejo/array"
	"azulejo/format"
	"azulejo/vfs"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/mem"
)

// sixFragments makes an array whose fragments of times 10 to 60 have one cell each, equal to the time. Commits of the
// given times are in a consolidated commits file, those of times in both have their own file too.
func sixFragments(t *testing.T, con, both []uint64) *mem.FS {
	t.Helper()
	ctx, fs := context.Background(), mem.New()
	must(t, array.Create(ctx, fs, uri, newSchema()))
	var list []format.ConsolidatedCommit
	for at := uint64(10); at <= 60; at += 10 {
		name, err := writeFragment(ctx, fs, at, int32(at))
		must(t, err)
		if slices.Contains(con, at) {
			list = append(list, format.ConsolidatedCommit{Path: "__commits/" + name + ".wrt"})
			if !slices.Contains(both, at) {
				continue
			}
		}
		must(t, array.Commit(ctx, fs, uri, name))
	}
	if con != nil {
		content, err := format.EncodeConsolidatedCommits(list)
		must(t, err)
		must(t, vfs.WriteAll(ctx, fs, vfs.Join(uri, "__commits", format.NewName(10, 60, format.Version).String()+".con"), content))
	}
	return fs
}

func TestDeleteFragments(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name      string
		con, both []uint64
		files     string // the extensions of commit files that stay
	}{
		{"single", nil, nil, ".wrt .wrt .wrt .wrt"},
		{"consolidated", []uint64{10, 20, 30, 40, 50, 60}, nil, ".con .ign"},
		{"mixed", []uint64{10, 20, 40}, []uint64{10, 20}, ".con .ign .wrt .wrt .wrt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := sixFragments(t, c.con, c.both)
			removed, err := array.DeleteFragments(ctx, fs, uri, array.Interval{Start: 20, End: 39})
			must(t, err)
			if len(removed) != 2 || !strings.HasPrefix(removed[0], "__30_30_") || !strings.HasPrefix(removed[1], "__20_20_") {
				t.Errorf("removed %v", removed)
			}
			wantCells(t, fs, array.Latest(), "10 40 50 60")
			var kinds []string
			for _, f := range filesBelow(t, fs, vfs.Join(uri, "__commits")) {
				kinds = append(kinds, f[strings.LastIndexByte(f, '.'):])
			}
			slices.Sort(kinds)
			if got := strings.Join(kinds, " "); got != c.files {
				t.Errorf("commit files %s, want %s", got, c.files)
			}
			folders, err := fs.List(ctx, vfs.Join(uri, "__fragments"))
			if err != nil || len(folders) != 4 {
				t.Errorf("%d folders, %v", len(folders), err)
			}
			// Twice is once.
			removed, err = array.DeleteFragments(ctx, fs, uri, array.Interval{Start: 20, End: 39})
			if err != nil || len(removed) != 0 {
				t.Errorf("then removed %v, %v", removed, err)
			}
			if found := check(t, fs, uri); len(found) > 0 {
				t.Errorf("check: %v", found)
			}
		})
	}
	if _, err := array.DeleteFragments(ctx, mem.New(), uri, array.Latest()); !errors.Is(err, array.ErrNotFound) {
		t.Errorf("no array: %v", err)
	}
}

func TestDeleteFragmentsNamed(t *testing.T) {
	ctx := context.Background()
	fs := sixFragments(t, []uint64{50}, nil)
	a, err := array.Open(ctx, fs, uri, array.Latest())
	must(t, err)
	names := a.Pin()
	_, err = array.DeleteFragmentsNamed(ctx, fs, uri, []string{names[0], "__7_7_00000000000000000000000000000000_22"})
	if !errors.Is(err, array.ErrInvalid) || !strings.Contains(err.Error(), "__7_7_") {
		t.Errorf("an unknown one: %v", err)
	}
	wantCells(t, fs, array.Latest(), "10 20 30 40 50 60")
	removed, err := array.DeleteFragmentsNamed(ctx, fs, uri, []string{vfs.Join(uri, "__fragments", names[0]) + "/", names[4]})
	if err != nil || !slices.Equal(removed, []string{names[4], names[0]}) {
		t.Errorf("removed %v, %v", removed, err)
	}
	wantCells(t, fs, array.Latest(), "20 30 40 60")
}

// TestEveryFaultOfDeletingFragments lets every storage operation fail, before, after and for good: what a fresh process
// finds lacks the newest of the fragments to go, and a second try ends the work.
func TestEveryFaultOfDeletingFragments(t *testing.T) {
	ctx := context.Background()
	at := array.Interval{Start: 20, End: 50}
	for _, con := range [][]uint64{nil, {20, 30, 40}} {
		states := []string{"10 20 30 40 50 60", "10 20 30 40 60", "10 20 30 60", "10 20 60", "10 60"}
		if con != nil {
			states = []string{states[0], states[1], states[4]}
		}
		full := sixFragments(t, con, nil)
		counted := faultfs.New(full.PowerLoss(), nil)
		_, err := array.DeleteFragments(ctx, counted, uri, at)
		must(t, err)
		for name, plan := range map[string]func(int, faultfs.Action) faultfs.Plan{"fault": faultfs.Nth, "death": faultfs.DeadFrom} {
			for _, action := range []faultfs.Action{faultfs.Fail, faultfs.FailAfter} {
				for k := range len(counted.Ops()) {
					disk := full.PowerLoss()
					faulty := faultfs.New(disk, plan(k, action))
					_, err := array.DeleteFragments(ctx, faulty, uri, at)
					after := disk.PowerLoss()
					a, openErr := array.Open(ctx, after, uri, array.Latest())
					must(t, openErr)
					got, readErr := cells(ctx, a)
					must(t, readErr)
					if !slices.Contains(states, got) || err == nil && got != "10 60" {
						t.Errorf("%s, action %d of %v: found %s, %v", name, action, faulty.Ops()[k], got, err)
					}
					_, err = array.DeleteFragments(ctx, after, uri, at)
					must(t, err)
					wantCells(t, after, array.Latest(), "10 60")
				}
			}
		}
	}
}
