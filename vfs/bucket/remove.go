package bucket

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"azulejo/vfs"
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
	steps := [4][]string{vfs.Data: {key}}
	older := []string(nil)
	schema := "" // the last one seen
	err = s.items(ctx, bucket, key+"/", true, func(it Item) {
		step := vfs.StageOf(it.Key)
		if step != vfs.Schema {
			steps[step] = append(steps[step], it.Key)
			return
		}
		if schema != "" && folder(schema) == folder(it.Key) {
			older = append(older, schema)
		} else if schema != "" {
			steps[vfs.Identity] = append(steps[vfs.Identity], schema)
		}
		schema = it.Key
	})
	if err != nil {
		return fault("remove", uri, err)
	}
	if schema != "" {
		steps[vfs.Identity] = append(steps[vfs.Identity], schema)
	}
	steps[vfs.Schema] = older
	for _, keys := range steps {
		if err := s.delete(ctx, bucket, keys); err != nil {
			return fault("remove", uri, err)
		}
	}
	return nil
}

// folder is a key up to its last slash.
func folder(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }

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
