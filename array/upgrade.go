package array

import (
	"context"
	"fmt"
	"time"

	"azulejo/format"
	"azulejo/vfs"
)

// Upgrade gives an array of an older format version a schema of the current one, so that what is written from now on is
// in that version, and makes the folders that it needs. What is there already stays as it is. It returns the version that
// the array had; for one of the current version nothing is written. Older releases cannot open the array afterwards. The
// error wraps ErrNotFound or ErrUnsupported.
func Upgrade(ctx context.Context, fs vfs.FS, uri string, opts ...Option) (from uint32, err error) {
	a, err := Open(ctx, fs, uri, Latest(), ForWriting(), WithKey(collect(opts).key))
	if err != nil {
		return 0, err
	}
	from = a.Schema.Version
	if from >= format.Version {
		return from, nil
	}
	if err := a.makeFolders(ctx); err != nil {
		return from, classify(err)
	}
	at := a.laterSchema()
	s := *a.Schema
	if _, err := storeSchema(ctx, a.FS, a.URI, a.key, &s, nil, at, at); err != nil {
		return from, classify(err)
	}
	passed(ctx, at)
	return from, nil
}

// CheckWritable refuses an array of an older format version, whose new fragments and deletes would have to be of that
// version too. Metadata can be written all the same: its files have no version.
func (a *Array) CheckWritable() error {
	if v := a.Schema.Version; v != format.Version {
		return &Error{"write to", a.URI, fmt.Errorf("%w: the array is of format version %d and what is written is of %d; run `azulejo array upgrade` first",
			ErrUnsupported, v, format.Version)}
	}
	return nil
}

// makeFolders makes the folders that an array of an older version may lack.
func (a *Array) makeFolders(ctx context.Context) error {
	for _, dir := range folders() {
		if err := a.FS.MakeDir(ctx, vfs.Join(a.URI, dir)); err != nil {
			return err
		}
	}
	return nil
}

// laterSchema returns the time of a schema that is to be the newest: now, or the moment after the array's own with a clock
// that is behind it.
func (a *Array) laterSchema() uint64 {
	at := uint64(time.Now().UnixMilli())
	if n, err := format.ParseName(a.Schema.Name); err == nil {
		at = max(at, n.End+1)
	}
	return at
}
