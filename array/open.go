package array

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/internal/cache"
	"azulejo/schema"
	"azulejo/vfs"
)

const fragmentMetadataFile = fragment.MetadataFile

// parallelOpens bounds the fragments whose footers are read at a time.
const parallelOpens = 16

// fewNear is up to how many things are done one after the other on a backend that is near.
const fewNear = 4

// keptEnds is up to how many fragments of a near store keep what was read with their footers, a part of which every read
// needs. For more of them at once it is memory that an open alone has no use for.
const keptEnds = 64

// openTries bounds how often an array is listed again because files disappear.
const openTries = 3

// footerMemory estimates the memory of a fragment's reader with all that it may load, in multiples of the size of its
// metadata file, which is mostly compressed lists of numbers.
const footerMemory = 4

// loneMemory estimates it in multiples of the footer's size for a fragment whose metadata file nobody looked at, and
// tileMemory for one of a single tile, the lists of which are short.
const (
	loneMemory = 32
	tileMemory = 4
)

// readerMemory estimates the bytes of a fragment's reader.
func readerMemory(r *fragment.Reader, keepEnd bool) int64 {
	const itself = 2048
	f := r.Footer()
	switch {
	case f.NumTiles() == 1 && !keepEnd:
		return itself + tileMemory*f.NBytes
	case f.Start == format.UnknownStart:
		return itself + loneMemory*f.NBytes
	}
	return itself + footerMemory*(f.Start+f.NBytes)
}

// options are what the Options of Open set.
type options struct {
	cache      *Cache
	writing    bool
	schemaOnly bool
	pinned     bool
	names      []string
	hold       string
	key        *filter.Key
}

// Option changes what Open does. Create, Evolve and Check take WithKey only.
type Option func(*options)

// WithCache makes Open take schemas and footers from the cache and put new ones in, and queries keep cells there that are
// read again. All users of a cache must use the same vfs.FS. Without it an open array keeps up to 32 MiB of such cells for
// its own queries, those with a budget left out.
func WithCache(c *Cache) Option { return func(o *options) { o.cache = c } }

// WithKey gives the key of an encrypted array; Create makes the array with it. Nil means not encrypted.
func WithKey(k *filter.Key) Option { return func(o *options) { o.key = k } }

// ForWriting opens the newest schema whatever the interval says, and no fragments.
func ForWriting() Option { return func(o *options) { o.writing = true } }

// SchemaOnly opens no fragments, and refuses nothing for what the schema says: for looking at schemas, metadata and
// enumerations.
func SchemaOnly() Option { return func(o *options) { o.schemaOnly = true } }

// WithFragments opens just these fragments and deletes, named as Pin returns them, whatever the interval and vacuum files
// say. One that is no longer committed is an error wrapping ErrSnapshotLost.
func WithFragments(names []string) Option {
	return func(o *options) { o.pinned, o.names = true, names }
}

// collect returns what the options set.
func collect(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Open opens the array at a URI as it was in an interval of time: the newest schema not newer than the interval's end,
// the fragments that lie in it. It lists the array once and reads the footers of its fragments. The error wraps
// ErrNotFound, ErrUnsupported, ErrCorrupt, ErrKey or ErrSnapshotLost, or is the storage's.
func Open(ctx context.Context, fs vfs.FS, uri string, at Interval, opts ...Option) (*Array, error) {
	o := collect(opts)
	for try := 1; ; try++ {
		a, err := open(ctx, fs, uri, at, &o)
		if err == nil {
			return a, nil
		}
		// A file that was listed and is gone may have been vacuumed meanwhile; then a new listing does not have it.
		if try == openTries || !errors.Is(err, vfs.ErrNotExist) {
			if o.pinned && errors.Is(err, vfs.ErrNotExist) {
				err = &Error{"open", vfs.Trim(uri), fmt.Errorf("%w: %w", ErrSnapshotLost, err)}
			}
			return nil, classify(err)
		}
	}
}

func open(ctx context.Context, fs vfs.FS, uri string, at Interval, o *options) (*Array, error) {
	reading := !o.writing && !o.schemaOnly
	a := &Array{FS: fs, URI: vfs.Trim(uri), At: at.Resolve(), cache: o.cache, key: o.key}
	if o.cache == nil {
		a.own = sync.OnceValue(func() *cache.Cache { return cache.New(ownRoom) })
	}
	var err error
	if a.dir, err = readDirectory(ctx, fs, a.URI, reading); err != nil {
		return nil, err
	}
	if len(a.dir.schemas) == 0 {
		return nil, &Error{"open", a.URI, ErrNotFound}
	}
	if err := a.openSchema(ctx, o); err != nil {
		return nil, err
	}
	if o.schemaOnly {
		return a, nil
	}
	if err := supported(a.Schema); err != nil {
		return nil, &Error{"open", a.dir.schemaURI(a.schemaFile), err}
	}
	if o.writing {
		return a, nil
	}
	return a, a.openFragments(ctx, o)
}

// openSchema reads the schema of the interval, or that of a held snapshot.
func (a *Array) openSchema(ctx context.Context, o *options) (err error) {
	switch {
	case o.hold != "":
		a.schemaFile, err = a.openHold(ctx, o)
	case o.writing:
		a.schemaFile, err = a.dir.schemaAt(Now)
	default:
		a.schemaFile, err = a.dir.schemaAt(a.At.End)
	}
	if err != nil {
		return err
	}
	a.Schema, err = a.SchemaOf(ctx, a.schemaFile)
	return err
}

// openFragments finds the fragments and deletes of the snapshot and reads footers and conditions.
func (a *Array) openFragments(ctx context.Context, o *options) error {
	live, deletes, err := a.snapshot(ctx, o)
	if err != nil {
		return err
	}
	if err := a.openDeletes(ctx, deletes); err != nil {
		return err
	}
	a.fragments = make([]*fragment.Reader, len(live))
	missing, kept := make([]int, 0, len(live)), a.Kept()
	for i := range live {
		if kept == nil {
			missing = append(missing, i)
			continue
		}
		if r, ok := kept.Get(cache.Description, a.cacheKey(live[i].uri(a.URI))); ok {
			a.fragments[i], _ = r.(*fragment.Reader)
		}
		if a.fragments[i] == nil {
			missing = append(missing, i)
		}
	}
	wanted := live
	if len(missing) < len(live) {
		wanted = make([]located, len(missing))
		for i, m := range missing {
			wanted[i] = live[m]
		}
	}
	var footers [][]byte
	if len(wanted) > parallelOpens { // fewer are read at once, which takes no longer than looking for merged ones
		if footers, err = a.mergedFooters(ctx, wanted); err != nil {
			return err
		}
	} else {
		footers = make([][]byte, len(wanted))
	}
	keepEnds := len(wanted) <= keptEnds || !vfs.IsNear(a.FS)
	schemaOf := func(name string) (*schema.Array, error) { return a.SchemaOf(ctx, name) }
	err = fetchAll(a.FS, len(missing), func(i int) (err error) {
		a.fragments[missing[i]], err = a.openFragment(ctx, &wanted[i], footers[i], keepEnds, schemaOf)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range a.fragments {
		if err := a.readable(r); err != nil {
			return err
		}
	}
	return nil
}

// fetchAll runs do, which asks the storage for something, for every number below n and returns the error of the lowest
// number: a bounded number at a time, but one after the other when they are few and the storage is near.
func fetchAll(fs vfs.FS, n int, do func(i int) error) error {
	if n > fewNear || !vfs.IsNear(fs) {
		return inParallel(n, do)
	}
	for i := range n {
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

// inParallel runs do for every number below n, a bounded number at a time, and returns the error of the lowest number.
func inParallel(n int, do func(i int) error) error {
	if n == 1 {
		return do(0)
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(n, parallelOpens) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				errs[i] = do(int(i))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// snapshot returns the fragments, oldest first, and the deletes that count, or those of an earlier snapshot.
func (a *Array) snapshot(ctx context.Context, o *options) (live []located, deletes []deleteCommit, err error) {
	all, err := a.dir.committed(ctx)
	if err != nil {
		return nil, nil, err
	}
	if o.pinned {
		return all.pick(a.URI, o.names, o.hold != "")
	}
	dense := a.Schema.Type == schema.Dense
	live, a.vacuumed, err = a.dir.visible(ctx, all, a.At, dense)
	if !dense {
		deletes = all.counting(a.At)
	}
	return live, deletes, err
}

// openFragment reads the footer of a fragment, or takes the one that a consolidated fragment metadata file has of it.
func (a *Array) openFragment(ctx context.Context, l *located, footer []byte, keepEnd bool, schemaOf schemaLookup) (*fragment.Reader, error) {
	uri := l.uri(a.URI)
	r, err := a.readFragment(ctx, uri, l.within(uri), footer, keepEnd, schemaOf)
	if errors.Is(err, vfs.ErrNotExist) {
		return nil, &Error{"open", uri, fmt.Errorf("%w: committed fragment: %w", ErrCorrupt, err)}
	}
	if err != nil || a.Kept() == nil {
		return r, err
	}
	if first, ok := a.Kept().Put(cache.Description, a.cacheKey(uri), r, readerMemory(r, keepEnd && footer == nil)).(*fragment.Reader); ok {
		return first, nil
	}
	return r, nil
}

// schemaLookup returns the schema with a file name.
type schemaLookup = func(name string) (*schema.Array, error)

// readFragment makes the reader of a fragment, from its footer when that is not nil.
func (a *Array) readFragment(ctx context.Context, uri string, name format.Name, footer []byte, keepEnd bool, schemaOf schemaLookup) (*fragment.Reader, error) {
	if footer != nil {
		r, err := fragment.OpenLone(a.FS, uri, name, footer, schemaOf, a.key)
		if !errors.Is(err, format.ErrCorrupt) {
			return r, err
		}
	}
	return fragment.Open(ctx, a.FS, uri, name, keepEnd, schemaOf, a.key)
}

// readable refuses fragments that do not fit the array. Dense arrays may have sparse fragments, which releases up to 2.4 wrote.
func (a *Array) readable(r *fragment.Reader) error {
	f, what := r.Footer(), ""
	switch {
	case f.Dense && a.Schema.Type == schema.Sparse:
		what = "a dense fragment in a sparse array"
	case len(f.Schema.Domain.Dimensions) != len(a.Schema.Domain.Dimensions):
		what = "the fragment's schema has other dimensions"
	default:
		return nil
	}
	return &Error{"open", r.URI(), fmt.Errorf("%w: %s", ErrCorrupt, what)}
}

// cacheName returns the name of a file in the cache. What was decrypted with a key is found with that key only.
func (a *Array) cacheName(uri string) string { return a.key.ID() + uri }

// cacheKey returns the key of a file in the cache.
func (a *Array) cacheKey(uri string) cache.Key { return cache.Key{Owner: a.cacheName(uri)} }

// readFile returns the content of a file that is a generic tile, decrypted.
func (a *Array) readFile(ctx context.Context, uri string) ([]byte, error) {
	content, err := vfs.ReadAll(ctx, a.FS, uri)
	if err == nil {
		content, err = format.Decrypt(a.key, content)
	}
	return content, format.WithURI(err, uri)
}

// Vacuumed returns the names of committed fragments that vacuum files hide from the snapshot, sorted.
func (a *Array) Vacuumed() []string { return a.vacuumed }

// Exists reports whether there is an array at the URI.
func Exists(ctx context.Context, fs vfs.FS, uri string) (bool, error) {
	d, err := readDirectory(ctx, fs, vfs.Trim(uri), false)
	return err == nil && len(d.schemas) > 0, err
}
