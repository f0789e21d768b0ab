package array_test

import (
	"context"
	"errors"
	"testing"

	"azulejo/array"
	"azulejo/vfs"
	"azulejo/vfs/bucket"
	"azulejo/vfs/faultfs"
)

// inBucket is a file system on an object store, with the URI of the tests inside it.
type inBucket struct{ *bucket.FS }

const bucketURI = "s://b"

func (s inBucket) List(ctx context.Context, dir string) ([]vfs.Entry, error) {
	return s.FS.List(ctx, at(dir))
}
func (s inBucket) Open(ctx context.Context, uri string) (vfs.File, error) {
	return s.FS.Open(ctx, at(uri))
}
func (s inBucket) Create(ctx context.Context, uri string) (vfs.Writer, error) {
	return s.FS.Create(ctx, at(uri))
}
func (s inBucket) MakeDir(ctx context.Context, dir string) error { return s.FS.MakeDir(ctx, at(dir)) }
func (s inBucket) Remove(ctx context.Context, uri string) error  { return s.FS.Remove(ctx, at(uri)) }

// at is a URI of the tests in the bucket.
func at(uri string) string { return vfs.Join(bucketURI, uri) }

func newBucket(s *faultfs.Store) inBucket {
	o := s.Options()
	o.Retry.Attempts = 3
	return inBucket{bucket.New(s, o, "s")}
}

// readable is state, or "" where the array is there but cannot be read.
func readable(t *testing.T, fs vfs.FS) string {
	t.Helper()
	ctx := context.Background()
	a, err := array.Open(ctx, fs, uri, array.Interval{End: array.Now - 1})
	if err == nil {
		_, err = cells(ctx, a)
	}
	if err != nil && !errors.Is(err, array.ErrNotFound) {
		return ""
	}
	return state(t, fs)
}

// TestEveryFaultOfAnObjectStoreLeavesAPrefix is TestEveryFaultLeavesAPrefix on a store that removes one object at a time:
// while an array is deleted it may be unreadable, but never a part of itself.
func TestEveryFaultOfAnObjectStoreLeavesAPrefix(t *testing.T) {
	states := []string{"none"}
	clean := faultfs.NewStore()
	for _, step := range history {
		must(t, step(context.Background(), newBucket(clean)))
		states = append(states, state(t, newBucket(clean)))
	}
	if left := clean.Keys(); len(left) > 0 {
		t.Errorf("a deleted array leaves %q", left)
	}
	n := len(clean.Ops())
	unreadable := 0
	for name, plan := range map[string]func(int, faultfs.Action) faultfs.Plan{"fault": faultfs.Nth, "death": faultfs.DeadFrom} {
		for _, action := range []faultfs.Action{faultfs.Fail, faultfs.FailAfter, faultfs.Throttle} {
			for k := range n {
				s := faultfs.NewStore()
				s.Reply = faultfs.Answers(plan(k, action))
				done := run(newBucket(s))
				if name == "fault" && action != faultfs.Fail && done < len(history) {
					t.Fatalf("%s, action %d of %v: not repeated", name, action, s.Ops()[k])
				}
				got := readable(t, newBucket(s.PowerLoss()))
				if got == "" && done == len(history)-1 {
					unreadable++
					continue
				}
				if got != states[done] && (done == len(history) || got != states[done+1]) {
					t.Fatalf("%s, action %d of %v: %d steps done, found %q, want %s", name, action, s.Ops()[k], done, got, states[done])
				}
			}
		}
	}
	t.Logf("%d requests, 6 faults each; %d times a deletion that was cut off left an unreadable array", n, unreadable)
}
