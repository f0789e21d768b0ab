package array

import (
	"context"
	"time"

	"azulejo/format"
	"azulejo/schema"
	"azulejo/vfs"
)

// Evolve writes a new schema with the changes; the array's data stays as it is. The schema counts from e.Timestamp, 0 for
// now, and is always the newest: with a clock that is behind the newest schema its time is one millisecond more. Of
// changes made at the same time by others the last one written counts, as in libtiledb. The error wraps ErrNotFound,
// ErrInvalid or ErrUnsupported.
func Evolve(ctx context.Context, fs vfs.FS, uri string, e schema.Evolution, opts ...Option) error {
	a, err := Open(ctx, fs, uri, Latest(), ForWriting(), WithKey(collect(opts).key))
	if err != nil {
		return err
	}
	return classify(a.evolve(ctx, e))
}

func (a *Array) evolve(ctx context.Context, e schema.Evolution) error {
	fresh := map[string]*schema.Enumeration{}
	e.AddEnumerations = withFiles(e.AddEnumerations, fresh)
	e.ExtendEnumerations = withFiles(e.ExtendEnumerations, fresh)
	old := a.Schema
	if extended := namesOf(e.ExtendEnumerations); len(extended) > 0 {
		var err error
		if old, err = a.WithEnumerations(ctx, old, extended...); err != nil {
			return err
		}
	}
	s, err := old.Evolve(e)
	if err != nil {
		return &Error{"evolve", a.URI, err}
	}
	s = withImages(s)
	if err := supported(s); err != nil {
		return &Error{"evolve", a.URI, err}
	}
	if old.Version < format.Version {
		if err := a.makeFolders(ctx); err != nil {
			return err
		}
	}
	at := e.Timestamp
	if n, err := format.ParseName(old.Name); err == nil && at == 0 {
		at = max(uint64(time.Now().UnixMilli()), n.End+1)
	}
	if _, err = storeSchema(ctx, a.FS, a.URI, a.key, s, fresh, at, at); err == nil && e.Timestamp == 0 {
		passed(ctx, at)
	}
	return err
}

// passed waits until a moment that lies a few milliseconds ahead is over, so that what has its time counts from now on. One
// further away is that of a clock that goes wrong and is not waited for, and nobody waits any more once the context ends: the work is done.
func passed(ctx context.Context, millis uint64) {
	const few = 10
	for now := uint64(time.Now().UnixMilli()); now < millis && millis-now <= few; now = uint64(time.Now().UnixMilli()) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Millisecond / 4):
		}
	}
}

// withFiles returns copies of enumerations with a new file name each, which telling them apart needs before they are
// stored, and adds them to byName.
func withFiles(list []*schema.Enumeration, byName map[string]*schema.Enumeration) []*schema.Enumeration {
	copies := make([]*schema.Enumeration, len(list))
	for i, x := range list {
		c := *x
		c.File = format.NewEnumerationName()
		copies[i], byName[c.Name] = &c, &c
	}
	return copies
}

func namesOf(list []*schema.Enumeration) []string {
	names := make([]string, len(list))
	for i, x := range list {
		names[i] = x.Name
	}
	return names
}
