// Package array opens, creates, evolves and deletes arrays: folders with schemas, fragments, commits and metadata
// (format_spec/array_file_hierarchy.md).
//
// An array exists when it has a schema file, and a fragment when it has a commit file; both are written last and appear
// whole, so that whatever breaks before leaves nothing half visible. What a broken write leaves behind, a fragment's
// folder without a commit or an enumeration that no schema names, is never read and is not swept up here: another
// process may still be writing it. Package consolidate removes what its own interrupted work left.
//
// An open Array is a snapshot: the schemas, commits and fragments that count at a time. Files never change, so a
// snapshot stays readable until a vacuum removes its files. What this build cannot read correctly is refused with
// ErrUnsupported and a message that names the file and the feature; it is never read without it:
//
//   - dimension labels
//   - format versions newer than the build knows
//
// Delete commits (.del), consolidated commits (.con), their ignore files (.ign) and vacuum files (.vac) are read. Deletes
// are part of the snapshot; package query applies them.
package array

import (
	"context"
	"errors"
	"fmt"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/fragment"
	"azulejo/internal/cache"
	"azulejo/metadata"
	"azulejo/schema"
	"azulejo/vfs"
)

// The classes of errors. Faults of lower layers are given a class as well, so that errors.Is finds both.
var (
	// ErrNotFound: there is no array at the URI.
	ErrNotFound = errors.New("array does not exist")
	// ErrExists: there is something at the URI of an array to be made.
	ErrExists = errors.New("already exists")
	// ErrUnsupported: the array holds something that this build cannot read or write correctly; the message names it.
	ErrUnsupported = errors.New("not supported")
	// ErrCorrupt: a file of the array is damaged or missing; the message names it.
	ErrCorrupt = errors.New("corrupt array")
	// ErrSnapshotLost: a fragment of an earlier snapshot is gone.
	ErrSnapshotLost = errors.New("the fragments that this read began with are gone")
	// ErrKey: the array is encrypted with another key than given, or with none given, or a key is given and it is not.
	ErrKey = errors.New("wrong encryption key")
	// ErrInvalid: the call does not fit the array.
	ErrInvalid = errors.New("invalid use of array")
)

// Error is a fault with the URI of the array or file it is about.
type Error struct {
	Op, URI string
	Err     error
}

// Error returns operation, URI and cause.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.URI, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// classed is an error of a lower layer with the class it has in this one.
type classed struct {
	class, err error
}

func (c *classed) Error() string   { return c.err.Error() }
func (c *classed) Unwrap() []error { return []error{c.class, c.err} }

// classes maps the classes of lower layers to those of this one; the first match counts.
var classes = []struct{ from, to error }{
	{format.ErrUnsupported, ErrUnsupported},
	{format.ErrVersion, ErrUnsupported},
	{filter.ErrUnsupported, ErrUnsupported},
	{filter.ErrKey, ErrKey},
	{format.ErrCorrupt, ErrCorrupt},
	{fragment.ErrCorrupt, ErrCorrupt},
	{filter.ErrCorrupt, ErrCorrupt},
	{schema.ErrInvalid, ErrInvalid},
	{metadata.ErrInvalid, ErrInvalid},
}

// classify gives an error of a lower layer its class here; nil and errors that have one stay as they are.
func classify(err error) error {
	for _, c := range classes {
		if errors.Is(err, c.from) && !errors.Is(err, c.to) {
			return &classed{c.to, err}
		}
	}
	return err
}

// Interval is a closed stretch of time in milliseconds since 1970.
type Interval = metadata.Interval

// Now is the end of an Interval that stands for the moment of opening.
const Now = metadata.Now

// Latest is everything up to now.
func Latest() Interval { return metadata.Latest() }

// Array is an open array: a snapshot of what counts in an interval of time. It is immutable and safe for concurrent use;
// there is nothing to close.
type Array struct {
	FS  vfs.FS
	URI string
	// At is the interval it was opened at; an end of Now was replaced by the time of opening.
	At Interval
	// Schema is the newest schema of the interval, or the newest of all when opened for writing. Its enumerations are
	// not loaded.
	Schema *schema.Array

	cache *Cache
	// own makes the cache of cells at first use; nil when a cache was given.
	own func() *cache.Cache
	key *filter.Key
	dir *directory
	// schemaFile is the name of the file that Schema was read from.
	schemaFile string
	// hold is that of WithHold.
	hold      Hold
	fragments []*fragment.Reader
	deletes   []Deletion
	vacuumed  []string
}

// Key returns the key that the array is encrypted with, nil when it is not: what is written to it needs it.
func (a *Array) Key() *filter.Key { return a.key }

// Fragments returns the readers of the snapshot's fragments, oldest first: by start timestamp, then by name. None when
// opened for writing or for the schema only. The slice must not be modified.
func (a *Array) Fragments() []*fragment.Reader { return a.fragments }

// Pin returns the names of the snapshot's fragments, oldest first, and then those of its delete commits, in a new slice:
// what WithFragments takes to open the same snapshot again.
func (a *Array) Pin() []string {
	names := make([]string, 0, len(a.fragments)+len(a.deletes))
	for _, f := range a.fragments {
		names = append(names, vfs.Base(f.URI()))
	}
	for i := range a.deletes {
		names = append(names, vfs.Base(a.deletes[i].Path))
	}
	return names
}

// NonEmptyDomain returns the smallest range per dimension that holds all cells of the snapshot's fragments, or nil when
// there are none. The memory is shared with the fragments.
func (a *Array) NonEmptyDomain() []schema.Range {
	var all []schema.Range
	for _, f := range a.fragments {
		dims := f.Schema().Domain.Dimensions
		switch ned := f.NonEmptyDomain(); {
		case len(ned) != len(dims):
			continue
		case all == nil:
			all = append(all, ned...)
		default:
			for i := range all {
				all[i] = dims[i].Union(all[i], ned[i])
			}
		}
	}
	return all
}

// Metadata returns the array's metadata in the interval, sorted by key.
func (a *Array) Metadata(ctx context.Context) ([]format.MetadataEntry, error) {
	entries, err := metadata.Load(ctx, a.FS, vfs.Join(a.URI, metadata.Folder), a.At, a.key)
	return entries, classify(err)
}

// PutMetadata writes changes of the array's metadata as one file of that time in milliseconds, 0 for now. They appear
// together or not at all.
func (a *Array) PutMetadata(ctx context.Context, entries []format.MetadataEntry, millis uint64) error {
	_, err := metadata.Put(ctx, a.FS, vfs.Join(a.URI, metadata.Folder), entries, millis, a.key)
	return classify(err)
}
