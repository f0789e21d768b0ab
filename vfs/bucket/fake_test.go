package bucket_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"azulejo/vfs"
	"azulejo/vfs/bucket"
)

// fake is a store in memory that counts requests and fails those that a plan names.
type fake struct {
	mu      sync.Mutex
	objects map[string]object
	serial  int
	// log has a line for every request: kind and key.
	log []string
	// plan returns the fault of request n of a kind, and whether the request is done all the same.
	plan func(kind, key string, n int) (err error, done bool)
	n    map[string]int
	// page is the size of a page of a listing, 0 for 1000.
	page int
	// held and most are the bytes of parts under way, now and at most.
	held, most int
}

type object struct {
	data        []byte
	tag, writer string
}

func newFake() *fake { return &fake{objects: map[string]object{}, n: map[string]int{}} }

// request notes a request and does it unless the plan says otherwise.
func (s *fake) request(kind, name, key string, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, kind+" "+key)
	n := s.n[kind]
	s.n[kind]++
	if s.plan != nil {
		if err, done := s.plan(kind, key, n); err != nil {
			if done {
				_ = do() // its reply is lost
			}
			return err
		}
	}
	if name != "b" {
		return &bucket.Fault{Status: 404, Code: "NoSuchBucket", Err: fmt.Errorf("no bucket %s", name)}
	}
	return do()
}

func missing() error { return bucket.Answered(404, "NoSuchKey", vfs.ErrNotExist) }

func (s *fake) List(_ context.Context, name, prefix string, flat bool, token string) (items []bucket.Item, next string, err error) {
	err = s.request("list", name, prefix, func() error {
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
			if s.page > 0 && len(items) == s.page {
				next = items[len(items)-1].Key
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

func (s *fake) Peek(_ context.Context, name, key string, n int) (p bucket.Piece, err error) {
	err = s.request("peek", name, key, func() error {
		o, ok := s.objects[key]
		if !ok {
			return missing()
		}
		p = bucket.Piece{NBytes: int64(len(o.data)), Tag: o.tag, Writer: o.writer}
		p.Off = max(0, p.NBytes-int64(n))
		p.Data = slices.Clone(o.data[p.Off:])
		return nil
	})
	return p, err
}

func (s *fake) Read(_ context.Context, name, key, tag string, p []byte, off int64) error {
	return s.request("read", name, key, func() error {
		o, ok := s.objects[key]
		if !ok || o.tag != tag {
			return &bucket.Fault{Class: bucket.ErrChanged, Err: vfs.ErrNotExist}
		}
		copy(p, o.data[off:])
		return nil
	})
}

func (s *fake) Delete(_ context.Context, name string, keys []string) error {
	return s.request("delete", name, strings.Join(keys, " "), func() error {
		for _, key := range keys {
			delete(s.objects, key)
		}
		return nil
	})
}

type fakeUpload struct {
	s                 *fake
	name, key, writer string
	parts             map[int][]byte
}

func (s *fake) Upload(name, key, writer string) bucket.Upload {
	return &fakeUpload{s: s, name: name, key: key, writer: writer, parts: map[int][]byte{}}
}

func (u *fakeUpload) Part(_ context.Context, number int, _ int64, p []byte) error {
	u.s.mu.Lock()
	u.s.held += len(p)
	u.s.most = max(u.s.most, u.s.held)
	u.s.mu.Unlock()
	err := u.s.request("part", u.name, u.key, func() error {
		u.parts[number] = slices.Clone(p)
		return nil
	})
	u.s.mu.Lock()
	u.s.held -= len(p)
	u.s.mu.Unlock()
	return err
}

func (u *fakeUpload) Complete(_ context.Context, number int, off int64, p []byte) error {
	return u.s.request("complete", u.name, u.key, func() error {
		if _, ok := u.s.objects[u.key]; ok {
			return &bucket.Fault{Status: 412, Class: vfs.ErrExist, Err: vfs.ErrExist}
		}
		var data []byte
		for i := range number {
			data = append(data, u.parts[i]...)
		}
		if int64(len(data)) != off {
			return fmt.Errorf("%d bytes in the parts before %d", len(data), off)
		}
		u.s.serial++
		u.s.objects[u.key] = object{append(data, p...), fmt.Sprint(u.s.serial), u.writer}
		return nil
	})
}

func (u *fakeUpload) Abort(context.Context) error {
	return u.s.request("abort", u.name, u.key, func() error { return nil })
}
