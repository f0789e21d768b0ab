package bucket

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

const (
	// batch is how many objects one call of Store.Delete gets, and batches how many calls are made at a time.
	batch   = 1000
	batches = 4
)

// Remove implements vfs.FS. The objects of a directory go one by one, in an order that keeps readers from taking what is
// left of an array or group for the whole of it:
//
//  1. all schemas of an array but its newest: readers that need them fail, others still read everything;
//  2. the newest schemas and the files that make a directory a group: from here on there is no such array or group;
//  3. commit files: should someone create the array again meanwhile, nothing of the old one counts;
//  4. all else.
//
// A step begins when the one before is done. A call that was interrupted can be repeated. What others write meanwhile may
// stay.
func (s *FS) Remove(ctx context.Context, uri string) error {
	bucket, key, err := s.file(ctx, uri)
	if err != nil {
		return fault("remove", uri, err)
	}
	steps := [4][]string{3: {key}}
	var schema string // the last schema seen
	err = s.items(ctx, bucket, key+"/", true, func(it Item) {
		dir, _, _ := cutLast(it.Key)
		step := stepOf(it.Key)
		if step == 0 {
			if before, _, _ := cutLast(schema); schema != "" && before != dir {
				steps[1] = append(steps[1], schema)
			} else if schema != "" {
				steps[0] = append(steps[0], schema)
			}
			schema = it.Key
			return
		}
		steps[step] = append(steps[step], it.Key)
	})
	if err != nil {
		return fault("remove", uri, err)
	}
	if schema != "" {
		steps[1] = append(steps[1], schema)
	}
	for _, keys := range steps {
		if err := s.delete(ctx, bucket, keys); err != nil {
			return fault("remove", uri, err)
		}
	}
	return nil
}

// stepOf returns the step of Remove, counted from 0, in which an object goes; all schemas have 0 here.
func stepOf(key string) int {
	dir, name, _ := cutLast(key)
	_, parent, _ := cutLast(dir)
	switch {
	case parent == "__schema":
		return 0
	case name == "__array_schema.tdb", name == "__tiledb_group.tdb", parent == "__group":
		return 1
	case parent == "__commits", strings.HasSuffix(name, ".ok"):
		return 2
	default:
		return 3
	}
}

// cutLast cuts a key at its last slash; without one dir is empty.
func cutLast(key string) (dir, name string, found bool) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return "", key, false
	}
	return key[:i], key[i+1:], true
}

func (s *FS) delete(ctx context.Context, bucket string, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(batches)
	for some := range slices.Chunk(keys, batch) {
		group.Go(func() error {
			return s.opts.Retry.Do(ctx, func(int) error { return s.store.Delete(ctx, bucket, some) })
		})
	}
	return group.Wait()
}
