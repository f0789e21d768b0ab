package bucket

import (
	"context"
	"slices"
	"strings"

	"azulejo/vfs"
)

// List implements vfs.FS: one request for every thousand entries or so. A name can be a file and a directory at the same
// time; it is then listed twice, the file first.
func (s *FS) List(ctx context.Context, dir string) ([]vfs.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault("list", dir, err)
	}
	bucket, prefix, err := s.split(dir)
	if err != nil {
		return nil, fault("list", dir, err)
	}
	if prefix != "" {
		prefix += "/"
	}
	var list []vfs.Entry
	err = s.items(ctx, bucket, prefix, false, func(it Item) {
		name := it.Key[len(prefix):]
		if d, ok := strings.CutSuffix(name, "/"); ok {
			if d != "" {
				list = append(list, vfs.Entry{Name: d, Dir: true})
			}
		} else if name != "" { // the key "dir/" is a mark that some programs leave
			list = append(list, vfs.Entry{Name: name, NBytes: it.NBytes})
		}
	})
	if err != nil {
		return nil, fault("list", dir, err)
	}
	slices.SortStableFunc(list, func(a, b vfs.Entry) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// items calls f for everything that begins with a prefix.
func (s *FS) items(ctx context.Context, bucket, prefix string, flat bool, f func(Item)) error {
	for token := ""; ; {
		more := false
		err := s.opts.Retry.Do(ctx, func(int) error {
			items, next, err := s.store.List(ctx, bucket, prefix, flat, token)
			for _, it := range items {
				if strings.HasPrefix(it.Key, prefix) {
					f(it)
				}
			}
			more = next != ""
			if more {
				token = next
			}
			if err != nil && len(items) > 0 {
				return nil // there was progress: the rest is a request of its own
			}
			return lacking(err)
		})
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
	}
}
