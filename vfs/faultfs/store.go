package faultfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"azulejo/vfs"
	"azulejo/vfs/bucket"
)

// Reply chooses what a Store answers to a request that is about to happen: nil to do it, or a fault, and then whether the
// request is done all the same, like one whose reply got lost. It is called for one request at a time.
type Reply func(Op) (fault error, done bool)

// Answers returns the replies that a plan asks for: Fail and Torn are refused for good, FailAfter is done without an answer,
// Throttle is put off with 429, Rot passes.
func Answers(plan Plan) Reply {
	return func(o Op) (error, bool) {
		switch plan(o) {
		case Fail, Torn:
			return bucket.Answered(400, "Injected", o.fault()), false
		case FailAfter:
			return bucket.Unanswered(o.fault()), true
		case Throttle:
			return bucket.Answered(429, "SlowDown", o.fault()), false
		default:
			return nil, false
		}
	}
}

// Every returns a plan that does a to every k-th operation.
func Every(k int, a Action) Plan {
	return func(o Op) Action {
		if o.N%k == k-1 {
			return a
		}
		return Pass
	}
}

// Store is an object store in memory with faults and a clock of its own, for bucket.New: unlike vfs/mem it has no
// directories, and removes one object at a time. The kinds of its operations are list, peek, read, part, complete, abort
// and delete; their URIs are keys. Its one bucket may have any name but that in Missing. It is safe for concurrent use; the
// exported fields are set before use.
type Store struct {
	// Reply chooses the faults; nil means none.
	Reply Reply
	// Page is the size of a page of a listing; 0 means 1,000.
	Page int
	// Latency is how long a request takes by the store's own clock.
	Latency time.Duration
	// Missing is the name of a bucket that does not exist.
	Missing string

	mu sync.Mutex
	// what follows is guarded by mu.
	objects    map[string]stored
	serial     int
	ops        []Op
	now        time.Duration
	held, most int
}

// stored is an object of a Store.
type stored struct {
	data        []byte
	tag, writer string
}

var _ bucket.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store { return &Store{objects: map[string]stored{}} }

// Options are options of a file system on the store that waits and tells time by the store's clock.
func (s *Store) Options() bucket.Options {
	return bucket.Options{Now: s.Now, Retry: bucket.Retry{Sleep: s.sleep}}
}

// Now is the time by the store's clock, which starts at 1970 and goes on by Latency with every request and by what is slept.
func (s *Store) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.UnixMilli(0).Add(s.now)
}

func (s *Store) sleep(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += d
	return ctx.Err()
}

// Ops returns the requests so far, in order.
func (s *Store) Ops() []Op {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ops)
}

// Count returns the number of requests of a kind so far.
func (s *Store) Count(kind string) (n int) {
	for _, o := range s.Ops() {
		if o.Kind == kind {
			n++
		}
	}
	return n
}

// MostHeld returns the most bytes of parts that were on their way at a time.
func (s *Store) MostHeld() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// Keys returns the keys of the objects in ascending order.
func (s *Store) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// Put makes an object as another program would; to be called outside of requests, or by Reply.
func (s *Store) Put(key string, data []byte) {
	s.serial++
	s.objects[key] = stored{data, fmt.Sprint(s.serial), "another"}
}

// PowerLoss returns a store with the objects that are certain to be there, without faults.
func (s *Store) PowerLoss() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Store{objects: maps.Clone(s.objects), serial: s.serial}
}

// request notes a request and does it unless Reply says otherwise.
func (s *Store) request(ctx context.Context, kind, name, key string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := Op{N: len(s.ops), Kind: kind, URI: key}
	s.ops = append(s.ops, o)
	s.now += s.Latency
	if s.Reply != nil {
		if err, done := s.Reply(o); err != nil {
			if done {
				_ = do() // its reply is lost
			}
			return err
		}
	}
	if s.Missing != "" && name == s.Missing {
		return bucket.Answered(404, "NoSuchBucket", fmt.Errorf("no bucket %s", name))
	}
	return do()
}

// List implements bucket.Store. A token is the last key or prefix seen.
func (s *Store) List(ctx context.Context, name, prefix string, flat bool, token string) (items []bucket.Item, next string, err error) {
	page := s.Page
	if page == 0 {
		page = 1000
	}
	err = s.request(ctx, "list", name, prefix, func() error {
		for _, key := range slices.Sorted(maps.Keys(s.objects)) {
			rest, ok := strings.CutPrefix(key, prefix)
			if !ok {
				continue
			}
			it := bucket.Item{Key: key, NBytes: int64(len(s.objects[key].data))}
			if i := strings.IndexByte(rest, '/'); i >= 0 && !flat {
				it = bucket.Item{Key: prefix + rest[:i+1]}
			}
			if it.Key <= token || len(items) > 0 && items[len(items)-1].Key == it.Key {
				continue
			}
			if len(items) == page {
				next = items[page-1].Key
				return nil
			}
			items = append(items, it)
		}
		return nil
	})
	if err != nil {
		return nil, token, err
	}
	return items, next, nil
}

// Peek implements bucket.Store with the end of the object.
func (s *Store) Peek(ctx context.Context, name, key string, n int) (p bucket.Piece, err error) {
	err = s.request(ctx, "peek", name, key, func() error {
		o, ok := s.objects[key]
		if !ok {
			return bucket.Answered(404, "NoSuchKey", vfs.ErrNotExist)
		}
		p = bucket.Piece{NBytes: int64(len(o.data)), Tag: o.tag, Writer: o.writer}
		p.Off = max(0, p.NBytes-int64(n))
		p.Data = slices.Clone(o.data[p.Off:])
		return nil
	})
	return p, err
}

// Read implements bucket.Store.
func (s *Store) Read(ctx context.Context, name, key, tag string, p []byte, off int64) error {
	return s.request(ctx, "read", name, key, func() error {
		o, ok := s.objects[key]
		if !ok || o.tag != tag {
			return &bucket.Fault{Class: bucket.ErrChanged, Err: errors.New("another tag")}
		}
		copy(p, o.data[off:])
		return nil
	})
}

// Delete implements bucket.Store.
func (s *Store) Delete(ctx context.Context, name string, keys []string) error {
	return s.request(ctx, "delete", name, strings.Join(keys, " "), func() error {
		for _, key := range keys {
			delete(s.objects, key)
		}
		return nil
	})
}

// upload implements bucket.Upload.
type upload struct {
	s                 *Store
	name, key, writer string
	// parts is guarded by the store's lock.
	parts map[int][]byte
}

// Upload implements bucket.Store.
func (s *Store) Upload(name, key, writer string) bucket.Upload {
	return &upload{s: s, name: name, key: key, writer: writer, parts: map[int][]byte{}}
}

func (s *Store) hold(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += n
	s.most = max(s.most, s.held)
}

// Part implements bucket.Upload.
func (u *upload) Part(ctx context.Context, number int, _ int64, p []byte) error {
	u.s.hold(len(p))
	defer u.s.hold(-len(p))
	return u.s.request(ctx, "part", u.name, u.key, func() error {
		u.parts[number] = slices.Clone(p)
		return nil
	})
}

// Complete implements bucket.Upload.
func (u *upload) Complete(ctx context.Context, number int, off int64, p []byte) error {
	return u.s.request(ctx, "complete", u.name, u.key, func() error {
		if _, ok := u.s.objects[u.key]; ok {
			return &bucket.Fault{Status: 412, Code: "PreconditionFailed", Class: vfs.ErrExist, Err: vfs.ErrExist}
		}
		var data []byte
		for i := range number {
			data = append(data, u.parts[i]...)
		}
		if int64(len(data)) != off {
			return bucket.Answered(400, "InvalidPart", fmt.Errorf("%d bytes in the parts before %d", len(data), off))
		}
		u.s.serial++
		u.s.objects[u.key] = stored{append(data, p...), fmt.Sprint(u.s.serial), u.writer}
		return nil
	})
}

// Abort implements bucket.Upload.
func (u *upload) Abort(ctx context.Context) error {
	return u.s.request(ctx, "abort", u.name, u.key, func() error { return nil })
}
