package metamorphic

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

// store is an object store in memory, with short pages.
type store struct {
	mu      sync.Mutex
	objects map[string]stored
	serial  int
}

type stored struct {
	data        []byte
	tag, writer string
}

func newBucket() vfs.FS {
	return bucket.New(&store{objects: map[string]stored{}}, bucket.Options{PartBytes: 2000}, "fake")
}

func (s *store) List(_ context.Context, _, prefix string, flat bool, token string) (items []bucket.Item, next string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
		if len(items) == 5 {
			return items, items[4].Key, nil
		}
		items = append(items, it)
	}
	return items, "", nil
}

func (s *store) Peek(_ context.Context, _, key string, n int) (bucket.Piece, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return bucket.Piece{}, bucket.Answered(404, "NoSuchKey", vfs.ErrNotExist)
	}
	off := max(0, len(o.data)-n)
	return bucket.Piece{NBytes: int64(len(o.data)), Tag: o.tag, Writer: o.writer, Data: slices.Clone(o.data[off:]), Off: int64(off)}, nil
}

func (s *store) Read(_ context.Context, _, key, tag string, p []byte, off int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok || o.tag != tag {
		return &bucket.Fault{Class: bucket.ErrChanged, Err: vfs.ErrNotExist}
	}
	copy(p, o.data[off:])
	return nil
}

func (s *store) Delete(_ context.Context, _ string, keys []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.objects, key)
	}
	return nil
}

func (s *store) Upload(_, key, writer string) bucket.Upload {
	return &upload{s: s, key: key, writer: writer, parts: map[int][]byte{}}
}

type upload struct {
	s           *store
	key, writer string
	parts       map[int][]byte
}

func (u *upload) Part(_ context.Context, number int, _ int64, p []byte) error {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	u.parts[number] = slices.Clone(p)
	return nil
}

func (u *upload) Complete(_ context.Context, number int, _ int64, p []byte) error {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	if _, ok := u.s.objects[u.key]; ok {
		return &bucket.Fault{Status: 412, Class: vfs.ErrExist, Err: vfs.ErrExist}
	}
	var data []byte
	for i := range number {
		data = append(data, u.parts[i]...)
	}
	u.s.serial++
	u.s.objects[u.key] = stored{append(data, p...), fmt.Sprint(u.s.serial), u.writer}
	return nil
}

func (u *upload) Abort(context.Context) error { return nil }
