// Package group creates, opens and changes groups: folders that name arrays and other groups as their members and hold
// metadata (format_spec/group.md).
//
// A group's members are written as whole lists with timestamps: every change adds a file with the members that are left
// and marks of the removed ones. Files never change; what counts at a time is what the files up to it add up to.
package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"azulejo/filter"
	"azulejo/format"
	"azulejo/metadata"
	"azulejo/vfs"
)

// The classes of errors.
var (
	// ErrNotFound: there is no group at the URI, or no such member.
	ErrNotFound = errors.New("does not exist")
	// ErrExists: there is something at the URI of a group to be made, or a member with that name or URI.
	ErrExists = errors.New("already exists")
	// ErrInvalid: a change that cannot be made.
	ErrInvalid = errors.New("invalid group change")
	// ErrUnsupported: the group holds something that this build cannot read; the message names it.
	ErrUnsupported = errors.New("not supported")
	// ErrKey: the group is encrypted with another key than given, or with none given, or a key is given and it is not.
	ErrKey = errors.New("wrong encryption key")
	// ErrCorrupt: a file of the group is damaged; the message names it.
	ErrCorrupt = errors.New("corrupt group")
)

// Error is a fault with the URI of the group or file it is about.
type Error struct {
	Op, URI string
	Err     error
}

// Error returns operation, URI and cause.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.URI, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// classify gives an error of a lower layer its class here as well.
func classify(err error) error {
	class := err
	switch {
	case err == nil:
		return nil
	case errors.Is(err, format.ErrUnsupported), errors.Is(err, format.ErrVersion):
		class = ErrUnsupported
	case errors.Is(err, format.ErrCorrupt):
		class = ErrCorrupt
	case errors.Is(err, filter.ErrKey):
		class = ErrKey
	case errors.Is(err, metadata.ErrInvalid):
		class = ErrInvalid
	}
	if errors.Is(err, class) {
		return err
	}
	return &classed{class, err}
}

// classed is an error of a lower layer with the class it has in this one.
type classed struct {
	class, err error
}

func (c *classed) Error() string   { return c.err.Error() }
func (c *classed) Unwrap() []error { return []error{c.class, c.err} }

// Interval is a closed stretch of time in milliseconds since 1970.
type Interval = metadata.Interval

// Now is the end of an Interval that stands for the moment of opening.
const Now = metadata.Now

// Latest is everything up to now.
func Latest() Interval { return metadata.Latest() }

// The folders and files of a group.
const (
	detailsDir = "__group"
	markFile   = "__tiledb_group.tdb"
)

// Member is a member of a group.
type Member struct {
	Type format.ObjectType
	// URI is as stored: below the group's own when Relative is set.
	URI      string
	Relative bool
	// Name is the member's name; Named tells whether it has one.
	Name  string
	Named bool
}

// Key returns what the member is known by: its name, or its URI when it has none.
func (m Member) Key() string {
	if m.Named {
		return m.Name
	}
	return m.URI
}

// Group is a group as it was in an interval of time. It is immutable and safe for concurrent use.
type Group struct {
	FS  vfs.FS
	URI string
	// At is the interval it was opened at; an end of Now was replaced by the time of opening.
	At Interval

	key     *filter.Key
	members map[string]Member
}

// Exists reports whether there is a group at the URI.
func Exists(ctx context.Context, fs vfs.FS, uri string) (bool, error) {
	root, err := fs.List(ctx, uri)
	return slices.ContainsFunc(root, isMark), err
}

// isMark reports whether an entry of a folder makes it a group.
func isMark(e vfs.Entry) bool {
	return e.Name == markFile && !e.Dir || e.Name == detailsDir && e.Dir
}

// Create makes an empty group. The error wraps ErrExists when there is a group or an array.
func Create(ctx context.Context, fs vfs.FS, uri string) error {
	uri = vfs.Trim(uri)
	root, err := fs.List(ctx, uri)
	if err != nil {
		return err
	}
	for _, e := range root {
		if isMark(e) {
			return &Error{"create", uri, fmt.Errorf("group %w", ErrExists)}
		}
		if e.Name == "__schema" || e.Name == "__array_schema.tdb" {
			return &Error{"create", uri, fmt.Errorf("array %w", ErrExists)}
		}
	}
	if slices.ContainsFunc(root, func(e vfs.Entry) bool { return e.Name == metadata.Folder }) {
		// Metadata without a group was left by a deletion that was interrupted.
		if err := fs.Remove(ctx, vfs.Join(uri, metadata.Folder)); err != nil {
			return err
		}
	}
	if err := fs.MakeDir(ctx, vfs.Join(uri, metadata.Folder)); err != nil {
		return err
	}
	// Of several calls at a time the one that writes this file makes the group.
	if err := vfs.WriteAll(ctx, fs, vfs.Join(uri, markFile), nil); err != nil {
		if errors.Is(err, vfs.ErrExist) {
			return &Error{"create", uri, fmt.Errorf("group %w", ErrExists)}
		}
		return err
	}
	return fs.MakeDir(ctx, vfs.Join(uri, detailsDir))
}

// Option changes what Open does.
type Option func(*Group)

// WithKey gives the key of an encrypted group, whose members and metadata are encrypted. Nil means not encrypted.
func WithKey(k *filter.Key) Option { return func(g *Group) { g.key = k } }

// Open opens the group at a URI as it was in an interval of time. The error wraps ErrNotFound, ErrCorrupt or
// ErrUnsupported, or is the storage's.
func Open(ctx context.Context, fs vfs.FS, uri string, at Interval, opts ...Option) (*Group, error) {
	g := &Group{FS: fs, URI: vfs.Trim(uri), At: at.Resolve()}
	for _, opt := range opts {
		opt(g)
	}
	switch exists, err := Exists(ctx, fs, g.URI); {
	case err != nil:
		return nil, err
	case !exists:
		return nil, &Error{"open", g.URI, fmt.Errorf("group %w", ErrNotFound)}
	}
	var err error
	g.members, err = g.load(ctx, g.At)
	return g, classify(err)
}

// load returns what the group files of an interval add up to, by key. A newest file of version 1 stands alone.
func (g *Group) load(ctx context.Context, at Interval) (map[string]Member, error) {
	dir := vfs.Join(g.URI, detailsDir)
	files, err := metadata.Files(ctx, g.FS, dir, at)
	if err != nil {
		return nil, err
	}
	if n := len(files); n > 0 && files[n-1].Version < 2 {
		files = files[n-1:]
	}
	members := map[string]Member{}
	for _, f := range files {
		file := vfs.Join(dir, f.File)
		content, err := vfs.ReadAll(ctx, g.FS, file)
		if err != nil {
			return nil, err
		}
		content, err = format.Decrypt(g.key, content)
		if err != nil {
			return nil, format.WithURI(err, file)
		}
		d, err := format.DecodeGroupDetails(content)
		if err != nil {
			return nil, format.WithURI(err, file)
		}
		for _, m := range d.Members {
			member := Member{m.Type, m.URI, m.Relative, m.Name, m.Named}
			if m.Deleted {
				delete(members, member.Key())
			} else {
				members[member.Key()] = member
			}
		}
	}
	return members, nil
}

// Members returns the members sorted by key, in a new slice.
func (g *Group) Members() []Member {
	list := make([]Member, 0, len(g.members))
	for _, m := range g.members {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.Key(), b.Key()) })
	return list
}

// Member returns the member known by a name, or by its URI when it has no name.
func (g *Group) Member(key string) (Member, bool) {
	m, ok := g.members[key]
	return m, ok
}

// Resolve returns the URI of a member, below the group's own when it is relative.
func (g *Group) Resolve(m Member) string {
	if m.Relative {
		return vfs.Join(g.URI, m.URI)
	}
	return m.URI
}

// Metadata returns the group's metadata in the interval, sorted by key.
func (g *Group) Metadata(ctx context.Context) ([]format.MetadataEntry, error) {
	entries, err := metadata.Load(ctx, g.FS, vfs.Join(g.URI, metadata.Folder), g.At, g.key)
	return entries, classify(err)
}

// PutMetadata writes changes of the group's metadata as one file of that time in milliseconds, 0 for now.
func (g *Group) PutMetadata(ctx context.Context, entries []format.MetadataEntry, millis uint64) error {
	_, err := metadata.Put(ctx, g.FS, vfs.Join(g.URI, metadata.Folder), entries, millis, g.key)
	return classify(err)
}
