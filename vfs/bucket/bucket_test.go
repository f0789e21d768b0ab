package bucket_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"azulejo/vfs"
	"azulejo/vfs/bucket"
	"azulejo/vfs/faultfs"
	"azulejo/vfs/vfstest"
)

// naps are the waiting times that a file system asked for.
type naps []time.Duration

func (n *naps) sleep(ctx context.Context, d time.Duration) error {
	*n = append(*n, d)
	return ctx.Err()
}

func newFS(s *faultfs.Store, n *naps) *bucket.FS {
	return bucket.New(s, bucket.Options{PartBytes: vfstest.PartBytes, Retry: bucket.Retry{Sleep: n.sleep}}, "s")
}

func TestBackend(t *testing.T) {
	vfstest.Run(t, func(*testing.T) (vfs.FS, string) {
		s := faultfs.NewStore()
		s.Page = 1000
		return newFS(s, &naps{}), "s://b/root"
	})
}

var errBusy = bucket.Answered(503, "SlowDown", errors.New("slow down"))

// failing lets the first n requests of a kind fail.
func failing(kind string, n int, err error, done bool) faultfs.Reply {
	i := 0
	return func(o faultfs.Op) (error, bool) {
		if o.Kind != kind || i == n {
			return nil, false
		}
		i++
		return err, done
	}
}

// requests are the kinds and keys of the requests from one on.
func requests(s *faultfs.Store, from int) (all []string) {
	for _, o := range s.Ops()[from:] {
		all = append(all, o.Kind+" "+o.URI)
	}
	return all
}

// TestRetries does the same work while each kind of request fails three times, before and after it was done.
func TestRetries(t *testing.T) {
	ctx := context.Background()
	content := bytes.Repeat([]byte("azulejo "), (2*vfstest.PartBytes+100)/8)
	for _, kind := range []string{"list", "peek", "read", "part", "complete", "delete"} {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s done %v", kind, done), func(t *testing.T) {
				s, n := faultfs.NewStore(), &naps{}
				s.Reply = failing(kind, 3, errBusy, done)
				fs := newFS(s, n)
				for _, c := range [][]byte{content, []byte("small")} {
					uri := fmt.Sprint("s://b/d/", len(c))
					if err := vfs.WriteAll(ctx, fs, uri, c); err != nil {
						t.Fatal(err)
					}
					if got, err := vfs.ReadAll(ctx, fs, uri); err != nil || !bytes.Equal(got, c) {
						t.Fatalf("%d bytes, %v", len(got), err)
					}
				}
				if list, err := fs.List(ctx, "s://b/d"); err != nil || len(list) != 2 {
					t.Fatalf("%v, %v", list, err)
				}
				if err := fs.Remove(ctx, "s://b/d"); err != nil || len(s.Keys()) > 0 {
					t.Fatalf("%d left, %v", len(s.Keys()), err)
				}
				if len(*n) != 3 {
					t.Errorf("%d pauses, want 3", len(*n))
				}
			})
		}
	}
}

// A commit whose reply is lost succeeds, and one that another writer was faster than does not.
func TestLostReplyOfACommit(t *testing.T) {
	ctx := context.Background()
	s := faultfs.NewStore()
	s.Reply = failing("complete", 1, bucket.Unanswered(io.EOF), true)
	if err := vfs.WriteAll(ctx, newFS(s, &naps{}), "s://b/f", []byte("x")); err != nil {
		t.Error(err)
	}
	s = faultfs.NewStore()
	first := true
	s.Reply = func(o faultfs.Op) (error, bool) {
		if o.Kind == "complete" && first {
			first = false
			s.Put("f", []byte("x"))
			return bucket.Unanswered(io.EOF), false
		}
		return nil, false
	}
	if err := vfs.WriteAll(ctx, newFS(s, &naps{}), "s://b/f", []byte("x")); !errors.Is(err, vfs.ErrExist) {
		t.Errorf("another's file: %v", err)
	}
}

func TestRetriesEnd(t *testing.T) {
	s, n := faultfs.NewStore(), &naps{}
	s.Reply = failing("peek", 1000, &bucket.Fault{Status: 429, Retry: true, After: 3 * time.Second, Err: errors.New("too many")}, false)
	_, err := newFS(s, n).Open(context.Background(), "s://b/f")
	if err == nil || !strings.Contains(err.Error(), "429") || !strings.Contains(err.Error(), "after 8 attempts") || s.Count("peek") != 8 {
		t.Errorf("%d attempts, %v", s.Count("peek"), err)
	}
	for _, d := range *n {
		if d < 3*time.Second || d > 10*time.Second {
			t.Errorf("a pause of %s where the store asked for 3 s", d)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s = faultfs.NewStore()
	s.Reply = func(faultfs.Op) (error, bool) {
		cancel()
		return errBusy, false
	}
	if _, err := newFS(s, n).Open(ctx, "s://b/f"); !errors.Is(err, context.Canceled) || s.Count("peek") != 1 {
		t.Errorf("after the context's end: %v", err)
	}
}

func TestPausesAreDrawnFromAGrowingRange(t *testing.T) {
	var longest [6]time.Duration
	for range 200 {
		n := &naps{}
		r := bucket.Retry{Attempts: 7, First: 10 * time.Millisecond, Longest: 100 * time.Millisecond, Sleep: n.sleep}
		_ = r.Do(context.Background(), func(int) error { return errBusy })
		for i, d := range *n {
			longest[i] = max(longest[i], d)
		}
	}
	for i, limit := range []time.Duration{10, 20, 40, 80, 100, 100} {
		if limit *= time.Millisecond; longest[i] > limit || longest[i] < limit/2 {
			t.Errorf("pause %d is up to %s, want up to %s", i, longest[i], limit)
		}
	}
}

func TestWhatIsRepeated(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{bucket.Answered(429, "", io.EOF), true},
		{bucket.Answered(500, "", io.EOF), true},
		{bucket.Answered(503, "", io.EOF), true},
		{bucket.Answered(404, "", io.EOF), false},
		{bucket.Answered(403, "", io.EOF), false},
		{bucket.Unanswered(io.EOF), true},
		{bucket.Unanswered(&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}), true},
		{bucket.Unanswered(&net.DNSError{IsNotFound: true}), false},
		{bucket.Unanswered(x509.UnknownAuthorityError{}), false},
		{errors.New("anything else"), false},
	} {
		n := 0
		r := bucket.Retry{Attempts: 2, Sleep: (&naps{}).sleep}
		_ = r.Do(context.Background(), func(int) error {
			n++
			return c.err
		})
		if (n == 2) != c.want {
			t.Errorf("%v is made %d times", c.err, n)
		}
	}
}

func TestOneRequestOpensAndReadsASmallFile(t *testing.T) {
	ctx := context.Background()
	s := faultfs.NewStore()
	fs := newFS(s, &naps{})
	if err := errors.Join(vfs.WriteAll(ctx, fs, "s://b/f", []byte("small")), vfs.WriteAll(ctx, fs, "s://b/g", make([]byte, 100_000))); err != nil {
		t.Fatal(err)
	}
	before := len(s.Ops())
	if _, err := vfs.ReadAll(ctx, fs, "s://b/f"); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open(ctx, "s://b/g")
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{100_000 - 8, 100_000 - 1000, 0, 100_000 - 8} {
		if err := f.ReadAt(ctx, make([]byte, 8), off); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"peek f", "peek g", "read g", "read g"}; !reflect.DeepEqual(requests(s, before), want) {
		t.Errorf("requests %q, want %q", requests(s, before), want)
	}
}

func TestGapFollowsTheLatency(t *testing.T) {
	ctx := context.Background()
	var gaps []int64
	for _, d := range []time.Duration{0, 5 * time.Millisecond, 30 * time.Millisecond, time.Second} {
		s := faultfs.NewStore()
		s.Latency = d
		fs := bucket.New(s, s.Options(), "s")
		if gap := vfs.GapBytes(fs, "s://b/f"); gap != (64<<20)/50 {
			t.Errorf("gap before the first request %d", gap)
		}
		if err := vfs.WriteAll(ctx, fs, "s://b/f", nil); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, err := fs.Open(ctx, "s://b/f"); err != nil {
				t.Fatal(err)
			}
		}
		gaps = append(gaps, vfs.GapBytes(fs, "s://b/f")>>16)
	}
	if want := []int64{1, 5, 30, 64}; !reflect.DeepEqual(gaps, want) {
		t.Errorf("gaps %d, want %d units of 64 KiB", gaps, want)
	}
	if vfs.GapBytes(anyFS{}, "") != 32<<10 {
		t.Error("the gap of a backend that does not tell")
	}
}

// anyFS is a backend without hints.
type anyFS struct{ vfs.FS }

func TestMemoryOfALargeWriteIsBounded(t *testing.T) {
	ctx := context.Background()
	s := faultfs.NewStore()
	fs := bucket.New(s, bucket.Options{PartBytes: 1 << 16, Parallel: 3}, "s")
	w, err := fs.Create(ctx, "s://b/f")
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if s.MostHeld() > 3<<16 || s.Count("part") != 99 {
		t.Errorf("%d parts, %d bytes of them at once", s.Count("part"), s.MostHeld())
	}
}

func TestUnfinishedUploadsAreDropped(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		plan faultfs.Reply
		end  func(w vfs.Writer) error
	}{
		{"abort", nil, func(w vfs.Writer) error { return errors.Join(w.Abort(), errBusy) }},
		{"a part that fails", failing("part", 1, bucket.Answered(400, "Bad", io.EOF), false), func(w vfs.Writer) error { return w.Commit(ctx) }},
		{"a completion that fails", failing("complete", 1, bucket.Answered(400, "Bad", io.EOF), false), func(w vfs.Writer) error { return w.Commit(ctx) }},
	} {
		s := faultfs.NewStore()
		s.Reply = c.plan
		w, err := bucket.New(s, bucket.Options{PartBytes: 1 << 10}, "s").Create(ctx, "s://b/f")
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, 5<<10))
		if err = errors.Join(err, c.end(w)); err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if s.Count("abort") != 1 || len(s.Keys()) > 0 {
			t.Errorf("%s: %d aborts, %d objects", c.name, s.Count("abort"), len(s.Keys()))
		}
	}
}

func TestRemovalKeepsReadersFromHalfAnArray(t *testing.T) {
	ctx := context.Background()
	s := faultfs.NewStore()
	fs := newFS(s, &naps{})
	for _, n := range []string{
		"__schema/__2_2_b", "__schema/__1_1_a", "__commits/__3_3_c_22.wrt", "__fragments/__3_3_c_22/a0.tdb", "__schema/__enumerations/e", "__meta/__4_4",
		"sub/__schema/__5_5_e", "g/__tiledb_group.tdb", "g/__group/__6_6_f", "old/__array_schema.tdb", "old/__7_7_f.ok",
	} {
		if err := vfs.WriteAll(ctx, fs, "s://b/a/"+n, nil); err != nil {
			t.Fatal(err)
		}
	}
	before := len(s.Ops())
	if err := fs.Remove(ctx, "s://b/a"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"list a/",
		"delete a/__schema/__1_1_a",
		"delete a/g/__group/__6_6_f a/g/__tiledb_group.tdb a/old/__array_schema.tdb a/__schema/__2_2_b a/sub/__schema/__5_5_e",
		"delete a/__commits/__3_3_c_22.wrt a/old/__7_7_f.ok",
		"delete a a/__fragments/__3_3_c_22/a0.tdb a/__meta/__4_4 a/__schema/__enumerations/e",
	}
	if !reflect.DeepEqual(requests(s, before), want) {
		t.Errorf("requests\n%s\nwant\n%s", strings.Join(requests(s, before), "\n"), strings.Join(want, "\n"))
	}
}

func TestListingsGoOnWhereTheyFailed(t *testing.T) {
	ctx := context.Background()
	s := faultfs.NewStore()
	s.Page = 3
	fs := newFS(s, &naps{})
	for i := range 10 {
		if err := vfs.WriteAll(ctx, fs, fmt.Sprint("s://b/d/", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	s.Reply = func(o faultfs.Op) (error, bool) {
		if n++; n%2 == 0 {
			return errBusy, false
		}
		return nil, false
	}
	if list, err := fs.List(ctx, "s://b/d"); err != nil || len(list) != 10 || s.Count("list") != 7 {
		t.Errorf("%d entries by %d requests, %v", len(list), s.Count("list"), err)
	}
}

func TestURIs(t *testing.T) {
	ctx := context.Background()
	s := faultfs.NewStore()
	s.Missing = "c"
	fs := newFS(s, &naps{})
	for _, uri := range []string{"s:///k", "/b/k", "x://b/k", "s://b", "s://b/", "", "b/k"} {
		if _, err := fs.Create(ctx, uri); err == nil || !strings.Contains(err.Error(), uri) {
			t.Errorf("create %q: %v", uri, err)
		}
	}
	if err := vfs.WriteAll(ctx, fs, "s://c/k", nil); err == nil || errors.Is(err, vfs.ErrNotExist) || !strings.Contains(err.Error(), "no bucket c") {
		t.Errorf("write to a bucket that does not exist: %v", err)
	}
	if _, err := fs.List(ctx, "s://c"); err == nil || errors.Is(err, vfs.ErrNotExist) {
		t.Errorf("list of a bucket that does not exist: %v", err)
	}
	if err := vfs.WriteAll(ctx, fs, "s://b/k//", nil); err != nil {
		t.Error(err)
	}
	if list, err := fs.List(ctx, "s://b"); err != nil || len(list) != 1 || list[0].Name != "k" {
		t.Errorf("the bucket lists %v, %v", list, err)
	}
}

func FuzzContentRange(f *testing.F) {
	for _, text := range []string{"bytes 0-9/10", "bytes 5-9/10", "bytes */10", "", "bytes 9-0/-1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if off, size, err := bucket.ContentRange(text); err == nil && (off < 0 || size < off) {
			t.Errorf("%q gives %d of %d", text, off, size)
		}
	})
}

func TestLargeReadsAreSplit(t *testing.T) {
	ctx := context.Background()
	s := faultfs.NewStore()
	fs := newFS(s, &naps{})
	content := make([]byte, 40<<20)
	for i := range content {
		content[i] = byte(i >> 12)
	}
	if err := vfs.WriteAll(ctx, fs, "s://b/f", content); err != nil {
		t.Fatal(err)
	}
	got, err := vfs.ReadAll(ctx, fs, "s://b/f")
	if err != nil || !bytes.Equal(got, content) || s.Count("read") != 3 {
		t.Errorf("%d requests, %v", s.Count("read"), err)
	}
	n := 0
	s.Reply = func(o faultfs.Op) (error, bool) {
		if n++; n == 3 {
			return bucket.Answered(403, "AccessDenied", errors.New("denied")), false
		}
		return nil, false
	}
	if _, err := vfs.ReadAll(ctx, fs, "s://b/f"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("a part that is refused: %v", err)
	}
}
